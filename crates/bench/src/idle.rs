//! Scenario `idle`: what a session costs that says and hears nothing.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::{
    crowd::follow,
    fleet::Fleet,
    measure,
    report::{Figure, Report, rounded},
    sends::Sends,
    server::Server,
};

/// What is run.
#[derive(Debug, Clone, clap::Args)]
pub struct Idle {
    /// Sessions, each of another person, with the topics that everybody has
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=15_000))]
    sessions: u32,
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
        let server = Server::start(people, None)?;
        let (channel, tokens) = (server.seed.general()?, server.seed.tokens(people)?);
        let mut fleet = Fleet::new(channel)?;
        // Caches and pools are filled by the first sessions: they are not what the next ones cost.
        let (warm, rest) = tokens.split_at(people / 5);
        follow(&mut fleet, &server.address, channel, warm)?;
        self.quiet(&mut fleet)?;
        let before = server.usage()?;
        follow(&mut fleet, &server.address, channel, rest)?;
        self.quiet(&mut fleet)?;
        let after = server.usage()?;
        let grown = after.resident.saturating_sub(before.resident);
        let quiet = server.usage()?.cpu;
        self.quiet(&mut fleet)?;
        let quiet = server.usage()?.cpu - quiet;
        let sessions = rounded(u64::try_from(rest.len())?);
        Ok(Report::new(vec![
            Figure::once("resident memory per session", "KB", rounded(grown) / 1_024.0 / sessions),
            Figure::once("resident memory of the server", "MB", rounded(after.resident) / 1_048_576.0),
            Figure::once("sessions", "", rounded(u64::try_from(fleet.len())?)),
            Figure::once(
                "CPU while nothing happens, per second",
                "ms",
                quiet.as_secs_f64() * 1_000.0 / f64::from(self.seconds),
            ),
        ]))
    }

    fn quiet(&self, fleet: &mut Fleet) -> Result<()> {
        for _ in 0..self.seconds * 10 {
            fleet.turn(Duration::from_millis(100), &Sends::default())?;
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}
