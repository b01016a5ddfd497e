//! Files: uploads, shares, thumbnails, public links, deletion, room.

use model::{
    ChannelId, Draft, EventKind, File, FileId, Format, Image, JobId, Message, Subtype, Thumbnail, TopicId,
    Ts, UserId,
};
use store::{
    CompletedFile, Done, FileRead, FileTypes, FilesQuery, NewUpload, Refusal, SecretHash, StoredUpload,
    WriteKind, job_kinds,
};

use crate::world::*;

const ONE: FileId = FileId::from_raw(91);
const TWO: FileId = FileId::from_raw(92);
const HOUR: i64 = 3_600_000_000;

fn secret() -> SecretHash {
    SecretHash::of("capability")
}

fn upload(id: FileId, user: UserId, length: u64) -> NewUpload {
    NewUpload {
        id,
        by: by(user),
        name: "plan.png".to_owned(),
        alt_text: "a plan".to_owned(),
        filetype: String::new(),
        snippet: false,
        length,
        secret: Some(secret()),
        expires: START + HOUR,
        job: JobId::from_raw(id.raw() + 1_000),
        quota: 0,
    }
}

fn stored(id: FileId, size: u64) -> StoredUpload {
    StoredUpload {
        id,
        name: None,
        snippet: false,
        blob: "first".to_owned(),
        size,
        sha256: [7; 32],
        mime: "image/png".to_owned(),
        filetype: "png".to_owned(),
        thumbnails: true,
        quota: 0,
    }
}

fn completed(id: FileId) -> CompletedFile {
    CompletedFile { id, title: None, alt_text: None, job: JobId::from_raw(id.raw() + 2_000) }
}

fn complete(user: UserId, files: &[FileId], shares: Vec<Draft>) -> WriteKind {
    let files = files.iter().map(|id| completed(*id)).collect();
    WriteKind::CompleteUpload { by: by(user), files, shares, public_without_membership: false }
}

fn sharing(channel: ChannelId, user: UserId) -> Draft {
    Draft { subtype: Some(Subtype::FileShare), ..draft(channel, user, "") }
}

fn delete(id: FileId, user: UserId) -> WriteKind {
    WriteKind::DeleteFile { file: id, by: by(user), job: JobId::from_raw(7_777), channels: Vec::new() }
}

fn image() -> Image {
    let thumbnail = Thumbnail { edge: 64, width: 64, height: 64, format: Format::Png, bytes: 9 };
    Image { width: 640, height: 480, tiny: Some("AA".to_owned()), thumbnails: vec![thumbnail] }
}

async fn with_bytes(world: &mut World, id: FileId, user: UserId, size: u64) {
    world.ok(WriteKind::BeginUpload(Box::new(upload(id, user, size)))).await;
    world.ok(WriteKind::StoreUpload(Box::new(stored(id, size)))).await;
}

/// A file of somebody's in a channel, and its message.
pub(crate) async fn shared(
    world: &mut World,
    id: FileId,
    user: UserId,
    channel: ChannelId,
) -> (File, Message) {
    with_bytes(world, id, user, 100).await;
    match world.ok(complete(user, &[id], vec![sharing(channel, user)])).await {
        Done::Files { files, messages } => (files[0].clone(), messages[0].clone()),
        other => panic!("{other:?}"),
    }
}

async fn seen(world: &World, id: FileId, viewer: UserId) -> Option<FileRead> {
    world.store.file(WS, id, Some(viewer)).await.unwrap()
}

async fn jobs(world: &World) -> Vec<(String, i64)> {
    let due = world.store.due_jobs(i64::MAX, 100).await.unwrap();
    due.into_iter().map(|job| (job.kind, job.run_at)).collect()
}

fn names(events: &[model::Event]) -> Vec<String> {
    let name = |event: &model::Event| {
        let kind = format!("{:?}", event.kind);
        let name: String = kind.chars().take_while(|c| c.is_alphanumeric()).collect();
        format!("{} {name}", event.topic.id)
    };
    events.iter().map(name).collect()
}

#[tokio::test]
async fn an_upload_is_announced_stored_completed_and_shared() {
    let mut world = World::new().await;
    world.ok(WriteKind::BeginUpload(Box::new(upload(ONE, BO, 100)))).await;
    assert_eq!(jobs(&world).await, [(job_kinds::EXPIRE_UPLOAD.to_owned(), START + HOUR)]);
    let found = world.store.upload(WS, ONE, secret(), START).await.unwrap().unwrap();
    assert_eq!((found.name.as_str(), found.length, found.blob), ("plan.png", 100, None));
    // The capability is for this file, and ends.
    assert_eq!(world.store.upload(WS, ONE, SecretHash::of("x"), START).await.unwrap(), None);
    assert_eq!(world.store.upload(WS, TWO, secret(), START).await.unwrap(), None);
    assert_eq!(world.store.upload(WS, ONE, secret(), START + HOUR).await.unwrap(), None);
    // Without its bytes it is nothing yet, and nobody else's even then.
    assert_eq!(world.refused(complete(BO, &[ONE], Vec::new())).await, Refusal::FileNotFound);
    world.ok(WriteKind::StoreUpload(Box::new(stored(ONE, 100)))).await;
    assert_eq!(world.refused(complete(CY, &[ONE], Vec::new())).await, Refusal::FileNotFound);
    assert_eq!(
        world.store.upload(WS, ONE, secret(), START).await.unwrap().unwrap().blob.as_deref(),
        Some("first")
    );
    assert_eq!(seen(&world, ONE, BO).await, None);

    let outcome = world.run(complete(BO, &[ONE], vec![sharing(SECRET, BO)])).await;
    let Done::Files { files, messages } = outcome.result.unwrap() else { panic!() };
    let (channel, own) = (TopicId::Channel(SECRET), TopicId::User(BO));
    assert_eq!(
        names(&outcome.events),
        [format!("{own} FileCreated"), format!("{channel} Message"), format!("{channel} FileShared")]
    );
    assert_eq!((files[0].title.as_str(), files[0].alt_text.as_str()), ("plan.png", "a plan"));
    assert_eq!(messages[0].files, files);
    assert!(!files[0].public);
    let page = world.history(SECRET).await;
    assert_eq!(page[0], messages[0], "history has what the event had");
    let log = world.log_of(channel).await;
    let kinds = &log[log.len() - 2..];
    assert!(matches!(&kinds[0].kind, EventKind::Message { message, .. } if **message == messages[0]));
    assert!(matches!(kinds[1].kind, EventKind::FileShared { file: ONE, user: BO }));
    assert!(matches!(
        world.log_of(own).await.last().unwrap().kind,
        EventKind::FileCreated { file: ONE, user: BO }
    ));
    // The message makes the channel unread, like any that people write.
    assert_eq!(world.store.channel(WS, SECRET, None).await.unwrap().unwrap().0.latest, messages[0].ts);
    // Who is in the channel sees it; who is not does not know that it is there.
    let read = seen(&world, ONE, ANN).await.unwrap();
    assert_eq!((read.blob.as_deref(), read.sha256, read.shares.len()), (Some("first"), Some([7; 32]), 1));
    assert_eq!(
        (read.shares[0].channel, read.shares[0].ts, read.shares[0].user),
        (SECRET, messages[0].ts, BO)
    );
    assert_eq!(seen(&world, ONE, CY).await, None);
    // The capability is used up, and it is completed once.
    assert_eq!(world.store.upload(WS, ONE, secret(), START).await.unwrap(), None);
    assert_eq!(world.refused(WriteKind::StoreUpload(Box::new(stored(ONE, 1)))).await, Refusal::FileNotFound);
    assert_eq!(world.refused(complete(BO, &[ONE], Vec::new())).await, Refusal::FileNotFound);
    let left: Vec<String> = jobs(&world).await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(left, [job_kinds::MAKE_THUMBNAILS]);
}

#[tokio::test]
async fn sharing_is_all_or_nothing() {
    let mut world = World::new().await;
    with_bytes(&mut world, ONE, CY, 10).await;
    with_bytes(&mut world, TWO, CY, 10).await;
    let both = vec![sharing(GENERAL, CY), sharing(SECRET, CY)];
    assert_eq!(world.refused(complete(CY, &[ONE, TWO], both)).await, Refusal::ChannelNotFound);
    assert_eq!(seen(&world, ONE, CY).await, None);
    let nothing = Draft { thread: Some(Ts::from_micros(5)), ..sharing(GENERAL, CY) };
    assert_eq!(world.refused(complete(CY, &[ONE], vec![nothing])).await, Refusal::ThreadNotFound);
    let unknown = complete(CY, &[ONE, FileId::from_raw(5)], vec![sharing(GENERAL, CY)]);
    assert_eq!(world.refused(unknown).await, Refusal::FileNotFound);
    let parent = world.say(GENERAL, ANN, "where is it?").await;
    let reply = Draft { thread: Some(parent.ts), text: text("here"), ..sharing(GENERAL, CY) };
    let shares = vec![reply, sharing(RANDOM, CY)];
    let Done::Files { files, messages } = world.ok(complete(CY, &[TWO, ONE], shares)).await else { panic!() };
    assert!(files.iter().all(|file| file.public));
    assert_eq!(messages.iter().map(|message| message.files.len()).collect::<Vec<_>>(), [2, 2]);
    let thread = world.store.replies(WS, GENERAL, parent.ts, all()).await.unwrap().unwrap();
    assert_eq!(thread.page.messages, messages[..1]);
    assert_eq!(thread.page.messages[0].files.iter().map(|file| file.id).collect::<Vec<_>>(), [TWO, ONE]);
    let shares = seen(&world, ONE, BO).await.unwrap().shares;
    let places: Vec<_> = shares.iter().map(|share| (share.channel, share.thread)).collect();
    assert_eq!(places, [(GENERAL, Some(parent.ts)), (RANDOM, None)]);
    // Nobody shares into an archived channel, and a file without a channel is its owner's alone.
    world.ok(WriteKind::Archive { channel: RANDOM, by: by(ANN) }).await;
    let three = FileId::from_raw(93);
    with_bytes(&mut world, three, CY, 10).await;
    let archived = complete(CY, &[three], vec![sharing(RANDOM, CY)]);
    assert_eq!(world.refused(archived).await, Refusal::IsArchived);
    world.ok(complete(CY, &[three], Vec::new())).await;
    assert!(seen(&world, three, CY).await.is_some());
    assert_eq!(seen(&world, three, ANN).await, None);
}

#[tokio::test]
async fn who_leaves_a_channel_loses_its_files_and_keeps_their_own() {
    let mut world = World::new().await;
    shared(&mut world, ONE, ANN, SECRET).await;
    shared(&mut world, TWO, BO, SECRET).await;
    assert!(seen(&world, ONE, BO).await.is_some());
    world.ok(WriteKind::Kick { channel: SECRET, by: by(ANN), user: BO }).await;
    assert_eq!(seen(&world, ONE, BO).await, None);
    assert_eq!(seen(&world, TWO, BO).await.unwrap().shares, []);
    assert_eq!(seen(&world, TWO, ANN).await.unwrap().shares.len(), 1);
}

#[tokio::test]
async fn a_deleted_message_leaves_the_file_and_a_deleted_file_the_message() {
    let mut world = World::new().await;
    let (_, message) = shared(&mut world, ONE, BO, SECRET).await;
    let gone = world.run(WriteKind::Delete { channel: SECRET, ts: message.ts, by: by(BO) }).await;
    assert!(matches!(gone.events[1].kind, EventKind::FileUnshared { file: ONE, user: BO }));
    assert_eq!(seen(&world, ONE, ANN).await, None);
    assert_eq!(seen(&world, ONE, BO).await.unwrap().shares, []);

    let (_, message) = shared(&mut world, TWO, BO, SECRET).await;
    assert_eq!(world.refused(delete(TWO, CY)).await, Refusal::CantDeleteFile);
    assert_eq!(world.refused(delete(FileId::from_raw(5), BO)).await, Refusal::FileNotFound);
    let outcome = world.run(delete(TWO, ANN)).await;
    let channel = TopicId::Channel(SECRET);
    assert_eq!(
        names(&outcome.events),
        [format!("{channel} MessageChanged"), format!("{channel} FileDeleted")],
        "an admin may"
    );
    let page = world.history(SECRET).await;
    assert_eq!((page[0].ts, page[0].revision), (message.ts, 2));
    assert!(page[0].files[0].deleted && page[0].files[0].name.is_empty());
    let EventKind::MessageChanged { message: told, previous: None } = &outcome.events[0].kind else {
        panic!()
    };
    assert_eq!(**told, page[0]);
    let read = seen(&world, TWO, ANN).await.unwrap();
    assert!(read.file.deleted && read.blob.is_none() && read.sha256.is_none());
    assert_eq!(world.refused(delete(TWO, BO)).await, Refusal::FileDeleted);
    // Catching up tells nothing of it but that it is gone.
    for event in world.log_of(channel).await {
        match event.kind {
            EventKind::FileShared { file, .. } => assert_eq!(file, ONE),
            EventKind::Message { message, .. } => assert!(message.files.iter().all(|file| file.deleted)),
            _ => {}
        }
    }
    let kinds: Vec<String> = jobs(&world).await.into_iter().map(|(kind, _)| kind).collect();
    assert!(kinds.contains(&job_kinds::DELETE_BYTES.to_owned()), "{kinds:?}");
    assert_eq!(
        kinds.iter().filter(|kind| *kind == job_kinds::MAKE_THUMBNAILS).count(),
        1,
        "only the other's"
    );
    // A message that had nothing else still can be edited and deleted.
    world.ok(edit(SECRET, message.ts, BO, "it was a plan")).await;
    world.ok(WriteKind::Delete { channel: SECRET, ts: message.ts, by: by(BO) }).await;
}

#[tokio::test]
async fn thumbnails_are_noted_once_and_told_to_the_channels() {
    let mut world = World::new().await;
    shared(&mut world, ONE, BO, SECRET).await;
    let set = |image| WriteKind::SetImage { file: ONE, image, channels: vec![SECRET] };
    let outcome = world.run(set(Some(image()))).await;
    let [event] = outcome.events.as_slice() else { panic!("{outcome:?}") };
    assert!(matches!(&event.kind, EventKind::FileChanged(file) if file.image == Some(image())));
    assert_eq!(world.history(SECRET).await[0].files[0].image, Some(image()));
    let again = world.run(set(None)).await;
    assert!(again.result.is_ok() && again.events.is_empty(), "a job that runs twice has one effect");
    assert_eq!(seen(&world, ONE, BO).await.unwrap().file.image, Some(image()));
    // In one batch with an edit, what the edit tells has them too.
    let (_, message) = shared(&mut world, TWO, BO, SECRET).await;
    let both = vec![
        edit(SECRET, message.ts, BO, "first"),
        WriteKind::SetImage { file: TWO, image: Some(image()), channels: vec![SECRET] },
        edit(SECRET, message.ts, BO, "second"),
    ];
    let outcomes = world.batch(both).await.unwrap();
    let EventKind::MessageChanged { message, .. } = &outcomes[2].events[0].kind else {
        panic!("{outcomes:?}")
    };
    assert_eq!(message.files[0].image, Some(image()));
    assert_eq!(world.history(SECRET).await[0], **message);
    // What is no picture after all is no news.
    let three = FileId::from_raw(93);
    shared(&mut world, three, BO, SECRET).await;
    let failed = world.run(WriteKind::SetImage { file: three, image: None, channels: Vec::new() }).await;
    assert!(failed.result.is_ok() && failed.events.is_empty());
    assert!(!seen(&world, three, BO).await.unwrap().thumbnails_pending);
}

#[tokio::test]
async fn a_public_link_is_its_owners_or_an_admins() {
    let mut world = World::new().await;
    shared(&mut world, ONE, BO, GENERAL).await;
    let set = |user, secret: Option<&str>| WriteKind::SetPublicLink {
        file: ONE,
        by: by(user),
        secret: secret.map(str::to_owned),
        channels: vec![GENERAL],
    };
    assert_eq!(world.refused(set(CY, Some("x"))).await, Refusal::NotAllowed);
    let outcome = world.run(set(BO, Some("abc"))).await;
    let channel = TopicId::Channel(GENERAL);
    assert_eq!(names(&outcome.events), [format!("{channel} FilePublic"), format!("{channel} FileChanged")]);
    let Done::File(file) = world.ok(set(ANN, Some("other"))).await else { panic!() };
    assert_eq!(file.public_secret.as_deref(), Some("abc"), "there is one already");
    let Done::File(file) = world.ok(set(ANN, None)).await else { panic!() };
    assert_eq!(file.public_secret, None);
    assert_eq!(seen(&world, ONE, CY).await.unwrap().file.public_secret, None);
    world.ok(delete(ONE, BO)).await;
    assert_eq!(world.refused(set(BO, Some("x"))).await, Refusal::FileDeleted);
}

#[tokio::test]
async fn a_workspace_has_room_for_so_many_bytes() {
    let mut world = World::new().await;
    let with_quota = |id, length, quota| NewUpload { quota, ..upload(id, BO, length) };
    let begin = |id, length| WriteKind::BeginUpload(Box::new(with_quota(id, length, 250)));
    world.ok(begin(ONE, 100)).await;
    world.ok(begin(TWO, 150)).await;
    let three = FileId::from_raw(93);
    assert_eq!(world.refused(begin(three, 1)).await, Refusal::StorageFull, "announced bytes have their room");
    // There are more than were announced.
    let more = WriteKind::StoreUpload(Box::new(StoredUpload { quota: 250, ..stored(ONE, 101) }));
    assert_eq!(world.refused(more).await, Refusal::StorageFull);
    world.ok(WriteKind::StoreUpload(Box::new(StoredUpload { quota: 250, ..stored(ONE, 90) }))).await;
    world.ok(begin(three, 10)).await;
    world.ok(complete(BO, &[ONE], Vec::new())).await;
    world.ok(delete(ONE, BO)).await;
    world.ok(begin(FileId::from_raw(94), 90)).await;
    assert_eq!(world.refused(begin(FileId::from_raw(95), 1)).await, Refusal::StorageFull);
    // What is never completed gives its room back, once.
    for _ in 0..2 {
        world.ok(WriteKind::ExpireUpload { file: TWO }).await;
    }
    world.ok(begin(FileId::from_raw(96), 150)).await;
    assert_eq!(world.refused(begin(FileId::from_raw(97), 1)).await, Refusal::StorageFull);
    world.ok(WriteKind::ExpireUpload { file: FileId::from_raw(5) }).await;
}

#[tokio::test]
async fn what_was_completed_does_not_expire() {
    let mut world = World::new().await;
    shared(&mut world, ONE, BO, SECRET).await;
    assert_eq!(world.refused(WriteKind::ExpireUpload { file: ONE }).await, Refusal::FileNotFound);
    with_bytes(&mut world, TWO, BO, 5).await;
    world.ok(WriteKind::ExpireUpload { file: TWO }).await;
    assert_eq!(world.refused(complete(BO, &[TWO], Vec::new())).await, Refusal::FileNotFound);
    assert_eq!(world.store.upload(WS, TWO, secret(), START).await.unwrap(), None);
}

#[tokio::test]
async fn lists_have_what_the_viewer_may_see() {
    let mut world = World::new().await;
    let page = async |world: &World, viewer, query: FilesQuery| {
        let page = world.store.files(WS, viewer, query).await.unwrap();
        (page.files.into_iter().map(|(file, _)| file.id.raw()).collect::<Vec<_>>(), page.total)
    };
    let every = FilesQuery {
        user: None,
        channel: None,
        oldest: 0,
        latest: i64::MAX,
        types: FileTypes { all: true, ..FileTypes::default() },
        skip: 0,
        limit: 10,
    };
    shared(&mut world, ONE, BO, SECRET).await;
    let (second, _) = shared(&mut world, TWO, CY, GENERAL).await;
    let three = FileId::from_raw(93);
    let begin = NewUpload { filetype: "rust".to_owned(), snippet: true, ..upload(three, BO, 5) };
    world.ok(WriteKind::BeginUpload(Box::new(begin))).await;
    let text = StoredUpload {
        snippet: true,
        mime: "text/plain".to_owned(),
        filetype: "rust".to_owned(),
        thumbnails: false,
        ..stored(three, 5)
    };
    world.ok(WriteKind::StoreUpload(Box::new(text))).await;
    assert_eq!(page(&world, BO, every).await, (vec![92, 91], 2), "not before they are complete");
    world.ok(complete(BO, &[three], Vec::new())).await;
    assert_eq!(page(&world, BO, every).await, (vec![93, 92, 91], 3));
    assert_eq!(page(&world, ANN, every).await, (vec![92, 91], 2));
    assert_eq!(page(&world, CY, every).await, (vec![92], 1));
    let of = |user| FilesQuery { user: Some(user), ..every };
    assert_eq!(page(&world, CY, of(BO)).await, (vec![], 0));
    assert_eq!(page(&world, ANN, of(BO)).await, (vec![91], 1));
    let in_channel = |channel| FilesQuery { channel: Some(channel), ..every };
    assert_eq!(page(&world, BO, in_channel(SECRET)).await, (vec![91], 1));
    assert_eq!(page(&world, CY, in_channel(SECRET)).await, (vec![], 0));
    assert_eq!(page(&world, CY, in_channel(RANDOM)).await, (vec![], 0));
    assert_eq!(page(&world, BO, FilesQuery { skip: 1, limit: 1, ..every }).await, (vec![92], 3));
    let typed = |types| FilesQuery { types, ..every };
    let none = FileTypes::default();
    assert_eq!(page(&world, BO, typed(FileTypes { snippets: true, ..none })).await, (vec![93], 1));
    assert_eq!(page(&world, BO, typed(FileTypes { images: true, ..none })).await, (vec![92, 91], 2));
    assert_eq!(page(&world, BO, typed(FileTypes { pdfs: true, archives: true, ..none })).await, (vec![], 0));
    let until = FilesQuery { latest: second.created, ..every };
    assert_eq!(page(&world, BO, until).await, (vec![92, 91], 2));
    let after = FilesQuery { oldest: second.created + 1, ..every };
    assert_eq!(page(&world, BO, after).await, (vec![93], 1));
    world.ok(delete(ONE, BO)).await;
    assert_eq!(page(&world, BO, every).await, (vec![93, 92], 2));
}
