//! Client assertions, RFC 7523: signed by a certificate of the application, or by an issuer it trusts.

use std::time::Duration;

use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters, RsaPublicKeyComponents,
};

use super::error::EntraError;
use super::jwt::Unverified;
use crate::clock::unix_now;
use crate::encoding::{base64url, decode_base64, decode_base64url, sha1, sha256};
use crate::keys::SigningKey;
use crate::options::{IssuerKey, RsaPublicKey, ServicePrincipal, Tenant};
use crate::workload;
use crate::world::{World, lock};

/// Checks that an assertion speaks for a service principal.
pub(crate) fn check(
    world: &World,
    principal: &ServicePrincipal,
    tenant: &Tenant,
    token: &str,
) -> Result<(), EntraError> {
    let token = Unverified::parse(token).ok_or_else(|| {
        EntraError::invalid_client(
            50_027,
            "JWT token is invalid or malformed: it is not three parts of base64url.",
        )
    })?;
    let now = unix_now();
    // A `NumericDate` may have a fraction (RFC 7519, section 2), and that of MSAL for Python has.
    let expires = token.claims["exp"].as_f64().unwrap_or_default();
    if Duration::try_from_secs_f64(expires).unwrap_or_default() <= Duration::from_secs(now) {
        return Err(EntraError::invalid_client(
            700_024,
            format!(
                "Client assertion is not within its valid time range. Current time: {now}, \
                 expiry time of assertion: {expires}."
            ),
        ));
    }
    if token
        .claim("iss")
        .eq_ignore_ascii_case(&principal.client_id)
    {
        check_own(world, principal, tenant, &token)
    } else {
        check_federated(world, principal, &token)
    }
}

/// An assertion that the application signed with its certificate.
fn check_own(
    world: &World,
    principal: &ServicePrincipal,
    tenant: &Tenant,
    token: &Unverified,
) -> Result<(), EntraError> {
    if token.claim("sub") != token.claim("iss") {
        return Err(EntraError::invalid_client(
            700_021,
            "Client assertion application identifier doesn't match 'client_id' parameter.",
        ));
    }
    let authority = &world.addresses.cloud;
    let audiences = [&tenant.id, &tenant.domain].map(|name| {
        [
            format!("{authority}/{name}/oauth2/v2.0/token"),
            format!("{authority}/{name}/v2.0"),
        ]
    });
    if !audiences
        .iter()
        .flatten()
        .any(|aud| aud == token.claim("aud"))
    {
        return Err(EntraError::invalid_client(
            700_023,
            format!(
                "Client assertion audience claim '{}' does not match Realm issuer. Review the \
                 documentation at https://docs.microsoft.com/azure/active-directory/develop/\
                 active-directory-certificate-credentials.",
                token.claim("aud")
            ),
        ));
    }
    let registered = lock(&world.entra)
        .certificates
        .get(&principal.client_id.to_lowercase())
        .cloned()
        .unwrap_or_default();
    let signed = principal
        .certificates
        .iter()
        .chain(&registered)
        .filter_map(|pem| certificate_der(pem))
        .filter(|der| is_named(token, der))
        .filter_map(|der| certificate_key(&der))
        .any(|key| verifies(token, &key));
    if signed {
        return Ok(());
    }
    Err(EntraError::invalid_client(
        700_027,
        "The certificate with identifier used to sign the client assertion is not registered on \
         application, or the signature is not right.",
    ))
}

/// A token of an issuer that the application trusts.
fn check_federated(
    world: &World,
    principal: &ServicePrincipal,
    token: &Unverified,
) -> Result<(), EntraError> {
    let authority = &world.addresses.cloud;
    let (issuer, subject, audience) = (token.claim("iss"), token.claim("sub"), token.claim("aud"));
    let credential = principal.federated_credentials.iter().find(|credential| {
        credential.issuer.replace("{authority}", authority) == issuer
            && credential.subject == subject
            && credential.audience == audience
    });
    let Some(credential) = credential else {
        return Err(EntraError::invalid_client(
            700_213,
            format!(
                "No matching federated identity record found for presented assertion subject \
                 '{subject}'. Check your federated identity credential Subject, Audience and \
                 Issuer against the presented assertion. Issuer: '{issuer}', audience: \
                 '{audience}'."
            ),
        ));
    };
    let signed = match &credential.issuer_key {
        IssuerKey::Any => true,
        IssuerKey::Entra => verifies(token, &public_half(world.signing_key)),
        IssuerKey::Rsa(key) => verifies(token, key),
        IssuerKey::Workload => verifies(token, &public_half(workload::key())),
    };
    if signed {
        return Ok(());
    }
    Err(EntraError::invalid_client(
        50_013,
        "Assertion failed signature validation.",
    ))
}

fn public_half(key: &SigningKey) -> RsaPublicKey {
    RsaPublicKey {
        n: base64url(key.modulus()),
        e: base64url(key.exponent()),
    }
}

/// Returns whether a token's header names a certificate: by a digest of it, as Entra wants it.
fn is_named(token: &Unverified, der: &[u8]) -> bool {
    let names = |field: &str, digest: Vec<u8>| {
        let text = token.header[field].as_str().unwrap_or_default();
        decode_base64url(text).or_else(|| decode_base64(text)) == Some(digest)
    };
    names("x5t", sha1(der)) || names("x5t#S256", sha256(der))
}

fn verifies(token: &Unverified, key: &RsaPublicKey) -> bool {
    let algorithm: &RsaParameters = match token.header["alg"].as_str() {
        Some("RS256") => &RSA_PKCS1_2048_8192_SHA256,
        Some("PS256") => &RSA_PSS_2048_8192_SHA256,
        _ => return false,
    };
    let number = |text: &str| {
        let bytes = decode_base64url(text)?;
        let start = bytes.iter().position(|byte| *byte != 0)?;
        Some(bytes[start..].to_vec())
    };
    let (Some(n), Some(e)) = (number(&key.n), number(&key.e)) else {
        return false;
    };
    RsaPublicKeyComponents { n, e }
        .verify(algorithm, token.signed.as_bytes(), &token.signature)
        .is_ok()
}

fn certificate_der(pem: &str) -> Option<Vec<u8>> {
    let body = pem
        .split_once("-----BEGIN CERTIFICATE-----")?
        .1
        .split_once("-----END CERTIFICATE-----")?
        .0;
    decode_base64(&body.split_ascii_whitespace().collect::<String>())
}

/// Reads the RSA key out of a certificate (RFC 5280, section 4.1).
fn certificate_key(der: &[u8]) -> Option<RsaPublicKey> {
    let certificate = Der(der).enter()?;
    let mut fields = certificate.enter()?;
    // The version comes with a tag of its own; serial number, algorithm, issuer, validity and
    // subject stand between it and the key.
    if fields.0.first() == Some(&0xa0) {
        fields = fields.skip()?;
    }
    for _ in 0..5 {
        fields = fields.skip()?;
    }
    let key_info = fields.enter()?;
    let bits = key_info.skip()?.enter()?;
    let mut numbers = Der(bits.0.get(1..)?).enter()?;
    let n = base64url(numbers.enter()?.0);
    numbers = numbers.skip()?;
    let e = base64url(numbers.enter()?.0);
    Some(RsaPublicKey { n, e })
}

/// Bytes that start with a DER element.
#[derive(Clone, Copy)]
struct Der<'a>(&'a [u8]);

impl Der<'_> {
    /// Returns the contents of the first element.
    fn enter(self) -> Option<Self> {
        let (start, end) = self.bounds()?;
        self.0.get(start..end).map(Self)
    }

    /// Returns what stands behind the first element.
    fn skip(self) -> Option<Self> {
        let (_, end) = self.bounds()?;
        self.0.get(end..).map(Self)
    }

    fn bounds(self) -> Option<(usize, usize)> {
        let first = usize::from(*self.0.get(1)?);
        if first < 0x80 {
            return Some((2, 2 + first));
        }
        let digits = self.0.get(2..2 + (first & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        let length = digits
            .iter()
            .fold(0, |length, digit| length << 8 | usize::from(*digit));
        let start = 2 + digits.len();
        Some((start, start.checked_add(length)?))
    }
}
