use model::{Credential, Ts};
use store::Range;
use wire::message::{MessageView, put_message};

use crate::{
    call::Cx,
    channels,
    cursor::{self, Messages},
    errors::Failure,
    reply::Reply,
    scopes::Family,
};

/// Messages of a channel, newest first. `_p` adds the position at which they were read.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let found = channels::find(&cx, Family::History).await?;
    // People may look into public channels from outside; bots may not.
    if cx.principal()?.credential == Credential::Bot {
        found.member()?;
    }
    let bounds = bounds(&cx)?;
    let view = view(&cx)?;
    let (workspace, channel) = (cx.workspace()?, found.channel.id);
    let limit = cursor::lenient_limit(&cx.args, 100)?;
    let range = page_range(bounds, Messages::decode(&cx.args)?, limit);
    let page = cx.store().history(workspace, channel, range).await?;
    let mut reply = Reply::ok();
    if let Some(oldest) = bounds.oldest {
        reply.text("oldest", oldest);
    }
    if let Some(latest) = bounds.latest {
        reply.text("latest", latest);
    }
    reply
        .objects("messages", &page.messages, |object, message| put_message(object, workspace, message, view))
        .put("has_more", &page.has_more)
        .put("pin_count", &found.channel.pins)
        .put("channel_actions_ts", &None::<&str>)
        .put("channel_actions_count", &0);
    if page.has_more {
        let edge = if range.from_oldest { page.messages.first() } else { page.messages.last() };
        let turn = if range.from_oldest { Messages::After } else { Messages::Before };
        reply.next_cursor = edge.map(|message| turn(message.ts).encode());
    }
    put_position(&cx, &mut reply, channel, page.position)?;
    Ok(reply)
}

/// Where a page may reach.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// `oldest`.
    pub(super) oldest: Option<Ts>,
    /// `latest`.
    pub(super) latest: Option<Ts>,
    /// `inclusive`.
    pub(super) inclusive: bool,
}

/// Reads `oldest`, `latest` and `inclusive`.
pub(super) fn bounds(cx: &Cx) -> Result<Bounds, Failure> {
    let ts = |name, code: &'static str| -> Result<Option<Ts>, Failure> {
        cx.args.given(name)?.map(|text| text.parse()).transpose().map_err(|_| code.into())
    };
    Ok(Bounds {
        oldest: ts("oldest", "invalid_ts_oldest")?.filter(|&oldest| oldest > Ts::ZERO),
        latest: ts("latest", "invalid_ts_latest")?.filter(|&latest| latest > Ts::ZERO),
        inclusive: cx.args.flag("inclusive")?.unwrap_or(false),
    })
}

/// The messages within the bounds, from the cursor on. A cursor's own message was on the page before.
fn page_range(bounds: Bounds, cursor: Option<Messages>, limit: u32) -> Range {
    let inclusive = bounds.inclusive;
    let step = i64::from(inclusive);
    let mut range = Range {
        oldest: bounds.oldest.unwrap_or(Ts::ZERO),
        latest: bounds.latest.unwrap_or(Ts::MAX),
        inclusive,
        limit,
        from_oldest: bounds.oldest.is_some() && bounds.latest.is_none(),
    };
    match cursor {
        None => {}
        Some(Messages::Before(ts)) => {
            range.latest = range.latest.min(Ts::from_micros(ts.micros() - step));
            range.from_oldest = false;
        }
        Some(Messages::After(ts)) => {
            range.oldest = range.oldest.max(Ts::from_micros(ts.micros() + step));
            range.from_oldest = true;
        }
    }
    range
}

/// What the caller wants to see of messages.
pub(super) fn view(cx: &Cx) -> Result<MessageView<'_>, Failure> {
    let metadata = cx.args.flag("include_all_metadata")?.unwrap_or(false);
    Ok(MessageView { channel: false, metadata, site: cx.site() })
}

/// Adds the position at which a page was read, if `_p` asks for it.
pub(super) fn put_position(
    cx: &Cx,
    reply: &mut Reply,
    channel: model::ChannelId,
    position: model::Position,
) -> Result<(), Failure> {
    if cx.args.flag("_p")?.unwrap_or(false) {
        reply.object("_p", |object| {
            wire::event::put_position(object, model::TopicId::Channel(channel), position);
        });
    }
    Ok(())
}
