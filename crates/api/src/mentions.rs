//! Mentions in a text: `<@U…>`, `<!channel>`, `<!here>`, `<!everyone>`.

use std::collections::HashMap;

use model::UserId;

use crate::{call::Cx, cursor::PAGE_MAX, errors::Failure};

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

/// Finds the mentions of a text.
#[must_use]
pub fn find(text: &str) -> Mentions {
    let mut mentions = Mentions::default();
    for rest in text.split('<').skip(1) {
        let Some((inside, _)) = rest.split_once('>') else { continue };
        let (target, _) = inside.split_once('|').unwrap_or((inside, ""));
        match target {
            "!channel" | "!here" | "!everyone" | "!group" => mentions.everyone = true,
            _ => {
                let user = target.strip_prefix('@').and_then(|id| id.parse().ok());
                if let Some(user) = user
                    && !mentions.users.contains(&user)
                {
                    mentions.users.push(user);
                }
            }
        }
    }
    mentions
}

/// Makes mentions of `@name`, `@channel`, `@here` and `@everyone` (`link_names`).
///
/// # Errors
/// A read failed.
pub async fn link_names(cx: &Cx, text: String) -> Result<String, Failure> {
    let names: Vec<String> = candidates(&text).map(str::to_owned).take(NAMES_MAX).collect();
    let mut links: HashMap<String, String> = HashMap::new();
    for word in ["channel", "here", "everyone"] {
        links.insert(word.to_owned(), format!("<!{word}>"));
    }
    let mut after = None;
    while names.iter().any(|name| !links.contains_key(name)) {
        let page = cx.store().users(cx.workspace()?, after, PAGE_MAX).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for user in page {
            links.insert(user.name, format!("<@{}>", user.id));
        }
    }
    Ok(replace(&text, &links))
}

/// The names after each `@` that starts a word, outside of `<…>`.
fn candidates(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('@').filter_map(|(at, _)| name_at(text, at))
}

fn name_at(text: &str, at: usize) -> Option<&str> {
    let before = text.get(..at)?.chars().next_back();
    if before.is_some_and(|c| c.is_alphanumeric() || c == '<' || c == '|') {
        return None;
    }
    let rest = text.get(at + 1..)?;
    let end = rest
        .find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_')))
        .unwrap_or(rest.len());
    let name = rest.get(..end)?.trim_end_matches('.');
    if name.is_empty() { None } else { Some(name) }
}

fn replace(text: &str, links: &HashMap<String, String>) -> String {
    let mut linked = String::with_capacity(text.len());
    let mut done = 0;
    for (at, _) in text.match_indices('@') {
        let Some(name) = name_at(text, at) else { continue };
        let Some(link) = links.get(name) else { continue };
        linked.push_str(text.get(done..at).unwrap_or_default());
        linked.push_str(link);
        done = at + 1 + name.len();
    }
    linked.push_str(text.get(done..).unwrap_or_default());
    linked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_words_are_found_names_are_not() {
        let (one, two) = (UserId::from_random(1), UserId::from_random(2));
        let found =
            find(&format!("a <@{one}> <@{two}|Two> <@{one}> @{two} <@nobody> <#C1> <!subteam^S1> <@{two}"));
        assert_eq!(found, Mentions { users: vec![one, two], everyone: false });
        for text in ["<!here>", "x<!channel|@channel>", "<!everyone>"] {
            assert!(find(text).everyone, "{text}");
        }
        assert_eq!(find("@channel < <@ > <>"), Mentions::default());
    }

    #[test]
    fn names_become_links() {
        let links = HashMap::from([
            ("ada".to_owned(), "<@U1>".to_owned()),
            ("channel".to_owned(), "<!channel>".to_owned()),
        ]);
        for (text, expect) in [
            ("hi @ada, @channel.", "hi <@U1>, <!channel>."),
            ("ada@ada <@ada> @adam @", "ada@ada <@ada> @adam @"),
            ("ü@ada", "ü@ada"),
            ("(@ada)", "(<@U1>)"),
        ] {
            assert_eq!(replace(text, &links), expect, "{text}");
        }
    }
}
