use model::File;
use store::Refusal;
use wire::file_types;

use crate::{
    call::Cx,
    channels,
    content::Content,
    errors::Failure,
    file_kind,
    methods::chat_post_message::face,
    reply::Reply,
    shares::{self, Completing, Sharing},
    uploads,
};

/// Uploads a file in one call: a form with the file in it, or its text as `content`, which makes a snippet. Slack has
/// given this method up for the one with an upload address; programs still call it.
pub(super) async fn run(mut cx: Cx) -> Result<Reply, Failure> {
    let (file, content) = (cx.args.file.take(), cx.args.content.take());
    let content = match content {
        Some(bytes) => Some(bytes),
        // In JSON it is a text.
        None => cx.args.text("content")?.map(String::into_bytes),
    };
    let sharing = Sharing {
        channels: targets(&cx).await?,
        content: Content::of_file(&cx).await?,
        face: face(&cx)?,
        thread: shares::thread(&cx)?,
    };
    let filetype = cx.args.given("filetype")?.filter(|name| name != "auto");
    let filetype = filetype.filter(|name| file_types::named(name).is_some_and(|known| known.text));
    let (received, is_snippet) = match (file, content.filter(|bytes| !bytes.is_empty())) {
        (Some(file), _) => (file, false),
        (None, Some(bytes)) => {
            let is_text = std::str::from_utf8(&bytes).is_ok();
            (uploads::receive_bytes(&cx.app, cx.principal()?, bytes).await?, is_text)
        }
        (None, None) => return Err("no_file_data".into()),
    };
    let name = cx.args.given("filename")?.or(received.name).unwrap_or_default();
    let name = file_kind::clean_name(&name);
    let by_name = || file_types::of_name(&name).filter(|known| known.text).map(|known| known.name);
    let snippet = is_snippet.then(|| filetype.as_deref().or_else(by_name).unwrap_or(file_types::TEXT));
    let (id, blob) = (received.id, received.blob.as_str());
    uploads::note(&cx.app, cx.workspace()?, id, (&name, snippet), (blob, &received.written)).await?;
    let title = cx.args.prose("title")?.map(|title| file_kind::clean_text(&title, File::TITLE_CHARS_MAX));
    let title = title.filter(|title| !title.is_empty());
    let completed = shares::complete(&cx, vec![Completing { id, title, alt_text: None }], sharing).await;
    // Who may post is restricted in general alone.
    completed.map_err(|failure| failure.called(Refusal::NotAllowed, "posting_to_general_channel_denied"))?;
    shares::answer(&cx, id).await
}

/// The conversations of the argument `channels`, each of which must be there.
async fn targets(cx: &Cx) -> Result<Vec<model::ChannelId>, Failure> {
    let mut found = Vec::new();
    for name in cx.args.list("channels")? {
        let id = channels::named(cx, &name).await?;
        if !found.contains(&id) {
            found.push(id);
        }
    }
    Ok(found)
}
