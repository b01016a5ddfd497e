//! A device that listens, resumes after every break, and records what it sees.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::history::{Listener, Micros, Observation, Seen, Snapshot};
use crate::http::Api;
use crate::socket::{FRAME_WITHIN, Frame, Positions, Socket};

/// How long a client waits before it tries to connect again.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// After how many failures in a row a listener gives up.
const FAILURES_MAX: u32 = 200;

/// The clock of a recording: microseconds since its start.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Since the start.
    pub fn now(&self) -> Micros {
        Micros::try_from(self.0.elapsed().as_micros()).unwrap_or(Micros::MAX)
    }
}

/// What a listener is told from outside.
#[derive(Debug, Clone)]
pub struct Orders {
    /// Whether there is a server to connect to.
    pub up: watch::Receiver<bool>,
    /// Once set: stop when these channels are at these seqs.
    pub until: watch::Receiver<Option<BTreeMap<String, u64>>>,
}

/// Listens from the given positions and snapshots until it is told to stop and has what it is to
/// have, or does not get it in time (which the checker then sees).
///
/// # Errors
/// When the server is up and refuses the device.
pub async fn listen(
    api: Api,
    name: String,
    positions: Positions,
    bases: BTreeMap<String, Snapshot>,
    clock: Stopwatch,
    mut orders: Orders,
) -> Result<Listener> {
    let listener = Listener { name, bases, seen: Vec::new() };
    let mut device = Device { listener, positions, clock };
    let mut failures = 0;
    loop {
        if orders.up.wait_for(|up| *up).await.is_err() {
            bail!("the sandbox is gone");
        }
        match Socket::realtime(&api).await {
            Ok(mut socket) => {
                failures = 0;
                if device.session(&mut socket, &mut orders).await? {
                    return Ok(device.listener);
                }
                device.note(String::new(), Seen::Lost);
            }
            // Between the kill and the news of it, or while everybody comes back at once.
            Err(error) => {
                failures += 1;
                if failures > FAILURES_MAX {
                    return Err(error);
                }
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    }
}

struct Device {
    listener: Listener,
    positions: Positions,
    clock: Stopwatch,
}

impl Device {
    /// One connection. True when the device has everything it was to have.
    async fn session(&mut self, socket: &mut Socket, orders: &mut Orders) -> Result<bool> {
        if socket.resume(&self.positions).await.is_err() {
            return Ok(false);
        }
        self.note(String::new(), Seen::Connected);
        let mut patience_ends: Option<Instant> = None;
        loop {
            let wanted = orders.until.borrow_and_update().clone();
            if let Some(wanted) = wanted {
                let ends = *patience_ends.get_or_insert_with(|| Instant::now() + FRAME_WITHIN);
                if self.has(&wanted) || Instant::now() > ends {
                    return self.farewell(socket).await;
                }
            }
            let frame = tokio::select! {
                frame = socket.next(Duration::from_secs(5)) => frame,
                _ = orders.until.changed() => continue,
            };
            match frame {
                Ok(Frame::Json(frame)) => {
                    if self.read(&frame, socket).await.is_err() {
                        return Ok(false);
                    }
                }
                Ok(Frame::Closed(_)) => return Ok(false),
                // Quiet for a while: an honest client asks whether anybody is there.
                Err(_) => {
                    if socket.send(&json!({"type": "ping", "id": 1})).await.is_err() {
                        return Ok(false);
                    }
                }
            }
        }
    }

    fn has(&self, wanted: &BTreeMap<String, u64>) -> bool {
        wanted.iter().all(|(channel, seq)| self.positions.get(channel).is_some_and(|(_, mine)| mine >= seq))
    }

    /// Reads what is still under way, so that a late double is seen too.
    async fn farewell(&mut self, socket: &mut Socket) -> Result<bool> {
        let Ok(frames) = socket.drain(4711).await else { return Ok(false) };
        for frame in frames {
            self.read(&frame, socket).await?;
        }
        Ok(true)
    }

    fn note(&mut self, channel: String, seen: Seen) {
        let at = self.clock.now();
        self.listener.seen.push(Observation { at, channel, seen });
    }

    async fn read(&mut self, frame: &Value, socket: &mut Socket) -> Result<()> {
        let Some((topic, generation, seen)) = parse(frame) else { return Ok(()) };
        let position = self.positions.entry(topic.clone()).or_insert((generation, 0));
        let mut pull = false;
        match &seen {
            Seen::Page { to, .. } => position.1 = position.1.max(*to),
            Seen::Event(seq, _) | Seen::Skip(seq) if *seq == position.1 + 1 => position.1 = *seq,
            Seen::Event(seq, _) | Seen::Skip(seq) | Seen::Head(seq) => pull = *seq > position.1,
            Seen::Reset(seq) => *position = (generation, *seq),
            Seen::Live(_) | Seen::Gone | Seen::Connected | Seen::Lost => {}
        }
        let (generation, seq) = *position;
        self.note(topic.clone(), seen);
        if pull {
            socket.send(&json!({"type": "pull", "t": topic, "g": generation, "s": seq})).await?;
        }
        Ok(())
    }
}

/// Topic, generation and meaning of a frame that has a position.
pub fn parse(frame: &Value) -> Option<(String, u64, Seen)> {
    let number = |value: &Value, key: &str| value.get(key).and_then(Value::as_u64);
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    if let Some(position) = frame.get("_p") {
        let seen = Seen::Event(number(position, "s")?, frame.clone());
        return Some((text(position, "t")?, number(position, "g")?, seen));
    }
    let seen = match frame.get("type").and_then(Value::as_str)? {
        "_page" => Seen::Page {
            from: number(frame, "from")?,
            to: number(frame, "to")?,
            events: frame
                .get("events")?
                .as_array()?
                .iter()
                .map(|event| Some((number(event.get("_p")?, "s")?, event.clone())))
                .collect::<Option<_>>()?,
        },
        "_live" => Seen::Live(number(frame, "s")?),
        "_skip" => Seen::Skip(number(frame, "s")?),
        "_head" => Seen::Head(number(frame, "s")?),
        "_reset" => Seen::Reset(number(frame, "s")?),
        "_gone" => return Some((text(frame, "t")?, 0, Seen::Gone)),
        _ => return None,
    };
    Some((text(frame, "t")?, number(frame, "g").unwrap_or(0), seen))
}
