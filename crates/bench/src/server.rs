//! The server that is measured: one of ours, started for the run, or one that runs already.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::measure;

/// A token of somebody in `general`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) token: String,
}

/// What `parlance seed --json` prints, as far as it is needed.
#[derive(Debug, Deserialize)]
pub(crate) struct Seed {
    /// Three people, of whom the first owns the workspace.
    pub(crate) people: Vec<Member>,
    /// The others in `general`.
    pub(crate) members: Vec<Member>,
    /// Name → id.
    pub(crate) channels: std::collections::BTreeMap<String, String>,
}

impl Seed {
    /// The channel that everybody is in.
    pub(crate) fn general(&self) -> Result<&str> {
        self.channels.get("general").map(String::as_str).context("no channel general")
    }

    /// Tokens of so many people of `general`, each another's.
    ///
    /// # Errors
    /// When there are fewer.
    pub(crate) fn tokens(&self, count: usize) -> Result<Vec<&str>> {
        let all = self.members.iter().chain(&self.people).map(|member| member.token.as_str());
        let tokens: Vec<&str> = all.take(count).collect();
        ensure!(tokens.len() == count, "there are {} people, not {count}", tokens.len());
        Ok(tokens)
    }
}

/// What is measured: a server of our own, unless one is named.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Target {
    /// A server that runs already on this machine, `http://HOST:PORT`, with rate limits off (`serve --rate-limits off`).
    /// It gets channels and messages that stay
    #[arg(long, value_name = "URL", requires_all = ["people_file", "pid"])]
    server: Option<String>,
    /// Who posts and listens there: what `parlance seed --json --members N` printed when its workspace was made
    #[arg(long = "people-file", value_name = "FILE", requires = "server")]
    people_file: Option<PathBuf>,
    /// Its process, whose CPU time and memory are counted. May be repeated: roles are processes of their own
    #[arg(long, requires = "server")]
    pid: Vec<u32>,
    /// Its data directory, if its store is the embedded one: what SQLite and the disk do alone is measured there
    #[arg(long, value_name = "DIR", requires = "server")]
    data: Option<PathBuf>,
}

impl Target {
    /// The server, with at least so many people in `general`. One of our own runs on one core.
    ///
    /// # Errors
    /// When it cannot be started, or the one that is named is not as it should be.
    pub(crate) fn server(&self, people: usize, core: Option<usize>) -> Result<Server> {
        let (Some(url), Some(file)) = (&self.server, &self.people_file) else {
            return Server::start(people, core);
        };
        let address = url
            .strip_prefix("http://")
            .with_context(|| format!("{url}: the load generator speaks http:// only"))?;
        let text = std::fs::read(file).with_context(|| file.display().to_string())?;
        let seed: Seed = serde_json::from_slice(&text)
            .with_context(|| format!("{}: not what `parlance seed --json` prints", file.display()))?;
        seed.tokens(people)?;
        Ok(Server {
            address: address.trim_end_matches('/').to_owned(),
            seed,
            own: None,
            pids: self.pid.clone(),
            data: self.data.clone(),
        })
    }
}

/// A server.
pub(crate) struct Server {
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    /// Who is there.
    pub(crate) seed: Seed,
    own: Option<Own>,
    pids: Vec<u32>,
    data: Option<PathBuf>,
}

/// A process of this very program on a directory of its own, on one core.
struct Own {
    program: PathBuf,
    folder: tempfile::TempDir,
    core: Option<usize>,
    process: Child,
}

impl Server {
    /// Makes a workspace with so many people in `general`, and serves it.
    ///
    /// # Errors
    /// When either fails; what the program said goes to stderr.
    pub(crate) fn start(people: usize, core: Option<usize>) -> Result<Self> {
        let program = std::env::current_exe()?;
        let folder = tempfile::tempdir()?;
        // Three are always there.
        let members = people.saturating_sub(3).to_string();
        let output = Command::new(&program)
            .arg("seed")
            .arg("--data")
            .arg(folder.path())
            .args(["--json", "--members", &members])
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(output.status.success(), "parlance seed: {}", output.status);
        let seed: Seed = serde_json::from_slice(&output.stdout)?;
        let (process, address) = serve(&program, folder.path(), "127.0.0.1:0", core)?;
        let (pids, data) = (vec![process.id()], Some(folder.path().to_owned()));
        Ok(Self { address, seed, own: Some(Own { program, folder, core, process }), pids, data })
    }

    /// SIGKILL, and started again on the same address.
    ///
    /// # Errors
    /// When it does not come up.
    pub(crate) fn crash(&mut self) -> Result<()> {
        self.own()?.process.kill()?;
        self.start_again()
    }

    /// SIGTERM, and started again on the same address.
    ///
    /// # Errors
    /// When it does not come up.
    pub(crate) fn restart(&mut self) -> Result<()> {
        let pid = rustix::process::Pid::from_child(&self.own()?.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        self.start_again()
    }

    fn own(&mut self) -> Result<&mut Own> {
        self.own.as_mut().context("somebody else started it")
    }

    fn start_again(&mut self) -> Result<()> {
        let listen = self.address.clone();
        let own = self.own()?;
        own.process.wait()?;
        let (process, address) = serve(&own.program, own.folder.path(), &listen, own.core)?;
        own.process = process;
        self.pids = vec![own.process.id()];
        self.address = address;
        Ok(())
    }

    /// Where its data are, if they are here.
    pub(crate) fn data(&self) -> Option<&Path> {
        self.data.as_deref()
    }

    fn database(&self) -> Result<PathBuf> {
        Ok(self.data().context("its data directory is not known")?.join("parlance.db"))
    }

    /// A copy of its database, whole at one moment: tables, indexes, people.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn copy_database(&self, to: &Path) -> Result<()> {
        let database = rusqlite::Connection::open(self.database()?)?;
        let to = to.to_str().context("a path that is no text")?;
        database.execute("VACUUM INTO ?1", [to])?;
        Ok(())
    }

    /// How many transactions it committed so far.
    ///
    /// # Errors
    /// When its database cannot be read.
    pub(crate) fn commits(&self) -> Result<u64> {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let database = rusqlite::Connection::open_with_flags(self.database()?, flags)?;
        let last: i64 =
            database.query_row("SELECT coalesce(max(n), 0) FROM commits", [], |row| row.get(0))?;
        u64::try_from(last).map_err(Into::into)
    }

    /// What it used so far, all its processes together.
    ///
    /// # Errors
    /// When one is gone.
    pub(crate) fn usage(&self) -> Result<measure::Usage> {
        let mut sum = measure::Usage { cpu: Duration::ZERO, resident: 0 };
        for pid in &self.pids {
            let one = measure::usage(*pid).with_context(|| format!("process {pid}"))?;
            sum = measure::Usage { cpu: sum.cpu + one.cpu, resident: sum.resident + one.resident };
        }
        Ok(sum)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serve(program: &Path, data: &Path, listen: &str, core: Option<usize>) -> Result<(Child, String)> {
    let mut command = Command::new(program);
    command.arg("serve").arg("--data").arg(data).args(["--listen", listen, "--rate-limits", "off"]);
    let mut process = pinned(&mut command, core)?;
    let line = first_line(&mut process)?;
    let ready: serde_json::Value =
        serde_json::from_str(&line).with_context(|| format!("instead of being ready it said {line:?}"))?;
    let url = ready.get("url").and_then(serde_json::Value::as_str).context("url")?;
    Ok((process, url.trim_start_matches("http://").trim_end_matches('/').to_owned()))
}

/// The first line that a program says.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn first_line(process: &mut Child) -> Result<String> {
    let mut line = String::new();
    BufReader::new(process.stdout.take().context("stdout")?).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

/// Starts a program on one core, with a pipe for what it prints. Its log would be a part of what is measured.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn pinned(command: &mut Command, core: Option<usize>) -> Result<Child> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    if core.is_none() {
        return command.spawn().map_err(Into::into);
    }
    // A process inherits where its parent runs: there is no moment in which it is anywhere else.
    measure::pin(core)?;
    let process = command.spawn();
    measure::pin(None)?;
    process.map_err(Into::into)
}
