//! Reads of preferences and bots.

use model::{BotId, User, UserId, WorkspaceId};

use crate::{
    StoreError,
    rows::{self, user_sql},
    tx::{Tx, params},
};

/// A person's preferences by name, as JSON.
pub(crate) async fn preferences(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    user: UserId,
) -> Result<Vec<(String, String)>, StoreError> {
    let sql = "SELECT name, value FROM preferences WHERE workspace = $1 AND usr = $2 ORDER BY name";
    let rows = tx.query(sql, &params![workspace, user]).await?;
    rows.into_iter().map(|mut row| Ok((row.take()?, row.take()?))).collect()
}

/// The user that a bot acts as.
pub(crate) async fn bot(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    bot: BotId,
) -> Result<Option<User>, StoreError> {
    let rows = tx.query(user_sql!("AND bot = $2"), &params![workspace, bot]).await?;
    rows.into_iter().next().map(|row| rows::user(workspace, row).map(|(user, _)| user)).transpose()
}
