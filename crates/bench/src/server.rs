//! The server that is measured: one of ours, started for the run, or one that runs already.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
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

/// A server of this very program on a directory of its own, on one core.
pub(crate) struct Server {
    program: std::path::PathBuf,
    data: tempfile::TempDir,
    core: Option<usize>,
    process: Child,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    /// Who is there.
    pub(crate) seed: Seed,
}

impl Server {
    /// Makes a workspace with so many people in `general`, and serves it.
    ///
    /// # Errors
    /// When either fails; what the program said goes to stderr.
    pub(crate) fn start(people: usize, core: Option<usize>) -> Result<Self> {
        let program = std::env::current_exe()?;
        let data = tempfile::tempdir()?;
        // Three are always there.
        let members = people.saturating_sub(3).to_string();
        let output = Command::new(&program)
            .arg("seed")
            .arg("--data")
            .arg(data.path())
            .args(["--json", "--members", &members])
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(output.status.success(), "parlance seed: {}", output.status);
        let seed: Seed = serde_json::from_slice(&output.stdout)?;
        let (process, address) = serve(&program, data.path(), "127.0.0.1:0", core)?;
        Ok(Self { program, data, core, process, address, seed })
    }

    /// SIGKILL, and started again on the same address.
    ///
    /// # Errors
    /// When it does not come up.
    pub(crate) fn crash(&mut self) -> Result<()> {
        self.process.kill()?;
        self.start_again()
    }

    /// SIGTERM, and started again on the same address.
    ///
    /// # Errors
    /// When it does not come up.
    pub(crate) fn restart(&mut self) -> Result<()> {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        self.start_again()
    }

    fn start_again(&mut self) -> Result<()> {
        self.process.wait()?;
        let (process, address) = serve(&self.program, self.data.path(), &self.address, self.core)?;
        (self.process, self.address) = (process, address);
        Ok(())
    }

    /// Where its data are.
    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// A copy of its database, whole at one moment: tables, indexes, people.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn copy_database(&self, to: &Path) -> Result<()> {
        let database = rusqlite::Connection::open(self.data().join("parlance.db"))?;
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
        let database = rusqlite::Connection::open_with_flags(self.data().join("parlance.db"), flags)?;
        let last: i64 =
            database.query_row("SELECT coalesce(max(n), 0) FROM commits", [], |row| row.get(0))?;
        u64::try_from(last).map_err(Into::into)
    }

    /// What it used so far.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn usage(&self) -> Result<measure::Usage> {
        measure::usage(self.process.id())
    }
}

impl Drop for Server {
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
