//! Scenario `posts`: how many messages a second are acknowledged, from many senders to few or many topics.
//!
//! Each sender posts, waits for the answer, and posts again. Compared with SQLite alone on the same disk and core,
//! before and after in each round; with HTTP alone, and with what the two would do together on one core; and with an append-only
//! log, in which nothing is looked up or indexed: what the disk alone would take in batches of the same size.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    bare, disk,
    fleet::Fleet,
    http::Api,
    measure,
    posters::{Posters, Sender},
    report::{self, Figure, Report, progress, rounded},
    sends::Sends,
    server::Server,
    web::Web,
};

/// Messages that the server commits together at most.
const BATCH_MAX: usize = 512;
/// How long the last answers may take.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// What is run.
#[derive(Debug, Clone, clap::Args)]
pub struct Posts {
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
        let server = Server::start(people, core)?;
        measure::pin((measure::cores() > 1).then_some(0))?;
        let senders = self.senders_with_channels(&server, people, topics)?;
        let mut fleet = Fleet::new("")?;
        let bytes = usize::try_from(self.bytes)?;
        let mut posters = Posters::connect(&fleet, &server.address, senders.clone(), bytes)?;
        let mut web: Option<OnlyHttp> = None;
        let (mut webs, mut togethers) = (vec![], vec![]);
        let (mut rates, mut ratios, mut bares, mut cpus) = (vec![], vec![], vec![], vec![]);
        let (mut logs, mut to_logs, mut batches) = (vec![], vec![], vec![]);
        for round in 1..=self.rounds {
            let before = self.bare(&server, core)?;
            let commits = server.commits()?;
            let used = server.usage()?.cpu;
            let (rate, acknowledged) = self.measure(&mut fleet, &mut posters)?;
            let cpu = (server.usage()?.cpu - used).as_secs_f64() / rounded(acknowledged.max(1));
            let commits = server.commits()? - commits;
            let after = self.bare(&server, core)?;
            let log = self.log(&server, core, acknowledged, commits)?;
            let http = match &mut web {
                Some(web) => web,
                None => web.insert(OnlyHttp::start(posters.answer_bytes, senders.clone(), bytes, core)?),
            };
            let http = self.measure(&mut http.fleet, &mut http.posters)?.0;
            let limit = f64::midpoint(before, after);
            // One core does one after the other.
            let together = 1.0 / (1.0 / http + 1.0 / limit);
            progress(&format!(
                "round {round}: {rate:.0} posts per second, SQLite alone {before:.0} and {after:.0}, HTTP alone {http:.0}: \
                 ×{:.2}, ×{:.2} of both on one core",
                rate / limit,
                rate / together
            ));
            rates.push(rate);
            ratios.push(rate / limit);
            bares.push(limit);
            webs.push(http);
            togethers.push(rate / together);
            cpus.push(cpu * 1_000_000.0);
            logs.push(log);
            to_logs.push(rate / log);
            batches.push(rounded(acknowledged) / rounded(commits.max(1)));
        }
        let sync = disk::sync_micros(server.data())?;
        let mut report = Report::new(vec![
            Figure::of("posts acknowledged per second", "1/s", &rates, &ratios),
            Figure::of("messages per second, SQLite alone", "1/s", &bares, &[]),
            Figure::of("requests per second, HTTP alone", "1/s", &webs, &[]),
            Figure::of(
                "posts acknowledged per second, to HTTP and SQLite on one core",
                "1/s",
                &rates,
                &togethers,
            ),
            Figure::of("posts acknowledged per second, to the log", "1/s", &rates, &to_logs),
            Figure::of("records per second, append-only log alone", "1/s", &logs, &[]),
            Figure::of("posts per commit", "", &batches, &[]),
            Figure::of("server CPU per post", "µs", &cpus, &[]),
            Figure::once("one fdatasync of 316 bytes, p50", "ms", rounded(sync) / 1_000.0),
        ]);
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
    fn bare(&self, server: &Server, core: Option<usize>) -> Result<f64> {
        let folder = tempfile::tempdir_in(server.data().parent().context("no parent")?)?;
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
    fn log(&self, server: &Server, core: Option<usize>, posts: u64, commits: u64) -> Result<f64> {
        let batch = usize::try_from(posts.div_ceil(commits.max(1)))?;
        let length = Duration::from_secs(self.seconds.into()) / 2;
        measure::pin(core)?;
        let rate = disk::records_per_second(
            server.data(),
            batch,
            disk::record(usize::try_from(self.bytes)?),
            length,
        );
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
        let posters = Posters::connect(&fleet, &server.address, senders, bytes)?;
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
            let body = serde_json::json!({ "name": format!("bench-{topic}") });
            let made = api.call("/api/conversations.create", &body)?;
            let id = made.pointer("/channel/id").and_then(serde_json::Value::as_str).context("channel")?;
            sender.channels.push(id.to_owned());
        }
    }
    Ok(())
}
