//! `ConfirmSubscription`: the subscriber says yes, by the token that only it was sent.

use std::sync::Arc;

use apus_kernel::{Access, Context, Principal};
use apus_model_sns::{ConfirmSubscription, ConfirmSubscriptionInput, ConfirmSubscriptionResponse};
use apus_schema::ServiceError;

use crate::Sns;
use crate::errors::{self, Failure, ParameterError};
use crate::store::{Counted, Place};
use crate::topic::TopicId;

/// The most subscriptions that are read at once.
const PAGE_MAX: usize = 1_000;
/// How long a token confirms, in microseconds: two days.
const TOKEN_MICROS_MAX: i64 = 2 * 86_400 * 1_000_000;

/// The token is the permission.
pub(crate) const ACCESS: Access<ConfirmSubscription> = Access::free("sns:ConfirmSubscription");

pub(crate) async fn confirm_subscription(
    sns: Arc<Sns>,
    context: Context,
    input: ConfirmSubscriptionInput,
) -> Result<ConfirmSubscriptionResponse, ServiceError> {
    let id = TopicId::parse(&input.topic_arn, "TopicArn")?;
    let is_authenticated = context.caller.principal != Principal::Anonymous;
    let guarded = is_authenticated && input.authenticate_on_unsubscribe.as_deref() == Some("true");
    let place = Place::of(&id);
    let (sns, place, name, token) = (&*sns, &place, id.name.as_str(), input.token.as_str());
    let confirmed = sns.store.transact(|tx| async move {
        sns.lease.fence(&tx).await?;
        let topic = place.topic(&tx, name).await?.ok_or_else(errors::no_topic)?;
        let mut after: Option<String> = None;
        loop {
            let from = after.as_deref().map(|after| (name, after));
            let page = place.list_subscriptions(&tx, Some(name), from, PAGE_MAX).await?;
            let found = page.iter().find(|(_, _, record)| record.token.as_deref() == Some(token));
            if let Some((_, own, record)) = found {
                if tx.now().as_micros() - record.created_at_micros > TOKEN_MICROS_MAX {
                    return Err(ParameterError::plain("Token").into());
                }
                let mut record = record.clone();
                (record.token, record.was_authenticated, record.guarded) = (None, is_authenticated, guarded);
                place.put_subscription(&tx, name, own, &record);
                place.count(&tx, topic.number, Counted::Pending, -1);
                place.count(&tx, topic.number, Counted::Confirmed, 1);
                return Ok::<_, Failure>(own.clone());
            }
            match page.last() {
                Some((_, last, _)) if page.len() == PAGE_MAX => after = Some(last.clone()),
                _ => return Err(ParameterError::plain("Token").into()),
            }
        }
    });
    let own = confirmed.await?;
    Ok(ConfirmSubscriptionResponse { subscription_arn: Some(format!("{id}:{own}")) })
}
