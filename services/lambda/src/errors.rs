//! Rule failures to Lambda's errors, in AWS's words.

use apus_compute::{InvokeError, Throttled};
use apus_kernel::AccountId;
use apus_model_lambda::errors;
use apus_schema::{Common, ErrorKind, ErrorSchema, Fault, Kind, Schema, ServiceError};
use apus_store::StoreError;

use crate::code::archive::ArchiveError;
use crate::code::unpack::UnpackError;
use crate::function_name::{FunctionId, FunctionReference, LATEST, NAME_LENGTH_MAX, NameError};
use crate::layer_name::LayerId;
use crate::limits::{EVENT_BYTES_MAX, PAYLOAD_BYTES_MAX};
use crate::store::stage::Stage;
use crate::variables::VariablesError;

static EMPTY: Schema = Schema::new(
    "RequestEntityTooLargeException",
    Kind::Structure { members: &[], union: false, eventstream: false, payload: None },
);

/// What uploads beyond the quota are answered; the model lacks it.
static REQUEST_ENTITY_TOO_LARGE: ErrorSchema = ErrorSchema {
    name: "RequestEntityTooLargeException",
    code: "RequestEntityTooLargeException",
    status: 413,
    query_status: 413,
    sender_fault: true,
    schema: &EMPTY,
};

/// The caller's fault, as most errors say in a member of their own.
fn user(error: ServiceError) -> ServiceError {
    error.with("Type", "User")
}

pub(crate) fn invalid_parameter(message: impl Into<String>) -> ServiceError {
    user(errors::invalid_parameter_value_exception(message))
}

/// A bound that the model sets wider than it is, in the words of those that the model sets.
pub(crate) fn above_bound(
    value: impl std::fmt::Display,
    member: &str,
    max: impl std::fmt::Display,
) -> ServiceError {
    let message = format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must have \
         value less than or equal to {max}"
    );
    ServiceError::common(Common::Validation, message)
}

/// What Lambda has and Apus has not: refused by name.
pub(crate) fn not_supported(what: &str) -> ServiceError {
    ServiceError::common(Common::NotSupported, format!("Apus does not support {what} of Lambda yet."))
}

pub(crate) fn log_level_without_json() -> ServiceError {
    invalid_parameter(
        "LogLevel is not supported when LogFormat is set to \"Text\". Remove LogLevel from your request or change the \
         LogFormat to \"JSON\" and try again.",
    )
}

pub(crate) fn function_not_found(function: &FunctionReference) -> ServiceError {
    user(errors::resource_not_found_exception(format!("Function not found: {}", function.arn())))
}

pub(crate) fn function_exists(name: &str) -> ServiceError {
    user(errors::resource_conflict_exception(format!("Function already exist: {name}")))
}

pub(crate) fn role_cannot_be_assumed(cause: ServiceError) -> ServiceError {
    invalid_parameter("The role defined for the function cannot be assumed by Lambda.").because(cause)
}

/// The same at an invocation, when the role has changed since.
pub(crate) fn role_no_longer_assumed(cause: ServiceError) -> ServiceError {
    let message = "The role defined for the function cannot be assumed by Lambda.";
    ServiceError::common(Common::AccessDenied, message).because(cause)
}

pub(crate) fn cross_account_role() -> ServiceError {
    ServiceError::common(Common::AccessDenied, "Cross-account pass role is not allowed.")
}

/// A function of another account, which only that account's resource policy could open.
pub(crate) fn no_resource_policy(caller: &str, action: &str, function: &FunctionReference) -> ServiceError {
    let message = format!(
        "User: {caller} is not authorized to perform: {action} on resource: {} because no resource-based policy \
         allows the {action} action",
        function.arn()
    );
    ServiceError::common(Common::AccessDenied, message)
}

pub(crate) fn upload_too_large(operation: &str) -> ServiceError {
    // What 50 MB become in base64, as AWS counts the request.
    let message = format!("Request must be smaller than 69905067 bytes for the {operation} operation");
    ServiceError::modelled(&REQUEST_ENTITY_TOO_LARGE, message)
}

pub(crate) fn payload_too_large() -> ServiceError {
    user(errors::request_too_large_exception(format!(
        "Request must be smaller than {PAYLOAD_BYTES_MAX} bytes for the InvokeFunction operation"
    )))
}

/// The same of an event that nobody waits for.
pub(crate) fn event_too_large(bytes: usize) -> ServiceError {
    user(errors::request_too_large_exception(format!(
        "{bytes} byte payload is too large for the Event invocation type (limit {EVENT_BYTES_MAX} bytes)"
    )))
}

pub(crate) fn invalid_payload(why: impl std::fmt::Display) -> ServiceError {
    user(errors::invalid_request_content_exception(format!("Could not parse request body into json: {why}")))
}

pub(crate) fn invalid_client_context() -> ServiceError {
    let message = "Client context must be a valid Base64-encoded JSON object.";
    user(errors::invalid_request_content_exception(message))
}

/// Why a text names no function, asked for in `region`.
pub(crate) fn name_error(error: NameError, region: &str) -> ServiceError {
    match error {
        NameError::Form => {
            invalid_parameter("The function name is no name, partial ARN or ARN of a function.")
        }
        NameError::TooLong(name) => ServiceError::common(
            Common::Validation,
            format!(
                "1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: Member \
                 must have length less than or equal to {NAME_LENGTH_MAX}"
            ),
        ),
        NameError::OtherRegion(other) => user(errors::resource_not_found_exception(format!(
            "Functions from '{other}' are not reachable in this region ('{region}')"
        ))),
        NameError::QualifiersDiffer => invalid_parameter(
            "The derived qualifier from the function name does not match the specified qualifier.",
        ),
    }
}

pub(crate) fn other_account(account: AccountId) -> ServiceError {
    let message = format!("A function of the account {account} cannot be created by another account.");
    ServiceError::common(Common::AccessDenied, message)
}

/// A caller that has not seen the last change.
pub(crate) fn stale_revision() -> ServiceError {
    user(errors::precondition_failed_exception(
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve \
         the latest Revision Id",
    ))
}

/// The same, where a policy is changed.
pub(crate) fn stale_policy() -> ServiceError {
    user(errors::precondition_failed_exception(
        "The RevisionId provided does not match the latest RevisionId. Call the GetPolicy API to retrieve the latest \
         RevisionId",
    ))
}

pub(crate) fn statement_exists(sid: &str) -> ServiceError {
    user(errors::resource_conflict_exception(format!(
        "The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the existing \
         statement."
    )))
}

pub(crate) fn no_statement(sid: &str) -> ServiceError {
    user(errors::resource_not_found_exception(format!("Statement {sid} is not found in resource policy.")))
}

pub(crate) fn no_policy() -> ServiceError {
    user(errors::resource_not_found_exception("The resource you requested does not exist."))
}

pub(crate) fn no_policy_to_change() -> ServiceError {
    user(errors::resource_not_found_exception("No policy is associated with the given resource."))
}

pub(crate) fn policy_too_long(bytes: usize, max: usize) -> ServiceError {
    user(errors::policy_length_exceeded_exception(format!(
        "The final policy size ({bytes}) is bigger than the limit ({max})."
    )))
}

pub(crate) fn invalid_destination(arn: &str) -> ServiceError {
    invalid_parameter(format!("The destination ARN {arn} is invalid."))
}

/// Asynchronous invocations of what is not there.
pub(crate) fn no_function_for_events() -> ServiceError {
    user(errors::resource_not_found_exception("The function doesn't exist."))
}

pub(crate) fn no_event_invoke_config(function: &FunctionReference) -> ServiceError {
    let arn = function.id.qualified_arn(function.qualifier.as_deref().unwrap_or(LATEST));
    user(errors::resource_not_found_exception(format!(
        "The function {arn} doesn't have an EventInvokeConfig"
    )))
}

/// What only published versions have was asked for `$LATEST`.
pub(crate) fn provisioned_unpublished() -> ServiceError {
    invalid_parameter("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
}

/// The same, where nothing is to be changed.
pub(crate) fn no_published_version() -> ServiceError {
    invalid_parameter("The function resource provided must be an alias or a published version.")
}

pub(crate) fn no_provisioned_config() -> ServiceError {
    user(errors::provisioned_concurrency_config_not_found_exception(
        "No Provisioned Concurrency Config found for this function",
    ))
}

pub(crate) fn provisioned_weights() -> ServiceError {
    invalid_parameter("Alias with weights can not be used with Provisioned Concurrency")
}

/// An alias that leads to a version with a configuration of its own.
pub(crate) fn provisioned_version_of_alias() -> ServiceError {
    user(errors::resource_conflict_exception(
        "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version",
    ))
}

/// A version to which an alias with a configuration of its own leads.
pub(crate) fn provisioned_alias_of_version() -> ServiceError {
    user(errors::resource_conflict_exception("Version is pointed by a Provisioned Concurrency alias"))
}

/// What versions have was asked of an alias.
pub(crate) fn versions_only() -> ServiceError {
    invalid_parameter("An alias has no runtime of its own. Please specify a function or a version of it.")
}

pub(crate) fn tags_on_functions_only() -> ServiceError {
    invalid_parameter(
        "Tags on function aliases and versions are not supported. Please specify a function ARN.",
    )
}

/// Its code went away while it was looked at.
pub(crate) fn update_in_progress(function: &FunctionReference) -> ServiceError {
    user(errors::resource_conflict_exception(format!(
        "The operation cannot be performed at this time. An update is in progress for resource: {}",
        function.arn()
    )))
}

pub(crate) fn no_layer_name(text: &str) -> ServiceError {
    invalid_parameter(format!("{text} is no name or ARN of a layer in this region."))
}

pub(crate) fn no_layer_version() -> ServiceError {
    user(errors::resource_not_found_exception("The resource you requested does not exist."))
}

/// The same, where its policy is meant.
pub(crate) fn no_layer_of_that_number(id: &LayerId, number: u64) -> ServiceError {
    let arn = id.version_arn(number);
    user(errors::resource_not_found_exception(format!("Layer version {arn} does not exist.")))
}

/// A layer version that a function was to use.
pub(crate) fn layer_not_usable(arn: &str) -> ServiceError {
    invalid_parameter(format!("Layer version {arn} does not exist."))
}

pub(crate) fn alias_exists(id: &FunctionId, name: &str) -> ServiceError {
    let arn = id.qualified_arn(name);
    user(errors::resource_conflict_exception(format!("Alias already exists: {arn}")))
}

pub(crate) fn no_alias(id: &FunctionId, name: &str) -> ServiceError {
    let arn = id.qualified_arn(name);
    user(errors::resource_not_found_exception(format!("Cannot find alias arn: {arn}")))
}

/// The same, when it is to be changed.
pub(crate) fn alias_to_change_not_found(id: &FunctionId, name: &str) -> ServiceError {
    let arn = id.qualified_arn(name);
    user(errors::resource_not_found_exception(format!("Alias not found: {arn}")))
}

pub(crate) fn version_in_use(aliases: &[&str]) -> ServiceError {
    user(errors::resource_conflict_exception(format!(
        "Unable to delete version because the following aliases reference it: [{}]",
        aliases.join(", ")
    )))
}

/// What only a whole function has was asked of a version or alias.
pub(crate) fn functions_only() -> ServiceError {
    invalid_parameter(
        "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. \
         Please specify either a function name or an unqualified function ARN.",
    )
}

fn service_failure(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ServiceError {
    errors::service_exception("The service encountered an internal error. Please try again.")
        .with("Type", "Service")
        .because(cause)
}

pub(crate) fn no_code_signing(arn: &str) -> ServiceError {
    user(errors::resource_not_found_exception(format!(
        "The Lambda code signing configuration {arn} can not be found."
    )))
}

/// The same, of a configuration that a function has or is to have.
pub(crate) fn code_signing_gone(arn: &str) -> ServiceError {
    user(errors::code_signing_config_not_found_exception(format!(
        "The code signing configuration cannot be found. Check that the provided configuration is not deleted: {arn}."
    )))
}

pub(crate) fn code_signing_in_use(arn: &str) -> ServiceError {
    user(errors::resource_conflict_exception(format!(
        "The code signing configuration {arn} cannot be deleted while functions have it."
    )))
}

/// Unsigned code, where only signed code is taken.
pub(crate) fn code_not_verified(what: &str) -> ServiceError {
    user(errors::code_verification_failed_exception(format!(
        "Lambda cannot deploy the function. The function or layer might be signed using a signature that the client is not \
         configured to accept. Check the provided signature for {what}."
    )))
}

/// A function that its own doing has led to too often.
pub(crate) fn recursive() -> ServiceError {
    user(errors::recursive_invocation_exception(
        "Lambda has detected your function being invoked in a recursive loop with other Amazon Web Services resources and \
         stopped your function's invocation.",
    ))
}

/// Whether an invocation did not happen for that.
pub(crate) fn is_recursive(error: &ServiceError) -> bool {
    error.is(&errors::RECURSIVE_INVOCATION_EXCEPTION)
}

/// A function that cannot be invoked or changed, being in that state.
pub(crate) fn not_active(stage: &Stage) -> ServiceError {
    user(errors::resource_conflict_exception(format!(
        "The operation cannot be performed at this time. The function is currently in the following state: {stage}"
    )))
}

/// Whether an invocation that did not happen may happen soon: no fault of the function's.
pub(crate) fn passes(error: &ServiceError) -> bool {
    error.is_retryable() || error.is(&errors::RESOURCE_CONFLICT_EXCEPTION)
}

/// Whether an invocation did not happen because too many were under way.
pub(crate) fn is_throttled(error: &ServiceError) -> bool {
    error.is(&errors::TOO_MANY_REQUESTS_EXCEPTION)
}

/// What an event is told whose function may never run.
pub(crate) fn nothing_reserved() -> ServiceError {
    throttled(ThrottledBy::Reserved)
}

/// Why too many requests are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ThrottledBy {
    /// As many invocations of a function with a reservation are under way as that is.
    Reserved,
    /// As many of all functions without one as are left for them, or as the platform has environments.
    Concurrency,
    /// A function with a reservation was invoked too often within a second.
    ReservedRate,
    /// A function without one was.
    FunctionRate,
    /// The account's functions were.
    CallerRate,
}

/// Throttling, in the words of the model; a second later it may be over.
pub(crate) fn throttled(by: ThrottledBy) -> ServiceError {
    let reason = match by {
        ThrottledBy::Reserved => "ReservedFunctionConcurrentInvocationLimitExceeded",
        ThrottledBy::Concurrency => "ConcurrentInvocationLimitExceeded",
        ThrottledBy::ReservedRate => "ReservedFunctionInvocationRateLimitExceeded",
        ThrottledBy::FunctionRate => "FunctionInvocationRateLimitExceeded",
        ThrottledBy::CallerRate => "CallerRateLimitExceeded",
    };
    let error = user(errors::too_many_requests_exception("Rate Exceeded."));
    error.with("Reason", reason).with("retryAfterSeconds", "1")
}

/// The status under which an invocation's error is answered.
pub(crate) fn status(error: &ServiceError) -> u16 {
    match (error.kind(), error.fault()) {
        (ErrorKind::Modelled(schema), _) => schema.status,
        (ErrorKind::Named { status, .. }, _) => status,
        (ErrorKind::Common(Common::AccessDenied), _) => 403,
        (ErrorKind::Common(_), Fault::Sender) => 400,
        (ErrorKind::Common(_), Fault::Receiver) => 500,
    }
}

/// An invocation that did not happen.
pub(crate) fn invoke_error(error: InvokeError) -> ServiceError {
    match error {
        InvokeError::Throttled(why) => {
            let by = match why {
                Throttled::Function(_) => ThrottledBy::Reserved,
                Throttled::Share(_) | Throttled::Scaling(_) | Throttled::Waiting(_) => {
                    ThrottledBy::Concurrency
                }
            };
            throttled(by).because(error)
        }
        InvokeError::TooLarge(_) => payload_too_large(),
        InvokeError::Unsupported(why) => errors::invalid_runtime_exception(why).with("Type", "User"),
        InvokeError::Host(_) | InvokeError::Stopping => service_failure(error),
    }
}

impl From<VariablesError> for ServiceError {
    fn from(error: VariablesError) -> Self {
        invalid_parameter(error.0)
    }
}

impl From<ArchiveError> for ServiceError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Empty => invalid_parameter("Uploaded file must be a non-empty zip"),
            ArchiveError::TooLarge => invalid_parameter("Unzipped size must be smaller than 262144000 bytes"),
            other => invalid_parameter(
                "Could not unzip uploaded file. Please check your file, then try to upload again.",
            )
            .because(other),
        }
    }
}

impl From<UnpackError> for ServiceError {
    fn from(error: UnpackError) -> Self {
        match error {
            UnpackError::Archive(error) => error.into(),
            UnpackError::Io(error) => service_failure(error),
        }
    }
}

/// Why a transaction came to nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The store's reason.
    Store(StoreError),
    /// The rules'.
    Refused(ServiceError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        Self::Refused(error)
    }
}

impl From<Failure> for ServiceError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => service_failure(error),
            Failure::Refused(error) => error,
        }
    }
}
