//! A second evaluator, written from the rules alone and in the plainest way, that must always agree.

use proptest::prelude::*;

use crate::{Attached, Caller, Context, Kind, Limits, Policies, Policy, Request, ResourceRule, evaluate};

/// A statement as a test writes it.
#[derive(Clone, Debug)]
struct Line {
    allow: bool,
    principal: usize,
    not_action: bool,
    actions: Vec<usize>,
    not_resource: bool,
    resources: Vec<usize>,
    /// The wanted value of the key `k`, and whether the contrary is wanted; the same of `l`.
    conditions: [Option<(usize, bool)>; 2],
}

const PRINCIPALS: [&str; 8] = [
    r#""*""#,
    r#"{"AWS":"000000000000"}"#,
    r#"{"AWS":"111111111111"}"#,
    r#"{"AWS":"arn:aws:iam::000000000000:user/ann"}"#,
    r#"{"AWS":"arn:aws:iam::111111111111:user/ann"}"#,
    r#"{"AWS":"arn:aws:iam::000000000000:role/work"}"#,
    r#"{"AWS":"arn:aws:sts::000000000000:assumed-role/work/one"}"#,
    r#"{"Service":"sns.amazonaws.com"}"#,
];
const ACTIONS: [&str; 5] = ["*", "sqs:*", "SQS:Send?essage", "sqs:ReceiveMessage", "s3:*"];
const RESOURCES: [&str; 4] =
    ["*", "arn:aws:sqs:*:*:jobs", "arn:aws:sqs:us-east-1:000000000000:*", "arn:aws:s3:::*"];
const VALUES: [&str; 2] = ["x", "y"];

/// Which actions of `ACTIONS` cover the two that are asked.
const COVERED_ACTIONS: [(&str, [bool; 5]); 2] = [
    ("sqs:SendMessage", [true, true, true, false, false]),
    ("sqs:ReceiveMessage", [true, true, false, true, false]),
];
/// Which resources of `RESOURCES` cover the two that are asked, and whose they are.
const COVERED_RESOURCES: [(&str, [bool; 4]); 2] = [
    ("arn:aws:sqs:us-east-1:000000000000:jobs", [true, true, true, false]),
    ("arn:aws:sqs:us-east-1:000000000000:mail", [true, false, true, false]),
];

/// The callers, and how each entry of `PRINCIPALS` names them: not, by account, indirectly, directly.
fn callers() -> [(Caller, [u8; 8]); 5] {
    let user = |account: &str| Caller::User {
        account: account.into(),
        arn: format!("arn:aws:iam::{account}:user/ann"),
    };
    let session = Caller::Session {
        account: "000000000000".into(),
        arn: "arn:aws:sts::000000000000:assumed-role/work/one".into(),
        role_arn: "arn:aws:iam::000000000000:role/work".into(),
    };
    [
        (user("000000000000"), [2, 1, 0, 3, 0, 0, 0, 0]),
        (user("111111111111"), [2, 0, 1, 0, 3, 0, 0, 0]),
        (session, [2, 1, 0, 0, 0, 2, 3, 0]),
        (Caller::Service { name: "sns.amazonaws.com".into() }, [2, 0, 0, 0, 0, 0, 0, 3]),
        (Caller::Anonymous, [2, 0, 0, 0, 0, 0, 0, 0]),
    ]
}

/// What is asked, as places in the tables.
#[derive(Clone, Debug)]
struct Ask {
    caller: usize,
    action: usize,
    resource: usize,
    /// Of `k` and of `l`.
    values: [Option<usize>; 2],
}

impl Line {
    fn json(&self, with_principal: bool) -> String {
        let effect = if self.allow { "Allow" } else { "Deny" };
        let principal = format!(r#""Principal":{},"#, PRINCIPALS[self.principal]);
        let principal = if with_principal { principal } else { String::new() };
        let action = format!(r#""{}Action":{:?}"#, not(self.not_action), pick(&ACTIONS, &self.actions));
        let resource =
            format!(r#""{}Resource":{:?}"#, not(self.not_resource), pick(&RESOURCES, &self.resources));
        let condition = |at: usize, key: &str, operator: &str| {
            self.conditions[at].map(|(value, negated)| {
                format!(r#""String{}{operator}":{{"{key}":"{}"}}"#, not(negated), VALUES[value])
            })
        };
        let conditions: Vec<String> =
            [condition(0, "k", "Equals"), condition(1, "l", "Like")].into_iter().flatten().collect();
        let conditions = conditions.join(",");
        format!(r#"{{"Effect":"{effect}",{principal}{action},{resource},"Condition":{{{conditions}}}}}"#)
    }

    fn applies(&self, ask: &Ask) -> bool {
        let covers_action = |at: &usize| COVERED_ACTIONS[ask.action].1[*at];
        let covers_resource = |at: &usize| COVERED_RESOURCES[ask.resource].1[*at];
        let action = self.actions.iter().any(covers_action) != self.not_action;
        let resource = self.resources.iter().any(covers_resource) != self.not_resource;
        let condition = self.conditions.iter().zip(ask.values).all(|(condition, value)| match condition {
            None => true,
            Some((wanted, false)) => value == Some(*wanted),
            Some((wanted, true)) => value != Some(*wanted),
        });
        action && resource && condition
    }
}

fn pick<'a>(from: &[&'a str], places: &[usize]) -> Vec<&'a str> {
    places.iter().map(|at| from[*at]).collect()
}

fn not(contrary: bool) -> &'static str {
    if contrary { "Not" } else { "" }
}

type Lines = Vec<Line>;

/// All documents of one case.
#[derive(Clone, Debug)]
struct World {
    identity: Lines,
    resource: Option<Lines>,
    must_allow: bool,
    boundary: Option<Lines>,
    session: Option<Lines>,
    scp: Option<Lines>,
}

impl World {
    /// The rules, one sentence each.
    fn allows(&self, ask: &Ask) -> bool {
        let (caller, naming) = &callers()[ask.caller];
        let is_principal = ask.caller < 3;
        let says =
            |lines: &Lines, allow: bool| lines.iter().any(|line| line.allow == allow && line.applies(ask));
        let limits = |lines: &Option<Lines>| lines.as_ref().is_none_or(|lines| says(lines, true));
        let forbids = |lines: &Option<Lines>| lines.as_ref().is_some_and(|lines| says(lines, false));
        let empty = Vec::new();
        let of_resource = self.resource.as_ref().unwrap_or(&empty);
        let named = |line: &Line| naming[line.principal];
        // A service and the anonymous have no policies of their own, and no organisation.
        let denied = of_resource.iter().any(|line| !line.allow && named(line) > 0 && line.applies(ask))
            || says(&self.identity, false)
            || forbids(&self.boundary)
            || forbids(&self.session)
            || (is_principal && forbids(&self.scp));
        if denied || (is_principal && !limits(&self.scp)) {
            return false;
        }
        let grant =
            of_resource.iter().filter(|line| line.allow && line.applies(ask)).map(named).max().unwrap_or(0);
        if !is_principal {
            return grant > 0;
        }
        let own = says(&self.identity, true);
        let limited = limits(&self.boundary) && limits(&self.session);
        if caller.account() != Some("000000000000") {
            return grant > 0 && own && limited;
        }
        match grant {
            3 => true,
            2 => limited,
            1 => own && limited,
            _ => own && limited && !self.must_allow,
        }
    }
}

fn policy(lines: &Lines, kind: Kind) -> Policy {
    let lines: Vec<String> = lines.iter().map(|line| line.json(kind == Kind::Resource)).collect();
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, lines.join(","));
    Policy::parse(&text, kind, Limits::NONE).unwrap_or_else(|error| panic!("{error}: {text}"))
}

prop_compose! {
    fn line()(
        allow in prop::bool::weighted(0.8),
        principal in 0..PRINCIPALS.len(),
        not_action in prop::bool::weighted(0.2),
        actions in prop::collection::vec(0..ACTIONS.len(), 1..3),
        not_resource in prop::bool::weighted(0.2),
        resources in prop::collection::vec(0..RESOURCES.len(), 1..3),
        conditions in prop::array::uniform2(prop::option::weighted(0.2, (0..VALUES.len(), any::<bool>()))),
    ) -> Line {
        Line { allow, principal, not_action, actions, not_resource, resources, conditions }
    }
}

prop_compose! {
    fn worlds()(
        identity in prop::collection::vec(line(), 1..4),
        resource in prop::option::of(prop::collection::vec(line(), 1..4)),
        must_allow: bool,
        boundary in prop::option::weighted(0.3, prop::collection::vec(line(), 1..4)),
        session in prop::option::weighted(0.3, prop::collection::vec(line(), 1..4)),
        scp in prop::option::weighted(0.3, prop::collection::vec(line(), 1..4)),
    ) -> World {
        World { identity, resource, must_allow, boundary, session, scp }
    }
}

prop_compose! {
    fn asks()(
        caller in 0_usize..5, action in 0_usize..2, resource in 0_usize..2,
        values in prop::array::uniform2(prop::option::of(0_usize..2)),
    ) -> Ask {
        Ask { caller, action, resource, values }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn both_evaluators_agree(world in worlds(), ask in asks()) {
        let caller = &callers()[ask.caller].0;
        let identity = policy(&world.identity, Kind::Identity);
        let resource = world.resource.as_ref().map(|lines| policy(lines, Kind::Resource));
        let limit = |lines: &Option<Lines>| lines.as_ref().map(|lines| policy(lines, Kind::Identity));
        let (boundary, session, scp) = (limit(&world.boundary), limit(&world.session), limit(&world.scp));
        let attached = [&boundary, &session, &scp, &resource]
            .map(|policy| policy.as_ref().map(|policy| Attached { name: "p", policy }));
        let [boundary, session, scp, resource] = &attached;
        let policies = Policies {
            identity: &[Attached { name: "own", policy: &identity }],
            resource: *resource,
            resource_rule: if world.must_allow { ResourceRule::MustAllow } else { ResourceRule::MayAllow },
            permission_boundary: *boundary,
            session: session.as_ref().map(std::slice::from_ref),
            scp: scp.as_ref().map(std::slice::from_ref),
        };
        let context: Context = ["K", "L"]
            .into_iter()
            .zip(ask.values)
            .filter_map(|(key, value)| Some((key, VALUES[value?])))
            .collect();
        let request = Request {
            caller,
            action: COVERED_ACTIONS[ask.action].0,
            resource: COVERED_RESOURCES[ask.resource].0,
            resource_account: None,
            context: &context,
        };
        let decision = evaluate(&request, &policies);
        prop_assert_eq!(decision.is_allowed(), world.allows(&ask), "{:?}", decision);
        prop_assert_eq!(decision.message(&request).is_none(), decision.is_allowed());
    }
}
