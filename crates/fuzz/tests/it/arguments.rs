//! Arguments of the Web API from query, form, multipart and JSON.

use std::cell::RefCell;

use api::args::Args;
use bytes::Bytes;
use fuzz::{TREES, fuzz, linear, text};
use http::{HeaderMap, header};
use http_body_util::Full;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

const KINDS: [&str; 4] = [
    "application/x-www-form-urlencoded",
    "application/json; charset=utf-8",
    "multipart/form-data; boundary=b",
    "multipart/form-data; boundary=\"--------------------------974767299852498929531610575\"",
];

const WORDS: &[&str] = &[
    "&",
    "=",
    "%",
    "%00",
    "%F0%9F%8E%89",
    "+",
    "\"text\":",
    "[\"a\",1]",
    "{",
    "null",
    "--b\r\n",
    "--b--\r\n",
    "Content-Disposition: form-data; name=\"text\"\r\n\r\n",
    "; filename=\"x\"",
    "channel",
    "limit=1.0",
    "token=xoxb-",
];

/// Reads a body as a kind; how it went and what each reader makes of the arguments.
fn read(runtime: &Runtime, kind: &'static str, query: Option<&str>, body: &[u8]) -> (String, Vec<bool>) {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
    let body = Full::new(Bytes::copy_from_slice(body));
    let large = Semaphore::new(1);
    let args = match runtime.block_on(Args::read(query, &headers, body, &large)) {
        Err(failure) => return (failure.code.into_owned(), Vec::new()),
        Ok(args) => args,
    };
    assert_eq!(large.available_permits(), 1);
    let mut ways = Vec::new();
    for name in ["text", "channel", "limit", "blocks"] {
        ways.push(args.text(name).is_ok_and(|text| text.is_some()));
        ways.push(args.flag(name).is_ok());
        ways.push(args.integer(name, "invalid_limit").is_ok_and(|number| number.is_some()));
        ways.push(args.list(name).is_ok_and(|list| !list.is_empty()));
        ways.push(args.json(name).is_some());
        let prose = args.prose(name).ok().flatten().unwrap_or_default();
        assert!(!prose.contains('\0'));
    }
    let echo = args.echo();
    assert!(echo.is_sorted() && echo.iter().all(|(name, _)| *name != "token"));
    ways.push(args.token.is_some());
    (String::new(), ways)
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn bodies_and_queries() {
    let parts: &[u8] =
        b"--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nhi\r\n--b\r\nContent-Disposition: \
        form-data; name=\"f\"; filename=\"x\"\r\nContent-Type: text/plain\r\n\r\nbytes\r\n--b--\r\n";
    let corpus: &[&[u8]] = &[
        b"channel=C000000000001&text=%2Abold%2A+%3C%40U000%3E&limit=5&token=xoxb-T-1",
        br#"{"channel":"C000000000001","text":"h\u00e9","limit":5,"blocks":[{"type":"divider"}],"x":null}"#,
        parts,
        b"limit=true&blocks=%5B1%2C2%5D&channel=a,b,,c",
        br#"{"limit":"2.0","channel":["a",1],"text":{"a":1}}"#,
    ];
    let runtime = runtime();
    let runs = RefCell::new(0_usize);
    fuzz("arguments", TREES, corpus, WORDS, |bytes| {
        *runs.borrow_mut() += 1;
        let query = text(bytes);
        let each = KINDS.map(|kind| read(&runtime, kind, None, bytes));
        (each, read(&runtime, KINDS[0], Some(&query), b""))
    });
    assert!(runs.into_inner() > corpus.len());
}

#[test]
fn what_a_form_says_is_what_is_read() {
    let runtime = runtime();
    fuzz(
        "forms",
        TREES,
        &[b"plain", "h\u{e9} & = + % \u{1f389}".as_bytes()],
        &["%", "&", "=", "+"],
        |bytes| {
            let value = text(bytes);
            let encoded: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let json = serde_json::json!({ "text": value }).to_string();
            for (kind, body) in [(KINDS[0], format!("text={encoded}")), (KINDS[1], json)] {
                let mut headers = HeaderMap::new();
                headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
                let large = Semaphore::new(1);
                let read = Args::read(None, &headers, Full::new(Bytes::from(body)), &large);
                let args = runtime.block_on(read).map_err(|failure| failure.code).unwrap();
                assert_eq!(args.text("text").unwrap().as_deref(), Some(value.as_str()), "{kind}");
            }
            (value.len().min(32), value.contains('\u{fffd}'), value.contains('%'))
        },
    );
}

#[test]
fn hostile_bodies_take_no_longer_than_their_length() {
    let runtime = runtime();
    let shapes: [(&str, usize, &str, &str); 11] = [
        ("fields", 0, "", "a=1&"),
        ("different fields", 0, "", "a=1&bb=2&"),
        ("escapes", 0, "text=", "%41"),
        ("separators", 0, "", "&="),
        ("members", 1, "{\"a\":1", ",\"a\":1"),
        ("nested", 1, "{\"a\":", "["),
        ("escapes of JSON", 1, "{\"text\":\"", "\\u00e9"),
        ("boundaries", 2, "", "--b\r\n"),
        ("parts", 2, "", "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n"),
        ("headers of a part", 2, "--b\r\n", "A: b\r\n"),
        ("almost boundaries", 2, "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n", "\r\n--"),
    ];
    for (name, kind, before, piece) in shapes {
        let size_max = (900 << 10) / piece.len();
        linear(
            name,
            |size| [before, &piece.repeat(size)].concat().into_bytes(),
            size_max,
            |body| {
                std::hint::black_box(read(&runtime, KINDS[kind], None, body));
            },
        );
    }
}
