//! Real PostgreSQL for tests: private clusters, a standby, PgBouncer.
//!
//! A [`Cluster`] lives in a directory of its own on a free port and is ended when it is dropped, by its process
//! id. PostgreSQL and PgBouncer refuse to run as root; when we are root they run as the account that Debian's
//! package makes. The server under test connects as [`USER`], which is no superuser, with a random password, so
//! that every test can look for it where it must not be.
//!
//! A cluster takes about two seconds to start: a test starts one and does to it whatever does not get in the way
//! of what comes after.

mod bouncer;
mod certificates;
mod cluster;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

pub use bouncer::{Bouncer, Pool};
pub use certificates::Certificates;
pub use cluster::{Cluster, Hosts, Options, Stop};

/// Who the server under test is for PostgreSQL.
pub const USER: &str = "parlance";

/// The account that Debian's package makes, and the cluster's superuser.
const ACCOUNT: &str = "postgres";

/// How long a server may take to start, recover or stop on a busy machine.
const WITHIN: Duration = Duration::from_secs(60);

/// Ports below those that the system gives to outgoing connections: nobody takes ours while a peer is down.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// The programs of PostgreSQL: those of the directory `PARLANCE_POSTGRES_BIN`, else the newest of Debian's.
///
/// # Errors
/// A sentence that says what is missing.
pub fn programs() -> Result<PathBuf> {
    let complete =
        |bin: &PathBuf| ["initdb", "postgres", "pg_basebackup"].iter().all(|name| bin.join(name).exists());
    if let Some(named) = std::env::var_os("PARLANCE_POSTGRES_BIN") {
        let named = PathBuf::from(named);
        ensure!(complete(&named), "PARLANCE_POSTGRES_BIN: {} has no PostgreSQL server", named.display());
        return Ok(named);
    }
    let version = |path: &PathBuf| path.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|entry| entry.path().join("bin")).filter(complete).max_by_key(version);
    found.context("a PostgreSQL server (Debian: apt-get install postgresql)")
}

/// Says that a test cannot run because there is no PostgreSQL; true then.
pub fn missing(test: &str) -> bool {
    match programs() {
        Ok(_) => false,
        Err(why) => {
            crate::skip(test, &format!("{why:#}"));
            true
        }
    }
}

/// A port that nobody listens on.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16> {
    let span = usize::from(PORTS.end - PORTS.start);
    let first = usize::from(u16::from_ne_bytes({
        let mut bytes = [0; 2];
        getrandom::fill(&mut bytes)?;
        bytes
    }));
    let ports = (0..span).filter_map(|n| PORTS.clone().nth((first + n) % span));
    let mut free = ports.filter(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().context("no free port")
}

/// A program, as an account that may run it.
fn program(path: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--init-groups", "--"]).arg(path);
        command
    } else {
        Command::new(path)
    };
    // Nothing of the caller's configuration, and a directory that the account may read.
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8").current_dir("/");
    command.stdin(Stdio::null());
    command
}

/// Runs a program to its end.
fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{:?}", command.get_program()))?;
    if !output.status.success() {
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        bail!("{}: {}: {}", words.join(" "), output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Gives files to the account that the servers run as.
fn give(path: &Path) -> Result<()> {
    if is_root() {
        run(Command::new("chown").arg("-R").arg(ACCOUNT).arg(path))?;
    }
    Ok(())
}

/// Letters and digits that nobody guesses and no text has by chance.
fn secret() -> Result<String> {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().fold("pw".to_owned(), |text, byte| format!("{text}{byte:02x}")))
}

/// The last lines of a log.
fn end_of(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().rev().take(30).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
