use crate::{call::Cx, errors::Failure, preferences, reply::Reply};

/// The caller's preferences: those that `prefs` names, or all.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let wanted = cx.args.list("prefs")?;
    let user = cx.store().user(cx.workspace()?, cx.user()?).await?.ok_or("user_not_found")?;
    let set = cx.store().preferences(cx.workspace()?, user.id).await?;
    let mut reply = Reply::ok();
    reply.object("prefs", |object| preferences::put(object, &set, &user.dnd, &wanted));
    Ok(reply)
}
