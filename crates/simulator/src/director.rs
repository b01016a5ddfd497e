//! The course of a simulation, seen from the people: they set up, work through the storm and after it, stop, and
//! look whether everybody has everything.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use harness::{
    history::{Action, History, Listener, Operation, Outcome, Snapshot},
    snapshot,
};
use serde_json::Value;
use tokio::{
    task::spawn_local,
    time::{Instant, sleep},
};

use crate::{
    device::{Device, Positions},
    judge::Judged,
    mutants::Mutant,
    network::Network,
    node::Doors,
    people::Client,
    random::Random,
    sender::{Load, Places, Sender},
    trace::Trace,
    world::World,
};

/// How long everybody works while nothing is broken any more, and I8 holds.
const CALM: Duration = Duration::from_secs(3);
/// How long the storm goes on when nobody begins anything any more.
const LULL: Duration = Duration::from_millis(800);
/// How long after the storm it may take until everything is as if there had been none: a device notices a dead
/// socket, comes back, and catches up.
const SETTLE_WITHIN: Duration = Duration::from_secs(12);
/// How long the last operations and the last events may take.
const END_WITHIN: Duration = Duration::from_secs(15);
/// After this time a read cursor is in the store.
const MARKS_WITHIN: Duration = Duration::from_secs(2);
/// Devices, people in turn.
const DEVICES: usize = 6;

/// Where the simulation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing is broken yet.
    Setup,
    /// Everything may break.
    Storm,
    /// Everything is repaired and stays so.
    Healed,
    /// It is over.
    Over,
}

/// What the director shares with who breaks things.
#[derive(Clone)]
pub(crate) struct Stage {
    /// Where it is.
    pub(crate) phase: Rc<Cell<Phase>>,
    /// What there is to judge, once it is over.
    pub(crate) judged: Rc<RefCell<Option<Judged>>>,
}

/// Who directs.
pub(crate) struct Director {
    /// Which simulation.
    pub(crate) seed: u64,
    /// How long the storm is.
    pub(crate) storm: Duration,
    /// The workspace.
    pub(crate) world: World,
    /// What people reach.
    pub(crate) doors: Doors,
    /// What is in between.
    pub(crate) network: Arc<Network>,
    /// The record.
    pub(crate) trace: Arc<Trace>,
    /// What is wrong on purpose.
    pub(crate) mutant: Option<Mutant>,
    /// Nothing breaks.
    pub(crate) calm: bool,
    /// Who else wants to know.
    pub(crate) stage: Stage,
}

impl Director {
    /// Runs the whole course.
    pub(crate) async fn run(self) {
        if let Err(error) = self.course().await {
            self.trace.violation(format_args!("{error:#}"));
        }
        self.stage.phase.set(Phase::Over);
    }

    async fn course(&self) -> Result<()> {
        let (places, roots) = self.places().await?;
        let mut devices = Vec::new();
        for number in 0..DEVICES {
            let device = self.device(number, &places).await?;
            spawn_local(Rc::clone(&device).run());
            devices.push(device);
        }
        let load = Rc::new(Load {
            trace: Arc::clone(&self.trace),
            operations: RefCell::new(roots),
            idles: Cell::new(false),
            busy: Cell::new(0),
            stop: Cell::new(false),
            working: Cell::new(self.world.people.len()),
        });
        for number in 0..self.world.people.len() {
            let (client, owner) = (self.client(number)?, self.client(0)?);
            let sender = Sender::new(client, owner, places.clone(), Rc::clone(&load), self.seed);
            spawn_local(sender.run());
        }
        self.enter(Phase::Storm);
        sleep(self.storm).await;
        // What is said last in the storm, and lost, is not found because something is said after it.
        load.idles.set(true);
        sleep(LULL).await;
        self.enter(Phase::Healed);
        devices.iter().for_each(|device| device.lazy.set(false));
        self.wait("the last operations of the storm come to an end", END_WITHIN, || load.busy.get() == 0)
            .await?;
        self.converge("after the storm", SETTLE_WITHIN, &devices).await?;
        let calm_since = if self.calm { 0 } else { self.trace.now_us() };
        load.idles.set(false);
        sleep(CALM).await;
        load.stop.set(true);
        self.wait("the senders come to an end", END_WITHIN, || load.working.get() == 0).await?;
        self.converge("at the end", END_WITHIN, &devices).await?;
        // What is still under way may be a double.
        sleep(Duration::from_secs(1)).await;
        let finals = self.finals(&places).await?;
        let history = History {
            operations: load.operations.take(),
            listeners: devices.iter().map(|device| device.listener.borrow().clone()).collect(),
            finals,
            deliver_within: 2_000_000,
            deliver_since: calm_since,
        };
        let people = devices.iter().map(|device| device.client.person.id).collect();
        self.stage.judged.replace(Some(Judged { history, people, door: places.door }));
        Ok(())
    }

    fn enter(&self, phase: Phase) {
        self.trace.note("director", "phase", format_args!("{phase:?}"));
        self.stage.phase.set(phase);
    }

    fn client(&self, number: usize) -> Result<Client> {
        let person = self.world.people.get(number % self.world.people.len()).context("nobody")?.clone();
        let network = Some(Arc::clone(&self.network));
        Ok(Client { person, doors: self.doors.clone(), network, mutant: self.mutant })
    }

    /// Somebody whose calls all arrive.
    fn undisturbed(&self, number: usize) -> Result<Client> {
        Ok(Client { network: None, mutant: None, ..self.client(number)? })
    }

    /// The channels, with a root in each.
    async fn places(&self) -> Result<(Places, Vec<Operation>)> {
        let ann = self.undisturbed(0)?;
        let mut steady = vec![self.world.general.to_string()];
        let users: Vec<String> =
            self.world.people.iter().skip(1).map(|person| person.id.to_string()).collect();
        let create = |name: &'static str, private: &'static str| {
            let ann = ann.clone();
            async move {
                let arguments = [("name", name), ("is_private", private)];
                let made = snapshot::Caller::ok(&ann, "conversations.create", &arguments).await?;
                Ok::<_, anyhow::Error>(made["channel"]["id"].as_str().context("channel")?.to_owned())
            }
        };
        let private = create("steady", "true").await?;
        let arguments = [("channel", private.as_str()), ("users", &users.join(","))];
        snapshot::Caller::ok(&ann, "conversations.invite", &arguments).await?;
        steady.push(private);
        let door = create("door", "false").await?;
        let (mut roots, mut operations) = (Vec::new(), Vec::new());
        for channel in &steady {
            let started = self.trace.now_us();
            let arguments = [("channel", channel.as_str()), ("text", "root")];
            let posted = snapshot::Caller::ok(&ann, "chat.postMessage", &arguments).await?;
            let ts = posted["ts"].as_str().context("ts")?.to_owned();
            operations.push(Operation {
                channel: channel.clone(),
                author: ann.person.id.to_string(),
                action: Action::Post {
                    key: format!("root of {channel}"),
                    text: "root".to_owned(),
                    thread_ts: None,
                },
                started,
                ended: self.trace.now_us(),
                outcome: Outcome::Done(ts.clone()),
            });
            roots.push(ts);
        }
        Ok((Places { steady, roots, door }, operations))
    }

    async fn device(&self, number: usize, places: &Places) -> Result<Rc<Device>> {
        let client = self.undisturbed(number)?;
        let mut bases = BTreeMap::new();
        for channel in &places.steady {
            bases.insert(channel.clone(), snapshot::read(&client, channel).await?);
        }
        let positions = positions(&client).await?;
        let name = format!("{}'s device {number}", client.person.name);
        let listener = Listener { name, bases, seen: Vec::new() };
        let network = Arc::clone(&self.network);
        let lazy = !self.calm && number % 3 == 2 && Random::new(self.seed, "lazy").permille(500);
        Ok(Device::new(self.client(number)?, listener, positions, network, self.seed, lazy))
    }

    /// What is there.
    async fn finals(&self, places: &Places) -> Result<BTreeMap<String, Snapshot>> {
        let ann = self.undisturbed(0)?;
        let mut finals = BTreeMap::new();
        for channel in places.steady.iter().chain([&places.door]) {
            finals.insert(channel.clone(), snapshot::read(&ann, channel).await?);
        }
        Ok(finals)
    }

    /// Everybody comes to have everything, although nothing more is said.
    async fn converge(&self, when: &str, within: Duration, devices: &[Rc<Device>]) -> Result<()> {
        // Marks are collected before they are written.
        sleep(MARKS_WITHIN).await;
        let mut heads = BTreeMap::new();
        for number in 0..self.world.people.len() {
            let client = self.undisturbed(number)?;
            heads.insert(client.person.id.to_string(), positions(&client).await?);
        }
        let what = format!("every device has everything {when}");
        if let Err(late) = self.wait(&what, within, || all_have(devices, &heads)).await {
            self.trace.violation(late);
            devices.iter().filter_map(|device| behind(device, &heads)).for_each(|what| {
                self.trace.violation(what);
            });
        }
        Ok(())
    }

    async fn wait(&self, what: &str, within: Duration, done: impl Fn() -> bool) -> Result<()> {
        let until = Instant::now() + within;
        while !done() {
            ensure!(Instant::now() < until, "I8: {what}: not within {within:?}");
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

/// Everything that a client starts from.
async fn positions(client: &Client) -> Result<Positions> {
    let boot = snapshot::Caller::ok(client, "client.userBoot", &[]).await?;
    let pair = |value: &Value| Some((value.get(0)?.as_u64()?, value.get(1)?.as_u64()?));
    let all = boot["_p"].as_object().context("_p")?;
    all.iter()
        .map(|(topic, value)| Ok((topic.clone(), pair(value).with_context(|| format!("position {value}"))?)))
        .collect()
}

fn all_have(devices: &[Rc<Device>], heads: &BTreeMap<String, Positions>) -> bool {
    devices.iter().all(|device| behind(device, heads).is_none())
}

/// What a device does not have, or has and should not.
fn behind(device: &Device, heads: &BTreeMap<String, Positions>) -> Option<String> {
    let mine = device.positions.borrow();
    let heads = heads.get(&device.client.person.id.to_string())?;
    let live = device.live.borrow();
    let same = *mine == *heads && heads.keys().all(|topic| live.contains(topic));
    (!same).then(|| format!("{} has {mine:?}, should have {heads:?}, live in {live:?}", device.name))
}
