//! The rows that a batch has touched, as its items left them.

use std::collections::{BTreeSet, HashMap, HashSet};

use model::{
    ChannelId, ClientMsgId, CredentialId, Event, EventKind, File, FileId, Generation, Head, Message, Micros,
    Position, Seq, TeamPreferences, Topic, TopicKind, Ts, User, UserId, WorkspaceId,
};

use super::{Decided, TopicState, Topics, event_row};
use crate::{
    PlacementState, Refusal, StoreError, Write, WriteKind, codec,
    commits::Commit,
    query::people,
    rows::{self, StoredChannel, StoredMessage, channel_sql, files::StoredFile},
    tx::{Locked, Row, Rows, Tx, Value, params},
};

/// Events that the logs of people and workspaces keep at least.
const TRIM_KEEP: u64 = 2_048;
/// Events between two trims of such a log.
const TRIM_EVERY: u64 = 512;

/// One person in one channel, present or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) present: bool,
    /// Position of the last join or leave in the channel.
    pub(crate) at: Position,
    pub(crate) last_read: Ts,
    /// Out of the person's list of conversations.
    pub(crate) closed: bool,
    pub(crate) revision: u32,
}

/// One person's replies in one thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Replier {
    pub(crate) first: Ts,
    pub(crate) replies: i64,
}

/// One person's standing with one thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Follower {
    pub(crate) active: bool,
    pub(crate) last_read: Ts,
}

/// A row as the batch left it, and what it did to it since the last write.
struct Cached<T> {
    row: Option<T>,
    change: Change,
}

/// How a row differs from the database's. The first two need a smaller statement than the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// It does not.
    None,
    /// It is not there yet.
    New,
    /// In what each post moves: of a channel, what makes it unread.
    Moved,
    /// Anywhere.
    Any,
}

type ChannelKey = (WorkspaceId, ChannelId);

/// The rows that a batch has touched.
pub(crate) struct Batch<'t> {
    tx: &'t mut dyn Tx,
    now: Micros,
    here: HashMap<WorkspaceId, bool>,
    topics: Topics,
    channels: HashMap<ChannelKey, Cached<StoredChannel>>,
    members: HashMap<(ChannelKey, UserId), Cached<Member>>,
    messages: HashMap<(ChannelKey, Ts), Cached<StoredMessage>>,
    repliers: HashMap<(ChannelKey, Ts, UserId), Cached<Replier>>,
    followers: HashMap<(ChannelKey, Ts, UserId), Cached<Follower>>,
    keys: HashMap<(ChannelKey, UserId, ClientMsgId), Option<Ts>>,
    users: HashMap<(WorkspaceId, UserId), Option<User>>,
    team_preferences: HashMap<WorkspaceId, TeamPreferences>,
    /// Rows to write, by statement, in the order of first use.
    writes: Vec<Rows>,
    events: Vec<Event>,
    moved: HashSet<Topic>,
    revoked: Vec<CredentialId>,
}

impl<'t> Batch<'t> {
    pub(crate) fn new(tx: &'t mut dyn Tx, now: Micros) -> Self {
        Self {
            tx,
            now,
            here: HashMap::new(),
            topics: HashMap::new(),
            channels: HashMap::new(),
            members: HashMap::new(),
            messages: HashMap::new(),
            repliers: HashMap::new(),
            followers: HashMap::new(),
            keys: HashMap::new(),
            users: HashMap::new(),
            team_preferences: HashMap::new(),
            writes: Vec::new(),
            events: Vec::new(),
            moved: HashSet::new(),
            revoked: Vec::new(),
        }
    }

    /// Locks what the items write, and reads what their posts need, many rows at a time, when a statement costs
    /// a round trip. Only what is read here is known to be absent; everything else is read when an item asks for
    /// it.
    pub(crate) async fn open(
        &mut self,
        workspaces: &[WorkspaceId],
        topics: &[Topic],
        items: &[Write],
    ) -> Result<(), StoreError> {
        if !self.tx.is_remote() {
            return self.lock(workspaces, topics).await;
        }
        let mut channels = BTreeSet::new();
        let mut authors = BTreeSet::new();
        let mut keys = BTreeSet::new();
        for item in items {
            let WriteKind::Post { draft, .. } = &item.kind else { continue };
            let channel = (item.workspace, draft.channel);
            channels.insert(channel);
            authors.insert((channel, draft.author));
            keys.extend(draft.client_msg_id.clone().map(|key| (channel, draft.author, key)));
        }
        let then = [channel_query(&channels), member_query(&authors), key_query(&keys)];
        let mut then = self.lock_then(workspaces, topics, &then).await?.into_iter();
        self.found_channels(channels, then.next().unwrap_or_default())?;
        self.found_members(authors, then.next().unwrap_or_default())?;
        self.found_keys(keys, then.next().unwrap_or_default())
    }

    /// Locks what items write and reads it as it is then.
    pub(crate) async fn lock(
        &mut self,
        workspaces: &[WorkspaceId],
        topics: &[Topic],
    ) -> Result<(), StoreError> {
        self.lock_then(workspaces, topics, &[]).await.map(|_| ())
    }

    async fn lock_then(
        &mut self,
        workspaces: &[WorkspaceId],
        topics: &[Topic],
        then: &[Rows],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        // What the batch has changed already it has locked already.
        let topics: Vec<Topic> =
            topics.iter().copied().filter(|topic| !self.topics.contains_key(topic)).collect();
        let Locked { placements, topics: found, then } = self.tx.lock(workspaces, &topics, then).await?;
        for mut row in placements {
            self.here.insert(row.take()?, row.take::<i64>()? == PlacementState::Here.number());
        }
        for mut row in found {
            let topic = Topic { workspace: row.take()?, id: row.take()? };
            let (generation, last_seq, last_ts, trimmed) =
                (row.take()?, row.take()?, row.take()?, row.take()?);
            self.topics.insert(topic, TopicState { generation, last_seq, last_ts, trimmed, moved: false });
        }
        for &workspace in workspaces {
            self.here.entry(workspace).or_insert(false);
        }
        for topic in topics {
            self.topics.entry(topic).or_insert(TopicState::NEW);
        }
        Ok(then)
    }

    /// Lets no other transaction create a workspace until the end of this one.
    pub(crate) async fn lock_installation(&mut self) -> Result<(), StoreError> {
        self.tx.lock_installation().await
    }

    /// Before anything of a channel is read, its topic is locked: what an item did not name is locked here.
    async fn own(&mut self, workspace: WorkspaceId, channel: ChannelId) -> Result<(), StoreError> {
        self.topic(rows::channel_topic(workspace, channel)).await.map(|_| ())
    }

    fn found_channels(&mut self, wanted: BTreeSet<ChannelKey>, found: Vec<Row>) -> Result<(), StoreError> {
        for mut row in found {
            let channel = rows::channel(&mut row)?;
            let key = (row.take()?, channel.channel.id);
            self.channels.insert(key, Cached { row: Some(channel), change: Change::None });
        }
        for key in wanted {
            self.channels.entry(key).or_insert(Cached { row: None, change: Change::None });
        }
        Ok(())
    }

    fn found_members(
        &mut self,
        wanted: BTreeSet<(ChannelKey, UserId)>,
        found: Vec<Row>,
    ) -> Result<(), StoreError> {
        for mut row in found {
            let key = ((row.take()?, row.take()?), row.take()?);
            let member = Member {
                present: row.take()?,
                at: Position { generation: row.take()?, seq: row.take()? },
                last_read: row.take()?,
                closed: row.take()?,
                revision: row.take()?,
            };
            self.members.insert(key, Cached { row: Some(member), change: Change::None });
        }
        for key in wanted {
            self.members.entry(key).or_insert(Cached { row: None, change: Change::None });
        }
        Ok(())
    }

    fn found_keys(
        &mut self,
        wanted: BTreeSet<(ChannelKey, UserId, ClientMsgId)>,
        found: Vec<Row>,
    ) -> Result<(), StoreError> {
        for mut row in found {
            let key = ((row.take()?, row.take()?), row.take()?, row.take()?);
            let ts = row.take()?;
            self.keys.insert(key, Some(ts));
        }
        for key in wanted {
            self.keys.entry(key).or_insert(None);
        }
        Ok(())
    }

    pub(crate) fn now(&self) -> Micros {
        self.now
    }

    /// Whether the workspace lives on this shard and takes writes.
    pub(crate) async fn is_here(&mut self, workspace: WorkspaceId) -> Result<bool, StoreError> {
        if !self.here.contains_key(&workspace) {
            self.lock(&[workspace], &[]).await?;
        }
        Ok(self.here.get(&workspace).copied().unwrap_or(false))
    }

    /// Makes the workspace live here.
    pub(crate) fn place(&mut self, workspace: WorkspaceId) {
        self.here.insert(workspace, true);
        self.write(
            "INSERT INTO placements (workspace, state, version) VALUES ($1, $2, $3)",
            params![workspace, PlacementState::Here.number(), 1i64].into(),
        );
    }

    // Topics and events.

    async fn topic(&mut self, topic: Topic) -> Result<&mut TopicState, StoreError> {
        if !self.topics.contains_key(&topic) {
            self.lock(&[], &[topic]).await?;
        }
        Ok(self.topics.entry(topic).or_insert(TopicState::NEW))
    }

    /// Makes a topic that has no event yet, so that it has a head.
    pub(crate) async fn create_topic(&mut self, topic: Topic) -> Result<(), StoreError> {
        self.topic(topic).await?.moved = true;
        Ok(())
    }

    /// Ts of the newest event of a topic.
    pub(crate) async fn newest(&mut self, topic: Topic) -> Result<Ts, StoreError> {
        Ok(self.topic(topic).await?.last_ts)
    }

    /// Takes the next place of a topic. Give it to [`Batch::emit`].
    pub(crate) async fn next(&mut self, topic: Topic) -> Result<(Position, Ts), StoreError> {
        let now = self.now;
        Ok(self.topic(topic).await?.next(now))
    }

    /// Adds an event at a place taken with [`Batch::next`].
    pub(crate) fn emit(&mut self, topic: Topic, place: (Position, Ts), kind: EventKind) {
        let (position, at) = place;
        let event = Event { topic, position, at, kind };
        self.write(
            "INSERT INTO events (workspace, topic, seq, kind, at, ref, actor, data) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            event_row(&event),
        );
        self.moved.insert(topic);
        self.events.push(event);
        self.trim(topic, position.seq);
    }

    /// Keeps the logs of people and workspaces short: whoever is further behind starts from a snapshot.
    /// Channels keep everything.
    fn trim(&mut self, topic: Topic, seq: Seq) {
        let due = seq.raw().is_multiple_of(TRIM_EVERY) && seq.raw() > TRIM_KEEP;
        if topic.id.kind() == TopicKind::Channel || !due {
            return;
        }
        let up_to = Seq::new(seq.raw() - TRIM_KEEP);
        if let Some(state) = self.topics.get_mut(&topic) {
            state.trimmed = up_to;
        }
        self.write(
            "DELETE FROM events WHERE workspace = $1 AND topic = $2 AND seq <= $3",
            params![topic.workspace, topic.id, up_to].into(),
        );
    }

    /// Adds an event at the topic's next place.
    pub(crate) async fn push(&mut self, topic: Topic, kind: EventKind) -> Result<Position, StoreError> {
        let place = self.next(topic).await?;
        self.emit(topic, place, kind);
        Ok(place.0)
    }

    /// The events since the last call.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Heads of the topics that got events.
    fn heads(&self) -> Vec<Head> {
        let head = |topic: &Topic| {
            self.topics.get(topic).map(|state| Head { topic: *topic, position: state.position() })
        };
        self.moved.iter().filter_map(head).collect()
    }

    /// Raises the generation of a topic.
    pub(crate) async fn shift(&mut self, topic: Topic) -> Result<(), StoreError> {
        let state = self.topic(topic).await?;
        state.generation = Generation(state.generation.0 + 1);
        state.moved = true;
        Ok(())
    }

    // Rows.

    /// A channel that exists.
    pub(crate) async fn channel(&mut self, workspace: WorkspaceId, id: ChannelId) -> Decided<StoredChannel> {
        self.find_channel(workspace, id).await?.ok_or_else(|| Refusal::ChannelNotFound.into())
    }

    pub(crate) async fn find_channel(
        &mut self,
        workspace: WorkspaceId,
        id: ChannelId,
    ) -> Result<Option<StoredChannel>, StoreError> {
        if let Some(cached) = self.channels.get(&(workspace, id)) {
            return Ok(cached.row.clone());
        }
        self.own(workspace, id).await?;
        let sql = channel_sql!("FROM channels c WHERE c.workspace = $1 AND c.channel = $2");
        let rows = self.tx.query(sql, &params![workspace, id]).await?;
        let row = rows.into_iter().next().map(|mut row| rows::channel(&mut row)).transpose()?;
        self.channels.insert((workspace, id), Cached { row: row.clone(), change: Change::None });
        Ok(row)
    }

    pub(crate) fn put_channel(&mut self, workspace: WorkspaceId, mut row: StoredChannel) {
        row.revision += 1;
        put(&mut self.channels, (workspace, row.channel.id), row, Change::Any);
    }

    /// As [`Batch::put_channel`], when nothing but `latest` is another.
    pub(crate) fn put_latest(&mut self, workspace: WorkspaceId, mut row: StoredChannel) {
        row.revision += 1;
        put(&mut self.channels, (workspace, row.channel.id), row, Change::Moved);
    }

    pub(crate) async fn member(
        &mut self,
        workspace: WorkspaceId,
        channel: ChannelId,
        user: UserId,
    ) -> Result<Option<Member>, StoreError> {
        let key = ((workspace, channel), user);
        if let Some(cached) = self.members.get(&key) {
            return Ok(cached.row);
        }
        self.own(workspace, channel).await?;
        let sql = "SELECT present, generation, seq, last_read, closed, revision FROM memberships \
                   WHERE workspace = $1 AND channel = $2 AND usr = $3";
        let rows = self.tx.query(sql, &params![workspace, channel, user]).await?;
        let row = match rows.into_iter().next() {
            None => None,
            Some(mut row) => Some(Member {
                present: row.take()?,
                at: Position { generation: row.take()?, seq: row.take()? },
                last_read: row.take()?,
                closed: row.take()?,
                revision: row.take()?,
            }),
        };
        self.members.insert(key, Cached { row, change: Change::None });
        Ok(row)
    }

    /// Whether the person is in the channel now.
    pub(crate) async fn is_member(
        &mut self,
        workspace: WorkspaceId,
        channel: ChannelId,
        user: UserId,
    ) -> Result<bool, StoreError> {
        Ok(self.member(workspace, channel, user).await?.is_some_and(|member| member.present))
    }

    pub(crate) fn put_member(
        &mut self,
        workspace: WorkspaceId,
        channel: ChannelId,
        user: UserId,
        mut row: Member,
    ) {
        row.revision += 1;
        put(&mut self.members, ((workspace, channel), user), row, Change::Any);
    }

    pub(crate) async fn message(
        &mut self,
        workspace: WorkspaceId,
        channel: ChannelId,
        ts: Ts,
    ) -> Result<Option<StoredMessage>, StoreError> {
        let key = ((workspace, channel), ts);
        if let Some(cached) = self.messages.get(&key) {
            return Ok(cached.row.clone());
        }
        self.own(workspace, channel).await?;
        let row = rows::load_message(self.tx, workspace, channel, ts).await?;
        self.messages.insert(key, Cached { row: row.clone(), change: Change::None });
        Ok(row)
    }

    pub(crate) fn put_message(&mut self, workspace: WorkspaceId, row: StoredMessage) {
        put(&mut self.messages, ((workspace, row.message.channel), row.message.ts), row, Change::Any);
    }

    /// As [`Batch::put_message`], of one that was posted just now.
    pub(crate) fn put_new_message(&mut self, workspace: WorkspaceId, row: StoredMessage) {
        put(&mut self.messages, ((workspace, row.message.channel), row.message.ts), row, Change::New);
    }

    /// A file as it is now goes into the messages that are known to have it: they are read no second time.
    pub(crate) fn refresh_file(&mut self, workspace: WorkspaceId, file: &File) {
        let known = self.messages.iter_mut().filter(|(((of, _), _), _)| *of == workspace);
        let messages = known.filter_map(|(_, cached)| cached.row.as_mut());
        for known in messages.flat_map(|stored| &mut stored.message.files) {
            if known.id == file.id {
                known.clone_from(file);
            }
        }
    }

    pub(crate) async fn replier(
        &mut self,
        workspace: WorkspaceId,
        channel: ChannelId,
        thread: Ts,
        user: UserId,
    ) -> Result<Option<Replier>, StoreError> {
        let key = ((workspace, channel), thread, user);
        if let Some(cached) = self.repliers.get(&key) {
            return Ok(cached.row);
        }
        let sql = "SELECT first_ts, replies FROM thread_users \
                   WHERE workspace = $1 AND channel = $2 AND thread = $3 AND usr = $4";
        let rows = self.tx.query(sql, &params![workspace, channel, thread, user]).await?;
        let row = match rows.into_iter().next() {
            None => None,
            Some(mut row) => Some(Replier { first: row.take()?, replies: row.take()? }),
        };
        self.repliers.insert(key, Cached { row, change: Change::None });
        Ok(row)
    }

    pub(crate) fn put_replier(
        &mut self,
        workspace: WorkspaceId,
        channel: ChannelId,
        thread: Ts,
        user: UserId,
        row: Replier,
    ) {
        put(&mut self.repliers, ((workspace, channel), thread, user), row, Change::Any);
    }

    pub(crate) async fn follower(
        &mut self,
        workspace: WorkspaceId,
        channel: ChannelId,
        thread: Ts,
        user: UserId,
    ) -> Result<Option<Follower>, StoreError> {
        let key = ((workspace, channel), thread, user);
        if let Some(cached) = self.followers.get(&key) {
            return Ok(cached.row);
        }
        let sql = "SELECT active, last_read FROM thread_subscriptions \
                   WHERE workspace = $1 AND usr = $2 AND channel = $3 AND thread = $4";
        let rows = self.tx.query(sql, &params![workspace, user, channel, thread]).await?;
        let row = match rows.into_iter().next() {
            None => None,
            Some(mut row) => Some(Follower { active: row.take()?, last_read: row.take()? }),
        };
        self.followers.insert(key, Cached { row, change: Change::None });
        Ok(row)
    }

    pub(crate) fn put_follower(
        &mut self,
        workspace: WorkspaceId,
        channel: ChannelId,
        thread: Ts,
        user: UserId,
        row: Follower,
    ) {
        put(&mut self.followers, ((workspace, channel), thread, user), row, Change::Any);
    }

    /// The message that the key made, if there was one.
    pub(crate) async fn key(
        &mut self,
        workspace: WorkspaceId,
        channel: ChannelId,
        author: UserId,
        key: &ClientMsgId,
    ) -> Result<Option<Ts>, StoreError> {
        let cache_key = ((workspace, channel), author, key.clone());
        if let Some(&ts) = self.keys.get(&cache_key) {
            return Ok(ts);
        }
        let sql = "SELECT ts FROM idempotency WHERE workspace = $1 AND channel = $2 AND author = $3 AND msg_key = $4";
        let rows = self.tx.query(sql, &params![workspace, channel, author, key]).await?;
        let ts = rows.into_iter().next().map(|mut row| row.take()).transpose()?;
        self.keys.insert(cache_key, ts);
        Ok(ts)
    }

    pub(crate) fn put_key(
        &mut self,
        workspace: WorkspaceId,
        channel: ChannelId,
        author: UserId,
        key: &ClientMsgId,
        ts: Ts,
    ) {
        self.write(
            "INSERT INTO idempotency (workspace, channel, author, msg_key, ts) VALUES ($1, $2, $3, $4, $5)",
            params![workspace, channel, author, key, ts].into(),
        );
        self.keys.insert(((workspace, channel), author, key.clone()), Some(ts));
    }

    /// The workspace's preferences.
    pub(crate) async fn team_preferences(
        &mut self,
        workspace: WorkspaceId,
    ) -> Result<TeamPreferences, StoreError> {
        if let Some(known) = self.team_preferences.get(&workspace) {
            return Ok(known.clone());
        }
        let preferences = people::team_preferences(self.tx, workspace).await?;
        self.team_preferences.insert(workspace, preferences.clone());
        Ok(preferences)
    }

    /// Notes what an item made of them; its rows it writes itself.
    pub(crate) fn put_team_preferences(&mut self, workspace: WorkspaceId, preferences: TeamPreferences) {
        self.team_preferences.insert(workspace, preferences);
    }

    pub(crate) async fn user(
        &mut self,
        workspace: WorkspaceId,
        id: UserId,
    ) -> Result<Option<User>, StoreError> {
        if let Some(user) = self.users.get(&(workspace, id)) {
            return Ok(user.clone());
        }
        let user = rows::load_user(self.tx, workspace, id).await?;
        self.users.insert((workspace, id), user.clone());
        Ok(user)
    }

    /// Tells other processes of revoked credentials.
    pub(crate) fn revoke(&mut self, ids: &[CredentialId]) {
        self.revoked.extend(ids);
    }

    /// Writes what of a person can change.
    pub(crate) fn put_user(&mut self, user: User) {
        self.write(
            "UPDATE users SET name = $3, real_name = $4, display_name = $5, email = $6, role = $7, tz = $8, \
             locale = $9, deleted = $10, updated = $11, profile = $12, dnd = $13, manual_away = $14, revision = revision + 1 \
             WHERE workspace = $1 AND usr = $2",
            params![
                user.workspace,
                user.id,
                user.name,
                user.real_name,
                user.display_name,
                user.email,
                user.role,
                user.tz,
                user.locale,
                user.deleted,
                user.updated,
                codec::json_column(&user.profile),
                codec::json_column(&user.dnd),
                user.manual_away,
            ]
            .into(),
        );
        self.users.insert((user.workspace, user.id), Some(user));
    }

    /// Forgets a cached person, after a statement that changed the row.
    pub(crate) fn forget_user(&mut self, workspace: WorkspaceId, id: UserId) {
        self.users.remove(&(workspace, id));
    }

    // Statements.

    /// Queues a row for a statement. Reads of the same rows by [`Batch::query`] see it.
    pub(crate) fn write(&mut self, sql: &'static str, row: Vec<Value>) {
        match self.writes.iter_mut().find(|(known, _)| *known == sql) {
            Some((_, rows)) => rows.push(row),
            None => self.writes.push((sql, vec![row])),
        }
    }

    /// Writes what is queued, then runs a query: for what no cache can answer.
    pub(crate) async fn query(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Vec<crate::tx::Row>, StoreError> {
        self.flush_rows().await?;
        self.tx.query(sql, params).await
    }

    /// Writes what is queued, then runs a statement; returns how many rows changed.
    pub(crate) async fn execute(&mut self, sql: &'static str, row: Vec<Value>) -> Result<usize, StoreError> {
        self.flush_rows().await?;
        self.tx.execute(sql, &[row]).await
    }

    /// A file as its row is now.
    pub(crate) async fn file(
        &mut self,
        workspace: WorkspaceId,
        id: FileId,
    ) -> Result<Option<StoredFile>, StoreError> {
        self.flush_rows().await?;
        rows::files::load_file(self.tx, workspace, id).await
    }

    /// Mentions of a person after a message.
    pub(crate) async fn count_mentions(
        &mut self,
        workspace: WorkspaceId,
        channel: ChannelId,
        user: UserId,
        after: Ts,
    ) -> Result<u64, StoreError> {
        self.flush_rows().await?;
        rows::count_mentions(self.tx, workspace, channel, user, after).await
    }

    /// Writes everything at the end of the batch, and what others must learn of it.
    pub(crate) async fn finish(mut self) -> Result<(), StoreError> {
        let commit = Commit { heads: self.heads(), revoked: std::mem::take(&mut self.revoked) };
        if !commit.is_empty() {
            self.writes.push(self.tx.log_commit(self.now, &commit));
        }
        self.flush_rows().await
    }

    async fn flush_rows(&mut self) -> Result<(), StoreError> {
        let message =
            |((workspace, _), _): &(ChannelKey, Ts), row: &StoredMessage| message_row(*workspace, row);
        let posted = changed(&mut self.messages, Change::New, |((workspace, _), _), row| {
            plain_row(*workspace, row).unwrap_or_else(|| message_row(*workspace, row))
        });
        let (plain, posted): (Vec<_>, Vec<_>) =
            posted.into_iter().partition(|row| row.len() == PLAIN_COLUMNS);
        let messages = changed(&mut self.messages, Change::Any, message);
        let moved = changed(&mut self.channels, Change::Moved, |(workspace, channel), row| {
            params![workspace, channel, row.channel.latest, row.revision].into()
        });
        let channels =
            changed(&mut self.channels, Change::Any, |(workspace, _), row| channel_row(*workspace, row));
        let members = changed(&mut self.members, Change::Any, |((workspace, channel), user), row| {
            let (generation, seq) = (row.at.generation, row.at.seq);
            let (last_read, closed) = (row.last_read, row.closed);
            params![workspace, channel, user, row.present, generation, seq, last_read, closed, row.revision]
                .into()
        });
        let repliers =
            changed(&mut self.repliers, Change::Any, |((workspace, channel), thread, user), row| {
                params![workspace, channel, thread, user, row.first, row.replies].into()
            });
        let followers =
            changed(&mut self.followers, Change::Any, |((workspace, channel), thread, user), row| {
                params![workspace, user, channel, thread, row.active, row.last_read].into()
            });
        let mut writes =
            vec![(TOPIC_UPSERT, self.moved_topics()), (MESSAGE_PLAIN, plain), (MESSAGE_INSERT, posted)];
        writes.push((MESSAGE_UPSERT, messages));
        writes.append(&mut self.writes);
        writes.extend([(CHANNEL_MOVE, moved), (CHANNEL_UPSERT, channels)]);
        writes.extend([(MEMBER_UPSERT, members), (REPLIER_UPSERT, repliers), (FOLLOWER_UPSERT, followers)]);
        writes.retain(|(_, rows)| !rows.is_empty());
        if writes.is_empty() {
            return Ok(());
        }
        self.tx.execute_all(&writes).await
    }

    fn moved_topics(&mut self) -> Vec<Vec<Value>> {
        let mut topics: Vec<_> = self.topics.iter_mut().filter(|(_, state)| state.moved).collect();
        topics.sort_unstable_by_key(|(topic, _)| **topic);
        let row = |(topic, state): (&Topic, &mut TopicState)| {
            state.moved = false;
            let (generation, trimmed) = (state.generation, state.trimmed);
            params![topic.workspace, topic.id, generation, state.last_seq, state.last_ts, trimmed].into()
        };
        topics.into_iter().map(row).collect()
    }
}

fn channel_query(keys: &BTreeSet<ChannelKey>) -> Rows {
    let keys = keys.iter().map(|(workspace, channel)| params![workspace, channel].into());
    (
        channel_sql!(", c.workspace FROM channels c WHERE (c.workspace, c.channel) IN (VALUES $keys)"),
        keys.collect(),
    )
}

fn member_query(keys: &BTreeSet<(ChannelKey, UserId)>) -> Rows {
    let sql = "SELECT workspace, channel, usr, present, generation, seq, last_read, closed, revision FROM memberships \
               WHERE (workspace, channel, usr) IN (VALUES $keys)";
    let keys = keys.iter().map(|((workspace, channel), user)| params![workspace, channel, user].into());
    (sql, keys.collect())
}

fn key_query(keys: &BTreeSet<(ChannelKey, UserId, ClientMsgId)>) -> Rows {
    let sql = "SELECT workspace, channel, author, msg_key, ts FROM idempotency \
               WHERE (workspace, channel, author, msg_key) IN (VALUES $keys)";
    let keys = keys
        .iter()
        .map(|((workspace, channel), author, key)| params![workspace, channel, author, key].into());
    (sql, keys.collect())
}

/// Puts a row into a cache. What it was before the last write stays what it is: a new row that is changed is new.
fn put<K: Eq + std::hash::Hash, T>(cache: &mut HashMap<K, Cached<T>>, key: K, row: T, change: Change) {
    let change = match (cache.get(&key).map(|cached| cached.change), change) {
        (Some(Change::New), _) => Change::New,
        (Some(Change::Any), Change::Moved) => Change::Any,
        (_, change) => change,
    };
    cache.insert(key, Cached { row: Some(row), change });
}

/// Takes the rows that were changed in this way since the last write, in the order of their keys, so that two
/// batches touch rows in the same order.
fn changed<K: Ord, T>(
    cache: &mut HashMap<K, Cached<T>>,
    change: Change,
    row: impl Fn(&K, &T) -> Vec<Value>,
) -> Vec<Vec<Value>> {
    let mut changed: Vec<_> = cache.iter_mut().filter(|(_, cached)| cached.change == change).collect();
    changed.sort_unstable_by_key(|(key, _)| *key);
    changed
        .into_iter()
        .filter_map(|(key, cached)| {
            cached.change = Change::None;
            cached.row.as_ref().map(|value| row(key, value))
        })
        .collect()
}

const TOPIC_UPSERT: &str = "INSERT INTO topics (workspace, topic, generation, last_seq, last_ts, trimmed) \
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (workspace, topic) DO UPDATE SET \
     generation = excluded.generation, last_seq = excluded.last_seq, last_ts = excluded.last_ts, \
     trimmed = excluded.trimmed";

const MEMBER_UPSERT: &str = "INSERT INTO memberships (workspace, channel, usr, present, generation, seq, last_read, \
     closed, revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (workspace, channel, usr) DO UPDATE SET \
     present = excluded.present, generation = excluded.generation, seq = excluded.seq, \
     last_read = excluded.last_read, closed = excluded.closed, revision = excluded.revision";

const REPLIER_UPSERT: &str = "INSERT INTO thread_users (workspace, channel, thread, usr, first_ts, replies) \
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (workspace, channel, thread, usr) DO UPDATE SET \
     first_ts = excluded.first_ts, replies = excluded.replies";

const FOLLOWER_UPSERT: &str = "INSERT INTO thread_subscriptions (workspace, usr, channel, thread, active, last_read, \
     revision) VALUES ($1, $2, $3, $4, $5, $6, 1) ON CONFLICT (workspace, usr, channel, thread) DO UPDATE SET \
     active = excluded.active, last_read = excluded.last_read, revision = thread_subscriptions.revision + 1";

macro_rules! message_insert {
    ($conflict:literal) => {
        concat!(
            "INSERT INTO messages (workspace, channel, ts, seq, author, bot, app, look, subtype, subtype_data, body, \
             blocks, attachments, metadata, client_msg_id, thread, parent_author, shown, counts, edited_by, \
             edited_at, reply_count, reply_latest, pinned_by, pinned_at, files, deleted, revision) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, \
             $21, $22, $23, $24, $25, $26, $27, $28)",
            $conflict
        )
    };
}

const MESSAGE_INSERT: &str = message_insert!("");

const MESSAGE_UPSERT: &str = message_insert!(
    " ON CONFLICT (workspace, channel, ts) DO UPDATE SET bot = excluded.bot, app = excluded.app, \
     look = excluded.look, subtype = excluded.subtype, subtype_data = excluded.subtype_data, body = excluded.body, \
     blocks = excluded.blocks, attachments = excluded.attachments, metadata = excluded.metadata, \
     thread = excluded.thread, shown = excluded.shown, counts = excluded.counts, edited_by = excluded.edited_by, \
     edited_at = excluded.edited_at, reply_count = excluded.reply_count, reply_latest = excluded.reply_latest, \
     pinned_by = excluded.pinned_by, pinned_at = excluded.pinned_at, files = excluded.files, deleted = excluded.deleted, revision = excluded.revision"
);

/// What most messages are: text, and nothing else.
const MESSAGE_PLAIN: &str = "INSERT INTO messages (workspace, channel, ts, seq, author, body, client_msg_id, shown, \
     counts, reply_count, reply_latest, deleted, revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, 0, 1)";

/// Parameters of [`MESSAGE_PLAIN`].
const PLAIN_COLUMNS: usize = 9;

/// The row of a message that has nothing but text.
fn plain_row(workspace: WorkspaceId, stored: &StoredMessage) -> Option<Vec<Value>> {
    let Message { channel, ts, author, bot, subtype, text, .. } = &stored.message;
    let Message { blocks, attachments, metadata, client_msg_id, .. } = &stored.message;
    let Message { thread, parent_author, edited, replies, pinned, revision, .. } = &stored.message;
    let files = !stored.message.files.is_empty();
    let content = blocks.is_some() || attachments.is_some() || metadata.is_some() || files;
    let kind = bot.is_some() || subtype.is_some() || thread.is_some() || parent_author.is_some();
    let past = edited.is_some() || replies.is_some() || pinned.is_some() || stored.deleted || *revision != 1;
    if content || kind || past {
        return None;
    }
    let (shown, counts) = (stored.message.in_channel(), stored.counts);
    let row: [Value; PLAIN_COLUMNS] =
        params![workspace, channel, ts, stored.seq, author, text.as_str(), client_msg_id, shown, counts];
    Some(row.into())
}

fn message_row(workspace: WorkspaceId, stored: &StoredMessage) -> Vec<Value> {
    let message = &stored.message;
    let (bot, app, look) = codec::bot_columns(message.bot.as_ref());
    let (subtype, subtype_data) = codec::subtype_columns(message.subtype.as_ref());
    let (reply_count, reply_latest) =
        message.replies.as_ref().map_or((0, Ts::ZERO), |replies| (replies.count, replies.latest));
    let mut row: Vec<Value> =
        params![workspace, message.channel, message.ts, stored.seq, message.author].into();
    row.extend([bot, app, look, subtype, subtype_data]);
    row.extend(params![
        message.text.as_str(),
        message.blocks,
        message.attachments,
        message.metadata,
        message.client_msg_id,
        message.thread,
        message.parent_author,
        message.in_channel(),
        stored.counts,
        message.edited.map(|(user, _)| user),
        message.edited.map(|(_, at)| at),
        reply_count,
        reply_latest,
        message.pinned.map(|(user, _)| user),
        message.pinned.map(|(_, at)| at),
        u64::try_from(message.files.len()).unwrap_or(u64::MAX),
        stored.deleted,
        message.revision,
    ]);
    row
}

const CHANNEL_MOVE: &str = "UPDATE channels SET latest = v.column3, revision = v.column4 FROM (VALUES $rows) v \
     WHERE workspace = v.column1 AND channel = v.column2";

const CHANNEL_UPSERT: &str = "INSERT INTO channels (workspace, channel, kind, name, name_key, direct_key, creator, \
     created, updated, archived, general, topic_value, topic_by, topic_at, purpose_value, purpose_by, purpose_at, \
     latest, member_count, previous_names, pins, closed, posting, revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, \
     $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24) ON CONFLICT (workspace, channel) DO UPDATE SET kind = excluded.kind, name = excluded.name, \
     name_key = excluded.name_key, updated = excluded.updated, archived = excluded.archived, \
     general = excluded.general, topic_value = excluded.topic_value, topic_by = excluded.topic_by, \
     topic_at = excluded.topic_at, purpose_value = excluded.purpose_value, purpose_by = excluded.purpose_by, \
     purpose_at = excluded.purpose_at, latest = excluded.latest, member_count = excluded.member_count, \
     previous_names = excluded.previous_names, pins = excluded.pins, closed = excluded.closed, \
     posting = excluded.posting, \
     revision = excluded.revision";

fn channel_row(workspace: WorkspaceId, stored: &StoredChannel) -> Vec<Value> {
    let channel = &stored.channel;
    let direct = channel.kind.is_direct();
    let name_key = (!direct).then(|| channel.name.clone());
    let direct_key = direct.then(|| rows::direct_key(&channel.direct_members));
    let general: i64 = if channel.general {
        1
    } else if stored.default {
        2
    } else {
        0
    };
    params![
        workspace,
        channel.id,
        channel.kind,
        channel.name,
        name_key,
        direct_key,
        channel.creator,
        channel.created,
        channel.updated,
        channel.archived,
        general,
        channel.topic.value,
        channel.topic.by,
        channel.topic.at,
        channel.purpose.value,
        channel.purpose.by,
        channel.purpose.at,
        channel.latest,
        channel.member_count,
        codec::json_column(&channel.previous_names),
        channel.pins,
        stored.closed,
        stored.posting,
        stored.revision,
    ]
    .into()
}

#[cfg(test)]
mod tests {
    use model::MessageText;

    use super::*;

    fn message() -> Message {
        Message {
            channel: ChannelId::from_raw(2),
            ts: Ts::from_micros(3),
            author: UserId::from_raw(5),
            bot: None,
            subtype: None,
            text: MessageText::cut("text".to_owned()).0,
            blocks: None,
            attachments: None,
            metadata: None,
            files: Vec::new(),
            client_msg_id: None,
            thread: None,
            parent_author: None,
            broadcast: false,
            edited: None,
            reactions: Vec::new(),
            replies: None,
            pinned: None,
            revision: 1,
        }
    }

    #[test]
    fn only_what_has_nothing_but_text_is_plain() {
        let row = |message: Message| {
            plain_row(WorkspaceId::from_raw(1), &StoredMessage::new(message, Seq::new(4), true))
        };
        let expected = params![1i64, 2i64, 3i64, 4i64, 5i64, "text", Option::<String>::None, 1i64, 1i64];
        assert_eq!(row(message()), Some(expected.into()));
        for other in [
            Message { blocks: Some("[]".to_owned()), ..message() },
            Message { metadata: Some("{}".to_owned()), ..message() },
            Message { thread: Some(Ts::from_micros(1)), ..message() },
            Message { subtype: Some(model::Subtype::Me), ..message() },
            Message { pinned: Some((UserId::from_raw(5), Ts::from_micros(9))), ..message() },
            Message { revision: 2, ..message() },
            Message { edited: Some((UserId::from_raw(5), Ts::from_micros(9))), ..message() },
        ] {
            assert_eq!(row(other.clone()), None, "{other:?}");
        }
    }
}
