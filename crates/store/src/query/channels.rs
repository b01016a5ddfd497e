//! Reads of conversations and memberships, and what a client starts from.

use std::collections::HashMap;

use model::{
    Channel, ChannelId, ChannelKind, CredentialId, HeadRead, Membership, Micros, Position, Topic, TopicId,
    Ts, UserId, WorkspaceId,
};

use super::{accounts, events, people, threads};
use crate::{
    BootSnapshot, ChannelsQuery, SessionStart, StoreError,
    rows::{self, channel_sql},
    tx::{Row, Tx, params},
};

pub(crate) async fn channel(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    id: ChannelId,
    viewer: Option<UserId>,
) -> Result<Option<(Channel, Option<Membership>)>, StoreError> {
    let sql = channel_sql!(
        ", m.present, m.generation, m.seq, m.last_read, m.closed FROM channels c LEFT JOIN memberships m \
         ON m.workspace = c.workspace AND m.channel = c.channel AND m.usr = $2 \
         WHERE c.workspace = $1 AND c.channel = $3"
    );
    // No user has the number -1.
    let user = viewer.map_or(-1, |user| i64::try_from(user.raw()).unwrap_or(-1));
    let rows = tx.query(sql, &params![workspace, user, id]).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let (channel, mut membership) = with_membership(viewer, row)?;
    if let Some(own) = &mut membership {
        own.mention_count = rows::count_mentions(tx, workspace, channel.id, own.user, own.last_read).await?;
    }
    Ok(Some((channel, membership)))
}

/// Reads the columns of a channel, followed by those of a membership, whose mentions are not counted yet.
fn with_membership(
    viewer: Option<UserId>,
    mut row: Row,
) -> Result<(Channel, Option<Membership>), StoreError> {
    let channel = rows::channel(&mut row)?.channel;
    let present: Option<bool> = row.take()?;
    let (Some(user), Some(true)) = (viewer, present) else { return Ok((channel, None)) };
    let joined = Position { generation: row.take()?, seq: row.take()? };
    let last_read: Ts = row.take()?;
    let open = !row.take::<bool>()?;
    let membership = Membership { channel: channel.id, user, joined, last_read, mention_count: 0, open };
    Ok((channel, Some(membership)))
}

/// Counts the mentions of somebody in all their conversations, in one statement however many they are.
async fn count_mentions(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    user: UserId,
    found: &mut [(Channel, Option<Membership>)],
) -> Result<(), StoreError> {
    if found.iter().all(|(_, membership)| membership.is_none()) {
        return Ok(());
    }
    let sql = "SELECT m.channel, count(DISTINCT n.ts) FROM memberships m JOIN mentions n \
               ON n.workspace = m.workspace AND n.channel = m.channel AND n.usr IN ($2, 0) AND n.ts > m.last_read AND n.thread = 0 \
               WHERE m.workspace = $1 AND m.usr = $2 AND m.present = 1 GROUP BY m.channel";
    let mut counts: HashMap<ChannelId, u64> = HashMap::new();
    for mut row in tx.query(sql, &params![workspace, user]).await? {
        counts.insert(row.take()?, row.take()?);
    }
    for (channel, membership) in found {
        if let Some(own) = membership {
            own.mention_count = counts.get(&channel.id).copied().unwrap_or_default();
        }
    }
    Ok(())
}

pub(crate) async fn channels(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    query: &ChannelsQuery,
) -> Result<Vec<(Channel, Option<Membership>)>, StoreError> {
    let after = query.after.map_or(-1, |id| i64::try_from(id.raw()).unwrap_or(i64::MAX));
    let kind = |kind: ChannelKind| query.kinds.contains(&kind);
    let (public, private) = (kind(ChannelKind::Public), kind(ChannelKind::Private));
    let (direct, group) = (kind(ChannelKind::Direct), kind(ChannelKind::GroupDirect));
    let of_member = query.member.unwrap_or(query.viewer);
    let public_without_member = query.member.is_none();
    let sql = channel_sql!(
        ", m.present, m.generation, m.seq, m.last_read, m.closed FROM channels c LEFT JOIN memberships m \
         ON m.workspace = c.workspace AND m.channel = c.channel AND m.usr = $2 \
         LEFT JOIN memberships o ON o.workspace = c.workspace AND o.channel = c.channel AND o.usr = $3 \
         WHERE c.workspace = $1 AND c.channel > $4 \
         AND (c.kind = 1 AND $5 = 1 OR c.kind = 2 AND $6 = 1 OR c.kind = 3 AND $7 = 1 OR c.kind = 4 AND $8 = 1) \
         AND (c.archived = 0 OR $9 = 0) \
         AND (c.kind = 1 OR coalesce(m.present, 0) = 1) \
         AND (coalesce(o.present, 0) = 1 OR (c.kind = 1 AND $10 = 1)) \
         ORDER BY c.channel LIMIT $11"
    );
    let exclude = query.exclude_archived;
    let params = params![
        workspace,
        query.viewer,
        of_member,
        after,
        public,
        private,
        direct,
        group,
        exclude,
        public_without_member,
        query.limit
    ];
    let rows = tx.query(sql, &params).await?;
    let found = rows.into_iter().map(|row| with_membership(Some(query.viewer), row));
    let mut found = found.collect::<Result<Vec<_>, _>>()?;
    count_mentions(tx, workspace, query.viewer, &mut found).await?;
    Ok(found)
}

pub(crate) async fn members(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    channel: ChannelId,
    after: Option<UserId>,
    limit: u32,
) -> Result<Vec<UserId>, StoreError> {
    let after = after.map_or(-1, |id| i64::try_from(id.raw()).unwrap_or(i64::MAX));
    let sql = "SELECT usr FROM memberships WHERE workspace = $1 AND channel = $2 AND usr > $3 AND present = 1 \
               ORDER BY usr LIMIT $4";
    let rows = tx.query(sql, &params![workspace, channel, after, limit]).await?;
    rows.into_iter().map(|mut row| row.take()).collect()
}

/// Conversations that somebody is in.
async fn own_channels(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    user: UserId,
) -> Result<Vec<(Channel, Membership)>, StoreError> {
    let sql = channel_sql!(
        ", m.present, m.generation, m.seq, m.last_read, m.closed FROM memberships m JOIN channels c \
         ON c.workspace = m.workspace AND c.channel = m.channel \
         WHERE m.workspace = $1 AND m.usr = $2 AND m.present = 1 ORDER BY m.channel"
    );
    let rows = tx.query(sql, &params![workspace, user]).await?;
    let found = rows.into_iter().map(|row| with_membership(Some(user), row));
    let mut found = found.collect::<Result<Vec<_>, _>>()?;
    count_mentions(tx, workspace, user, &mut found).await?;
    Ok(found.into_iter().filter_map(|(channel, membership)| Some((channel, membership?))).collect())
}

pub(crate) async fn boot(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    user: UserId,
) -> Result<Option<BootSnapshot>, StoreError> {
    let found = (accounts::workspace(tx, workspace).await?, rows::load_user(tx, workspace, user).await?);
    let (Some(workspace_row), Some(user_row)) = found else { return Ok(None) };
    let channels = own_channels(tx, workspace, user).await?;
    let topics = topics(tx, workspace, user).await?;
    let preferences = people::preferences(tx, workspace, user).await?;
    let team_preferences = people::team(tx, workspace).await?;
    let threads = threads::counts(tx, workspace, user).await?;
    Ok(Some(BootSnapshot {
        workspace: workspace_row,
        user: user_row,
        channels,
        preferences,
        team_preferences,
        threads,
        topics,
    }))
}

pub(crate) async fn session(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    user: UserId,
    credential: CredentialId,
    now: Micros,
) -> Result<SessionStart, StoreError> {
    let credential = accounts::credential_state(tx, workspace, credential, now).await?;
    let topics = topics(tx, workspace, user).await?;
    // Read after the heads: what comes after them is told by events, whether this knows it or not.
    let user = rows::load_user(tx, workspace, user).await?;
    Ok(SessionStart { credential, topics, user })
}

async fn topics(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    user: UserId,
) -> Result<Vec<(TopicId, Position)>, StoreError> {
    let sql = "SELECT t.topic, t.generation, t.last_seq FROM memberships m JOIN topics t \
               ON t.workspace = m.workspace AND t.topic = m.channel \
               WHERE m.workspace = $1 AND m.usr = $2 AND m.present = 1";
    let mut topics = Vec::new();
    for mut row in tx.query(sql, &params![workspace, user]).await? {
        topics.push((row.take()?, Position { generation: row.take()?, seq: row.take()? }));
    }
    let own = [TopicId::User(user), TopicId::Workspace(workspace)].map(|id| Topic { workspace, id });
    for (topic, head) in own.iter().zip(events::heads(tx, &own).await?) {
        if let HeadRead::At(position) = head {
            topics.push((topic.id, position));
        }
    }
    Ok(topics)
}
