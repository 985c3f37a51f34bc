//! Versions keep what they were, aliases share invocations out, and code is kept for as long as a version needs it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::world::{self, World, function, zip};
use apus_compute::driver::SandboxSpec;
use apus_compute::driver::fake::FakeReply;
use apus_compute::exchange::Invocation;
use apus_model_lambda::{
    AliasRoutingConfiguration, CreateAlias, CreateAliasRequest, CreateFunction, DeleteFunction,
    DeleteFunctionRequest, GetFunction, GetFunctionRequest, InvocationRequest, InvocationType, Invoke,
    PublishVersion, PublishVersionRequest, UpdateFunctionCode, UpdateFunctionCodeRequest,
    UpdateFunctionConfiguration, UpdateFunctionConfigurationRequest,
};
use apus_store::{Keyspace, StoreError};

/// Answers with the version and the log stream of its environment.
fn version(sandbox: &SandboxSpec, _: &Invocation) -> FakeReply {
    let variable = |name: &str| {
        let found = sandbox.variables.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let (version, stream) = (variable("AWS_LAMBDA_FUNCTION_VERSION"), variable("AWS_LAMBDA_LOG_STREAM_NAME"));
    FakeReply::response(format!("\"{version} {stream}\""))
}

fn story(test: &str, story: impl AsyncFnOnce(&World)) {
    world::world(test, version, story);
}

fn code(content: &[u8]) -> UpdateFunctionCodeRequest {
    UpdateFunctionCodeRequest {
        function_name: "hello".into(),
        zip_file: Some(zip("handler.py", content)),
        ..UpdateFunctionCodeRequest::default()
    }
}

async fn update(world: &World, content: &[u8]) {
    world.call::<UpdateFunctionCode>(code(content)).await.expect("updated");
}

async fn publish(world: &World) -> String {
    let input = PublishVersionRequest { function_name: "hello".into(), ..PublishVersionRequest::default() };
    world.call::<PublishVersion>(input).await.expect("published").version.expect("a number")
}

async fn delete(world: &World, qualifier: Option<&str>) {
    let input = DeleteFunctionRequest { function_name: "hello".into(), qualifier: qualifier.map(Into::into) };
    world.call::<DeleteFunction>(input).await.expect("deleted");
}

/// How many blobs there are, all of which somebody refers to.
async fn blobs(world: &World) -> usize {
    // What nobody needs goes after the commit that lets go of it.
    world.env.sleep(Duration::from_millis(1)).await;
    let blobs = world.store.blobs().list().await.expect("read");
    let referenced = apus_service_lambda::referenced_blobs(&world.store).await.expect("read");
    assert_eq!(blobs, referenced.into_iter().collect::<Vec<_>>());
    blobs.len()
}

async fn answer(world: &World, name: &str) -> String {
    let payload = world.invoke(name, "{}").await.expect("it runs").payload.expect("an answer");
    String::from_utf8_lossy(&payload).trim_matches('"').to_owned()
}

#[test]
fn code_is_kept_while_a_version_needs_it() {
    story("kept-code", async |world| {
        world.call::<CreateFunction>(function("hello")).await.expect("made");
        assert_eq!(publish(world).await, "1");
        assert_eq!(blobs(world).await, 1);
        update(world, b"two").await;
        assert_eq!(blobs(world).await, 2);
        update(world, b"three").await;
        assert_eq!(blobs(world).await, 2, "what only $LATEST had is gone");
        assert_eq!(publish(world).await, "2");
        assert_eq!(publish(world).await, "2", "nothing has changed");
        update(world, b"three").await;
        assert_eq!((publish(world).await.as_str(), blobs(world).await), ("2", 2));
        delete(world, Some("2")).await;
        assert_eq!(blobs(world).await, 2, "$LATEST still needs it");
        assert_eq!(publish(world).await, "3", "a number never comes back");
        delete(world, Some("1")).await;
        assert_eq!(blobs(world).await, 1);
        delete(world, None).await;
        assert_eq!(blobs(world).await, 0);
        world.call::<CreateFunction>(function("hello")).await.expect("made");
        assert_eq!(publish(world).await, "4");
    });
}

/// A store from before versions says of no blob who needs it.
#[test]
fn code_of_an_older_store_is_kept_while_a_version_needs_it() {
    story("older-store", async |world| {
        let forget = async || {
            let holders = Keyspace::new("", "", "lambda").sub(("holder",)).all();
            let forgotten = world.store.transact(|tx| {
                let holders = holders.clone();
                async move {
                    tx.delete_range(&holders);
                    Ok::<_, StoreError>(())
                }
            });
            forgotten.await.expect("forgotten");
        };
        world.call::<CreateFunction>(function("hello")).await.expect("made");
        forget().await;
        publish(world).await;
        delete(world, Some("1")).await;
        assert_eq!(blobs(world).await, 1, "$LATEST still needs it");
        forget().await;
        update(world, b"two").await;
        assert_eq!(blobs(world).await, 1);
        forget().await;
        delete(world, None).await;
        assert_eq!(blobs(world).await, 0);
    });
}

#[test]
fn updates_at_once_leave_no_code_behind() {
    story("updates", async |world| {
        world.call::<CreateFunction>(function("hello")).await.expect("made");
        let contents: Vec<Vec<u8>> = (0..8_u8).map(|number| vec![b'a' + number % 4]).collect();
        let all = contents.iter().map(|content| world.call_only::<UpdateFunctionCode>(code(content)));
        let (updated, refused): (Vec<_>, Vec<_>) =
            futures_util::future::join_all(all).await.into_iter().partition(Result::is_ok);
        assert!(!updated.is_empty());
        for refused in refused.into_iter().filter_map(Result::err) {
            assert_eq!(refused.name(), "ResourceConflictException", "{refused}");
        }
        world.settled().await;
        assert_eq!(blobs(world).await, 1);
    });
}

#[test]
fn environments_are_of_one_version_and_of_its_present_content() {
    story("environments", async |world| {
        world.call::<CreateFunction>(function("hello")).await.expect("made");
        let first = answer(world, "hello").await;
        assert!(first.starts_with("$LATEST "), "{first}");
        assert!(first.contains("[$LATEST]"), "{first}");
        publish(world).await;
        assert_eq!(answer(world, "hello").await, first, "a publication changes no environment");
        let published = answer(world, "hello:1").await;
        assert!(published.starts_with("1 ") && published.contains("[1]"), "{published}");
        let input = UpdateFunctionConfigurationRequest {
            function_name: "hello".into(),
            timeout: Some(9),
            ..UpdateFunctionConfigurationRequest::default()
        };
        let updated = world.call::<UpdateFunctionConfiguration>(input).await.expect("updated");
        assert_eq!(updated.timeout, Some(9));
        assert_ne!(answer(world, "hello").await, first);
        assert_eq!(answer(world, "hello:1").await, published);
        let input = GetFunctionRequest { function_name: "hello:1".into(), qualifier: None };
        let kept = world.call::<GetFunction>(input).await.expect("shown").configuration.expect("it");
        assert_eq!(kept.timeout, Some(3));
    });
}

#[test]
fn an_alias_shares_invocations_out_by_weight() {
    const CALLS: u32 = 10_000;
    story("weights", async |world| {
        world.call::<CreateFunction>(function("hello")).await.expect("made");
        publish(world).await;
        update(world, b"two").await;
        publish(world).await;
        let input = CreateAliasRequest {
            function_name: "hello".into(),
            name: "live".into(),
            function_version: "1".into(),
            routing_config: Some(AliasRoutingConfiguration {
                additional_version_weights: Some(BTreeMap::from([("2".into(), 0.3)])),
            }),
            ..CreateAliasRequest::default()
        };
        world.call::<CreateAlias>(input).await.expect("made");
        let mut second = 0;
        for _ in 0..CALLS {
            let input = InvocationRequest {
                function_name: "hello:live".into(),
                invocation_type: Some(InvocationType::DryRun),
                ..InvocationRequest::default()
            };
            let version = world.call::<Invoke>(input).await.expect("it could run").executed_version;
            second += u32::from(version.as_deref() == Some("2"));
        }
        // Five standard deviations (of 46) on each side: once in two million seeds.
        assert!((2_771..=3_229).contains(&second), "{second} of {CALLS}");
        let ran = world.invoke("hello:live", "{}").await.expect("it runs");
        let payload = ran.payload.expect("an answer");
        let executed = ran.executed_version.expect("a version");
        assert!(payload.starts_with(format!("\"{executed} ").as_bytes()), "{payload:?} by {executed}");
    });
}
