use model::UserKind;
use wire::user::put_icons;

use crate::{call::Cx, errors::Failure, reply::Reply};

/// Describes a bot.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    if cx.args.given("team_id")?.is_some() {
        cx.check_team()?;
    }
    let id = cx.args.required("bot", "bot_not_found")?.parse().map_err(|_| "bot_not_found")?;
    let user = cx.store().bot(cx.workspace()?, id).await?.ok_or("bot_not_found")?;
    let UserKind::Bot { bot, app } = user.kind else { return Err("bot_not_found".into()) };
    let mut reply = Reply::ok();
    reply.object("bot", |object| {
        object
            .text("id", bot)
            .put("deleted", &user.deleted)
            .put("name", &user.real_name)
            .put("updated", &user.updated.div_euclid(1_000_000))
            .text("app_id", app)
            .text("user_id", user.id)
            .object("icons", |icons| put_icons(icons, user.id, cx.site()));
    });
    Ok(reply)
}
