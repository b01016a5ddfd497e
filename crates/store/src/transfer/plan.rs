//! What a copy into a database has to do next, decided from what both sides say of themselves.
//!
//! A switch is three commits: the source refuses writes ([`State::Moving`]), the target takes them
//! ([`State::Here`]), the source is gone ([`State::Gone`]). Killed between any two, at most one side takes
//! writes, and the same command run again finds out how far it was.

use std::collections::BTreeMap;

use model::WorkspaceId;

use super::TransferError;
pub(super) use crate::PlacementState as State;

/// Puts every workspace that is not here in its place again.
pub(super) const TAKE_BACK: &str = "UPDATE placements SET state = 1, version = version + 1 WHERE state <> 1";

/// Where a workspace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placement {
    /// Which.
    pub(super) workspace: i64,
    /// Whether it takes writes here.
    pub(super) state: State,
    /// Raised with every move.
    pub(super) version: i64,
}

impl Placement {
    /// Of a row.
    pub(super) fn read((workspace, state, version): (i64, i64, i64)) -> Option<Self> {
        Some(Self { workspace, state: State::from_number(state)?, version })
    }

    /// What it becomes in the target at the switch.
    pub(super) fn arrived(self) -> Self {
        match self.state {
            State::Gone => self,
            State::Here | State::Moving => Self { state: State::Here, version: self.version + 1, ..self },
        }
    }

    /// In a text.
    pub(super) fn id(self) -> WorkspaceId {
        WorkspaceId::from_raw(u64::try_from(self.workspace).unwrap_or_default())
    }
}

/// What the target says of an unfinished copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Begun {
    /// The source as it was then.
    pub(super) fingerprint: String,
    /// Everything was copied and compared.
    pub(super) verified: bool,
}

/// What a database holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// A copy into it was begun.
    pub(super) begun: Option<Begun>,
    /// Its placements.
    pub(super) placements: Vec<Placement>,
    /// A table that has rows.
    pub(super) filled: Option<String>,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Copy into an empty database.
    Begin,
    /// Go on where another attempt ended.
    Continue,
    /// The source has changed since: copy again from the beginning.
    StartOver,
    /// All is there and compared: switch over.
    Switch,
    /// The target has taken over: only the source does not know it yet.
    Finish,
    /// All was done.
    Nothing,
}

/// Decides. `name` is the source's, for the reasons.
pub(super) fn plan(
    name: &str,
    source: &[Placement],
    fingerprint: &str,
    found: &Found,
) -> Result<Plan, TransferError> {
    let elsewhere = || TransferError::MovedElsewhere { path: name.to_owned() };
    let has = |state| source.iter().any(|placement| placement.state == state);
    if source.is_empty() {
        return Err(TransferError::Nothing { path: name.to_owned() });
    }
    if let Some(begun) = &found.begun {
        let workspaces = |all: &[Placement]| all.iter().map(|one| one.workspace).collect::<Vec<_>>();
        return if workspaces(source) != workspaces(&found.placements) {
            Err(TransferError::OtherCopy)
        } else if begun.verified && (has(State::Moving) || begun.fingerprint == fingerprint) {
            Ok(Plan::Switch)
        } else if has(State::Moving) || !has(State::Here) {
            // It refuses writes because of a switch to another database.
            Err(elsewhere())
        } else if begun.fingerprint == fingerprint {
            Ok(Plan::Continue)
        } else {
            Ok(Plan::StartOver)
        };
    }
    let there: BTreeMap<i64, Placement> = found.placements.iter().map(|one| (one.workspace, *one)).collect();
    let arrived = source.iter().filter(|one| one.state != State::Here).all(|one| {
        let due = one.version + i64::from(one.state == State::Moving);
        there.get(&one.workspace).is_some_and(|there| there.state == State::Here && there.version >= due)
    });
    match &found.filled {
        Some(_) if arrived && has(State::Moving) => Ok(Plan::Finish),
        Some(_) if arrived && !has(State::Here) => Ok(Plan::Nothing),
        Some(table) => Err(TransferError::NotEmpty { found: held(&found.placements, table) }),
        None if has(State::Moving) || !has(State::Here) => Err(elsewhere()),
        None => Ok(Plan::Begin),
    }
}

fn held(placements: &[Placement], table: &str) -> String {
    match placements {
        [] => format!("rows in {table}"),
        [one] => format!("the workspace {}", one.id()),
        [one, rest @ ..] => format!("the workspace {} and {} more", one.id(), rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(state: State, version: i64) -> Vec<Placement> {
        vec![Placement { workspace: 7, state, version }]
    }

    fn found(begun: Option<(&str, bool)>, placements: Vec<Placement>) -> Found {
        let begun =
            begun.map(|(fingerprint, verified)| Begun { fingerprint: fingerprint.to_owned(), verified });
        let filled = placements.first().map(|_| "placements".to_owned());
        Found { begun, placements, filled }
    }

    #[test]
    fn every_place_where_a_copy_can_be_killed_is_gone_on_from() {
        use State::{Gone, Here, Moving};
        let decide = |source: Vec<Placement>, fingerprint: &str, found: &Found| {
            plan("DIR", &source, fingerprint, found).map_err(|error| error.to_string())
        };
        let empty = found(None, vec![]);
        assert_eq!(decide(at(Here, 1), "f", &empty), Ok(Plan::Begin));
        let copying = found(Some(("f", false)), at(Moving, 1));
        assert_eq!(decide(at(Here, 1), "f", &copying), Ok(Plan::Continue));
        assert_eq!(decide(at(Here, 1), "g", &copying), Ok(Plan::StartOver));
        let verified = found(Some(("f", true)), at(Moving, 1));
        assert_eq!(decide(at(Here, 1), "f", &verified), Ok(Plan::Switch));
        assert_eq!(decide(at(Here, 1), "g", &verified), Ok(Plan::StartOver), "a server ran in between");
        assert_eq!(decide(at(Moving, 1), "g", &verified), Ok(Plan::Switch), "only the switch has written");
        let switched = found(None, at(Here, 2));
        assert_eq!(decide(at(Moving, 1), "g", &switched), Ok(Plan::Finish));
        assert_eq!(decide(at(Gone, 2), "g", &switched), Ok(Plan::Nothing));
    }

    #[test]
    fn what_would_make_two_of_one_workspace_or_lose_rows_is_refused() {
        use State::{Gone, Here, Moving};
        let refused = |source: Vec<Placement>, found: &Found| {
            plan("DIR", &source, "f", found).expect_err("refused").to_string()
        };
        let other = |state| vec![Placement { workspace: 8, state, version: 1 }];
        let empty = found(None, vec![]);
        assert!(refused(vec![], &empty).contains("no workspace"));
        assert!(refused(at(Gone, 2), &empty).contains("moved to another database"));
        assert!(refused(at(Moving, 1), &empty).contains("moved to another database"));
        assert!(
            refused(at(Moving, 1), &found(Some(("f", false)), at(Moving, 1))).contains("another database")
        );
        assert!(refused(at(Here, 1), &found(Some(("f", false)), other(Moving))).contains("of another store"));
        assert!(refused(at(Here, 1), &found(None, other(Here))).contains("T000000000008"));
        assert!(refused(at(Here, 1), &found(None, at(Here, 2))).contains("holds data already"));
        assert!(
            refused(at(Here, 1), &Found { filled: Some("users".to_owned()), ..empty })
                .contains("rows in users")
        );
        // It was taken back and written to, or it has moved on from the target.
        assert!(refused(at(Here, 3), &found(None, at(Here, 2))).contains("holds data already"));
        assert!(refused(at(Gone, 2), &found(None, at(Gone, 3))).contains("holds data already"));
    }
}
