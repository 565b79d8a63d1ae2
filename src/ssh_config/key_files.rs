use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::hex;
use crate::ids::{ProfileName, TenantId};

/// What the name of a certificate file ends in.
pub(super) const CERTIFICATE_END: &str = "-cert.pub";
/// How much of the SHA-256 of a path tells one key file from another, in bytes.
const PATH_DIGEST_BYTES: usize = 4;

/// Returns the name of the file that keeps the key of a profile's certificate of a tenant.
#[must_use]
pub(crate) fn key_file_name(profile: &ProfileName, tenant: Option<&TenantId>) -> String {
    match tenant {
        Some(tenant) => format!("{profile}-{tenant}"),
        None => profile.to_string(),
    }
}

/// Returns the name of the file that keeps the certificate that a profile has of a tenant for the key in another file.
#[must_use]
pub(crate) fn certificate_file_name(
    profile: &ProfileName,
    tenant: Option<&TenantId>,
    public_key: &Path,
) -> String {
    let digest = Sha256::digest(public_key.as_os_str().as_encoded_bytes());
    let part = hex::encode(digest.get(..PATH_DIGEST_BYTES).unwrap_or_default());
    format!("{}-{part}{CERTIFICATE_END}", key_file_name(profile, tenant))
}

/// Returns whether a file has such a name, of this profile and tenant and any key.
#[must_use]
pub(crate) fn is_certificate_file_name(
    name: &str,
    profile: &ProfileName,
    tenant: Option<&TenantId>,
) -> bool {
    name.strip_prefix(&key_file_name(profile, tenant))
        .and_then(|rest| rest.strip_prefix('-')?.strip_suffix(CERTIFICATE_END))
        .is_some_and(|part| {
            part.len() == 2 * PATH_DIGEST_BYTES && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_of_own_keys_are_told_from_each_other_and_from_all_else() {
        let profile: ProfileName = "default".parse().unwrap();
        let tenant: TenantId = "72f988bf-86f1-41af-91ab-2d7cd011db47".parse().unwrap();
        let tenant = Some(&tenant);
        let name = certificate_file_name(&profile, tenant, Path::new("/k/id_rsa.pub"));
        assert!(is_certificate_file_name(&name, &profile, tenant), "{name}");
        assert!(!is_certificate_file_name(&name, &profile, None), "{name}");
        let other = certificate_file_name(&profile, tenant, Path::new("/other/id_rsa.pub"));
        assert_ne!(name, other);
        let ours = format!("{}{CERTIFICATE_END}", key_file_name(&profile, tenant));
        assert!(!is_certificate_file_name(&ours, &profile, tenant));
    }
}
