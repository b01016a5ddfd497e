//! What a message carries: text, blocks, attachments, metadata; checked and cut to the limits.

use model::{Message, MessageText, UserId};
use serde_json::{Value, value::RawValue};
use wire::mrkdwn::{self, Part, Span};

use crate::{call::Cx, errors::Failure, mentions, random};

/// Most attachments of a message.
const ATTACHMENTS_MAX: usize = 100;
/// Most actions of an attachment.
const ACTIONS_MAX: usize = 5;
/// Members of an attachment that are texts.
const ATTACHMENT_TEXTS: &[&str] = &[
    "author_icon",
    "author_link",
    "author_name",
    "callback_id",
    "color",
    "fallback",
    "footer",
    "footer_icon",
    "from_url",
    "image_url",
    "pretext",
    "text",
    "thumb_url",
    "title",
    "title_link",
];
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
        let mut blocks = blocks(cx.args.json("blocks"))?;
        let attachments = attachments(cx.args.json("attachments"))?;
        let metadata = metadata(cx.args.json("metadata"))?;
        let mut text = cx.args.prose("text")?;
        if let Some(markdown) = cx.args.prose("markdown_text")?.filter(|text| !text.is_empty()) {
            let given = |part: &Option<String>| part.as_ref().is_some_and(|part| !part.is_empty());
            if given(&text) || given(&blocks) {
                return Err("markdown_text_conflict".into());
            }
            if markdown.chars().count() > MARKDOWN_CHARS_MAX {
                return Err("msg_too_long".into());
            }
            blocks = Some(own_block(&as_markdown(&markdown))?);
            text = Some(markdown);
        }
        Self::made_of(cx, text, blocks, attachments, metadata).await
    }

    /// What texts and blocks become: names linked, texts derived, cut to the limit.
    async fn made_of(
        cx: &Cx,
        mut text: Option<String>,
        mut blocks: Option<String>,
        attachments: Option<String>,
        metadata: Option<String>,
    ) -> Result<Self, Failure> {
        let full = parse_mode(cx)? == Parse::Full;
        if let Some(plain) = text.take() {
            let names = full || cx.args.flag("link_names")?.unwrap_or(false);
            let linked = if names { mentions::link_names(cx, plain).await? } else { plain };
            text = Some(if full { mentions::link_addresses(&linked) } else { linked });
        }
        if cx.args.flag("mrkdwn")? == Some(false)
            && blocks.is_none()
            && let Some(plain) = text.as_deref().filter(|text| !text.is_empty())
        {
            blocks = Some(own_block(&as_it_is(plain))?);
        }
        let parsed = parsed(blocks.as_deref());
        if text.as_ref().is_none_or(String::is_empty) && !parsed.is_empty() {
            text = Some(wire::blocks::fallback(&parsed));
        }
        let (text, truncated) = match text.map(MessageText::cut) {
            Some((text, truncated)) => (Some(text), truncated),
            None => (None, false),
        };
        let text_of = text.as_ref().map(MessageText::as_str).unwrap_or_default();
        let found = mentions::find(text_of, &parsed);
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

    /// The content of the message that shares files: `initial_comment`, or `blocks`.
    ///
    /// # Errors
    /// `invalid_blocks`, `invalid_blocks_format`, `msg_blocks_too_long`.
    pub async fn of_file(cx: &Cx) -> Result<Self, Failure> {
        let comment = cx.args.prose("initial_comment")?.filter(|text| !text.is_empty());
        let blocks = if comment.is_some() { None } else { blocks(cx.args.json("blocks"))? };
        Self::made_of(cx, comment, blocks, None, None).await
    }

    /// The content of an edit: with what `message` keeps, it mentions whom the whole mentions. Blocks that were
    /// derived from a text go when the text does.
    #[must_use]
    pub fn over(mut self, message: &Message) -> Self {
        let text = self.text.as_ref().unwrap_or(&message.text).as_str();
        if self.blocks.is_none() && self.text.is_some() && is_derived(message) {
            self.blocks = Some(String::new());
        }
        let blocks = parsed(self.blocks.as_deref().or(message.blocks.as_deref()));
        let found = mentions::find(text, &blocks);
        (self.mentions, self.mentions_everyone) = (found.users, found.everyone);
        self
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

/// What of a text becomes a link that its sender did not write as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parse {
    /// Nothing.
    None,
    /// Names and addresses.
    Full,
}

/// The argument `parse`. `client` leaves addresses to the reader's client, which is what happens to them anyway.
fn parse_mode(cx: &Cx) -> Result<Parse, Failure> {
    match cx.args.given("parse")?.as_deref() {
        None | Some("none" | "client") => Ok(Parse::None),
        Some("full") => Ok(Parse::Full),
        Some(_) => Err(Failure::invalid_arguments("parse must be full, client or none")),
    }
}

/// The block of a text that is shown as it is by everybody: a rich text with nothing but characters.
fn as_it_is(text: &str) -> Value {
    mrkdwn::to_rich_text(&[Part::Section(vec![Span::Text(unescaped(text))])])
}

/// The block of a `markdown_text`.
fn as_markdown(text: &str) -> Value {
    serde_json::json!({ "type": "markdown", "text": text })
}

/// Whether a message's blocks were made here of its text. What was made is compared: nothing marks it.
fn is_derived(message: &Message) -> bool {
    let mut blocks = parsed(message.blocks.as_deref());
    let [Value::Object(block)] = blocks.as_mut_slice() else { return false };
    block.remove("block_id");
    let text = message.text.as_str();
    [as_it_is(text), as_markdown(text)].iter().any(|made| made.as_object() == Some(block))
}

/// The text without the three escapes of mrkdwn.
fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn parsed(blocks: Option<&str>) -> Vec<Value> {
    blocks.and_then(|blocks| serde_json::from_str(blocks).ok()).unwrap_or_default()
}

/// Blocks of ours: one block, with an id.
fn own_block(block: &Value) -> Result<String, Failure> {
    with_ids(&[block.to_string()])
}

fn blocks(raw: Option<&str>) -> Result<Option<String>, Failure> {
    let Some(raw) = raw else { return Ok(None) };
    if raw.len() > JSON_BYTES_MAX {
        return Err("msg_blocks_too_long".into());
    }
    let format = || Failure::with_message("invalid_blocks_format", "blocks must be a JSON array");
    let blocks: Vec<Value> = serde_json::from_str(raw).map_err(|_| format())?;
    let problems = wire::blocks::check(&blocks);
    if !problems.is_empty() {
        return Err(refused("invalid_blocks", &problems));
    }
    if blocks.is_empty() {
        return Ok(Some(String::new()));
    }
    with_ids(&each(raw)?).map(Some)
}

/// A JSON array of objects, as they came but for a member that those get that lack it or have nothing in it.
fn with_member(
    objects: &[String],
    name: &str,
    mut made: impl FnMut(usize) -> Result<String, Failure>,
) -> Result<String, Failure> {
    let mut array = String::from("[");
    for (number, object) in objects.iter().enumerate() {
        if number > 0 {
            array.push(',');
        }
        let mut members: serde_json::Map<String, Value> = serde_json::from_str(object).unwrap_or_default();
        let nothing = |value: &Value| value.is_null() || value.as_str().is_some_and(str::is_empty);
        let given = members.get(name).map(|value| !nothing(value));
        // An empty one is taken out first.
        let without = (given == Some(false)).then(|| {
            members.remove(name);
            Value::Object(members.clone()).to_string()
        });
        let object = without.as_deref().unwrap_or(object);
        match object.split_once('{') {
            Some((_, rest)) if given != Some(true) => {
                let comma = if members.is_empty() { "" } else { "," };
                array.push_str(&format!("{{\"{name}\":{}{comma}{rest}", made(number)?));
            }
            _ => array.push_str(object),
        }
    }
    array.push(']');
    Ok(array)
}

/// The members of a JSON array as they came.
fn each(array: &str) -> Result<Vec<String>, Failure> {
    let each: Vec<&RawValue> = serde_json::from_str(array).map_err(|_| Failure::new("internal_error"))?;
    Ok(each.into_iter().map(|value| value.get().to_owned()).collect())
}

/// Blocks with an id each.
fn with_ids(blocks: &[String]) -> Result<String, Failure> {
    with_member(blocks, "block_id", |_| Ok(format!("{:?}", random::short()?)))
}

fn refused(code: &'static str, problems: &[String]) -> Failure {
    let mut members = wire::json::Object::new();
    members.put("errors", problems);
    Failure::with_messages(code, problems).with_members(members)
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
    let problems: Vec<String> = attachments
        .iter()
        .enumerate()
        .flat_map(|(number, attachment)| attachment_problems(attachment, &format!("/attachments/{number}")))
        .collect();
    if !problems.is_empty() {
        return Err(refused("invalid_attachments", &problems));
    }
    if attachments.is_empty() {
        return Ok(Some(String::new()));
    }
    let own_blocks = each(raw)?.into_iter().map(|attachment| with_block_ids(&attachment));
    let numbered =
        with_member(
            &own_blocks.collect::<Result<Vec<_>, _>>()?,
            "id",
            |number| Ok((number + 1).to_string()),
        )?;
    let fallback = |number: usize| {
        let text =
            |key: &str| attachments.get(number).and_then(|it| it.get(key)?.as_str()).map(str::to_owned);
        let shown = text("text").or_else(|| text("title")).or_else(|| text("pretext"));
        let shown = shown.unwrap_or_else(|| "[no preview available]".to_owned());
        serde_json::to_string(&shown).map_err(|_| Failure::new("internal_error"))
    };
    with_member(&each(&numbered)?, "fallback", fallback).map(Some)
}

/// An attachment whose blocks have an id each.
fn with_block_ids(attachment: &str) -> Result<String, Failure> {
    let mut members: serde_json::Map<String, Value> = serde_json::from_str(attachment).unwrap_or_default();
    let Some(Value::Array(blocks)) = members.get_mut("blocks") else { return Ok(attachment.to_owned()) };
    let texts: Vec<String> = blocks.iter().map(Value::to_string).collect();
    *blocks = serde_json::from_str(&with_ids(&texts)?).map_err(|_| Failure::new("internal_error"))?;
    Ok(Value::Object(members).to_string())
}

/// What is wrong with an attachment: types of the members that Slack documents, its actions, its blocks.
fn attachment_problems(attachment: &Value, at: &str) -> Vec<String> {
    let Some(members) = attachment.as_object() else {
        return vec![format!("must be an object [json-pointer:{at}]")];
    };
    let mut problems = Vec::new();
    let mut is = |fits: bool, key: &str, what: &str| {
        if !fits {
            problems.push(format!("{what} [json-pointer:{at}/{key}]"));
        }
    };
    for key in ATTACHMENT_TEXTS {
        let fits = members.get(*key).is_none_or(|it| it.is_string() || it.is_null() || it.is_number());
        is(fits, key, "must be a string");
    }
    is(members.get("id").is_none_or(|it| it.is_number() || it.is_null()), "id", "must be a number");
    for key in ["fields", "actions", "mrkdwn_in", "blocks"] {
        is(members.get(key).is_none_or(|it| it.is_array() || it.is_null()), key, "must be an array");
    }
    let list = |key: &str| members.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    is(list("fields").iter().all(Value::is_object), "fields", "must be an array of objects");
    is(list("actions").len() <= ACTIONS_MAX, "actions", "no more than 5 items allowed");
    let nested = wire::blocks::check(list("blocks"));
    problems.extend(
        nested.into_iter().map(|problem| problem.replace("[json-pointer:", &format!("[json-pointer:{at}"))),
    );
    problems
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
