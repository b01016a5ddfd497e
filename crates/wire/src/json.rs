//! Writes JSON objects member by member.

use std::fmt::Display;

use serde::Serialize;

/// A JSON object that is being written.
#[derive(Debug, Clone)]
pub struct Object {
    text: Vec<u8>,
}

impl Default for Object {
    fn default() -> Self {
        Self::new()
    }
}

impl Object {
    /// An object without members.
    #[must_use]
    pub fn new() -> Self {
        Self { text: vec![b'{'] }
    }

    /// Adds any value.
    pub fn put<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> &mut Self {
        self.key(key);
        write(&mut self.text, value);
        self
    }

    /// Adds the text form of an id, a `ts` and the like.
    pub fn text(&mut self, key: &str, value: impl Display) -> &mut Self {
        self.put(key, &value.to_string())
    }

    /// Adds the text form if there is a value.
    pub fn text_if(&mut self, key: &str, value: Option<impl Display>) -> &mut Self {
        match value {
            Some(value) => self.text(key, value),
            None => self,
        }
    }

    /// Adds JSON text as it is. The caller vouches that it is valid.
    pub fn raw(&mut self, key: &str, json: &str) -> &mut Self {
        self.key(key);
        self.text.extend_from_slice(json.as_bytes());
        self
    }

    /// Adds members that [`Object::members`] made.
    pub fn append_members(&mut self, members: &[u8]) -> &mut Self {
        let members =
            if self.text.len() == 1 { members.strip_prefix(b",").unwrap_or(members) } else { members };
        self.text.extend_from_slice(members);
        self
    }

    /// Adds an object.
    pub fn object(&mut self, key: &str, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let mut inner = Self::new();
        fill(&mut inner);
        self.key(key);
        self.text.append(&mut inner.finish());
        self
    }

    /// Adds an array of objects.
    pub fn objects<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.key(key);
        self.text.push(b'[');
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                self.text.push(b',');
            }
            let mut inner = Self::new();
            fill(&mut inner, item);
            self.text.append(&mut inner.finish());
        }
        self.text.push(b']');
        self
    }

    /// Adds an array of texts.
    pub fn texts<T: Display>(&mut self, key: &str, items: impl IntoIterator<Item = T>) -> &mut Self {
        let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
        self.put(key, &items)
    }

    /// The object's JSON text.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.text.push(b'}');
        self.text
    }

    /// The members alone, each with a leading comma: for objects that somebody else closes.
    #[must_use]
    pub fn members(self) -> Vec<u8> {
        let mut text = self.text;
        if text.len() == 1 {
            text.clear();
        }
        if let Some(brace) = text.first_mut() {
            *brace = b',';
        }
        text
    }

    fn key(&mut self, key: &str) {
        if self.text.len() > 1 {
            self.text.push(b',');
        }
        write(&mut self.text, key);
        self.text.push(b':');
    }
}

/// Writes a value; one that cannot be JSON (a map with keys that are no strings) becomes `null`.
fn write<T: Serialize + ?Sized>(text: &mut Vec<u8>, value: &T) {
    let before = text.len();
    if serde_json::to_writer(&mut *text, value).is_err() {
        text.truncate(before);
        text.extend_from_slice(b"null");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_valid_json_in_the_order_of_writing() {
        let mut object = Object::new();
        object.put("b", &1).text("a", "x\"y").raw("r", "[1,2]").object("o", |o| {
            o.put("k", &true);
        });
        object.objects("l", [1, 2], |o, n| {
            o.put("n", &n);
        });
        let text = String::from_utf8(object.finish()).unwrap();
        assert_eq!(text, r#"{"b":1,"a":"x\"y","r":[1,2],"o":{"k":true},"l":[{"n":1},{"n":2}]}"#);
        assert_eq!(Object::new().finish(), b"{}");
    }

    #[test]
    fn members_have_leading_commas() {
        let mut object = Object::new();
        object.put("a", &1).put("b", &2);
        assert_eq!(object.members(), br#","a":1,"b":2"#);
        assert_eq!(Object::new().members(), b"");
        let mut other = Object::new();
        other.append_members(br#","a":1"#).append_members(br#","b":2"#);
        assert_eq!(other.finish(), br#"{"a":1,"b":2}"#);
    }
}
