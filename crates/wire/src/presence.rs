//! Presence as clients see it: `active` or `away`, and the signal `presence_change`.

use std::fmt::Write as _;

use model::UserId;
use serde_json::value::RawValue;

/// People of one `presence_sub` or `presence_query`; Slack's limit.
pub const IDS_MAX: usize = 500;
/// What is wrong with more.
pub const TOO_MANY_IDS: &str = "ids: at most 500";

/// Why `ids` is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdsError {
    /// Not there, or not a list of strings.
    #[error("ids is not a list of strings")]
    NotAList,
    /// More than [`IDS_MAX`].
    #[error("ids has too many")]
    TooMany,
}

/// Reads `ids` of `presence_sub` and `presence_query`: each person once, ascending. What is no id of a person is left
/// out: there is nobody of that name whose presence could be told.
///
/// # Errors
/// [`IdsError`].
pub fn read_ids(raw: Option<&RawValue>) -> Result<Vec<UserId>, IdsError> {
    let list = raw.and_then(|raw| serde_json::from_str::<Vec<String>>(raw.get()).ok());
    let list = list.ok_or(IdsError::NotAList)?;
    if list.len() > IDS_MAX {
        return Err(IdsError::TooMany);
    }
    let mut users: Vec<UserId> = list.iter().filter_map(|id| id.parse().ok()).collect();
    users.sort_unstable();
    users.dedup();
    Ok(users)
}

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
    fn lists_of_people_are_read_or_refused() {
        let read = |text: &str| read_ids(Some(&RawValue::from_string(text.to_owned()).unwrap()));
        let id = |number: u64| UserId::from_random(number);
        assert_eq!(
            read(r#"["U000000000002","U000000000001","nobody","C000000000001","U000000000002"]"#),
            Ok(vec![id(1), id(2)])
        );
        assert_eq!(read("[]"), Ok(vec![]));
        for text in ["null", "{}", r#""U000000000001""#, "[1]", r#"["U000000000001",null]"#] {
            assert_eq!(read(text), Err(IdsError::NotAList), "{text}");
        }
        assert_eq!(read_ids(None), Err(IdsError::NotAList));
        let many = |count: u64| {
            let ids: Vec<String> = (0..count).map(|number| format!("\"{}\"", id(number))).collect();
            read(&format!("[{}]", ids.join(",")))
        };
        assert_eq!(many(500).map(|users| users.len()), Ok(500));
        assert_eq!(many(501), Err(IdsError::TooMany));
    }

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
