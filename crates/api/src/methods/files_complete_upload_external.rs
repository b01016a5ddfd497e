use model::{ChannelId, File, FileId};
use serde::Deserialize;
use store::Refusal;
use wire::file::put_file;

use crate::{
    call::Cx,
    content::Content,
    errors::Failure,
    file_kind,
    methods::chat_post_message::face,
    reply::Reply,
    shares::{self, Completing, Sharing},
};

/// Most files that are completed at once.
const FILES_MAX: usize = 50;

/// A file of the argument `files`.
#[derive(Deserialize)]
struct Given {
    id: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    alt_txt: Option<String>,
}

/// Completes files whose bytes were sent, and shares them. Without a channel they stay their owner's.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let channels = channels(&cx).await?;
    let files = files(&cx)?;
    let ids: Vec<FileId> = files.iter().map(|file| file.id).collect();
    let sharing = Sharing {
        channels,
        content: Content::of_file(&cx).await?,
        face: face(&cx)?,
        thread: shares::thread(&cx)?,
    };
    if sharing.thread.is_some() && sharing.channels.len() > 1 {
        return Err(Failure::invalid_arguments("thread_ts needs a single channel"));
    }
    let completed = shares::complete(&cx, files, sharing).await;
    completed.map_err(|failure| failure.called(Refusal::NotAllowed, "posting_to_channel_denied"))?;
    let (workspace, site) = (cx.workspace()?, cx.site());
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        found.push(shares::find(&cx, id).await?);
    }
    let mut reply = Reply::ok();
    reply.objects("files", &found, |object, found| {
        put_file(object, workspace, &found.file, site, Some(&found.shares));
    });
    Ok(reply)
}

fn files(cx: &Cx) -> Result<Vec<Completing>, Failure> {
    let wrong = || Failure::invalid_arguments("files must be a list of objects with an id");
    let given: Vec<Given> =
        serde_json::from_str(cx.args.json("files").ok_or_else(wrong)?).map_err(|_| wrong())?;
    if given.is_empty() || given.len() > FILES_MAX {
        return Err(Failure::invalid_arguments(format!("files must list 1 to {FILES_MAX} files")));
    }
    let mut files: Vec<Completing> = Vec::with_capacity(given.len());
    for Given { id, title, alt_txt } in given {
        let id = id.parse().map_err(|_| "file_not_found")?;
        if files.iter().any(|known| known.id == id) {
            return Err(Failure::invalid_arguments("files names one of them twice"));
        }
        let cleaned = |text: Option<String>, chars_max| {
            text.map(|text| file_kind::clean_text(&text, chars_max)).filter(|text| !text.is_empty())
        };
        files.push(Completing {
            id,
            title: cleaned(title, File::TITLE_CHARS_MAX),
            alt_text: cleaned(alt_txt, File::ALT_TEXT_CHARS_MAX),
        });
    }
    Ok(files)
}

/// One channel that must be there, or a list of which those that are none are left out.
async fn channels(cx: &Cx) -> Result<Vec<ChannelId>, Failure> {
    if let Some(channel) = cx.args.given("channel_id")? {
        return Ok(vec![channel.parse().map_err(|_| "channel_not_found")?]);
    }
    shares::listed(cx, &cx.args.list("channels")?).await
}
