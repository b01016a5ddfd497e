//! How a method can fail, and the one table from inner errors to Slack's codes.

use std::borrow::Cow;

use rpc::CallError;
use store::{Cause, Refusal, StoreError};
use tracing::error;
use wire::json::Object;

use crate::{appender::WriteError, passwords::PasswordError, random::NoRandomness};

/// A method's refusal, as its caller learns it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}")]
pub struct Failure {
    /// Slack's code.
    pub code: Cow<'static, str>,
    /// The answer is HTTP 429 with this many seconds in `Retry-After`.
    pub retry_after_s: Option<u32>,
    /// What else the answer says.
    pub detail: Option<Box<Detail>>,
    /// The refusal of the store that it comes from.
    refusal: Option<Refusal>,
}

/// What a refusal says besides its code.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Detail {
    /// For people, in `response_metadata.messages`.
    pub messages: Vec<String>,
    /// Scopes that would have done, and those that the token has.
    pub scopes: Option<(String, String)>,
    /// Further members of the answer, each with a leading comma.
    pub members: Vec<u8>,
}

impl Failure {
    /// Just a code.
    #[must_use]
    pub fn new(code: impl Into<Cow<'static, str>>) -> Self {
        Self { code: code.into(), retry_after_s: None, detail: None, refusal: None }
    }

    /// A code with a sentence for people.
    #[must_use]
    pub fn with_message(code: &'static str, message: impl Into<String>) -> Self {
        let mut failure = Self::new(code);
        failure.detail().messages.push(format!("[ERROR] {}", message.into()));
        failure
    }

    /// A code with several sentences for people.
    #[must_use]
    pub fn with_messages(code: &'static str, messages: &[String]) -> Self {
        let mut failure = Self::new(code);
        failure.detail().messages.extend(messages.iter().map(|message| format!("[ERROR] {message}")));
        failure
    }

    /// An argument that cannot be taken, and why.
    #[must_use]
    pub fn invalid_arguments(message: impl Into<String>) -> Self {
        Self::with_message("invalid_arguments", message)
    }

    /// The token lacks every one of these scopes.
    #[must_use]
    pub fn missing_scope(needed: &[&str], provided: String) -> Self {
        let mut failure = Self::new("missing_scope");
        failure.detail().scopes = Some((needed.join(","), provided));
        failure
    }

    /// Too often.
    #[must_use]
    pub fn rate_limited(retry_after_s: u32) -> Self {
        Self { retry_after_s: Some(retry_after_s), ..Self::new("ratelimited") }
    }

    /// With the members of an object added to the answer.
    #[must_use]
    pub fn with_members(mut self, members: Object) -> Self {
        self.detail().members = members.members();
        self
    }

    /// The same failure, if it is this refusal, under the code that this method has for it.
    #[must_use]
    pub fn called(mut self, refusal: Refusal, code: &'static str) -> Self {
        if self.refusal == Some(refusal) {
            self.code = code.into();
        }
        self
    }

    fn detail(&mut self) -> &mut Detail {
        self.detail.get_or_insert_default()
    }
}

impl From<&'static str> for Failure {
    fn from(code: &'static str) -> Self {
        Self::new(code)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self { refusal: Some(refusal), ..Self::new(refusal_code(refusal)) }
    }
}

impl From<WriteError> for Failure {
    fn from(failed: WriteError) -> Self {
        match failed {
            WriteError::Refused(refusal) => refusal.into(),
            WriteError::Overloaded { retry_after_s } => Self::rate_limited(retry_after_s.max(1)),
            WriteError::NotWritten { cause } => match cause {
                Cause::Full => Self::with_message(
                    "service_unavailable",
                    "the server's disk is full: nothing was written",
                ),
                Cause::Unavailable => {
                    Self::with_message("service_unavailable", "nothing was written, try again")
                }
                Cause::Refused => {
                    Self::with_message("internal_error", "the store does not take it: nothing was written")
                }
            },
            WriteError::Unknown => Self::with_message(
                "request_timeout",
                "it is not known whether this took effect: repeat the request, a message with the same \
                 client_msg_id",
            ),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(failed: StoreError) -> Self {
        error!(error = %failed, "a read failed");
        match failed {
            StoreError::Closed | StoreError::Unavailable(_) => Self::new("service_unavailable"),
            StoreError::Engine(_) | StoreError::Corrupt { .. } => Self::new("internal_error"),
        }
    }
}

impl From<CallError> for Failure {
    fn from(failed: CallError) -> Self {
        error!(error = %failed, "a call failed");
        Self::new("service_unavailable")
    }
}

impl From<NoRandomness> for Failure {
    fn from(failed: NoRandomness) -> Self {
        error!(error = %failed, "no randomness");
        Self::new("internal_error")
    }
}

impl From<PasswordError> for Failure {
    fn from(failed: PasswordError) -> Self {
        match failed {
            PasswordError::Busy => Self::rate_limited(1),
            PasswordError::Failed => {
                error!("a password could not be hashed");
                Self::new("internal_error")
            }
        }
    }
}

/// Slack's code for a refusal, unless a method has [another](Failure::called).
fn refusal_code(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NotHere => "team_not_found",
        Refusal::ChannelNotFound => "channel_not_found",
        Refusal::NotInChannel => "not_in_channel",
        Refusal::IsArchived => "is_archived",
        Refusal::AlreadyArchived => "already_archived",
        Refusal::WrongChannelKind => "method_not_supported_for_channel_type",
        Refusal::MessageNotFound => "message_not_found",
        Refusal::ThreadNotFound => "thread_not_found",
        Refusal::CannotReply => "cannot_reply_to_message",
        Refusal::CannotBroadcast => "cant_broadcast_message",
        Refusal::CantUpdate => "cant_update_message",
        Refusal::CantDelete => "cant_delete_message",
        Refusal::NoText => "no_text",
        Refusal::AlreadyReacted => "already_reacted",
        Refusal::NoReaction => "no_reaction",
        Refusal::TooManyEmoji => "too_many_emoji",
        Refusal::NameTaken => "name_taken",
        Refusal::AlreadyInChannel => "already_in_channel",
        Refusal::UserNotFound => "user_not_found",
        Refusal::UserDisabled => "user_disabled",
        Refusal::CantLeaveGeneral => "cant_leave_general",
        Refusal::CantArchiveGeneral => "cant_archive_general",
        Refusal::CantKickFromGeneral => "cant_kick_from_general",
        Refusal::TargetNotInChannel => "not_in_channel",
        Refusal::LastMember => "last_member",
        Refusal::EditWindowClosed => "edit_window_closed",
        Refusal::NoSuchPreference => "invalid_arguments",
        Refusal::NotAllowed => "restricted_action",
        Refusal::AlreadySetUp => "already_set_up",
        Refusal::EmailTaken => "email_taken",
        Refusal::InviteInvalid => "invite_invalid",
        Refusal::InviteExpired => "invite_expired",
        Refusal::TicketInvalid => "invalid_auth",
        Refusal::NotArchived => "not_archived",
        Refusal::AlreadyThatKind => "could_not_convert_channel",
        Refusal::NotFollowing => "not_subscribed",
        Refusal::AlreadyPinned => "already_pinned",
        Refusal::NoPin => "no_pin",
        Refusal::TooManyPins => "too_many_pins",
        Refusal::CannotChangeUser => "not_admin",
        Refusal::ScheduledNotFound => "invalid_scheduled_message_id",
        Refusal::TooManyScheduled => "restricted_too_many",
        Refusal::FileNotFound => "file_not_found",
        Refusal::FileDeleted => "file_deleted",
        Refusal::CantDeleteFile => "cant_delete_file",
        Refusal::StorageFull => "storage_limit_reached",
        Refusal::JobNotFound => "job_not_found",
    }
}
