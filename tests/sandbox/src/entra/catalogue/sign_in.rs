//! Policies of a tenant, and sign-ins that are no longer good.

use super::{BAD_TOKEN, BASIC, MESSAGE, Row, TOKEN_EXPIRED, row};

pub(super) const ROWS: &[Row] = &[
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
];
