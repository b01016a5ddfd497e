//! How reads, writes and opening can fail.

/// A read failed. Nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The engine failed.
    #[error("the store failed: {0}")]
    Engine(String),
    /// The database cannot be reached, or not now. Another try later may succeed.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
    /// The store is stopping or has failed for good.
    #[error("the store is closed")]
    Closed,
    /// A row cannot be understood: the file was damaged or written by another program.
    #[error("the store holds a {what} that cannot be read")]
    Corrupt {
        /// What kind of row.
        what: &'static str,
    },
}

/// A batch was not committed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// Nothing of the batch is there and nothing ever will be. The store goes on.
    #[error("not written: {reason}")]
    NotWritten {
        /// What the engine said.
        reason: String,
        /// Why it was not.
        cause: Cause,
    },
    /// The batch may or may not be there: the connection broke at the commit.
    #[error("the outcome is unknown: {reason}")]
    Unknown {
        /// What the engine said.
        reason: String,
    },
    /// The log cannot be trusted any more (an I/O or fsync error): stop acknowledging and exit (I10).
    #[error("the log failed: {reason}")]
    Fatal {
        /// What the engine said.
        reason: String,
    },
}

/// Why nothing of a batch was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The disk is full.
    Full,
    /// The database cannot be reached, or is busy beyond patience: the same batch may succeed later.
    Unavailable,
    /// The engine will not take one of the items.
    Refused,
}

/// The store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{path} is in use by another process (lock file {lock})")]
    Locked {
        /// The data directory.
        path: String,
        /// The lock file.
        lock: String,
    },
    /// A newer program wrote it.
    #[error("{path} has schema version {found}, this program knows up to {known}: use the newer program")]
    Newer {
        /// The data directory.
        path: String,
        /// Version found.
        found: u32,
        /// Newest version known.
        known: u32,
    },
    /// A migration that was applied differs from the one in this program.
    #[error("migration {version} of {path} differs from this program's: it was made by another build")]
    Changed {
        /// The data directory.
        path: String,
        /// Which migration.
        version: u32,
    },
    /// Something that was written is not there any more as it was. Nothing is served from such a file.
    #[error("{path} is damaged: {reason}. Restore a backup")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file system or engine failed.
    #[error("cannot open {path}: {reason}")]
    Failed {
        /// The data directory.
        path: String,
        /// What went wrong.
        reason: String,
    },
}

/// Why one item of a batch was refused. A value, not a failure: its neighbours are not touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The workspace is not on this shard (any more).
    #[error("the workspace is not here")]
    NotHere,
    /// No such channel, or the actor may not know of it.
    #[error("no such channel")]
    ChannelNotFound,
    /// The actor is not in the channel.
    #[error("not in the channel")]
    NotInChannel,
    /// The channel is archived.
    #[error("the channel is archived")]
    IsArchived,
    /// The channel was archived already.
    #[error("already archived")]
    AlreadyArchived,
    /// The operation does not exist for this kind of conversation.
    #[error("not for this kind of conversation")]
    WrongChannelKind,
    /// No such message, or it was deleted.
    #[error("no such message")]
    MessageNotFound,
    /// The thread to reply in does not exist.
    #[error("no such thread")]
    ThreadNotFound,
    /// Replies cannot be attached to this message (it is itself a reply).
    #[error("cannot reply to this message")]
    CannotReply,
    /// The message is no reply that can be shown in the channel, or is shown there for good.
    #[error("cannot broadcast this message, or take that back")]
    CannotBroadcast,
    /// The message is not the actor's.
    #[error("may not change this message")]
    CantUpdate,
    /// The message is not the actor's.
    #[error("may not delete this message")]
    CantDelete,
    /// The message has neither text, blocks nor attachments.
    #[error("no text")]
    NoText,
    /// The actor has reacted so already.
    #[error("already reacted")]
    AlreadyReacted,
    /// The actor has not reacted so.
    #[error("no reaction")]
    NoReaction,
    /// The message has as many different emoji as are allowed ([`crate::REACTION_KINDS_MAX`]).
    #[error("too many emoji")]
    TooManyEmoji,
    /// Another channel has the name.
    #[error("the name is taken")]
    NameTaken,
    /// The person is in the channel already.
    #[error("already in the channel")]
    AlreadyInChannel,
    /// No such person.
    #[error("no such user")]
    UserNotFound,
    /// The person was deactivated.
    #[error("the user is deactivated")]
    UserDisabled,
    /// The person to remove is not in the channel.
    #[error("they are not in the channel")]
    TargetNotInChannel,
    /// The last person of a private channel cannot leave it.
    #[error("the last member cannot leave")]
    LastMember,
    /// A channel that everybody is in cannot be left.
    #[error("may not leave the general channel")]
    CantLeaveGeneral,
    /// A channel that everybody is in cannot be archived.
    #[error("may not archive the general channel")]
    CantArchiveGeneral,
    /// Nobody can be removed from the channel that everybody is in.
    #[error("may not remove from the general channel")]
    CantKickFromGeneral,
    /// The workspace does not let messages of this age be edited.
    #[error("too old to be edited")]
    EditWindowClosed,
    /// The workspace has no preference of this name, or it cannot be that.
    #[error("no such preference")]
    NoSuchPreference,
    /// The actor may not do this.
    #[error("not allowed")]
    NotAllowed,
    /// The installation has a workspace already.
    #[error("already set up")]
    AlreadySetUp,
    /// Another account has the address.
    #[error("the address is taken")]
    EmailTaken,
    /// No such invitation, used up, or revoked.
    #[error("the invitation is not valid")]
    InviteInvalid,
    /// The invitation has expired.
    #[error("the invitation has expired")]
    InviteExpired,
    /// The ticket was used, has expired or never was.
    #[error("the ticket is not valid")]
    TicketInvalid,
    /// The channel is not archived.
    #[error("not archived")]
    NotArchived,
    /// The channel is of that kind already.
    #[error("it is that already")]
    AlreadyThatKind,
    /// The person does not follow the thread.
    #[error("the thread is not followed")]
    NotFollowing,
    /// The message is pinned already.
    #[error("already pinned")]
    AlreadyPinned,
    /// The message is not pinned.
    #[error("not pinned")]
    NoPin,
    /// The channel has as many pins as are allowed ([`crate::PINS_MAX`]).
    #[error("too many pins")]
    TooManyPins,
    /// The person's standing does not allow the actor to change them.
    #[error("may not change this person")]
    CannotChangeUser,
    /// No such scheduled message, or not the actor's, or it is being posted.
    #[error("no such scheduled message")]
    ScheduledNotFound,
    /// Too many messages are scheduled for the channel around that time ([`crate::SCHEDULED_MAX`]).
    #[error("too many scheduled messages")]
    TooManyScheduled,
    /// No such file or upload, or the actor may not know of it.
    #[error("no such file")]
    FileNotFound,
    /// The file was deleted.
    #[error("the file was deleted")]
    FileDeleted,
    /// The file is not the actor's.
    #[error("may not delete this file")]
    CantDeleteFile,
    /// The workspace's files have no more room.
    #[error("the workspace has no more room for files")]
    StorageFull,
    /// No such job, or somebody else runs it.
    #[error("no such job")]
    JobNotFound,
}
