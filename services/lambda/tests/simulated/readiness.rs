//! Functions are made and updated in two steps: what an operation answers is durable, what it asked for comes after.

use crate::world::{self, World, function, zip};
use apus_compute::driver::SandboxSpec;
use apus_compute::driver::fake::FakeReply;
use apus_compute::exchange::Invocation;
use apus_model_lambda::{
    CreateFunction, CreateFunctionRequest, FunctionConfiguration, GetFunctionConfiguration,
    GetFunctionConfigurationRequest, LastUpdateStatus, PublishVersion, PublishVersionRequest, State,
    UpdateFunctionCode, UpdateFunctionCodeRequest, UpdateFunctionConfiguration,
    UpdateFunctionConfigurationRequest,
};

const PENDING: &str = "The operation cannot be performed at this time. The function is currently in the following state: Pending";
const UPDATING: &str = "The operation cannot be performed at this time. An update is in progress for resource: \
                        arn:aws:lambda:us-east-1:000000000000:function:hello";

fn story(test: &str, story: impl AsyncFnOnce(&World)) {
    let memory = |sandbox: &SandboxSpec, _: &Invocation| {
        let found = sandbox.variables.iter().find(|(name, _)| name == "AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
        FakeReply::response(found.expect("it is set").1.clone())
    };
    world::world(test, memory, story);
}

fn code() -> UpdateFunctionCodeRequest {
    UpdateFunctionCodeRequest {
        function_name: "hello".into(),
        zip_file: Some(zip("handler.py", b"two")),
        ..Default::default()
    }
}

fn memory(memory_size: i32) -> UpdateFunctionConfigurationRequest {
    UpdateFunctionConfigurationRequest {
        function_name: "hello".into(),
        memory_size: Some(memory_size),
        ..Default::default()
    }
}

fn publish() -> PublishVersionRequest {
    PublishVersionRequest { function_name: "hello".into(), ..Default::default() }
}

async fn shown(world: &World, name: &str) -> FunctionConfiguration {
    let input = GetFunctionConfigurationRequest { function_name: name.into(), qualifier: None };
    world.call::<GetFunctionConfiguration>(input).await.expect("shown")
}

/// Everything that waits for a function is refused with that message.
async fn check_refused(world: &World, message: &str) {
    let refused = [
        world.call_only::<UpdateFunctionCode>(code()).await.err(),
        world.call_only::<UpdateFunctionConfiguration>(memory(512)).await.err(),
        world.call_only::<PublishVersion>(publish()).await.err(),
    ];
    for error in refused {
        let error = error.expect("a refusal");
        assert_eq!((error.name().as_str(), error.message()), ("ResourceConflictException", message));
    }
}

#[test]
fn what_is_pending_is_neither_run_nor_changed() {
    story("pending", async |world| {
        let made = CreateFunctionRequest { publish: Some(true), ..function("hello") };
        let made = world.call_only::<CreateFunction>(made).await.expect("made");
        assert_eq!((made.state, made.version.as_deref()), (Some(State::Pending), Some("1")));
        check_refused(world, PENDING).await;
        for name in ["hello", "hello:1"] {
            assert_eq!(shown(world, name).await.state, Some(State::Pending));
            let error = world.invoke(name, "{}").await.expect_err("a refusal");
            assert_eq!((error.name().as_str(), error.message()), ("ResourceConflictException", PENDING));
        }
        world.settled().await;
        for name in ["hello", "hello:1"] {
            assert_eq!(shown(world, name).await.state, Some(State::Active));
            assert_eq!(world.invoke(name, "{}").await.expect("it runs").payload.expect("an answer"), "128");
        }
    });
}

#[test]
fn what_was_there_runs_until_an_update_is_through() {
    story("updating", async |world| {
        world.call::<CreateFunction>(function("hello")).await.expect("made");
        let answer = async || world.invoke("hello", "{}").await.expect("it runs").payload.expect("an answer");
        assert_eq!(answer().await, "128");
        let updated = world.call_only::<UpdateFunctionConfiguration>(memory(256)).await.expect("updated");
        assert_eq!((updated.state, updated.memory_size), (Some(State::Active), Some(256)));
        assert_eq!(updated.last_update_status, Some(LastUpdateStatus::InProgress));
        assert_eq!(updated.last_update_status_reason.as_deref(), Some("The function is being created."));
        check_refused(world, UPDATING).await;
        assert_eq!(answer().await, "128");
        world.settled().await;
        assert_eq!(answer().await, "256");
        assert_eq!(shown(world, "hello").await.last_update_status, Some(LastUpdateStatus::Successful));
        let version = world.call::<PublishVersion>(publish()).await.expect("published");
        assert_eq!((version.state, version.memory_size), (Some(State::Active), Some(256)));
    });
}
