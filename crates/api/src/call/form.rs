//! A form that brings a file along: its texts are arguments as ever, the file goes to the disk as it comes, a picture is
//! held until it was looked at.

use axum::body::Body;
use http::{header, request::Parts};

use super::{Answered, admit};
use crate::{
    app::App,
    args::{self, Args, BODY_BYTES_MAX},
    auth::{Caller, Shown},
    errors::Failure,
    methods::{FormFile, Method},
    photos, uploads,
};

/// Reads a form. Nothing of a file is taken before its sender is known: a token in the form comes before the file.
pub(super) async fn read(
    app: &App,
    method: &'static Method,
    parts: &Parts,
    body: Body,
    now: model::Micros,
    answer: &mut Answered,
) -> Result<(Args, Caller), Failure> {
    let mut args = Args::default();
    args.add_form(parts.uri.query().unwrap_or_default().as_bytes())?;
    let mut caller = match Shown::in_headers(&parts.method, &parts.headers, &app.origins) {
        Shown::Nothing => None,
        shown => match admit(app, method, &shown, now, answer).await {
            Ok(caller) => Some(caller),
            Err(refused) => {
                args::discard(body).await;
                return Err(refused);
            }
        },
    };
    let broken = || Failure::new("invalid_form_data");
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = multer::parse_boundary(kind.unwrap_or_default()).map_err(|_| broken())?;
    let mut form = multer::Multipart::new(body.into_data_stream(), boundary);
    let mut texts = 0;
    while let Some(mut part) = form.next_field().await.map_err(|_| broken())? {
        let name = part.name().unwrap_or_default().to_owned();
        let file = if method.form == FormFile::Picture { photos::PART } else { "file" };
        if part.file_name().is_none() && name != file {
            let mut value = Vec::new();
            while let Some(piece) = part.chunk().await.map_err(|_| broken())? {
                texts += piece.len();
                if texts > BODY_BYTES_MAX {
                    return Err("request_too_large".into());
                }
                value.extend_from_slice(&piece);
            }
            if name == "content" {
                args.content = Some(value.clone());
            }
            match String::from_utf8(value) {
                Ok(value) => args.add_field(name, value),
                Err(_) if name == "content" => {}
                Err(_) => return Err(broken()),
            }
            continue;
        }
        if args.file.is_some() || args.picture.is_some() {
            return Err(broken());
        }
        let known = match &caller {
            Some(known) => known,
            None => {
                let shown = Shown::in_argument(args.token.as_deref());
                caller.insert(admit(app, method, &shown, now, answer).await?)
            }
        };
        if method.form == FormFile::Picture {
            args.picture = Some(photos::receive(app, part).await?);
            continue;
        }
        let announced =
            parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        args.file = Some(uploads::receive_part(app, &known.principal, part, announced.unwrap_or(0)).await?);
    }
    let caller = match caller {
        Some(caller) => caller,
        None => admit(app, method, &Shown::in_argument(args.token.as_deref()), now, answer).await?,
    };
    Ok((args, caller))
}
