//! Argon2id (RFC 9106) on blocking threads, a few at a time: each needs 19 MiB and tens of milliseconds.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::error::AppError;
use crate::ports::Random;

/// Memory in KiB, passes, lanes: OWASP's first choice for Argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Hashes computed at once; more wait.
const CONCURRENT: usize = 2;
/// Hashes that may wait for their turn; beyond, callers are told to come back.
const QUEUE: usize = 64;
/// Shortest password (NIST SP 800-63B asks for 8 at least).
pub const MIN_LEN: usize = 10;
/// Longest password in bytes: hashing costs no more for long ones, parsing does.
pub const MAX_LEN: usize = 256;

/// Hashes and verifies passwords.
pub struct Passwords {
    queue: Semaphore,
    permits: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { queue: Semaphore::new(QUEUE), permits: Arc::new(Semaphore::new(CONCURRENT)) }
    }
}

impl Passwords {
    /// The PHC string of a password.
    pub async fn hash(&self, password: &str, random: &dyn Random) -> Result<String, AppError> {
        let mut salt = [0u8; 16];
        random.fill(&mut salt);
        let password = password.to_owned();
        self.blocking(move || {
            hasher()
                .hash_password_with_salt(password.as_bytes(), &salt)
                .map(|hash| hash.to_string())
                .map_err(|error| AppError::internal(&format!("argon2: {error}")))
        })
        .await?
    }

    /// Whether the password is the stored one. Without a stored one, as much time is spent and the answer is
    /// no: a caller cannot learn by the clock which addresses have accounts.
    pub async fn verify(&self, password: &str, stored: Option<&str>) -> Result<bool, AppError> {
        let password = password.to_owned();
        let stored = stored.map(str::to_owned);
        self.blocking(move || match stored.as_deref().map(PasswordHash::new) {
            Some(Ok(hash)) => hasher().verify_password(password.as_bytes(), &hash).is_ok(),
            Some(Err(_)) | None => {
                let _spent = hasher().hash_password_with_salt(password.as_bytes(), &[0u8; 16]);
                false
            }
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AppError> {
        let _place = self.queue.try_acquire().map_err(|_| AppError::busy())?;
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| AppError::internal("the password semaphore is closed"))?;
        let answer = tokio::task::spawn_blocking(move || {
            let answer = work();
            drop(permit);
            answer
        });
        answer.await.map_err(|error| AppError::internal(&format!("password task: {error}")))
    }
}

fn hasher() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the constants are in Argon2's ranges");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}
