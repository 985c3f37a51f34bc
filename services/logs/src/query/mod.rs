//! Insights: a query language over events. Reading a query and running it are pure; who scans and keeps results is
//! [`running`].

mod command;
mod expression;
mod function;
pub(crate) mod row;
pub(crate) mod running;
mod stats;
mod value;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;

pub(crate) use command::{Command, Query};
use row::Row;
use stats::Groups;
use value::Value;

/// The most rows that a query keeps on the way.
pub(crate) const ROWS_MAX: usize = 100_000;
/// The most rows of a result.
pub(crate) const RESULT_ROWS_MAX: usize = 10_000;

/// Too much was to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMuch;

/// A query as its events come, the latest first.
pub(crate) struct Run<'q> {
    query: &'q Query,
    limit: usize,
    /// Commands up to this one look at each row by itself.
    barrier: usize,
    rows: Vec<Row>,
    groups: Option<Groups>,
    pub(crate) matched: u64,
}

impl<'q> Run<'q> {
    /// A query, whose result has at most so many rows where it does not say itself.
    pub(crate) fn new(query: &'q Query, limit: usize) -> Self {
        let by_itself = |command: &Command| {
            matches!(
                command,
                Command::Fields(_) | Command::Display(_) | Command::Filter(_) | Command::Parse(_)
            )
        };
        let barrier = query.commands.iter().take_while(|command| by_itself(command)).count();
        let groups = match query.commands.get(barrier) {
            Some(Command::Stats(stats)) => Some(Groups::new(stats)),
            _ => None,
        };
        Self { query, limit, barrier, rows: Vec::new(), groups, matched: 0 }
    }

    /// The most rows of one log group that can matter; nothing where all can.
    pub(crate) fn wanted(&self) -> Option<usize> {
        match self.query.commands.get(self.barrier) {
            None => Some(self.limit),
            Some(Command::Limit(limit)) => Some(*limit),
            Some(_) => None,
        }
    }

    /// Takes the next event.
    pub(crate) fn take(&mut self, mut row: Row) -> Result<bool, TooMuch> {
        for command in &self.query.commands[..self.barrier] {
            match command {
                Command::Filter(test) if !test.evaluate(&row).is_true() => return Ok(false),
                Command::Parse(parse) => parse.apply(&mut row),
                Command::Fields(fields) => fields.apply(&mut row, false),
                Command::Display(fields) => fields.apply(&mut row, true),
                _ => {}
            }
        }
        self.matched += 1;
        match &mut self.groups {
            Some(groups) => groups.take(&row)?,
            None if self.rows.len() >= ROWS_MAX => return Err(TooMuch),
            None => self.rows.push(row),
        }
        Ok(true)
    }

    /// The result: each row as its fields with their texts.
    pub(crate) fn finish(mut self) -> Vec<Vec<(String, String)>> {
        // Several groups were read one after another.
        self.rows.sort_by_key(|row| std::cmp::Reverse(row.time_ms()));
        let mut rest = &self.query.commands[self.barrier..];
        if let Some(groups) = self.groups.take() {
            self.rows = groups.rows();
            rest = &rest[1..];
        }
        for command in rest {
            let rows = &mut self.rows;
            match command {
                Command::Fields(fields) => rows.iter_mut().for_each(|row| fields.apply(row, false)),
                Command::Display(fields) => rows.iter_mut().for_each(|row| fields.apply(row, true)),
                Command::Filter(test) => rows.retain(|row| test.evaluate(row).is_true()),
                Command::Parse(parse) => rows.iter_mut().for_each(|row| parse.apply(row)),
                Command::Limit(limit) => rows.truncate(*limit),
                Command::Sort(keys) => rows.sort_by(|a, b| {
                    let compare = |(name, descending): &(String, bool)| {
                        order(&a.field(name), &b.field(name), *descending)
                    };
                    keys.iter().map(compare).find(|found| found.is_ne()).unwrap_or(Ordering::Equal)
                }),
                Command::Dedup(names) => {
                    let mut seen = std::collections::BTreeSet::new();
                    rows.retain(|row| {
                        let key: Vec<_> = names.iter().map(|name| row.field(name).shown()).collect();
                        // Rows without the fields stay, each.
                        key.iter().any(Option::is_none) || seen.insert(key)
                    });
                }
                Command::Stats(stats) => {
                    let mut groups = Groups::new(stats);
                    for row in rows.iter() {
                        // Rows were bounded before, and so are their groups.
                        let _bounded = groups.take(row);
                    }
                    *rows = groups.rows();
                }
            }
        }
        self.rows.truncate(self.limit);
        self.rows.into_iter().map(Row::shown).collect()
    }
}

/// Absent values come last, whichever way.
fn order(a: &Value, b: &Value, descending: bool) -> Ordering {
    match (a, b) {
        (Value::Absent, Value::Absent) => Ordering::Equal,
        (Value::Absent, _) => Ordering::Greater,
        (_, Value::Absent) => Ordering::Less,
        (a, b) if descending => b.order(a),
        (a, b) => a.order(b),
    }
}
