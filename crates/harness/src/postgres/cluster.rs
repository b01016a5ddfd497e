//! A cluster of one's own: started, stopped, killed, followed by a standby.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls};

use super::{ACCOUNT, Certificates, USER, WITHIN, end_of, free_port, give, program, programs, run, secret};

/// Between two looks at whether a server has started or ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a cluster is started with.
#[derive(Default)]
pub struct Options<'a> {
    /// Where its data directory goes; a new temporary directory if none. For a small disk.
    pub folder: Option<PathBuf>,
    /// More settings, as of `postgresql.conf`.
    pub settings: Vec<(&'static str, String)>,
    /// It speaks TLS with this certificate.
    pub certificates: Option<&'a Certificates>,
    /// Who may connect over TCP, and how.
    pub hosts: Hosts,
}

/// Who may connect over TCP, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Hosts {
    /// With the password (SCRAM), with or without TLS.
    #[default]
    Password,
    /// With the password, over TLS only.
    PasswordOverTls,
    /// Without a password.
    Trust,
}

/// How a cluster is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// `-m fast`: ends the sessions, writes a checkpoint.
    Fast,
    /// `-m immediate`: ends at once, recovers at the next start.
    Immediate,
}

/// A private cluster. Ended when dropped.
pub struct Cluster {
    programs: PathBuf,
    data: PathBuf,
    /// Socket and log.
    folder: TempDir,
    port: u16,
    password: String,
    settings: Vec<(&'static str, String)>,
    process: Option<Child>,
}

impl Cluster {
    /// Makes a cluster and starts it.
    ///
    /// # Errors
    /// When there is no PostgreSQL, or it refuses; with the end of its log.
    pub async fn start(options: Options<'_>) -> Result<Cluster> {
        let mut cluster = Cluster::new(options.folder, secret()?, options.settings)?;
        let data = cluster.data.clone();
        let mut initdb = program(&cluster.programs.join("initdb"));
        initdb.arg("-D").arg(&data).args(["-U", ACCOUNT, "-A", "trust", "-E", "UTF8", "--no-sync"]);
        run(&mut initdb)?;
        let (kind, method) = match options.hosts {
            Hosts::Password => ("host", "scram-sha-256"),
            Hosts::PasswordOverTls => ("hostssl", "scram-sha-256"),
            Hosts::Trust => ("host", "trust"),
        };
        let allowed = format!(
            "local all all trust\nlocal replication all trust\n{kind} all all 127.0.0.1/32 {method}\n{kind} all all \
             ::1/128 {method}\n"
        );
        std::fs::write(data.join("pg_hba.conf"), allowed)?;
        if let Some(certificates) = options.certificates {
            certificates.install(&data)?;
            cluster.settings.push(("ssl", "on".to_owned()));
        }
        cluster.launch().await?;
        let admin = cluster.admin().await?;
        let role = format!("CREATE ROLE {USER} LOGIN PASSWORD '{}'", cluster.password);
        admin.batch_execute(&role).await?;
        Ok(cluster)
    }

    fn new(
        folder: Option<PathBuf>,
        password: String,
        settings: Vec<(&'static str, String)>,
    ) -> Result<Cluster> {
        let own = tempfile::Builder::new().prefix("parlance-pg-").tempdir()?;
        give(own.path())?;
        if let Some(folder) = &folder {
            give(folder)?;
        }
        let data = folder.as_deref().unwrap_or(own.path()).join("data");
        Ok(Cluster {
            programs: programs()?,
            data,
            folder: own,
            port: free_port()?,
            password,
            settings,
            process: None,
        })
    }

    /// Starts it again, on its port, and waits until it takes connections.
    ///
    /// # Errors
    /// When it runs, or does not come up in time; with the end of its log.
    pub async fn launch(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "PostgreSQL runs already");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log_path())?;
        let mut postgres = program(&self.programs.join("postgres"));
        postgres.arg("-D").arg(self.data()).stdout(log.try_clone()?).stderr(log);
        let socket = self.folder.path().display().to_string();
        let own = [
            ("port", self.port.to_string()),
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("unix_socket_directories", socket),
            ("max_connections", "100".to_owned()),
            // Durability is what is tested.
            ("fsync", "on".to_owned()),
            // Who was answered which error.
            ("log_line_prefix", "%m %u %e ".to_owned()),
        ];
        for (name, value) in own.iter().chain(&self.settings) {
            postgres.arg("-c").arg(format!("{name}={value}"));
        }
        self.process = Some(postgres.spawn().context("postgres")?);
        let ends = Instant::now() + WITHIN;
        loop {
            let Err(error) = self.admin().await else { return Ok(()) };
            let process = self.process.as_mut().context("no process")?;
            if let Some(status) = process.try_wait()? {
                self.process = None;
                bail!("PostgreSQL ended with {status}; its log ends:\n{}", self.log_end());
            }
            ensure!(Instant::now() < ends, "not up: {error:#}; its log ends:\n{}", self.log_end());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Stops it and waits until it has ended.
    ///
    /// # Errors
    /// When it does not run or does not end in time.
    pub async fn stop(&mut self, how: Stop) -> Result<()> {
        let pid = self.pid()?;
        signal(if how == Stop::Fast { "INT" } else { "QUIT" }, &[pid])?;
        self.ended(&[]).await
    }

    /// SIGKILL to the postmaster and to all that it started.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self) -> Result<()> {
        let pid = self.pid()?;
        // Stopped first, so that it starts nobody while we look.
        signal("STOP", &[pid])?;
        let mut all = children(pid)?;
        ensure!(!all.is_empty(), "a postmaster without children");
        let others = all.clone();
        all.push(pid);
        signal("KILL", &all)?;
        self.ended(&others).await
    }

    /// Waits for the end of the postmaster and of others that were its children: until then they hold the
    /// shared memory, and the next start is refused.
    async fn ended(&mut self, others: &[u32]) -> Result<()> {
        let mut process = self.process.take().context("PostgreSQL does not run")?;
        let ends = Instant::now() + WITHIN;
        while process.try_wait()?.is_none() || others.iter().any(|pid| runs(*pid)) {
            ensure!(Instant::now() < ends, "it does not end; its log ends:\n{}", self.log_end());
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Makes a standby of this cluster from a base backup. From now on a commit here waits until the standby has
    /// it too.
    ///
    /// # Errors
    /// When PostgreSQL refuses, or the standby does not follow in time.
    pub async fn standby(&self) -> Result<Cluster> {
        let mut standby = Cluster::new(None, self.password.clone(), self.settings.clone())?;
        let mut backup = program(&self.programs.join("pg_basebackup"));
        let from = format!(
            "host={} port={} user={ACCOUNT} application_name=standby",
            self.folder.path().display(),
            self.port
        );
        backup.args(["--wal-method", "stream", "--checkpoint", "fast", "--write-recovery-conf", "--no-sync"]);
        run(backup.arg("-D").arg(standby.data()).args(["-d", &from]))?;
        standby.settings.retain(|(name, _)| *name != "synchronous_standby_names");
        standby.launch().await?;
        let admin = self.admin().await?;
        admin.batch_execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'").await?;
        admin.batch_execute("SELECT pg_reload_conf()").await?;
        let ends = Instant::now() + WITHIN;
        let follows =
            "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'";
        while admin.query_one(follows, &[]).await?.get::<_, i64>(0) != 1 {
            ensure!(Instant::now() < ends, "the standby does not follow:\n{}", standby.log_end());
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(standby)
    }

    /// Makes a standby the primary.
    ///
    /// # Errors
    /// When it is none, or does not become one in time.
    pub async fn promote(&self) -> Result<()> {
        let done = self.admin().await?.query_one("SELECT pg_promote(true, 60)", &[]).await?;
        ensure!(done.get::<_, bool>(0), "not promoted; its log ends:\n{}", self.log_end());
        Ok(())
    }

    /// A superuser's connection, over the socket: it is let in when all others are refused.
    ///
    /// # Errors
    /// When PostgreSQL is down.
    pub async fn admin(&self) -> Result<Client> {
        self.admin_of("postgres").await
    }

    /// As [`Cluster::admin`], in a database.
    ///
    /// # Errors
    /// As there.
    pub async fn admin_of(&self, database: &str) -> Result<Client> {
        let mut config = Config::new();
        config.host_path(self.folder.path()).port(self.port).user(ACCOUNT).dbname(database);
        config.application_name("test").connect_timeout(WITHIN);
        let (client, connection) = config.connect(NoTls).await?;
        // Its end is seen by whoever uses the client.
        tokio::spawn(connection);
        Ok(client)
    }

    /// Makes a database that the server under test owns.
    ///
    /// # Errors
    /// When PostgreSQL refuses.
    pub async fn create_database(&self, name: &str) -> Result<()> {
        let sql = format!("CREATE DATABASE {name} OWNER {USER}");
        Ok(self.admin().await?.batch_execute(&sql).await?)
    }

    /// Ends all connections of the server under test to a database; how many there were.
    ///
    /// # Errors
    /// When PostgreSQL is down.
    pub async fn terminate_backends(&self, database: &str) -> Result<usize> {
        self.terminate_backends_but(database, "").await
    }

    /// As [`Cluster::terminate_backends`], without those that call themselves so.
    ///
    /// # Errors
    /// As there.
    pub async fn terminate_backends_but(&self, database: &str, application: &str) -> Result<usize> {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1 AND datname = $2 \
                   AND application_name <> $3";
        Ok(self.admin().await?.query(sql, &[&USER, &database, &application]).await?.len())
    }

    /// Connections of the server under test to a database, without those that call themselves so.
    ///
    /// # Errors
    /// When PostgreSQL is down.
    pub async fn sessions(&self, database: &str, but: &str) -> Result<usize> {
        let sql =
            "SELECT 1 FROM pg_stat_activity WHERE usename = $1 AND datname = $2 AND application_name <> $3";
        Ok(self.admin().await?.query(sql, &[&USER, &database, &but]).await?.len())
    }

    /// Transactions of the server under test that have written and are not yet committed.
    ///
    /// # Errors
    /// When PostgreSQL is down.
    pub async fn open_writes(&self, database: &str) -> Result<usize> {
        let sql =
            "SELECT 1 FROM pg_stat_activity WHERE usename = $1 AND datname = $2 AND backend_xid IS NOT NULL";
        Ok(self.admin().await?.query(sql, &[&USER, &database]).await?.len())
    }

    /// PostgreSQL's own opinion of every table and index of a database.
    ///
    /// # Errors
    /// When something is damaged.
    pub fn verify(&self, database: &str) -> Result<()> {
        let mut amcheck = program(&self.programs.join("pg_amcheck"));
        amcheck.args(["--install-missing", "--heapallindexed", "-U", ACCOUNT, "-d", database]);
        amcheck.arg("-h").arg(self.folder.path()).arg("-p").arg(self.port.to_string());
        run(&mut amcheck)
    }

    /// Whether it has not ended by itself.
    ///
    /// # Errors
    /// The system's.
    pub fn runs(&mut self) -> Result<bool> {
        let Some(process) = &mut self.process else { return Ok(false) };
        let runs = process.try_wait()?.is_none();
        if !runs {
            self.process = None;
        }
        Ok(runs)
    }

    /// The address of a database, with the password.
    pub fn url(&self, database: &str) -> String {
        self.url_at(self.port, database)
    }

    /// As [`Cluster::url`], reached on another port: a proxy's.
    pub fn url_at(&self, port: u16, database: &str) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{port}/{database}", self.password)
    }

    /// The password of [`USER`].
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Everything that it logged.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log_path()).unwrap_or_default()).into_owned()
    }

    /// The last lines of its log.
    pub fn log_end(&self) -> String {
        end_of(&self.log_path())
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn pid(&self) -> Result<u32> {
        Ok(self.process.as_ref().context("PostgreSQL does not run")?.id())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It ends its children within five seconds. What cannot be stopped is not waited for.
            if signal("QUIT", &[process.id()]).is_ok() {
                process.wait().ok();
            }
        }
    }
}

fn signal(name: &str, pids: &[u32]) -> Result<()> {
    let mut kill = Command::new("kill");
    run(kill.arg("-s").arg(name).arg("--").args(pids.iter().map(u32::to_string)))
}

/// The processes that a process started.
fn children(parent: u32) -> Result<Vec<u32>> {
    let own = parent.to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if status(pid).is_some_and(|(_, ppid)| ppid == own) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// Whether a process runs: it is there and not just waiting to be collected.
fn runs(pid: u32) -> bool {
    status(pid).is_some_and(|(state, _)| state != "Z" && state != "X")
}

/// State and parent of a process: the two words behind its name, which is in parentheses.
fn status(pid: u32) -> Option<(String, String)> {
    let text = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    let mut words = rest.split(' ').map(str::to_owned);
    Some((words.next()?, words.next()?))
}
