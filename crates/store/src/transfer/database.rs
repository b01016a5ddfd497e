//! The side of a copy that is a PostgreSQL database.
//!
//! Nothing is kept in the session and every statement that has a name is closed before its transaction ends,
//! so that a pooler may give each transaction another connection.

use std::{io::Cursor, pin::pin};

use futures_util::{SinkExt, TryStreamExt};
use tokio::task::JoinHandle;
use tokio_postgres::{
    Client, IsolationLevel, Transaction,
    binary_copy::BinaryCopyOutStream,
    error::Error,
    types::{ToSql, Type},
};

use super::{
    TransferError,
    file::Chunk,
    plan::{Begun, Found, Placement},
    table::Table,
};
use crate::{
    migrations::{MIGRATIONS, check},
    postgres::{address::Address, failure::chain},
};

/// Where the progress is kept, in the same transactions as the rows. There while a copy is not finished.
const PROGRESS: &str = "transfer_progress";
/// The row of the copy as a whole: its mark is the source's fingerprint, its rows are 1 once all was
/// compared.
const WHOLE: &str = "";
/// The mark of a table of which nothing was copied yet.
const NO_KEY: &[u8] = &[];
/// A long statement is what a copy is made of.
const NO_LIMITS: &str = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL lock_timeout = 0";

/// A connection. What drives it ends with this value.
pub(super) struct Database {
    client: Client,
    driver: JoinHandle<()>,
}

/// How far one table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// Rows copied.
    pub(super) rows: u64,
    /// Key of the last of them; `None` before the first.
    pub(super) key: Option<Vec<u8>>,
}

impl Database {
    /// Connects.
    pub(super) async fn connect(url: &str) -> Result<Self, TransferError> {
        let address = Address::parse(url)?;
        let (client, driver) = address.dial("parlance transfer").await.map_err(|error| failed(&error))?;
        Ok(Self { client, driver })
    }

    /// Says goodbye, so that nobody logs a lost connection.
    pub(super) async fn close(self) {
        drop(self.client);
        // Everything was committed before: how it ends does not matter.
        let _ = self.driver.await;
    }

    async fn begin(&mut self) -> Result<Transaction<'_>, TransferError> {
        let transaction = self.client.transaction().await.map_err(|error| failed(&error))?;
        transaction.batch_execute(NO_LIMITS).await.map_err(|error| failed(&error))?;
        Ok(transaction)
    }

    /// Begins a transaction that sees one moment and changes nothing.
    pub(super) async fn reading(&mut self) -> Result<Transaction<'_>, TransferError> {
        let builder = self.client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
        let transaction = builder.read_only(true).start().await.map_err(|error| failed(&error))?;
        transaction.batch_execute(NO_LIMITS).await.map_err(|error| failed(&error))?;
        Ok(transaction)
    }

    /// What is there, of these tables.
    pub(super) async fn found(&mut self, tables: &[Table]) -> Result<Found, TransferError> {
        let transaction = self.reading().await?;
        let begun = match is_begun(&transaction).await? {
            false => None,
            true => {
                let row = progress_of(&transaction, WHOLE).await?;
                row.map(|(rows, mark)| Begun {
                    fingerprint: String::from_utf8_lossy(&mark).into_owned(),
                    verified: rows == 1,
                })
            }
        };
        let placements = placements(&transaction).await?;
        let mut filled = None;
        for table in tables {
            let sql = format!("SELECT EXISTS (SELECT FROM {})", table.name);
            if one::<bool>(&transaction, &sql).await? {
                filled = Some(table.name.clone());
                break;
            }
        }
        transaction.commit().await.map_err(|error| failed(&error))?;
        let filled = filled.or_else(|| placements.first().map(|_| super::table::PLACEMENTS.to_owned()));
        Ok(Found { begun, placements, filled })
    }

    /// Takes away what an unfinished copy has brought, and the trace of it.
    pub(super) async fn empty(&mut self, tables: &[Table]) -> Result<(), TransferError> {
        let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
        let sql = format!("TRUNCATE placements, {}; DROP TABLE {PROGRESS}", names.join(", "));
        let transaction = self.begin().await?;
        transaction.batch_execute(&sql).await.map_err(|error| failed(&error))?;
        transaction.commit().await.map_err(|error| failed(&error))
    }

    /// Makes the table of the progress, and the placements in a state that refuses writes.
    pub(super) async fn prepare(
        &mut self,
        fingerprint: &str,
        placements: &[Placement],
        tables: &[Table],
    ) -> Result<(), TransferError> {
        let transaction = self.begin().await?;
        let make = format!(
            "CREATE TABLE {PROGRESS} (item TEXT PRIMARY KEY, rows BIGINT NOT NULL, mark BYTEA NOT NULL)"
        );
        transaction.batch_execute(&make).await.map_err(|error| failed(&error))?;
        let whole = (WHOLE, fingerprint.as_bytes());
        let items = tables.iter().map(|table| (table.name.as_str(), NO_KEY));
        for (item, mark) in std::iter::once(whole).chain(items) {
            let sql = format!("INSERT INTO {PROGRESS} (item, rows, mark) VALUES ($1, 0, $2)");
            execute(&transaction, &sql, &[(&item, Type::TEXT), (&mark, Type::BYTEA)]).await?;
        }
        for placement in placements {
            let sql = "INSERT INTO placements (workspace, state, version) VALUES ($1, 2, $2)";
            let row: [(&(dyn ToSql + Sync), Type); 2] =
                [(&placement.workspace, Type::INT8), (&placement.version, Type::INT8)];
            execute(&transaction, sql, &row).await?;
        }
        transaction.commit().await.map_err(|error| failed(&error))
    }

    /// How far each table is.
    pub(super) async fn marks(&mut self, tables: &[Table]) -> Result<Vec<(Table, Mark)>, TransferError> {
        let transaction = self.reading().await?;
        let mut marks = Vec::with_capacity(tables.len());
        for table in tables {
            let found = progress_of(&transaction, &table.name).await?;
            let (rows, key) = found.ok_or_else(|| lost(&table.name))?;
            let rows = u64::try_from(rows).unwrap_or_default();
            marks.push((table.clone(), Mark { rows, key: Some(key).filter(|key| key != NO_KEY) }));
        }
        transaction.commit().await.map_err(|error| failed(&error))?;
        Ok(marks)
    }

    /// Writes a chunk and how far the table is with it. `before` is how far it was, `fingerprint` what is
    /// copied: if somebody else has gone on or begun anew since, nothing is written.
    pub(super) async fn write(
        &mut self,
        fingerprint: &str,
        table: &Table,
        before: u64,
        chunk: Chunk,
    ) -> Result<(), TransferError> {
        let transaction = self.begin().await?;
        // Rows and progress are lost together or not at all, and the last commit of the copy waits for the
        // disk.
        let fast = "SET LOCAL synchronous_commit = off";
        transaction.batch_execute(fast).await.map_err(|error| failed(&error))?;
        let (before, after) = (signed(before)?, signed(before + chunk.rows)?);
        let sql = format!(
            "UPDATE {PROGRESS} SET rows = $3, mark = $4 WHERE item = $1 AND rows = $2 \
             AND EXISTS (SELECT FROM {PROGRESS} WHERE item = $5 AND mark = $6)"
        );
        let values: [(&(dyn ToSql + Sync), Type); 6] = [
            (&table.name, Type::TEXT),
            (&before, Type::INT8),
            (&after, Type::INT8),
            (&chunk.mark, Type::BYTEA),
            (&WHOLE, Type::TEXT),
            (&fingerprint.as_bytes(), Type::BYTEA),
        ];
        if execute(&transaction, &sql, &values).await? != 1 {
            return Err(TransferError::Database("another copy into it is running".to_owned()));
        }
        let expected = chunk.rows;
        let written = {
            let sink = transaction.copy_in::<_, Cursor<Vec<u8>>>(&table.copy_in()).await;
            let mut sink = pin!(sink.map_err(|error| failed(&error))?);
            for part in chunk.parts {
                sink.send(Cursor::new(part)).await.map_err(|error| failed(&error))?;
            }
            sink.finish().await.map_err(|error| failed(&error))?
        };
        if written != expected {
            return Err(TransferError::Database(format!("it took {written} rows of {expected}")));
        }
        transaction.commit().await.map_err(|error| failed(&error))
    }

    /// Lets the planner know what came: it has not seen the rows yet.
    pub(super) async fn analyze(&mut self, table: &Table) -> Result<(), TransferError> {
        let transaction = self.begin().await?;
        let sql = format!("ANALYZE {}", table.name);
        transaction.batch_execute(&sql).await.map_err(|error| failed(&error))?;
        transaction.commit().await.map_err(|error| failed(&error))
    }

    /// Notes that everything was copied and compared.
    pub(super) async fn note_verified(&mut self, fingerprint: &str) -> Result<(), TransferError> {
        let transaction = self.begin().await?;
        let sql = format!("UPDATE {PROGRESS} SET rows = 1 WHERE item = $1 AND mark = $2");
        let values: [(&(dyn ToSql + Sync), Type); 2] =
            [(&WHOLE, Type::TEXT), (&fingerprint.as_bytes(), Type::BYTEA)];
        if execute(&transaction, &sql, &values).await? != 1 {
            return Err(TransferError::Database("another copy into it is running".to_owned()));
        }
        transaction.commit().await.map_err(|error| failed(&error))
    }

    /// Lets the database take writes, in one transaction that also ends the copy and, with a `generation`,
    /// raises that of every topic.
    pub(super) async fn take_over(
        &mut self,
        placements: &[Placement],
        generation: Option<u32>,
    ) -> Result<(), TransferError> {
        let transaction = self.begin().await?;
        let safe = "SET LOCAL synchronous_commit = on";
        transaction.batch_execute(safe).await.map_err(|error| failed(&error))?;
        for placement in placements {
            let sql = "UPDATE placements SET state = $2, version = $3 WHERE workspace = $1 AND state = 2";
            let values: [(&(dyn ToSql + Sync), Type); 3] = [
                (&placement.workspace, Type::INT8),
                (&placement.state.number(), Type::INT8),
                (&placement.version, Type::INT8),
            ];
            if execute(&transaction, sql, &values).await? != 1 {
                return Err(TransferError::Database(format!("it has lost the workspace {}", placement.id())));
            }
        }
        if let Some(generation) = generation {
            raise(&transaction, generation).await?;
        }
        let sql = format!("DROP TABLE {PROGRESS}");
        transaction.batch_execute(&sql).await.map_err(|error| failed(&error))?;
        transaction.commit().await.map_err(|error| failed(&error))
    }

    /// Refuses a database that holds no store of ours, or one of a newer program.
    pub(super) async fn check(&mut self) -> Result<(), TransferError> {
        let transaction = self.reading().await?;
        version(&transaction).await?;
        transaction.commit().await.map_err(|error| failed(&error))
    }

    /// Raises the generation of every topic, and takes back what had left if that is asked for. Returns how
    /// many topics there are, and the placements.
    pub(super) async fn raise(
        &mut self,
        generation: u32,
        take_back: bool,
    ) -> Result<(u64, Vec<Placement>), TransferError> {
        let transaction = self.begin().await?;
        if is_begun(&transaction).await? {
            return Err(TransferError::Unfinished);
        }
        if take_back {
            execute(&transaction, super::plan::TAKE_BACK, &[]).await?;
        }
        let topics = raise(&transaction, generation).await?;
        let placements = placements(&transaction).await?;
        transaction.commit().await.map_err(|error| failed(&error))?;
        Ok((topics, placements))
    }
}

async fn raise(transaction: &Transaction<'_>, generation: u32) -> Result<u64, TransferError> {
    let sql = "UPDATE topics SET generation = greatest(generation + 1, $1)";
    execute(transaction, sql, &[(&i64::from(generation), Type::INT8)]).await
}

/// How many of our migrations the database has.
pub(super) async fn version(transaction: &Transaction<'_>) -> Result<usize, TransferError> {
    if !one::<bool>(transaction, "SELECT to_regclass('migrations') IS NOT NULL").await? {
        return Err(TransferError::Database("it holds no Parlance store".to_owned()));
    }
    let sql = "SELECT version, checksum FROM migrations ORDER BY version";
    let rows = transaction.query_typed(sql, &[]).await.map_err(|error| failed(&error))?;
    let read = |row: &tokio_postgres::Row| {
        let version = u32::try_from(row.try_get::<_, i64>(0)?).unwrap_or(u32::MAX);
        Ok((version, row.try_get(1)?))
    };
    let applied: Vec<(u32, String)> =
        rows.iter().map(read).collect::<Result<_, Error>>().map_err(|error| failed(&error))?;
    Ok(check("the database", &applied, MIGRATIONS)?)
}

/// Whether a copy into the database was begun and not finished.
pub(super) async fn is_begun(transaction: &Transaction<'_>) -> Result<bool, TransferError> {
    one(transaction, &format!("SELECT to_regclass('{PROGRESS}') IS NOT NULL")).await
}

/// Rows of a table.
pub(super) async fn count(transaction: &Transaction<'_>, table: &Table) -> Result<u64, TransferError> {
    let rows: i64 = one(transaction, &format!("SELECT count(*) FROM {}", table.name)).await?;
    Ok(u64::try_from(rows).unwrap_or_default())
}

/// Rows that a `COPY … TO STDOUT` answers, as they come.
pub(super) async fn rows(
    transaction: &Transaction<'_>,
    table: &Table,
    sql: &str,
) -> Result<BinaryCopyOutStream, TransferError> {
    let stream = transaction.copy_out(sql).await.map_err(|error| failed(&error))?;
    Ok(BinaryCopyOutStream::new(stream, &table.types()))
}

async fn placements(transaction: &Transaction<'_>) -> Result<Vec<Placement>, TransferError> {
    let sql = "SELECT workspace, state, version FROM placements ORDER BY workspace";
    let rows = transaction.query_typed(sql, &[]).await.map_err(|error| failed(&error))?;
    let read = |row: &tokio_postgres::Row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
    let rows: Vec<(i64, i64, i64)> =
        rows.iter().map(read).collect::<Result<_, Error>>().map_err(|error| failed(&error))?;
    let placements: Option<_> = rows.into_iter().map(Placement::read).collect();
    placements.ok_or_else(|| TransferError::Database("it holds a placement that cannot be read".to_owned()))
}

async fn progress_of(
    transaction: &Transaction<'_>,
    item: &str,
) -> Result<Option<(i64, Vec<u8>)>, TransferError> {
    let sql = format!("SELECT rows, mark FROM {PROGRESS} WHERE item = $1");
    let rows = transaction.query_typed(&sql, &[(&item, Type::TEXT)]).await.map_err(|error| failed(&error))?;
    let read = |row: &tokio_postgres::Row| Ok((row.try_get(0)?, row.try_get(1)?));
    rows.first().map(read).transpose().map_err(|error: Error| failed(&error))
}

async fn one<T: for<'r> tokio_postgres::types::FromSql<'r>>(
    transaction: &Transaction<'_>,
    sql: &str,
) -> Result<T, TransferError> {
    let rows: Vec<tokio_postgres::Row> = {
        let rows = transaction.query_typed_raw(sql, Vec::<(i64, Type)>::new()).await;
        rows.map_err(|error| failed(&error))?.try_collect().await.map_err(|error| failed(&error))?
    };
    let row = rows.first().ok_or_else(|| TransferError::Database("no answer".to_owned()))?;
    row.try_get(0).map_err(|error| failed(&error))
}

async fn execute(
    transaction: &Transaction<'_>,
    sql: &str,
    values: &[(&(dyn ToSql + Sync), Type)],
) -> Result<u64, TransferError> {
    transaction.execute_typed(sql, values).await.map_err(|error| failed(&error))
}

fn lost(table: &str) -> TransferError {
    TransferError::Database(format!("it has lost how far {table} was copied: name an empty database"))
}

fn signed(rows: u64) -> Result<i64, TransferError> {
    i64::try_from(rows).map_err(|error| TransferError::Database(error.to_string()))
}

/// A failure of PostgreSQL, with its causes.
pub(super) fn failed(error: &Error) -> TransferError {
    TransferError::Database(chain(error))
}
