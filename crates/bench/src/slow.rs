//! Scenario `slow`: some sessions do not read what they are sent, or read it very slowly, while messages are posted.
//!
//! Each round has a phase in which everybody reads, one in which the slow ones do not, and then all read: the slow ones must
//! get what they did not read, each message once and in order. The quick ones' latency is compared with that of the first
//! phase.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;

use crate::{
    crowd::follow,
    fleet::Fleet,
    measure,
    posters::{Posters, Sender, Through},
    report::{self, Figure, Report, millis, progress, rounded},
    sends::Sends,
    server::{Server, Target},
};

/// Connections that post: so many that a paced post need not wait for another.
const SENDERS: usize = 32;
/// How often slow sessions read.
const SIP_EVERY: Duration = Duration::from_millis(100);
/// How long the last frames of a phase may take, and how long the slow ones may take to catch up.
const DRAINED_WITHIN: Duration = Duration::from_secs(60);

/// What is run.
#[derive(Debug, Clone, clap::Args)]
pub struct Slow {
    #[command(flatten)]
    target: Target,
    /// How messages are sent
    #[arg(long, value_enum, default_value_t)]
    through: Through,
    /// Sessions, each of another person, all in one channel
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(2..=15_000))]
    sessions: u32,
    /// The part of them that is slow, in percent
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=99))]
    percent: u32,
    /// Bytes per second that a slow session reads; 0: nothing
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    reads: u32,
    /// Messages per second, sent when they are due
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// Seconds of each phase; the first fifth does not count
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
    /// Rounds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Bytes of each message's text
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(16..=4_000))]
    bytes: u32,
}

impl Slow {
    /// Runs the scenario.
    ///
    /// # Errors
    /// When the server fails, or anything was lost, doubled or out of order.
    pub fn run(&self) -> Result<Report> {
        let people = usize::try_from(self.sessions)?;
        let slow = (people * usize::try_from(self.percent)? / 100).clamp(1, people - 1);
        let files = measure::raise_open_files();
        ensure!(
            files > u64::from(self.sessions) + 300,
            "{files} files may be open: too few for {people} sessions"
        );
        let core = (measure::cores() > 1).then_some(1);
        let server = self.target.server(people, core)?;
        measure::pin((measure::cores() > 1).then_some(0))?;
        let mut channel = Channel::open(&server, people, self)?;
        progress(&format!("{people} sessions follow the channel, {slow} of them will be slow"));
        let (mut alone, mut beside) = (Histogram::new(3)?, Histogram::new(3)?);
        let (mut medians, mut median_ratios, mut tails, mut tail_ratios) = (vec![], vec![], vec![], vec![]);
        let (mut caught_up, mut grown) = (vec![], None);
        for round in 1..=self.rounds {
            let control = channel.phase(self, 0)?;
            let before = server.usage()?.resident;
            (0..slow).try_for_each(|number| channel.fleet.slow_down(number))?;
            let loaded = channel.phase(self, slow)?;
            // Memory that was once taken is taken again by the next round: only the first one shows it.
            let growth = server.usage()?.resident.saturating_sub(before);
            grown.get_or_insert(growth);
            caught_up.push(channel.catch_up(slow)?);
            for (percentile, values, ratios) in
                [(50.0, &mut medians, &mut median_ratios), (99.0, &mut tails, &mut tail_ratios)]
            {
                let value = millis(&loaded, percentile);
                values.push(value);
                ratios.push(value / millis(&control, percentile));
            }
            progress(&format!(
                "round {round}: p99 {:.1} ms beside {slow} slow sessions, {:.1} ms without",
                millis(&loaded, 99.0),
                millis(&control, 99.0)
            ));
            alone.add(&control)?;
            beside.add(&loaded)?;
        }
        let kib = rounded(grown.unwrap_or_default()) / 1_024.0;
        let mut report = Report::new(vec![
            Figure::of("due → at a quick session, p50, to nobody slow", "ms", &medians, &median_ratios),
            Figure::of("due → at a quick session, p99, to nobody slow", "ms", &tails, &tail_ratios),
            Figure::once("resident memory per slow session", "KB", kib / rounded(u64::try_from(slow)?)),
            Figure::of("until slow sessions have everything, once they read", "s", &caught_up, &[]),
            Figure::once("slow sessions", "", rounded(u64::try_from(slow)?)),
            Figure::once("sessions that were told to pull", "", rounded(channel.fleet.seen.pulled)),
            Figure::once("messages", "", rounded(u64::try_from(channel.sends.len())?)),
        ]);
        report.latency("due → at a quick session", &beside);
        report.latency("due → at a session, nobody slow", &alone);
        Ok(report)
    }
}

/// The channel with its sessions and senders.
struct Channel {
    fleet: Fleet,
    posters: Posters,
    sends: Sends,
}

impl Channel {
    fn open(server: &Server, people: usize, options: &Slow) -> Result<Self> {
        let channel = server.seed.general()?;
        let tokens = server.seed.tokens(people)?;
        let mut fleet = Fleet::new(channel)?;
        follow(&mut fleet, &server.address, channel, &tokens)?;
        let sender = |token: &&str| Sender { token: (*token).to_owned(), channels: vec![channel.to_owned()] };
        let senders = tokens.iter().cycle().take(SENDERS).map(sender).collect();
        let posters = Posters::connect(
            &fleet,
            &server.address,
            senders,
            usize::try_from(options.bytes)?,
            options.through,
        )?;
        Ok(Self { fleet, posters, sends: Sends::default() })
    }

    /// Posts while the first `slow` sessions do not read; ends when all others have everything. Latencies of the others.
    fn phase(&mut self, options: &Slow, slow: usize) -> Result<Histogram<u64>> {
        let quick = u64::try_from(self.fleet.len() - slow)?;
        let (sent_before, quick_before) = (self.sends.len(), self.quickly());
        let (start, length) = (Instant::now(), Duration::from_secs(options.seconds.into()));
        let sip = usize::try_from(options.reads)? / 10;
        let (mut counting, mut sipped, mut second) = (false, start, 1);
        while start.elapsed() < length {
            let now = Instant::now();
            if !counting && start.elapsed() >= length / 5 {
                self.fleet.latency.reset();
                counting = true;
            }
            if start.elapsed() >= Duration::from_secs(second) {
                report::ticker(&format!("{second} s, {} messages", self.sends.len()));
                second += 1;
            }
            if sip > 0 && now.duration_since(sipped) >= SIP_EVERY {
                (0..slow).try_for_each(|number| self.fleet.sip(number, sip, &self.sends))?;
                sipped = now;
            }
            let sent = u64::try_from(self.sends.len() - sent_before)?;
            let due = start + Duration::from_secs_f64(rounded(sent) / options.rate);
            let posted = due <= now && self.posters.post(due, &mut self.sends)?;
            let wait = if posted { Duration::ZERO } else { due.saturating_duration_since(now) };
            // While every sender waits, one of them being answered ends the wait.
            self.turn(if due <= now && !posted { SIP_EVERY } else { wait.min(SIP_EVERY) })?;
        }
        let until = Instant::now() + DRAINED_WITHIN;
        loop {
            let due = u64::try_from(self.sends.len() - sent_before)? * quick;
            let came = self.quickly() - quick_before;
            if came >= due && self.posters.waiting() == 0 {
                ensure!(came == due, "{came} copies came, {due} were due: {:?}", self.fleet.seen);
                return Ok(self.fleet.latency.clone());
            }
            ensure!(Instant::now() < until, "{came} of {due} copies came: {:?}", self.fleet.seen);
            self.turn(Duration::from_millis(50))?;
        }
    }

    /// Copies that reached somebody who read what came.
    fn quickly(&self) -> u64 {
        self.fleet.seen.delivered - self.fleet.seen.delivered_slowly
    }

    /// Lets the first `slow` sessions read until everybody has everything; how many seconds that took.
    fn catch_up(&mut self, slow: usize) -> Result<f64> {
        let start = Instant::now();
        (0..slow).try_for_each(|number| self.fleet.wake(number))?;
        let due = u64::try_from(self.sends.len() * self.fleet.len())?;
        while self.fleet.seen.delivered < due {
            ensure!(start.elapsed() < DRAINED_WITHIN, "{due} copies were due: {:?}", self.fleet.seen);
            self.turn(Duration::from_millis(5))?;
        }
        let took = start.elapsed().as_secs_f64();
        // What came twice would come now.
        for _ in 0..10 {
            self.turn(Duration::from_millis(20))?;
        }
        self.fleet.seen.exactly(due)?;
        Ok(took)
    }

    fn turn(&mut self, wait: Duration) -> Result<()> {
        for token in self.fleet.turn(wait, &self.sends)? {
            self.posters.ready(token)?;
        }
        Ok(())
    }
}
