//! From JSON to a [`Policy`], strictly, with AWS's messages and the place of what is wrong.

use std::collections::BTreeSet;
use std::fmt;

use crate::arn::ArnPattern;
use crate::condition::{Condition, Problem};
use crate::document::{
    Effect, Kind, Limits, MAX_DOCUMENT_BYTES, MAX_STATEMENTS, Patterns, Policy, Statement, Version,
};
use crate::json::Node;
use crate::pattern::{Pattern, Syntax};
use crate::principal::{Principal, Principals};

/// Why a document is refused: the message of IAM's `MalformedPolicyDocument`, and more for who has to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// AWS's words.
    pub message: String,
    /// Where: `Statement[1].Condition.StringEquals`; empty for the document.
    pub place: String,
    /// What is wrong there, if AWS's words do not say it.
    pub detail: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match (self.place.is_empty(), self.detail.is_empty()) {
            (true, true) => Ok(()),
            (true, false) => write!(f, " ({})", self.detail),
            (false, true) => write!(f, " (in {})", self.place),
            (false, false) => write!(f, " (in {}: {})", self.place, self.detail),
        }
    }
}

impl std::error::Error for ParseError {}

type Parsed<T> = Result<T, ParseError>;

impl Policy {
    /// Reads a document of that kind, no longer than that.
    pub fn parse(text: &str, kind: Kind, limits: Limits) -> Parsed<Self> {
        check_size(text, limits)?;
        let node = Node::parse(text).map_err(|error| syntax(&Place::ROOT, error))?;
        let members = object(node, &Place::ROOT)?;
        let (mut version, mut id, mut statements) = (Version::V2008, None, None);
        for (name, value) in members {
            let place = Place::ROOT.member(&name);
            match name.as_str() {
                "Version" => version = parse_version(&value, &place)?,
                "Id" => id = Some(string(value, &place)?),
                "Statement" => statements = Some(value),
                _ => return Err(syntax(&place, "no element of a policy")),
            }
        }
        let place = Place::ROOT.member("Statement");
        let statements = match statements {
            None => return Err(syntax(&place, "it is missing")),
            Some(Node::List(list)) => list,
            Some(one) => vec![one],
        };
        if statements.is_empty() || statements.len() > MAX_STATEMENTS {
            return Err(syntax(&place, format!("a policy has 1 to {MAX_STATEMENTS} statements")));
        }
        let reader = Reader { kind, version };
        let mut parsed = Vec::with_capacity(statements.len());
        let mut sids = BTreeSet::new();
        for (at, node) in statements.into_iter().enumerate() {
            let place = place.index(at);
            let statement = reader.statement(node, &place)?;
            if let Some(sid) = &statement.sid
                && !sid.is_empty()
                && !sids.insert(sid.clone())
            {
                return Err(error("Statement IDs (SID) in a single policy must be unique.", &place));
            }
            parsed.push(statement);
        }
        Ok(Self { version, id, statements: parsed })
    }
}

/// Where in a document.
struct Place(String);

impl Place {
    const ROOT: Self = Self(String::new());

    fn member(&self, name: &str) -> Self {
        // A hostile name must not make a hostile message.
        let name: String = name.chars().take(64).collect();
        Self(if self.0.is_empty() { name } else { format!("{}.{name}", self.0) })
    }

    fn index(&self, at: usize) -> Self {
        Self(format!("{}[{at}]", self.0))
    }
}

fn error(message: impl Into<String>, place: &Place) -> ParseError {
    ParseError { message: message.into(), place: place.0.clone(), detail: String::new() }
}

fn syntax(place: &Place, detail: impl Into<String>) -> ParseError {
    ParseError { detail: detail.into(), ..error("Syntax errors in policy.", place) }
}

fn check_size(text: &str, limits: Limits) -> Parsed<()> {
    let counted = if limits.count_blanks {
        text.len()
    } else {
        text.bytes().filter(|byte| !byte.is_ascii_whitespace()).count()
    };
    if text.len() <= MAX_DOCUMENT_BYTES && counted <= limits.bytes {
        return Ok(());
    }
    let most = limits.bytes.min(MAX_DOCUMENT_BYTES);
    Err(syntax(&Place::ROOT, format!("{} bytes, where {most} are allowed", text.len())))
}

fn parse_version(value: &Node, place: &Place) -> Parsed<Version> {
    match value {
        Node::Text(text) if text == "2012-10-17" => Ok(Version::V2012),
        Node::Text(text) if text == "2008-10-17" => Ok(Version::V2008),
        _ => Err(error("The policy must contain a valid version string", place)),
    }
}

fn object(node: Node, place: &Place) -> Parsed<Vec<(String, Node)>> {
    match node {
        Node::Object(members) => Ok(members),
        _ => Err(syntax(place, "not an object")),
    }
}

fn string(node: Node, place: &Place) -> Parsed<String> {
    match node {
        Node::Text(text) => Ok(text),
        _ => Err(syntax(place, "not a string")),
    }
}

/// A string or a list of strings; with `scalars`, numbers and booleans are taken as their text.
fn strings(node: Node, scalars: bool, place: &Place) -> Parsed<Vec<String>> {
    let list = match node {
        Node::List(list) => list,
        one => vec![one],
    };
    let mut texts = Vec::with_capacity(list.len());
    for (at, node) in list.into_iter().enumerate() {
        texts.push(match node {
            Node::Text(text) => text,
            Node::Number(text) if scalars => text,
            Node::Bool(value) if scalars => value.to_string(),
            _ => return Err(syntax(&place.index(at), "not a string")),
        });
    }
    Ok(texts)
}

/// Reads the statements of one document.
struct Reader {
    kind: Kind,
    version: Version,
}

impl Reader {
    fn statement(&self, node: Node, place: &Place) -> Parsed<Statement> {
        let (mut sid, mut effect, mut principals) = (None, None, None);
        let (mut actions, mut resources, mut conditions) = (None, None, Vec::new());
        for (name, value) in object(node, place)? {
            let at = place.member(&name);
            match name.as_str() {
                "Sid" => sid = Some(self.sid(value, &at)?),
                "Effect" => effect = Some(parse_effect(&value, &at)?),
                "Principal" | "NotPrincipal" => {
                    if self.kind == Kind::Identity {
                        return Err(error("Policy document should not specify a principal.", &at));
                    }
                    let list = parse_principals(value, &at)?;
                    let list =
                        if name == "Principal" { Principals::Of(list) } else { Principals::NotOf(list) };
                    set_once(&mut principals, list, &at)?;
                }
                "Action" | "NotAction" => {
                    let list = self.actions(value, &at)?;
                    let list = if name == "Action" { Patterns::Of(list) } else { Patterns::NotOf(list) };
                    set_once(&mut actions, list, &at)?;
                }
                "Resource" | "NotResource" => {
                    if self.kind == Kind::Trust {
                        return Err(error(format!("Has prohibited field {name}"), &at));
                    }
                    let list = self.resources(value, &at)?;
                    let list = if name == "Resource" { Patterns::Of(list) } else { Patterns::NotOf(list) };
                    set_once(&mut resources, list, &at)?;
                }
                "Condition" => conditions = self.conditions(value, &at)?,
                _ => return Err(syntax(&at, "no element of a statement")),
            }
        }
        let Some(effect) = effect else { return Err(error("Missing required field Effect", place)) };
        let Some(actions) = actions else {
            let identity = "Policy statement must contain actions.";
            let message =
                if self.kind == Kind::Identity { identity } else { "Missing required field Action" };
            return Err(error(message, place));
        };
        if self.kind != Kind::Identity && principals.is_none() {
            return Err(error("Missing required field Principal", place));
        }
        if self.kind != Kind::Trust && resources.is_none() {
            let identity = "Policy statement must contain resources.";
            let message =
                if self.kind == Kind::Identity { identity } else { "Missing required field Resource" };
            return Err(error(message, place));
        }
        if effect == Effect::Allow && matches!(principals, Some(Principals::NotOf(_))) {
            return Err(syntax(place, "NotPrincipal is for statements that deny"));
        }
        Ok(Statement { sid, effect, principals, actions, resources, conditions })
    }

    fn sid(&self, value: Node, place: &Place) -> Parsed<String> {
        let sid = string(value, place)?;
        if self.kind == Kind::Identity && !sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            let message = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular \
                           expression [0-9A-Za-z]*";
            return Err(error(message, place));
        }
        Ok(sid)
    }

    fn actions(&self, value: Node, place: &Place) -> Parsed<Vec<Pattern>> {
        let texts = strings(value, false, place)?;
        if texts.is_empty() {
            let identity = "Policy statement must contain actions.";
            let message =
                if self.kind == Kind::Identity { identity } else { "Missing required field Action" };
            return Err(error(message, place));
        }
        let mut patterns = Vec::with_capacity(texts.len());
        for text in texts {
            let vendor = text.split_once(':').filter(|(vendor, name)| !vendor.is_empty() && !name.is_empty());
            if !text.trim_matches('*').is_empty() && vendor.is_none() {
                let message = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
                return Err(error(message, place));
            }
            if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-:*?_".contains(&byte)) {
                return Err(syntax(place, "an action has characters that no action has"));
            }
            let syntax_of = Syntax { wildcards: true, variables: false };
            let pattern = Pattern::parse(&text.to_ascii_lowercase(), syntax_of);
            patterns.push(pattern.map_err(|problem| syntax(place, problem))?);
        }
        Ok(patterns)
    }

    fn resources(&self, value: Node, place: &Place) -> Parsed<Vec<ArnPattern>> {
        let texts = strings(value, false, place)?;
        if texts.is_empty() {
            return Err(error("Policy statement must contain resources.", place));
        }
        let written = Syntax { wildcards: true, variables: self.version == Version::V2012 };
        let mut patterns = Vec::with_capacity(texts.len());
        for text in texts {
            let parsed = ArnPattern::parse(&text, written).map_err(|detail| {
                let shown: String = text.chars().take(200).collect();
                let message = format!("Resource {shown} must be in ARN format or \"*\".");
                ParseError { detail: detail.to_owned(), ..error(message, place) }
            });
            patterns.push(parsed?);
        }
        Ok(patterns)
    }

    fn conditions(&self, value: Node, place: &Place) -> Parsed<Vec<Condition>> {
        let mut conditions = Vec::new();
        for (operator, keys) in object(value, place)? {
            let place = place.member(&operator);
            let mut folded = BTreeSet::new();
            for (key, values) in object(keys, &place)? {
                let place = place.member(&key);
                if !folded.insert(key.to_ascii_lowercase()) {
                    return Err(syntax(&place, "the key is repeated in another case"));
                }
                if key.is_empty() {
                    return Err(syntax(&place, "a condition key is empty"));
                }
                let values = strings(values, true, &place)?;
                if values.is_empty() {
                    return Err(syntax(&place, "a condition needs a value"));
                }
                let condition = Condition::parse(&operator, &key, values, self.version == Version::V2012);
                conditions.push(condition.map_err(|problem| match problem {
                    Problem::UnknownOperator => error(format!("Invalid Condition type : {operator}"), &place),
                    Problem::Value(value, problem) => {
                        let value: String = value.chars().take(64).collect();
                        syntax(&place, format!("{value:?}: {problem}"))
                    }
                })?);
            }
        }
        Ok(conditions)
    }
}

fn set_once<T>(slot: &mut Option<T>, value: T, place: &Place) -> Parsed<()> {
    if slot.replace(value).is_some() {
        return Err(syntax(place, "a statement has it or its contrary, not both"));
    }
    Ok(())
}

fn parse_effect(value: &Node, place: &Place) -> Parsed<Effect> {
    match value {
        Node::Text(text) if text == "Allow" => Ok(Effect::Allow),
        Node::Text(text) if text == "Deny" => Ok(Effect::Deny),
        Node::Text(text) => {
            Err(error(format!("Invalid effect: {}", text.chars().take(64).collect::<String>()), place))
        }
        _ => Err(syntax(place, "neither Allow nor Deny")),
    }
}

fn parse_principals(node: Node, place: &Place) -> Parsed<Vec<Principal>> {
    let members = match node {
        Node::Text(text) if text == "*" => return Ok(vec![Principal::Everyone]),
        Node::Object(members) if !members.is_empty() => members,
        _ => return Err(error("Invalid principal in policy", place)),
    };
    let mut principals = Vec::new();
    for (kind, values) in members {
        let place = place.member(&kind);
        for text in strings(values, false, &place)? {
            let principal = Principal::parse(&kind, &text).ok_or_else(|| {
                let text: String = text.chars().take(200).collect();
                error(format!("Invalid principal in policy: \"{kind}\":\"{text}\""), &place)
            });
            principals.push(principal?);
        }
    }
    if principals.is_empty() {
        return Err(error("Invalid principal in policy", place));
    }
    Ok(principals)
}
