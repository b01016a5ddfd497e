use rpc::Protocol;

use crate::{call::Cx, errors::Failure, reply::Reply, tickets};

/// Sells a ticket for a WebSocket of our own protocol.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let url = tickets::sell(&cx, Protocol::Own, true).await?;
    let mut reply = Reply::ok();
    reply.put("url", &url).put("expires_in", &tickets::LIFE_S);
    Ok(reply)
}
