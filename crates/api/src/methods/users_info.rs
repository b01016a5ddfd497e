use wire::user::put_user;

use crate::{call::Cx, errors::Failure, methods::users_list, reply::Reply};

/// Describes a person or a bot's user.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let id = cx.args.required("user", "user_not_found")?.parse().map_err(|_| "user_not_found")?;
    let view = users_list::view(&cx)?;
    let user = cx.store().user(cx.workspace()?, id).await?.ok_or("user_not_found")?;
    let mut reply = Reply::ok();
    reply.object("user", |object| put_user(object, &user, view));
    Ok(reply)
}
