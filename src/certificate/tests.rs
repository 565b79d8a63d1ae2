use super::*;
use crate::rfc4251::Writer;

/// What a test changes about a certificate that would be taken.
struct Recipe {
    key: PublicKey,
    kind: u32,
    principals: Vec<&'static str>,
    valid_after: u64,
    valid_before: u64,
    critical_options: Vec<(&'static str, &'static str)>,
    extensions: Vec<(&'static str, Vec<u8>)>,
}

const NOW: u64 = 1_800_000_000;

fn authority() -> &'static KeyPair {
    static AUTHORITY: std::sync::LazyLock<KeyPair> = std::sync::LazyLock::new(|| {
        KeyPair::generate(KeyKind::Rsa { bits: MIN_RSA_BITS }).unwrap()
    });
    &AUTHORITY
}

fn our_key() -> &'static KeyPair {
    static OURS: std::sync::LazyLock<KeyPair> = std::sync::LazyLock::new(|| {
        KeyPair::generate(KeyKind::Rsa { bits: MIN_RSA_BITS }).unwrap()
    });
    &OURS
}

fn now() -> UnixTime {
    UnixTime::from_seconds(NOW)
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            key: our_key().public_key().clone(),
            kind: 1,
            principals: vec!["Alice@Contoso.com"],
            valid_after: NOW - 60,
            valid_before: NOW + 3540,
            critical_options: Vec::new(),
            extensions: vec![("permit-pty", Vec::new())],
        }
    }
}

impl Recipe {
    fn blob(&self) -> Vec<u8> {
        let (n, e) = self.key.rsa_mpints().unwrap();
        let principals = self
            .principals
            .iter()
            .fold(Writer::new(), |packed, name| packed.string(name.as_bytes()));
        let extensions = self
            .extensions
            .iter()
            .fold(Writer::new(), |packed, (name, data)| {
                packed.string(name.as_bytes()).string(data)
            });
        let critical_options =
            self.critical_options
                .iter()
                .fold(Writer::new(), |packed, (name, value)| {
                    let data = Writer::new().string(value.as_bytes()).into_bytes();
                    packed.string(name.as_bytes()).string(&data)
                });
        let signed = Writer::new()
            .string(b"ssh-rsa-cert-v01@openssh.com")
            .string(&[7; 32])
            .string(e)
            .string(n)
            .raw(&42_u64.to_be_bytes())
            .uint32(self.kind)
            .string(b"oid@tid")
            .string(&principals.into_bytes())
            .raw(&self.valid_after.to_be_bytes())
            .raw(&self.valid_before.to_be_bytes())
            .string(&critical_options.into_bytes())
            .string(&extensions.into_bytes())
            .string(b"")
            .string(&authority().public_key().blob())
            .into_bytes();
        let signature = authority()
            .sign(SignatureAlgorithm::RsaSha512, &signed)
            .unwrap();
        let signature = Writer::new()
            .string(b"rsa-sha2-512")
            .string(&signature)
            .into_bytes();
        Writer::new().raw(&signed).string(&signature).into_bytes()
    }

    fn verify(&self) -> Result<Certificate, CertificateError> {
        Unverified::from_blob(&self.blob())?.verify(now(), our_key().public_key())
    }
}

/// Returns a key, and a certificate for it that is valid between two times, as it stands in a file.
pub(crate) fn certificate_between(from: UnixTime, to: UnixTime) -> (PublicKey, String) {
    let recipe = Recipe {
        valid_after: from.as_seconds(),
        valid_before: to.as_seconds(),
        ..Recipe::default()
    };
    let blob = STANDARD.encode(recipe.blob());
    let text = format!("ssh-rsa-cert-v01@openssh.com {blob} test\n");
    (recipe.key, text)
}

#[test]
fn a_good_certificate_is_taken_and_keeps_its_bytes() {
    let recipe = Recipe::default();
    let certificate = recipe.verify().unwrap();
    assert_eq!(certificate.blob(), recipe.blob());
    assert_eq!(certificate.login_name().as_str(), "alice@contoso.com");
    let line = certificate.to_openssh();
    assert!(
        line.starts_with(
            "ssh-rsa-cert-v01@openssh.com AAAAHHNzaC1yc2EtY2VydC12MDFAb3BlbnNzaC5jb20"
        )
    );
    let read = Unverified::from_openssh(&line).unwrap();
    assert!(read.verify(now(), our_key().public_key()).is_ok());
}

#[test]
fn what_is_odd_about_a_certificate_is_in_its_summary() {
    let warnings = |recipe: Recipe| {
        let certificate = recipe.verify().unwrap();
        let summary = certificate.explain().summarize(now(), None);
        let texts = summary.warnings.iter().map(ToString::to_string);
        texts.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(warnings(Recipe::default()), "");
    let odd = Recipe {
        critical_options: vec![
            ("force-command", "uptime\nhint: run evil"),
            ("source-address", "10.0.0.0/8"),
            ("verify-required", ""),
            ("tea@example.com", "two cups"),
        ],
        valid_before: u64::MAX,
        ..Recipe::default()
    };
    assert_eq!(
        warnings(odd),
        "the certificate runs the command `uptime hint: run evil` instead of what you ask for (force-command)\n\
         the certificate is accepted only from `10.0.0.0/8` (source-address)\n\
         the certificate is for a security key that verifies its user (verify-required)\n\
         sshd refuses the certificate, which has the unknown critical option `tea@example.com`\n\
         the certificate never expires: anyone who gets its key can log in forever"
    );
}

#[test]
fn options_may_be_unsorted_and_unpacked_as_openssh_allows() {
    let recipe = Recipe {
        extensions: vec![
            ("tid@sshservice.azure.net", b"raw bytes".to_vec()),
            ("permit-pty", Vec::new()),
            (
                "oid@sshservice.azure.net",
                Writer::new().string(b"packed").into_bytes(),
            ),
        ],
        ..Recipe::default()
    };
    let text = recipe.verify().unwrap().explain().to_text(now());
    assert!(
        text.contains("tid@sshservice.azure.net raw bytes"),
        "{text}"
    );
    assert!(text.contains("oid@sshservice.azure.net packed"), "{text}");
}

#[test]
fn reject_certificate_for_another_key() {
    let recipe = Recipe {
        key: authority().public_key().clone(),
        ..Recipe::default()
    };
    assert!(matches!(
        recipe.verify(),
        Err(CertificateError::WrongKey { .. })
    ));
}

#[test]
fn reject_host_certificate() {
    let recipe = Recipe {
        kind: 2,
        ..Recipe::default()
    };
    assert_eq!(recipe.verify().unwrap_err(), CertificateError::WrongType);
}

#[test]
fn reject_certificate_of_no_kind() {
    let recipe = Recipe {
        kind: 3,
        ..Recipe::default()
    };
    assert_eq!(
        recipe.verify().unwrap_err(),
        CertificateError::Malformed { field: "kind" }
    );
}

#[test]
fn reject_certificate_without_principals() {
    let recipe = Recipe {
        principals: Vec::new(),
        ..Recipe::default()
    };
    assert_eq!(recipe.verify().unwrap_err(), CertificateError::NoPrincipals);
}

#[test]
fn reject_certificate_whose_principal_would_be_a_command_of_a_shell() {
    let recipe = Recipe {
        principals: vec!["alice;reboot"],
        ..Recipe::default()
    };
    assert!(matches!(
        recipe.verify(),
        Err(CertificateError::BadPrincipal { .. })
    ));
}

#[test]
fn reject_certificate_in_its_last_second_and_say_by_how_much() {
    let recipe = Recipe {
        valid_before: NOW,
        ..Recipe::default()
    };
    assert!(matches!(
        recipe.verify(),
        Err(CertificateError::Expired { .. })
    ));
    let recipe = Recipe {
        valid_before: NOW - 7200,
        ..Recipe::default()
    };
    assert_eq!(
        recipe.verify().unwrap_err().to_string(),
        "the certificate expired at 2027-01-15T06:00:00Z, 2 h before this machine's clock (2027-01-15T08:00:00Z)"
    );
    assert!(
        Recipe {
            valid_before: NOW + 1,
            ..Recipe::default()
        }
        .verify()
        .is_ok()
    );
}

#[test]
fn a_clock_may_be_late_by_five_minutes_and_no_more() {
    let limit = NOW + CLOCK_SKEW_SECONDS;
    assert!(
        Recipe {
            valid_after: limit,
            ..Recipe::default()
        }
        .verify()
        .is_ok()
    );
    let refusal = Recipe {
        valid_after: limit + 1,
        ..Recipe::default()
    }
    .verify()
    .unwrap_err();
    assert!(matches!(refusal, CertificateError::NotYetValid { .. }));
}

#[test]
fn reject_certificate_with_a_bit_flipped_anywhere() {
    let blob = Recipe::default().blob();
    for index in 0..blob.len() {
        let mut flipped = blob.clone();
        flipped[index] ^= 1;
        let taken = Unverified::from_blob(&flipped)
            .and_then(|unverified| unverified.verify(now(), our_key().public_key()));
        assert!(taken.is_err(), "byte {index}");
    }
}

#[test]
fn reject_certificate_that_is_cut_or_has_a_tail() {
    let blob = Recipe::default().blob();
    for length in 0..blob.len() {
        assert!(
            Unverified::from_blob(&blob[..length]).is_err(),
            "{length} bytes"
        );
    }
    assert_eq!(
        Unverified::from_blob(&[&blob[..], &[0]].concat()).unwrap_err(),
        CertificateError::Malformed { field: "end" }
    );
}

#[test]
fn reject_bearer_token() {
    assert_eq!(
        Unverified::from_base64("eyJhbGciOiJSUzI1NiJ9.e30.c2ln").unwrap_err(),
        CertificateError::BearerToken
    );
}

#[test]
fn reject_certificate_one_byte_above_the_limit() {
    let at_limit = Unverified::from_blob(&vec![0; MAX_CERTIFICATE_BYTES]).unwrap_err();
    assert_eq!(at_limit, CertificateError::Malformed { field: "type" });
    assert_eq!(
        Unverified::from_blob(&vec![0; MAX_CERTIFICATE_BYTES + 1]).unwrap_err(),
        CertificateError::TooLong {
            limit: MAX_CERTIFICATE_BYTES
        }
    );
}

#[test]
fn a_plain_key_is_named_as_such() {
    let line =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB/Jk1ajtLhYCq8M9pT9H5RTlmmh3RbvbrzGvE/2lZHG alice";
    assert_eq!(
        Unverified::from_openssh(line).unwrap_err().to_string(),
        "this is a plain `ssh-ed25519` key, not a certificate"
    );
    assert!(Unverified::from_openssh("hello").is_err());
}
