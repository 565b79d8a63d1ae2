/// What a line of an ssh config says about which hosts are meant, and about other files.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Section {
    /// `Host` or `Match host`, with its names and patterns.
    Hosts(Vec<String>),
    /// `Include`, with its paths and patterns.
    Includes(Vec<String>),
}

/// Returns the lines of an ssh config that say which hosts are meant, or include other files, by number from 1.
///
/// It reads enough of `ssh_config(5)` to find a host by its name, and no more: the words of a line are those between blanks,
/// quoted or not.
#[must_use]
pub(crate) fn sections(config: &[u8]) -> Vec<(usize, Section)> {
    let text = String::from_utf8_lossy(config);
    text.lines()
        .enumerate()
        .filter_map(|(index, line)| Some((index + 1, section(line)?)))
        .collect()
}

fn section(line: &str) -> Option<Section> {
    let line = line.trim();
    let (keyword, rest) = line.split_once(|c: char| c.is_whitespace() || c == '=')?;
    let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '=');
    let mut words = rest
        .split_whitespace()
        .take_while(|word| !word.starts_with('#'))
        .map(|word| word.trim_matches('"').to_owned());
    match keyword.to_ascii_lowercase().as_str() {
        "host" => Some(Section::Hosts(words.collect())),
        "include" => Some(Section::Includes(words.collect())),
        "match" => {
            let is_of_host = |word: &String| {
                let word = word.to_ascii_lowercase();
                word == "host" || word == "originalhost"
            };
            words.by_ref().find(is_of_host)?;
            let names = words.next()?;
            Some(Section::Hosts(
                names.split(',').map(str::to_owned).collect(),
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(names: &[&str]) -> Section {
        Section::Hosts(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn hosts_and_includes_are_found_by_line() {
        let config =
            b"# Host no\nUser x\n\thost=web01 \"web02\" # not this\nInclude ~/.ssh/a conf.d/*\n\
            Match user x OriginalHost a,b exec \"true\"\nMatch all\nHostName web01\n\xff";
        assert_eq!(
            sections(config),
            [
                (3, hosts(&["web01", "web02"])),
                (
                    4,
                    Section::Includes(vec!["~/.ssh/a".into(), "conf.d/*".into()])
                ),
                (5, hosts(&["a", "b"])),
            ]
        );
    }
}
