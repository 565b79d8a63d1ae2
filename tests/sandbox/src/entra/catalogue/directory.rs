//! Consents, applications, tenants and users.

use super::{CONSENT, Row, row};

pub(super) const ROWS: &[Row] = &[
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
];
