//! The internal API (`rpc::Web`): boot, heads, catch-up, and messages typed over RTM.

use std::sync::Arc;

use async_trait::async_trait;
use model::{HeadRead, MessageText, Seq, SessionId, Topic, TopicId, TraceId, Ts};
use rpc::{
    Actor, Audience, Boot, BootError, Call, CallError, EventsPage, EventsRequest, ManualAway, Protocol,
    RtmError, RtmSend, RtmSent, Web,
};
use store::{
    Authenticated, Done, EventsRead, SecretHash, SessionStart, Store, StoreError, Ticket, Write, WriteKind,
};
use tokio::{sync::Semaphore, time::Instant};
use tracing::error;

use crate::{
    app::App,
    appender::{WriteContext, WriteError},
    auth,
    content::Content,
    errors::Failure,
    limits::Limits,
    mentions, random,
    rates::{BOOTS, RTM_POST},
    record::record,
    role::RateLimits,
    send::{self, Face, Post, Sender},
    tokens,
};

/// The role's name in [`CallError`].
const ROLE: &str = "web";
/// Boots at once. A further one is refused at once ([`BootError::Overloaded`]): clients come back.
const BOOTS_MAX: usize = 64;
/// Most events of a page.
const EVENTS_MAX: u32 = 1_000;
/// RTM's code for a message without text.
const RTM_NO_TEXT: i32 = 2;
/// Scopes that are for everything that a client or a classic bot does.
const WHOLE_CLIENT: &[&str] = &["client", "bot"];
/// RTM's code for too many messages.
const RTM_TOO_FAST: i32 = -1;
/// RTM's code for everything else.
const RTM_REFUSED: i32 = 1;

/// Implements the internal API.
pub struct Internal {
    app: Arc<App>,
    boots: Semaphore,
    boot_rate: Limits<()>,
    post_rate: Limits<SessionId>,
}

impl Internal {
    /// Puts it together.
    #[must_use]
    pub fn new(app: Arc<App>) -> Self {
        Self {
            app,
            boots: Semaphore::new(BOOTS_MAX),
            boot_rate: Limits::default(),
            post_rate: Limits::default(),
        }
    }

    fn store(&self) -> &dyn Store {
        self.app.deps.store.as_ref()
    }

    fn now_us(&self) -> i64 {
        self.app.deps.clock.now_us()
    }

    /// A socket is opened with a scope of its own; to type a message takes what posting one takes.
    async fn may_post(&self, actor: &Actor) -> Result<(), Failure> {
        let now = self.now_us();
        let principal = auth::recheck(self.store(), actor.workspace, actor.credential, now).await?;
        let posting =
            self.app.method("chat.postMessage").and_then(|it| it.access.scopes_for(principal.credential));
        let posting = posting.ok_or("not_allowed_token_type")?;
        if principal.scopes.any_of(posting) || principal.scopes.any_of(WHOLE_CLIENT) {
            return Ok(());
        }
        Err(Failure::missing_scope(posting, principal.scopes.to_text()))
    }

    async fn redeem(&self, ticket: &str, trace: TraceId) -> Result<(model::WorkspaceId, Ticket), BootError> {
        let workspace = tokens::workspace_of_code(ticket).ok_or(BootError::Ticket)?;
        let kind = WriteKind::UseTicket { secret: SecretHash::of(ticket) };
        let context = WriteContext { trace, accepted: self.now_us(), origin: None };
        match self.app.deps.appender.write(Write { workspace, kind }, context).await {
            Ok(Done::Ticket(ticket)) => Ok((workspace, ticket)),
            Ok(_) => Err(CallError::Failed { role: ROLE }.into()),
            Err(WriteError::Refused(_)) => Err(BootError::Ticket),
            Err(WriteError::Overloaded { .. }) => Err(BootError::Overloaded),
            Err(WriteError::NotWritten { .. } | WriteError::Unknown) => {
                Err(CallError::Failed { role: ROLE }.into())
            }
        }
    }
}

fn failed(error: StoreError) -> CallError {
    error!(%error, "a read failed");
    CallError::Failed { role: ROLE }
}

#[async_trait]
impl Web for Internal {
    async fn boot(&self, call: &Call, ticket: String, origin: Option<String>) -> Result<Boot, BootError> {
        let _permit = self.boots.try_acquire().map_err(|_| BootError::Overloaded)?;
        self.boot_rate.check((), BOOTS, Instant::now()).map_err(|_| BootError::Overloaded)?;
        let (workspace, ticket) = self.redeem(&ticket, call.trace).await?;
        if ticket.needs_origin && !origin.is_some_and(|origin| self.app.origins.allow(&origin)) {
            return Err(BootError::Origin);
        }
        let now = self.now_us();
        let start = self.store().session(workspace, ticket.user, ticket.credential, now).await;
        let SessionStart { credential, topics, user } = start.map_err(failed)?;
        let Authenticated::Yes(principal) = credential else { return Err(BootError::Revoked) };
        let own = topics.iter().find(|(topic, _)| *topic == TopicId::User(ticket.user));
        let manual = ManualAway {
            seq: own.map_or(Seq::ZERO, |(_, head)| head.seq),
            away: user.is_some_and(|user| user.manual_away),
        };
        let session = random::bytes().map_err(|_| CallError::Failed { role: ROLE })?;
        Ok(Boot {
            session: SessionId(u128::from_le_bytes(session)),
            protocol: if ticket.rtm { Protocol::Rtm } else { Protocol::Own },
            actor: Actor {
                workspace,
                user: ticket.user,
                bot: principal.bot,
                app: principal.app,
                credential: ticket.credential,
            },
            class: Audience::MEMBER,
            topics,
            manual,
            batch_presence: ticket.batch_presence,
        })
    }

    async fn heads(&self, _: &Call, topics: Vec<Topic>) -> Result<Vec<HeadRead>, CallError> {
        self.store().heads(&topics).await.map_err(failed)
    }

    async fn events(&self, _: &Call, request: EventsRequest) -> Result<EventsPage, CallError> {
        let limit = request.limit.clamp(1, EVENTS_MAX);
        let read = self.store().events(request.topic, request.after, limit).await.map_err(failed)?;
        let context = WriteContext::default();
        Ok(match read {
            EventsRead::Events { events, head } => EventsPage::Events {
                events: events.iter().map(|event| record(event, &context, 0, self.app.site())).collect(),
                head,
            },
            EventsRead::Reset { head } => EventsPage::Reset { head },
            EventsRead::Unknown => EventsPage::Unknown,
        })
    }

    async fn send(&self, call: &Call, send: RtmSend) -> Result<RtmSent, RtmError> {
        let context = WriteContext { trace: call.trace, accepted: self.now_us(), origin: Some(send.session) };
        let is_limited = self.app.config.rate_limits == RateLimits::Slack;
        if is_limited && self.post_rate.check(send.session, RTM_POST, Instant::now()).is_err() {
            let message = "slow down, too many messages...".to_owned();
            return Err(RtmError { code: RTM_TOO_FAST, message });
        }
        self.may_post(&send.actor).await.map_err(rtm_error)?;
        let sender = Sender {
            workspace: send.actor.workspace,
            user: send.actor.user,
            bot: send.actor.bot.zip(send.actor.app),
            anywhere: false,
        };
        let post = typed(send).map_err(rtm_error)?;
        let message = send::send(&self.app.deps.appender, sender, post, context).await.map_err(rtm_error)?;
        Ok(RtmSent { ts: message.ts, text: message.text.into_string() })
    }
}

/// Reads what was typed over RTM.
fn typed(send: RtmSend) -> Result<Post, Failure> {
    let thread: Option<Ts> = match send.thread_ts.filter(|text| !text.is_empty()) {
        Some(text) => Some(text.parse().map_err(|_| "thread_not_found")?),
        None => None,
    };
    let (text, truncated) = MessageText::cut(send.text.replace('\0', ""));
    let found = mentions::find(text.as_str(), &[]);
    Ok(Post {
        channel: send.channel.parse().map_err(|_| "channel_not_found")?,
        content: Content {
            text: Some(text),
            truncated,
            blocks: None,
            attachments: None,
            metadata: None,
            mentions: found.users,
            mentions_everyone: found.everyone,
        },
        me: false,
        thread,
        broadcast: send.reply_broadcast,
        face: Face::default(),
        client_msg_id: send::client_msg_id(send.client_msg_id.filter(|text| !text.is_empty()))?,
    })
}

fn rtm_error(failure: Failure) -> RtmError {
    let message = failure.detail.as_ref().and_then(|detail| detail.messages.first());
    let (code, message) = match (failure.code.as_ref(), message) {
        ("no_text", _) => (RTM_NO_TEXT, "message text is missing".to_owned()),
        ("ratelimited", _) => (RTM_TOO_FAST, "slow down, too many messages...".to_owned()),
        (code, Some(message)) => (RTM_REFUSED, format!("{code}: {message}")),
        (code, None) => (RTM_REFUSED, code.to_owned()),
    };
    RtmError { code, message }
}
