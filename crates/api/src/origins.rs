//! Which pages may use a session cookie.

use http::{HeaderMap, header};
use url::Url;

/// The allowed origins, in the form that browsers send: `scheme://host[:port]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins(Vec<String>);

impl Origins {
    /// The public URL's own origin and further ones. What is no URL allows nothing.
    #[must_use]
    pub fn new(public_url: &str, further: &[String]) -> Self {
        let origin = |text: &str| {
            Url::parse(text)
                .ok()
                .map(|url| url.origin())
                .filter(url::Origin::is_tuple)
                .map(|origin| origin.ascii_serialization())
        };
        Self(
            std::iter::once(public_url)
                .chain(further.iter().map(String::as_str))
                .filter_map(origin)
                .collect(),
        )
    }

    /// Whether a page of this origin may. Compared as a whole: `null`, suffixes and other ports may not.
    #[must_use]
    pub fn allow(&self, origin: &str) -> bool {
        self.0.iter().any(|allowed| allowed == origin)
    }

    /// Whether a request's `Origin`, if there is one, is allowed.
    #[must_use]
    pub fn allow_request(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        origins.all(|origin| origin.to_str().is_ok_and(|origin| self.allow(origin)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_origins_are_allowed() {
        let origins = Origins::new(
            "https://chat.example.org/path",
            &["http://localhost:5173".to_owned(), "x".to_owned()],
        );
        for good in ["https://chat.example.org", "http://localhost:5173"] {
            assert!(origins.allow(good), "{good}");
        }
        for bad in [
            "",
            "null",
            "x",
            "http://chat.example.org",
            "https://chat.example.org.evil.com",
            "https://evil-chat.example.org",
            "https://chat.example.org:8443",
            "http://localhost",
        ] {
            assert!(!origins.allow(bad), "{bad}");
        }
    }
}
