//! Reads mrkdwn.

use super::{Part, Span, Text};
use crate::emoji;

/// What opens and closes a preformatted part.
const FENCE: &str = "```";

/// Reads a text.
#[must_use]
pub fn parse(source: &str) -> Text {
    let mut text = Text::new();
    let mut rest = source;
    // Everything before `from` is known to open no fence.
    let mut from = 0;
    while let Some(at) = find(rest, from, FENCE) {
        let inside = at + FENCE.len();
        let Some(end) = find(rest, inside, FENCE) else { break };
        let content = rest.get(inside..end).unwrap_or_default();
        let content = content.strip_prefix('\n').unwrap_or(content);
        let content = content.strip_suffix('\n').unwrap_or(content);
        // Two fences with nothing between are just characters.
        if content.is_empty() || is_empty_in_quote(rest, at, inside, end) {
            from = inside;
            continue;
        }
        let before = rest.get(..at).unwrap_or_default();
        read_lines(before.strip_suffix('\n').unwrap_or(before), &mut text);
        text.push(Part::Preformatted(decode(content)));
        let after = rest.get(end + FENCE.len()..).unwrap_or_default();
        rest = after.strip_prefix('\n').unwrap_or(after);
        from = 0;
    }
    read_lines(rest, &mut text);
    text
}

/// Whether a fence that opens in a quote has nothing but the quote's marks in it.
fn is_empty_in_quote(text: &str, at: usize, inside: usize, end: usize) -> bool {
    let lines = text.get(inside..end).and_then(|content| content.strip_prefix('\n'));
    let empty = lines.is_some_and(|lines| lines.split('\n').all(|line| marked(line, 1) == Some("")));
    let before = text.get(..at).unwrap_or_default();
    empty && before.rsplit('\n').next().is_some_and(|line| marked(line, 1).is_some())
}

fn find(text: &str, from: usize, what: &str) -> Option<usize> {
    text.get(from..)?.find(what).map(|at| from + at)
}

/// Reads lines without fences: sections and quotes in turn.
fn read_lines(source: &str, text: &mut Text) {
    if source.is_empty() {
        return;
    }
    let mut lines: Vec<&str> = Vec::new();
    let mut quoted = false;
    let mut rest = Some(source);
    while let Some(current) = rest {
        let (line, next) = match current.split_once('\n') {
            Some((line, next)) => (line, Some(next)),
            None => (current, None),
        };
        if let Some(all) = marked(current, 3) {
            flush(&mut lines, quoted, text);
            push(Part::Quote(spans(all)), text);
            return;
        }
        let content = marked(line, 1);
        if content.is_some() != quoted {
            flush(&mut lines, quoted, text);
            quoted = content.is_some();
        }
        lines.push(content.unwrap_or(line));
        rest = next;
    }
    flush(&mut lines, quoted, text);
}

/// What follows so many quote marks and a space, if the text begins with them.
fn marked(line: &str, count: usize) -> Option<&str> {
    let mut rest = line;
    for _ in 0..count {
        rest = rest.strip_prefix('>').or_else(|| rest.strip_prefix("&gt;"))?;
    }
    Some(rest.strip_prefix(' ').unwrap_or(rest))
}

fn flush(lines: &mut Vec<&str>, quoted: bool, text: &mut Text) {
    if lines.is_empty() {
        return;
    }
    let spans = spans(&lines.join("\n"));
    lines.clear();
    push(if quoted { Part::Quote(spans) } else { Part::Section(spans) }, text);
}

fn push(part: Part, text: &mut Text) {
    match (&part, text.last_mut()) {
        // Two quotes in a row are one.
        (Part::Quote(more), Some(Part::Quote(last))) => {
            last.push(Span::Text("\n".to_owned()));
            last.extend(more.iter().cloned());
            *last = merged(std::mem::take(last));
        }
        _ => text.push(part),
    }
}

/// Joins texts that stand side by side.
pub(super) fn merged(spans: Vec<Span>) -> Vec<Span> {
    let mut all: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match (all.last_mut(), span) {
            (_, Span::Text(more)) if more.is_empty() => {}
            (Some(Span::Text(last)), Span::Text(more)) => last.push_str(&more),
            (_, span) => all.push(span),
        }
    }
    all
}

fn spans(source: &str) -> Vec<Span> {
    Reader { source, marks: [None; 4] }.spans(0, source.len(), 0)
}

/// Reads the spans of some lines.
struct Reader<'a> {
    source: &'a str,
    /// For each mark: from here on it has no end before the end of its line, which is the second number.
    marks: [Option<(usize, usize)>; 4],
}

/// The marks that open and close, by the bit that says that one is open.
const MARKS: [u8; 3] = *b"*_~";
/// The place of a backtick among [`Reader::marks`].
const TICK: usize = 3;

impl Reader<'_> {
    /// Reads from `at` to `end`. `open`: bits of the marks that are open.
    fn spans(&mut self, mut at: usize, end: usize, open: u8) -> Vec<Span> {
        let mut spans = Vec::new();
        let mut plain = at;
        while at < end {
            let Some(&byte) = self.source.as_bytes().get(at) else { break };
            let found = match byte {
                b'<' => self.entity(at, end),
                b':' => self.emoji(at, end),
                b'`' => self.code(at, end),
                b'*' | b'_' | b'~' => self.styled(at, end, open, byte),
                _ => None,
            };
            match found {
                Some((span, next)) => {
                    self.put_text(plain, at, &mut spans);
                    spans.push(span);
                    (at, plain) = (next, next);
                }
                None => at += 1,
            }
        }
        self.put_text(plain, end, &mut spans);
        merged(spans)
    }

    fn put_text(&self, from: usize, to: usize, spans: &mut Vec<Span>) {
        let text = self.slice(from, to);
        if !text.is_empty() {
            spans.push(Span::Text(decode(text)));
        }
    }

    fn slice(&self, from: usize, to: usize) -> &str {
        self.source.get(from..to).unwrap_or_default()
    }

    /// `*bold*` and the like: the mark stands at the beginning of a word, its end at the end of one, in one line.
    fn styled(&mut self, at: usize, end: usize, open: u8, mark: u8) -> Option<(Span, usize)> {
        let place = MARKS.iter().position(|&known| known == mark)?;
        let bit = 1 << place;
        let begins = |text: &str| {
            text.chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != char::from(mark))
        };
        if open & bit != 0 || !begins(self.slice(0, at)) {
            return None;
        }
        let first = self.slice(at + 1, end).chars().next()?;
        if first.is_whitespace() || first == char::from(mark) {
            return None;
        }
        let close = self.close(at + 1, end, mark, place)?;
        let inner = self.spans(at + 1, close, open | bit);
        let span = match mark {
            b'*' => Span::Bold(inner),
            b'_' => Span::Italic(inner),
            _ => Span::Strike(inner),
        };
        Some((span, close + 1))
    }

    /// Where a mark that is open ends, if it does so in its line.
    fn close(&mut self, from: usize, end: usize, mark: u8, place: usize) -> Option<usize> {
        let known = self.marks.get(place).copied().flatten();
        if known.is_some_and(|(without, until)| from >= without && from < until) {
            return None;
        }
        let bytes = self.source.as_bytes();
        let mut at = from;
        while at < end {
            match bytes.get(at) {
                Some(b'\n') | None => break,
                Some(&byte) if byte == mark && at > from => {
                    let before = self.slice(from, at).chars().next_back();
                    let after = self.source.get(at + 1..).and_then(|rest| rest.chars().next());
                    let ends = before.is_some_and(|c| !c.is_whitespace() && c != char::from(mark))
                        && after.is_none_or(|c| !c.is_alphanumeric() && c != char::from(mark));
                    if ends {
                        return Some(at);
                    }
                }
                // What stands in an entity or in code is no mark.
                Some(&byte @ (b'<' | b'`')) => {
                    let inside = if byte == b'<' { self.entity(at, end) } else { self.code(at, end) };
                    if let Some((_, next)) = inside {
                        at = next;
                        continue;
                    }
                }
                _ => {}
            }
            at += 1;
        }
        if let Some(known) = self.marks.get_mut(place) {
            *known = Some((from, at.max(from + 1)));
        }
        None
    }

    fn code(&mut self, at: usize, end: usize) -> Option<(Span, usize)> {
        let from = at + 1;
        let known = self.marks.get(TICK).copied().flatten();
        if known.is_some_and(|(without, until)| from >= without && from < until) {
            return None;
        }
        let rest = self.slice(from, end);
        let stop = rest.find(['`', '\n']);
        let Some(length) = stop.filter(|&at| rest.as_bytes().get(at) == Some(&b'`')) else {
            let until = from + stop.unwrap_or(rest.len()).max(1);
            if let Some(known) = self.marks.get_mut(TICK) {
                *known = Some((from, until));
            }
            return None;
        };
        if length == 0 {
            return None;
        }
        Some((Span::Code(decode(rest.get(..length)?)), from + length + 1))
    }

    fn emoji(&self, at: usize, end: usize) -> Option<(Span, usize)> {
        // No name is longer.
        let window = self.slice_at_most(at + 1, end, 64);
        let length = window.find(|c: char| !(c.is_ascii_alphanumeric() || "_+-'".contains(c)))?;
        let name = window.get(..length)?;
        let rest = window.get(length..)?.strip_prefix(':')?;
        if !emoji::is_name(name) || name.starts_with("skin-tone-") {
            return None;
        }
        let next = at + 1 + length + 1;
        let tone = rest.strip_prefix(":skin-tone-").and_then(|rest| {
            let digit = rest.as_bytes().first().filter(|digit| (b'2'..=b'6').contains(digit))?;
            rest.get(1..)?.starts_with(':').then_some(digit - b'0')
        });
        let toned =
            tone.filter(|_| emoji::is_name(&format!("{name}::skin-tone-{}", tone.unwrap_or_default())));
        let next = if toned.is_some() { next + ":skin-tone-2:".len() } else { next };
        Some((Span::Emoji { name: name.to_owned(), tone: toned }, next))
    }

    fn slice_at_most(&self, from: usize, end: usize, bytes: usize) -> &str {
        let to = (0..4).map(|back| end.min(from + bytes) - back).find(|&to| self.source.is_char_boundary(to));
        to.map(|to| self.slice(from, to)).unwrap_or_default()
    }

    fn entity(&self, at: usize, end: usize) -> Option<(Span, usize)> {
        let source = self.slice(at + 1, end);
        // An entity has no `<` in it and lies in one line.
        let length =
            source.find(['>', '<', '\n']).filter(|&length| source.as_bytes().get(length) == Some(&b'>'))?;
        let inside = source.get(..length)?;
        let (target, label) = match inside.split_once('|') {
            Some((target, label)) => (target, Some(label)),
            None => (inside, None),
        };
        let id = |text: &str| {
            let valid = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
            valid.then(|| text.to_owned())
        };
        let span = match target.split_at_checked(1)? {
            ("@", user) => Span::User(id(user)?),
            ("#", channel) => Span::Channel(id(channel)?),
            ("!", command) => command_span(command, label)?,
            _ => {
                let (scheme, _) = target.split_once(':')?;
                let known = ["http", "https", "mailto", "tel", "ftp", "slack", "skype", "sip"];
                if !known.contains(&scheme.to_ascii_lowercase().as_str()) {
                    return None;
                }
                Span::Link { url: decode(target), label: label.map(decode).filter(|label| !label.is_empty()) }
            }
        };
        Some((span, at + 1 + length + 1))
    }
}

fn command_span(command: &str, label: Option<&str>) -> Option<Span> {
    match command {
        "here" | "channel" | "everyone" => return Some(Span::Broadcast(command.to_owned())),
        "group" => return Some(Span::Broadcast("channel".to_owned())),
        _ => {}
    }
    let mut fields = command.splitn(4, '^');
    match fields.next()? {
        "subteam" => Some(Span::Usergroup(fields.next().filter(|id| !id.is_empty())?.to_owned())),
        "date" => Some(Span::Date {
            timestamp: fields.next()?.parse().ok()?,
            format: decode(fields.next()?),
            url: fields.next().map(decode),
            fallback: label.map(decode)?,
        }),
        _ => None,
    }
}

/// Slack escapes three characters and no more.
fn decode(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}
