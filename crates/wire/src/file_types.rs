//! Slack's types of files: short names, names for people, endings.
//!
//! From Slack's page "File types"; `binary` and `text` stand for everything else.

/// A type of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileType {
    /// Slack's short name.
    pub name: &'static str,
    /// For people.
    pub pretty: &'static str,
    /// Endings of names, without the dot, besides the short name itself.
    endings: &'static [&'static str],
    /// It is text that can be a snippet.
    pub text: bool,
}

/// Bytes of no type that is known.
pub const BINARY: &str = "binary";
/// Text of no type that is known.
pub const TEXT: &str = "text";

macro_rules! types {
    ($($kind:ident $name:literal $pretty:literal [$($ending:literal)*];)*) => {
        &[$(FileType { name: $name, pretty: $pretty, endings: &[$($ending),*], text: types!(@$kind) }),*]
    };
    (@text) => { true };
    (@file) => { false };
}

static TYPES: &[FileType] = types! {
    file "7z" "7-Zip" [];
    file "ai" "Illustrator File" [];
    file "apk" "APK" [];
    text "applescript" "AppleScript" ["scpt"];
    file "avi" "AVI" [];
    file "binary" "Binary" ["bin"];
    file "bmp" "Bitmap" [];
    file "bz2" "Bzip2 Archive" [];
    text "c" "C" ["h"];
    text "clojure" "Clojure" ["clj"];
    text "coffeescript" "CoffeeScript" ["coffee"];
    text "cpp" "C++" ["cc" "cxx" "hpp"];
    text "csharp" "C#" ["cs"];
    text "css" "CSS" [];
    text "csv" "CSV" [];
    text "dart" "Dart" [];
    text "diff" "Diff" ["patch"];
    file "dmg" "Apple Disk Image" [];
    file "doc" "Word Document" [];
    text "dockerfile" "Docker" [];
    file "docx" "Word Document" [];
    file "email" "Email" ["eml"];
    file "eps" "EPS" [];
    file "epub" "EPUB" [];
    text "erlang" "Erlang" ["erl"];
    file "flac" "FLAC" [];
    file "flv" "Flash Video" [];
    text "fsharp" "F#" ["fs"];
    file "gif" "GIF" [];
    text "go" "Go" [];
    text "groovy" "Groovy" [];
    file "gzip" "Gzip" ["gz" "tgz"];
    text "haskell" "Haskell" ["hs"];
    file "heic" "HEIC" [];
    text "html" "HTML" ["htm" "xhtml"];
    file "indd" "InDesign Document" [];
    text "java" "Java" [];
    text "javascript" "JavaScript/JSON" ["js" "json" "mjs"];
    file "jpg" "JPEG" ["jpeg" "jpe"];
    file "keynote" "Keynote Document" [];
    text "kotlin" "Kotlin" ["kt"];
    text "latex" "LaTeX/sTeX" ["tex"];
    text "lisp" "Lisp" [];
    text "lua" "Lua" [];
    file "m4a" "MPEG 4 Audio" [];
    text "markdown" "Markdown (raw)" ["md"];
    text "matlab" "MATLAB" ["m"];
    file "mkv" "Matroska Video" [];
    file "mov" "QuickTime Movie" ["qt"];
    file "mp3" "MP3" [];
    file "mp4" "MPEG 4 Video" ["m4v"];
    file "mpg" "MPEG Video" ["mpeg"];
    file "numbers" "Numbers Document" [];
    text "objc" "Objective-C" ["mm"];
    text "ocaml" "OCaml" ["ml"];
    file "odp" "OpenDocument Presentation" [];
    file "ods" "OpenDocument Spreadsheet" [];
    file "odt" "OpenDocument Text" [];
    file "ogg" "OGG" [];
    file "ogv" "OGG Video" [];
    file "pages" "Pages Document" [];
    text "pascal" "Pascal" ["pas"];
    file "pdf" "PDF" [];
    text "perl" "Perl" ["pl"];
    text "php" "PHP" [];
    file "png" "PNG" [];
    text "powershell" "PowerShell" ["ps1"];
    file "ppt" "PowerPoint Presentation" [];
    file "pptx" "PowerPoint Presentation" [];
    file "psd" "Photoshop Document" [];
    text "puppet" "Puppet" ["pp"];
    text "python" "Python" ["py"];
    text "r" "R" [];
    file "rar" "RAR" [];
    text "rst" "reStructuredText" [];
    file "rtf" "Rich Text File" [];
    text "ruby" "Ruby" ["rb"];
    text "rust" "Rust" ["rs"];
    text "sass" "Sass" ["scss"];
    text "scala" "Scala" [];
    text "scheme" "Scheme" ["scm"];
    text "shell" "Shell" ["sh" "bash" "zsh"];
    text "smalltalk" "Smalltalk" ["st"];
    text "sql" "SQL" [];
    file "svg" "SVG" [];
    text "swift" "Swift" [];
    file "tar" "Tarball" [];
    text "text" "Plain Text" ["txt" "log"];
    file "tiff" "TIFF" ["tif"];
    text "tsv" "TSV" [];
    text "typescript" "TypeScript" ["ts" "tsx"];
    text "vb" "VB.NET" [];
    file "vcard" "vCard" ["vcf"];
    file "wav" "WAVE" [];
    file "webm" "WebM" [];
    file "webp" "WebP" [];
    file "wmv" "Windows Media Video" [];
    file "xls" "Excel Spreadsheet" [];
    file "xlsx" "Excel Spreadsheet" [];
    text "xml" "XML" [];
    file "xz" "XZ" [];
    text "yaml" "YAML" ["yml"];
    file "zip" "Zip" [];
};

/// The type of a short name.
#[must_use]
pub fn named(name: &str) -> Option<&'static FileType> {
    TYPES.iter().find(|known| known.name == name)
}

/// The type that a file's name has by its ending.
#[must_use]
pub fn of_name(name: &str) -> Option<&'static FileType> {
    let ending = match name.rsplit_once('.') {
        Some((_, ending)) => ending.to_ascii_lowercase(),
        // `Dockerfile` has none.
        None => name.to_ascii_lowercase(),
    };
    let ending = ending.as_str();
    let dotted = name.contains('.');
    TYPES.iter().find(|known| {
        (known.name == ending && (dotted || known.name == "dockerfile"))
            || dotted && known.endings.contains(&ending)
    })
}

/// What people call a type.
#[must_use]
pub fn pretty(name: &str) -> &'static str {
    named(name).map_or("Binary", |known| known.pretty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_sorted_and_no_ending_has_two() {
        assert!(TYPES.windows(2).all(|pair| pair[0].name < pair[1].name));
        let mut endings: Vec<&str> =
            TYPES.iter().flat_map(|known| known.endings.iter().copied().chain([known.name])).collect();
        let all = endings.len();
        endings.sort_unstable();
        endings.dedup();
        assert_eq!(endings.len(), all);
    }

    #[test]
    fn names_have_types() {
        for (name, expect) in [
            ("a.PNG", Some("png")),
            ("a.tar.gz", Some("gzip")),
            ("main.rs", Some("rust")),
            ("Dockerfile", Some("dockerfile")),
            ("photo.jpeg", Some("jpg")),
            ("png", None),
            ("a.", None),
            ("", None),
            ("a.unknown", None),
        ] {
            assert_eq!(of_name(name).map(|known| known.name), expect, "{name}");
        }
        assert_eq!((pretty("rust"), pretty("nothing")), ("Rust", "Binary"));
    }
}
