//! Conditional Access that asks for more before it certifies: one round, in the way that the person signed in; none without
//! a terminal, and never a loop.

use sandbox::Fault;

use crate::world::{ADA, Invocation, PROMPT, Running, World, options_with};

/// Returns `entra-ssh` at a terminal.
fn at_terminal(world: &World, arguments: &str) -> Invocation {
    let command = format!("{} {arguments}", crate::world::program().display());
    world
        .program("script")
        .args(["-qec", &command, "/dev/null"])
        .env("ENTRA_SSH_CLOUD", world.sandbox.cloud_file())
        .env("ENTRA_SSH_KEYRING", "file")
        .open_stdin()
}

/// Enters each code that is shown, as Ada; returns how many there were.
fn enter_codes(world: &World, running: &mut Running) -> usize {
    let mut entered = 0;
    running.meanwhile(|| {
        for code in world.sandbox.pending_user_codes() {
            world.sandbox.approve(&code, ADA).unwrap();
            entered += 1;
        }
    });
    entered
}

#[test]
fn a_person_at_a_terminal_is_asked_once_and_then_certified() {
    let world = World::signed_in(options_with(&["web01"]));
    world.sandbox.fault(Fault::step_up().times(0));
    let mut command = at_terminal(&world, "cert").start();
    assert_eq!(enter_codes(&world, &mut command), 1);
    let output = command.finish();
    output.succeeded();
    assert!(
        output
            .stdout
            .contains("once more, since the tenant requires multi-factor authentication"),
        "{output}"
    );
    // What was answered lasts: for another certificate, and for a host, nobody is asked any more.
    world.entra_ssh(&["cert"]).succeeded();
    world.add(&["web01"]);
    world.ssh("web01", "true").succeeded();
}

#[test]
fn a_person_is_asked_when_a_host_is_added_and_when_one_is_connected_to() {
    let world = World::signed_in(options_with(&["web01"]));
    world.sandbox.fault(Fault::step_up().times(0));
    let mut command = at_terminal(&world, "config add web01").start();
    assert_eq!(enter_codes(&world, &mut command), 1);
    command.finish().succeeded();

    let world = World::with_host("web01");
    world.forget_certificates();
    world.sandbox.fault(Fault::step_up().times(0));
    let mut command = at_terminal(
        &world,
        "ssh web01 -- -o StrictHostKeyChecking=accept-new echo done",
    )
    .start();
    assert_eq!(enter_codes(&world, &mut command), 1);
    let output = command.finish();
    output.succeeded();
    assert!(output.stdout.contains("\ndone\r\n"), "{output}");
}

#[test]
fn without_a_terminal_nobody_is_asked_and_plain_ssh_says_what_to_do() {
    let world = World::with_host("web01");
    world.forget_certificates();
    world.sandbox.fault(Fault::step_up().times(0));
    for arguments in [
        &["cert"][..],
        &["config", "add", "web01"],
        &["ssh", "web01", "--", "true"],
    ] {
        let output = world.entra_ssh(arguments);
        output.ended_with(4);
        assert!(output.seconds < PROMPT, "{output}");
        assert_eq!(output.hint(), "answer it at a terminal: entra-ssh cert");
    }
    let output = world.ssh("web01", "true");
    output.ended_with(255);
    assert_eq!(output.hint(), "answer it at a terminal: entra-ssh cert");
    assert!(world.sandbox.pending_user_codes().is_empty());
}

#[test]
fn what_is_answered_and_asked_for_again_is_not_asked_a_third_time() {
    let world = World::signed_in(options_with(&[]));
    world.sandbox.clear_requests();
    world.sandbox.fault(
        Fault::StepUp {
            upn: None,
            satisfiable: false,
            error: "invalid_grant".to_owned(),
        }
        .times(0),
    );
    let mut command = at_terminal(&world, "cert").start();
    assert_eq!(enter_codes(&world, &mut command), 1);
    let output = command.finish();
    output.ended_with(4);
    assert!(
        output
            .stdout
            .contains("hint: the policy asks again for what the user just answered"),
        "{output}"
    );
    assert_eq!(world.certificate_requests(), 2);
}

#[test]
fn somebody_else_cannot_answer() {
    let world = World::signed_in(options_with(&[]));
    world.sandbox.fault(Fault::step_up().times(0));
    let mut command = at_terminal(&world, "cert").start();
    command.meanwhile(|| {
        for code in world.sandbox.pending_user_codes() {
            world
                .sandbox
                .approve(&code, "Grace.Hopper@contoso.example")
                .unwrap();
        }
    });
    let output = command.finish();
    output.ended_with(1);
    assert!(
        output.stdout.contains(
            "`Grace.Hopper@contoso.example` signed in, but the profile `default` is for `ada@contoso.example`"
        ),
        "{output}"
    );
}

/// What continuous access evaluation asks for after an account's sessions were revoked.
const REVOKED: &str = r#"{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}"#;

#[test]
fn a_claims_challenge_of_azure_is_met_with_a_new_token() {
    let world = World::signed_in(options_with(&["web01", "db01"]));
    world.add(&["web01"]);
    let is_arm = |row: &sandbox::RequestRow| {
        let scope = row.form.get("scope");
        crate::world::is_token_request(row)
            && scope.is_some_and(|scope| scope.contains("management"))
    };
    let before = world.requests(is_arm).len();
    // The agent has a token, and needs no other.
    world.add(&["web01"]);
    assert_eq!(world.requests(is_arm).len(), before);
    world.sandbox.fault(Fault::claims_challenge(REVOKED));
    world.add(&["rg-db-east/db01"]);
    world.add(&["web01"]);
    let rows = world.requests(is_arm);
    assert_eq!(rows.len(), before + 1, "one token meets it");
    let sent: serde_json::Value = serde_json::from_str(&rows[before].form["claims"]).unwrap();
    assert_eq!(sent["access_token"]["nbf"]["value"], "1604106651");
    assert_eq!(sent["access_token"]["xms_cc"]["values"][0], "CP1");
}

#[test]
fn a_claims_challenge_that_entra_wants_the_user_for_is_asked_at_the_terminal() {
    let world = World::signed_in(options_with(&["web01"]));
    world.json(&["rotate"]);
    world.sandbox.fault(Fault::claims_challenge(REVOKED));
    let refusal = || Fault::Token {
        aadsts: 50_076,
        error: "interaction_required".to_owned(),
        description: String::new(),
        claims: None,
        suberror: None,
        status: 400,
        retry_after: None,
        grant_type: Some("refresh_token".to_owned()),
        token_type: None,
    };
    // The token before the challenge, and the one after it.
    world.sandbox.fault(refusal().times(1));
    let output = world.entra_ssh(&["config", "add", "web01"]);
    output.ended_with(4);
    assert_eq!(output.hint(), "answer it at a terminal: entra-ssh login");
}
