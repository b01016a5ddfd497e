use wire::message::{MessageView, put_message};

use crate::{call::Cx, cursor, errors::Failure, reply::Reply};

/// Messages to which somebody reacted and which the caller may see, the newest reaction first.
///
/// Pages are asked for by `cursor` and `limit`, or by `page` and `count`.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    cx.check_team()?;
    // All reactions of a message are always given.
    cx.args.flag("full")?;
    let (workspace, viewer) = (cx.workspace()?, cx.user()?);
    let user = match cx.args.given("user")? {
        None => viewer,
        Some(id) => {
            let id = id.parse().map_err(|_| "user_not_found")?;
            cx.store().user(workspace, id).await?.ok_or("user_not_found")?.id
        }
    };
    let by_cursor = cx.args.given("cursor")?.is_some() || cx.args.given("limit")?.is_some();
    let count = if by_cursor {
        cursor::lenient_limit(&cx.args, 100)?
    } else {
        let count = cx.args.integer("count", "invalid_arguments")?.filter(|&count| count > 0);
        count.map_or(100, |count| u32::try_from(count).unwrap_or(cursor::PAGE_MAX).min(cursor::PAGE_MAX))
    };
    let page = match cursor::decode::<u32>(&cx.args, "page")? {
        Some(page) => page,
        None => {
            let page = cx.args.integer("page", "invalid_arguments")?.unwrap_or(1);
            u32::try_from(page).ok().filter(|&page| page > 0).unwrap_or(1)
        }
    };
    let skip = page.saturating_sub(1).saturating_mul(count);
    let found = cx.store().reacted(workspace, user, viewer, skip, count).await?;
    let pages = found.total.div_ceil(u64::from(count.max(1)));
    let view = MessageView { site: cx.site(), ..MessageView::default() };
    let mut reply = Reply::ok();
    reply
        .objects("items", &found.messages, |object, message| {
            object
                .put("type", "message")
                .text("channel", message.channel)
                .object("message", |object| put_message(object, workspace, message, view));
        })
        .object("paging", |paging| {
            paging.put("count", &count).put("total", &found.total).put("page", &page).put("pages", &pages);
        });
    let more = u64::from(page) < pages;
    reply.next_cursor = Some(if more { cursor::encode("page", page + 1) } else { String::new() });
    Ok(reply)
}
