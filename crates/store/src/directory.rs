//! Which shard holds which workspace.
//!
//! The placement rows on the shards are the truth; what a process has learned from them is a memory that may be
//! old, so every write transaction looks at the row again. A workspace that nobody has asked for yet is looked
//! for on all shards at once; from then on a request for it touches one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use model::{Workspace, WorkspaceId};
use tokio::sync::Semaphore;
use tracing::warn;

use crate::{PlacementState, Refusal, Store, StoreError};

/// Workspaces whose shard is remembered. When there are more, what is known is forgotten and learned again.
const KNOWN_MAX: usize = 100_000;
/// How long it is remembered that a workspace is nowhere.
const NOWHERE_FOR: Duration = Duration::from_secs(2);
/// Searches on all shards at once. Further ones wait: strangers' tokens must not keep the shards busy.
const SEARCHES_MAX: usize = 8;

/// One database that holds some workspaces.
pub struct Shard {
    /// Its name in the configuration.
    pub name: String,
    /// Its reads.
    pub store: Arc<dyn Store>,
    /// New workspaces may be put here.
    pub accepts_new: bool,
}

/// Where a new workspace goes, or why it cannot be.
pub type Placed = Result<usize, Refusal>;

/// The shards, and what is known of who lives where.
pub struct Directory {
    shards: Vec<Shard>,
    known: Mutex<Known>,
    searches: Semaphore,
}

#[derive(Default)]
struct Known {
    places: HashMap<WorkspaceId, (Option<usize>, Instant)>,
    domains: HashMap<String, WorkspaceId>,
    /// The workspaces of each shard when they were last listed.
    lists: HashMap<usize, Vec<Workspace>>,
}

impl Directory {
    /// A directory of these shards.
    #[must_use]
    pub fn new(shards: Vec<Shard>) -> Self {
        Self { shards, known: Mutex::default(), searches: Semaphore::new(SEARCHES_MAX) }
    }

    /// The shards, in the order of the configuration.
    #[must_use]
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// The shard of a workspace, by its number; `None`: it is nowhere.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: it may be on a shard that does not answer.
    pub async fn find(&self, workspace: WorkspaceId) -> Result<Option<usize>, StoreError> {
        if let Some(place) = self.remembered(workspace) {
            return Ok(place);
        }
        let _permit = self.searches.acquire().await.map_err(|_| StoreError::Closed)?;
        if let Some(place) = self.remembered(workspace) {
            return Ok(place);
        }
        let place = self.search(workspace).await?;
        self.remember(workspace, place);
        Ok(place)
    }

    /// The shard of a workspace, if it is known without asking.
    #[must_use]
    pub fn known(&self, workspace: WorkspaceId) -> Option<usize> {
        self.remembered(workspace).flatten()
    }

    /// Forgets where a workspace is: a shard has said that it is not there.
    pub fn forget(&self, workspace: WorkspaceId) {
        self.lock().places.remove(&workspace);
    }

    /// The workspace with a domain, on whichever shard it is.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: it may be on a shard that does not answer.
    pub async fn by_domain(&self, domain: &str) -> Result<Option<Workspace>, StoreError> {
        let known = self.lock().domains.get(domain).copied();
        if let Some(id) = known
            && let Some(shard) = self.find(id).await?.and_then(|place| self.shards.get(place))
            && let Some(workspace) = shard.store.workspace(id).await?
            && workspace.domain == domain
        {
            return Ok(Some(workspace));
        }
        let wanted = Arc::<str>::from(domain);
        let ask = |store: Arc<dyn Store>| {
            let wanted = Arc::clone(&wanted);
            async move { store.workspace_by_domain(&wanted).await }
        };
        let found = self.ask_all(ask).await?;
        if let Some((place, workspace)) = &found {
            self.remember(workspace.id, Some(*place));
            self.lock().domains.insert(domain.to_owned(), workspace.id);
        }
        Ok(found.map(|(_, workspace)| workspace))
    }

    /// The workspaces of all shards, those of a shard that does not answer as they were when it last did.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: one has never answered.
    pub async fn workspaces(&self) -> Result<Vec<Workspace>, StoreError> {
        let asked = self.shards.iter().map(|shard| shard.store.workspaces());
        let answers = futures_util::future::join_all(asked).await;
        let mut all = Vec::new();
        let mut known = self.lock();
        for (place, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(list) => {
                    known.lists.insert(place, list.clone());
                    all.extend(list);
                }
                Err(error) => {
                    let list = known.lists.get(&place).cloned();
                    all.extend(list.ok_or(error)?);
                }
            }
        }
        Ok(all)
    }

    /// Where a new workspace goes. Those of one domain go to one shard, whose index decides between two that
    /// come at once; the first of an installation goes to the first shard for the same reason.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: a shard that does not answer may hold the domain.
    pub async fn place(&self, id: WorkspaceId, domain: &str, only_first: bool) -> Result<Placed, StoreError> {
        for shard in &self.shards {
            if only_first && !shard.store.workspaces().await?.is_empty() {
                return Ok(Err(Refusal::AlreadySetUp));
            }
            if shard.store.workspace_by_domain(domain).await?.is_some() {
                return Ok(Err(Refusal::NameTaken));
            }
        }
        self.forget(id);
        let open: Vec<usize> =
            (0..).zip(&self.shards).filter(|(_, it)| it.accepts_new).map(|(n, _)| n).collect();
        let turn = if only_first {
            0
        } else {
            domain.bytes().fold(0usize, |sum, byte| sum.wrapping_mul(31) + usize::from(byte))
        };
        let place = turn.checked_rem(open.len()).and_then(|turn| open.get(turn)).copied();
        Ok(place.ok_or(Refusal::NotAllowed))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None`: nothing is known.
    fn remembered(&self, workspace: WorkspaceId) -> Option<Option<usize>> {
        let (place, since) = *self.lock().places.get(&workspace)?;
        (place.is_some() || since.elapsed() < NOWHERE_FOR).then_some(place)
    }

    fn remember(&self, workspace: WorkspaceId, place: Option<usize>) {
        let mut known = self.lock();
        if known.places.len() >= KNOWN_MAX {
            known.places.clear();
            known.domains.clear();
        }
        known.places.insert(workspace, (place, Instant::now()));
    }

    async fn search(&self, workspace: WorkspaceId) -> Result<Option<usize>, StoreError> {
        let here = |store: Arc<dyn Store>| async move {
            let placement = store.placement(workspace).await?;
            Ok(placement.filter(|placement| placement.state != PlacementState::Gone))
        };
        Ok(self.ask_all(here).await?.map(|(place, _)| place))
    }

    /// Asks all shards at once; the first that has something to say answers. That there is nothing is said
    /// only when all have said so.
    async fn ask_all<T, F>(&self, ask: impl Fn(Arc<dyn Store>) -> F) -> Result<Option<(usize, T)>, StoreError>
    where
        F: Future<Output = Result<Option<T>, StoreError>>,
    {
        let mut answers = FuturesUnordered::new();
        for (place, shard) in (0..).zip(&self.shards) {
            let answer = ask(Arc::clone(&shard.store));
            answers.push(async move { (place, answer.await) });
        }
        let mut silent = None;
        while let Some((place, answer)) = answers.next().await {
            match answer {
                Ok(Some(found)) => return Ok(Some((place, found))),
                Ok(None) => {}
                Err(error) => {
                    let name = self.shards.get(place).map(|shard| shard.name.as_str());
                    warn!(shard = name, %error, "a shard does not say what it holds");
                    silent = Some(error);
                }
            }
        }
        silent.map_or(Ok(None), Err)
    }
}
