//! Whether a function may tell a destination: asked when it is configured, so that nobody finds out at the first
//! failure. AWS asks then, too; what is allowed later is asked again with each delivery.

use apus_kernel::{Arn, Context};
use apus_schema::{Fault, ServiceError};

use super::deliver::as_role;
use super::kind::{self, Kind, Part, UNSUPPORTED};
use crate::errors;
use crate::function_name::FunctionId;

/// What a destination is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Success,
    Failure,
    DeadLetters,
}

/// The line of the table for a destination; an error if it cannot be one.
fn kind(target: &Arn, purpose: Purpose) -> Result<&'static Kind, ServiceError> {
    if let Some((_, title)) = UNSUPPORTED.iter().find(|(service, _)| *service == target.service) {
        return Err(errors::not_supported(&format!("{title} as a destination")));
    }
    let kind = kind::of(&target.service).filter(|kind| match purpose {
        Purpose::Success => kind.on_success,
        Purpose::Failure => true,
        Purpose::DeadLetters => kind.dead_letters,
    });
    kind.ok_or_else(|| match purpose {
        Purpose::DeadLetters => errors::invalid_parameter(format!(
            "The dead-letter target {target} is neither a queue of SQS nor a topic of SNS."
        )),
        Purpose::Success | Purpose::Failure => errors::invalid_destination(&target.to_string()),
    })
}

/// Checks a destination of a function that runs under that role.
pub(crate) async fn check(
    context: &Context,
    id: &FunctionId,
    role: &str,
    text: &str,
    purpose: Purpose,
) -> Result<(), ServiceError> {
    let target: Arn = text.parse().map_err(|_| errors::invalid_destination(text))?;
    let kind = kind(&target, purpose)?;
    if !context.platform().services().any(|service| service.name == kind.service) {
        let what = format!("{} as a destination (this instance has no {})", kind.title, kind.title);
        return Err(errors::not_supported(&what));
    }
    let caller = match as_role(context, id, role).await {
        Ok(caller) => caller,
        Err(error) if error.fault() == Fault::Sender => return Err(errors::role_cannot_be_assumed(error)),
        Err(error) => return Err(error),
    };
    let as_role =
        context.platform().context(caller, context.origin.clone(), Some(context.request_id.clone()));
    for (action, part) in kind.needs {
        let resource = match part {
            Part::Whole => target.clone(),
            Part::Content => {
                let resource = format!("{}/aws/lambda/async/{}/record", target.resource, id.name);
                Arn { resource, ..target.clone() }
            }
        };
        let allowed = context.platform().authorize(&as_role, action, [resource.into()]).await;
        allowed.map_err(|error| match (error.fault(), purpose) {
            (Fault::Receiver, _) => error,
            (Fault::Sender, Purpose::DeadLetters) => errors::invalid_parameter(format!(
                "The provided execution role does not have permissions to call {} on {}",
                kind.call, kind.title
            ))
            .because(error),
            (Fault::Sender, Purpose::Success | Purpose::Failure) => {
                let call = action.split(':').next_back().unwrap_or(kind.call);
                errors::invalid_parameter(format!(
                    "The function's execution role does not have permissions to call {call} on {target}"
                ))
                .because(error)
            }
        })?;
    }
    Ok(())
}
