//! The table in `docs/api/methods.md` is the server's. `UPDATE_SNAPSHOTS=1` writes its lines anew.

use std::path::Path;

use api::methods::{Access, METHODS};
use api::rates::Tier;

fn scopes(scopes: Option<&[&str]>) -> String {
    match scopes {
        None => "–".to_owned(),
        Some([]) => "any token".to_owned(),
        Some(names) => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" "),
    }
}

fn tier(tier: Tier) -> &'static str {
    match tier {
        Tier::T1 => "1 (tier 1)",
        Tier::T2 => "20 (tier 2)",
        Tier::T3 => "50 (tier 3)",
        Tier::T4 => "100 (tier 4)",
        Tier::Post => "600, and 60 in a channel",
        Tier::Often => "600",
        Tier::Unlimited => "not limited by token",
    }
}

fn is_row(line: &str) -> bool {
    line.starts_with("| `")
}

#[test]
fn the_documented_methods_are_those_of_the_table() {
    let rows: Vec<String> = METHODS
        .iter()
        .map(|method| {
            let (bots, people) = match method.access {
                Access::Anyone => ("no token".to_owned(), "no token".to_owned()),
                Access::Token { bot, user, .. } => (scopes(bot), scopes(user)),
            };
            format!("| `{}` | {} | {bots} | {people} |", method.name, tier(method.tier))
        })
        .collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api/methods.md");
    let text = std::fs::read_to_string(&path).unwrap();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        let before = text.lines().take_while(|line| !is_row(line));
        let after = text.lines().skip_while(|line| !is_row(line)).skip_while(|line| is_row(line));
        let lines: Vec<&str> = before.chain(rows.iter().map(String::as_str)).chain(after).collect();
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        return;
    }
    assert_eq!(text.lines().filter(|line| is_row(line)).collect::<Vec<_>>(), rows);
}
