use store::{Done, WriteKind};

use crate::{accounts, call::Cx, errors::Failure, reply::Reply};

/// Ends this session, or all of this person's. Answers when nothing reaches their sockets any more.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let all = cx.args.flag("all")?.unwrap_or(false);
    let ended = match all {
        true => revoked(cx.write(WriteKind::RevokeSessions { user: cx.user()? }).await?),
        false => Vec::new(),
    };
    accounts::revoke(&cx, cx.principal()?.credential_id, ended).await?;
    let mut reply = Reply::ok();
    reply.cookie = cx.cookie.as_ref().map(|_| accounts::cookie(&cx, "", 0));
    Ok(reply)
}

fn revoked(done: Done) -> Vec<model::CredentialId> {
    match done {
        Done::Revoked(ids) => ids,
        _ => Vec::new(),
    }
}
