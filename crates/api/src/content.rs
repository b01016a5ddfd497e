//! What a message carries: text, blocks, attachments, metadata; checked and cut to the limits.

use model::{MessageText, UserId};
use serde_json::Value;

use crate::{call::Cx, errors::Failure, mentions};

/// Most blocks of a message.
const BLOCKS_MAX: usize = 50;
/// Most attachments of a message.
const ATTACHMENTS_MAX: usize = 100;
/// Bytes of blocks, and of attachments, as JSON.
const JSON_BYTES_MAX: usize = 100 << 10;
/// Bytes of metadata, as JSON.
const METADATA_BYTES_MAX: usize = 16 << 10;
/// Characters of `markdown_text`.
const MARKDOWN_CHARS_MAX: usize = 12_000;

/// What Slack warns of when a text was cut.
pub const TRUNCATED: &str = "message_truncated";

/// The content arguments of a call. `None`: not given. `Some("")`: given and empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Text, cut to the limit.
    pub text: Option<MessageText>,
    /// It was cut.
    pub truncated: bool,
    /// Blocks, a JSON array.
    pub blocks: Option<String>,
    /// Attachments, a JSON array.
    pub attachments: Option<String>,
    /// Metadata, a JSON object.
    pub metadata: Option<String>,
    /// Who is mentioned by name.
    pub mentions: Vec<UserId>,
    /// Everybody is mentioned.
    pub mentions_everyone: bool,
}

impl Content {
    /// Reads and checks the content arguments.
    ///
    /// # Errors
    /// `markdown_text_conflict`, `invalid_blocks`, `invalid_blocks_format`, `msg_blocks_too_long`,
    /// `invalid_attachments`, `too_many_attachments`, `attachment_payload_limit_exceeded`,
    /// `invalid_metadata_format`, `metadata_too_large`, `invalid_arguments`.
    pub async fn read(cx: &Cx) -> Result<Self, Failure> {
        refuse_unsupported(cx)?;
        let mut blocks = blocks(cx.args.json("blocks"))?;
        let attachments = attachments(cx.args.json("attachments"))?;
        let metadata = metadata(cx.args.json("metadata"))?;
        let mut text = cx.args.prose("text")?;
        if let Some(markdown) = cx.args.prose("markdown_text")?.filter(|text| !text.is_empty()) {
            if text.as_ref().is_some_and(|text| !text.is_empty()) || blocks.is_some() {
                return Err("markdown_text_conflict".into());
            }
            if markdown.chars().count() > MARKDOWN_CHARS_MAX {
                return Err("msg_too_long".into());
            }
            let block = serde_json::json!([{ "type": "markdown", "text": markdown }]);
            blocks = Some(block.to_string());
            text = Some(markdown);
        }
        if cx.args.flag("link_names")?.unwrap_or(false)
            && let Some(plain) = text
        {
            text = Some(mentions::link_names(cx, plain).await?);
        }
        let (text, truncated) = match text.map(MessageText::cut) {
            Some((text, truncated)) => (Some(text), truncated),
            None => (None, false),
        };
        let found = mentions::find(text.as_ref().map(MessageText::as_str).unwrap_or_default());
        Ok(Self {
            text,
            truncated,
            blocks,
            attachments,
            metadata,
            mentions: found.users,
            mentions_everyone: found.everyone,
        })
    }

    /// Whether there is nothing to show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let nothing = |part: &Option<String>| part.as_ref().is_none_or(String::is_empty);
        self.text.as_ref().is_none_or(|text| text.as_str().is_empty())
            && nothing(&self.blocks)
            && nothing(&self.attachments)
    }
}

/// Arguments of Slack's past that change how a text is read.
fn refuse_unsupported(cx: &Cx) -> Result<(), Failure> {
    match cx.args.given("parse")?.as_deref() {
        None | Some("none") => {}
        Some(_) => return Err(Failure::invalid_arguments("parse: only \"none\" is supported")),
    }
    if cx.args.flag("mrkdwn")? == Some(false) {
        return Err(Failure::invalid_arguments("mrkdwn: only true is supported"));
    }
    Ok(())
}

fn blocks(raw: Option<&str>) -> Result<Option<String>, Failure> {
    let Some(raw) = raw else { return Ok(None) };
    if raw.len() > JSON_BYTES_MAX {
        return Err("msg_blocks_too_long".into());
    }
    let blocks: Vec<Value> = serde_json::from_str(raw)
        .map_err(|_| Failure::with_message("invalid_blocks_format", "blocks must be a JSON array"))?;
    if blocks.len() > BLOCKS_MAX {
        return Err(invalid_blocks(format!(
            "no more than {BLOCKS_MAX} items allowed [json-pointer:/blocks]"
        )));
    }
    for (at, block) in blocks.iter().enumerate() {
        if !block.get("type").is_some_and(Value::is_string) {
            return Err(invalid_blocks(format!("missing required field: type [json-pointer:/blocks/{at}]")));
        }
    }
    Ok(Some(if blocks.is_empty() { String::new() } else { raw.to_owned() }))
}

fn invalid_blocks(message: String) -> Failure {
    let mut members = wire::json::Object::new();
    members.put("errors", &[&message]);
    Failure::with_message("invalid_blocks", message).with_members(members)
}

fn attachments(raw: Option<&str>) -> Result<Option<String>, Failure> {
    let Some(raw) = raw else { return Ok(None) };
    if raw.len() > JSON_BYTES_MAX {
        return Err("attachment_payload_limit_exceeded".into());
    }
    let attachments: Vec<Value> =
        serde_json::from_str(raw).map_err(|_| Failure::new("invalid_attachments"))?;
    if attachments.len() > ATTACHMENTS_MAX {
        return Err("too_many_attachments".into());
    }
    if !attachments.iter().all(Value::is_object) {
        return Err("invalid_attachments".into());
    }
    Ok(Some(if attachments.is_empty() { String::new() } else { raw.to_owned() }))
}

fn metadata(raw: Option<&str>) -> Result<Option<String>, Failure> {
    let Some(raw) = raw else { return Ok(None) };
    if raw.len() > METADATA_BYTES_MAX {
        return Err("metadata_too_large".into());
    }
    let metadata: Value = serde_json::from_str(raw).map_err(|_| Failure::new("invalid_metadata_format"))?;
    if metadata.as_object().is_some_and(serde_json::Map::is_empty) {
        return Ok(Some(String::new()));
    }
    let named = metadata.get("event_type").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
    let payload = metadata.get("event_payload").is_some_and(Value::is_object);
    if named && payload { Ok(Some(raw.to_owned())) } else { Err("invalid_metadata_format".into()) }
}
