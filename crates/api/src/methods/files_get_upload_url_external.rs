use model::{File, FileId, JobId};
use store::{NewUpload, SecretHash, WriteKind};
use wire::{file::upload_address, file_types};

use crate::{call::Cx, errors::Failure, file_kind, random, reply::Reply, uploads};

/// Longest snippet, bytes; Slack's limit.
const SNIPPET_BYTES_MAX: u64 = 1 << 20;

/// Announces a file, and says where its bytes are to be sent.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let name = cx.args.required("filename", "missing_argument")?;
    cx.args.required("length", "missing_argument")?;
    let length = cx.args.integer("length", "invalid_arguments")?.unwrap_or_default();
    let length = u64::try_from(length).ok().filter(|&length| length > 0);
    let length = length.ok_or_else(|| Failure::invalid_arguments("length must be the number of bytes"))?;
    let alt_text = cx.args.prose("alt_txt")?.unwrap_or_default();
    if alt_text.chars().count() > File::ALT_TEXT_CHARS_MAX {
        return Err("alt_txt_too_large".into());
    }
    let snippet_type = cx.args.given("snippet_type")?;
    if let Some(kind) = &snippet_type {
        file_types::named(kind).filter(|known| known.text).ok_or("unknown_snippet_type")?;
        if length > SNIPPET_BYTES_MAX {
            return Err("snippet_too_large".into());
        }
    }
    if length > cx.app.config.files.bytes_max {
        return Err("file_upload_size_restricted".into());
    }
    let (id, secret) = (FileId::from_random(random::number()?), random::secret()?);
    let upload = NewUpload {
        id,
        by: cx.by()?,
        name: file_kind::clean_name(&name),
        alt_text: file_kind::clean_text(&alt_text, File::ALT_TEXT_CHARS_MAX),
        snippet: snippet_type.is_some(),
        filetype: snippet_type.unwrap_or_default(),
        length,
        secret: Some(SecretHash::of(&secret)),
        expires: cx.now_us().saturating_add(uploads::LIFE_S * 1_000_000),
        job: JobId::from_random(random::number()?),
        quota: cx.app.config.files.workspace_bytes_max,
    };
    cx.write(WriteKind::BeginUpload(Box::new(upload))).await?;
    let mut reply = Reply::ok();
    reply.put("upload_url", &upload_address(cx.site(), cx.workspace()?, id, &secret)).text("file_id", id);
    Ok(reply)
}
