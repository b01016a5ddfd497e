//! Randomness of the operating system.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use model::{ChannelId, UserId};

/// The operating system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoRandomness;

/// Random bytes.
///
/// # Errors
/// [`NoRandomness`].
pub fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// A random number.
///
/// # Errors
/// [`NoRandomness`].
pub fn number() -> Result<u64, NoRandomness> {
    Ok(u64::from_le_bytes(bytes()?))
}

/// A secret of 256 bits in 43 characters of base64url.
///
/// # Errors
/// [`NoRandomness`].
pub fn secret() -> Result<String, NoRandomness> {
    Ok(URL_SAFE_NO_PAD.encode(bytes::<32>()?))
}

/// A few characters that are unlikely to come twice in one message: Slack's `block_id` of who chose none.
///
/// # Errors
/// [`NoRandomness`].
pub fn short() -> Result<String, NoRandomness> {
    Ok(URL_SAFE_NO_PAD.encode(bytes::<4>()?))
}

/// A new channel's id.
///
/// # Errors
/// [`NoRandomness`].
pub fn channel_id() -> Result<ChannelId, NoRandomness> {
    Ok(ChannelId::from_random(number()?))
}

/// A new DM's id.
///
/// # Errors
/// [`NoRandomness`].
pub fn direct_id() -> Result<ChannelId, NoRandomness> {
    Ok(ChannelId::direct_from_random(number()?))
}

/// A new person's id.
///
/// # Errors
/// [`NoRandomness`].
pub fn user_id() -> Result<UserId, NoRandomness> {
    Ok(UserId::from_random(number()?))
}
