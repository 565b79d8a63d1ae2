//! Keys in files and in the user's own agent.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::time::Duration;

use sandbox::{MachineKind, Options};

use crate::world::{ADA, CONTOSO, Clock, OwnAgent, World, mode, options_with};

/// How long a login may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long a certificate lasts, in seconds, where a test waits for its end.
const LIFE: u64 = 200;
/// When it has expired, in seconds. Certificates are valid from 300 s before they are issued, so that the machine, by its own
/// clock, accepts the next one.
const PAST_ITS_END: i64 = 250;

fn add(world: &World, identity: &str) {
    let added = world.json(&["config", "add", "web01", "--identity", identity]);
    assert_eq!(added[0]["identity"], identity);
}

fn key_files(world: &World) -> Vec<String> {
    let folder = world.home().join(".ssh/entra-ssh/keys");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .map(|entries| {
            entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect()
        })
        .unwrap_or_default();
    names.sort();
    if !names.is_empty() {
        assert_eq!(mode(&folder), 0o700);
    }
    for name in &names {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
    names
}

#[test]
fn keys_in_files_are_renewed_before_ssh_reads_them() {
    let world = World::signed_in(options_with(&["web01"]));
    add(&world, "file");
    let login = |world: &World| {
        world
            .ssh_command(&["-o", "IdentityAgent=none", "web01", "true"])
            .run()
            .succeeded();
    };
    login(&world);
    let name = format!("default-{CONTOSO}");
    assert_eq!(
        key_files(&world),
        [name.clone(), format!("{name}-cert.pub")]
    );
    let certificate = world
        .home()
        .join(format!(".ssh/entra-ssh/keys/{name}-cert.pub"));
    // No agent is running any more, and the certificate is over.
    world.let_the_certificate_expire();
    let expired = fs::read(&certificate).unwrap();
    login(&world);
    assert_ne!(fs::read(&certificate).unwrap(), expired);
    // For other hosts nothing is run.
    let requests = world.certificate_requests();
    world.ssh_command(&["-G", "example.com"]).run().succeeded();
    assert_eq!(world.certificate_requests(), requests);
    world.entra_ssh(&["logout"]).succeeded();
    assert!(key_files(&world).is_empty());
}

#[test]
fn the_users_own_agent_gets_the_certificate_for_as_long_as_it_lives_and_keeps_its_own_keys() {
    let world = World::signed_in(Options {
        certificate_lifetime: Duration::from_secs(LIFE),
        ..options_with(&["web01"])
    });
    let clock = Clock::new(&world);
    let own = OwnAgent::start_with(&world, &clock);
    let _agent = clock.start_agent(&world);
    // More keys than a server lets anyone try.
    for number in 0..8 {
        let name = format!("own{number}");
        world
            .program("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", &name, "-f", &name])
            .run()
            .succeeded();
        world
            .program("ssh-add")
            .env("SSH_AUTH_SOCK", &own.socket)
            .args(["-q", &name])
            .run()
            .succeeded();
    }
    add(&world, "system-agent");
    let login = || {
        let ssh = world.ssh_command(&["web01", "true"]);
        clock
            .drive(ssh.env("SSH_AUTH_SOCK", &own.socket))
            .run()
            .succeeded();
    };
    let ours = || {
        let listed = own.listed(&world);
        listed
            .into_iter()
            .filter(|line| line.contains(" entra-ssh "))
            .collect::<Vec<_>>()
    };
    login();
    let name = format!("default-{CONTOSO}");
    assert_eq!(
        key_files(&world),
        [format!("{name}-cert.pub"), format!("{name}.pub")]
    );
    assert_eq!(ours().len(), 2, "the certificate, and the bare key");
    assert!(ours()[0].contains(ADA), "{:?}", ours());
    assert_eq!(own.listed(&world).len(), 10);
    login();
    assert_eq!(ours().len(), 2, "they are added once");
    clock.set_with_entra(&world, PAST_ITS_END);
    assert!(ours().is_empty(), "{:?}", ours());
    login();
    assert_eq!(ours().len(), 2);
    world
        .command(&["logout"])
        .env("SSH_AUTH_SOCK", &own.socket)
        .run()
        .succeeded();
    assert_eq!(own.listed(&world).len(), 8, "the user's own keys stay");
    assert!(key_files(&world).is_empty());
}

#[test]
fn a_connection_without_any_config_may_be_made_with_keys_in_files_or_in_the_users_own_agent() {
    let world = World::signed_in(options_with(&["web01"]));
    let own = OwnAgent::start(&world);
    for identity in ["file", "system-agent"] {
        let ssh = world
            .connect(&["ssh", "web01", "--identity", identity], "echo in")
            .env("SSH_AUTH_SOCK", &own.socket)
            .run();
        ssh.succeeded();
        assert_eq!(ssh.stdout, "in\n", "{identity}");
    }
}

/// The forms of identity, as options of `config add`.
const FORMS: [&[&str]; 5] = [
    &["--identity", "agent"],
    &["--identity", "system-agent"],
    &["--identity", "file"],
    &["--public-key-file", "mine.pub"],
    &["--local-user", LOCAL_USER, "--private-key-file", "mine"],
];
/// A local account of the machine, which certificates do not let in.
const LOCAL_USER: &str = "builder";

/// Returns a way from form to form on which each follows each other one once.
fn every_pair() -> Vec<usize> {
    let last = FORMS.len() - 1;
    let mut way = vec![0];
    for low in 0..last {
        for high in low + 1..=last {
            way.extend([high, low]);
        }
        way.push(low + 1);
    }
    way
}

#[test]
fn every_pair_of_forms_is_on_the_way() {
    let way = every_pair();
    for from in 0..FORMS.len() {
        for to in (0..FORMS.len()).filter(|to| *to != from) {
            assert!(way.windows(2).any(|pair| pair == [from, to]), "{from} {to}");
        }
    }
}

#[test]
fn a_host_that_changes_its_form_of_identity_stays_open_across_renewals() {
    let mut options = options_with(&["web01"]);
    options.machine_kind = MachineKind::Sshd;
    let mut builder = options.users[0].clone();
    builder.upn = LOCAL_USER.to_owned();
    builder.memberships.truncate(1);
    builder.memberships[0].upn = LOCAL_USER.to_owned();
    options.users.push(builder);
    let world = World::signed_in(options);
    let own = OwnAgent::start(&world);
    let keygen = ["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", "mine"];
    world.program("ssh-keygen").args(keygen).run().succeeded();
    let connect = |what: &str| {
        let ssh = world.ssh_command(&["-o", "BatchMode=yes", "web01", "echo $HOME"]);
        let output = ssh.env("SSH_AUTH_SOCK", &own.socket).limit(PATIENCE).run();
        assert_eq!(output.status, 0, "{what}: {output}");
        output.stdout
    };
    world.add(&["web01"]);
    let home = connect("at first");
    let home = PathBuf::from(home.trim_end()).with_file_name(LOCAL_USER);
    let builder = fs::DirBuilder::new().mode(0o700).create(home.join(".ssh"));
    builder.unwrap();
    let public = world.home().join("mine.pub");
    fs::copy(public, home.join(".ssh/authorized_keys")).unwrap();
    let mut before: &[&str] = &[];
    for form in every_pair() {
        let form = FORMS[form];
        let what = format!("{before:?}, then {form:?}");
        let add = world.command(&["config", "add", "web01"]).args(form);
        let add = add.env("SSH_AUTH_SOCK", &own.socket);
        add.run().succeeded();
        connect(&what);
        world.entra_ssh(&["rotate", "--force"]).succeeded();
        connect(&format!("{what}, and a renewal"));
        before = form;
    }
}
