use crate::{accounts, call::Cx, errors::Failure, reply::Reply};

/// Revokes the token that is shown. `test`: only says that it could be.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let test = cx.args.flag("test")?.unwrap_or(false);
    if !test {
        accounts::revoke(&cx, cx.principal()?.credential_id, Vec::new()).await?;
    }
    let mut reply = Reply::ok();
    reply.put("revoked", &!test);
    Ok(reply)
}
