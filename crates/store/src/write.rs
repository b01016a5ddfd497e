//! The write side: what can be written, and what comes back.

use async_trait::async_trait;
use model::{
    AppId, BotId, ChannelId, ChannelKind, ChannelName, Credential, CredentialId, Dnd, Draft, Event, File,
    FileId, Image, JobId, Message, Micros, Role, ScheduledId, Status, Ts, User, UserId, WorkspaceId,
};

use crate::{CommitError, Refusal};

/// How long a ticket is good, seconds.
pub const TICKET_LIFE_S: i64 = 30;

/// Most kinds of emoji under one message; Slack's limit is 23 for one person and 50 in all.
pub const REACTION_KINDS_MAX: usize = 50;

/// Most pinned messages of a channel.
pub const PINS_MAX: u64 = 100;

/// Most messages that one channel has scheduled within [`SCHEDULED_WINDOW_S`]; Slack's limit.
pub const SCHEDULED_MAX: u64 = 30;

/// Seconds of the window of [`SCHEDULED_MAX`].
pub const SCHEDULED_WINDOW_S: i64 = 300;

/// The write side of a shard.
#[async_trait]
pub trait Log: Send {
    /// Decides each item in order, each seeing what its predecessors did, and commits all of them in one
    /// transaction. Returns after the commit is durable; one outcome per item, in order.
    ///
    /// `now` is the wall clock; message `ts` never go back even if it does.
    ///
    /// # Errors
    /// [`CommitError`]: what is known of the batch as a whole.
    async fn commit(&mut self, batch: Vec<Write>, now: Micros) -> Result<Vec<Outcome>, CommitError>;

    /// Housekeeping between batches (checkpoints): the appender calls it when it has answered everybody.
    ///
    /// # Errors
    /// [`CommitError::Fatal`]; nothing else ends the appender here.
    async fn maintain(&mut self) -> Result<(), CommitError>;

    /// An orderly end: nothing is committed after this. What an engine keeps beside its database goes into it, so that
    /// the next start has nothing to read again. Whether that succeeds matters to nobody: what is durable stays so.
    async fn close(&mut self) {}
}

/// One item of a batch: something to do, in one workspace.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// Where.
    pub workspace: WorkspaceId,
    /// What.
    pub kind: WriteKind,
}

/// What became of one item.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What the caller learns.
    pub result: Result<Done, Refusal>,
    /// The events that it made, in commit order. Empty for refusals and repeats.
    pub events: Vec<Event>,
}

/// What the caller of a successful write learns.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// Nothing beyond success. Also for repeats that changed nothing, where Slack answers ok.
    Ok,
    /// [`WriteKind::Post`]: the message. `repeated`: the key was known and this is the first answer.
    Posted {
        /// As it is now.
        message: Box<Message>,
        /// Nothing was written.
        repeated: bool,
    },
    /// [`WriteKind::Edit`].
    Edited(Box<Message>),
    /// [`WriteKind::OpenDirect`], [`WriteKind::CreateChannel`].
    Channel {
        /// Which.
        id: ChannelId,
        /// It was there (and, for a DM, open) before.
        existed: bool,
    },
    /// [`WriteKind::Join`], [`WriteKind::Leave`]: `changed` is false when they were in (or not in) before.
    Membership {
        /// Something was written.
        changed: bool,
    },
    /// [`WriteKind::Invite`]: per person, in order.
    Invited(Vec<(UserId, Result<(), Refusal>)>),
    /// [`WriteKind::SetTopic`], [`WriteKind::SetPurpose`]: `changed` is false when it was that before.
    Described {
        /// Something was written.
        changed: bool,
    },
    /// [`WriteKind::AcceptInvite`], [`WriteKind::CreateWorkspace`], [`WriteKind::AddPerson`], [`WriteKind::AddBot`].
    Person {
        /// Their workspace.
        workspace: WorkspaceId,
        /// Who.
        user: UserId,
    },
    /// [`WriteKind::RevokeSessions`], [`WriteKind::RevokeCredential`]: what ended.
    Revoked(Vec<CredentialId>),
    /// [`WriteKind::UseTicket`]: what the ticket was made for.
    Ticket(Ticket),
    /// [`WriteKind::ShiftGenerations`]: how many topics.
    Count(u64),
    /// [`WriteKind::SetProfile`], [`WriteKind::SetDnd`], [`WriteKind::SetPresence`]: the person as they are now.
    User(Box<User>),
    /// [`WriteKind::PostScheduled`]: it was posted, or can never be.
    Scheduled(Result<Box<Message>, Refusal>),
    /// [`WriteKind::CompleteUpload`].
    Files {
        /// The files, in the order asked.
        files: Vec<File>,
        /// The messages that share them.
        messages: Vec<Message>,
    },
    /// [`WriteKind::SetPublicLink`], [`WriteKind::SetImage`]: the file as it is now.
    File(Box<File>),
}

/// Who does something, for the rights checks inside the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct By {
    /// Person or bot user.
    pub user: UserId,
    /// Their standing.
    pub role: Role,
}

/// What can be written.
#[derive(Debug, Clone, PartialEq)]
pub enum WriteKind {
    /// Post a message. The key is looked up before membership is checked: a retry gets its first answer
    /// whatever happened since. A bot with `public_without_membership` posts to public channels that
    /// it is not in (scope `chat:write.public`).
    Post {
        /// The message.
        draft: Box<Draft>,
        /// May post to public channels without being in them.
        public_without_membership: bool,
    },
    /// Change a message's content. `None` leaves a part as it is; `Some("")` removes blocks or attachments.
    Edit {
        /// Channel.
        channel: ChannelId,
        /// Message.
        ts: Ts,
        /// Who edits: only the author may.
        by: By,
        /// New text.
        text: Option<model::MessageText>,
        /// New blocks, a JSON array.
        blocks: Option<String>,
        /// New attachments, a JSON array.
        attachments: Option<String>,
        /// New metadata, a JSON object.
        metadata: Option<String>,
        /// Also show a reply in the channel.
        broadcast: Option<bool>,
        /// Who the new text mentions.
        mentions: Vec<UserId>,
        /// The new text mentions everybody.
        mentions_everyone: bool,
    },
    /// Delete a message: its author, or an admin.
    Delete {
        /// Channel.
        channel: ChannelId,
        /// Message.
        ts: Ts,
        /// Who.
        by: By,
    },
    /// Add a reaction.
    React {
        /// Channel.
        channel: ChannelId,
        /// Message.
        ts: Ts,
        /// Who: must be in the channel, or the channel is public.
        by: By,
        /// Short name without colons.
        name: String,
    },
    /// Take one's reaction back.
    Unreact {
        /// Channel.
        channel: ChannelId,
        /// Message.
        ts: Ts,
        /// Who.
        by: By,
        /// Short name without colons.
        name: String,
    },
    /// Create a channel; its creator is in it.
    CreateChannel {
        /// Its id: the caller draws it, so that a repeat of the batch makes the same.
        id: ChannelId,
        /// Its name.
        name: ChannelName,
        /// By invitation only.
        private: bool,
        /// Who.
        by: By,
    },
    /// Find or make the DM or group DM of these people.
    OpenDirect {
        /// Its id if it must be made; a DM's for up to one other, a channel's for a group DM.
        id: ChannelId,
        /// Who opens.
        by: By,
        /// The others, without duplicates and without the opener; empty: the DM with oneself.
        others: Vec<UserId>,
        /// Do not make it (`prevent_creation`): [`Refusal::ChannelNotFound`] if there is none.
        only_existing: bool,
    },
    /// Join a public channel.
    Join {
        /// Channel.
        channel: ChannelId,
        /// Who.
        by: By,
    },
    /// Leave a channel.
    Leave {
        /// Channel.
        channel: ChannelId,
        /// Who.
        by: By,
    },
    /// Bring people into a channel. One's own id is refused per person as [`Refusal::NotAllowed`].
    Invite {
        /// Channel.
        channel: ChannelId,
        /// Who invites: must be in the channel.
        by: By,
        /// Whom.
        users: Vec<UserId>,
        /// Invite those that can be although others cannot (`force`). Otherwise one refusal refuses all.
        force: bool,
    },
    /// Remove somebody from a channel.
    Kick {
        /// Channel.
        channel: ChannelId,
        /// Who removes: must be in the channel, and an admin for public channels.
        by: By,
        /// Whom.
        user: UserId,
    },
    /// Set the topic of a channel.
    SetTopic {
        /// Channel.
        channel: ChannelId,
        /// Who.
        by: By,
        /// At most 250 characters, checked by the caller.
        value: String,
    },
    /// Set the purpose of a channel.
    SetPurpose {
        /// Channel.
        channel: ChannelId,
        /// Who.
        by: By,
        /// At most 250 characters, checked by the caller.
        value: String,
    },
    /// Archive a channel.
    Archive {
        /// Channel.
        channel: ChannelId,
        /// Who.
        by: By,
    },
    /// Take a channel back from the archive.
    Unarchive {
        /// Channel.
        channel: ChannelId,
        /// Who.
        by: By,
    },
    /// Give a channel another name.
    Rename {
        /// Channel.
        channel: ChannelId,
        /// Who: its creator, or an admin.
        by: By,
        /// The new name.
        name: ChannelName,
    },
    /// Make a channel public or private.
    Convert {
        /// Channel.
        channel: ChannelId,
        /// Who: an admin, in a private channel also a member.
        by: By,
        /// [`ChannelKind::Public`] or [`ChannelKind::Private`].
        to: ChannelKind,
    },
    /// Take a DM out of one's list, or put it back.
    SetOpen {
        /// DM or group DM.
        channel: ChannelId,
        /// Who.
        by: By,
        /// In the list.
        open: bool,
    },
    /// Pin a message to its channel.
    Pin {
        /// Channel.
        channel: ChannelId,
        /// Message.
        ts: Ts,
        /// Who: must be in the channel.
        by: By,
    },
    /// Take a pin off.
    Unpin {
        /// Channel.
        channel: ChannelId,
        /// Message.
        ts: Ts,
        /// Who: must be in the channel.
        by: By,
    },
    /// Follow a thread or not.
    FollowThread {
        /// Channel.
        channel: ChannelId,
        /// The parent.
        thread: Ts,
        /// Who: must be in the channel.
        by: By,
        /// Follow.
        active: bool,
        /// What was read of it; `None`: all.
        last_read: Option<Ts>,
    },
    /// Move one's read cursor of a thread that one follows.
    MarkThread {
        /// Channel.
        channel: ChannelId,
        /// The parent.
        thread: Ts,
        /// Who.
        by: By,
        /// Read up to here.
        ts: Ts,
    },
    /// Change what a person says of themselves.
    SetProfile {
        /// Whose.
        user: UserId,
        /// Who: themselves, or an admin who stands above them.
        by: By,
        /// What.
        change: Box<ProfileChange>,
    },
    /// Change what a person looks like, or that they look like nothing. The bytes of the photo before go by a job.
    SetPhoto {
        /// Whose: one's own.
        user: UserId,
        /// The new one, whose bytes are there.
        photo: Option<model::Photo>,
        /// The job.
        job: model::JobId,
    },
    /// Clear a status whose time is over, if it is still that one.
    ExpireStatus {
        /// Whose.
        user: UserId,
        /// Its expiration, seconds since 1970.
        expiration: i64,
    },
    /// Change when a person does not want to be disturbed.
    SetDnd {
        /// Whose: one's own.
        user: UserId,
        /// The new times.
        dnd: Dnd,
    },
    /// Say that a person is away, or that their devices say it again. Durable until it is said otherwise.
    SetPresence {
        /// Whose: one's own.
        user: UserId,
        /// Away, whatever the devices do.
        away: bool,
    },
    /// Set preferences of a person, JSON texts by name. Those that are that already stay as they are.
    SetPreferences {
        /// Whose.
        user: UserId,
        /// Names and values.
        values: Vec<(String, String)>,
    },
    /// Set preferences of the workspace, and which channels newcomers join. Only owners may, admins may all but
    /// widen what is theirs. Those that are that already stay as they are.
    SetTeamPreferences {
        /// Who sets them.
        by: By,
        /// Names and values, as [`model::TeamPreferences::set`] takes them.
        values: Vec<(String, serde_json::Value)>,
        /// The public channels that newcomers join, beside the one that everybody is in. `None`: as they are.
        default_channels: Option<Vec<ChannelId>>,
    },
    /// Post a message later. The draft's key is ignored: posting it once is what its id is for.
    Schedule {
        /// Its id, drawn by the caller.
        id: ScheduledId,
        /// Its job's id, drawn by the caller.
        job: JobId,
        /// The message.
        draft: Box<Draft>,
        /// May post to public channels without being in them.
        public_without_membership: bool,
        /// When, seconds since 1970.
        post_at: i64,
    },
    /// Take a scheduled message back.
    Unschedule {
        /// Which.
        id: ScheduledId,
        /// Where.
        channel: ChannelId,
        /// Whose.
        by: By,
    },
    /// Post a scheduled message now, and forget that it was scheduled: both or neither.
    PostScheduled {
        /// Which.
        id: ScheduledId,
        /// Where.
        channel: ChannelId,
    },
    /// Announce a file whose bytes will come.
    BeginUpload(Box<NewUpload>),
    /// Note that the bytes of a file are there. Until it is complete they may come again.
    StoreUpload(Box<StoredUpload>),
    /// Complete files whose bytes are there, and share them in messages: all or nothing.
    CompleteUpload {
        /// Who: they are theirs.
        by: By,
        /// Which.
        files: Vec<CompletedFile>,
        /// The messages, one for each channel. They may be without a text.
        shares: Vec<Draft>,
        /// May post to public channels without being in them.
        public_without_membership: bool,
    },
    /// Forget an upload that was not completed in time. [`Refusal::FileNotFound`]: it was completed.
    ExpireUpload {
        /// Which.
        file: FileId,
    },
    /// Note what a picture is like.
    SetImage {
        /// Which.
        file: FileId,
        /// `None`: it cannot be read.
        image: Option<Image>,
        /// Where it was shared when that was read: locked in order.
        channels: Vec<ChannelId>,
    },
    /// Make a link to a file that needs no account, or take it back.
    SetPublicLink {
        /// Which.
        file: FileId,
        /// Who: its owner, or an admin.
        by: By,
        /// The link's secret; `None`: take it back.
        secret: Option<String>,
        /// As of [`WriteKind::SetImage`].
        channels: Vec<ChannelId>,
    },
    /// Delete a file. The messages that have it stay.
    DeleteFile {
        /// Which.
        file: FileId,
        /// Who: its owner, or an admin.
        by: By,
        /// The id of the job that takes its bytes away, drawn by the caller.
        job: JobId,
        /// As of [`WriteKind::SetImage`].
        channels: Vec<ChannelId>,
    },
    /// Queue a job.
    Enqueue(NewJob),
    /// Take a job that is due, for a while. [`Refusal::JobNotFound`]: somebody else has it.
    LeaseJob {
        /// Which.
        id: JobId,
        /// When it was due, as it was read.
        run_at: Micros,
        /// Until when it is nobody else's.
        until: Micros,
    },
    /// A leased job is done.
    FinishJob {
        /// Which.
        id: JobId,
        /// The end of the lease: a later holder's job stays.
        lease: Micros,
    },
    /// A leased job failed.
    FailJob {
        /// Which.
        id: JobId,
        /// The end of the lease.
        lease: Micros,
        /// Why.
        error: String,
        /// When to try again; `None`: give up.
        retry_at: Option<Micros>,
    },
    /// Try a job that was given up again, from its first try on.
    ReplayJob {
        /// Which.
        id: JobId,
    },
    /// Forget a job that was given up.
    DropJob {
        /// Which.
        id: JobId,
    },
    /// Move one's read cursor, forwards or backwards.
    Mark {
        /// Channel.
        channel: ChannelId,
        /// Who.
        by: By,
        /// Read up to here.
        ts: Ts,
    },
    /// Create the workspace of [`Write::workspace`] with its owner, `general` and `random`.
    CreateWorkspace {
        /// Display name.
        name: String,
        /// Lower-case name in addresses, unique in the installation.
        domain: String,
        /// Id of the general channel.
        general: ChannelId,
        /// Id of the random channel.
        random: ChannelId,
        /// The owner.
        owner: Box<NewPerson>,
        /// Refuse ([`Refusal::AlreadySetUp`]) when there is any workspace.
        only_first: bool,
    },
    /// Add a person; they join the default channels (general, random).
    AddPerson(Box<NewPerson>),
    /// Add a bot, its app and its user. It is in no channel.
    AddBot {
        /// Its user.
        user: UserId,
        /// Itself.
        bot: BotId,
        /// Its app.
        app: AppId,
        /// Handle and display name.
        name: String,
    },
    /// Use an invitation: as [`WriteKind::AddPerson`], if the code is valid.
    AcceptInvite {
        /// Hash of the code.
        code: SecretHash,
        /// Who.
        person: Box<NewPerson>,
    },
    /// Make an invitation.
    CreateInvite {
        /// Who invites.
        by: By,
        /// The invitation.
        invite: NewInvite,
    },
    /// Store a token or session.
    AddCredential(NewCredential),
    /// Revoke one credential.
    RevokeCredential {
        /// Which.
        id: CredentialId,
    },
    /// Revoke a person's browser sessions.
    RevokeSessions {
        /// Whose.
        user: UserId,
    },
    /// Set a person's password (and revoke nothing).
    SetPassword {
        /// Whose.
        user: UserId,
        /// PHC string of argon2id.
        password_hash: String,
    },
    /// Store a ticket for a WebSocket.
    AddTicket(Ticket),
    /// Redeem a ticket, once, before it expires.
    UseTicket {
        /// Hash of the ticket.
        secret: SecretHash,
    },
    /// Raise the generation of every topic of the workspace (after a restore).
    ShiftGenerations,
}

/// What to change of a person; `None` leaves a part as it is. The caller checks lengths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProfileChange {
    /// Full name.
    pub real_name: Option<String>,
    /// Short name; empty: none.
    pub display_name: Option<String>,
    /// What they do.
    pub title: Option<String>,
    /// Phone number.
    pub phone: Option<String>,
    /// Pronouns.
    pub pronouns: Option<String>,
    /// Skype name.
    pub skype: Option<String>,
    /// What they are doing now.
    pub status: Option<Status>,
    /// IANA time zone.
    pub tz: Option<String>,
    /// The id of the job that ends the status, drawn by the caller.
    pub expiry_job: Option<JobId>,
}

/// A file to announce. The caller checks names and lengths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUpload {
    /// Its id, drawn by the caller.
    pub id: FileId,
    /// Whose.
    pub by: By,
    /// Its name.
    pub name: String,
    /// What is in the picture.
    pub alt_text: String,
    /// Its type, if it is a snippet; else it follows from the bytes.
    pub filetype: String,
    /// It is a snippet.
    pub snippet: bool,
    /// Bytes that will come; 0: not known.
    pub length: u64,
    /// Hash of the capability to send the bytes; `None`: only the server itself has them.
    pub secret: Option<SecretHash>,
    /// Until when it must be complete.
    pub expires: Micros,
    /// The id of the job that forgets it then, drawn by the caller.
    pub job: JobId,
    /// Bytes that all files of the workspace may have; 0: no limit.
    pub quota: u64,
}

/// Bytes that have come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredUpload {
    /// Of which file.
    pub id: FileId,
    /// The file's name, if it is another than was announced.
    pub name: Option<String>,
    /// It is a snippet.
    pub snippet: bool,
    /// What they are called below the file's folder.
    pub blob: String,
    /// How many.
    pub size: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
    /// MIME type.
    pub mime: String,
    /// Slack's short name of the type.
    pub filetype: String,
    /// It is a picture of which thumbnails are to be made.
    pub thumbnails: bool,
    /// As of [`NewUpload`]: there may be more bytes than were announced.
    pub quota: u64,
}

/// A file to complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedFile {
    /// Which.
    pub id: FileId,
    /// Its title; `None`: its name.
    pub title: Option<String>,
    /// What is in the picture; `None`: as it was announced.
    pub alt_text: Option<String>,
    /// The id of the job that makes its thumbnails, drawn by the caller.
    pub job: JobId,
}

/// A job to queue. Of several with the same kind and key one is queued: the newest takes the place of the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Its id, drawn by the caller.
    pub id: JobId,
    /// What is to be done.
    pub kind: &'static str,
    /// With what, JSON.
    pub payload: String,
    /// What it is about, if one of its kind is enough.
    pub key: Option<String>,
    /// Not before, microseconds since 1970.
    pub run_at: Micros,
}

/// SHA-256 of a secret. Secrets themselves are never stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash(pub [u8; 32]);

impl std::fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

impl SecretHash {
    /// Hashes a secret.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        use sha2::Digest;
        Self(sha2::Sha256::digest(secret.as_bytes()).into())
    }

    /// The name of the credential in revocations and logs: the first 16 bytes of the hash.
    #[must_use]
    pub fn credential_id(&self) -> CredentialId {
        let mut id = [0; 16];
        id.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        CredentialId(id)
    }
}

/// A person to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPerson {
    /// Their id.
    pub id: UserId,
    /// Handle; made unique by a number if it is taken.
    pub name: String,
    /// Full name.
    pub real_name: String,
    /// Address, lower case.
    pub email: String,
    /// PHC string of argon2id; `None`: cannot sign in by password.
    pub password_hash: Option<String>,
    /// Standing.
    pub role: Role,
    /// IANA time zone.
    pub tz: String,
    /// The default channels do not say that they came (for bulk loads).
    pub quiet: bool,
}

/// An invitation to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInvite {
    /// Hash of the code.
    pub code: SecretHash,
    /// Only this address, lower case.
    pub email: Option<String>,
    /// Until when, microseconds since 1970.
    pub expires: Micros,
    /// How often, at least 1.
    pub uses_max: u32,
}

/// A token or session to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCredential {
    /// Hash of the secret.
    pub secret: SecretHash,
    /// Kind.
    pub kind: Credential,
    /// As whom it acts; app-level tokens as nobody.
    pub user: Option<UserId>,
    /// The bot.
    pub bot: Option<BotId>,
    /// The app.
    pub app: Option<AppId>,
    /// Comma-separated scopes; ignored for sessions, which may do everything.
    pub scopes: String,
    /// Until when; `None`: for ever.
    pub expires: Option<Micros>,
}

/// A ticket for a WebSocket, and the session that it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Hash of the ticket.
    pub secret: SecretHash,
    /// As whom.
    pub user: UserId,
    /// What bought it.
    pub credential: CredentialId,
    /// For RTM instead of our own protocol.
    pub rtm: bool,
    /// A cookie bought it: the handshake needs an allowed Origin.
    pub needs_origin: bool,
    /// The session takes changes of several people's presence in one event.
    pub batch_presence: bool,
    /// Until when.
    pub expires: Micros,
}
