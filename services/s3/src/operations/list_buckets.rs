//! `ListBuckets`.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_s3::{Bucket as BucketEntry, ListBuckets, ListBucketsOutput, ListBucketsRequest};
use apus_schema::ServiceError;
use apus_store::Tx;

use crate::bucket::Bucket;
use crate::errors::{self, Failure};
use crate::listing::Position;
use crate::{S3, owner, store, token};

pub(crate) const ACCESS: Access<ListBuckets> = Access::on_all("s3:ListAllMyBuckets");

/// The most buckets on a page, which is also what a request without a bound gets.
const PAGE_MAX: usize = 10_000;
/// Rows that are read at a step.
const STEP: usize = 1_000;

/// The caller's buckets, in the order of their names.
pub(crate) async fn list_buckets(
    s3: Arc<S3>,
    context: Context,
    input: ListBucketsRequest,
) -> Result<ListBucketsOutput, ServiceError> {
    let page_max = match input.max_buckets {
        None => PAGE_MAX,
        Some(max) => {
            usize::try_from(max).ok().filter(|max| (1..=PAGE_MAX).contains(max)).ok_or_else(|| {
                let message = "Argument max-buckets must be an integer between 1 and 10000";
                errors::invalid_argument("max-buckets", &max.to_string(), message)
            })?
        }
    };
    let after = match input.continuation_token.as_deref().filter(|token| !token.is_empty()) {
        None => None,
        Some(text) => match token::read(text) {
            Ok(Position::AfterKey(name)) => Some(name),
            _ => return Err(errors::invalid_token(text)),
        },
    };
    let account = S3::account(&context)?;
    let filter = Filter { prefix: input.prefix.clone().unwrap_or_default(), region: input.bucket_region };
    let found = s3.store.read(|tx| page(tx, account, after, &filter, page_max)).await?;
    let (buckets, more) = found;
    let last = buckets.last().filter(|_| more).map(|bucket| Position::AfterKey(bucket.name.to_string()));
    Ok(ListBucketsOutput {
        buckets: Some(buckets.iter().map(entry).collect()),
        owner: Some(owner::of(account)),
        continuation_token: last.as_ref().and_then(token::write),
        prefix: input.prefix,
    })
}

/// Which buckets are asked for.
struct Filter {
    prefix: String,
    region: Option<String>,
}

/// Up to `page_max` buckets, and whether there are more.
async fn page(
    tx: Tx,
    account: apus_kernel::AccountId,
    mut after: Option<String>,
    filter: &Filter,
    page_max: usize,
) -> Result<(Vec<Bucket>, bool), Failure> {
    let mut found = Vec::new();
    loop {
        let rows = store::buckets_of(&tx, account, after.as_deref(), STEP).await?;
        let last_step = rows.len() < STEP;
        after = rows.last().map(|bucket| bucket.name.to_string());
        for bucket in rows {
            let region = filter.region.as_ref().is_none_or(|region| region == bucket.region.as_str());
            if !region || !bucket.name.as_str().starts_with(&filter.prefix) {
                continue;
            }
            if found.len() == page_max {
                return Ok((found, true));
            }
            found.push(bucket);
        }
        if last_step {
            return Ok((found, false));
        }
    }
}

fn entry(bucket: &Bucket) -> BucketEntry {
    BucketEntry {
        name: Some(bucket.name.to_string()),
        creation_date: Some(bucket.created_at),
        bucket_region: Some(bucket.region.to_string()),
        bucket_arn: Some(bucket.name.arn().to_string()),
    }
}
