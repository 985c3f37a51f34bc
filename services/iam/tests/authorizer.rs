//! Whether calls are allowed: by the caller's kind, its role's policies, its session policy.

mod common;

use apus_kernel::{AccessRequest, AccountId, Arn, Caller, Principal, Region, Resource, ResourcePolicy};
use apus_model_iam::{
    CreateRole, DeleteRole, DeleteRolePolicy, DeleteRolePolicyRequest, DeleteRoleRequest, GetRole,
    GetRoleRequest,
};
use apus_service_iam::{Mode, authorizer};
use common::{Bench, create, root, run_with, session};

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:jobs";

/// The story of one decision: allowed, or the denial's message.
async fn ask(bench: &Bench, caller: &Caller, action: &'static str, resource: Resource) -> String {
    let context = bench.context(caller.clone());
    match bench.platform.authorize(&context, action, [resource]).await {
        Ok(()) => "allowed".into(),
        Err(denial) => denial.message().into(),
    }
}

async fn ask_for_queue(bench: &Bench, caller: &Caller, action: &'static str) -> String {
    ask(bench, caller, action, arn(QUEUE)).await
}

fn arn(text: &str) -> Resource {
    text.parse::<Arn>().expect("a resource name").into()
}

fn policy(effect: &str, action: &str, resource: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}","Action":"{action}","Resource":"{resource}"}}]}}"#
    )
}

fn enforced(test: impl AsyncFnOnce(Bench)) {
    run_with(|store| authorizer(store.clone(), Mode::Enforce), test);
}

#[test]
fn a_root_may_do_everything_in_its_own_account_and_nothing_elsewhere() {
    enforced(async |bench| {
        let (own, other) = (root("000000000000"), root("123456789012"));
        assert_eq!(ask_for_queue(&bench, &own, "sqs:DeleteQueue").await, "allowed");
        assert_eq!(ask(&bench, &own, "sqs:ListQueues", Resource::All).await, "allowed");
        assert_eq!(
            ask_for_queue(&bench, &other, "sqs:DeleteQueue").await,
            "User: arn:aws:iam::123456789012:root is not authorized to perform: sqs:DeleteQueue on resource: \
             arn:aws:sqs:us-east-1:000000000000:jobs because no resource-based policy allows the \
             sqs:DeleteQueue action"
        );
        // Calling for another account does not make its resources one's own.
        let intruder = Caller { account: AccountId::DEVELOPMENT, ..other.clone() };
        assert_ne!(ask(&bench, &intruder, "sqs:ListQueues", Resource::All).await, "allowed");
        assert_ne!(ask(&bench, &intruder, "s3:GetObject", arn("arn:aws:s3:::bucket/key")).await, "allowed");
    });
}

#[test]
fn a_part_of_the_platform_may_do_what_the_table_says_and_nobody_nothing() {
    enforced(async |bench| {
        let service = |name| Caller::service(name, AccountId::DEVELOPMENT, Region::default());
        let role = || arn("arn:aws:iam::000000000000:role/worker");
        assert_eq!(ask(&bench, &service("sts.amazonaws.com"), "iam:GetRole", role()).await, "allowed");
        assert_eq!(
            ask(&bench, &service("sts.amazonaws.com"), "iam:DeleteRole", role()).await,
            "User: sts.amazonaws.com is not authorized to perform: iam:DeleteRole on resource: \
             arn:aws:iam::000000000000:role/worker because no resource-based policy allows the iam:DeleteRole action"
        );
        assert_ne!(ask(&bench, &service("evil.amazonaws.com"), "iam:GetRole", role()).await, "allowed");
        let nobody = Caller { principal: Principal::Anonymous, ..root("000000000000") };
        assert_eq!(
            ask_for_queue(&bench, &nobody, "sqs:SendMessage").await,
            "",
            "each service has its own words"
        );
        let user = Principal::User { account: AccountId::DEVELOPMENT, name: "x".into(), id: "AIDAX".into() };
        let user = Caller { principal: user, ..root("000000000000") };
        assert_ne!(ask_for_queue(&bench, &user, "sqs:SendMessage").await, "allowed");
    });
}

#[test]
fn a_session_may_do_what_its_roles_policies_allow() {
    enforced(async |bench| {
        let allow = policy("Allow", "sqs:S*", QUEUE);
        let worker = session(&bench.role("worker", &[("own", &allow)]).await, "one");
        assert_eq!(ask_for_queue(&bench, &worker, "sqs:SendMessage").await, "allowed");
        let denied = ask_for_queue(&bench, &worker, "sqs:ReceiveMessage").await;
        let expected = "User: arn:aws:sts::000000000000:assumed-role/worker/one is not authorized to perform: \
                        sqs:ReceiveMessage on resource: arn:aws:sqs:us-east-1:000000000000:jobs because no \
                        identity-based policy allows the sqs:ReceiveMessage action";
        assert!(denied.starts_with(expected), "{denied}");
        let hint = ". Statement 0 of identity-based policy \"own\" would have allowed it, but its actions do not \
                    include this one.";
        assert!(denied.ends_with(hint), "{denied}");
        let elsewhere = arn("arn:aws:sqs:us-east-1:000000000000:other");
        assert_ne!(ask(&bench, &worker, "sqs:SendMessage", elsewhere).await, "allowed");
        let foreign = arn("arn:aws:sqs:us-east-1:123456789012:jobs");
        assert_ne!(ask(&bench, &worker, "sqs:SendMessage", foreign).await, "allowed");
        assert_ne!(ask(&bench, &worker, "sqs:SendMessage", Resource::All).await, "allowed");

        // A deny in another policy wins, and goes when it goes.
        bench.put("worker", "not", &policy("Deny", "*", "*")).await.expect("put");
        let denied = ask_for_queue(&bench, &worker, "sqs:SendMessage").await;
        let expected = "jobs with an explicit deny in an identity-based policy. Denied by statement 0 of \
                        identity-based policy \"not\".";
        assert!(denied.ends_with(expected), "{denied}");
        let remove = DeleteRolePolicyRequest { role_name: "worker".into(), policy_name: "not".into() };
        bench.call::<DeleteRolePolicy>(remove.clone()).await.expect("deleted");
        assert_eq!(ask_for_queue(&bench, &worker, "sqs:SendMessage").await, "allowed");

        // A role made anew under the name is another.
        let remove = DeleteRolePolicyRequest { policy_name: "own".into(), ..remove };
        bench.call::<DeleteRolePolicy>(remove).await.expect("deleted");
        bench.call::<DeleteRole>(DeleteRoleRequest { role_name: "worker".into() }).await.expect("deleted");
        assert_ne!(ask_for_queue(&bench, &worker, "sqs:SendMessage").await, "allowed");
        bench.role("worker", &[("own", &allow)]).await;
        assert_ne!(ask_for_queue(&bench, &worker, "sqs:SendMessage").await, "allowed");
    });
}

#[test]
fn a_session_policy_bounds_and_never_adds() {
    enforced(async |bench| {
        let role = bench.role("worker", &[("own", &policy("Allow", "sqs:*", "*"))]).await;
        let with = |text: String| Caller { session_policy: Some(text.into()), ..session(&role, "one") };
        let narrow = with(policy("Allow", "sqs:SendMessage", "*"));
        assert_eq!(ask_for_queue(&bench, &narrow, "sqs:SendMessage").await, "allowed");
        let denied = ask_for_queue(&bench, &narrow, "sqs:DeleteQueue").await;
        assert!(denied.contains("because no session policy allows the sqs:DeleteQueue action"), "{denied}");
        let wide = with(policy("Allow", "*", "*"));
        let denied = ask(&bench, &wide, "s3:ListBucket", arn("arn:aws:s3:::bucket")).await;
        assert!(denied.contains("because no identity-based policy allows the s3:ListBucket"), "{denied}");
        let denying = with(policy("Deny", "sqs:*", "*"));
        let denied = ask_for_queue(&bench, &denying, "sqs:SendMessage").await;
        assert!(denied.contains("with an explicit deny in a session policy. "), "{denied}");
        // What cannot be read allows nothing.
        assert_ne!(ask_for_queue(&bench, &with("{".into()), "sqs:SendMessage").await, "allowed");
    });
}

#[test]
fn conditions_mean_the_role_and_the_callers_region() {
    enforced(async |bench| {
        let conditional = |key: &str, value: &str| {
            format!(
                r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"sqs:*","Resource":"*",
                "Condition":{{"StringEquals":{{"{key}":"{value}"}}}}}}}}"#
            )
        };
        for (key, value, allowed) in [
            ("aws:PrincipalArn", "arn:aws:iam::000000000000:role/deep/worker", true),
            ("aws:PrincipalArn", "arn:aws:sts::000000000000:assumed-role/worker/one", false),
            ("aws:PrincipalAccount", "000000000000", true),
            ("aws:RequestedRegion", "us-east-1", true),
            ("aws:RequestedRegion", "eu-central-1", false),
            ("aws:NoSuchKey", "x", false),
        ] {
            let mut input = create("worker");
            input.path = Some("/deep/".into());
            let role = bench.call::<CreateRole>(input).await.expect("made").role;
            bench.put("worker", "own", &conditional(key, value)).await.expect("put");
            let answer = ask_for_queue(&bench, &session(&role, "one"), "sqs:SendMessage").await;
            assert_eq!(answer == "allowed", allowed, "{key} {value}: {answer}");
            let remove = DeleteRolePolicyRequest { role_name: "worker".into(), policy_name: "own".into() };
            bench.call::<DeleteRolePolicy>(remove).await.expect("deleted");
            bench
                .call::<DeleteRole>(DeleteRoleRequest { role_name: "worker".into() })
                .await
                .expect("deleted");
        }
    });
}

#[test]
fn operations_on_a_role_are_judged_by_its_whole_name() {
    enforced(async |bench| {
        let mut input = create("secret");
        input.path = Some("/vault/".into());
        bench.call::<CreateRole>(input).await.expect("made");
        let get = |name: &str| GetRoleRequest { role_name: name.into() };
        let policies = [
            ("allow", policy("Allow", "iam:GetRole", "*")),
            ("deny", policy("Deny", "iam:*", "arn:aws:iam::000000000000:role/vault/*")),
        ];
        let policies: Vec<_> = policies.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let worker = session(&bench.role("worker", &policies).await, "one");
        assert!(bench.call_as::<GetRole>(worker.clone(), get("worker")).await.is_ok());
        let denied = bench.call_as::<GetRole>(worker, get("secret")).await.expect_err("denied");
        assert!(denied.message().contains("role/vault/secret with an explicit deny"), "{denied}");
        // Who may not look learns nothing of what is there.
        let blind = session(&bench.role("blind", &[]).await, "one");
        for name in ["secret", "missing"] {
            let denied = bench.call_as::<GetRole>(blind.clone(), get(name)).await.expect_err("denied");
            assert!(denied.message().contains("is not authorized to perform: iam:GetRole"), "{denied}");
        }
    });
}

#[test]
fn a_soft_instance_lets_everybody_through() {
    run_with(
        |store| authorizer(store.clone(), Mode::Soft),
        async |bench| {
            let worker = session(&bench.role("worker", &[]).await, "one");
            assert_eq!(ask_for_queue(&bench, &worker, "sqs:DeleteQueue").await, "allowed");
            assert_eq!(ask_for_queue(&bench, &root("123456789012"), "sqs:DeleteQueue").await, "allowed");
        },
    );
}

#[test]
fn a_resources_own_policy_has_its_say() {
    enforced(async |bench| {
        let trust = |principal: &str| {
            format!(
                r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{principal},
                "Action":"sts:AssumeRole"}}}}"#
            )
        };
        let own = r#"{"AWS":"arn:aws:iam::000000000000:root"}"#;
        let theirs = r#"{"AWS":"123456789012"}"#;
        let role = r#"{"AWS":"arn:aws:iam::000000000000:role/worker"}"#;
        let lambda = r#"{"Service":"lambda.amazonaws.com"}"#;
        let everybody = r#"{"AWS":"*"}"#;
        let worker = session(&bench.role("worker", &[]).await, "one");
        let allowed = policy("Allow", "sts:AssumeRole", "*");
        let able = session(&bench.role("able", &[("own", &allowed)]).await, "one");
        let service = |name| Caller::service(name, AccountId::DEVELOPMENT, Region::default());
        let gone = Principal::RoleSession {
            account: AccountId::DEVELOPMENT,
            role: "gone".into(),
            role_id: "AROAGONE".into(),
            session: "one".into(),
        };
        let gone = Caller { principal: gone, ..root("000000000000") };
        for (caller, principal, expected) in [
            (&root("000000000000"), own, true),
            (&root("000000000000"), theirs, false),
            (&root("000000000000"), lambda, false),
            (&root("123456789012"), own, false),
            (&root("123456789012"), theirs, true),
            (&worker, own, false),
            (&worker, role, true),
            (&worker, everybody, true),
            (&able, own, true),
            (&able, role, false),
            (&able, theirs, false),
            (&service("lambda.amazonaws.com"), lambda, true),
            (&service("lambda.amazonaws.com"), own, false),
            (&service("sts.amazonaws.com"), lambda, false),
            (&gone, everybody, false),
        ] {
            let context = bench.context(caller.clone());
            let resource = arn("arn:aws:iam::000000000000:role/target");
            let document = trust(principal);
            let resource_policy = Some(ResourcePolicy { document: &document, must_allow: true });
            let request = AccessRequest::new(&context, "sts:AssumeRole", resource);
            let answer = bench.platform.permit(&AccessRequest { resource_policy, ..request }).await;
            assert_eq!(answer.is_ok(), expected, "{} asks {principal}: {answer:?}", caller.principal);
        }
    });
}
