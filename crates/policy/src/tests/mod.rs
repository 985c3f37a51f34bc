//! Rules as tables, and properties against references that were written another way.

mod conditions;
mod evaluation;
mod hostile;
mod matching;
mod parsing;
mod reference;

use crate::{Kind, Limits, Policy};

fn identity(text: &str) -> Policy {
    parse(text, Kind::Identity)
}

fn resource(text: &str) -> Policy {
    parse(text, Kind::Resource)
}

fn parse(text: &str, kind: Kind) -> Policy {
    Policy::parse(text, kind, Limits::NONE).unwrap_or_else(|error| panic!("{error}: {text}"))
}
