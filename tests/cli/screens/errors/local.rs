//! What is wrong on this machine, or on the command line.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::check;
use crate::screens::assert_invocation;
use crate::world::{ADA, RefusingPort, World, options, options_with};

#[test]
fn wrong_command_lines_read_as_they_were_accepted() {
    let world = World::with(options_with(&[]));
    for (name, line) in [
        ("no-such-command", "conect"),
        ("no-such-option", "status --jason"),
        ("no-target", "config show"),
        ("conflict", "logout --all --profile work"),
        ("alias", "config add web01 --alias -"),
        ("aliases", "config add web01 web02 --alias web"),
        ("duration", "rotate --within 5x"),
        ("format", "status --output yaml"),
        ("keyring", "status --keyring vault"),
        ("machine", "config add /subscriptions/x"),
        ("port", "config add web01 --port 0"),
        ("profile", "status --profile .x"),
        ("tenant", "login --tenant a/b"),
        ("client", "login --service-principal --client-id x"),
        ("bind", "forward web01 --bind web02:22"),
        ("cloud", "login --cloud AzureMars"),
    ] {
        check("usage", name, &world, line);
    }
}

#[test]
fn sign_ins_that_are_missing_read_as_they_were_accepted() {
    let world = World::with(options());
    check("sign-in", "nobody", &world, "cert");
    check("sign-in", "no-such-profile", &world, "--profile work cert");
    check("sign-in", "no-terminal", &world, "login");
    world.login(ADA);
    fs::remove_dir_all(world.keyring_folder()).unwrap();
    world.stop_agent();
    check("sign-in", "lost", &world, "cert");
    let secret = "login --service-principal --client-id a9911ca7-0000-4000-8000-000000000301 --tenant contoso.example";
    check("sign-in", "no-secret", &world, secret);
    let github = "login --github-actions --client-id a9911ca7-0000-4000-8000-000000000303 --tenant contoso.example";
    check("sign-in", "no-job", &world, github);
}

#[test]
fn a_cloud_file_that_cannot_be_used_reads_as_it_was_accepted() {
    let world = World::with(options_with(&[]));
    let file = world.home().join("cloud.toml");
    let good = fs::read_to_string(world.sandbox.cloud_file()).unwrap();
    for (name, text) in [
        ("not-toml", "name = ".to_owned()),
        ("missing-key", "name = \"mars\"\n".to_owned()),
        ("not-https", good.replacen("https://", "http://", 1)),
        ("no-ca-file", good.replace("ca.pem", "nothing.pem")),
    ] {
        fs::write(&file, text).unwrap();
        check(
            "cloud",
            name,
            &world,
            "login --device-code --cloud cloud.toml",
        );
    }
}

#[test]
fn folders_and_sockets_that_cannot_be_used_read_as_they_were_accepted() {
    let world = World::with(options_with(&[]));
    world.login(ADA);
    let with = |name: &str, line: &str, variable: &str, value: &str| {
        let arguments: Vec<&str> = line.split(' ').collect();
        let command = world.command(&arguments).env(variable, value);
        let line = format!("{line}  # {variable}={value}");
        assert_invocation("errors/host", name, &world, &line, command).ended_with(1);
    };
    with("relative-home", "status", "HOME", "home");
    with(
        "control-character",
        "status",
        "XDG_CONFIG_HOME",
        "/tmp/a\nb",
    );
    let long = format!("agent start --agent-socket /tmp/{}", "x".repeat(120));
    check("host", "socket-too-long", &world, &long);
    let shared = world.home().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).unwrap();
    check(
        "host",
        "socket-in-shared-folder",
        &world,
        "agent start --agent-socket shared/s",
    );
    let port = RefusingPort::open();
    let proxy = format!("http://127.0.0.1:{}", port.number());
    with("proxy-refuses", "cert", "HTTPS_PROXY", &proxy);
    check("host", "full-device", &world, "cert --file /dev/full");
}

#[test]
fn keyrings_that_cannot_be_used_read_as_they_were_accepted() {
    let world = World::with(options_with(&[]));
    let service = "login --device-code --keyring secret-service";
    check("keyring", "no-secret-service", &world, service);
    check(
        "keyring",
        "of-another-system",
        &world,
        "login --device-code --keyring keychain",
    );
    world.login(ADA);
    world.stop_agent();
    for (_, file) in world.keyring_files() {
        fs::write(file, [1, 9, 0]).unwrap();
    }
    check("keyring", "damaged-entry", &world, "cert");
    for (_, file) in world.keyring_files() {
        fs::write(file, [2, 1]).unwrap();
    }
    check("keyring", "other-version", &world, "cert");
}

#[test]
fn ssh_configs_that_cannot_be_used_read_as_they_were_accepted() {
    let world = World::with(options());
    world.login(ADA);
    world.add(&["web01"]);
    check("hosts", "not-managed", &world, "config show web99");
    check(
        "hosts",
        "removed-in-part",
        &world,
        "config remove web01 web99",
    );
    world.add(&["web01"]);
    check(
        "hosts",
        "alias-taken",
        &world,
        "config add web02 --alias web01",
    );
    check(
        "hosts",
        "key-without-user",
        &world,
        "config add web01 --private-key-file k",
    );
    let managed = fs::read_to_string(world.managed_config()).unwrap();
    fs::write(
        world.managed_config(),
        managed.replace("# <<< entra-ssh\n", ""),
    )
    .unwrap();
    check("hosts", "block-without-end", &world, "config list");
    fs::write(
        world.managed_config(),
        managed.replace("{\"host\"", "{\"hots\""),
    )
    .unwrap();
    check("hosts", "damaged-mark", &world, "config list");
    let option = managed.replacen("# >>>", "NoSuchOption yes\n# >>>", 1);
    fs::write(world.managed_config(), option).unwrap();
    check("hosts", "rejected-by-ssh", &world, "config add web02");
}
