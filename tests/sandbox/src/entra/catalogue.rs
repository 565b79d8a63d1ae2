//! How Entra words its refusals: what a fault that only names a code is answered with.
//!
//! Texts are those that the service sends, with made-up names in them.
//! <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>

use super::error::EntraError;

/// Codes, and the refusal that carries them.
struct Row {
    codes: &'static [u32],
    error: &'static str,
    suberror: Option<&'static str>,
    text: &'static str,
}

/// The sign-in has to be done over, with the claims that come along.
const BASIC: Option<&str> = Some("basic_action");
/// There is nothing that the client could do.
const MESSAGE: Option<&str> = Some("message_only");
const CONSENT: Option<&str> = Some("consent_required");
const BAD_TOKEN: Option<&str> = Some("bad_token");
const TOKEN_EXPIRED: Option<&str> = Some("token_expired");

const ROWS: &[Row] = &[
    row(
        &[50_076, 50_074],
        "invalid_grant",
        BASIC,
        "Due to a configuration change made by your administrator, or because you moved to a new \
         location, you must use multi-factor authentication to access \
         'ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0'.",
    ),
    row(
        &[50_078],
        "invalid_grant",
        BASIC,
        "Presented multi-factor authentication has expired due to policies configured by your \
         administrator, you must refresh your multi-factor authentication to access \
         'ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0'.",
    ),
    row(
        &[50_079, 50_072],
        "invalid_grant",
        BASIC,
        "Due to a configuration change made by your administrator, or because you moved to a new \
         location, you must enroll in multi-factor authentication to access \
         'ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0'.",
    ),
    row(
        &[50_158],
        "interaction_required",
        BASIC,
        "External security challenge not satisfied. User will be redirected to another page or \
         authentication provider to satisfy additional authentication challenges.",
    ),
    row(
        &[53_000],
        "interaction_required",
        MESSAGE,
        "Device is not in required device state: compliant. Conditional Access policy requires a \
         compliant device, and the device is not compliant. The user must enroll their device \
         with an approved MDM provider like Intune.",
    ),
    row(
        &[53_001],
        "interaction_required",
        MESSAGE,
        "Device is not in required device state: domain_joined. Conditional Access policy \
         requires a domain joined device, and the device is not domain joined.",
    ),
    row(
        &[530_003],
        "interaction_required",
        MESSAGE,
        "Your device is required to be managed to access this resource.",
    ),
    row(
        &[50_097],
        "interaction_required",
        BASIC,
        "Device authentication is required.",
    ),
    row(
        &[53_003],
        "invalid_grant",
        MESSAGE,
        "Access has been blocked by Conditional Access policies. The access policy does not allow \
         token issuance.",
    ),
    row(
        &[530_035],
        "invalid_grant",
        MESSAGE,
        "Access has been blocked by security defaults. The request is deemed unsafe by security \
         defaults policies.",
    ),
    row(
        &[50_005],
        "interaction_required",
        MESSAGE,
        "User tried to log in to a device from a platform that's currently not supported through \
         Conditional Access policy. Supported device platforms are: iOS, Android, Mac, and Windows.",
    ),
    row(
        &[53_002],
        "interaction_required",
        MESSAGE,
        "Application used is not an approved application for Conditional Access.",
    ),
    row(
        &[700_082],
        "invalid_grant",
        TOKEN_EXPIRED,
        "The refresh token has expired due to inactivity. The token was issued on \
         2026-01-01T00:00:00.0000000Z and was inactive for 90.00:00:00.",
    ),
    row(
        &[70_008],
        "invalid_grant",
        TOKEN_EXPIRED,
        "The provided authorization code or refresh token has expired due to inactivity. Send a \
         new interactive authorization request for this user and resource.",
    ),
    row(
        &[70_043],
        "invalid_grant",
        BAD_TOKEN,
        "The refresh token has expired or is invalid due to sign-in frequency checks by \
         conditional access. The token was issued on 2026-01-01T00:00:00.0000000Z and the maximum \
         allowed lifetime for this request is 43200.",
    ),
    row(
        &[50_173],
        "invalid_grant",
        BAD_TOKEN,
        "The provided grant has expired due to it being revoked, a fresh auth token is needed. \
         The user might have changed or reset their password. The grant was issued on \
         '2026-01-01T00:00:00.0000000Z' and the TokensValidFrom date (before which tokens are not \
         valid) for this user is '2026-01-02T00:00:00.0000000Z'.",
    ),
    row(
        &[50_132, 50_133],
        "invalid_grant",
        BAD_TOKEN,
        "The session is not valid due to password expiration or recent password change.",
    ),
    row(
        &[65_001],
        "invalid_grant",
        CONSENT,
        "The user or administrator has not consented to use the application with ID \
         '04b07795-8ddb-461a-bbee-02f9e1bf7b46' named 'Microsoft Azure CLI'. Send an interactive \
         authorization request for this user and resource.",
    ),
    row(
        &[65_002],
        "invalid_request",
        None,
        "Consent between first party application '04b07795-8ddb-461a-bbee-02f9e1bf7b46' and first \
         party resource 'ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0' must be configured via \
         preauthorization - applications owned and operated by Microsoft must get approval from \
         the API owner before requesting tokens for that API.",
    ),
    row(
        &[500_011],
        "invalid_resource",
        None,
        "The resource principal named ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0 was not found in the \
         tenant named Contoso. This can happen if the application has not been installed by the \
         administrator of the tenant or consented to by any user in the tenant. You might have \
         sent your authentication request to the wrong tenant.",
    ),
    row(
        &[650_057],
        "invalid_resource",
        None,
        "Invalid resource. The client has requested access to a resource which is not listed in \
         the requested permissions in the client's application registration.",
    ),
    row(
        &[500_014],
        "invalid_resource",
        None,
        "The service principal for resource 'ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0' is disabled. \
         This indicate that a subscription within the tenant has lapsed, or that the administrator \
         for this tenant has disabled the application, preventing tokens from being issued for it.",
    ),
    row(
        &[700_016],
        "unauthorized_client",
        None,
        "Application with identifier '11111111-1111-1111-1111-111111111111' was not found in the \
         directory 'Contoso'. This can happen if the application has not been installed by the \
         administrator of the tenant or consented to by any user in the tenant. You may have sent \
         your authentication request to the wrong tenant.",
    ),
    row(
        &[700_011],
        "invalid_client",
        None,
        "Application with identifier '11111111-1111-1111-1111-111111111111' was not found in any \
         of the directories that the request could be for.",
    ),
    row(
        &[90_002],
        "invalid_request",
        None,
        "Tenant 'nowhere.example' not found. Check to make sure you have the correct tenant ID \
         and are signing into the correct cloud. Check with your subscription administrator, this \
         may happen if there are no active subscriptions for the tenant.",
    ),
    row(
        &[50_020],
        "invalid_grant",
        None,
        "User account 'ada@contoso.example' from identity provider \
         'https://sts.windows.net/c0a70500-0000-4000-8000-000000000001/' does not exist in tenant \
         'Fabrikam' and cannot access the application in that tenant. The account needs to be \
         added as an external user in the tenant first.",
    ),
    row(
        &[50_034],
        "invalid_grant",
        None,
        "The user account ada@contoso.example does not exist in the directory. To sign into this \
         application, the account must be added to the directory.",
    ),
    row(
        &[51_004],
        "invalid_grant",
        None,
        "The user account ada@contoso.example does not exist in the Contoso directory. To sign \
         into this application, the account must be added to the directory.",
    ),
    row(
        &[16_000],
        "interaction_required",
        None,
        "User account 'ada@contoso.example' from identity provider 'live.com' does not exist in \
         tenant 'Contoso' and cannot access the application in that tenant. The account needs to \
         be added as an external user in the tenant first. Sign out and sign in again with a \
         different account.",
    ),
    row(
        &[500_021],
        "access_denied",
        None,
        "Access to 'Contoso' tenant is denied.",
    ),
    row(
        &[500_022],
        "access_denied",
        None,
        "Access to 'Contoso' tenant is denied by the tenant restrictions policy of the network.",
    ),
    row(
        &[500_212],
        "access_denied",
        None,
        "The user's administrator has set an outbound access policy that does not allow access to \
         the resource tenant.",
    ),
    row(
        &[500_213],
        "access_denied",
        None,
        "The resource tenant's cross-tenant access policy does not allow this user to access this \
         tenant.",
    ),
    row(
        &[50_105],
        "invalid_grant",
        None,
        "Your administrator has configured the application Azure Linux VM Sign-In \
         ('ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0') to block users unless they are specifically \
         granted ('assigned') access to the application. The signed-in user 'ada@contoso.example' \
         is blocked because they are not a direct member of a group with access, nor had access \
         directly assigned by an administrator.",
    ),
    row(
        &[50_053],
        "invalid_grant",
        None,
        "You've tried to sign in too many times with an incorrect user ID or password. Sign-in \
         was blocked because it came from an IP address with malicious activity.",
    ),
    row(
        &[50_057],
        "invalid_grant",
        None,
        "The user account is disabled.",
    ),
    row(
        &[50_032],
        "invalid_request",
        None,
        "WeakRsaKey - Indicates the erroneous user attempt to use a weak RSA key.",
    ),
    row(
        &[70_011],
        "invalid_scope",
        None,
        "The provided request must include a 'scope' input parameter. The provided value for the \
         input parameter 'scope' is not valid.",
    ),
    row(
        &[9_002_313],
        "invalid_request",
        None,
        "Invalid request. Request is malformed or invalid.",
    ),
    row(
        &[70_016],
        "authorization_pending",
        None,
        "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
    ),
    row(
        &[70_018],
        "bad_verification_code",
        None,
        "Invalid verification code due to User typing in wrong user code for device code flow.",
    ),
    row(
        &[70_019],
        "expired_token",
        None,
        "Verification code expired. Have the user retry the sign-in.",
    ),
    row(
        &[700_024],
        "invalid_client",
        None,
        "Client assertion is not within its valid time range. Current time: \
         2026-01-01T00:10:00.0000000Z, assertion valid from 2026-01-01T00:00:00.0000000Z, expiry \
         time of assertion 2026-01-01T00:05:00.0000000Z.",
    ),
    row(
        &[70_021, 700_213],
        "invalid_client",
        None,
        "No matching federated identity record found for presented assertion subject \
         'repo:contoso/deploy:ref:refs/heads/main'. Check your federated identity credential \
         Subject, Audience and Issuer against the presented assertion.",
    ),
    row(
        &[7_000_215],
        "invalid_client",
        None,
        "Invalid client secret provided. Ensure the secret being sent in the request is the client \
         secret value, not the client secret ID, for a secret added to app \
         'a9911ca7-0000-4000-8000-000000000301'.",
    ),
    row(
        &[7_000_222],
        "invalid_client",
        None,
        "The provided client secret keys for app 'a9911ca7-0000-4000-8000-000000000301' are \
         expired. Visit the Azure portal to create new keys for your app, or consider using \
         certificate credentials for added security.",
    ),
    row(
        &[700_027],
        "invalid_client",
        None,
        "The certificate with identifier used to sign the client assertion is not registered on \
         application.",
    ),
    row(
        &[900_432],
        "invalid_request",
        None,
        "Confidential Client is not supported in Cross Cloud request.",
    ),
    row(
        &[90_038],
        "invalid_request",
        None,
        "The tenant is in another national cloud; the request is redirected there.",
    ),
    row(
        &[1_000_104],
        "invalid_request",
        None,
        "The request was sent to a cloud that the tenant is not in.",
    ),
    row(
        &[90_055],
        "temporarily_unavailable",
        None,
        "The tenant is throttled due to too many requests.",
    ),
    row(
        &[50_196],
        "invalid_grant",
        None,
        "The server terminated an operation because it encountered a client request loop. Please \
         contact your app vendor.",
    ),
];

const fn row(
    codes: &'static [u32],
    error: &'static str,
    suberror: Option<&'static str>,
    text: &'static str,
) -> Row {
    Row {
        codes,
        error,
        suberror,
        text,
    }
}

/// Returns the refusal with that code; one that is not in the list is an `invalid_request`.
pub(crate) fn refusal(code: u32) -> EntraError {
    let Some(row) = ROWS.iter().find(|row| row.codes.contains(&code)) else {
        return EntraError::invalid_request(code, "The request was refused.");
    };
    let status = match (row.error, code) {
        ("invalid_client", _) => 401,
        (_, 90_055) => 429,
        _ => 400,
    };
    let challenged = row.suberror == BASIC || row.suberror == MESSAGE;
    EntraError {
        status,
        suberror: row.suberror.map(str::to_owned),
        claims: challenged.then(|| super::step_up::challenge().to_string()),
        ..EntraError::new(row.error, code, row.text)
    }
}

/// Returns all codes that are worded.
pub(crate) fn codes() -> impl Iterator<Item = u32> {
    ROWS.iter().flat_map(|row| row.codes.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::{codes, refusal};

    #[test]
    fn no_code_is_worded_twice() {
        let mut all: Vec<u32> = codes().collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert_eq!(refusal(50_076).suberror.as_deref(), Some("basic_action"));
        assert!(refusal(53_003).claims.is_some());
        assert_eq!(refusal(7_000_215).status, 401);
        assert_eq!(refusal(1).error, "invalid_request");
    }
}
