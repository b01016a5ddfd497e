//! `docs/api/methods.md` is what the table of methods says. `UPDATE_SNAPSHOTS=1` writes it anew.

use std::{fmt::Write as _, path::Path};

use api::methods::{Access, METHODS};
use api::rates::Tier;

const HEAD: &str = "# Methods

Generated from the table in `crates/api/src/methods.rs`: `UPDATE_SNAPSHOTS=1 cargo test -p api table`.

A token needs one of the scopes. Some methods then ask for the scope that fits the kind of conversation. A browser
session may do what people may, without scopes. What is not supported of a method yet is in `errors.md`.

| method | a minute | bots | people |
|---|---|---|---|
";

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

#[test]
fn the_documented_methods_are_those_of_the_table() {
    let mut text = HEAD.to_owned();
    for method in METHODS {
        let (bots, people) = match method.access {
            Access::Anyone => ("no token".to_owned(), "no token".to_owned()),
            Access::Token { bot, user, .. } => (scopes(bot), scopes(user)),
        };
        writeln!(text, "| `{}` | {} | {bots} | {people} |", method.name, tier(method.tier)).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api/methods.md");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}
