//! What commands print when they succeed, and what `status` and `why` tell of what did not.

use std::fs;
use std::time::Duration;

use sandbox::{Fault, Options};

use super::{assert_command, assert_invocation, assert_screen, regular, screen};
use crate::world::{ADA, CONTOSO, DEPLOY, DEPLOY_SECRET, Output, World, options};

/// Where these screens are.
const FOLDER: &str = "results";

/// Returns a world whose certificates have the same time left for half an hour: `2 d`.
fn world() -> World {
    World::with(Options {
        certificate_lifetime: Duration::from_secs(2 * 86_400 + 1_800),
        ..options()
    })
}

/// Signs the service principal in as the profile `deploy`.
fn login_deploy(world: &World) -> Output {
    let login = world.command(&["login", "--profile", "deploy", "--service-principal"]);
    let login = login.args(["--client-id", DEPLOY, "--tenant", CONTOSO]);
    let output = login.env("ENTRA_SSH_CLIENT_SECRET", DEPLOY_SECRET).run();
    output.succeeded();
    output
}

#[track_caller]
fn check(world: &World, name: &str, line: &str) {
    assert_command(FOLDER, name, world, line);
}

#[test]
fn status_reads_as_it_was_accepted() {
    let world = world();
    check(&world, "status-nobody", "status");
    world.login(ADA);
    check(&world, "status-no-certificate", "status");
    world.entra_ssh(&["cert"]).succeeded();
    check(&world, "status", "status");
    let fabrikam = "fab21ca0-0000-4000-8000-000000000002";
    world
        .entra_ssh(&["rotate", "--tenant", fabrikam])
        .succeeded();
    login_deploy(&world);
    let profiles = world.home().join(".config/entra-ssh/profiles");
    fs::write(profiles.join("broken.json"), "{").unwrap();
    check(&world, "status-several", "status");
    check(&world, "status-other-keyring", "status --keyring memory");
    fs::remove_dir_all(world.keyring_folder()).unwrap();
    check(&world, "status-signed-out", "status");
}

#[test]
fn the_status_of_an_account_that_variables_name_reads_as_it_was_accepted() {
    let world = world();
    let status = world
        .command(&["status"])
        .env("AZURE_CLIENT_ID", DEPLOY)
        .env("AZURE_TENANT_ID", CONTOSO)
        .env("AZURE_CLIENT_SECRET", DEPLOY_SECRET);
    assert_invocation(FOLDER, "status-variables", &world, "status", status);
}

#[test]
fn signing_in_and_out_reads_as_it_was_accepted() {
    let world = world();
    let login = world.login(ADA);
    let line = "login --device-code";
    let seen = screen(&world, line, &login);
    assert_screen(FOLDER, "login-device-code", &user_code_hidden(&seen));
    world.entra_ssh(&["cert"]).succeeded();
    let line = "--profile deploy login --service-principal --client-id ID --tenant ID";
    let deploy = login_deploy(&world);
    assert_screen(
        FOLDER,
        "login-service-principal",
        &screen(&world, line, &deploy),
    );
    world.login_as(ADA, &["--profile", "twin"]);
    check(&world, "logout", "logout");
    check(&world, "logout-all", "logout --all");
    check(&world, "logout-nobody", "logout --all");
}

/// Hides the code that Entra gives out: the only word of eight or more capitals and digits.
fn user_code_hidden(text: &str) -> String {
    let is_code = |word: &str| {
        let letters = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        letters.len() >= 8
            && letters
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    };
    text.lines()
        .map(|line| {
            let words = line.split(' ');
            let words: Vec<String> = words
                .map(|word| match word {
                    code if is_code(code) => {
                        let rest = code.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
                        format!("[CODE]{rest}")
                    }
                    word => word.to_owned(),
                })
                .collect();
            words.join(" ") + "\n"
        })
        .collect()
}

#[test]
fn certificates_read_as_they_were_accepted() {
    let world = world();
    world.login(ADA);
    check(&world, "cert", "cert");
    check(&world, "cert-show", "cert show");
    world
        .program("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "3072", "-N", "", "-f", "own"])
        .run()
        .succeeded();
    check(&world, "cert-own-key", "cert --public-key-file own.pub");
    check(&world, "rotate-not-due", "rotate");
    check(&world, "rotate-force", "rotate --force");
}

#[test]
fn the_managed_hosts_read_as_they_were_accepted() {
    let world = world();
    world.login(ADA);
    check(&world, "config-list-empty", "config list");
    check(&world, "config-add", "config add web01 vm01");
    check(&world, "config-add-again", "config add web01");
    check(&world, "config-add-changed", "config add web01 --port 2222");
    check(
        &world,
        "config-add-local-user",
        "config add web02 --local-user admin",
    );
    check(
        &world,
        "config-add-address",
        "config add 10.0.0.4 --alias old",
    );
    check(&world, "config-list", "config list");
    check(&world, "config-show", "config show web01");
    check(&world, "config-show-direct", "config show vm01");
    check(&world, "config-refresh", "config refresh");
    let text = fs::read_to_string(world.ssh_config()).unwrap();
    fs::write(world.ssh_config(), text + "\nHost web01\n  User me\n").unwrap();
    check(&world, "config-add-rival", "config add web01");
    check(&world, "config-remove", "config remove web01 vm01");
}

#[test]
fn the_agent_reads_as_it_was_accepted() {
    let world = world();
    check(&world, "agent-status-stopped", "agent status");
    world.login(ADA);
    check(&world, "agent-stop-nothing", "agent stop");
    world.entra_ssh(&["cert"]).succeeded();
    check(&world, "agent-status", "agent status");
    check(&world, "agent-stop", "agent stop");
    check(&world, "agent-install", "agent install");
}

#[test]
fn a_forward_reads_as_it_was_accepted() {
    let world = world();
    world.login(ADA);
    let mut forward = world.command(&["forward", "web01"]).start();
    forward.wait_until("the port", |forward| {
        forward.stderr().contains("ssh ").then_some(())
    });
    let seen = format!(
        "$ entra-ssh forward web01\n{}--- standard error\n{}",
        forward.stdout(),
        forward.stderr()
    );
    assert_screen(FOLDER, "forward", &regular(&world, &seen));
}

#[test]
fn why_reads_as_it_was_accepted() {
    let world = world();
    check(&world, "why-nothing", "why");
    world.login(ADA);
    world.add(&["web01"]);
    let text = "There are no listeners connected for the endpoint".to_owned();
    let nobody = Fault::RelayRefuse { status: 404, text };
    world.sandbox.fault(nobody.times(0));
    world.ssh("web01", "true").ended_with(255);
    check(&world, "why", "why");
}
