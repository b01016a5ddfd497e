//! Connections, and what is known of the database behind them.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::OnceCell;
use tokio_postgres::{AsyncMessage, Client, SimpleQueryMessage, Statement};
use tracing::{debug, info, warn};

use super::{
    address::Address,
    failure::{Failure, chain},
    migrate,
};
use crate::{OpenError, room::Room};

/// How long a connection may take to be made, all hosts of the address together.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The same while the database is known to be down: requests wait for it.
const CONNECT_WITHIN_DOWN: Duration = Duration::from_secs(1);
/// How long work waits for a database that has just gone away. After that one try is all that each gets.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// The pause between two tries.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// One database: its address, and whether it answers.
pub struct Engine {
    pub(super) address: Address,
    /// Statements are prepared by name. Not through a pooler: it gives the next transaction another session.
    named: AtomicBool,
    sessions: AtomicU64,
    /// Set when the schema is known to be up to date. Nothing is read or written before.
    migrated: OnceCell<()>,
    /// Whether it takes writes.
    pub writes: Health,
    pub(super) room: Room,
    /// Whether it answers reads.
    pub reads: Health,
}

/// Whether a database answers, as those who need it find out.
#[derive(Debug, Default)]
pub struct Health {
    down_since: Mutex<Option<Instant>>,
}

impl Health {
    /// Since when there was no good answer; `None`: the last one was good.
    #[must_use]
    pub fn down_since(&self) -> Option<Instant> {
        *self.down_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There was a good answer.
    pub(super) fn is_up(&self) {
        let was = self.down_since.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(since) = was {
            info!(seconds = since.elapsed().as_secs_f64(), "the database answers again");
        }
    }

    /// There was none. True while there is patience for another try.
    pub(super) fn is_down(&self, why: &Failure) -> bool {
        let mut down = self.down_since.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *down.get_or_insert_with(|| {
            warn!(why = %why, "the database does not answer");
            Instant::now()
        });
        since.elapsed() < PATIENCE
    }

    fn is_long_down(&self) -> bool {
        self.down_since().is_some_and(|since| since.elapsed() >= PATIENCE)
    }
}

impl Engine {
    pub(super) fn new(address: Address) -> Self {
        Self {
            address,
            named: AtomicBool::new(true),
            sessions: AtomicU64::new(0),
            migrated: OnceCell::new(),
            writes: Health::default(),
            room: Room::default(),
            reads: Health::default(),
        }
    }

    /// Named statements met those of somebody else, or another session: none are used from now on.
    pub(super) fn is_pooled(&self) {
        if self.named.swap(false, Ordering::Relaxed) {
            info!(database = %self.address, "a pooler is in between: statements are not prepared by name");
        }
    }

    /// Brings the schema up to date, unless that was done.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(super) async fn migrate(&self) -> Result<(), OpenError> {
        self.migrated.get_or_try_init(|| migrate::migrate(self)).await.map(|_| ())
    }

    /// Makes a connection to a database whose schema is up to date.
    pub(super) async fn connect(&self) -> Result<Connection, Failure> {
        self.migrate().await.map_err(|error| Failure::NotOpen(error.to_string()))?;
        self.connect_bare().await
    }

    /// Makes a connection whatever the schema is.
    pub(super) async fn connect_bare(&self) -> Result<Connection, Failure> {
        let down = self.writes.is_long_down() || self.reads.is_long_down();
        let within = if down { CONNECT_WITHIN_DOWN } else { CONNECT_WITHIN };
        let made = tokio::time::timeout(within, self.connect_now()).await;
        made.map_err(|_| Failure::Slow("the connection"))?
    }

    async fn connect_now(&self) -> Result<Connection, Failure> {
        let Address { config, tls, .. } = &self.address;
        let (client, mut driver) = config.connect(tls.clone()).await?;
        let warning = Arc::new(Mutex::new(None));
        let heard = Arc::clone(&warning);
        tokio::spawn(async move {
            while let Some(message) = poll_fn(|context| driver.poll_message(context)).await {
                match message {
                    Ok(AsyncMessage::Notice(notice)) if notice.severity() == "WARNING" => {
                        warn!(notice = notice.message(), "the database warns");
                        *heard.lock().unwrap_or_else(PoisonError::into_inner) =
                            Some(notice.message().to_owned());
                    }
                    Ok(_) => {}
                    Err(error) => {
                        debug!(error = chain(&error), "a connection to the database ended");
                        return;
                    }
                }
            }
        });
        let session = format!("{}.{}", std::process::id(), self.sessions.fetch_add(1, Ordering::Relaxed));
        let named = self.named.load(Ordering::Relaxed);
        if named {
            client.batch_execute(&format!("SET parlance.session = '{session}'")).await?;
        }
        Ok(Connection { client, session, named, statements: Mutex::default(), warning })
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({})", self.address)
    }
}

/// One connection. Whoever sees anything unexpected on it drops it.
pub(super) struct Connection {
    pub(super) client: Client,
    /// What the database session behind it was told at the start.
    session: String,
    /// Statements are prepared by name.
    pub(super) named: bool,
    statements: Mutex<HashMap<String, Statement>>,
    /// The newest warning of the server.
    warning: Arc<Mutex<Option<String>>>,
}

impl Connection {
    /// Begins a transaction. Statements may be sent after it without waiting for its answer, which comes before
    /// theirs; nothing of theirs counts unless it is good. A pooler in transaction mode may have put another
    /// session behind this connection, with statements of the same names that are not ours: then it is not.
    pub(super) async fn begin(&self, how: &str) -> Result<(), Failure> {
        if !self.named {
            return Ok(self.client.batch_execute(how).await?);
        }
        let text = format!("{how}; SELECT current_setting('parlance.session', true)");
        let answers = self.client.simple_query(&text).await?;
        let ours = answers.iter().any(|answer| match answer {
            SimpleQueryMessage::Row(row) => row.get(0) == Some(&self.session),
            _ => false,
        });
        if ours { Ok(()) } else { Err(Failure::Pooled) }
    }

    /// A statement prepared by name, once per connection.
    pub(super) async fn prepared(&self, sql: &str) -> Result<Statement, Failure> {
        if let Some(statement) = self.statements.lock().unwrap_or_else(PoisonError::into_inner).get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        let mut known = self.statements.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// Takes what the server has warned of since the last call.
    pub(super) fn warning(&self) -> Option<String> {
        self.warning.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
