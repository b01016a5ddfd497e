//! Migrations: numbered files, each applied once in a transaction of its own, known by checksum.

use sha2::{Digest, Sha256};

/// All migrations, in order. Applied ones are never changed: add another.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_first.sql"),
    include_str!("../migrations/0002_postgres_storage.sql"),
    include_str!("../migrations/0003_revocations.sql"),
];

/// What an applied migration is known by.
pub(crate) fn checksum(sql: &str) -> String {
    Sha256::digest(sql.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Opens the comments that hold what only one engine has: `/*sqlite WITHOUT ROWID*/`.
pub(crate) fn dialect(sql: &str, engine: &str) -> String {
    let start = format!("/*{engine} ");
    let mut text = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once(&start) {
        text.push_str(before);
        let (inside, after) = after.split_once("*/").unwrap_or((after, ""));
        text.push_str(inside);
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_engine_sees_its_own_comments() {
        let sql = "a /*sqlite b*/ c /*postgres d*/ e";
        assert_eq!(dialect(sql, "sqlite"), "a b c /*postgres d*/ e");
        assert_eq!(dialect(sql, "postgres"), "a /*sqlite b*/ c d e");
    }
}
