//! Reads of the log: heads, and events with their content as it is now.

use std::collections::{BTreeSet, HashMap};

use model::{
    Channel, ChannelId, Event, EventKind, FileId, Generation, HeadRead, Membership, Message, Parent,
    PinChange, Position, ReactionChange, Seq, Subtype, Topic, TopicId, Ts, UserId,
};

use super::{channels, people, threads};
use crate::{
    EventsRead, StoreError,
    codec::{self, Data, Kind},
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
    let rows = rows.into_iter().map(LogRow::read).collect::<Result<Vec<_>, _>>()?;
    let mut reader =
        Reader { tx, topic, generation: head.generation, messages: HashMap::new(), channels: HashMap::new() };
    reader.prefetch(&rows).await?;
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        events.push(reader.event(row).await?);
    }
    Ok(EventsRead::Events { events, head })
}

/// A row of the log.
struct LogRow {
    seq: Seq,
    kind: Kind,
    at: Ts,
    reference: Option<i64>,
    actor: Option<UserId>,
    data: Data,
}

impl LogRow {
    fn read(mut row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            seq: row.take()?,
            kind: row.take()?,
            at: row.take()?,
            reference: row.take()?,
            actor: row.take()?,
            data: Data::from_column(row.take()?)?,
        })
    }

    /// The messages that are shown with it.
    fn messages(&self) -> impl Iterator<Item = Ts> {
        use Kind::{Message, MessageChanged, MessageDeleted, ReactionAdded, ReactionRemoved};
        let shown =
            matches!(self.kind, Message | MessageChanged | MessageDeleted | ReactionAdded | ReactionRemoved)
                || matches!(self.kind, Kind::PinAdded | Kind::PinRemoved);
        let reference = self.reference.filter(|_| shown).map(Ts::from_micros);
        reference.into_iter().chain(self.data.thread())
    }
}

/// Reads events of one topic, each message and conversation once.
struct Reader<'t> {
    tx: &'t mut dyn Tx,
    topic: Topic,
    generation: Generation,
    messages: HashMap<Ts, Option<StoredMessage>>,
    channels: HashMap<ChannelId, (Channel, Option<Membership>)>,
}

impl Reader<'_> {
    /// Reads the messages of all rows, and the parents of those that are replies, when each statement costs a
    /// round trip. Else those that were posted: they lie beside each other, and what else is shown is read when it is.
    async fn prefetch(&mut self, rows: &[LogRow]) -> Result<(), StoreError> {
        let TopicId::Channel(channel) = self.topic.id else { return Ok(()) };
        if !self.tx.is_remote() {
            let posts = rows.iter().filter(|row| row.kind == Kind::Message).filter_map(|row| row.reference);
            let posts: Vec<Ts> = posts.map(Ts::from_micros).collect();
            if let [_, _, ..] = posts.as_slice() {
                let found = rows::load_posted(self.tx, self.topic.workspace, channel, &posts).await?;
                self.messages.extend(found.into_iter().map(|stored| (stored.message.ts, Some(stored))));
            }
            return Ok(());
        }
        let mut wanted: BTreeSet<Ts> = rows.iter().flat_map(LogRow::messages).collect();
        while !wanted.is_empty() {
            let found = rows::load_messages(self.tx, self.topic.workspace, channel, &wanted).await?;
            let parents = found.iter().filter_map(|stored| stored.message.thread).collect::<BTreeSet<_>>();
            self.messages.extend(wanted.into_iter().map(|ts| (ts, None)));
            self.messages.extend(found.into_iter().map(|stored| (stored.message.ts, Some(stored))));
            wanted = parents.into_iter().filter(|ts| !self.messages.contains_key(ts)).collect();
        }
        Ok(())
    }

    async fn event(&mut self, row: LogRow) -> Result<Event, StoreError> {
        let LogRow { seq, kind, at, reference, actor, data } = row;
        let kind = match self.topic.id {
            TopicId::Channel(channel) => self.channel_event(channel, kind, reference, actor, data).await?,
            TopicId::User(user) => match kind {
                Kind::PreferenceChanged => self.preference(user, data).await?,
                Kind::DndChanged => self.dnd(user).await?,
                Kind::ManualPresence => self.manual_presence(user).await?,
                Kind::FileCreated | Kind::FileChanged | Kind::FilePublic | Kind::FileDeleted => {
                    self.file_event(kind, reference, actor).await?
                }
                _ => self.user_event(user, kind, reference, data).await?,
            },
            TopicId::Workspace(_) => self.workspace_event(kind, reference, actor, data).await?,
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
                let (kind, members) = self.kind_and_members(channel).await?;
                EventKind::MemberJoined { user: actor()?, inviter: data.user(), kind, members }
            }
            Kind::MemberLeft => {
                let (kind, members) = self.kind_and_members(channel).await?;
                EventKind::MemberLeft { user: actor()?, by: data.user(), kind, members }
            }
            Kind::GroupArchived => EventKind::GroupArchived { user: actor()?, channel },
            Kind::GroupUnarchived => EventKind::GroupUnarchived { user: actor()?, channel },
            Kind::GroupRenamed => {
                EventKind::GroupRenamed(Box::new(self.channel(channel, None).await?.ok_or(CORRUPT)?.0))
            }
            Kind::PinAdded | Kind::PinRemoved => {
                let Some(message) = self.live(channel, ts).await? else { return Ok(EventKind::Nothing) };
                let pins = self.channel(channel, None).await?.ok_or(CORRUPT)?.0.pins;
                // As it is now, whatever was done to it in between.
                let added = message.pinned.is_some();
                let change = Box::new(PinChange { message, user: actor()?, pins });
                if added { EventKind::PinAdded(change) } else { EventKind::PinRemoved(change) }
            }
            Kind::FileShared
            | Kind::FileUnshared
            | Kind::FileChanged
            | Kind::FilePublic
            | Kind::FileDeleted
            | Kind::FileCreated => self.file_event(kind, reference, actor().ok()).await?,
            _ => return Err(CORRUPT),
        })
    }

    /// What happened to a file. Of a deleted one only the deletion is told.
    async fn file_event(
        &mut self,
        kind: Kind,
        reference: Option<i64>,
        actor: Option<UserId>,
    ) -> Result<EventKind, StoreError> {
        let file = FileId::from_raw(u64::try_from(reference.ok_or(CORRUPT)?).map_err(|_| CORRUPT)?);
        let user = || actor.ok_or(CORRUPT);
        let stored = rows::files::load_file(self.tx, self.topic.workspace, file).await?;
        let Some(known) = stored.map(|stored| stored.file).filter(|known| !known.deleted) else {
            let deleted = kind == Kind::FileDeleted;
            return Ok(if deleted { EventKind::FileDeleted { file } } else { EventKind::Nothing });
        };
        Ok(match kind {
            Kind::FileShared => EventKind::FileShared { file, user: user()? },
            Kind::FileUnshared => EventKind::FileUnshared { file, user: user()? },
            Kind::FilePublic => EventKind::FilePublic { file, user: user()? },
            Kind::FileCreated => EventKind::FileCreated { file, user: user()? },
            Kind::FileChanged => EventKind::FileChanged(Box::new(known)),
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
        let (channel, membership) = self.channel(id, Some(user)).await?.ok_or(CORRUPT)?;
        Ok(match (kind, membership) {
            // Who is out of a channel learns nothing of it any more, not even what it was called meanwhile.
            (Kind::Joined | Kind::Marked | Kind::Opened | Kind::Closed, None)
            | (Kind::ThreadFollowed | Kind::ThreadMarked, None) => EventKind::Nothing,
            (Kind::Opened | Kind::Closed, Some(membership)) => {
                let kind = channel.kind;
                if membership.open {
                    EventKind::Opened { channel: id, kind }
                } else {
                    EventKind::Closed { channel: id, kind }
                }
            }
            (Kind::ThreadFollowed | Kind::ThreadMarked, Some(_)) => {
                let thread = data.thread().ok_or(CORRUPT)?;
                let workspace = self.topic.workspace;
                let found = threads::subscription(self.tx, workspace, user, id, thread).await?;
                let subscription = found.ok_or(CORRUPT)?;
                if kind == Kind::ThreadFollowed {
                    EventKind::ThreadFollowed(subscription)
                } else {
                    EventKind::ThreadMarked(subscription)
                }
            }
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

    async fn preference(&mut self, user: UserId, data: Data) -> Result<EventKind, StoreError> {
        let name = data.name.ok_or(CORRUPT)?;
        let all = people::preferences(self.tx, self.topic.workspace, user).await?;
        let value = all.into_iter().find(|(known, _)| *known == name).ok_or(CORRUPT)?.1;
        Ok(EventKind::PreferenceChanged { name, value })
    }

    async fn dnd(&mut self, user: UserId) -> Result<EventKind, StoreError> {
        let user = rows::load_user(self.tx, self.topic.workspace, user).await?;
        Ok(user.map_or(EventKind::Nothing, |user| EventKind::DndChanged(Box::new(user))))
    }

    async fn manual_presence(&mut self, user: UserId) -> Result<EventKind, StoreError> {
        let user = rows::load_user(self.tx, self.topic.workspace, user).await?;
        Ok(user.map_or(EventKind::Nothing, |user| EventKind::ManualPresence { away: user.manual_away }))
    }

    async fn workspace_event(
        &mut self,
        kind: Kind,
        reference: Option<i64>,
        actor: Option<UserId>,
        data: Data,
    ) -> Result<EventKind, StoreError> {
        let workspace = self.topic.workspace;
        if kind == Kind::TeamPreferenceChanged {
            let name = data.name.ok_or(CORRUPT)?;
            let value = people::team_preference(self.tx, workspace, &name).await?.ok_or(CORRUPT)?;
            return Ok(EventKind::TeamPreferenceChanged { name, value });
        }
        let raw = u64::try_from(reference.ok_or(CORRUPT)?).map_err(|_| CORRUPT)?;
        let channel = ChannelId::from_raw(raw);
        Ok(match kind {
            Kind::ChannelCreated | Kind::ChannelRenamed | Kind::ChannelArchived | Kind::ChannelUnarchived => {
                let found = self.channel(channel, None).await?.map(|(channel, _)| channel);
                // Of a channel that became private meanwhile nothing more is told.
                let Some(found) = found.filter(|channel| channel.kind.is_public()) else {
                    return Ok(EventKind::Nothing);
                };
                match kind {
                    Kind::ChannelCreated => EventKind::ChannelCreated(Box::new(found)),
                    Kind::ChannelRenamed => EventKind::ChannelRenamed(Box::new(found)),
                    Kind::ChannelArchived => {
                        EventKind::ChannelArchived { user: actor.ok_or(CORRUPT)?, channel }
                    }
                    _ => EventKind::ChannelUnarchived { user: actor.ok_or(CORRUPT)?, channel },
                }
            }
            Kind::ChannelConvertedToPrivate => EventKind::ChannelConvertedToPrivate { channel },
            Kind::DndChanged => self.dnd(UserId::from_raw(raw)).await?,
            Kind::TeamJoin | Kind::UserChange => {
                let user = rows::load_user(self.tx, workspace, UserId::from_raw(raw)).await?;
                match user {
                    None => EventKind::Nothing,
                    Some(user) if kind == Kind::TeamJoin => EventKind::TeamJoin(Box::new(user)),
                    Some(user) => EventKind::UserChange(Box::new(user), codec::part(data.name.as_deref())),
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

    /// A conversation's kind, and how many are in it.
    async fn kind_and_members(
        &mut self,
        channel: ChannelId,
    ) -> Result<(model::ChannelKind, u64), StoreError> {
        let channel = self.channel(channel, None).await?.ok_or(CORRUPT)?.0;
        Ok((channel.kind, channel.member_count))
    }

    /// A conversation, and the membership of the one person whose topic this is.
    async fn channel(
        &mut self,
        id: ChannelId,
        viewer: Option<UserId>,
    ) -> Result<Option<(Channel, Option<Membership>)>, StoreError> {
        if let Some(found) = self.channels.get(&id) {
            return Ok(Some(found.clone()));
        }
        let found = channels::channel(self.tx, self.topic.workspace, id, viewer).await?;
        self.channels.extend(found.clone().map(|found| (id, found)));
        Ok(found)
    }
}

const CORRUPT: StoreError = StoreError::Corrupt { what: "event" };
