//! What to do about a keyring.

use super::Failure;
use crate::keyring::{Backend, KeyringError};

impl From<KeyringError> for Failure {
    fn from(error: KeyringError) -> Self {
        let hint = match &error {
            KeyringError::Full {
                backend: Backend::Keyutils,
                ..
            } => {
                "make room with keyctl (the kernel gives each user 20,000 bytes: see /proc/key-users), or keep secrets in files: entra-ssh login --keyring file"
            }
            KeyringError::Full { .. } => {
                "make room in it, or keep secrets in files: entra-ssh login --keyring file"
            }
            KeyringError::Locked { .. } | KeyringError::TimedOut { .. } => {
                "use the kernel keyring, which forgets at reboot: entra-ssh login --keyring keyutils; or private files: entra-ssh login --keyring file; or unlock it by logging in to the desktop"
            }
            KeyringError::BadEntry { .. } => "sign in again: entra-ssh logout; entra-ssh login",
            KeyringError::File { .. } => {
                "check the owner of the folder, and that the disk has room"
            }
            KeyringError::Memory(_) => "start the agent to see why: entra-ssh agent start",
            KeyringError::Unavailable {
                backend: Backend::Keyutils,
                ..
            } => {
                "keep the sign-in in the agent's memory, until the agent ends: entra-ssh login --keyring memory; or in private files: entra-ssh login --keyring file"
            }
            _ => {
                "use the kernel keyring, which forgets at reboot: entra-ssh login --keyring keyutils; or private files: entra-ssh login --keyring file"
            }
        };
        Self::of(&error).hint(hint)
    }
}
