use model::Ts;
use store::{Done, WriteKind};
use wire::message::{MessageView, put_message};

use crate::{
    call::Cx,
    channels,
    content::{self, Content},
    errors::Failure,
    methods::chat_post_message::check_as_user,
    reply::Reply,
};

/// Changes a message's content. What is not given stays; an empty list removes blocks or attachments.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    cx.check_team()?;
    let channel = channels::get(&cx, channels::id(&cx)?).await?.channel.id;
    let ts: Ts = cx.args.required("ts", "message_not_found")?.parse().map_err(|_| "message_not_found")?;
    if !cx.args.list("file_ids")?.is_empty() {
        return Err("file_not_found".into());
    }
    if cx.args.json("unfurled_attachments").is_some() {
        return Err(Failure::invalid_arguments("unfurled_attachments: nothing is unfurled yet"));
    }
    check_as_user(&cx)?;
    let mut content = Content::read(&cx).await?;
    let broadcast = cx.args.flag("reply_broadcast")?;
    if content.text.is_none()
        && content.blocks.is_none()
        && content.attachments.is_none()
        && content.metadata.is_none()
        && broadcast.is_none()
    {
        return Err("no_text".into());
    }
    // Whether there is such a message, and whose, the write finds out.
    if let Some(message) = cx.store().message(cx.workspace()?, channel, ts).await? {
        content = content.over(&message);
    }
    let write = WriteKind::Edit {
        channel,
        ts,
        by: cx.by()?,
        text: content.text,
        blocks: content.blocks,
        attachments: content.attachments,
        metadata: content.metadata,
        broadcast,
        mentions: content.mentions,
        mentions_everyone: content.mentions_everyone,
    };
    let Done::Edited(message) = cx.write(write).await? else {
        return Err("internal_error".into());
    };
    let workspace = cx.workspace()?;
    let view = MessageView { channel: false, metadata: true, site: cx.site() };
    let mut reply = Reply::ok();
    reply
        .text("channel", channel)
        .text("ts", ts)
        .put("text", message.text.as_str())
        .object("message", |object| put_message(object, workspace, &message, view));
    if content.truncated {
        reply.warnings.push(content::TRUNCATED);
    }
    Ok(reply)
}
