use model::Dnd;
use wire::dnd::daily;

use crate::{
    call::Cx,
    errors::Failure,
    methods::dnd_set_snooze::{own, set},
    reply::Reply,
};

/// Lets the caller be disturbed again: ends the snooze, and the daily time that is now.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let now = cx.now_us().div_euclid(1_000_000);
    let user = own(&cx).await?;
    let quiet = daily(&user.dnd, &user.tz, now).filter(|quiet| quiet.start <= now);
    if quiet.is_none() && user.dnd.snooze_until <= now {
        return Err("not_in_dnd".into());
    }
    let ended_until = quiet.map_or(user.dnd.ended_until, |quiet| quiet.end);
    set(&cx, Dnd { snooze_until: 0, ended_until, ..user.dnd }).await?;
    Ok(Reply::ok())
}
