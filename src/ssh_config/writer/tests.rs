use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::*;
use crate::host::env::Env;
use crate::host::files::{self, Access};
use crate::host::process::{self, Captured};

/// How long ssh may take here, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Has ssh read a config as for the host `x`, and do nothing else.
fn ssh(config: &str, arguments: &[&str]) -> Captured {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    files::write(&file, config.as_bytes(), Access::Private).unwrap();
    let mut all: Vec<OsString> = vec!["-F".into(), file.into()];
    all.extend(arguments.iter().map(OsString::from));
    all.push("x".into());
    let env = Env::of_this_process();
    let ssh = process::find_program("ssh", env.var_os("PATH")).expect("openssh-client");
    let ended = process::capture(&ssh, &all, LIMIT);
    Runtime::new().unwrap().block_on(ended).unwrap()
}

/// Returns the values that ssh reads for the host `x`.
fn read_by_ssh(config: &str) -> Vec<(String, String)> {
    let read = ssh(config, &["-G"]);
    let said = String::from_utf8_lossy(&read.stderr);
    assert!(read.status.success(), "{config}\n{said}");
    String::from_utf8(read.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(keyword, value)| (keyword.to_owned(), value.to_owned()))
        .collect()
}

fn value_of<'a>(read: &'a [(String, String)], keyword: &str) -> &'a str {
    let found = read.iter().find(|(name, _)| name == keyword);
    found.map_or("", |(_, value)| value)
}

/// Has a shell that ssh starts run a command that begins with a script which keeps its arguments, and returns these.
fn arguments_by_ssh(
    config: impl Fn(&Path) -> Option<String>,
    arguments: &[&str],
) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("keep");
    let kept = folder.path().join("kept");
    let text = format!("#!/bin/sh\nprintf '%s\\n' \"$@\" >'{}'\n", kept.display());
    files::write(&script, text.as_bytes(), Access::Private).unwrap();
    let mut rights = std::fs::metadata(&script).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o700);
    std::fs::set_permissions(&script, rights).unwrap();
    let config = config(&script)?;
    let ended = ssh(&config, arguments);
    Some(std::fs::read_to_string(&kept).unwrap_or_else(|error| {
        panic!(
            "{error}\n{config}\n{}",
            String::from_utf8_lossy(&ended.stderr)
        )
    }))
}

/// Signs that mean something to ssh, to a shell or to both, and some that mean nothing.
fn hostile() -> impl Strategy<Value = String> {
    let signs = r#" '"\%${}#`!~*?[]()&|;<>,=:^@-+ab1éß日"#;
    let signs: Vec<char> = signs.chars().collect();
    proptest::collection::vec(proptest::sample::select(signs), 1..12)
        .prop_map(|signs| signs.into_iter().collect())
}

/// Returns `%%` as ssh expands it: it lists some values as they stand and some as it uses them.
fn expanded(text: &str) -> String {
    text.replace("%%", "%")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ssh_reads_every_value_as_it_was(text in hostile()) {
        let path = PathBuf::from(format!("/tmp/{text}x"));
        let mut lines = vec!["Host x".to_owned()];
        let word = format!("w{text}w");
        lines.push(format!("HostKeyAlias {}", Value::word(&word).unwrap()));
        let name = Value::login_name(&word);
        prop_assert_eq!(name.is_err(), word.contains('%') || word.contains("${"));
        if let Ok(name) = &name {
            lines.push(format!("User {name}"));
        }
        let file = Value::path(&path);
        prop_assert_eq!(file.is_err(), text.contains("${"));
        if let Ok(file) = &file {
            for keyword in ["IdentityFile", "CertificateFile", "IdentityAgent", "UserKnownHostsFile"] {
                lines.push(format!("{keyword} {file}"));
            }
        }
        let read = read_by_ssh(&format!("{}\n", lines.join("\n")));
        prop_assert_eq!(value_of(&read, "hostkeyalias"), &word);
        if name.is_ok() {
            prop_assert_eq!(value_of(&read, "user"), &word);
        }
        if file.is_ok() {
            let path = path.to_str().unwrap();
            for keyword in ["identityagent", "userknownhostsfile"] {
                prop_assert_eq!(value_of(&read, keyword), path);
            }
            for keyword in ["identityfile", "certificatefile"] {
                prop_assert_eq!(expanded(value_of(&read, keyword)), path);
            }
        }
    }

    #[test]
    fn a_shell_of_ssh_reads_every_word_as_it_was(text in hostile()) {
        let words = [format!("/{text}"), text.clone(), format!("{text}end")];
        let write = |script: &Path| {
            let mut command = Command::new(script).unwrap().path(Path::new(&words[0])).unwrap();
            command = command.token("%p").word(&words[1]).unwrap().word(&words[2]).unwrap();
            Some(format!("Host x\nPort 7\nProxyCommand {}\n", command.to_proxy_command()))
        };
        let kept = arguments_by_ssh(write, &[]).unwrap();
        prop_assert_eq!(kept, format!("{}\n7\n{}\n{}\n", words[0], words[1], words[2]));
    }

    #[test]
    fn a_shell_of_match_exec_reads_every_word_as_it_was(text in hostile()) {
        let write = |script: &Path| {
            let command = Command::new(script).unwrap().word(&text).unwrap().literals(&["end"]);
            let written = command.to_match_exec();
            assert_eq!(written.is_err(), text.contains('\\'));
            Some(format!("Match host x exec {}\n", written.ok()?))
        };
        if let Some(kept) = arguments_by_ssh(write, &["-G"]) {
            prop_assert_eq!(kept, format!("{text}\nend\n"));
        }
    }

    #[test]
    fn an_include_leads_to_the_very_file(text in hostile()) {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join(format!("d{text}"));
        std::fs::create_dir(&inner).unwrap();
        let file = inner.join("config");
        files::write(&file, b"Host x\nUser found\n", Access::Private).unwrap();
        let include = Value::include(&file);
        prop_assert_eq!(include.is_err(), text.contains('%') || text.contains("${"));
        if let Ok(include) = include {
            let read = read_by_ssh(&format!("Include {include}\n"));
            prop_assert_eq!(value_of(&read, "user"), "found");
        }
    }
}

#[test]
fn reject_control_characters_in_every_position() {
    for sign in [
        "\n", "\r", "\t", "\0", "\u{b}", "\u{c}", "\x1b", "\x7f", "\u{85}", "\u{9b}",
    ] {
        let text = format!("/tmp/evil{sign}Match exec true{sign}#");
        let path = Path::new(&text);
        let command = || Command::new(Path::new("/bin/true")).unwrap();
        let refusals = [
            Value::word(&text).err(),
            Value::login_name(&text).err(),
            Value::path(path).err(),
            Value::include(path).err(),
            Command::new(path).err(),
            command().word(&text).err(),
            command().path(path).err(),
        ];
        for refusal in refusals {
            let told = refusal.unwrap().to_string();
            assert!(told.contains("control character"), "{told}");
            assert!(!told.contains(sign), "the message holds it: {told:?}");
        }
    }
}

#[test]
fn reject_paths_that_are_relative_or_not_unicode() {
    assert!(matches!(
        Value::path(Path::new("~/x")),
        Err(UnwritableError::Relative { .. })
    ));
    assert!(matches!(
        Command::new(Path::new("x")),
        Err(UnwritableError::Relative { .. })
    ));
    let path = Path::new(std::ffi::OsStr::from_bytes(b"/tmp/caf\xe9"));
    assert!(matches!(
        Value::path(path),
        Err(UnwritableError::NotUnicode { .. })
    ));
}

#[test]
fn what_needs_no_quotes_has_none() {
    for plain in ["/home/alice/.ssh/entra-ssh/config", "/home/Zoë/.ssh/config"] {
        assert_eq!(Value::path(Path::new(plain)).unwrap().as_str(), plain);
        assert_eq!(Value::include(Path::new(plain)).unwrap().as_str(), plain);
        assert_eq!(shell_word(plain), plain);
    }
    assert_eq!(Value::word("").unwrap().as_str(), "\"\"");
    assert_eq!(shell_word(""), "''");
}
