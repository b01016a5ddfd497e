//! Snapshots: `UPDATE_SNAPSHOTS=1` writes them anew; look at the difference before it is committed.

use std::{fmt::Write as _, path::Path};

use model::ChannelKind;
use serde_json::Value;
use wire::{
    conversation::{Seen, put_conversation, put_unread},
    file::put_file,
    json::Object,
    message::{MessageView, put_message},
    team::put_team,
    user::{UserView, put_user},
};

use crate::cases;

fn check(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expect = std::fs::read_to_string(&path).unwrap();
    for (ours, expect) in text.lines().zip(expect.lines()) {
        assert_eq!(ours, expect);
    }
    assert_eq!(text.lines().count(), expect.lines().count());
}

fn object(fill: impl FnOnce(&mut Object)) -> String {
    let mut object = Object::new();
    fill(&mut object);
    let text = String::from_utf8(object.finish()).unwrap();
    serde_json::from_str::<Value>(&text).unwrap();
    text
}

#[test]
fn events_are_what_they_were() {
    let mut text = String::new();
    for (name, event) in cases::events() {
        let rendered = wire::event::render(&event, cases::SITE);
        let body = String::from_utf8(rendered.body).unwrap();
        let extra = String::from_utf8(rendered.extra).unwrap();
        writeln!(text, "{name}\n  {body}\n  {extra}").unwrap();
        for further in wire::further::further(&body, &extra) {
            serde_json::from_str::<Value>(&further).unwrap();
            writeln!(text, "  {further}").unwrap();
        }
        if body.is_empty() {
            assert_eq!(name, "nothing");
            continue;
        }
        serde_json::from_str::<Value>(&body).unwrap();
        serde_json::from_str::<Value>(&format!("{{\"t\":\"\"{extra}}}")).unwrap();
    }
    check("events.txt", &text);
}

#[test]
fn objects_are_what_they_were() {
    let mut text = String::new();
    for (name, message) in cases::messages() {
        let view = MessageView { site: cases::SITE, ..MessageView::default() };
        let object = object(|object| put_message(object, message_team(), &message, view));
        writeln!(text, "message {name}\n  {object}").unwrap();
    }
    for (name, shares) in [("shared", cases::shares()), ("unshared", Vec::new())] {
        let object =
            object(|object| put_file(object, message_team(), &cases::file(), cases::SITE, Some(&shares)));
        writeln!(text, "file {name}\n  {object}").unwrap();
    }
    for kind in [ChannelKind::Public, ChannelKind::Private, ChannelKind::Direct, ChannelKind::GroupDirect] {
        let (channel, membership) = (cases::channel(kind), cases::membership());
        let inside = object(|object| {
            put_conversation(object, message_team(), &channel, cases::ADA, Seen::ByReader(&membership));
            put_unread(object, &channel, &membership);
        });
        let outside = object(|object| {
            put_conversation(object, message_team(), &channel, cases::ADA, Seen::FromOutside)
        });
        writeln!(text, "conversation {kind:?}\n  {inside}\n  {outside}").unwrap();
    }
    for (name, user) in [("person", cases::person()), ("bot", cases::bot_user())] {
        for view in [
            UserView::default(),
            UserView { site: "https://chat.example.com", email: true, locale: true, now: 1_774_699_200 },
        ] {
            let object = object(|object| put_user(object, &user, view));
            writeln!(text, "user {name} {view:?}\n  {object}").unwrap();
        }
    }
    let team = object(|object| put_team(object, &cases::workspace(), "http://chat.example.org"));
    writeln!(text, "team\n  {team}").unwrap();
    let ephemeral =
        String::from_utf8(wire::event::render_ephemeral(message_team(), &cases::message())).unwrap();
    writeln!(text, "ephemeral\n  {ephemeral}").unwrap();
    check("objects.txt", &text);
}

#[test]
fn addresses_stay_out_of_events() {
    for (name, event) in cases::events() {
        let body = wire::event::render(&event, cases::SITE).body;
        assert!(!String::from_utf8(body).unwrap().contains("ada@example.org"), "{name}");
    }
}

fn message_team() -> model::WorkspaceId {
    cases::workspace().id
}
