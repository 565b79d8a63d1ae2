//! Entries of the file keyring: `hex(SHA-256(name))` names the file, and the bytes are a version, a kind, and strings of
//! RFC 4251, section 5.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Version;
use crate::world::agent_socket::string;

/// What may stand behind the account in a name.
const SUFFIXES: [&str; 4] = [
    "",
    " azure-pipelines",
    " client-certificate",
    " github-actions",
];

/// Returns the SHA-256 of a text in hexadecimal digits, which names the file of the entry of that name.
pub(super) fn file_name(entry: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(entry)
        .iter()
        .fold(String::new(), |mut name, byte| {
            // Writing to a String does not fail.
            let _written = write!(name, "{byte:02x}");
            name
        })
}

/// Returns the names that an entry of a profile can have.
fn names(profile: &Value) -> Vec<String> {
    let text = |field: &str| profile[field].as_str().unwrap();
    let cloud = profile["cloud"]["file"].as_str().unwrap();
    let mut tenants = vec![text("tenant")];
    if let Some(guest_in) = profile["guest_in"].as_array() {
        tenants.extend(guest_in.iter().map(|tenant| tenant.as_str().unwrap()));
    }
    let mut names = Vec::new();
    for tenant in tenants {
        for kind in ["certificate", "sign-in"] {
            for suffix in SUFFIXES {
                let account = text("account");
                names.push(format!("{kind} {cloud} {tenant} {account}{suffix}").to_lowercase());
            }
        }
    }
    names
}

/// Returns the entries that a keyring holds for a profile: the name of each, and the name with the bytes.
pub(super) fn of_profile(version: &Version<'_>, profile: &Value) -> Vec<(String, Value)> {
    let folder = version.world.keyring_folder();
    let read = |name: String| {
        let bytes = fs::read(folder.join(file_name(&name))).ok()?;
        let name = version.regular(&name);
        let entry = json!({"name": &name, "bytes": BASE64_STANDARD.encode(bytes)});
        Some((name, entry))
    };
    names(profile).into_iter().filter_map(read).collect()
}

/// Returns the strings that bytes hold.
pub(super) fn strings(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut strings = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (length, behind) = rest.split_at(4);
        let length = u32::from_be_bytes(length.try_into().unwrap());
        let (string, behind) = behind.split_at(length.try_into().unwrap());
        strings.push(string.to_vec());
        rest = behind;
    }
    strings
}

/// The bytes of an entry.
#[derive(Clone, Debug)]
pub(super) struct Bytes {
    pub(super) version: u8,
    pub(super) kind: u8,
    pub(super) fields: Vec<Vec<u8>>,
}

impl Bytes {
    /// Reads the bytes of an entry.
    pub(super) fn read(bytes: &[u8]) -> Self {
        Self {
            version: bytes[0],
            kind: bytes[1],
            fields: strings(&bytes[2..]),
        }
    }

    /// Reads an entry that is pinned.
    pub(super) fn pinned(entry: &Value) -> Self {
        let bytes = BASE64_STANDARD.decode(entry["bytes"].as_str().unwrap());
        Self::read(&bytes.unwrap())
    }

    /// Writes an entry where the file keyring has it.
    pub(super) fn write(&self, folder: &Path, name: &str) {
        let mut bytes = vec![self.version, self.kind];
        bytes.extend(self.fields.iter().flat_map(|field| string(field)));
        fs::write(folder.join(file_name(name)), bytes).unwrap();
    }
}

/// Fails if the bytes of an entry are of another form than they were: version, kind, and fields.
#[track_caller]
pub(super) fn assert_same_form(place: &str, old: &str, new: &str) {
    let [(old_name, old), (new_name, new)] = [old, new].map(|text| {
        let entry: Value = serde_json::from_str(text).unwrap();
        (entry["name"].clone(), Bytes::pinned(&entry))
    });
    assert_eq!(new_name, old_name, "{place}");
    let form = |bytes: &Bytes| (bytes.version, bytes.kind, bytes.fields.len());
    assert_eq!(form(&new), form(&old), "{place}");
}
