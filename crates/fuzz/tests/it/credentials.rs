//! Tokens, cookies, origins and cursors: whatever a stranger shows.

use api::auth::{CLIENT_HEADER, COOKIE, Shown, cookie};
use api::cursor::{self, Messages};
use api::origins::Origins;
use api::tokens;
use fuzz::{FLAT, fuzz, linear, text};
use http::{HeaderMap, HeaderValue, Method, header};

#[test]
fn tokens_name_a_workspace_or_none() {
    let corpus: &[&[u8]] = &[
        b"xoxb-T000000000007-aGVsbG8",
        b"xoxp-T000000000007-aGVsbG8",
        b"xoxc-T000000000007-aGVsbG8",
        b"xapp-1-A000000000009-T000000000007-aGVsbG8",
        b"T000000000007-aGVsbG8",
    ];
    fuzz("tokens", FLAT, corpus, &["xoxb-", "xapp-1-", "T000000000007", "-", "\u{e9}"], |bytes| {
        let token = text(bytes);
        let found = (tokens::workspace_of(&token), tokens::workspace_of_code(&token));
        for workspace in [found.0, found.1].into_iter().flatten() {
            // What is taken for a name of a workspace is in the text as we would write it, or in lower case.
            assert!(token.to_ascii_uppercase().contains(&workspace.to_string()), "{workspace}");
        }
        (found.0.is_some(), found.1.is_some(), token.len().min(60))
    });
}

#[test]
fn cookies_bearers_and_origins() {
    let corpus: &[&[u8]] = &[
        b"parlance_session=T000000000007-x; other=1",
        b"a=b;parlance_session=secret;parlance_session=other",
        b"Bearer xoxb-T000000000007-x",
        b"https://chat.example.org",
        b"https://chat.example.org.evil.org",
        b"null",
    ];
    let origins = Origins::new("https://chat.example.org", &["https://other.example.org:8443".to_owned()]);
    let words = ["parlance_session=", ";", "=", "Bearer ", "https://", "chat.example.org", ":443", "\t", ","];
    fuzz("cookies", FLAT, corpus, &words, |bytes| {
        let Ok(value) = HeaderValue::from_bytes(bytes) else { return (0, false, false) };
        let with = |name: header::HeaderName, origin: Option<&HeaderValue>| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.clone());
            headers.insert(CLIENT_HEADER, HeaderValue::from_static("1"));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.clone());
            }
            headers
        };
        // A page of another origin never gets a cookie to count.
        let headers = with(header::COOKIE, Some(&value));
        let as_text = value.to_str().unwrap_or("\0");
        let allowed = origins.allow(as_text);
        assert_eq!(
            allowed,
            ["https://chat.example.org", "https://other.example.org:8443"].contains(&as_text)
        );
        let shown = Shown::in_headers(&Method::POST, &headers, &origins);
        assert!(allowed || shown == Shown::Nothing, "a foreign page's cookie counts");
        let headers = with(header::COOKIE, None);
        let secret = cookie(&headers).map(str::to_owned);
        if let Some(secret) = &secret {
            assert!(!secret.contains(';') && text(bytes).contains(&format!("{COOKIE}={secret}")));
        }
        // Nor does one that is shown by anything but a POST.
        assert!(Shown::in_headers(&Method::GET, &headers, &origins) == Shown::Nothing);
        let bearer = Shown::in_headers(&Method::GET, &with(header::AUTHORIZATION, None), &origins);
        (1, secret.is_some(), bearer != Shown::Nothing)
    });
    linear(
        "cookies",
        |size| "a=b;".repeat(size).into_bytes(),
        8_000,
        |bytes| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_bytes(bytes).unwrap());
            std::hint::black_box(cookie(&headers).is_some());
        },
    );
}

#[test]
fn cursors_are_ours_or_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let before = Messages::Before(model::Ts::from_micros(1_712_345_678_000_200)).encode();
    let user = cursor::encode("user", model::UserId::from_random(7));
    let corpus: &[&[u8]] = &[before.as_bytes(), user.as_bytes(), b"bmV4dF90czox", b""];
    fuzz("cursors", FLAT, corpus, &["=", "bmV4dF90czo", "-"], |bytes| {
        let args = args_of(&runtime, &text(bytes));
        let messages = Messages::decode(&args).ok().flatten();
        if let Some(found) = messages {
            let again = args_of(&runtime, &found.encode());
            assert_eq!(Messages::decode(&again).unwrap(), Some(found));
        }
        let user = cursor::decode::<model::UserId>(&args, "user").ok().flatten();
        (messages.map(|found| matches!(found, Messages::Before(_))), user.is_some(), bytes.len().min(30))
    });
}

fn args_of(runtime: &tokio::runtime::Runtime, cursor: &str) -> api::args::Args {
    let encoded: String = cursor.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let body = http_body_util::Full::new(bytes::Bytes::new());
    let large = tokio::sync::Semaphore::new(1);
    let query = format!("cursor={encoded}");
    let headers = HeaderMap::new();
    let read = api::args::Args::read(Some(&query), &headers, body, &large);
    runtime.block_on(read).map_err(|failure| failure.code).unwrap()
}
