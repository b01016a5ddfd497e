//! Bytes that no client sends, at the real listener (fault 33 of the matrix). The decoders are fuzzed where they are; this
//! is about what is around them: no connection, permit or byte of memory stays behind, and the others notice nothing.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, stream};
use harness::sandbox::{Options, Sandbox};
use harness::socket::{Socket, boot_positions, ticket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{at_work, long, no_panic, resident_kib};
use crate::campaign::DELIVER_WITHIN;
use crate::load::Random;

/// Connections at once.
const AT_ONCE: usize = 32;
/// How long the server may take to answer or close once the client has said its last.
const ENDS_WITHIN: Duration = Duration::from_secs(20);
const MEMORY_KIB_MAX: u64 = 96 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_requests_and_frames_leave_nothing_behind() -> Result<()> {
    let seed = getrandom::u64()?;
    println!("seed {seed}");
    let mut random = Random(seed | 1);
    let (server, mut campaign) = at_work(Options::default()).await?;
    let corpus = corpus(&server);
    let before_kib = resident_kib(&server)?;
    let count = if long() { 40_000 } else { 2_000 };
    let requests: Vec<Vec<u8>> = (0..count).map(|n| mutate(&corpus[n % corpus.len()], &mut random)).collect();
    let address = server.address().to_owned();
    let sent = stream::iter(requests).map(|bytes| {
        let address = address.clone();
        async move { exchange(&address, &bytes).await }
    });
    let answers: Vec<Result<u16>> = campaign.during(sent.buffer_unordered(AT_ONCE).collect()).await?;
    let answers = answers.into_iter().collect::<Result<Vec<u16>>>()?;
    let count_of = |status: u16| answers.iter().filter(|answer| **answer == status).count();
    let [good, bad, none] = [200, 400, 0].map(count_of);
    println!("{count} requests: 200 to {good}, 400 to {bad}, no answer to {none}");
    ensure!(
        answers.iter().all(|status| *status < 500),
        "a malformed request is the client's fault: {answers:?}"
    );
    ensure!(bad > 0 && good > 0, "they all went the same way");

    let frames = count / 10;
    for n in 0..frames {
        frames_of_nobody(&server, n, &mut random).await.with_context(|| format!("connection {n}"))?;
    }
    let after_kib = resident_kib(&server)?;
    println!(
        "{frames} WebSockets with malformed frames; {before_kib} KiB resident before, {after_kib} after"
    );
    ensure!(after_kib < before_kib + MEMORY_KIB_MAX, "{after_kib} KiB after {before_kib}");
    no_panic(&server)?;
    ensure!(campaign.load.answers().is_empty(), "others noticed: {:?}", campaign.load.answers());
    campaign.judge(&server, DELIVER_WITHIN).await?;
    Ok(())
}

/// What decent clients send.
fn corpus(server: &Sandbox) -> Vec<Vec<u8>> {
    let token = &server.seed.people[0].token;
    let post = |kind: &str, body: &str| {
        format!(
            "POST /api/chat.postMessage HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: \
             {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let form = "channel=C0NOTTHERE00&text=%2Abold%2A+%3C%40U000%3E&blocks=%5B%5D";
    let blocks = r#"{"channel":"C0NOTTHERE00","blocks":[{"type":"section","text":{"type":"mrkdwn","text":"*x* <@U1>"}}]}"#;
    let parts = "--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nhi\r\n--b\r\nContent-Disposition: form-data; \
                 name=\"f\"; filename=\"x\"\r\n\r\nbytes\r\n--b--\r\n";
    [
        post("application/x-www-form-urlencoded", form),
        post("application/json; charset=utf-8", blocks),
        post("multipart/form-data; boundary=b", parts),
        format!("GET /api/conversations.list?limit=5&cursor=bmV4dA%3D%3D&token={token} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        "GET / HTTP/1.1\r\nHost: localhost\r\nCookie: parlance_session=T000-x; a=b\r\n\r\n".to_owned(),
        "GET /realtime/v1/socket?ticket=T000000000000-x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: \
         websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            .to_owned(),
        "POST /api/api.test HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// A few changes of the kinds that find most: a byte, a piece twice, a piece gone, a number, a cut.
fn mutate(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        let end = at + random.below((bytes.len() - at).clamp(1, 40));
        match random.below(7) {
            0 => bytes[at] = u8::try_from(random.below(256)).unwrap(),
            1 => bytes[at] ^= 1 << random.below(8),
            2 => {
                let piece = bytes[at..end].repeat(1 + random.below(20));
                bytes.splice(at..at, piece);
            }
            3 => drop(bytes.drain(at..end)),
            4 => {
                if let Some(digit) = bytes[at..].iter().position(u8::is_ascii_digit) {
                    bytes[at + digit] = b'0' + u8::try_from(random.below(10)).unwrap();
                }
            }
            5 => {
                let odd: [&[u8]; 6] = [b"\r\n", b"\0", b"%", b"\xff\xfe", b"\"", b"[[[[[[[["];
                bytes.splice(at..at, odd[random.below(odd.len())].iter().copied());
            }
            _ => bytes.truncate(at.max(1)),
        }
    }
    bytes
}

/// Sends it, says that this was all, and reads to the end. The status; 0: none.
async fn exchange(address: &str, bytes: &[u8]) -> Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    let mut answer = Vec::new();
    let whole = async {
        // Both may fail when the server has closed by then.
        stream.write_all(bytes).await.ok();
        stream.shutdown().await.ok();
        stream.read_to_end(&mut answer).await.ok();
    };
    let ended = tokio::time::timeout(ENDS_WITHIN, whole).await;
    ended.with_context(|| format!("not answered and not closed: {:?}", String::from_utf8_lossy(bytes)))?;
    let text = String::from_utf8_lossy(&answer);
    Ok(text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0))
}

/// A WebSocket whose client, after it resumed, sends what is left of its frames after some changes.
async fn frames_of_nobody(server: &Sandbox, n: usize, random: &mut Random) -> Result<()> {
    let api = server.person(n % 3)?;
    let url = if n.is_multiple_of(2) {
        ticket(&api).await?
    } else {
        api.ok("rtm.connect", &[]).await?["url"].as_str().context("url")?.to_owned()
    };
    let mut socket = Socket::open(&url, None).await?;
    if n.is_multiple_of(2) {
        socket.resume(&boot_positions(&api).await?).await?;
    }
    let frames = [
        r#"{"type":"ping","id":7}"#,
        r#"{"type":"pull","t":"C000000000000","g":1,"s":5}"#,
        r#"{"id":1,"type":"message","channel":"C0NOTTHERE00","text":"hi"}"#,
        r#"{"type":"presence_sub","ids":["U000000000001"]}"#,
    ];
    let mut bytes = Vec::new();
    for text in frames {
        bytes.extend([0x81, 0x80 | u8::try_from(text.len())?, 0, 0, 0, 0]);
        bytes.extend(text.as_bytes());
    }
    let bytes = mutate(&bytes, random);
    // The server may close before it has read everything.
    socket.raw().write_all(&bytes).await.ok();
    socket.raw().shutdown().await.ok();
    let mut rest = Vec::new();
    let read = tokio::time::timeout(ENDS_WITHIN, socket.raw().read_to_end(&mut rest)).await;
    read.with_context(|| format!("not closed after {bytes:?}"))?.ok();
    Ok(())
}
