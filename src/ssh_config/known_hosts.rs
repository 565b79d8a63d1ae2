use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// What a name begins with that ssh has hashed (`HashKnownHosts`): `|1|SALT|HASH`, both in base64.
const HASHED: &str = "|1|";

/// Returns the text of a `known_hosts` file in which the keys of renamed machines are found under the new names too, or `None`
/// if they are already. Each pair is the earlier name and the new one.
///
/// The earlier name stays beside the new one, for hosts that an earlier version has written. A name that ssh has hashed cannot
/// have another beside it, and is written out.
#[must_use]
pub(crate) fn with_new_names(text: &str, names: &[(String, String)]) -> Option<String> {
    let mut is_changed = false;
    let mut lines = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match with_new_names_in(line, names) {
            Some(line) => {
                is_changed = true;
                lines.push_str(&line);
            }
            None => lines.push_str(line),
        }
    }
    is_changed.then_some(lines)
}

/// Does so in one line (sshd(8), on the format of `known_hosts`): an optional marker such as `@revoked`, the names, the key.
fn with_new_names_in(line: &str, names: &[(String, String)]) -> Option<String> {
    let rest = line.trim_start();
    let rest = match rest.split_once([' ', '\t']) {
        Some((marker, rest)) if marker.starts_with('@') => rest.trim_start(),
        _ => rest,
    };
    let (hosts, key) = rest.split_once([' ', '\t'])?;
    if hosts.starts_with('#') {
        return None;
    }
    let before = line.strip_suffix(rest)?;
    let mut all = hosts.to_owned();
    for (earlier, new) in names {
        if !is_named(hosts, earlier) || is_named(&all, new) {
            continue;
        }
        if all.starts_with(HASHED) {
            all.clone_from(earlier);
        }
        all.push(',');
        all.push_str(new);
    }
    (all != hosts).then(|| format!("{before}{all} {key}"))
}

/// Returns whether a list of names holds one, as ssh does: names, patterns, patterns to leave out, or one hashed name.
fn is_named(hosts: &str, name: &str) -> bool {
    if let Some(hashed) = hosts.strip_prefix(HASHED) {
        return is_hash_of(hashed, name).unwrap_or(false);
    }
    let mut is_found = false;
    for pattern in hosts.split(',') {
        match pattern.strip_prefix('!') {
            Some(left_out) if matches_pattern(left_out, name) => return false,
            Some(_) => {}
            None => is_found |= matches_pattern(pattern, name),
        }
    }
    is_found
}

fn is_hash_of(hashed: &str, name: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let (salt, hash) = (STANDARD.decode(salt).ok()?, STANDARD.decode(hash).ok()?);
    // What ssh hashes with; nothing secret depends on it here.
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt);
    Some(hmac::verify(&key, name.as_bytes(), &hash).is_ok())
}

/// Returns whether a text matches a pattern with `*` and `?`, without regard to case.
pub(crate) fn matches_pattern(pattern: &str, text: &str) -> bool {
    matches(pattern.as_bytes(), text.as_bytes())
}

fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut rest_of_pattern, mut rest) = (pattern, text);
    // Where to go on if what follows the last `*` does not match: that takes one more byte then.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (rest_of_pattern.split_first(), rest.split_first()) {
            (None, None) => return true,
            (Some((b'*', after)), _) => {
                retry = Some((after, rest));
                rest_of_pattern = after;
                continue;
            }
            (Some((wanted, after)), Some((byte, left)))
                if *wanted == b'?' || wanted.eq_ignore_ascii_case(byte) =>
            {
                (rest_of_pattern, rest) = (after, left);
                continue;
            }
            _ => {}
        }
        let Some((after, taken_from)) = retry else {
            return false;
        };
        let Some((_, left)) = taken_from.split_first() else {
            return false;
        };
        retry = Some((after, left));
        (rest_of_pattern, rest) = (after, left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EARLIER: &str = "web01.rg-web.0b1f6471-1bf0-4dda-aec3-cb9272f09590.hybridcompute.azure";
    /// The earlier name as `ssh-keygen -H` has hashed it.
    const HASH: &str = "|1|SdPIabZPZ0gapYKOGJd7AgON6vg=|6tRpT0nj3vp7AqhhIadlm4/LVrs=";
    const NEW: &str = "web01-mff3lfrowlzfl";

    fn renamed(text: &str) -> Option<String> {
        let other = ("db01.rg-db.x.azure".to_owned(), "db01-abc".to_owned());
        with_new_names(text, &[other, (EARLIER.to_owned(), NEW.to_owned())])
    }

    #[test]
    fn a_key_is_found_under_the_new_name_and_under_the_earlier_one() {
        for (before, after) in [
            (
                format!("{EARLIER} ssh-ed25519 AAAA\n"),
                format!("{EARLIER},{NEW} ssh-ed25519 AAAA\n"),
            ),
            (
                format!("# mine\n@revoked x,{EARLIER}\tssh-rsa AAAA me"),
                format!("# mine\n@revoked x,{EARLIER},{NEW} ssh-rsa AAAA me"),
            ),
            (
                "@cert-authority *.AZURE ssh-rsa AAAA\r\n".to_owned(),
                format!("@cert-authority *.AZURE,db01-abc,{NEW} ssh-rsa AAAA\r\n"),
            ),
        ] {
            let changed = renamed(&before).unwrap();
            assert_eq!(changed, after);
            assert_eq!(renamed(&changed), None, "once");
        }
    }

    #[test]
    fn a_hashed_name_is_recognised() {
        let hashed = format!("{HASH} ssh-ed25519 AAAA\n");
        let after = format!("{EARLIER},{NEW} ssh-ed25519 AAAA\n");
        assert_eq!(renamed(&hashed).unwrap(), after);
        assert_eq!(renamed("|1|x|y ssh-ed25519 AAAA\n"), None);
        assert_eq!(renamed("|1|nonsense ssh-ed25519 AAAA\n"), None);
    }

    #[test]
    fn what_is_about_other_hosts_stays() {
        for text in [
            "",
            "\n",
            "# a comment\n",
            "web01 ssh-ed25519 AAAA\n",
            "web01-mff3lfrowlzfl ssh-ed25519 AAAA\n",
            "*.azure,!web*,!db* ssh-ed25519 AAAA\n",
            "nonsense",
        ] {
            assert_eq!(renamed(text), None, "{text}");
        }
        let commented = format!("#{EARLIER} ssh-ed25519 AAAA\n");
        assert_eq!(renamed(&commented), None);
    }

    #[test]
    fn patterns_match_as_those_of_ssh_do() {
        for (pattern, text, is_match) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*b*c", "a-bb-bc", true),
            ("a?c", "ac", false),
            ("a?c", "aBC", true),
            ("*.azure", "web.azure.x", false),
            ("a*", "b", false),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                is_match,
                "{pattern} {text}"
            );
        }
    }
}
