//! A platform of IAM alone, on the memory store under the simulator.

#![allow(dead_code, reason = "each test file uses its part")]

use apus_env::Env;
use apus_env::sim::Simulator;
use apus_kernel::{
    AccessRequest, AccountId, Authorizer, BoxFuture, Caller, Context, Origin, Platform, Principal, Region,
};
use apus_model_iam::{CreateRole, CreateRoleRequest, PutRolePolicy, PutRolePolicyRequest, Role};
use apus_schema::{Operation, ServiceError};
use apus_store::Store;

/// Everybody may become a role with this trust policy who has permission in the account.
pub(crate) const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
    "Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}]}"#;

struct AllowAll;

impl Authorizer for AllowAll {
    fn authorize<'a>(&'a self, _: &'a AccessRequest<'a>) -> BoxFuture<'a, Result<(), ServiceError>> {
        Box::pin(async { Ok(()) })
    }
}

/// The platform of one test.
pub(crate) struct Bench {
    pub(crate) env: Env,
    pub(crate) store: Store,
    pub(crate) platform: Platform,
}

impl Bench {
    /// Calls an operation as the root of the development account.
    pub(crate) async fn call<O: Operation>(&self, input: O::Input) -> Result<O::Output, ServiceError> {
        self.call_as::<O>(root("000000000000"), input).await
    }

    pub(crate) async fn call_as<O: Operation>(
        &self,
        caller: Caller,
        input: O::Input,
    ) -> Result<O::Output, ServiceError> {
        self.platform.call::<O>(self.context(caller), input).await
    }

    pub(crate) fn context(&self, caller: Caller) -> Context {
        self.platform.context(caller, Origin::default(), None)
    }

    /// Makes a role with these inline policies.
    pub(crate) async fn role(&self, name: &str, policies: &[(&str, &str)]) -> Role {
        let made = self.call::<CreateRole>(create(name)).await.expect("the role is made");
        for (policy, document) in policies {
            self.put(name, policy, document).await.expect("the policy is put");
        }
        made.role
    }

    pub(crate) async fn put(&self, role: &str, policy: &str, document: &str) -> Result<(), ServiceError> {
        let input = PutRolePolicyRequest {
            role_name: role.into(),
            policy_name: policy.into(),
            policy_document: document.into(),
        };
        self.call::<PutRolePolicy>(input).await.map(drop)
    }
}

/// Runs a test with an authorizer that allows everything.
pub(crate) fn run(test: impl AsyncFnOnce(Bench)) {
    run_with(|_| AllowAll, test);
}

/// Runs a test with that authorizer.
pub(crate) fn run_with<A: Authorizer>(authorizer: impl FnOnce(&Store) -> A, test: impl AsyncFnOnce(Bench)) {
    let mut simulator = Simulator::new(11);
    let env = simulator.env();
    simulator.run(async {
        let store = Store::memory(&env);
        let services = vec![apus_service_iam::service(env.clone(), store.clone())];
        let platform = Platform::start(env.clone(), services, Vec::new(), authorizer(&store));
        test(Bench { env, store, platform }).await;
    });
}

pub(crate) fn create(name: &str) -> CreateRoleRequest {
    CreateRoleRequest {
        path: None,
        role_name: name.into(),
        assume_role_policy_document: TRUST.into(),
        description: None,
        max_session_duration: None,
        permissions_boundary: None,
        tags: None,
    }
}

pub(crate) fn root(account: &str) -> Caller {
    Caller::root(account.parse::<AccountId>().expect("an account"), Region::default())
}

/// A session of a role.
pub(crate) fn session(role: &Role, name: &str) -> Caller {
    let principal = Principal::RoleSession {
        account: AccountId::DEVELOPMENT,
        role: role.role_name.clone(),
        role_id: role.role_id.clone(),
        session: name.into(),
    };
    Caller { principal, ..root("000000000000") }
}

/// An error as a caller reads it: its name and its message.
pub(crate) fn refused<T>(answer: Result<T, ServiceError>) -> String {
    match answer {
        Ok(_) => "no error".into(),
        Err(error) => format!("{}: {}", error.name(), error.message()),
    }
}
