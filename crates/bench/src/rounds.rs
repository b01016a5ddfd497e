//! The rounds of fan-out: each with the limit before and after whatever else is measured in it.

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;

use crate::{
    peers::Peer,
    report::{Figure, Report, progress, rounded},
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

/// What the rounds found that count.
#[derive(Debug)]
pub(crate) struct Rounds {
    ours: Series,
    limits: Vec<f64>,
    messages: Vec<f64>,
    peers: Vec<Series>,
    dropped: u32,
    latency: Histogram<u64>,
    limit_latency: Histogram<u64>,
}

impl Rounds {
    /// None yet.
    pub(crate) fn new(peers: &[Peer]) -> Result<Self> {
        Ok(Self {
            ours: Series::default(),
            limits: Vec::new(),
            messages: Vec::new(),
            peers: peers.iter().map(|_| Series::default()).collect(),
            dropped: 0,
            latency: Histogram::new(3)?,
            limit_latency: Histogram::new(3)?,
        })
    }

    /// Adds a round, of which `limits` were measured before, between and after the server and the peers; drops it when
    /// somebody else was on the machine.
    pub(crate) fn add(
        &mut self,
        number: u32,
        ours: &Measured,
        limits: &[Measured],
        peers: &[Measured],
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
        for ((series, peer), mean) in self.peers.iter_mut().zip(peers).zip(means) {
            series.speeds.push(peer.per_cpu);
            series.ratios.push(peer.per_cpu / mean);
        }
        self.latency.add(&ours.latency)?;
        for limit in limits {
            self.limit_latency.add(&limit.latency)?;
        }
        Ok(())
    }

    /// The figures.
    ///
    /// # Errors
    /// When no round counts.
    pub(crate) fn report(&self, peers: &[Peer]) -> Result<Report> {
        ensure!(!self.limits.is_empty(), "every round was dropped: the machine is too busy");
        let Series { speeds, ratios } = &self.ours;
        let mut figures = vec![
            Figure::of("frames per server CPU second, full path", "1/s", speeds, ratios),
            Figure::of("frames per CPU second, limit", "1/s", &self.limits, &[]),
        ];
        for (peer, series) in peers.iter().zip(&self.peers) {
            let name = peer.name();
            let beside: Vec<f64> =
                ratios.iter().zip(&series.ratios).map(|(ours, theirs)| ours / theirs).collect();
            figures.push(Figure::of(
                format!("frames per CPU second, {name}"),
                "1/s",
                &series.speeds,
                &series.ratios,
            ));
            figures.push(Figure::of(format!("full path beside {name}"), "1/s", speeds, &beside));
        }
        figures.push(Figure::of("messages per second", "1/s", &self.messages, &[]));
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
    use crate::fleet::Seen;

    fn measured(per_cpu: f64) -> Measured {
        let mut latency = Histogram::new(3).unwrap();
        latency.record(1_000).unwrap();
        Measured { per_cpu, messages: 10.0, frame: 300.0, latency, seen: Seen::default() }
    }

    #[test]
    fn each_server_is_compared_with_the_limits_beside_it() {
        let peers = [Peer::Uws];
        let mut rounds = Rounds::new(&peers).unwrap();
        let limits = [measured(100.0), measured(120.0), measured(100.0)];
        rounds.add(1, &measured(66.0), &limits, &[measured(55.0)]).unwrap();
        let report = rounds.report(&peers).unwrap();
        let ratio = |name: &str| report.figures.iter().find(|figure| figure.figure == name).unwrap().ratio;
        assert_eq!(ratio("frames per server CPU second, full path"), Some(0.6));
        assert_eq!(ratio("frames per CPU second, uWebSockets.js"), Some(0.5));
        assert_eq!(ratio("full path beside uWebSockets.js"), Some(1.2));
    }

    #[test]
    fn a_round_on_a_busy_machine_does_not_count() {
        assert!(!are_apart(&[100.0, 75.0, 95.0]));
        assert!(are_apart(&[100.0, 74.0]) && are_apart(&[74.0, 100.0]));
        let mut rounds = Rounds::new(&[]).unwrap();
        rounds.add(1, &measured(50.0), &[measured(100.0), measured(70.0)], &[]).unwrap();
        assert!(rounds.report(&[]).is_err(), "the only round was dropped");
    }
}
