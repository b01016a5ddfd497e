//! `subscriptions.thread.*`: the threads that a person follows. Undocumented methods of Slack's own client.

use model::{ChannelId, Ts};
use store::{Range, WriteKind};
use wire::message::{MessageView, put_message};

use crate::{call::Cx, channels, cursor, errors::Failure, reply::Reply};

/// Newest replies that `getView` shows of each thread.
const REPLIES_SHOWN: u32 = 3;

/// Follows a thread.
pub(super) async fn add(cx: Cx) -> Result<Reply, Failure> {
    follow(&cx, true).await
}

/// Does not follow a thread any more.
pub(super) async fn remove(cx: Cx) -> Result<Reply, Failure> {
    follow(&cx, false).await
}

async fn follow(cx: &Cx, active: bool) -> Result<Reply, Failure> {
    let (channel, thread) = thread(cx).await?;
    let last_read = optional_ts(cx, "last_read")?;
    cx.write(WriteKind::FollowThread { channel, thread, by: cx.by()?, active, last_read }).await?;
    Ok(Reply::ok())
}

/// Moves the read cursor of a thread to `ts`; with `read=0` to just before it.
pub(super) async fn mark(cx: Cx) -> Result<Reply, Failure> {
    let (channel, thread) = thread(&cx).await?;
    let ts = optional_ts(&cx, "ts")?.ok_or("invalid_timestamp")?;
    let read = cx.args.flag("read")?.unwrap_or(true);
    let ts = if read { ts } else { Ts::from_micros(ts.micros() - 1) };
    cx.write(WriteKind::MarkThread { channel, thread, by: cx.by()?, ts }).await?;
    Ok(Reply::ok())
}

/// Whether the person follows a thread, and how far they have read it.
pub(super) async fn get(cx: Cx) -> Result<Reply, Failure> {
    let (channel, thread) = thread(&cx).await?;
    let found = cx.store().subscription(cx.workspace()?, cx.user()?, channel, thread).await?;
    let mut reply = Reply::ok();
    reply.put("subscribed", &found.is_some_and(|found| found.active));
    reply.text_if("last_read", found.map(|found| found.last_read));
    Ok(reply)
}

/// The threads that the person follows, by their newest reply, newest first: each with its parent and its newest
/// replies. `current_ts`: only those whose newest reply is older.
pub(super) async fn get_view(cx: Cx) -> Result<Reply, Failure> {
    let (workspace, user) = (cx.workspace()?, cx.user()?);
    let limit = cursor::lenient_limit(&cx.args, 20)?.min(100);
    let before = optional_ts(&cx, "current_ts")?.unwrap_or(Ts::MAX);
    let mut followed = cx.store().followed(workspace, user, before, limit + 1).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = followed.len() > limit;
    followed.truncate(limit);
    let mut threads = Vec::with_capacity(followed.len());
    for (subscription, latest) in &followed {
        let range = Range {
            oldest: Ts::ZERO,
            latest: Ts::MAX,
            inclusive: false,
            limit: REPLIES_SHOWN,
            from_oldest: false,
        };
        let (channel, thread) = (subscription.channel, subscription.thread);
        // Deleted in between: gone from the list.
        let Some(page) = cx.store().replies(workspace, channel, thread, range).await? else { continue };
        threads.push((subscription, *latest, page));
    }
    let counts = cx.store().thread_counts(workspace, user).await?;
    let view = MessageView { channel: true, metadata: false, site: cx.site() };
    let mut reply = Reply::ok();
    reply
        .put("total_unread_replies", &counts.unread)
        .put("mention_count", &counts.mentions)
        .objects("threads", &threads, |object, (subscription, latest, page)| {
            object
                .object("root_msg", |object| {
                    put_message(object, workspace, &page.parent, view);
                    object.put("subscribed", &true).text("last_read", subscription.last_read);
                })
                .put("has_unreads", &(*latest > subscription.last_read))
                .objects("latest_replies", &page.page.messages, |object, message| {
                    put_message(object, workspace, message, view);
                });
        })
        .put("has_more", &more)
        .text_if("max_ts", followed.last().map(|(_, latest)| latest));
    Ok(reply)
}

async fn thread(cx: &Cx) -> Result<(ChannelId, Ts), Failure> {
    let found = channels::get(cx, channels::id(cx)?).await?;
    found.member()?;
    Ok((found.channel.id, optional_ts(cx, "thread_ts")?.ok_or("thread_not_found")?))
}

fn optional_ts(cx: &Cx, name: &str) -> Result<Option<Ts>, Failure> {
    let text = cx.args.given(name)?;
    text.map(|text| text.parse()).transpose().map_err(|_| "invalid_timestamp".into())
}
