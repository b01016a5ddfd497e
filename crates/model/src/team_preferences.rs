//! What the owners of a workspace have decided for everybody in it.

use serde_json::Value;

use crate::Role;

/// Who may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// Everybody.
    Everyone,
    /// Admins and owners.
    Admins,
    /// Owners.
    Owners,
}

impl Who {
    /// Whether somebody of this standing may.
    #[must_use]
    pub fn includes(self, role: Role) -> bool {
        match self {
            Self::Everyone => true,
            Self::Admins => role >= Role::Admin,
            Self::Owners => role >= Role::Owner,
        }
    }

    /// Slack's word for it: `regular`, `admin`, `owner`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Everyone => "regular",
            Self::Admins => "admin",
            Self::Owners => "owner",
        }
    }

    /// Reads a word. `ra` (guests too) and `everyone` mean everybody: there are no guests yet.
    fn read(value: &Value) -> Option<Self> {
        match value.as_str()? {
            "regular" | "ra" | "everyone" => Some(Self::Everyone),
            "admin" => Some(Self::Admins),
            "owner" => Some(Self::Owners),
            _ => None,
        }
    }
}

/// A workspace's preferences; the default is what holds where nobody has decided. Names are Slack's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamPreferences {
    /// `who_can_post_general`: say something in the channel that everybody is in.
    pub post_general: Who,
    /// `who_can_at_channel`: mention everybody in a channel. Who may not can write it, and nobody is told.
    pub mention_everyone: Who,
    /// `who_can_create_channels`
    pub create_public: Who,
    /// `who_can_create_groups`: private channels.
    pub create_private: Who,
    /// `who_can_archive_channels`: archive, and take back from the archive.
    pub archive: Who,
    /// `who_can_kick_channels`: remove somebody from a public channel. Who made it may always.
    pub kick_public: Who,
    /// `who_can_kick_groups`: remove somebody from a private channel. Who made it may always.
    pub kick_private: Who,
    /// `who_can_invite`: invite people to the workspace (ours; Slack has `invites_only_admins`).
    pub invite: Who,
    /// `msg_edit_window_mins`: minutes in which a message can be edited; −1: for ever, 0: never.
    pub edit_window_min: i64,
    /// `allow_message_deletion`: people may delete what they wrote. Admins may delete everything.
    pub allow_deletion: bool,
}

impl Default for TeamPreferences {
    fn default() -> Self {
        Self {
            post_general: Who::Everyone,
            mention_everyone: Who::Everyone,
            create_public: Who::Everyone,
            create_private: Who::Everyone,
            archive: Who::Everyone,
            kick_public: Who::Admins,
            kick_private: Who::Everyone,
            invite: Who::Admins,
            edit_window_min: -1,
            allow_deletion: true,
        }
    }
}

/// Longest edit window, minutes: 30 days. Nobody edits older messages and means it.
const EDIT_WINDOW_MAX: i64 = 30 * 24 * 60;

impl TeamPreferences {
    /// Sets one by its name. `false`: there is none of this name, or it cannot be that.
    #[must_use]
    pub fn set(&mut self, name: &str, value: &Value) -> bool {
        match name {
            "msg_edit_window_mins" => {
                let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
                let number = number.filter(|minutes| (-1..=EDIT_WINDOW_MAX).contains(minutes));
                number.map(|minutes| self.edit_window_min = minutes).is_some()
            }
            "allow_message_deletion" => {
                let flag = match value.as_str() {
                    Some("true" | "1") => Some(true),
                    Some("false" | "0") => Some(false),
                    _ => value.as_bool(),
                };
                flag.map(|flag| self.allow_deletion = flag).is_some()
            }
            _ => {
                let (Some(who), Some(place)) = (Who::read(value), self.who(name)) else { return false };
                *place = who;
                true
            }
        }
    }

    fn who(&mut self, name: &str) -> Option<&mut Who> {
        Some(match name {
            "who_can_post_general" => &mut self.post_general,
            "who_can_at_channel" => &mut self.mention_everyone,
            "who_can_create_channels" => &mut self.create_public,
            "who_can_create_groups" => &mut self.create_private,
            "who_can_archive_channels" => &mut self.archive,
            "who_can_kick_channels" => &mut self.kick_public,
            "who_can_kick_groups" => &mut self.kick_private,
            "who_can_invite" => &mut self.invite,
            _ => return None,
        })
    }

    /// All of them by name, as JSON.
    #[must_use]
    pub fn values(&self) -> [(&'static str, Value); 10] {
        let who = |who: Who| Value::from(who.name());
        [
            ("allow_message_deletion", Value::from(self.allow_deletion)),
            ("msg_edit_window_mins", Value::from(self.edit_window_min)),
            ("who_can_archive_channels", who(self.archive)),
            ("who_can_at_channel", who(self.mention_everyone)),
            ("who_can_create_channels", who(self.create_public)),
            ("who_can_create_groups", who(self.create_private)),
            ("who_can_invite", who(self.invite)),
            ("who_can_kick_channels", who(self.kick_public)),
            ("who_can_kick_groups", who(self.kick_private)),
            ("who_can_post_general", who(self.post_general)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_as_what_it_was() {
        let mut odd =
            TeamPreferences { edit_window_min: 5, allow_deletion: false, ..TeamPreferences::default() };
        (odd.post_general, odd.kick_private, odd.invite) = (Who::Owners, Who::Admins, Who::Everyone);
        let mut again = TeamPreferences::default();
        for (name, value) in odd.values() {
            assert!(again.set(name, &value), "{name}");
        }
        assert_eq!(again, odd);
    }

    #[test]
    fn what_cannot_be_changes_nothing() {
        let mut preferences = TeamPreferences::default();
        for (name, value) in [
            ("who_can_dance", json!("admin")),
            ("who_can_post_general", json!("nobody")),
            ("who_can_post_general", json!(1)),
            ("msg_edit_window_mins", json!(-2)),
            ("msg_edit_window_mins", json!(43_201)),
            ("msg_edit_window_mins", json!("soon")),
            ("allow_message_deletion", json!("perhaps")),
        ] {
            assert!(!preferences.set(name, &value), "{name} {value}");
        }
        assert_eq!(preferences, TeamPreferences::default());
    }

    #[test]
    fn who_may_is_by_standing() {
        let may = |who: Who| {
            [Role::Member, Role::Admin, Role::Owner, Role::PrimaryOwner].map(|role| who.includes(role))
        };
        assert_eq!(may(Who::Everyone), [true; 4]);
        assert_eq!(may(Who::Admins), [false, true, true, true]);
        assert_eq!(may(Who::Owners), [false, false, true, true]);
    }
}
