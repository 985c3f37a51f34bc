//! `AssumeRole` and `GetCallerIdentity`, with an IAM and an authorizer of the test's own.

use std::sync::{Arc, Mutex};

use apus_env::Env;
use apus_env::sim::Simulator;
use apus_kernel::{
    Access, AccessRequest, AccountId, Authorizer, BoxFuture, Caller, Context, CredentialError, Credentials,
    Origin, Platform, Principal, Region, Resource, Service,
};
use apus_model_iam::{GetRole, GetRoleRequest, GetRoleResponse, Role};
use apus_model_sts::{
    AssumeRole, AssumeRoleRequest, AssumeRoleResponse, GetCallerIdentity, GetCallerIdentityRequest,
};
use apus_schema::{Common, ServiceError};
use apus_service_sts::{EnvironmentCredentials, InstanceKey, SessionCredentials};
use apus_time::Timestamp;

const ARN: &str = "arn:aws:iam::000000000000:role/deep/worker";
const ALLOW: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sqs:*","Resource":"*"}}"#;

/// An IAM with one role, whose sessions last two hours at most.
async fn get_role(
    _: Arc<()>,
    context: Context,
    input: GetRoleRequest,
) -> Result<GetRoleResponse, ServiceError> {
    assert_eq!(context.caller.principal, Principal::Service("sts.amazonaws.com"));
    if input.role_name != "worker" || context.caller.account != AccountId::DEVELOPMENT {
        return Err(apus_model_iam::errors::no_such_entity_exception("no such role"));
    }
    let role = Role {
        path: "/deep/".into(),
        role_name: "worker".into(),
        role_id: "AROAABCDEFGHIJKLMNOPQ".into(),
        arn: ARN.into(),
        create_date: Timestamp::EPOCH,
        assume_role_policy_document: Some("%7B%22a%22%3A%20%22%2B%22%7D".into()),
        description: None,
        max_session_duration: Some(7_200),
        permissions_boundary: None,
        tags: None,
        role_last_used: None,
        source_role_template: None,
    };
    Ok(GetRoleResponse { role })
}

/// Allows what it is told to, and keeps what it was asked.
#[derive(Clone, Default)]
struct Recorder {
    denies: bool,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Authorizer for Recorder {
    fn authorize<'a>(&'a self, request: &'a AccessRequest<'a>) -> BoxFuture<'a, Result<(), ServiceError>> {
        let Resource::Arn(resource) = &request.resource else { panic!("a role is asked for") };
        let policy = request.resource_policy.map(|own| (own.document, own.must_allow));
        let values = |key: &str| request.conditions.get(key).cloned().unwrap_or_default().join(",");
        let (name, id) = (values("sts:RoleSessionName"), values("sts:ExternalId"));
        let asked = format!("{} {resource} {policy:?} {name} {id}", request.action);
        self.asked.lock().expect("unpoisoned").push(asked);
        let denied = || ServiceError::common(Common::AccessDenied, "denied");
        Box::pin(async move { if self.denies { Err(denied()) } else { Ok(()) } })
    }
}

struct Bench {
    env: Env,
    key: InstanceKey,
    platform: Platform,
    recorder: Recorder,
}

fn run(denies: bool, test: impl AsyncFnOnce(Bench)) {
    let mut simulator = Simulator::new(5);
    let env = simulator.env();
    simulator.run(async {
        let key = InstanceKey::from_bytes([7; 32]);
        let recorder = Recorder { denies, ..Recorder::default() };
        let iam = Service::of(&apus_model_iam::SERVICE, ())
            .operation(Access::<GetRole>::free("iam:GetRole"), get_role)
            .build();
        let services = vec![iam, apus_service_sts::service(&key)];
        let platform = Platform::start(env.clone(), services, Vec::new(), recorder.clone());
        test(Bench { env, key, platform, recorder }).await;
    });
}

impl Bench {
    fn context(&self, caller: Caller) -> Context {
        self.platform.context(caller, Origin::default(), None)
    }

    async fn assume(
        &self,
        caller: Caller,
        input: AssumeRoleRequest,
    ) -> Result<AssumeRoleResponse, ServiceError> {
        self.platform.call::<AssumeRole>(self.context(caller), input).await
    }
}

fn root() -> Caller {
    Caller::root(AccountId::DEVELOPMENT, Region::default())
}

fn request(seconds: Option<i32>) -> AssumeRoleRequest {
    AssumeRoleRequest {
        role_arn: ARN.into(),
        role_session_name: "one".into(),
        policy_arns: None,
        policy: None,
        duration_seconds: seconds,
        tags: None,
        transitive_tag_keys: None,
        external_id: None,
        serial_number: None,
        token_code: None,
        source_identity: None,
        provided_contexts: None,
        minimum_session_token_size: None,
    }
}

fn refused<T>(answer: Result<T, ServiceError>) -> String {
    answer.map_or_else(|error| format!("{}: {}", error.name(), error.message()), |_| "no error".into())
}

#[test]
fn a_session_is_who_its_credentials_say_until_it_is_over() {
    run(false, async |bench| {
        let input = AssumeRoleRequest { policy: Some(ALLOW.into()), ..request(Some(900)) };
        let answer = bench.assume(root(), input).await.expect("assumed");
        let user = answer.assumed_role_user.expect("a user");
        assert_eq!(user.arn, "arn:aws:sts::000000000000:assumed-role/worker/one");
        assert_eq!(user.assumed_role_id, "AROAABCDEFGHIJKLMNOPQ:one");
        assert_eq!(answer.packed_policy_size, Some(5));
        let given = answer.credentials.expect("credentials");
        let sessions = SessionCredentials::new(&bench.key, bench.env.clone());
        let (key, token) = (given.access_key_id.as_str(), Some(given.session_token.as_str()));
        let found = sessions.lookup(key, token).await.expect("known");
        assert_eq!(found.secret, given.secret_access_key);
        assert_eq!(found.session_policy.as_deref(), Some(ALLOW));
        let caller = Caller::signed(found, key, Region::default());
        let call =
            bench.platform.call::<GetCallerIdentity>(bench.context(caller), GetCallerIdentityRequest {});
        let identity = call.await.expect("identified");
        assert_eq!(identity.arn, Some(user.arn));
        assert_eq!(identity.user_id, Some(user.assumed_role_id));

        // Another session is another, and a sandbox accepts but its own.
        let other = bench.assume(root(), request(None)).await.expect("assumed").credentials;
        let other = other.expect("credentials");
        assert_ne!(other.access_key_id, given.access_key_id);
        assert_ne!(other.secret_access_key, given.secret_access_key);
        let sandbox = EnvironmentCredentials::new(sessions.clone(), key);
        assert!(sandbox.lookup(key, token).await.is_ok());
        let refused = sandbox.lookup(&other.access_key_id, Some(&other.session_token)).await.err();
        assert_eq!(refused, Some(CredentialError::Unknown));

        bench.env.advance(given.expiration.since(bench.env.now()));
        assert_eq!(sessions.lookup(key, token).await.err(), Some(CredentialError::Expired));
        assert!(sessions.lookup(&other.access_key_id, Some(&other.session_token)).await.is_ok());
    });
}

#[test]
fn the_trust_policy_and_what_it_may_ask_for_reach_the_authorizer() {
    run(false, async |bench| {
        let input = AssumeRoleRequest { external_id: Some("word".into()), ..request(None) };
        bench.assume(root(), input).await.expect("assumed");
        let asked = bench.recorder.asked.lock().expect("unpoisoned").clone();
        let policy = Some((r#"{"a": "+"}"#, true));
        assert_eq!(asked, [format!("sts:AssumeRole {ARN} {policy:?} one word")]);
    });
    run(true, async |bench| {
        assert_eq!(refused(bench.assume(root(), request(None)).await), "AccessDenied: denied");
    });
}

#[test]
fn what_is_not_a_role_or_too_long_is_refused() {
    run(false, async |bench| {
        for arn in [
            "arn:aws:iam::000000000000:role/worker",
            "arn:aws:iam::000000000000:role/deep/nobody",
            "arn:aws:iam::123456789012:role/deep/worker",
        ] {
            let input = AssumeRoleRequest { role_arn: arn.into(), ..request(None) };
            let expected = format!(
                "AccessDenied: User: arn:aws:iam::000000000000:root is not authorized to perform: \
                 sts:AssumeRole on resource: {arn} because no resource-based policy allows the \
                 sts:AssumeRole action"
            );
            assert_eq!(refused(bench.assume(root(), input).await), expected);
        }
        assert!(bench.recorder.asked.lock().expect("unpoisoned").is_empty());
        let session = Principal::RoleSession {
            account: AccountId::DEVELOPMENT,
            role: "other".into(),
            role_id: "AROAOTHER".into(),
            session: "one".into(),
        };
        let session = Caller { principal: session, ..root() };
        let role =
            "Validation: The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        let chain = "Validation: The requested DurationSeconds exceeds the 1 hour session limit for roles \
                     assumed by role chaining.";
        for (caller, seconds, expected) in [
            (root(), 7_200, "no error"),
            (root(), 7_201, role),
            (session.clone(), 3_600, "no error"),
            (session, 3_601, chain),
        ] {
            assert_eq!(refused(bench.assume(caller, request(Some(seconds))).await), expected, "{seconds}");
        }
    });
}

#[test]
fn what_is_not_supported_is_refused_by_name_and_policies_are_checked() {
    run(false, async |bench| {
        let mut input = request(None);
        input.source_identity = Some("somebody".into());
        let expected = "NotSupported: Apus does not support AssumeRole with SourceIdentity yet.";
        assert_eq!(refused(bench.assume(root(), input).await), expected);
        let with = |policy: String| AssumeRoleRequest { policy: Some(policy), ..request(None) };
        let malformed = refused(bench.assume(root(), with("{".into())).await);
        assert!(malformed.starts_with("MalformedPolicyDocumentException: "), "{malformed}");
        let full = format!("{ALLOW}{}", " ".repeat(2_048 - ALLOW.len()));
        let answer = bench.assume(root(), with(full.clone())).await.expect("as long as may be");
        assert_eq!(answer.packed_policy_size, Some(100));
        let token = answer.credentials.expect("credentials").session_token;
        assert!(token.len() <= 4_096, "{}", token.len());
        let long = refused(bench.assume(root(), with(format!("{full} "))).await);
        assert!(long.contains("Member must have length less than or equal to 2048"), "{long}");
    });
}

#[test]
fn nobody_is_nobody() {
    run(false, async |bench| {
        let nobody = Caller { principal: Principal::Anonymous, ..root() };
        let call =
            bench.platform.call::<GetCallerIdentity>(bench.context(nobody), GetCallerIdentityRequest {});
        assert_eq!(refused(call.await), "MissingAuthentication: Missing Authentication Token");
    });
}
