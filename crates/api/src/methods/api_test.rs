use crate::{call::Cx, errors::Failure, reply::Reply};

/// Echoes the arguments; `error` makes it fail so.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let error = cx.args.given("error")?;
    let mut reply = Reply::ok();
    let echo = cx.args.echo();
    if !echo.is_empty() || error.is_some() {
        reply.object("args", |args| {
            for (name, value) in echo {
                args.put(name, value);
            }
        });
    }
    let Some(error) = error else { return Ok(reply) };
    let mut members = wire::json::Object::new();
    members.object("args", |args| {
        for (name, value) in cx.args.echo() {
            args.put(name, value);
        }
    });
    Err(Failure::new(error).with_members(members))
}
