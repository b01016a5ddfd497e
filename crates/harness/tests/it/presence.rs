//! Presence, from outside: people, devices, who is told, what wins, what survives.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use harness::http::Api;
use harness::sandbox::{Options, Sandbox, seed};
use harness::socket::{FRAME_WITHIN, Socket, boot_positions};
use serde_json::{Value, json};
use server::config::{Config, RateLimits};
use server::node::Node;

use crate::workspaces::add_workspace;

/// A server on which who does nothing for two seconds is away: here time itself is the subject.
async fn hasty() -> Result<Sandbox> {
    let environment = vec![("PARLANCE_PRESENCE_AWAY_AFTER_S".to_owned(), "2".to_owned())];
    Sandbox::start_with(Options { environment, ..Options::default() }).await
}

/// A device of our own protocol that is live.
async fn device(api: &Api) -> Result<Socket> {
    let positions = boot_positions(api).await?;
    let mut socket = Socket::realtime(api).await?;
    socket.resume(&positions).await?;
    socket.all_live(&positions).await?;
    Ok(socket)
}

async fn watch(socket: &mut Socket, ids: &[&str]) -> Result<()> {
    socket.send(&json!({ "type": "presence_sub", "ids": ids })).await
}

/// Reads until somebody is so. The frame.
async fn told(socket: &mut Socket, who: &str, presence: &str) -> Result<Value> {
    let about = |frame: &Value| {
        let several = frame["users"].as_array().is_some_and(|users| users.contains(&json!(who)));
        frame["type"] == "presence_change"
            && (frame["user"] == who || several)
            && frame["presence"] == presence
    };
    socket.until(&format!("{who} is {presence}"), about).await
}

/// What came about presence before the answer to a ping.
async fn presences(socket: &mut Socket, id: u64) -> Result<Vec<Value>> {
    let frames = socket.drain(id).await?;
    Ok(frames.into_iter().filter(|frame| frame["type"] == "presence_change").collect())
}

async fn close(mut socket: Socket) -> Result<()> {
    socket.send_raw(tokio_tungstenite::tungstenite::Message::Close(None)).await?;
    socket.closed(FRAME_WITHIN).await?;
    Ok(())
}

#[tokio::test]
async fn two_people_with_two_devices_see_each_other_come_and_go() -> Result<()> {
    let server = Sandbox::start().await?;
    let (ann, bo, cleo) = (server.person(0)?, server.person(1)?, server.person(2)?);
    let his = server.seed.people[1].id.clone();
    let mut hers = device(&ann).await?;
    let mut her_phone = Socket::rtm(&ann).await?;
    let mut bystander = device(&cleo).await?;
    watch(&mut hers, &[&his]).await?;
    watch(&mut her_phone, &[&his]).await?;
    for socket in [&mut hers, &mut her_phone] {
        told(socket, &his, "away").await?;
    }
    let own = bo.ok("users.getPresence", &[]).await?;
    assert_eq!(
        (&own["presence"], &own["online"], &own["connection_count"]),
        (&json!("away"), &json!(false), &json!(0))
    );
    assert!(own.get("last_activity").is_none());

    let laptop = device(&bo).await?;
    let frame = told(&mut hers, &his, "active").await?;
    assert_eq!(frame, json!({ "type": "presence_change", "users": [his], "presence": "active" }));
    let frame = told(&mut her_phone, &his, "active").await?;
    assert_eq!(frame, json!({ "type": "presence_change", "user": his, "presence": "active" }));
    let phone = Socket::rtm(&bo).await?;
    close(laptop).await?;
    // Another device is still there.
    loop {
        let own = bo.ok("users.getPresence", &[]).await?;
        if own["connection_count"] == 1 {
            assert_eq!((&own["presence"], &own["auto_away"]), (&json!("active"), &json!(false)));
            assert!(own["last_activity"].as_i64().context("last_activity")? > 1_700_000_000);
            break;
        }
        assert!(own["connection_count"].as_u64().context("count")? <= 2, "{own}");
    }
    assert_eq!(
        ann.ok("users.getPresence", &[("user", &his)]).await?,
        json!({ "ok": true, "presence": "active" })
    );
    close(phone).await?;
    told(&mut hers, &his, "away").await?;
    told(&mut her_phone, &his, "away").await?;
    assert_eq!(
        ann.ok("users.getPresence", &[("user", &his)]).await?,
        json!({ "ok": true, "presence": "away" })
    );

    // Of whom one does not watch any more one hears nothing; nor does who never did.
    watch(&mut her_phone, &[]).await?;
    her_phone.drain(1).await?;
    let again = device(&bo).await?;
    told(&mut hers, &his, "active").await?;
    assert_eq!(presences(&mut her_phone, 2).await?, Vec::<Value>::new());
    assert_eq!(presences(&mut bystander, 3).await?, Vec::<Value>::new());
    // Whoever connects anew watches nobody until they say so.
    close(hers).await?;
    let mut hers = device(&ann).await?;
    close(again).await?;
    assert_eq!(presences(&mut hers, 4).await?, Vec::<Value>::new());
    watch(&mut hers, &[&his]).await?;
    told(&mut hers, &his, "away").await?;
    Ok(())
}

#[tokio::test]
async fn what_one_says_wins_over_what_one_does_and_is_kept() -> Result<()> {
    let mut server = Sandbox::start().await?;
    let (ann, bo) = (server.person(0)?, server.person(1)?);
    let his = server.seed.people[1].id.clone();
    let mut hers = device(&ann).await?;
    let mut laptop = device(&bo).await?;
    let mut phone = Socket::rtm(&bo).await?;
    watch(&mut hers, &[&his]).await?;
    told(&mut hers, &his, "active").await?;
    bo.ok("users.setPresence", &[("presence", "away")]).await?;
    // At once, whatever has got round.
    let own = bo.ok("users.getPresence", &[]).await?;
    let of = |own: &Value| ["presence", "manual_away", "auto_away", "online"].map(|key| own[key].clone());
    assert_eq!(of(&own), [json!("away"), json!(true), json!(false), json!(true)]);
    for socket in [&mut laptop, &mut phone] {
        let said =
            socket.until("one's own devices", |frame| frame["type"] == "manual_presence_change").await?;
        assert_eq!(said["presence"], "away");
    }
    told(&mut hers, &his, "away").await?;
    // Whatever he does now, and with which device.
    let general = server.channel("general")?.to_owned();
    laptop.send(&json!({ "type": "tickle" })).await?;
    laptop.send(&json!({ "type": "typing", "channel": general })).await?;
    phone.send(&json!({ "id": 1, "type": "message", "channel": general, "text": "hello" })).await?;
    phone.until("his message", |frame| frame["reply_to"] == 1).await?;
    bo.ok("users.setActive", &[]).await?;
    let third = device(&bo).await?;
    assert_eq!(presences(&mut hers, 1).await?, Vec::<Value>::new());
    drop(third);

    server.kill().await?;
    server.restart().await?;
    let (ann, bo) = (server.person(0)?, server.person(1)?);
    let mut hers = device(&ann).await?;
    watch(&mut hers, &[&his]).await?;
    told(&mut hers, &his, "away").await?;
    let _laptop = device(&bo).await?;
    let boot = bo.ok("client.userBoot", &[]).await?;
    assert_eq!(boot["self"]["manual_presence"], "away");
    let own = bo.ok("users.getPresence", &[]).await?;
    assert_eq!((&own["presence"], &own["manual_away"]), (&json!("away"), &json!(true)));
    assert_eq!(presences(&mut hers, 2).await?, Vec::<Value>::new());
    bo.ok("presence.set", &[("presence", "active")]).await?;
    told(&mut hers, &his, "active").await?;
    Ok(())
}

#[tokio::test]
async fn who_does_nothing_is_away_until_they_do_something() -> Result<()> {
    let server = hasty().await?;
    let (ann, bo, bot) = (server.person(0)?, server.person(1)?, server.bot());
    let (his, its) = (server.seed.people[1].id.clone(), server.seed.bot.user_id.clone());
    let mut hers = device(&ann).await?;
    let mut laptop = device(&bo).await?;
    let mut phone = Socket::rtm(&bo).await?;
    let app = Socket::rtm(&bot).await?;
    watch(&mut hers, &[&his, &its]).await?;
    told(&mut hers, &his, "active").await?;
    let general = server.channel("general")?.to_owned();
    for activity in 0..4 {
        told(&mut hers, &his, "away").await?;
        let own = bo.ok("users.getPresence", &[]).await?;
        assert_eq!((&own["auto_away"], &own["connection_count"]), (&json!(true), &json!(2)), "{own}");
        match activity {
            0 => laptop.send(&json!({ "type": "tickle" })).await?,
            1 => phone.send(&json!({ "id": 1, "type": "typing", "channel": general })).await?,
            2 => {
                let message = json!({ "id": 2, "type": "message", "channel": general, "text": "hello" });
                phone.send(&message).await?;
            }
            _ => drop(bo.ok("users.setActive", &[]).await?),
        }
        told(&mut hers, &his, "active").await?;
    }
    // A bot is there as long as its app is connected.
    let seen = ann.ok("users.getPresence", &[("user", &its)]).await?;
    assert_eq!(seen["presence"], "active");
    drop(app);
    told(&mut hers, &its, "away").await?;
    Ok(())
}

#[tokio::test]
async fn rtm_asks_and_is_told_in_crowds_when_it_wants() -> Result<()> {
    let server = Sandbox::start_with(Options { members: 60, ..Options::default() }).await?;
    let ann = server.person(0)?;
    let members: Vec<(String, Api)> =
        server.seed.members.iter().map(|member| (member.id.clone(), server.api(&member.token))).collect();
    let ids: Vec<&str> = members.iter().map(|(id, _)| id.as_str()).collect();
    let connect = async |arguments: &[(&str, &str)]| {
        let sold = ann.ok("rtm.connect", arguments).await?;
        ensure!(sold.get("warning").is_none(), "{sold}");
        Socket::open(sold["url"].as_str().context("url")?, None).await
    };
    let mut batch = connect(&[("batch_presence_aware", "1"), ("presence_sub", "true")]).await?;
    let mut single = connect(&[]).await?;
    let mut devices = Vec::new();
    for (_, api) in members.iter().take(30) {
        devices.push(Socket::rtm(api).await?);
    }
    for socket in [&mut batch, &mut single] {
        // Watching, asking: the same answer.
        socket.send(&json!({ "type": "presence_query", "ids": ids })).await?;
    }
    let mut active = Vec::new();
    let mut frames = 0;
    while active.len() < 30 {
        let frame = batch.until("active ones", |frame| frame["presence"] == "active").await?;
        frames += 1;
        active.extend(frame["users"].as_array().context("users")?.clone());
    }
    assert!(frames <= 2, "{frames} frames for thirty people");
    let away = batch.until("the others", |frame| frame["presence"] == "away").await?;
    assert_eq!(away["users"].as_array().context("users")?.len(), 30);
    for _ in 0..60 {
        let frame = single.until("one by one", |frame| frame["type"] == "presence_change").await?;
        assert!(frame["user"].is_string() && frame.get("users").is_none(), "{frame}");
    }
    // 500 ids, and not one more; what was watched before stays so.
    for socket in [&mut batch, &mut single] {
        watch(socket, &[ids[0]]).await?;
        told(socket, ids[0], "active").await?;
        let many: Vec<&str> = ids.iter().cycle().take(501).copied().collect();
        socket.send(&json!({ "type": "presence_sub", "id": 9, "ids": many })).await?;
        let refused = socket.until("the refusal", |frame| frame["reply_to"] == 9).await?;
        assert_eq!((&refused["ok"], &refused["error"]["code"]), (&json!(false), &json!(3)));
    }
    drop(devices.remove(0));
    for socket in [&mut batch, &mut single] {
        told(socket, ids[0], "away").await?;
    }
    let most: Vec<&str> = ids.iter().cycle().take(500).copied().collect();
    watch(&mut batch, &most).await?;
    drop(devices);
    for id in ids.iter().skip(1).take(29) {
        // One may be told in the same frame as another: asked for, everybody is known to be away.
        told_or_known(&mut batch, &ann, id).await?;
    }
    Ok(())
}

/// Waits until somebody is away, as the server says when asked.
async fn told_or_known(socket: &mut Socket, api: &Api, who: &str) -> Result<()> {
    loop {
        if api.ok("users.getPresence", &[("user", who)]).await?["presence"] == "away" {
            return Ok(());
        }
        socket.next(FRAME_WITHIN).await?;
    }
}

#[tokio::test]
async fn another_workspace_learns_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let seeded = seed(&data, 0).await?;
    let config = Config { data: data.to_str().context("path")?.to_owned(), ..Config::default() };
    let stranger = add_workspace(&config, 0).await?;
    let server = Sandbox::on(&data, seeded).await?;
    let hers = server.seed.people[0].id.clone();
    let ann = server.person(0)?;
    let theirs = server.api(&stranger.token);
    let mut socket = device(&theirs).await?;
    watch(&mut socket, &[&hers, "U000000000000"]).await?;
    // As somebody who is not there; of different presence servers, so that it need not be one frame that says it.
    let mut untold = BTreeSet::from([hers.as_str(), "U000000000000"]);
    while !untold.is_empty() {
        let frame = socket.until("they are away", |frame| frame["type"] == "presence_change").await?;
        assert_eq!(frame["presence"], "away");
        for user in frame["users"].as_array().context("users")? {
            assert!(untold.remove(user.as_str().context("an id")?), "told once: {frame}");
        }
    }
    let _device = device(&ann).await?;
    loop {
        if ann.ok("users.getPresence", &[]).await?["presence"] == "active" {
            break;
        }
    }
    socket.send(&json!({ "type": "presence_query", "ids": [hers] })).await?;
    told(&mut socket, &hers, "away").await?;
    assert_eq!(presences(&mut socket, 1).await?, Vec::<Value>::new());
    let refused = theirs.call("users.getPresence", &[("user", &hers)]).await?;
    assert_eq!(refused["error"], "user_not_found");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_servers_die_and_nobody_notices() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = Config {
        data: folder.path().display().to_string(),
        listen: "127.0.0.1:0".to_owned(),
        rate_limits: RateLimits::Off,
        ..Config::default()
    };
    let seed = server::seed::seed(&config, 12).await?;
    let node = Node::start(&config).await?;
    let people: Vec<(String, Api)> = seed
        .people
        .iter()
        .map(|person| (person.id.clone(), Api::new(&node.url, Some(&person.token))))
        .chain(seed.members.iter().map(|one| (one.id.clone(), Api::new(&node.url, Some(&one.token)))))
        .collect();
    let (_, ann) = people.first().context("people")?;
    let ids: Vec<&str> = people.iter().skip(1).map(|(id, _)| id.as_str()).collect();
    let mut hers = device(ann).await?;
    let mut devices = Vec::new();
    for (_, api) in people.iter().skip(1).take(7) {
        devices.push(Socket::rtm(api).await?);
    }
    watch(&mut hers, &ids).await?;
    let state = |number: usize| if number < 7 { "active" } else { "away" };
    let expect = ids.iter().enumerate().map(|(number, id)| ((*id).to_owned(), state(number))).collect();
    all_known(&mut hers, &expect).await?;
    for round in 0..3 {
        let epoch = node.presence_control.ring().borrow().epoch().0;
        let ring = node.presence_control.ring().borrow().clone();
        for slot in ring.slots() {
            if round == 1 { node.presence.cut_off(&slot.name) } else { node.presence.kill(&slot.name) }
        }
        let replaced = epoch + u64::try_from(ring.slots().len())?;
        let mut watching = node.presence_control.ring();
        tokio::time::timeout(FRAME_WITHIN, watching.wait_for(|ring| ring.epoch().0 >= replaced)).await??;
        // The new ones know everybody, and tell what changes from here on, and nothing else.
        for (number, id) in ids.iter().enumerate() {
            let seen = ann.ok("users.getPresence", &[("user", id)]).await?;
            assert_eq!(seen["presence"], state(number), "{number}");
        }
        let (gone, api) = people.get(1).context("bo")?;
        close(devices.remove(0)).await?;
        told(&mut hers, gone, "away").await?;
        devices.insert(0, Socket::rtm(api).await?);
        told(&mut hers, gone, "active").await?;
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        assert_eq!(presences(&mut hers, 2).await?, Vec::<Value>::new(), "a false word about somebody");
    }
    node.drain().await;
    Ok(())
}

/// Reads until everybody is known to be as expected.
async fn all_known(socket: &mut Socket, expect: &BTreeMap<String, &str>) -> Result<()> {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    while !expect.iter().all(|(who, presence)| known.get(who).is_some_and(|it| it == presence)) {
        let frame = socket.until("presence", |frame| frame["type"] == "presence_change").await?;
        for who in frame["users"].as_array().context("users")? {
            let presence = frame["presence"].as_str().context("presence")?;
            known.insert(who.as_str().context("id")?.to_owned(), presence.to_owned());
        }
    }
    Ok(())
}
