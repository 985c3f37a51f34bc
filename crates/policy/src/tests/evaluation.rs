//! The order of decision, as AWS documents it, and the words of a denial.

use super::{identity, parse, resource};
use crate::{
    Attached, Caller, Context, Decision, Kind, Policies, Policy, PolicyType, Request, ResourceRule, evaluate,
};

const HOME: &str = "000000000000";
const AWAY: &str = "111111111111";
const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:jobs";
const ROLE: &str = "arn:aws:iam::000000000000:role/work";

fn user(account: &str) -> Caller {
    Caller::User { account: account.into(), arn: format!("arn:aws:iam::{account}:user/ann") }
}

fn session() -> Caller {
    let arn = "arn:aws:sts::000000000000:assumed-role/work/one".into();
    Caller::Session { account: HOME.into(), arn, role_arn: ROLE.into() }
}

fn allow(action: &str) -> Policy {
    identity(&format!(r#"{{"Statement":{{"Effect":"Allow","Action":"{action}","Resource":"*"}}}}"#))
}

fn deny(action: &str) -> Policy {
    identity(&format!(r#"{{"Statement":{{"Sid":"No","Effect":"Deny","Action":"{action}","Resource":"*"}}}}"#))
}

fn queue_policy(effect: &str, principal: &str) -> Policy {
    resource(&format!(
        r#"{{"Statement":{{"Effect":"{effect}","Principal":{principal},"Action":"sqs:*","Resource":"{QUEUE}"}}}}"#
    ))
}

/// The policies of one case; what is absent has no say.
#[derive(Default)]
struct Case {
    identity: Option<Policy>,
    resource: Option<Policy>,
    must_allow: bool,
    boundary: Option<Policy>,
    session: Option<Policy>,
    scp: Option<Policy>,
}

impl Case {
    fn decide(&self, caller: &Caller) -> (Decision, Option<String>) {
        fn attach<'a>(policy: Option<&'a Policy>, name: &'static str) -> Option<Attached<'a>> {
            policy.map(|policy| Attached { name, policy })
        }
        let own = attach(self.identity.as_ref(), "own");
        let session = attach(self.session.as_ref(), "session");
        let scp = attach(self.scp.as_ref(), "scp");
        let policies = Policies {
            identity: own.as_slice(),
            resource: attach(self.resource.as_ref(), "queue"),
            resource_rule: if self.must_allow { ResourceRule::MustAllow } else { ResourceRule::MayAllow },
            permission_boundary: attach(self.boundary.as_ref(), "boundary"),
            session: session.as_ref().map(std::slice::from_ref),
            scp: scp.as_ref().map(std::slice::from_ref),
        };
        let context = Context::new();
        let request = Request {
            caller,
            action: "sqs:SendMessage",
            resource: QUEUE,
            resource_account: None,
            context: &context,
        };
        let decision = evaluate(&request, &policies);
        let message = decision.message(&request);
        (decision, message)
    }

    /// `allow`, `deny` and where, or `lack` and of what.
    fn check(&self, caller: &Caller, expect: &str) {
        let told = match self.decide(caller).0 {
            Decision::Allowed { .. } => "allow".to_owned(),
            Decision::Denied { by } => format!("deny {}", by.policy),
            Decision::DeniedImplicitly { lacking, .. } => format!("lack {lacking}"),
        };
        assert_eq!(told, expect, "{caller}");
    }
}

#[test]
fn a_user_at_home() {
    Case::default().check(&user(HOME), "lack identity-based policy");
    let own = Case { identity: Some(allow("sqs:send*")), ..Case::default() };
    own.check(&user(HOME), "allow");
    Case { identity: Some(allow("SQS:SENDMESSAGE")), ..Case::default() }.check(&user(HOME), "allow");
    Case { boundary: Some(allow("s3:*")), ..own }.check(&user(HOME), "lack permissions boundary");
    let own = || Some(allow("sqs:*"));
    Case { identity: own(), scp: Some(allow("s3:*")), ..Case::default() }
        .check(&user(HOME), "lack service control policy");
    Case { identity: own(), boundary: Some(allow("*")), scp: Some(allow("*")), ..Case::default() }
        .check(&user(HOME), "allow");
    for (case, place) in [
        (Case { identity: Some(deny("sqs:*")), ..Case::default() }, "own"),
        (Case { identity: own(), boundary: Some(deny("*")), ..Case::default() }, "boundary"),
        (Case { identity: own(), scp: Some(deny("*")), ..Case::default() }, "scp"),
        (Case { identity: own(), resource: Some(queue_policy("Deny", "\"*\"")), ..Case::default() }, "queue"),
        (
            Case {
                identity: own(),
                resource: Some(queue_policy("Deny", r#"{"AWS":"000000000000"}"#)),
                ..Case::default()
            },
            "queue",
        ),
    ] {
        case.check(&user(HOME), &format!("deny {place}"));
    }
}

#[test]
fn a_resource_may_allow_alone() {
    let named = || Some(queue_policy("Allow", r#"{"AWS":"arn:aws:iam::000000000000:user/ann"}"#));
    Case { resource: named(), ..Case::default() }.check(&user(HOME), "allow");
    Case { resource: named(), boundary: Some(allow("s3:*")), ..Case::default() }.check(&user(HOME), "allow");
    Case { resource: named(), boundary: Some(deny("sqs:*")), ..Case::default() }
        .check(&user(HOME), "deny boundary");
    Case { resource: named(), scp: Some(allow("s3:*")), ..Case::default() }
        .check(&user(HOME), "lack service control policy");
    let account = || Some(queue_policy("Allow", r#"{"AWS":"arn:aws:iam::000000000000:root"}"#));
    Case { resource: account(), ..Case::default() }.check(&user(HOME), "lack identity-based policy");
    Case { resource: account(), identity: Some(allow("sqs:*")), ..Case::default() }
        .check(&user(HOME), "allow");
    Case { resource: Some(queue_policy("Allow", "\"*\"")), ..Case::default() }.check(&user(HOME), "allow");
    Case { resource: Some(queue_policy("Allow", "\"*\"")), ..Case::default() }
        .check(&Caller::Anonymous, "allow");
    Case { resource: named(), ..Case::default() }.check(&Caller::Anonymous, "lack resource-based policy");
    Case { resource: named(), ..Case::default() }.check(&session(), "lack identity-based policy");
}

#[test]
fn a_role_and_its_session() {
    let role = || Some(queue_policy("Allow", r#"{"AWS":"arn:aws:iam::000000000000:role/work"}"#));
    let one = || Some(queue_policy("Allow", r#"{"AWS":"arn:aws:sts::000000000000:assumed-role/work/one"}"#));
    let narrow = || Some(allow("s3:*"));
    Case { resource: role(), ..Case::default() }.check(&session(), "allow");
    Case { resource: role(), boundary: narrow(), ..Case::default() }
        .check(&session(), "lack permissions boundary");
    Case { resource: role(), session: narrow(), ..Case::default() }.check(&session(), "lack session policy");
    Case { resource: one(), boundary: narrow(), session: narrow(), ..Case::default() }
        .check(&session(), "allow");
    Case { resource: one(), session: Some(deny("sqs:*")), ..Case::default() }
        .check(&session(), "deny session");
    let own = || Some(allow("sqs:*"));
    Case { identity: own(), session: narrow(), ..Case::default() }.check(&session(), "lack session policy");
    Case { identity: own(), session: own(), boundary: own(), ..Case::default() }.check(&session(), "allow");
}

#[test]
fn another_account_needs_both() {
    let named = || Some(queue_policy("Allow", r#"{"AWS":"arn:aws:iam::111111111111:user/ann"}"#));
    let account = || Some(queue_policy("Allow", r#"{"AWS":"111111111111"}"#));
    let own = || Some(allow("sqs:*"));
    Case { identity: own(), ..Case::default() }.check(&user(AWAY), "lack resource-based policy");
    Case { resource: named(), ..Case::default() }.check(&user(AWAY), "lack identity-based policy");
    Case { resource: named(), identity: own(), ..Case::default() }.check(&user(AWAY), "allow");
    Case { resource: account(), identity: own(), ..Case::default() }.check(&user(AWAY), "allow");
    Case { resource: named(), identity: own(), boundary: Some(allow("s3:*")), ..Case::default() }
        .check(&user(AWAY), "lack permissions boundary");
    let root = Caller::Root { account: AWAY.into() };
    Case::default().check(&root, "lack resource-based policy");
    Case { resource: account(), ..Case::default() }.check(&root, "allow");
}

#[test]
fn roots_services_and_providers() {
    let root = Caller::Root { account: HOME.into() };
    Case::default().check(&root, "allow");
    Case { scp: Some(deny("sqs:*")), ..Case::default() }.check(&root, "deny scp");
    Case { resource: Some(queue_policy("Deny", "\"*\"")), ..Case::default() }.check(&root, "deny queue");
    let sns = Caller::Service { name: "sns.amazonaws.com".into() };
    let granted = || Some(queue_policy("Allow", r#"{"Service":"sns.amazonaws.com"}"#));
    Case { resource: granted(), scp: Some(deny("*")), ..Case::default() }.check(&sns, "allow");
    Case::default().check(&sns, "lack resource-based policy");
    let other = Caller::Service { name: "events.amazonaws.com".into() };
    Case { resource: granted(), ..Case::default() }.check(&other, "lack resource-based policy");
    Case { resource: granted(), ..Case::default() }.check(&user(HOME), "lack identity-based policy");
}

#[test]
fn those_not_named_are_denied() {
    let spare = |list: &str| {
        Some(resource(&format!(
            r#"{{"Statement":{{"Effect":"Deny","NotPrincipal":{{"AWS":[{list}]}},"Action":"*","Resource":"*"}}}}"#
        )))
    };
    let own = || Some(allow("*"));
    let ann = r#""arn:aws:iam::000000000000:user/ann""#;
    let account = r#""000000000000""#;
    let check = |list: String, caller: &Caller, expect| {
        Case { identity: own(), resource: spare(&list), ..Case::default() }.check(caller, expect);
    };
    check(format!("{ann},{account}"), &user(HOME), "allow");
    check(ann.into(), &user(HOME), "deny queue");
    check(account.into(), &user(HOME), "deny queue");
    let one = r#""arn:aws:sts::000000000000:assumed-role/work/one""#;
    check(format!("\"{ROLE}\",{account},{one}"), &session(), "allow");
    check(format!("\"{ROLE}\",{account}"), &session(), "deny queue");
    check(format!("{ann},{account}"), &Caller::Anonymous, "deny queue");
}

#[test]
fn trust_policies_must_allow() {
    let trust = |principal: &str| {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole",
               "Condition":{{"StringEqualsIfExists":{{"sts:ExternalId":"42"}}}}}}}}"#
        );
        parse(&text, Kind::Trust)
    };
    let check =
        |principal: &str, own: Option<&str>, caller: &Caller, external: Option<&str>, expect: bool| {
            let trust = trust(principal);
            let own = own.map(allow);
            let own = own.as_ref().map(|policy| Attached { name: "own", policy });
            let policies = Policies {
                identity: own.as_slice(),
                resource: Some(Attached { name: "trust", policy: &trust }),
                resource_rule: ResourceRule::MustAllow,
                ..Policies::default()
            };
            let context: Context = external.map(|id| ("sts:ExternalId", id)).into_iter().collect();
            let request = Request {
                caller,
                action: "sts:AssumeRole",
                resource: ROLE,
                resource_account: None,
                context: &context,
            };
            assert_eq!(evaluate(&request, &policies).is_allowed(), expect, "{principal} {own:?} {caller}");
        };
    let lambda = Caller::Service { name: "lambda.amazonaws.com".into() };
    check(r#"{"Service":"lambda.amazonaws.com"}"#, None, &lambda, None, true);
    check(r#"{"Service":"lambda.amazonaws.com"}"#, None, &lambda, Some("41"), false);
    check(r#"{"Service":"lambda.amazonaws.com"}"#, Some("*"), &user(HOME), None, false);
    check(r#"{"AWS":"000000000000"}"#, None, &user(HOME), None, false);
    check(r#"{"AWS":"000000000000"}"#, Some("sts:AssumeRole"), &user(HOME), Some("42"), true);
    check(r#"{"AWS":"000000000000"}"#, Some("sts:AssumeRole"), &user(AWAY), None, false);
    check(r#"{"AWS":"arn:aws:iam::000000000000:user/ann"}"#, None, &user(HOME), None, true);
    check(r#"{"AWS":"111111111111"}"#, Some("sts:*"), &user(AWAY), None, true);
    check(r#"{"AWS":"111111111111"}"#, None, &user(AWAY), None, false);
    let google = Caller::Federated { provider: "accounts.google.com".into() };
    check(r#"{"Federated":"accounts.google.com"}"#, None, &google, None, true);
    check(r#"{"Federated":"other.example"}"#, None, &google, None, false);
    let root = Caller::Root { account: HOME.into() };
    check(r#"{"Service":"lambda.amazonaws.com"}"#, None, &root, None, false);
}

#[test]
fn a_denial_in_aws_words() {
    let (_, message) = Case::default().decide(&user(HOME));
    assert_eq!(
        message.as_deref(),
        Some(
            "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: sqs:SendMessage on resource: \
             arn:aws:sqs:us-east-1:000000000000:jobs because no identity-based policy allows the sqs:SendMessage action"
        )
    );
    let (_, message) = Case { identity: Some(deny("sqs:*")), ..Case::default() }.decide(&session());
    assert_eq!(
        message.as_deref(),
        Some(
            "User: arn:aws:sts::000000000000:assumed-role/work/one is not authorized to perform: sqs:SendMessage on \
             resource: arn:aws:sqs:us-east-1:000000000000:jobs with an explicit deny in an identity-based policy"
        )
    );
    let denied = Case { scp: Some(deny("*")), ..Case::default() }.decide(&user(HOME)).1.expect("a denial");
    assert!(denied.ends_with("with an explicit deny in a service control policy"));
}

#[test]
fn a_denial_says_what_would_have_allowed_it() {
    let explain = |statements: &str| {
        let policy = identity(&format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#));
        let own = [Attached { name: "own", policy: &policy }];
        let context = Context::new().with("aws:SourceIp", "10.0.0.1");
        let caller = user(HOME);
        let request = Request {
            caller: &caller,
            action: "sqs:SendMessage",
            resource: QUEUE,
            resource_account: None,
            context: &context,
        };
        let decision = evaluate(&request, &Policies { identity: &own, ..Policies::default() });
        assert!(matches!(
            decision,
            Decision::DeniedImplicitly { lacking: PolicyType::Identity, .. } | Decision::Denied { .. }
        ));
        decision.explanation(&request).expect("a denial")
    };
    let logs = r#"{"Effect":"Allow","Action":"logs:*","Resource":"*"}"#;
    let reads = r#"{"Sid":"Read","Effect":"Allow","Action":"sqs:Receive*","Resource":"*"}"#;
    let other = r#"{"Sid":"Other","Effect":"Allow","Action":"sqs:*","Resource":"arn:aws:sqs:*:*:other"}"#;
    let inside = r#"{"Effect":"Allow","Action":"sqs:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.168.0.0/16"}}}"#;
    assert_eq!(
        explain(logs),
        format!(
            "no statement comes near: an identity-based policy needs one with Action \"sqs:SendMessage\" and Resource {QUEUE:?}"
        )
    );
    assert_eq!(
        explain(&format!("{logs},{reads}")),
        "statement \"Read\" of identity-based policy \"own\" would have allowed it, but its actions do not include this \
         one"
    );
    assert_eq!(
        explain(&format!("{logs},{reads},{other}")),
        "statement \"Other\" of identity-based policy \"own\" would have allowed it, but its resources do not include \
         this one"
    );
    assert_eq!(
        explain(&format!("{logs},{reads},{other},{inside}")),
        "statement 3 of identity-based policy \"own\" would have allowed it, but its condition IpAddress aws:SourceIp \
         [\"192.168.0.0/16\"] does not hold: the request has [\"10.0.0.1\"]"
    );
    let no = r#"{"Sid":"No","Effect":"Deny","Action":"sqs:*","Resource":"*"}"#;
    assert_eq!(explain(no), "denied by statement \"No\" of identity-based policy \"own\"");
}
