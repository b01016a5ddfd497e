//! Presence as clients see it: `active` or `away`, and the signal `presence_change`.

use std::fmt::Write as _;

use model::UserId;

/// Slack's word for it.
#[must_use]
pub const fn name(active: bool) -> &'static str {
    if active { "active" } else { "away" }
}

/// `presence_change` of one person, for clients that take no others.
#[must_use]
pub fn change(user: UserId, active: bool) -> String {
    format!(r#"{{"type":"presence_change","user":"{user}","presence":"{}"}}"#, name(active))
}

/// `presence_change` of several people who are the same now, for clients that are `batch_presence_aware` and for
/// our own protocol.
#[must_use]
pub fn changes(users: &[UserId], active: bool) -> String {
    let mut text = r#"{"type":"presence_change","users":["#.to_owned();
    for (place, user) in users.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(text, r#"{comma}"{user}""#);
    }
    let _ = write!(text, r#"],"presence":"{}"}}"#, name(active));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_and_several_are_told_as_slack_does() {
        let (ada, bob) = (UserId::from_random(1), UserId::from_random(2));
        assert_eq!(
            change(ada, true),
            r#"{"type":"presence_change","user":"U000000000001","presence":"active"}"#
        );
        assert_eq!(
            changes(&[ada, bob], false),
            r#"{"type":"presence_change","users":["U000000000001","U000000000002"],"presence":"away"}"#
        );
    }
}
