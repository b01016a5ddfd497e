use wire::{
    conversation::{Seen, put_conversation, put_unread},
    team::put_team,
    user::{UserView, put_user},
};

use crate::{call::Cx, errors::Failure, reply::Reply};

/// All that a client starts from, read in one transaction.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let boot = cx.store().boot(cx.workspace()?, cx.user()?).await?.ok_or("invalid_auth")?;
    let viewer = boot.user.id;
    let workspace = boot.workspace.id;
    let mut reply = Reply::ok();
    reply
        .object("self", |object| put_user(object, &boot.user, UserView { email: true, locale: true }))
        .object("team", |object| put_team(object, &boot.workspace, &cx.app.config.public_url))
        .objects("channels", &boot.channels, |object, (channel, membership)| {
            put_conversation(object, workspace, channel, viewer, Seen::ByReader(membership));
            put_unread(object, channel, membership);
        })
        .object("_p", |positions| {
            for (topic, position) in &boot.topics {
                positions.put(&topic.to_string(), &(position.generation.0, position.seq.raw()));
            }
        });
    Ok(reply)
}
