use futures_util::TryStreamExt;

use crate::{call::Cx, errors::Failure, reply::Reply, shares};

/// How much of a snippet is shown with it, bytes.
const CONTENT_BYTES_MAX: u64 = 64 << 10;

/// A file, with the messages that have it and that the caller may see. There are no comments.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let found = shares::argument(&cx).await?;
    let mut reply = Reply::ok();
    shares::put(&cx, &mut reply, &found)?;
    if let (true, Some(blob)) = (found.file.snippet, &found.blob) {
        let length = found.file.size.min(CONTENT_BYTES_MAX);
        let unreadable = |_| Failure::with_message("service_unavailable", "the file cannot be read");
        let place = (cx.workspace()?, found.file.id, blob.as_str());
        let pieces = cx.app.deps.blobs.read(place, 0..length).await.map_err(|_| "service_unavailable")?;
        let pieces: Vec<bytes::Bytes> = pieces.try_collect().await.map_err(unreadable)?;
        reply
            .put("content", &String::from_utf8_lossy(&pieces.concat()))
            .put("is_truncated", &(length < found.file.size));
    }
    reply.put("comments", &[] as &[u8; 0]);
    reply.next_cursor = Some(String::new());
    Ok(reply)
}
