//! Workspaces, people and bots.

use crate::{AppId, BotId, Micros, Role, UserId, WorkspaceId};

/// A workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// Display name.
    pub name: String,
    /// Lower-case name in addresses.
    pub domain: String,
    /// When it was created.
    pub created: Micros,
}

/// Person or bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserKind {
    /// Somebody with an account.
    Person,
    /// The user that a bot acts as.
    Bot {
        /// The bot.
        bot: BotId,
        /// Its app.
        app: AppId,
    },
}

/// A person or a bot's user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// Person or bot.
    pub kind: UserKind,
    /// Handle, lower case, unique in the workspace.
    pub name: String,
    /// Full name.
    pub real_name: String,
    /// Chosen short name, may be empty.
    pub display_name: String,
    /// Address; bots have none.
    pub email: Option<String>,
    /// Standing.
    pub role: Role,
    /// IANA time zone, for example `Europe/Berlin`.
    pub tz: String,
    /// Language, for example `en-US`.
    pub locale: String,
    /// Deactivated.
    pub deleted: bool,
    /// Last change.
    pub updated: Micros,
}
