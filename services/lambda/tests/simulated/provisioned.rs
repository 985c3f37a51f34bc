//! Environments stand before anybody calls, move with their alias, outlive their sessions, and go when nobody wants them.

use std::time::Duration;

use crate::world::{self, World, function, zip};
use apus_compute::driver::SandboxSpec;
use apus_compute::driver::fake::{FakeEnd, FakeReply};
use apus_compute::exchange::Invocation;
use apus_model_lambda::{
    CreateAlias, CreateAliasRequest, CreateFunction, DeleteAlias, DeleteAliasRequest, DeleteFunction,
    DeleteFunctionConcurrency, DeleteFunctionConcurrencyRequest, DeleteFunctionRequest,
    DeleteProvisionedConcurrencyConfig, DeleteProvisionedConcurrencyConfigRequest, GetAccountSettings,
    GetAccountSettingsRequest, GetProvisionedConcurrencyConfig, GetProvisionedConcurrencyConfigRequest,
    GetProvisionedConcurrencyConfigResponse, ProvisionedConcurrencyStatusEnum as Status, PublishVersion,
    PublishVersionRequest, PutFunctionConcurrency, PutFunctionConcurrencyRequest,
    PutProvisionedConcurrencyConfig, PutProvisionedConcurrencyConfigRequest, UpdateAlias, UpdateAliasRequest,
    UpdateFunctionCode, UpdateFunctionCodeRequest,
};

/// Answers after a second with how the environment came to be, the version, and the environment's name.
fn answers(sandbox: &SandboxSpec, _: &Invocation) -> FakeReply {
    let variable = |name: &str| {
        let found = sandbox.variables.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let text = [
        variable("AWS_LAMBDA_INITIALIZATION_TYPE"),
        variable("AWS_LAMBDA_FUNCTION_VERSION"),
        variable("AWS_LAMBDA_LOG_STREAM_NAME"),
    ];
    let end = FakeEnd::Response(format!("\"{}\"", text.join(" ")).into());
    FakeReply { after: Duration::from_secs(1), output: String::new(), end }
}

/// A story about `hello` with the version 1, to which `live` leads.
fn story(test: &str, story: impl AsyncFnOnce(&World)) {
    world::world(test, answers, async |world| {
        world.call::<CreateFunction>(function("hello")).await.expect("made");
        publish(world, "1").await;
        let alias = CreateAliasRequest {
            function_name: "hello".into(),
            name: "live".into(),
            function_version: "1".into(),
            ..CreateAliasRequest::default()
        };
        world.call::<CreateAlias>(alias).await.expect("made");
        story(world).await;
    });
}

async fn publish(world: &World, number: &str) {
    let code = UpdateFunctionCodeRequest {
        function_name: "hello".into(),
        zip_file: Some(zip("handler.py", number.as_bytes())),
        ..UpdateFunctionCodeRequest::default()
    };
    world.call::<UpdateFunctionCode>(code).await.expect("updated");
    let input = PublishVersionRequest { function_name: "hello".into(), ..PublishVersionRequest::default() };
    let version = world.call::<PublishVersion>(input).await.expect("published").version;
    assert_eq!(version.as_deref(), Some(number));
}

fn wish(qualifier: &str, count: i32) -> PutProvisionedConcurrencyConfigRequest {
    PutProvisionedConcurrencyConfigRequest {
        function_name: "hello".into(),
        qualifier: qualifier.into(),
        provisioned_concurrent_executions: count,
    }
}

async fn put(world: &World, qualifier: &str, count: i32) {
    let put = world.call::<PutProvisionedConcurrencyConfig>(wish(qualifier, count)).await.expect("accepted");
    assert_eq!(put.status, Some(Status::InProgress));
    assert_eq!(put.requested_provisioned_concurrent_executions, Some(count));
}

async fn get(world: &World, qualifier: &str) -> GetProvisionedConcurrencyConfigResponse {
    let input =
        GetProvisionedConcurrencyConfigRequest { function_name: "hello".into(), qualifier: qualifier.into() };
    world.call::<GetProvisionedConcurrencyConfig>(input).await.expect("a configuration")
}

/// Waits for a status; a world in which it never comes runs out of time.
async fn status(world: &World, qualifier: &str, status: Status) -> GetProvisionedConcurrencyConfigResponse {
    for _ in 0..600 {
        let found = get(world, qualifier).await;
        if found.status.as_ref() == Some(&status) {
            return found;
        }
        world.env.sleep(Duration::from_millis(50)).await;
    }
    panic!("no {status:?} within 30 s, but {:?}", get(world, qualifier).await);
}

async fn point(world: &World, version: &str) {
    let input = UpdateAliasRequest {
        function_name: "hello".into(),
        name: "live".into(),
        function_version: Some(version.into()),
        ..UpdateAliasRequest::default()
    };
    world.call::<UpdateAlias>(input).await.expect("moved");
}

/// What the environment says: how it came to be, its version, its name.
async fn answer(world: &World, name: &str) -> [String; 3] {
    let payload = world.invoke(name, "{}").await.expect("it runs").payload.expect("an answer");
    let text = String::from_utf8_lossy(&payload).trim_matches('"').to_owned();
    let words: Vec<_> = text.splitn(3, ' ').map(str::to_owned).collect();
    words.try_into().expect("three words")
}

async fn unreserved(world: &World) -> i32 {
    let settings = world.call::<GetAccountSettings>(GetAccountSettingsRequest::default()).await;
    settings
        .expect("settings")
        .account_limit
        .expect("limits")
        .unreserved_concurrent_executions
        .expect("a number")
}

#[test]
fn calls_find_environments_that_stand_and_others_when_these_are_busy() {
    story("provisioned", async |world| {
        put(world, "live", 2).await;
        let ready = status(world, "live", Status::Ready).await;
        assert_eq!(ready.allocated_provisioned_concurrent_executions, Some(2));
        assert_eq!(ready.available_provisioned_concurrent_executions, Some(2));
        world.env.sleep(Duration::from_mins(20)).await;
        let calls = tokio::join!(
            answer(world, "hello:live"),
            answer(world, "hello:live"),
            answer(world, "hello:live")
        );
        let kinds = [&calls.0[0], &calls.1[0], &calls.2[0]];
        assert_eq!(kinds.iter().filter(|kind| **kind == "provisioned-concurrency").count(), 2, "{kinds:?}");
        assert_eq!(kinds.iter().filter(|kind| **kind == "on-demand").count(), 1, "{kinds:?}");
        put(world, "live", 1).await;
        world.env.sleep(Duration::from_secs(1)).await;
        assert_eq!(get(world, "live").await.allocated_provisioned_concurrent_executions, Some(1));
        let input = DeleteProvisionedConcurrencyConfigRequest {
            function_name: "hello".into(),
            qualifier: "live".into(),
        };
        world.call::<DeleteProvisionedConcurrencyConfig>(input).await.expect("deleted");
        world.env.sleep(Duration::from_mins(6)).await;
        assert_eq!(answer(world, "hello:live").await[0], "on-demand");
    });
}

#[test]
fn environments_move_with_their_alias_and_the_new_ones_come_first() {
    story("provisioned-moves", async |world| {
        put(world, "live", 1).await;
        status(world, "live", Status::Ready).await;
        let before = answer(world, "hello:live").await;
        publish(world, "2").await;
        point(world, "2").await;
        assert_eq!(get(world, "live").await.status, Some(Status::InProgress));
        // The old one stands while the new one starts.
        world.env.sleep(Duration::from_millis(50)).await;
        assert_eq!(answer(world, "hello:1").await, before);
        status(world, "live", Status::Ready).await;
        let after = answer(world, "hello:live").await;
        assert_eq!([&*after[0], &*after[1]], ["provisioned-concurrency", "2"]);
        world.env.sleep(Duration::from_secs(1)).await;
        assert_eq!(answer(world, "hello:1").await[0], "on-demand", "nobody wants it any more");
        // There and back at once: what stands is not thrown away.
        point(world, "1").await;
        point(world, "2").await;
        world.env.sleep(Duration::from_secs(5)).await;
        assert_eq!(answer(world, "hello:live").await, after);
    });
}

#[test]
fn environments_are_renewed_before_their_credentials_end() {
    story("provisioned-sessions", async |world| {
        put(world, "1", 1).await;
        status(world, "1", Status::Ready).await;
        let mut names = std::collections::BTreeSet::new();
        for _ in 0..36 {
            let [kind, _, name] = answer(world, "hello:1").await;
            assert_eq!(kind, "provisioned-concurrency");
            names.insert(name);
            assert_eq!(get(world, "1").await.status, Some(Status::Ready));
            world.env.sleep(Duration::from_mins(10)).await;
        }
        // Six hours are more than six sessions, and renewals are not made on a whim.
        assert!((6..=13).contains(&names.len()), "{}", names.len());
    });
}

#[test]
fn what_there_is_no_room_for_is_told_and_comes_when_there_is() {
    story("provisioned-room", async |world| {
        // The world has room for four, of which one is everybody's.
        put(world, "1", 5).await;
        let failed = status(world, "1", Status::Failed).await;
        assert_eq!(failed.allocated_provisioned_concurrent_executions, Some(3));
        let reason = failed.status_reason.expect("a reason");
        assert!(reason.ends_with("at most 3 environments of all functions together"), "{reason}");
        publish(world, "2").await;
        answer(world, "hello:2").await;
        put(world, "2", 2).await;
        status(world, "2", Status::Failed).await;
        put(world, "1", 1).await;
        status(world, "1", Status::Ready).await;
        let ready = status(world, "2", Status::Ready).await;
        assert_eq!((ready.status_reason, ready.allocated_provisioned_concurrent_executions), (None, Some(2)));
    });
}

#[test]
fn what_goes_takes_its_environments_and_its_share_along() {
    story("provisioned-ends", async |world| {
        let reserve = async |count| {
            let input = PutFunctionConcurrencyRequest {
                function_name: "hello".into(),
                reserved_concurrent_executions: count,
            };
            world.call::<PutFunctionConcurrency>(input).await
        };
        assert_eq!(unreserved(world).await, 1000);
        put(world, "live", 2).await;
        publish(world, "2").await;
        put(world, "2", 1).await;
        assert_eq!(unreserved(world).await, 997);
        reserve(10).await.expect("more than is provisioned");
        assert_eq!(unreserved(world).await, 990);
        assert!(reserve(2).await.is_err_and(|error| error.message().ends_with("concurrency [3].")));
        let (name, message) = world.refused::<PutProvisionedConcurrencyConfig>(wish("2", 9)).await;
        assert_eq!(name, "InvalidParameterValueException");
        assert!(message.contains("reservedConcurrentExecution"), "{message}");
        let input = DeleteFunctionConcurrencyRequest { function_name: "hello".into() };
        world.call::<DeleteFunctionConcurrency>(input).await.expect("deleted");
        assert_eq!(unreserved(world).await, 997);
        let input = DeleteAliasRequest { function_name: "hello".into(), name: "live".into() };
        world.call::<DeleteAlias>(input).await.expect("deleted");
        assert_eq!(unreserved(world).await, 999);
        let input = DeleteFunctionRequest { function_name: "hello".into(), qualifier: Some("2".into()) };
        world.call::<DeleteFunction>(input).await.expect("deleted");
        assert_eq!(unreserved(world).await, 1000);
        put(world, "1", 3).await;
        status(world, "1", Status::Ready).await;
        let input = DeleteFunctionRequest { function_name: "hello".into(), qualifier: None };
        world.call::<DeleteFunction>(input).await.expect("deleted");
        assert_eq!(unreserved(world).await, 1000);
        // Its environments are gone: two others find room at once, where there was room for one.
        world.call::<CreateFunction>(function("hello")).await.expect("made");
        let (one, two) = tokio::join!(answer(world, "hello"), answer(world, "hello"));
        assert_eq!([&*one[0], &*two[0]], ["on-demand"; 2]);
        assert_ne!(one[2], two[2], "one waited for the other");
    });
}

#[test]
fn version_and_alias_do_not_both_have_some() {
    story("provisioned-conflicts", async |world| {
        let conflict =
            async |qualifier| world.refused::<PutProvisionedConcurrencyConfig>(wish(qualifier, 1)).await;
        put(world, "1", 1).await;
        let taken =
            "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version";
        assert_eq!(conflict("live").await, ("ResourceConflictException".to_owned(), taken.to_owned()));
        publish(world, "2").await;
        point(world, "2").await;
        put(world, "live", 1).await;
        let pointed = "Version is pointed by a Provisioned Concurrency alias";
        assert_eq!(conflict("2").await, ("ResourceConflictException".to_owned(), pointed.to_owned()));
        let back = UpdateAliasRequest {
            function_name: "hello".into(),
            name: "live".into(),
            function_version: Some("1".into()),
            ..UpdateAliasRequest::default()
        };
        let refused = world.refused::<UpdateAlias>(back.clone()).await;
        assert_eq!(refused, ("ResourceConflictException".to_owned(), taken.to_owned()));
        let latest = UpdateAliasRequest { function_version: Some("$LATEST".into()), ..back };
        let (name, message) = world.refused::<UpdateAlias>(latest).await;
        assert_eq!(name, "InvalidParameterValueException");
        assert!(message.contains("unpublished"), "{message}");
    });
}
