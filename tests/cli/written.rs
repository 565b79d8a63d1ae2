//! What we write into configs, and what we refuse to write there.

use std::fs;
use std::path::Path;

use crate::world::{Output, OwnAgent, World, options, options_with_sshd};

/// What a hostile archive calls a folder, so that it becomes lines of an ssh config.
const EVIL: &str = "evil\nMatch exec \"touch OWNED\"\n#";

/// Runs a command of ours in a folder.
fn in_folder(world: &World, folder: &Path, arguments: &str) -> Output {
    let ours = crate::world::program();
    let ours = ours.display();
    let script = format!("cd \"$1\" && exec {ours} {arguments}");
    world
        .program("/bin/sh")
        .env("ENTRA_SSH_CLOUD", world.sandbox.cloud_file())
        .env("ENTRA_SSH_KEYRING", "file")
        .args(["-c", &script, "sh"])
        .arg(folder)
        .run()
}

#[test]
fn a_folder_whose_name_is_lines_of_ssh_config_is_refused_and_nothing_is_written() {
    let world = World::signed_in(options());
    world.add(&["web01"]);
    let before = fs::read(world.managed_config()).unwrap();
    let folder = world.root().join(EVIL);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("k"), "key").unwrap();
    fs::write(folder.join("k.pub"), "key").unwrap();
    for arguments in [
        "config add web02 --local-user bob --private-key-file k",
        "config add web02 --public-key-file k.pub",
        "config add web02 --agent-socket agent.sock",
        "agent install --agent-socket agent.sock",
    ] {
        let output = in_folder(&world, &folder, arguments);
        output.ended_with(1);
        assert!(
            output.stderr.contains("contains a control character")
                && output.stderr.contains("\nhint: "),
            "{output}"
        );
        assert!(
            !output.stderr.lines().any(|line| line.starts_with("Match")),
            "{output}"
        );
    }
    assert!(fs::read(world.managed_config()).unwrap() == before);
    world.ssh_command(&["-G", "web01"]).run().succeeded();
}

#[test]
fn a_home_or_runtime_folder_whose_name_is_lines_is_refused() {
    let world = World::signed_in(options());
    let folder = world.root().join(EVIL);
    fs::create_dir(&folder).unwrap();
    for name in [
        "HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_RUNTIME_DIR",
        "XDG_STATE_HOME",
    ] {
        let output = world.command(&["status"]).env(name, &folder).run();
        output.ended_with(1);
        assert!(
            output.stderr.contains("contains a control character"),
            "{name}: {output}"
        );
    }
    assert_eq!(
        fs::read_dir(&folder).unwrap().count(),
        0,
        "nothing is made there"
    );
    let output = world.command(&["status"]).env("HOME", "home").run();
    output.ended_with(1);
    assert!(
        output
            .stderr
            .contains("the home folder `home` is not an absolute path"),
        "{output}"
    );
}

#[test]
fn a_key_in_a_folder_with_every_sign_is_found_by_ssh_and_harms_no_other_host() {
    let world = World::signed_in(options());
    world.add(&["web01"]);
    let folder = world.root().join("a \"b\" 'c' 100% \\d $e #f `g` (h) *");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("k"), "key").unwrap();
    let output = in_folder(
        &world,
        &folder,
        "config add web02 --local-user bob --private-key-file k",
    );
    output.succeeded();
    let read = world.ssh_command(&["-G", "web02"]).run();
    read.succeeded();
    let expected = folder.join("k").display().to_string();
    let found = read
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("identityfile "))
        .map(|file| file.replace("%%", "%"));
    assert_eq!(found, Some(expected), "{read}");
    world.ssh_command(&["-G", "web01"]).run().succeeded();
}

/// What people have for all hosts: from hardening guides, of smart cards, password managers and corporate images.
const FOR_ALL_HOSTS: &str = "Host *
    AddKeysToAgent yes
    AddressFamily inet
    CanonicalDomains corp.invalid
    CanonicalizeFallbackLocal no
    CanonicalizeHostname always
    CheckHostIP yes
    ForwardAgent yes
    GSSAPIAuthentication yes
    HashKnownHosts yes
    HostKeyAlias everywhere
    IdentitiesOnly yes
    IdentityAgent ~/.1password/agent.sock
    IdentityFile ~/.ssh/id_ed25519
    PKCS11Provider /usr/lib/opensc-pkcs11.so
    Port 2200
    PreferredAuthentications keyboard-interactive,password
    ProxyJump bastion.corp.invalid
    ProxyUseFDPass yes
    PubkeyAcceptedAlgorithms ssh-ed25519
    PubkeyAuthentication no
    User corp
    UserKnownHostsFile /dev/null
    VerifyHostKeyDNS yes
";

#[test]
fn what_the_user_has_for_all_hosts_keeps_no_managed_host_from_being_reached() {
    let world = World::signed_in(options_with_sshd(&["web01", "vm01"]));
    let port = world.port("vm01");
    let own = OwnAgent::start(&world);
    for identity in ["agent", "file", "system-agent"] {
        for host in [&["web01"][..], &["vm01", "--port", &port]] {
            world
                .command(&["config", "add", "--identity", identity])
                .args(host)
                .env("SSH_AUTH_SOCK", &own.socket)
                .run()
                .succeeded();
        }
        let ours = fs::read_to_string(world.ssh_config()).unwrap();
        fs::write(
            world.ssh_config(),
            format!("{}{FOR_ALL_HOSTS}", ours.replace(FOR_ALL_HOSTS, "")),
        )
        .unwrap();
        for host in ["web01", "vm01"] {
            let output = world
                .ssh_command(&["-o", "BatchMode=yes", host, "true"])
                .env("SSH_AUTH_SOCK", &own.socket)
                .run();
            assert_eq!(output.status, 0, "{identity}: {output}");
            // Options of the command line come before those of a config.
            let output = world
                .command(&["ssh", host, "--", "-o", "BatchMode=yes", "-F"])
                .arg(world.ssh_config())
                .args(["-o", "StrictHostKeyChecking=accept-new", "true"])
                .env("SSH_AUTH_SOCK", &own.socket)
                .run();
            assert_eq!(output.status, 0, "{identity}: {output}");
        }
    }
}

#[test]
fn port_0_is_refused_wherever_a_port_is_named() {
    let world = World::signed_in(options());
    for arguments in [
        &["config", "add", "web01", "--port", "0"][..],
        &["ssh", "web01", "--port", "0"],
        &["forward", "web01", "--port", "0"],
        &["proxy", "--ip", "127.0.0.1", "--port", "0"],
        &["config", "add", "web01", "--port", "65536"],
        &["agent", "install", "--idle", "0"],
        &["agent", "run", "--idle", "0"],
    ] {
        world.entra_ssh(arguments).ended_with(2);
    }
    assert!(!world.managed_config().exists());
}

#[test]
fn the_path_that_outlives_an_upgrade_is_written() {
    let world = World::signed_in(options());
    // As Homebrew lays it out: a folder for each version, and a link on the PATH.
    let [cellar, bin] = ["Cellar/0.1.0", "bin"].map(|name| world.home().join(name));
    for folder in [&cellar, &bin] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::copy(crate::world::program(), cellar.join("entra-ssh")).unwrap();
    let link = bin.join("entra-ssh");
    std::os::unix::fs::symlink("../Cellar/0.1.0/entra-ssh", &link).unwrap();
    let path = std::env::join_paths([&bin, Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
    for arguments in [
        &["config", "add", "web01", "--identity", "file"][..],
        &["agent", "install"],
    ] {
        // Called by its path in the cellar, too, it is found by the link.
        for program in [&link, &cellar.join("entra-ssh")] {
            world
                .program(program)
                .args(arguments)
                .env("PATH", &path)
                .env("ENTRA_SSH_CLOUD", world.sandbox.cloud_file())
                .env("ENTRA_SSH_KEYRING", "file")
                .run()
                .succeeded();
        }
    }
    let unit = world
        .home()
        .join(".config/systemd/user/entra-ssh-agent.service");
    for file in [world.managed_config(), unit] {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(link.to_str().unwrap()), "{text}");
        assert!(!text.contains("Cellar"), "{text}");
    }
}

#[test]
fn a_path_with_control_characters_is_refused_wherever_one_is_named() {
    let world = World::signed_in(options());
    let path = "/tmp/a\nMatch exec true\n#";
    for arguments in [
        &["cert", "--file"][..],
        &["cert", "--public-key-file"],
        &["cert", "show"],
        &["config", "add", "web01", "--public-key-file"],
        &[
            "config",
            "add",
            "web01",
            "--local-user",
            "bob",
            "--private-key-file",
        ],
        &["rotate", "--public-key-file"],
        &["status", "--agent-socket"],
        &["status", "--log-file"],
        &["login", "--device-code", "--cloud"],
        &["login", "--federated-token-file"],
    ] {
        let output = world.command(arguments).arg(path).run();
        assert!((1..=2).contains(&output.status), "{output}");
        assert!(
            output.stderr.contains("contains a control character"),
            "{output}"
        );
    }
}
