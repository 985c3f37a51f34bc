//! The platform's wiring in this process, on a durable store: what the store counts becomes visible.
//!
//! Functions are not run here, so no sandbox is needed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use apus::wiring::{self, Foundation, Instance};
use apus_compute::driver::fake::{FakeDriver, FakeReply};
use apus_compute::{Compute, PoolLimits};
use apus_env::Env;
use apus_kernel::{AccountId, Caller, Origin, Platform, Region};
use apus_model_sqs::{
    CreateQueue, CreateQueueRequest, DeleteMessage, DeleteMessageRequest, ReceiveMessage,
    ReceiveMessageRequest, SendMessage, SendMessageRequest,
};
use apus_service_iam::Mode;
use apus_service_lambda::LambdaConfig;
use apus_store::Store;

use crate::load::Client;

/// The wiring, running here.
pub(crate) struct InProcess {
    instance: Instance,
    pub(crate) store: Store,
}

impl InProcess {
    pub(crate) async fn start(env: &Env, dir: &Path) -> Result<Self, String> {
        let store = Store::open_dir(env, dir.join("store")).map_err(|error| error.to_string())?;
        let limits = PoolLimits {
            environments_max: 1,
            waiting_max: 1,
            idle_max: Duration::from_mins(1),
            freeze_after: None,
        };
        let driver = FakeDriver::new(env.clone(), Duration::ZERO, |_, _| FakeReply::response("null"));
        // Only links in answers name it.
        let base_url = "http://127.0.0.1:4566".to_owned();
        let foundation = Foundation {
            env: env.clone(),
            store: store.clone(),
            compute: Compute::with_driver(env.clone(), Arc::new(driver), limits),
            lambda: LambdaConfig::new(dir.join("code"), base_url.clone()),
            iam: Mode::Enforce,
            base_url,
            letter_dir: dir.join("outgoing"),
            inside_tls: None,
        };
        let instance = wiring::start(foundation).await.map_err(|error| error.to_string())?;
        Ok(Self { instance, store })
    }

    /// Calls of the development account's root.
    pub(crate) fn caller(&self) -> DirectCaller {
        DirectCaller { platform: self.instance.platform.clone() }
    }

    pub(crate) async fn stop(self) {
        self.instance.stop().await;
    }
}

/// Calls operations through the door.
#[derive(Clone)]
pub(crate) struct DirectCaller {
    platform: Platform,
}

impl DirectCaller {
    async fn call<O: apus_schema::Operation>(&self, input: O::Input) -> Result<O::Output, String> {
        let caller = Caller::root(AccountId::DEVELOPMENT, Region::default());
        let context = self.platform.context(caller, Origin::default(), None);
        self.platform.call::<O>(context, input).await.map_err(|error| error.to_string())
    }

    /// Makes a queue; its URL.
    pub(crate) async fn create_queue(&self, name: &str) -> Result<String, String> {
        let input = CreateQueueRequest { queue_name: name.into(), ..CreateQueueRequest::default() };
        let output = self.call::<CreateQueue>(input).await?;
        output.queue_url.ok_or_else(|| "a queue without a URL".into())
    }
}

/// Sends one message after the other.
pub(crate) struct DirectSender {
    pub(crate) caller: DirectCaller,
    pub(crate) queue_url: String,
    pub(crate) body: String,
}

impl Client for DirectSender {
    async fn step(&mut self) -> Result<Option<u64>, String> {
        let input = SendMessageRequest {
            queue_url: self.queue_url.clone(),
            message_body: self.body.clone(),
            ..SendMessageRequest::default()
        };
        self.caller.call::<SendMessage>(input).await?;
        Ok(Some(1))
    }
}

/// Receives ten messages and deletes them; ends all when the queue is empty.
pub(crate) struct DirectConsumer {
    pub(crate) caller: DirectCaller,
    pub(crate) queue_url: String,
}

impl Client for DirectConsumer {
    async fn step(&mut self) -> Result<Option<u64>, String> {
        let input = ReceiveMessageRequest {
            queue_url: self.queue_url.clone(),
            max_number_of_messages: Some(10),
            ..ReceiveMessageRequest::default()
        };
        let messages = self.caller.call::<ReceiveMessage>(input).await?.messages.unwrap_or_default();
        let handled = messages.len() as u64;
        for message in messages {
            let input = DeleteMessageRequest {
                queue_url: self.queue_url.clone(),
                receipt_handle: message.receipt_handle.unwrap_or_default(),
            };
            self.caller.call::<DeleteMessage>(input).await?;
        }
        Ok((handled > 0).then_some(handled))
    }
}
