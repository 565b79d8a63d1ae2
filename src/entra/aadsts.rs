//! What Entra's refusals mean and what to do about them.

use super::Refusal;

/// What a refusal means and what to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Advice {
    /// What has happened.
    pub meaning: &'static str,
    /// What to do about it.
    pub remedy: Remedy,
}

/// What to do about a refusal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Remedy {
    /// A person at a terminal can meet what is asked for, in one more round.
    Answer,
    /// Something else, to be read as it stands.
    Do(&'static str),
    /// A person signs in again from the start.
    SignIn,
}

use Remedy::{Answer, Do, SignIn};

const ADMINISTRATOR: Remedy = Do("ask an administrator of the tenant");

/// The codes after `AADSTS`, their meaning and the remedy.
const BY_CODE: &[(&[u32], &str, Remedy)] = &[
    (
        &[50_072, 50_074, 50_076, 50_078, 50_079],
        "multi-factor authentication is asked for",
        Answer,
    ),
    (
        &[50_158],
        "a further check outside Entra is asked for",
        Answer,
    ),
    (
        &[50_097, 53_000, 53_001, 530_003],
        "the tenant lets only managed devices sign in to Linux machines",
        Do(
            "sign in on a managed Windows or macOS machine; from Linux and Cloud Shell it cannot be met",
        ),
    ),
    (
        &[53_003, 530_035],
        "a Conditional Access policy blocks this sign-in",
        Do(
            "device codes are often what is blocked: sign in with a browser (entra-ssh login), or ask an administrator which \
             policy it is",
        ),
    ),
    (
        &[50_005],
        "the tenant's policy does not allow this operating system",
        Do("sign in on another operating system, or ask an administrator of the tenant"),
    ),
    (
        &[53_002],
        "the tenant's policy does not allow this application",
        ADMINISTRATOR,
    ),
    (
        &[70_008, 700_082],
        "the sign-in has expired because it was not used",
        SignIn,
    ),
    (
        &[70_043],
        "the tenant asks people to sign in again from time to time",
        SignIn,
    ),
    (
        &[50_132, 50_133, 50_173],
        "the password was changed or the session revoked",
        SignIn,
    ),
    (
        &[65_001],
        "consent is missing",
        Do("ask an administrator to consent to the application `Azure Linux VM Sign-In`"),
    ),
    (
        &[65_002],
        "this client may not ask for SSH certificates",
        Do("use the Azure CLI's client ID, 04b07795-8ddb-461a-bbee-02f9e1bf7b46"),
    ),
    (
        &[500_011, 650_057],
        "the tenant does not know the application `Azure Linux VM Sign-In`",
        Do(
            "check tenant and cloud, or have an administrator run: az ad sp create --id ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0",
        ),
    ),
    (
        &[500_014],
        "the application `Azure Linux VM Sign-In` is disabled in the tenant",
        Do("have an administrator enable it"),
    ),
    (
        &[700_011, 700_016],
        "the tenant does not know this client ID",
        Do("check --client-id and --tenant"),
    ),
    (
        &[90_002],
        "there is no such tenant",
        Do("check --tenant and --cloud"),
    ),
    (
        &[16_000, 50_020, 50_034, 51_004],
        "the account is not in this tenant",
        Do("sign in with another account, or name the right tenant: entra-ssh login --tenant ID"),
    ),
    (
        &[500_021, 500_022, 500_212, 500_213],
        "the network or a policy between tenants does not let this account in",
        Do("ask an administrator of your network or of either tenant"),
    ),
    (
        &[50_105],
        "the account is not assigned to the application",
        Do("have an administrator assign it"),
    ),
    (
        &[50_053, 50_057],
        "the account is locked or disabled, or signs in from an address that is known for attacks",
        ADMINISTRATOR,
    ),
    (
        &[50_032],
        "the RSA key is shorter than 2048 bits",
        Do("use a key of 3072 bits: ssh-keygen -t rsa -b 3072"),
    ),
    (
        &[70_011, 9_002_313],
        "the scope or the request is malformed",
        Do("check ssh_scope in the cloud file"),
    ),
    (
        &[70_016],
        "the code has not been entered yet",
        Do("enter it, and wait"),
    ),
    (
        &[70_018, 70_019],
        "the device code is wrong or has expired",
        Do("start again: entra-ssh login --device-code"),
    ),
    (
        &[700_024],
        "the client assertion has expired",
        Do("let the pipeline issue a new one; GitHub's live five minutes"),
    ),
    (
        &[70_021, 700_213],
        "no federated credential of the application matches",
        Do("compare the three with: az ad app federated-credential list --id ID"),
    ),
    (
        &[700_027, 7_000_215],
        "the client secret or assertion is wrong",
        Do(
            "make sure that it is the secret's value and not its ID, then: entra-ssh login --service-principal --client-id ID \
             --tenant ID --client-secret-file FILE",
        ),
    ),
    (
        &[7_000_222],
        "the client secret has expired",
        Do("make a new one: az ad app credential reset --id ID"),
    ),
    (
        &[90_038, 900_432, 1_000_104],
        "the account is in another cloud",
        Do("name the cloud: --cloud AzureUSGovernment or --cloud AzureChinaCloud"),
    ),
    (
        &[50_196],
        "Entra takes the requests for a loop: it got too many that are alike",
        Do(
            "stop what runs entra-ssh over and over (a loop, a timer, a health check), and wait five minutes",
        ),
    ),
    (&[90_055], "Entra is throttling", Do("wait a few minutes")),
    (
        &[3_399_614_476],
        "the sign-in broker of Windows has no window to show itself in",
        Do("sign in with a browser: entra-ssh login"),
    ),
];

/// Parts of descriptions that come without a code, their meaning and the remedy.
const BY_TEXT: &[(&str, &str, Remedy)] = &[
    (
        "parent_window_handle is required",
        "the sign-in broker of Windows has no window to show itself in",
        Do("sign in with a browser: entra-ssh login"),
    ),
    (
        "ssh-cert is not supported",
        "this version of Cloud Shell gives no SSH certificates",
        Do("sign in as yourself: entra-ssh login --device-code"),
    ),
    (
        "No matched service principal found",
        "a managed identity gets no certificates",
        Do(
            "let an application trust it, then: entra-ssh login --managed-identity --client-id ID --tenant ID; or sign in as a \
             person: entra-ssh login",
        ),
    ),
    (
        "Could not retrieve token from local cache",
        "a managed identity is not an account that Entra certifies",
        Do("sign in as a user or a service principal: entra-ssh login --help"),
    ),
    (
        "No account or login hint was passed",
        "nobody is signed in",
        SignIn,
    ),
];

/// Returns what is known about a refusal.
#[must_use]
pub(super) fn advice(refusal: &Refusal) -> Option<Advice> {
    let by_code = refusal.code.and_then(|code| {
        BY_CODE
            .iter()
            .find(|(codes, _, _)| codes.contains(&code))
            .map(|(_, meaning, remedy)| (meaning, remedy))
    });
    let by_text = || {
        BY_TEXT
            .iter()
            .find(|(text, _, _)| refusal.description.contains(text))
            .map(|(_, meaning, remedy)| (meaning, remedy))
    };
    by_code.or_else(by_text).map(|(meaning, remedy)| Advice {
        meaning,
        remedy: *remedy,
    })
}

#[cfg(test)]
mod tests {
    use super::super::reply::refusal_from;
    use super::*;

    fn advice_of(description: &str) -> Option<Advice> {
        advice(&refusal_from("invalid_grant".to_owned(), description))
    }

    #[test]
    fn no_code_stands_in_two_rows() {
        let mut codes: Vec<u32> = BY_CODE
            .iter()
            .flat_map(|(codes, _, _)| codes.iter().copied())
            .collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }

    #[test]
    fn a_code_counts_before_the_text_and_the_text_where_there_is_none() {
        let remedy = |description| advice_of(description).map(|advice| advice.remedy);
        assert_eq!(remedy("AADSTS50076: MFA"), Some(Answer));
        assert_eq!(
            remedy(
                "AADSTS50076: No account or login hint was passed to the AcquireTokenSilent call."
            ),
            Some(Answer)
        );
        assert_eq!(
            remedy("No account or login hint was passed to the AcquireTokenSilent call."),
            Some(SignIn)
        );
        assert_eq!(remedy("AADSTS1: x"), None);
    }
}
