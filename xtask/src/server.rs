//! Builds the server, seeds a workspace, starts it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{paths, shell};

const BUILD_WITHIN: Duration = Duration::from_secs(1800);
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The profile of programs that people run and that are measured.
pub(crate) const SHIPPED: &str = "dist";
/// The profile of programs that are tested: they are built faster.
pub(crate) const TESTED: &str = "release";

/// Builds the binary with a profile and returns its path.
pub(crate) fn build(profile: &str) -> Result<PathBuf> {
    let mut command = Command::new("cargo");
    command
        .args(["build", "--profile", profile, "--package", "server", "--bin", "parlance"])
        // Cargo does not notice by itself that the folder appeared.
        .env("PARLANCE_WEB_DIST", paths::root().join("web/dist"))
        .current_dir(paths::root());
    shell::must(&mut command, BUILD_WITHIN)?;
    Ok(paths::target().join(profile).join("parlance"))
}

/// Seeds a workspace with some extra members and returns what `parlance seed` printed.
pub(crate) fn seed(binary: &Path, data: &Path, members: u32) -> Result<Value> {
    let output = Command::new(binary)
        .args(["seed", "--json", "--members", &members.to_string(), "--data"])
        .arg(data)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| binary.display().to_string())?;
    if !output.status.success() {
        bail!("parlance seed failed ({})", output.status);
    }
    serde_json::from_slice(&output.stdout).context("parlance seed printed no JSON")
}

/// A server that runs. It is killed when this is dropped.
pub(crate) struct Server {
    /// Its process.
    pub(crate) group: shell::Group,
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
}

/// Starts a server and waits until it is ready. Its log goes to `log`, or to our stderr.
pub(crate) fn start(
    binary: &Path,
    data: &Path,
    listen: &str,
    log: Option<&Path>,
    more: &[&str],
) -> Result<Server> {
    let mut command = Command::new(binary);
    command.arg("serve").arg("--data").arg(data).args(["--listen", listen]).args(more);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    match log {
        Some(log) => command.stderr(std::fs::File::create(log)?),
        // A person reads it, below the address and the sign-ins.
        None => command.envs([("PARLANCE_LOG_FORMAT", "text"), ("PARLANCE_LOG_FILTER", "warn")]),
    };
    let mut group = shell::Group::spawn(&mut command)?;
    let stdout = group.child.stdout.take().context("stdout")?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                // Nobody listens any more; reading on keeps the server from blocking.
            }
        }
    });
    let end_of_log = || {
        let text = log.and_then(|log| std::fs::read_to_string(log).ok()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    };
    let Ok(line) = receiver.recv_timeout(READY_WITHIN) else {
        bail!("the server did not become ready\n{}", end_of_log());
    };
    let ready: Value = serde_json::from_str(&line).with_context(|| format!("ready line {line:?}"))?;
    let url = ready.get("url").and_then(Value::as_str).context("no url in the ready line")?;
    Ok(Server { group, url: url.trim_end_matches('/').to_owned() })
}
