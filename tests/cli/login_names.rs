//! Names that Entra has and OpenSSH's command line does not take, and the rules for both.

use std::fs;

use entra_ssh::internal::ids::{HostAlias, Principal};
use sandbox::Options;

use crate::world::{ADA, Forward, World, options_with, wait_for};

const APOSTROPHE: &str = "O'Brien@contoso.example";
const DASH: &str = "-dash@contoso.example";

fn with_user(upn: &str) -> Options {
    let mut options = options_with(&["web01"]);
    let mut user = options.users[0].clone();
    upn.clone_into(&mut user.upn);
    user.memberships.truncate(1);
    upn.clone_into(&mut user.memberships[0].upn);
    options.users.push(user);
    options
}

#[test]
fn names_that_ssh_refuses_on_its_command_line_log_in_by_every_way() {
    for upn in [
        APOSTROPHE,
        DASH,
        "Guest_Fabrikam.example#EXT#@contoso.example",
    ] {
        let world = World::with(with_user(upn));
        world.login(upn);
        let told = format!("{}\n", upn.to_lowercase());
        // Without config, as a managed host by our command and by plain ssh, and by way of a port.
        let without_config = world.connect(&["ssh", "web01"], "echo $USER");
        without_config.run().printed(&told);
        world.add(&["web01"]);
        world
            .entra_ssh(&["ssh", "web01", "--", "echo $USER"])
            .printed(&told);
        world.ssh("web01", "echo $USER").printed(&told);
        let forward = Forward::start(world.command(&["forward", "web01"]));
        let stderr = || forward.running.stderr();
        wait_for("the line", || stderr().ends_with('\n'));
        let line = stderr();
        let line = line.strip_prefix("log in with: ").unwrap().trim_end();
        let typed = world
            .program("sh")
            .args(["-c", &format!("{line} 'echo $USER'")]);
        let output = typed.run();
        output.succeeded();
        assert_eq!(output.stdout, told, "{line}");
    }
}

#[test]
fn the_users_own_config_holds_where_a_config_stands_in_for_the_command_line() {
    let world = World::with(with_user(APOSTROPHE));
    world.login(APOSTROPHE);
    world.make_ssh_folder();
    fs::write(world.ssh_config(), "Host *\n  RemoteCommand echo mine\n").unwrap();
    let other = world.root().join("other config");
    fs::write(&other, "Host web01-*\n  RemoteCommand echo other\n").unwrap();
    let connect = |arguments: &[&str]| {
        let ssh = world.command(&[
            "ssh",
            "web01",
            "--",
            "-o",
            "StrictHostKeyChecking=accept-new",
        ]);
        let output = ssh.args(arguments).run();
        output.succeeded();
        output.stdout
    };
    assert_eq!(connect(&[]), "mine\n");
    assert_eq!(connect(&["-F", other.to_str().unwrap()]), "other\n");
    assert_eq!(connect(&["-F", "none", "echo none"]), "none\n");
    let folder = world.runtime().join("entra-ssh/connections");
    let written: Vec<_> = fs::read_dir(&folder).unwrap().collect();
    assert_eq!(written.len(), 1, "{written:?}");
    connect(&[]);
    let path = written[0].as_ref().unwrap().path();
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.ends_with("    Include /etc/ssh/ssh_config\n"),
        "{text}"
    );
    assert_eq!(crate::world::mode(&path), 0o600);
}

/// Returns words with each printable character of ASCII at each place.
fn words() -> impl Iterator<Item = String> {
    (b'!'..=b'~').map(char::from).flat_map(|sign| {
        [
            format!("a{sign}b"),
            format!("{sign}ab"),
            format!("ab{sign}"),
        ]
    })
}

#[test]
fn the_aliases_that_are_accepted_are_those_that_ssh_accepts() {
    let world = World::new();
    let config = world.root().join("config");
    let mut accepted = 0;
    for word in words() {
        let Ok(alias) = word.parse::<HostAlias>() else {
            let other = HostAlias::closest_to(&word);
            assert!(other.is_some_and(|other| other.as_str() != word), "{word}");
            continue;
        };
        accepted += 1;
        fs::write(
            &config,
            format!("Match host {alias}\n  Port 7\nHost {alias}\n  HostName x\n"),
        )
        .unwrap();
        let read = world
            .program("ssh")
            .arg("-F")
            .arg(&config)
            .args(["-G", alias.as_str()])
            .run();
        read.succeeded();
        for line in ["hostname x", "port 7"] {
            assert!(
                read.stdout.lines().any(|said| said == line),
                "{alias}: {read}"
            );
        }
    }
    assert!(accepted > 3 * 62, "{accepted}");
}

#[test]
fn the_login_names_for_the_command_line_are_those_that_ssh_accepts_there() {
    let world = World::new();
    for word in words() {
        let Ok(name) = word.parse::<Principal>() else {
            continue;
        };
        let user = format!("User=\"{}\"", word.replace('\\', "\\\\"));
        let read = world
            .program("ssh")
            .args(["-F", "none", "-o", &user, "-G", "x"])
            .run();
        let is_accepted = read
            .stdout
            .lines()
            .any(|line| line == format!("user {word}"));
        assert_eq!(is_accepted, name.is_for_command_line(), "{word}: {read}");
    }
    // One that is not for the command line stays none of ssh's options.
    world.login(ADA);
    let refused = world.entra_ssh(&["config", "add", "web01", "--local-user=-o;x"]);
    refused.ended_with(2);
}
