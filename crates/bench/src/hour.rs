//! Scenario `hour`: the top of the hour. Many scheduled messages fall due in one second, in many channels, while people read.
//!
//! First some messages fall due every second, which is the control; then all the others at once; then as many are posted
//! without being scheduled, as fast as they are acknowledged, which is what the server can do. Lateness counts from `post_at`,
//! by this machine's clock. Each session checks each of its topics, and afterwards every message must stand in its channel
//! exactly once.

use std::{
    collections::HashSet,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::{
    crowd::{connect, in_parallel},
    fleet::Fleet,
    http::Api,
    measure,
    posters::{Posters, Sender, Through},
    report::{Figure, Report, millis, progress, rounded},
    sends::Sends,
    server::{Server, Target},
};

/// Slack's limit: messages that one channel may have scheduled within five minutes.
const SCHEDULED_MAX: usize = 30;
/// Connections to the API.
const CONNECTIONS: usize = 64;
/// Messages that are surely scheduled within a second, on a busy machine too.
const SCHEDULED_PER_SECOND: usize = 200;
/// How long the last messages may take, from when they are due.
const POSTED_WITHIN: Duration = Duration::from_secs(120);

/// What is run.
#[derive(Debug, Clone, clap::Args)]
pub struct Hour {
    #[command(flatten)]
    target: Target,
    /// Channels with scheduled messages
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    channels: u32,
    /// Messages in each channel that fall due in the same second; Slack lets a channel have 30 within five minutes, of which
    /// the control needs some
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=29))]
    each: u32,
    /// People, each in every channel with one session
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    people: u32,
    /// Seconds of the control, in each of which one channel in a hundred has a message due
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..=60))]
    control: u32,
    /// Channels that are opened and read per second, all the time
    #[arg(long, default_value_t = 50.0)]
    reads: f64,
}

/// What one of the two phases found.
struct Phase {
    /// From `post_at` to a session, microseconds.
    late: Histogram<u64>,
    /// From when a read was due until it was answered, microseconds.
    reads: Histogram<u64>,
}

impl Hour {
    /// Runs the scenario.
    ///
    /// # Errors
    /// When the server fails, or anything was lost, doubled or out of order.
    pub fn run(&self) -> Result<Report> {
        let (people, channels) = (usize::try_from(self.people)?, usize::try_from(self.channels)?);
        let (each, seconds) = (usize::try_from(self.each)?, usize::try_from(self.control)?);
        let a_second = (channels / 100).max(1);
        ensure!(
            each + (seconds * a_second).div_ceil(channels) <= SCHEDULED_MAX,
            "a channel may have {SCHEDULED_MAX} scheduled messages within five minutes"
        );
        measure::raise_open_files();
        let core = (measure::cores() > 1).then_some(1);
        let server = self.target.server(people, core)?;
        measure::pin((measure::cores() > 1).then_some(0))?;
        let mut town = Town::open(&server, people, channels)?;
        let from =
            next_second(Duration::from_secs(3 + u64::try_from(seconds * a_second / SCHEDULED_PER_SECOND)?));
        let control: Vec<(usize, i64)> = (0..seconds * a_second)
            .map(|number| Ok((number % channels, from + i64::try_from(number / a_second)?)))
            .collect::<Result<_>>()?;
        progress(&format!("control: {a_second} messages are due in each of {seconds} seconds"));
        let control = town.phase(&control, self.reads)?;
        let count = channels * each;
        let at = next_second(Duration::from_secs(2 + u64::try_from(count / SCHEDULED_PER_SECOND)?));
        progress(&format!("{count} messages are scheduled for one second"));
        let all: Vec<(usize, i64)> = (0..count).map(|number| (number % channels, at)).collect();
        let hour = town.phase(&all, self.reads)?;
        let direct = town.direct(count)?;
        let posted = town.posted(&server, at, count)?;
        let pace = pace(&posted)?;
        let ratio = |percentile| {
            let value = millis(&hour.late, percentile);
            (value, value / millis(&control.late, percentile))
        };
        let ((median, median_ratio), (tail, tail_ratio)) = (ratio(50.0), ratio(99.0));
        let messages = rounded(u64::try_from(count)?);
        let mut report = Report::new(vec![
            Figure::of("post_at → at a session, p50, to the control", "ms", &[median], &[median_ratio]),
            Figure::of("post_at → at a session, p99, to the control", "ms", &[tail], &[tail_ratio]),
            Figure::once("messages that were due in one second", "", messages),
            Figure::of("scheduled messages posted per second, to posts", "1/s", &[pace], &[pace / direct]),
            Figure::once("posts acknowledged per second, same messages", "1/s", direct),
        ]);
        report.latency("post_at → at a session", &hour.late);
        report.latency("post_at → ts of the message", &posted);
        report.latency("post_at → at a session, control", &control.late);
        report.latency("due → read, at the top of the hour", &hour.reads);
        report.latency("due → read, control", &control.reads);
        Ok(report)
    }
}

/// A whole second of the wall clock that is at least so far away.
fn next_second(at_least: Duration) -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from((since + at_least).as_secs() + 1).unwrap_or(i64::MAX)
}

/// Everybody, in every channel.
struct Town {
    tokens: Vec<String>,
    channels: Vec<String>,
    fleet: Fleet,
    posters: Posters,
    sends: Sends,
    /// Copies that came so far.
    came: u64,
}

impl Town {
    fn open(server: &Server, people: usize, channels: usize) -> Result<Self> {
        let tokens: Vec<String> = server.seed.tokens(people)?.into_iter().map(str::to_owned).collect();
        progress(&format!("{channels} channels are made, {people} people join all of them"));
        let address = &server.address;
        let numbers: Vec<usize> = (0..channels).collect();
        let channels: Vec<String> = in_parallel(&numbers, |number| {
            let token = tokens.get(number % people).context("nobody")?;
            Api::connect(address, token)?.create_channel(*number)
        })?;
        let numbers: Vec<usize> = (0..people).collect();
        in_parallel(&numbers, |person| {
            let mut api = Api::connect(address, tokens.get(*person).context("nobody")?)?;
            // Whoever made a channel is in it.
            for (_, channel) in channels.iter().enumerate().filter(|(number, _)| number % people != *person) {
                api.call("/api/conversations.join", &json!({ "channel": channel }))?;
            }
            Ok(())
        })?;
        let mut fleet = Fleet::new("")?;
        connect(&mut fleet, address, &tokens)?;
        let senders = tokens.iter().cycle().take(CONNECTIONS);
        let senders = senders.map(|token| Sender { token: token.clone(), channels: Vec::new() }).collect();
        let posters = Posters::connect(&fleet, address, senders, 100, Through::Http)?;
        Ok(Self { tokens, channels, fleet, posters, sends: Sends::default(), came: 0 })
    }

    /// Schedules messages (channel, `post_at`; those due first come first), reads while they fall due, and waits until
    /// everybody has all of them.
    fn phase(&mut self, messages: &[(usize, i64)], reads: f64) -> Result<Phase> {
        let (wall, now) = (SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?, Instant::now());
        let instant = |post_at: i64| -> Result<Instant> {
            let until = Duration::from_secs(u64::try_from(post_at)?).checked_sub(wall);
            Ok(now + until.context("a message is due in the past")?)
        };
        let first = instant(messages.first().context("no messages")?.1)?;
        let last = instant(messages.last().context("no messages")?.1)?;
        self.fleet.latency.reset();
        for (channel, post_at) in messages {
            let id = self.channels.get(*channel).context("no channel")?;
            let author = self.tokens.get(channel % self.tokens.len()).context("nobody")?.clone();
            let text = self.sends.next(instant(*post_at)?, 100);
            let body = json!({ "channel": id, "text": text, "post_at": post_at });
            while self.posters.call(Instant::now(), "chat.scheduleMessage", &author, &body)?.is_none() {
                self.turn(Duration::from_millis(50))?;
            }
        }
        while self.posters.waiting() > 0 {
            self.turn(Duration::from_millis(50))?;
        }
        ensure!(Instant::now() < first, "scheduling took until messages were due: the machine is too busy");
        let due = self.came + u64::try_from(messages.len() * self.fleet.len())?;
        let (mut read, started, mut counting) = (0u64, Instant::now(), false);
        while self.fleet.seen.delivered < due {
            let now = Instant::now();
            if !counting && now >= first {
                self.posters.latency.reset();
                counting = true;
            }
            ensure!(now < last + POSTED_WITHIN, "{due} copies were due: {:?}", self.fleet.seen);
            let next = started + Duration::from_secs_f64(rounded(read) / reads);
            let mut wait = next.saturating_duration_since(now);
            if next <= now && self.read(next, usize::try_from(read)?)? {
                read += 1;
                wait = Duration::ZERO;
            }
            self.turn(wait.min(Duration::from_millis(50)))?;
        }
        self.check(due)?;
        Ok(Phase { late: self.fleet.latency.clone(), reads: self.posters.latency.clone() })
    }

    /// Somebody opens a channel; `false`: every connection waits.
    fn read(&mut self, due: Instant, number: usize) -> Result<bool> {
        let channel = self.channels.get(number % self.channels.len()).context("no channel")?;
        let body = json!({ "channel": channel, "limit": 50 });
        let token = self.tokens.get(number % self.tokens.len()).context("nobody")?.clone();
        Ok(self.posters.call(due, "conversations.history", &token, &body)?.is_some())
    }

    /// Posts as many messages at once, without scheduling them; how many were acknowledged per second.
    fn direct(&mut self, count: usize) -> Result<f64> {
        let started = Instant::now();
        for number in 0..count {
            let channel = number % self.channels.len();
            let id = self.channels.get(channel).context("no channel")?;
            let author = self.tokens.get(channel % self.tokens.len()).context("nobody")?.clone();
            let body = json!({ "channel": id, "text": self.sends.next(Instant::now(), 100) });
            while self.posters.call(Instant::now(), "chat.postMessage", &author, &body)?.is_none() {
                self.turn(Duration::from_millis(50))?;
            }
        }
        while self.posters.waiting() > 0 {
            self.turn(Duration::from_millis(50))?;
        }
        let rate = rounded(u64::try_from(count)?) / started.elapsed().as_secs_f64();
        let due = self.came + u64::try_from(count * self.fleet.len())?;
        let until = Instant::now() + POSTED_WITHIN;
        while self.fleet.seen.delivered < due {
            ensure!(Instant::now() < until, "{due} copies were due: {:?}", self.fleet.seen);
            self.turn(Duration::from_millis(50))?;
        }
        self.check(due)?;
        Ok(rate)
    }

    /// Looks that so many copies came, and nothing else.
    fn check(&mut self, due: u64) -> Result<()> {
        // What came twice would come now; and the last answers.
        for _ in 0..10 {
            self.turn(Duration::from_millis(20))?;
        }
        self.fleet.seen.exactly(due)?;
        self.came = due;
        Ok(())
    }

    fn turn(&mut self, wait: Duration) -> Result<()> {
        for token in self.fleet.turn(wait, &self.sends)? {
            self.posters.ready(token)?;
        }
        Ok(())
    }

    /// Looks that every message stands in its channel exactly once; how late the `ts` are of the `count` that were due at
    /// `at`, microseconds. As many came after them, and were not scheduled.
    fn posted(&self, server: &Server, at: i64, count: usize) -> Result<Histogram<u64>> {
        let token = self.tokens.first().context("nobody")?;
        let numbers: Vec<usize> = (0..self.channels.len()).collect();
        let channels = in_parallel(&numbers, |number| {
            let body = json!({ "channel": self.channels.get(*number), "limit": 200 });
            Api::connect(&server.address, token)?.call("/api/conversations.history", &body)
        })?;
        let (mut found, mut late) = (HashSet::new(), Histogram::new(3)?);
        let end = self.sends.len() - count;
        let due_at_once = end - count..end;
        for message in channels.iter().filter_map(|answer| answer.get("messages")?.as_array()).flatten() {
            let text = |key: &str| message.get(key).and_then(Value::as_str).unwrap_or_default();
            let Some(number) = self.sends.number_in(text("text").as_bytes()) else { continue };
            ensure!(found.insert(number), "a message was posted twice: {}", text("text"));
            if due_at_once.contains(&number) {
                let (seconds, micros) = text("ts").split_once('.').context("ts")?;
                let after = (seconds.parse::<i64>()? - at) * 1_000_000 + micros.parse::<i64>()?;
                let after = u64::try_from(after).context("a message was posted before it was due")?;
                late.record(after.max(1))?;
            }
        }
        ensure!(found.len() == self.sends.len(), "{} of {} were posted", found.len(), self.sends.len());
        Ok(late)
    }
}

/// Messages per second between the first and the last of these, by how late they were in microseconds.
fn pace(late: &Histogram<u64>) -> Result<f64> {
    let span = late.max().saturating_sub(late.min());
    ensure!(span > 0, "{} messages are too few to measure", late.len());
    Ok(rounded(late.len()) / rounded(span) * 1_000_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_second_is_whole_and_far_enough_away() {
        let before = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let at = next_second(Duration::from_secs(2));
        let away = Duration::from_secs(u64::try_from(at).unwrap()).checked_sub(before).unwrap();
        assert!(away > Duration::from_secs(2) && away <= Duration::from_secs(4), "{away:?}");
    }

    #[test]
    fn a_pace_counts_from_the_first_to_the_last() {
        let mut late = Histogram::new(3).unwrap();
        [200_000, 450_000, 700_000].into_iter().for_each(|micros| late.record(micros).unwrap());
        let found = pace(&late).unwrap();
        assert!(
            (5.98..6.02).contains(&found),
            "three in half a second, but for the histogram's steps: {found}"
        );
        let mut one = Histogram::new(3).unwrap();
        one.record(5).unwrap();
        assert!(pace(&one).is_err());
    }
}
