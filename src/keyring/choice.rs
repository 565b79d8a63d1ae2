use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A kind of keyring.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// Private files, unencrypted.
    File,
    /// The macOS keychain.
    Keychain,
    /// The Linux kernel's keyring, which forgets at reboot.
    Keyutils,
    /// The memory of our agent, which ends with it.
    Memory,
    /// The freedesktop.org Secret Service: GNOME Keyring, `KWallet`, `KeePassXC`.
    SecretService,
    /// The Windows Credential Manager.
    Windows,
}

impl Backend {
    const ALL: [Self; 6] = [
        Self::File,
        Self::Keychain,
        Self::Keyutils,
        Self::Memory,
        Self::SecretService,
        Self::Windows,
    ];

    /// Returns the keyrings that `auto` tries on this system, the best first.
    #[must_use]
    pub const fn of_this_system() -> &'static [Self] {
        if cfg!(target_os = "linux") {
            &[Self::SecretService, Self::Keyutils]
        } else if cfg!(target_os = "macos") {
            &[Self::Keychain]
        } else if cfg!(windows) {
            &[Self::Windows]
        } else {
            &[]
        }
    }

    /// Returns when it forgets what it holds, as "at reboot"; `None` for one that keeps it.
    ///
    /// The kernel removes a user's persistent keyring after three days without use (`persistent-keyring(7)`).
    #[must_use]
    pub const fn forgets(self) -> Option<&'static str> {
        match self {
            Self::Keyutils => Some("at reboot and after three days without use"),
            Self::Memory => Some(
                "when the agent ends: at the last logout, at reboot, or with entra-ssh agent stop",
            ),
            _ => None,
        }
    }

    /// Returns the name for `--keyring`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Keychain => "keychain",
            Self::Keyutils => "keyutils",
            Self::Memory => "memory",
            Self::SecretService => "secret-service",
            Self::Windows => "windows",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "the file keyring",
            Self::Keychain => "the macOS keychain",
            Self::Keyutils => "the kernel keyring",
            Self::Memory => "the agent's memory",
            Self::SecretService => "the Secret Service",
            Self::Windows => "the Windows Credential Manager",
        })
    }
}

/// The value of `--keyring`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Choice {
    /// The best that this system has.
    #[default]
    Auto,
    /// Only this one.
    Named(Backend),
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        Backend::ALL
            .into_iter()
            .find(|backend| backend.name() == text)
            .map(Self::Named)
            .ok_or_else(|| {
                format!("unknown keyring `{text}`: expected one of auto, secret-service, keyutils, keychain, windows, file, memory")
            })
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Named(backend) => backend.name(),
        })
    }
}
