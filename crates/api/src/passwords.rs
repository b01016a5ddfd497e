//! Passwords: argon2id, away from the request threads and a few at a time.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;

/// Memory of one hash, KiB (OWASP's choice for argon2id).
const MEMORY_KIB: u32 = 19_456;
/// Passes over it.
const PASSES: u32 = 2;
/// Hashes at once: 19 MiB and one core each.
const RUNNING_MAX: usize = 2;
/// Hashes that may wait. A further one is refused at once ([`PasswordError::Busy`]).
const WAITING_MAX: usize = 32;
/// Fewest characters of a password.
pub const CHARS_MIN: usize = 8;
/// Most bytes of a password.
pub const BYTES_MAX: usize = 1_024;

/// Why nothing is known of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too many passwords are being hashed.
    #[error("too many passwords are being hashed")]
    Busy,
    /// The hash failed.
    #[error("a password could not be hashed")]
    Failed,
}

/// Hashes and checks passwords.
#[derive(Debug)]
pub struct Passwords {
    waiting: Semaphore,
    running: Semaphore,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { waiting: Semaphore::new(WAITING_MAX), running: Semaphore::new(RUNNING_MAX) }
    }
}

impl Passwords {
    /// Hashes a password; the PHC string.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        self.run(move || hash(&password)).await?
    }

    /// Checks a password against a PHC string. Without one it takes the same time and is wrong.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, PasswordError> {
        self.run(move || verify(&password, hash.as_deref())).await?
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let _waiting = self.waiting.try_acquire().map_err(|_| PasswordError::Busy)?;
        let _running = self.running.acquire().await.map_err(|_| PasswordError::Failed)?;
        tokio::task::spawn_blocking(work).await.map_err(|_| PasswordError::Failed)
    }
}

/// Hashes a password on this thread; the PHC string. For the command line; takes some 20 ms.
///
/// # Errors
/// [`PasswordError::Failed`].
pub fn hash(password: &str) -> Result<String, PasswordError> {
    let hash: PasswordHash =
        hasher()?.hash_password(password.as_bytes()).map_err(|_| PasswordError::Failed)?;
    Ok(hash.to_string())
}

/// Whether a new password is long enough, and not absurdly long.
#[must_use]
pub fn acceptable(password: &str) -> bool {
    password.chars().count() >= CHARS_MIN && password.len() <= BYTES_MAX
}

fn hasher() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|_| PasswordError::Failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn verify(password: &str, stored: Option<&str>) -> Result<bool, PasswordError> {
    // Before anything else, so that it tells nothing about the address.
    if password.len() > BYTES_MAX {
        return Ok(false);
    }
    let Some(stored) = stored else {
        // The same work for an unknown address as for a known one.
        hash(password)?;
        return Ok(false);
    };
    let stored = PasswordHash::new(stored).map_err(|_| PasswordError::Failed)?;
    Ok(hasher()?.verify_password(password.as_bytes(), &stored).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_itself_is_right() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_eq!(passwords.verify("correct horse".to_owned(), Some(hash.clone())).await, Ok(true));
        assert_eq!(passwords.verify("correct horsf".to_owned(), Some(hash)).await, Ok(false));
        assert_eq!(passwords.verify("correct horse".to_owned(), None).await, Ok(false));
    }
}
