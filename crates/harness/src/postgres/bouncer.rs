//! PgBouncer in transaction mode, in front of a cluster.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::{Cluster, USER, WITHIN, end_of, free_port, give, program, run};

/// Between two looks at whether it has started.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a pool has.
#[derive(Debug, Clone, Copy)]
pub struct Pool {
    /// Connections to PostgreSQL, for each database.
    pub servers: usize,
    /// Connections of clients, all in all.
    pub clients: usize,
}

/// PgBouncer in transaction mode. Ended when dropped.
pub struct Bouncer {
    folder: TempDir,
    port: u16,
    password: String,
    program: PathBuf,
    process: Option<Child>,
}

impl Bouncer {
    /// Where the program is, if it is installed.
    pub fn find() -> Option<PathBuf> {
        ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].iter().map(PathBuf::from).find(|path| path.exists())
    }

    /// Starts one in front of all databases of a cluster.
    ///
    /// # Errors
    /// When it is not installed or does not come up.
    pub async fn start(cluster: &Cluster, pool: Pool) -> Result<Bouncer> {
        let program = Bouncer::find().context("PgBouncer (Debian: apt-get install pgbouncer)")?;
        let folder = tempfile::Builder::new().prefix("parlance-pgbouncer-").tempdir()?;
        let (port, at) = (free_port()?, |name: &str| folder.path().join(name).display().to_string());
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\nlogfile = {}\npool_mode = transaction\n\
             default_pool_size = {}\nmax_client_conn = {}\nserver_login_retry = 1\n",
            cluster.port(),
            at("users"),
            at("log"),
            pool.servers,
            pool.clients,
        );
        std::fs::write(folder.path().join("pgbouncer.ini"), settings)?;
        std::fs::write(folder.path().join("users"), format!("\"{USER}\" \"{}\"\n", cluster.password()))?;
        give(folder.path())?;
        let password = cluster.password().to_owned();
        let mut bouncer = Bouncer { folder, port, password, program, process: None };
        bouncer.launch().await?;
        Ok(bouncer)
    }

    /// Starts it again, on its port, and waits until it takes connections.
    ///
    /// # Errors
    /// When it runs or does not come up; with the end of its log.
    pub async fn launch(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "PgBouncer runs already");
        let mut command = program(&self.program);
        command.arg("--quiet").arg(self.folder.path().join("pgbouncer.ini"));
        let mut process = command.spawn().context("pgbouncer")?;
        let ends = Instant::now() + WITHIN;
        while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            let ended = process.try_wait()?;
            ensure!(ended.is_none() && Instant::now() < ends, "PgBouncer is not up:\n{}", self.log_end());
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.process = Some(process);
        Ok(())
    }

    /// Ends it at once: every connection is lost.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("PgBouncer does not run")?;
        end(&mut process)
    }

    /// The address of a database behind it, with the password.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// The last lines of its log.
    pub fn log_end(&self) -> String {
        end_of(&self.log_path())
    }

    fn log_path(&self) -> PathBuf {
        Path::new(self.folder.path()).join("log")
    }
}

/// SIGKILL, to `setpriv`'s successor: the process id stays the same.
fn end(process: &mut Child) -> Result<()> {
    run(Command::new("kill").args(["-s", "KILL", "--", &process.id().to_string()]))?;
    process.wait()?;
    Ok(())
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended already.
            end(&mut process).ok();
        }
    }
}
