//! The read side: every method is one read transaction.

use async_trait::async_trait;
use model::{
    BotId, Channel, ChannelId, ChannelKind, CredentialId, Event, File, FileId, Head, HeadRead, JobId,
    Membership, Message, MessageText, Micros, Position, Principal, ScheduledId, Share, Subscription,
    TeamPreferences, Topic, TopicId, Ts, User, UserId, Workspace, WorkspaceId,
};

use crate::{SecretHash, StoreError};

/// Reads of a shard. Rights are the caller's business, except where a viewer is named.
#[async_trait]
pub trait Store: Send + Sync {
    /// Every workspace, at most 100 (more than that are found by domain).
    async fn workspaces(&self) -> Result<Vec<Workspace>, StoreError>;
    /// One workspace.
    async fn workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError>;
    /// Whether a workspace lives here. `None`: this store knows nothing of it.
    async fn placement(&self, id: WorkspaceId) -> Result<Option<Placement>, StoreError>;
    /// One workspace by its domain.
    async fn workspace_by_domain(&self, domain: &str) -> Result<Option<Workspace>, StoreError>;

    /// Who holds a secret, at the time `now`.
    async fn authenticate(
        &self,
        workspace: WorkspaceId,
        secret: SecretHash,
        now: Micros,
    ) -> Result<Authenticated, StoreError>;
    /// Whether a credential is still good, at the time `now`: what a started session is checked by.
    async fn credential_state(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
        now: Micros,
    ) -> Result<Authenticated, StoreError>;
    /// The person with an address and their password hash.
    async fn person_by_email(
        &self,
        workspace: WorkspaceId,
        email: &str,
    ) -> Result<Option<(User, Option<String>)>, StoreError>;
    /// An invitation.
    async fn invite(&self, workspace: WorkspaceId, code: SecretHash) -> Result<Option<Invite>, StoreError>;

    /// One person or bot user.
    async fn user(&self, workspace: WorkspaceId, id: UserId) -> Result<Option<User>, StoreError>;
    /// People and bots by id, at most `limit`, after an id.
    async fn users(
        &self,
        workspace: WorkspaceId,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<User>, StoreError>;

    /// One conversation and the viewer's membership. It is the caller who decides what a non-member learns.
    async fn channel(
        &self,
        workspace: WorkspaceId,
        id: ChannelId,
        viewer: Option<UserId>,
    ) -> Result<Option<(Channel, Option<Membership>)>, StoreError>;
    /// Conversations by id.
    async fn channels(
        &self,
        workspace: WorkspaceId,
        query: ChannelsQuery,
    ) -> Result<Vec<(Channel, Option<Membership>)>, StoreError>;
    /// People of a conversation by id, at most `limit`, after an id.
    async fn members(
        &self,
        workspace: WorkspaceId,
        channel: ChannelId,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<UserId>, StoreError>;

    /// One message as it is now; `None` if it was deleted without a trace.
    async fn message(
        &self,
        workspace: WorkspaceId,
        channel: ChannelId,
        ts: Ts,
    ) -> Result<Option<Message>, StoreError>;
    /// As [`Store::message`], with the channel's position when it was read.
    async fn message_at(
        &self,
        workspace: WorkspaceId,
        channel: ChannelId,
        ts: Ts,
    ) -> Result<Option<(Message, Position)>, StoreError>;
    /// Messages of a channel, newest first; replies only when broadcast.
    async fn history(
        &self,
        workspace: WorkspaceId,
        channel: ChannelId,
        range: Range,
    ) -> Result<MessagePage, StoreError>;
    /// Replies of a thread, oldest first, without the parent. `None`: there is no such parent.
    async fn replies(
        &self,
        workspace: WorkspaceId,
        channel: ChannelId,
        parent: Ts,
        range: Range,
    ) -> Result<Option<ThreadPage>, StoreError>;

    /// All that a person's client starts from.
    async fn boot(&self, workspace: WorkspaceId, user: UserId) -> Result<Option<BootSnapshot>, StoreError>;
    /// What a session starts from, in one read.
    async fn session(
        &self,
        workspace: WorkspaceId,
        user: UserId,
        credential: CredentialId,
        now: Micros,
    ) -> Result<SessionStart, StoreError>;
    /// Heads of topics, in the order asked.
    async fn heads(&self, topics: &[Topic]) -> Result<Vec<HeadRead>, StoreError>;
    /// Events of a topic after a position, oldest first, contents as they are now.
    async fn events(&self, topic: Topic, after: Position, limit: u32) -> Result<EventsRead, StoreError>;
    /// The position at which a message was posted.
    async fn position_of(
        &self,
        workspace: WorkspaceId,
        channel: ChannelId,
        ts: Ts,
    ) -> Result<Option<Position>, StoreError>;

    /// The user that a bot acts as.
    async fn bot(&self, workspace: WorkspaceId, bot: BotId) -> Result<Option<User>, StoreError>;
    /// A person's preferences by name, as JSON. What they never set is not among them.
    async fn preferences(
        &self,
        workspace: WorkspaceId,
        user: UserId,
    ) -> Result<Vec<(String, String)>, StoreError>;
    /// The workspace's preferences, and the channels that newcomers join: first the one that everybody is in.
    async fn team_preferences(
        &self,
        workspace: WorkspaceId,
    ) -> Result<(TeamPreferences, Vec<ChannelId>), StoreError>;
    /// The pinned messages of a channel, the newest pin first.
    async fn pinned(&self, workspace: WorkspaceId, channel: ChannelId) -> Result<Vec<Message>, StoreError>;
    /// Messages to which somebody reacted, in conversations that the viewer may see, the newest reaction first.
    async fn reacted(
        &self,
        workspace: WorkspaceId,
        user: UserId,
        viewer: UserId,
        skip: u32,
        limit: u32,
    ) -> Result<Reacted, StoreError>;
    /// Messages of others that mention somebody by name, or everybody since they joined, in channels that they are in,
    /// newest first; `after`: only those older than this one.
    async fn mentioning(
        &self,
        workspace: WorkspaceId,
        user: UserId,
        after: Option<(Ts, ChannelId)>,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError>;
    /// What is unread of the threads that somebody follows.
    async fn thread_counts(&self, workspace: WorkspaceId, user: UserId) -> Result<ThreadCounts, StoreError>;
    /// One person's standing with one thread; `None`: they never followed it.
    async fn subscription(
        &self,
        workspace: WorkspaceId,
        user: UserId,
        channel: ChannelId,
        thread: Ts,
    ) -> Result<Option<Subscription>, StoreError>;
    /// Threads that somebody follows, with their newest reply, which is older than `before`; newest first.
    async fn followed(
        &self,
        workspace: WorkspaceId,
        user: UserId,
        before: Ts,
        limit: u32,
    ) -> Result<Vec<(Subscription, Ts)>, StoreError>;
    /// Somebody's messages that wait for their time, the next first.
    async fn scheduled(
        &self,
        workspace: WorkspaceId,
        user: UserId,
        query: ScheduledQuery,
    ) -> Result<Vec<Scheduled>, StoreError>;

    /// An upload that may still come, by its capability; `None`: there is none, or it is too late.
    async fn upload(
        &self,
        workspace: WorkspaceId,
        file: FileId,
        secret: SecretHash,
        now: Micros,
    ) -> Result<Option<Upload>, StoreError>;
    /// A complete or deleted file, with the messages that have it. With a viewer: only what they may see, and `None` if
    /// they may not see the file.
    async fn file(
        &self,
        workspace: WorkspaceId,
        file: FileId,
        viewer: Option<UserId>,
    ) -> Result<Option<FileRead>, StoreError>;
    /// Files that the viewer may see, the newest first.
    async fn files(
        &self,
        workspace: WorkspaceId,
        viewer: UserId,
        query: FilesQuery,
    ) -> Result<FilesPage, StoreError>;

    /// Jobs of this shard that are due at `now`, the most overdue first.
    async fn due_jobs(&self, now: Micros, limit: u32) -> Result<Vec<Job>, StoreError>;
    /// Jobs of this shard that were given up, the newest first.
    async fn dead_jobs(&self, limit: u32) -> Result<Vec<Job>, StoreError>;

    /// Begins to watch which topics change.
    fn sweep(&self) -> Box<dyn Sweep>;

    /// Whether each database of the store answers. Takes a second at most for one that does not.
    async fn check(&self) -> Vec<ShardCheck>;

    /// Copies the store to a new file while it is in use. `progress` gets pages done and pages in all.
    async fn backup(
        &self,
        to: &std::path::Path,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<(), StoreError>;
}

/// Whether a database answers.
#[derive(Debug)]
pub struct ShardCheck {
    /// Its name; `store` when there is one.
    pub name: String,
    /// Reads.
    pub reads: Result<(), StoreError>,
    /// What is wrong with writes, as the last one found out.
    pub writes: Option<&'static str>,
}

/// What a store says of a workspace's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// Whether it is the place.
    pub state: PlacementState,
    /// Raised with each change of place: the higher one is newer.
    pub version: u64,
}

/// Whether a store is a workspace's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlacementState {
    /// It takes reads and writes.
    Here,
    /// It is on its way here or from here: reads only.
    Moving,
    /// It was here, and is somewhere else.
    Gone,
}

impl PlacementState {
    const ALL: [Self; 3] = [Self::Here, Self::Moving, Self::Gone];

    /// As the schema numbers it.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Here => 1,
            Self::Moving => 2,
            Self::Gone => 3,
        }
    }

    /// The state that the schema numbers so.
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }
}

/// Watches what transactions do, whichever process they are of.
#[async_trait]
pub trait Sweep: Send {
    /// What changed since the last call. The first call looks back a little: what was being committed when it
    /// came is in it or in the next. Things may come twice, nothing is left out.
    ///
    /// # Errors
    /// The store's; the next call begins where this one did.
    async fn changed(&mut self) -> Result<Changed, StoreError>;
}

/// What transactions did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changed {
    /// Newest heads of the topics that they moved.
    pub heads: Vec<Head>,
    /// Credentials that they revoked.
    pub revoked: Vec<CredentialId>,
}

/// What is known of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authenticated {
    /// It is good.
    Yes(Box<Principal>),
    /// It never was.
    Unknown,
    /// It was revoked.
    Revoked,
    /// It has expired.
    Expired,
    /// Its person was deactivated.
    Inactive,
}

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// Who invites.
    pub by: UserId,
    /// Only this address.
    pub email: Option<String>,
    /// Until when.
    pub expires: Micros,
    /// How often it can still be used.
    pub uses_left: u32,
}

/// Which conversations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelsQuery {
    /// Whose memberships come along, and for whom private conversations are listed.
    pub viewer: UserId,
    /// Only conversations that this person is in (and, if it is another than the viewer, that the viewer
    /// may see); `None`: all public ones and the viewer's own.
    pub member: Option<UserId>,
    /// Kinds wanted.
    pub kinds: Vec<ChannelKind>,
    /// Without archived ones.
    pub exclude_archived: bool,
    /// After this id.
    pub after: Option<ChannelId>,
    /// At most so many.
    pub limit: u32,
}

/// Which messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Newer than this ([`Ts::ZERO`]: from the beginning).
    pub oldest: Ts,
    /// Older than this ([`Ts::MAX`]: to the end).
    pub latest: Ts,
    /// The bounds themselves belong to it.
    pub inclusive: bool,
    /// At most so many.
    pub limit: u32,
    /// When there are more than `limit`, return those nearest to `oldest` instead of those nearest to `latest`. It
    /// changes nothing of their order.
    pub from_oldest: bool,
}

/// A page of a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct MessagePage {
    /// The messages.
    pub messages: Vec<Message>,
    /// There are more in the range.
    pub has_more: bool,
    /// The channel's position when they were read.
    pub position: Position,
}

/// A page of a thread.
#[derive(Debug, Clone, PartialEq)]
pub struct ThreadPage {
    /// The parent (or, of a deleted one, its tombstone).
    pub parent: Message,
    /// The replies.
    pub page: MessagePage,
}

/// What a session starts from.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionStart {
    /// Whether its credential is good.
    pub credential: Authenticated,
    /// Every topic that the person may see, with its head.
    pub topics: Vec<(TopicId, Position)>,
    /// The person, no older than the heads.
    pub user: Option<User>,
}

/// All that a client starts from.
#[derive(Debug, Clone, PartialEq)]
pub struct BootSnapshot {
    /// The workspace.
    pub workspace: Workspace,
    /// The person.
    pub user: User,
    /// Their conversations.
    pub channels: Vec<(Channel, Membership)>,
    /// Their preferences by name, as JSON.
    pub preferences: Vec<(String, String)>,
    /// The workspace's preferences, and the channels that newcomers join.
    pub team_preferences: (TeamPreferences, Vec<ChannelId>),
    /// What is unread of the threads that they follow.
    pub threads: ThreadCounts,
    /// Every topic that they may see, with its head.
    pub topics: Vec<(TopicId, Position)>,
}

/// What is unread of the threads that somebody follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ThreadCounts {
    /// Threads with unread replies.
    pub unread: u64,
    /// Mentions in unread replies.
    pub mentions: u64,
}

/// A page of messages to which somebody reacted.
#[derive(Debug, Clone, PartialEq)]
pub struct Reacted {
    /// The messages.
    pub messages: Vec<Message>,
    /// How many there are in all.
    pub total: u64,
}

/// Which scheduled messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduledQuery {
    /// Only those for this channel.
    pub channel: Option<ChannelId>,
    /// Not before this, seconds since 1970.
    pub oldest: i64,
    /// Not after this.
    pub latest: i64,
    /// After this one, by its time and id.
    pub after: Option<(i64, ScheduledId)>,
    /// At most so many.
    pub limit: u32,
}

/// A message that waits for its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduled {
    /// Its id.
    pub id: ScheduledId,
    /// Where.
    pub channel: ChannelId,
    /// When, seconds since 1970.
    pub post_at: i64,
    /// When it was scheduled.
    pub created: Micros,
    /// Its text.
    pub text: MessageText,
}

/// An upload that was announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The file's name.
    pub name: String,
    /// Its type, if it is a snippet.
    pub filetype: String,
    /// It is a snippet.
    pub snippet: bool,
    /// Bytes that were announced.
    pub length: u64,
    /// Name of the bytes that came before.
    pub blob: Option<String>,
}

/// A file and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRead {
    /// The file.
    pub file: File,
    /// Name of its bytes below its folder.
    pub blob: Option<String>,
    /// Hash of its bytes.
    pub sha256: Option<[u8; 32]>,
    /// Thumbnails are wanted and neither made nor given up.
    pub thumbnails_pending: bool,
    /// The messages that have it, the oldest first.
    pub shares: Vec<Share>,
}

/// Which files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilesQuery {
    /// Only this person's.
    pub user: Option<UserId>,
    /// Only those of this channel.
    pub channel: Option<ChannelId>,
    /// Not before this.
    pub oldest: Micros,
    /// Not after this.
    pub latest: Micros,
    /// Only these.
    pub types: FileTypes,
    /// After so many.
    pub skip: u32,
    /// At most so many.
    pub limit: u32,
}

/// Types of files, one or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a set")]
pub struct FileTypes {
    /// Every type.
    pub all: bool,
    /// Snippets.
    pub snippets: bool,
    /// Pictures.
    pub images: bool,
    /// Archives.
    pub archives: bool,
    /// PDF.
    pub pdfs: bool,
}

/// A page of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesPage {
    /// The files, with the messages that have them.
    pub files: Vec<(File, Vec<Share>)>,
    /// How many there are in all.
    pub total: u64,
}

/// A job in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// For which workspace.
    pub workspace: WorkspaceId,
    /// Its id.
    pub id: JobId,
    /// What is to be done.
    pub kind: String,
    /// With what, JSON.
    pub payload: String,
    /// Not before this; while somebody runs it, the end of their lease.
    pub run_at: Micros,
    /// How often it was begun.
    pub tries: u32,
    /// Given up.
    pub dead: bool,
    /// Why the last try failed.
    pub error: Option<String>,
    /// When it was queued.
    pub created: Micros,
}

/// Events of a topic.
#[derive(Debug, Clone, PartialEq)]
pub enum EventsRead {
    /// Without a hole after the position asked for.
    Events {
        /// The events.
        events: Vec<Event>,
        /// The topic's head.
        head: Position,
    },
    /// The position cannot be served: another generation, trimmed, or one that never was.
    Reset {
        /// The topic's head.
        head: Position,
    },
    /// There is no such topic.
    Unknown,
}
