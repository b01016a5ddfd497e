//! The in-process transport: a call runs as a task of the callee, bounded and with a deadline.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, PoisonError, RwLock},
};

use async_trait::async_trait;
use model::{CredentialId, Head, HeadRead, NodeId, Seq, SlotName, Topic};
use tokio::{runtime::Handle, sync::Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    Admin, Boot, BootError, Call, CallError, ChannelJourney, ChannelServer, Delivery, EventRecord,
    EventsPage, EventsRequest, Gateway, GatewayJourney, Journey, Person, Presence, PresenceChange,
    PresenceNow, PresenceReport, Reply, Revoked, RtmError, RtmSend, RtmSent, Signal, Subscription, Watch,
    Web,
};

/// Calls that may be under way to one callee. Further callers wait for their deadline's length at most
/// and then get [`CallError::Overloaded`].
const CALLS_MAX: usize = 1_024;

/// A port to a role in the same process.
///
/// The call runs on the callee's runtime, so a caller that goes away does not stop half a call, and a
/// callee that was [killed](Local::kill) answers nobody, like a process that died.
pub struct Local<P: ?Sized> {
    role: &'static str,
    target: RwLock<Option<Arc<P>>>,
    runtime: Handle,
    permits: Arc<Semaphore>,
    killed: CancellationToken,
}

impl<P: ?Sized + Send + Sync + 'static> Local<P> {
    /// Makes a port to `target`, whose calls run on `runtime`.
    #[must_use]
    pub fn new(role: &'static str, target: Arc<P>, runtime: Handle) -> Arc<Self> {
        let port = Self::unbound(role, runtime);
        port.bind(target);
        port
    }

    /// Makes a port whose callee is not up yet: calls fail as they do to a process that has not started.
    #[must_use]
    pub fn unbound(role: &'static str, runtime: Handle) -> Arc<Self> {
        Arc::new(Self {
            role,
            target: RwLock::new(None),
            runtime,
            permits: Arc::new(Semaphore::new(CALLS_MAX)),
            killed: CancellationToken::new(),
        })
    }

    /// The callee is up.
    pub fn bind(&self, target: Arc<P>) {
        *self.target.write().unwrap_or_else(PoisonError::into_inner) = Some(target);
    }

    /// Drops the callee and aborts what it was doing: from here on it is as dead as a killed process.
    pub fn kill(&self) {
        self.target.write().unwrap_or_else(PoisonError::into_inner).take();
        self.killed.cancel();
    }

    /// Runs one call.
    async fn call<T, F>(
        &self,
        call: &Call,
        work: impl FnOnce(Arc<P>, Call) -> F + Send,
    ) -> Result<T, CallError>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let role = self.role;
        let gone = CallError::Unavailable { role };
        let deadline = tokio::time::Instant::now() + call.timeout;
        let permit = match tokio::time::timeout_at(deadline, Arc::clone(&self.permits).acquire_owned()).await
        {
            Ok(permit) => permit.map_err(|_| gone)?,
            Err(_) => return Err(CallError::Overloaded { role }),
        };
        let target = self.target.read().unwrap_or_else(PoisonError::into_inner).clone();
        let future = work(target.ok_or(gone)?, call.clone());
        let killed = self.killed.clone();
        let task = self.runtime.spawn(async move {
            let answer = killed.run_until_cancelled(future).await;
            drop(permit);
            answer
        });
        match tokio::time::timeout_at(deadline, task).await {
            Ok(Ok(Some(answer))) => Ok(answer),
            Ok(Ok(None) | Err(_)) => Err(gone),
            Err(_) => Err(CallError::Deadline { role }),
        }
    }
}

#[async_trait]
impl Admin for Local<dyn Admin> {
    async fn publish(&self, call: &Call, events: Vec<EventRecord>) -> Result<Vec<Reply>, CallError> {
        self.call(call, |to, call| async move { to.publish(&call, events).await }).await?
    }
    async fn announce(&self, call: &Call, heads: Vec<Head>) -> Result<Vec<Reply>, CallError> {
        self.call(call, |to, call| async move { to.announce(&call, heads).await }).await?
    }
    async fn signal(&self, call: &Call, signals: Vec<Signal>) -> Result<Vec<Reply>, CallError> {
        self.call(call, |to, call| async move { to.signal(&call, signals).await }).await?
    }
    async fn revoke(&self, call: &Call, credentials: Vec<CredentialId>) -> Result<Revoked, CallError> {
        self.call(call, |to, call| async move { to.revoke(&call, credentials).await }).await?
    }
    async fn journey(&self, call: &Call, topic: Topic, seq: Seq) -> Result<Journey, CallError> {
        self.call(call, move |to, call| async move { to.journey(&call, topic, seq).await }).await?
    }
}

#[async_trait]
impl ChannelServer for Local<dyn ChannelServer> {
    async fn publish(&self, call: &Call, events: Vec<EventRecord>) -> Result<Vec<Reply>, CallError> {
        self.call(call, |to, call| async move { to.publish(&call, events).await }).await?
    }
    async fn announce(&self, call: &Call, heads: Vec<Head>) -> Result<Vec<Reply>, CallError> {
        self.call(call, |to, call| async move { to.announce(&call, heads).await }).await?
    }
    async fn signal(&self, call: &Call, signals: Vec<Signal>) -> Result<Vec<Reply>, CallError> {
        self.call(call, |to, call| async move { to.signal(&call, signals).await }).await?
    }
    async fn subscribe(
        &self,
        call: &Call,
        gateway: NodeId,
        subscriptions: Vec<Subscription>,
    ) -> Result<Vec<Reply>, CallError> {
        self.call(call, |to, call| async move { to.subscribe(&call, gateway, subscriptions).await }).await?
    }
    async fn unsubscribe(
        &self,
        call: &Call,
        gateway: NodeId,
        topics: Vec<Topic>,
    ) -> Result<Vec<Reply>, CallError> {
        self.call(call, |to, call| async move { to.unsubscribe(&call, gateway, topics).await }).await?
    }
    async fn journey(
        &self,
        call: &Call,
        topic: Topic,
        seq: Seq,
    ) -> Result<Option<ChannelJourney>, CallError> {
        self.call(call, move |to, call| async move { to.journey(&call, topic, seq).await }).await?
    }
}

#[async_trait]
impl Gateway for Local<dyn Gateway> {
    async fn deliver(
        &self,
        call: &Call,
        slot: SlotName,
        deliveries: Vec<Delivery>,
    ) -> Result<Vec<Reply>, CallError> {
        self.call(call, |to, call| async move { to.deliver(&call, slot, deliveries).await }).await?
    }
    async fn presence(
        &self,
        call: &Call,
        slot: SlotName,
        changes: Vec<PresenceChange>,
    ) -> Result<Vec<Reply>, CallError> {
        self.call(call, |to, call| async move { to.presence(&call, slot, changes).await }).await?
    }
    async fn revoke(&self, call: &Call, credentials: Vec<CredentialId>) -> Result<u32, CallError> {
        self.call(call, |to, call| async move { to.revoke(&call, credentials).await }).await?
    }
    async fn journey(
        &self,
        call: &Call,
        topic: Topic,
        seq: Seq,
    ) -> Result<Option<GatewayJourney>, CallError> {
        self.call(call, move |to, call| async move { to.journey(&call, topic, seq).await }).await?
    }
}

#[async_trait]
impl Presence for Local<dyn Presence> {
    async fn report(
        &self,
        call: &Call,
        gateway: NodeId,
        reports: Vec<PresenceReport>,
    ) -> Result<Vec<Reply>, CallError> {
        self.call(call, |to, call| async move { to.report(&call, gateway, reports).await }).await?
    }
    async fn watch(
        &self,
        call: &Call,
        gateway: NodeId,
        watches: Vec<Watch>,
    ) -> Result<Vec<Reply>, CallError> {
        self.call(call, |to, call| async move { to.watch(&call, gateway, watches).await }).await?
    }
    async fn unwatch(
        &self,
        call: &Call,
        gateway: NodeId,
        people: Vec<Person>,
    ) -> Result<Vec<Reply>, CallError> {
        self.call(call, |to, call| async move { to.unwatch(&call, gateway, people).await }).await?
    }
    async fn query(
        &self,
        call: &Call,
        people: Vec<Person>,
    ) -> Result<Vec<Result<PresenceNow, Reply>>, CallError> {
        self.call(call, |to, call| async move { to.query(&call, people).await }).await?
    }
    async fn touch(&self, call: &Call, people: Vec<Person>) -> Result<Vec<Reply>, CallError> {
        self.call(call, |to, call| async move { to.touch(&call, people).await }).await?
    }
}

#[async_trait]
impl Web for Local<dyn Web> {
    async fn boot(&self, call: &Call, ticket: String, origin: Option<String>) -> Result<Boot, BootError> {
        self.call(call, |to, call| async move { to.boot(&call, ticket, origin).await }).await?
    }
    async fn heads(&self, call: &Call, topics: Vec<Topic>) -> Result<Vec<HeadRead>, CallError> {
        self.call(call, |to, call| async move { to.heads(&call, topics).await }).await?
    }
    async fn events(&self, call: &Call, request: EventsRequest) -> Result<EventsPage, CallError> {
        self.call(call, move |to, call| async move { to.events(&call, request).await }).await?
    }
    async fn send(&self, call: &Call, send: RtmSend) -> Result<RtmSent, RtmError> {
        self.call(call, |to, call| async move { to.send(&call, send).await }).await.unwrap_or_else(|error| {
            // Nothing is known of the message: the client may repeat it with the same client_msg_id.
            Err(RtmError { code: -1, message: error.to_string() })
        })
    }
}

/// The nodes of a role that can be called, by node.
pub struct Directory<P: ?Sized> {
    ports: RwLock<HashMap<NodeId, Arc<P>>>,
}

impl<P: ?Sized> Default for Directory<P> {
    fn default() -> Self {
        Self { ports: RwLock::default() }
    }
}

impl<P: ?Sized> Directory<P> {
    /// The port to a node.
    #[must_use]
    pub fn get(&self, node: &NodeId) -> Option<Arc<P>> {
        self.ports.read().unwrap_or_else(PoisonError::into_inner).get(node).cloned()
    }

    /// All nodes and their ports.
    #[must_use]
    pub fn all(&self) -> Vec<(NodeId, Arc<P>)> {
        let ports = self.ports.read().unwrap_or_else(PoisonError::into_inner);
        ports.iter().map(|(node, port)| (node.clone(), Arc::clone(port))).collect()
    }

    /// Adds or replaces a node.
    pub fn insert(&self, node: NodeId, port: Arc<P>) {
        self.ports.write().unwrap_or_else(PoisonError::into_inner).insert(node, port);
    }

    /// Removes a node.
    pub fn remove(&self, node: &NodeId) {
        self.ports.write().unwrap_or_else(PoisonError::into_inner).remove(node);
    }
}
