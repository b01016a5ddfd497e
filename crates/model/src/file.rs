//! Files that people uploaded.

use serde::{Deserialize, Serialize};

use crate::{ChannelId, ChannelKind, FileId, Micros, Ts, UserId};

/// A file, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its id.
    pub id: FileId,
    /// Who uploaded it.
    pub owner: UserId,
    /// When.
    pub created: Micros,
    /// Last change.
    pub updated: Micros,
    /// Its name, without a path, at most [`File::NAME_CHARS_MAX`] characters.
    pub name: String,
    /// What people read; its name unless somebody chose another.
    pub title: String,
    /// What is in the picture, for those who cannot see it. May be empty.
    pub alt_text: String,
    /// MIME type, of its name and its first bytes.
    pub mime: String,
    /// Slack's short name of the type: `png`, `text`, `binary`.
    pub filetype: String,
    /// A text that its owner gave as a snippet of this type.
    pub snippet: bool,
    /// Bytes.
    pub size: u64,
    /// Shared in a public channel.
    pub public: bool,
    /// Secret of the link that needs no account, while there is one.
    pub public_secret: Option<String>,
    /// What a picture is like, once that is known.
    pub image: Option<Image>,
    /// Deleted: nothing but the id is shown.
    pub deleted: bool,
}

impl File {
    /// Longest name, characters. Longer ones are cut before their ending.
    pub const NAME_CHARS_MAX: usize = 255;
    /// Longest title, characters.
    pub const TITLE_CHARS_MAX: usize = 255;
    /// Longest description of a picture, characters; Slack's limit.
    pub const ALT_TEXT_CHARS_MAX: usize = 1_000;
}

/// A picture: its size, turned the right way up, and its thumbnails.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Image {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// A few pixels of it as base64 of a JPEG, to be shown until the rest is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tiny: Option<String>,
    /// The thumbnails, the smallest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub thumbnails: Vec<Thumbnail>,
}

/// A smaller copy of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thumbnail {
    /// Slack's name for it: the edge of the square that it fits in or fills, pixels.
    pub edge: u32,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Its format.
    pub format: Format,
    /// Its length.
    pub bytes: u64,
}

/// Format of a thumbnail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Without transparency.
    Jpeg,
    /// With it.
    Png,
}

impl Format {
    /// Ending of its files' names.
    #[must_use]
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
        }
    }
}

impl Thumbnail {
    /// The name of its bytes below the file's folder.
    #[must_use]
    pub fn blob(&self) -> String {
        format!("thumb_{}.{}", self.edge, self.format.ending())
    }
}

/// A message that has a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Where.
    pub channel: ChannelId,
    /// What kind of conversation that is.
    pub kind: ChannelKind,
    /// Its name; DMs have none.
    pub channel_name: String,
    /// The message.
    pub ts: Ts,
    /// Who shared it.
    pub user: UserId,
    /// The thread that the message belongs to.
    pub thread: Option<Ts>,
}
