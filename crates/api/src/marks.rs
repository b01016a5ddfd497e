//! Read cursors: at most one write a second for each reader and channel, the last one wins.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use model::{ChannelId, Ts, UserId, WorkspaceId};
use runtime::OnEnd;
use store::{By, WriteKind};
use tokio::sync::oneshot;

use crate::{app::App, appender::WriteContext, errors::Failure};

/// Time between two writes of one cursor.
const EVERY: Duration = Duration::from_secs(1);
/// Cursors that are throttled at once. Beyond, each request writes for itself.
const CURSORS_MAX: usize = 20_000;

type Key = (WorkspaceId, UserId, ChannelId);
type Answer = Result<(), Failure>;

/// Cursors that were written within the last second.
#[derive(Debug, Default)]
pub struct Marks {
    cursors: Mutex<HashMap<Key, Waiting>>,
}

/// What came in since.
#[derive(Debug, Default)]
struct Waiting {
    last: Option<(Ts, WriteContext)>,
    callers: Vec<oneshot::Sender<Answer>>,
}

/// Moves a cursor. Answers when this position or a later request's is in the store.
///
/// # Errors
/// What the write failed with.
pub async fn mark(
    app: &Arc<App>,
    workspace: WorkspaceId,
    channel: ChannelId,
    by: By,
    ts: Ts,
    context: WriteContext,
) -> Answer {
    let key = (workspace, by.user, channel);
    let (tell, told) = oneshot::channel();
    let step = {
        let mut cursors = app.marks.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        let count = cursors.len();
        match cursors.get_mut(&key) {
            Some(waiting) => {
                waiting.last = Some((ts, context));
                waiting.callers.push(tell);
                Step::Wait
            }
            None if count >= CURSORS_MAX => Step::WriteAlone,
            None => {
                cursors.insert(key, Waiting { last: Some((ts, context)), callers: vec![tell] });
                Step::Lead
            }
        }
    };
    match step {
        Step::WriteAlone => return write(app, workspace, channel, by, ts, context).await,
        Step::Lead => {
            app.tasks.spawn("mark", OnEnd::Ignore, lead(Arc::clone(app), key, by));
        }
        Step::Wait => {}
    }
    told.await.unwrap_or_else(|_| Err("internal_error".into()))
}

enum Step {
    Wait,
    WriteAlone,
    Lead,
}

/// Writes one cursor, again after a second if more came in, until nothing has.
async fn lead(app: Arc<App>, key: Key, by: By) {
    let mut release = Release { app: &app, key, done: false };
    loop {
        let (last, callers) = {
            let mut cursors = app.marks.cursors.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(waiting) = cursors.get_mut(&key) else { return };
            let Some(last) = waiting.last.take() else {
                cursors.remove(&key);
                release.done = true;
                return;
            };
            (last, std::mem::take(&mut waiting.callers))
        };
        let (ts, context) = last;
        let answer = write(&app, key.0, key.2, by, ts, context).await;
        for caller in callers {
            // A caller that has gone away needs no answer.
            let _ = caller.send(answer.clone());
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Lets go of a cursor whose task failed: whoever waits learns of it, and the next mark starts anew.
struct Release<'a> {
    app: &'a App,
    key: Key,
    done: bool,
}

impl Drop for Release<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.app.marks.cursors.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
        }
    }
}

async fn write(
    app: &App,
    workspace: WorkspaceId,
    channel: ChannelId,
    by: By,
    ts: Ts,
    context: WriteContext,
) -> Answer {
    app.write(workspace, WriteKind::Mark { channel, by, ts }, context).await.map(|_| ())
}
