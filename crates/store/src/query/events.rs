//! Reads of the log: heads, and events with their content as it is now.

use std::collections::HashMap;

use model::{
    ChannelId, Event, EventKind, Generation, HeadRead, Message, Parent, Position, ReactionChange, Seq,
    Subtype, Topic, TopicId, Ts, UserId, WorkspaceId,
};

use super::channels;
use crate::{
    EventsRead, StoreError,
    codec::{Data, Kind},
    rows::{self, StoredMessage},
    tx::{Row, Tx, params},
};

pub(crate) async fn heads(tx: &mut dyn Tx, topics: &[Topic]) -> Result<Vec<HeadRead>, StoreError> {
    let found = tx.heads(topics).await?;
    let mut heads = HashMap::with_capacity(found.len());
    for mut row in found {
        let topic = Topic { workspace: row.take()?, id: row.take()? };
        heads.insert(topic, Position { generation: row.take()?, seq: row.take()? });
    }
    Ok(topics.iter().map(|topic| heads.get(topic).copied().into()).collect())
}

pub(crate) async fn events(
    tx: &mut dyn Tx,
    topic: Topic,
    after: Position,
    limit: u32,
) -> Result<EventsRead, StoreError> {
    let Some((head, trimmed)) = rows::load_head(tx, topic).await? else { return Ok(EventsRead::Unknown) };
    if after.generation != head.generation || after.seq > head.seq || after.seq < trimmed {
        return Ok(EventsRead::Reset { head });
    }
    let sql = "SELECT seq, kind, at, ref, actor, data FROM events WHERE workspace = $1 AND topic = $2 AND seq > $3 \
               ORDER BY seq LIMIT $4";
    let rows = tx.query(sql, &params![topic.workspace, topic.id, after.seq, limit]).await?;
    let mut reader = Reader { tx, topic, generation: head.generation, messages: HashMap::new() };
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        events.push(reader.event(row).await?);
    }
    Ok(EventsRead::Events { events, head })
}

/// Reads events of one topic, each message once.
struct Reader<'t> {
    tx: &'t mut dyn Tx,
    topic: Topic,
    generation: Generation,
    messages: HashMap<Ts, Option<StoredMessage>>,
}

impl Reader<'_> {
    async fn event(&mut self, mut row: Row) -> Result<Event, StoreError> {
        let seq: Seq = row.take()?;
        let kind: Kind = row.take()?;
        let at = row.take()?;
        let reference: Option<i64> = row.take()?;
        let actor: Option<UserId> = row.take()?;
        let data = Data::from_column(row.take()?)?;
        let kind = match self.topic.id {
            TopicId::Channel(channel) => self.channel_event(channel, kind, reference, actor, data).await?,
            TopicId::User(user) => self.user_event(user, kind, reference, data).await?,
            TopicId::Workspace(workspace) => self.workspace_event(workspace, kind, reference, actor).await?,
        };
        Ok(Event { topic: self.topic, position: Position { generation: self.generation, seq }, at, kind })
    }

    async fn channel_event(
        &mut self,
        channel: ChannelId,
        kind: Kind,
        reference: Option<i64>,
        actor: Option<UserId>,
        data: Data,
    ) -> Result<EventKind, StoreError> {
        let ts = Ts::from_micros(reference.unwrap_or_default());
        let actor = || actor.ok_or(CORRUPT);
        Ok(match kind {
            Kind::Message => match self.live(channel, ts).await? {
                None => EventKind::Nothing,
                Some(message) => {
                    let parent = self.parent(channel, &message).await?;
                    EventKind::Message { message: Box::new(message), parent }
                }
            },
            Kind::MessageChanged => match self.live(channel, ts).await? {
                None => EventKind::Nothing,
                Some(message) if message.subtype == Some(Subtype::Tombstone) => EventKind::Nothing,
                Some(message) => EventKind::MessageChanged { message: Box::new(message), previous: None },
            },
            Kind::MessageDeleted => {
                let tombstone = self.live(channel, ts).await?.map(Box::new);
                let parent = match data.thread().filter(|&thread| thread != ts) {
                    None => None,
                    Some(thread) => {
                        let parent = self.live(channel, thread).await?;
                        Some(Parent { ts: thread, replies: parent.and_then(|parent| parent.replies) })
                    }
                };
                EventKind::MessageDeleted { ts, thread: data.thread(), previous: None, parent, tombstone }
            }
            Kind::ReactionAdded | Kind::ReactionRemoved => {
                if self.live(channel, ts).await?.is_none() {
                    return Ok(EventKind::Nothing);
                }
                let (name, item_user) = (data.name.clone().ok_or(CORRUPT)?, data.user().ok_or(CORRUPT)?);
                let change = ReactionChange { channel, ts, user: actor()?, name, item_user };
                if kind == Kind::ReactionAdded {
                    EventKind::ReactionAdded(change)
                } else {
                    EventKind::ReactionRemoved(change)
                }
            }
            Kind::MemberJoined => {
                let kind = self.channel_kind(channel).await?;
                EventKind::MemberJoined { user: actor()?, inviter: data.user(), kind }
            }
            Kind::MemberLeft => {
                let kind = self.channel_kind(channel).await?;
                EventKind::MemberLeft { user: actor()?, by: data.user(), kind }
            }
            Kind::GroupArchived => EventKind::GroupArchived { user: actor()?, channel },
            _ => return Err(CORRUPT),
        })
    }

    async fn user_event(
        &mut self,
        user: UserId,
        kind: Kind,
        reference: Option<i64>,
        data: Data,
    ) -> Result<EventKind, StoreError> {
        let id = ChannelId::from_raw(u64::try_from(reference.ok_or(CORRUPT)?).map_err(|_| CORRUPT)?);
        let at = || {
            let (generation, seq) = data.position.ok_or(CORRUPT)?;
            Ok::<_, StoreError>(Position { generation: Generation(generation), seq: Seq::new(seq) })
        };
        let workspace = self.topic.workspace;
        let found = channels::channel(self.tx, workspace, id, Some(user)).await?;
        let (channel, membership) = found.ok_or(CORRUPT)?;
        Ok(match (kind, membership) {
            // Who is out of a channel learns nothing of it any more, not even what it was called meanwhile.
            (Kind::Joined | Kind::Marked, None) => EventKind::Nothing,
            (Kind::Joined, Some(_)) => EventKind::Joined { channel: Box::new(channel), at: at()? },
            (Kind::Left, _) => {
                EventKind::Left { channel: id, kind: channel.kind, by: data.user(), at: at()? }
            }
            (Kind::Marked, Some(membership)) => EventKind::Marked {
                channel: id,
                kind: channel.kind,
                ts: membership.last_read,
                mention_count: membership.mention_count,
                has_unreads: channel.latest > membership.last_read,
            },
            _ => return Err(CORRUPT),
        })
    }

    async fn workspace_event(
        &mut self,
        workspace: WorkspaceId,
        kind: Kind,
        reference: Option<i64>,
        actor: Option<UserId>,
    ) -> Result<EventKind, StoreError> {
        let raw = u64::try_from(reference.ok_or(CORRUPT)?).map_err(|_| CORRUPT)?;
        let channel = ChannelId::from_raw(raw);
        Ok(match kind {
            Kind::ChannelCreated => match channels::channel(self.tx, workspace, channel, None).await? {
                Some((channel, _)) if channel.kind.is_public() => {
                    EventKind::ChannelCreated(Box::new(channel))
                }
                _ => EventKind::Nothing,
            },
            Kind::ChannelArchived => EventKind::ChannelArchived { user: actor.ok_or(CORRUPT)?, channel },
            Kind::TeamJoin | Kind::UserChange => {
                let user = rows::load_user(self.tx, workspace, UserId::from_raw(raw)).await?;
                match user {
                    None => EventKind::Nothing,
                    Some(user) if kind == Kind::TeamJoin => EventKind::TeamJoin(Box::new(user)),
                    Some(user) => EventKind::UserChange(Box::new(user)),
                }
            }
            _ => return Err(CORRUPT),
        })
    }

    /// A message that was not deleted.
    async fn live(&mut self, channel: ChannelId, ts: Ts) -> Result<Option<Message>, StoreError> {
        if let std::collections::hash_map::Entry::Vacant(entry) = self.messages.entry(ts) {
            entry.insert(rows::load_message(self.tx, self.topic.workspace, channel, ts).await?);
        }
        let stored = self.messages.get(&ts).and_then(Option::as_ref);
        Ok(stored.filter(|stored| !stored.deleted).map(|stored| stored.message.clone()))
    }

    async fn parent(&mut self, channel: ChannelId, message: &Message) -> Result<Option<Parent>, StoreError> {
        let Some(thread) = message.thread.filter(|_| message.is_reply()) else { return Ok(None) };
        let parent = self.live(channel, thread).await?;
        Ok(Some(Parent { ts: thread, replies: parent.and_then(|parent| parent.replies) }))
    }

    async fn channel_kind(&mut self, channel: ChannelId) -> Result<model::ChannelKind, StoreError> {
        let found = channels::channel(self.tx, self.topic.workspace, channel, None).await?;
        found.map(|(channel, _)| channel.kind).ok_or(CORRUPT)
    }
}

const CORRUPT: StoreError = StoreError::Corrupt { what: "event" };
