//! One value of a row, in the forms of both engines and in one of its own.

use rusqlite::types::{ToSqlOutput, ValueRef};
use tokio_postgres::types::{FromSql, Type};

/// A value, borrowed from a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell<'r> {
    /// No value.
    Null,
    /// `BIGINT`.
    Int(i64),
    /// `TEXT`.
    Text(&'r str),
    /// `BYTEA`.
    Bytes(&'r [u8]),
}

const NULL: u8 = 0;
const INT: u8 = 1;
const TEXT: u8 = 2;
const BYTES: u8 = 3;

impl<'r> Cell<'r> {
    /// Reads a value of SQLite, which lets a column hold anything.
    pub(super) fn of_sqlite(value: ValueRef<'r>) -> Result<Self, String> {
        match value {
            ValueRef::Null => Ok(Self::Null),
            ValueRef::Integer(int) => Ok(Self::Int(int)),
            ValueRef::Text(text) => {
                std::str::from_utf8(text).map(Self::Text).map_err(|error| format!("a text: {error}"))
            }
            ValueRef::Blob(bytes) => Ok(Self::Bytes(bytes)),
            ValueRef::Real(real) => Err(format!("the fraction {real}, which no column of the schema holds")),
        }
    }

    /// The number, if it is one.
    pub(super) fn int(self) -> Option<i64> {
        if let Self::Int(int) = self { Some(int) } else { None }
    }

    /// Appends the one form that does not depend on the engine: a tag, then the number or length and bytes.
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        let mut long = |tag: u8, bytes: &[u8]| {
            out.push(tag);
            // A usize fits.
            out.extend(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            out.extend(bytes);
        };
        match self {
            Self::Text(text) => long(TEXT, text.as_bytes()),
            Self::Bytes(bytes) => long(BYTES, bytes),
            Self::Null => out.push(NULL),
            Self::Int(int) => {
                out.push(INT);
                out.extend(int.to_be_bytes());
            }
        }
    }

    /// Reads what [`Cell::encode`] wrote, and what follows it.
    pub(super) fn decode(bytes: &'r [u8]) -> Option<(Self, &'r [u8])> {
        let (&tag, rest) = bytes.split_first()?;
        if tag == NULL {
            return Some((Self::Null, rest));
        }
        let (number, rest) = rest.split_first_chunk::<8>()?;
        if tag == INT {
            return Some((Self::Int(i64::from_be_bytes(*number)), rest));
        }
        let length = usize::try_from(u64::from_be_bytes(*number)).ok()?;
        let (bytes, rest) = rest.split_at_checked(length)?;
        match tag {
            TEXT => Some((Self::Text(std::str::from_utf8(bytes).ok()?), rest)),
            BYTES => Some((Self::Bytes(bytes), rest)),
            _ => None,
        }
    }

    /// Appends the field of a `COPY … BINARY`.
    pub(super) fn copy(self, out: &mut Vec<u8>) -> Result<(), String> {
        let mut field = |bytes: &[u8]| {
            let length = i32::try_from(bytes.len()).map_err(|_| "a value above 2 GiB".to_owned())?;
            out.extend(length.to_be_bytes());
            out.extend(bytes);
            Ok(())
        };
        match self {
            Self::Int(int) => field(&int.to_be_bytes()),
            Self::Text(text) if text.contains('\0') => {
                Err("a text with a NUL character, which PostgreSQL does not store".to_owned())
            }
            Self::Text(text) => field(text.as_bytes()),
            Self::Bytes(bytes) => field(bytes),
            Self::Null => {
                out.extend((-1i32).to_be_bytes());
                Ok(())
            }
        }
    }
}

impl<'r> FromSql<'r> for Cell<'r> {
    fn from_sql(kind: &Type, raw: &'r [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        match *kind {
            Type::INT8 => i64::from_sql(kind, raw).map(Self::Int),
            Type::TEXT => <&str>::from_sql(kind, raw).map(Self::Text),
            Type::BYTEA => <&[u8]>::from_sql(kind, raw).map(Self::Bytes),
            _ => Err(format!("a column of the type {kind}").into()),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT8, Type::TEXT, Type::BYTEA].contains(kind)
    }
}

impl rusqlite::ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(int) => ValueRef::Integer(*int),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_form_is_read_back_and_no_two_rows_share_one() {
        let rows = [
            vec![Cell::Null, Cell::Int(-1), Cell::Text("é"), Cell::Bytes(&[0, 255])],
            vec![Cell::Text(""), Cell::Bytes(b""), Cell::Null],
            vec![Cell::Text("ab"), Cell::Text("c")],
            vec![Cell::Text("a"), Cell::Text("bc")],
            vec![Cell::Bytes(b"ab"), Cell::Text("c")],
        ];
        let mut seen = std::collections::HashSet::new();
        for row in rows {
            let mut bytes = Vec::new();
            row.iter().for_each(|cell| cell.encode(&mut bytes));
            let (mut rest, mut read) = (bytes.as_slice(), Vec::new());
            while let Some((cell, after)) = Cell::decode(rest) {
                read.push(cell);
                rest = after;
            }
            assert_eq!((read, rest), (row, [].as_slice()));
            assert!(seen.insert(bytes));
        }
    }

    #[test]
    fn what_postgresql_cannot_store_is_named() {
        assert!(Cell::Text("a\0b").copy(&mut Vec::new()).unwrap_err().contains("NUL"));
        assert!(Cell::of_sqlite(ValueRef::Text(&[0xff])).unwrap_err().contains("utf-8"));
        assert!(Cell::of_sqlite(ValueRef::Real(0.5)).is_err());
    }
}
