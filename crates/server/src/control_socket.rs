//! Administration of a running server: a Unix socket in the data directory, one JSON request and answers, a
//! line each. Without a running server the same commands open the store themselves.

use std::{
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use api::appender::{Appender, WriteContext, WriteError};
use model::{Epoch, NodeId, User, UserKind, Workspace};
use rpc::{Admin, Call, call::TIMEOUT_DEFAULT};
use runtime::{Clock, OnEnd, Tasks};
use serde::{Deserialize, Serialize};
use store::{Done, Store, Write, WriteKind};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::mpsc,
};
use tracing::{info, warn};

use crate::{
    cli::say_error,
    config::Config,
    dead_jobs::{self, Change, DeadJob},
    stores::{self, Opened},
    workspaces::{self, Created, NewWorkspace},
};

/// Name of the socket in the data directory.
const SOCKET: &str = "parlance.sock";
/// Longest request, bytes.
const REQUEST_BYTES_MAX: usize = 16_384;

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
enum Request {
    Backup { to: PathBuf },
    ResetPassword { email: String, team: Option<String> },
    CreateWorkspace(NewWorkspace),
    DeadJobs,
    ChangeJob { id: String, change: Change },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// Pages done, pages in all.
    Progress(u64, u64),
    Done,
    Password(String),
    Created(Created),
    Jobs(Vec<DeadJob>),
    Failed(String),
}

/// What the commands need of the server.
#[derive(Clone)]
pub struct Deps {
    /// Reads and backups.
    pub store: Arc<dyn Store>,
    /// Writes.
    pub appender: Appender,
    /// Ends sessions.
    pub admin: Arc<dyn Admin>,
    /// Told when a job is to be run again.
    pub queued: Arc<tokio::sync::Notify>,
    /// Wall clock.
    pub clock: Clock,
}

/// Opens the socket and answers until the drain.
///
/// # Errors
/// The socket cannot be made.
pub fn listen(data: &Path, deps: Deps, tasks: &Tasks) -> anyhow::Result<()> {
    let path = data.join(SOCKET);
    // The data directory is locked by this process, so a socket that is there is a dead one's.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| path.display().to_string());
        }
        _ => {}
    }
    let (folder, short) = short_path(data)?;
    let listener = UnixListener::bind(&short).with_context(|| path.display().to_string())?;
    drop(folder);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
        .with_context(|| path.display().to_string())?;
    let drain = tasks.drain().clone();
    let connections = tasks.clone();
    tasks.spawn("control socket", OnEnd::Ignore, async move {
        loop {
            let accepted = tokio::select! {
                () = drain.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let deps = deps.clone();
                    connections.spawn("control command", OnEnd::Ignore, async move {
                        if let Err(error) = answer(stream, deps).await {
                            warn!(error = format!("{error:#}"), "control command");
                        }
                    });
                }
                Err(error) => {
                    warn!(%error, "control socket");
                    break;
                }
            }
        }
        // The next start removes it if this does not.
        let _ = std::fs::remove_file(path);
    });
    Ok(())
}

/// A socket's path may have only some hundred bytes: this one is short whatever the directory is called.
/// Valid while the file is open.
fn short_path(data: &Path) -> anyhow::Result<(std::fs::File, PathBuf)> {
    let folder = std::fs::File::open(data).with_context(|| data.display().to_string())?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()));
    Ok((folder, path))
}

async fn answer(stream: UnixStream, deps: Deps) -> anyhow::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut line = String::new();
    let limit = u64::try_from(REQUEST_BYTES_MAX)?;
    BufReader::new(tokio::io::AsyncReadExt::take(reading, limit)).read_line(&mut line).await?;
    let request: Request = serde_json::from_str(&line).context("request")?;
    let (answers, mut queued) = mpsc::channel(64);
    let working = async move {
        let last = match request {
            Request::Backup { to } => {
                info!(to = %to.display(), "backup");
                let progress = answers.clone();
                // A full queue only means that nobody looks at the progress just now.
                let mut tell = |done, all| {
                    let _ = progress.try_send(Answer::Progress(done, all));
                };
                deps.store.backup(&to, &mut tell).await.map(|()| Answer::Done).map_err(anyhow::Error::from)
            }
            Request::ResetPassword { email, team } => {
                reset_running(&deps, &email, team.as_deref()).await.map(Answer::Password)
            }
            Request::CreateWorkspace(new) => create_running(&deps, &new).await.map(Answer::Created),
            Request::DeadJobs => dead_jobs::list(&*deps.store).await.map(Answer::Jobs),
            Request::ChangeJob { id, change } => change_running(&deps, &id, change).await,
        };
        let last = last.unwrap_or_else(|error| Answer::Failed(format!("{error:#}")));
        let _ = answers.send(last).await;
    };
    let telling = async {
        while let Some(answer) = queued.recv().await {
            writing.write_all(format!("{}\n", serde_json::to_string(&answer)?).as_bytes()).await?;
        }
        anyhow::Ok(())
    };
    let ((), told) = tokio::join!(working, telling);
    told
}

/// Sends a request to the running server, if there is one, and returns its last answer.
async fn ask(data: &Path, request: &Request) -> anyhow::Result<Option<Answer>> {
    if !data.exists() {
        bail!("there is no data directory {}", data.display());
    }
    let (folder, short) = short_path(data)?;
    let stream = match UnixStream::connect(&short).await {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error).context("the running server"),
    };
    drop(folder);
    let (reading, mut writing) = stream.into_split();
    writing.write_all(format!("{}\n", serde_json::to_string(request)?).as_bytes()).await?;
    let mut lines = BufReader::new(reading).lines();
    let mut shown = 0;
    while let Some(line) = lines.next_line().await? {
        match serde_json::from_str(&line).context("answer of the server")? {
            Answer::Progress(done, all) => show_progress(&mut shown, done, all),
            Answer::Failed(reason) => bail!("{reason}"),
            last => return Ok(Some(last)),
        }
    }
    bail!("the server went away before it had answered")
}

/// Shows whole tenths.
fn show_progress(shown: &mut u64, done: u64, all: u64) {
    let tenth = done.saturating_mul(10).checked_div(all).unwrap_or(10);
    if tenth > *shown {
        *shown = tenth;
        say_error(&format!("{} % of {all} pages", tenth * 10));
    }
}

/// `parlance backup`.
///
/// # Errors
/// A sentence for the operator.
pub async fn backup(config: &Config, to: &Path) -> anyhow::Result<()> {
    let data = Path::new(&config.data);
    let to = std::path::absolute(to)?;
    if ask(data, &Request::Backup { to: to.clone() }).await?.is_none() {
        let Opened { store, data: _held, .. } = stores::open(config).await?;
        let mut shown = 0;
        store.backup(&to, &mut |done, all| show_progress(&mut shown, done, all)).await?;
    }
    say_error(&format!("{} is complete", to.display()));
    Ok(())
}

/// `parlance reset-password`: returns the new password.
///
/// # Errors
/// A sentence for the operator.
pub async fn reset_password(config: &Config, email: &str, team: Option<&str>) -> anyhow::Result<String> {
    let data = Path::new(&config.data);
    let request = Request::ResetPassword { email: email.to_owned(), team: team.map(str::to_owned) };
    match ask(data, &request).await? {
        Some(Answer::Password(password)) => Ok(password),
        Some(_) => bail!("the server gave another answer"),
        None => {
            let opened = stores::open(config).await?;
            let (workspace, user) = find(&*opened.store, email, team).await?;
            let (password, writes) = new_password(&workspace, &user)?;
            let place = match &opened.directory {
                None => 0,
                Some(directory) => directory.find(workspace.id).await?.context("no such workspace")?,
            };
            let (mut log, _held) = opened.into_log(place)?;
            let outcomes = log.commit(writes, Clock::system().now_us()).await?;
            for outcome in outcomes {
                outcome.result?;
            }
            Ok(password)
        }
    }
}

/// `parlance create-workspace`.
///
/// # Errors
/// A sentence for the operator.
pub async fn create_workspace(config: &Config, new: NewWorkspace) -> anyhow::Result<Created> {
    match ask(Path::new(&config.data), &Request::CreateWorkspace(new.clone())).await? {
        Some(Answer::Created(created)) => Ok(created),
        Some(_) => bail!("the server gave another answer"),
        None => workspaces::create(stores::open(config).await?, &new, Clock::system().now_us()).await,
    }
}

/// `parlance jobs`: the jobs that were given up.
///
/// # Errors
/// A sentence for the operator.
pub async fn dead_jobs(config: &Config) -> anyhow::Result<Vec<DeadJob>> {
    match ask(Path::new(&config.data), &Request::DeadJobs).await? {
        Some(Answer::Jobs(jobs)) => Ok(jobs),
        Some(_) => bail!("the server gave another answer"),
        None => dead_jobs::list(&*stores::open(config).await?.store).await,
    }
}

/// `parlance jobs --replay` and `--drop`. Needs the running server: nobody else would run the job.
///
/// # Errors
/// A sentence for the operator.
pub async fn change_job(config: &Config, id: &str, change: Change) -> anyhow::Result<()> {
    match ask(Path::new(&config.data), &Request::ChangeJob { id: id.to_owned(), change }).await? {
        Some(_) => Ok(()),
        None => bail!("start the server first: it is what runs jobs"),
    }
}

async fn change_running(deps: &Deps, id: &str, change: Change) -> anyhow::Result<Answer> {
    let write = dead_jobs::change(&*deps.store, id, change).await?;
    let context = WriteContext { accepted: deps.clock.now_us(), ..WriteContext::default() };
    deps.appender.write(write, context).await?;
    deps.queued.notify_one();
    Ok(Answer::Done)
}

async fn create_running(deps: &Deps, new: &NewWorkspace) -> anyhow::Result<Created> {
    let (write, created) = workspaces::prepare(new)?;
    let context = WriteContext { accepted: deps.clock.now_us(), ..WriteContext::default() };
    match deps.appender.write(write, context).await {
        Ok(_) => {
            info!(workspace = created.id, domain = created.domain, "workspace created");
            Ok(created)
        }
        Err(WriteError::Refused(refusal)) => bail!(workspaces::refused(refusal, &created.domain)),
        Err(error) => Err(error.into()),
    }
}

async fn reset_running(deps: &Deps, email: &str, team: Option<&str>) -> anyhow::Result<String> {
    let (workspace, user) = find(&*deps.store, email, team).await?;
    let (password, writes) = new_password(&workspace, &user)?;
    let context = WriteContext { accepted: deps.clock.now_us(), ..WriteContext::default() };
    for write in writes {
        if let Done::Revoked(credentials) = deps.appender.write(write, context).await? {
            let call = Call {
                caller: NodeId { name: "control".to_owned(), incarnation: 1 },
                epoch: Epoch::default(),
                trace: context.trace,
                timeout: TIMEOUT_DEFAULT,
            };
            deps.admin.revoke(&call, credentials).await?;
        }
    }
    info!(user = %user.id, "password reset");
    Ok(password)
}

async fn find(store: &dyn Store, email: &str, team: Option<&str>) -> anyhow::Result<(Workspace, User)> {
    let workspaces = store.workspaces().await?;
    let workspace = match team {
        Some(team) => workspaces
            .into_iter()
            .find(|workspace| workspace.domain == team || workspace.id.to_string() == team),
        None if workspaces.len() > 1 => bail!("there are several workspaces: say which with --team"),
        None => workspaces.into_iter().next(),
    };
    let workspace = workspace.context("there is no such workspace")?;
    let person = store.person_by_email(workspace.id, &email.trim().to_lowercase()).await?;
    let (user, _) =
        person.with_context(|| format!("nobody in {} has the address {email}", workspace.name))?;
    if user.kind != UserKind::Person {
        bail!("{email} is not a person");
    }
    Ok((workspace, user))
}

fn new_password(workspace: &Workspace, user: &User) -> anyhow::Result<(String, Vec<Write>)> {
    let password = crate::seed::random_password()?;
    let password_hash = api::passwords::hash(&password)?;
    let kinds = [
        WriteKind::SetPassword { user: user.id, password_hash },
        WriteKind::RevokeSessions { user: user.id },
    ];
    let writes = kinds.into_iter().map(|kind| Write { workspace: workspace.id, kind });
    Ok((password, writes.collect()))
}
