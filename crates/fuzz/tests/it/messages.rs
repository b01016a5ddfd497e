//! What a message says: mrkdwn, rich text, blocks.

use fuzz::{ELEMENTS, TREES, fuzz, linear, text};
use serde_json::{Value, json};
use wire::mrkdwn::{from_rich_text, parse, to_rich_text, write};

const MARKS: &[&str] = &[
    "*",
    "_",
    "~",
    "`",
    "```",
    "> ",
    "&gt;",
    ">>>",
    "\n",
    "<@U1|x>",
    "<https://x.org|a *b*>",
    "<!date^1^{date}|f>",
    ":wave::skin-tone-2:",
    "<",
    "&amp;lt;",
    "<!channel>",
    "<#C1|c>",
    "<mailto:a@b.c>",
    "|",
    ">",
    ":",
];

#[test]
fn mrkdwn() {
    let corpus: &[&[u8]] = &[
        b"plain *bold _italic_* ~strike~ `code` <@U000000000001> <https://example.org|label>",
        b"> quoted\n> more\n```\nfn main() {}\n```\n:wave: <!here> <!date^1712345678^{date}|then>",
        "*fett* _kursiv_ \u{1f389} &lt;kein Link&gt;".as_bytes(),
    ];
    fuzz("mrkdwn", ELEMENTS, corpus, MARKS, |bytes| {
        let source = text(bytes);
        let tree = parse(&source);
        let written = write(&tree);
        assert_eq!(parse(&written), tree, "written as {written:?}");
        let rich = to_rich_text(&tree);
        assert_eq!(to_rich_text(&from_rich_text(&rich)), rich);
        assert!(written.len() <= 8 * source.len() + 16, "{} bytes become {}", source.len(), written.len());
        shape(&rich, 3)
    });
}

/// The kinds of a value's members, to a depth.
fn shape(value: &Value, depth: usize) -> String {
    match value {
        _ if depth == 0 => String::new(),
        Value::Array(items) => items.iter().take(6).map(|item| shape(item, depth)).collect(),
        Value::Object(members) => {
            let kind = members.get("type").and_then(Value::as_str).unwrap_or_default();
            let inner: String =
                members.get("elements").map(|inner| shape(inner, depth - 1)).unwrap_or_default();
            format!("{kind}({inner})")
        }
        _ => String::new(),
    }
}

#[test]
fn blocks_of_every_kind() {
    let rich = to_rich_text(&parse("> *a* <@U000000000001> <!channel> :wave:\n```x```"));
    let list = json!([{"type": "rich_text", "elements": [{"type": "rich_text_list", "style": "ordered", "indent": 1, "offset": 3,
        "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "i", "style": {"bold": true}}]}]}]}]);
    let section = json!([{"type": "section", "text": {"type": "mrkdwn", "text": "*x*"}, "fields": [{"type": "plain_text", "text": "f"}],
        "accessory": {"type": "button", "text": {"type": "plain_text", "text": "b"}, "action_id": "a"}}]);
    let others = json!([{"type": "divider"}, {"type": "header", "text": {"type": "plain_text", "text": "h"}},
        {"type": "image", "image_url": "https://x.org/i.png", "alt_text": "i"},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "<@U1>"}]},
        {"type": "actions", "elements": [{"type": "static_select", "action_id": "s", "options": [
            {"text": {"type": "plain_text", "text": "o"}, "value": "v"}]}]},
        {"type": "input", "label": {"type": "plain_text", "text": "l"}, "element": {"type": "plain_text_input"}}]);
    let corpus: Vec<Vec<u8>> =
        [json!([rich]), list, section, others].iter().map(|blocks| blocks.to_string().into_bytes()).collect();
    let corpus: Vec<&[u8]> = corpus.iter().map(Vec::as_slice).collect();
    let words = [
        "\"type\":",
        "\"elements\":[",
        "\"rich_text\"",
        "\"rich_text_list\"",
        "\"text\":\"",
        "{",
        "}",
        "[",
        "]",
        ",",
        "\"style\":{\"bold\":true}",
        "\"mrkdwn\"",
        "\"emoji\"",
        "\"user_id\":\"U1\"",
        "null",
        "\"fields\":",
    ];
    fuzz("blocks", TREES, &corpus, &words, |bytes| {
        let Ok(Value::Array(blocks)) = serde_json::from_slice(bytes) else { return (0, 0, String::new()) };
        let wrong = wire::blocks::check(&blocks);
        let fallback = wire::blocks::fallback(&blocks);
        assert!(fallback.len() <= 16 * bytes.len() + 64, "{} bytes become {}", bytes.len(), fallback.len());
        let mentions = api::mentions::find(&fallback, &blocks);
        for block in &blocks {
            let tree = from_rich_text(block);
            let written = write(&tree);
            std::hint::black_box(to_rich_text(&parse(&written)));
        }
        (1 + wrong.len().min(20), mentions.users.len().min(8), shape(&Value::Array(blocks), 2))
    });
}

#[test]
fn hostile_texts_take_no_longer_than_their_length() {
    let pieces = [
        "`", "`a ", "*`", "``` ", "`\n", "*a ", "_*~`", "<", ":a", "```", "> *", "<@", "*a_b~c ", "&", "*\n",
        "*a*", "<a|", "<!date^", "\n>", ">", ":a:", "&lt;", "_a *b ", "(*", "*)",
    ];
    for piece in pieces {
        linear(
            piece,
            |size| piece.repeat(size).into_bytes(),
            160_000 / piece.len(),
            |bytes| {
                let tree = parse(&text(bytes));
                std::hint::black_box(write(&tree));
                std::hint::black_box(to_rich_text(&tree));
                std::hint::black_box(api::mentions::find(&text(bytes), &[]));
            },
        );
    }
    // The second was quadratic: each was read to the end of the text. The third would be, if an escape did not end it.
    for piece in ["http://a.b ", "http:", "http://&lt;", "(http://.", "a@b.c ", "http://"] {
        linear(
            piece,
            |size| piece.repeat(size).into_bytes(),
            160_000 / piece.len(),
            |bytes| {
                std::hint::black_box(api::mentions::link_addresses(&text(bytes)));
            },
        );
    }
}

#[test]
fn hostile_blocks_take_no_longer_than_their_length() {
    let element = r#"{"type":"text","text":"*a* <@U1>"}"#;
    let section = r#"{"type":"rich_text_section","elements":[]}"#;
    for (before, piece, after) in [
        (r#"[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":["#, element, "]}]}]"),
        (r#"[{"type":"rich_text","elements":["#, section, "]}]"),
        ("[", r#"{"type":"divider"}"#, "]"),
        ("[", r#"{"type":"section","text":{"type":"mrkdwn","text":"<@U1> *b*"}}"#, "]"),
        (r#"[{"type":"context","elements":["#, r#"{"type":"mrkdwn","text":"`"}"#, "]}]"),
        (r#"[{"type":"section","block_id":"a"},"#, r#"{"type":"section","block_id":"a"}"#, "]"),
    ] {
        let shape = |size: usize| [before, &vec![piece; size].join(","), after].concat().into_bytes();
        // A hundred KiB are taken; more is refused before it is looked at.
        linear(piece, shape, (100 << 10) / piece.len(), |bytes| {
            let Ok(Value::Array(blocks)) = serde_json::from_slice(bytes) else { panic!("no blocks") };
            std::hint::black_box(wire::blocks::check(&blocks));
            std::hint::black_box(wire::blocks::fallback(&blocks));
            std::hint::black_box(api::mentions::find("", &blocks));
            blocks.iter().for_each(|block| drop(std::hint::black_box(write(&from_rich_text(block)))));
        });
    }
}
