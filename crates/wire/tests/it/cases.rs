//! One of everything.

use model::{
    AppId, Bot, BotId, BotProfile, Channel, ChannelId, ChannelKind, Described, Dnd, Event, EventKind, File,
    FileId, Generation, Image, Membership, Message, MessageText, Parent, PinChange, Position, Profile,
    Reaction, ReactionChange, Replies, Role, Seq, Share, Status, Subscription, Subtype, Topic, TopicId, Ts,
    User, UserId, UserKind, UserPart, Workspace, WorkspaceId,
};

const TEAM: WorkspaceId = WorkspaceId::from_random(1);
const CHANNEL: ChannelId = ChannelId::from_random(2);
const DIRECT: ChannelId = ChannelId::direct_from_random(3);
pub(crate) const ADA: UserId = UserId::from_random(4);
const BOB: UserId = UserId::from_random(5);
const AT: i64 = 1_767_225_600_000_000;

fn ts(micros: i64) -> Ts {
    Ts::from_micros(AT + micros)
}

fn at(seq: u64) -> Position {
    Position { generation: Generation::FIRST, seq: Seq::new(seq) }
}

pub(crate) fn workspace() -> Workspace {
    Workspace { id: TEAM, name: "Engines".to_owned(), domain: "engines".to_owned(), created: AT }
}

pub(crate) fn person() -> User {
    User {
        id: ADA,
        workspace: TEAM,
        kind: UserKind::Person,
        name: "ada".to_owned(),
        real_name: "Ada Lovelace".to_owned(),
        display_name: "Ada".to_owned(),
        email: Some("ada@example.org".to_owned()),
        role: Role::Owner,
        tz: "Europe/London".to_owned(),
        locale: "en-GB".to_owned(),
        deleted: false,
        updated: AT,
        profile: Profile {
            title: "Countess".to_owned(),
            pronouns: "she/her".to_owned(),
            status: Status { text: "at the engine".to_owned(), emoji: ":gear:".to_owned(), expiration: 99 },
            ..Profile::default()
        },
        dnd: Dnd { daily: true, snooze_until: AT / 1_000_000 + 600, ..Dnd::default() },
        manual_away: false,
    }
}

pub(crate) fn bot_user() -> User {
    User {
        kind: UserKind::Bot { bot: BotId::from_random(6), app: AppId::from_random(7) },
        name: "helper".to_owned(),
        real_name: "Helper".to_owned(),
        display_name: String::new(),
        email: None,
        role: Role::Member,
        profile: Profile::default(),
        dnd: Dnd::default(),
        ..person()
    }
}

pub(crate) fn channel(kind: ChannelKind) -> Channel {
    let direct = kind == ChannelKind::Direct;
    Channel {
        id: if direct { DIRECT } else { CHANNEL },
        kind,
        name: if direct { String::new() } else { "plans".to_owned() },
        creator: ADA,
        created: AT,
        updated: AT + 1_500,
        archived: false,
        general: false,
        topic: Described { value: "a \"topic\"".to_owned(), by: Some(BOB), at: AT },
        purpose: Described::default(),
        latest: ts(20),
        member_count: 2,
        previous_names: vec!["ideas".to_owned()],
        pins: 1,
        direct_members: if kind.is_direct() { vec![ADA, BOB] } else { Vec::new() },
    }
}

pub(crate) fn membership() -> Membership {
    Membership {
        channel: CHANNEL,
        user: ADA,
        joined: at(1),
        last_read: ts(10),
        mention_count: 3,
        open: false,
    }
}

pub(crate) fn message() -> Message {
    Message {
        channel: CHANNEL,
        ts: ts(20),
        author: ADA,
        bot: None,
        subtype: None,
        text: MessageText::new("hi <@U> \u{2028} & <b>".to_owned()).unwrap(),
        blocks: None,
        attachments: None,
        metadata: None,
        files: Vec::new(),
        client_msg_id: None,
        thread: None,
        parent_author: None,
        broadcast: false,
        edited: None,
        reactions: Vec::new(),
        replies: None,
        pinned: None,
        revision: 1,
    }
}

fn full_message() -> Message {
    Message {
        blocks: Some(r#"[{"type":"section"}]"#.to_owned()),
        attachments: Some(r#"[{"fallback":"f"}]"#.to_owned()),
        metadata: Some(r#"{"event_type":"t","event_payload":{}}"#.to_owned()),
        client_msg_id: Some("00000000-0000-4000-8000-000000000001".parse().unwrap()),
        edited: Some((ADA, ts(25))),
        reactions: vec![Reaction { name: "tada".to_owned(), users: vec![ADA, BOB] }],
        thread: Some(ts(20)),
        replies: Some(replies()),
        pinned: Some((BOB, ts(26))),
        ..message()
    }
}

/// Where the server is reached.
pub(crate) const SITE: &str = "https://chat.example.org";
pub(crate) const FILE: FileId = FileId::from_random(0xf11e);

pub(crate) fn file() -> File {
    let thumbnail = |edge, width, height, format| model::Thumbnail { edge, width, height, format, bytes: 99 };
    let thumbnails =
        vec![thumbnail(64, 64, 64, model::Format::Jpeg), thumbnail(360, 360, 270, model::Format::Png)];
    File {
        id: FILE,
        owner: ADA,
        created: AT,
        updated: AT + 2_000_000,
        name: "a plan/\u{202e}é.png".to_owned(),
        title: "The plan".to_owned(),
        alt_text: "boxes and arrows".to_owned(),
        mime: "image/png".to_owned(),
        filetype: "png".to_owned(),
        snippet: false,
        size: 4_321,
        public: true,
        public_secret: Some("5ecre7".to_owned()),
        image: Some(Image { width: 640, height: 480, tiny: Some("AAAA".to_owned()), thumbnails }),
        deleted: false,
    }
}

fn snippet() -> File {
    File {
        name: "..".to_owned(),
        mime: "text/plain".to_owned(),
        filetype: "rust".to_owned(),
        snippet: true,
        public: false,
        public_secret: None,
        image: None,
        alt_text: String::new(),
        ..file()
    }
}

/// A message with a file, a snippet and a file that was deleted.
fn with_files() -> Message {
    let deleted = File { deleted: true, ..file() };
    Message { files: vec![file(), snippet(), deleted], ..with(Subtype::FileShare) }
}

pub(crate) fn shares() -> Vec<Share> {
    let share = |kind, channel: ChannelId, at, thread| Share {
        channel,
        kind,
        channel_name: if kind == ChannelKind::Direct { String::new() } else { "plans".to_owned() },
        ts: ts(at),
        user: BOB,
        thread,
    };
    let secret = ChannelId::from_random(77);
    vec![
        share(ChannelKind::Public, CHANNEL, 20, None),
        share(ChannelKind::Public, CHANNEL, 30, Some(ts(20))),
        share(ChannelKind::Private, secret, 40, None),
        share(ChannelKind::Direct, DIRECT, 50, None),
    ]
}

fn pin() -> Box<PinChange> {
    Box::new(PinChange { message: full_message(), user: BOB, pins: 1 })
}

fn subscription(active: bool) -> Subscription {
    Subscription { channel: CHANNEL, thread: ts(20), last_read: ts(21), active }
}

fn replies() -> Replies {
    Replies { count: 2, latest: ts(30), users: vec![BOB], user_count: 1 }
}

fn reply() -> Message {
    Message { ts: ts(30), author: BOB, thread: Some(ts(20)), parent_author: Some(ADA), ..message() }
}

fn with(subtype: Subtype) -> Message {
    Message { subtype: Some(subtype), text: MessageText::default(), ..message() }
}

fn bot_message() -> Message {
    let bot = Bot {
        id: BotId::from_random(6),
        app: AppId::from_random(7),
        username: Some("Deploys".to_owned()),
        icon_emoji: Some(":rocket:".to_owned()),
        icon_url: None,
        profile: Some(BotProfile { name: "Deploy bot".to_owned(), updated: 1_767_225_600 }),
    };
    Message { subtype: Some(Subtype::BotMessage), bot: Some(bot), ..message() }
}

pub(crate) fn messages() -> Vec<(&'static str, Message)> {
    vec![
        ("plain", message()),
        ("full", full_message()),
        ("reply", reply()),
        ("broadcast", Message { subtype: Some(Subtype::ThreadBroadcast), broadcast: true, ..reply() }),
        ("bot", Message { subtype: None, ..bot_message() }),
        ("bot_message", bot_message()),
        ("file_share", with_files()),
        ("me", with(Subtype::Me)),
        ("join", with(Subtype::ChannelJoin { inviter: None })),
        ("join by invitation", with(Subtype::ChannelJoin { inviter: Some(BOB) })),
        ("leave", with(Subtype::ChannelLeave)),
        ("topic", with(Subtype::ChannelTopic("new".to_owned()))),
        ("topic cleared", with(Subtype::ChannelTopic(String::new()))),
        ("purpose", with(Subtype::ChannelPurpose("new".to_owned()))),
        ("archive", with(Subtype::ChannelArchive)),
        ("tombstone", Message { subtype: Some(Subtype::Tombstone), ..full_message() }),
    ]
}

fn event(topic: TopicId, kind: EventKind) -> Event {
    Event { topic: Topic { workspace: TEAM, id: topic }, position: at(9), at: ts(50), kind }
}

pub(crate) fn events() -> Vec<(&'static str, Event)> {
    let reaction = || ReactionChange {
        channel: CHANNEL,
        ts: ts(20),
        user: BOB,
        name: "tada".to_owned(),
        item_user: ADA,
    };
    let parent = |replies| Some(Parent { ts: ts(20), replies });
    let boxed = |message: Message| Box::new(message);
    let deleted = |previous, parent, tombstone| EventKind::MessageDeleted {
        ts: ts(30),
        thread: None,
        previous,
        parent,
        tombstone,
    };
    let in_channel = TopicId::Channel(CHANNEL);
    let in_user = TopicId::User(ADA);
    let in_team = TopicId::Workspace(TEAM);
    let marked = |kind, has_unreads| EventKind::Marked {
        channel: CHANNEL,
        kind,
        ts: ts(20),
        mention_count: u64::from(has_unreads),
        has_unreads,
    };
    let joined = |kind| EventKind::Joined { channel: Box::new(channel(kind)), at: at(4) };
    let left = |kind, by| EventKind::Left { channel: CHANNEL, kind, by, at: at(5) };
    let mut all: Vec<(&str, TopicId, EventKind)> = messages()
        .into_iter()
        .map(|(name, message)| {
            (name, in_channel, EventKind::Message { message: boxed(message), parent: None })
        })
        .collect();
    all.extend([
        (
            "reply with its parent",
            in_channel,
            EventKind::Message { message: boxed(reply()), parent: parent(Some(replies())) },
        ),
        (
            "direct message",
            TopicId::Channel(DIRECT),
            EventKind::Message { message: boxed(Message { channel: DIRECT, ..message() }), parent: None },
        ),
        (
            "edit",
            in_channel,
            EventKind::MessageChanged { message: boxed(full_message()), previous: Some(boxed(message())) },
        ),
        (
            "edit in catch-up",
            in_channel,
            EventKind::MessageChanged { message: boxed(full_message()), previous: None },
        ),
        ("delete", in_channel, deleted(Some(boxed(message())), None, None)),
        ("delete of the last reply in catch-up", in_channel, deleted(None, parent(None), None)),
        (
            "delete of a parent",
            in_channel,
            deleted(None, None, Some(boxed(Message { subtype: Some(Subtype::Tombstone), ..full_message() }))),
        ),
        ("react", in_channel, EventKind::ReactionAdded(reaction())),
        ("unreact", in_channel, EventKind::ReactionRemoved(reaction())),
        (
            "member joined",
            in_channel,
            EventKind::MemberJoined { user: BOB, inviter: Some(ADA), kind: ChannelKind::Public, members: 4 },
        ),
        (
            "member left",
            in_channel,
            EventKind::MemberLeft { user: BOB, by: None, kind: ChannelKind::Private, members: 3 },
        ),
        ("group archived", in_channel, EventKind::GroupArchived { user: ADA, channel: CHANNEL }),
        ("joined public", in_user, joined(ChannelKind::Public)),
        ("joined private", in_user, joined(ChannelKind::Private)),
        ("joined direct", in_user, joined(ChannelKind::Direct)),
        ("joined group direct", in_user, joined(ChannelKind::GroupDirect)),
        ("left", in_user, left(ChannelKind::Public, None)),
        ("removed", in_user, left(ChannelKind::Private, Some(BOB))),
        ("marked", in_user, marked(ChannelKind::Public, true)),
        ("marked private", in_user, marked(ChannelKind::Private, false)),
        ("marked direct", in_user, marked(ChannelKind::Direct, false)),
        ("marked group direct", in_user, marked(ChannelKind::GroupDirect, false)),
        ("channel created", in_team, EventKind::ChannelCreated(Box::new(channel(ChannelKind::Public)))),
        ("channel archived", in_team, EventKind::ChannelArchived { user: ADA, channel: CHANNEL }),
        ("team join", in_team, EventKind::TeamJoin(Box::new(person()))),
        ("user change", in_team, EventKind::UserChange(Box::new(bot_user()), UserPart::Account)),
        ("profile change", in_team, EventKind::UserChange(Box::new(person()), UserPart::Profile)),
        ("status change", in_team, EventKind::UserChange(Box::new(person()), UserPart::Status)),
        ("channel unarchived", in_team, EventKind::ChannelUnarchived { user: ADA, channel: CHANNEL }),
        ("channel renamed", in_team, EventKind::ChannelRenamed(Box::new(channel(ChannelKind::Public)))),
        ("converted", in_team, EventKind::ChannelConvertedToPrivate { channel: CHANNEL }),
        (
            "team preference",
            in_team,
            EventKind::TeamPreferenceChanged {
                name: "who_can_post_general".to_owned(),
                value: r#""admin""#.to_owned(),
            },
        ),
        ("dnd of somebody", in_team, EventKind::DndChanged(Box::new(person()))),
        ("own dnd", in_user, EventKind::DndChanged(Box::new(person()))),
        ("group unarchived", in_channel, EventKind::GroupUnarchived { user: ADA, channel: CHANNEL }),
        ("group renamed", in_channel, EventKind::GroupRenamed(Box::new(channel(ChannelKind::Private)))),
        ("pin added", in_channel, EventKind::PinAdded(pin())),
        ("pin removed", in_channel, EventKind::PinRemoved(pin())),
        ("file shared", in_channel, EventKind::FileShared { file: FILE, user: BOB }),
        ("file unshared", in_channel, EventKind::FileUnshared { file: FILE, user: BOB }),
        ("file changed", in_channel, EventKind::FileChanged(Box::new(file()))),
        ("file public", in_channel, EventKind::FilePublic { file: FILE, user: ADA }),
        ("file deleted", in_channel, EventKind::FileDeleted { file: FILE }),
        ("file of nobody else deleted", in_user, EventKind::FileDeleted { file: FILE }),
        ("file created", in_user, EventKind::FileCreated { file: FILE, user: ADA }),
        ("opened", in_user, EventKind::Opened { channel: DIRECT, kind: ChannelKind::Direct }),
        ("closed", in_user, EventKind::Closed { channel: CHANNEL, kind: ChannelKind::GroupDirect }),
        ("followed", in_user, EventKind::ThreadFollowed(subscription(true))),
        ("not followed", in_user, EventKind::ThreadFollowed(subscription(false))),
        ("thread marked", in_user, EventKind::ThreadMarked(subscription(true))),
        (
            "preference",
            in_user,
            EventKind::PreferenceChanged { name: "time24".to_owned(), value: "true".to_owned() },
        ),
        ("away by hand", in_user, EventKind::ManualPresence { away: true }),
        ("not away by hand", in_user, EventKind::ManualPresence { away: false }),
        ("nothing", in_channel, EventKind::Nothing),
    ]);
    all.into_iter().map(|(name, topic, kind)| (name, event(topic, kind))).collect()
}
