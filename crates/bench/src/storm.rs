//! Scenario `storm`: the server is killed and every session comes back at once.
//!
//! What it costs is compared with the least that so many connections cost anybody: accepted and upgraded by the baseline's
//! server. A client that comes back asks for a ticket over a new connection, opens the WebSocket and resumes; messages that were
//! posted while it was away must reach it, each once.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use crate::{
    crowd::{again, follow, ticket, until_live},
    fleet::{Fleet, Seen},
    http::Api,
    measure,
    plain::{Kind, Plain},
    report::{Figure, Report, progress, rounded},
    sends::Sends,
    server::Server,
};

/// Messages that everybody misses.
const MISSED: usize = 50;

/// What is run.
#[derive(Debug, Clone, clap::Args)]
pub struct Storm {
    /// Sessions, each of another person
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=15_000))]
    sessions: u32,
    /// Threads that connect
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    threads: u32,
}

impl Storm {
    /// Runs the scenario.
    ///
    /// # Errors
    /// When the server fails, or anything was lost or doubled.
    pub fn run(&self) -> Result<Report> {
        let people = usize::try_from(self.sessions)?;
        let files = measure::raise_open_files();
        ensure!(
            files > u64::from(self.sessions) + 300,
            "{files} files may be open: too few for {people} sessions"
        );
        let core = (measure::cores() > 1).then_some(1);
        let mut server = Server::start(people, core)?;
        measure::pin((measure::cores() > 1).then_some(0))?;
        let channel = server.seed.general()?.to_owned();
        let tokens: Vec<String> = server.seed.tokens(people)?.into_iter().map(str::to_owned).collect();
        let owner = server.seed.people.first().context("no owner")?.token.clone();
        let mut fleet = Fleet::new(&channel)?;
        let all: Vec<&str> = tokens.iter().map(String::as_str).collect();
        let at = follow(&mut fleet, &server.address, &channel, &all)?;
        progress(&format!("{people} sessions follow the channel; the server is killed"));
        drop(fleet);
        server.crash()?;
        let mut sends = Sends::default();
        let mut api = Api::connect(&server.address, &owner)?;
        for _ in 0..MISSED {
            let text = sends.next(Instant::now(), 100);
            api.call("/api/chat.postMessage", &serde_json::json!({ "channel": channel, "text": text }))?;
        }
        let before = server.usage()?;
        let start = Instant::now();
        let seen = self.come_back(&server.address, &channel, &tokens, at, &sends)?;
        let took = start.elapsed();
        let cpu = (server.usage()?.cpu - before.cpu).as_secs_f64() / rounded(u64::try_from(people)?);
        let expected = u64::try_from(people * MISSED)?;
        seen.exactly(expected)?;
        let limit = accepted(people, core)?;
        Ok(Report::new(vec![
            Figure::once(
                "from the first connection until all are live and caught up",
                "s",
                took.as_secs_f64(),
            ),
            Figure::of("server CPU per session that came back", "ms", &[cpu * 1_000.0], &[cpu / limit]),
            Figure::once("CPU per connection, accepted and upgraded only", "ms", limit * 1_000.0),
            Figure::once("messages missed and delivered to each", "", rounded(u64::try_from(MISSED)?)),
        ]))
    }

    /// Connects everybody, by several threads; returns what came.
    fn come_back(
        &self,
        address: &str,
        channel: &str,
        tokens: &[String],
        at: (u64, u64),
        sends: &Sends,
    ) -> Result<Seen> {
        let threads = usize::try_from(self.threads)?;
        std::thread::scope(|scope| {
            let parts: Vec<_> = tokens
                .chunks(tokens.len().div_ceil(threads))
                .map(|part| scope.spawn(move || part_comes_back(address, channel, part, at, sends)))
                .collect();
            let mut all = Seen::default();
            for part in parts {
                let seen = part.join().map_err(|_| anyhow!("a thread panicked"))??;
                all.delivered += seen.delivered;
                all.repeated += seen.repeated;
                all.missed += seen.missed;
            }
            Ok(all)
        })
    }
}

fn part_comes_back(
    address: &str,
    channel: &str,
    tokens: &[String],
    at: (u64, u64),
    sends: &Sends,
) -> Result<Seen> {
    let mut fleet = Fleet::new(channel)?;
    for token in tokens {
        let url = ticket(&mut Api::connect(address, token)?)?;
        fleet.open(&url, Some(at))?;
        fleet.turn(Duration::ZERO, sends)?;
    }
    until_live(&mut fleet, 0, sends, again(address, tokens, channel, at))?;
    Ok(fleet.seen)
}

/// CPU seconds of the baseline's server for one connection.
fn accepted(people: usize, core: Option<usize>) -> Result<f64> {
    let limit = Plain::start(&Kind::Limit, 1, core)?;
    let before = limit.usage()?;
    let _fleet = limit.connect(people)?;
    let cpu = (limit.usage()?.cpu - before.cpu).as_secs_f64();
    ensure!(cpu > 0.0, "{people} connections are too few to measure");
    Ok(cpu / rounded(u64::try_from(people)?))
}
