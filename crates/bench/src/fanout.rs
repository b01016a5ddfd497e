//! Scenario `fanout`: messages to one channel, through the whole path, against the limit in the same run.
//!
//! Each round measures the limit, the server, and the limit again, each on the same core in its turn, the generator on
//! another. Speed is frames delivered per second of the server's CPU time; the ratio is to the mean of the two limits.
//! A round whose two limits differ by more than a quarter is dropped: somebody else was on the machine.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;

use crate::{
    crowd::follow,
    disk,
    fleet::Fleet,
    measure::{self, Usage},
    peers::{self, Peer},
    plain::{Kind, Plain},
    posters::{Posters, Sender, Through},
    report::{Figure, Report, progress, rounded},
    rounds::Rounds,
    run::{Measured, Run},
    sends::Sends,
    server::{Server, Target},
};

/// What is run.
#[derive(Debug, Clone, clap::Args)]
pub struct Fanout {
    #[command(flatten)]
    target: Target,
    /// How messages are sent
    #[arg(long, value_enum, default_value_t)]
    through: Through,
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
    /// Rounds that count; a dropped one is measured again, but no more than twice as many are
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Bytes of each message's text
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(16..=4_000))]
    bytes: u32,
    /// The gateway without an API and a store, measured in the same rounds: the example `fanout` of its crate, built
    #[arg(long, value_name = "PROGRAM")]
    gateway: Option<PathBuf>,
    /// What others fan out with, measured in the same rounds; needs Node.js 20 with npm. May be repeated
    #[arg(long, value_enum)]
    peer: Vec<Peer>,
}

impl Fanout {
    /// Runs the scenario.
    ///
    /// # Errors
    /// When the server fails, or anything was lost, doubled or out of order.
    pub fn run(&self) -> Result<Report> {
        let people = usize::try_from(self.members)?;
        if !self.peer.is_empty() {
            peers::install()?;
        }
        let files = measure::raise_open_files();
        ensure!(
            files > u64::from(self.members) + 300,
            "{files} files may be open: too few for {people} sessions"
        );
        // With one core there is nothing to pin to.
        let cores = measure::cores();
        let theirs = (cores > 1).then_some(1);
        progress(&format!("{people} people are made"));
        let server = self.target.server(people, theirs)?;
        measure::pin((cores > 1).then_some(0))?;
        let keeps = files > 2 * u64::from(self.members) + 600;
        let mut ours = Ours::new(&server, self, keeps)?;
        // How long the server's frames are, so that the others' are as long.
        let mut frame = ours.measure()?.frame;
        let mut others: Vec<Kind> = self.gateway.iter().cloned().map(Kind::Gateway).collect();
        others.extend(self.peer.iter().copied().map(Kind::Peer));
        let mut rounds = Rounds::new(&others)?;
        let mut number = 0;
        while rounds.kept() < usize::try_from(self.rounds)? && number < 2 * self.rounds {
            number += 1;
            let before = self.plain(&Kind::Limit, people, frame, theirs)?;
            let measured = ours.measure()?;
            frame = measured.frame;
            let mut limits = vec![before, self.plain(&Kind::Limit, people, frame, theirs)?];
            let mut beside = Vec::new();
            for other in &others {
                beside.push(self.plain(other, people, frame, theirs)?);
                limits.push(self.plain(&Kind::Limit, people, frame, theirs)?);
            }
            rounds.add(number, &measured, &limits, &beside)?;
        }
        let mut report = rounds.report(&others)?;
        report.figures.push(Figure::once("bytes of a frame's text", "B", frame));
        report.figures.push(Figure::once("sessions that were told to pull", "", rounded(ours.pulled)));
        report.latency("due → acknowledged", &ours.acknowledged);
        if let Some(data) = server.data() {
            let sync = rounded(disk::sync_micros(data)?) / 1_000.0;
            report.figures.push(Figure::once("one fdatasync of 316 bytes, p50", "ms", sync));
            let beyond = rounds.median() - 2.0 * sync;
            report.figures.push(Figure::once("due → at a session, p50, beyond two fdatasync", "ms", beyond));
        }
        Ok(report)
    }

    /// The same with a server that only fans out.
    fn plain(&self, kind: &Kind, people: usize, frame: f64, core: Option<usize>) -> Result<Measured> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a length of some hundred bytes"
        )]
        let plain = Plain::start(kind, frame.round() as usize, core)?;
        let mut fleet = plain.connect(people)?;
        let mut publisher = plain.publisher()?;
        let run = self.with(|| plain.usage());
        run.go(
            &mut fleet,
            &mut Sends::default(),
            |_, due, sends| {
                sends.next(due, 0);
                publisher.publish()?;
                Ok(true)
            },
            |_| Ok(()),
        )
    }

    fn with<U: Fn() -> Result<Usage>>(&self, usage: U) -> Run<U> {
        Run { rate: self.rate, window: self.window, seconds: self.seconds, usage }
    }

    fn senders(&self) -> u32 {
        // A sender posts one at a time: paced ones must not wait for each other.
        if self.rate.is_some() { self.window.max(32) } else { self.window }
    }
}

/// The server, and what was seen of it.
struct Ours<'s> {
    server: &'s Server,
    options: &'s Fanout,
    /// Its sessions stay from round to round. Where too few files may be open for those of the others beside them, they do not.
    keeps: bool,
    crowd: Option<Crowd>,
    /// Times that a session was told to pull.
    pulled: u64,
    /// From when a message was due until it was acknowledged, microseconds.
    acknowledged: Histogram<u64>,
}

/// The server's sessions and senders.
struct Crowd {
    fleet: Fleet,
    posters: Posters,
    sends: Sends,
}

impl<'s> Ours<'s> {
    fn new(server: &'s Server, options: &'s Fanout, keeps: bool) -> Result<Self> {
        Ok(Self { server, options, keeps, crowd: None, pulled: 0, acknowledged: Histogram::new(3)? })
    }

    /// One measurement.
    fn measure(&mut self) -> Result<Measured> {
        let mut crowd = match self.crowd.take() {
            Some(crowd) => crowd,
            None => Crowd::open(self.server, self.options)?,
        };
        let measured = crowd.measure(self.server, self.options)?;
        self.pulled += std::mem::take(&mut crowd.fleet.seen.pulled);
        self.acknowledged.add(&crowd.posters.latency)?;
        crowd.posters.latency.reset();
        self.crowd = self.keeps.then_some(crowd);
        Ok(measured)
    }
}

impl Crowd {
    fn open(server: &Server, options: &Fanout) -> Result<Self> {
        let channel = server.seed.general()?;
        let tokens = server.seed.tokens(usize::try_from(options.members)?)?;
        let mut fleet = Fleet::new(channel)?;
        follow(&mut fleet, &server.address, channel, &tokens)?;
        let sender = |token: &&str| Sender { token: (*token).to_owned(), channels: vec![channel.to_owned()] };
        let senders = tokens.iter().cycle().take(usize::try_from(options.senders())?).map(sender).collect();
        let bytes = usize::try_from(options.bytes)?;
        let posters = Posters::connect(&fleet, &server.address, senders, bytes, options.through)?;
        Ok(Self { fleet, posters, sends: Sends::default() })
    }

    fn measure(&mut self, server: &Server, options: &Fanout) -> Result<Measured> {
        let people = u64::try_from(self.fleet.len())?;
        self.posters.reconnect(&self.fleet)?;
        let run = options.with(|| server.usage());
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
        measured.seen.exactly(sent * people)?;
        Ok(measured)
    }
}
