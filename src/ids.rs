//! Names of things in Entra and Azure, each its own type, parsed at the edge.
//!
//! A value of one type cannot take the place of another:
//!
//! ```
//! # use entra_ssh::internal::ids::{ClientId, TenantId};
//! fn sign_in(tenant: TenantId) {}
//! sign_in("04b07795-8ddb-461a-bbee-02f9e1bf7b46".parse::<TenantId>().unwrap());
//! ```
//!
//! ```compile_fail,E0308
//! # use entra_ssh::internal::ids::{ClientId, TenantId};
//! fn sign_in(tenant: TenantId) {}
//! sign_in("04b07795-8ddb-461a-bbee-02f9e1bf7b46".parse::<ClientId>().unwrap());
//! ```

mod key_kind;
mod resource_id;
mod route;
mod tenancy;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::line::{Line, is_shown};

pub use self::key_kind::{KeyKind, RSA_BITS};
pub(crate) use self::resource_id::ResourceIdParts;
pub(crate) use self::resource_id::{MachineKind, ResourceId};
pub(crate) use self::route::{Route, SSH_PORT};
pub use self::tenancy::Tenancy;

/// What is wrong with a text that should have been a name.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct ParseIdError {
    /// The text.
    pub text: Line,
    /// What it should have been, with the article.
    pub expected: &'static str,
}

impl ParseIdError {
    fn new(text: &str, expected: &'static str) -> Self {
        Self {
            text: text.into(),
            expected,
        }
    }
}

/// Makes a newtype over `String` that only its `FromStr` can build.
macro_rules! name {
    ($(#[$docs:meta])* $name:ident, $expected:literal, $valid:expr) => {
        $(#[$docs])*
        #[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Returns the name as it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(ParseIdError::new(text, $expected))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseIdError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name!(
    /// An Entra tenant: its ID, one of its domains, or `organizations` for the home tenant of the user.
    TenantId,
    "a tenant (an ID such as 72f988bf-86f1-41af-91ab-2d7cd011db47, or a domain such as contoso.com)",
    |text| is_made_of(text, 253, b".-")
);

name!(
    /// An application (client) ID.
    ClientId,
    "a client ID (such as 04b07795-8ddb-461a-bbee-02f9e1bf7b46)",
    is_guid
);

name!(
    /// An Azure subscription ID.
    SubscriptionId,
    "a subscription ID (such as 0b1f6471-1bf0-4dda-aec3-cb9272f09590)",
    is_guid
);

name!(
    /// The account that signed in: the UPN of a user, the client ID of a service principal.
    Account,
    "an account (such as alice@contoso.com)",
    |text| !text.is_empty() && text.len() <= 320 && text.chars().all(|c| is_shown(c) && !c.is_whitespace())
);

name!(
    /// The name of an Azure resource group.
    ResourceGroup,
    "a resource group name (1 to 90 letters, digits and -_.())",
    |text| is_made_of_letters(text, 90, "-_.()")
);

name!(
    /// The name of a machine in Azure.
    MachineName,
    "a machine name (1 to 79 letters, digits and -_.)",
    |text| is_made_of_letters(text, 79, "-_.")
);

name!(
    /// The name of a profile: one account in one cloud.
    ProfileName,
    "a profile name (1 to 64 letters, digits and -_.)",
    |text| is_made_of(text, 64, b"-_.") && !text.starts_with('.') && !text.starts_with('-')
);

name!(
    /// The name that users type after `ssh`: a `Host` without patterns, which OpenSSH accepts on its command line too.
    HostAlias,
    "a host alias (no spaces, no leading `-`, none of * ? ! , # % / = @ and of the quotes, brackets and signs of a shell)",
    is_alias
);

name!(
    /// The address of a machine: an IP address or a host name.
    Address,
    "an address (such as 10.0.0.4 or vm01.contoso.com)",
    |text| text.parse::<IpAddr>().is_ok() || (is_made_of(text, 253, b".-_") && !text.starts_with('-'))
);

name!(
    /// A login name on a machine, and a principal of a certificate (PROTOCOL.certkeys, "valid principals").
    Principal,
    "a login name (no spaces, control characters, trailing `\\`, or any of \" ` $ ; & | < > ( ) { } %)",
    |text| {
        !text.is_empty()
            && text.len() <= 320
            && !text.ends_with('\\')
            && text.chars().all(|c| is_shown(c) && !c.is_whitespace() && !"\"`$;&|<>(){}%".contains(c))
    }
);

impl Default for ProfileName {
    /// Returns the profile that is meant if none is named.
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl TenantId {
    /// Returns whether both name the same, without regard to case.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }

    /// Returns whether it is the tenant's ID, and not one of its domains or `organizations`.
    #[must_use]
    pub fn is_id(&self) -> bool {
        is_guid(&self.0)
    }
}

impl HostAlias {
    /// The longest alias, in bytes: that of a host name (RFC 1035, section 2.3.4).
    const MAX_BYTES: usize = 255;

    /// Returns the alias that comes closest to a text, `web-prod` for `web(prod)`; `None` if nothing of it can be kept.
    #[must_use]
    pub fn closest_to(text: &str) -> Option<Self> {
        let kept: String = text
            .chars()
            .map(|c| if is_of_alias(c) { c } else { '-' })
            .collect();
        let words: Vec<&str> = kept.split('-').filter(|word| !word.is_empty()).collect();
        words.join("-").parse().ok()
    }
}

/// Returns whether OpenSSH takes a text for one host: on its command line (`valid_hostname` in its `ssh.c`), as a pattern of
/// `Host`, and in the list of `Match host`.
fn is_alias(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= HostAlias::MAX_BYTES
        && !text.starts_with('-')
        && text.chars().all(is_of_alias)
}

fn is_of_alias(c: char) -> bool {
    let is_plain = c.is_alphanumeric() || c.is_ascii_graphic();
    is_plain && !"*?!,#%/=@\"'`$\\;&<>|(){}".contains(c)
}

impl Principal {
    /// Returns whether OpenSSH accepts it on its command line (`valid_ruser` in its `ssh.c`). It accepts all of them in a file.
    #[must_use]
    pub fn is_for_command_line(&self) -> bool {
        !self.0.starts_with('-') && !self.0.contains('\'')
    }

    /// Returns the login name that goes with this principal: the same in lower case, which is right for guests too.
    #[must_use]
    pub fn to_login_name(&self) -> Self {
        Self(self.0.to_lowercase())
    }
}

fn is_made_of(text: &str, limit: usize, signs: &[u8]) -> bool {
    !text.is_empty()
        && text.len() <= limit
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || signs.contains(&byte))
}

fn is_made_of_letters(text: &str, limit: usize, signs: &str) -> bool {
    !text.is_empty()
        && text.chars().count() <= limit
        && text
            .chars()
            .all(|c| c.is_alphanumeric() && is_shown(c) || signs.contains(c))
}

fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups
            .iter()
            .all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reject_texts_that_would_change_a_path_or_a_command_line() {
        assert!("../x".parse::<TenantId>().is_err());
        assert!("contoso.com/x".parse::<TenantId>().is_err());
        assert!("".parse::<TenantId>().is_err());
        assert!("..".parse::<ProfileName>().is_err());
        assert!("-oProxyCommand=x".parse::<HostAlias>().is_err());
        assert!("web*".parse::<HostAlias>().is_err());
        assert!("web 01".parse::<HostAlias>().is_err());
        assert!("a\nProxyCommand x".parse::<Principal>().is_err());
        assert!("not-a-guid".parse::<ClientId>().is_err());
        for text in [
            "",
            "-4",
            "a b",
            "10.0.0.4;x",
            "[::1]",
            "fe80::1%eth0",
            "10.0.0.4:22",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
        for text in ["10.0.0.4", "::1", "vm01", "vm01.contoso.com"] {
            assert!(text.parse::<Address>().is_ok(), "{text}");
        }
    }

    #[test]
    fn a_refusal_names_the_text_and_what_was_expected() {
        let refusal = "x y".parse::<ResourceGroup>().unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "`x y` is not a resource group name (1 to 90 letters, digits and -_.())"
        );
    }

    #[test]
    fn login_names_are_what_entra_has_and_not_only_what_ssh_takes_on_its_command_line() {
        for (name, is_for_command_line) in [
            ("alice@contoso.com", true),
            ("CORP\\alice", true),
            ("o'brien@contoso.com", false),
            ("-dash@contoso.com", false),
            ("bob_fabrikam.com#ext#@contoso.com", true),
        ] {
            let name: Principal = name.parse().unwrap();
            assert_eq!(name.is_for_command_line(), is_for_command_line, "{name}");
        }
        for text in ["", "a b", "a%h", "a\"b", "a$HOME", "a;b", "a\\", "a\nb"] {
            assert!(text.parse::<Principal>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_closest_alias_to_a_text_is_one() {
        for (text, alias) in [
            ("web(prod)", "web-prod"),
            ("a@b", "a-b"),
            ("-oProxyCommand=x", "oProxyCommand-x"),
            ("web*", "web"),
        ] {
            assert!(text.parse::<HostAlias>().is_err(), "{text}");
            assert_eq!(HostAlias::closest_to(text).unwrap().as_str(), alias);
        }
        assert_eq!(HostAlias::closest_to("(*)"), None);
    }

    #[test]
    fn login_name_is_the_principal_in_lower_case() {
        let principal: Principal = "Guest_Fabrikam.com#EXT#@Contoso.com".parse().unwrap();
        assert_eq!(
            principal.to_login_name().as_str(),
            "guest_fabrikam.com#ext#@contoso.com"
        );
    }

    #[test]
    fn names_are_checked_when_they_are_read_from_json() {
        assert!(serde_json::from_str::<ProfileName>("\"work\"").is_ok());
        assert!(serde_json::from_str::<ProfileName>("\"../work\"").is_err());
    }
}
