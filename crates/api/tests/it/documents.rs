//! The list of methods in the documents is the server's.

use std::collections::BTreeSet;

#[test]
fn the_documented_methods_are_those_of_the_table() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api/methods.md")).unwrap();
    let is_name = |name: &&str| {
        name.contains('.') && !name.contains('/') && name.chars().all(|c| c.is_ascii_alphabetic() || c == '.')
    };
    let documented: BTreeSet<&str> = text.split('`').skip(1).step_by(2).filter(is_name).collect();
    let table: BTreeSet<&str> = api::methods::METHODS.iter().map(|method| method.name).collect();
    assert_eq!(documented, table);
}
