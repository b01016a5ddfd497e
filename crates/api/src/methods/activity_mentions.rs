use model::{ChannelId, Ts};
use wire::message::{MessageView, put_message};

use crate::{call::Cx, cursor, errors::Failure, reply::Reply};

/// Most messages of a page.
const PAGE_MAX: u32 = 100;

/// Messages that mention the person, newest first. Our own method: Slack's client has none that is public.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let (workspace, user) = (cx.workspace()?, cx.user()?);
    let limit = cursor::lenient_limit(&cx.args, 20)?.min(PAGE_MAX);
    let after = match cursor::decode::<String>(&cx.args, "mention")? {
        None => None,
        Some(place) => Some(place_of(&place).ok_or("invalid_cursor")?),
    };
    let mut page = cx.store().mentioning(workspace, user, after, limit + 1).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = page.len() > limit;
    page.truncate(limit);
    let view = MessageView { site: cx.site(), ..MessageView::default() };
    let mut reply = Reply::ok();
    reply.objects("mentions", &page, |object, message| {
        object
            .text("channel", message.channel)
            .object("message", |object| put_message(object, workspace, message, view));
    });
    let last = page.last().filter(|_| more);
    let place = last.map(|last| cursor::encode("mention", format!("{}/{}", last.ts, last.channel)));
    reply.next_cursor = Some(place.unwrap_or_default());
    Ok(reply)
}

fn place_of(text: &str) -> Option<(Ts, ChannelId)> {
    let (ts, channel) = text.split_once('/')?;
    Some((ts.parse().ok()?, channel.parse().ok()?))
}
