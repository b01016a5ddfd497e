//! What lies between the machines: calls and requests are delayed, lost before or after their effect, doubled, and
//! kept apart while two machines cannot reach each other.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{pipe::Grip, random::Random, trace::Trace};

/// How a call from one machine to another goes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fate {
    /// Until it arrives.
    pub(crate) there: Duration,
    /// It never arrives.
    pub(crate) lost_there: bool,
    /// It arrives once more, so much later.
    pub(crate) again_after: Option<Duration>,
    /// Until the answer arrives.
    pub(crate) back: Duration,
    /// The answer never arrives: the effect is there.
    pub(crate) lost_back: bool,
    /// Whoever waits for something lost is told at once, as when a connection breaks; otherwise nobody tells them.
    pub(crate) told: bool,
}

/// How bad the network is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    /// Calls in a thousand that never arrive.
    pub(crate) lost_permille: usize,
    /// Calls in a thousand whose answer never arrives.
    pub(crate) unanswered_permille: usize,
    /// Calls in a thousand that arrive twice.
    pub(crate) doubled_permille: usize,
    /// Calls in a thousand that take up to [`Weather::slow_ms`].
    pub(crate) slow_permille: usize,
    /// How slow a slow one is at most.
    pub(crate) slow_ms: u64,
}

/// Between all machines.
pub(crate) struct Network {
    /// The record.
    pub(crate) trace: Arc<Trace>,
    state: Mutex<State>,
}

struct State {
    random: Random,
    weather: Weather,
    /// From and to: nothing gets there.
    apart: BTreeSet<(&'static str, &'static str)>,
    sockets: Vec<(&'static str, Grip)>,
}

impl Network {
    /// A good network.
    pub(crate) fn new(seed: u64, trace: Arc<Trace>) -> Arc<Self> {
        let state = State {
            random: Random::new(seed, "network"),
            weather: Weather::default(),
            apart: BTreeSet::new(),
            sockets: Vec::new(),
        };
        Arc::new(Self { trace, state: Mutex::new(state) })
    }

    /// Draws how a call goes.
    pub(crate) fn fate(&self, from: &'static str, to: &'static str) -> Fate {
        let mut state = self.lock();
        let State { random, weather, apart, .. } = &mut *state;
        let delay = |random: &mut Random| {
            if random.permille(weather.slow_permille) {
                random.millis(0, weather.slow_ms)
            } else {
                random.millis(0, 2)
            }
        };
        let (there, back) = (delay(random), delay(random));
        let lost_there = random.permille(weather.lost_permille) || apart.contains(&(from, to));
        let lost_back = random.permille(weather.unanswered_permille) || apart.contains(&(to, from));
        let again_after = random.permille(weather.doubled_permille).then(|| random.millis(0, 200));
        Fate { there, lost_there, again_after, back, lost_back, told: random.permille(500) }
    }

    /// Sets how bad it is.
    pub(crate) fn set_weather(&self, weather: Weather) {
        self.trace.note("network", "weather", format_args!("{weather:?}"));
        self.lock().weather = weather;
    }

    /// Nothing gets from one machine to another any more. Sockets between them freeze.
    pub(crate) fn part(&self, from: &'static str, to: &'static str) {
        self.trace.note("network", "apart", format_args!("{from} → {to}"));
        let mut state = self.lock();
        state.apart.insert((from, to));
        state.freeze(from, to, true);
    }

    /// Everything reaches everything again.
    pub(crate) fn heal(&self) {
        self.trace.note("network", "heals", "");
        let mut state = self.lock();
        state.weather = Weather::default();
        for (from, to) in std::mem::take(&mut state.apart) {
            state.freeze(from, to, false);
        }
    }

    /// Two machines reach each other again, in both directions.
    pub(crate) fn join(&self, one: &'static str, other: &'static str) {
        self.trace.note("network", "together", format_args!("{one} ↔ {other}"));
        let mut state = self.lock();
        for (from, to) in [(one, other), (other, one)] {
            if state.apart.remove(&(from, to)) {
                state.freeze(from, to, false);
            }
        }
    }

    /// Whether something can get from one to the other.
    pub(crate) fn reaches(&self, from: &'static str, to: &'static str) -> bool {
        !self.lock().apart.contains(&(from, to))
    }

    /// A socket of a device to a gateway.
    pub(crate) fn add_socket(&self, gateway: &'static str, grip: Grip) {
        let mut state = self.lock();
        state.sockets.retain(|(_, grip)| grip.is_open());
        if state.apart.contains(&(PEOPLE, gateway)) || state.apart.contains(&(gateway, PEOPLE)) {
            grip.freeze(true);
        }
        state.sockets.push((gateway, grip));
    }

    /// Cuts some of the sockets that are open.
    pub(crate) fn cut_sockets(&self, permille: usize) {
        let mut state = self.lock();
        let State { random, sockets, .. } = &mut *state;
        for (_, grip) in sockets.iter().filter(|(_, grip)| grip.is_open()) {
            if random.permille(permille) {
                grip.cut();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The machine of the people and their devices.
pub(crate) const PEOPLE: &str = "people";

impl State {
    fn freeze(&mut self, from: &str, to: &str, frozen: bool) {
        for (gateway, grip) in &self.sockets {
            if (from == PEOPLE && to == *gateway) || (to == PEOPLE && from == *gateway) {
                grip.freeze(frozen);
            }
        }
    }
}
