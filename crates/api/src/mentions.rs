//! Mentions in a text: `<@U…>`, `<!channel>`, `<!here>`, `<!everyone>`.

use std::collections::HashMap;

use model::UserId;

use wire::mrkdwn::{self, Called};

use crate::{call::Cx, channels, cursor::PAGE_MAX, errors::Failure};

/// Different `@names` that one text may have linked. Further ones stay plain text.
const NAMES_MAX: usize = 50;

/// Who a text mentions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mentions {
    /// By id, in the order of the text, without duplicates.
    pub users: Vec<UserId>,
    /// Everybody, present people included.
    pub everyone: bool,
}

/// Finds the mentions of a text, read as mrkdwn, and of blocks. What stands in code mentions nobody.
#[must_use]
pub fn find(text: &str, blocks: &[serde_json::Value]) -> Mentions {
    let mut called = Called::default();
    // Most texts mention nobody: they need not be read.
    if text.contains('<') {
        called.add(&mrkdwn::parse(text));
    }
    wire::blocks::call(blocks, &mut called);
    let users = called.users.iter().filter_map(|id| id.parse().ok()).collect();
    Mentions { users, everyone: called.everyone }
}

/// Makes mentions of `@name`, `@channel`, `@here` and `@everyone`, and links of `#channel` for channels that the caller
/// may see (`link_names`).
///
/// # Errors
/// A read failed.
pub async fn link_names(cx: &Cx, text: String) -> Result<String, Failure> {
    let mut links: HashMap<String, String> = HashMap::new();
    for word in ["channel", "here", "everyone"] {
        links.insert(format!("@{word}"), format!("<!{word}>"));
    }
    let wanted = |sign| -> Vec<String> {
        candidates(&text, sign).map(|name| format!("{sign}{name}")).take(NAMES_MAX).collect()
    };
    let (people, channels) = (wanted('@'), wanted('#'));
    let mut after = None;
    while people.iter().any(|name| !links.contains_key(name)) {
        let page = cx.store().users(cx.workspace()?, after, PAGE_MAX).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for user in page {
            links.insert(format!("@{}", user.name), format!("<@{}>", user.id));
        }
    }
    for name in channels {
        if let Some(id) = channels::by_name(cx, name.trim_start_matches('#')).await? {
            let link = format!("<#{id}|{}>", name.trim_start_matches('#'));
            links.insert(name, link);
        }
    }
    Ok(replace(&text, &links))
}

/// Makes links of addresses that stand alone (`parse=full`).
#[must_use]
pub fn link_addresses(text: &str) -> String {
    linked(text, |plain, out| {
        let lower = plain.to_ascii_lowercase();
        let mut done = 0;
        for (at, _) in lower.match_indices("http") {
            let before = plain.get(..at).and_then(|before| before.chars().next_back());
            let free = before.is_none_or(|c| !c.is_alphanumeric() && !"|/@".contains(c));
            let after = lower.get(at..).unwrap_or_default();
            let scheme = ["https://", "http://"].iter().find(|scheme| after.starts_with(**scheme));
            // Only what may be one is read to its end, and no further: else many that are none would cost the whole each.
            let Some(scheme) = scheme.filter(|_| free && at >= done) else { continue };
            let from = plain.get(at..).unwrap_or_default();
            let address = word(from).trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '\'']);
            if address.len() > scheme.len() {
                out.push_str(plain.get(done..at).unwrap_or_default());
                out.push_str(&format!("<{address}>"));
                done = at + address.len();
            }
        }
        out.push_str(plain.get(done..).unwrap_or_default());
    })
}

/// What comes before a space, a mark that no address has, or an escaped `<` or `>`.
fn word(text: &str) -> &str {
    let ends = |(at, c): &(usize, char)| {
        let escape =
            || text.get(*at..).is_some_and(|rest| rest.starts_with("&lt;") || rest.starts_with("&gt;"));
        c.is_whitespace() || "<>|\"`".contains(*c) || *c == '&' && escape()
    };
    let end = text.char_indices().find(ends).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or_default()
}

/// A text in which `link` has written what is neither code nor in `<…>`, and all else is as it was.
fn linked(text: &str, mut link: impl FnMut(&str, &mut String)) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // Where nothing can be closed any more: each kind is looked for once.
    let (mut fences, mut entities) = (true, true);
    let mut plain = 0;
    let mut at = 0;
    while let Some(found) = rest.get(at..).and_then(|later| later.find(['<', '`'])) {
        at += found;
        let from = rest.get(at..).unwrap_or_default();
        let line = |stop: char| {
            let end = from.get(1..)?.find([stop, '\n'])? + 1;
            from.get(end..)?.starts_with(stop).then_some(end + 1)
        };
        let length = if from.starts_with("```") && fences {
            let end = from.get(3..).and_then(|inside| inside.find("```"));
            fences = end.is_some();
            end.map(|end| end + 6)
        } else if from.starts_with('`') {
            line('`').filter(|&length| length > 2)
        } else if entities {
            entities = from.contains('>');
            line('>')
        } else {
            None
        };
        let Some(length) = length else {
            at += 1;
            continue;
        };
        link(rest.get(plain..at).unwrap_or_default(), &mut out);
        out.push_str(from.get(..length).unwrap_or_default());
        rest = from.get(length..).unwrap_or_default();
        (plain, at) = (0, 0);
    }
    link(rest.get(plain..).unwrap_or_default(), &mut out);
    out
}

/// The names after each `@` or `#` that starts a word, outside of `<…>`.
fn candidates(text: &str, sign: char) -> impl Iterator<Item = &str> {
    text.match_indices(sign).filter_map(|(at, _)| name_at(text, at))
}

fn name_at(text: &str, at: usize) -> Option<&str> {
    let before = text.get(..at)?.chars().next_back();
    if before.is_some_and(|c| c.is_alphanumeric() || c == '<' || c == '|') {
        return None;
    }
    let rest = text.get(at + 1..)?;
    let end = rest
        .find(|c: char| !(c.is_alphanumeric() && !c.is_uppercase() || matches!(c, '.' | '-' | '_')))
        .unwrap_or(rest.len());
    let name = rest.get(..end)?.trim_end_matches('.');
    if name.is_empty() { None } else { Some(name) }
}

fn replace(text: &str, links: &HashMap<String, String>) -> String {
    linked(text, |plain, out| {
        let mut done = 0;
        for (at, sign) in plain.match_indices(['@', '#']) {
            let Some(name) = name_at(plain, at) else { continue };
            let Some(link) = links.get(&format!("{sign}{name}")) else { continue };
            out.push_str(plain.get(done..at).unwrap_or_default());
            out.push_str(link);
            done = at + 1 + name.len();
        }
        out.push_str(plain.get(done..).unwrap_or_default());
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_words_are_found_names_are_not() {
        let (one, two) = (UserId::from_random(1), UserId::from_random(2));
        let found = find(
            &format!("a <@{one}> <@{two}|Two> <@{one}> @{two} <@nobody> <#C1> <!subteam^S1> <@{two}"),
            &[],
        );
        assert_eq!(found, Mentions { users: vec![one, two], everyone: false });
        for text in ["<!here>", "x<!channel|@channel>", "<!everyone>"] {
            assert!(find(text, &[]).everyone, "{text}");
        }
        assert_eq!(find("@channel < <@ > <>", &[]), Mentions::default());
        assert_eq!(find(&format!("`<@{one}>` ```<!here>```"), &[]), Mentions::default(), "code calls nobody");
        let blocks = [serde_json::json!({ "type": "rich_text", "elements": [
            { "type": "rich_text_section", "elements": [{ "type": "user", "user_id": one.to_string() }] } ] })];
        assert_eq!(find("x", &blocks).users, [one]);
    }

    #[test]
    fn names_become_links() {
        let links = HashMap::from([
            ("@ada".to_owned(), "<@U1>".to_owned()),
            ("@channel".to_owned(), "<!channel>".to_owned()),
            ("#plans".to_owned(), "<#C1|plans>".to_owned()),
        ]);
        for (text, expect) in [
            ("hi @ada, @channel.", "hi <@U1>, <!channel>."),
            ("ada@ada <@ada> @adam @", "ada@ada <@ada> @adam @"),
            ("ü@ada", "ü@ada"),
            ("(@ada)", "(<@U1>)"),
            ("see #plans.", "see <#C1|plans>."),
            ("#Plans x#plans <#C1> #", "#Plans x#plans <#C1> #"),
            (
                "`@ada` ```@ada``` <https://x.org|hi @ada> @ada",
                "`@ada` ```@ada``` <https://x.org|hi @ada> <@U1>",
            ),
            ("`` @ada < @ada", "`` <@U1> < <@U1>"),
        ] {
            assert_eq!(replace(text, &links), expect, "{text}");
        }
    }

    #[test]
    fn addresses_that_stand_alone_become_links() {
        for (text, expect) in [
            ("see https://x.org/a?b=c.", "see <https://x.org/a?b=c>."),
            ("(http://x.org)", "(<http://x.org>)"),
            ("<https://x.org|x> https://", "<https://x.org|x> https://"),
            ("http https http://a http://b", "http https <http://a> <http://b>"),
            ("xhttp://a", "xhttp://a"),
            (
                "<https://x.org|see http://y.org> `http://z.org`",
                "<https://x.org|see http://y.org> `http://z.org`",
            ),
            ("&lt;http://q.org&gt; HTTP://Q.org/a&amp;b", "&lt;<http://q.org>&gt; <HTTP://Q.org/a&amp;b>"),
        ] {
            assert_eq!(link_addresses(text), expect, "{text}");
        }
    }

    /// Found by fuzzing: each of them was read to the end of the text.
    #[test]
    fn many_that_are_no_addresses_cost_their_length() {
        for piece in ["http:", "http://&lt;"] {
            let text = piece.repeat(200_000);
            let start = std::time::Instant::now();
            assert_eq!(link_addresses(&text), text);
            let took = start.elapsed();
            assert!(took < std::time::Duration::from_secs(20), "{piece}: {took:?}");
        }
    }
}
