//! Functions of expressions.

use super::value::Value;

/// A function, by what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Abs,
    Bin,
    Ceil,
    Coalesce,
    Concat,
    Floor,
    FromMillis,
    Greatest,
    IsBlank,
    IsEmpty,
    IsPresent,
    Least,
    Log,
    Replace,
    Sqrt,
    StrContains,
    StrLen,
    Substr,
    ToLower,
    ToMillis,
    ToUpper,
    Trim,
}

/// Names, functions, and the least and the greatest number of arguments.
const FUNCTIONS: &[(&str, Function, usize, usize)] = &[
    ("abs", Function::Abs, 1, 1),
    ("bin", Function::Bin, 1, 1),
    ("ceil", Function::Ceil, 1, 1),
    ("coalesce", Function::Coalesce, 1, 50),
    ("concat", Function::Concat, 1, 50),
    ("floor", Function::Floor, 1, 1),
    ("frommillis", Function::FromMillis, 1, 1),
    ("greatest", Function::Greatest, 1, 50),
    ("isblank", Function::IsBlank, 1, 1),
    ("isempty", Function::IsEmpty, 1, 1),
    ("ispresent", Function::IsPresent, 1, 1),
    ("least", Function::Least, 1, 50),
    ("log", Function::Log, 1, 1),
    ("replace", Function::Replace, 3, 3),
    ("sqrt", Function::Sqrt, 1, 1),
    ("strcontains", Function::StrContains, 2, 2),
    ("strlen", Function::StrLen, 1, 1),
    ("substr", Function::Substr, 2, 3),
    ("tolower", Function::ToLower, 1, 1),
    ("tomillis", Function::ToMillis, 1, 1),
    ("toupper", Function::ToUpper, 1, 1),
    ("trim", Function::Trim, 1, 1),
];

impl Function {
    /// The function of that name, in any case.
    pub(super) fn named(name: &str) -> Option<Self> {
        let row = FUNCTIONS.iter().find(|(own, ..)| own.eq_ignore_ascii_case(name));
        row.map(|(_, function, ..)| *function)
    }

    pub(super) fn check(self, name: &str, arguments: usize) -> Result<(), String> {
        let fits = FUNCTIONS
            .iter()
            .any(|(_, own, least, most)| *own == self && (*least..=*most).contains(&arguments));
        if fits { Ok(()) } else { Err(format!("{name} does not take {arguments} arguments")) }
    }
}

/// Calls a function; what it cannot be called with is absent.
pub(super) fn call(function: Function, arguments: Vec<Value>) -> Value {
    let first = arguments.first().cloned().unwrap_or(Value::Absent);
    let number = |change: fn(f64) -> f64| first.number().map_or(Value::Absent, |n| Value::of(change(n)));
    let text =
        |change: &dyn Fn(String) -> String| first.shown().map_or(Value::Absent, |t| Value::Text(change(t)));
    let shown = |at: usize| arguments.get(at).and_then(Value::shown);
    match function {
        Function::Abs => number(f64::abs),
        Function::Ceil => number(f64::ceil),
        Function::Floor => number(f64::floor),
        Function::Log => number(f64::ln),
        Function::Sqrt => number(f64::sqrt),
        Function::Bin => match (&first, arguments.get(1).and_then(Value::number)) {
            (Value::Time(ms), Some(period)) if period >= 1.0 => {
                Value::Time(ms.div_euclid(period as i64) * period as i64)
            }
            _ => Value::Absent,
        },
        Function::FromMillis => first.number().map_or(Value::Absent, |ms| Value::Time(ms as i64)),
        Function::ToMillis => number(|ms| ms),
        Function::Coalesce => {
            arguments.into_iter().find(|value| *value != Value::Absent).unwrap_or(Value::Absent)
        }
        Function::Concat => Value::Text(arguments.iter().filter_map(Value::shown).collect()),
        Function::Greatest => {
            let numbers = arguments.iter().filter_map(Value::number);
            numbers.reduce(f64::max).map_or(Value::Absent, Value::of)
        }
        Function::Least => {
            let numbers = arguments.iter().filter_map(Value::number);
            numbers.reduce(f64::min).map_or(Value::Absent, Value::of)
        }
        Function::IsBlank => first.shown().is_none_or(|text| text.trim().is_empty()).into(),
        Function::IsEmpty => first.shown().is_none_or(|text| text.is_empty()).into(),
        Function::IsPresent => (first != Value::Absent).into(),
        Function::Replace => match (shown(1), shown(2)) {
            (Some(from), Some(to)) if !from.is_empty() => text(&|own| own.replace(&from, &to)),
            _ => first,
        },
        Function::StrContains => match (first.shown(), shown(1)) {
            (Some(text), Some(part)) => Value::Number(f64::from(u8::from(text.contains(&part)))),
            _ => Value::Number(0.0),
        },
        Function::StrLen => {
            first.shown().map_or(Value::Absent, |text| Value::of(text.chars().count() as f64))
        }
        Function::Substr => {
            let from = arguments.get(1).and_then(Value::number).unwrap_or(0.0).max(0.0) as usize;
            let length = arguments.get(2).and_then(Value::number).map_or(usize::MAX, |n| n.max(0.0) as usize);
            text(&|own| own.chars().skip(from).take(length).collect())
        }
        Function::ToLower => text(&|own| own.to_lowercase()),
        Function::ToUpper => text(&|own| own.to_uppercase()),
        Function::Trim => text(&|own| own.trim().to_owned()),
    }
}
