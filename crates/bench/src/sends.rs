//! Which messages were sent, and when they should have been.

use std::time::Instant;

/// What stands before the number in each message's text.
const MARK: &[u8] = b"bench:";
/// Digits of the number.
const DIGITS: usize = 9;

/// The sends of a run. The time of each is the time at which it was due, not the one at which the sender came to it: who
/// waits for a slow server is counted as waiting (coordinated omission).
#[derive(Debug, Default)]
pub(crate) struct Sends {
    intended: Vec<Instant>,
}

impl Sends {
    /// Notes a send and returns the message's text, of so many bytes.
    pub(crate) fn next(&mut self, intended: Instant, bytes: usize) -> String {
        let number = self.intended.len();
        self.intended.push(intended);
        let mut text = format!("bench:{number:0DIGITS$} ");
        text.extend(std::iter::repeat_n('x', bytes.saturating_sub(text.len())));
        text
    }

    /// How many there were.
    pub(crate) fn len(&self) -> usize {
        self.intended.len()
    }

    /// When the send of this number was due.
    pub(crate) fn intended(&self, number: usize) -> Option<Instant> {
        self.intended.get(number).copied()
    }

    /// The number of the message that a frame shows, if it shows one of these.
    pub(crate) fn number_in(&self, frame: &[u8]) -> Option<usize> {
        let at = memchr::memmem::find(frame, MARK)? + MARK.len();
        let digits = std::str::from_utf8(frame.get(at..at + DIGITS)?).ok()?;
        digits.parse().ok().filter(|number| *number < self.intended.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_again() {
        let mut sends = Sends::default();
        let texts: Vec<String> = (0..3).map(|_| sends.next(Instant::now(), 100)).collect();
        for (number, text) in texts.iter().enumerate() {
            assert_eq!(text.len(), 100);
            assert_eq!(sends.number_in(format!("{{\"text\":\"{text}\"}}").as_bytes()), Some(number));
        }
        for other in ["bench:000000003 ", "bench:00000000", "hello", "bench:00000000x"] {
            assert_eq!(sends.number_in(other.as_bytes()), None, "{other}");
        }
    }
}
