use std::ffi::OsString;
use std::fmt;

/// The variable that names the ssh to call instead of the first on the `PATH`.
pub(crate) const SSH_VARIABLE: &str = "ENTRA_SSH_SSH";

/// Returns the arguments of an `ssh` that needs no config for this host: the options first, since of several values ssh
/// takes the first; then the host; then what the user gave, options and command alike, which ssh reads on behind the host.
#[must_use]
pub(crate) fn ssh_arguments(
    options: &[(&'static str, impl fmt::Display)],
    host: &str,
    rest: &[OsString],
) -> Vec<OsString> {
    let mut arguments = Vec::new();
    for (keyword, value) in options {
        arguments.push("-o".into());
        arguments.push(format!("{keyword}={value}").into());
    }
    arguments.push(host.into());
    arguments.extend_from_slice(rest);
    arguments
}

/// The options of ssh that take a value (`getopt` in its `ssh.c`).
const WITH_VALUE: &str = "BbcDEeFIiJLlmOoPpQRSWw";

/// Takes `-F FILE` out of what the user gave, and returns the file; the last one if there are several, as ssh does. What follows
/// the first word that is no option is the command, and stays.
pub(crate) fn take_config_file(arguments: &mut Vec<OsString>) -> Option<OsString> {
    let mut file = None;
    let mut index = 0;
    while let Some(text) = arguments.get(index).and_then(|argument| argument.to_str()) {
        let Some(letters) = text
            .strip_prefix('-')
            .filter(|rest| !rest.is_empty() && *rest != "-")
        else {
            break;
        };
        let Some((at, letter)) = letters
            .char_indices()
            .find(|(_, c)| WITH_VALUE.contains(*c))
        else {
            index += 1;
            continue;
        };
        let (flags, value) = letters.split_at_checked(at).unwrap_or((letters, ""));
        let value = value.strip_prefix(letter).filter(|value| !value.is_empty());
        let words = if value.is_some() { 1 } else { 2 };
        if letter != 'F' {
            index += words;
            continue;
        }
        let (flags, value) = (flags.to_owned(), value.map(OsString::from));
        let end = arguments.len().min(index + words);
        let mut taken = arguments.drain(index..end).skip(1);
        let following = taken.next();
        drop(taken);
        file = value.or(following).or(file);
        if !flags.is_empty() {
            arguments.insert(index, format!("-{flags}").into());
            index += 1;
        }
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_before_the_host_and_the_command_behind_it() {
        let options = [("User", "alice".to_owned())];
        let arguments = ssh_arguments(&options, "web01", &["exit".into(), "7".into()]);
        assert_eq!(arguments, ["-o", "User=alice", "web01", "exit", "7"]);
    }

    #[test]
    fn the_config_file_is_taken_from_among_the_options_and_not_from_the_command() {
        for (before, file, after) in [
            (&["-F", "mine", "uptime"][..], Some("mine"), &["uptime"][..]),
            (
                &["-vFmine", "-A", "ls", "-F"],
                Some("mine"),
                &["-v", "-A", "ls", "-F"],
            ),
            (
                &["-Fone", "-l", "-F", "-F", "two"],
                Some("two"),
                &["-l", "-F"],
            ),
            (&["--", "-F", "x"], None, &["--", "-F", "x"]),
            (&["tail", "-F", "log"], None, &["tail", "-F", "log"]),
            (
                &["-o", "-F", "-L1:h:2", "x"],
                None,
                &["-o", "-F", "-L1:h:2", "x"],
            ),
            (&["-F"], None, &[]),
            (&[], None, &[]),
        ] {
            let mut arguments: Vec<OsString> = before.iter().map(OsString::from).collect();
            let taken = take_config_file(&mut arguments);
            assert_eq!(
                taken.as_deref(),
                file.map(std::ffi::OsStr::new),
                "{before:?}"
            );
            assert_eq!(arguments, after, "{before:?}");
        }
    }
}
