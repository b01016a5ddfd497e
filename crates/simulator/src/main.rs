//! One simulation: every role of a node in one thread, with faults and times that a seed decides.
//!
//! `sim --seed N` prints one line: the seed, a number for everything that happened, and what was broken of the
//! promises. The same seed prints the same line. `--trace` prints everything that happened.
//!
//! | module | what |
//! |---|---|
//! | `system` | answers for the operating system: random bytes, the time |
//! | `host`, `network`, `pipe`, `log`, `drive` | machines, what lies between them, sockets, commits, the disk; each with its faults |
//! | `ports`, `discovery` | the contracts between roles over the network, and who knows of whom |
//! | `node` | the roles, wired |
//! | `world`, `people`, `sender`, `device` | the workspace, and what people and their devices do |
//! | `director`, `nemesis` | the course of a run, and what is broken when |
//! | `judge`, `mutants` | what must hold, and bugs that must be found |

// JSON values are indexed, which answers null and does not panic.
#![allow(clippy::indexing_slicing)]

mod device;
mod director;
mod discovery;
mod drive;
mod host;
mod judge;
mod log;
mod mutants;
mod nemesis;
mod network;
mod node;
mod people;
mod pipe;
mod ports;
mod random;
mod sender;
mod system;
mod trace;
mod world;

use std::{
    cell::{Cell, RefCell},
    io::Write as _,
    path::Path,
    process::ExitCode,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use clap::Parser;
use director::{Director, Phase, Stage};
use host::Host;
use log::Ledger;
use mutants::{Kind, Mutant};
use nemesis::{FIRST, Nemesis};
use network::{Network, PEOPLE};
use node::{Node, time_of_day};
use random::Random;
use trace::Trace;
use world::World;

/// A step: what one machine does within it, others see in the next at the latest.
const STEP: Duration = Duration::from_millis(2);
/// No simulation is longer.
const LONGEST: Duration = Duration::from_secs(120);

#[derive(Debug, Parser)]
#[command(about = "Runs a node in one thread, with faults that a seed decides")]
struct Arguments {
    /// What happens.
    #[arg(long)]
    seed: u64,
    /// Print every event.
    #[arg(long)]
    trace: bool,
    /// Put a bug in.
    #[arg(long, value_enum)]
    mutant: Option<Kind>,
    /// How long things break, seconds.
    #[arg(long, default_value_t = 8)]
    storm_s: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match simulate(&arguments) {
        Ok(trace) => report(&arguments, &trace),
        Err(error) => {
            say(&format!("seed {} did not run: {error:#}", arguments.seed));
            ExitCode::FAILURE
        }
    }
}

fn say(line: &str) {
    // Without a stdout nobody listens.
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn report(arguments: &Arguments, trace: &Trace) -> ExitCode {
    let (violations, (digest, count)) = (trace.violations(), trace.digest());
    if !violations.is_empty() && !arguments.trace {
        trace.last().iter().for_each(|line| say(line.trim_end()));
    }
    for violation in violations.iter().take(30) {
        say(&format!("violation: {violation}"));
    }
    let (seed, broken) = (arguments.seed, violations.len());
    say(&format!("seed {seed} {digest:016x} {count} events, {broken} violations"));
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn simulate(arguments: &Arguments) -> anyhow::Result<Arc<Trace>> {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    // By the process, not by chance: the seed's chance is the same in every process.
    let dir = parent.join(format!("parlance-sim-{}", std::process::id()));
    // A run that was killed left its own, and had the number of this process.
    let _ = std::fs::remove_dir_all(&dir);
    let result = simulate_in(&dir, arguments);
    // What is left behind is only in the way.
    let _ = std::fs::remove_dir_all(&dir);
    result
}

fn simulate_in(dir: &Path, arguments: &Arguments) -> anyhow::Result<Arc<Trace>> {
    let seed = arguments.seed;
    system::take_over(seed);
    system::set_elapsed(Duration::ZERO);
    let trace = Arc::new(Trace::new(arguments.trace));
    watch_panics(&trace);
    let network = Network::new(seed, Arc::clone(&trace));
    let ledger = Ledger::new(seed, Arc::clone(&trace));
    let mutant = arguments.mutant.map(|kind| Mutant::new(kind, Arc::clone(&ledger)));
    drive::set_up(seed, mutant.and_then(Mutant::lie));
    let world = World::make(dir, time_of_day(Duration::ZERO))?;
    let mut nemesis = Nemesis::new(seed, Arc::clone(&network), Arc::clone(&ledger));
    let mut node = Node::new(dir.to_owned(), Arc::clone(&network), Arc::clone(&ledger), mutant);
    nemesis.set_clocks(&node, Duration::ZERO);
    for place in FIRST {
        node.start(place, Duration::ZERO)?;
    }
    let stage = Stage { phase: Rc::new(Cell::new(Phase::Setup)), judged: Rc::new(RefCell::new(None)) };
    let director = Director {
        seed,
        storm: Duration::from_secs(arguments.storm_s),
        world,
        doors: node.doors.clone(),
        network,
        trace: Arc::clone(&trace),
        mutant,
        calm: nemesis.is_idle(),
        stage: stage.clone(),
    };
    let mut people = Host::new(PEOPLE);
    people.start(Duration::ZERO)?;
    people.inside(|_| tokio::task::spawn_local(director.run()))?;
    if let Err(error) = course(seed, &mut node, &people, &mut nemesis, &stage, &trace) {
        // A machine that does not start again, or a course without end.
        trace.violation(format_args!("{error:#}"));
    }
    if let Some(judged) = stage.judged.take() {
        judged.check(&ledger).iter().for_each(|what| trace.violation(what));
    }
    people.crash();
    (0..node.hosts.len()).for_each(|place| node.crash(place));
    Ok(trace)
}

/// Moves the time until the director says that it is over.
fn course(
    seed: u64,
    node: &mut Node,
    people: &Host,
    nemesis: &mut Nemesis,
    stage: &Stage,
    trace: &Trace,
) -> anyhow::Result<()> {
    let mut order = Random::new(seed, "order");
    let (mut now, mut phase) = (Duration::ZERO, Phase::Setup);
    while now < LONGEST {
        system::set_elapsed(now);
        let before = std::mem::replace(&mut phase, stage.phase.get());
        match (before, phase) {
            (_, Phase::Over) => return Ok(()),
            (Phase::Setup, Phase::Storm) => nemesis.begin(),
            (Phase::Storm, Phase::Healed) => nemesis.end(node, now)?,
            (_, Phase::Storm) => nemesis.step(node, now)?,
            (_, Phase::Healed) => nemesis.after(node, now)?,
            (_, Phase::Setup) => {}
        }
        nemesis.set_clocks(node, now);
        node.spread_news(&mut order);
        now += STEP;
        let mut hosts: Vec<&Host> = node.hosts.iter().chain([people]).collect();
        order.shuffle(&mut hosts);
        for host in hosts {
            host.run_until(now);
            if host.has_failed() {
                trace.violation(format_args!("{}: a task ended that must not", host.name));
                return Ok(());
            }
        }
    }
    anyhow::bail!("not over after {LONGEST:?}")
}

/// A panic anywhere is a violation.
fn watch_panics(trace: &Arc<Trace>) {
    let trace = Arc::clone(trace);
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let what = panic.payload_as_str().unwrap_or("no words");
        trace.violation(format_args!("panic at {place}: {what}"));
    }));
}
