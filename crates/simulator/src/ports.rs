//! The ports between roles, over the simulated network.

use std::{
    future::Future,
    sync::{Arc, PoisonError, RwLock},
};

use async_trait::async_trait;
use model::{CredentialId, Head, HeadRead, NodeId, Seq, SlotName, Topic};
use rpc::{
    Admin, Boot, BootError, Call, CallError, ChannelJourney, ChannelServer, Delivery, EventRecord,
    EventsPage, EventsRequest, Gateway, GatewayJourney, Journey, Person, Presence, PresenceChange,
    PresenceNow, PresenceReport, Reply, Revoked, RtmError, RtmSend, RtmSent, Signal, Subscription, Watch,
    Web,
};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::{mutants::Mutant, network::Network};

/// Where something is found while its machine is on.
pub(crate) struct Place<P: ?Sized>(Arc<RwLock<Option<Arc<P>>>>);

impl<P: ?Sized> Clone for Place<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P: ?Sized> Default for Place<P> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<P: ?Sized> Place<P> {
    /// A place for what never moves.
    pub(crate) fn of(what: Arc<P>) -> Self {
        Self(Arc::new(RwLock::new(Some(what))))
    }

    /// What is there now.
    pub(crate) fn get(&self) -> Option<Arc<P>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts something else there.
    pub(crate) fn set(&self, what: Option<Arc<P>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = what;
    }
}

/// A port as one machine has it of another.
pub(crate) struct Wire<P: ?Sized> {
    /// Whose port it is.
    pub(crate) from: &'static str,
    /// Where the callee is.
    pub(crate) to: &'static str,
    /// The callee.
    pub(crate) inner: Place<P>,
    /// What is in between.
    pub(crate) network: Arc<Network>,
    /// What is wrong on purpose.
    pub(crate) mutant: Option<Mutant>,
}

impl<P: ?Sized + Send + Sync + 'static> Wire<P> {
    async fn call<T, F>(
        &self,
        call: &Call,
        what: &str,
        detail: String,
        run: impl Fn(Arc<P>, Call) -> F + Send + Sync + 'static,
    ) -> Result<T, CallError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, CallError>> + Send + 'static,
    {
        let Self { from, to, network, .. } = self;
        let fate = network.fate(from, to);
        let deadline = Instant::now() + call.timeout;
        let end = match (fate.lost_there, fate.lost_back, fate.again_after.is_some()) {
            (true, _, _) => " ✗",
            (_, true, _) => " ✗ answer",
            (_, _, true) => " twice",
            _ => "",
        };
        network.trace.note(format_args!("{from} → {to}"), what, format_args!("{detail}{end}"));
        let way = async {
            sleep(fate.there).await;
            if fate.lost_there {
                return self.lost(fate.told, deadline).await;
            }
            let Some(inner) = self.inner.get() else {
                return Err(CallError::Unavailable { role: self.to });
            };
            if let Some(later) = fate.again_after {
                let again = run(Arc::clone(&inner), call.clone());
                tokio::spawn(async move {
                    sleep(later).await;
                    // Nobody waits for the answer to a double.
                    let _ = again.await;
                });
            }
            let answer = run(inner, call.clone()).await;
            sleep(fate.back).await;
            if fate.lost_back || !network.reaches(to, from) {
                return self.lost(fate.told, deadline).await;
            }
            answer
        };
        timeout_at(deadline, way).await.unwrap_or(Err(CallError::Deadline { role: self.to }))
    }

    async fn lost<T>(&self, told: bool, deadline: Instant) -> Result<T, CallError> {
        if told {
            return Err(CallError::Unavailable { role: self.to });
        }
        sleep_until(deadline).await;
        Err(CallError::Deadline { role: self.to })
    }
}

fn seqs(events: &[EventRecord]) -> String {
    let each: Vec<String> =
        events.iter().map(|event| format!("{}/{}", event.topic.id, event.seq().raw())).collect();
    each.join(" ")
}

fn heads_of(heads: &[Head]) -> String {
    let each: Vec<String> =
        heads.iter().map(|head| format!("{}/{}", head.topic.id, head.position.seq.raw())).collect();
    each.join(" ")
}

#[async_trait]
impl Admin for Wire<dyn Admin> {
    async fn publish(&self, call: &Call, mut events: Vec<EventRecord>) -> Result<Vec<Reply>, CallError> {
        if let Some(mutant) = self.mutant {
            mutant.change_publish(&mut events);
        }
        self.call(call, "publish", seqs(&events), move |to, call| {
            let events = events.clone();
            async move { to.publish(&call, events).await }
        })
        .await
    }
    async fn announce(&self, call: &Call, mut heads: Vec<Head>) -> Result<Vec<Reply>, CallError> {
        heads.sort_by_key(|head| head.topic);
        self.call(call, "announce", heads_of(&heads), move |to, call| {
            let heads = heads.clone();
            async move { to.announce(&call, heads).await }
        })
        .await
    }
    async fn signal(&self, call: &Call, signals: Vec<Signal>) -> Result<Vec<Reply>, CallError> {
        self.call(call, "signal", signals.len().to_string(), move |to, call| {
            let signals = signals.clone();
            async move { to.signal(&call, signals).await }
        })
        .await
    }
    async fn revoke(&self, call: &Call, credentials: Vec<CredentialId>) -> Result<Revoked, CallError> {
        self.call(call, "revoke", credentials.len().to_string(), move |to, call| {
            let credentials = credentials.clone();
            async move { to.revoke(&call, credentials).await }
        })
        .await
    }
    async fn journey(&self, call: &Call, topic: Topic, seq: Seq) -> Result<Journey, CallError> {
        self.call(call, "journey", format!("{}/{}", topic.id, seq.raw()), move |to, call| async move {
            to.journey(&call, topic, seq).await
        })
        .await
    }
}

#[async_trait]
impl ChannelServer for Wire<dyn ChannelServer> {
    async fn publish(&self, call: &Call, events: Vec<EventRecord>) -> Result<Vec<Reply>, CallError> {
        self.call(call, "publish", seqs(&events), move |to, call| {
            let events = events.clone();
            async move { to.publish(&call, events).await }
        })
        .await
    }
    async fn announce(&self, call: &Call, heads: Vec<Head>) -> Result<Vec<Reply>, CallError> {
        self.call(call, "announce", heads_of(&heads), move |to, call| {
            let heads = heads.clone();
            async move { to.announce(&call, heads).await }
        })
        .await
    }
    async fn signal(&self, call: &Call, signals: Vec<Signal>) -> Result<Vec<Reply>, CallError> {
        self.call(call, "signal", signals.len().to_string(), move |to, call| {
            let signals = signals.clone();
            async move { to.signal(&call, signals).await }
        })
        .await
    }
    async fn subscribe(
        &self,
        call: &Call,
        gateway: NodeId,
        mut subscriptions: Vec<Subscription>,
    ) -> Result<Vec<Reply>, CallError> {
        if let Some(mutant) = self.mutant {
            mutant.change_subscriptions(&mut subscriptions);
        }
        let each: Vec<String> =
            subscriptions.iter().map(|one| format!("{}>{}", one.topic.id, one.after.seq.raw())).collect();
        self.call(call, "subscribe", each.join(" "), move |to, call| {
            let (gateway, subscriptions) = (gateway.clone(), subscriptions.clone());
            async move { to.subscribe(&call, gateway, subscriptions).await }
        })
        .await
    }
    async fn unsubscribe(
        &self,
        call: &Call,
        gateway: NodeId,
        topics: Vec<Topic>,
    ) -> Result<Vec<Reply>, CallError> {
        let each: Vec<String> = topics.iter().map(|topic| topic.id.to_string()).collect();
        self.call(call, "unsubscribe", each.join(" "), move |to, call| {
            let (gateway, topics) = (gateway.clone(), topics.clone());
            async move { to.unsubscribe(&call, gateway, topics).await }
        })
        .await
    }
    async fn journey(
        &self,
        call: &Call,
        topic: Topic,
        seq: Seq,
    ) -> Result<Option<ChannelJourney>, CallError> {
        self.call(call, "journey", format!("{}/{}", topic.id, seq.raw()), move |to, call| async move {
            to.journey(&call, topic, seq).await
        })
        .await
    }
}

#[async_trait]
impl Gateway for Wire<dyn Gateway> {
    async fn deliver(
        &self,
        call: &Call,
        slot: SlotName,
        mut deliveries: Vec<Delivery>,
    ) -> Result<Vec<Reply>, CallError> {
        if let Some(mutant) = self.mutant {
            mutant.change_deliveries(&mut deliveries);
        }
        let each: Vec<String> = deliveries
            .iter()
            .map(|delivery| match delivery {
                Delivery::Event(event) => format!("{}/{}", event.topic.id, event.seq().raw()),
                Delivery::Head(head) => format!("{}^{}", head.topic.id, head.position.seq.raw()),
                Delivery::Signal(signal) => format!("{}~", signal.topic.id),
            })
            .collect();
        self.call(call, "deliver", format!("{slot} {}", each.join(" ")), move |to, call| {
            let (slot, deliveries) = (slot.clone(), deliveries.clone());
            async move { to.deliver(&call, slot, deliveries).await }
        })
        .await
    }
    async fn presence(
        &self,
        call: &Call,
        slot: SlotName,
        changes: Vec<PresenceChange>,
    ) -> Result<Vec<Reply>, CallError> {
        self.call(call, "presence", changes.len().to_string(), move |to, call| {
            let (slot, changes) = (slot.clone(), changes.clone());
            async move { to.presence(&call, slot, changes).await }
        })
        .await
    }
    async fn revoke(&self, call: &Call, credentials: Vec<CredentialId>) -> Result<u32, CallError> {
        self.call(call, "revoke", credentials.len().to_string(), move |to, call| {
            let credentials = credentials.clone();
            async move { to.revoke(&call, credentials).await }
        })
        .await
    }
    async fn journey(
        &self,
        call: &Call,
        topic: Topic,
        seq: Seq,
    ) -> Result<Option<GatewayJourney>, CallError> {
        self.call(call, "journey", format!("{}/{}", topic.id, seq.raw()), move |to, call| async move {
            to.journey(&call, topic, seq).await
        })
        .await
    }
}

#[async_trait]
impl Presence for Wire<dyn Presence> {
    async fn report(
        &self,
        call: &Call,
        gateway: NodeId,
        reports: Vec<PresenceReport>,
    ) -> Result<Vec<Reply>, CallError> {
        self.call(call, "report", reports.len().to_string(), move |to, call| {
            let (gateway, reports) = (gateway.clone(), reports.clone());
            async move { to.report(&call, gateway, reports).await }
        })
        .await
    }
    async fn watch(
        &self,
        call: &Call,
        gateway: NodeId,
        watches: Vec<Watch>,
    ) -> Result<Vec<Reply>, CallError> {
        self.call(call, "watch", watches.len().to_string(), move |to, call| {
            let (gateway, watches) = (gateway.clone(), watches.clone());
            async move { to.watch(&call, gateway, watches).await }
        })
        .await
    }
    async fn unwatch(
        &self,
        call: &Call,
        gateway: NodeId,
        people: Vec<Person>,
    ) -> Result<Vec<Reply>, CallError> {
        self.call(call, "unwatch", people.len().to_string(), move |to, call| {
            let (gateway, people) = (gateway.clone(), people.clone());
            async move { to.unwatch(&call, gateway, people).await }
        })
        .await
    }
    async fn query(
        &self,
        call: &Call,
        people: Vec<Person>,
    ) -> Result<Vec<Result<PresenceNow, Reply>>, CallError> {
        self.call(call, "query", people.len().to_string(), move |to, call| {
            let people = people.clone();
            async move { to.query(&call, people).await }
        })
        .await
    }
    async fn touch(&self, call: &Call, people: Vec<Person>) -> Result<Vec<Reply>, CallError> {
        self.call(call, "touch", people.len().to_string(), move |to, call| {
            let people = people.clone();
            async move { to.touch(&call, people).await }
        })
        .await
    }
}

/// Answers of `web` that are not [`CallError`] travel as values.
#[async_trait]
impl Web for Wire<dyn Web> {
    async fn boot(&self, call: &Call, ticket: String, origin: Option<String>) -> Result<Boot, BootError> {
        self.call(call, "boot", String::new(), move |to, call| {
            let (ticket, origin) = (ticket.clone(), origin.clone());
            async move { Ok(to.boot(&call, ticket, origin).await) }
        })
        .await?
    }
    async fn heads(&self, call: &Call, topics: Vec<Topic>) -> Result<Vec<HeadRead>, CallError> {
        let each: Vec<String> = topics.iter().map(|topic| topic.id.to_string()).collect();
        self.call(call, "heads", each.join(" "), move |to, call| {
            let topics = topics.clone();
            async move { to.heads(&call, topics).await }
        })
        .await
    }
    async fn events(&self, call: &Call, request: EventsRequest) -> Result<EventsPage, CallError> {
        let detail = format!("{}>{}", request.topic.id, request.after.seq.raw());
        let ask = move |to: Arc<dyn Web>, call: Call| async move { to.events(&call, request).await };
        let mut page = self.call(call, "events", detail, ask).await?;
        if let Some(mutant) = self.mutant.filter(|_| self.from != "channels") {
            mutant.change_page(&mut page);
        }
        Ok(page)
    }
    async fn send(&self, call: &Call, send: RtmSend) -> Result<RtmSent, RtmError> {
        let sent = self
            .call(call, "send", send.channel.clone(), move |to, call| {
                let send = send.clone();
                async move { Ok(to.send(&call, send).await) }
            })
            .await;
        // Nothing is known of the message: the client may repeat it with the same client_msg_id.
        sent.unwrap_or_else(|error| Err(RtmError { code: -1, message: error.to_string() }))
    }
}
