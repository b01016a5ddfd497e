//! Successful answers.

use std::ops::{Deref, DerefMut};

use wire::json::Object;

/// A successful answer: `{"ok":true,…}`. Members are written through [`Object`].
#[derive(Debug)]
pub struct Reply {
    body: Object,
    /// More pages: an opaque cursor. `Some("")`: a paginated method's last page.
    pub next_cursor: Option<String>,
    /// Slack's warning codes.
    pub warnings: Vec<&'static str>,
    /// `Set-Cookie`.
    pub cookie: Option<String>,
}

impl Default for Reply {
    fn default() -> Self {
        Self::ok()
    }
}

impl Reply {
    /// An answer that says only that it went well.
    #[must_use]
    pub fn ok() -> Self {
        let mut body = Object::new();
        body.put("ok", &true);
        Self { body, next_cursor: None, warnings: Vec::new(), cookie: None }
    }

    /// The JSON text.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let mut body = self.body;
        if !self.warnings.is_empty() {
            body.put("warning", &self.warnings.join(","));
        }
        if self.next_cursor.is_some() || !self.warnings.is_empty() {
            body.object("response_metadata", |metadata| {
                if let Some(cursor) = &self.next_cursor {
                    metadata.put("next_cursor", cursor);
                }
                if !self.warnings.is_empty() {
                    metadata.put("warnings", &self.warnings);
                }
            });
        }
        body.finish()
    }
}

impl Deref for Reply {
    type Target = Object;

    fn deref(&self) -> &Object {
        &self.body
    }
}

impl DerefMut for Reply {
    fn deref_mut(&mut self) -> &mut Object {
        &mut self.body
    }
}
