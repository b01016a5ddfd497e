use model::{Channel, ChannelKind, Membership};
use wire::json::Object;

use crate::{call::Cx, errors::Failure, reply::Reply};

/// What is unread: of each conversation, and of the threads that the person follows.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let boot = cx.store().boot(cx.workspace()?, cx.user()?).await?.ok_or("invalid_auth")?;
    let of = |kinds: &'static [ChannelKind]| {
        boot.channels.iter().filter(move |(channel, _)| kinds.contains(&channel.kind) && !channel.archived)
    };
    let channels = || of(&[ChannelKind::Public, ChannelKind::Private]);
    let mentions = |list: &mut dyn Iterator<Item = &(Channel, Membership)>| -> u64 {
        list.map(|(_, membership)| membership.mention_count).sum()
    };
    let in_channels = mentions(&mut channels());
    let in_directs = mentions(&mut of(&[ChannelKind::Direct, ChannelKind::GroupDirect]));
    let mut reply = Reply::ok();
    reply
        .object("threads", |object| {
            object
                .put("has_unreads", &(boot.threads.unread > 0))
                .put("mention_count", &boot.threads.mentions);
            object.put("unread_count", &boot.threads.unread);
        })
        .objects("channels", channels(), |object, (channel, own)| put_counts(object, channel, own))
        .objects("mpims", of(&[ChannelKind::GroupDirect]), |object, (channel, own)| {
            put_counts(object, channel, own);
        })
        .objects("ims", of(&[ChannelKind::Direct]), |object, (channel, own)| put_counts(object, channel, own))
        .object("channel_badges", |badges| {
            badges
                .put("channels", &in_channels)
                .put("dms", &in_directs)
                .put("app_dms", &0)
                .put("thread_mentions", &boot.threads.mentions)
                .put("thread_unreads", &boot.threads.unread);
        })
        .object("alerts", |_| {});
    Ok(reply)
}

fn put_counts(object: &mut Object, channel: &Channel, membership: &Membership) {
    object
        .text("id", channel.id)
        .text("last_read", membership.last_read)
        .text("latest", channel.latest)
        .put("updated", &channel.updated.div_euclid(1_000))
        .put("mention_count", &membership.mention_count)
        .put("has_unreads", &(channel.latest > membership.last_read));
}
