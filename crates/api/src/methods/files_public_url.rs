use store::WriteKind;

use crate::{call::Cx, errors::Failure, random, reply::Reply, shares};

/// Makes a link to a file that needs no account.
pub(super) async fn share(cx: Cx) -> Result<Reply, Failure> {
    set(&cx, Some(random::secret()?)).await
}

/// Takes the link back.
pub(super) async fn revoke(cx: Cx) -> Result<Reply, Failure> {
    set(&cx, None).await
}

async fn set(cx: &Cx, secret: Option<String>) -> Result<Reply, Failure> {
    let id = shares::argument(cx).await?.file.id;
    let all = cx.store().file(cx.workspace()?, id, None).await?.ok_or("file_not_found")?;
    let channels = shares::places(&all.shares);
    let done = cx.write(WriteKind::SetPublicLink { file: id, by: cx.by()?, secret, channels }).await;
    done.map_err(|failure| failure.called(store::Refusal::NotAllowed, "not_allowed"))?;
    shares::answer(cx, id).await
}
