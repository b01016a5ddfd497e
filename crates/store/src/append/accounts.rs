//! Workspaces, people, invitations, credentials, tickets.

use model::{
    AppId, BotId, ChannelId, ChannelKind, CredentialId, Dnd, EventKind, Profile, Role, Topic, User, UserId,
    UserKind, WorkspaceId,
};

use super::{
    Batch, Decided, channels,
    membership::{self, Notice},
    rights, user_topic, workspace_topic,
};
use crate::{
    By, Done, NewCredential, NewInvite, NewPerson, Refusal, SecretHash, StoreError, TICKET_LIFE_S, Ticket,
    tx::{Row, Value, params},
};

/// A ticket that is good for longer, microseconds, was sold before the clock was set back. A minute is for clocks of
/// several processes that do not agree.
const TICKET_LEFT_US_MAX: i64 = (TICKET_LIFE_S + 60) * 1_000_000;
/// Kinds in `users.kind`.
const PERSON: i64 = 1;
const BOT: i64 = 2;

/// Creates a workspace, its owner, and the two channels that everybody joins.
pub(super) async fn create_workspace(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    name: String,
    domain: String,
    default_channels: [ChannelId; 2],
    owner: NewPerson,
    only_first: bool,
) -> Decided {
    let known = batch.query("SELECT workspace, domain FROM workspaces", &[]).await?;
    if only_first && !known.is_empty() {
        return Err(Refusal::AlreadySetUp.into());
    }
    for mut row in known {
        let (id, other): (WorkspaceId, String) = (row.take()?, row.take()?);
        if id == workspace || other == domain {
            return Err(Refusal::NameTaken.into());
        }
    }
    batch.place(workspace);
    batch.write(
        "INSERT INTO workspaces (workspace, name, domain, created, revision) VALUES ($1, $2, $3, $4, 1)",
        params![workspace, name, domain, batch.now()].into(),
    );
    batch.create_topic(workspace_topic(workspace)).await?;
    for (id, name, general) in
        [(default_channels[0], "general", true), (default_channels[1], "random", false)]
    {
        let mut stored = channels::empty(batch, id, ChannelKind::Public, name, owner.id);
        stored.default = true;
        stored.channel.general = general;
        batch.put_channel(workspace, stored.clone());
        batch.push(workspace_topic(workspace), EventKind::ChannelCreated(Box::new(stored.channel))).await?;
    }
    add_person(batch, workspace, owner).await
}

/// Adds a person, who joins the default channels.
pub(super) async fn add_person(batch: &mut Batch<'_>, workspace: WorkspaceId, person: NewPerson) -> Decided {
    let sql = "SELECT usr FROM users WHERE workspace = $1 AND email = $2";
    if !batch.query(sql, &params![workspace, person.email]).await?.is_empty() {
        return Err(Refusal::EmailTaken.into());
    }
    let name = free_name(batch, workspace, &person.name).await?;
    let user = User {
        id: person.id,
        workspace,
        kind: UserKind::Person,
        name,
        real_name: person.real_name,
        display_name: String::new(),
        email: Some(person.email),
        role: person.role,
        tz: person.tz,
        locale: "en-US".to_owned(),
        deleted: false,
        updated: batch.now(),
        profile: Profile::default(),
        dnd: Dnd::default(),
        manual_away: false,
    };
    let notice = if person.quiet { Notice::Quiet } else { Notice::Say };
    insert_user(batch, &user, person.password_hash).await?;
    batch.push(workspace_topic(workspace), EventKind::TeamJoin(Box::new(user))).await?;
    let sql =
        "SELECT channel FROM channels WHERE workspace = $1 AND general > 0 AND archived = 0 ORDER BY channel";
    for mut row in batch.query(sql, &params![workspace]).await? {
        // Through the batch, which locks it and knows what earlier items did to it.
        let stored = batch.channel(workspace, row.take()?).await?;
        if stored.default && !stored.channel.archived {
            membership::enter(batch, workspace, stored, person.id, None, notice).await?;
        }
    }
    Ok(Done::Person { workspace, user: person.id })
}

/// Adds a bot's user.
pub(super) async fn add_bot(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    user: UserId,
    bot: BotId,
    app: AppId,
    name: String,
) -> Decided {
    let handle = free_name(batch, workspace, &name.to_lowercase()).await?;
    let user = User {
        id: user,
        workspace,
        kind: UserKind::Bot { bot, app },
        name: handle,
        real_name: name,
        display_name: String::new(),
        email: None,
        role: Role::Member,
        tz: "UTC".to_owned(),
        locale: "en-US".to_owned(),
        deleted: false,
        updated: batch.now(),
        profile: Profile::default(),
        dnd: Dnd::default(),
        manual_away: false,
    };
    let id = user.id;
    insert_user(batch, &user, None).await?;
    batch.push(workspace_topic(workspace), EventKind::TeamJoin(Box::new(user))).await?;
    Ok(Done::Person { workspace, user: id })
}

async fn insert_user(batch: &mut Batch<'_>, user: &User, password_hash: Option<String>) -> Decided<()> {
    let (kind, bot, app) = match user.kind {
        UserKind::Person => (PERSON, None, None),
        UserKind::Bot { bot, app } => (BOT, Some(bot), Some(app)),
    };
    let mut row: Vec<Value> =
        params![user.workspace, user.id, kind, bot, app, user.name, user.real_name].into();
    row.extend(params![
        user.display_name,
        user.email,
        password_hash,
        user.role,
        user.tz,
        user.locale,
        user.deleted,
        user.updated
    ]);
    batch.write(
        "INSERT INTO users (workspace, usr, kind, bot, app, name, real_name, display_name, email, password_hash, \
         role, tz, locale, deleted, updated, revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
         $13, $14, $15, 1)",
        row,
    );
    batch.forget_user(user.workspace, user.id);
    batch.create_topic(user_topic(user.workspace, user.id)).await?;
    Ok(())
}

/// The handle itself, or with the first number that makes it free.
async fn free_name(batch: &mut Batch<'_>, workspace: WorkspaceId, wanted: &str) -> Decided<String> {
    let mut name = wanted.to_owned();
    let mut number = 1u32;
    loop {
        let sql = "SELECT usr FROM users WHERE workspace = $1 AND name = $2";
        if batch.query(sql, &params![workspace, name]).await?.is_empty() {
            return Ok(name);
        }
        number += 1;
        name = format!("{wanted}{number}");
    }
}

/// Uses an invitation.
pub(super) async fn accept_invite(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    code: SecretHash,
    person: NewPerson,
) -> Decided {
    let sql = "SELECT email, expires, uses_left FROM invites WHERE workspace = $1 AND code = $2";
    let row = batch.query(sql, &params![workspace, code]).await?.into_iter().next();
    let mut row = row.ok_or(Refusal::InviteInvalid)?;
    let (email, expires, uses_left): (Option<String>, i64, i64) = (row.take()?, row.take()?, row.take()?);
    if uses_left < 1 || email.is_some_and(|email| email != person.email) {
        return Err(Refusal::InviteInvalid.into());
    }
    if expires <= batch.now() {
        return Err(Refusal::InviteExpired.into());
    }
    let done = add_person(batch, workspace, person).await?;
    batch.write(
        "UPDATE invites SET uses_left = uses_left - 1, revision = revision + 1 WHERE workspace = $1 AND code = $2",
        params![workspace, code].into(),
    );
    Ok(done)
}

/// Makes an invitation.
pub(super) async fn create_invite(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    by: By,
    invite: NewInvite,
) -> Decided {
    rights::check(batch, workspace, by.role, |it| it.invite).await?;
    batch.write(
        "INSERT INTO invites (workspace, code, inviter, email, expires, uses_left, created, revision) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 1)",
        params![workspace, invite.code, by.user, invite.email, invite.expires, invite.uses_max, batch.now()]
            .into(),
    );
    Ok(Done::Ok)
}

/// Stores a token or session.
pub(super) async fn add_credential(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    credential: NewCredential,
) -> Decided {
    let (id, now) = (credential.secret.credential_id(), batch.now());
    let mut row: Vec<Value> =
        params![workspace, id, credential.secret, credential.kind, credential.user].into();
    row.extend(params![credential.bot, credential.app, credential.scopes, now, credential.expires]);
    batch.write(
        "INSERT INTO credentials (workspace, id, secret, kind, usr, bot, app, scopes, created, expires, revision) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1)",
        row,
    );
    Ok(Done::Ok)
}

/// Revokes one credential.
pub(super) async fn revoke_credential(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    id: CredentialId,
) -> Decided {
    let changed = batch
        .execute(
            "UPDATE credentials SET revoked = $3, revision = revision + 1 \
             WHERE workspace = $1 AND id = $2 AND revoked IS NULL",
            params![workspace, id, batch.now()].into(),
        )
        .await?;
    let ids = if changed > 0 { vec![id] } else { Vec::new() };
    batch.revoke(&ids);
    Ok(Done::Revoked(ids))
}

/// Revokes every browser session of a person.
pub(super) async fn revoke_sessions(batch: &mut Batch<'_>, workspace: WorkspaceId, user: UserId) -> Decided {
    let sql = "SELECT id FROM credentials WHERE workspace = $1 AND usr = $2 AND kind = 4 AND revoked IS NULL";
    let rows = batch.query(sql, &params![workspace, user]).await?;
    let ids = rows.into_iter().map(|mut row| row.take()).collect::<Result<Vec<CredentialId>, _>>()?;
    batch.write(
        "UPDATE credentials SET revoked = $3, revision = revision + 1 \
         WHERE workspace = $1 AND usr = $2 AND kind = 4 AND revoked IS NULL",
        params![workspace, user, batch.now()].into(),
    );
    batch.revoke(&ids);
    Ok(Done::Revoked(ids))
}

/// Sets a password.
pub(super) async fn set_password(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    user: UserId,
    password_hash: String,
) -> Decided {
    let changed = batch
        .execute(
            "UPDATE users SET password_hash = $3, updated = $4, revision = revision + 1 \
             WHERE workspace = $1 AND usr = $2 AND kind = 1",
            params![workspace, user, password_hash, batch.now()].into(),
        )
        .await?;
    batch.forget_user(workspace, user);
    if changed == 0 { Err(Refusal::UserNotFound.into()) } else { Ok(Done::Ok) }
}

/// Stores a ticket, and drops those that nobody used in time.
pub(super) async fn add_ticket(batch: &mut Batch<'_>, workspace: WorkspaceId, ticket: Ticket) -> Decided {
    batch.write(
        "DELETE FROM tickets WHERE workspace = $1 AND expires < $2",
        params![workspace, batch.now()].into(),
    );
    let mut row: Vec<Value> = params![workspace, ticket.secret, ticket.user, ticket.credential].into();
    row.extend(params![ticket.rtm, ticket.needs_origin, ticket.batch_presence, ticket.expires]);
    batch.write(
        "INSERT INTO tickets (workspace, secret, usr, credential, rtm, needs_origin, batch_presence, expires) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        row,
    );
    Ok(Done::Ok)
}

/// Redeems a ticket. When the clock was set back meanwhile it is good no more: else it would be good for as long.
pub(super) async fn use_ticket(batch: &mut Batch<'_>, workspace: WorkspaceId, secret: SecretHash) -> Decided {
    let sql = "SELECT usr, credential, rtm, needs_origin, batch_presence, expires FROM tickets \
               WHERE workspace = $1 AND secret = $2";
    let row = batch.query(sql, &params![workspace, secret]).await?.into_iter().next();
    let mut row = row.ok_or(Refusal::TicketInvalid)?;
    let ticket = Ticket {
        secret,
        user: row.take()?,
        credential: row.take()?,
        rtm: row.take()?,
        needs_origin: row.take()?,
        batch_presence: row.take()?,
        expires: row.take()?,
    };
    // Whoever deletes the row has the ticket: another item or another process may have found it too.
    let sql = "DELETE FROM tickets WHERE workspace = $1 AND secret = $2";
    let deleted = batch.execute(sql, params![workspace, secret].into()).await?;
    // One that is good for longer than any was made for has lived through a step of the clock.
    let left = ticket.expires.saturating_sub(batch.now());
    if deleted == 0 || left <= 0 || left > TICKET_LEFT_US_MAX {
        return Err(Refusal::TicketInvalid.into());
    }
    Ok(Done::Ticket(ticket))
}

/// Raises the generation of every topic of a workspace.
pub(super) async fn shift_generations(batch: &mut Batch<'_>, workspace: WorkspaceId) -> Decided {
    let sql = "SELECT topic FROM topics WHERE workspace = $1 ORDER BY topic";
    let rows = batch.query(sql, &params![workspace]).await?;
    let topic = |mut row: Row| Ok::<_, StoreError>(Topic { workspace, id: row.take()? });
    let topics = rows.into_iter().map(topic).collect::<Result<Vec<Topic>, _>>()?;
    batch.lock(&[], &topics).await?;
    for &topic in &topics {
        batch.shift(topic).await?;
    }
    Ok(Done::Count(u64::try_from(topics.len()).unwrap_or(u64::MAX)))
}
