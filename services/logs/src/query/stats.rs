//! `stats`: figures of all rows, or of each group of them.

use std::collections::{BTreeMap, BTreeSet};

use super::expression::{Expression, Reader};
use super::row::Row;
use super::value::Value;
use super::{ROWS_MAX, TooMuch};

/// Figures of one command.
const FIGURES_MAX: usize = 50;
/// Different values and values for percentiles that one query keeps, in all groups.
const VALUES_MAX: usize = 1_000_000;

/// What is figured, and by what rows are grouped.
#[derive(Clone, Debug)]
pub(crate) struct Stats {
    figures: Vec<(String, Figure, Option<Expression>)>,
    by: Vec<(String, Expression)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Figure {
    Count,
    CountDistinct,
    Sum,
    Avg,
    Min,
    Max,
    Stddev,
    Percentile(f64),
    Earliest,
    Latest,
}

const FIGURES: [(&str, Figure); 11] = [
    ("count", Figure::Count),
    ("count_distinct", Figure::CountDistinct),
    ("sum", Figure::Sum),
    ("avg", Figure::Avg),
    ("min", Figure::Min),
    ("max", Figure::Max),
    ("stddev", Figure::Stddev),
    ("median", Figure::Percentile(50.0)),
    ("pct", Figure::Percentile(0.0)),
    ("earliest", Figure::Earliest),
    ("latest", Figure::Latest),
];

impl Stats {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, String> {
        let mut stats = Self { figures: Vec::new(), by: Vec::new() };
        loop {
            let start = reader.place();
            let (figure, of) = figure(reader)?;
            let text = reader.since(start);
            let name = if reader.take_word("as") { reader.name()? } else { text };
            stats.figures.push((name, figure, of));
            if stats.figures.len() > FIGURES_MAX {
                return Err(format!("stats has at most {FIGURES_MAX} figures"));
            }
            if !reader.take(",") {
                break;
            }
        }
        if reader.take_word("by") {
            loop {
                let (expression, text) = reader.expression_text()?;
                let name = if reader.take_word("as") { reader.name()? } else { text };
                stats.by.push((name, expression));
                if !reader.take(",") {
                    break;
                }
            }
        }
        Ok(stats)
    }
}

fn figure(reader: &mut Reader<'_>) -> Result<(Figure, Option<Expression>), String> {
    let word = reader.word().to_owned();
    let found = FIGURES.iter().find(|(name, _)| name.eq_ignore_ascii_case(&word));
    let Some((name, mut figure)) = found.copied() else {
        return Err(format!("the function {word} of stats is not supported"));
    };
    if !reader.take("(") {
        return Err(reader.unexpected("`(`"));
    }
    let of = if reader.take("*") || reader.peek() == Some(')') { None } else { Some(reader.argument()?) };
    if name == "pct" {
        if !reader.take(",") {
            return Err("pct takes a field and a percentage".into());
        }
        let percent = reader.word().parse::<f64>().ok().filter(|percent| (0.0..=100.0).contains(percent));
        figure = Figure::Percentile(percent.ok_or("a percentage is a number from 0 to 100")?);
    }
    if of.is_none() && figure != Figure::Count {
        return Err(format!("{word} needs a field"));
    }
    if reader.take(")") { Ok((figure, of)) } else { Err(reader.unexpected("`)`")) }
}

/// Groups of rows on their way.
pub(crate) struct Groups {
    stats: Stats,
    /// By what they show; the values themselves are kept for the result, with the order in which they came.
    kept: BTreeMap<Vec<Option<String>>, GroupOfRows>,
    values: usize,
}

struct GroupOfRows {
    order: usize,
    by: Vec<Value>,
    figures: Vec<Gathered>,
}

#[derive(Clone, Debug, Default)]
struct Gathered {
    count: u64,
    sum: f64,
    /// The mean so far, and the sum of squared distances from it (Welford's way, which keeps its digits).
    mean: f64,
    spread: f64,
    min: Option<Value>,
    max: Option<Value>,
    different: BTreeSet<String>,
    numbers: Vec<f64>,
    earliest: Option<(i64, Value)>,
    latest: Option<(i64, Value)>,
}

impl Groups {
    pub(super) fn new(stats: &Stats) -> Self {
        Self { stats: stats.clone(), kept: BTreeMap::new(), values: 0 }
    }

    pub(super) fn take(&mut self, row: &Row) -> Result<(), TooMuch> {
        let by: Vec<Value> = self.stats.by.iter().map(|(_, expression)| expression.evaluate(row)).collect();
        let key: Vec<_> = by.iter().map(Value::shown).collect();
        let count = self.kept.len();
        if count >= ROWS_MAX && !self.kept.contains_key(&key) {
            return Err(TooMuch);
        }
        let figures = || vec![Gathered::default(); self.stats.figures.len()];
        let fresh = || GroupOfRows { order: count, by, figures: figures() };
        let gathered = &mut self.kept.entry(key).or_insert_with(fresh).figures;
        for ((_, figure, of), own) in self.stats.figures.iter().zip(gathered) {
            let value = match of {
                None => Value::Number(1.0),
                Some(expression) => expression.evaluate(row),
            };
            self.values += own.take(*figure, value, row.time_ms());
        }
        if self.values > VALUES_MAX { Err(TooMuch) } else { Ok(()) }
    }

    pub(super) fn rows(self) -> Vec<Row> {
        let stats = &self.stats;
        // No rows are still one figure of them all.
        let mut groups: Vec<_> = self.kept.into_values().collect();
        if groups.is_empty() && stats.by.is_empty() {
            let figures = vec![Gathered::default(); stats.figures.len()];
            groups.push(GroupOfRows { order: 0, by: Vec::new(), figures });
        }
        groups.sort_by_key(|group| group.order);
        let row = |GroupOfRows { by, figures, .. }| {
            let keys = stats.by.iter().zip(by).map(|((name, _), value)| (name.clone(), value));
            let figures = stats.figures.iter().zip(figures);
            let figures = figures.map(|((name, figure, _), own)| (name.clone(), own.value(*figure)));
            Row::group(keys.chain(figures).collect())
        };
        groups.into_iter().map(row).collect()
    }
}

impl Gathered {
    /// Takes a value; how many more values it keeps.
    fn take(&mut self, figure: Figure, value: Value, time_ms: i64) -> usize {
        if value == Value::Absent {
            return 0;
        }
        let number = value.number();
        match figure {
            Figure::Count => self.count += 1,
            Figure::CountDistinct => {
                return usize::from(value.shown().is_some_and(|text| self.different.insert(text)));
            }
            Figure::Sum | Figure::Avg | Figure::Stddev => {
                if let Some(number) = number {
                    self.count += 1;
                    self.sum += number;
                    let before = number - self.mean;
                    self.mean += before / self.count as f64;
                    self.spread += before * (number - self.mean);
                }
            }
            Figure::Min => {
                if self.min.as_ref().is_none_or(|own| value.order(own).is_lt()) {
                    self.min = Some(value);
                }
            }
            Figure::Max => {
                if self.max.as_ref().is_none_or(|own| value.order(own).is_gt()) {
                    self.max = Some(value);
                }
            }
            Figure::Percentile(_) => {
                self.numbers.extend(number);
                return usize::from(number.is_some());
            }
            Figure::Earliest => {
                if self.earliest.as_ref().is_none_or(|(own, _)| time_ms <= *own) {
                    self.earliest = Some((time_ms, value));
                }
            }
            Figure::Latest => {
                if self.latest.as_ref().is_none_or(|(own, _)| time_ms > *own) {
                    self.latest = Some((time_ms, value));
                }
            }
        }
        0
    }

    fn value(mut self, figure: Figure) -> Value {
        let count = self.count as f64;
        match figure {
            Figure::Count => Value::Number(count),
            Figure::CountDistinct => Value::Number(self.different.len() as f64),
            Figure::Sum => Value::of(self.sum),
            Figure::Avg => Value::of(self.sum / count),
            Figure::Stddev => Value::of((self.spread / count).sqrt()),
            Figure::Min => self.min.unwrap_or(Value::Absent),
            Figure::Max => self.max.unwrap_or(Value::Absent),
            Figure::Percentile(percent) => {
                self.numbers.sort_by(f64::total_cmp);
                let last = self.numbers.len().saturating_sub(1) as f64;
                // Between two numbers it lies in proportion.
                let at = percent / 100.0 * last;
                let (low, high) =
                    (self.numbers.get(at.floor() as usize), self.numbers.get(at.ceil() as usize));
                match (low, high) {
                    (Some(low), Some(high)) => Value::of(low + (high - low) * at.fract()),
                    _ => Value::Absent,
                }
            }
            Figure::Earliest => self.earliest.map_or(Value::Absent, |(_, value)| value),
            Figure::Latest => self.latest.map_or(Value::Absent, |(_, value)| value),
        }
    }
}
