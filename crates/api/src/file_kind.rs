//! What a file is: by its first bytes where they say it, else by its name. And names that are fit to be shown.

use model::File;
use wire::file_types::{self, BINARY, TEXT};

/// What a browser may show inside of its own window. Nothing of it can run a script; each is told by its bytes, never
/// by its name alone.
const SHOWN: &[&str] = &[
    "application/pdf",
    "audio/flac",
    "audio/m4a",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "audio/x-flac",
    "audio/x-wav",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "video/mp4",
    "video/quicktime",
    "video/webm",
];

/// Pictures that get thumbnails.
const PICTURES: &[&str] = &["image/gif", "image/jpeg", "image/png", "image/webp"];

const UNKNOWN: &str = "application/octet-stream";

/// The type of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// MIME type.
    pub mime: String,
    /// Slack's short name.
    pub filetype: String,
    /// It is a picture of which thumbnails can be made.
    pub picture: bool,
}

/// The type of a file with this name and these first bytes.
#[must_use]
pub fn of(name: &str, head: &[u8]) -> Kind {
    let by_name = file_types::of_name(name).map(|known| known.name);
    let guessed = mime_guess::from_path(name).first_raw();
    if let Some(found) = infer::get(head) {
        let container =
            matches!(found.mime_type(), "application/zip" | "text/xml" | "text/html" | "text/x-shellscript");
        // Office documents are archives, drawings are XML: there the name says more, unless it claims what it is not.
        let better = guessed.filter(|guessed| container && !is_shown(guessed));
        let mime = better.unwrap_or_else(|| found.mime_type());
        let by_bytes = file_types::of_name(&format!("x.{}", found.extension())).map(|known| known.name);
        let filetype = if container { by_name.or(by_bytes) } else { by_bytes.or(by_name) };
        return kind(mime, filetype.unwrap_or(BINARY));
    }
    let text = is_text(head);
    match guessed {
        // A name alone makes nothing a picture, a film or a document that is shown.
        Some(guessed) if !is_shown(guessed) => {
            let filetype = by_name.unwrap_or(if text { TEXT } else { BINARY });
            kind(guessed, filetype)
        }
        _ if text => kind("text/plain", by_name.filter(|name| is_text_type(name)).unwrap_or(TEXT)),
        _ => kind(UNKNOWN, BINARY),
    }
}

/// The type of a snippet.
#[must_use]
pub fn of_snippet(filetype: &str) -> Kind {
    kind("text/plain", filetype)
}

/// The MIME type under which a browser may show a file in its own window; `None`: it is only to be saved.
#[must_use]
pub fn shown_as(file: &File) -> Option<&str> {
    Some(file.mime.as_str()).filter(|mime| is_shown(mime))
}

fn kind(mime: &str, filetype: &str) -> Kind {
    Kind { mime: mime.to_owned(), filetype: filetype.to_owned(), picture: PICTURES.contains(&mime) }
}

fn is_shown(mime: &str) -> bool {
    SHOWN.contains(&mime)
}

fn is_text_type(name: &str) -> bool {
    file_types::named(name).is_some_and(|known| known.text)
}

/// Whether these are the first bytes of a text: UTF-8 without control characters that no text has.
fn is_text(head: &[u8]) -> bool {
    let valid = match std::str::from_utf8(head) {
        Ok(_) => head,
        // The last character may have been cut.
        Err(error) if error.error_len().is_none() => head.get(..error.valid_up_to()).unwrap_or_default(),
        Err(_) => return false,
    };
    !valid.iter().any(|byte| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b))
}

/// A name without what would mislead people or programs: paths, control characters, characters that turn the
/// direction of writing. Long ones are cut before their ending. Empty: `Untitled`.
#[must_use]
pub fn clean_name(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let cleaned: String = name.chars().filter(|c| !misleads(*c)).collect();
    let cleaned = cleaned.trim();
    if cleaned.trim_matches('.').is_empty() {
        return "Untitled".to_owned();
    }
    let chars = cleaned.chars().count();
    if chars <= File::NAME_CHARS_MAX {
        return cleaned.to_owned();
    }
    let ending =
        cleaned.rsplit_once('.').map(|(_, ending)| ending).filter(|ending| ending.chars().count() <= 16);
    let ending = ending.map_or(String::new(), |ending| format!(".{ending}"));
    let kept = File::NAME_CHARS_MAX - ending.chars().count();
    cleaned.chars().take(kept).collect::<String>() + &ending
}

/// A title or a description without what misleads, cut to a length.
#[must_use]
pub fn clean_text(text: &str, chars_max: usize) -> String {
    let cleaned: String = text.chars().filter(|c| *c == '\n' || !misleads(*c)).take(chars_max).collect();
    cleaned.trim().to_owned()
}

fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    #[test]
    fn bytes_decide_and_names_claim_nothing() {
        for (name, head, mime, filetype) in [
            ("a.png", PNG, "image/png", "png"),
            ("a.txt", PNG, "image/png", "png"),
            ("a", PNG, "image/png", "png"),
            ("a.png", b"<html>".as_slice(), "text/html", "png"),
            ("a.png", b"\0\x01\x02\x03", UNKNOWN, BINARY),
            ("a.png", b"just text", "text/plain", TEXT),
            ("a.pdf", b"%PDF-1.7", "application/pdf", "pdf"),
            ("a.pdf", b"alert(1)", "text/plain", TEXT),
            ("a.html", b"<script>alert(1)</script>", "text/html", "html"),
            ("a.svg", b"<?xml version=\"1.0\"?><svg/>", "image/svg+xml", "svg"),
            ("a.svg", b"<svg onload=alert(1)>", "image/svg+xml", "svg"),
            ("main.rs", b"fn main() {}\n", "text/x-rust", "rust"),
            ("notes", "Gr\u{fc}\u{df}e".as_bytes(), "text/plain", TEXT),
            ("notes", b"Gr\xc3", "text/plain", TEXT),
            (
                "a.docx",
                b"PK\x03\x04\x14\0",
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                "docx",
            ),
            ("a.zip", b"PK\x03\x04\x14\0", "application/zip", "zip"),
            ("a.gz", b"\x1f\x8b\x08\0", "application/gzip", "gzip"),
            ("a.unknown", b"\xff\xfe\0\x01", UNKNOWN, BINARY),
            ("empty", b"", "text/plain", TEXT),
        ] {
            let found = of(name, head);
            assert_eq!((found.mime.as_str(), found.filetype.as_str()), (mime, filetype), "{name} {head:?}");
            assert_eq!(found.picture, mime == "image/png", "{name}");
        }
    }

    #[test]
    fn what_can_run_a_script_is_never_shown() {
        for mime in [
            "text/html",
            "image/svg+xml",
            "application/xhtml+xml",
            "text/xml",
            "text/plain",
            "text/javascript",
            "",
        ] {
            assert!(!is_shown(mime), "{mime}");
        }
    }

    #[test]
    fn names_are_cleaned() {
        let long = format!("{}.tar.gz", "x".repeat(300));
        for (name, expect) in [
            ("plan.png", "plan.png"),
            ("../../etc/passwd", "passwd"),
            (r"C:\Users\me\plan.png", "plan.png"),
            ("a\0b\r\n.txt", "ab.txt"),
            ("photo\u{202e}gnp.exe", "photognp.exe"),
            ("..", "Untitled"),
            ("", "Untitled"),
            (" \u{200f} ", "Untitled"),
            ("a/", "Untitled"),
            (".bashrc", ".bashrc"),
            ("\u{fc}ber \u{1f600}.txt", "\u{fc}ber \u{1f600}.txt"),
        ] {
            assert_eq!(clean_name(name), expect, "{name:?}");
        }
        let cut = clean_name(&long);
        assert!(cut.chars().count() == File::NAME_CHARS_MAX && cut.ends_with("x.gz"), "{cut}");
        assert_eq!(clean_text(" a\u{202e}b\nc\0 ", 3), "ab");
    }
}
