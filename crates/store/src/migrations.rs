//! Migrations: numbered files, each applied once in a transaction of its own, known by checksum.

use sha2::{Digest, Sha256};

use crate::OpenError;

/// All migrations, in order. Applied ones are never changed: add another.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_first.sql"),
    include_str!("../migrations/0002_postgres_storage.sql"),
    include_str!("../migrations/0003_revocations.sql"),
    include_str!("../migrations/0004_messaging.sql"),
    include_str!("../migrations/0005_rights.sql"),
    include_str!("../migrations/0006_presence.sql"),
    include_str!("../migrations/0007_files.sql"),
];

/// What an applied migration is known by.
pub(crate) fn checksum(sql: &str) -> String {
    Sha256::digest(sql.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Checks what a store says was applied (version and checksum, ascending) against `ours`, which are all of ours or
/// the first of them. Returns how many were: the rest is to be applied.
///
/// # Errors
/// [`OpenError::Newer`], [`OpenError::Changed`].
pub(crate) fn check(path: &str, applied: &[(u32, String)], ours: &[&str]) -> Result<usize, OpenError> {
    let known = u32::try_from(ours.len()).unwrap_or(u32::MAX);
    if let Some(&(found, _)) = applied.last().filter(|(found, _)| *found > known) {
        return Err(OpenError::Newer { path: path.to_owned(), found, known });
    }
    for ((version, sum), (expected, sql)) in applied.iter().zip((1u32..).zip(ours)) {
        if *version != expected || *sum != checksum(sql) {
            return Err(OpenError::Changed { path: path.to_owned(), version: *version });
        }
    }
    Ok(applied.len())
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

    #[test]
    fn what_was_applied_must_be_a_beginning_of_ours() {
        let applied = |sums: &[&str]| -> Vec<(u32, String)> {
            (1..).zip(sums.iter().map(|sql| checksum(sql))).collect()
        };
        assert_eq!(check("x", &[], &["a", "b"]).ok(), Some(0));
        assert_eq!(check("x", &applied(&["a"]), &["a", "b"]).ok(), Some(1));
        assert!(matches!(
            check("x", &applied(&["a", "c"]), &["a", "b"]),
            Err(OpenError::Changed { version: 2, .. })
        ));
        assert!(matches!(
            check("x", &applied(&["a", "b", "c"]), &["a", "b"]),
            Err(OpenError::Newer { found: 3, known: 2, .. })
        ));
        let hole = vec![(2, checksum("b"))];
        assert!(matches!(check("x", &hole, &["a", "b"]), Err(OpenError::Changed { version: 2, .. })));
    }
}
