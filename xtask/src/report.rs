//! Runs the steps of a test run, with a heading, the time and the result of each.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::count::{Count, Format, count, failures, unfinished};
use crate::shell;

/// The state of a run.
pub(crate) struct Report {
    /// A skipped test is a failed one.
    strict: bool,
    /// Only these steps; all if empty.
    only: Vec<String>,
    rows: Vec<Row>,
}

struct Row {
    step: String,
    count: Count,
    took: Duration,
    outcome: Outcome,
}

/// What a step came to.
pub(crate) enum Verdict {
    /// Tests ran.
    Ran(Count, Outcome),
    /// A peer is missing: which, and how to get it.
    Missing(String),
}

/// What is told of a step besides its numbers.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// How it ended, if not well.
    note: String,
    /// What failed, and why.
    failures: Vec<String>,
}

impl Outcome {
    /// Only how it ended.
    pub(crate) fn note(note: String) -> Outcome {
        Outcome { note, failures: Vec::new() }
    }

    fn and(mut self, other: Outcome) -> Outcome {
        let notes = [self.note, other.note].into_iter().filter(|note| !note.is_empty());
        self.note = notes.collect::<Vec<_>>().join("; ");
        self.failures.extend(other.failures);
        self
    }
}

impl Verdict {
    /// Both.
    pub(crate) fn and(self, other: Verdict) -> Verdict {
        match (self, other) {
            (Verdict::Ran(mut count, outcome), Verdict::Ran(more, other)) => {
                count += more;
                Verdict::Ran(count, outcome.and(other))
            }
            (missing @ Verdict::Missing(_), _) | (_, missing @ Verdict::Missing(_)) => missing,
        }
    }
}

impl Report {
    /// A run of all steps, or of those named.
    pub(crate) fn new(strict: bool, only: &[String]) -> Report {
        Report { strict, only: only.to_vec(), rows: Vec::new() }
    }

    /// Whether the step is to be run.
    pub(crate) fn wants(&self, step: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == step)
    }

    /// Runs a step, if it is wanted.
    pub(crate) fn step(&mut self, step: &str, run: impl FnOnce() -> Result<Verdict>) {
        if !self.wants(step) || shell::interrupted() {
            return;
        }
        println!("\n── {step} ──");
        let started = Instant::now();
        let (count, outcome) = match run() {
            Ok(Verdict::Ran(count, outcome)) => (count, outcome),
            Ok(Verdict::Missing(what)) => {
                (Count { skipped: 1, ..Count::default() }, Outcome::note(format!("missing: {what}")))
            }
            Err(error) => (Count { failed: 1, ..Count::default() }, Outcome::note(format!("{error:#}"))),
        };
        let took = started.elapsed();
        let row = Row { step: step.to_owned(), count, took, outcome };
        println!("── {}", row.line(self.strict));
        self.rows.push(row);
    }

    /// Prints the table and the last line; true when nothing failed.
    pub(crate) fn finish(&self) -> bool {
        let mut sum = Count::default();
        println!("\n── summary ──");
        for row in &self.rows {
            println!("{}", row.line(self.strict));
            row.outcome.failures.iter().for_each(|failure| println!("        {failure}"));
            sum += row.count;
        }
        if self.strict {
            sum.failed += std::mem::take(&mut sum.skipped);
        }
        if self.rows.is_empty() || shell::interrupted() {
            println!("{}", if self.rows.is_empty() { "no such step; see --list" } else { "interrupted" });
            sum.failed += 1;
        }
        println!("{} passed, {} failed, {} skipped", sum.passed, sum.failed, sum.skipped);
        sum.failed == 0
    }
}

impl Row {
    fn line(&self, strict: bool) -> String {
        let Count { passed, failed, skipped } = self.count;
        let word = match (failed, skipped) {
            (0, 0) => "ok",
            (0, _) if !strict => "skipped",
            _ => "FAILED",
        };
        let note = match &self.outcome.note {
            note if note.is_empty() => String::new(),
            note => format!("  {note}"),
        };
        let took = self.took.as_secs_f64();
        format!(
            "{word:<8}{:<21}{passed:>5} passed {failed:>3} failed {skipped:>3} skipped {took:>7.1} s{note}",
            self.step
        )
    }
}

/// Runs a command as a step and counts what its runner prints.
pub(crate) fn command(command: &mut Command, format: Format, limit: Duration) -> Result<Verdict> {
    println!("    $ {}", shell::display(command));
    let outcome = shell::run(command, limit)?;
    let count = count(format, &outcome.lines, outcome.success);
    let mut note = if outcome.success { String::new() } else { outcome.how };
    let unfinished = unfinished(&outcome.lines);
    if !outcome.success && !unfinished.is_empty() {
        note.push_str(&format!("; not finished: {}", unfinished.join(", ")));
    }
    Ok(Verdict::Ran(count, Outcome { note, failures: failures(&outcome.lines) }))
}
