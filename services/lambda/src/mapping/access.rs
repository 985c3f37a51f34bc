//! May the caller do that with a mapping; and may the function's role what its mapping will do?

use apus_kernel::{AccessRequest, Arn, Context, Resource};
use apus_schema::{Common, ServiceError};

use super::id::MappingId;
use super::role::RoleCaller;
use super::sqs::SqsSource;
use super::{errors, state};
use crate::Lambda;
use crate::errors::Failure;
use crate::function_name::FunctionReference;
use crate::role_sessions::role_error;
use crate::store::find::Found;
use crate::store::mapping::{self, MappingRecord};

/// The condition key that tells policies which function a mapping invokes.
const FUNCTION_KEY: &str = "lambda:FunctionArn";

/// Asks whether the call may do that with a mapping of that function.
pub(crate) async fn permit(
    context: &Context,
    action: &'static str,
    resource: Resource,
    function: Option<&FunctionReference>,
) -> Result<(), ServiceError> {
    let mut request = AccessRequest::new(context, action, resource);
    if let Some(function) = function {
        request.conditions.insert(FUNCTION_KEY.to_owned(), vec![function.arn().to_string()]);
    }
    context.platform().permit(&request).await
}

impl Lambda {
    /// The mapping with that UUID, if the call may do that with it.
    pub(crate) async fn permitted_mapping(
        &self,
        context: &Context,
        action: &'static str,
        uuid: &str,
    ) -> Result<(MappingId, MappingRecord), ServiceError> {
        let caller = &context.caller;
        let id = MappingId { account: caller.account, region: caller.region.clone(), uuid: uuid.to_owned() };
        self.permitted_mapping_of(context, action, id).await
    }

    /// The same for a mapping in any account.
    pub(crate) async fn permitted_mapping_of(
        &self,
        context: &Context,
        action: &'static str,
        id: MappingId,
    ) -> Result<(MappingId, MappingRecord), ServiceError> {
        let asked = id.clone();
        let found = self.store.read(|tx| async move { mapping::get(&tx, &asked).await });
        let found = found.await.map_err(Failure::from)?;
        let function = found.as_ref().map(|record| record.function(&id));
        permit(context, action, id.arn().into(), function.as_ref()).await?;
        Ok((id, found.ok_or_else(errors::no_mapping)?))
    }

    /// Changes a mapping that is at rest; the keeper hears of it. `what` is to be done: `update`.
    pub(crate) async fn change_mapping(
        &self,
        id: &MappingId,
        what: &str,
        change: impl Fn(&MappingRecord) -> Result<MappingRecord, ServiceError> + Send + Sync,
    ) -> Result<MappingRecord, ServiceError> {
        let kept = self.store.transact(|tx| {
            let change = &change;
            async move {
                let before = mapping::get(&tx, id).await?.ok_or_else(errors::no_mapping)?;
                state::check_idle(&before, what)?;
                let record = change(&before)?;
                if let Some(uuid) = mapping::of_pair(&tx, id, &record).await?
                    && uuid != id.uuid
                {
                    return Err(errors::exists(&record.source, &record.function, &uuid).into());
                }
                mapping::put(&tx, id, Some(&before), &record);
                Ok::<_, Failure>(record)
            }
        });
        let record = kept.await?;
        self.mappings.changed(id);
        Ok(record)
    }

    /// Refuses a queue that the function's role may not read, that is not there, or that would show a message again
    /// while the function may still work on it.
    pub(crate) async fn check_queue(
        &self,
        context: &Context,
        function: &FunctionReference,
        found: &Found,
        queue: &Arn,
    ) -> Result<(), ServiceError> {
        let platform = context.platform();
        let role = RoleCaller::default();
        let as_role = role.context(platform, &function.id, &found.record.role).await.map_err(role_error)?;
        for (action, operation) in [
            ("sqs:ReceiveMessage", "ReceiveMessage"),
            ("sqs:DeleteMessage", "DeleteMessage"),
            ("sqs:GetQueueAttributes", "GetQueueAttributes"),
        ] {
            match platform.authorize(&as_role, action, [Resource::Arn(queue.clone())]).await {
                Err(error) if error.is_common(Common::AccessDenied) => {
                    return Err(errors::role_may_not(operation).because(error));
                }
                other => other?,
            }
        }
        let visibility = SqsSource::new(self.env.clone(), queue.clone()).visibility(&as_role).await;
        let visibility_secs = match visibility {
            Ok(visibility) => visibility.as_secs(),
            Err(error) if error.fault() == apus_schema::Fault::Sender => return Err(errors::no_queue(error)),
            Err(error) => return Err(error),
        };
        if visibility_secs < found.record.timeout_secs.into() {
            return Err(errors::visibility_too_short(visibility_secs, found.record.timeout_secs));
        }
        Ok(())
    }
}
