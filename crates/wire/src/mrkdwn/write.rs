//! Writes mrkdwn.

use super::{Part, Span};

/// Writes a text as mrkdwn.
#[must_use]
pub fn write(text: &[Part]) -> String {
    let mut out = String::new();
    for (number, part) in text.iter().enumerate() {
        // A list that stands beside a line break needs no other one.
        let beside = number.checked_sub(1).and_then(|before| text.get(before));
        let list = matches!(part, Part::List { .. }) || matches!(beside, Some(Part::List { .. }));
        if number > 0 && !(list && (out.ends_with('\n') || begins_with_break(part))) {
            out.push('\n');
        }
        match part {
            Part::Section(spans) => spans.iter().for_each(|span| put(span, &mut out)),
            Part::Quote(spans) => {
                let mut lines = String::new();
                spans.iter().for_each(|span| put(span, &mut lines));
                out.push_str("> ");
                out.push_str(&lines.replace('\n', "\n> "));
            }
            Part::Preformatted(content) => {
                out.push_str("```\n");
                escape(content, &mut out);
                out.push_str("\n```");
            }
            Part::List { ordered, indent, offset, items } => {
                put_list(*ordered, *indent, *offset, items, &mut out)
            }
        }
    }
    out
}

fn begins_with_break(part: &Part) -> bool {
    matches!(part, Part::Section(spans) if matches!(spans.first(), Some(Span::Text(text)) if text.starts_with('\n')))
}

fn put_list(ordered: bool, indent: u64, offset: u64, items: &[Vec<Span>], out: &mut String) {
    let margin = "    ".repeat(usize::try_from(indent.min(8)).unwrap_or_default());
    for (number, item) in (offset.saturating_add(1)..).zip(items) {
        if number > offset.saturating_add(1) {
            out.push('\n');
        }
        out.push_str(&margin);
        if ordered {
            out.push_str(&format!("{number}. "));
        } else {
            out.push_str("• ");
        }
        item.iter().for_each(|span| put(span, out));
    }
}

fn put(span: &Span, out: &mut String) {
    let mut around = |mark: char, inner: &[Span]| {
        out.push(mark);
        inner.iter().for_each(|span| put(span, out));
        out.push(mark);
    };
    match span {
        Span::Text(text) => escape(text, out),
        Span::Bold(inner) => around('*', inner),
        Span::Italic(inner) => around('_', inner),
        Span::Strike(inner) => around('~', inner),
        Span::Code(code) => {
            out.push('`');
            escape(code, out);
            out.push('`');
        }
        Span::Link { url, label } => entity("", url, label.as_deref(), out),
        Span::User(id) => entity("@", id, None, out),
        Span::Channel(id) => entity("#", id, None, out),
        Span::Usergroup(id) => entity("!subteam^", id, None, out),
        Span::Broadcast(range) => entity("!", range, None, out),
        Span::Emoji { name, tone: None } => out.push_str(&format!(":{name}:")),
        Span::Emoji { name, tone: Some(tone) } => out.push_str(&format!(":{name}::skin-tone-{tone}:")),
        Span::Date { timestamp, format, url, fallback } => {
            let url = url.as_ref().map(|url| format!("^{url}")).unwrap_or_default();
            entity("!date^", &format!("{timestamp}^{format}{url}"), Some(fallback), out);
        }
        Span::Color(value) => escape(value, out),
    }
}

fn entity(sign: &str, target: &str, label: Option<&str>, out: &mut String) {
    out.push('<');
    out.push_str(sign);
    escape(target, out);
    if let Some(label) = label {
        out.push('|');
        escape(label, out);
    }
    out.push('>');
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
}
