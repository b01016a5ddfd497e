use model::Dnd;
use wire::dnd::{Seen, put_dnd};

use crate::{
    call::Cx,
    errors::Failure,
    methods::dnd_set_snooze::{own, set},
    reply::Reply,
};

/// Ends the caller's snooze; the daily time stays.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let now = cx.now_us().div_euclid(1_000_000);
    let user = own(&cx).await?;
    if user.dnd.snooze_until <= now {
        return Err(Failure::with_message("snooze_end_failed", "there is no snooze to end"));
    }
    let user = set(&cx, Dnd { snooze_until: 0, ..user.dnd }).await?;
    let mut reply = Reply::ok();
    put_dnd(&mut reply, &user, now, Seen::ByThemselves);
    Ok(reply)
}
