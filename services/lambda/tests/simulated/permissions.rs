//! Nothing passes that was not asked about: each operation, before a policy that allows nobody anything.

use std::sync::{Arc, Mutex};

use crate::world::{self, function, zip};
use apus_compute::driver::fake::FakeReply;
use apus_model_lambda as model;
use apus_schema::{Body, Common, Operation};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:hello";
const SIGNING: &str = "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdefg";
const LAYER: &str = "arn:aws:lambda:us-east-1:000000000000:layer:tools:1";

#[test]
fn every_operation_asks_before_it_does_or_tells_anything() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let authorizer = world::DenyAll(Arc::clone(&asked));
    world::world_with(
        "denied",
        authorizer,
        |_, _| FakeReply::response("null"),
        async |world| {
            let take = || std::mem::take(&mut *asked.lock().expect("no panic"));
            let mut operations = std::collections::BTreeSet::new();
            macro_rules! denied {
            ($($operation:ident { $($member:ident: $value:expr),* $(,)? } = $request:ident => $action:literal,)*) => {$(
                #[allow(clippy::needless_update, reason = "some requests have no other members")]
                let input = model::$request { $($member: $value,)* ..Default::default() };
                let error = world.call::<model::$operation>(input).await.err().expect("a denial");
                assert!(error.is_common(Common::AccessDenied), "{}: {error}", stringify!($operation));
                assert_eq!(take(), [concat!("lambda:", $action)], "{}", stringify!($operation));
                operations.insert(model::$operation::SCHEMA.name);
            )*};
        }
            let name = || "hello".to_owned();
            denied! {
                AddLayerVersionPermission { layer_name: name(), version_number: 1, statement_id: name(), action: name(), principal: name() } = AddLayerVersionPermissionRequest => "AddLayerVersionPermission",
                AddPermission { function_name: name(), statement_id: name(), action: name(), principal: name() } = AddPermissionRequest => "AddPermission",
                CreateAlias { function_name: name(), name: name(), function_version: "1".into() } = CreateAliasRequest => "CreateAlias",
                CreateCodeSigningConfig {} = CreateCodeSigningConfigRequest => "CreateCodeSigningConfig",
                DeleteCodeSigningConfig { code_signing_config_arn: SIGNING.into() } = DeleteCodeSigningConfigRequest => "DeleteCodeSigningConfig",
                DeleteFunctionCodeSigningConfig { function_name: name() } = DeleteFunctionCodeSigningConfigRequest => "DeleteFunctionCodeSigningConfig",
                GetCodeSigningConfig { code_signing_config_arn: SIGNING.into() } = GetCodeSigningConfigRequest => "GetCodeSigningConfig",
                ListCodeSigningConfigs {} = ListCodeSigningConfigsRequest => "ListCodeSigningConfigs",
                ListFunctionsByCodeSigningConfig { code_signing_config_arn: SIGNING.into() } = ListFunctionsByCodeSigningConfigRequest => "ListFunctionsByCodeSigningConfig",
                PutFunctionCodeSigningConfig { function_name: name(), code_signing_config_arn: SIGNING.into() } = PutFunctionCodeSigningConfigRequest => "PutFunctionCodeSigningConfig",
                UpdateCodeSigningConfig { code_signing_config_arn: SIGNING.into() } = UpdateCodeSigningConfigRequest => "UpdateCodeSigningConfig",
                CreateEventSourceMapping { function_name: name() } = CreateEventSourceMappingRequest => "CreateEventSourceMapping",
                CreateFunction { function_name: name(), role: world::ROLE.into(), code: function("hello").code } = CreateFunctionRequest => "CreateFunction",
                DeleteAlias { function_name: name(), name: name() } = DeleteAliasRequest => "DeleteAlias",
                DeleteEventSourceMapping { uuid: name() } = DeleteEventSourceMappingRequest => "DeleteEventSourceMapping",
                DeleteFunction { function_name: name() } = DeleteFunctionRequest => "DeleteFunction",
                DeleteFunctionConcurrency { function_name: name() } = DeleteFunctionConcurrencyRequest => "DeleteFunctionConcurrency",
                DeleteFunctionEventInvokeConfig { function_name: name() } = DeleteFunctionEventInvokeConfigRequest => "DeleteFunctionEventInvokeConfig",
                DeleteLayerVersion { layer_name: name(), version_number: 1 } = DeleteLayerVersionRequest => "DeleteLayerVersion",
                GetAccountSettings {} = GetAccountSettingsRequest => "GetAccountSettings",
                GetAlias { function_name: name(), name: name() } = GetAliasRequest => "GetAlias",
                GetEventSourceMapping { uuid: name() } = GetEventSourceMappingRequest => "GetEventSourceMapping",
                DeleteProvisionedConcurrencyConfig { function_name: name(), qualifier: name() } = DeleteProvisionedConcurrencyConfigRequest => "DeleteProvisionedConcurrencyConfig",
                GetFunction { function_name: "no such:name:at:all".into() } = GetFunctionRequest => "GetFunction",
                GetFunctionCodeSigningConfig { function_name: name() } = GetFunctionCodeSigningConfigRequest => "GetFunctionCodeSigningConfig",
                GetFunctionConcurrency { function_name: name() } = GetFunctionConcurrencyRequest => "GetFunctionConcurrency",
                GetFunctionConfiguration { function_name: name() } = GetFunctionConfigurationRequest => "GetFunctionConfiguration",
                GetFunctionEventInvokeConfig { function_name: name() } = GetFunctionEventInvokeConfigRequest => "GetFunctionEventInvokeConfig",
                GetFunctionRecursionConfig { function_name: name() } = GetFunctionRecursionConfigRequest => "GetFunctionRecursionConfig",
                GetLayerVersion { layer_name: name(), version_number: 1 } = GetLayerVersionRequest => "GetLayerVersion",
                GetLayerVersionByArn { arn: LAYER.into() } = GetLayerVersionByArnRequest => "GetLayerVersion",
                GetLayerVersionPolicy { layer_name: name(), version_number: 1 } = GetLayerVersionPolicyRequest => "GetLayerVersionPolicy",
                GetPolicy { function_name: name() } = GetPolicyRequest => "GetPolicy",
                GetProvisionedConcurrencyConfig { function_name: name(), qualifier: name() } = GetProvisionedConcurrencyConfigRequest => "GetProvisionedConcurrencyConfig",
                GetRuntimeManagementConfig { function_name: name() } = GetRuntimeManagementConfigRequest => "GetRuntimeManagementConfig",
                Invoke { function_name: name() } = InvocationRequest => "InvokeFunction",
                InvokeAsync { function_name: name(), invoke_args: Body::empty() } = InvokeAsyncRequest => "InvokeAsync",
                InvokeWithResponseStream { function_name: name() } = InvokeWithResponseStreamRequest => "InvokeFunction",
                ListAliases { function_name: name() } = ListAliasesRequest => "ListAliases",
                ListEventSourceMappings {} = ListEventSourceMappingsRequest => "ListEventSourceMappings",
                ListFunctionEventInvokeConfigs { function_name: name() } = ListFunctionEventInvokeConfigsRequest => "ListFunctionEventInvokeConfigs",
                ListFunctions {} = ListFunctionsRequest => "ListFunctions",
                ListLayerVersions { layer_name: name() } = ListLayerVersionsRequest => "ListLayerVersions",
                ListLayers {} = ListLayersRequest => "ListLayers",
                ListProvisionedConcurrencyConfigs { function_name: name() } = ListProvisionedConcurrencyConfigsRequest => "ListProvisionedConcurrencyConfigs",
                ListTags { resource: ARN.into() } = ListTagsRequest => "ListTags",
                ListVersionsByFunction { function_name: name() } = ListVersionsByFunctionRequest => "ListVersionsByFunction",
                PublishLayerVersion { layer_name: name(), content: model::LayerVersionContentInput { zip_file: Some(zip("a", b"b")), ..Default::default() } } = PublishLayerVersionRequest => "PublishLayerVersion",
                PublishVersion { function_name: name() } = PublishVersionRequest => "PublishVersion",
                PutFunctionConcurrency { function_name: name(), reserved_concurrent_executions: 1 } = PutFunctionConcurrencyRequest => "PutFunctionConcurrency",
                PutFunctionEventInvokeConfig { function_name: name() } = PutFunctionEventInvokeConfigRequest => "PutFunctionEventInvokeConfig",
                PutFunctionRecursionConfig { function_name: name(), recursive_loop: model::RecursiveLoop::Allow } = PutFunctionRecursionConfigRequest => "PutFunctionRecursionConfig",
                PutProvisionedConcurrencyConfig { function_name: name(), qualifier: name(), provisioned_concurrent_executions: 1 } = PutProvisionedConcurrencyConfigRequest => "PutProvisionedConcurrencyConfig",
                PutRuntimeManagementConfig { function_name: name(), update_runtime_on: model::UpdateRuntimeOn::Auto } = PutRuntimeManagementConfigRequest => "PutRuntimeManagementConfig",
                RemoveLayerVersionPermission { layer_name: name(), version_number: 1, statement_id: name() } = RemoveLayerVersionPermissionRequest => "RemoveLayerVersionPermission",
                RemovePermission { function_name: name(), statement_id: name() } = RemovePermissionRequest => "RemovePermission",
                TagResource { resource: ARN.into() } = TagResourceRequest => "TagResource",
                UntagResource { resource: ARN.into() } = UntagResourceRequest => "UntagResource",
                UpdateAlias { function_name: name(), name: name() } = UpdateAliasRequest => "UpdateAlias",
                UpdateEventSourceMapping { uuid: name() } = UpdateEventSourceMappingRequest => "UpdateEventSourceMapping",
                UpdateFunctionCode { function_name: name() } = UpdateFunctionCodeRequest => "UpdateFunctionCode",
                UpdateFunctionConfiguration { function_name: name() } = UpdateFunctionConfigurationRequest => "UpdateFunctionConfiguration",
                UpdateFunctionEventInvokeConfig { function_name: name() } = UpdateFunctionEventInvokeConfigRequest => "UpdateFunctionEventInvokeConfig",
            }
            assert_eq!(operations, world.implemented, "an operation is missing here");
        },
    );
}
