//! What Entra's refusals mean and what to do about them.

/// What a refusal means and what to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Advice {
    /// What has happened.
    pub meaning: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

const SIGN_IN: &str = "sign in again: entra-ssh login";
const ADMINISTRATOR: &str = "ask an administrator of the tenant";

/// The codes after `AADSTS`, their meaning and the remedy.
const TABLE: &[(&[u32], &str, &str)] = &[
    (
        &[50_072, 50_074, 50_076, 50_078, 50_079],
        "multi-factor authentication is asked for",
        SIGN_IN,
    ),
    (
        &[50_158],
        "a further check outside Entra is asked for",
        SIGN_IN,
    ),
    (
        &[50_097, 53_000, 53_001, 530_003],
        "the tenant lets only managed devices sign in to Linux machines",
        "sign in on a managed Windows or macOS machine",
    ),
    (
        &[53_003, 530_035],
        "a Conditional Access policy blocks this sign-in",
        "device codes are often what is blocked: sign in with a browser, or ask an administrator which policy it is",
    ),
    (
        &[50_005],
        "the tenant's policy does not allow this operating system",
        ADMINISTRATOR,
    ),
    (
        &[53_002],
        "the tenant's policy does not allow this application",
        ADMINISTRATOR,
    ),
    (
        &[70_008, 700_082],
        "the sign-in has expired because it was not used",
        SIGN_IN,
    ),
    (
        &[70_043],
        "the tenant asks people to sign in again from time to time",
        SIGN_IN,
    ),
    (
        &[50_132, 50_133, 50_173],
        "the password was changed or the session revoked",
        SIGN_IN,
    ),
    (
        &[65_001],
        "consent is missing",
        "ask an administrator to consent to the application `Azure Linux VM Sign-In`",
    ),
    (
        &[65_002],
        "this client may not ask for SSH certificates",
        "use the Azure CLI's client ID, 04b07795-8ddb-461a-bbee-02f9e1bf7b46",
    ),
    (
        &[500_011, 650_057],
        "the tenant does not know the application `Azure Linux VM Sign-In`",
        "check tenant and cloud, or have an administrator run: az ad sp create --id ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0",
    ),
    (
        &[500_014],
        "the application `Azure Linux VM Sign-In` is disabled in the tenant",
        ADMINISTRATOR,
    ),
    (
        &[700_011, 700_016],
        "the tenant does not know this client ID",
        "check --client-id and --tenant",
    ),
    (
        &[90_002],
        "there is no such tenant",
        "check --tenant and --cloud",
    ),
    (
        &[16_000, 50_020, 50_034, 51_004],
        "the account is not in this tenant",
        "sign in with another account, or name the right tenant: entra-ssh login --tenant ID",
    ),
    (
        &[500_021, 500_022, 500_212, 500_213],
        "the network or a policy between tenants does not let this account in",
        ADMINISTRATOR,
    ),
    (
        &[50_105],
        "the account is not assigned to the application",
        ADMINISTRATOR,
    ),
    (
        &[50_053, 50_057],
        "the account is locked or disabled",
        ADMINISTRATOR,
    ),
    (
        &[50_032],
        "the RSA key is shorter than 2048 bits",
        "use a key of 3072 bits: ssh-keygen -t rsa -b 3072",
    ),
    (
        &[70_011, 9_002_313],
        "the scope or the request is malformed",
        "check ssh_scope in the cloud file",
    ),
    (
        &[70_018, 70_019],
        "the device code is wrong or has expired",
        SIGN_IN,
    ),
    (
        &[700_024],
        "the client assertion has expired",
        "fetch a new one for each request",
    ),
    (
        &[70_021, 700_213],
        "no federated credential of the application matches",
        "compare issuer, subject and audience with the application's federated credentials",
    ),
    (
        &[700_027, 7_000_215],
        "the client secret or assertion is wrong",
        "make sure that it is the secret's value and not its ID, then: entra-ssh login --service-principal --client-id ID --tenant ID --client-secret-file FILE",
    ),
    (
        &[7_000_222],
        "the client secret has expired",
        "make a new one: az ad app credential reset --id ID",
    ),
    (
        &[90_038, 900_432, 1_000_104],
        "the account is in another cloud",
        "name the cloud: --cloud AzureUSGovernment or --cloud AzureChinaCloud",
    ),
    (
        &[50_196, 90_055],
        "Entra is throttling",
        "wait a few minutes",
    ),
];

/// Returns what is known about a code.
#[must_use]
pub fn advice(code: u32) -> Option<Advice> {
    TABLE
        .iter()
        .find(|(codes, _, _)| codes.contains(&code))
        .map(|(_, meaning, remedy)| Advice { meaning, remedy })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_stands_in_two_rows() {
        let mut codes: Vec<u32> = TABLE
            .iter()
            .flat_map(|(codes, _, _)| codes.iter().copied())
            .collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
        assert_eq!(advice(50_076).unwrap().remedy, SIGN_IN);
        assert_eq!(advice(1), None);
    }
}
