//! Files through the real binary: byte for byte as SDKs send them, large ones in bounded memory, with the disk full, and
//! killed in between.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use harness::http::{Api, raw};
use harness::sandbox::{Options, Sandbox};
use harness::socket::{FRAME_WITHIN, Frame, Socket};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::disk::SmallDisk;

/// A file that was uploaded and completed.
pub(crate) struct Uploaded {
    pub(crate) id: String,
    pub(crate) file: Value,
}

/// The part of an address after the server's own.
fn path<'a>(api: &Api, url: &'a Value) -> Result<&'a str> {
    url.as_str()
        .and_then(|url| url.strip_prefix(api.url()))
        .with_context(|| format!("{url} is no address of ours"))
}

/// Announces a file; its id and the path that takes its bytes.
async fn announce(api: &Api, name: &str, length: usize) -> Result<(String, String)> {
    let length = length.to_string();
    let answer = api.ok("files.getUploadURLExternal", &[("filename", name), ("length", &length)]).await?;
    let id = answer["file_id"].as_str().context("file_id")?.to_owned();
    Ok((id, path(api, &answer["upload_url"])?.to_owned()))
}

/// Completes a file whose bytes were sent.
async fn complete(api: &Api, id: &str, more: &[(&str, &str)]) -> Result<Value> {
    let files = json!([{ "id": id }]).to_string();
    let arguments: Vec<_> = more.iter().copied().chain([("files", files.as_str())]).collect();
    let answer = api.ok("files.completeUploadExternal", &arguments).await?;
    Ok(answer["files"][0].clone())
}

/// Uploads a file as the SDKs do, in three steps.
pub(crate) async fn upload(api: &Api, name: &str, bytes: &[u8], more: &[(&str, &str)]) -> Result<Uploaded> {
    let (id, to) = announce(api, name, bytes.len()).await?;
    let nobody = Api::new(api.url(), None);
    let sent = nobody.request(Method::POST, &to).body(bytes.to_vec()).send().await?;
    ensure!(sent.status() == 200, "{to}: {}", sent.text().await?);
    let file = complete(api, &id, more).await?;
    Ok(Uploaded { id, file })
}

async fn status(api: &Api, to: &str) -> Result<u16> {
    Ok(api.request(Method::GET, to).send().await?.status().as_u16())
}

/// A number of `/proc/<pid>/status`, KiB.
fn memory_kib(server: &Sandbox, what: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid().context("pid")?))?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)).context("no such line")?;
    line.split_whitespace().find_map(|word| word.parse().ok()).context("no number")
}

/// Files below a directory, whole or not.
fn files_below(directory: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let count = |path: &Path| if path.is_dir() { files_below(path) } else { 1 };
    entries.filter_map(Result::ok).map(|entry| count(&entry.path())).sum()
}

/// The bytes of a made-up file from `from` on.
fn piece(from: u64, length: usize) -> Vec<u8> {
    (from..).take(length).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect()
}

/// Sends a made-up file of `length` bytes, of which only `sent` come, and returns the open connection.
async fn send_slowly(server: &Sandbox, to: &str, length: u64, sent: u64) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(server.address()).await?;
    let head = format!(
        "POST {to} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut at = 0;
    while at < sent {
        let next = (sent - at).min(256 << 10);
        stream.write_all(&piece(at, usize::try_from(next)?)).await?;
        at += next;
    }
    Ok(stream)
}

async fn answer_of(stream: &mut TcpStream) -> Result<String> {
    let mut answer = Vec::new();
    while !answer.windows(4).any(|four| four == b"\r\n\r\n") {
        ensure!(stream.read_buf(&mut answer).await? > 0, "closed");
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn a_large_file_needs_no_memory() -> Result<()> {
    const LENGTH: u64 = 120 << 20;
    let server = Sandbox::start().await?;
    let bot = server.bot();
    let before = memory_kib(&server, "VmRSS:")?;
    let (id, to) = announce(&bot, "film.bin", usize::try_from(LENGTH)?).await?;
    let mut stream = send_slowly(&server, &to, LENGTH, LENGTH).await?;
    let answer = answer_of(&mut stream).await?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let file = complete(&bot, &id, &[]).await?;
    let from = path(&bot, &file["url_private"])?;
    let token = &server.seed.bot.token;
    let mut stream = TcpStream::connect(server.address()).await?;
    let request = format!(
        "GET {from} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let (mut head, mut read, mut buffer) = (Vec::new(), 0u64, vec![0; 1 << 20]);
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            break;
        }
        let mut bytes = &buffer[..count];
        if read == 0 && !head.ends_with(b"\r\n\r\n") {
            while let ([first, rest @ ..], false) = (bytes, head.ends_with(b"\r\n\r\n")) {
                head.push(*first);
                bytes = rest;
            }
        }
        ensure!(bytes == piece(read, bytes.len()), "other bytes came back after {read}");
        read += u64::try_from(bytes.len())?;
    }
    assert_eq!(read, LENGTH, "{}", String::from_utf8_lossy(&head));
    let peak = memory_kib(&server, "VmHWM:")?;
    println!("{before} KiB before, {peak} KiB at most");
    assert!(peak < before + (48 << 10), "{peak} KiB for a file of {LENGTH} bytes, {before} before");
    Ok(())
}

#[tokio::test]
async fn what_is_killed_in_the_middle_of_an_upload_has_no_file_and_takes_it_again() -> Result<()> {
    const LENGTH: u64 = 20 << 20;
    let mut server = Sandbox::start().await?;
    let bot = server.bot();
    let (id, to) = announce(&bot, "half.bin", usize::try_from(LENGTH)?).await?;
    let half = send_slowly(&server, &to, LENGTH, LENGTH / 2).await?;
    let files = server.data().join("files");
    let began = std::time::Instant::now();
    while files_below(&files) == 0 {
        ensure!(began.elapsed() < std::time::Duration::from_secs(10), "nothing is being written");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    server.kill().await?;
    drop(half);
    server.restart().await?;
    let bot = server.bot();
    let arguments = [("files", &json!([{ "id": id }]).to_string() as &str)];
    assert_eq!(bot.refused("files.completeUploadExternal", &arguments).await?, "file_not_found");
    let mut stream = send_slowly(&server, &to, LENGTH, LENGTH).await?;
    let answer = answer_of(&mut stream).await?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let file = complete(&bot, &id, &[]).await?;
    server.kill().await?;
    server.restart().await?;
    let bot = server.bot();
    let read = bot.request(Method::GET, path(&bot, &file["url_private"])?).send().await?.bytes().await?;
    assert_eq!(read.as_ref(), piece(0, usize::try_from(LENGTH)?), "what was acknowledged is there");
    Ok(())
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing() -> Result<()> {
    let server = Sandbox::start().await?;
    let (_, to) = announce(&server.bot(), "half.bin", 20 << 20).await?;
    let files = server.data().join("files");
    let half = send_slowly(&server, &to, 20 << 20, 10 << 20).await?;
    let began = std::time::Instant::now();
    let within = || ensure_within(began);
    while files_below(&files) == 0 {
        within()?;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    drop(half);
    while files_below(&files) > 0 {
        within()?;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    Ok(())
}

fn ensure_within(began: std::time::Instant) -> Result<()> {
    ensure!(began.elapsed() < std::time::Duration::from_secs(20), "not within 20 s");
    Ok(())
}

#[tokio::test]
async fn a_full_disk_refuses_a_file_and_leaves_nothing_behind() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(_disk) = SmallDisk::mount(folder.path(), 32) else {
        harness::skip("a full disk of files", "mount -t tmpfs needs root");
        return Ok(());
    };
    let files = folder.path().join("files");
    let environment = vec![("PARLANCE_FILES_DIRECTORY".to_owned(), files.display().to_string())];
    let server = Sandbox::start_with(Options { environment, ..Options::default() }).await?;
    let bot = server.bot();
    let small = upload(&bot, "small.bin", &piece(0, 1 << 20), &[]).await?;
    let (id, to) = announce(&bot, "large.bin", 64 << 20).await?;
    let mut stream = TcpStream::connect(server.address()).await?;
    let head = format!("POST {to} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", 64 << 20);
    stream.write_all(head.as_bytes()).await?;
    let (mut reader, mut writer) = stream.into_split();
    let sending = tokio::spawn(async move {
        for at in 0..64 {
            if writer.write_all(&piece(at << 20, 1 << 20)).await.is_err() {
                break;
            }
        }
    });
    let mut answer = vec![0; 64];
    let count = reader.read(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
    ensure!(answer.starts_with("HTTP/1.1 507"), "{answer}");
    sending.abort();
    assert_eq!(files_below(&files), 1, "only the small one is there");
    let arguments = [("files", &json!([{ "id": id }]).to_string() as &str)];
    assert_eq!(bot.refused("files.completeUploadExternal", &arguments).await?, "file_not_found");
    // There is room for small ones, and messages are not touched.
    upload(&bot, "small.bin", &piece(0, 1 << 20), &[]).await?;
    bot.post(server.channel("general")?, "still here").await?;
    let read =
        bot.request(Method::GET, path(&bot, &small.file["url_private"])?).send().await?.bytes().await?;
    assert_eq!(read.as_ref(), piece(0, 1 << 20));
    Ok(())
}

#[tokio::test]
async fn the_quota_and_the_largest_file_are_the_operators() -> Result<()> {
    let environment = [("PARLANCE_FILES_BYTES_MAX", "1000"), ("PARLANCE_FILES_WORKSPACE_BYTES_MAX", "1500")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let server = Sandbox::start_with(Options { environment, ..Options::default() }).await?;
    let bot = server.bot();
    let begin = async |length: &str| {
        bot.call("files.getUploadURLExternal", &[("filename", "a"), ("length", length)]).await
    };
    assert_eq!(begin("1001").await?["error"], "file_upload_size_restricted");
    let one = upload(&bot, "a", &[1; 1000], &[]).await?;
    assert_eq!(begin("501").await?["error"], "storage_limit_reached");
    bot.ok("files.delete", &[("file", &one.id)]).await?;
    assert_eq!(begin("1000").await?["ok"], true);
    Ok(())
}

#[tokio::test]
async fn rights_end_at_once_for_everybody() -> Result<()> {
    let server = Sandbox::start().await?;
    let (ann, bo, stranger) = (server.person(0)?, server.person(1)?, server.person(2)?);
    let made = ann.ok("conversations.create", &[("name", "plans"), ("is_private", "true")]).await?;
    let channel = made["channel"]["id"].as_str().context("channel")?;
    let bo_id = server.seed.people[1].id.as_str();
    ann.ok("conversations.invite", &[("channel", channel), ("users", bo_id)]).await?;
    let file = upload(&ann, "plan.txt", b"canary", &[("channel_id", channel)]).await?;
    let to = path(&ann, &file.file["url_private"])?;
    assert_eq!(
        (status(&ann, to).await?, status(&bo, to).await?, status(&stranger, to).await?),
        (200, 200, 404)
    );
    assert_eq!(status(&Api::new(server.url(), None), to).await?, 401);
    ann.ok("conversations.kick", &[("channel", channel), ("user", bo_id)]).await?;
    assert_eq!(status(&bo, to).await?, 404);
    let link = ann.ok("files.sharedPublicURL", &[("file", &file.id)]).await?;
    let link = path(&ann, &link["file"]["permalink_public"])?.to_owned();
    let nobody = Api::new(server.url(), None);
    assert_eq!(status(&nobody, &link).await?, 200);
    ann.ok("files.revokePublicURL", &[("file", &file.id)]).await?;
    assert_eq!(status(&nobody, &link).await?, 404);
    ann.ok("auth.revoke", &[]).await?;
    assert_eq!(status(&ann, to).await?, 401);
    // Paths that mean to lead elsewhere lead nowhere.
    let token = &server.seed.people[1].token;
    for hostile in [
        "/files/../parlance.db",
        "/files/%2e%2e/parlance.db",
        "/files/T/../../parlance.db",
        "/files//etc/passwd",
    ] {
        let request = format!(
            "GET {hostile} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        let answer = raw(server.address(), request.as_bytes()).await?;
        assert_eq!(answer.status, 404, "{hostile}: {}", answer.body);
    }
    Ok(())
}

#[tokio::test]
async fn rtm_clients_hear_of_a_file() -> Result<()> {
    let server = Sandbox::start().await?;
    let general = server.channel("general")?.to_owned();
    let ann = server.person(0)?;
    let mut socket = Socket::rtm(&ann).await?;
    let shared =
        upload(&ann, "plan.txt", b"text", &[("channel_id", &general), ("initial_comment", "see")]).await?;
    let ts = shared.file["shares"]["public"][&general][0]["ts"].as_str().context("ts")?.to_owned();
    ann.ok("chat.delete", &[("channel", &general), ("ts", &ts)]).await?;
    ann.ok("files.sharedPublicURL", &[("file", &shared.id)]).await?;
    ann.ok("files.delete", &[("file", &shared.id)]).await?;
    let mut wanted: Vec<&str> = vec![
        "file_change",
        "file_created",
        "file_deleted",
        "file_public",
        "file_shared",
        "file_unshared",
        "message file_share",
        "message message_deleted",
    ];
    while !wanted.is_empty() {
        let frame = socket.next(FRAME_WITHIN).await.with_context(|| format!("{wanted:?} did not come"))?;
        let Frame::Json(frame) = frame else { anyhow::bail!("closed") };
        let subtype = frame["subtype"].as_str().map(|subtype| format!(" {subtype}")).unwrap_or_default();
        let name = format!("{}{subtype}", frame["type"].as_str().unwrap_or_default());
        if name.starts_with("file_") {
            assert_eq!(frame["file_id"], shared.id.as_str(), "{frame}");
            assert!(frame.get("_p").is_none(), "{frame}");
        }
        wanted.retain(|one| *one != name);
    }
    Ok(())
}

/// A picture that no two places of are alike.
fn picture(width: u32, height: u32) -> Result<Vec<u8>> {
    let pixel = |x: u32, y: u32| {
        image::Rgb([x * 7 + y, x ^ y, y * 3].map(|value| u8::try_from(value % 256).unwrap()))
    };
    let picture = image::DynamicImage::ImageRgb8(image::RgbImage::from_fn(width, height, pixel));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

/// A file once its picture was looked at.
async fn looked_at(api: &Api, id: &str) -> Result<Value> {
    let began = std::time::Instant::now();
    loop {
        let info = api.ok("files.info", &[("file", id)]).await?;
        if info["file"]["original_w"].is_number() {
            return Ok(info["file"].clone());
        }
        // A job that was under way when its server was killed is another's when its lease of a minute has ended.
        ensure!(began.elapsed() < std::time::Duration::from_secs(120), "no thumbnails: {info}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_picture_gets_thumbnails_also_after_a_crash() -> Result<()> {
    let mut server = Sandbox::start().await?;
    let general = server.channel("general")?.to_owned();
    let ann = server.person(0)?;
    let mut socket = Socket::rtm(&ann).await?;
    let shared = upload(&ann, "plan.png", &picture(900, 600)?, &[("channel_id", &general)]).await?;
    assert_eq!(shared.file["mimetype"], "image/png");
    loop {
        let Frame::Json(frame) = socket.next(FRAME_WITHIN).await? else { anyhow::bail!("closed") };
        if frame["type"] == "file_change" {
            assert_eq!(frame["file_id"], shared.id.as_str());
            break;
        }
    }
    let file = looked_at(&ann, &shared.id).await?;
    assert_eq!((&file["original_w"], &file["original_h"]), (&json!(900), &json!(600)));
    assert_eq!((&file["thumb_360_w"], &file["thumb_360_h"]), (&json!(360), &json!(240)));
    assert_eq!(file.get("thumb_960"), None, "no larger than it is");
    for edge in ["64", "80", "160", "360", "480", "720", "800"] {
        let to = path(&ann, &file[format!("thumb_{edge}")])?.to_owned();
        let answer = ann.request(Method::GET, &to).send().await?;
        assert_eq!(answer.headers()["content-type"], "image/jpeg", "{edge}");
        let bytes = answer.bytes().await?;
        let small = image::load_from_memory(&bytes)?;
        assert_eq!(small.width().to_string(), edge, "{edge}");
        assert_eq!(status(&Api::new(server.url(), None), &to).await?, 401);
    }
    let page = ann.ok("conversations.history", &[("channel", &general), ("limit", "1")]).await?;
    assert_eq!(page["messages"][0]["files"][0]["thumb_360"], file["thumb_360"]);
    // Killed before it was looked at: it is looked at after the next start.
    let late = upload(&ann, "late.png", &picture(50, 40)?, &[]).await?;
    server.kill().await?;
    server.restart().await?;
    let ann = server.person(0)?;
    assert_eq!(looked_at(&ann, &late.id).await?["original_w"], 50);
    ann.ok("files.delete", &[("file", &shared.id)]).await?;
    assert_eq!(status(&ann, path_of(&file["thumb_360"])?).await?, 404);
    let folder = server.data().join("files").join(&server.seed.workspace.id).join(&shared.id);
    let began = std::time::Instant::now();
    while folder.exists() {
        ensure_within(began)?;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    Ok(())
}

/// The path of an address that the server had before.
fn path_of(url: &Value) -> Result<&str> {
    let url = url.as_str().context("address")?;
    url.find("/files/").and_then(|at| url.get(at..)).context("no address of a file")
}

/// The head of a PNG that claims a size, with a right check sum, and bytes that are none of a picture.
fn bomb(width: u32, height: u32) -> Result<Vec<u8>> {
    let mut bytes = picture(8, 8)?;
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
        )
    };
    let sum = !bytes[12..29].iter().fold(u32::MAX, step);
    bytes[29..33].copy_from_slice(&sum.to_be_bytes());
    Ok(bytes)
}

#[tokio::test]
async fn bombs_and_broken_pictures_get_no_thumbnails_and_hurt_nobody() -> Result<()> {
    let server = Sandbox::start().await?;
    let ann = server.person(0)?;
    let before = memory_kib(&server, "VmRSS:")?;
    let good = picture(300, 200)?;
    let mut broken = vec![
        ("wide.png", bomb(1 << 30, 1)?),
        ("huge.png", bomb(60_000, 60_000)?),
        // As large as is allowed, and not there.
        ("empty.png", bomb(7_000, 7_000)?),
        ("cut.png", good[..good.len() / 2].to_vec()),
        ("magic.png", b"\x89PNG\r\n\x1a\n".to_vec()),
        ("magic.jpg", [&b"\xff\xd8\xff\xe0"[..], &piece(0, 100_000)].concat()),
        ("magic.gif", [&b"GIF89a\xff\xff\xff\xff\xf7\0\0"[..], &piece(0, 100_000)].concat()),
        ("magic.webp", [&b"RIFF\xff\xff\xff\x7fWEBPVP8L"[..], &piece(0, 100_000)].concat()),
    ];
    // A real picture of as many pixels as nobody's memory is for.
    let flat = image::DynamicImage::ImageLuma8(image::GrayImage::new(12_000, 12_000));
    let mut bytes = std::io::Cursor::new(Vec::new());
    flat.write_to(&mut bytes, image::ImageFormat::Png)?;
    broken.push(("flat.png", bytes.into_inner()));
    let mut ids = Vec::new();
    for (name, bytes) in &broken {
        ids.push(upload(&ann, name, bytes, &[]).await?.id);
    }
    let last = upload(&ann, "good.png", &good, &[]).await?;
    looked_at(&ann, &last.id).await?;
    let wanted = broken.len() + 1;
    let began = std::time::Instant::now();
    loop {
        let metrics = ann.request(Method::GET, "/metrics").send().await?.text().await?;
        let done = metrics.lines().find_map(|line| line.strip_prefix("parlance_jobs_done_total "));
        if done.and_then(|done| done.parse::<usize>().ok()) == Some(wanted) {
            break;
        }
        ensure!(began.elapsed() < std::time::Duration::from_secs(120), "{done:?} of {wanted} jobs are done");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    for (id, (name, bytes)) in ids.iter().zip(&broken) {
        let info = ann.ok("files.info", &[("file", id)]).await?;
        assert_eq!(info["file"].get("thumb_64"), None, "{name}");
        let read = ann.request(Method::GET, path(&ann, &info["file"]["url_private"])?).send().await?;
        assert_eq!(read.bytes().await?.as_ref(), bytes.as_slice(), "{name} is a file all the same");
    }
    let peak = memory_kib(&server, "VmHWM:")?;
    assert!(peak < before + (64 << 10), "{before} KiB before, {peak} KiB at most");
    let jobs =
        harness::sandbox::parlance(&["jobs", "--data", server.data().to_str().context("path")?]).await?;
    assert_eq!(jobs.stdout.trim(), "[]", "nothing was given up");
    Ok(())
}
