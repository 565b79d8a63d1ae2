//! Random numbers, from the operating system.

use ring::rand::{SecureRandom as _, SystemRandom};

/// The source of random numbers for the functions of the `rsa` crate.
pub(crate) use rsa::rand_core::OsRng as RsaSource;

/// The system provided no random numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub(crate) struct NoRandomNumbers;

/// Fills a buffer with cryptographically secure random bytes.
///
/// # Errors
/// [`NoRandomNumbers`] if the system provides none.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), NoRandomNumbers> {
    source().fill(bytes).map_err(|_| NoRandomNumbers)
}

/// Returns a random byte that spreads the retries of many processes over time; zero if the system provides none.
pub(crate) fn spread() -> u8 {
    let mut byte = [0];
    // If this fails, the byte stays zero, and the retries are not spread.
    let _filled = fill(&mut byte);
    let [byte] = byte;
    byte
}

/// Returns the source of random numbers for the functions of *ring*.
pub(crate) fn source() -> SystemRandom {
    SystemRandom::new()
}
