//! Connections: what they ask of whom, and how they end.

use std::fs;

use sandbox::{Fault, Service, Variation};

use crate::world::{ADA, World, options, options_with, wait_for};

/// Logs in at once as often as asked, and returns how each of them ended.
fn at_once(world: &World, count: usize, host: &str) -> Vec<crate::world::Output> {
    let running: Vec<_> = (0..count)
        .map(|number| {
            world
                .ssh_command(&[host, &format!("echo {number}")])
                .start()
        })
        .collect();
    running
        .into_iter()
        .map(crate::world::Running::finish)
        .collect()
}

#[test]
fn the_exit_status_of_ssh_is_passed_on() {
    let world = World::signed_in(options_with(&["web01"]));
    // Without any config, and with no host key known yet.
    let first = world.connect(&["ssh", "web01"], "exit 7").run();
    first.ended_with(7);
    assert!(!first.stderr.contains("Failed to add the host"), "{first}");
    assert!(!world.managed_config().exists());
    assert!(!world.ssh_config().exists());
    world
        .entra_ssh(&["ssh", "web01", "--", "exit", "7"])
        .ended_with(7);
    world
        .entra_ssh(&["ssh", "web01", "--", "exit 0"])
        .ended_with(0);
    world.add(&["web01"]);
    world
        .entra_ssh(&["ssh", "web01", "--", "exit", "7"])
        .ended_with(7);
    world.ssh("web01", "exit 7").ended_with(7);
}

#[test]
fn what_is_typed_and_printed_goes_through() {
    let world = World::signed_in(options_with(&["web01"]));
    let output = world
        .connect(&["ssh", "web01"], "cat; echo err >&2")
        .stdin("a\nb\n")
        .run();
    output.printed("a\nb\n");
    assert!(output.stderr.ends_with("err\n"), "{output}");
}

#[test]
fn a_machine_is_found_by_every_name_it_has() {
    let world = World::signed_in(options());
    let id = world.machine("web02");
    for arguments in [
        &["ssh", "web02"][..],
        &["ssh", "WEB02"],
        &["arc", "web02"],
        &["ssh", "rg-web/web02"],
        &["ssh", "-g", "rg-web", "-n", "web02"],
        &["ssh", &id],
        &["ssh", "rg-db-west/db01"],
    ] {
        let output = world.connect(arguments, "echo in").run();
        output.succeeded();
        assert_eq!(output.stdout, "in\n", "{output}");
    }
}

#[test]
fn a_warm_connection_asks_neither_entra_nor_azure() {
    let world = World::with_host("web01");
    world.ssh("web01", "true").succeeded();
    world.sandbox.clear_requests();
    for _ in 0..3 {
        world.ssh("web01", "true").succeeded();
    }
    world.entra_ssh(&["ssh", "web01", "--", "true"]).succeeded();
    let asked = world.requests(|row| row.service != Service::Relay);
    assert!(asked.is_empty(), "{asked:#?}");
}

#[test]
fn a_cold_agent_asks_once_for_each_thing_it_needs() {
    let world = World::with_host("web01");
    world.stop_agent();
    world.sandbox.clear_requests();
    world.ssh("web01", "true").succeeded();
    assert!(
        world.token_requests() <= 1,
        "{:#?}",
        world.sandbox.requests()
    );
    assert_eq!(world.certificate_requests(), 0, "the keyring has one");
    assert!(
        world.credentials_requests() <= 1,
        "{:#?}",
        world.sandbox.requests()
    );
}

#[test]
fn twenty_at_once_against_a_cold_agent_ask_for_one_of_everything() {
    let world = World::with_host("web01");
    world.ssh("web01", "true").succeeded();
    world.forget_certificates();
    world.sandbox.clear_requests();
    for (number, output) in at_once(&world, 20, "web01").iter().enumerate() {
        output.succeeded();
        assert_eq!(output.stdout, format!("{number}\n"), "{output}");
    }
    // Those that lost the race for the socket may take a moment to leave.
    wait_for("the other agents to leave", || world.agents().len() == 1);
    assert_eq!(world.certificate_requests(), 1);
    assert_eq!(world.credentials_requests(), 1);
    assert_eq!(
        world.token_requests(),
        2,
        "one certificate, one token for Azure"
    );
}

#[test]
fn the_first_connection_sets_a_machine_up_and_the_second_does_not() {
    let world = World::with_host("new01");
    assert!(
        world.requests(|row| row.method == "PUT").is_empty(),
        "adding sets nothing up"
    );
    world.sandbox.clear_requests();
    let first = world.ssh("new01", "echo in");
    first.printed("in\n");
    assert!(
        first
            .stderr
            .contains("`new01` was set up just now; waiting up to 90 s"),
        "{first}"
    );
    let statuses: Vec<(String, String, u16)> = world
        .requests(|row| row.service == Service::Arm)
        .into_iter()
        .map(|row| {
            let last = row.path.rsplit('/').next().unwrap().to_owned();
            (row.method, last, row.status)
        })
        .collect();
    let expected = [
        ("POST", "listCredentials", 404),
        ("PUT", "default", 200),
        ("POST", "listCredentials", 412),
        ("PUT", "SSH", 201),
        ("POST", "listCredentials", 200),
    ]
    .map(|(method, last, status)| (method.to_owned(), last.to_owned(), status));
    assert_eq!(statuses, expected);
    world.sandbox.clear_requests();
    world.ssh("new01", "true").succeeded();
    world.stop_agent();
    world.ssh("new01", "true").succeeded();
    assert!(world.requests(|row| row.method == "PUT").is_empty());
}

#[test]
fn an_expired_certificate_is_renewed_by_the_next_connection() {
    let world = World::with_host("web01");
    let config = fs::read(world.managed_config()).unwrap();
    world.let_the_certificate_expire();
    world.json(&["agent", "start"]);
    world.ssh("web01", "echo in").printed("in\n");
    assert_eq!(fs::read(world.managed_config()).unwrap(), config);
    // So too with an agent that the connection starts.
    world.let_the_certificate_expire();
    world.ssh("web01", "true").succeeded();
}

#[test]
fn a_renewal_between_list_and_signature_breaks_no_login() {
    let world = World::with_host("web01");
    world.ssh("web01", "true").succeeded();
    world.forget_certificates();
    // Always due, so that everybody who asks for the list has one issued, in between the others' list and signature.
    world.sandbox.fault(short_lived(60));
    for output in at_once(&world, 4, "web01") {
        output.succeeded();
    }
}

#[test]
fn a_refused_renewal_is_no_harm_while_the_certificate_lives() {
    let world = World::with(options_with(&["web01"]));
    world.sandbox.fault(short_lived(60));
    world.login(ADA);
    world.add(&["web01"]);
    world.sandbox.clear_faults();
    world.sandbox.fault(
        Fault::Token {
            aadsts: 90_055,
            error: "temporarily_unavailable".to_owned(),
            description: "Too many requests.".to_owned(),
            claims: None,
            suberror: None,
            status: 400,
            retry_after: None,
            grant_type: None,
            token_type: Some("ssh-cert".to_owned()),
        }
        .times(0),
    );
    world.sandbox.clear_requests();
    world.ssh("web01", "true").succeeded();
    wait_for("the renewal to be tried", || {
        world.certificate_requests() > 0
    });
}

#[test]
fn hosts_of_one_name_keep_host_keys_of_their_own() {
    let world = World::signed_in(options_with(&["db01"]));
    world.add(&["rg-db-east/db01", "--alias", "east"]);
    world.add(&["rg-db-west/db01", "--alias", "west"]);
    for host in ["east", "west", "east", "west"] {
        world.ssh(host, "echo in").printed("in\n");
    }
    let known = fs::read_to_string(world.home().join(".ssh/entra-ssh/known_hosts")).unwrap();
    assert_eq!(known.lines().count(), 2, "{known}");
}

#[test]
fn connections_to_the_relay_go_on_while_others_are_opened() {
    let world = World::with_host("web01");
    let mut session = world.ssh_command(&["web01", "cat"]).open_stdin().start();
    session.write(b"one\n");
    wait_for("the first line", || session.stdout() == "one\n");
    world.stop_agent();
    world.ssh("web01", "true").succeeded();
    session.write(b"two\n");
    wait_for("the second line", || session.stdout() == "one\ntwo\n");
    session.close_stdin();
    session.finish().succeeded();
}

fn short_lived(seconds: u64) -> sandbox::Injection {
    Fault::Certificate {
        variation: Variation::None,
        lifetime_seconds: Some(seconds),
    }
    .times(0)
}
