use std::path::Path;

/// Returns the user's ssh config with an `Include` of our file at its top, or `None` if it is there already.
///
/// It must stand before the first `Host` or `Match`, within which it would hold for those hosts alone. What the file holds
/// stays byte for byte, also where it is not UTF-8.
#[must_use]
pub fn with_include(config: &[u8], managed: &Path) -> Option<Vec<u8>> {
    let path = managed.display().to_string();
    let text = String::from_utf8_lossy(config);
    let is_there = text
        .lines()
        .map(str::trim_start)
        .take_while(|line| !begins_section(line))
        .any(|line| includes(line, &path));
    if is_there {
        return None;
    }
    let include = format!(
        "# The hosts that entra-ssh manages. Keep this line above the first Host or Match.\nInclude \"{path}\"\n"
    );
    let separator: &[u8] = if config.is_empty() { b"" } else { b"\n" };
    Some([include.as_bytes(), separator, config].concat())
}

fn keyword_and_rest(line: &str) -> (&str, &str) {
    line.split_once(|c: char| c.is_whitespace() || c == '=')
        .unwrap_or((line, ""))
}

fn begins_section(line: &str) -> bool {
    let (keyword, _) = keyword_and_rest(line);
    keyword.eq_ignore_ascii_case("host") || keyword.eq_ignore_ascii_case("match")
}

fn includes(line: &str, path: &str) -> bool {
    let (keyword, rest) = keyword_and_rest(line);
    let rest = rest.trim();
    keyword.eq_ignore_ascii_case("include")
        && (rest == path
            || rest.trim_matches('"') == path
            || rest.split_whitespace().any(|word| word == path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANAGED: &str = "/home/alice/.ssh/entra-ssh/config";

    fn add(config: &[u8]) -> Option<Vec<u8>> {
        with_include(config, Path::new(MANAGED))
    }

    #[test]
    fn an_empty_file_gets_the_line_and_no_more() {
        let added = String::from_utf8(add(b"").unwrap()).unwrap();
        assert!(added.ends_with(&format!("Include \"{MANAGED}\"\n")));
        assert_eq!(add(added.as_bytes()), None);
    }

    #[test]
    fn whatever_stood_there_stands_below_byte_for_byte() {
        for before in [
            &b"Host *\r\n  User x\r\n"[..],
            b"\xff\xfe no end of line",
            b"# Include \"/home/alice/.ssh/entra-ssh/config\"\nHost a\n",
        ] {
            let added = add(before).unwrap();
            assert!(added.ends_with(before));
            assert!(added.starts_with(b"# The hosts"));
            assert_eq!(add(&added), None, "the second time nothing is added");
        }
    }

    #[test]
    fn an_include_within_a_host_does_not_count() {
        let config = format!("Host a\n  Include {MANAGED}\n");
        assert!(add(config.as_bytes()).is_some());
        let config = format!("\n  include=\"{MANAGED}\"\nHost a\n");
        assert!(add(config.as_bytes()).is_none());
        let config = format!("Include other {MANAGED}\n");
        assert!(add(config.as_bytes()).is_none());
    }
}
