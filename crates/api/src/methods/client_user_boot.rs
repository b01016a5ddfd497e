use wire::{
    conversation::{self, put_conversation, put_unread},
    dnd::{Seen, put_dnd},
    presence,
    team::{put_preferences, put_team},
    user::{UserView, put_user},
};

use crate::{call::Cx, errors::Failure, preferences, reply::Reply};

/// All that a client starts from, read in one transaction.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let boot = cx.store().boot(cx.workspace()?, cx.user()?).await?.ok_or("invalid_auth")?;
    let viewer = boot.user.id;
    let workspace = boot.workspace.id;
    let now = cx.now_us().div_euclid(1_000_000);
    let view = UserView { site: cx.site(), email: true, locale: true, now };
    let mut reply = Reply::ok();
    reply
        .object("self", |object| {
            put_user(object, &boot.user, view);
            object.put("manual_presence", presence::name(!boot.user.manual_away));
        })
        .object("team", |object| {
            put_team(object, &boot.workspace, &cx.app.config.public_url);
            let (preferences, channels) = &boot.team_preferences;
            object.object("prefs", |object| put_preferences(object, preferences, channels));
        })
        .objects("channels", &boot.channels, |object, (channel, membership)| {
            put_conversation(object, workspace, channel, viewer, conversation::Seen::ByReader(membership));
            put_unread(object, channel, membership);
        })
        .object("prefs", |object| preferences::put(object, &boot.preferences, &boot.user.dnd, &[]))
        .object("dnd", |object| put_dnd(object, &boot.user, now, Seen::ByThemselves))
        .object("threads", |object| {
            object
                .put("has_unreads", &(boot.threads.unread > 0))
                .put("mention_count", &boot.threads.mentions);
            object.put("unread_count", &boot.threads.unread);
        })
        .object("_p", |positions| {
            for (topic, position) in &boot.topics {
                positions.put(&topic.to_string(), &(position.generation.0, position.seq.raw()));
            }
        });
    Ok(reply)
}
