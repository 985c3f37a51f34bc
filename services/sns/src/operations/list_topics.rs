//! `ListTopics`: the caller's topics in a region, in pages.

use std::sync::Arc;

use apus_kernel::{Access, Arn, Context};
use apus_model_sns::{ListTopics, ListTopicsInput, ListTopicsResponse, Topic};
use apus_schema::ServiceError;

use crate::Sns;
use crate::errors::Failure;
use crate::page::{self, PAGE_MAX};
use crate::store::Place;

pub(crate) const ACCESS: Access<ListTopics> = Access::on_all("sns:ListTopics");

pub(crate) async fn list_topics(
    sns: Arc<Sns>,
    context: Context,
    input: ListTopicsInput,
) -> Result<ListTopicsResponse, ServiceError> {
    let after = page::after(input.next_token)?;
    let caller = context.caller;
    let place = Place::new(caller.account, &caller.region);
    let read = sns.store.read(|tx| async move { place.topic_names(&tx, after.as_deref(), PAGE_MAX).await });
    let names = read.await.map_err(Failure::from)?;
    let next_token = names.last().filter(|_| names.len() == PAGE_MAX).map(|last| page::token(last));
    let arn = |name| Arn::regional("sns", &caller.region, caller.account, name).to_string();
    let topics = names.into_iter().map(|name| Topic { topic_arn: Some(arn(name)) }).collect();
    Ok(ListTopicsResponse { topics: Some(topics), next_token })
}
