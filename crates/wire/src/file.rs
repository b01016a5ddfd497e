//! The file object, and the addresses that files have.

use model::{ChannelKind, File, FileId, Share, WorkspaceId};

use crate::{file_types, json::Object};

/// Slack's sizes of thumbnails that say how large they are.
const SIZED_EDGE_MIN: u32 = 360;

/// Writes a file. `site` is where the server is reached, without a slash at its end; `shares` are the messages that
/// have it and that the reader may see, `None` inside of a message.
pub fn put_file(
    object: &mut Object,
    workspace: WorkspaceId,
    file: &File,
    site: &str,
    shares: Option<&[Share]>,
) {
    object.text("id", file.id);
    if file.deleted {
        object.put("mode", "tombstone");
        return;
    }
    let seconds = |micros: i64| micros.div_euclid(1_000_000);
    let kind = file.mime.split('/').next().unwrap_or_default();
    object
        .put("created", &seconds(file.created))
        .put("timestamp", &seconds(file.created))
        .put("updated", &seconds(file.updated))
        .put("name", &file.name)
        .put("title", &file.title)
        .put("mimetype", &file.mime)
        .put("filetype", &file.filetype)
        .put("pretty_type", file_types::pretty(&file.filetype))
        .text("user", file.owner)
        .text("user_team", workspace)
        .put("editable", &false)
        .put("size", &file.size)
        .put("mode", if file.snippet { "snippet" } else { "hosted" })
        .put("is_external", &false)
        .put("external_type", "")
        .put("is_public", &file.public)
        .put("public_url_shared", &file.public_secret.is_some())
        .put("display_as_bot", &false)
        .put("username", "")
        .put("url_private", &address(site, workspace, file, ""))
        .put("url_private_download", &address(site, workspace, file, "download/"))
        .put("media_display_type", if matches!(kind, "audio" | "video") { kind } else { "unknown" })
        .put("permalink", &format!("{site}/files/{}/{}/{}", file.owner, file.id, segment(&file.name)));
    if let Some(secret) = &file.public_secret {
        object.put("permalink_public", &public_address(site, workspace, file.id, secret));
    }
    if !file.alt_text.is_empty() {
        object.put("alt_txt", &file.alt_text);
    }
    put_image(object, workspace, file, site);
    object
        .put("is_starred", &false)
        .put("has_rich_preview", &false)
        .put("file_access", "visible")
        .put("comments_count", &0);
    if let Some(shares) = shares {
        put_shares(object, workspace, shares);
    }
}

fn put_image(object: &mut Object, workspace: WorkspaceId, file: &File, site: &str) {
    let Some(image) = &file.image else { return };
    for thumbnail in &image.thumbnails {
        let key = format!("thumb_{}", thumbnail.edge);
        object.put(&key, &format!("{site}/files/{workspace}/{}/thumb/{}", file.id, thumbnail.blob()));
        if thumbnail.edge >= SIZED_EDGE_MIN {
            object.put(&format!("{key}_w"), &thumbnail.width).put(&format!("{key}_h"), &thumbnail.height);
        }
    }
    object.put("original_w", &image.width).put("original_h", &image.height);
    if let Some(tiny) = &image.tiny {
        object.put("thumb_tiny", tiny);
    }
}

/// Where a file is, by conversation. DMs are told from the rest, group DMs and private channels are one.
fn put_shares(object: &mut Object, workspace: WorkspaceId, shares: &[Share]) {
    let mut ids: [Vec<String>; 3] = Default::default();
    let [channels, groups, directs] = &mut ids;
    for share in shares {
        let list = match share.kind {
            ChannelKind::Public => &mut *channels,
            ChannelKind::Private | ChannelKind::GroupDirect => &mut *groups,
            ChannelKind::Direct => &mut *directs,
        };
        let id = share.channel.to_string();
        if !list.contains(&id) {
            list.push(id);
        }
    }
    object.put("channels", &*channels).put("groups", &*groups).put("ims", &*directs);
    object.object("shares", |object| {
        for (name, public) in [("public", true), ("private", false)] {
            let mut of = shares.iter().filter(|share| share.kind.is_public() == public).peekable();
            if of.peek().is_some() {
                let of: Vec<&Share> = of.collect();
                object.object(name, |object| put_channels(object, workspace, &of));
            }
        }
    });
}

fn put_channels(object: &mut Object, workspace: WorkspaceId, shares: &[&Share]) {
    let mut done = Vec::new();
    for share in shares {
        if done.contains(&share.channel) {
            continue;
        }
        done.push(share.channel);
        let here = shares.iter().filter(|other| other.channel == share.channel);
        object.objects(&share.channel.to_string(), here, |object, share| {
            object.text("ts", share.ts);
            object.text_if("thread_ts", share.thread);
            object
                .put("channel_name", &share.channel_name)
                .text("team_id", workspace)
                .text("share_user_id", share.user);
        });
    }
}

fn address(site: &str, workspace: WorkspaceId, file: &File, what: &str) -> String {
    format!("{site}/files/{workspace}/{}/{what}{}", file.id, segment(&file.name))
}

/// The address that needs no account.
#[must_use]
pub fn public_address(site: &str, workspace: WorkspaceId, file: FileId, secret: &str) -> String {
    format!("{site}/files/public/{workspace}-{file}-{secret}")
}

/// The address that takes the bytes of an upload.
#[must_use]
pub fn upload_address(site: &str, workspace: WorkspaceId, file: FileId, secret: &str) -> String {
    format!("{site}/files/upload/{workspace}-{file}-{secret}")
}

/// A name as a part of an address: what it says is for people, and of no meaning to the server.
fn segment(name: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
    // Two dots would lead somewhere else.
    if name.trim_matches('.').is_empty() {
        "file".to_owned()
    } else {
        utf8_percent_encode(name, KEPT).to_string()
    }
}
