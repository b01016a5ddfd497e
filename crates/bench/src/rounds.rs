//! The rounds of fan-out: each with the limit before and after whatever else is measured in it.

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;

use crate::{
    plain::Kind,
    report::{Figure, Report, millis, progress, rounded},
    run::Measured,
};

/// Largest difference of two limits that follow each other, as a part of the larger one.
const LIMITS_APART_MAX: f64 = 0.25;

/// Values of one server, round by round.
#[derive(Debug, Default)]
struct Series {
    /// Frames per second of its CPU time.
    speeds: Vec<f64>,
    /// The same, to the mean of the limits before and after.
    ratios: Vec<f64>,
}

impl Series {
    fn figure(&self, name: &str) -> Figure {
        Figure::of(name, "1/s", &self.speeds, &self.ratios)
    }

    /// Compared with somebody else by what both are of their limits.
    fn beside(&self, name: &str, other: &Kind, theirs: &Self) -> Figure {
        let ratios: Vec<f64> =
            self.ratios.iter().zip(&theirs.ratios).map(|(ours, theirs)| ours / theirs).collect();
        Figure::of(format!("{name} beside {}", other.name()), "1/s", &self.speeds, &ratios)
    }
}

/// What the rounds found that count.
#[derive(Debug)]
pub(crate) struct Rounds {
    ours: Series,
    limits: Vec<f64>,
    messages: Vec<f64>,
    others: Vec<Series>,
    dropped: u32,
    /// The 99th percentile of latency, milliseconds, and to that of the round's limits.
    tails: Vec<f64>,
    tail_ratios: Vec<f64>,
    latency: Histogram<u64>,
    limit_latency: Histogram<u64>,
}

impl Rounds {
    /// None yet.
    pub(crate) fn new(others: &[Kind]) -> Result<Self> {
        Ok(Self {
            ours: Series::default(),
            limits: Vec::new(),
            messages: Vec::new(),
            others: others.iter().map(|_| Series::default()).collect(),
            dropped: 0,
            tails: Vec::new(),
            tail_ratios: Vec::new(),
            latency: Histogram::new(3)?,
            limit_latency: Histogram::new(3)?,
        })
    }

    /// How many count.
    pub(crate) fn kept(&self) -> usize {
        self.limits.len()
    }

    /// Adds a round, of which `limits` were measured before, between and after the server and the others; drops it when
    /// somebody else was on the machine.
    pub(crate) fn add(
        &mut self,
        number: u32,
        ours: &Measured,
        limits: &[Measured],
        others: &[Measured],
    ) -> Result<()> {
        let speeds: Vec<f64> = limits.iter().map(|limit| limit.per_cpu).collect();
        let mut means = speeds.windows(2).filter_map(|pair| match pair {
            [before, after] => Some(f64::midpoint(*before, *after)),
            _ => None,
        });
        let mean = means.next().unwrap_or(f64::NAN);
        let shown: Vec<String> = speeds.iter().map(|speed| format!("{speed:.0}")).collect();
        progress(&format!(
            "round {number}: {:.0} frames per CPU second, limits {}: ×{:.2}",
            ours.per_cpu,
            shown.join(", "),
            ours.per_cpu / mean
        ));
        if are_apart(&speeds) {
            progress(&format!("round {number} is dropped: the limits differ too much"));
            self.dropped += 1;
            return Ok(());
        }
        self.ours.speeds.push(ours.per_cpu);
        self.ours.ratios.push(ours.per_cpu / mean);
        self.limits.push(mean);
        self.messages.push(ours.messages);
        for ((series, other), mean) in self.others.iter_mut().zip(others).zip(means) {
            series.speeds.push(other.per_cpu);
            series.ratios.push(other.per_cpu / mean);
        }
        self.latency.add(&ours.latency)?;
        let mut of_limits = Histogram::new(3)?;
        limits.iter().try_for_each(|limit| of_limits.add(&limit.latency))?;
        self.limit_latency.add(&of_limits)?;
        let tail = millis(&ours.latency, 99.0);
        self.tails.push(tail);
        self.tail_ratios.push(tail / millis(&of_limits, 99.0));
        Ok(())
    }

    /// The median from when a message was due until it was at a session, milliseconds.
    pub(crate) fn median(&self) -> f64 {
        millis(&self.latency, 50.0)
    }

    /// The figures.
    ///
    /// # Errors
    /// When no round counts.
    pub(crate) fn report(&self, others: &[Kind]) -> Result<Report> {
        ensure!(!self.limits.is_empty(), "every round was dropped: the machine is too busy");
        let mut figures = vec![
            self.ours.figure("frames per server CPU second, full path"),
            Figure::of("frames per CPU second, limit", "1/s", &self.limits, &[]),
        ];
        let named: Vec<(&Kind, &Series)> = others.iter().zip(&self.others).collect();
        for (kind, series) in &named {
            figures.push(series.figure(&format!("frames per CPU second, {}", kind.name())));
        }
        for (peer, theirs) in named.iter().filter(|(kind, _)| matches!(kind, Kind::Peer(_))) {
            figures.push(self.ours.beside("full path", peer, theirs));
            for (gateway, series) in named.iter().filter(|(kind, _)| matches!(kind, Kind::Gateway(_))) {
                figures.push(series.beside(gateway.name(), peer, theirs));
            }
        }
        figures.push(Figure::of("messages per second", "1/s", &self.messages, &[]));
        let (tails, ratios) = (&self.tails, &self.tail_ratios);
        figures.push(Figure::of("due → at a session, p99, to the limit", "ms", tails, ratios));
        figures.push(Figure::once("rounds dropped", "", rounded(self.dropped.into())));
        let mut report = Report::new(figures);
        report.latency("due → at a session", &self.latency);
        report.latency("due → at a session, limit", &self.limit_latency);
        Ok(report)
    }
}

/// Whether two limits that follow each other differ so much that what is between them cannot be compared with them.
fn are_apart(limits: &[f64]) -> bool {
    limits.windows(2).any(|pair| match pair {
        [before, after] => (before - after).abs() > LIMITS_APART_MAX * before.max(*after),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fleet::Seen, peers::Peer};

    fn measured(per_cpu: f64) -> Measured {
        let mut latency = Histogram::new(3).unwrap();
        latency.record(1_000).unwrap();
        Measured { per_cpu, messages: 10.0, frame: 300.0, latency, seen: Seen::default() }
    }

    #[test]
    fn each_server_is_compared_with_the_limits_beside_it() {
        let others = [Kind::Gateway("a program".into()), Kind::Peer(Peer::Uws)];
        let mut rounds = Rounds::new(&others).unwrap();
        let limits = [100.0, 120.0, 100.0, 120.0].map(measured);
        rounds.add(1, &measured(66.0), &limits, &[measured(110.0), measured(55.0)]).unwrap();
        let report = rounds.report(&others).unwrap();
        let ratio = |name: &str| report.figures.iter().find(|figure| figure.figure == name).unwrap().ratio;
        assert_eq!(ratio("frames per server CPU second, full path"), Some(0.6));
        assert_eq!(ratio("frames per CPU second, gateway alone"), Some(1.0));
        assert_eq!(ratio("frames per CPU second, uWebSockets.js"), Some(0.5));
        assert_eq!(ratio("full path beside uWebSockets.js"), Some(1.2));
        assert_eq!(ratio("gateway alone beside uWebSockets.js"), Some(2.0));
        assert_eq!(ratio("due → at a session, p99, to the limit"), Some(1.0));
    }

    #[test]
    fn a_round_on_a_busy_machine_does_not_count() {
        assert!(!are_apart(&[100.0, 75.0, 95.0]));
        assert!(are_apart(&[100.0, 74.0]) && are_apart(&[74.0, 100.0]));
        let mut rounds = Rounds::new(&[]).unwrap();
        rounds.add(1, &measured(50.0), &[measured(100.0), measured(70.0)], &[]).unwrap();
        assert_eq!(rounds.kept(), 0);
        assert!(rounds.report(&[]).is_err(), "the only round was dropped");
    }
}
