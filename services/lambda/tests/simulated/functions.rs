//! Functions are made, shown, listed and deleted as Lambda does it; what Apus lacks is refused by name.

use std::collections::BTreeMap;

use crate::world::{self, World, function, zip};
use apus_compute::driver::fake::FakeReply;
use apus_model_lambda::{
    Architecture, CreateFunction, CreateFunctionRequest, DeleteFunction, DeleteFunctionRequest, Environment,
    EphemeralStorage, FunctionCode, FunctionConfiguration, FunctionVersion, GetFunction,
    GetFunctionConfiguration, GetFunctionConfigurationRequest, GetFunctionRequest, ImageConfig,
    LastUpdateStatus, ListFunctions, ListFunctionsRequest, PackageType, Runtime, SnapStart, SnapStartApplyOn,
    State, StateReasonCode, TracingConfig, TracingMode, VpcConfig,
};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:hello";

fn story(test: &str, story: impl AsyncFnOnce(&World)) {
    world::world(test, |_, _| FakeReply::response("null"), story);
}

fn get(name: &str, qualifier: Option<&str>) -> GetFunctionRequest {
    GetFunctionRequest { function_name: name.into(), qualifier: qualifier.map(Into::into) }
}

fn delete(name: &str, qualifier: Option<&str>) -> DeleteFunctionRequest {
    DeleteFunctionRequest { function_name: name.into(), qualifier: qualifier.map(Into::into) }
}

#[test]
fn a_function_is_shown_as_it_was_made_until_it_is_deleted() {
    story("life", async |world| {
        let pending = world
            .call_only::<CreateFunction>(CreateFunctionRequest {
                description: Some("greets".into()),
                timeout: Some(900),
                memory_size: Some(10_240),
                ephemeral_storage: Some(EphemeralStorage { size: 10_240 }),
                environment: Some(Environment {
                    variables: Some(BTreeMap::from([("A".into(), "b".into())])),
                }),
                tags: Some(BTreeMap::from([("team".into(), "one".into())])),
                tracing_config: Some(TracingConfig { mode: Some(TracingMode::PassThrough) }),
                snap_start: Some(SnapStart { apply_on: Some(SnapStartApplyOn::None) }),
                vpc_config: Some(VpcConfig { subnet_ids: Some(vec![]), ..VpcConfig::default() }),
                package_type: Some(PackageType::Zip),
                publish: Some(false),
                ..function("hello")
            })
            .await
            .expect("made");
        let reason = "The function is being created.".to_owned();
        assert_eq!((&pending.state, &pending.state_reason), (&Some(State::Pending), &Some(reason)));
        assert_eq!(pending.state_reason_code, Some(StateReasonCode::Creating));
        assert_eq!(pending.last_update_status, None);
        world.settled().await;
        let made = FunctionConfiguration {
            state: Some(State::Active),
            state_reason: None,
            state_reason_code: None,
            last_update_status: Some(LastUpdateStatus::Successful),
            ..pending
        };
        assert_eq!(made.function_arn.as_deref(), Some(ARN));
        assert_eq!((made.timeout, made.memory_size), (Some(900), Some(10_240)));
        assert_eq!(made.version.as_deref(), Some("$LATEST"));
        assert_eq!(made.last_modified.as_deref(), Some("2026-01-01T00:00:00.000+0000"));
        assert_eq!(made.code_size, Some(zip("handler.py", b"pass").len() as i64));
        assert_eq!(made.code_sha256.as_ref().map(String::len), Some(44));
        let variables = made.environment.clone().and_then(|environment| environment.variables);
        assert_eq!(variables, Some(BTreeMap::from([("A".into(), "b".into())])));
        let log_group = made.logging_config.clone().and_then(|config| config.log_group);
        assert_eq!(log_group.as_deref(), Some("/aws/lambda/hello"));

        for name in ["hello", ARN, "000000000000:function:hello"] {
            let shown = world.call::<GetFunction>(get(name, None)).await.expect("shown");
            assert_eq!(shown.configuration.as_ref(), Some(&made), "{name}");
            assert_eq!(shown.tags, Some(BTreeMap::from([("team".into(), "one".into())])));
        }
        let input =
            GetFunctionConfigurationRequest { function_name: "hello:$LATEST".into(), qualifier: None };
        let shown = world.call::<GetFunctionConfiguration>(input).await.expect("shown");
        assert_eq!(shown.function_arn, Some(format!("{ARN}:$LATEST")));
        assert_eq!(shown.revision_id, made.revision_id);

        let conflict = world.refused::<CreateFunction>(function("hello")).await;
        assert_eq!(conflict, ("ResourceConflictException".into(), "Function already exist: hello".into()));
        assert_eq!(apus_service_lambda::referenced_blobs(&world.store).await.expect("read").len(), 1);

        let latest = world.refused::<DeleteFunction>(delete("hello", Some("$LATEST"))).await;
        assert_eq!(latest.1, "$LATEST version cannot be deleted without deleting the function.");
        let deleted = world.call::<DeleteFunction>(delete("hello", None)).await.expect("deleted");
        assert_eq!(deleted.status_code, Some(204));
        let gone = ("ResourceNotFoundException".into(), format!("Function not found: {ARN}"));
        assert_eq!(world.refused::<GetFunction>(get("hello", None)).await, gone);
        assert_eq!(world.refused::<DeleteFunction>(delete("hello", None)).await, gone);
        assert_eq!(world.store.blobs().list().await.expect("read"), []);
        assert!(apus_service_lambda::referenced_blobs(&world.store).await.expect("read").is_empty());
    });
}

#[test]
fn one_of_two_that_make_the_same_function_is_refused_and_leaves_nothing() {
    story("race", async |world| {
        let (one, two) = futures_util::join!(
            world.call::<CreateFunction>(function("hello")),
            world.call::<CreateFunction>(function("hello"))
        );
        assert_eq!([one.is_ok(), two.is_ok()].iter().filter(|made| **made).count(), 1);
        let referenced = apus_service_lambda::referenced_blobs(&world.store).await.expect("read");
        let blobs = world.store.blobs().list().await.expect("read");
        assert_eq!(blobs, referenced.into_iter().collect::<Vec<_>>());
    });
}

#[test]
fn names_and_qualifiers_that_lead_nowhere_are_refused() {
    story("names", async |world| {
        world.call::<CreateFunction>(function("hello")).await.expect("made");
        for (name, qualifier, error, message) in [
            (
                "other",
                None,
                "ResourceNotFoundException",
                "Function not found: arn:aws:lambda:us-east-1:000000000000:function:other",
            ),
            (
                "hello",
                Some("live"),
                "ResourceNotFoundException",
                "Function not found: arn:aws:lambda:us-east-1:000000000000:function:hello:live",
            ),
            (
                "hello:1",
                None,
                "ResourceNotFoundException",
                "Function not found: arn:aws:lambda:us-east-1:000000000000:function:hello:1",
            ),
            (
                "hello:1",
                Some("2"),
                "InvalidParameterValueException",
                "The derived qualifier from the function name does not match the specified qualifier.",
            ),
            (
                "arn:aws:lambda:eu-west-1:000000000000:function:hello",
                None,
                "ResourceNotFoundException",
                "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
            ),
            (
                "a.b",
                None,
                "InvalidParameterValueException",
                "The function name is no name, partial ARN or ARN of a function.",
            ),
        ] {
            let refused = world.refused::<GetFunction>(get(name, qualifier)).await;
            assert_eq!(refused, (error.to_owned(), message.to_owned()));
        }
        let other = world.refused::<GetFunction>(get("111111111111:function:hello", None)).await;
        assert_eq!(other.0, "AccessDenied");
        assert!(
            other.1.ends_with("no resource-based policy allows the lambda:GetFunction action"),
            "{}",
            other.1
        );
        let qualified = world.refused::<CreateFunction>(function("new:live")).await;
        assert_eq!(qualified.0, "InvalidParameterValueException");
    });
}

#[test]
fn lists_come_in_pages_by_name() {
    story("list", async |world| {
        for number in 0..53 {
            world.call::<CreateFunction>(function(&format!("f{number:02}"))).await.expect("made");
        }
        let list = async |marker: Option<String>, max_items| {
            let input = ListFunctionsRequest { marker, max_items, ..ListFunctionsRequest::default() };
            let page = world.call::<ListFunctions>(input).await.expect("listed");
            let names = page.functions.unwrap_or_default().into_iter().filter_map(|f| f.function_name);
            (names.collect::<Vec<_>>(), page.next_marker)
        };
        let (first, marker) = list(None, None).await;
        assert_eq!((first.len(), first[0].as_str(), first[49].as_str()), (50, "f00", "f49"));
        let (rest, end) = list(marker, Some(3)).await;
        assert_eq!((rest, end), (vec!["f50".into(), "f51".into(), "f52".into()], None));
        let (_, marker) = list(None, Some(10_000)).await;
        assert!(marker.is_some());
        let all = ListFunctionsRequest {
            function_version: Some(FunctionVersion::All),
            max_items: Some(1),
            ..Default::default()
        };
        let page = world.call::<ListFunctions>(all).await.expect("listed").functions.unwrap_or_default();
        let one = &page[0];
        assert_eq!(
            one.function_arn.as_deref(),
            Some("arn:aws:lambda:us-east-1:000000000000:function:f00:$LATEST")
        );
        assert_eq!((one.state.as_ref(), one.last_update_status.as_ref()), (None, None));
        let forged = ListFunctionsRequest { marker: Some("?".into()), ..Default::default() };
        assert_eq!(world.refused::<ListFunctions>(forged).await.0, "InvalidParameterValueException");
    });
}

#[test]
fn rules_beyond_the_model_are_kept() {
    let base = || function("hello");
    let code = |zip_file: &[u8]| FunctionCode {
        zip_file: Some(bytes::Bytes::copy_from_slice(zip_file)),
        ..FunctionCode::default()
    };
    let variable = |name: &str, value: &str| {
        Some(Environment { variables: Some(BTreeMap::from([(name.to_owned(), value.to_owned())])) })
    };
    let validation = "1 validation error detected: Value";
    let unzip = "Could not unzip uploaded file. Please check your file, then try to upload again.";
    let cases = vec![
        (CreateFunctionRequest { timeout: Some(901), ..base() }, "Validation", validation),
        (CreateFunctionRequest { memory_size: Some(10_241), ..base() }, "Validation", validation),
        (
            CreateFunctionRequest { ephemeral_storage: Some(EphemeralStorage { size: 10_241 }), ..base() },
            "Validation",
            validation,
        ),
        (function(&"x".repeat(65)), "Validation", validation),
        (
            CreateFunctionRequest { handler: None, ..base() },
            "InvalidParameterValueException",
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        ),
        (
            CreateFunctionRequest { environment: variable("AWS_REGION", "x"), ..base() },
            "InvalidParameterValueException",
            "Lambda was unable to configure your environment variables because",
        ),
        (
            CreateFunctionRequest { environment: variable("A", &"x".repeat(4_096)), ..base() },
            "InvalidParameterValueException",
            "Lambda was unable to configure your environment variables because",
        ),
        (
            CreateFunctionRequest { role: "arn:aws:iam::000000000000:role/nobody".into(), ..base() },
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
        ),
        (
            CreateFunctionRequest { role: "arn:aws:iam::111111111111:role/worker".into(), ..base() },
            "AccessDenied",
            "Cross-account pass role is not allowed.",
        ),
        (
            CreateFunctionRequest { code: FunctionCode::default(), ..base() },
            "InvalidParameterValueException",
            "Please provide a source for function code.",
        ),
        (
            CreateFunctionRequest { code: FunctionCode { s3_key: Some("k".into()), ..code(b"x") }, ..base() },
            "InvalidParameterValueException",
            "Please do not provide other FunctionCode parameters when providing a ZipFile.",
        ),
        (CreateFunctionRequest { code: code(b"no zip"), ..base() }, "InvalidParameterValueException", unzip),
        (
            CreateFunctionRequest { code: code(&zip("../evil", b"x")), ..base() },
            "InvalidParameterValueException",
            unzip,
        ),
        (
            CreateFunctionRequest { code: code(&zip("only/", b"")), ..base() },
            "InvalidParameterValueException",
            "Uploaded file must be a non-empty zip",
        ),
        (
            CreateFunctionRequest { code: code(&vec![0; 52_428_801]), ..base() },
            "RequestEntityTooLargeException",
            "Request must be smaller than 69905067 bytes for the CreateFunction operation",
        ),
        (
            CreateFunctionRequest {
                tags: Some((0..51).map(|n| (n.to_string(), String::new())).collect()),
                ..base()
            },
            "InvalidParameterValueException",
            "A function has at most 50 tags.",
        ),
    ];
    story("rules", async |world| {
        for (request, name, message) in cases {
            let refused = world.refused::<CreateFunction>(request).await;
            assert_eq!(refused.0, name, "{}", refused.1);
            assert!(refused.1.starts_with(message), "{}", refused.1);
        }
        assert_eq!(world.store.blobs().list().await.expect("read"), []);
    });
}

#[test]
fn what_apus_lacks_is_refused_by_name() {
    let base = || function("hello");
    let some = |text: &str| Some(text.to_owned());
    let cases = vec![
        (CreateFunctionRequest { runtime: Some(Runtime::from("ruby3.3")), ..base() }, "the runtime ruby3.3"),
        (CreateFunctionRequest { package_type: Some(PackageType::Image), ..base() }, "PackageType Image"),
        (CreateFunctionRequest { kms_key_arn: some("arn:aws:kms:x"), ..base() }, "KMSKeyArn"),
        (
            CreateFunctionRequest {
                vpc_config: Some(VpcConfig {
                    subnet_ids: Some(vec!["subnet-1".into()]),
                    ..Default::default()
                }),
                ..base()
            },
            "VpcConfig",
        ),
        (
            CreateFunctionRequest {
                tracing_config: Some(TracingConfig { mode: Some(TracingMode::Active) }),
                ..base()
            },
            "TracingConfig.Mode Active",
        ),
        (
            CreateFunctionRequest {
                snap_start: Some(SnapStart { apply_on: Some(SnapStartApplyOn::PublishedVersions) }),
                ..base()
            },
            "SnapStart",
        ),
        (
            CreateFunctionRequest {
                image_config: Some(ImageConfig { command: Some(vec!["x".into()]), ..Default::default() }),
                ..base()
            },
            "ImageConfig",
        ),
        (
            CreateFunctionRequest { architectures: Some(vec![Architecture::from("z80")]), ..base() },
            "the architecture z80",
        ),
    ];
    story("lacks", async |world| {
        for (request, what) in cases {
            let (name, message) = world.refused::<CreateFunction>(request).await;
            assert_eq!(name, "NotSupported", "{message}");
            assert!(message.starts_with(&format!("Apus does not support {what}")), "{message}");
        }
    });
}
