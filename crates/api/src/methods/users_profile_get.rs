use wire::user::put_profile;

use crate::{call::Cx, errors::Failure, methods::users_list, reply::Reply};

/// What somebody says of themselves.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    // There are no custom fields, so no labels of them.
    cx.args.flag("include_labels")?;
    let user = match cx.args.given("user")? {
        None => cx.user()?,
        Some(id) => id.parse().map_err(|_| "user_not_found")?,
    };
    let user = cx.store().user(cx.workspace()?, user).await?.ok_or("user_not_found")?;
    let view = users_list::view(&cx)?;
    let mut reply = Reply::ok();
    reply.object("profile", |profile| put_profile(profile, &user, view));
    Ok(reply)
}
