//! What the workspace's preferences allow, and setting them.

use std::collections::BTreeSet;

use model::{ChannelId, EventKind, Role, TeamPreferences, UserId, Who, WorkspaceId};

use super::{Batch, Decided, workspace_topic};
use crate::{
    By, Done, Refusal,
    query::people::{DEFAULT_CHANNELS, DEFAULT_CHANNELS_SQL, default_channels_json},
    rows::StoredChannel,
    tx::params,
};

/// Refuses what the workspace's preferences do not allow to somebody of this standing.
pub(super) async fn check(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    role: Role,
    right: impl Fn(&TeamPreferences) -> Who,
) -> Decided<()> {
    if right(&batch.team_preferences(workspace).await?).includes(role) {
        Ok(())
    } else {
        Err(Refusal::NotAllowed.into())
    }
}

/// Somebody's standing.
pub(super) async fn role(batch: &mut Batch<'_>, workspace: WorkspaceId, user: UserId) -> Decided<Role> {
    Ok(batch.user(workspace, user).await?.map_or(Role::Member, |user| user.role))
}

/// Whether a mention of everybody counts: in DMs always.
pub(super) async fn may_mention_everyone(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    user: UserId,
    channel: &StoredChannel,
) -> Decided<bool> {
    let who = batch.team_preferences(workspace).await?.mention_everyone;
    if who == Who::Everyone || channel.channel.kind.is_direct() {
        return Ok(true);
    }
    Ok(who.includes(role(batch, workspace, user).await?))
}

/// Sets preferences of the workspace. Admins may; who has less than owners cannot give owners' rights away or take
/// them: only owners change what is, or would be, owners' alone.
pub(super) async fn set(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    by: By,
    values: Vec<(String, serde_json::Value)>,
    default_channels: Option<Vec<ChannelId>>,
) -> Decided {
    if by.role < Role::Admin {
        return Err(Refusal::NotAllowed.into());
    }
    let before = batch.team_preferences(workspace).await?;
    let mut after = before.clone();
    for (name, value) in &values {
        if !after.set(name, value) {
            return Err(Refusal::NoSuchPreference.into());
        }
    }
    let changed = || before.values().into_iter().zip(after.values()).filter(|(old, new)| old != new);
    let owners = Who::Owners.name();
    if by.role < Role::Owner && changed().any(|((_, old), (_, new))| old == owners || new == owners) {
        return Err(Refusal::NotAllowed.into());
    }
    // All that can be refused comes before anything that is written.
    let newcomers = match default_channels {
        Some(wanted) => Some(newcomers(batch, workspace, wanted).await?),
        None => None,
    };
    for (_, (name, value)) in changed() {
        let value = value.to_string();
        batch.write(
            "INSERT INTO preferences (workspace, usr, name, value, revision) VALUES ($1, 0, $2, $3, 1) \
             ON CONFLICT (workspace, usr, name) DO UPDATE SET value = excluded.value, \
             revision = preferences.revision + 1",
            params![workspace, name, value].into(),
        );
        let event = EventKind::TeamPreferenceChanged { name: name.to_owned(), value };
        batch.push(workspace_topic(workspace), event).await?;
    }
    if after.post_general != before.post_general {
        let sql = "SELECT channel FROM channels WHERE workspace = $1 AND general = 1";
        for mut row in batch.query(sql, &params![workspace]).await? {
            let mut general = batch.channel(workspace, row.take()?).await?;
            general.posting = after.post_general;
            batch.put_channel(workspace, general);
        }
    }
    batch.put_team_preferences(workspace, after);
    if let Some(channels) = newcomers {
        set_newcomers(batch, workspace, channels).await?;
    }
    Ok(Done::Ok)
}

/// The channels that newcomers are to join, each as it is now: all must be public and in use.
async fn newcomers(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    wanted: Vec<ChannelId>,
) -> Decided<Vec<StoredChannel>> {
    let mut channels = Vec::new();
    for id in BTreeSet::from_iter(wanted) {
        let channel = batch.find_channel(workspace, id).await?.ok_or(Refusal::ChannelNotFound)?;
        if !channel.channel.kind.is_public() {
            return Err(Refusal::ChannelNotFound.into());
        }
        if channel.channel.archived {
            return Err(Refusal::IsArchived.into());
        }
        channels.push(channel);
    }
    Ok(channels)
}

async fn set_newcomers(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    wanted: Vec<StoredChannel>,
) -> Decided<()> {
    let sql = "SELECT channel FROM channels WHERE workspace = $1 AND general > 0";
    let mut known = Vec::new();
    for mut row in batch.query(sql, &params![workspace]).await? {
        known.push(batch.channel(workspace, row.take()?).await?);
    }
    let listed = |list: &[StoredChannel], id: ChannelId| list.iter().any(|other| other.channel.id == id);
    let mut changed = false;
    for mut channel in known.iter().chain(wanted.iter().filter(|it| !listed(&known, it.channel.id))).cloned()
    {
        let default = channel.channel.general || listed(&wanted, channel.channel.id);
        if channel.default != default {
            changed = true;
            channel.default = default;
            batch.put_channel(workspace, channel);
        }
    }
    if changed {
        tell_newcomers(batch, workspace).await?;
    }
    Ok(())
}

/// Says which channels newcomers join, after that changed: one of them was set, archived or made private.
pub(super) async fn tell_newcomers(batch: &mut Batch<'_>, workspace: WorkspaceId) -> Decided<()> {
    let rows = batch.query(DEFAULT_CHANNELS_SQL, &params![workspace]).await?;
    let ids = rows.into_iter().map(|mut row| row.take()).collect::<Result<Vec<ChannelId>, _>>()?;
    let value = default_channels_json(&ids);
    let event = EventKind::TeamPreferenceChanged { name: DEFAULT_CHANNELS.to_owned(), value };
    batch.push(workspace_topic(workspace), event).await?;
    Ok(())
}
