use model::{Credential, Ts};
use store::Range;
use wire::message::put_message;

use crate::{
    call::Cx,
    channels,
    cursor::{self, Messages},
    errors::Failure,
    methods::conversations_history::{bounds, put_position, view},
    reply::Reply,
    scopes::Family,
};

/// A thread, oldest first, with the parent first on every page.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let found = channels::find(&cx, Family::History).await?;
    if cx.principal()?.credential == Credential::Bot {
        found.member().map_err(|_| "channel_not_found")?;
    }
    let ts: Ts = cx.args.required("ts", "thread_not_found")?.parse().map_err(|_| "thread_not_found")?;
    let bounds = bounds(&cx)?;
    let view = view(&cx)?;
    let mut oldest = bounds.oldest.unwrap_or(Ts::ZERO);
    match Messages::decode(&cx.args)? {
        None => {}
        Some(Messages::After(after)) => {
            oldest = oldest.max(Ts::from_micros(after.micros() + i64::from(bounds.inclusive)));
        }
        Some(Messages::Before(_)) => return Err("invalid_cursor".into()),
    }
    let range = Range {
        oldest,
        latest: bounds.latest.unwrap_or(Ts::MAX),
        inclusive: bounds.inclusive,
        limit: cursor::lenient_limit(&cx.args, 1_000)?,
        from_oldest: true,
    };
    let (workspace, channel) = (cx.workspace()?, found.channel.id);
    // Whether the caller follows it is a person's business.
    let follows = match cx.principal()?.credential {
        Credential::Bot | Credential::App => None,
        Credential::User | Credential::Session => {
            Some(cx.store().subscription(workspace, cx.user()?, channel, ts).await?)
        }
    };
    let mut reply = Reply::ok();
    let Some(thread) = cx.store().replies(workspace, channel, ts, range).await? else {
        // A message that is no parent is a thread of one.
        let (message, position) =
            cx.store().message_at(workspace, channel, ts).await?.ok_or("thread_not_found")?;
        reply
            .objects("messages", [&message], |object, message| put_message(object, workspace, message, view))
            .put("has_more", &false);
        put_position(&cx, &mut reply, channel, position)?;
        return Ok(reply);
    };
    let messages = std::iter::once(&thread.parent).chain(&thread.page.messages);
    reply
        .objects("messages", messages, |object, message| {
            put_message(object, workspace, message, view);
            if let Some(follows) = follows.filter(|_| message.ts == ts) {
                object.put("subscribed", &follows.is_some_and(|follows| follows.active));
                object.text_if("last_read", follows.map(|follows| follows.last_read));
            }
        })
        .put("has_more", &thread.page.has_more);
    if thread.page.has_more {
        reply.next_cursor = thread.page.messages.last().map(|message| Messages::After(message.ts).encode());
    }
    put_position(&cx, &mut reply, channel, thread.page.position)?;
    Ok(reply)
}
