use model::ScheduledId;
use store::ScheduledQuery;

use crate::{call::Cx, cursor, errors::Failure, reply::Reply};

/// The caller's messages that wait for their time, the next first.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    cx.check_team()?;
    let channel = match cx.args.given("channel")? {
        None => None,
        Some(id) => Some(id.parse().map_err(|_| "invalid_channel")?),
    };
    let seconds = |name| -> Result<Option<i64>, Failure> {
        let Some(text) = cx.args.given(name)? else { return Ok(None) };
        let whole = text.split('.').next().unwrap_or_default();
        whole.parse().map(Some).map_err(|_| Failure::invalid_arguments(format!("{name} must be a timestamp")))
    };
    let limit = cursor::lenient_limit(&cx.args, 100)?;
    let after = match cursor::decode::<String>(&cx.args, "scheduled")? {
        None => None,
        Some(place) => Some(place_of(&place).ok_or("invalid_cursor")?),
    };
    let query = ScheduledQuery {
        channel,
        oldest: seconds("oldest")?.unwrap_or(0),
        latest: seconds("latest")?.unwrap_or(i64::MAX),
        after,
        limit: limit + 1,
    };
    let mut page = cx.store().scheduled(cx.workspace()?, cx.user()?, query).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = page.len() > limit;
    page.truncate(limit);
    let mut reply = Reply::ok();
    reply.objects("scheduled_messages", &page, |object, scheduled| {
        object
            .text("id", scheduled.id)
            .text("channel_id", scheduled.channel)
            .put("post_at", &scheduled.post_at)
            .put("date_created", &scheduled.created.div_euclid(1_000_000))
            .put("text", scheduled.text.as_str());
    });
    let last = page.last().filter(|_| more);
    let place = last.map(|last| cursor::encode("scheduled", format!("{}/{}", last.post_at, last.id)));
    reply.next_cursor = Some(place.unwrap_or_default());
    Ok(reply)
}

fn place_of(text: &str) -> Option<(i64, ScheduledId)> {
    let (post_at, id) = text.split_once('/')?;
    Some((post_at.parse().ok()?, id.parse().ok()?))
}
