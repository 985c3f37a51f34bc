//! SNS: topics and subscriptions. Purpose, key layout, invariants and deviations stand in the README.
//!
//! [`service`] is the registration table: read it first.

mod certificates;
mod confirm;
mod deliver;
mod delivery_policy;
mod endpoint;
mod errors;
mod fan_out;
mod message;
mod notification;
mod operations;
mod page;
mod permissions;
mod publishing;
mod signing;
mod store;
mod subscription;
mod tags;
mod targets;
mod text_message;
mod topic;
mod turns;

use std::sync::Arc;

use apus_env::Env;
use apus_kernel::{AccessRequest, BoxFuture, Lease, Outbox, Resource, ResourcePolicies, Service};
use apus_model_sns::SERVICE;
use apus_schema::ServiceError;
use apus_store::Store;

use crate::certificates::Certificates;
pub use crate::endpoint::{Carrier, Endpoints, Letter, Letters, Post};
use crate::errors::Failure;
use crate::operations::{
    add_permission, confirm_subscription, create_topic, delete_topic, get_subscription_attributes,
    get_topic_attributes, list_subscriptions, list_subscriptions_by_topic, list_tags_for_resource,
    list_topics, publish, publish_batch, remove_permission, set_subscription_attributes,
    set_topic_attributes, subscribe, tag_resource, unsubscribe, untag_resource,
};
use crate::publishing::{Desk, FifoLanes};
use crate::signing::Signer;
use crate::store::{Place, TopicRecord};
use crate::topic::TopicId;
use crate::turns::{POSTS_MAX, Turns};

/// As whom SNS calls its targets.
const PRINCIPAL: &str = "sns.amazonaws.com";

/// What every operation is passed.
pub(crate) struct Sns {
    env: Env,
    store: Store,
    lease: Lease,
    outbox: Outbox,
    endpoints: Arc<dyn Endpoints>,
    letters: Arc<dyn Letters>,
    signer: Arc<Signer>,
    posts: Turns,
    fifo_lanes: FifoLanes,
    /// The URL that subscribers reach the platform at, without a trailing slash.
    base_url: String,
}

impl Sns {
    /// What accepting messages writes with.
    fn desk(&self) -> Desk {
        Desk { store: self.store.clone(), lease: self.lease.clone(), outbox: self.outbox.clone() }
    }

    /// The topic, if there is one.
    async fn topic(&self, id: &TopicId) -> Result<Option<TopicRecord>, Failure> {
        let place = Place::of(id);
        let found = self.store.read(|tx| async move { place.topic(&tx, id.name.as_str()).await });
        Ok(found.await?)
    }
}

impl ResourcePolicies for Sns {
    fn policy<'a>(
        &'a self,
        request: &'a AccessRequest<'a>,
    ) -> BoxFuture<'a, Result<Option<Arc<str>>, ServiceError>> {
        Box::pin(async move {
            let Resource::Arn(arn) = &request.resource else { return Ok(None) };
            let Some(id) = TopicId::named(arn) else { return Ok(None) };
            Ok(self.topic(&id).await?.map(|topic| topic.attributes.effective_policy(&id).into()))
        })
    }
}

/// What the service stands on.
pub struct Foundation {
    /// Time and chance.
    pub env: Env,
    /// Where its state lives.
    pub store: Store,
    /// Under which it owns its topics.
    pub lease: Lease,
    /// What it leaves to be done later.
    pub outbox: Outbox,
    /// How it reaches endpoints outside.
    pub endpoints: Arc<dyn Endpoints>,
    /// Where it keeps what is meant for people.
    pub letters: Arc<dyn Letters>,
    /// The URL that subscribers reach the platform at, without a trailing slash.
    pub base_url: String,
}

/// The service on that foundation.
pub fn service(on: Foundation) -> Service {
    let Foundation { env, store, lease, outbox, endpoints, letters, base_url } = on;
    let signer = Arc::new(Signer::new(env.clone(), store.clone(), base_url.clone()));
    let certificates = Certificates(Arc::clone(&signer));
    let posts = Turns::new(POSTS_MAX);
    let desk = Desk { store: store.clone(), lease: lease.clone(), outbox: outbox.clone() };
    let fifo_lanes = publishing::fifo_lanes(env.clone(), desk);
    let sns = Sns { env, store, lease, outbox, endpoints, letters, signer, posts, fifo_lanes, base_url };
    Service::of(&SERVICE, sns)
        .operation(add_permission::ACCESS, add_permission::add_permission)
        .operation(confirm_subscription::ACCESS, confirm_subscription::confirm_subscription)
        .operation(create_topic::ACCESS, create_topic::create_topic)
        .operation(delete_topic::ACCESS, delete_topic::delete_topic)
        .operation(
            get_subscription_attributes::ACCESS,
            get_subscription_attributes::get_subscription_attributes,
        )
        .operation(get_topic_attributes::ACCESS, get_topic_attributes::get_topic_attributes)
        .operation(list_subscriptions::ACCESS, list_subscriptions::list_subscriptions)
        .operation(
            list_subscriptions_by_topic::ACCESS,
            list_subscriptions_by_topic::list_subscriptions_by_topic,
        )
        .operation(list_tags_for_resource::ACCESS, list_tags_for_resource::list_tags_for_resource)
        .operation(list_topics::ACCESS, list_topics::list_topics)
        .operation(publish::ACCESS, publish::publish)
        .operation(publish_batch::ACCESS, publish_batch::publish_batch)
        .operation(remove_permission::ACCESS, remove_permission::remove_permission)
        .operation(
            set_subscription_attributes::ACCESS,
            set_subscription_attributes::set_subscription_attributes,
        )
        .operation(set_topic_attributes::ACCESS, set_topic_attributes::set_topic_attributes)
        .operation(subscribe::ACCESS, subscribe::subscribe)
        .operation(tag_resource::ACCESS, tag_resource::tag_resource)
        .operation(unsubscribe::ACCESS, unsubscribe::unsubscribe)
        .operation(untag_resource::ACCESS, untag_resource::untag_resource)
        .step(fan_out::FAN_OUT, fan_out::fan_out)
        .step(fan_out::DELIVER, deliver::deliver)
        .step(fan_out::CONFIRM, confirm::confirm)
        .step(text_message::SEND, text_message::send)
        .front(certificates)
        .resource_policies()
        .build()
}
