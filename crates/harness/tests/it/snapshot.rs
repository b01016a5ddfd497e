//! I4 through a real session: whatever happens, what a device has (its snapshot and the events since) is what a fresh
//! snapshot has, for every kind of event that the server sends.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use harness::http::Api;
use harness::sandbox::{Options, Sandbox};
use harness::socket::{FRAME_WITHIN, Frame, Positions, Socket};
use serde_json::{Value, json};

use crate::{files::upload, load::Random};

/// Random actions after the scripted ones.
const STEPS: usize = 150;

/// Every kind of event of the protocol: the script below makes each of them at least once.
const KINDS: &[&str] = &[
    "channel_archive",
    "channel_convert_to_private",
    "channel_created",
    "channel_joined",
    "channel_left",
    "channel_marked",
    "channel_rename",
    "channel_unarchive",
    "dnd_updated",
    "dnd_updated_user",
    "file_change",
    "file_created",
    "file_deleted",
    "file_public",
    "file_shared",
    "file_unshared",
    "group_archive",
    "group_joined",
    "group_left",
    "group_rename",
    "group_unarchive",
    "im_close",
    "im_created",
    "im_open",
    "manual_presence_change",
    "member_joined_channel",
    "member_left_channel",
    "message",
    "message channel_archive",
    "message channel_convert_to_private",
    "message channel_convert_to_public",
    "message channel_join",
    "message channel_leave",
    "message channel_name",
    "message channel_purpose",
    "message channel_topic",
    "message channel_unarchive",
    "message file_share",
    "message me_message",
    "message message_changed",
    "message message_deleted",
    "message thread_broadcast",
    "mpim_joined",
    "pin_added",
    "pin_removed",
    "pref_change",
    "reaction_added",
    "reaction_removed",
    "team_pref_change",
    "thread_marked",
    "thread_subscribed",
    "thread_unsubscribed",
    "user_change",
];

/// A message as far as two clients must agree on it.
type Message = BTreeMap<&'static str, Value>;

/// What a device knows of a conversation that its person is in.
#[derive(Debug, Clone, Default, PartialEq)]
struct Conversation {
    about: BTreeMap<&'static str, Value>,
    last_read: Cursor,
    members: u64,
    messages: BTreeMap<String, Message>,
}

/// How far something was read. A cursor moves by events of the personal topic (marks) and of the channel (one's own
/// posts), which have no order between them: the later `event_ts` holds.
#[derive(Debug, Clone, Default)]
struct Cursor {
    ts: String,
    moved: String,
}

impl PartialEq for Cursor {
    fn eq(&self, other: &Self) -> bool {
        self.ts == other.ts
    }
}

impl Cursor {
    fn at(ts: &Value) -> Self {
        Self { ts: string(ts), moved: String::new() }
    }

    fn move_to(&mut self, ts: &Value, event: &Value) {
        let moved = string(&event["event_ts"]);
        if moved >= self.moved {
            *self = Self { ts: string(ts), moved };
        }
    }
}

/// What a device knows.
#[derive(Debug, Clone, Default, PartialEq)]
struct View {
    conversations: BTreeMap<String, Conversation>,
    users: BTreeMap<String, Value>,
    prefs: Value,
    /// The workspace's preferences.
    team: Value,
    dnd: Value,
    away: Value,
    /// Channel and parent → read up to, followed.
    threads: BTreeMap<(String, String), (Cursor, bool)>,
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn about(channel: &Value) -> BTreeMap<&'static str, Value> {
    let of = |key: &'static str| (key, channel.get(key).cloned().unwrap_or(Value::Null));
    let mut about =
        BTreeMap::from([of("name"), of("is_private"), of("is_archived"), of("is_open"), of("user")]);
    about.insert("topic", channel["topic"]["value"].clone());
    about.insert("purpose", channel["purpose"]["value"].clone());
    about
}

fn message(value: &Value) -> Message {
    let mut message = Message::new();
    for key in ["user", "text", "subtype", "thread_ts", "topic", "purpose", "name"] {
        message.insert(key, value.get(key).cloned().unwrap_or(Value::Null));
    }
    if value["thread_ts"] == value["ts"] {
        message.insert("thread_ts", Value::Null);
    }
    message.insert("edited", json!(value.get("edited").is_some()));
    message.insert("pinned", value.get("pinned_info").cloned().unwrap_or(Value::Null));
    message.insert("files", value["files"].as_array().into_iter().flatten().map(file).collect());
    message.insert("replies", replies(value));
    let mut reactions = BTreeMap::new();
    for reaction in value["reactions"].as_array().into_iter().flatten() {
        let users: BTreeSet<String> = reaction["users"].as_array().unwrap().iter().map(string).collect();
        reactions.insert(string(&reaction["name"]), users);
    }
    message.insert("reactions", json!(reactions));
    message
}

/// What of a file clients must agree on.
fn file(file: &Value) -> Value {
    json!([file["id"], file["mode"], file["public_url_shared"], file["original_w"]])
}

fn replies(value: &Value) -> Value {
    match value["reply_count"].as_u64() {
        None | Some(0) => Value::Null,
        Some(count) => json!([count, value["latest_reply"], value["reply_users_count"]]),
    }
}

fn react(message: &mut Message, name: &str, user: &str, added: bool) {
    let mut reactions: BTreeMap<String, BTreeSet<String>> =
        serde_json::from_value(message["reactions"].clone()).unwrap();
    let users = reactions.entry(name.to_owned()).or_default();
    if added {
        users.insert(user.to_owned());
    } else {
        users.remove(user);
    }
    reactions.retain(|_, users| !users.is_empty());
    message.insert("reactions", json!(reactions));
}

fn user(user: &Value) -> Value {
    json!([
        user["name"],
        user["real_name"],
        user["deleted"],
        user["profile"]["title"],
        user["profile"]["status_text"]
    ])
}

/// What of somebody's do-not-disturb does not depend on when it is looked at.
fn dnd(value: &Value) -> Value {
    json!([value["dnd_enabled"], value["snooze_enabled"], value["snooze_endtime"]])
}

/// A conversation's messages, replies included, and the position at which they were read.
async fn messages(api: &Api, channel: &str) -> Result<(BTreeMap<String, Message>, u64)> {
    let arguments = [("channel", channel), ("limit", "1000"), ("_p", "true")];
    let page = api.ok("conversations.history", &arguments).await?;
    let mut all = BTreeMap::new();
    for one in page["messages"].as_array().context("messages")? {
        all.insert(string(&one["ts"]), message(one));
        if one["reply_count"].as_u64().unwrap_or(0) > 0 {
            let ts = string(&one["ts"]);
            let arguments = [("channel", channel), ("ts", &ts), ("limit", "1000")];
            let thread = api.ok("conversations.replies", &arguments).await?;
            for reply in thread["messages"].as_array().context("replies")?.iter().skip(1) {
                all.insert(string(&reply["ts"]), message(reply));
            }
        }
    }
    Ok((all, page["_p"]["s"].as_u64().context("_p")?))
}

/// What the person has read of the threads of a conversation, where they ever followed them.
async fn standings(
    api: &Api,
    channel: &str,
    messages: &BTreeMap<String, Message>,
) -> Result<BTreeMap<(String, String), (Cursor, bool)>> {
    let mut threads = BTreeMap::new();
    for (ts, _) in messages.iter().filter(|(_, one)| one["replies"] != Value::Null) {
        let found = api.ok("subscriptions.thread.get", &[("channel", channel), ("thread_ts", ts)]).await?;
        if found.get("last_read").is_some() {
            let standing = (Cursor::at(&found["last_read"]), found["subscribed"] == true);
            threads.insert((channel.to_owned(), ts.clone()), standing);
        }
    }
    Ok(threads)
}

/// A fresh snapshot, while nothing changes, and its positions.
async fn fresh(api: &Api) -> Result<(View, Positions, Value)> {
    let boot = api.ok("client.userBoot", &[]).await?;
    let mut view = View {
        prefs: boot["prefs"].clone(),
        team: boot["team"]["prefs"].clone(),
        dnd: dnd(&boot["dnd"]),
        away: boot["self"]["manual_presence"].clone(),
        ..View::default()
    };
    let positions = boot["_p"].as_object().context("_p")?;
    let positions: Positions = positions
        .iter()
        .map(|(topic, at)| (topic.clone(), (at[0].as_u64().unwrap(), at[1].as_u64().unwrap())))
        .collect();
    for channel in boot["channels"].as_array().context("channels")? {
        let id = string(&channel["id"]);
        let (messages, seq) = messages(api, &id).await?;
        ensure!(positions[&id].1 == seq, "{id} changed while it was read");
        view.threads.extend(standings(api, &id, &messages).await?);
        let conversation = Conversation {
            about: about(channel),
            last_read: Cursor::at(&channel["last_read"]),
            members: channel["num_members"].as_u64().unwrap_or(0),
            messages,
        };
        view.conversations.insert(id, conversation);
    }
    for one in api.ok("users.list", &[("limit", "1000")]).await?["members"].as_array().context("members")? {
        view.users.insert(string(&one["id"]), user(one));
    }
    Ok((view, positions, boot))
}

impl View {
    /// Applies an event as docs/api/realtime.md says. A conversation that is joined is read from the server.
    async fn apply(&mut self, api: &Api, me: &str, event: &Value) -> Result<()> {
        let topic = string(&event["_p"]["t"]);
        let kind = string(&event["type"]);
        match kind.as_str() {
            "message" => self.message(me, &topic, event),
            "reaction_added" | "reaction_removed" => {
                let (name, who) = (string(&event["reaction"]), string(&event["user"]));
                if let Some(one) = self.at(&topic, &event["item"]["ts"]) {
                    react(one, &name, &who, kind == "reaction_added");
                }
            }
            "pin_added" | "pin_removed" => {
                let item = &event["item"]["message"];
                let pinned = item.get("pinned_info").cloned().unwrap_or(Value::Null);
                if let Some(one) = self.at(&topic, &item["ts"]) {
                    one.insert("pinned", pinned);
                }
            }
            "member_joined_channel" | "member_left_channel" => self.count(&topic, &event["_p"]["members"]),
            "file_change" => {
                let changed = file(&event["_p"]["file"]);
                let conversation = self.conversations.get_mut(&topic);
                for one in
                    conversation.into_iter().flat_map(|conversation| conversation.messages.values_mut())
                {
                    for known in one.get_mut("files").and_then(Value::as_array_mut).into_iter().flatten() {
                        if known[0] == changed[0] {
                            *known = changed.clone();
                        }
                    }
                }
            }
            "channel_joined" | "group_joined" | "im_created" | "mpim_joined" => {
                let channel = &event["channel"];
                let id = string(&channel["id"]);
                let info = api.call("conversations.info", &[("channel", &id)]).await?;
                // Gone again meanwhile: the event of that follows.
                if info["ok"] == true {
                    let (messages, _) = messages(api, &id).await?;
                    self.threads.extend(standings(api, &id, &messages).await?);
                    let conversation = Conversation {
                        // As they were at the join: what changed since comes as events.
                        about: about(channel),
                        members: channel["num_members"].as_u64().unwrap_or(0),
                        last_read: Cursor::at(&info["channel"]["last_read"]),
                        messages,
                    };
                    self.conversations.insert(id, conversation);
                }
            }
            "channel_left" | "group_left" => {
                let id = string(&event["channel"]);
                self.conversations.remove(&id);
                self.threads.retain(|(channel, _), _| *channel != id);
            }
            "channel_marked" | "group_marked" | "im_marked" | "mpim_marked" => {
                if let Some(conversation) = self.conversations.get_mut(&string(&event["channel"])) {
                    conversation.last_read.move_to(&event["ts"], event);
                }
            }
            "im_open" | "mpim_open" | "im_close" | "mpim_close" => {
                if let Some(conversation) = self.conversations.get_mut(&string(&event["channel"])) {
                    conversation.about.insert("is_open", json!(kind.ends_with("open")));
                }
            }
            "thread_subscribed" | "thread_unsubscribed" | "thread_marked" => {
                let thread = &event["subscription"];
                let key = (string(&thread["channel"]), string(&thread["thread_ts"]));
                let standing = self.threads.entry(key).or_default();
                standing.0.move_to(&thread["last_read"], event);
                standing.1 = thread["active"] == true;
            }
            "pref_change" => self.prefs[string(&event["name"])] = event["value"].clone(),
            "team_pref_change" => self.team[string(&event["name"])] = event["value"].clone(),
            "dnd_updated" => self.dnd = dnd(&event["dnd_status"]),
            "manual_presence_change" => self.away = event["presence"].clone(),
            "user_change" | "team_join" => {
                self.users.insert(string(&event["user"]["id"]), user(&event["user"]));
            }
            // Of conversations that one is in the notices in their own topic tell the same, in order.
            _ => {}
        }
        Ok(())
    }

    fn at(&mut self, channel: &str, ts: &Value) -> Option<&mut Message> {
        self.conversations.get_mut(channel)?.messages.get_mut(ts.as_str()?)
    }

    fn count(&mut self, channel: &str, members: &Value) {
        if let Some(conversation) = self.conversations.get_mut(channel)
            && conversation.about["user"] == Value::Null
        {
            conversation.members = members.as_u64().unwrap();
        }
    }

    fn message(&mut self, me: &str, topic: &str, event: &Value) {
        let Some(conversation) = self.conversations.get_mut(topic) else { return };
        let subtype = event["subtype"].as_str().unwrap_or_default();
        match subtype {
            "message_changed" => {
                let inner = &event["message"];
                if let Some(known) = conversation.messages.get_mut(inner["ts"].as_str().unwrap()) {
                    let new = message(inner);
                    for key in ["text", "subtype", "edited", "user", "files"] {
                        known.insert(key, new[key].clone());
                    }
                    if inner["subtype"] == "tombstone" {
                        known.insert("reactions", json!({}));
                        known.insert("pinned", Value::Null);
                    }
                }
            }
            "message_deleted" => {
                conversation.messages.remove(event["deleted_ts"].as_str().unwrap());
            }
            _ => {
                let ts = string(&event["ts"]);
                let new = message(event);
                let reply = new["thread_ts"] != Value::Null;
                let shown = !reply || subtype == "thread_broadcast";
                let said =
                    ["", "me_message", "thread_broadcast", "bot_message", "file_share"].contains(&subtype);
                if event["user"] == me && said && shown {
                    conversation.last_read.move_to(&event["ts"], event);
                }
                match subtype {
                    "channel_topic" => drop(conversation.about.insert("topic", event["topic"].clone())),
                    "channel_purpose" => drop(conversation.about.insert("purpose", event["purpose"].clone())),
                    "channel_name" => drop(conversation.about.insert("name", event["name"].clone())),
                    "channel_archive" => drop(conversation.about.insert("is_archived", json!(true))),
                    "channel_unarchive" => drop(conversation.about.insert("is_archived", json!(false))),
                    "channel_convert_to_private" => {
                        drop(conversation.about.insert("is_private", json!(true)))
                    }
                    "channel_convert_to_public" => {
                        drop(conversation.about.insert("is_private", json!(false)))
                    }
                    _ => {}
                }
                if event["user"] == me && reply {
                    let key = (topic.to_owned(), string(&event["thread_ts"]));
                    self.threads
                        .entry(key)
                        .or_insert((Cursor::default(), true))
                        .0
                        .move_to(&event["ts"], event);
                }
                conversation.messages.insert(ts, new);
            }
        }
        let parent = &event["_p"]["parent"];
        if let Some(known) = parent["ts"].as_str().and_then(|ts| conversation.messages.get_mut(ts)) {
            known.insert("replies", replies(parent));
        }
    }

    /// What is unread, as a client derives it.
    fn unread(&self, me: &str) -> BTreeMap<String, (bool, u64)> {
        let mentions = |one: &Message| {
            let text = one["text"].as_str().unwrap_or_default();
            text.contains(&format!("<@{me}>")) || text.contains("<!channel>")
        };
        let of = |conversation: &Conversation| {
            let newer = conversation.messages.iter().filter(|(ts, one)| {
                let subtype = one["subtype"].as_str().unwrap_or_default();
                let said =
                    ["", "me_message", "thread_broadcast", "bot_message", "file_share"].contains(&subtype);
                let shown = one["thread_ts"] == Value::Null || subtype == "thread_broadcast";
                said && shown && **ts > conversation.last_read.ts
            });
            let newer: Vec<&Message> = newer.map(|(_, one)| one).collect();
            let mentioned = newer.iter().filter(|one| mentions(one)).count();
            (!newer.is_empty(), u64::try_from(mentioned).unwrap())
        };
        self.conversations.iter().map(|(id, conversation)| (id.clone(), of(conversation))).collect()
    }
}

/// What people do; refusals are part of it.
struct People {
    all: Vec<Api>,
    ids: Vec<String>,
    channels: Vec<String>,
    /// Channel and ts of what was said.
    said: Vec<(String, String)>,
    random: Random,
    names: usize,
}

impl People {
    async fn act(&mut self, who: usize, method: &str, arguments: &[(&str, &str)]) -> Result<Value> {
        let answer = self.all[who].call(method, arguments).await?;
        if answer["ok"] == true && matches!(method, "chat.postMessage" | "chat.meMessage") {
            self.said.push((string(&answer["channel"]), string(&answer["ts"])));
        }
        Ok(answer)
    }

    async fn ok(&mut self, who: usize, method: &str, arguments: &[(&str, &str)]) -> Result<Value> {
        let answer = self.act(who, method, arguments).await?;
        ensure!(answer["ok"] == true, "{method} {arguments:?}: {answer}");
        Ok(answer)
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("name-{}", self.names)
    }

    async fn random_step(&mut self) -> Result<()> {
        let who = self.random.below(3);
        let channel = self.channels[self.random.below(self.channels.len())].clone();
        let (place, ts) = self.said[self.random.below(self.said.len())].clone();
        let other = self.ids[self.random.below(3)].clone();
        let emoji = ["wave", "tada", "eyes"][self.random.below(3)];
        let text = ["plain", "<!channel> all", "<@ME> you"][self.random.below(3)]
            .replace("<@ME>", &format!("<@{}>", self.ids[1]));
        let name = self.name();
        let item = [("channel", place.as_str()), ("timestamp", ts.as_str())];
        match self.random.below(27) {
            0..=3 => self.act(who, "chat.postMessage", &[("channel", &channel), ("text", &text)]).await?,
            4..=6 => {
                let broadcast = ["true", "false"][self.random.below(2)];
                let reply = [
                    ("channel", place.as_str()),
                    ("thread_ts", &ts),
                    ("text", &text),
                    ("reply_broadcast", broadcast),
                ];
                self.act(who, "chat.postMessage", &reply).await?
            }
            7 => {
                self.act(who, "chat.update", &[("channel", &place), ("ts", &ts), ("text", "edited")]).await?
            }
            8 => self.act(0, "chat.delete", &[("channel", &place), ("ts", &ts)]).await?,
            9 => self.act(who, "reactions.add", &[item[0], item[1], ("name", emoji)]).await?,
            10 => self.act(who, "reactions.remove", &[item[0], item[1], ("name", emoji)]).await?,
            11 => self.act(who, "pins.add", &item).await?,
            12 => self.act(who, "pins.remove", &item).await?,
            13 => self.act(1, "conversations.mark", &[("channel", &place), ("ts", &ts)]).await?,
            14 => self.act(who, "conversations.setTopic", &[("channel", &channel), ("topic", &name)]).await?,
            15 => self.act(0, "conversations.rename", &[("channel", &channel), ("name", &name)]).await?,
            16 => self.act(who, "conversations.join", &[("channel", &channel)]).await?,
            17 => self.act(1, "conversations.leave", &[("channel", &channel)]).await?,
            18 => self.act(0, "conversations.invite", &[("channel", &channel), ("users", &other)]).await?,
            19 => self.act(0, "conversations.kick", &[("channel", &channel), ("user", &other)]).await?,
            20 => {
                let method = ["conversations.archive", "conversations.unarchive"][self.random.below(2)];
                self.act(0, method, &[("channel", &channel)]).await?
            }
            21 => {
                let to = ["admin.conversations.convertToPrivate", "admin.conversations.convertToPublic"];
                let method = to[self.random.below(2)];
                self.act(0, method, &[("channel_id", &channel)]).await?
            }
            22 => {
                let method =
                    ["subscriptions.thread.add", "subscriptions.thread.remove"][self.random.below(2)];
                self.act(1, method, &[("channel", &place), ("thread_ts", &ts)]).await?
            }
            23 => {
                let arguments = [("channel", place.as_str()), ("thread_ts", &ts), ("ts", &ts)];
                self.act(1, "subscriptions.thread.mark", &arguments).await?
            }
            24 => {
                let profile = json!({ "status_text": name }).to_string();
                self.act(who, "users.profile.set", &[("profile", &profile)]).await?
            }
            25 => {
                let arguments = [("channels", channel.as_str()), ("initial_comment", &text)];
                let shared = upload(&self.all[who], &name, name.as_bytes(), &arguments).await;
                // Of those that may be shared there some are deleted at once.
                if let (Ok(shared), 0) = (shared, self.random.below(2)) {
                    self.act(who, "files.delete", &[("file", &shared.id)]).await?;
                }
                Value::Null
            }
            _ => self.act(1, "conversations.close", &[("channel", &channel)]).await?,
        };
        Ok(())
    }
}

/// Makes every kind of event at least once. Person 1 watches, person 0 is the owner.
async fn script(people: &mut People, general: &str) -> Result<()> {
    let ids = people.ids.clone();
    let one = |answer: &Value| string(&answer["channel"]["id"]);
    let public = one(&people.ok(0, "conversations.create", &[("name", "public")]).await?);
    let private =
        one(&people.ok(0, "conversations.create", &[("name", "private"), ("is_private", "true")]).await?);
    people.ok(1, "conversations.join", &[("channel", &public)]).await?;
    people.ok(0, "conversations.invite", &[("channel", &private), ("users", &ids[1])]).await?;
    let direct = one(&people.ok(0, "conversations.open", &[("users", &ids[1])]).await?);
    let group =
        one(&people.ok(0, "conversations.open", &[("users", &format!("{},{}", ids[1], ids[2]))]).await?);
    people.channels = vec![general.to_owned(), public.clone(), private.clone(), direct.clone(), group];
    for channel in [&public, &private] {
        let name = people.name();
        people.ok(0, "conversations.rename", &[("channel", channel), ("name", &name)]).await?;
        people.ok(0, "conversations.setTopic", &[("channel", channel), ("topic", "a topic")]).await?;
        people.ok(0, "conversations.setPurpose", &[("channel", channel), ("purpose", "a purpose")]).await?;
        people.ok(0, "conversations.archive", &[("channel", channel)]).await?;
        people.ok(0, "conversations.unarchive", &[("channel", channel)]).await?;
    }
    people.ok(0, "admin.conversations.convertToPrivate", &[("channel_id", &public)]).await?;
    people.ok(0, "admin.conversations.convertToPublic", &[("channel_id", &public)]).await?;
    let said = people
        .ok(0, "chat.postMessage", &[("channel", general), ("text", &format!("<@{}>", ids[1]))])
        .await?;
    let ts = string(&said["ts"]);
    people.ok(0, "chat.meMessage", &[("channel", general), ("text", "waves")]).await?;
    for broadcast in ["true", "false"] {
        let reply =
            [("channel", general), ("thread_ts", &ts), ("text", "reply"), ("reply_broadcast", broadcast)];
        people.ok(1, "chat.postMessage", &reply).await?;
    }
    people.ok(2, "chat.postMessage", &[("channel", general), ("thread_ts", &ts), ("text", "more")]).await?;
    let thread = [("channel", general), ("thread_ts", ts.as_str()), ("ts", ts.as_str())];
    people.ok(1, "subscriptions.thread.mark", &thread).await?;
    people.ok(1, "subscriptions.thread.remove", &thread).await?;
    people.ok(1, "subscriptions.thread.add", &thread).await?;
    people.ok(0, "chat.update", &[("channel", general), ("ts", &ts), ("text", "edited")]).await?;
    let item = [("channel", general), ("timestamp", ts.as_str())];
    people.ok(2, "reactions.add", &[item[0], item[1], ("name", "wave")]).await?;
    people.ok(2, "reactions.remove", &[item[0], item[1], ("name", "wave")]).await?;
    people.ok(2, "pins.add", &item).await?;
    people.ok(2, "pins.remove", &item).await?;
    people.ok(1, "conversations.mark", &[("channel", general), ("ts", &ts)]).await?;
    let gone = people.ok(0, "chat.postMessage", &[("channel", general), ("text", "soon gone")]).await?;
    people.ok(0, "chat.delete", &[("channel", general), ("ts", &string(&gone["ts"]))]).await?;
    people.ok(1, "conversations.close", &[("channel", &direct)]).await?;
    people.ok(0, "chat.postMessage", &[("channel", &direct), ("text", "hello")]).await?;
    // Somebody who never wrote to the one who watches.
    people.ok(3, "conversations.open", &[("users", &ids[1])]).await?;
    people.ok(1, "conversations.leave", &[("channel", &public)]).await?;
    people.ok(0, "conversations.kick", &[("channel", &private), ("user", &ids[1])]).await?;
    people.ok(0, "conversations.invite", &[("channel", &private), ("users", &ids[1])]).await?;
    people.ok(2, "conversations.leave", &[("channel", &people.channels[1].clone())]).await.ok();
    people.ok(1, "users.prefs.set", &[("name", "time24"), ("value", "true")]).await?;
    let rights = json!({ "who_can_archive_channels": "admin", "default_channels": [public] }).to_string();
    people.ok(0, "parlance.team.setPreferences", &[("prefs", &rights)]).await?;
    people
        .ok(0, "parlance.team.setPreferences", &[("name", "who_can_archive_channels"), ("value", "regular")])
        .await?;
    people.ok(1, "dnd.setSnooze", &[("num_minutes", "60")]).await?;
    people.ok(2, "dnd.setSnooze", &[("num_minutes", "60")]).await?;
    people.ok(1, "users.setPresence", &[("presence", "away")]).await?;
    people.ok(2, "users.profile.set", &[("name", "title"), ("value", "Cook")]).await?;
    // Somebody leaves a channel that the one who watches is in.
    people.ok(1, "conversations.join", &[("channel", &public)]).await?;
    people.ok(2, "conversations.join", &[("channel", &public)]).await?;
    people.ok(2, "conversations.leave", &[("channel", &public)]).await?;
    // Files of the one who watches, in a channel and nowhere.
    let shared = upload(&people.all[1], "plan.txt", b"text", &[("channel_id", general)]).await?;
    upload(&people.all[1], "own.txt", b"text", &[]).await?;
    people.ok(1, "files.sharedPublicURL", &[("file", &shared.id)]).await?;
    people.ok(1, "files.delete", &[("file", &shared.id)]).await?;
    let shared = upload(&people.all[1], "plan.txt", b"text", &[("channel_id", general)]).await?;
    let ts = string(&shared.file["shares"]["public"][general][0]["ts"]);
    people.ok(1, "chat.delete", &[("channel", general), ("ts", &ts)]).await?;
    Ok(())
}

/// Reads events until the device is as far as `wanted`.
async fn follow(
    socket: &mut Socket,
    view: &mut View,
    api: &Api,
    me: &str,
    at: &mut Positions,
    wanted: &Positions,
    kinds: &mut BTreeSet<String>,
) -> Result<()> {
    let behind = |at: &Positions| {
        wanted
            .iter()
            .find(|(topic, head)| at.get(*topic).is_none_or(|mine| mine.1 < head.1))
            .map(|(topic, _)| topic.clone())
    };
    while let Some(topic) = behind(at) {
        let frame = socket.next(FRAME_WITHIN).await.with_context(|| format!("{topic} stays behind"))?;
        let Frame::Json(frame) = frame else { anyhow::bail!("closed") };
        let events = match frame["type"].as_str() {
            Some("_page") => frame["events"].as_array().context("events")?.clone(),
            _ => vec![frame.clone()],
        };
        for event in events {
            let Some(topic) = event["_p"]["t"].as_str() else { continue };
            let seq = event["_p"]["s"].as_u64().context("seq")?;
            let mine = at.entry(topic.to_owned()).or_insert((1, 0));
            if seq <= mine.1 {
                continue;
            }
            mine.1 = seq;
            let subtype = event["subtype"].as_str().map(|subtype| format!(" {subtype}")).unwrap_or_default();
            kinds.insert(format!("{}{subtype}", string(&event["type"])));
            view.apply(api, me, &event).await?;
            // Who joins has the channel as it was then: what led to it is known.
            if let (Some(channel), Some(seq)) =
                (event["_p"]["channel"]["t"].as_str(), event["_p"]["channel"]["s"].as_u64())
            {
                let mine = at.entry(channel.to_owned()).or_insert((1, 0));
                mine.1 = mine.1.max(seq);
            }
        }
        // The position of a page or a skip stands for events that are nothing to this client.
        let (topic, to) = (string(&frame["t"]), frame["to"].as_u64().or(frame["s"].as_u64()));
        if let Some(to) = to.filter(|_| matches!(frame["type"].as_str(), Some("_page" | "_skip" | "_live"))) {
            let mine = at.entry(topic).or_insert((1, 0));
            mine.1 = mine.1.max(to);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_snapshot_and_the_events_since_are_a_fresh_snapshot() -> Result<()> {
    let server = Sandbox::start_with(Options { members: 1, ..Options::default() }).await?;
    let watcher = server.person(1)?;
    let me = server.seed.people[1].id.clone();
    let mut seed = [0; 8];
    getrandom::fill(&mut seed)?;
    let seed = u64::from_le_bytes(seed) | 1;
    println!("seed {seed}");
    let (mut view, mut at, _) = fresh(&watcher).await?;
    let mut socket = Socket::realtime(&watcher).await?;
    socket.resume(&at).await?;
    socket.all_live(&at).await?;
    let mut people = People {
        all: (0..3)
            .map(|index| server.person(index))
            .chain([Ok(server.api(&server.seed.members[0].token))])
            .collect::<Result<_>>()?,
        ids: server.seed.people.iter().map(|person| person.id.clone()).collect(),
        channels: Vec::new(),
        said: Vec::new(),
        random: Random(seed),
        names: 0,
    };
    let mut kinds = BTreeSet::new();
    script(&mut people, server.channel("general")?).await?;
    for round in 0..3 {
        let (now, heads, boot) = fresh(&watcher).await?;
        follow(&mut socket, &mut view, &watcher, &me, &mut at, &heads, &mut kinds).await?;
        // Threads that nobody replies in any more are no threads: a snapshot does not name them.
        let listed: BTreeSet<_> = now.threads.keys().cloned().collect();
        view.threads.retain(|thread, _| listed.contains(thread));
        assert_eq!(
            view.conversations.keys().collect::<Vec<_>>(),
            now.conversations.keys().collect::<Vec<_>>(),
            "round {round}"
        );
        for (id, conversation) in &now.conversations {
            let mine = &view.conversations[id];
            assert_eq!(mine.about, conversation.about, "{id} in round {round}, seed {seed}");
            assert_eq!(mine.last_read, conversation.last_read, "{id} in round {round}, seed {seed}");
            assert_eq!(mine.members, conversation.members, "{id} in round {round}, seed {seed}");
            for (ts, message) in &conversation.messages {
                assert_eq!(mine.messages.get(ts), Some(message), "{id} {ts} in round {round}, seed {seed}");
            }
        }
        assert_eq!(view.threads, now.threads, "round {round}, seed {seed}");
        assert_eq!(
            (&view.prefs, &view.dnd, &view.away),
            (&now.prefs, &now.dnd, &now.away),
            "round {round}, seed {seed}"
        );
        assert_eq!(view, now, "round {round}, seed {seed}");
        let unread = view.unread(&me);
        for channel in boot["channels"].as_array().unwrap() {
            let server_says = (channel["has_unreads"] == true, channel["mention_count"].as_u64().unwrap());
            assert_eq!(
                unread[&string(&channel["id"])],
                server_says,
                "{channel} in round {round}, seed {seed}"
            );
        }
        // The page of what there is must not depend on chance.
        let steps = if std::env::var_os("PARLANCE_SCRIPT_ONLY").is_some() { 0 } else { STEPS };
        for _ in 0..steps / 3 {
            people.random_step().await?;
        }
    }
    let missing: Vec<_> = KINDS.iter().filter(|kind| !kinds.contains(**kind)).collect();
    assert!(missing.is_empty(), "no event of the kinds {missing:?} was seen, only {kinds:?}");
    Ok(())
}
