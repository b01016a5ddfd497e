//! What a failure of the database means: whether another try may succeed, and on which connection.

use tokio_postgres::{Error, error::SqlState};

/// Why a connection, a statement or a transaction failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The driver or the server said so.
    Said(Error),
    /// There was no answer in time.
    Slow(&'static str),
    /// The schema could not be brought up to date, because of this.
    NotOpen(String),
    /// Between us and the server stands a pooler that gives transactions to other sessions.
    Pooled,
}

/// What to do about it. None of them says anything of a commit whose answer is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The server chose this transaction to give way: run it again, the connection is good.
    Again,
    /// The connection or the server is gone, or not now: run it again on a new connection, after a while.
    Reconnect,
    /// No room. Nothing but room helps.
    Room,
    /// The same would fail the same way.
    None,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Said(error)
    }
}

impl Failure {
    /// What to do about it.
    pub(super) fn remedy(&self) -> Remedy {
        match self {
            Self::Slow(_) | Self::NotOpen(_) | Self::Pooled => Remedy::Reconnect,
            // Without a code the server said nothing: the connection failed.
            Self::Said(error) => error.code().map_or(Remedy::Reconnect, remedy),
        }
    }

    /// Statements of another session were met: that is a pooler at work.
    pub(super) fn is_foreign_statement(&self) -> bool {
        let Self::Said(error) = self else { return matches!(self, Self::Pooled) };
        let code = error.code();
        code == Some(&SqlState::INVALID_SQL_STATEMENT_NAME) || code == Some(&SqlState::DUPLICATE_PSTATEMENT)
    }
}

fn remedy(code: &SqlState) -> Remedy {
    // The last two are answers to time limits: whoever holds the lock may be gone the next time.
    const GIVE_WAY: [SqlState; 4] = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::QUERY_CANCELED,
        SqlState::LOCK_NOT_AVAILABLE,
    ];
    const NOT_NOW: [SqlState; 6] = [
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::OUT_OF_MEMORY,
        SqlState::CONFIGURATION_LIMIT_EXCEEDED,
        // A former primary, or one that was told to be read only.
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::INVALID_SQL_STATEMENT_NAME,
        SqlState::DUPLICATE_PSTATEMENT,
    ];
    if GIVE_WAY.contains(code) {
        return Remedy::Again;
    }
    if *code == SqlState::DISK_FULL {
        return Remedy::Room;
    }
    let class = code.code().get(..2).unwrap_or_default();
    // 08: connection; 57: operator intervention (shut down, starting up, ended by an administrator);
    // 58: the server's machine.
    if NOT_NOW.contains(code) || matches!(class, "08" | "57" | "58") {
        return Remedy::Reconnect;
    }
    Remedy::None
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Said(error) => f.write_str(&chain(error)),
            Self::Slow(what) => write!(f, "{what} took too long"),
            Self::NotOpen(why) => f.write_str(why),
            Self::Pooled => f.write_str("a pooler changes sessions between transactions"),
        }
    }
}

/// An error with its causes: the driver's own text says only "db error".
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_remedy() {
        for (code, expected) in [
            ("40001", Remedy::Again),
            ("40P01", Remedy::Again),
            ("57P01", Remedy::Reconnect),
            ("57P03", Remedy::Reconnect),
            ("57014", Remedy::Again),
            ("53300", Remedy::Reconnect),
            ("25006", Remedy::Reconnect),
            ("08006", Remedy::Reconnect),
            ("53100", Remedy::Room),
            ("23505", Remedy::None),
            ("22021", Remedy::None),
            ("XX000", Remedy::None),
        ] {
            assert_eq!(remedy(&SqlState::from_code(code)), expected, "{code}");
        }
        assert_eq!(Failure::Slow("a statement").remedy(), Remedy::Reconnect);
    }
}
