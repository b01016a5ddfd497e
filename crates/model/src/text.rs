//! Message text and its limit.

/// Text of a message: at most [`MessageText::CHARS_MAX`] characters. May be empty when blocks or
/// attachments carry the content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessageText(String);

/// Why a text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Longer than [`MessageText::CHARS_MAX`].
    #[error("text is longer than {} characters", MessageText::CHARS_MAX)]
    TooLong,
}

impl MessageText {
    /// Longest text, in Unicode scalar values. Slack cuts longer ones (since 2018-08-12).
    pub const CHARS_MAX: usize = 40_000;

    /// Checks and wraps `raw`.
    ///
    /// # Errors
    ///
    /// [`TextError::TooLong`].
    pub fn new(raw: String) -> Result<Self, TextError> {
        if raw.len() > Self::CHARS_MAX && raw.chars().count() > Self::CHARS_MAX {
            return Err(TextError::TooLong);
        }
        Ok(Self(raw))
    }

    /// Wraps `raw`, cut to the limit. Returns whether something was cut.
    #[must_use]
    pub fn cut(mut raw: String) -> (Self, bool) {
        let end = raw.char_indices().nth(Self::CHARS_MAX).map(|(at, _)| at);
        if let Some(end) = end {
            raw.truncate(end);
        }
        (Self(raw), end.is_some())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Gives the text away.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_counts_characters_not_bytes() {
        let fits = "é".repeat(MessageText::CHARS_MAX);
        assert!(MessageText::new(fits.clone()).is_ok());
        assert_eq!(MessageText::cut(fits.clone()), (MessageText(fits.clone()), false));
        let long = format!("{fits}x");
        assert_eq!(MessageText::new(long.clone()), Err(TextError::TooLong));
        assert_eq!(MessageText::cut(long), (MessageText(fits), true));
    }
}
