//! Checks a value against the constraints of its schema, and says which members break which.
//!
//! The facts are found here; how they are worded is the protocol's and the service's business.

use crate::{Fields, Kind, Schema, Value};

/// The most violations reported for one request.
const MAX_VIOLATIONS: usize = 10;

/// A member that breaks a constraint.
#[derive(Debug, PartialEq)]
pub struct Violation<'a> {
    /// The member, from the outermost structure inwards: `vpcConfig.subnetIds.3.member`.
    pub path: Vec<Step>,
    /// What stands there; nothing if a required member is missing.
    pub value: Option<&'a Value>,
    /// The constraint.
    pub reason: Reason,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A member of a structure.
    Member(&'static str),
    /// An element of a list, counted from 1.
    Element(usize),
    /// A map's value under that key.
    Key(String),
}

/// The constraint that is broken.
#[derive(Debug, PartialEq)]
pub enum Reason {
    /// A required member is missing.
    Required,
    /// Shorter than the least length.
    LengthBelow(i64),
    /// Longer than the greatest length.
    LengthAbove(i64),
    /// Less than the least value.
    ValueBelow(i64),
    /// More than the greatest value.
    ValueAbove(i64),
    /// Does not match the expression.
    Pattern(&'static str),
    /// Not one of these.
    Enumeration(&'static [&'static str]),
}

/// The constraints that a structure breaks, in the model's order, at most ten.
pub fn violations<'a>(schema: &'static Schema, fields: &'a Fields) -> Vec<Violation<'a>> {
    let mut search = Search { path: Vec::new(), found: Vec::new() };
    search.structure(schema, fields);
    search.found
}

struct Search<'a> {
    path: Vec<Step>,
    found: Vec<Violation<'a>>,
}

impl<'a> Search<'a> {
    fn structure(&mut self, schema: &'static Schema, fields: &'a Fields) {
        for (at, member) in schema.members().iter().enumerate() {
            let value = fields.get(at).filter(|value| !matches!(value, Value::Null));
            // Most members are neither there nor missed.
            if value.is_none() && !member.required {
                continue;
            }
            self.path.push(Step::Member(member.name));
            match value {
                Some(value) => self.value(member.shape, value),
                None => self.report(None, Reason::Required),
            }
            self.path.pop();
        }
    }

    fn value(&mut self, schema: &'static Schema, value: &'a Value) {
        match value {
            Value::String(text) => self.string(schema, value, text),
            Value::Integer(number) => self.range(schema, value, *number),
            Value::Double(number) => self.double_range(schema, value, *number),
            Value::Blob(bytes) => self.length(schema, value, bytes.len()),
            Value::List(items) => {
                self.length(schema, value, items.len());
                let Kind::List { member, .. } = schema.kind else { return };
                for (at, item) in items.iter().enumerate() {
                    self.inside(Step::Element(at + 1), member, item);
                }
            }
            Value::Map(entries) => {
                self.length(schema, value, entries.len());
                let Kind::Map { value: shape, .. } = schema.kind else { return };
                for (key, item) in entries {
                    self.inside(Step::Key(key.clone()), shape, item);
                }
            }
            Value::Structure(fields) => self.structure(schema, fields),
            Value::Null | Value::Boolean(_) | Value::Timestamp(_) | Value::Stream(_) => {}
        }
    }

    fn inside(&mut self, step: Step, schema: &'static Schema, value: &'a Value) {
        self.path.push(step);
        self.value(schema, value);
        self.path.pop();
    }

    fn string(&mut self, schema: &'static Schema, value: &'a Value, text: &str) {
        if !schema.enumeration.is_empty() && !schema.enumeration.contains(&text) {
            self.report(Some(value), Reason::Enumeration(schema.enumeration));
        }
        if let Some(pattern) = schema.pattern
            && !pattern.matches(text)
        {
            self.report(Some(value), Reason::Pattern(pattern.source()));
        }
        // Lengths are counted in characters, as the models' validators do.
        if schema.min.is_some() || schema.max.is_some() {
            self.length(schema, value, text.chars().count());
        }
    }

    fn length(&mut self, schema: &'static Schema, value: &'a Value, length: usize) {
        match (schema.min, schema.max) {
            (Some(min), _) if (length as i64) < min => self.report(Some(value), Reason::LengthBelow(min)),
            (_, Some(max)) if length as i64 > max => self.report(Some(value), Reason::LengthAbove(max)),
            _ => {}
        }
    }

    fn range(&mut self, schema: &'static Schema, value: &'a Value, number: i64) {
        match (schema.min, schema.max) {
            (Some(min), _) if number < min => self.report(Some(value), Reason::ValueBelow(min)),
            (_, Some(max)) if number > max => self.report(Some(value), Reason::ValueAbove(max)),
            _ => {}
        }
    }

    /// What is no number is within no bounds.
    fn double_range(&mut self, schema: &'static Schema, value: &'a Value, number: f64) {
        let above = |bound: i64| number >= bound as f64;
        let below = |bound: i64| number <= bound as f64;
        match (schema.min, schema.max) {
            (Some(min), _) if !above(min) => self.report(Some(value), Reason::ValueBelow(min)),
            (_, Some(max)) if !below(max) => self.report(Some(value), Reason::ValueAbove(max)),
            _ => {}
        }
    }

    fn report(&mut self, value: Option<&'a Value>, reason: Reason) {
        if self.found.len() < MAX_VIOLATIONS {
            self.found.push(Violation { path: self.path.clone(), value, reason });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Member, Pattern};

    static NAME_PATTERN: Pattern = Pattern::new("[a-z]+");
    static NAME: Schema = Schema {
        min: Some(1),
        max: Some(4),
        pattern: Some(&NAME_PATTERN),
        ..Schema::new("Name", Kind::String)
    };
    static COLOUR: Schema = Schema { enumeration: &["red", "blue"], ..Schema::new("Colour", Kind::String) };
    static SIZE: Schema = Schema { min: Some(1), max: Some(9), ..Schema::new("Size", Kind::Integer) };
    static COLOURS: Schema = Schema {
        max: Some(2),
        ..Schema::new(
            "Colours",
            Kind::List { member: &COLOUR, element: "member", query_element: None, flattened: false },
        )
    };
    static MEMBERS: [Member; 3] = [
        Member { required: true, ..Member::new("name", &NAME) },
        Member::new("size", &SIZE),
        Member::new("colours", &COLOURS),
    ];
    static THING: Schema = Schema::new(
        "Thing",
        Kind::Structure { members: &MEMBERS, union: false, eventstream: false, payload: None },
    );

    fn check(name: Option<&str>, size: i64, colours: &[&str], expected: &[Reason]) {
        let mut fields = Fields::new(&THING);
        if let Some(name) = name {
            fields.set(0, name.into());
        }
        fields.set(1, size.into());
        fields.set(2, Value::List(colours.iter().map(|&colour| colour.into()).collect()));
        let found: Vec<_> =
            violations(&THING, &fields).into_iter().map(|violation| violation.reason).collect();
        assert_eq!(found, expected, "{name:?} {size} {colours:?}");
    }

    #[test]
    fn each_constraint_is_checked_at_its_bounds() {
        check(Some("a"), 1, &["red", "blue"], &[]);
        check(Some("abcd"), 9, &[], &[]);
        check(None, 5, &[], &[Reason::Required]);
        check(Some(""), 5, &[], &[Reason::Pattern("[a-z]+"), Reason::LengthBelow(1)]);
        check(Some("abcde"), 5, &[], &[Reason::LengthAbove(4)]);
        check(Some("aB"), 0, &[], &[Reason::Pattern("[a-z]+"), Reason::ValueBelow(1)]);
        check(Some("a"), 10, &["green"], &[Reason::ValueAbove(9), Reason::Enumeration(&["red", "blue"])]);
        check(Some("a"), 1, &["red", "red", "red"], &[Reason::LengthAbove(2)]);
    }

    #[test]
    fn a_pattern_must_match_as_a_whole_and_characters_are_counted_not_bytes() {
        check(Some("aé"), 1, &[], &[Reason::Pattern("[a-z]+")]);
        check(Some("ab\n"), 1, &[], &[Reason::Pattern("[a-z]+")]);
    }

    #[test]
    fn fractions_are_not_rounded_to_a_bound() {
        static WEIGHT: Schema = Schema { min: Some(0), max: Some(1), ..Schema::new("Weight", Kind::Double) };
        static MEMBERS: [Member; 1] = [Member::new("weight", &WEIGHT)];
        static SHARE: Schema = Schema::new(
            "Share",
            Kind::Structure { members: &MEMBERS, union: false, eventstream: false, payload: None },
        );
        for (weight, expected) in [
            (0.0, None),
            (0.5, None),
            (1.0, None),
            (1.000_001, Some(Reason::ValueAbove(1))),
            (-0.5, Some(Reason::ValueBelow(0))),
            (f64::INFINITY, Some(Reason::ValueAbove(1))),
            (f64::NAN, Some(Reason::ValueBelow(0))),
        ] {
            let mut fields = Fields::new(&SHARE);
            fields.set(0, Value::Double(weight));
            let found = violations(&SHARE, &fields).into_iter().map(|violation| violation.reason).next();
            assert_eq!(found, expected, "{weight}");
        }
    }

    #[test]
    fn the_path_leads_to_the_member() {
        let mut fields = Fields::new(&THING);
        fields.set(0, "a".into());
        fields.set(2, Value::List(vec!["red".into(), "green".into()]));
        let found = violations(&THING, &fields);
        assert_eq!(found[0].path, [Step::Member("colours"), Step::Element(2)]);
    }

    #[test]
    fn reports_are_bounded() {
        let mut fields = Fields::new(&THING);
        fields.set(2, Value::List(vec!["green".into(); 100]));
        assert_eq!(violations(&THING, &fields).len(), MAX_VIOLATIONS);
    }
}
