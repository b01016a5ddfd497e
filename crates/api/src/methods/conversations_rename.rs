use model::ChannelName;
use store::{Refusal, WriteKind};

use crate::{
    call::Cx, channels, errors::Failure, methods::conversations_create::refused_name, reply::Reply,
    scopes::Family,
};

/// Gives a channel another name: its creator may, and admins.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let channel = channels::find(&cx, Family::Manage).await?.channel.id;
    let name = ChannelName::parse(&cx.args.text("name")?.unwrap_or_default()).map_err(refused_name)?;
    let write = WriteKind::Rename { channel, by: cx.by()?, name };
    cx.write(write).await.map_err(|failure| failure.called(Refusal::NotAllowed, "not_authorized"))?;
    channels::answer(&cx, channel).await
}
