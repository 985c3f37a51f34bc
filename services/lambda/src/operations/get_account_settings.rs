//! `GetAccountSettings`: the account's quotas in a region, and what it uses of them.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    AccountLimit, AccountUsage, GetAccountSettings, GetAccountSettingsRequest, GetAccountSettingsResponse,
};
use apus_schema::ServiceError;
use apus_store::StoreError;

use crate::code::archive::UNZIPPED_BYTES_MAX;
use crate::code::package::UPLOAD_BYTES_MAX;
use crate::concurrency::unreserved;
use crate::errors::Failure;
use crate::function_name::FunctionId;
use crate::limits::CODE_BYTES_TOTAL;
use crate::{Lambda, store};

pub(crate) const ACCESS: Access<GetAccountSettings> = Access::on_all("lambda:GetAccountSettings");

/// Functions that are counted in one transaction.
const PAGE: usize = 200;

pub(crate) async fn get_account_settings(
    lambda: Arc<Lambda>,
    context: Context,
    _: GetAccountSettingsRequest,
) -> Result<GetAccountSettingsResponse, ServiceError> {
    let caller = context.caller;
    let any = FunctionId { account: caller.account, region: caller.region, name: String::new() };
    let id = any.clone();
    let reserved = lambda.store.read(|tx| async move { store::function::reserved(&id).get(&tx).await }).await;
    let reserved = reserved.map_err(Failure::from)?;
    let (functions, bytes) = usage(&lambda, &any).await.map_err(Failure::from)?;
    Ok(GetAccountSettingsResponse {
        account_limit: Some(AccountLimit {
            total_code_size: Some(CODE_BYTES_TOTAL),
            code_size_unzipped: Some(UNZIPPED_BYTES_MAX as i64),
            code_size_zipped: Some(UPLOAD_BYTES_MAX as i64),
            concurrent_executions: Some(lambda.concurrency_max as i32),
            unreserved_concurrent_executions: Some(unreserved(lambda.concurrency_max, reserved) as i32),
        }),
        account_usage: Some(AccountUsage {
            total_code_size: Some(bytes as i64),
            function_count: Some(functions as i64),
        }),
    })
}

/// How many functions there are, and the bytes of their code, of all versions.
async fn usage(lambda: &Lambda, any: &FunctionId) -> Result<(u64, u64), StoreError> {
    let (mut functions, mut bytes) = (0, 0);
    let mut after: Option<String> = None;
    loop {
        let (asked, from) = (any.clone(), after.clone());
        let page = lambda.store.read(|tx| async move {
            let rows = store::function::list(&tx, &asked, from.as_deref(), PAGE).await?;
            let mut sizes = Vec::new();
            for (name, record) in rows {
                let id = FunctionId { name: name.clone(), ..asked.clone() };
                let versions = store::version::list(&tx, &id, None, usize::MAX).await?;
                let own: u64 = versions.iter().map(|(_, version)| version.code_bytes).sum();
                sizes.push((name, record.code_bytes + own));
            }
            Ok::<_, StoreError>(sizes)
        });
        let page = page.await?;
        functions += page.len() as u64;
        bytes += page.iter().map(|(_, size)| size).sum::<u64>();
        match page.into_iter().next_back() {
            Some((last, _)) => after = Some(last),
            None => return Ok((functions, bytes)),
        }
    }
}
