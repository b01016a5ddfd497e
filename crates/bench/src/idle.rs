//! Scenario `idle`: what a session costs that says and hears nothing.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::{
    crowd::{follow, in_parallel},
    fleet::Fleet,
    http::Api,
    measure,
    report::{Figure, Report, progress, rounded},
    sends::Sends,
    server::Server,
};

/// Channels that everybody is in from the beginning.
const CHANNELS_AT_FIRST: u32 = 2;
/// People whom one call invites.
const INVITED_AT_ONCE: usize = 1_000;

/// What is run.
#[derive(Debug, Clone, clap::Args)]
pub struct Idle {
    /// Sessions, each of another person
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=15_000))]
    sessions: u32,
    /// Channels that everybody is in
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=200))]
    channels: u32,
    /// Seconds of quiet before the memory is looked at
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
}

impl Idle {
    /// Runs the scenario.
    ///
    /// # Errors
    /// When the server fails.
    pub fn run(&self) -> Result<Report> {
        let people = usize::try_from(self.sessions)?;
        let files = measure::raise_open_files();
        ensure!(
            files > u64::from(self.sessions) + 300,
            "{files} files may be open: too few for {people} sessions"
        );
        let mut server = Server::start(people, None)?;
        self.populate(&server)?;
        // Memory that the invitations took and gave back would be what sessions take next.
        server.restart()?;
        let (channel, tokens) = (server.seed.general()?, server.seed.tokens(people)?);
        // The store's caches have their size once everybody was looked up: they are not what a session costs.
        progress("everybody is looked up");
        let numbers: Vec<usize> = (0..people).collect();
        in_parallel(&numbers, |number| {
            let token = tokens.get(*number).context("nobody")?;
            Api::connect(&server.address, token)?.call("/api/client.userBoot", &json!({})).map(|_| ())
        })?;
        let mut fleet = Fleet::new(channel)?;
        // Pools and tables are filled by the first sessions.
        let (warm, rest) = tokens.split_at(people / 5);
        follow(&mut fleet, &server.address, channel, warm)?;
        self.quiet(&mut fleet)?;
        let (before, kernel_before) = (server.usage()?, measure::kernel()?);
        follow(&mut fleet, &server.address, channel, rest)?;
        self.quiet(&mut fleet)?;
        let (after, kernel_after) = (server.usage()?, measure::kernel()?);
        let grown = after.resident.saturating_sub(before.resident);
        let quiet = server.usage()?.cpu;
        self.quiet(&mut fleet)?;
        let quiet = server.usage()?.cpu - quiet;
        let sessions = rounded(u64::try_from(rest.len())?);
        let own = rounded(grown) / 1_024.0 / sessions;
        // Half of it is the generator's: it has the other end of each connection.
        let kernel = rounded(kernel_after.saturating_sub(kernel_before)) / 2.0 / 1_024.0 / sessions;
        Ok(Report::new(vec![
            Figure::once("resident memory per session", "KB", own),
            Figure::once("kernel memory per session", "KB", kernel),
            Figure::once("memory per session, both", "KB", own + kernel),
            Figure::once("resident memory of the server", "MB", rounded(after.resident) / 1_048_576.0),
            Figure::once("sessions", "", rounded(u64::try_from(fleet.len())?)),
            Figure::once(
                "CPU while nothing happens, per second",
                "ms",
                quiet.as_secs_f64() * 1_000.0 / f64::from(self.seconds),
            ),
        ]))
    }

    /// Makes the channels and invites everybody into them.
    fn populate(&self, server: &Server) -> Result<()> {
        let more = self.channels.saturating_sub(CHANNELS_AT_FIRST);
        let owner = server.seed.people.first().context("no owner")?;
        let everybody = server.seed.members.iter().chain(server.seed.people.iter().skip(1));
        let everybody: Vec<&str> = everybody.map(|member| member.id.as_str()).collect();
        let mut api = Api::connect(&server.address, &owner.token)?;
        for number in 1..=more {
            let channel = api.create_channel(usize::try_from(number)?)?;
            for people in everybody.chunks(INVITED_AT_ONCE) {
                let body = json!({ "channel": channel, "users": people.join(",") });
                api.call("/api/conversations.invite", &body)?;
            }
            progress(&format!(
                "everybody is in {} of {} channels",
                number + CHANNELS_AT_FIRST,
                self.channels
            ));
        }
        Ok(())
    }

    fn quiet(&self, fleet: &mut Fleet) -> Result<()> {
        for _ in 0..self.seconds * 10 {
            fleet.turn(Duration::from_millis(100), &Sends::default())?;
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}
