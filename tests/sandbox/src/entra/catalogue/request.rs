//! Requests, device codes and client credentials.

use super::{Row, row};

pub(super) const ROWS: &[Row] = &[
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
