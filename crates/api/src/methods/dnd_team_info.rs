use wire::dnd::{Seen, put_dnd};

use crate::{call::Cx, errors::Failure, reply::Reply};

/// Most people of one call; Slack's limit.
const USERS_MAX: usize = 50;

/// When several people do not want to be disturbed. Who is not there is left out.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    cx.check_team()?;
    let names = cx.args.list("users")?;
    if names.is_empty() {
        return Err("no_users_provided".into());
    }
    if names.len() > USERS_MAX {
        return Err(Failure::invalid_arguments(format!("users: at most {USERS_MAX}")));
    }
    let mut users = Vec::with_capacity(names.len());
    for name in &names {
        let Ok(id) = name.parse() else { continue };
        users.extend(cx.store().user(cx.workspace()?, id).await?);
    }
    let now = cx.now_us().div_euclid(1_000_000);
    let mut reply = Reply::ok();
    reply.object("users", |object| {
        for user in &users {
            object.object(&user.id.to_string(), |object| put_dnd(object, user, now, Seen::ByOthers));
        }
    });
    Ok(reply)
}
