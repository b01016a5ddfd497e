//! Who is asking: the authenticated caller of a method or owner of a session.

use crate::{AppId, BotId, UserId, WorkspaceId};

/// Hash of a token or session secret: what revocation names. Never the secret itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialId(pub [u8; 16]);

/// What kind of secret was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Credential {
    /// Bot token, `xoxb-…`.
    Bot,
    /// User token of an app, `xoxp-…`.
    User,
    /// App-level token, `xapp-…`.
    App,
    /// A person's own signed-in browser.
    Session,
}

/// Standing of a person in the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Everybody else.
    Member,
    /// May manage members and channels.
    Admin,
    /// May do everything.
    Owner,
    /// The owner that created the workspace.
    PrimaryOwner,
}

/// OAuth scopes of a token, sorted, without duplicates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scopes {
    /// Separated by commas: every request reads them, and looks for one or two.
    names: Box<str>,
    all: bool,
}

impl Scopes {
    /// The rights of a person at their own client: every scope.
    #[must_use]
    pub fn everything() -> Self {
        Self { names: Box::default(), all: true }
    }

    /// Reads the comma-separated form, as stored and sent.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let clean = |name: &str| !name.is_empty() && name.trim().len() == name.len();
        // As they are stored.
        if text.is_empty() || text.split(',').all(clean) && text.split(',').is_sorted_by(|a, b| a < b) {
            return Self { names: text.into(), all: false };
        }
        let mut names: Vec<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        names.sort_unstable();
        names.dedup();
        Self { names: names.join(",").into(), all: false }
    }

    /// Whether one of `wanted` is held. An empty list needs nothing.
    #[must_use]
    pub fn any_of(&self, wanted: &[&str]) -> bool {
        self.all || wanted.is_empty() || wanted.iter().any(|&name| self.has(name))
    }

    /// Whether `name` is held.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.all || !name.is_empty() && self.names.split(',').any(|held| held == name)
    }

    /// The comma-separated form.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.names.to_string()
    }
}

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The workspace that the credential is for.
    pub workspace: WorkspaceId,
    /// The person, or the bot's user. An app-level token acts as nobody.
    pub user: Option<UserId>,
    /// The bot, for bot tokens.
    pub bot: Option<BotId>,
    /// The app that the token belongs to.
    pub app: Option<AppId>,
    /// Kind of secret.
    pub credential: Credential,
    /// Which secret.
    pub credential_id: CredentialId,
    /// Standing of the person.
    pub role: Role,
    /// What the token may do.
    pub scopes: Scopes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_however_they_are_written() {
        for (text, expect) in [
            ("", ""),
            ("chat:write", "chat:write"),
            ("channels:read,chat:write", "channels:read,chat:write"),
            ("chat:write, channels:read,,chat:write ", "channels:read,chat:write"),
            (" , ", ""),
        ] {
            let scopes = Scopes::parse(text);
            assert_eq!(scopes.to_text(), expect, "{text:?}");
            assert_eq!(scopes.has("chat:write"), expect.contains("chat:write"), "{text:?}");
            assert!(!scopes.has("chat") && !scopes.has(""), "{text:?}");
        }
    }
}
