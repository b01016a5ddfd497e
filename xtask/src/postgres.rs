//! A PostgreSQL server of one's own for the time of a step, and PgBouncer in front of it: free ports, gone afterwards.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::shell;

const START_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks at whether something has started or ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The account that Debian's package makes: the server refuses to run as root.
const ACCOUNT: &str = "postgres";

/// A running server.
pub(crate) struct Postgres {
    /// Its address.
    pub(crate) url: String,
    port: u16,
    programs: PathBuf,
    folder: PathBuf,
}

impl Postgres {
    /// Starts one, with programs from this folder.
    pub(crate) fn start(programs: PathBuf) -> Result<Postgres> {
        let folder = own_folder("postgres")?;
        let port = free_port()?;
        let server = Postgres {
            url: format!("postgres://{ACCOUNT}@127.0.0.1:{port}/postgres"),
            port,
            programs,
            folder,
        };
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
        Ok(server)
    }

    /// Runs one of its programs, as an account that may.
    fn program(&self, name: &str, arguments: &[&str]) -> Result<()> {
        let mut command = as_account(&self.programs.join(name));
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
            std::thread::sleep(LOOK_EVERY);
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

/// PgBouncer in transaction mode, in front of all databases of a server.
pub(crate) struct Bouncer {
    /// Its address.
    pub(crate) url: String,
    folder: PathBuf,
    group: shell::Group,
}

impl Bouncer {
    /// Starts one.
    pub(crate) fn start(program: &Path, server: &Postgres) -> Result<Bouncer> {
        let folder = own_folder("pgbouncer")?;
        let (port, settings) = (free_port()?, folder.join("pgbouncer.ini"));
        // Each test has a database, and so a pool, of its own: small ones, gone soon. Whoever connects is the
        // superuser: it is for one machine and the time of a step.
        let text = format!(
            "[databases]\n* = user={ACCOUNT} host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\nlogfile = {}\npool_mode = transaction\n\
             default_pool_size = 2\nmax_client_conn = 1000\nserver_idle_timeout = 5\n",
            server.port,
            folder.join("log").display(),
        );
        std::fs::write(&settings, text)?;
        let mut command = as_account(program);
        command.arg("--quiet").arg(&settings).current_dir(&folder).stdin(Stdio::null());
        let mut group = shell::Group::spawn(&mut command)?;
        let ends = std::time::Instant::now() + START_WITHIN;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = group.child.try_wait()?;
            ensure!(ended.is_none(), "PgBouncer ended; see {}", folder.join("log").display());
            ensure!(std::time::Instant::now() < ends, "PgBouncer took longer than {START_WITHIN:?}");
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(Bouncer { url: format!("postgres://{ACCOUNT}@127.0.0.1:{port}/postgres"), folder, group })
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        self.group.signal("KILL");
        // What is left in the temporary directory harms nobody.
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// A new directory in the temporary one, of the account that the servers run as.
fn own_folder(name: &str) -> Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("parlance-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    if is_root() {
        let owned = Command::new("chown").arg(ACCOUNT).arg(&folder).status()?;
        ensure!(owned.success(), "chown {ACCOUNT} {}", folder.display());
    }
    Ok(folder)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A program, as an account that may run it.
fn as_account(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--init-groups", "--"]).arg(program);
    command
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
