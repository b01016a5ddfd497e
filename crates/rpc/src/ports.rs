//! The ports: one trait per role that others call.

use async_trait::async_trait;
use model::{
    AppId, BotId, CredentialId, Head, HeadRead, Micros, NodeId, Position, Seq, SessionId, SlotName, Topic,
    TopicId, UserId, WorkspaceId,
};

use crate::{
    Call, CallError, Delivery, EventRecord, ManualAway, Person, PresenceChange, PresenceNow, PresenceReport,
    Protocol, Reply, Signal, Watch,
};

/// Finds the owner of each topic and forwards. Implemented by `admin`, called by `api`.
#[async_trait]
pub trait Admin: Send + Sync {
    /// Hands committed events to the owners of their topics. Per topic they are in order.
    ///
    /// # Errors
    /// [`CallError`]: repeat, or leave it to the sweep.
    async fn publish(&self, call: &Call, events: Vec<EventRecord>) -> Result<Vec<Reply>, CallError>;

    /// Says how far topics are (the sweep), so that a Channel Server that missed an event reads it.
    ///
    /// # Errors
    /// [`CallError`]: the next sweep repeats it.
    async fn announce(&self, call: &Call, heads: Vec<Head>) -> Result<Vec<Reply>, CallError>;

    /// Hands signals to the owners of their topics.
    ///
    /// # Errors
    /// [`CallError`]: the signals may be lost.
    async fn signal(&self, call: &Call, signals: Vec<Signal>) -> Result<Vec<Reply>, CallError>;

    /// Ends every session of the credentials. Returns when each gateway has confirmed or its lease of
    /// two seconds has lapsed: nothing committed after that reaches them (I7).
    ///
    /// # Errors
    /// [`CallError`].
    async fn revoke(&self, call: &Call, credentials: Vec<CredentialId>) -> Result<Revoked, CallError>;

    /// When the event passed which step, as far as the roles remember.
    ///
    /// # Errors
    /// [`CallError`].
    async fn journey(&self, call: &Call, topic: Topic, seq: Seq) -> Result<Journey, CallError>;
}

/// Owns the live state of the topics that the ring gives it. Implemented by `channel`, called by `admin`
/// and `gateway`. A call whose epoch is older than the callee's ring is answered [`Reply::NotOwner`].
#[async_trait]
pub trait ChannelServer: Send + Sync {
    /// Takes committed events; drops what it has; holds early ones within a bound until their predecessor arrives.
    ///
    /// # Errors
    /// [`CallError`].
    async fn publish(&self, call: &Call, events: Vec<EventRecord>) -> Result<Vec<Reply>, CallError>;

    /// Learns how far topics are; reads what it misses from `web`.
    ///
    /// # Errors
    /// [`CallError`].
    async fn announce(&self, call: &Call, heads: Vec<Head>) -> Result<Vec<Reply>, CallError>;

    /// Passes signals on to the topic's gateways.
    ///
    /// # Errors
    /// [`CallError`].
    async fn signal(&self, call: &Call, signals: Vec<Signal>) -> Result<Vec<Reply>, CallError>;

    /// Delivers each topic to the gateway, starting after the given position: first what was missed (or a
    /// [`Delivery::Head`] when the recent history does not reach back), then live. Subscribing again
    /// moves the position. The answer may come after the first delivery.
    ///
    /// # Errors
    /// [`CallError`].
    async fn subscribe(
        &self,
        call: &Call,
        gateway: NodeId,
        subscriptions: Vec<Subscription>,
    ) -> Result<Vec<Reply>, CallError>;

    /// Stops delivering topics to the gateway.
    ///
    /// # Errors
    /// [`CallError`].
    async fn unsubscribe(
        &self,
        call: &Call,
        gateway: NodeId,
        topics: Vec<Topic>,
    ) -> Result<Vec<Reply>, CallError>;

    /// What it remembers of the event.
    ///
    /// # Errors
    /// [`CallError`].
    async fn journey(&self, call: &Call, topic: Topic, seq: Seq)
    -> Result<Option<ChannelJourney>, CallError>;
}

/// Knows who is active. Implemented by `presence`, and by who finds the owner of each person on the ring and
/// forwards; called by `gateway` and `api`. A call whose epoch is older than the callee's ring is answered
/// [`Reply::NotOwner`]. What a gateway has told is forgotten when it is not told again for the callee's lease.
#[async_trait]
pub trait Presence: Send + Sync {
    /// Learns what the gateway has of people.
    ///
    /// # Errors
    /// [`CallError`]: repeat.
    async fn report(
        &self,
        call: &Call,
        gateway: NodeId,
        reports: Vec<PresenceReport>,
    ) -> Result<Vec<Reply>, CallError>;

    /// Tells the gateway from here on how people are: at once if that is not what it believes, later whenever it
    /// changes. Telling goes by [`Gateway::presence`], always.
    ///
    /// # Errors
    /// [`CallError`]: repeat.
    async fn watch(&self, call: &Call, gateway: NodeId, watches: Vec<Watch>)
    -> Result<Vec<Reply>, CallError>;

    /// Stops telling the gateway of people.
    ///
    /// # Errors
    /// [`CallError`]: then the callee finds out when its lease lapses.
    async fn unwatch(
        &self,
        call: &Call,
        gateway: NodeId,
        people: Vec<Person>,
    ) -> Result<Vec<Reply>, CallError>;

    /// How people are. Waits for as long as the callee is too new to say that somebody is away.
    ///
    /// # Errors
    /// [`CallError`].
    async fn query(
        &self,
        call: &Call,
        people: Vec<Person>,
    ) -> Result<Vec<Result<PresenceNow, Reply>>, CallError>;

    /// The people did something just now, on a session that the callee knows of; nothing for who has none.
    ///
    /// # Errors
    /// [`CallError`].
    async fn touch(&self, call: &Call, people: Vec<Person>) -> Result<Vec<Reply>, CallError>;
}

/// Holds sessions. Implemented by each loop of `gateway`, called by `channel`, `presence` and `admin`.
#[async_trait]
pub trait Gateway: Send + Sync {
    /// Takes deliveries of one slot, in order. Answers when they are queued for the sockets' loop.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::Overloaded`] when the loop's queue is full: the caller degrades what it
    /// did not get rid of to [`Delivery::Head`].
    async fn deliver(
        &self,
        call: &Call,
        slot: SlotName,
        deliveries: Vec<Delivery>,
    ) -> Result<Vec<Reply>, CallError>;

    /// Takes how people are that it watches, from the presence server that serves `slot` of their ring. Answers
    /// when they are queued for the sockets' loop.
    ///
    /// # Errors
    /// [`CallError`]: the caller repeats with what is so by then.
    async fn presence(
        &self,
        call: &Call,
        slot: SlotName,
        changes: Vec<PresenceChange>,
    ) -> Result<Vec<Reply>, CallError>;

    /// Ends the sessions of the credentials; answers when nothing more is written to them.
    ///
    /// # Errors
    /// [`CallError`].
    async fn revoke(&self, call: &Call, credentials: Vec<CredentialId>) -> Result<u32, CallError>;

    /// What it remembers of the event.
    ///
    /// # Errors
    /// [`CallError`].
    async fn journey(&self, call: &Call, topic: Topic, seq: Seq)
    -> Result<Option<GatewayJourney>, CallError>;
}

/// The web role's internal API: boot, heads, catch-up, and messages typed over RTM. Implemented by `api`,
/// called by `channel` and `gateway`.
#[async_trait]
pub trait Web: Send + Sync {
    /// Redeems a ticket. Memberships and heads come from one read transaction.
    ///
    /// # Errors
    /// [`BootError`].
    async fn boot(&self, call: &Call, ticket: String, origin: Option<String>) -> Result<Boot, BootError>;

    /// Heads of topics, in the order asked, each answered on its own.
    ///
    /// # Errors
    /// [`CallError`].
    async fn heads(&self, call: &Call, topics: Vec<Topic>) -> Result<Vec<HeadRead>, CallError>;

    /// Reads events of a topic after a position, as their content is now.
    ///
    /// # Errors
    /// [`CallError`].
    async fn events(&self, call: &Call, request: EventsRequest) -> Result<EventsPage, CallError>;

    /// Sends a message that was typed over RTM: the same path as `chat.postMessage`.
    ///
    /// # Errors
    /// [`RtmError`]: what to tell the client.
    async fn send(&self, call: &Call, send: RtmSend) -> Result<RtmSent, RtmError>;
}

/// A wish to follow a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscription {
    /// Which.
    pub topic: Topic,
    /// What the gateway has.
    pub after: Position,
}

/// Result of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Revoked {
    /// Sessions that were ended.
    pub sessions: u32,
    /// Gateways that did not confirm before their lease lapsed.
    pub lapsed: u32,
}

/// Where an event was when; `None`: not known any more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Journey {
    /// `admin` forwarded it.
    pub admin: Option<Micros>,
    /// What its Channel Server knows.
    pub channel: Option<ChannelJourney>,
}

/// A Channel Server's part of a [`Journey`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelJourney {
    /// Which slot.
    pub slot: SlotName,
    /// When it came in.
    pub received: Micros,
    /// When it was queued for the gateways.
    pub sent: Micros,
    /// The gateways that answered.
    pub gateways: Vec<GatewayJourney>,
}

/// A gateway's part of a [`Journey`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayJourney {
    /// Which gateway.
    pub gateway: NodeId,
    /// When it came in.
    pub received: Micros,
    /// When the last socket was written.
    pub written: Micros,
    /// Sockets that it was written to (or queued for).
    pub sockets: u32,
}

/// What a gateway needs to start a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// The new session.
    pub session: SessionId,
    /// The protocol that the ticket was for.
    pub protocol: Protocol,
    /// On whose behalf.
    pub actor: Actor,
    /// Class of the session, for [`crate::Audience`].
    pub class: u8,
    /// Every topic that the person may see, with its head: channels, the person, the workspace.
    pub topics: Vec<(TopicId, Position)>,
    /// Whether the person has said that they are away, read after the heads of [`Boot::topics`].
    pub manual: ManualAway,
    /// The client takes several people's presence in one event.
    pub batch_presence: bool,
}

/// Who a session acts as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Workspace.
    pub workspace: WorkspaceId,
    /// Person or bot user.
    pub user: UserId,
    /// The bot.
    pub bot: Option<BotId>,
    /// The app.
    pub app: Option<AppId>,
    /// What the session was opened with; revocation names it.
    pub credential: CredentialId,
}

/// Why a session did not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BootError {
    /// The ticket was used, has expired, or never was.
    #[error("the ticket is not valid")]
    Ticket,
    /// The Origin is not allowed.
    #[error("the origin is not allowed")]
    Origin,
    /// The credential was revoked meanwhile.
    #[error("the credential was revoked")]
    Revoked,
    /// Too many boots at once; the client should come back.
    #[error("too many sessions start at once")]
    Overloaded,
    /// The call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Asks for events of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventsRequest {
    /// Which.
    pub topic: Topic,
    /// After this position.
    pub after: Position,
    /// At most so many, 1–1000.
    pub limit: u32,
}

/// Events of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventsPage {
    /// The events after the position asked for, without a hole, oldest first. Empty: there are none.
    Events {
        /// The events.
        events: Vec<EventRecord>,
        /// The topic's head when they were read.
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

/// A message typed over RTM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtmSend {
    /// The socket; it does not get its own event.
    pub session: SessionId,
    /// Who.
    pub actor: Actor,
    /// Where, as the client wrote it.
    pub channel: String,
    /// What.
    pub text: String,
    /// Thread, as the client wrote it.
    pub thread_ts: Option<String>,
    /// Also shown in the channel.
    pub reply_broadcast: bool,
    /// Idempotency key, as the client wrote it.
    pub client_msg_id: Option<String>,
}

/// It was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtmSent {
    /// The message's ts.
    pub ts: model::Ts,
    /// The text as stored.
    pub text: String,
}

/// It was not sent, or nothing is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct RtmError {
    /// Slack's RTM error code.
    pub code: i32,
    /// What to tell the client.
    pub message: String,
}
