//! The block `rich_text`.

use serde_json::{Map, Value, json};

use super::{Part, Span, Text, read::merged};

/// Which styles are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Style {
    bold: bool,
    italic: bool,
    strike: bool,
    code: bool,
}

/// A text as a block `rich_text`, without a `block_id`.
#[must_use]
pub fn to_rich_text(text: &[Part]) -> Value {
    let elements: Vec<Value> = text
        .iter()
        .map(|part| match part {
            Part::Section(spans) => json!({ "type": "rich_text_section", "elements": elements(spans) }),
            Part::Quote(spans) => json!({ "type": "rich_text_quote", "elements": elements(spans) }),
            Part::Preformatted(content) => {
                json!({ "type": "rich_text_preformatted", "elements": [{ "type": "text", "text": content }] })
            }
            Part::List { ordered, indent, offset, items } => {
                let section =
                    |item: &Vec<Span>| json!({ "type": "rich_text_section", "elements": elements(item) });
                let style = if *ordered { "ordered" } else { "bullet" };
                let items: Vec<Value> = items.iter().map(section).collect();
                let mut list =
                    json!({ "type": "rich_text_list", "style": style, "indent": indent, "elements": items });
                if let (Some(list), true) = (list.as_object_mut(), *offset > 0) {
                    list.insert("offset".to_owned(), json!(offset));
                }
                list
            }
        })
        .collect();
    json!({ "type": "rich_text", "elements": elements })
}

fn elements(spans: &[Span]) -> Vec<Value> {
    let mut all = Vec::new();
    flatten(spans, Style::default(), &mut all);
    all
}

fn flatten(spans: &[Span], style: Style, all: &mut Vec<Value>) {
    for span in spans {
        let element = match span {
            Span::Bold(inner) => {
                flatten(inner, Style { bold: true, ..style }, all);
                continue;
            }
            Span::Italic(inner) => {
                flatten(inner, Style { italic: true, ..style }, all);
                continue;
            }
            Span::Strike(inner) => {
                flatten(inner, Style { strike: true, ..style }, all);
                continue;
            }
            Span::Code(code) => {
                put(json!({ "type": "text", "text": code }), Style { code: true, ..style }, all);
                continue;
            }
            Span::Text(text) => json!({ "type": "text", "text": text }),
            Span::Link { url, label: None } => json!({ "type": "link", "url": url }),
            Span::Link { url, label: Some(label) } => json!({ "type": "link", "url": url, "text": label }),
            Span::User(id) => json!({ "type": "user", "user_id": id }),
            Span::Channel(id) => json!({ "type": "channel", "channel_id": id }),
            Span::Usergroup(id) => json!({ "type": "usergroup", "usergroup_id": id }),
            Span::Broadcast(range) => json!({ "type": "broadcast", "range": range }),
            Span::Emoji { name, tone: None } => json!({ "type": "emoji", "name": name }),
            Span::Emoji { name, tone: Some(tone) } => {
                json!({ "type": "emoji", "name": name, "skin_tone": tone })
            }
            Span::Date { timestamp, format, url, fallback } => {
                let mut date =
                    json!({ "type": "date", "timestamp": timestamp, "format": format, "fallback": fallback });
                if let (Some(date), Some(url)) = (date.as_object_mut(), url) {
                    date.insert("url".to_owned(), json!(url));
                }
                date
            }
            Span::Color(value) => json!({ "type": "color", "value": value }),
        };
        put(element, style, all);
    }
}

fn put(mut element: Value, style: Style, all: &mut Vec<Value>) {
    let names =
        [("bold", style.bold), ("italic", style.italic), ("strike", style.strike), ("code", style.code)];
    let on: Map<String, Value> =
        names.iter().filter(|(_, on)| *on).map(|(name, _)| ((*name).to_owned(), json!(true))).collect();
    if let (Some(element), false) = (element.as_object_mut(), on.is_empty()) {
        element.insert("style".to_owned(), Value::Object(on));
    }
    all.push(element);
}

/// Reads a block `rich_text`. What it does not know is left out.
#[must_use]
pub fn from_rich_text(block: &Value) -> Text {
    let mut text = Text::new();
    for element in list(block) {
        match element["type"].as_str() {
            Some("rich_text_section") => text.push(Part::Section(spans(element))),
            Some("rich_text_quote") => text.push(Part::Quote(spans(element))),
            Some("rich_text_preformatted") => {
                let text_of = |element: &Value| {
                    let shown = element["text"].as_str().or(element["url"].as_str());
                    shown.unwrap_or_default().to_owned()
                };
                text.push(Part::Preformatted(list(element).iter().map(text_of).collect()));
            }
            Some("rich_text_list") => text.push(Part::List {
                ordered: element["style"] == "ordered",
                indent: element["indent"].as_u64().unwrap_or_default(),
                offset: element["offset"].as_u64().unwrap_or_default(),
                items: list(element).iter().map(spans).collect(),
            }),
            _ => {}
        }
    }
    text
}

fn list(element: &Value) -> &[Value] {
    element["elements"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn spans(section: &Value) -> Vec<Span> {
    nested(&list(section).iter().filter_map(styled).collect::<Vec<_>>())
}

/// Spans with the styles that are on in each, as spans inside of each other: what has a style in common with its
/// neighbours has one mark with them.
fn nested(runs: &[(Style, Span)]) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut rest = runs;
    while let Some((_, span)) = rest.first() {
        let reach = |on: fn(&Style) -> bool| rest.iter().take_while(|(style, _)| on(style)).count();
        let (bold, italic, strike) = (reach(|it| it.bold), reach(|it| it.italic), reach(|it| it.strike));
        let longest = bold.max(italic).max(strike);
        if longest == 0 {
            spans.push(span.clone());
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let (inside, after) = rest.split_at(longest);
        let without = |change: fn(&mut Style)| {
            let mut inside = inside.to_vec();
            inside.iter_mut().for_each(|(style, _)| change(style));
            nested(&inside)
        };
        spans.push(if bold == longest {
            Span::Bold(without(|style| style.bold = false))
        } else if italic == longest {
            Span::Italic(without(|style| style.italic = false))
        } else {
            Span::Strike(without(|style| style.strike = false))
        });
        rest = after;
    }
    merged(spans)
}

/// An element without its styles, and which they are. Code is a span of its own.
fn styled(element: &Value) -> Option<(Style, Span)> {
    let text = |key: &str| element[key].as_str().map(str::to_owned);
    let style =
        |name: &str| element.get("style").and_then(|style| style.get(name)) == Some(&Value::Bool(true));
    let bare = match element["type"].as_str()? {
        "text" if style("code") => Span::Code(text("text")?),
        "text" => Span::Text(text("text")?),
        "link" => Span::Link { url: text("url")?, label: text("text").filter(|label| !label.is_empty()) },
        "user" => Span::User(text("user_id")?),
        "channel" => Span::Channel(text("channel_id")?),
        "usergroup" => Span::Usergroup(text("usergroup_id")?),
        "broadcast" => Span::Broadcast(text("range")?),
        "emoji" => Span::Emoji {
            name: text("name")?,
            tone: element["skin_tone"].as_u64().and_then(|tone| u8::try_from(tone).ok()),
        },
        "date" => Span::Date {
            timestamp: element["timestamp"].as_i64()?,
            format: text("format")?,
            url: text("url"),
            fallback: text("fallback").unwrap_or_default(),
        },
        "color" => Span::Color(text("value")?),
        _ => return None,
    };
    let (bold, italic, strike) = (style("bold"), style("italic"), style("strike"));
    Some((Style { bold, italic, strike, code: false }, bare))
}
