//! Scenario `fanout`: messages to one channel, through the whole path, against the limit in the same run.
//!
//! Each round measures the limit, the server, and the limit again, each on the same core in its turn, the generator on
//! another. Speed is frames delivered per second of the server's CPU time; the ratio is to the mean of the two limits.
//! A round whose two limits differ by more than a quarter is dropped: somebody else was on the machine.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;

use crate::{
    disk,
    fleet::{Fleet, Seen},
    http::Api,
    limit::Limit,
    measure::{self, Usage},
    posters::{Posters, Sender},
    report::{self, Figure, percentiles, progress, rounded},
    sends::Sends,
    server::Server,
};

/// Largest difference of a round's two limits, as a part of the larger one.
const LIMITS_APART_MAX: f64 = 0.25;
/// How long sessions may take until they follow the channel, each.
const LIVE_WITHIN: Duration = Duration::from_secs(120);
/// How long the last frames may take.
const DRAINED_WITHIN: Duration = Duration::from_secs(30);

/// What is run.
#[derive(Debug, Clone, clap::Args)]
pub struct Fanout {
    /// People in the channel, each with one session
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=15_000))]
    members: u32,
    /// Messages per second, sent when they are due; without it, as many as `--window` allows
    #[arg(long)]
    rate: Option<f64>,
    /// Messages under way at most, when there is no `--rate`; also the number of senders
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=256))]
    window: u32,
    /// Seconds of each measurement; the first fifth does not count
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
    /// Rounds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Bytes of each message's text
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(16..=4_000))]
    bytes: u32,
}

/// What one measurement found.
struct Measured {
    /// Frames per second of the server's CPU time.
    per_cpu: f64,
    /// Messages per second of time.
    messages: f64,
    /// Mean length of a frame's text, bytes.
    frame: f64,
    latency: Histogram<u64>,
    seen: Seen,
}

impl Fanout {
    /// Runs the scenario.
    ///
    /// # Errors
    /// When the server fails, or anything was lost, doubled or out of order.
    pub fn run(&self) -> Result<Vec<Figure>> {
        let people = usize::try_from(self.members)?;
        let files = measure::raise_open_files();
        ensure!(
            files > u64::from(self.members) + 300,
            "{files} files may be open: too few for {people} sessions"
        );
        // With one core there is nothing to pin to.
        let cores = measure::cores();
        let theirs = (cores > 1).then_some(1);
        progress(&format!("{people} people are made"));
        let server = Server::start(people, theirs)?;
        measure::pin((cores > 1).then_some(0))?;
        let mut ours = Ours::open(&server, people, self)?;
        let (mut speeds, mut ratios, mut limits, mut messages) = (vec![], vec![], vec![], vec![]);
        let mut dropped = 0;
        let mut latency = Histogram::new(3)?;
        let mut limit_latency = Histogram::new(3)?;
        // How long the server's frames are, so that the limit's are as long.
        let mut frame = ours.measure(self)?.frame;
        for round in 1..=self.rounds {
            let before = self.limit(people, frame, theirs)?;
            let measured = ours.measure(self)?;
            let after = self.limit(people, frame, theirs)?;
            let mean = f64::midpoint(before.per_cpu, after.per_cpu);
            let ratio = measured.per_cpu / mean;
            progress(&format!(
                "round {round}: {:.0} frames per CPU second, limit {:.0} and {:.0}: ×{ratio:.2}",
                measured.per_cpu, before.per_cpu, after.per_cpu
            ));
            frame = measured.frame;
            if (before.per_cpu - after.per_cpu).abs() > LIMITS_APART_MAX * before.per_cpu.max(after.per_cpu) {
                progress(&format!("round {round} is dropped: the two limits differ too much"));
                dropped += 1;
                continue;
            }
            speeds.push(measured.per_cpu);
            ratios.push(ratio);
            limits.push(mean);
            messages.push(measured.messages);
            latency.add(&measured.latency)?;
            for limit in [before, after] {
                limit_latency.add(&limit.latency)?;
            }
        }
        ensure!(!speeds.is_empty(), "every round was dropped: the machine is too busy");
        let seen = &ours.fleet.seen;
        let mut figures = vec![
            Figure::of("frames per server CPU second, full path", "1/s", &speeds, &ratios),
            Figure::of("frames per CPU second, limit", "1/s", &limits, &[]),
            Figure::of("messages per second", "1/s", &messages, &[]),
            Figure::once("bytes of a frame's text", "B", frame),
            Figure::once("rounds dropped", "", f64::from(dropped)),
            Figure::once("sessions that were told to pull", "", rounded(seen.pulled)),
        ];
        figures.extend(percentiles("due → at a session", &latency));
        figures.extend(percentiles("due → at a session, limit", &limit_latency));
        figures.extend(percentiles("due → acknowledged", &ours.posters.latency));
        let sync = rounded(disk::sync_micros(server.data())?) / 1_000.0;
        figures.push(Figure::once("one fdatasync of 316 bytes, p50", "ms", sync));
        Ok(figures)
    }

    fn limit(&self, people: usize, frame: f64, core: Option<usize>) -> Result<Measured> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a length of some hundred bytes"
        )]
        let limit = Limit::start(frame.round() as usize, core)?;
        let mut fleet = Fleet::anonymous()?;
        for _ in 0..people {
            fleet.open(&format!("ws://{}/", limit.address), None)?;
        }
        let mut ask = std::net::TcpStream::connect(&limit.address)?;
        ask.set_nodelay(true)?;
        std::io::Write::write_all(&mut ask, b"GET /pub HTTP/1.1\r\n\r\n")?;
        // What came with the request would be a part of it, and ask for nothing.
        let mut answer = [0; 256];
        ensure!(std::io::Read::read(&mut ask, &mut answer)? > 0, "the limit's server went away");
        let mut sends = Sends::default();
        let run = Run::new(self, || limit.usage());
        run.go(
            &mut fleet,
            &mut sends,
            |_, due, sends| {
                sends.next(due, 0);
                std::io::Write::write_all(&mut ask, b"x")?;
                Ok(true)
            },
            |_| Ok(()),
        )
    }
}

/// The server with its sessions and senders, kept from round to round.
struct Ours<'s> {
    server: &'s Server,
    fleet: Fleet,
    posters: Posters,
    sends: Sends,
}

impl<'s> Ours<'s> {
    fn open(server: &'s Server, people: usize, options: &Fanout) -> Result<Self> {
        let channel = server.seed.general()?;
        let tokens = server.seed.tokens(people)?;
        let mut fleet = Fleet::new(channel)?;
        follow(&mut fleet, &server.address, channel, &tokens)?;
        let sender = |token: &&str| Sender { token: (*token).to_owned(), channels: vec![channel.to_owned()] };
        let senders = tokens.iter().cycle().take(usize::try_from(options.senders())?).map(sender).collect();
        let bytes = usize::try_from(options.bytes)?;
        let posters = Posters::connect(&fleet, &server.address, senders, bytes)?;
        Ok(Self { server, fleet, posters, sends: Sends::default() })
    }

    fn measure(&mut self, options: &Fanout) -> Result<Measured> {
        let people = u64::try_from(self.fleet.len())?;
        let run = Run::new(options, || self.server.usage());
        let posters = std::cell::RefCell::new(&mut self.posters);
        let measured = run.go(
            &mut self.fleet,
            &mut self.sends,
            |_, due, sends| posters.borrow_mut().post(due, sends),
            |token| posters.borrow_mut().ready(token),
        )?;
        let posters = posters.into_inner();
        ensure!(posters.waiting() == 0, "{} posts were not answered", posters.waiting());
        let sent = u64::try_from(self.sends.len())?;
        ensure!(posters.acknowledged == sent, "{sent} sent, {} acknowledged", posters.acknowledged);
        let seen = &measured.seen;
        ensure!(
            seen.delivered == sent * people && seen.missed == 0 && seen.repeated == 0,
            "{sent} messages to {people} sessions: {seen:?}"
        );
        Ok(measured)
    }
}

impl Fanout {
    fn senders(&self) -> u32 {
        // A sender posts one at a time: paced ones must not wait for each other.
        if self.rate.is_some() { self.window.max(32) } else { self.window }
    }
}

/// Opens a session for each token and waits until all of them follow the channel. Returns generation and seq from
/// which they do.
///
/// # Errors
/// When one is refused, or does not come to it in time.
pub(crate) fn follow(fleet: &mut Fleet, address: &str, channel: &str, tokens: &[&str]) -> Result<(u64, u64)> {
    let mut at = None;
    for (number, token) in tokens.iter().enumerate() {
        let mut api = Api::connect(address, token)?;
        let at = match at {
            Some(at) => at,
            None => {
                let boot = api.call("/api/client.userBoot", &serde_json::json!({}))?;
                let position = boot.get("_p").and_then(|all| all.get(channel)).context("no position")?;
                let part = |index: usize| position.get(index).and_then(serde_json::Value::as_u64);
                *at.insert((part(0).context("generation")?, part(1).context("seq")?))
            }
        };
        let ticket = api.call("/realtime/v1/connect", &serde_json::json!({}))?;
        let url = ticket.get("url").and_then(serde_json::Value::as_str).context("url")?;
        fleet.open(url, Some(at))?;
        if (number + 1) % 1_000 == 0 {
            progress(&format!("{} sessions are open", number + 1));
        }
        // What came so far must not pile up.
        fleet.turn(Duration::ZERO, &Sends::default())?;
    }
    let until = Instant::now() + LIVE_WITHIN;
    while fleet.live() < fleet.len() {
        ensure!(Instant::now() < until, "{} of {} sessions follow the channel", fleet.live(), fleet.len());
        fleet.turn(Duration::from_millis(100), &Sends::default())?;
    }
    at.context("nobody")
}

/// One measurement: when to send, and when to look.
struct Run<U> {
    options: Fanout,
    usage: U,
}

impl<U: Fn() -> Result<Usage>> Run<U> {
    fn new(options: &Fanout, usage: U) -> Self {
        Self { options: options.clone(), usage }
    }

    fn go(
        &self,
        fleet: &mut Fleet,
        sends: &mut Sends,
        mut send: impl FnMut(&mut Fleet, Instant, &mut Sends) -> Result<bool>,
        mut ready: impl FnMut(mio::Token) -> Result<()>,
    ) -> Result<Measured> {
        let people = u64::try_from(fleet.len())?;
        let window = u64::from(self.options.window);
        let start = Instant::now();
        let length = Duration::from_secs(self.options.seconds.into());
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
            match self.options.rate {
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
