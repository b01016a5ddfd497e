use model::JobId;
use store::WriteKind;

use crate::{call::Cx, errors::Failure, random, reply::Reply, shares};

/// Deletes a file. The messages that have it show that there was one.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let found = shares::argument(&cx).await?;
    // All that have it, also those that the caller does not see.
    let all = cx.store().file(cx.workspace()?, found.file.id, None).await?.ok_or("file_not_found")?;
    let job = JobId::from_random(random::number()?);
    let channels = shares::places(&all.shares);
    cx.write(WriteKind::DeleteFile { file: found.file.id, by: cx.by()?, job, channels }).await?;
    cx.app.deps.jobs.notify_one();
    Ok(Reply::ok())
}
