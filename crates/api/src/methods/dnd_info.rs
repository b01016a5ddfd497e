use wire::dnd::{Seen, put_dnd};

use crate::{call::Cx, errors::Failure, reply::Reply};

/// When somebody does not want to be disturbed.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    cx.check_team()?;
    let own = cx.user()?;
    let id = match cx.args.given("user")? {
        None => own,
        Some(id) => id.parse().map_err(|_| "user_not_found")?,
    };
    let user = cx.store().user(cx.workspace()?, id).await?.ok_or("user_not_found")?;
    let seen = if user.id == own { Seen::ByThemselves } else { Seen::ByOthers };
    let mut reply = Reply::ok();
    put_dnd(&mut reply, &user, cx.now_us().div_euclid(1_000_000), seen);
    Ok(reply)
}
