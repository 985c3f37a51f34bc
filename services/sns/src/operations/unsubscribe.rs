//! `Unsubscribe`: ends a subscription; one that is not there has ended already.

use std::sync::Arc;

use apus_kernel::{Access, Context, Principal};
use apus_model_sns::{Unsubscribe, UnsubscribeInput, errors as modelled};
use apus_schema::{ServiceError, Unit};

use super::{SubscriptionId, authorize, count_filters};
use crate::Sns;
use crate::errors::Failure;
use crate::store::{Counted, Place};

/// Subscribers follow the link in a message and have no credentials; whoever has some is asked for a permission below.
pub(crate) const ACCESS: Access<Unsubscribe> = Access::free("sns:Unsubscribe");

pub(crate) async fn unsubscribe(
    sns: Arc<Sns>,
    context: Context,
    input: UnsubscribeInput,
) -> Result<Unit, ServiceError> {
    let subscription = SubscriptionId::parse(&input.subscription_arn)?;
    let is_anonymous = context.caller.principal == Principal::Anonymous;
    if !is_anonymous {
        authorize(&sns, &context, ACCESS.action, &subscription).await?;
    }
    let SubscriptionId { topic: id, id: own } = subscription;
    let place = Place::of(&id);
    let (sns, place, name, own) = (&*sns, &place, id.name.as_str(), own.as_str());
    let ended = sns.store.transact(|tx| async move {
        sns.lease.fence(&tx).await?;
        let Some(topic) = place.topic(&tx, name).await? else { return Ok(()) };
        let Some(record) = place.subscription(&tx, name, own).await? else { return Ok(()) };
        if is_anonymous && (record.guarded || record.protocol.needs_owner()) {
            let denied = "This subscription is ended with credentials only.";
            return Err(modelled::authorization_error_exception(denied).into());
        }
        place.delete_subscription(&tx, (name, topic.number), own, &record);
        place.count(&tx, topic.number, Counted::of(&record), -1);
        place.count(&tx, topic.number, Counted::Deleted, 1);
        count_filters(place, &tx, topic.number, record.attributes.filter_policy.is_some(), false).await?;
        Ok::<_, Failure>(())
    });
    ended.await?;
    Ok(Unit)
}
