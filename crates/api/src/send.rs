//! The send use case: what `chat.postMessage` and RTM do once they know who says what where.

use model::{Bot, ClientMsgId, Draft, Message, Principal, Subtype, Ts, WorkspaceId};
use store::{Done, Write, WriteKind};

use crate::{
    appender::{Appender, WriteContext},
    content::Content,
    errors::Failure,
};

/// How a bot wants to be shown for one message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Face {
    /// Name.
    pub username: Option<String>,
    /// Emoji, `:robot_face:`.
    pub icon_emoji: Option<String>,
    /// Picture.
    pub icon_url: Option<String>,
}

impl Face {
    /// Whether it is the bot's own.
    #[must_use]
    pub fn is_own(&self) -> bool {
        *self == Self::default()
    }
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Where.
    pub channel: model::ChannelId,
    /// What.
    pub content: Content,
    /// It says what its author does (`/me`).
    pub me: bool,
    /// Thread: the parent's ts.
    pub thread: Option<Ts>,
    /// Also show it in the channel.
    pub broadcast: bool,
    /// How the bot is shown.
    pub face: Face,
    /// Idempotency key.
    pub client_msg_id: Option<ClientMsgId>,
}

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    /// Workspace.
    pub workspace: WorkspaceId,
    /// Person or bot user.
    pub user: model::UserId,
    /// The bot and its app.
    pub bot: Option<(model::BotId, model::AppId)>,
    /// May post to public channels without being in them (scope `chat:write.public`).
    pub anywhere: bool,
}

impl Sender {
    /// The sender that a principal is.
    ///
    /// # Errors
    /// `not_allowed_token_type`: an app-level token speaks for nobody.
    pub fn of(principal: &Principal) -> Result<Self, Failure> {
        let bot = principal.bot.zip(principal.app);
        Ok(Self {
            workspace: principal.workspace,
            user: principal.user.ok_or("not_allowed_token_type")?,
            bot,
            anywhere: bot.is_some() && principal.scopes.has("chat:write.public"),
        })
    }
}

/// Sends a message. Returns it as stored, after the commit; a repeat with the same key returns the first.
///
/// Whether the sender may is decided by the store in the order of all writes, not here: a retry gets its
/// first answer whatever happened since.
///
/// # Errors
/// `no_text`, or what the write failed with.
pub async fn send(
    appender: &Appender,
    sender: Sender,
    post: Post,
    context: WriteContext,
) -> Result<Message, Failure> {
    let draft = draft(sender, post)?;
    let kind = WriteKind::Post { draft: Box::new(draft), public_without_membership: sender.anywhere };
    match appender.write(Write { workspace: sender.workspace, kind }, context).await? {
        Done::Posted { message, .. } => Ok(*message),
        _ => Err("internal_error".into()),
    }
}

/// What the store is to post.
///
/// # Errors
/// `no_text`.
pub fn draft(sender: Sender, post: Post) -> Result<Draft, Failure> {
    if post.content.is_empty() { Err("no_text".into()) } else { Ok(draft_with_files(sender, post)) }
}

/// As [`draft`], of a message that has files: it needs nothing else.
#[must_use]
pub fn draft_with_files(sender: Sender, post: Post) -> Draft {
    let subtype = if post.me {
        Some(Subtype::Me)
    } else if !post.face.is_own() {
        Some(Subtype::BotMessage)
    } else if post.broadcast && post.thread.is_some() {
        Some(Subtype::ThreadBroadcast)
    } else {
        None
    };
    let filled = |part: Option<String>| part.filter(|json| !json.is_empty());
    Draft {
        channel: post.channel,
        author: sender.user,
        bot: sender.bot.map(|(id, app)| Bot {
            id,
            app,
            username: post.face.username,
            icon_emoji: post.face.icon_emoji,
            icon_url: post.face.icon_url,
            profile: None,
        }),
        subtype,
        text: post.content.text.unwrap_or_default(),
        blocks: filled(post.content.blocks),
        attachments: filled(post.content.attachments),
        metadata: filled(post.content.metadata),
        client_msg_id: post.client_msg_id,
        thread: post.thread,
        broadcast: post.broadcast && post.thread.is_some(),
        mentions: post.content.mentions,
        mentions_everyone: post.content.mentions_everyone,
    }
}

/// Reads a `client_msg_id`.
///
/// # Errors
/// `invalid_arguments`: it is no UUID.
pub fn client_msg_id(text: Option<String>) -> Result<Option<ClientMsgId>, Failure> {
    text.map(|text| text.parse())
        .transpose()
        .map_err(|_| Failure::invalid_arguments("client_msg_id must be a UUID"))
}
