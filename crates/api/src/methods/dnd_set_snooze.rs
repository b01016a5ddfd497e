use model::{Dnd, User};
use store::{Done, WriteKind};
use wire::dnd::put_snooze;

use crate::{call::Cx, errors::Failure, reply::Reply};

/// Longest snooze, minutes: 30 days.
const MINUTES_MAX: i64 = 30 * 24 * 60;

/// Lets nobody disturb the caller from now on.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let minutes = cx.args.integer("num_minutes", "missing_duration")?.ok_or("missing_duration")?;
    if minutes < 1 {
        return Err(Failure::with_message("snooze_failed", "num_minutes must be at least 1"));
    }
    if minutes > MINUTES_MAX {
        let message = format!("num_minutes must be at most {MINUTES_MAX}");
        return Err(Failure::with_message("too_long", message));
    }
    let now = cx.now_us().div_euclid(1_000_000);
    let user = own(&cx).await?;
    let user = set(&cx, Dnd { snooze_until: now + minutes * 60, ..user.dnd }).await?;
    let mut reply = Reply::ok();
    put_snooze(&mut reply, &user.dnd, now);
    Ok(reply)
}

/// The caller.
pub(super) async fn own(cx: &Cx) -> Result<User, Failure> {
    Ok(cx.store().user(cx.workspace()?, cx.user()?).await?.ok_or("user_not_found")?)
}

/// Sets the caller's times.
pub(super) async fn set(cx: &Cx, dnd: Dnd) -> Result<User, Failure> {
    match cx.write(WriteKind::SetDnd { user: cx.user()?, dnd }).await? {
        Done::User(user) => Ok(*user),
        _ => Err("internal_error".into()),
    }
}
