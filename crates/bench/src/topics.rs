//! Scenario `topics`: what a topic costs the whole server that was used once, and in which nothing happens.
//!
//! Channels are made, each gets a message, and one session follows each. What the Channel Server alone keeps of such a topic is
//! measured by `cargo bench -p channel --bench idle`; here the gateway, the session and the store's caches are in it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;

use crate::{
    crowd::{connect, in_parallel},
    fleet::Fleet,
    http::Api,
    measure,
    report::{Figure, Report, progress, rounded},
    sends::Sends,
    server::Server,
};

/// People who make channels, each of whom is alone in theirs, with one session.
const PEOPLE: usize = 16;

/// What is run.
#[derive(Debug, Clone, clap::Args)]
pub struct Topics {
    /// Topics; a fifth of them is there before memory is looked at for the first time
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..=200_000))]
    topics: u32,
    /// Seconds of quiet before memory is looked at. A topic gives its memory back after one to two minutes
    #[arg(long, default_value_t = 130, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
}

impl Topics {
    /// Runs the scenario.
    ///
    /// # Errors
    /// When the server fails.
    pub fn run(&self) -> Result<Report> {
        measure::raise_open_files();
        let topics = usize::try_from(self.topics)?;
        let server = Server::start(PEOPLE, None)?;
        let tokens: Vec<String> = server.seed.tokens(PEOPLE)?.into_iter().map(str::to_owned).collect();
        // Caches and pools have their size after the first topics: they are not what the next ones cost.
        let first = topics / 5;
        let before = self.idle(&server, &tokens, 0..first)?;
        let after = self.idle(&server, &tokens, first..topics)?;
        let grown = rounded(after.saturating_sub(before));
        let rest = rounded(u64::try_from(topics - first)?);
        Ok(Report::new(vec![
            Figure::once("resident memory of the server per idle topic, one session", "B", grown / rest),
            Figure::once("resident memory of the server", "MB", rounded(after) / 1_048_576.0),
            Figure::once("topics", "", rounded(u64::try_from(topics)?)),
        ]))
    }

    /// Makes topics and uses each once, follows all that there are, and waits; the server's memory then.
    fn idle(&self, server: &Server, tokens: &[String], topics: std::ops::Range<usize>) -> Result<u64> {
        progress(&format!("{} channels are made, each gets a message", topics.len()));
        let numbers: Vec<usize> = (0..tokens.len()).collect();
        in_parallel(&numbers, |person| {
            let mut api = Api::connect(&server.address, tokens.get(*person).context("nobody")?)?;
            for number in topics.clone().filter(|number| number % tokens.len() == *person) {
                let channel = api.create_channel(number)?;
                let message = json!({ "channel": channel, "text": "once" });
                api.call("/api/chat.postMessage", &message)?;
            }
            Ok(())
        })?;
        let mut fleet = Fleet::new("")?;
        connect(&mut fleet, &server.address, tokens)?;
        progress(&format!("everything is followed; {} s of quiet", self.seconds));
        let until = Instant::now() + Duration::from_secs(self.seconds.into());
        while Instant::now() < until {
            fleet.turn(Duration::from_millis(200), &Sends::default())?;
        }
        Ok(server.usage()?.resident)
    }
}
