//! What a scenario found: figures, whole latencies, a table.

use std::io::Write as _;

use hdrhistogram::Histogram;
use serde::Serialize;

/// All that a scenario found.
#[derive(Debug, Default)]
pub struct Report {
    /// Its figures.
    pub figures: Vec<Figure>,
    /// Its latencies, whole.
    pub(crate) latencies: Vec<Latency>,
}

/// A distribution of latencies.
#[derive(Debug)]
pub(crate) struct Latency {
    pub(crate) what: String,
    pub(crate) micros: Histogram<u64>,
}

impl Report {
    /// A report of these figures, so far.
    pub(crate) fn new(figures: Vec<Figure>) -> Self {
        Self { figures, latencies: Vec::new() }
    }

    /// Adds latencies: their percentiles become figures in milliseconds.
    pub(crate) fn latency(&mut self, what: &str, micros: &Histogram<u64>) {
        for percentile in [50.0, 90.0, 99.0, 99.9, 100.0] {
            let name = format!("{what}, p{percentile}");
            self.figures.push(Figure::once(name, "ms", millis(micros, percentile)));
        }
        self.latencies.push(Latency { what: what.to_owned(), micros: micros.clone() });
    }
}

/// A percentile of latencies in microseconds, in milliseconds.
pub(crate) fn millis(micros: &Histogram<u64>, percentile: f64) -> f64 {
    rounded(micros.value_at_percentile(percentile)) / 1_000.0
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// What was measured.
    pub figure: String,
    /// The median of the rounds.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// The value as a ratio to the baseline of the same run; none: there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// The lowest and the highest of the rounds: of the ratio if there is one, else of the value.
    pub spread: [f64; 2],
    /// Rounds that counted.
    pub rounds: usize,
    /// What [`Figure::spread`] is the spread of, round by round.
    #[serde(skip)]
    pub(crate) each: Vec<f64>,
}

impl Figure {
    /// A figure of several rounds: values, and their ratios to the baseline (as many, or none at all).
    pub(crate) fn of(figure: impl Into<String>, unit: &'static str, values: &[f64], ratios: &[f64]) -> Self {
        let basis = if ratios.is_empty() { values } else { ratios };
        Self {
            figure: figure.into(),
            value: median(values),
            unit,
            ratio: (!ratios.is_empty()).then(|| median(ratios)),
            spread: [
                basis.iter().copied().fold(f64::INFINITY, f64::min),
                basis.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            ],
            rounds: values.len(),
            each: basis.to_vec(),
        }
    }

    /// A figure that was measured once.
    pub(crate) fn once(figure: impl Into<String>, unit: &'static str, value: f64) -> Self {
        Self::of(figure, unit, &[value], &[])
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    if sorted.len() % 2 == 1 { at(middle) } else { (at(middle.wrapping_sub(1)) + at(middle)) / 2.0 }
}

/// A count as a number with a fraction: exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^53")]
pub(crate) fn rounded(count: u64) -> f64 {
    count as f64
}

/// Says how far a run is, on stderr.
pub(crate) fn progress(line: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The same on a line that the next one overwrites.
pub(crate) fn ticker(line: &str) {
    let _ = write!(std::io::stderr(), "\r{line}   \r");
}

/// The figures as a table for people.
#[must_use]
pub fn table(figures: &[Figure]) -> String {
    let width = figures.iter().map(|figure| figure.figure.chars().count()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for figure in figures {
        let value = shown(figure.value);
        let mut line = format!("{:<width$}  {value:>12} {}", figure.figure, figure.unit);
        if let Some(ratio) = figure.ratio {
            let [low, high] = figure.spread;
            line.push_str(&format!("   ×{ratio:.2} ({low:.2}–{high:.2}, {} rounds)", figure.rounds));
        }
        lines.push(line);
    }
    lines.join("\n")
}

fn shown(value: f64) -> String {
    if value.abs() >= 1_000.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_the_median_with_its_spread() {
        let figure = Figure::of("x", "1/s", &[3.0, 1.0, 2.0], &[0.3, 0.1, 0.4]);
        assert_eq!((figure.value, figure.ratio, figure.spread), (2.0, Some(0.3), [0.1, 0.4]));
        let figure = Figure::of("x", "1/s", &[4.0, 1.0], &[]);
        assert_eq!((figure.value, figure.ratio, figure.spread), (2.5, None, [1.0, 4.0]));
        assert!(table(&[figure]).contains("2.50 1/s"));
    }
}
