//! Scenario `posts`: how many messages a second are acknowledged, from many senders to few or many topics.
//!
//! Each sender posts, waits for the answer, and posts again. Compared with SQLite alone on the same disk and core,
//! before and after in each round; with HTTP alone, and with what the two would do together on one core; and with an append-only
//! log, in which nothing is looked up or indexed: what the disk alone would take in batches of the same size.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    bare, disk,
    fleet::Fleet,
    http::Api,
    measure,
    posters::{Posters, Sender, Through},
    report::{self, Figure, Report, progress, rounded},
    sends::Sends,
    server::{Server, Target},
    web::Web,
};

/// Messages that the server commits together at most.
const BATCH_MAX: usize = 512;
/// How long the last answers may take.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// What is run.
#[derive(Debug, Clone, clap::Args)]
pub struct Posts {
    #[command(flatten)]
    target: Target,
    /// How messages are sent
    #[arg(long, value_enum, default_value_t)]
    through: Through,
    /// Senders, each of another person with one connection
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=15_000))]
    senders: u32,
    /// Channels that they post to, each sender to its own share
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    topics: u32,
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

impl Posts {
    /// Runs the scenario.
    ///
    /// # Errors
    /// When the server fails, or a post is refused.
    pub fn run(&self) -> Result<Report> {
        let (people, topics) = (usize::try_from(self.senders)?, usize::try_from(self.topics)?);
        measure::raise_open_files();
        let core = (measure::cores() > 1).then_some(1);
        progress(&format!("{people} people are made"));
        let server = self.target.server(people, core)?;
        measure::pin((measure::cores() > 1).then_some(0))?;
        let senders = self.senders_with_channels(&server, people, topics)?;
        let mut fleet = Fleet::new("")?;
        let bytes = usize::try_from(self.bytes)?;
        let mut posters = Posters::connect(&fleet, &server.address, senders.clone(), bytes, self.through)?;
        let mut web: Option<OnlyHttp> = None;
        let (mut rates, mut cpus, mut webs) = (vec![], vec![], vec![]);
        let mut disks = Disks::default();
        for round in 1..=self.rounds {
            let disk = match server.data() {
                Some(data) => Some((data, self.bare(&server, data, core)?, server.commits()?)),
                None => None,
            };
            let used = server.usage()?.cpu;
            let (rate, acknowledged) = self.measure(&mut fleet, &mut posters)?;
            let cpu = (server.usage()?.cpu - used).as_secs_f64() / rounded(acknowledged.max(1));
            rates.push(rate);
            cpus.push(cpu * 1_000_000.0);
            if let Some((data, before, commits)) = disk {
                let commits = server.commits()? - commits;
                let after = self.bare(&server, data, core)?;
                let log = self.log(data, core, acknowledged, commits)?;
                disks.add(f64::midpoint(before, after), log, acknowledged, commits);
            }
            let http = match &mut web {
                Some(web) => web,
                None => web.insert(OnlyHttp::start(posters.answer_bytes, senders.clone(), bytes, core)?),
            };
            let http = self.measure(&mut http.fleet, &mut http.posters)?.0;
            webs.push(http);
            let bare = disks.bares.last().map(|bare| format!(", SQLite alone {bare:.0}")).unwrap_or_default();
            progress(&format!("round {round}: {rate:.0} posts per second{bare}, HTTP alone {http:.0}"));
        }
        let mut report = Report::new(disks.figures(&rates, &webs));
        report.figures.extend([
            Figure::of("requests per second, HTTP alone", "1/s", &webs, &[]),
            Figure::of("server CPU per post", "µs", &cpus, &[]),
        ]);
        if let Some(data) = server.data() {
            let sync = rounded(disk::sync_micros(data)?) / 1_000.0;
            report.figures.push(Figure::once("one fdatasync of 316 bytes, p50", "ms", sync));
        }
        report.latency("sent → acknowledged", &posters.latency);
        Ok(report)
    }

    /// Everybody with the channels that are theirs to post to.
    fn senders_with_channels(&self, server: &Server, people: usize, topics: usize) -> Result<Vec<Sender>> {
        let tokens = server.seed.tokens(people)?;
        if topics == 1 {
            let general = server.seed.general()?;
            let sender =
                |token: &&str| Sender { token: (*token).to_owned(), channels: vec![general.to_owned()] };
            return Ok(tokens.iter().map(sender).collect());
        }
        progress(&format!("{topics} channels are made"));
        let mut senders: Vec<Sender> =
            tokens.iter().map(|token| Sender { token: (*token).to_owned(), channels: Vec::new() }).collect();
        // Several at once: a commit costs the same for one channel and for many.
        let threads = 16;
        let part = senders.len().div_ceil(threads);
        std::thread::scope(|scope| {
            let parts: Vec<_> = senders
                .chunks_mut(part)
                .enumerate()
                .map(|(number, part_of)| {
                    let first = number * part;
                    scope.spawn(move || make_channels(&server.address, part_of, first, people, topics))
                })
                .collect();
            parts
                .into_iter()
                .try_for_each(|made| made.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?)
        })?;
        // With fewer topics than senders the others join somebody's.
        let made: Vec<Vec<String>> = senders
            .iter()
            .map(|sender| sender.channels.clone())
            .filter(|channels| !channels.is_empty())
            .collect();
        for (number, sender) in
            senders.iter_mut().enumerate().filter(|(_, sender)| sender.channels.is_empty())
        {
            let theirs = made.get(number % made.len().max(1)).context("no channels")?;
            let channel = theirs.first().context("no channel")?;
            let body = serde_json::json!({ "channel": channel });
            Api::connect(&server.address, &sender.token)?.call("/api/conversations.join", &body)?;
            sender.channels.push(channel.clone());
        }
        Ok(senders)
    }

    /// SQLite alone, with the tables of this very installation in a copy.
    fn bare(&self, server: &Server, data: &Path, core: Option<usize>) -> Result<f64> {
        let folder = tempfile::tempdir_in(data.parent().context("no parent")?)?;
        let copy: PathBuf = folder.path().join("bare.db");
        server.copy_database(&copy)?;
        let batch = usize::try_from(self.senders)?.min(BATCH_MAX);
        let (topics, bytes) = (usize::try_from(self.topics)?, usize::try_from(self.bytes)?);
        let length = Duration::from_secs(self.seconds.into()) / 2;
        measure::pin(core)?;
        let rate = bare::messages_per_second(&copy, topics, batch, bytes, length);
        measure::pin(core.map(|_| 0))?;
        rate
    }

    /// An append-only file on the same disk, with as many records to a batch as the server's commits had posts.
    fn log(&self, data: &Path, core: Option<usize>, posts: u64, commits: u64) -> Result<f64> {
        let batch = usize::try_from(posts.div_ceil(commits.max(1)))?;
        let length = Duration::from_secs(self.seconds.into()) / 2;
        measure::pin(core)?;
        let rate = disk::records_per_second(data, batch, disk::record(usize::try_from(self.bytes)?), length);
        measure::pin(core.map(|_| 0))?;
        rate
    }

    /// Posts per second, and all posts.
    fn measure(&self, fleet: &mut Fleet, posters: &mut Posters) -> Result<(f64, u64)> {
        let mut sends = Sends::default();
        let before = posters.acknowledged;
        let length = Duration::from_secs(self.seconds.into());
        let start = Instant::now();
        let mut from = None;
        let mut second = 1;
        while start.elapsed() < length {
            if from.is_none() && start.elapsed() >= length / 5 {
                posters.latency.reset();
                from = Some((Instant::now(), posters.acknowledged));
            }
            if start.elapsed() >= Duration::from_secs(second) {
                report::ticker(&format!("{second} s, {} posts", posters.acknowledged - before));
                second += 1;
            }
            while posters.post(Instant::now(), &mut sends)? {}
            for token in fleet.turn(Duration::from_millis(50), &sends)? {
                posters.ready(token)?;
            }
        }
        let (from, counted) = from.context("too short to count anything")?;
        let rate = rounded(posters.acknowledged - counted) / from.elapsed().as_secs_f64();
        let until = Instant::now() + ANSWERED_WITHIN;
        while posters.waiting() > 0 {
            ensure!(Instant::now() < until, "{} posts were not answered", posters.waiting());
            for token in fleet.turn(Duration::from_millis(50), &sends)? {
                posters.ready(token)?;
            }
        }
        let acknowledged = posters.acknowledged - before;
        ensure!(
            acknowledged == u64::try_from(sends.len())?,
            "{} sent, {acknowledged} acknowledged",
            sends.len()
        );
        Ok((rate, acknowledged))
    }
}

/// What the disk does alone, round by round.
#[derive(Default)]
struct Disks {
    bares: Vec<f64>,
    logs: Vec<f64>,
    batches: Vec<f64>,
}

impl Disks {
    fn add(&mut self, bare: f64, log: f64, posts: u64, commits: u64) {
        self.bares.push(bare);
        self.logs.push(log);
        self.batches.push(rounded(posts) / rounded(commits.max(1)));
    }

    /// The figures of so many posts a second, beside as many requests; the posts alone where no disk is known.
    fn figures(&self, rates: &[f64], webs: &[f64]) -> Vec<Figure> {
        const POSTS: &str = "posts acknowledged per second";
        let Self { bares, logs, batches } = self;
        if bares.is_empty() {
            return vec![Figure::of(POSTS, "1/s", rates, &[])];
        }
        let to = |limits: &[f64]| -> Vec<f64> {
            rates.iter().zip(limits).map(|(rate, limit)| rate / limit).collect()
        };
        // One core does one after the other.
        let both: Vec<f64> =
            webs.iter().zip(bares).map(|(http, bare)| 1.0 / (1.0 / http + 1.0 / bare)).collect();
        vec![
            Figure::of(POSTS, "1/s", rates, &to(bares)),
            Figure::of("messages per second, SQLite alone", "1/s", bares, &[]),
            Figure::of(format!("{POSTS}, to HTTP and SQLite on one core"), "1/s", rates, &to(&both)),
            Figure::of(format!("{POSTS}, to the log"), "1/s", rates, &to(logs)),
            Figure::of("records per second, append-only log alone", "1/s", logs, &[]),
            Figure::of("posts per commit", "", batches, &[]),
        ]
    }
}

/// The server of HTTP alone, with as many senders.
struct OnlyHttp {
    fleet: Fleet,
    posters: Posters,
    _server: Web,
}

impl OnlyHttp {
    fn start(answer: usize, senders: Vec<Sender>, bytes: usize, core: Option<usize>) -> Result<Self> {
        let server = Web::start(answer, core)?;
        measure::pin(core.map(|_| 0))?;
        let fleet = Fleet::new("")?;
        let posters = Posters::connect(&fleet, &server.address, senders, bytes, Through::Http)?;
        Ok(Self { fleet, posters, _server: server })
    }
}

/// Makes the channels of some senders, of whom the first is number `first` of `people`.
fn make_channels(
    address: &str,
    senders: &mut [Sender],
    first: usize,
    people: usize,
    topics: usize,
) -> Result<()> {
    for (number, sender) in senders.iter_mut().enumerate() {
        let number = first + number;
        let mut api = Api::connect(address, &sender.token)?;
        for topic in (number..topics).step_by(people) {
            sender.channels.push(api.create_channel(topic)?);
        }
    }
    Ok(())
}
