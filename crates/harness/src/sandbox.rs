//! A temporary directory with a seeded workspace, and the process that serves it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::http::Api;

/// How long a start may take on a busy machine before the test gives up.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// How long a drain may take before the test gives up.
const DRAINED_WITHIN: Duration = Duration::from_secs(60);

/// The binary under test: `PARLANCE_BIN`, or the debug build, which is made first.
///
/// # Errors
/// When it cannot be built.
pub fn binary() -> Result<&'static Path> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = BINARY.get_or_init(|| match std::env::var_os("PARLANCE_BIN") {
        Some(path) => Ok(PathBuf::from(path)),
        None => build().map_err(|error| format!("{error:#}")),
    });
    found.as_deref().map_err(|error| anyhow::anyhow!("{error}"))
}

fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = std::process::Command::new(cargo)
        .args(["build", "--package", "server", "--bin", "parlance", "--message-format", "json"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .stderr(Stdio::inherit())
        .output()
        .context("cargo")?;
    ensure!(output.status.success(), "the server does not build");
    let lines = String::from_utf8(output.stdout)?;
    let artifacts = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut paths = artifacts
        .filter_map(|message| message.get("executable").and_then(Value::as_str).map(PathBuf::from))
        .filter(|path| path.file_name().is_some_and(|name| name == "parlance"));
    paths.next_back().context("cargo named no executable")
}

/// What `parlance seed --json` prints.
#[derive(Debug, Clone, Deserialize)]
pub struct Seed {
    /// The workspace.
    pub workspace: Named,
    /// Three people with passwords and tokens.
    pub people: Vec<Person>,
    /// The bot.
    pub bot: Bot,
    /// The bot's app.
    pub app: App,
    /// Channel name → id.
    pub channels: BTreeMap<String, String>,
    /// The extra members of `general`.
    pub members: Vec<Member>,
}

/// Something with an id and a name.
#[derive(Debug, Clone, Deserialize)]
pub struct Named {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
}

/// A seeded person.
#[derive(Debug, Clone, Deserialize)]
pub struct Person {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// For signing in.
    pub email: String,
    /// For signing in.
    pub password: String,
    /// A user token.
    #[serde(alias = "user_token")]
    pub token: String,
}

/// The seeded bot.
#[derive(Debug, Clone, Deserialize)]
pub struct Bot {
    /// Its user id.
    pub user_id: String,
    /// Its bot id.
    pub bot_id: String,
    /// A bot token with all scopes.
    pub token: String,
}

/// The seeded app.
#[derive(Debug, Clone, Deserialize)]
pub struct App {
    /// Its id.
    pub id: String,
    /// An app-level token.
    #[serde(alias = "app_token")]
    pub token: String,
}

/// A seeded extra member of `general`.
#[derive(Debug, Clone, Deserialize)]
pub struct Member {
    /// The id.
    pub id: String,
    /// A user token.
    pub token: String,
}

/// What a sandbox is started with.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Extra members of `general`.
    pub members: usize,
    /// The store's address; if none, a new database of the PostgreSQL server that `PARLANCE_SANDBOX_STORE` names,
    /// else the embedded one.
    pub store: Option<String>,
    /// Another server has seeded the store: this one only serves.
    pub seed: Option<Seed>,
    /// The data directory; a new temporary one if none.
    pub data: Option<PathBuf>,
    /// More arguments of `parlance serve`. Rate limits are off unless named here.
    pub arguments: Vec<String>,
    /// Environment variables of `parlance serve`.
    pub environment: Vec<(String, String)>,
}

/// A seeded workspace and the process that serves it. The process is killed when this is dropped.
pub struct Sandbox {
    /// What the workspace started with.
    pub seed: Seed,
    directory: TempDir,
    data: PathBuf,
    store: Option<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    listen: String,
    url: String,
    process: Option<Child>,
    up: watch::Sender<bool>,
}

impl Sandbox {
    /// Seeds a workspace and serves it on a free port.
    ///
    /// # Errors
    /// When the binary cannot be built, refuses, or is not ready in time.
    pub async fn start() -> Result<Sandbox> {
        Sandbox::start_with(Options::default()).await
    }

    /// As [`Sandbox::start`], with options.
    ///
    /// # Errors
    /// As there.
    pub async fn start_with(options: Options) -> Result<Sandbox> {
        let directory = tempfile::tempdir()?;
        let data = options.data.unwrap_or_else(|| directory.path().join("data"));
        let store = match options.store {
            Some(store) => Some(store),
            None => fresh_database().await?,
        };
        let seed = match options.seed {
            Some(seed) => seed,
            None => seed_in(&data, store.as_deref(), options.members).await?,
        };
        let mut sandbox = Sandbox {
            seed,
            directory,
            data,
            store,
            arguments: options.arguments,
            environment: options.environment,
            listen: "127.0.0.1:0".to_owned(),
            url: String::new(),
            process: None,
            up: watch::Sender::new(false),
        };
        sandbox.restart().await?;
        Ok(sandbox)
    }

    /// Serves a data directory that was seeded elsewhere, on a free port.
    ///
    /// # Errors
    /// As [`Sandbox::start`].
    pub async fn on(data: &Path, seed: Seed) -> Result<Sandbox> {
        let (data, seed) = (Some(data.to_path_buf()), Some(seed));
        Sandbox::start_with(Options { data, seed, ..Options::default() }).await
    }

    /// Starts the process, on the port of the first start.
    ///
    /// # Errors
    /// When it runs already, ends, or is not ready in time; with the end of its log.
    pub async fn restart(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "the server runs already");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log_path())?;
        let mut command = command()?;
        command.arg("serve").arg("--data").arg(&self.data).args(["--listen", &self.listen]);
        if let Some(store) = &self.store {
            command.args(["--store", store]);
        }
        if !self.arguments.iter().any(|argument| argument == "--rate-limits") {
            command.args(["--rate-limits", "off"]);
        }
        command.args(&self.arguments).envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut process = command.spawn().context("parlance serve")?;
        let stdout = process.stdout.take().context("no stdout")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = timeout(READY_WITHIN, lines.next_line()).await;
        let line = match line {
            Ok(Ok(Some(line))) => line,
            other => bail!("no ready line ({other:?}); the log ends:\n{}", self.log_end()),
        };
        let ready: Value = serde_json::from_str(&line).with_context(|| format!("ready line {line:?}"))?;
        ensure!(ready["ready"] == Value::Bool(true), "ready line {line:?}");
        self.url =
            ready["url"].as_str().context("no url in the ready line")?.trim_end_matches('/').to_owned();
        self.listen = self.url.trim_start_matches("http://").to_owned();
        // Whatever else it prints must not block it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        self.process = Some(process);
        self.up.send_replace(true);
        Ok(())
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the server does not run")?;
        self.up.send_replace(false);
        process.start_kill()?;
        process.wait().await?;
        Ok(())
    }

    /// SIGTERM, and waits until it has drained.
    ///
    /// # Errors
    /// When it does not run or does not end in time.
    pub async fn terminate(&mut self) -> Result<ExitStatus> {
        self.signal("TERM").await?;
        self.wait().await
    }

    /// Sends a signal by name.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn signal(&self, name: &str) -> Result<()> {
        let pid = self.pid().context("the server does not run")?;
        let status = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().await?;
        ensure!(status.success(), "kill -{name} {pid}");
        Ok(())
    }

    /// Waits until the process ends by itself.
    ///
    /// # Errors
    /// When it does not run or does not end in time.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        let mut process = self.process.take().context("the server does not run")?;
        self.up.send_replace(false);
        let status = timeout(DRAINED_WITHIN, process.wait()).await;
        status
            .with_context(|| format!("it does not end; the log ends:\n{}", self.log_end()))?
            .map_err(Into::into)
    }

    /// Waits until the process ends by itself while clients still take it to be up.
    ///
    /// # Errors
    /// When it does not run or does not end in time.
    pub async fn fails(&mut self) -> Result<ExitStatus> {
        let process = self.process.as_mut().context("the server does not run")?;
        let ended = timeout(DRAINED_WITHIN, process.wait()).await;
        ended.with_context(|| format!("it does not end; the log ends:\n{}", self.log_end()))??;
        self.wait().await
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> &str {
        &self.listen
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A directory of this sandbox that the server does not use.
    pub fn scratch(&self) -> &Path {
        self.directory.path()
    }

    /// The process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().and_then(Child::id)
    }

    /// True while the process runs and is ready.
    pub fn up(&self) -> watch::Receiver<bool> {
        self.up.subscribe()
    }

    /// Everything the server wrote to stderr, across restarts.
    pub fn log(&self) -> String {
        std::fs::read(self.log_path())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// A client with a token.
    pub fn api(&self, token: &str) -> Api {
        Api::new(&self.url, Some(token))
    }

    /// A client as one of the seeded people.
    ///
    /// # Errors
    /// When there is no such person.
    pub fn person(&self, index: usize) -> Result<Api> {
        let person = self.seed.people.get(index).with_context(|| format!("no person {index}"))?;
        Ok(self.api(&person.token))
    }

    /// A client as the bot.
    pub fn bot(&self) -> Api {
        self.api(&self.seed.bot.token)
    }

    /// The id of a seeded channel.
    ///
    /// # Errors
    /// When there is no such channel.
    pub fn channel(&self, name: &str) -> Result<&str> {
        self.seed.channels.get(name).map(String::as_str).with_context(|| format!("no channel {name}"))
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("server.log")
    }

    fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().rev().take(30).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

/// A database of its own on the server that `PARLANCE_SANDBOX_STORE` names, if it names one: so the tests of
/// what clients see run on either store.
async fn fresh_database() -> Result<Option<String>> {
    let Ok(server) = std::env::var("PARLANCE_SANDBOX_STORE") else { return Ok(None) };
    let name = format!("s{}", uuid::Uuid::new_v4().simple());
    let (client, connection) = tokio_postgres::connect(&server, tokio_postgres::NoTls).await?;
    let driver = tokio::spawn(connection);
    client.batch_execute(&format!("CREATE DATABASE {name}")).await?;
    drop(client);
    driver.await??;
    let (address, _) = server.rsplit_once('/').context("PARLANCE_SANDBOX_STORE names no database")?;
    Ok(Some(format!("{address}/{name}")))
}

/// Runs `parlance seed` on the embedded store and reads what it prints.
///
/// # Errors
/// When it refuses or prints something else.
pub async fn seed(data: &Path, members: usize) -> Result<Seed> {
    seed_in(data, None, members).await
}

/// As [`seed`], in a store.
async fn seed_in(data: &Path, store: Option<&str>, members: usize) -> Result<Seed> {
    let (data, members) = (data.to_str().context("path")?, members.to_string());
    let mut arguments = vec!["seed", "--data", data, "--json", "--members", &members];
    arguments.extend(store.iter().flat_map(|store| ["--store", store]));
    let output = parlance(&arguments).await?;
    ensure!(output.status.success(), "parlance seed: {}: {}", output.status, output.stderr);
    serde_json::from_str(&output.stdout).with_context(|| format!("parlance seed printed {:?}", output.stdout))
}

/// What a command of the binary printed.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Its output.
    pub stdout: String,
    /// Its messages.
    pub stderr: String,
}

/// The binary, without the variables that only tests read: it refuses those that it does not know.
///
/// # Errors
/// When there is no binary.
pub fn command() -> Result<Command> {
    let mut command = Command::new(binary()?);
    for ours in ["PARLANCE_POSTGRES_BIN", "PARLANCE_SANDBOX_STORE", "PARLANCE_RECORD", "PARLANCE_SCRIPT_ONLY"]
    {
        command.env_remove(ours);
    }
    Ok(command)
}

/// Runs a command of the binary to its end.
///
/// # Errors
/// When it cannot be run or does not end in time.
pub async fn parlance(arguments: &[&str]) -> Result<Output> {
    parlance_with(arguments, &[]).await
}

/// As [`parlance`], with environment variables.
///
/// # Errors
/// As there.
pub async fn parlance_with(arguments: &[&str], environment: &[(&str, &str)]) -> Result<Output> {
    let mut command = command()?;
    command.args(arguments).envs(environment.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(READY_WITHIN, command.output()).await;
    let output = output.with_context(|| format!("parlance {arguments:?} does not end"))??;
    Ok(Output {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
