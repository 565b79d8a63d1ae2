//! Entra's error codes, and what they mean.
//!
//! <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>

use std::fmt;
use std::time::Duration;

use crate::time::Spoken;

/// An Entra error code, such as `AADSTS50076`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Aadsts(pub u32);

impl fmt::Display for Aadsts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AADSTS{}", self.0)
    }
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Meaning {
    AccountBlocked,
    AccountNotAssigned,
    AccountNotInTenant,
    ApplicationDisabled,
    ApplicationMissing,
    ApplicationNotAllowed,
    AssertionExpired,
    BetweenTenants,
    BlockedByPolicy,
    BrokerWithoutWindow,
    ClientNotAllowed,
    ClientSecretExpired,
    ClientSecretWrong,
    CloudShellTooOld,
    ConsentMissing,
    DeviceCodeInvalid,
    DeviceCodePending,
    ExternalCheck,
    KeyTooShort,
    ManagedDevice,
    ManagedIdentity,
    ManagedIdentityAccount,
    MultiFactor,
    NoFederatedCredential,
    NotSignedIn,
    OtherCloud,
    RequestLoop,
    RequestMalformed,
    ScopeInvalid,
    SessionRevoked,
    /// The tenant asks users to sign in again from time to time.
    SignInTooOld {
        /// How often, if the refusal says so.
        every: Option<Duration>,
    },
    SignInUnused,
    SystemNotAllowed,
    TemporaryFault,
    TenantUnknown,
    Throttled,
    UnknownClient,
}

/// The codes of each meaning.
const BY_CODE: &[(&[u32], Meaning)] = &[
    (&[50_053, 50_057], Meaning::AccountBlocked),
    (&[50_105], Meaning::AccountNotAssigned),
    (
        &[16_000, 50_020, 50_034, 51_004],
        Meaning::AccountNotInTenant,
    ),
    (&[500_014], Meaning::ApplicationDisabled),
    (&[500_011, 650_057], Meaning::ApplicationMissing),
    (&[53_002], Meaning::ApplicationNotAllowed),
    (&[700_024], Meaning::AssertionExpired),
    (
        &[500_021, 500_022, 500_212, 500_213],
        Meaning::BetweenTenants,
    ),
    (&[53_003, 530_035], Meaning::BlockedByPolicy),
    (&[3_399_614_476], Meaning::BrokerWithoutWindow),
    (&[65_002], Meaning::ClientNotAllowed),
    (&[7_000_222], Meaning::ClientSecretExpired),
    (&[700_027, 7_000_215], Meaning::ClientSecretWrong),
    (&[65_001], Meaning::ConsentMissing),
    (&[70_018, 70_019], Meaning::DeviceCodeInvalid),
    (&[70_016], Meaning::DeviceCodePending),
    (&[50_158], Meaning::ExternalCheck),
    (&[50_032], Meaning::KeyTooShort),
    (&[50_097, 53_000, 53_001, 530_003], Meaning::ManagedDevice),
    (
        &[50_072, 50_074, 50_076, 50_078, 50_079],
        Meaning::MultiFactor,
    ),
    (&[70_021, 700_213], Meaning::NoFederatedCredential),
    (&[90_038, 900_432, 1_000_104], Meaning::OtherCloud),
    (&[50_196], Meaning::RequestLoop),
    (&[9_002_313], Meaning::RequestMalformed),
    (&[70_011], Meaning::ScopeInvalid),
    (&[50_132, 50_133, 50_173], Meaning::SessionRevoked),
    (&[70_043], Meaning::SignInTooOld { every: None }),
    (&[70_008, 700_082], Meaning::SignInUnused),
    (&[50_005], Meaning::SystemNotAllowed),
    (&[90_006, 90_023, 90_024, 90_033], Meaning::TemporaryFault),
    (&[90_002], Meaning::TenantUnknown),
    (&[90_055], Meaning::Throttled),
    (&[700_011, 700_016], Meaning::UnknownClient),
];

/// Phrases from refusals without a code. Brokers, Cloud Shell and metadata endpoints give nothing but text.
const BY_TEXT: &[(&str, Meaning)] = &[
    (
        "parent_window_handle is required",
        Meaning::BrokerWithoutWindow,
    ),
    ("ssh-cert is not supported", Meaning::CloudShellTooOld),
    (
        "No matched service principal found",
        Meaning::ManagedIdentity,
    ),
    (
        "Could not retrieve token from local cache",
        Meaning::ManagedIdentityAccount,
    ),
    ("No account or login hint was passed", Meaning::NotSignedIn),
];

impl Meaning {
    /// Reads what a refusal means from its code or, if that says nothing, from its description.
    pub(super) fn of(code: Option<Aadsts>, description: &str) -> Option<Self> {
        match code.and_then(Self::of_code) {
            Some(Self::SignInTooOld { .. }) => Some(Self::SignInTooOld {
                every: sign_in_frequency(description),
            }),
            Some(meaning) => Some(meaning),
            None => Self::of_text(description),
        }
    }

    fn of_code(code: Aadsts) -> Option<Self> {
        BY_CODE
            .iter()
            .find(|(codes, _)| codes.contains(&code.0))
            .map(|(_, meaning)| *meaning)
    }

    fn of_text(description: &str) -> Option<Self> {
        BY_TEXT
            .iter()
            .find(|(text, _)| description.contains(text))
            .map(|(_, meaning)| *meaning)
    }
}

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccountBlocked => "the account is locked or disabled, or the sign-in comes from an address known for attacks",
            Self::AccountNotAssigned => "the account is not assigned to the application",
            Self::AccountNotInTenant => "the account is not in this tenant",
            Self::ApplicationDisabled => "the application `Azure Linux VM Sign-In` is disabled in the tenant",
            Self::ApplicationMissing => "the tenant does not know the application `Azure Linux VM Sign-In`",
            Self::ApplicationNotAllowed => "the tenant's policy does not allow this application",
            Self::AssertionExpired => "the client assertion has expired",
            Self::BetweenTenants => "the network or a cross-tenant policy does not let this account in",
            Self::BlockedByPolicy => "a Conditional Access policy blocks this sign-in",
            Self::BrokerWithoutWindow => "the Windows sign-in broker has no window to show its prompt in",
            Self::ClientNotAllowed => "this client may not request SSH certificates",
            Self::ClientSecretExpired => "the client secret has expired",
            Self::ClientSecretWrong => "the client secret or assertion is invalid",
            Self::CloudShellTooOld => "this version of Cloud Shell issues no SSH certificates",
            Self::ConsentMissing => "consent is missing",
            Self::DeviceCodeInvalid => "the device code is invalid or expired",
            Self::DeviceCodePending => "the code has not been entered yet",
            Self::ExternalCheck => "the tenant requires a further check outside Entra",
            Self::KeyTooShort => "the RSA key is shorter than 2048 bits",
            Self::ManagedDevice => "the tenant lets only managed devices sign in to Linux machines",
            Self::ManagedIdentity => "Entra issues no certificates to managed identities",
            Self::ManagedIdentityAccount => "Entra issues no certificates to this managed identity",
            Self::MultiFactor => "the tenant requires multi-factor authentication",
            Self::NoFederatedCredential => "no federated credential of the application matches",
            Self::NotSignedIn => "not signed in",
            Self::OtherCloud => "the account is in another cloud",
            Self::RequestLoop => "Entra treats the requests as a loop: too many of them are alike",
            Self::RequestMalformed | Self::ScopeInvalid => "the scope or the request is malformed",
            Self::SessionRevoked => "the password was changed or the session revoked",
            Self::SignInTooOld { every: Some(every) } => {
                return write!(f, "the tenant requires users to sign in again every {}", Spoken(*every));
            }
            Self::SignInTooOld { every: None } => "the tenant requires users to sign in again from time to time",
            Self::SignInUnused => "the sign-in expired because it was not used",
            Self::SystemNotAllowed => "the tenant's policy does not allow this operating system",
            Self::TemporaryFault => "Entra has a temporary fault",
            Self::TenantUnknown => "tenant not found",
            Self::Throttled => "Entra is throttling",
            Self::UnknownClient => "the tenant does not know this client ID",
        })
    }
}

/// Reads how often a policy asks users to sign in: `… the maximum allowed lifetime for this request is 3600.`
fn sign_in_frequency(description: &str) -> Option<Duration> {
    let (_, rest) = description.split_once("maximum allowed lifetime for this request is ")?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest.get(..end)?.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_stands_in_two_rows() {
        let codes = BY_CODE.iter().flat_map(|(codes, _)| codes.iter().copied());
        let mut codes: Vec<u32> = codes.collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }

    #[test]
    fn a_code_counts_before_the_text_and_the_text_where_there_is_none() {
        let text = "No account or login hint was passed to the AcquireTokenSilent call.";
        let of = |code: Option<u32>| Meaning::of(code.map(Aadsts), text);
        assert_eq!(of(Some(50_076)), Some(Meaning::MultiFactor));
        assert_eq!(of(None), Some(Meaning::NotSignedIn));
        assert_eq!(Meaning::of(Some(Aadsts(1)), "x"), None);
    }

    #[test]
    fn refusals_without_a_code_are_known_by_their_text() {
        for (text, meaning) in [
            (
                "parent_window_handle is required to show the account picker.",
                Meaning::BrokerWithoutWindow,
            ),
            (
                "token_type ssh-cert is not supported by this version of Azure Portal",
                Meaning::CloudShellTooOld,
            ),
            (
                "No matched service principal found",
                Meaning::ManagedIdentity,
            ),
            (
                "Could not retrieve token from local cache",
                Meaning::ManagedIdentityAccount,
            ),
        ] {
            assert_eq!(Meaning::of(None, text), Some(meaning), "{text}");
        }
    }

    #[test]
    fn how_often_to_sign_in_is_read_from_what_says_so() {
        let of = |description: &str| Meaning::of(Some(Aadsts(70_043)), description);
        let every = |seconds| Meaning::SignInTooOld {
            every: Some(Duration::from_secs(seconds)),
        };
        let text = "The token was issued on 2026-01-01T00:00:00Z and the maximum allowed lifetime for this request is ";
        assert_eq!(of(&format!("{text}3600.")), Some(every(3600)));
        assert_eq!(of(&format!("{text}60")), Some(every(60)));
        for description in ["", text] {
            assert_eq!(of(description), Some(Meaning::SignInTooOld { every: None }));
        }
    }
}
