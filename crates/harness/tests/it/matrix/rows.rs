//! How each method is called, and what must come of it.

/// How a method is called.
#[derive(Clone, Copy)]
pub(super) struct Row {
    /// What it is about.
    pub(super) about: About,
    /// Its arguments, with words that stand for something: see [`super::words::Words`].
    pub(super) arguments: &'static [(&'static str, &'static str)],
    /// The code for what is not there, or may not be known to be.
    pub(super) refused: &'static str,
    /// What those get instead who are no admins, where only admins are told.
    pub(super) unless_admin: Option<&'static str>,
    /// What somebody gets who may: `ok`, or the one code that says that the arguments were understood.
    pub(super) member: &'static str,
}

/// What a method is about.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum About {
    /// A conversation: `CHANNEL` (and `TS` in it) stand for one that the caller may not know of.
    Channel,
    /// A person or bot: `USER` and `BOT` stand for somebody of the first workspace.
    Person,
    /// The caller, or what everybody in the workspace may know.
    Own,
    /// It ends what it is called with: called only by who may not call it at all.
    Ends,
    /// Needs no token.
    Anyone,
}

type Arguments = &'static [(&'static str, &'static str)];

const fn channel(arguments: Arguments) -> Row {
    Row { about: About::Channel, arguments, unless_admin: None, refused: "channel_not_found", member: "ok" }
}

const fn person(arguments: Arguments) -> Row {
    Row { about: About::Person, arguments, unless_admin: None, refused: "user_not_found", member: "ok" }
}

const fn own(arguments: Arguments) -> Row {
    Row { about: About::Own, arguments, unless_admin: None, refused: "", member: "ok" }
}

impl Row {
    const fn refused(self, refused: &'static str) -> Row {
        Row { refused, ..self }
    }

    const fn for_admins(self, refused: &'static str) -> Row {
        Row { unless_admin: Some(refused), ..self }
    }

    const fn member(self, member: &'static str) -> Row {
        Row { member, ..self }
    }
}

const CHANNEL: Row = channel(&[("channel", "CHANNEL")]);
const MESSAGE: Row = channel(&[("channel", "CHANNEL"), ("ts", "TS")]);
const TIMESTAMP: Row = channel(&[("channel", "CHANNEL"), ("timestamp", "TS")]);
const REACTION: Row = channel(&[("channel", "CHANNEL"), ("timestamp", "TS"), ("name", "wave")]);
const THREAD: Row = channel(&[("channel", "CHANNEL"), ("thread_ts", "TS"), ("ts", "TS")]);
const LIST: Row = own(&[("types", "public_channel,private_channel,mpim,im"), ("limit", "1000")]);

/// The row of a method; a method without one fails the test.
pub(super) fn row(method: &str) -> Option<Row> {
    Some(match method {
        // The channel is private already.
        "admin.conversations.convertToPrivate" => channel(&[("channel_id", "CHANNEL")])
            .for_admins("not_an_admin")
            .member("could_not_convert_channel"),
        "admin.conversations.convertToPublic" => {
            channel(&[("channel_id", "CHANNEL")]).for_admins("not_an_admin")
        }
        "api.test"
        | "parlance.invite.accept"
        | "parlance.invite.info"
        | "parlance.setup"
        | "parlance.signin"
        | "parlance.status" => Row { about: About::Anyone, ..own(&[]) },
        "auth.revoke" => own(&[("test", "true")]),
        "activity.mentions"
        | "auth.test"
        | "users.setActive"
        | "client.counts"
        | "client.userBoot"
        | "realtime.connect"
        | "rtm.connect"
        | "subscriptions.thread.getView"
        | "team.info"
        | "team.preferences.list"
        | "users.list"
        | "users.prefs.get"
        | "chat.scheduledMessages.list" => own(&[]),
        "bots.info" => person(&[("bot", "BOT")]).refused("bot_not_found"),
        "chat.delete" => MESSAGE,
        "chat.deleteScheduledMessage" => {
            channel(&[("channel", "CHANNEL"), ("scheduled_message_id", "Q000000000000")])
                .member("invalid_scheduled_message_id")
        }
        "chat.getPermalink" => channel(&[("channel", "CHANNEL"), ("message_ts", "TS")]),
        "chat.meMessage" | "chat.postMessage" => channel(&[("channel", "CHANNEL"), ("text", "hello")]),
        "chat.postEphemeral" => channel(&[("channel", "CHANNEL"), ("text", "hello"), ("user", "USER")]),
        "chat.scheduleMessage" => channel(&[("channel", "CHANNEL"), ("text", "hello"), ("post_at", "LATER")]),
        "chat.update" => channel(&[("channel", "CHANNEL"), ("ts", "TS"), ("text", "mine")]),
        "conversations.archive"
        | "conversations.history"
        | "conversations.info"
        | "conversations.leave"
        | "conversations.join"
        | "conversations.members"
        | "pins.list" => CHANNEL,
        // Those are for DMs.
        "conversations.close" | "conversations.open" => {
            CHANNEL.member("method_not_supported_for_channel_type")
        }
        "conversations.unarchive" => CHANNEL.member("not_archived"),
        "conversations.create" => own(&[("name", "general")]).member("name_taken"),
        "conversations.invite" => {
            channel(&[("channel", "CHANNEL"), ("users", "USER")]).member("already_in_channel")
        }
        "conversations.kick" => channel(&[("channel", "CHANNEL"), ("user", "USER")]),
        "conversations.list" | "users.conversations" => LIST,
        "conversations.mark" | "conversations.replies" => MESSAGE,
        "conversations.rename" => channel(&[("channel", "CHANNEL"), ("name", "NEW")]),
        "conversations.setPurpose" => channel(&[("channel", "CHANNEL"), ("purpose", "x")]),
        "conversations.setTopic" => channel(&[("channel", "CHANNEL"), ("topic", "x")]),
        "dnd.endDnd" => own(&[]).member("not_in_dnd"),
        "dnd.endSnooze" => own(&[]).member("snooze_end_failed"),
        "dnd.info" | "users.getPresence" | "users.info" | "users.profile.get" | "reactions.list" => {
            person(&[("user", "USER")])
        }
        "dnd.setSnooze" => own(&[("num_minutes", "1")]),
        "dnd.teamInfo" => person(&[("users", "USER")]).refused("ok"),
        "files.completeUploadExternal" => channel(&[("channel_id", "CHANNEL"), ("files", "FILES")])
            .refused("file_not_found")
            // It is complete.
            .member("file_not_found"),
        "files.delete" | "files.info" | "files.revokePublicURL" | "files.sharedPublicURL" => {
            channel(&[("file", "FILE")]).refused("file_not_found")
        }
        "files.getUploadURLExternal" => own(&[("filename", "a.txt"), ("length", "5")]),
        "files.list" => channel(&[("channel", "CHANNEL")]),
        "files.upload" => channel(&[("channels", "CHANNEL"), ("content", "x")]),
        "parlance.invite.create" => own(&[]),
        "parlance.journey" => MESSAGE,
        "parlance.signout" => Row { about: About::Ends, ..own(&[]) },
        "parlance.team.setPreferences" => own(&[("name", "who_can_invite"), ("value", "admin")]),
        "pins.add" | "reactions.get" => TIMESTAMP,
        "pins.remove" => TIMESTAMP.member("no_pin"),
        "presence.set" | "users.setPresence" => own(&[("presence", "away")]),
        "reactions.add" => REACTION,
        "reactions.remove" => REACTION.member("no_reaction"),
        "subscriptions.thread.add" | "subscriptions.thread.get" | "subscriptions.thread.remove" => THREAD,
        "subscriptions.thread.mark" => THREAD.member("not_subscribed"),
        "users.lookupByEmail" => person(&[("email", "EMAIL")]).refused("users_not_found"),
        "users.prefs.set" => own(&[("name", "time24"), ("value", "true")]),
        "users.deletePhoto" => own(&[]),
        // The picture comes with a form.
        "users.setPhoto" => own(&[]).member("bad_image"),
        "users.profile.set" => own(&[("name", "title"), ("value", "x")]),
        _ => return None,
    })
}
