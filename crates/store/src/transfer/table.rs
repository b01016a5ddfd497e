//! The tables that a copy is made of, as the file's schema has them, and the statements on them.

use rusqlite::Connection;
use tokio_postgres::types::Type;

use super::TransferError;

/// Tables that are not copied; the module says why. `migrations` is written by whoever makes the schema.
const NOT_COPIED: [&str; 4] = ["placements", "commits", "tickets", "migrations"];
/// The placements, which are copied with a state of their own.
pub(super) const PLACEMENTS: &str = "placements";
/// The table whose rows are counted as topics.
pub(super) const TOPICS: &str = "topics";
/// The table whose rows are counted as messages.
pub(super) const MESSAGES: &str = "messages";
/// Copied first, so that a server that is started too early finds the installation set up.
const FIRST: &str = "workspaces";

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// Its name.
    pub(super) name: String,
    /// Its columns, by name: the order in which rows are read, written and hashed.
    pub(super) columns: Vec<Column>,
    /// Places in `columns` of the primary key, in its order.
    pub(super) key: Vec<usize>,
    /// Places in `columns` of the workspace and of the topic or channel, where there are such: what the
    /// comparison groups by.
    pub(super) groups: Vec<usize>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    name: String,
    kind: Type,
}

/// The tables to copy, in the order of copying.
pub(super) fn tables(connection: &Connection) -> Result<Vec<Table>, TransferError> {
    let mut found = Vec::new();
    for name in names(connection).map_err(|error| schema(&error))? {
        if !NOT_COPIED.contains(&name.as_str()) {
            found.push(table(connection, &name)?);
        }
    }
    found.sort_by_key(|table| table.name != FIRST);
    Ok(found)
}

fn schema(error: &dyn std::fmt::Display) -> TransferError {
    TransferError::File { path: "the schema".to_owned(), reason: error.to_string() }
}

fn names(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

/// One table of the schema.
pub(super) fn table(connection: &Connection, name: &str) -> Result<Table, TransferError> {
    let read = || -> rusqlite::Result<Vec<(String, String, bool, u32)>> {
        let sql = "SELECT name, type, \"notnull\", pk FROM pragma_table_info(?1) ORDER BY name";
        let mut statement = connection.prepare(sql)?;
        let rows =
            statement.query_map([name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        rows.collect()
    };
    let rows = read().map_err(|error| schema(&error))?;
    let mut columns = Vec::new();
    let mut key = Vec::new();
    let mut groups = [None, None];
    for (place, (column, kind, not_null, in_key)) in rows.into_iter().enumerate() {
        let kind = match kind.as_str() {
            "BIGINT" => Type::INT8,
            "TEXT" => Type::TEXT,
            "BYTEA" => Type::BYTEA,
            other => return Err(schema(&format!("{name}.{column} has the type {other}"))),
        };
        if in_key > 0 {
            key.push((in_key, place));
        }
        // Only what cannot be null sorts alike in both engines.
        let number = kind == Type::INT8 && (not_null || in_key > 0);
        match column.as_str() {
            "workspace" if number => groups[0] = Some(place),
            "topic" | "channel" if number => groups[1] = Some(place),
            _ => {}
        }
        columns.push(Column { name: column, kind });
    }
    if key.is_empty() {
        return Err(schema(&format!("{name} has no primary key")));
    }
    key.sort_unstable();
    let key = key.into_iter().map(|(_, place)| place).collect();
    let [workspace, topic] = groups;
    let groups = workspace.into_iter().flat_map(|workspace| [Some(workspace), topic]).flatten().collect();
    Ok(Table { name: name.to_owned(), columns, key, groups })
}

impl Table {
    /// Types of the columns.
    pub(super) fn types(&self) -> Vec<Type> {
        self.columns.iter().map(|column| column.kind.clone()).collect()
    }

    fn column(&self, place: usize) -> Option<&Column> {
        self.columns.get(place)
    }

    fn listed(&self, places: impl IntoIterator<Item = usize>) -> String {
        let quoted = places.into_iter().filter_map(|place| self.column(place));
        quoted.map(|column| format!("\"{}\"", column.name)).collect::<Vec<_>>().join(", ")
    }

    fn all_columns(&self) -> String {
        self.listed(0..self.columns.len())
    }

    /// Rows of the file after a key, in the order of keys.
    pub(super) fn sqlite_after(&self, resumed: bool) -> String {
        let (columns, key) = (self.all_columns(), self.listed(self.key.iter().copied()));
        let after = if resumed {
            let places: Vec<String> = (1..=self.key.len()).map(|number| format!("?{number}")).collect();
            format!(" WHERE ({key}) > ({})", places.join(", "))
        } else {
            String::new()
        };
        format!("SELECT {columns} FROM {}{after} ORDER BY {key}", self.name)
    }

    /// Rows of the file, group by group.
    pub(super) fn sqlite_grouped(&self) -> String {
        format!("SELECT {} FROM {}{}", self.all_columns(), self.name, self.by_group())
    }

    /// Inserts a row into the file.
    pub(super) fn sqlite_insert(&self) -> String {
        let places: Vec<String> = (1..=self.columns.len()).map(|number| format!("?{number}")).collect();
        format!("INSERT INTO {} ({}) VALUES ({})", self.name, self.all_columns(), places.join(", "))
    }

    /// Writes rows into the database.
    pub(super) fn copy_in(&self) -> String {
        format!("COPY {} ({}) FROM STDIN (FORMAT binary)", self.name, self.all_columns())
    }

    /// Rows of the database in the order of keys, which is the cheapest for the file that they go into. Texts
    /// are ordered as SQLite does, by their bytes.
    pub(super) fn copy_out(&self) -> String {
        let order = self.key.iter().filter_map(|&place| self.column(place)).map(|column| {
            let collation = if column.kind == Type::TEXT { " COLLATE \"C\"" } else { "" };
            format!("\"{}\"{collation}", column.name)
        });
        let order = order.collect::<Vec<_>>().join(", ");
        format!(
            "COPY (SELECT {} FROM {} ORDER BY {order}) TO STDOUT (FORMAT binary)",
            self.all_columns(),
            self.name
        )
    }

    /// Rows of the database, group by group.
    pub(super) fn copy_out_grouped(&self) -> String {
        format!(
            "COPY (SELECT {} FROM {}{}) TO STDOUT (FORMAT binary)",
            self.all_columns(),
            self.name,
            self.by_group()
        )
    }

    fn by_group(&self) -> String {
        if self.groups.is_empty() {
            return String::new();
        }
        format!(" ORDER BY {}", self.listed(self.groups.iter().copied()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::{MIGRATIONS, dialect};

    #[test]
    fn the_schema_is_found() {
        let connection = Connection::open_in_memory().unwrap();
        for sql in MIGRATIONS {
            connection.execute_batch(&dialect(sql, "sqlite")).unwrap();
        }
        let tables = tables(&connection).unwrap();
        assert_eq!(tables[0].name, "workspaces");
        for name in ["events", "idempotency", "memberships", "messages", "topics", "users"] {
            assert!(tables.iter().any(|table| table.name == name), "{name}");
        }
        for name in NOT_COPIED {
            assert!(tables.iter().all(|table| table.name != name), "{name}");
        }
        let idempotency = tables.iter().find(|table| table.name == "idempotency").unwrap();
        assert_eq!(
            idempotency.sqlite_after(true),
            "SELECT \"author\", \"channel\", \"msg_key\", \"ts\", \"workspace\" FROM idempotency \
             WHERE (\"workspace\", \"channel\", \"author\", \"msg_key\") > (?1, ?2, ?3, ?4) \
             ORDER BY \"workspace\", \"channel\", \"author\", \"msg_key\""
        );
        assert!(idempotency.copy_out().contains("\"author\", \"msg_key\" COLLATE \"C\")"));
        assert!(idempotency.copy_out_grouped().contains("ORDER BY \"workspace\", \"channel\")"));
        let users = tables.iter().find(|table| table.name == "users").unwrap();
        assert!(users.sqlite_grouped().ends_with("ORDER BY \"workspace\""));
    }
}
