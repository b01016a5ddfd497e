//! Slack's mrkdwn as a tree: read once, written back as mrkdwn, and to and from the block `rich_text`.
//!
//! Sources: docs.slack.dev, "Formatting message text" and "rich_text block". Reading takes time in proportion to the
//! length, whatever is in the text: each kind of mark is looked for once in a line and not again when it has no end.

use std::collections::HashSet;

mod read;
mod rich;
mod write;

pub use read::parse;
pub use rich::{from_rich_text, to_rich_text};
pub use write::write;

/// A text: its parts from top to bottom.
pub type Text = Vec<Part>;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Lines as they come.
    Section(Vec<Span>),
    /// Lines that begin with `>`.
    Quote(Vec<Span>),
    /// Text between three backticks, as it is.
    Preformatted(String),
    /// A list. mrkdwn has none: it is written as lines, and lines are not read as a list.
    List {
        /// Numbered.
        ordered: bool,
        /// How deep, from 0.
        indent: u64,
        /// Numbers before the first item's.
        offset: u64,
        /// Its items.
        items: Vec<Vec<Span>>,
    },
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    /// Plain characters, line breaks among them.
    Text(String),
    /// `*bold*`
    Bold(Vec<Span>),
    /// `_italic_`
    Italic(Vec<Span>),
    /// `~strike~`
    Strike(Vec<Span>),
    /// `` `code` ``
    Code(String),
    /// `<https://…|label>`
    Link {
        /// Where it leads.
        url: String,
        /// What it shows; none: the address.
        label: Option<String>,
    },
    /// `<@U…>`
    User(String),
    /// `<#C…>`
    Channel(String),
    /// `<!subteam^S…>`
    Usergroup(String),
    /// `<!here>`, `<!channel>`, `<!everyone>`: which.
    Broadcast(String),
    /// `:name:`, with a skin tone of 2 to 6 if there is one.
    Emoji {
        /// Short name.
        name: String,
        /// Skin tone.
        tone: Option<u8>,
    },
    /// `<!date^timestamp^format^link|fallback>`
    Date {
        /// Seconds since 1970.
        timestamp: i64,
        /// What is shown of it, with `{date}` and the like.
        format: String,
        /// Where it leads.
        url: Option<String>,
        /// What is shown by whom does not know dates.
        fallback: String,
    },
    /// `#c0ffee`, from a rich text only.
    Color(String),
}

/// Who a text calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Called {
    /// Ids of people, in the order of the text, without duplicates.
    pub users: Vec<String>,
    /// Everybody.
    pub everyone: bool,
    /// Those of `users`, to find them fast.
    known: HashSet<String>,
}

impl Called {
    /// Adds those whom a text calls. What stands in code calls nobody.
    pub fn add(&mut self, text: &[Part]) {
        for part in text {
            match part {
                Part::Section(spans) | Part::Quote(spans) => self.add_spans(spans),
                Part::List { items, .. } => items.iter().for_each(|item| self.add_spans(item)),
                Part::Preformatted(_) => {}
            }
        }
    }

    fn add_spans(&mut self, spans: &[Span]) {
        for span in spans {
            match span {
                Span::Bold(inner) | Span::Italic(inner) | Span::Strike(inner) => self.add_spans(inner),
                Span::User(id) if self.known.insert(id.clone()) => self.users.push(id.clone()),
                Span::Broadcast(_) => self.everyone = true,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn text(text: &str) -> Span {
        Span::Text(text.to_owned())
    }

    fn section(spans: impl Into<Vec<Span>>) -> Text {
        vec![Part::Section(spans.into())]
    }

    #[test]
    fn marks_are_read_where_slack_reads_them() {
        let bold = |inner: &str| Span::Bold(vec![text(inner)]);
        let italic = |inner: &str| Span::Italic(vec![text(inner)]);
        for (source, spans) in [
            ("plain", vec![text("plain")]),
            ("a *b* c", vec![text("a "), bold("b"), text(" c")]),
            ("(_b_)", vec![text("("), italic("b"), text(")")]),
            ("snake_case_name", vec![text("snake_case_name")]),
            ("2*3*4", vec![text("2*3*4")]),
            ("* a *", vec![text("* a *")]),
            ("*a", vec![text("*a")]),
            ("**", vec![text("**")]),
            ("*a\nb*", vec![text("*a\nb*")]),
            ("*a _b_ c*", vec![Span::Bold(vec![text("a "), italic("b"), text(" c")])]),
            ("_*~x~*_", vec![Span::Italic(vec![Span::Bold(vec![Span::Strike(vec![text("x")])])])]),
            ("`a *b*` c", vec![Span::Code("a *b*".to_owned()), text(" c")]),
            ("``", vec![text("``")]),
            ("a &amp; b &lt;c&gt;", vec![text("a & b <c>")]),
            ("a < b > c", vec![text("a < b > c")]),
            ("<@U1>", vec![Span::User("U1".to_owned())]),
            ("<@U1|ann>", vec![Span::User("U1".to_owned())]),
            ("<#C1|general>", vec![Span::Channel("C1".to_owned())]),
            ("<!here|@here>", vec![Span::Broadcast("here".to_owned())]),
            ("<!subteam^S1|@team>", vec![Span::Usergroup("S1".to_owned())]),
            ("<!nothing>", vec![text("<!nothing>")]),
            (
                "<https://x.org/a?b=1&amp;c|see &lt;this&gt;>",
                vec![Span::Link {
                    url: "https://x.org/a?b=1&c".to_owned(),
                    label: Some("see <this>".to_owned()),
                }],
            ),
            ("<mailto:a@b.c>", vec![Span::Link { url: "mailto:a@b.c".to_owned(), label: None }]),
            ("<javascript>", vec![text("<javascript>")]),
            (
                "<!date^1392734382^{date} at {time}^https://x.org|then>",
                vec![Span::Date {
                    timestamp: 1_392_734_382,
                    format: "{date} at {time}".to_owned(),
                    url: Some("https://x.org".to_owned()),
                    fallback: "then".to_owned(),
                }],
            ),
            (":wave: 10:30:45", vec![Span::Emoji { name: "wave".to_owned(), tone: None }, text(" 10:30:45")]),
            (":wave::skin-tone-3:", vec![Span::Emoji { name: "wave".to_owned(), tone: Some(3) }]),
            (":no such:", vec![text(":no such:")]),
        ] {
            assert_eq!(parse(source), section(spans), "{source}");
        }
    }

    #[test]
    fn quotes_and_fences_are_parts() {
        let quote = |inner: &str| Part::Quote(vec![text(inner)]);
        let plain = |inner: &str| Part::Section(vec![text(inner)]);
        let fence = |inner: &str| Part::Preformatted(inner.to_owned());
        for (source, parts) in [
            ("a\n> b\n>c\nd", vec![plain("a"), quote("b\nc"), plain("d")]),
            ("&gt; b", vec![quote("b")]),
            ("a\n>>> b\nc\nd", vec![plain("a"), quote("b\nc\nd")]),
            ("a ```b``` c", vec![plain("a "), fence("b"), plain(" c")]),
            ("```\nlet x = &amp;y;\n*z*\n```", vec![fence("let x = &y;\n*z*")]),
            ("``` never ends", vec![plain("``` never ends")]),
            ("``````", vec![plain("``````")]),
            ("> ```\n> ```", vec![quote("```\n```")]),
            ("```\n> \n```", vec![fence("> ")]),
            ("", vec![]),
        ] {
            assert_eq!(parse(source), parts, "{source:?}");
        }
    }

    #[test]
    fn a_rich_text_becomes_mrkdwn_as_slack_writes_it() {
        let block = json!({ "type": "rich_text", "elements": [
            { "type": "rich_text_section", "elements": [
                { "type": "text", "text": "hello " },
                { "type": "text", "text": "bold", "style": { "bold": true } },
                { "type": "text", "text": " and " },
                { "type": "user", "user_id": "U1" },
                { "type": "emoji", "name": "wave", "skin_tone": 3 },
                { "type": "link", "url": "https://x.org", "text": "here" } ] },
            { "type": "rich_text_list", "style": "ordered", "indent": 1, "offset": 2, "elements": [
                { "type": "rich_text_section", "elements": [{ "type": "text", "text": "item" }] } ] },
            { "type": "rich_text_quote", "elements": [{ "type": "text", "text": "a\nb" }] },
            { "type": "rich_text_preformatted", "elements": [{ "type": "text", "text": "x < y" }] } ] });
        let tree = from_rich_text(&block);
        let expect = "hello *bold* and <@U1>:wave::skin-tone-3:<https://x.org|here>\n    3. item\n> a\n> b\n\
                      ```\nx &lt; y\n```";
        assert_eq!(write(&tree), expect);
        assert_eq!(to_rich_text(&tree)["elements"], block["elements"]);
        let mut called = Called::default();
        called.add(&tree);
        assert_eq!(called.users, ["U1"]);
    }

    #[test]
    fn neighbours_share_their_marks() {
        let bold = json!({ "bold": true });
        let block = json!({ "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": [
            { "type": "text", "text": "a ", "style": bold },
            { "type": "text", "text": "b", "style": { "bold": true, "italic": true } },
            { "type": "text", "text": " c ", "style": bold },
            { "type": "link", "url": "https://x.org", "text": "d", "style": bold },
            { "type": "text", "text": "e", "style": { "bold": true, "code": true } } ] }] });
        let tree = from_rich_text(&block);
        let written = write(&tree);
        assert_eq!(written, "*a _b_ c <https://x.org|d>`e`*");
        assert_eq!(parse(&written), tree);
        assert_eq!(to_rich_text(&tree), block);
    }

    #[test]
    fn a_list_beside_a_line_break_has_no_empty_line() {
        let section = |text: &str| json!({ "type": "rich_text_section", "elements": [{ "type": "text", "text": text }] });
        let list = json!({ "type": "rich_text_list", "style": "bullet", "elements": [section("i")] });
        let block = json!({ "type": "rich_text", "elements": [section("intro\n"), list, section("\nend")] });
        assert_eq!(write(&from_rich_text(&block)), "intro\n• i\nend");
    }

    #[test]
    fn hostile_texts_take_no_longer_than_friendly_ones() {
        let took = |source: &str| {
            let start = Instant::now();
            let tree = parse(source);
            assert_eq!(parse(&write(&tree)), tree);
            start.elapsed()
        };
        let friendly = took(&"word *bold* <@U1> :wave: ".repeat(1_600));
        for piece in [
            "`", "`a ", "*`", "``` ", "`\n", "*a ", "_*~`", "<", ":a", "```", "> *", "<@", "*a_b~c ", "&",
            "*\n",
        ] {
            let hostile = took(&piece.repeat(40_000 / piece.len()));
            // A quadratic parser would be thousands of times slower.
            assert!(hostile < friendly * 40 + Duration::from_millis(200), "{piece:?}: {hostile:?}");
            let longer = took(&piece.repeat(320_000 / piece.len()));
            // Eight times the length: 64 times the time if it was quadratic. The best of three: others run here too.
            let ratio =
                |longer: Duration, shorter: Duration| longer.as_secs_f64() / shorter.as_secs_f64().max(1e-4);
            let linear = (0..3).any(|_| {
                ratio(took(&piece.repeat(320_000 / piece.len())), took(&piece.repeat(40_000 / piece.len())))
                    < 30.0
            });
            assert!(ratio(longer, hostile) < 30.0 || linear, "{piece:?}: {hostile:?}, then {longer:?}");
        }
    }

    fn sources() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => "[a-z ]{0,6}",
            2 => Just("*".to_owned()),
            2 => Just("_".to_owned()),
            1 => Just("~".to_owned()),
            1 => Just("`".to_owned()),
            1 => Just("```".to_owned()),
            1 => Just("> ".to_owned()),
            1 => Just("&gt;".to_owned()),
            1 => Just(">>>".to_owned()),
            2 => Just("\n".to_owned()),
            1 => Just("<@U1|x>".to_owned()),
            1 => Just("<https://x.org|a *b*>".to_owned()),
            1 => Just("<!date^1^{date}|f>".to_owned()),
            1 => Just(":wave::skin-tone-2:".to_owned()),
            1 => Just("<".to_owned()),
            1 => Just("&amp;lt;".to_owned()),
            1 => "\\PC{0,4}",
        ];
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_what_it_was(source in sources()) {
            let tree = parse(&source);
            let written = write(&tree);
            prop_assert_eq!(parse(&written), tree, "{:?}", written);
        }

        #[test]
        fn no_word_is_lost(source in sources()) {
            let letters = |text: &str| text.chars().filter(char::is_ascii_lowercase).collect::<String>();
            // Labels of mentions are not kept: the reader's client knows the name.
            let source = source.replace("|x>", ">").replace("&gt;", ">").replace("&amp;lt;", "&");
            prop_assert_eq!(letters(&write(&parse(&source)).replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")), letters(&source));
        }

        #[test]
        fn a_rich_text_stays_itself(source in sources()) {
            let rich = to_rich_text(&parse(&source));
            prop_assert_eq!(to_rich_text(&from_rich_text(&rich)), rich);
        }

        /// With several kinds of marks there are texts that no order of them writes: `~*<@U1>*~*` is bold and struck, and
        /// `*` outside would stand beside `*`.
        #[test]
        fn a_tree_stays_itself_as_a_rich_text(source in sources(), mark in prop::sample::select(vec!['*', '_', '~'])) {
            let source: String = source.chars().filter(|c| *c == mark || !"*_~".contains(*c)).collect();
            let rich = to_rich_text(&parse(&source));
            let again = parse(&write(&from_rich_text(&rich)));
            prop_assert_eq!(to_rich_text(&again), rich);
        }

        #[test]
        fn nothing_panics(source in "\\PC{0,200}") {
            let tree = parse(&source);
            let _ = to_rich_text(&tree);
        }
    }
}
