//! A PostgreSQL server of one's own for the time of a test: a new cluster, a free port, gone afterwards.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::{peers, shell};

const START_WITHIN: Duration = Duration::from_secs(60);
/// The account that Debian's package makes: the server refuses to run as root.
const ACCOUNT: &str = "postgres";

/// A running server.
pub(crate) struct Postgres {
    /// Its address.
    pub(crate) url: String,
    programs: PathBuf,
    folder: PathBuf,
}

impl Postgres {
    /// Starts one, or says what is missing.
    pub(crate) fn start() -> Result<Result<Postgres, String>> {
        let Some(programs) = peers::postgres() else {
            return Ok(Err("a PostgreSQL server (Debian: apt-get install postgresql)".to_owned()));
        };
        let folder = std::env::temp_dir().join(format!("parlance-postgres-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        if is_root() {
            let owned = Command::new("chown").arg(ACCOUNT).arg(&folder).status()?;
            ensure!(owned.success(), "chown {ACCOUNT} {}", folder.display());
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server =
            Postgres { url: format!("postgres://{ACCOUNT}@127.0.0.1:{port}/postgres"), programs, folder };
        let data = server.folder.join("data");
        let data = data.to_str().context("path")?;
        server.program("initdb", &["-D", data, "-A", "trust", "-U", ACCOUNT])?;
        let log = server.folder.join("log");
        let socket = server.folder.to_str().context("path")?;
        let options =
            format!("-c port={port} -c listen_addresses=127.0.0.1 -c max_connections=400 -k {socket}");
        server.program(
            "pg_ctl",
            &["-D", data, "-w", "-o", &options, "-l", log.to_str().context("path")?, "start"],
        )?;
        Ok(Ok(server))
    }

    /// Runs one of its programs, as an account that may.
    fn program(&self, name: &str, arguments: &[&str]) -> Result<()> {
        let program = self.programs.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--init-groups", "--"]).arg(&program);
            command
        } else {
            Command::new(&program)
        };
        command.args(arguments).current_dir(&self.folder);
        // The server goes on after pg_ctl: it must not hold our pipes.
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut group = shell::Group::spawn(quiet)?;
        let ends = std::time::Instant::now() + START_WITHIN;
        loop {
            if let Some(status) = group.child.try_wait()? {
                ensure!(status.success(), "{name} failed; see {}", self.folder.join("log").display());
                return Ok(());
            }
            ensure!(std::time::Instant::now() < ends, "{name} took longer than {START_WITHIN:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.folder.join("data");
        if let Some(data) = data.to_str()
            && let Err(error) = self.program("pg_ctl", &["-D", data, "-m", "immediate", "stop"])
        {
            println!("    {error:#}");
        }
        // What is left in the temporary directory harms nobody.
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

fn is_root() -> bool {
    shell::output("id", &["-u"]).as_deref() == Some("0")
}

/// The newest folder of programs that Debian's packages install.
pub(crate) fn programs() -> Option<PathBuf> {
    let version = |path: &Path| path.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    let found =
        std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|entry| entry.path().join("bin"));
    let complete = found.filter(|bin| bin.join("initdb").exists() && bin.join("postgres").exists());
    complete.max_by_key(|bin| version(bin))
}
