//! `GetCallerIdentity`: free for everybody with valid credentials, whatever their policies deny.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_sts::{GetCallerIdentity, GetCallerIdentityRequest, GetCallerIdentityResponse};
use apus_schema::{Common, ServiceError};

use crate::Sts;

pub(crate) const ACCESS: Access<GetCallerIdentity> = Access::free("sts:GetCallerIdentity");

pub(crate) async fn get_caller_identity(
    _sts: Arc<Sts>,
    context: Context,
    _input: GetCallerIdentityRequest,
) -> Result<GetCallerIdentityResponse, ServiceError> {
    let principal = &context.caller.principal;
    let (Some(account), Some(arn)) = (principal.account(), principal.arn()) else {
        return Err(ServiceError::common(Common::MissingAuthentication, "Missing Authentication Token"));
    };
    Ok(GetCallerIdentityResponse {
        user_id: Some(principal.user_id().into_owned()),
        account: Some(account.to_string()),
        arn: Some(arn.to_string()),
    })
}
