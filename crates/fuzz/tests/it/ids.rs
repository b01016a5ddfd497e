//! Ids, timestamps, names, keys and scopes: what is read is what is written.

use std::fmt::Display;
use std::str::FromStr;

use fuzz::{FLAT, fuzz, text};
use model::{
    AppId, BotId, ChannelId, ChannelName, ClientMsgId, JobId, MessageText, ScheduledId, Scopes, TopicId, Ts,
    UserId, WorkspaceId,
};

/// Reads a text as a type; what it means is written in one way, and read as the same again.
fn canonical<T: FromStr + Display + PartialEq + std::fmt::Debug>(text: &str) -> Option<String> {
    let value: T = text.parse().ok()?;
    let written = value.to_string();
    let again: Option<T> = written.parse().ok();
    assert_eq!(again.as_ref(), Some(&value), "{text:?} is written as {written:?}");
    Some(written)
}

#[test]
fn ids_and_timestamps() {
    let corpus: &[&[u8]] = &[
        b"C0123456789AB",
        b"D0123456789AB",
        b"U0123456789AB",
        b"T0123456789AB",
        b"1712345678.000200",
        b"1712345678",
        b"9999999999.999999",
        b"0000000000.000000",
    ];
    fuzz("ids", FLAT, corpus, &["C", "D", "U", "T", "B", "A", "Q", "J", ".", "+", "0000000000"], |bytes| {
        let text = text(bytes);
        let ids = [
            canonical::<ChannelId>(&text),
            canonical::<UserId>(&text),
            canonical::<WorkspaceId>(&text),
            canonical::<TopicId>(&text),
            canonical::<BotId>(&text),
            canonical::<AppId>(&text),
            canonical::<ScheduledId>(&text),
            canonical::<JobId>(&text),
        ];
        // There are not two ways to write one id.
        for written in ids.iter().flatten() {
            assert_eq!(written, &text);
        }
        let ts = canonical::<Ts>(&text);
        assert!(
            ts.as_ref()
                .is_none_or(|ts| ts.len() == 17 && ts.starts_with(|digit: char| digit.is_ascii_digit()))
        );
        (ids.map(|id| id.is_some()), ts.is_some(), text.len().min(20))
    });
}

#[test]
fn names_keys_scopes_and_texts() {
    let corpus: &[&[u8]] = &[
        b"general",
        b"#caf\xc3\xa9-2",
        b"0a1b2c3d-0000-4000-8000-0123456789ab",
        b"chat:write, channels:read,,chat:write",
        "\u{1f389} text".as_bytes(),
    ];
    fuzz("names", FLAT, corpus, &["#", "-", "_", ",", ":write", "\u{e9}", "\u{130}", "a\u{301}"], |bytes| {
        let source = text(bytes);
        let name = ChannelName::parse(&source);
        if let Ok(name) = &name {
            assert_eq!(ChannelName::parse(name.as_str()).as_ref(), Ok(name));
            assert!(name.as_str().chars().count() <= ChannelName::CHARS_MAX);
        }
        let key = source.parse::<ClientMsgId>().ok();
        assert!(key.as_ref().is_none_or(|key| key.as_str().eq_ignore_ascii_case(&source)));
        let scopes = Scopes::parse(&source);
        assert_eq!(Scopes::parse(&scopes.to_text()), scopes);
        let (cut, was_cut) = MessageText::cut(source.clone());
        assert!(source.starts_with(cut.as_str()) && was_cut == (cut.as_str() != source));
        assert!(MessageText::new(cut.into_string()).is_ok());
        (name.err().map(|error| error.to_string()), key.is_some(), scopes.to_text().len().min(40), was_cut)
    });
}
