use bytes::Bytes;
use model::{Bot, Message, Subtype, Topic, TopicId, Ts, UserId};
use rpc::{Signal, SignalKind};

use crate::{
    call::Cx,
    channels,
    content::{self, Content},
    errors::Failure,
    methods::chat_post_message::face,
    reply::Reply,
    send::Sender,
};

/// Shows a message to one person in a channel, as long as they are connected. Nothing is stored.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let content = Content::read(&cx).await?;
    let face = face(&cx)?;
    let thread: Option<Ts> = match cx.args.given("thread_ts")? {
        Some(text) => Some(text.parse().map_err(|_| "thread_not_found")?),
        None => None,
    };
    let to: UserId =
        cx.args.required("user", "user_not_in_channel")?.parse().map_err(|_| "user_not_in_channel")?;
    let sender = Sender::of(cx.principal()?)?;
    let channel = channels::target(&cx).await?;
    let found = channels::get(&cx, channel).await?;
    found.member()?;
    if found.channel.archived {
        return Err("is_archived".into());
    }
    if found.channel.general {
        let (preferences, _) = cx.store().team_preferences(sender.workspace).await?;
        if !preferences.post_general.includes(cx.principal()?.role) {
            return Err("restricted_action".into());
        }
    }
    let theirs = cx.store().channel(sender.workspace, channel, Some(to)).await?;
    if theirs.is_none_or(|(_, membership)| membership.is_none()) {
        return Err("user_not_in_channel".into());
    }
    if let Some(thread) = thread {
        let parent = cx.store().message(sender.workspace, channel, thread).await?;
        if parent.ok_or("thread_not_found")?.is_reply() {
            return Err("cannot_reply_to_message".into());
        }
    }
    if content.is_empty() {
        return Err("no_text".into());
    }
    let filled = |part: Option<String>| part.filter(|json| !json.is_empty());
    let message = Message {
        channel,
        ts: Ts::from_micros(cx.now_us()),
        author: sender.user,
        subtype: (!face.is_own()).then_some(Subtype::BotMessage),
        bot: sender.bot.map(|(id, app)| Bot {
            id,
            app,
            username: face.username,
            icon_emoji: face.icon_emoji,
            icon_url: face.icon_url,
            profile: None,
        }),
        text: content.text.unwrap_or_default(),
        blocks: filled(content.blocks),
        attachments: filled(content.attachments),
        metadata: filled(content.metadata),
        files: Vec::new(),
        client_msg_id: None,
        thread,
        parent_author: None,
        broadcast: false,
        edited: None,
        reactions: Vec::new(),
        replies: None,
        pinned: None,
        revision: 1,
    };
    let signal = Signal {
        topic: Topic { workspace: sender.workspace, id: TopicId::User(to) },
        kind: SignalKind::Ephemeral,
        except: None,
        body: Bytes::from(wire::event::render_ephemeral(sender.workspace, &message)),
    };
    cx.app.deps.admin.signal(&cx.app.call(cx.context.trace), vec![signal]).await?;
    let mut reply = Reply::ok();
    reply.text("message_ts", message.ts);
    if content.truncated {
        reply.warnings.push(content::TRUNCATED);
    }
    Ok(reply)
}
