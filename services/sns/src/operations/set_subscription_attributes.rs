//! `SetSubscriptionAttributes`: sets one attribute.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sns::{SetSubscriptionAttributes, SetSubscriptionAttributesInput};
use apus_schema::{ServiceError, Unit};

use super::{SubscriptionId, authorize, count_filters};
use crate::Sns;
use crate::errors::{self, Failure};
use crate::store::Place;

/// The handler asks: only it knows whose subscription it is.
pub(crate) const ACCESS: Access<SetSubscriptionAttributes> = Access::free("sns:SetSubscriptionAttributes");

pub(crate) async fn set_subscription_attributes(
    sns: Arc<Sns>,
    context: Context,
    input: SetSubscriptionAttributesInput,
) -> Result<Unit, ServiceError> {
    let subscription = SubscriptionId::parse(&input.subscription_arn)?;
    authorize(&sns, &context, ACCESS.action, &subscription).await?;
    let SubscriptionId { topic: id, id: own } = subscription;
    let place = Place::of(&id);
    let value = input.attribute_value.unwrap_or_default();
    let (sns, place, id, own) = (&*sns, &place, &id, own.as_str());
    let (attribute, value) = (input.attribute_name.as_str(), value.as_str());
    let set = sns.store.transact(|tx| async move {
        sns.lease.fence(&tx).await?;
        let name = id.name.as_str();
        let mut record = place.subscription(&tx, name, own).await?.ok_or_else(errors::no_subscription)?;
        let topic = place.topic(&tx, name).await?.ok_or_else(errors::no_subscription)?;
        let before = record.attributes.filter_policy.is_some();
        record.attributes.set(record.protocol, id, attribute, value)?;
        count_filters(place, &tx, topic.number, before, record.attributes.filter_policy.is_some()).await?;
        place.put_subscription(&tx, name, own, &record);
        Ok::<_, Failure>(())
    });
    set.await?;
    Ok(Unit)
}
