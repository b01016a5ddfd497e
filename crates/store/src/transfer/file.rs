//! The side of a copy that is a SQLite file. Everything here blocks.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, Row, TransactionBehavior, params, params_from_iter};
use tokio_postgres::binary_copy::BinaryCopyOutRow;

use super::{
    TransferError,
    cells::Cell,
    digest::{Group, Groups, Key},
    plan::{Placement, State},
    table::{self, Table},
};
use crate::migrations::{MIGRATIONS, check};

/// Most rows of a chunk, which is one transaction of the other side.
const CHUNK_ROWS_MAX: u64 = 8_192;
/// Bytes after which a chunk ends however few its rows are.
const CHUNK_BYTES: usize = 4 << 20;
/// Bytes of a part after which the next begins.
const PART_BYTES: usize = 64 << 10;
/// What a `COPY … BINARY` starts with: signature, no flags, no extension.
const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Pages that a backup copies at once.
const STEP_PAGES: i32 = 1_024;

/// A SQLite file of our schema.
#[derive(Debug, Clone)]
pub(super) struct File {
    path: PathBuf,
    /// Nobody writes to it and there is no WAL beside it: SQLite need not make one.
    immutable: bool,
}

/// Rows of one table, ready for the database.
#[derive(Debug)]
pub(super) struct Chunk {
    /// A whole `COPY … BINARY`, in parts of a size that keeps both ends busy.
    pub(super) parts: Vec<Vec<u8>>,
    /// How many rows.
    pub(super) rows: u64,
    /// The key of the last one.
    pub(super) mark: Vec<u8>,
}

impl File {
    /// The database of a data directory that this process holds.
    pub(super) fn held(path: PathBuf) -> Self {
        Self { path, immutable: false }
    }

    /// A file that lies somewhere. A WAL beside it belongs to it.
    pub(super) fn lying(path: &Path) -> Self {
        let wal = crate::data_dir::beside(path, "-wal");
        let immutable = fs::metadata(wal).map_or(true, |wal| wal.len() == 0);
        Self { path: path.to_owned(), immutable }
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> TransferError {
        failed(&self.path, error)
    }

    /// Opens it for reading.
    pub(super) fn connect(&self) -> Result<Connection, TransferError> {
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        // A reader of a WAL must be able to write the index beside it.
        let flags = flags
            | if self.immutable {
                OpenFlags::SQLITE_OPEN_READ_ONLY
            } else {
                OpenFlags::SQLITE_OPEN_READ_WRITE
            };
        let path = std::path::absolute(&self.path).map_err(|error| self.failed(&error))?;
        let path = path.to_str().ok_or_else(|| self.failed(&"the path is not UTF-8"))?;
        let escaped = path.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        let uri = format!("file:{escaped}{}", if self.immutable { "?immutable=1" } else { "" });
        let open = || {
            let connection = Connection::open_with_flags(&uri, flags)?;
            connection.pragma_update(None, "query_only", true)?;
            connection.busy_timeout(std::time::Duration::from_secs(5))?;
            Ok(connection)
        };
        open().map_err(|error: rusqlite::Error| self.failed(&error))
    }

    /// Refuses what is not ours, is broken, or was written by a newer program. Returns the version of its
    /// schema.
    pub(super) fn check(&self) -> Result<usize, TransferError> {
        let path = || self.path.display().to_string();
        let foreign = |reason: &str| TransferError::Foreign { path: path(), reason: reason.to_owned() };
        if !self.path.is_file() {
            return Err(foreign("there is no such file"));
        }
        let connection = self.connect()?;
        let not_ours = |error: rusqlite::Error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => foreign("it is no SQLite database"),
            Some(rusqlite::ErrorCode::DatabaseCorrupt) => {
                TransferError::Damaged { path: path(), reason: error.to_string() }
            }
            _ => self.failed(&error),
        };
        let known = connection.query_row(
            "SELECT count(*) FROM sqlite_master WHERE name IN ('migrations', 'topics', 'placements')",
            [],
            |row| row.get::<_, i64>(0),
        );
        if known.map_err(not_ours)? != 3 {
            return Err(foreign("it is a SQLite database of another program"));
        }
        let applied = crate::sqlite::migrate::applied(&connection).map_err(not_ours)?;
        let version = check(&path(), &applied, MIGRATIONS)?;
        let check: rusqlite::Result<String> =
            connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0));
        match check.map_err(not_ours)?.as_str() {
            "ok" => Ok(version),
            reason => Err(TransferError::Damaged { path: path(), reason: reason.replace('\n', " ") }),
        }
    }

    /// What changes when anybody writes to the file: length and time of the last change.
    pub(super) fn fingerprint(&self) -> Result<String, TransferError> {
        let read = || -> std::io::Result<String> {
            let file = fs::metadata(&self.path)?;
            let changed = file.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            Ok(format!("{} bytes, changed at {} ns", file.len(), changed.as_nanos()))
        };
        read().map_err(|error| self.failed(&error))
    }

    /// The tables to copy.
    pub(super) fn tables(&self) -> Result<Vec<Table>, TransferError> {
        table::tables(&self.connect()?)
    }

    /// The placements, as a table to copy.
    pub(super) fn placements_table(&self) -> Result<Table, TransferError> {
        table::table(&self.connect()?, table::PLACEMENTS)
    }

    /// Rows of a table.
    pub(super) fn count(&self, table: &Table) -> Result<u64, TransferError> {
        let sql = format!("SELECT count(*) FROM {}", table.name);
        let rows: rusqlite::Result<i64> = self.connect()?.query_row(&sql, [], |row| row.get(0));
        rows.map(|rows| u64::try_from(rows).unwrap_or_default()).map_err(|error| self.failed(&error))
    }

    /// Where the workspaces are.
    pub(super) fn placements(&self) -> Result<Vec<Placement>, TransferError> {
        let connection = self.connect()?;
        let rows: rusqlite::Result<Vec<(i64, i64, i64)>> = connection
            .prepare("SELECT workspace, state, version FROM placements ORDER BY workspace")
            .and_then(|mut all| {
                all.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
            });
        let rows = rows.map_err(|error| self.failed(&error))?;
        rows.into_iter()
            .map(Placement::read)
            .collect::<Option<_>>()
            .ok_or_else(|| self.failed(&"a placement"))
    }

    /// Reads a table after the key `mark`, or from its beginning, chunk by chunk, until `take` says no.
    pub(super) fn chunks(
        &self,
        table: &Table,
        mark: Option<&[u8]>,
        mut take: impl FnMut(Chunk) -> bool,
    ) -> Result<(), TransferError> {
        let connection = self.connect()?;
        let failed = |error: rusqlite::Error| self.failed(&error);
        let mut after = Vec::new();
        let mut rest = mark.unwrap_or_default();
        while let Some((cell, next)) = Cell::decode(rest) {
            after.push(cell);
            rest = next;
        }
        let mut statement = connection.prepare(&table.sqlite_after(mark.is_some())).map_err(failed)?;
        let mut rows = statement.query(params_from_iter(after)).map_err(failed)?;
        let mut chunk = Building::default();
        while let Some(row) = rows.next().map_err(failed)? {
            chunk
                .add(table, row)
                .map_err(|reason| TransferError::Value { table: table.name.clone(), reason })?;
            if chunk.is_full() && !take(chunk.end()) {
                return Ok(());
            }
        }
        if chunk.rows > 0 {
            take(chunk.end());
        }
        Ok(())
    }

    /// Reads a table group by group, until `take` says no.
    pub(super) fn groups(
        &self,
        table: &Table,
        mut take: impl FnMut(Group) -> bool,
    ) -> Result<(), TransferError> {
        let connection = self.connect()?;
        let failed = |error: rusqlite::Error| self.failed(&error);
        let mut statement = connection.prepare(&table.sqlite_grouped()).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        let mut groups = Groups::default();
        let mut bytes = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            bytes.clear();
            let key = encode(table, |place| of(row, place), &mut bytes)
                .map_err(|reason| TransferError::Value { table: table.name.clone(), reason })?;
            if groups.add(key, &bytes).is_some_and(|group| !take(group)) {
                return Ok(());
            }
        }
        if let Some(group) = groups.end() {
            take(group);
        }
        Ok(())
    }

    /// Copies the file to a new one, with what is in its WAL, until `step` (pages done, pages in all) says
    /// no.
    pub(super) fn copy_to(
        &self,
        to: &Path,
        mut step: impl FnMut(u64, u64) -> bool,
    ) -> Result<(), TransferError> {
        let source = self.connect()?;
        let pages = |number: i32| u64::try_from(number).unwrap_or_default();
        let mut copy = || -> rusqlite::Result<()> {
            let mut target = private_file(to)?;
            let backup = rusqlite::backup::Backup::new(&source, &mut target)?;
            while backup.step(STEP_PAGES)? != rusqlite::backup::StepResult::Done {
                let state = backup.progress();
                if !step(pages(state.pagecount - state.remaining), pages(state.pagecount)) {
                    break;
                }
            }
            Ok(())
        };
        copy().map_err(|error| self.failed(&error))
    }

    /// Sets the state of every placement that is now in `from`, in one transaction that is on the disk when
    /// this returns. The file must be held.
    pub(super) fn set_state(&self, from: State, to: State, raise: bool) -> Result<(), TransferError> {
        self.write(|transaction| {
            let sql = "UPDATE placements SET state = ?2, version = version + ?3 WHERE state = ?1";
            transaction.execute(sql, params![from.number(), to.number(), i64::from(raise)]).map(|_| ())
        })
    }

    /// Raises the generation of every topic to at least `generation`, and takes back what had left if that is
    /// asked for. Returns how many topics there are.
    pub(super) fn raise(&self, generation: u32, take_back: bool) -> Result<u64, TransferError> {
        self.write(|transaction| {
            if take_back {
                transaction.execute(super::plan::TAKE_BACK, [])?;
            }
            let sql = "UPDATE topics SET generation = max(generation + 1, ?1)";
            transaction.execute(sql, [generation]).map(|rows| u64::try_from(rows).unwrap_or(u64::MAX))
        })
    }

    fn write<T>(
        &self,
        change: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, TransferError> {
        let run = || {
            let mut connection = Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.busy_timeout(std::time::Duration::from_secs(5))?;
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = change(&transaction)?;
            transaction.commit()?;
            // So that the file alone is the store again, for whoever copies it.
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            Ok(result)
        };
        run().map_err(|error: rusqlite::Error| self.failed(&error))
    }
}

/// A chunk in the making.
#[derive(Default)]
struct Building {
    parts: Vec<Vec<u8>>,
    part: Vec<u8>,
    /// Bytes of `parts`.
    bytes: usize,
    rows: u64,
    mark: Vec<u8>,
}

impl Building {
    fn add(&mut self, table: &Table, row: &Row<'_>) -> Result<(), String> {
        if self.rows == 0 {
            self.part.extend(COPY_HEADER);
        }
        let columns = table.columns.len();
        self.part.extend(i16::try_from(columns).map_err(|error| error.to_string())?.to_be_bytes());
        for place in 0..columns {
            of(row, place)?.copy(&mut self.part)?;
        }
        self.rows += 1;
        self.mark.clear();
        for &place in &table.key {
            of(row, place)?.encode(&mut self.mark);
        }
        if self.part.len() >= PART_BYTES {
            self.bytes += self.part.len();
            self.parts.push(std::mem::take(&mut self.part));
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.rows >= CHUNK_ROWS_MAX || self.bytes >= CHUNK_BYTES
    }

    fn end(&mut self) -> Chunk {
        let Self { mut parts, mut part, rows, mark, .. } = std::mem::take(self);
        part.extend((-1i16).to_be_bytes());
        parts.push(part);
        Chunk { parts, rows, mark }
    }
}

fn of<'r>(row: &'r Row<'_>, place: usize) -> Result<Cell<'r>, String> {
    Cell::of_sqlite(row.get_ref(place).map_err(|error| error.to_string())?)
}

/// Writes a row in its own form; returns its group.
pub(super) fn encode<'r>(
    table: &Table,
    cell: impl Fn(usize) -> Result<Cell<'r>, String>,
    out: &mut Vec<u8>,
) -> Result<Key, String> {
    for place in 0..table.columns.len() {
        cell(place)?.encode(out);
    }
    let mut key = [0; 2];
    for (part, &place) in key.iter_mut().zip(&table.groups) {
        *part = cell(place)?.int().ok_or("a workspace or topic that is no number")?;
    }
    Ok(key)
}

/// Opens a file that only its owner can read.
fn private_file(path: &Path) -> rusqlite::Result<Connection> {
    let cannot = |error: std::io::Error| {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
        rusqlite::Error::SqliteFailure(code, Some(error.to_string()))
    };
    crate::data_dir::private(path).map_err(cannot)?;
    Connection::open(path)
}

/// A file in the making: fast and without safety, for it is thrown away if its maker dies.
pub(super) struct NewFile {
    connection: Connection,
    path: PathBuf,
}

impl NewFile {
    /// Makes it, with the first `version` migrations.
    pub(super) fn create(path: &Path, version: usize) -> Result<Self, TransferError> {
        let open = || -> rusqlite::Result<Connection> {
            let connection = private_file(path)?;
            connection.pragma_update(None, "journal_mode", "OFF")?;
            connection.pragma_update(None, "synchronous", "OFF")?;
            connection.pragma_update(None, "cache_size", -65_536)?;
            Ok(connection)
        };
        let mut connection = open().map_err(|error| failed(path, &error))?;
        let migrations = MIGRATIONS.get(..version).unwrap_or(MIGRATIONS);
        crate::sqlite::migrate::apply(&path.display().to_string(), &mut connection, migrations)?;
        Ok(Self { connection, path: path.to_owned() })
    }

    /// Writes rows of a table in one transaction.
    pub(super) fn write(&mut self, table: &Table, rows: &[BinaryCopyOutRow]) -> Result<(), TransferError> {
        let path = self.path.clone();
        let failed = |error: &dyn std::fmt::Display| failed(&path, error);
        let transaction = self.connection.transaction().map_err(|error| failed(&error))?;
        {
            let mut insert =
                transaction.prepare_cached(&table.sqlite_insert()).map_err(|error| failed(&error))?;
            for row in rows {
                for place in 0..table.columns.len() {
                    let cell: Cell<'_> = row.try_get(place).map_err(|error| failed(&error))?;
                    insert.raw_bind_parameter(place + 1, cell).map_err(|error| failed(&error))?;
                }
                insert.raw_execute().map_err(|error| failed(&error))?;
            }
        }
        transaction.commit().map_err(|error| failed(&error))
    }
}

/// A failure at a file.
pub(super) fn failed(path: &Path, error: &dyn std::fmt::Display) -> TransferError {
    TransferError::File { path: path.display().to_string(), reason: error.to_string() }
}
