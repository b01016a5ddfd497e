//! Accounts, invitations, credentials, tickets.

use model::{Credential, CredentialId, Role, UserId, WorkspaceId};
use store::{Authenticated, Done, NewCredential, NewInvite, Refusal, SecretHash, Ticket, Write, WriteKind};

use crate::world::*;

#[tokio::test]
async fn a_second_owner_cannot_set_up() {
    let mut world = World::new().await;
    let owner = Box::new(person(UserId::from_raw(90), "eve", Role::PrimaryOwner));
    let kind = |only_first, domain: &str| WriteKind::CreateWorkspace {
        name: "Two".to_owned(),
        domain: domain.to_owned(),
        general: model::ChannelId::from_raw(91),
        random: model::ChannelId::from_raw(92),
        owner: owner.clone(),
        only_first,
    };
    let other = WorkspaceId::from_raw(2);
    let mut run = async |kind| {
        world.log.commit(vec![Write { workspace: other, kind }], START).await.unwrap().pop().unwrap().result
    };
    assert_eq!(run(kind(true, "two")).await, Err(Refusal::AlreadySetUp));
    assert_eq!(run(kind(false, "test")).await, Err(Refusal::NameTaken));
    assert!(run(kind(false, "two")).await.is_ok(), "a second workspace is fine when asked for");
}

#[tokio::test]
async fn invitations_are_used_up_expire_and_belong_to_an_address() {
    let mut world = World::new().await;
    let code = SecretHash::of("code");
    let expires = world.now + 1_000_000;
    let invite = |uses_max, email: Option<&str>, code| {
        let invite = NewInvite { code, email: email.map(str::to_owned), expires, uses_max };
        WriteKind::CreateInvite { by: by(ANN), invite }
    };
    world.ok(invite(2, None, code)).await;
    let accept = |code, raw, name: &str| WriteKind::AcceptInvite {
        code,
        person: Box::new(person(UserId::from_raw(raw), name, Role::Member)),
    };
    world.ok(accept(code, 31, "dee")).await;
    assert_eq!(world.refused(accept(code, 32, "dee")).await, Refusal::EmailTaken);
    world.ok(accept(code, 33, "eli")).await;
    assert_eq!(world.refused(accept(code, 34, "fay")).await, Refusal::InviteInvalid);
    let (bound, late) = (SecretHash::of("bound"), SecretHash::of("late"));
    world.ok(invite(1, Some("gus@example.org"), bound)).await;
    assert_eq!(world.refused(accept(bound, 35, "hal")).await, Refusal::InviteInvalid);
    world.ok(invite(1, None, late)).await;
    world.now += 2_000_000;
    assert_eq!(world.refused(accept(late, 36, "ida")).await, Refusal::InviteExpired);
    assert_eq!(world.refused(accept(SecretHash::of("?"), 37, "jon")).await, Refusal::InviteInvalid);
    let user = world.store.person_by_email(WS, "eli@example.org").await.unwrap().unwrap().0;
    let start = world.store.session(WS, user.id, code.credential_id(), world.now).await.unwrap();
    assert_eq!(start.topics.len(), 4, "general, random, oneself, the workspace");
    assert_eq!(start.user, Some(user));
    assert_eq!(start.credential, Authenticated::Unknown, "an invitation is no credential");
}

#[tokio::test]
async fn credentials_live_until_they_expire_or_are_revoked() {
    let mut world = World::new().await;
    let secret = SecretHash::of("xoxp-1");
    let credential = |secret, kind, expires| {
        let (user, scopes) = (Some(BO), "chat:write,users:read".to_owned());
        WriteKind::AddCredential(NewCredential { secret, kind, user, bot: None, app: None, scopes, expires })
    };
    world.ok(credential(secret, Credential::User, None)).await;
    let state = async |world: &World, secret| world.store.authenticate(WS, secret, world.now).await.unwrap();
    let Authenticated::Yes(principal) = state(&world, secret).await else { panic!() };
    assert_eq!((principal.user, principal.role), (Some(BO), Role::Member));
    assert!(principal.scopes.has("chat:write") && !principal.scopes.has("admin"));
    assert_eq!(state(&world, SecretHash::of("other")).await, Authenticated::Unknown);
    let elsewhere = world.store.authenticate(WorkspaceId::from_raw(2), secret, world.now).await.unwrap();
    assert_eq!(elsewhere, Authenticated::Unknown);
    // Same name (the first half of the hash), another secret.
    let mut forged = secret;
    forged.0[31] ^= 1;
    assert_eq!(state(&world, forged).await, Authenticated::Unknown);
    let short = SecretHash::of("short");
    world.ok(credential(short, Credential::Session, Some(world.now + 5_000))).await;
    assert!(matches!(state(&world, short).await, Authenticated::Yes(_)));
    world.now += 10_000;
    assert_eq!(state(&world, short).await, Authenticated::Expired);
    let id = secret.credential_id();
    assert_eq!(world.ok(WriteKind::RevokeCredential { id }).await, Done::Revoked(vec![id]));
    assert_eq!(world.ok(WriteKind::RevokeCredential { id }).await, Done::Revoked(vec![]));
    assert_eq!(state(&world, secret).await, Authenticated::Revoked);
    assert_eq!(world.store.credential_state(WS, id, world.now).await.unwrap(), Authenticated::Revoked);
    let Done::Revoked(ended) = world.ok(WriteKind::RevokeSessions { user: BO }).await else { panic!() };
    assert_eq!(ended, [short.credential_id()], "sessions only, not app tokens");
}

#[tokio::test]
async fn a_ticket_is_good_once_and_not_for_long() {
    let mut world = World::new().await;
    let ticket = |name: &str, expires| Ticket {
        secret: SecretHash::of(name),
        user: BO,
        credential: CredentialId([7; 16]),
        rtm: false,
        needs_origin: true,
        batch_presence: true,
        expires,
    };
    let redeem = |name: &str| WriteKind::UseTicket { secret: SecretHash::of(name) };
    let good = ticket("good", world.now + 1_000_000);
    world.ok(WriteKind::AddTicket(good.clone())).await;
    let outcomes = world.batch(vec![redeem("good"), redeem("good")]).await.unwrap();
    assert_eq!(outcomes[0].result, Ok(Done::Ticket(good)));
    assert_eq!(outcomes[1].result, Err(Refusal::TicketInvalid), "twice in one batch");
    assert_eq!(world.refused(redeem("good")).await, Refusal::TicketInvalid);
    world.ok(WriteKind::AddTicket(ticket("late", world.now + 2_000))).await;
    world.now += 5_000;
    assert_eq!(world.refused(redeem("late")).await, Refusal::TicketInvalid);
    assert_eq!(world.refused(redeem("never")).await, Refusal::TicketInvalid);
    // The clock is set back: it is good no longer instead of for hours.
    let life = store::TICKET_LIFE_S * 1_000_000;
    for (name, hours) in [("hours", 3), ("a moment", 0)] {
        world.ok(WriteKind::AddTicket(ticket(name, world.now + life))).await;
        world.now -= hours * 3_600_000_000;
        let good = world.batch(vec![redeem(name)]).await.unwrap()[0].result.is_ok();
        assert_eq!(good, hours == 0, "{name}");
    }
}

#[tokio::test]
async fn handles_are_made_unique() {
    let mut world = World::new().await;
    let mut again = person(UserId::from_raw(60), "bo", Role::Member);
    again.email = "other@example.org".to_owned();
    world.ok(WriteKind::AddPerson(Box::new(again))).await;
    assert_eq!(world.store.user(WS, UserId::from_raw(60)).await.unwrap().unwrap().name, "bo2");
    let page = world.store.users(WS, Some(ANN), 2).await.unwrap();
    assert_eq!(page.iter().map(|user| user.id).collect::<Vec<_>>(), [BO, CY]);
}
