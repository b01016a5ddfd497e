use model::ChannelKind;
use store::{Refusal, WriteKind};

use crate::{call::Cx, errors::Failure, reply::Reply};

/// Makes a public channel private.
pub(super) async fn to_private(cx: Cx) -> Result<Reply, Failure> {
    convert(&cx, ChannelKind::Private).await
}

/// Makes a private channel public.
pub(super) async fn to_public(cx: Cx) -> Result<Reply, Failure> {
    convert(&cx, ChannelKind::Public).await
}

async fn convert(cx: &Cx, to: ChannelKind) -> Result<Reply, Failure> {
    let channel = cx.args.required("channel_id", "channel_not_found")?.parse();
    let write = WriteKind::Convert { channel: channel.map_err(|_| "channel_not_found")?, by: cx.by()?, to };
    cx.write(write).await.map_err(|failure| {
        failure
            .called(Refusal::NotAllowed, "not_an_admin")
            .called(Refusal::WrongChannelKind, "channel_type_not_supported")
    })?;
    Ok(Reply::ok())
}
