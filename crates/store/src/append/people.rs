//! What people say of themselves, when they do not want to be disturbed, and their preferences.

use model::{Dnd, EventKind, JobId, Photo, Status, User, UserId, UserKind, UserPart, WorkspaceId};

use super::{Batch, Decided, jobs, user_topic, workspace_topic};
use crate::{By, Done, NewJob, ProfileChange, Refusal, tx::params};

/// The kind of the job that ends a status.
pub const EXPIRE_STATUS: &str = "expire_status";

/// The kind of the job that takes the bytes of a photo away, unless it is then somebody's.
pub const DELETE_PHOTO: &str = "delete_photo";

/// The job that takes the bytes of a photo away.
#[must_use]
pub fn delete_photo(id: JobId, user: UserId, name: &str, run_at: model::Micros) -> NewJob {
    let payload = serde_json::json!({ "user": user.raw(), "photo": name }).to_string();
    NewJob { id, kind: DELETE_PHOTO, payload, key: Some(name.to_owned()), run_at }
}

/// Changes a profile.
pub(super) async fn set_profile(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    user: UserId,
    by: By,
    change: ProfileChange,
) -> Decided {
    let before = batch.user(workspace, user).await?.filter(|user| !user.deleted);
    let before = before.ok_or(Refusal::UserNotFound)?;
    let own = user == by.user;
    let above = by.role > before.role && by.role >= model::Role::Admin && before.kind == UserKind::Person;
    if !own && !above {
        return Err(Refusal::CannotChangeUser.into());
    }
    let mut after = before.clone();
    let set = |to: &mut String, from: Option<String>| {
        if let Some(value) = from {
            *to = value;
        }
    };
    set(&mut after.real_name, change.real_name);
    set(&mut after.display_name, change.display_name);
    set(&mut after.tz, change.tz);
    set(&mut after.profile.title, change.title);
    set(&mut after.profile.phone, change.phone);
    set(&mut after.profile.pronouns, change.pronouns);
    set(&mut after.profile.skype, change.skype);
    if let Some(status) = change.status {
        after.profile.status = if status.is_empty() { Status::default() } else { status };
    }
    if after == before {
        return Ok(Done::User(Box::new(after)));
    }
    let status = &after.profile.status;
    let expires = *status != before.profile.status && status.expiration > 0;
    if let Some(id) = change.expiry_job.filter(|_| expires) {
        let payload = serde_json::json!({ "user": user.raw(), "expiration": status.expiration }).to_string();
        let run_at = status.expiration.saturating_mul(1_000_000);
        let job = NewJob { id, kind: EXPIRE_STATUS, payload, key: Some(user.to_string()), run_at };
        jobs::put(batch, workspace, job).await?;
    }
    let part =
        if after.profile.status == before.profile.status { UserPart::Profile } else { UserPart::Status };
    changed(batch, after, part).await
}

/// Changes a photo.
pub(super) async fn set_photo(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    user: UserId,
    photo: Option<Photo>,
    job: JobId,
) -> Decided {
    let before = batch.user(workspace, user).await?.filter(|user| !user.deleted);
    let mut user = before.ok_or(Refusal::UserNotFound)?;
    if user.profile.photo == photo {
        return Ok(Done::User(Box::new(user)));
    }
    if let Some(unneeded) = std::mem::replace(&mut user.profile.photo, photo) {
        let job = delete_photo(job, user.id, &unneeded.name, batch.now());
        jobs::put(batch, workspace, job).await?;
    }
    changed(batch, user, UserPart::Profile).await
}

/// Clears a status whose time is over.
pub(super) async fn expire_status(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    user: UserId,
    expiration: i64,
) -> Decided {
    let Some(mut user) = batch.user(workspace, user).await? else { return Ok(Done::Ok) };
    if user.profile.status.expiration != expiration || expiration == 0 {
        return Ok(Done::Ok);
    }
    user.profile.status = Status::default();
    changed(batch, user, UserPart::Status).await
}

async fn changed(batch: &mut Batch<'_>, mut user: User, part: UserPart) -> Decided {
    user.updated = batch.now();
    batch.put_user(user.clone());
    let event = EventKind::UserChange(Box::new(user.clone()), part);
    batch.push(workspace_topic(user.workspace), event).await?;
    Ok(Done::User(Box::new(user)))
}

/// Changes when somebody does not want to be disturbed; tells their devices, and everybody else.
pub(super) async fn set_dnd(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    user: UserId,
    dnd: Dnd,
) -> Decided {
    let mut user = batch.user(workspace, user).await?.ok_or(Refusal::UserNotFound)?;
    if user.dnd == dnd {
        return Ok(Done::User(Box::new(user)));
    }
    user.dnd = dnd;
    batch.put_user(user.clone());
    let event = EventKind::DndChanged(Box::new(user.clone()));
    batch.push(user_topic(workspace, user.id), event.clone()).await?;
    batch.push(workspace_topic(workspace), event).await?;
    Ok(Done::User(Box::new(user)))
}

/// Says that somebody is away, or not any more. Their devices are told; the others hear it from their gateways.
pub(super) async fn set_presence(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    user: UserId,
    away: bool,
) -> Decided {
    let mut user = batch.user(workspace, user).await?.ok_or(Refusal::UserNotFound)?;
    if user.manual_away == away {
        return Ok(Done::User(Box::new(user)));
    }
    user.manual_away = away;
    batch.put_user(user.clone());
    batch.push(user_topic(workspace, user.id), EventKind::ManualPresence { away }).await?;
    Ok(Done::User(Box::new(user)))
}

/// Sets preferences.
pub(super) async fn set_preferences(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    user: UserId,
    values: Vec<(String, String)>,
) -> Decided {
    if batch.user(workspace, user).await?.is_none() {
        return Err(Refusal::UserNotFound.into());
    }
    for (name, value) in values {
        let sql = "SELECT value FROM preferences WHERE workspace = $1 AND usr = $2 AND name = $3";
        let known = batch.query(sql, &params![workspace, user, name]).await?.into_iter().next();
        let known: Option<String> = known.map(|mut row| row.take()).transpose()?;
        if known.as_ref() == Some(&value) {
            continue;
        }
        batch.write(
            "INSERT INTO preferences (workspace, usr, name, value, revision) VALUES ($1, $2, $3, $4, 1) \
             ON CONFLICT (workspace, usr, name) DO UPDATE SET value = excluded.value, \
             revision = preferences.revision + 1",
            params![workspace, user, name, value].into(),
        );
        batch.push(user_topic(workspace, user), EventKind::PreferenceChanged { name, value }).await?;
    }
    Ok(Done::Ok)
}
