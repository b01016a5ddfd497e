//! What machines know of each other: directories and rings, each machine with its own copy.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context as _;
use cluster::{Ring, RingWatch};
use model::NodeId;
use rpc::{ChannelServer, Directory, Gateway, Presence};
use tokio::sync::watch;

use crate::{
    mutants::Mutant,
    network::Network,
    ports::{Place, Wire},
    random::Random,
};

/// Chance in a thousand that a machine hears of a newer ring within a step.
const NEWS_PERMILLE: usize = 150;

/// The nodes of one machine, and who has a view of them.
pub(crate) struct Registry<P: ?Sized> {
    origin: Arc<Directory<P>>,
    views: Vec<View<P>>,
}

struct View<P: ?Sized> {
    from: &'static str,
    to: &'static str,
    directory: Arc<Directory<P>>,
    network: Arc<Network>,
    mutant: Option<Mutant>,
    known: Vec<NodeId>,
}

impl<P: ?Sized> Default for Registry<P> {
    fn default() -> Self {
        Self { origin: Arc::default(), views: Vec::new() }
    }
}

/// Makes the port over the network; one per contract, since each is a trait of its own.
pub(crate) trait Wired {
    /// The wire as a port.
    fn port(wire: Wire<Self>) -> Arc<Self>;
}

impl Wired for dyn ChannelServer {
    fn port(wire: Wire<Self>) -> Arc<Self> {
        Arc::new(wire)
    }
}

impl Wired for dyn Gateway {
    fn port(wire: Wire<Self>) -> Arc<Self> {
        Arc::new(wire)
    }
}

impl Wired for dyn Presence {
    fn port(wire: Wire<Self>) -> Arc<Self> {
        Arc::new(wire)
    }
}

impl<P: ?Sized + Wired> Registry<P> {
    /// Where the machine registers its nodes.
    pub(crate) fn origin(&self) -> Arc<Directory<P>> {
        Arc::clone(&self.origin)
    }

    /// A machine that just started sees the nodes through `network`.
    pub(crate) fn view(
        &mut self,
        from: &'static str,
        to: &'static str,
        network: &Arc<Network>,
        mutant: Option<Mutant>,
    ) -> Arc<Directory<P>> {
        let directory = Arc::new(Directory::default());
        self.add_view(from, to, Arc::clone(&directory), network, mutant);
        directory
    }

    /// As [`Registry::view`], into a directory that has others too.
    pub(crate) fn add_view(
        &mut self,
        from: &'static str,
        to: &'static str,
        directory: Arc<Directory<P>>,
        network: &Arc<Network>,
        mutant: Option<Mutant>,
    ) {
        // What a machine knew before it was started again is gone with it.
        self.views.retain(|view| view.from != from);
        let network = Arc::clone(network);
        self.views.push(View { from, to, directory, network, mutant, known: Vec::new() });
        self.spread();
    }

    /// The machine is off: its nodes are not found any more.
    pub(crate) fn clear(&mut self) {
        for (node, _) in self.origin.all() {
            self.origin.remove(&node);
        }
    }

    /// Brings every view up to date.
    pub(crate) fn spread(&mut self) {
        let mut all = self.origin.all();
        if self.views.iter().all(|view| {
            view.known.len() == all.len() && all.iter().all(|(node, _)| view.known.contains(node))
        }) {
            return;
        }
        all.sort_by(|one, two| one.0.cmp(&two.0));
        for view in &mut self.views {
            for gone in view.known.iter().filter(|known| all.iter().all(|(node, _)| node != *known)) {
                view.directory.remove(gone);
            }
            for (node, port) in all.iter().filter(|(node, _)| !view.known.contains(node)) {
                let wire = Wire {
                    from: view.from,
                    to: view.to,
                    inner: Place::of(Arc::clone(port)),
                    network: Arc::clone(&view.network),
                    mutant: view.mutant,
                };
                view.directory.insert(node.clone(), P::port(wire));
            }
            view.known = all.iter().map(|(node, _)| node.clone()).collect();
        }
    }
}

/// A ring as control decides it, and as each machine has heard of it.
#[derive(Default)]
pub(crate) struct Rings {
    source: Option<RingWatch>,
    copies: BTreeMap<&'static str, watch::Sender<Arc<Ring>>>,
}

impl Rings {
    /// Control was started.
    pub(crate) fn follow(&mut self, source: RingWatch) {
        self.source = Some(source);
        self.copies.clear();
    }

    /// The ring as a machine that just started learns it.
    ///
    /// # Errors
    /// Control was never started.
    pub(crate) fn of(&mut self, machine: &'static str) -> anyhow::Result<RingWatch> {
        let source = self.source.as_ref().context("control was never started")?;
        let copy = watch::Sender::new(Arc::clone(&source.borrow()));
        let watch = copy.subscribe();
        self.copies.insert(machine, copy);
        Ok(watch)
    }

    /// A machine hears of the newest ring now.
    pub(crate) fn tell(&self, machine: &str) {
        if let (Some(source), Some(copy)) = (&self.source, self.copies.get(machine)) {
            let newest = Arc::clone(&source.borrow());
            copy.send_if_modified(|ring| {
                let newer = ring.epoch() != newest.epoch();
                *ring = newest;
                newer
            });
        }
    }

    /// Some machines hear of the newest ring, others later.
    pub(crate) fn spread(&self, late: &mut Random) {
        let Some(source) = &self.source else { return };
        let newest = source.borrow().epoch();
        for (machine, copy) in &self.copies {
            if copy.borrow().epoch() != newest && late.permille(NEWS_PERMILLE) {
                self.tell(machine);
            }
        }
    }
}
