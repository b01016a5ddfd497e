use crate::{call::Cx, channels, cursor, errors::Failure, reply::Reply, scopes::Family};

/// Lists the people of a conversation.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let channel = channels::find(&cx, Family::Read).await?.channel.id;
    let limit = cursor::limit(&cx.args, 100)?;
    let after = cursor::decode(&cx.args, "user")?;
    let mut page = cx.store().members(cx.workspace()?, channel, after, limit + 1).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = page.len() > limit;
    page.truncate(limit);
    let mut reply = Reply::ok();
    reply.texts("members", &page);
    let last = page.last().filter(|_| more);
    reply.next_cursor = Some(last.map(|user| cursor::encode("user", user)).unwrap_or_default());
    Ok(reply)
}
