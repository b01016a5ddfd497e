//! The gateways that listen to a slot, by the small numbers that topics know them by.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use model::NodeId;
use rpc::Delivery;
use tokio::sync::Notify;

use crate::{
    link::{Link, LinkConfig},
    metrics::SlotMetrics,
    topic::{Deliver, GatewayKey},
};

/// The gateways of a slot. Numbers are never used twice.
#[derive(Debug)]
pub(crate) struct Registry {
    links: RwLock<Links>,
    /// A link was added and nobody runs it yet.
    pub(crate) added: Notify,
    metrics: SlotMetrics,
}

#[derive(Debug, Default)]
struct Links {
    by_key: HashMap<GatewayKey, Arc<Link>>,
    by_node: HashMap<NodeId, GatewayKey>,
    last: GatewayKey,
    idle: Vec<GatewayKey>,
}

impl Registry {
    pub(crate) fn new(metrics: SlotMetrics) -> Self {
        metrics.gateways.set(0);
        Self { links: RwLock::default(), added: Notify::new(), metrics }
    }

    /// The number of a gateway; a new one gets a link.
    pub(crate) fn key(&self, gateway: &NodeId, config: LinkConfig) -> GatewayKey {
        let mut links = self.links.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = links.by_node.get(gateway) {
            return *key;
        }
        links.last += 1;
        let key = links.last;
        links.by_key.insert(key, Arc::new(Link::new(gateway.clone(), config, self.metrics.clone())));
        links.by_node.insert(gateway.clone(), key);
        links.idle.push(key);
        drop(links);
        self.metrics.gateways.inc();
        self.added.notify_one();
        key
    }

    /// The number of a gateway that listens.
    pub(crate) fn find(&self, gateway: &NodeId) -> Option<GatewayKey> {
        self.read().by_node.get(gateway).copied()
    }

    /// The gateway of a number.
    pub(crate) fn node(&self, key: GatewayKey) -> Option<NodeId> {
        self.read().by_key.get(&key).map(|link| link.gateway().clone())
    }

    /// Links that nobody runs yet; each is given out once.
    pub(crate) fn take_idle(&self) -> Vec<(GatewayKey, Arc<Link>)> {
        let mut links = self.links.write().unwrap_or_else(PoisonError::into_inner);
        let idle = std::mem::take(&mut links.idle);
        idle.into_iter().filter_map(|key| Some((key, Arc::clone(links.by_key.get(&key)?)))).collect()
    }

    /// All links.
    pub(crate) fn all(&self) -> Vec<(GatewayKey, Arc<Link>)> {
        self.read().by_key.iter().map(|(key, link)| (*key, Arc::clone(link))).collect()
    }

    /// Forgets a gateway. Topics forget it at the next sweep; until then nothing is queued for it.
    pub(crate) fn remove(&self, key: GatewayKey) {
        let mut links = self.links.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = links.by_key.remove(&key) {
            links.by_node.remove(link.gateway());
            link.close();
            self.metrics.gateways.dec();
        }
    }

    /// Where topics put their deliveries. Taken before the topic is locked, always in this order, or two
    /// calls and a gateway that is being added could wait for each other. No gateway is added while it
    /// is held, so it knows every listener of the topic.
    pub(crate) fn out(&self) -> Out<'_> {
        Out(self.read())
    }

    fn read(&self) -> RwLockReadGuard<'_, Links> {
        // Each change is complete in itself.
        self.links.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts deliveries into the queues of the links.
pub(crate) struct Out<'a>(RwLockReadGuard<'a, Links>);

impl Out<'_> {
    /// Whether there is a gateway of that number.
    pub(crate) fn knows(&self, gateway: GatewayKey) -> bool {
        self.0.by_key.contains_key(&gateway)
    }
}

impl Deliver for Out<'_> {
    fn deliver(&mut self, gateway: GatewayKey, delivery: Delivery) {
        if let Some(link) = self.0.by_key.get(&gateway) {
            link.push(delivery);
        }
    }
}
