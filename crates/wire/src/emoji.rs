//! Names of emoji: the short names that Slack uses, as `emojibase-data` (MIT) lists them.

use std::{collections::HashSet, sync::LazyLock};

/// One name a line, sorted, without skin tones.
static NAMES: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("emoji_names.txt").lines().collect());

/// Whether an emoji has this short name, perhaps with a skin tone: `wave`, `wave::skin-tone-3`.
#[must_use]
pub fn is_name(name: &str) -> bool {
    match name.split_once("::skin-tone-") {
        Some((plain, tone)) => matches!(tone, "2" | "3" | "4" | "5" | "6") && NAMES.contains(plain),
        None => NAMES.contains(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slacks_names_are_names() {
        for name in ["+1", "thumbsup", "tada", "wave::skin-tone-3", "flag-de", "white_check_mark"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "no_such_emoji", "Tada", ":tada:", "wave::skin-tone-9", "wave::", "::skin-tone-2"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
