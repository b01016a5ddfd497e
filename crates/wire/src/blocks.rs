//! Block Kit: what blocks may be, and what is wrong with those that are not.
//!
//! Limits are Slack's (docs.slack.dev, "Blocks", and the models of slack_sdk); messages have the form of Slack's
//! `invalid_blocks`. Keys that are not known here are left alone: Slack adds some every year, and a bot that uses a new
//! one should not be refused. Types that are not known are refused: nobody could show them.

mod kinds;

use serde_json::{Map, Value};

pub use kinds::BLOCKS_MAX;
use kinds::{Field, Kind};

/// Most problems that one answer names.
const PROBLEMS_MAX: usize = 20;
/// Deepest nesting of lists and objects.
const DEPTH_MAX: usize = 12;

/// Checks the blocks of a message. Returns what is wrong, in the order of the blocks; nothing if all is well.
#[must_use]
pub fn check(blocks: &[Value]) -> Vec<String> {
    let mut check = Check::default();
    if blocks.len() > BLOCKS_MAX {
        check.problem("/blocks", format!("no more than {BLOCKS_MAX} items allowed"));
        return check.problems;
    }
    let mut ids: Vec<&str> = Vec::new();
    let mut markdown_chars = 0;
    for (number, block) in blocks.iter().enumerate() {
        let at = format!("/blocks/{number}");
        check.typed(block, kinds::BLOCKS, &at, 0);
        if let Some(id) = block["block_id"].as_str().filter(|id| !id.is_empty()) {
            if ids.contains(&id) {
                check.problem(&format!("{at}/block_id"), format!("block_id must be unique: {id}"));
            }
            ids.push(id);
        }
        if block["type"] == "markdown" {
            markdown_chars += block["text"].as_str().map_or(0, |text| text.chars().count());
        }
    }
    if markdown_chars > kinds::MARKDOWN_CHARS_MAX {
        let limit = kinds::MARKDOWN_CHARS_MAX;
        check.problem("/blocks", format!("markdown blocks must have at most {limit} characters in all"));
    }
    check.problems
}

/// What was found so far.
#[derive(Default)]
struct Check {
    problems: Vec<String>,
}

impl Check {
    fn problem(&mut self, at: &str, what: impl std::fmt::Display) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(format!("{what} [json-pointer:{at}]"));
        }
    }

    /// An object whose `type` says which of `allowed` it is.
    fn typed(&mut self, value: &Value, allowed: &[&str], at: &str, depth: usize) {
        let Some(object) = value.as_object() else { return self.problem(at, "must be an object") };
        if depth > DEPTH_MAX {
            return self.problem(at, "nested too deeply");
        }
        let Some(kind) = object.get("type") else { return self.problem(at, "missing required field: type") };
        let name = kind.as_str().unwrap_or_default();
        let Some(fields) = kinds::fields_of(name).filter(|_| allowed.contains(&name)) else {
            return self.problem(&format!("{at}/type"), format!("unsupported type: {}", shown(kind)));
        };
        self.fields(object, fields, at, depth);
        self.together(object, name, at);
    }

    fn fields(&mut self, object: &Map<String, Value>, fields: &[Field], at: &str, depth: usize) {
        for field in fields {
            match object.get(field.name) {
                None | Some(Value::Null) if field.required => {
                    self.problem(at, format!("missing required field: {}", field.name));
                }
                None | Some(Value::Null) => {}
                Some(value) => self.value(value, field.kind, &format!("{at}/{}", field.name), depth + 1),
            }
        }
    }

    /// What no field can say alone.
    fn together(&mut self, object: &Map<String, Value>, name: &str, at: &str) {
        let has = |key: &str| object.get(key).is_some_and(|value| !value.is_null());
        if name == "actions" {
            self.unique(object, "elements", "action_id", at);
        }
        if name == "container" {
            self.unique(object, "child_blocks", "block_id", at);
        }
        let number = |key: &str| object.get(key).and_then(Value::as_i64);
        if let (Some(least), Some(most)) = (number("min_length"), number("max_length"))
            && least > most
        {
            self.problem(&format!("{at}/min_length"), "must not be more than max_length");
        }
        self.initial(object, at);
        let one_of: &[&str] = match name {
            "section" => &["text", "fields"],
            "image" => &["image_url", "slack_file"],
            "static_select" | "multi_static_select" => &["options", "option_groups"],
            "card" => &["hero_image", "title", "actions", "body"],
            _ => return,
        };
        if !one_of.iter().any(|key| has(key)) {
            self.problem(at, format!("missing required field: {}", one_of.join(" or ")));
        }
        let exclusive = name.ends_with("static_select") || name == "image";
        if exclusive && one_of.iter().all(|key| has(key)) {
            self.problem(at, format!("only one of {} is allowed", one_of.join(" and ")));
        }
    }

    /// No two of a list have the same id.
    fn unique(&mut self, object: &Map<String, Value>, list: &str, id: &str, at: &str) {
        let mut seen = std::collections::HashSet::new();
        for (number, item) in object.get(list).and_then(Value::as_array).into_iter().flatten().enumerate() {
            let Some(name) = item[id].as_str().filter(|name| !name.is_empty()) else { continue };
            if !seen.insert(name) {
                self.problem(&format!("{at}/{list}/{number}/{id}"), format!("{id} must be unique: {name}"));
            }
        }
    }

    /// What is chosen at first is one of the choices.
    fn initial(&mut self, object: &Map<String, Value>, at: &str) {
        let list = |key: &str| object.get(key).and_then(Value::as_array).into_iter().flatten();
        let value = |option: &Value| option["value"].as_str().map(str::to_owned);
        let groups =
            list("option_groups").flat_map(|group| group["options"].as_array().into_iter().flatten());
        let choices: Vec<String> = list("options").chain(groups).filter_map(value).collect();
        if choices.is_empty() {
            return;
        }
        let one = object.get("initial_option").filter(|option| !option.is_null());
        let fits = one.is_none_or(|option| value(option).is_some_and(|value| choices.contains(&value)));
        self.is(fits, &format!("{at}/initial_option"), "must be one of the options");
        let fits =
            list("initial_options").all(|option| value(option).is_some_and(|value| choices.contains(&value)));
        self.is(fits, &format!("{at}/initial_options"), "must be among the options");
    }

    fn value(&mut self, value: &Value, kind: Kind, at: &str, depth: usize) {
        match kind {
            Kind::Any => {}
            Kind::Flag => self.is(value.is_boolean(), at, "must be a boolean"),
            Kind::Integer(least, most) => {
                let fits = value.as_i64().is_some_and(|number| (least..=most).contains(&number));
                self.is(fits, at, &format!("must be an integer from {least} to {most}"));
            }
            Kind::Chars(least, most) => self.chars(value, least, most, at),
            Kind::Url(most) => {
                self.chars(value, 1, most, at);
                if let Some(url) = value.as_str().filter(|url| !url.is_empty()) {
                    let known = ["http://", "https://", "mailto:", "tel:", "slack://"];
                    let lower = url.to_ascii_lowercase();
                    self.is(known.iter().any(|scheme| lower.starts_with(scheme)), at, "must be a valid URL");
                }
            }
            Kind::Shaped(shape, what) => {
                let fits = value.as_str().is_some_and(shape);
                self.is(fits, at, &format!("must be {what}"));
            }
            Kind::OneOf(choices) => {
                let fits = value.as_str().is_some_and(|text| choices.contains(&text));
                self.is(fits, at, &format!("must be one of: {}", choices.join(", ")));
            }
            Kind::Plain(most) => self.text(value, most, &["plain_text"], at),
            Kind::Text(most) => self.text(value, most, &["plain_text", "mrkdwn"], at),
            Kind::Texts(count, most) => {
                self.list(value, (1, count), at, |check, item, at| {
                    check.text(item, most, &["plain_text", "mrkdwn"], at);
                });
            }
            Kind::Typed(allowed) => self.typed(value, allowed, at, depth),
            Kind::List(allowed, least, most) => {
                self.list(value, (least, most), at, |check, item, at| {
                    check.typed(item, allowed, at, depth + 1)
                });
            }
            Kind::Object(fields) => match value.as_object() {
                Some(object) => self.fields(object, fields, at, depth),
                None => self.problem(at, "must be an object"),
            },
            Kind::Objects(fields, least, most) => {
                self.list(value, (least, most), at, |check, item, at| {
                    check.value(item, Kind::Object(fields), at, depth + 1)
                });
            }
            Kind::Strings(least, most) => {
                self.list(value, (least, most), at, |check, item, at| {
                    check.is(item.is_string(), at, "must be a string")
                });
            }
            Kind::Rows(rows, columns, allowed) => self.list(value, (1, rows), at, |check, row, at| {
                check
                    .list(row, (1, columns), at, |check, cell, at| check.typed(cell, allowed, at, depth + 2));
            }),
        }
    }

    fn is(&mut self, fits: bool, at: &str, what: &str) {
        if !fits {
            self.problem(at, what);
        }
    }

    fn chars(&mut self, value: &Value, least: usize, most: usize, at: &str) {
        let Some(text) = value.as_str() else { return self.problem(at, "must be a string") };
        let count = text.chars().count();
        if count < least {
            self.problem(at, format!("must be more than {} characters", least - 1));
        }
        if count > most {
            self.problem(at, format!("must be less than {} characters", most + 1));
        }
    }

    /// A text object.
    fn text(&mut self, value: &Value, most: usize, kinds: &[&str], at: &str) {
        let Some(object) = value.as_object() else { return self.problem(at, "must be an object") };
        match object.get("type") {
            None => self.problem(at, "missing required field: type"),
            Some(kind) if !kind.as_str().is_some_and(|kind| kinds.contains(&kind)) => {
                self.problem(&format!("{at}/type"), format!("unsupported type: {}", shown(kind)));
            }
            Some(_) => {}
        }
        match object.get("text") {
            None => self.problem(at, "missing required field: text"),
            Some(text) => self.chars(text, 1, most, &format!("{at}/text")),
        }
        for key in ["emoji", "verbatim"] {
            if let Some(flag) = object.get(key).filter(|flag| !flag.is_null()) {
                self.is(flag.is_boolean(), &format!("{at}/{key}"), "must be a boolean");
            }
        }
    }

    fn list(
        &mut self,
        value: &Value,
        (least, most): (usize, usize),
        at: &str,
        mut each: impl FnMut(&mut Self, &Value, &str),
    ) {
        let Some(items) = value.as_array() else { return self.problem(at, "must be an array") };
        if items.len() > most {
            return self.problem(at, format!("no more than {most} items allowed"));
        }
        if items.len() < least {
            return self.problem(at, format!("no fewer than {least} items allowed"));
        }
        for (number, item) in items.iter().enumerate() {
            each(self, item, &format!("{at}/{number}"));
        }
    }
}

/// What somebody wrote as a type, not longer than a type could be.
fn shown(kind: &Value) -> String {
    kind.as_str().map_or_else(|| "?".to_owned(), |kind| kind.chars().take(40).collect())
}

/// The text of blocks for whoever shows none: what `text` says when a message has only blocks.
///
/// A `rich_text` as mrkdwn, as Slack does it; of the others what they say.
#[must_use]
pub fn fallback(blocks: &[Value]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for block in blocks {
        match block["type"].as_str() {
            Some("rich_text") => lines.push(crate::mrkdwn::write(&crate::mrkdwn::from_rich_text(block))),
            Some("section") => {
                let texts =
                    block.get("text").into_iter().chain(block["fields"].as_array().into_iter().flatten());
                lines.extend(texts.filter_map(|text| text["text"].as_str().map(str::to_owned)));
            }
            Some("header" | "alert") => lines.extend(inner(block, "text")),
            Some("markdown") => lines.extend(block["text"].as_str().map(str::to_owned)),
            Some("context") => {
                let texts = block["elements"].as_array().into_iter().flatten();
                lines.extend(texts.filter_map(|text| text["text"].as_str().map(str::to_owned)));
            }
            Some("image") => lines.extend(block["alt_text"].as_str().map(str::to_owned)),
            Some("video" | "card") => lines.extend(inner(block, "title")),
            Some("container") => {
                lines.extend(inner(block, "title"));
                lines.push(fallback(children(block)));
            }
            Some("carousel") => lines.push(fallback(elements(block))),
            Some("table") => lines.extend(rows(block).map(|row| {
                row.iter().map(|cell| fallback(std::slice::from_ref(cell))).collect::<Vec<_>>().join(" | ")
            })),
            Some("raw_text") => lines.extend(block["text"].as_str().map(str::to_owned)),
            _ => {}
        }
    }
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

/// The blocks in a container.
fn children(block: &Value) -> &[Value] {
    block["child_blocks"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn elements(block: &Value) -> &[Value] {
    block["elements"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The rows of a table.
fn rows(block: &Value) -> impl Iterator<Item = &Vec<Value>> {
    block["rows"].as_array().into_iter().flatten().filter_map(Value::as_array)
}

/// The text of a text object.
fn inner(block: &Value, key: &str) -> Option<String> {
    block.get(key)?.get("text")?.as_str().map(str::to_owned)
}

/// Adds whom blocks call: in rich texts, in mrkdwn, and in the same entities in markdown.
pub fn call(blocks: &[Value], called: &mut crate::mrkdwn::Called) {
    for block in blocks {
        match block["type"].as_str() {
            Some("rich_text") => called.add(&crate::mrkdwn::from_rich_text(block)),
            Some("section" | "context") => {
                let parts = ["fields", "elements"]
                    .iter()
                    .flat_map(|key| block[*key].as_array().into_iter().flatten());
                for text in block.get("text").into_iter().chain(parts).filter(|text| text["type"] == "mrkdwn")
                {
                    called.add(&crate::mrkdwn::parse(text["text"].as_str().unwrap_or_default()));
                }
            }
            Some("markdown") => called.add(&crate::mrkdwn::parse(block["text"].as_str().unwrap_or_default())),
            Some("alert" | "card") => {
                let texts = ["title", "subtitle", "body", "text"].iter().filter_map(|key| block.get(*key));
                for text in texts.filter(|text| text["type"] == "mrkdwn") {
                    called.add(&crate::mrkdwn::parse(text["text"].as_str().unwrap_or_default()));
                }
            }
            Some("container") => call(children(block), called),
            Some("carousel") => call(elements(block), called),
            Some("table") => rows(block).for_each(|row| call(row, called)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(text: &str) -> Value {
        json!({ "type": "plain_text", "text": text })
    }

    fn button(id: usize) -> Value {
        json!({ "type": "button", "text": plain("ok"), "action_id": format!("a{id}") })
    }

    /// A block with a member set.
    fn with(mut block: Value, pointer: &str, value: Value) -> Value {
        if let Some(known) = block.pointer_mut(pointer) {
            *known = value;
            return block;
        }
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        block.pointer_mut(parent).unwrap()[key] = value;
        block
    }

    fn problems(block: Value) -> Vec<String> {
        check(&[block])
    }

    #[test]
    fn one_of_each_kind_is_taken() {
        let option = json!({ "text": plain("one"), "value": "1" });
        let select = json!({ "type": "static_select", "placeholder": plain("pick"), "options": [option], "action_id": "s" });
        let confirm = json!({ "title": plain("sure?"), "text": { "type": "mrkdwn", "text": "really" },
            "confirm": plain("yes"), "deny": plain("no") });
        let raw = json!({ "type": "raw_text", "text": "cell" });
        for block in [
            json!({ "type": "section", "text": { "type": "mrkdwn", "text": "*hi*", "verbatim": true }, "block_id": "b" }),
            json!({ "type": "section", "fields": [plain("a"), plain("b")], "accessory": select }),
            json!({ "type": "divider" }),
            json!({ "type": "header", "text": plain("title") }),
            json!({ "type": "context", "elements": [plain("a"), { "type": "image", "image_url": "https://x.org/a.png", "alt_text": "a" }] }),
            json!({ "type": "actions", "elements": [with(button(1), "/confirm", confirm), { "type": "datepicker", "initial_date": "2026-01-01" }] }),
            json!({ "type": "image", "image_url": "https://x.org/a.png", "alt_text": "a", "title": plain("t") }),
            json!({ "type": "input", "label": plain("name"), "element": { "type": "plain_text_input", "multiline": true } }),
            json!({ "type": "markdown", "text": "**hi**" }),
            json!({ "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": [
                { "type": "text", "text": "x", "style": { "bold": true } }, { "type": "emoji", "name": "wave" } ] }] }),
            json!({ "type": "video", "title": plain("t"), "video_url": "https://x.org/v", "thumbnail_url": "https://x.org/t", "alt_text": "v" }),
            json!({ "type": "table", "rows": [[raw, raw]], "column_settings": [{ "align": "right" }] }),
            json!({ "type": "file", "external_id": "x", "source": "remote" }),
            json!({ "type": "call", "call_id": "R1" }),
        ] {
            assert_eq!(problems(block.clone()), [""; 0], "{block}");
        }
    }

    #[test]
    fn limits_hold_at_the_edge_and_not_beyond() {
        let section = || json!({ "type": "section", "text": { "type": "mrkdwn", "text": "x" } });
        let header = || json!({ "type": "header", "text": plain("x") });
        let actions = || json!({ "type": "actions", "elements": [button(0)] });
        let image = || json!({ "type": "image", "image_url": "https://x.org/", "alt_text": "a" });
        let select =
            || json!({ "type": "actions", "elements": [{ "type": "static_select", "options": [] }] });
        let option = json!({ "text": plain("one"), "value": "1" });
        let x = |count: usize| json!("x".repeat(count));
        let many = |count: usize, item: &Value| json!(vec![item.clone(); count]);
        let url = |count: usize| json!(format!("https://x.org/{}", "x".repeat(count - 14)));
        let raw = json!({ "type": "raw_text", "text": "x" });
        for (block, pointer, most, over, message) in [
            (section(), "/text/text", x(3_000), x(3_001), "must be less than 3001 characters"),
            (
                section(),
                "/fields",
                many(10, &plain("x")),
                many(11, &plain("x")),
                "no more than 10 items allowed",
            ),
            (section(), "/block_id", x(255), x(256), "must be less than 256 characters"),
            (header(), "/text/text", x(150), x(151), "must be less than 151 characters"),
            (
                actions(),
                "/elements",
                json!((0..25).map(button).collect::<Vec<_>>()),
                json!((0..26).map(button).collect::<Vec<_>>()),
                "no more than 25 items allowed",
            ),
            (actions(), "/elements/0/text/text", x(75), x(76), "must be less than 76 characters"),
            (actions(), "/elements/0/value", x(2_000), x(2_001), "must be less than 2001 characters"),
            (actions(), "/elements/0/action_id", x(255), x(256), "must be less than 256 characters"),
            (actions(), "/elements/0/url", url(3_000), url(3_001), "must be less than 3001 characters"),
            (image(), "/image_url", url(3_000), url(3_001), "must be less than 3001 characters"),
            (image(), "/alt_text", x(2_000), x(2_001), "must be less than 2001 characters"),
            (
                select(),
                "/elements/0/options",
                many(100, &option),
                many(101, &option),
                "no more than 100 items allowed",
            ),
            (
                json!({ "type": "context", "elements": [] }),
                "/elements",
                many(10, &plain("x")),
                many(11, &plain("x")),
                "no more than 10 items allowed",
            ),
            (
                json!({ "type": "markdown" }),
                "/text",
                x(12_000),
                x(12_001),
                "must be less than 12001 characters",
            ),
            (
                json!({ "type": "table" }),
                "/rows",
                many(100, &json!([raw])),
                many(101, &json!([raw])),
                "no more than 100 items allowed",
            ),
            (
                json!({ "type": "table", "rows": [[]] }),
                "/rows/0",
                many(20, &raw),
                many(21, &raw),
                "no more than 20 items allowed",
            ),
        ] {
            assert_eq!(problems(with(block.clone(), pointer, most)), [""; 0], "{pointer} at its limit");
            let found = problems(with(block, pointer, over));
            assert!(
                found.contains(&format!("{message} [json-pointer:/blocks/0{pointer}]")),
                "{pointer}: {found:?}"
            );
        }
        let fifty = vec![json!({ "type": "divider" }); 50];
        assert_eq!(check(&fifty), [""; 0]);
        let more = vec![json!({ "type": "divider" }); 51];
        assert_eq!(check(&more), ["no more than 50 items allowed [json-pointer:/blocks]"]);
        let markdown = |count: usize| json!({ "type": "markdown", "text": "x".repeat(count) });
        assert_eq!(check(&[markdown(6_000), markdown(6_000)]), [""; 0]);
        assert_eq!(check(&[markdown(6_000), markdown(6_001)]).len(), 1);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (block, expect) in [
            (json!(7), "must be an object [json-pointer:/blocks/0]"),
            (json!({}), "missing required field: type [json-pointer:/blocks/0]"),
            (json!({ "type": "dance" }), "unsupported type: dance [json-pointer:/blocks/0/type]"),
            (
                json!({ "type": "button", "text": {} }),
                "unsupported type: button [json-pointer:/blocks/0/type]",
            ),
            (json!({ "type": "section" }), "missing required field: text or fields [json-pointer:/blocks/0]"),
            (json!({ "type": "section", "text": "hi" }), "must be an object [json-pointer:/blocks/0/text]"),
            (
                json!({ "type": "section", "text": plain("") }),
                "must be more than 0 characters [json-pointer:/blocks/0/text/text]",
            ),
            (
                json!({ "type": "header", "text": { "type": "mrkdwn", "text": "x" } }),
                "unsupported type: mrkdwn [json-pointer:/blocks/0/text/type]",
            ),
            (
                json!({ "type": "actions", "elements": [] }),
                "no fewer than 1 items allowed [json-pointer:/blocks/0/elements]",
            ),
            (
                json!({ "type": "actions", "elements": {} }),
                "must be an array [json-pointer:/blocks/0/elements]",
            ),
            (
                json!({ "type": "actions", "elements": [{ "type": "button", "text": plain("x"), "style": "pink" }] }),
                "must be one of: primary, danger [json-pointer:/blocks/0/elements/0/style]",
            ),
            (
                json!({ "type": "actions", "elements": [{ "type": "button", "text": plain("x"), "url": "javascript:x" }] }),
                "must be a valid URL [json-pointer:/blocks/0/elements/0/url]",
            ),
            (
                json!({ "type": "image", "alt_text": "x" }),
                "missing required field: image_url or slack_file [json-pointer:/blocks/0]",
            ),
            (
                json!({ "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": [{ "type": "link" }] }] }),
                "missing required field: url [json-pointer:/blocks/0/elements/0/elements/0]",
            ),
            (
                json!({ "type": "actions", "elements": [{ "type": "datepicker", "initial_date": "2026-02-30" }] }),
                "must be a date like 2026-12-31 [json-pointer:/blocks/0/elements/0/initial_date]",
            ),
            (
                json!({ "type": "actions", "elements": [{ "type": "timepicker", "initial_time": "99:99" }] }),
                "must be a time like 23:59 [json-pointer:/blocks/0/elements/0/initial_time]",
            ),
            (
                json!({ "type": "actions", "elements": [button(1), button(1)] }),
                "action_id must be unique: a1 [json-pointer:/blocks/0/elements/1/action_id]",
            ),
            (
                json!({ "type": "actions", "elements": [{ "type": "static_select",
                    "options": [{ "text": plain("one"), "value": "1" }],
                    "initial_option": { "text": plain("two"), "value": "2" } }] }),
                "must be one of the options [json-pointer:/blocks/0/elements/0/initial_option]",
            ),
            (
                json!({ "type": "table", "rows": [[{ "type": "raw_text", "text": "x" }]], "column_settings": [{ "align": "up" }] }),
                "must be one of: left, center, right [json-pointer:/blocks/0/column_settings/0/align]",
            ),
            (
                json!({ "type": "input", "label": plain("x"),
                    "element": { "type": "plain_text_input", "min_length": 9, "max_length": 3 } }),
                "must not be more than max_length [json-pointer:/blocks/0/element/min_length]",
            ),
            (
                json!({ "type": "container", "child_blocks": [
                    { "type": "divider", "block_id": "b" }, { "type": "divider", "block_id": "b" }] }),
                "block_id must be unique: b [json-pointer:/blocks/0/child_blocks/1/block_id]",
            ),
            (
                json!({ "type": "section", "text": plain("x"), "expand": "yes" }),
                "must be a boolean [json-pointer:/blocks/0/expand]",
            ),
        ] {
            assert_eq!(problems(block.clone()).first().map(String::as_str), Some(expect), "{block}");
        }
        let twice = json!({ "type": "divider", "block_id": "same" });
        let unique = "block_id must be unique: same [json-pointer:/blocks/1/block_id]";
        assert_eq!(check(&[twice.clone(), twice]), [unique]);
        // Keys that are not known are left alone.
        assert_eq!(problems(json!({ "type": "divider", "new_in_2027": 1 })), [""; 0]);
    }

    #[test]
    fn many_problems_and_deep_nests_have_an_end() {
        let bad = vec![json!({ "type": "dance" }); 50];
        assert_eq!(check(&bad).len(), PROBLEMS_MAX);
        let mut deep = json!({ "type": "divider" });
        for _ in 0..60 {
            deep = json!({ "type": "container", "child_blocks": [deep], "title": plain("x") });
        }
        assert!(!check(&[deep]).is_empty());
    }

    #[test]
    fn blocks_say_something_to_who_shows_none() {
        let blocks = [
            json!({ "type": "header", "text": plain("Title") }),
            json!({ "type": "section", "text": { "type": "mrkdwn", "text": "<@U1> *hi*" }, "fields": [plain("f")] }),
            json!({ "type": "divider" }),
            json!({ "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": [
                { "type": "text", "text": "b", "style": { "bold": true } }, { "type": "user", "user_id": "U2" } ] }] }),
        ];
        assert_eq!(fallback(&blocks), "Title\n<@U1> *hi*\nf\n*b*<@U2>");
        let mut called = crate::mrkdwn::Called::default();
        call(&blocks, &mut called);
        assert_eq!((called.users, called.everyone), (vec!["U1".to_owned(), "U2".to_owned()], false));
        let cell = |text: &str| json!({ "type": "raw_text", "text": text });
        let inside = [
            json!({ "type": "container", "title": plain("Box"), "child_blocks": blocks }),
            json!({ "type": "markdown", "text": "**x** <@U3>" }),
            json!({ "type": "table", "rows": [[cell("a"), cell("b")], [cell("c"), cell("d")]] }),
        ];
        assert_eq!(fallback(&inside), "Box\nTitle\n<@U1> *hi*\nf\n*b*<@U2>\n**x** <@U3>\na | b\nc | d");
        let mut called = crate::mrkdwn::Called::default();
        call(&inside, &mut called);
        assert_eq!(called.users, ["U1", "U2", "U3"]);
    }
}
