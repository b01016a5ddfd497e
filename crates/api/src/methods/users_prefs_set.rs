use store::WriteKind;

use crate::{
    call::Cx,
    errors::Failure,
    methods::dnd_set_snooze::{own, set},
    preferences,
    reply::Reply,
};

/// Sets preferences: a JSON object in `prefs`, or one in `name` and `value`.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let user = own(&cx).await?;
    let change = preferences::read(&cx, user.dnd)?;
    if change.dnd != user.dnd {
        set(&cx, change.dnd).await?;
    }
    if !change.values.is_empty() {
        cx.write(WriteKind::SetPreferences { user: user.id, values: change.values }).await?;
    }
    let user = own(&cx).await?;
    let set = cx.store().preferences(cx.workspace()?, user.id).await?;
    let mut reply = Reply::ok();
    reply.object("prefs", |object| preferences::put(object, &set, &user.dnd, &change.names));
    Ok(reply)
}
