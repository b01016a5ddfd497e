//! Reads of preferences, a person's and the workspace's, and of bots.

use model::{BotId, ChannelId, TeamPreferences, User, UserId, WorkspaceId};

use crate::{
    StoreError,
    rows::{self, user_sql},
    tx::{Tx, params},
};

const CORRUPT: StoreError = StoreError::Corrupt { what: "preference" };

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

/// The workspace's preferences.
pub(crate) async fn team_preferences(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
) -> Result<TeamPreferences, StoreError> {
    let sql = "SELECT name, value FROM preferences WHERE workspace = $1 AND usr = 0";
    let mut preferences = TeamPreferences::default();
    for mut row in tx.query(sql, &params![workspace]).await? {
        let (name, value): (String, String) = (row.take()?, row.take()?);
        let value = serde_json::from_str(&value).map_err(|_| CORRUPT)?;
        if !preferences.set(&name, &value) {
            return Err(CORRUPT);
        }
    }
    Ok(preferences)
}

/// The channels that newcomers join, the one that everybody is in first.
pub(crate) const DEFAULT_CHANNELS_SQL: &str = "SELECT channel FROM channels WHERE workspace = $1 AND general > 0 \
     AND archived = 0 ORDER BY general, channel";

pub(crate) async fn default_channels(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
) -> Result<Vec<ChannelId>, StoreError> {
    tx.query(DEFAULT_CHANNELS_SQL, &params![workspace]).await?.into_iter().map(|mut row| row.take()).collect()
}

/// Both.
pub(crate) async fn team(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
) -> Result<(TeamPreferences, Vec<ChannelId>), StoreError> {
    Ok((team_preferences(tx, workspace).await?, default_channels(tx, workspace).await?))
}

/// One of them by its name, as JSON.
pub(crate) async fn team_preference(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    name: &str,
) -> Result<Option<String>, StoreError> {
    if name == DEFAULT_CHANNELS {
        let channels = default_channels(tx, workspace).await?;
        return Ok(Some(default_channels_json(&channels)));
    }
    let values = team_preferences(tx, workspace).await?.values();
    Ok(values.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string()))
}

/// Slack's name for the channels that newcomers join.
pub(crate) const DEFAULT_CHANNELS: &str = "default_channels";

/// Their ids as a JSON array.
pub(crate) fn default_channels_json(channels: &[ChannelId]) -> String {
    serde_json::Value::from_iter(channels.iter().map(ChannelId::to_string)).to_string()
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
