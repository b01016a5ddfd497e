use pictures::Crop;
use wire::user::put_photo;

use crate::{call::Cx, errors::Failure, photos, reply::Reply};

/// Makes a picture the caller's photo: the part `image` of a form, and of it the square `crop_x`, `crop_y`, `crop_w`.
pub(super) async fn set(mut cx: Cx) -> Result<Reply, Failure> {
    let crop = crop(&cx)?;
    let picture = cx.args.picture.take();
    let missing = || Failure::with_message("bad_image", "send the picture as the part `image` of a form");
    let user = photos::set(&cx, &picture.ok_or_else(missing)?, crop).await?;
    let mut reply = Reply::ok();
    reply.object("profile", |profile| put_photo(profile, &user, cx.site()));
    Ok(reply)
}

/// Takes the caller's photo away.
pub(super) async fn delete(cx: Cx) -> Result<Reply, Failure> {
    photos::delete(&cx).await?;
    Ok(Reply::ok())
}

fn crop(cx: &Cx) -> Result<Option<Crop>, Failure> {
    let number = |name: &'static str| -> Result<Option<u32>, Failure> {
        let given = cx.args.integer(name, "invalid_arguments")?;
        let wrong = || Failure::invalid_arguments(format!("{name} must not be negative"));
        given.map(|number| u32::try_from(number).map_err(|_| wrong())).transpose()
    };
    let (x, y, side) = (number("crop_x")?, number("crop_y")?, number("crop_w")?);
    if side == Some(0) {
        return Err(Failure::invalid_arguments("crop_w must not be 0".to_owned()));
    }
    let given = x.is_some() || y.is_some() || side.is_some();
    Ok(given.then(|| Crop { x: x.unwrap_or(0), y: y.unwrap_or(0), side }))
}
