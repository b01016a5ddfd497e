//! What came is checked here: each message once, in order, and nothing jumped over.

use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::Fleet;
use crate::{frames, sends::Sends};

impl Fleet {
    pub(super) fn text(&mut self, number: usize, text: &[u8], now: Instant, sends: &Sends) -> Result<()> {
        if let Some(prefix) = self.anonymous {
            if !text.starts_with(prefix) {
                self.seen.signals += 1;
                return Ok(());
            }
            let seq = self.sessions.get(number).map_or(0, |session| session.seq);
            return self.message(number, usize::try_from(seq)?, Some(seq + 1), now, sends);
        }
        if self.sessions.get(number).is_some_and(|session| !session.topics.is_empty()) {
            return self.of_any_topic(number, text, now, sends);
        }
        if text.starts_with(b"{\"type\":\"_") {
            let frame: serde_json::Value = serde_json::from_slice(text)?;
            return self.control(number, &frame, now, sends);
        }
        if let Some(place) = sends.number_in(text) {
            // The position stands at the end of the frame: nobody's text is behind it.
            let seq = memchr::memmem::rfind(text, b"\"s\":").and_then(|at| number_at(text, at + 4));
            return self.message(number, place, seq, now, sends);
        }
        Ok(())
    }

    /// A frame to a session of which every topic is checked.
    fn of_any_topic(&mut self, number: usize, text: &[u8], now: Instant, sends: &Sends) -> Result<()> {
        if text.starts_with(b"{\"type\":\"_") || text.starts_with(b"{\"type\":\"hello\"") {
            let frame: serde_json::Value = serde_json::from_slice(text)?;
            return self.control_of_any_topic(number, &frame, now, sends);
        }
        let Some(at) = memchr::memmem::rfind(text, b"\"_p\":{\"t\":\"") else {
            self.seen.signals += 1;
            return Ok(());
        };
        let position = text.get(at + 11..).unwrap_or_default();
        let end = memchr::memchr(b'"', position).context("a position without its topic's end")?;
        let topic = std::str::from_utf8(position.get(..end).unwrap_or_default())?;
        let seq = memchr::memmem::find(position, b"\"s\":").and_then(|at| number_at(position, at + 4));
        let seq = seq.context("a position without seq")?;
        if self.passes(number, topic, seq) && text.starts_with(b"{\"type\":\"message\"") {
            self.arrived(text, now, sends)?;
        }
        Ok(())
    }

    /// Notes that an event came; whether it is new.
    fn passes(&mut self, number: usize, topic: &str, seq: u64) -> bool {
        let Some(session) = self.sessions.get_mut(number) else { return false };
        let known = session.topics.entry(topic.to_owned()).or_default();
        match *known {
            Some(before) if seq <= before => {
                self.seen.repeated += 1;
                return false;
            }
            Some(before) => self.seen.missed += seq - before - 1,
            None => {}
        }
        *known = Some(seq);
        true
    }

    fn arrived(&mut self, text: &[u8], now: Instant, sends: &Sends) -> Result<()> {
        let Some(intended) = sends.number_in(text).and_then(|place| sends.intended(place)) else {
            return Ok(());
        };
        self.seen.delivered += 1;
        let late = now.saturating_duration_since(intended).as_micros();
        self.latency.record(u64::try_from(late)?.max(1)).map_err(Into::into)
    }

    fn control_of_any_topic(
        &mut self,
        number: usize,
        frame: &serde_json::Value,
        now: Instant,
        sends: &Sends,
    ) -> Result<()> {
        let of = |key: &str| frame.get(key).unwrap_or(&serde_json::Value::Null);
        let to = |key: &str| of(key).as_u64().with_context(|| format!("{key} of {frame}"));
        let topic = of("t").as_str().unwrap_or_default().to_owned();
        match of("type").as_str() {
            Some("hello") => {}
            Some("_page") => {
                for event in of("events").as_array().context("events")? {
                    let seq = event.pointer("/_p/s").and_then(serde_json::Value::as_u64).context("seq")?;
                    let known = self
                        .sessions
                        .get(number)
                        .and_then(|session| session.topics.get(&topic).copied().flatten());
                    if known.is_none_or(|known| seq > known) {
                        self.arrived(event.to_string().as_bytes(), now, sends)?;
                    }
                }
                self.reached(number, &topic, to("to")?);
            }
            Some("_live") => {
                self.reached(number, &topic, to("s")?);
                if let Some(session) = self.sessions.get_mut(number) {
                    session.live = session.topics.values().all(Option::is_some);
                }
            }
            Some("_skip") => self.reached(number, &topic, to("s")?),
            Some("_head") => {
                self.seen.pulled += 1;
                let from = self
                    .sessions
                    .get(number)
                    .and_then(|session| session.topics.get(&topic).copied().flatten());
                let pull =
                    serde_json::json!({ "type": "pull", "t": topic, "g": to("g")?, "s": from.unwrap_or(0) });
                self.say(number, &pull)?;
            }
            _ => bail!("{frame}"),
        }
        Ok(())
    }

    fn reached(&mut self, number: usize, topic: &str, seq: u64) {
        if let Some(session) = self.sessions.get_mut(number) {
            let known = session.topics.entry(topic.to_owned()).or_default();
            *known = Some(known.unwrap_or(0).max(seq));
        }
    }

    fn message(
        &mut self,
        number: usize,
        place: usize,
        seq: Option<u64>,
        now: Instant,
        sends: &Sends,
    ) -> Result<()> {
        let session = self.sessions.get_mut(number).context("no such session")?;
        if let Some(seq) = seq {
            if seq <= session.seq {
                self.seen.repeated += 1;
                return Ok(());
            }
            self.seen.missed += seq - session.seq - 1;
            session.seq = seq;
        }
        let slow = session.slow;
        self.seen.delivered += 1;
        self.seen.delivered_slowly += u64::from(slow);
        if let Some(intended) = sends.intended(place).filter(|_| !slow) {
            let late = now.saturating_duration_since(intended).as_micros();
            self.latency.record(u64::try_from(late)?.max(1))?;
        }
        Ok(())
    }

    /// Frames of the protocol itself: pages, positions, "you are slow".
    fn control(
        &mut self,
        number: usize,
        frame: &serde_json::Value,
        now: Instant,
        sends: &Sends,
    ) -> Result<()> {
        let of = |key: &str| frame.get(key).unwrap_or(&serde_json::Value::Null);
        if of("t").as_str() != Some(&self.channel) {
            return Ok(());
        }
        let to = |key: &str| of(key).as_u64().with_context(|| format!("{key} of {frame}"));
        match of("type").as_str() {
            Some("_page") => {
                for event in of("events").as_array().context("events")? {
                    let text = event.to_string();
                    if let Some(place) = sends.number_in(text.as_bytes()) {
                        self.message(
                            number,
                            place,
                            event.pointer("/_p/s").and_then(serde_json::Value::as_u64),
                            now,
                            sends,
                        )?;
                    }
                }
                self.at(number, to("to")?);
            }
            Some("_live") => {
                self.at(number, to("s")?);
                if let Some(session) = self.sessions.get_mut(number) {
                    session.live = true;
                }
            }
            Some("_skip") => self.at(number, to("s")?),
            Some("_head") => {
                self.seen.pulled += 1;
                let from = self.sessions.get(number).map_or(0, |session| session.seq);
                let pull = serde_json::json!({ "type": "pull", "t": self.channel, "g": to("g")?, "s": from });
                self.write(number, &frames::masked(1, pull.to_string().as_bytes()))?;
            }
            _ => bail!("{frame}"),
        }
        Ok(())
    }

    fn at(&mut self, number: usize, seq: u64) {
        if let Some(session) = self.sessions.get_mut(number) {
            session.seq = session.seq.max(seq);
        }
    }
}

/// The decimal number at a place.
fn number_at(text: &[u8], at: usize) -> Option<u64> {
    let digits = text.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit());
    let mut number = None;
    for digit in digits {
        number = Some(number.unwrap_or(0u64).checked_mul(10)?.checked_add(u64::from(digit - b'0'))?);
    }
    number
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream},
        time::Duration,
    };

    use super::*;
    use crate::fleet::Seen;

    /// A fleet of one session that has everything up to seq 10 of `C1`, and the server's end of its socket.
    fn one() -> (Fleet, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            heard(&mut stream, b"\r\n\r\n");
            stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").unwrap();
            stream
        });
        let mut fleet = Fleet::new("C1").unwrap();
        fleet.open(&format!("ws://{address}/"), Some((1, 10))).unwrap();
        let mut server = server.join().unwrap();
        heard(&mut server, b"resume");
        (fleet, server)
    }

    fn heard(stream: &mut TcpStream, what: &[u8]) {
        let mut all = Vec::new();
        while memchr::memmem::find(&all, what).is_none() {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            all.extend(byte);
        }
    }

    fn say(server: &mut TcpStream, text: &str) {
        server.write_all(&frames::unmasked(text.as_bytes())).unwrap();
    }

    fn message(text: &str, seq: u64) -> String {
        format!(r#"{{"type":"message","text":"{text}","_p":{{"t":"C1","g":1,"s":{seq}}}}}"#)
    }

    fn turn_until(fleet: &mut Fleet, sends: &Sends, done: impl Fn(&Seen) -> bool) {
        let until = Instant::now() + Duration::from_secs(10);
        while !done(&fleet.seen) {
            assert!(Instant::now() < until, "{:?}", fleet.seen);
            fleet.turn(Duration::from_millis(50), sends).unwrap();
        }
    }

    #[test]
    fn what_comes_twice_or_not_at_all_is_counted() {
        let (mut fleet, mut server) = one();
        let mut sends = Sends::default();
        let text = sends.next(Instant::now(), 40);
        for seq in [11, 12, 12, 14] {
            say(&mut server, &message(&text, seq));
        }
        turn_until(&mut fleet, &sends, |seen| seen.frames == 4);
        assert_eq!((fleet.seen.delivered, fleet.seen.repeated, fleet.seen.missed), (3, 1, 1));
    }

    #[test]
    fn a_slow_session_reads_when_it_is_told_to_and_its_latency_is_nobodys() {
        let (mut fleet, mut server) = one();
        let mut sends = Sends::default();
        let text = sends.next(Instant::now(), 40);
        fleet.slow_down(0).unwrap();
        say(&mut server, &message(&text, 11));
        fleet.turn(Duration::from_millis(50), &sends).unwrap();
        assert_eq!(fleet.seen.delivered, 0);
        // What was written on this machine is there to be read.
        fleet.sip(0, 1 << 16, &sends).unwrap();
        assert_eq!((fleet.seen.delivered, fleet.seen.delivered_slowly, fleet.latency.len()), (1, 1, 0));
        say(&mut server, &message(&text, 12));
        fleet.wake(0).unwrap();
        turn_until(&mut fleet, &sends, |seen| seen.delivered == 2);
        assert_eq!((fleet.seen.delivered_slowly, fleet.latency.len()), (1, 1));
    }

    #[test]
    fn who_is_refused_is_told_once_and_others_that_are_closed_end_the_run() {
        let (mut fleet, mut server) = one();
        server.write_all(&[0x88, 2, 0x0f, 0xa2]).unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        let refused = loop {
            fleet.turn(Duration::from_millis(50), &Sends::default()).unwrap();
            let refused = fleet.take_refused();
            if !refused.is_empty() {
                break refused;
            }
            assert!(Instant::now() < until, "nobody was refused");
        };
        assert_eq!(refused, [0]);
        assert!(fleet.take_refused().is_empty());
        let (mut fleet, mut server) = one();
        say(&mut server, r#"{"type":"_live","t":"C1","s":10}"#);
        turn_until(&mut fleet, &Sends::default(), |seen| seen.frames == 1);
        server.write_all(&[0x88, 2, 0x0f, 0xa2]).unwrap();
        let ended = (0..200).find_map(|_| fleet.turn(Duration::from_millis(50), &Sends::default()).err());
        assert!(format!("{:#}", ended.unwrap()).contains("4002"));
    }

    #[test]
    fn who_is_told_of_a_head_pulls_and_takes_the_pages() {
        let (mut fleet, mut server) = one();
        let mut sends = Sends::default();
        let texts = [sends.next(Instant::now(), 40), sends.next(Instant::now(), 40)];
        say(&mut server, r#"{"type":"_head","t":"C1","g":1,"s":12}"#);
        turn_until(&mut fleet, &sends, |seen| seen.pulled == 1);
        heard(&mut server, b"pull");
        let [first, second] = [message(&texts[0], 11), message(&texts[1], 12)];
        say(&mut server, &format!(r#"{{"type":"_page","t":"C1","events":[{first},{second}],"to":12}}"#));
        say(&mut server, r#"{"type":"_live","t":"C1","s":12}"#);
        turn_until(&mut fleet, &sends, |seen| seen.delivered == 2);
        assert_eq!((fleet.seen.missed, fleet.seen.repeated), (0, 0));
        turn_until(&mut fleet, &sends, |seen| seen.frames == 3);
        assert_eq!(fleet.live(), 1);
    }
}
