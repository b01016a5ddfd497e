use store::{Done, WriteKind};
use tracing::error;

use crate::{accounts, call::Cx, errors::Failure, reply::Reply};

/// How often the gateways are asked to close the sockets.
const TRIES: u32 = 3;

/// Ends this session, or all of this person's. Answers when nothing reaches their sockets any more.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let caller = cx.caller()?;
    let all = cx.args.flag("all")?.unwrap_or(false);
    let mut ended = match all {
        true => revoked(cx.write(WriteKind::RevokeSessions { user: cx.user()? }).await?),
        false => Vec::new(),
    };
    let own = caller.principal.credential_id;
    if !ended.contains(&own) {
        cx.write(WriteKind::RevokeCredential { id: own }).await?;
        ended.push(own);
    }
    let call = cx.app.call(cx.context.trace);
    let mut outcome = Ok(());
    for _ in 0..TRIES {
        outcome = cx.app.deps.admin.revoke(&call, ended.clone()).await.map(|_| ());
        if outcome.is_ok() {
            break;
        }
    }
    if let Err(failed) = outcome {
        error!(error = %failed, "sockets of a revoked session may still be open");
        return Err(failed.into());
    }
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
