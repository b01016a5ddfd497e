//! Breaks things while the storm lasts. Each seed breaks its own few kinds of things, so that one kind does not hide
//! what another would find.

use std::{sync::Arc, time::Duration};

use crate::{
    log::{Disk, Ledger},
    network::{Network, PEOPLE, Weather},
    node::{ADMIN, CHANNELS, CONTROL, GATEWAY, NAMES, Node, PRESENCE, WEB, time_of_day},
    random::Random,
};

/// Longest time that a machine stays off, milliseconds.
const OFF_MS_MAX: u64 = 2_500;
/// Longest time that two machines do not reach each other, milliseconds.
const APART_MS_MAX: u64 = 4_000;
/// How far a clock jumps at most, microseconds: three hours.
const JUMP_US_MAX: i64 = 3 * 3_600 * 1_000_000;

/// What a seed breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    Web,
    Admin,
    Channels,
    Slot,
    Presence,
    Gateways,
    Everything,
    Sockets,
    Partitions,
    Weather,
    Disk,
    Clocks,
}

const HARMS: [Harm; 12] = [
    Harm::Web,
    Harm::Admin,
    Harm::Channels,
    Harm::Slot,
    Harm::Presence,
    Harm::Gateways,
    Harm::Everything,
    Harm::Sockets,
    Harm::Partitions,
    Harm::Weather,
    Harm::Disk,
    Harm::Clocks,
];

/// Who breaks things.
pub(crate) struct Nemesis {
    random: Random,
    harms: Vec<Harm>,
    /// Commits in a thousand within which the power goes.
    power_permille: usize,
    next: Duration,
    /// Machines that are off, and until when.
    off: Vec<(usize, Duration)>,
    /// Machines that do not reach each other, and until when.
    apart: Vec<(&'static str, &'static str, Duration)>,
    /// How wrong each machine's clock is, microseconds.
    skews: Vec<i64>,
    network: Arc<Network>,
    ledger: Arc<Ledger>,
}

impl Nemesis {
    /// What a seed breaks. One in ten breaks nothing: then I8 holds throughout.
    pub(crate) fn new(seed: u64, network: Arc<Network>, ledger: Arc<Ledger>) -> Self {
        let mut random = Random::new(seed, "nemesis");
        let count = if seed.is_multiple_of(10) { 0 } else { 1 + random.below(5) };
        let mut harms = HARMS.to_vec();
        random.shuffle(&mut harms);
        harms.truncate(count);
        // Beside the others, and by dice of its own: a seed without it is what it was before there was this.
        let mut power = Random::new(seed, "fuses");
        let cuts = count > 0 && power.permille(250);
        let power_permille = if cuts { 10 + power.below(50) } else { 0 };
        network.trace.note("nemesis", "breaks", format_args!("{harms:?}, power {power_permille} ‰"));
        Self {
            random,
            harms,
            power_permille,
            next: Duration::ZERO,
            off: Vec::new(),
            apart: Vec::new(),
            skews: vec![0; NAMES.len()],
            network,
            ledger,
        }
    }

    /// Whether nothing breaks.
    pub(crate) fn is_idle(&self) -> bool {
        self.harms.is_empty()
    }

    /// The storm begins.
    pub(crate) fn begin(&mut self) {
        if self.harms.contains(&Harm::Weather) {
            let worst = [30, 100, 250][self.random.below(3)];
            let mut bad = |most: usize| most / 4 + self.random.below(most);
            let weather = Weather {
                lost_permille: bad(worst),
                unanswered_permille: bad(worst),
                doubled_permille: bad(2 * worst),
                slow_permille: bad(2 * worst),
                slow_ms: 800,
            };
            self.network.set_weather(weather);
        }
        let mut disk = Disk { power_permille: self.power_permille, ..Disk::default() };
        if self.harms.contains(&Harm::Disk) {
            disk = Disk {
                dies_before_permille: self.random.below(8),
                dies_after_permille: self.random.below(8),
                unknown_permille: self.random.below(150),
                full_permille: self.random.below(60),
                slow_permille: self.random.below(100),
                slow_ms: 2_500,
                ..disk
            };
        }
        self.ledger.set_disk(disk);
    }

    /// Breaks what is due, and repairs what was broken long enough.
    ///
    /// # Errors
    /// A machine could not be started.
    pub(crate) fn step(&mut self, node: &mut Node, now: Duration) -> anyhow::Result<()> {
        self.repair(node, now)?;
        if self.ledger.take_death() {
            self.switch_off(node, WEB, now);
        }
        if self.next > now {
            return Ok(());
        }
        self.next = now + self.random.millis(100, 1_500);
        if let Some(harm) = self.random.pick(&self.harms).copied() {
            self.harm(harm, node, now);
        }
        Ok(())
    }

    fn harm(&mut self, harm: Harm, node: &mut Node, now: Duration) {
        match harm {
            Harm::Web => self.switch_off(node, WEB, now),
            Harm::Admin => self.switch_off(node, ADMIN, now),
            Harm::Channels => self.switch_off(node, CHANNELS, now),
            Harm::Presence => self.switch_off(node, PRESENCE, now),
            Harm::Gateways => {
                let gateway = GATEWAY + self.random.below(2);
                self.switch_off(node, gateway, now);
            }
            Harm::Everything => {
                let until = now + self.random.millis(0, OFF_MS_MAX);
                for place in 0..NAMES.len() {
                    if node.is_on(place) {
                        node.crash(place);
                    }
                }
                self.off = (0..NAMES.len()).map(|place| (place, until)).collect();
                // Less often than the others: it takes everything with it.
                self.next = until + self.random.millis(1_000, 4_000);
            }
            Harm::Slot => {
                let slot = self.random.below(Node::slot_count());
                node.harm_slot(slot, self.random.permille(500));
            }
            Harm::Sockets => {
                let permille = [150, 500, 1_000][self.random.below(3)];
                self.network.trace.note("network", "cuts", format_args!("{permille} ‰ of the sockets"));
                self.network.cut_sockets(permille);
            }
            Harm::Partitions => self.part(now),
            Harm::Clocks => {
                let span = usize::try_from(2 * JUMP_US_MAX).unwrap_or_default();
                let jump = i64::try_from(self.random.below(span)).unwrap_or_default() - JUMP_US_MAX;
                // Most clocks are a little wrong, some very.
                let skew = if self.random.permille(500) { jump } else { jump / 1_000 };
                let place = self.random.below(NAMES.len());
                if let (Some(mine), Some(name)) = (self.skews.get_mut(place), NAMES.get(place)) {
                    *mine = skew;
                    self.network.trace.note(name, "clock", format_args!("{} ms", skew / 1_000));
                }
            }
            // They are there all the time.
            Harm::Weather | Harm::Disk => {}
        }
    }

    fn switch_off(&mut self, node: &mut Node, place: usize, now: Duration) {
        if node.is_on(place) {
            node.crash(place);
            let until = now + self.random.millis(0, OFF_MS_MAX);
            self.off.push((place, until));
        }
    }

    fn part(&mut self, now: Duration) {
        let ways = [
            ("web", "admin"),
            ("admin", "channels"),
            ("channels", "gateway-0"),
            ("channels", "gateway-1"),
            ("channels", "web"),
            ("gateway-0", "web"),
            ("gateway-1", "web"),
            ("gateway-0", "presence"),
            ("gateway-1", "channels"),
            (PEOPLE, "web"),
            (PEOPLE, "gateway-0"),
            (PEOPLE, "gateway-1"),
        ];
        let Some((one, other)) = self.random.pick(&ways).copied() else { return };
        let until = now + self.random.millis(100, APART_MS_MAX);
        if self.random.permille(700) {
            self.network.part(one, other);
        }
        if self.random.permille(700) {
            self.network.part(other, one);
        }
        self.apart.push((one, other, until));
    }

    fn repair(&mut self, node: &mut Node, now: Duration) -> anyhow::Result<()> {
        let mut due: Vec<usize> =
            self.off.iter().filter(|(_, until)| *until <= now).map(|(place, _)| *place).collect();
        self.off.retain(|(_, until)| *until > now);
        // Control first: the others ask it when they start.
        due.sort_unstable();
        for place in due {
            node.start(place, now)?;
        }
        let network = &self.network;
        self.apart.retain(|(one, other, until)| {
            let lasts = *until > now;
            if !lasts {
                network.join(one, other);
            }
            lasts
        });
        Ok(())
    }

    /// The storm is over: everything is repaired. Clocks stay as wrong as they are.
    ///
    /// # Errors
    /// A machine could not be started.
    pub(crate) fn end(&mut self, node: &mut Node, now: Duration) -> anyhow::Result<()> {
        self.harms.clear();
        self.apart.clear();
        self.network.heal();
        self.ledger.set_disk(Disk::default());
        for (_, until) in &mut self.off {
            *until = now;
        }
        self.repair(node, now)
    }

    /// A machine may still die of a fault that was drawn before.
    ///
    /// # Errors
    /// A machine could not be started.
    pub(crate) fn after(&mut self, node: &mut Node, now: Duration) -> anyhow::Result<()> {
        if self.ledger.take_death() {
            node.crash(WEB);
            node.start(WEB, now)?;
        }
        Ok(())
    }

    /// Sets every machine's clock.
    pub(crate) fn set_clocks(&self, node: &Node, now: Duration) {
        for (place, skew) in self.skews.iter().enumerate() {
            node.set_clock(place, time_of_day(now).saturating_add(*skew));
        }
    }
}

/// The order in which machines start the first time.
pub(crate) const FIRST: [usize; 7] = [CONTROL, WEB, ADMIN, CHANNELS, PRESENCE, GATEWAY, GATEWAY + 1];
