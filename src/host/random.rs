//! Random numbers, from the operating system.

use ring::rand::{SecureRandom as _, SystemRandom};

/// The source of random numbers for the calls of the `rsa` crate that take one.
pub(crate) use rsa::rand_core::OsRng as RsaSource;

/// The system gave no random numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub(crate) struct NoRandomNumbers;

/// Fills a buffer with random bytes that nobody can guess.
///
/// # Errors
/// [`NoRandomNumbers`] if the system gives none.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), NoRandomNumbers> {
    source().fill(bytes).map_err(|_| NoRandomNumbers)
}

/// Returns a byte that spreads the tries of many processes; zero, which spreads nothing, if the system gives none.
pub(crate) fn spread() -> u8 {
    let mut byte = [0];
    // One process alone need not spread its tries.
    let _filled = fill(&mut byte);
    let [byte] = byte;
    byte
}

/// Returns the source of random numbers for the calls of *ring* that take one.
pub(crate) fn source() -> SystemRandom {
    SystemRandom::new()
}
