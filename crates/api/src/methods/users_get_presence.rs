use rpc::Person;
use wire::presence;

use crate::{call::Cx, errors::Failure, reply::Reply};

/// Whether somebody is active. Of oneself also why.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let own = cx.user()?;
    let id = match cx.args.given("user")? {
        None => own,
        Some(id) => id.parse().map_err(|_| "user_not_found")?,
    };
    let workspace = cx.workspace()?;
    let user = cx.store().user(workspace, id).await?.ok_or("user_not_found")?;
    let person = Person { workspace, user: id };
    let answers = cx.app.deps.presence.query(&cx.app.call(cx.context.trace), vec![person]).await?;
    let Some(Ok(now)) = answers.into_iter().next() else {
        return Err(Failure::with_message("service_unavailable", "nobody knows now, try again"));
    };
    // What they said is in the store; the presence servers may not have heard of it yet.
    let mut reply = Reply::ok();
    reply.put("presence", presence::name(now.on_device && !user.manual_away));
    if id == own {
        let online = now.sessions > 0;
        reply
            .put("online", &online)
            .put("auto_away", &(online && !now.on_device))
            .put("manual_away", &user.manual_away)
            .put("connection_count", &now.sessions);
        if let Some(idle) = now.idle {
            let idle_us = i64::try_from(idle.as_micros()).unwrap_or(i64::MAX);
            reply.put("last_activity", &cx.now_us().saturating_sub(idle_us).div_euclid(1_000_000));
        }
    }
    Ok(reply)
}
