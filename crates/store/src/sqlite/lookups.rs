//! Who authenticates at the same time is looked up together, in one read transaction on one thread.
//!
//! Every request of the API asks for its credential. A read of its own would cost each a switch of threads and the begin
//! and end of a transaction, which is more than the lookup. Nothing is remembered: a transaction that begins after the
//! question sees every revocation that was committed before it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use model::{Micros, WorkspaceId};
use tokio::sync::oneshot;

use super::read::SqliteStore;
use crate::{Authenticated, SecretHash, StoreError};

/// Whose credential, and when.
pub(super) type Question = (WorkspaceId, SecretHash, Micros);
pub(super) type Answer = oneshot::Sender<Result<Authenticated, StoreError>>;

/// The questions that wait.
#[derive(Debug, Default)]
pub(super) struct Lookups(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    asked: Vec<(Question, Answer)>,
    /// Somebody answers them.
    running: bool,
}

impl Lookups {
    /// Adds a question. Whoever gets `true` besides starts [`run`].
    pub(super) fn ask(
        &self,
        question: Question,
    ) -> (oneshot::Receiver<Result<Authenticated, StoreError>>, bool) {
        let (answer, found) = oneshot::channel();
        let mut waiting = self.waiting();
        waiting.asked.push((question, answer));
        (found, !std::mem::replace(&mut waiting.running, true))
    }

    /// All questions; with none, whoever answers them has ended.
    pub(super) fn take(&self) -> Vec<(Question, Answer)> {
        let mut waiting = self.waiting();
        waiting.running = !waiting.asked.is_empty();
        std::mem::take(&mut waiting.asked)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers until nobody asks.
pub(super) async fn run(store: SqliteStore) {
    while store.look_up().await {}
}

/// Tells each what was found. Who has gone needs no answer.
pub(super) fn tell(answers: Vec<Answer>, found: Vec<Result<Authenticated, StoreError>>) {
    for (answer, found) in answers.into_iter().zip(found) {
        let _ = answer.send(found);
    }
}
