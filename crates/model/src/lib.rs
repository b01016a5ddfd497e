//! Ids, positions, messages and events: values without I/O, async, clock or wire format.
//!
//! Reading order: [`id`], [`position`], [`text`], [`principal`], [`user`], [`team_preferences`], [`channel`],
//! [`file`],
//! [`message`], [`event`].

pub mod channel;
pub mod event;
pub mod file;
pub mod id;
pub mod message;
pub mod node;
pub mod position;
pub mod principal;
pub mod team_preferences;
pub mod text;
pub mod user;

pub use channel::{Channel, ChannelKind, ChannelName, Described, Membership, NameError};
pub use event::{
    Event, EventKind, Head, Parent, PinChange, ReactionChange, Subscription, UserPart, WriteTimes,
};
pub use file::{File, Format, Image, Share, Thumbnail};
pub use id::{
    AppId, BotId, ChannelId, FileId, IdError, JobId, ScheduledId, SessionId, Topic, TopicId, TopicKind,
    UserId, WorkspaceId,
};
pub use message::{Bot, BotProfile, ClientMsgId, Draft, Message, Reaction, Replies, Subtype};
pub use node::{Epoch, NodeId, SlotName, TraceId};
pub use position::{Generation, HeadRead, Micros, Position, Seq, Ts};
pub use principal::{Credential, CredentialId, Principal, Role, Scopes};
pub use team_preferences::{TeamPreferences, Who};
pub use text::{MessageText, TextError};
pub use user::{Dnd, Pattern, Photo, Profile, Status, User, UserKind, Workspace};
