//! The rows: what was measured, against what, the ratio, the goal and whether it is met.

use std::fmt;

use serde_json::{Value, json};

use crate::figures::{Figures, number};

const HEAD: [&str; 6] = ["what", "measured", "denominator", "ratio", "goal", "verdict"];

/// What is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// Nothing: the row informs.
    None,
    /// At least this ratio.
    RatioAtLeast(f64),
    /// At most this ratio.
    RatioAtMost(f64),
    /// At most so much more than the denominator, in their unit.
    MoreAtMost(f64),
    /// At most this median, in the unit of what was measured.
    MedianAtMost(f64),
}

/// One row.
#[derive(Debug)]
pub(crate) struct Row {
    what: String,
    measured: Option<Figures>,
    denominator: Option<(String, Figures)>,
    goal: Goal,
    notes: Vec<String>,
    failure: Option<String>,
    skipped: bool,
    load: String,
}

impl Row {
    /// A row without a denominator.
    pub(crate) fn new(what: impl Into<String>, measured: &Figures, goal: Goal) -> Self {
        Self {
            what: what.into(),
            measured: Some(measured.clone()),
            denominator: None,
            goal,
            notes: Vec::new(),
            failure: None,
            skipped: false,
            load: load_average(),
        }
    }

    /// The row of a benchmark that did not come to its end.
    pub(crate) fn failed(what: &str, problem: &str) -> Self {
        println!("FAILED {what}: {problem}");
        let failure = Some(problem.to_owned());
        Self { measured: None, failure, ..Self::new(what, &Figures::new(""), Goal::None) }
    }

    /// The row of what there is nothing here to measure with.
    pub(crate) fn skipped(what: &str, why: &str) -> Self {
        println!("\n*** SKIPPED {what}: {why} ***\n");
        let failure = Some(why.to_owned());
        Self { measured: None, failure, skipped: true, ..Self::new(what, &Figures::new(""), Goal::None) }
    }

    /// With what it is compared to.
    #[must_use]
    pub(crate) fn against(self, what: impl Into<String>, figures: &Figures) -> Self {
        Self { denominator: Some((what.into(), figures.clone())), ..self }
    }

    /// With a line beneath the table.
    #[must_use]
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    fn ratio(&self) -> Option<f64> {
        let (_, denominator) = self.denominator.as_ref()?;
        Some(self.measured.as_ref()?.median() / denominator.median())
    }

    fn is_met(&self) -> Option<bool> {
        match self.goal {
            Goal::None => None,
            Goal::RatioAtLeast(least) => Some(self.ratio()? >= least),
            Goal::RatioAtMost(most) => Some(self.ratio()? <= most),
            Goal::MoreAtMost(most) => {
                let (_, denominator) = self.denominator.as_ref()?;
                Some(self.measured.as_ref()?.median() - denominator.median() <= most)
            }
            Goal::MedianAtMost(most) => Some(self.measured.as_ref()?.median() <= most),
        }
    }

    fn verdict(&self) -> &'static str {
        match (&self.failure, self.is_met()) {
            (Some(_), _) if self.skipped => "SKIPPED",
            (Some(_), _) => "FAILED",
            (None, Some(true)) => "met",
            (None, Some(false)) => "MISSED",
            (None, None) => "-",
        }
    }

    fn cells(&self) -> [String; 6] {
        let goal = match self.goal {
            Goal::None => "-".to_owned(),
            Goal::RatioAtLeast(least) => format!(">= {least}"),
            Goal::RatioAtMost(most) => format!("<= {most}"),
            Goal::MoreAtMost(most) => format!("<= {most} more"),
            Goal::MedianAtMost(most) => format!("p50 <= {most}"),
        };
        let denominator = self.denominator.as_ref().map(|(what, figures)| format!("{what}: {figures}"));
        [
            self.what.clone(),
            self.measured.as_ref().map_or_else(String::new, ToString::to_string),
            denominator.unwrap_or_else(|| "-".into()),
            self.ratio().map_or_else(|| "-".into(), number),
            goal,
            self.verdict().to_owned(),
        ]
    }

    fn to_json(&self) -> Value {
        let [.., goal, verdict] = self.cells();
        let denominator = self.denominator.as_ref();
        json!({
            "what": self.what,
            "measured": self.measured.as_ref().map(Figures::to_json),
            "denominator": denominator.map(|(what, _)| what),
            "denominator_measured": denominator.map(|(_, figures)| figures.to_json()),
            "ratio": self.ratio(),
            "goal": goal,
            "verdict": verdict,
            "notes": self.notes,
            "failure": self.failure,
            "load_average": self.load,
        })
    }
}

/// All rows, in the order in which they were taken.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

impl Table {
    pub(crate) fn extend(&mut self, rows: impl IntoIterator<Item = Row>) {
        self.rows.extend(rows);
    }

    /// Whether a benchmark did not come to its end. A missed goal is no failure.
    pub(crate) fn has_failures(&self) -> bool {
        self.rows.iter().any(|row| row.failure.is_some() && !row.skipped)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "debug_build": cfg!(debug_assertions),
            "rows": self.rows.iter().map(Row::to_json).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 6]> = self.rows.iter().map(Row::cells).collect();
        let head = HEAD.map(str::to_owned);
        let width = |column: usize| {
            rows.iter().chain([&head]).map(|cells| cells[column].chars().count()).max().unwrap_or(0)
        };
        let widths: [usize; 6] = std::array::from_fn(width);
        writeln!(f, "\neach figure is min / p50 / p99, the ratio is of the p50s")?;
        for cells in [&head].into_iter().chain(&rows) {
            let padded: Vec<String> =
                cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            writeln!(f, "{}", padded.join(" | ").trim_end())?;
        }
        writeln!(f)?;
        for row in &self.rows {
            for note in row.notes.iter().chain(&row.failure) {
                writeln!(f, "{}: {note}", row.what)?;
            }
        }
        Ok(())
    }
}

/// The load of the last 1, 5 and 15 minutes.
pub(crate) fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().take(3).collect();
    if words.is_empty() { "unknown".into() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(measured: f64, denominator: f64, goal: Goal, verdict: &str) {
        let row = Row::new("x", &Figures::of("ms", vec![measured]), goal)
            .against("y", &Figures::of("ms", vec![denominator]));
        assert_eq!(row.verdict(), verdict, "{measured} against {denominator}, {goal:?}");
    }

    #[test]
    fn goals_are_judged_by_their_own_measure() {
        check(5.0, 10.0, Goal::RatioAtLeast(0.5), "met");
        check(4.0, 10.0, Goal::RatioAtLeast(0.5), "MISSED");
        check(15.0, 10.0, Goal::RatioAtMost(1.5), "met");
        check(16.0, 10.0, Goal::RatioAtMost(1.5), "MISSED");
        check(51.0, 1.0, Goal::MedianAtMost(50.0), "MISSED");
        check(50.0, 1.0, Goal::MedianAtMost(50.0), "met");
        check(50.0, 1.0, Goal::None, "-");
        // What was not measured is not met.
        check(f64::NAN, 10.0, Goal::RatioAtMost(1.5), "MISSED");
    }
}
