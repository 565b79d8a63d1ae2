mod pattern;

use std::path::{Component, Path, PathBuf};

use self::pattern::matches;
use super::writer::Value;

/// Our file as ssh looks for it in the folder of the user's config, which has a form whatever the path of that folder is.
const RELATIVE: &str = "entra-ssh/config";

/// Returns the line that has ssh read our file.
#[must_use]
pub(crate) fn include_line(managed: &Path) -> String {
    match Value::include(managed) {
        Ok(path) => format!("Include {path}"),
        Err(_) => format!("Include {RELATIVE}"),
    }
}

/// Returns the user's ssh config with an `Include` of our file at its top, or `None` if it is there already, in whatever form.
///
/// It must stand before the first `Host` or `Match`, within which it would hold for those hosts alone. What the file holds
/// stays byte for byte, also where it is not UTF-8.
#[must_use]
pub(crate) fn with_include(config: &[u8], managed: &Path, home: &Path) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(config);
    let is_there = text
        .lines()
        .filter_map(Line::parse)
        .take_while(|line| !line.restricts())
        .any(|line| line.includes(managed, home));
    if is_there {
        return None;
    }
    let include = format!(
        "# The hosts that entra-ssh manages. Keep this line above the first Host or Match.\n{}\n",
        include_line(managed)
    );
    let separator: &[u8] = if config.is_empty() { b"" } else { b"\n" };
    Some([include.as_bytes(), separator, config].concat())
}

/// A line of an ssh config that says something.
struct Line {
    /// In lower case.
    keyword: String,
    arguments: Vec<String>,
}

impl Line {
    /// Reads a line as ssh does; none if it is empty, a comment, or has a quote without its twin.
    fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let ends = |sign: char| sign.is_whitespace() || sign == '=';
        let (keyword, rest) = match line.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => line.find(ends).map_or((line, ""), |end| line.split_at(end)),
        };
        let rest = rest.trim_start();
        let rest = rest.strip_prefix('=').unwrap_or(rest);
        Some(Self {
            keyword: keyword.to_ascii_lowercase(),
            arguments: arguments(rest)?,
        })
    }

    /// Returns whether what follows holds for some hosts alone.
    fn restricts(&self) -> bool {
        match self.keyword.as_str() {
            "host" => !self.arguments.iter().any(|pattern| pattern == "*"),
            "match" => self.arguments != ["all"],
            _ => false,
        }
    }

    fn includes(&self, managed: &Path, home: &Path) -> bool {
        self.keyword == "include"
            && self
                .arguments
                .iter()
                .map(|argument| absolute(argument, home))
                .any(|path| matches(&path, &plain(managed)))
    }
}

/// Splits the arguments of a line as OpenSSH does (`argv_split` in its `misc.c`): a `#` at the beginning of one ends them.
fn arguments(text: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut signs = text.chars().peekable();
    loop {
        while signs.next_if(|sign| sign.is_whitespace()).is_some() {}
        match signs.peek() {
            None | Some('#') => return Some(found),
            Some(_) => {}
        }
        let (mut argument, mut quote) = (String::new(), None);
        while let Some(sign) = signs.next_if(|sign| quote.is_some() || !sign.is_whitespace()) {
            let is_escape =
                |next: &char| "'\"\\".contains(*next) || (quote.is_none() && *next == ' ');
            match (sign, quote) {
                ('\\', _) => argument.push(signs.next_if(is_escape).unwrap_or('\\')),
                ('"' | '\'', None) => quote = Some(sign),
                (_, Some(begun)) if begun == sign => quote = None,
                _ => argument.push(sign),
            }
        }
        if quote.is_some() {
            return None;
        }
        found.push(argument);
    }
}

/// Returns where ssh looks for an included file: below the home folder, below `~/.ssh`, or where it says. From OpenSSH 9.9 on,
/// tokens and variables may name the home folder.
fn absolute(argument: &str, home: &Path) -> String {
    let home_text = home.display().to_string();
    let argument = argument
        .replace("%d", &home_text)
        .replace("${HOME}", &home_text)
        .replace("%%", "%");
    let path = match argument.strip_prefix("~/") {
        Some(below) => home.join(below),
        None => home.join(".ssh").join(argument),
    };
    plain(&path)
}

/// Returns a path without `.`, `..` and doubled slashes.
fn plain(path: &Path) -> String {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "/home/alice";
    const MANAGED: &str = "/home/alice/.ssh/entra-ssh/config";

    fn add(config: &[u8]) -> Option<Vec<u8>> {
        with_include(config, Path::new(MANAGED), Path::new(HOME))
    }

    #[test]
    fn an_empty_file_gets_the_line_and_no_more() {
        let added = String::from_utf8(add(b"").unwrap()).unwrap();
        assert!(added.ends_with(&format!("\nInclude {MANAGED}\n")));
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
    fn every_form_of_the_line_is_recognised() {
        for line in [
            "Include /home/alice/.ssh/entra-ssh/config",
            "Include \"/home/alice/.ssh/entra-ssh/config\"",
            "include '/home/alice/.ssh/entra-ssh/config'",
            "  INCLUDE=~/.ssh/entra-ssh/config",
            "Include = \"~/.ssh/entra-ssh/config\"",
            "\"Include\" entra-ssh/config",
            "Include entra-ssh/config # ours",
            "Include ./entra-ssh//config",
            "Include ../.ssh/entra-ssh/config",
            "Include entra-ssh/*",
            "Include */config",
            "Include ~/.ssh/entra-ss[gh]/conf?g",
            "Include config.d/* entra-ssh/config other",
            "Include \"config.d/my hosts\" \"entra-ssh/config\"",
            "Include %d/.ssh/entra-ssh/config",
            "Include ${HOME}/.ssh/entra-ssh/config",
            "\tInclude\tentra-ssh/config\r",
            "User me\nInclude entra-ssh/config",
            "Host *\nInclude entra-ssh/config",
            "Match all\nInclude entra-ssh/config",
        ] {
            assert_eq!(add(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn what_includes_another_file_or_holds_for_some_hosts_alone_does_not_count() {
        for line in [
            "Include entra-ssh",
            "Include entra-ssh/config.old",
            "Include *",
            "Include *.conf",
            "Include entra-ssh/*.conf",
            "Include \"entra-ssh/config",
            "Include other # entra-ssh/config",
            "#Include entra-ssh/config",
            "Includes entra-ssh/config",
            "Host a\n  Include entra-ssh/config",
            "Host=a\n  Include entra-ssh/config",
            "Match host a\n  Include entra-ssh/config",
            "Include /home/bob/.ssh/entra-ssh/config",
        ] {
            assert!(add(line.as_bytes()).is_some(), "{line}");
        }
    }

    #[test]
    fn a_home_folder_of_any_name_has_a_line() {
        for (home, expected) in [
            (
                "/home/alice smith",
                "Include \"/home/alice smith/.ssh/entra-ssh/config\"",
            ),
            ("/home/50%", "Include entra-ssh/config"),
            ("/home/${x}", "Include entra-ssh/config"),
        ] {
            let home = Path::new(home);
            let managed = home.join(".ssh/entra-ssh/config");
            assert_eq!(include_line(&managed), expected);
            let config = with_include(b"", &managed, home).unwrap();
            assert_eq!(with_include(&config, &managed, home), None);
        }
    }
}
