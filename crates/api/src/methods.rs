//! The table of methods: name, tier, who may call with which scopes, and the file that does it.

use std::{future::Future, pin::Pin};

use model::Credential;

use crate::{call::Cx, errors::Failure, rates::Tier, reply::Reply};

mod activity_mentions;
mod admin_conversations_convert;
mod api_test;
mod auth_revoke;
mod auth_test;
mod bots_info;
mod chat_delete;
mod chat_delete_scheduled_message;
mod chat_get_permalink;
mod chat_me_message;
mod chat_post_ephemeral;
mod chat_post_message;
mod chat_schedule_message;
mod chat_scheduled_messages_list;
mod chat_update;
mod client_counts;
mod client_user_boot;
mod conversations_archive;
mod conversations_close;
mod conversations_create;
mod conversations_history;
mod conversations_info;
mod conversations_invite;
mod conversations_join;
mod conversations_kick;
mod conversations_leave;
mod conversations_list;
mod conversations_mark;
mod conversations_members;
mod conversations_open;
mod conversations_rename;
mod conversations_replies;
mod conversations_set_purpose;
mod conversations_set_topic;
mod conversations_unarchive;
mod dnd_end_dnd;
mod dnd_end_snooze;
mod dnd_info;
mod dnd_set_snooze;
mod dnd_team_info;
mod files_complete_upload_external;
mod files_delete;
mod files_get_upload_url_external;
mod files_info;
mod files_list;
mod files_public_url;
mod files_upload;
mod parlance_invite_accept;
mod parlance_invite_create;
mod parlance_invite_info;
mod parlance_journey;
mod parlance_setup;
mod parlance_signin;
mod parlance_signout;
mod parlance_status;
mod parlance_team_preferences_set;
mod pins_add;
mod pins_list;
mod pins_remove;
mod reactions_add;
mod reactions_get;
mod reactions_list;
mod reactions_remove;
mod realtime_connect;
mod rtm_connect;
mod subscriptions_thread;
mod team_info;
mod team_preferences_list;
mod users_conversations;
mod users_get_presence;
mod users_info;
mod users_list;
mod users_lookup_by_email;
mod users_photo;
mod users_prefs_get;
mod users_prefs_set;
mod users_profile_get;
mod users_profile_set;
mod users_set_active;
mod users_set_presence;

/// A method of the API.
pub struct Method {
    /// Name, `family.verb`.
    pub name: &'static str,
    /// How often an app may call it.
    pub tier: Tier,
    /// Who may call it.
    pub access: Access,
    /// What a form may bring along besides texts.
    pub form: FormFile,
    /// Does it.
    pub run: fn(Cx) -> Running,
}

/// What a form with parts may bring along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormFile {
    /// Texts only; all of it within the limit of a body.
    None,
    /// A file of any length, which goes to the disk as it comes.
    File,
    /// A picture, which goes to a process that looks at it.
    Picture,
}

/// A method under way.
pub type Running = Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send>>;

/// Who may call a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody, without a token.
    Anyone,
    /// Holders of a token with one of the scopes (of any, if there are none); `None`: not that kind of token.
    Token {
        /// Bot tokens.
        bot: Option<&'static [&'static str]>,
        /// User tokens. Browser sessions may do what people may.
        user: Option<&'static [&'static str]>,
        /// App-level tokens may call it too.
        app: bool,
    },
}

impl Access {
    /// The scopes of which a token of this kind needs one; `None`: that kind may not call.
    #[must_use]
    pub fn scopes_for(self, kind: Credential) -> Option<&'static [&'static str]> {
        match (self, kind) {
            (Self::Anyone, _) | (Self::Token { app: true, .. }, Credential::App) => Some(&[]),
            (Self::Token { bot, .. }, Credential::Bot) => bot,
            (Self::Token { user, .. }, Credential::User | Credential::Session) => user,
            (Self::Token { app: false, .. }, Credential::App) => None,
        }
    }

    /// Every scope that does, for `x-accepted-oauth-scopes`.
    #[must_use]
    pub fn accepted(self) -> String {
        let Self::Token { bot, user, .. } = self else { return String::new() };
        let mut names: Vec<&str> = bot.into_iter().chain(user).flatten().copied().collect();
        names.sort_unstable();
        names.dedup();
        names.join(",")
    }
}

/// Every scope that some method asks of a token of this kind, comma-separated: what an owner's own bot gets.
#[must_use]
pub fn every_scope(kind: Credential) -> String {
    let mut names: Vec<&str> = METHODS
        .iter()
        .filter_map(|method| method.access.scopes_for(kind))
        .flatten()
        .chain(crate::scopes::FURTHER)
        .copied()
        .collect();
    names.sort_unstable();
    names.dedup();
    names.join(",")
}

const ANYONE: Access = Access::Anyone;

/// Tokens of people and bots with one of these scopes.
const fn both(scopes: &'static [&'static str]) -> Access {
    Access::Token { bot: Some(scopes), user: Some(scopes), app: false }
}

/// Bots and people with different scopes.
const fn each(bot: &'static [&'static str], user: &'static [&'static str]) -> Access {
    Access::Token { bot: Some(bot), user: Some(user), app: false }
}

/// People only: their browser, or a token that may do everything they can.
const PERSON: Access = Access::Token { bot: None, user: Some(&["client"]), app: false };

/// People only, with one of these scopes when an app acts for them.
const fn person(scopes: &'static [&'static str]) -> Access {
    Access::Token { bot: None, user: Some(scopes), app: false }
}

const ADMIN_CONVERSATIONS: Access = person(&["admin.conversations:write"]);

const READ: &[&str] = &["channels:read", "groups:read", "im:read", "mpim:read"];
const HISTORY: &[&str] = &["channels:history", "groups:history", "im:history", "mpim:history"];
const MANAGE: &[&str] = &["channels:manage", "channels:write", "groups:write", "im:write", "mpim:write"];
const TOPIC: &[&str] = &[
    "channels:manage",
    "channels:write",
    "channels:write.topic",
    "groups:write",
    "groups:write.topic",
    "im:write",
    "im:write.topic",
    "mpim:write",
    "mpim:write.topic",
];
const INVITE: &[&str] = &[
    "channels:manage",
    "channels:write",
    "channels:write.invites",
    "groups:write",
    "groups:write.invites",
    "im:write",
    "mpim:write",
];
const REALTIME: &[&str] = &["rtm:stream", "client", "bot"];

/// The two methods whose forms have more than texts in them.
const fn form(name: &str) -> FormFile {
    match name.as_bytes() {
        b"files.upload" => FormFile::File,
        b"users.setPhoto" => FormFile::Picture,
        _ => FormFile::None,
    }
}

macro_rules! table {
    ($($name:literal $tier:ident $access:expr, $file:ident::$run:ident;)*) => {
        &[$(Method {
            name: $name,
            tier: Tier::$tier,
            access: $access,
            form: form($name),
            run: |cx| Box::pin($file::$run(cx)),
        },)*]
    };
}

/// Every method.
pub static METHODS: &[Method] = table! {
    "activity.mentions" T3 PERSON, activity_mentions::run;
    "admin.conversations.convertToPrivate" T2 ADMIN_CONVERSATIONS, admin_conversations_convert::to_private;
    "admin.conversations.convertToPublic" T2 ADMIN_CONVERSATIONS, admin_conversations_convert::to_public;
    "api.test" Unlimited ANYONE, api_test::run;
    "auth.revoke" T3 both(&[]), auth_revoke::run;
    "auth.test" Often Access::Token { bot: Some(&[]), user: Some(&[]), app: true }, auth_test::run;
    "bots.info" T3 both(&["users:read"]), bots_info::run;
    "chat.delete" T3 both(&["chat:write"]), chat_delete::run;
    "chat.deleteScheduledMessage" T3 both(&["chat:write"]), chat_delete_scheduled_message::run;
    "chat.getPermalink" Often both(&[]), chat_get_permalink::run;
    "chat.meMessage" T3 both(&["chat:write"]), chat_me_message::run;
    "chat.postEphemeral" T4 both(&["chat:write"]), chat_post_ephemeral::run;
    "chat.postMessage" Post both(&["chat:write"]), chat_post_message::run;
    "chat.scheduleMessage" T3 both(&["chat:write"]), chat_schedule_message::run;
    "chat.scheduledMessages.list" T3 both(&[]), chat_scheduled_messages_list::run;
    "chat.update" T3 both(&["chat:write"]), chat_update::run;
    "client.counts" T3 PERSON, client_counts::run;
    "client.userBoot" T3 PERSON, client_user_boot::run;
    "conversations.archive" T2 both(MANAGE), conversations_archive::run;
    "conversations.close" T2 both(MANAGE), conversations_close::run;
    "conversations.create" T2 both(MANAGE), conversations_create::run;
    "conversations.history" T3 both(HISTORY), conversations_history::run;
    "conversations.info" T3 both(READ), conversations_info::run;
    "conversations.invite" T3 both(INVITE), conversations_invite::run;
    "conversations.join" T3 each(&["channels:join"], &["channels:write"]), conversations_join::run;
    "conversations.kick" T3 both(&["channels:manage", "channels:write", "groups:write"]), conversations_kick::run;
    "conversations.leave" T3 both(MANAGE), conversations_leave::run;
    "conversations.list" T2 both(READ), conversations_list::run;
    "conversations.mark" T3 both(MANAGE), conversations_mark::run;
    "conversations.members" T4 both(READ), conversations_members::run;
    "conversations.open" T3 both(MANAGE), conversations_open::run;
    "conversations.rename" T2 both(MANAGE), conversations_rename::run;
    "conversations.replies" T3 both(HISTORY), conversations_replies::run;
    "conversations.setPurpose" T2 both(TOPIC), conversations_set_purpose::run;
    "conversations.setTopic" T2 both(TOPIC), conversations_set_topic::run;
    "conversations.unarchive" T2 both(MANAGE), conversations_unarchive::run;
    "dnd.endDnd" T2 person(&["dnd:write"]), dnd_end_dnd::run;
    "dnd.endSnooze" T2 person(&["dnd:write"]), dnd_end_snooze::run;
    "dnd.info" T3 both(&["dnd:read"]), dnd_info::run;
    "dnd.setSnooze" T2 person(&["dnd:write"]), dnd_set_snooze::run;
    "dnd.teamInfo" T2 both(&["dnd:read"]), dnd_team_info::run;
    "files.completeUploadExternal" T4 both(&["files:write"]), files_complete_upload_external::run;
    "files.delete" T3 both(&["files:write"]), files_delete::run;
    "files.getUploadURLExternal" T4 both(&["files:write"]), files_get_upload_url_external::run;
    "files.info" T4 both(&["files:read"]), files_info::run;
    "files.list" T3 both(&["files:read"]), files_list::run;
    "files.revokePublicURL" T3 person(&["files:write"]), files_public_url::revoke;
    "files.sharedPublicURL" T3 person(&["files:write"]), files_public_url::share;
    "files.upload" T2 both(&["files:write"]), files_upload::run;
    "parlance.invite.accept" Unlimited ANYONE, parlance_invite_accept::run;
    "parlance.invite.create" T2 PERSON, parlance_invite_create::run;
    "parlance.invite.info" Unlimited ANYONE, parlance_invite_info::run;
    "parlance.journey" T3 PERSON, parlance_journey::run;
    "parlance.setup" Unlimited ANYONE, parlance_setup::run;
    "parlance.signin" Unlimited ANYONE, parlance_signin::run;
    "parlance.signout" T3 PERSON, parlance_signout::run;
    "parlance.status" Unlimited ANYONE, parlance_status::run;
    "parlance.team.setPreferences" T2 PERSON, parlance_team_preferences_set::run;
    "pins.add" T2 both(&["pins:write"]), pins_add::run;
    "pins.list" T2 both(&["pins:read"]), pins_list::run;
    "pins.remove" T2 both(&["pins:write"]), pins_remove::run;
    "presence.set" T2 PERSON, users_set_presence::by_client;
    "reactions.add" T3 both(&["reactions:write"]), reactions_add::run;
    "reactions.get" T3 both(&["reactions:read"]), reactions_get::run;
    "reactions.list" T2 both(&["reactions:read"]), reactions_list::run;
    "reactions.remove" T2 both(&["reactions:write"]), reactions_remove::run;
    "realtime.connect" T3 both(REALTIME), realtime_connect::run;
    "rtm.connect" T1 both(REALTIME), rtm_connect::run;
    "subscriptions.thread.add" T3 PERSON, subscriptions_thread::add;
    "subscriptions.thread.get" T3 PERSON, subscriptions_thread::get;
    "subscriptions.thread.getView" T3 PERSON, subscriptions_thread::get_view;
    "subscriptions.thread.mark" T3 PERSON, subscriptions_thread::mark;
    "subscriptions.thread.remove" T3 PERSON, subscriptions_thread::remove;
    "team.info" T3 both(&["team:read"]), team_info::run;
    "team.preferences.list" T3 both(&["team.preferences:read"]), team_preferences_list::run;
    "users.conversations" T3 both(READ), users_conversations::run;
    "users.deletePhoto" T2 person(&["users.profile:write"]), users_photo::delete;
    "users.getPresence" T3 both(&["users:read"]), users_get_presence::run;
    "users.info" T4 both(&["users:read"]), users_info::run;
    "users.list" T2 both(&["users:read"]), users_list::run;
    "users.lookupByEmail" T3 both(&["users:read.email"]), users_lookup_by_email::run;
    "users.prefs.get" T3 PERSON, users_prefs_get::run;
    "users.prefs.set" T3 PERSON, users_prefs_set::run;
    "users.profile.get" T4 both(&["users.profile:read"]), users_profile_get::run;
    "users.profile.set" T3 person(&["users.profile:write"]), users_profile_set::run;
    "users.setActive" T2 both(&["users:write"]), users_set_active::run;
    "users.setPhoto" T2 person(&["users.profile:write"]), users_photo::set;
    "users.setPresence" T2 both(&["users:write"]), users_set_presence::run;
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_in_the_table_once() {
        assert!(METHODS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn people_may_do_what_bots_may() {
        for method in METHODS {
            assert!(
                method.access.scopes_for(Credential::User).is_some(),
                "{} is for nobody's client",
                method.name
            );
        }
    }

    #[test]
    fn only_the_methods_of_apps_take_app_level_tokens() {
        let for_apps = METHODS.iter().filter(|method| {
            method.access != Access::Anyone && method.access.scopes_for(Credential::App).is_some()
        });
        assert_eq!(for_apps.map(|method| method.name).collect::<Vec<_>>(), ["auth.test"]);
    }
}
