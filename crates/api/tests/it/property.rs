//! Whatever arrives, the answer is HTTP 200 or 429 with an envelope.

use axum::body::Body;
use http::Request;
use proptest::prelude::*;

use crate::world::World;

fn request(kind: &str, query: &str, body: Vec<u8>, token: &str) -> Option<Request<Body>> {
    Request::post(format!("/api/conversations.history?{query}"))
        .header("content-type", kind)
        .header("authorization", format!("Bearer {token}"))
        .body(Body::from(body))
        .ok()
}

fn kinds() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("application/json".to_owned()),
        Just("application/x-www-form-urlencoded".to_owned()),
        Just("multipart/form-data; boundary=b".to_owned()),
        "[ -~]{0,40}",
    ]
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        "[ -~]{0,200}".prop_map(String::into_bytes),
        r#"\{"(channel|limit|cursor|oldest|_p)":("[^"\\]{0,20}"|[0-9.eE+-]{1,30}|\[[0-9,]{0,9}\]|true|null)\}"#
            .prop_map(String::into_bytes),
        r"(channel|limit|cursor|oldest|inclusive)=[a-zA-Z0-9%+.-]{0,30}(&limit=[-0-9]{0,20})?"
            .prop_map(String::into_bytes),
        r#"(\r\n)?--b\r\n(Content-Disposition: form-data; name="[a-z"]{0,5}"\r\n)?\r\n.{0,20}(\r\n--b--\r\n)?"#
            .prop_map(String::into_bytes),
    ]
}

#[test]
fn any_request_gets_an_envelope() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::new());
    proptest!(ProptestConfig::with_cases(512), |(kind in kinds(), query in "[a-z0-9=&%+._-]{0,60}", body in bodies())| {
        if let Some(request) = request(&kind, &query, body, &world.ada.token) {
            let answer = runtime.block_on(world.send(request));
            prop_assert!(answer.status == 200 || answer.status == 429, "{}", answer.status);
            let envelope = answer.json();
            prop_assert!(envelope["ok"].is_boolean());
            prop_assert_ne!(&envelope["error"], "internal_error");
        }
    });
}
