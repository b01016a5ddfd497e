//! Reads of workspaces, people, credentials and invitations.

use model::{
    Credential, CredentialId, Micros, Principal, Role, Scopes, User, UserId, Workspace, WorkspaceId,
};

use crate::{
    Authenticated, Invite, Placement, PlacementState, SecretHash, StoreError,
    rows::{self, user_sql},
    tx::{Row, Tx, params},
};

pub(crate) async fn workspaces(tx: &mut dyn Tx) -> Result<Vec<Workspace>, StoreError> {
    let sql = "SELECT workspace, name, domain, created FROM workspaces ORDER BY created LIMIT 100";
    tx.query(sql, &[]).await?.into_iter().map(rows::workspace).collect()
}

pub(crate) async fn workspace(tx: &mut dyn Tx, id: WorkspaceId) -> Result<Option<Workspace>, StoreError> {
    let sql = "SELECT workspace, name, domain, created FROM workspaces WHERE workspace = $1";
    tx.query(sql, &params![id]).await?.into_iter().next().map(rows::workspace).transpose()
}

/// Whether a workspace lives here.
pub(crate) async fn placement(tx: &mut dyn Tx, id: WorkspaceId) -> Result<Option<Placement>, StoreError> {
    let sql = "SELECT state, version FROM placements WHERE workspace = $1";
    let Some(mut row) = tx.query(sql, &params![id]).await?.into_iter().next() else { return Ok(None) };
    let state = PlacementState::from_number(row.take()?).ok_or(StoreError::Corrupt { what: "placement" })?;
    Ok(Some(Placement { state, version: row.take()? }))
}

/// A statement that any working database answers.
pub(crate) async fn nothing(tx: &mut dyn Tx) -> Result<(), StoreError> {
    tx.query("SELECT count(*) FROM migrations", &[]).await.map(|_| ())
}

pub(crate) async fn workspace_by_domain(
    tx: &mut dyn Tx,
    domain: &str,
) -> Result<Option<Workspace>, StoreError> {
    let sql = "SELECT workspace, name, domain, created FROM workspaces WHERE domain = $1";
    tx.query(sql, &params![domain]).await?.into_iter().next().map(rows::workspace).transpose()
}

macro_rules! credential_sql {
    ($rest:literal) => {
        concat!(
            "SELECT c.secret, c.id, c.kind, c.usr, c.bot, c.app, c.scopes, c.expires, c.revoked, u.role, u.deleted \
             FROM credentials c LEFT JOIN users u ON u.workspace = c.workspace AND u.usr = c.usr \
             WHERE c.workspace = $1 ",
            $rest
        )
    };
}

pub(crate) async fn authenticate(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    secret: SecretHash,
    now: Micros,
) -> Result<Authenticated, StoreError> {
    let rows =
        tx.query(credential_sql!("AND c.id = $2"), &params![workspace, secret.credential_id()]).await?;
    match rows.into_iter().next() {
        Some(row) => principal(workspace, row, Some(secret), now),
        None => Ok(Authenticated::Unknown),
    }
}

pub(crate) async fn credential_state(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    id: CredentialId,
    now: Micros,
) -> Result<Authenticated, StoreError> {
    let rows = tx.query(credential_sql!("AND c.id = $2"), &params![workspace, id]).await?;
    match rows.into_iter().next() {
        Some(row) => principal(workspace, row, None, now),
        None => Ok(Authenticated::Unknown),
    }
}

fn principal(
    workspace: WorkspaceId,
    mut row: Row,
    secret: Option<SecretHash>,
    now: Micros,
) -> Result<Authenticated, StoreError> {
    let stored: Vec<u8> = row.take()?;
    if secret.is_some_and(|secret| secret.0.as_slice() != stored) {
        return Ok(Authenticated::Unknown);
    }
    let (credential_id, credential, user, bot, app) =
        (row.take()?, row.take()?, row.take()?, row.take()?, row.take()?);
    let scopes: String = row.take()?;
    let (expires, revoked): (Option<i64>, Option<i64>) = (row.take()?, row.take()?);
    let (role, deleted): (Option<Role>, Option<bool>) = (row.take()?, row.take()?);
    if revoked.is_some() {
        return Ok(Authenticated::Revoked);
    }
    if expires.is_some_and(|expires| expires <= now) {
        return Ok(Authenticated::Expired);
    }
    if deleted == Some(true) {
        return Ok(Authenticated::Inactive);
    }
    let scopes = match credential {
        Credential::Session => Scopes::everything(),
        Credential::Bot | Credential::User | Credential::App => Scopes::parse(&scopes),
    };
    let role = role.unwrap_or(Role::Member);
    let principal = Principal { workspace, user, bot, app, credential, credential_id, role, scopes };
    Ok(Authenticated::Yes(Box::new(principal)))
}

pub(crate) async fn person_by_email(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    email: &str,
) -> Result<Option<(User, Option<String>)>, StoreError> {
    let rows = tx.query(user_sql!("AND email = $2"), &params![workspace, email]).await?;
    rows.into_iter().next().map(|row| rows::user(workspace, row)).transpose()
}

pub(crate) async fn users(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    after: Option<UserId>,
    limit: u32,
) -> Result<Vec<User>, StoreError> {
    let after = after.map_or(-1, |id| i64::try_from(id.raw()).unwrap_or(i64::MAX));
    let rows =
        tx.query(user_sql!("AND usr > $2 ORDER BY usr LIMIT $3"), &params![workspace, after, limit]).await?;
    rows.into_iter().map(|row| rows::user(workspace, row).map(|(user, _)| user)).collect()
}

pub(crate) async fn invite(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    code: SecretHash,
) -> Result<Option<Invite>, StoreError> {
    let sql = "SELECT inviter, email, expires, uses_left FROM invites WHERE workspace = $1 AND code = $2";
    let rows = tx.query(sql, &params![workspace, code]).await?;
    let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
    Ok(Some(Invite { by: row.take()?, email: row.take()?, expires: row.take()?, uses_left: row.take()? }))
}
