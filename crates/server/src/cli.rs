//! The command line.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, ensure};
use clap::{Args, Parser, Subcommand};

use crate::{
    config::{Config, LogFormat, RateLimits, Role, Shard},
    control_socket,
    dead_jobs::Change,
    node, seed, stores, transfer,
    workspaces::NewWorkspace,
};

/// A team-messaging server that speaks Slack's interfaces.
#[derive(Debug, Parser)]
#[command(name = "parlance", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server until SIGTERM or Ctrl-C
    Serve(Serve),
    /// Make a demo workspace (once) and print its ids, passwords and tokens
    Seed(Seed),
    /// Move an embedded installation to PostgreSQL; the server must be stopped
    Migrate(Migrate),
    /// Copy the store to a new file, also while the server runs
    Backup(Backup),
    /// Put a backup back, into a new data directory or an empty database
    Restore(Restore),
    /// Set a new password for a person, also while the server runs; it signs them out everywhere
    ResetPassword(ResetPassword),
    /// Make a further workspace and its owner, also while the server runs; prints the owner's password
    CreateWorkspace(CreateWorkspace),
    /// Show the jobs that were given up, try one again or forget it
    Jobs(Jobs),
    /// Measure a server of this program with real sessions, against a baseline in the same run
    Bench(Bench),
    /// Print the methods of the API as JSON: names, and scopes that tokens need
    #[command(hide = true)]
    Methods,
    /// Work that the server has done in processes of their own
    #[command(hide = true)]
    Worker(Worker),
    /// Show or check the configuration
    Config(ConfigCommand),
}

#[derive(Debug, Args)]
struct Source {
    /// Configuration file (TOML)
    #[arg(long, env = "PARLANCE_CONFIG", global = true)]
    config: Option<PathBuf>,
}

/// Which store: what the file and the environment say, and what overrides them.
#[derive(Debug, Args)]
struct Place {
    #[command(flatten)]
    source: Source,
    /// Directory of everything durable
    #[arg(long)]
    data: Option<String>,
    /// The store: `sqlite` (embedded) or postgres://…
    #[arg(long)]
    store: Option<String>,
}

/// Which store, or which shards.
#[derive(Debug, Args)]
struct Places {
    #[command(flatten)]
    place: Place,
    /// Several PostgreSQL databases instead of one store: NAME=postgres://…, once for each
    #[arg(long, conflicts_with = "store")]
    shard: Vec<Shard>,
}

#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    places: Places,
    /// Address to listen on; port 0 takes a free one
    #[arg(long)]
    listen: Option<String>,
    /// Where clients reach the server
    #[arg(long)]
    public_url: Option<String>,
    /// Limits of app tokens
    #[arg(long)]
    rate_limits: Option<RateLimits>,
    /// Roles of this process, comma-separated
    #[arg(long, value_delimiter = ',')]
    roles: Option<Vec<Role>>,
}

#[derive(Debug, Args)]
struct Seed {
    #[command(flatten)]
    places: Places,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Extra members of `general`, at most 100000
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    members: u32,
}

#[derive(Debug, Args)]
struct Bench {
    #[command(subcommand)]
    scenario: bench::Scenario,
    /// Print the figures as JSON
    #[arg(long, global = true)]
    json: bool,
    /// Draw latencies and rounds, as SVG, into this folder
    #[arg(long, global = true, value_name = "DIR")]
    plot: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Migrate {
    #[command(flatten)]
    source: Source,
    /// Data directory of the embedded installation
    #[arg(long)]
    from: PathBuf,
    /// The database: postgres://…
    #[arg(long)]
    store: Option<String>,
    /// Data directory of the servers on the database, if it is to be another
    #[arg(long)]
    data: Option<String>,
}

#[derive(Debug, Args)]
struct Restore {
    #[command(flatten)]
    place: Place,
    /// The backup
    #[arg(long, required_unless_present = "in_place", conflicts_with = "in_place")]
    from: Option<PathBuf>,
    /// The store itself was put back by other means: only let clients start from a snapshot
    #[arg(long)]
    in_place: bool,
    /// Workspaces that had moved to another database live here again: only when that one is given up
    #[arg(long)]
    take_back: bool,
}

#[derive(Debug, Args)]
struct Backup {
    #[command(flatten)]
    place: Place,
    /// The new file; it must not exist
    #[arg(long)]
    to: PathBuf,
}

#[derive(Debug, Args)]
struct ResetPassword {
    #[command(flatten)]
    places: Places,
    /// Whose
    #[arg(long)]
    email: String,
    /// Domain of the workspace, needed when there are several
    #[arg(long)]
    team: Option<String>,
}

#[derive(Debug, Args)]
struct CreateWorkspace {
    #[command(flatten)]
    places: Places,
    /// The workspace's name
    #[arg(long)]
    name: String,
    /// Its name for signing in, of lower-case letters, digits and -; made of the name if none
    #[arg(long)]
    domain: Option<String>,
    /// The owner's full name
    #[arg(long)]
    owner: String,
    /// The owner's e-mail address
    #[arg(long)]
    email: String,
}

#[derive(Debug, Args)]
struct Jobs {
    #[command(flatten)]
    places: Places,
    /// Try this job again
    #[arg(long, value_name = "ID", conflicts_with = "drop")]
    replay: Option<String>,
    /// Forget this job
    #[arg(long, value_name = "ID")]
    drop: Option<String>,
}

#[derive(Debug, Args)]
struct Worker {
    #[command(subcommand)]
    what: WorkerWhat,
}

#[derive(Debug, Subcommand)]
enum WorkerWhat {
    /// Make thumbnails of the picture on standard input
    Thumbnails,
    /// Make a person's photo of the picture on standard input
    Photo {
        /// The square of it, pixels from the left and the top; without these the middle
        #[arg(requires = "y")]
        x: Option<u32>,
        /// From the top
        y: Option<u32>,
        /// Its width and height; without it as large as can be
        side: Option<u32>,
    },
}

#[derive(Debug, Args)]
struct ConfigCommand {
    #[command(flatten)]
    source: Source,
    #[command(subcommand)]
    what: ConfigWhat,
}

#[derive(Debug, Subcommand)]
enum ConfigWhat {
    /// Print the default configuration as TOML
    Default,
    /// Check the file and the environment, and say what is wrong
    Check,
    /// Print the configuration that is in force: defaults, file and environment
    Dump,
}

impl Cli {
    /// Does what was asked; errors go to standard error, as a sentence.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let result = match self.command {
            Command::Serve(command) => command.run(),
            Command::Seed(command) => command.run(),
            Command::Migrate(command) => command.run(),
            Command::Backup(command) => command.run(),
            Command::Restore(command) => command.run(),
            Command::ResetPassword(command) => command.run(),
            Command::CreateWorkspace(command) => command.run(),
            Command::Jobs(command) => command.run(),
            Command::Bench(command) => command.run(),
            Command::Methods => methods(),
            Command::Worker(worker) => worker.run(),
            Command::Config(command) => command.run(),
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                say_error(&format!("parlance: {error:#}"));
                ExitCode::FAILURE
            }
        }
    }
}

/// Prints to standard output; a closed pipe is nobody's loss.
pub(crate) fn say(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Prints to standard error.
pub(crate) fn say_error(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}

impl Places {
    /// The configuration that is in force. One store on the command line replaces the file's shards, and the other
    /// way round.
    fn load(&self) -> anyhow::Result<Config> {
        let config = self.unchecked()?;
        config.check()?;
        Ok(config)
    }

    fn unchecked(&self) -> anyhow::Result<Config> {
        let Self { place: Place { source, data, store }, shard } = self;
        let mut config = source.unchecked()?;
        set(&mut config.data, data.as_ref());
        if let Some(store) = store {
            config.store.clone_from(store);
            config.shards.clear();
        }
        if !shard.is_empty() {
            config.store = Config::default().store;
            config.shards.clone_from(shard);
        }
        Ok(config)
    }
}

impl Place {
    /// The configuration that is in force, for a command that works on one database.
    fn load(self) -> anyhow::Result<Config> {
        let config = Places { place: self, shard: Vec::new() }.load()?;
        ensure!(
            config.shards.is_empty(),
            "this works on one database, and the configuration has several shards: name one with --store"
        );
        Ok(config)
    }
}

impl Source {
    fn unchecked(&self) -> anyhow::Result<Config> {
        Config::load(self.config.as_deref(), std::env::vars())
    }

    fn load(&self) -> anyhow::Result<Config> {
        let config = self.unchecked()?;
        config.check()?;
        Ok(config)
    }
}

fn set(to: &mut String, from: Option<&String>) {
    if let Some(value) = from {
        to.clone_from(value);
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("runtime")
}

impl Serve {
    fn run(self) -> anyhow::Result<()> {
        let config = self.load()?;
        let format = match config.log.format {
            LogFormat::Json => runtime::telemetry::LogFormat::Json,
            LogFormat::Text => runtime::telemetry::LogFormat::Text,
        };
        runtime::telemetry::start_logs(format, &config.log.filter)
            .map_err(|error| anyhow::anyhow!("log.filter: {error}"))?;
        let runtime = runtime()?;
        let result = runtime.block_on(node::serve(config));
        // What a blocking read still does must not hold up the end.
        runtime.shutdown_timeout(std::time::Duration::from_secs(1));
        result
    }

    fn load(self) -> anyhow::Result<Config> {
        let mut config = self.places.unchecked()?;
        set(&mut config.listen, self.listen.as_ref());
        set(&mut config.public_url, self.public_url.as_ref());
        if let Some(limits) = self.rate_limits {
            config.rate_limits = limits;
        }
        if let Some(roles) = self.roles {
            config.roles = roles;
        }
        config.check()?;
        Ok(config)
    }
}

impl Seed {
    fn run(self) -> anyhow::Result<()> {
        let document = runtime()?.block_on(seed::seed(&self.places.load()?, self.members))?;
        if self.json {
            say(&serde_json::to_string_pretty(&document)?);
        } else {
            say(&document.for_people());
        }
        Ok(())
    }
}

impl Migrate {
    fn run(self) -> anyhow::Result<()> {
        let config = Place { source: self.source, data: None, store: self.store }.load()?;
        let data = self.data.as_ref().map_or(self.from.as_path(), Path::new);
        runtime()?.block_on(transfer::migrate(&config, &self.from, data))
    }
}

impl Backup {
    fn run(self) -> anyhow::Result<()> {
        let config = self.place.load()?;
        let runtime = runtime()?;
        if stores::is_postgres(&config.store) {
            runtime.block_on(transfer::backup(&config.store, &self.to))
        } else {
            runtime.block_on(control_socket::backup(&config, &self.to))
        }
    }
}

impl Restore {
    fn run(self) -> anyhow::Result<()> {
        let config = self.place.load()?;
        match &self.from {
            Some(from) => runtime()?.block_on(transfer::restore(&config, from, self.take_back)),
            None => runtime()?.block_on(transfer::raise_generations(&config, self.take_back)),
        }
    }
}

impl ResetPassword {
    fn run(self) -> anyhow::Result<()> {
        let config = self.places.load()?;
        let set = control_socket::reset_password(&config, &self.email, self.team.as_deref());
        let password = runtime()?.block_on(set)?;
        say(&format!("The new password of {} is  {password}", self.email));
        Ok(())
    }
}

impl CreateWorkspace {
    fn run(self) -> anyhow::Result<()> {
        let config = self.places.load()?;
        let Self { name, domain, owner, email, .. } = self;
        let new = NewWorkspace { name, domain, owner, email };
        let created = runtime()?.block_on(control_socket::create_workspace(&config, new))?;
        say(&serde_json::to_string_pretty(&created)?);
        Ok(())
    }
}

impl Jobs {
    fn run(self) -> anyhow::Result<()> {
        let config = self.places.load()?;
        let runtime = runtime()?;
        let change = match (&self.replay, &self.drop) {
            (Some(id), _) => Some((id, Change::Replay)),
            (None, Some(id)) => Some((id, Change::Drop)),
            (None, None) => None,
        };
        match change {
            Some((id, change)) => runtime.block_on(control_socket::change_job(&config, id, change)),
            None => {
                let dead = runtime.block_on(control_socket::dead_jobs(&config))?;
                say(&serde_json::to_string_pretty(&dead)?);
                Ok(())
            }
        }
    }
}

impl Bench {
    fn run(self) -> anyhow::Result<()> {
        let report = self.scenario.run()?;
        if report.figures.is_empty() {
            return Ok(());
        }
        if let Some(folder) = self.plot {
            report.plot(&folder)?;
        }
        if self.json {
            say(&serde_json::to_string_pretty(&report.figures)?)
        } else {
            say(&bench::report::table(&report.figures))
        }
        Ok(())
    }
}

impl Worker {
    fn run(&self) -> anyhow::Result<()> {
        match self.what {
            WorkerWhat::Thumbnails => pictures::worker::thumbnails(),
            WorkerWhat::Photo { x, y, side } => {
                pictures::worker::photo(x.zip(y).map(|(x, y)| pictures::Crop { x, y, side }))
            }
        }
    }
}

fn methods() -> anyhow::Result<()> {
    use api::methods::{Access, METHODS};
    let described: Vec<_> = METHODS
        .iter()
        .map(|method| match method.access {
            Access::Anyone => serde_json::json!({ "name": method.name, "anyone": true }),
            Access::Token { bot, user, app } => {
                serde_json::json!({ "name": method.name, "bot": bot, "user": user, "app": app })
            }
        })
        .collect();
    say(&serde_json::to_string(&described)?);
    Ok(())
}

impl ConfigCommand {
    fn run(&self) -> anyhow::Result<()> {
        match self.what {
            ConfigWhat::Default => say(&Config::default().to_toml()?),
            ConfigWhat::Dump => say(&self.source.load()?.shown().to_toml()?),
            ConfigWhat::Check => {
                self.source.load()?;
                say("The configuration is good.");
            }
        }
        Ok(())
    }
}
