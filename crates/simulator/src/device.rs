//! A device: connects, resumes, pulls, falls asleep, comes back, and records what it sees.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use harness::{
    history::{Listener, Observation, Seen},
    listener::parse,
};
use rpc::{AdoptedSocket, AdoptedStream, Protocol};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

use crate::{
    network::{Network, PEOPLE},
    node::GATEWAYS,
    people::Client,
    pipe::{ClientEnd, pipe},
    random::Random,
    trace::Trace,
};

/// A quiet socket is asked whether anybody is there.
const PING_AFTER: Duration = Duration::from_secs(3);
/// And given up when nobody answers.
const DEAD_AFTER: Duration = Duration::from_secs(6);

/// Positions by topic: generation and seq.
pub(crate) type Positions = BTreeMap<String, (u64, u64)>;

/// What a device is and has; whoever judges looks into it.
pub(crate) struct Device {
    /// Whose.
    pub(crate) client: Client,
    /// For the record.
    pub(crate) name: String,
    /// What it saw.
    pub(crate) listener: RefCell<Listener>,
    /// How far it is in the topics that it may see.
    pub(crate) positions: RefCell<Positions>,
    /// Topics that it has been live in since it last connected.
    pub(crate) live: RefCell<BTreeSet<String>>,
    network: Arc<Network>,
    trace: Arc<Trace>,
    random: RefCell<Random>,
    /// It stops reading now and then.
    pub(crate) lazy: Cell<bool>,
}

impl Device {
    /// A device that starts from snapshots. `lazy`: it stops reading now and then.
    pub(crate) fn new(
        client: Client,
        listener: Listener,
        positions: Positions,
        network: Arc<Network>,
        seed: u64,
        lazy: bool,
    ) -> Rc<Self> {
        let name = listener.name.clone();
        Rc::new(Self {
            client,
            random: RefCell::new(Random::new(seed, &name)),
            name,
            listener: RefCell::new(listener),
            positions: RefCell::new(positions),
            live: RefCell::default(),
            trace: Arc::clone(&network.trace),
            network,
            lazy: Cell::new(lazy),
        })
    }

    /// Listens for ever.
    pub(crate) async fn run(self: Rc<Self>) {
        loop {
            if let Some(socket) = self.connect().await {
                self.session(socket).await;
                self.live.borrow_mut().clear();
                self.note(String::new(), Seen::Lost);
                self.trace.note(&self.name, "lost", "");
            }
            let pause = self.random.borrow_mut().millis(20, 400);
            sleep(pause).await;
        }
    }

    async fn connect(&self) -> Option<WebSocketStream<ClientEnd>> {
        let ticket = self.client.ticket().await?;
        let number = self.random.borrow_mut().below(GATEWAYS.len());
        let gateway = *GATEWAYS.get(number)?;
        if !self.network.reaches(PEOPLE, gateway) || !self.network.reaches(gateway, PEOPLE) {
            return None;
        }
        let door = self.client.doors.gateways.get(number)?.get()?;
        let (client, server, grip) = pipe();
        self.network.add_socket(gateway, grip);
        door.adopt(AdoptedSocket {
            stream: AdoptedStream::Simulated(Box::new(server)),
            early: Bytes::new(),
            protocol: Protocol::Own,
            ticket,
            origin: None,
        });
        let mut socket = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
        let hello = timeout(DEAD_AFTER, socket.next()).await.ok()??.ok()?;
        let hello: Value = serde_json::from_str(hello.to_text().ok()?).ok()?;
        if hello["type"] != "hello" {
            return None;
        }
        let positions: BTreeMap<String, [u64; 2]> =
            self.positions.borrow().iter().map(|(topic, (g, s))| (topic.clone(), [*g, *s])).collect();
        self.trace.note(&self.name, "resume", format_args!("{gateway} {positions:?}"));
        // Everybody is told of the connection before anything can come over it.
        self.note(String::new(), Seen::Connected);
        send(&mut socket, &json!({"type": "resume", "positions": positions})).await?;
        Some(socket)
    }

    async fn session(&self, mut socket: WebSocketStream<ClientEnd>) {
        let mut heard = Instant::now();
        loop {
            if self.lazy.get() && self.random.borrow_mut().permille(20) {
                let nap = self.random.borrow_mut().millis(200, 2_000);
                sleep(nap).await;
            }
            let message = match timeout(PING_AFTER, socket.next()).await {
                Ok(Some(Ok(message))) => message,
                Ok(_) => return,
                Err(_) if heard.elapsed() > DEAD_AFTER => return,
                Err(_) => {
                    let ping = json!({"type": "ping", "id": 1});
                    let asked = timeout(DEAD_AFTER, send(&mut socket, &ping)).await;
                    if !matches!(asked, Ok(Some(()))) {
                        return;
                    }
                    continue;
                }
            };
            heard = Instant::now();
            let Message::Text(text) = message else {
                if let Message::Close(close) = message {
                    let code = close.map(|close| u16::from(close.code));
                    self.trace.note(&self.name, "closed", format_args!("{code:?}"));
                    if code.is_some_and(|code| (4_500..5_000).contains(&code) || code == 4005) {
                        self.trace.violation(format_args!("{} was closed with {code:?}", self.name));
                    }
                    return;
                }
                continue;
            };
            let Ok(frame) = serde_json::from_str::<Value>(&text) else {
                self.trace.violation(format_args!("{} got {text:?}", self.name));
                return;
            };
            if let Some(pull) = self.read(&frame)
                && !matches!(timeout(DEAD_AFTER, send(&mut socket, &pull)).await, Ok(Some(())))
            {
                return;
            }
        }
    }

    /// Takes a frame; what to answer.
    fn read(&self, frame: &Value) -> Option<Value> {
        let (topic, generation, seen) = parse(frame)?;
        self.trace.note(&self.name, "frame", Shown(&topic, &seen));
        let mut positions = self.positions.borrow_mut();
        let mut pull = None;
        match (&seen, positions.get_mut(&topic)) {
            (Seen::Gone, _) => {
                positions.remove(&topic);
                self.live.borrow_mut().remove(&topic);
            }
            (Seen::Live(seq), None) => {
                positions.insert(topic.clone(), (generation, *seq));
            }
            (Seen::Page { from, to, .. }, Some((_, mine))) => {
                if *from > *mine {
                    self.hole(&topic, *mine, *from);
                }
                *mine = (*mine).max(*to);
            }
            (Seen::Page { from, to, .. }, None) => {
                let _ = from;
                positions.insert(topic.clone(), (generation, *to));
            }
            (Seen::Event(seq, _) | Seen::Skip(seq), Some((_, mine))) if *seq == *mine + 1 => *mine = *seq,
            (Seen::Event(seq, _) | Seen::Skip(seq) | Seen::Head(seq), Some((generation, mine))) => {
                if *seq > *mine {
                    pull = Some(json!({"type": "pull", "t": topic, "g": *generation, "s": *mine}));
                }
            }
            (Seen::Live(seq), Some((_, mine))) => {
                if *seq > *mine {
                    self.hole(&topic, *mine, *seq);
                }
            }
            (Seen::Reset(seq), _) => {
                self.trace.violation(format_args!("{} got _reset {seq} of {topic}", self.name));
                positions.insert(topic.clone(), (generation, *seq));
            }
            (Seen::Event(seq, _) | Seen::Skip(seq) | Seen::Head(seq), None) => {
                self.trace.violation(format_args!("{} got {topic}/{seq} and is not in it", self.name));
            }
            (Seen::Connected | Seen::Lost, _) => {}
        }
        if matches!(seen, Seen::Live(_)) {
            self.live.borrow_mut().insert(topic.clone());
        }
        drop(positions);
        self.note(topic, seen);
        pull
    }

    fn hole(&self, topic: &str, mine: u64, told: u64) {
        self.trace.violation(format_args!("I4: {} has {topic}/{mine} and is told {told}", self.name));
    }

    fn note(&self, channel: String, seen: Seen) {
        let at = self.trace.now_us();
        self.listener.borrow_mut().seen.push(Observation { at, channel, seen });
    }
}

async fn send(socket: &mut WebSocketStream<ClientEnd>, frame: &Value) -> Option<()> {
    socket.send(Message::text(frame.to_string())).await.ok()
}

/// A frame in few words.
struct Shown<'a>(&'a str, &'a Seen);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(topic, seen) = self;
        match seen {
            Seen::Page { from, to, events } => {
                write!(out, "{topic} page {from}–{to}, {} events", events.len())
            }
            Seen::Live(seq) => write!(out, "{topic} live {seq}"),
            Seen::Event(seq, event) => write!(out, "{topic}/{seq} {}", event["type"].as_str().unwrap_or("?")),
            Seen::Skip(seq) => write!(out, "{topic}/{seq} skip"),
            Seen::Head(seq) => write!(out, "{topic} head {seq}"),
            Seen::Reset(seq) => write!(out, "{topic} reset {seq}"),
            Seen::Gone => write!(out, "{topic} gone"),
            Seen::Connected | Seen::Lost => write!(out, "{seen:?}"),
        }
    }
}
