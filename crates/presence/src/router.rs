//! The port for who asks: it finds the owner of each person on the ring, so that nobody else has to know it.

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use cluster::RingWatch;
use futures_util::future::join_all;
use model::NodeId;
use rpc::{Call, CallError, Directory, Person, Presence, PresenceNow, PresenceReport, Reply, Watch};
use tokio::time::{Instant, sleep};

/// Pause before people are asked for again whose owner did not answer.
const RETRY_WAIT: Duration = Duration::from_millis(50);
/// Longest wait for one owner: those of the others do not wait for it longer.
const OWNER_TIMEOUT_MAX: Duration = Duration::from_secs(2);

/// Forwards to the owners.
pub struct Router {
    ring: RingWatch,
    servers: Arc<Directory<dyn Presence>>,
}

impl Router {
    /// A router that goes by `ring` and calls `servers`.
    #[must_use]
    pub fn new(ring: RingWatch, servers: Arc<Directory<dyn Presence>>) -> Self {
        Self { ring, servers }
    }

    /// Calls every owner of the items at the same time. An owner that fails has taken nothing as far as anybody
    /// knows, and whoever owns the items next must be told: `missing` says so for each of them.
    async fn route<T, A, F>(
        &self,
        call: &Call,
        items: Vec<T>,
        person: impl Fn(&T) -> Person,
        missing: impl Fn(Reply) -> A,
        ask: impl Fn(Arc<dyn Presence>, Call, Vec<T>) -> F,
    ) -> Vec<A>
    where
        A: Clone,
        F: Future<Output = Result<Vec<A>, CallError>>,
    {
        let ring = Arc::clone(&self.ring.borrow());
        let nothing = missing(Reply::NotOwner { epoch: ring.epoch() });
        let mut answers = vec![nothing; items.len()];
        let mut groups: Vec<(NodeId, Vec<usize>, Vec<T>)> = Vec::new();
        for (place, item) in items.into_iter().enumerate() {
            let node = &ring.owner(person(&item).topic()).node;
            match groups.iter_mut().find(|(known, ..)| known == node) {
                Some((_, places, group)) => {
                    places.push(place);
                    group.push(item);
                }
                None => groups.push((node.clone(), vec![place], vec![item])),
            }
        }
        let timeout = call.timeout.min(OWNER_TIMEOUT_MAX);
        let call = Call { epoch: ring.epoch(), timeout, ..call.clone() };
        let asked = groups.into_iter().filter_map(|(node, places, group)| {
            let asking = ask(self.servers.get(&node)?, call.clone(), group);
            Some(async move { (places, tokio::time::timeout(timeout, asking).await) })
        });
        for (places, answered) in join_all(asked).await {
            let Ok(Ok(answered)) = answered else { continue };
            for (place, answer) in places.into_iter().zip(answered) {
                if let Some(slot) = answers.get_mut(place) {
                    *slot = answer;
                }
            }
        }
        answers
    }
}

#[async_trait]
impl Presence for Router {
    async fn report(
        &self,
        call: &Call,
        gateway: NodeId,
        reports: Vec<PresenceReport>,
    ) -> Result<Vec<Reply>, CallError> {
        let ask = |port: Arc<dyn Presence>, call, reports| {
            let gateway = gateway.clone();
            async move { port.report(&call, gateway, reports).await }
        };
        Ok(self.route(call, reports, |report| report.person, |reply| reply, ask).await)
    }

    async fn watch(
        &self,
        call: &Call,
        gateway: NodeId,
        watches: Vec<Watch>,
    ) -> Result<Vec<Reply>, CallError> {
        let ask = |port: Arc<dyn Presence>, call, watches| {
            let gateway = gateway.clone();
            async move { port.watch(&call, gateway, watches).await }
        };
        Ok(self.route(call, watches, |watch| watch.person, |reply| reply, ask).await)
    }

    async fn unwatch(
        &self,
        call: &Call,
        gateway: NodeId,
        people: Vec<Person>,
    ) -> Result<Vec<Reply>, CallError> {
        let ask = |port: Arc<dyn Presence>, call, people| {
            let gateway = gateway.clone();
            async move { port.unwatch(&call, gateway, people).await }
        };
        Ok(self.route(call, people, |person| *person, |reply| reply, ask).await)
    }

    /// Asks again until everybody's owner has answered, or the caller's time is over.
    async fn query(
        &self,
        call: &Call,
        people: Vec<Person>,
    ) -> Result<Vec<Result<PresenceNow, Reply>>, CallError> {
        let deadline = Instant::now() + call.timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let call = Call { timeout: left, ..call.clone() };
            let ask = |port: Arc<dyn Presence>, call, people| async move { port.query(&call, people).await };
            let answers = self.route(&call, people.clone(), |person| *person, Err, ask).await;
            if answers.iter().all(Result::is_ok) || left <= RETRY_WAIT {
                return Ok(answers);
            }
            sleep(RETRY_WAIT).await;
        }
    }

    async fn touch(&self, call: &Call, people: Vec<Person>) -> Result<Vec<Reply>, CallError> {
        let ask = |port: Arc<dyn Presence>, call, people| async move { port.touch(&call, people).await };
        Ok(self.route(call, people, |person| *person, |reply| reply, ask).await)
    }
}
