//! `PublishVersion`: keeps `$LATEST` as it is under a number, unless the last version is just that.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{FunctionConfiguration, PublishVersion, PublishVersionRequest};
use apus_schema::ServiceError;

use crate::code::package::CodeHash;
use crate::describe::{Detail, configuration};
use crate::errors::{self, Failure};
use crate::{Lambda, readiness, resolve, revision, store};

const ACTION: &str = "lambda:PublishVersion";

pub(crate) const ACCESS: Access<PublishVersion> = resolve::asked_inside(ACTION);

pub(crate) async fn publish_version(
    lambda: Arc<Lambda>,
    context: Context,
    input: PublishVersionRequest,
) -> Result<FunctionConfiguration, ServiceError> {
    let function = lambda.permitted_whole(&context, ACTION, &input.function_name).await?;
    if input.publish_to.is_some() {
        return Err(errors::not_supported("PublishTo"));
    }
    let publication = lambda.publication(input.description, context.now);
    let (code_sha256, seen) = (input.code_sha256.filter(|hash| !hash.is_empty()), input.revision_id);
    let published = lambda.store.transact(|tx| {
        let (function, publication) = (function.clone(), publication.clone());
        let (code_sha256, seen) = (code_sha256.clone(), seen.clone());
        async move {
            let found = store::function::get(&tx, &function.id).await?;
            let mut latest = found.ok_or_else(|| errors::function_not_found(&function))?;
            revision::check(seen.as_deref(), &latest.revision)?;
            readiness::check_settled(&function, &latest)?;
            check_code(code_sha256.as_deref(), latest.code_hash()?)?;
            let published = store::version::publish(&tx, &function.id, &mut latest, publication).await?;
            Ok::<_, Failure>(published)
        }
    });
    let (number, record) = published.await?;
    let version = number.to_string();
    let function = function.with_qualifier(&version);
    Ok(configuration(&function, &version, &record, Detail::Full).map_err(Failure::from)?)
}

fn check_code(expected: Option<&str>, current: CodeHash) -> Result<(), ServiceError> {
    let current = current.to_base64();
    match expected {
        Some(expected) if expected != current => Err(errors::invalid_parameter(format!(
            "CodeSHA256 ({expected}) is different from current CodeSHA256 in $LATEST ({current}). Please try again with \
             the CodeSHA256 in $LATEST."
        ))),
        _ => Ok(()),
    }
}
