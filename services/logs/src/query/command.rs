//! Commands between bars: `fields`, `display`, `filter`, `stats`, `sort`, `limit`, `parse`, `dedup`.

use regex::Regex;

use super::expression::{Expression, Reader};
use super::row::Row;
use super::stats::Stats;
use super::value::Value;
use super::{RESULT_ROWS_MAX, running};

/// Commands of one query.
const COMMANDS_MAX: usize = 50;

/// A query, read.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(super) commands: Vec<Command>,
}

#[derive(Clone, Debug)]
pub(crate) enum Command {
    Fields(Fields),
    Display(Fields),
    Filter(Expression),
    Stats(Stats),
    /// Names, and whether the greatest comes first.
    Sort(Vec<(String, bool)>),
    Limit(usize),
    Parse(Parse),
    Dedup(Vec<String>),
}

/// Expressions with their names.
#[derive(Clone, Debug)]
pub(crate) struct Fields(Vec<(String, Expression)>);

/// Takes parts of a field apart.
#[derive(Clone, Debug)]
pub(crate) struct Parse {
    field: String,
    regex: Regex,
    names: Vec<String>,
}

impl Query {
    /// Reads a query; the error is for its author.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        // A line that begins with # says nothing.
        let text: String =
            text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
        let mut reader = Reader::new(&text);
        let mut commands = Vec::new();
        loop {
            if reader.is_at_end() {
                break;
            }
            commands.push(Command::parse(&mut reader)?);
            if commands.len() > COMMANDS_MAX {
                return Err(format!("a query has at most {COMMANDS_MAX} commands"));
            }
            if !reader.take("|") {
                break;
            }
        }
        if !reader.is_at_end() {
            return Err(reader.unexpected("`|` or the end"));
        }
        if commands.is_empty() { Err("the query is empty".into()) } else { Ok(Self { commands }) }
    }
}

impl Command {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, String> {
        let word = reader.word().to_owned();
        Ok(match word.to_ascii_lowercase().as_str() {
            "fields" => Self::Fields(Fields::parse(reader)?),
            "display" => Self::Display(Fields::parse(reader)?),
            "filter" => Self::Filter(Expression::parse(reader)?),
            "stats" => Self::Stats(Stats::parse(reader)?),
            "sort" => Self::Sort(sort(reader)?),
            "limit" | "head" => {
                let limit = reader.word().parse().ok().filter(|limit| (1..=RESULT_ROWS_MAX).contains(limit));
                Self::Limit(limit.ok_or_else(|| format!("limit is a number from 1 to {RESULT_ROWS_MAX}"))?)
            }
            "parse" => Self::Parse(Parse::read(reader)?),
            "dedup" => Self::Dedup(names(reader)?),
            "" => return Err(reader.unexpected("a command")),
            other => return Err(format!("the command {other} is not supported")),
        })
    }
}

fn names(reader: &mut Reader<'_>) -> Result<Vec<String>, String> {
    let mut names = vec![reader.name()?];
    while reader.take(",") {
        names.push(reader.name()?);
    }
    Ok(names)
}

fn sort(reader: &mut Reader<'_>) -> Result<Vec<(String, bool)>, String> {
    let mut keys = Vec::new();
    loop {
        // What was counted is sorted by the text that it was asked for with.
        let (_, text) = reader.expression_text()?;
        let descending = reader.take_word("desc");
        if !descending {
            reader.take_word("asc");
        }
        keys.push((text, descending));
        if !reader.take(",") {
            return Ok(keys);
        }
    }
}

impl Fields {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, String> {
        let mut fields = Vec::new();
        loop {
            let (expression, text) = reader.expression_text()?;
            let name = if reader.take_word("as") { reader.name()? } else { text };
            fields.push((name, expression));
            if !reader.take(",") {
                return Ok(Self(fields));
            }
        }
    }

    pub(super) fn apply(&self, row: &mut Row, instead: bool) {
        for (name, expression) in &self.0 {
            // A row of figures has the text of the expression as a name.
            if row.field(name) == Value::Absent || !expression.is_field(name) {
                let value = expression.evaluate(row);
                if value != Value::Absent {
                    row.set(name, value);
                }
            }
        }
        row.show(self.0.iter().map(|(name, _)| name.clone()), instead);
    }
}

impl Parse {
    fn read(reader: &mut Reader<'_>) -> Result<Self, String> {
        let field = match reader.peek() {
            Some('"' | '\'' | '/') => "@message".to_owned(),
            _ => reader.name()?,
        };
        if reader.peek() == Some('/') {
            let regex = reader.regex()?;
            let names: Vec<_> = regex.capture_names().flatten().map(str::to_owned).collect();
            if names.is_empty() {
                return Err("an expression of parse names what it finds: (?<name>…)".into());
            }
            return Ok(Self { field, regex, names });
        }
        let glob = reader.text()?;
        if !reader.take_word("as") {
            return Err(reader.unexpected("`as`"));
        }
        let names = names(reader)?;
        let parts: Vec<_> = glob.split('*').map(regex::escape).collect();
        if parts.len() != names.len() + 1 {
            return Err(format!("parse has {} asterisks and {} names", parts.len() - 1, names.len()));
        }
        // The last part takes all that is left where nothing follows it.
        let mut text = String::from("(?s)");
        for (at, part) in parts.iter().enumerate() {
            text.push_str(part);
            if at + 1 < parts.len() {
                let last = at + 2 == parts.len() && parts[at + 1].is_empty();
                text.push_str(if last { "(.*)" } else { "(.*?)" });
            }
        }
        Ok(Self { field, regex: running::regex(&text)?, names })
    }

    pub(super) fn apply(&self, row: &mut Row) {
        let Some(text) = row.field(&self.field).shown() else { return };
        let Some(found) = self.regex.captures(&text) else { return };
        for (at, name) in self.names.iter().enumerate() {
            let part = found.name(name).or_else(|| found.get(at + 1));
            if let Some(part) = part {
                row.set(name, Value::Text(part.as_str().to_owned()));
            }
        }
    }
}
