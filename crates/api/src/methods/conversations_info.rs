use crate::{call::Cx, channels, errors::Failure, reply::Reply, scopes::Family};

/// Describes a conversation. The number of its members always comes along (`include_num_members`).
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let found = channels::find(&cx, Family::Read).await?;
    cx.args.flag("include_num_members")?;
    let locale = cx.args.flag("include_locale")?.unwrap_or(false);
    let language = match locale {
        true => cx.store().user(cx.workspace()?, cx.user()?).await?.map(|user| user.locale),
        false => None,
    };
    let (workspace, viewer) = (cx.workspace()?, cx.user()?);
    let mut reply = Reply::ok();
    reply.object("channel", |object| {
        let seen = wire::conversation::Seen::by(found.membership.as_ref());
        wire::conversation::put_conversation(object, workspace, &found.channel, viewer, seen);
        object.text_if("locale", language);
    });
    Ok(reply)
}
