//! One measurement of fan-out: when to send, when to look, and what it found.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;

use crate::{
    fleet::{Fleet, Seen},
    measure::Usage,
    report::{self, rounded},
    sends::Sends,
};

/// How long the last frames may take.
const DRAINED_WITHIN: Duration = Duration::from_secs(30);

/// What one measurement found.
pub(crate) struct Measured {
    /// Frames per second of the server's CPU time.
    pub(crate) per_cpu: f64,
    /// Messages per second of time.
    pub(crate) messages: f64,
    /// Mean length of a frame's text, bytes.
    pub(crate) frame: f64,
    /// From when a message was due to its arrival at one session, microseconds.
    pub(crate) latency: Histogram<u64>,
    pub(crate) seen: Seen,
}

/// One measurement: when to send, and when to look.
pub(crate) struct Run<U> {
    /// Messages per second; `None`: as many as the window allows.
    pub(crate) rate: Option<f64>,
    /// Messages under way at most, where there is no rate.
    pub(crate) window: u32,
    /// Seconds, of which the first fifth does not count.
    pub(crate) seconds: u32,
    /// What the server used so far.
    pub(crate) usage: U,
}

impl<U: Fn() -> Result<Usage>> Run<U> {
    /// Sends by `send` (`false`: not now), reads what comes, hands the tokens of other sockets to `ready`.
    ///
    /// # Errors
    /// When a session ends, frames are missing, or there was too little to measure.
    pub(crate) fn go(
        &self,
        fleet: &mut Fleet,
        sends: &mut Sends,
        mut send: impl FnMut(&mut Fleet, Instant, &mut Sends) -> Result<bool>,
        mut ready: impl FnMut(mio::Token) -> Result<()>,
    ) -> Result<Measured> {
        let people = u64::try_from(fleet.len())?;
        let window = u64::from(self.window);
        let start = Instant::now();
        let length = Duration::from_secs(self.seconds.into());
        let (first, end) = (start + length / 5, start + length);
        let mut begun: Option<(Instant, Usage, Seen, usize)> = None;
        let sent_before = u64::try_from(sends.len())?;
        let delivered_before = fleet.seen.delivered;
        let mut second = 1;
        loop {
            let now = Instant::now();
            if now >= end {
                break;
            }
            if begun.is_none() && now >= first {
                fleet.latency.reset();
                begun = Some((now, (self.usage)()?, fleet.seen.clone(), sends.len()));
            }
            if now.duration_since(start) >= Duration::from_secs(second) {
                report::ticker(&format!("{second} s, {} frames", fleet.seen.delivered - delivered_before));
                second += 1;
            }
            let sent = u64::try_from(sends.len())? - sent_before;
            let mut wait = Duration::from_millis(50);
            match self.rate {
                Some(rate) => {
                    let due = start + Duration::from_secs_f64(rounded(sent) / rate);
                    // Whoever is late sends what was due then, one after the other.
                    if due <= now && send(fleet, due, sends)? {
                        wait = Duration::ZERO;
                    } else if due > now {
                        wait = due - now;
                    }
                }
                None => {
                    let arrived = (fleet.seen.delivered - delivered_before) / people;
                    if sent - arrived < window && send(fleet, now, sends)? {
                        wait = Duration::ZERO;
                    }
                }
            }
            for token in fleet.turn(wait.min(end.saturating_duration_since(now)), sends)? {
                ready(token)?;
            }
        }
        let (from, used, seen, sent) = begun.context("too short to count anything")?;
        let took = from.elapsed().as_secs_f64();
        let cpu = ((self.usage)()?.cpu - used.cpu).as_secs_f64();
        let frames = fleet.seen.frames - seen.frames;
        let bytes = fleet.seen.bytes - seen.bytes;
        let messages = rounded(u64::try_from(sends.len() - sent)?) / took;
        let until = Instant::now() + DRAINED_WITHIN;
        while fleet.seen.delivered - delivered_before < (u64::try_from(sends.len())? - sent_before) * people {
            ensure!(Instant::now() < until, "frames are missing: {:?} of {} sends", fleet.seen, sends.len());
            for token in fleet.turn(Duration::from_millis(50), sends)? {
                ready(token)?;
            }
        }
        // The last answers may come after the last frames.
        for _ in 0..20 {
            for token in fleet.turn(Duration::from_millis(5), sends)? {
                ready(token)?;
            }
        }
        ensure!(frames > 0 && cpu > 0.0, "{frames} frames for {cpu} CPU seconds: too little to measure");
        Ok(Measured {
            per_cpu: rounded(frames) / cpu,
            messages,
            // Headers are four bytes for texts of 126 bytes to 64 KiB, which these are.
            frame: rounded(bytes) / rounded(frames) - 4.0,
            latency: fleet.latency.clone(),
            seen: fleet.seen.clone(),
        })
    }
}
