//! Scenario `mix`: what a workspace does all day. People in twenty channels each, a few of which are busy and most quiet
//! (Zipf); messages, and for each of them some marks, typing and reactions; everybody watches the presence of some.
//!
//! Every session checks every topic that it has: nothing may be lost, doubled or out of order.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::{
    crowd::{connect, in_parallel},
    fleet::{Fleet, Seen},
    http::Api,
    measure::{self, Usage},
    posters::{Posters, Sender, Through},
    report::{self, Figure, Report, progress, rounded},
    sends::Sends,
    server::{Server, Target},
};

/// How long the last frames may take.
const DRAINED_WITHIN: Duration = Duration::from_secs(30);
/// People whose presence each session watches.
const WATCHED: usize = 30;
/// Connections to the API.
const CONNECTIONS: usize = 64;
/// Names of reactions.
const REACTIONS: [&str; 6] = ["+1", "eyes", "tada", "heart", "wave", "pray"];

/// What is run.
#[derive(Debug, Clone, clap::Args)]
pub struct Mix {
    #[command(flatten)]
    target: Target,
    /// People, each with one session
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(40..=10_000))]
    people: u32,
    /// Channels in the workspace
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(20..=20_000))]
    channels: u32,
    /// Channels that each person is in
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    each: u32,
    /// Messages per second, sent when they are due. For each there are two marks, one typing and a third of a reaction
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// Seconds; the first fifth does not count
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(5..=3_600))]
    seconds: u32,
}

/// A generator of numbers that are the same in each run (xorshift64*, Vigna 2016).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % end).unwrap_or_default()
    }
}

/// Zipf's law with exponent 1: the n-th is drawn with a weight of 1/n.
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(count: usize) -> Self {
        let mut sum = 0.0;
        let weights = (1..=count).map(|rank| {
            sum += 1.0 / rounded(u64::try_from(rank).unwrap_or(u64::MAX));
            sum
        });
        Self(weights.collect())
    }

    fn draw(&self, dice: &mut Dice) -> usize {
        let all = self.0.last().copied().unwrap_or_default();
        let point = rounded(dice.next() >> 11) / rounded(1 << 53) * all;
        self.0.partition_point(|sum| *sum <= point).min(self.0.len().saturating_sub(1))
    }
}

/// Who is in which channel.
struct Workspace {
    /// Ids, the busiest first.
    channels: Vec<String>,
    /// Of each channel the numbers of its people.
    members: Vec<Vec<usize>>,
}

impl Mix {
    /// Runs the scenario.
    ///
    /// # Errors
    /// When the server fails, or anything was lost, doubled or out of order.
    pub fn run(&self) -> Result<Report> {
        let people = usize::try_from(self.people)?;
        measure::raise_open_files();
        let core = (measure::cores() > 1).then_some(1);
        let server = self.target.server(people, core)?;
        measure::pin((measure::cores() > 1).then_some(0))?;
        let tokens: Vec<String> = server.seed.tokens(people)?.into_iter().map(str::to_owned).collect();
        let workspace = self.populate(&server.address, &tokens)?;
        let mut fleet = Fleet::new("")?;
        let ids = connect(&mut fleet, &server.address, &tokens)?;
        for number in 0..people {
            let watched: Vec<&String> = ids.iter().cycle().skip(number + 1).take(WATCHED).collect();
            fleet.say(number, &json!({ "type": "presence_sub", "ids": watched }))?;
        }
        let senders = tokens.iter().cycle().take(CONNECTIONS);
        let senders = senders.map(|token| Sender { token: token.clone(), channels: Vec::new() }).collect();
        let posters = Posters::connect(&fleet, &server.address, senders, 100, Through::Http)?;
        progress("everybody is there");
        let mut run = Run {
            tokens,
            workspace,
            server: &server,
            fleet,
            posters,
            sends: Sends::default(),
            dice: Dice(0x5eed),
            latest: HashMap::new(),
            posting: HashMap::new(),
            expected: 0,
            refused: 0,
        };
        run.go(self)
    }

    /// Makes the channels and puts everybody into theirs.
    fn populate(&self, address: &str, tokens: &[String]) -> Result<Workspace> {
        let (count, each) = (
            usize::try_from(self.channels)?,
            usize::try_from(self.each)?.min(usize::try_from(self.channels)?),
        );
        progress(&format!("{count} channels are made, {} people join {each} each", tokens.len()));
        let numbers: Vec<usize> = (0..count).collect();
        let channels: Vec<String> = in_parallel(&numbers, |number| {
            let token = tokens.get(number % tokens.len()).context("nobody")?;
            Api::connect(address, token)?.create_channel(*number)
        })?;
        let (mut dice, zipf) = (Dice(0xd1ce), Zipf::new(count));
        let mut theirs: Vec<Vec<usize>> = (0..tokens.len()).map(|_| Vec::new()).collect();
        for number in 0..count {
            theirs.get_mut(number % tokens.len()).context("nobody")?.push(number);
        }
        for mine in &mut theirs {
            // Popular channels are full, others have few people.
            while mine.len() < each {
                let drawn = zipf.draw(&mut dice);
                let channel = if mine.contains(&drawn) { dice.below(count) } else { drawn };
                if !mine.contains(&channel) {
                    mine.push(channel);
                }
            }
        }
        let people: Vec<usize> = (0..tokens.len()).collect();
        in_parallel(&people, |person| {
            let mut api = Api::connect(address, tokens.get(*person).context("nobody")?)?;
            for channel in theirs.get(*person).into_iter().flatten() {
                // Whoever made it is in it.
                if channel % tokens.len() != *person {
                    api.call("/api/conversations.join", &json!({ "channel": channels.get(*channel) }))?;
                }
            }
            Ok(())
        })?;
        let mut members: Vec<Vec<usize>> = (0..count).map(|_| Vec::new()).collect();
        for (person, mine) in theirs.iter().enumerate() {
            for channel in mine {
                members.get_mut(*channel).context("no channel")?.push(person);
            }
        }
        Ok(Workspace { channels, members })
    }
}

/// A run.
struct Run<'s> {
    tokens: Vec<String>,
    workspace: Workspace,
    server: &'s Server,
    fleet: Fleet,
    posters: Posters,
    sends: Sends,
    dice: Dice,
    /// The newest message of each channel, as far as its sender knows.
    latest: HashMap<usize, String>,
    /// Posts under way: connection → channel.
    posting: HashMap<usize, usize>,
    /// Copies of messages that must reach somebody.
    expected: u64,
    /// Calls that came too late to change anything.
    refused: u64,
}

impl Run<'_> {
    fn go(&mut self, options: &Mix) -> Result<Report> {
        let zipf = Zipf::new(self.workspace.channels.len());
        let start = Instant::now();
        let length = Duration::from_secs(options.seconds.into());
        let mut begun: Option<(Instant, Usage, Seen, u64)> = None;
        let (mut second, mut calls) = (1, 0u64);
        let before = self.fleet.seen.clone();
        while start.elapsed() < length {
            let now = Instant::now();
            if begun.is_none() && start.elapsed() >= length / 5 {
                self.fleet.latency.reset();
                self.posters.latency.reset();
                begun = Some((now, self.server.usage()?, self.fleet.seen.clone(), calls));
            }
            if start.elapsed() >= Duration::from_secs(second) {
                report::ticker(&format!("{second} s, {} messages", self.sends.len()));
                second += 1;
            }
            let due =
                start + Duration::from_secs_f64(rounded(u64::try_from(self.sends.len())?) / options.rate);
            let mut wait = due.saturating_duration_since(now);
            if due <= now && self.act(due, &zipf, &mut calls)? {
                wait = Duration::ZERO;
            }
            self.turn(wait.min(Duration::from_millis(50)))?;
        }
        let (from, used, seen, counted) = begun.context("too short to count anything")?;
        let (took, after) = (from.elapsed().as_secs_f64(), self.server.usage()?);
        let cpu = (after.cpu - used.cpu).as_secs_f64();
        let frames = rounded(self.fleet.seen.frames - seen.frames);
        let calls = rounded(calls - counted);
        let until = Instant::now() + DRAINED_WITHIN;
        while self.fleet.seen.delivered - before.delivered < self.expected || self.posters.waiting() > 0 {
            ensure!(Instant::now() < until, "{} copies were due: {:?}", self.expected, self.fleet.seen);
            self.turn(Duration::from_millis(50))?;
        }
        self.turn(Duration::from_millis(200))?;
        let found = &self.fleet.seen;
        ensure!(
            found.delivered - before.delivered == self.expected && found.repeated == 0 && found.missed == 0,
            "{} copies were due: {found:?}",
            self.expected
        );
        let latency: &Histogram<u64> = &self.fleet.latency;
        let mut report = Report::new(vec![
            Figure::once("messages per second", "1/s", options.rate),
            Figure::once("calls per second, all methods", "1/s", calls / took),
            Figure::once("frames per second", "1/s", frames / took),
            Figure::once("server CPU, of one core", "%", cpu / took * 100.0),
            Figure::once("server CPU per frame", "µs", cpu / frames * 1_000_000.0),
            Figure::once("resident memory of the server", "MB", rounded(after.resident) / 1_048_576.0),
            Figure::once("sessions that were told to pull", "", rounded(found.pulled)),
            Figure::once("calls that changed nothing", "", rounded(self.refused)),
        ]);
        report.latency("due → at a session", latency);
        report.latency("due → answered, all methods", &self.posters.latency);
        Ok(report)
    }

    /// A message and what goes with it; `false`: all connections wait.
    fn act(&mut self, due: Instant, zipf: &Zipf, calls: &mut u64) -> Result<bool> {
        let channel = zipf.draw(&mut self.dice);
        let id = self.workspace.channels.get(channel).context("no channel")?.clone();
        let author = self.somebody(channel)?;
        if self.posters.is_busy() {
            return Ok(false);
        }
        let text = self.sends.next(due, 100);
        let body = json!({ "channel": id, "text": text });
        let connection =
            self.call(due, "chat.postMessage", author, &body)?.context("all connections wait")?;
        self.posting.insert(connection, channel);
        self.expected += u64::try_from(self.workspace.members.get(channel).map_or(0, Vec::len))?;
        *calls += 1;
        let typist = self.somebody(channel)?;
        self.fleet.say(typist, &json!({ "type": "typing", "channel": id }))?;
        if let Some(ts) = self.latest.get(&channel).cloned() {
            for _ in 0..2 {
                let reader = self.somebody(channel)?;
                let mark = json!({ "channel": id, "ts": ts });
                *calls += u64::from(self.call(due, "conversations.mark", reader, &mark)?.is_some());
            }
            if self.dice.below(3) == 0 {
                let person = self.somebody(channel)?;
                let name = REACTIONS.get(self.dice.below(REACTIONS.len())).copied().unwrap_or("+1");
                let reaction = json!({ "channel": id, "timestamp": ts, "name": name });
                *calls += u64::from(self.call(due, "reactions.add", person, &reaction)?.is_some());
            }
        }
        Ok(true)
    }

    fn somebody(&mut self, channel: usize) -> Result<usize> {
        let members = self.workspace.members.get(channel).context("no channel")?;
        members.get(self.dice.below(members.len())).copied().context("nobody")
    }

    fn call(&mut self, due: Instant, method: &str, person: usize, body: &Value) -> Result<Option<usize>> {
        let token = self.tokens.get(person).context("nobody")?;
        self.posters.call(due, method, token, body)
    }

    fn turn(&mut self, wait: Duration) -> Result<()> {
        for token in self.fleet.turn(wait, &self.sends)? {
            let Some(answer) = self.posters.answered(token)? else { continue };
            let channel = self.posting.remove(&Posters::number(token));
            let answer: Value = serde_json::from_slice(&answer)?;
            match (answer.get("ok") == Some(&json!(true)), channel) {
                (true, Some(channel)) => {
                    let ts = answer.get("ts").and_then(Value::as_str).context("ts")?;
                    self.latest.insert(channel, ts.to_owned());
                }
                (true, None) => {}
                (false, None) if answer.get("error") == Some(&json!("already_reacted")) => self.refused += 1,
                (false, _) => bail!("{answer}"),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_drawn_twice_as_often_as_the_second() {
        let (zipf, mut dice) = (Zipf::new(50), Dice(1));
        let mut drawn = [0u32; 50];
        for _ in 0..100_000 {
            drawn[zipf.draw(&mut dice)] += 1;
        }
        let ratio = f64::from(drawn[0]) / f64::from(drawn[1]);
        assert!((1.9..2.1).contains(&ratio), "{ratio}");
        assert!(drawn.iter().all(|count| *count > 200), "{drawn:?}");
    }
}
