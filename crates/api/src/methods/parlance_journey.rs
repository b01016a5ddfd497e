use model::{Topic, TopicId, Ts};
use wire::json::Object;

use crate::{call::Cx, channels, errors::Failure, reply::Reply};

/// Where a message was when, as far as the roles remember.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let workspace = cx.workspace()?;
    let channel = channels::get(&cx, channels::id(&cx)?).await?.channel.id;
    let ts: Ts = cx.args.required("ts", "message_not_found")?.parse().map_err(|_| "message_not_found")?;
    let position = cx.store().position_of(workspace, channel, ts).await?.ok_or("message_not_found")?;
    let topic = Topic { workspace, id: TopicId::Channel(channel) };
    let committed = cx.app.deps.journeys.get(topic, position.seq);
    let journey = cx.app.deps.admin.journey(&cx.app.call(cx.context.trace), topic, position.seq).await?;
    let mut reply = Reply::ok();
    reply
        .text("channel", channel)
        .text("ts", ts)
        .put("seq", &position.seq.raw())
        .put("trace_id", &committed.map(|(trace, _)| trace.to_string()))
        .put("accepted_us", &committed.map(|(_, times)| times.accepted))
        .put("committed_us", &committed.map(|(_, times)| times.committed))
        .put("admin_us", &journey.admin);
    match journey.channel {
        Some(step) => {
            reply
                .object("channel_server", |object| {
                    object
                        .text("slot", &step.slot)
                        .put("received_us", &step.received)
                        .put("sent_us", &step.sent);
                })
                .objects("gateways", &step.gateways, put_gateway);
        }
        None => {
            reply.put("channel_server", &None::<i64>).put("gateways", &None::<i64>);
        }
    }
    Ok(reply)
}

fn put_gateway(object: &mut Object, step: &rpc::GatewayJourney) {
    object
        .text("gateway", &step.gateway)
        .put("received_us", &step.received)
        .put("written_us", &step.written)
        .put("sockets", &step.sockets);
}
