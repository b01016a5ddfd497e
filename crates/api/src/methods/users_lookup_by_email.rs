use wire::user::put_user;

use crate::{call::Cx, errors::Failure, methods::users_list, reply::Reply};

/// Finds a person by their e-mail address.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let email = cx.args.required("email", "users_not_found")?.trim().to_lowercase();
    let view = users_list::view(&cx)?;
    let found = cx.store().person_by_email(cx.workspace()?, &email).await?;
    let (user, _) = found.filter(|(user, _)| !user.deleted).ok_or("users_not_found")?;
    let mut reply = Reply::ok();
    reply.object("user", |object| put_user(object, &user, view));
    Ok(reply)
}
