use crate::{call::Cx, channels, errors::Failure, reply::Reply};

/// Lists the conversations that the caller may see.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    channels::list(&cx, None).await
}
