//! The stored form of the ring.

use cluster::{Document, DocumentError, shell::first_document};

use crate::node;

const STORED: &str = r#"{"scheme":"xxh3-64/256 v1","epoch":1,"slots":[{"name":"slot-00","node":{"name":"channel-00","incarnation":5}},{"name":"slot-01","node":{"name":"channel-01","incarnation":5}}],"spares":[{"name":"channel-02","incarnation":9}]}"#;

#[test]
fn a_document_comes_back_as_it_was() {
    let mut document = first_document("channel", 2, 5).unwrap();
    document.spares.push(node("channel-02", 9));
    assert_eq!(document.to_json().unwrap(), STORED);
    assert_eq!(Document::from_json(STORED).unwrap(), document);
}

#[test]
fn what_is_not_a_document_of_ours_is_refused() {
    let refused = |find: &str, put: &str| {
        assert!(STORED.contains(find), "{find}");
        Document::from_json(&STORED.replace(find, put)).unwrap_err()
    };
    let scheme = refused("v1", "v2");
    assert!(matches!(&scheme, DocumentError::Scheme { found } if found == "xxh3-64/256 v2"), "{scheme}");
    // The scheme is looked at first: a newer one may have other members.
    let newer = refused(r#""scheme":"xxh3-64/256 v1""#, r#""scheme":"other","more":1"#);
    assert!(matches!(newer, DocumentError::Scheme { .. }), "{newer}");
    assert!(matches!(refused(r#""epoch":1"#, r#""epoch":0"#), DocumentError::Epoch));
    assert!(matches!(refused(r#""epoch":1"#, r#""epoch":1,"more":1"#), DocumentError::Json(_)));
    assert!(matches!(refused(r#""epoch":1"#, r#""epoch":-1"#), DocumentError::Json(_)));
    assert!(matches!(refused(r#""scheme":"xxh3-64/256 v1","#, ""), DocumentError::Json(_)));
    assert!(matches!(refused("slot-01", "slot-00"), DocumentError::Ring(_)));
    assert!(matches!(refused("channel-01", "channel-00"), DocumentError::Ring(_)));
    assert!(matches!(
        refused("channel-02\",\"incarnation\":9", "channel-01\",\"incarnation\":5"),
        DocumentError::Spare(_)
    ));
    assert!(matches!(Document::from_json(&STORED[..80]), Err(DocumentError::Json(_))));
    assert!(matches!(Document::from_json("null"), Err(DocumentError::Json(_))));
}
