//! What is told when something is refused: one sentence, its causes, and a hint. And the exit status.

use sandbox::Fault;
use serde_json::Value;

use crate::world::{ADA, PROMPT, World, options, options_with};

/// Runs what ssh runs as `ProxyCommand`.
fn proxy(world: &World, machine: &str) -> crate::world::Output {
    world.entra_ssh(&["proxy", &world.machine(machine), "--port", "22"])
}

fn relay_refuses(status: u16, text: &str) -> Fault {
    Fault::RelayRefuse {
        status,
        text: text.to_owned(),
    }
}

fn token_refused(aadsts: u32, error: &str, description: &str, claims: Option<&str>) -> Fault {
    Fault::Token {
        aadsts,
        error: error.to_owned(),
        description: description.to_owned(),
        claims: claims.map(str::to_owned),
        suberror: None,
        status: 400,
        retry_after: None,
        grant_type: None,
        token_type: None,
    }
}

/// Runs `entra-ssh`, and compares how it ends and all that it tells.
#[track_caller]
fn assert_told(world: &World, arguments: &[&str], status: i32, expected: &str) {
    let output = world.entra_ssh(arguments);
    output.ended_with(status);
    assert_eq!(world.filtered(&output), expected);
}

#[test]
fn each_refusal_of_the_relay_has_its_sentence_and_hint() {
    let world = World::with(options_with(&["web01"]));
    world.login(ADA);
    for (fault, expected) in [
        (
            relay_refuses(404, "Endpoint does not exist"),
            "error: the relay refused the connection: 404 Endpoint does not exist\n\
             hint: the machine does not listen yet: after the first set-up it takes up to 90 s; then, on the machine: \
             sudo systemctl restart himds\n",
        ),
        (
            relay_refuses(404, "There are no listeners connected for the endpoint"),
            "error: the relay refused the connection: 404 There are no listeners connected for the endpoint\n\
             hint: the machine or its Azure agent is down; on the machine: sudo systemctl restart himds\n",
        ),
        (
            relay_refuses(503, "Service Unavailable"),
            "error: the relay refused the connection: 503 Service Unavailable\n\
             hint: the relay or the machine is busy: connect again in a moment\n",
        ),
        (
            Fault::RelayGarbage,
            "error: `127.0.0.1:[PORT]` does not speak the relay's protocol: its answer is not HTTP\n\
             hint: a proxy on the way may not pass WebSockets on\n",
        ),
        (
            Fault::RelayWrongAccept,
            "error: `127.0.0.1:[PORT]` does not speak the relay's protocol: its handshake is for another key\n\
             hint: a proxy on the way may not pass WebSockets on\n",
        ),
    ] {
        world.sandbox.clear_faults();
        world.sandbox.fault(fault.times(0));
        let output = proxy(&world, "web01");
        output.ended_with(1);
        assert_eq!(world.filtered(&output), expected);
        assert_eq!(output.stdout, "", "nothing but relayed bytes goes there");
    }
    // And through ssh, which ends in its own way.
    for ssh in [
        world.command(&[
            "ssh",
            "web01",
            "--",
            "-o",
            "StrictHostKeyChecking=accept-new",
            "true",
        ]),
        {
            world.add(&["web01"]);
            world.ssh(&["web01", "true"])
        },
    ] {
        world.sandbox.clear_faults();
        world
            .sandbox
            .fault(relay_refuses(404, "Endpoint does not exist").times(0));
        let output = ssh.run();
        output.ended_with(255);
        let lines: Vec<&str> = output.stderr.lines().collect();
        let error = "error: the relay refused the connection: 404 Endpoint does not exist";
        assert_eq!(
            lines.iter().filter(|line| **line == error).count(),
            1,
            "{output}"
        );
        assert_eq!(
            lines
                .iter()
                .filter(|line| line.starts_with("hint: "))
                .count(),
            1,
            "{output}"
        );
    }
}

#[test]
fn a_hybrid_connection_that_is_not_there_is_looked_up_anew_once() {
    let world = World::with(options_with(&["web01"]));
    world.login(ADA);
    world.add(&["web01"]);
    world.ssh(&["web01", "true"]).run().succeeded();
    world.sandbox.clear_requests();
    world
        .sandbox
        .fault(relay_refuses(404, "Endpoint does not exist"));
    world.ssh(&["web01", "true"]).run().succeeded();
    assert_eq!(world.credentials_requests(), 1);
    assert!(world.requests(|row| row.method == "PUT").is_empty());
}

#[test]
fn an_agent_that_is_down_is_told_from_an_sshd_that_is_down() {
    let world = World::with(options_with(&["web01", "web02", "lonely01"]));
    world.login(ADA);
    for name in ["lonely01", "web01"] {
        world.sandbox.stop_agent(name).unwrap();
        let output = proxy(&world, name);
        output.ended_with(1);
        assert_eq!(
            world.filtered(&output),
            "error: the relay refused the connection: 404 There are no listeners connected for the endpoint\n\
             hint: the machine or its Azure agent is down; on the machine: sudo systemctl restart himds\n"
        );
    }
    world.sandbox.start_agent("web01").unwrap();
    world
        .entra_ssh(&[
            "ssh",
            "web01",
            "--",
            "-o",
            "StrictHostKeyChecking=accept-new",
            "true",
        ])
        .succeeded();

    world.sandbox.stop_machine("web02").unwrap();
    let output = proxy(&world, "web02");
    output.ended_with(1);
    let said = world.filtered(&output);
    assert!(
        said.starts_with(
            "error: the relay refused the connection: 503 connection to localhost:[PORT] failed: "
        ),
        "{output}"
    );
    assert!(
        said.ends_with(
            "\nhint: sshd does not run on the machine or listens on another port; on the machine: sudo systemctl start ssh\n"
        ),
        "{output}"
    );
    assert_eq!(said.lines().count(), 2, "{output}");
}

#[test]
fn credentials_that_the_relay_refuses_once_are_fetched_anew() {
    let world = World::with(options_with(&["web01"]));
    world.login(ADA);
    world.add(&["web01"]);
    world.ssh(&["web01", "true"]).run().succeeded();
    for status in [401, 403] {
        world.sandbox.clear_requests();
        world.sandbox.fault(relay_refuses(
            status,
            "InvalidSignature: The token has an invalid signature.",
        ));
        world.ssh(&["web01", "true"]).run().succeeded();
        assert_eq!(world.credentials_requests(), 1, "{status}");
    }
    for status in [401, 403] {
        world.sandbox.clear_faults();
        world.sandbox.clear_requests();
        world.sandbox.fault(
            relay_refuses(
                status,
                "InvalidSignature: The token has an invalid signature.",
            )
            .times(0),
        );
        let output = proxy(&world, "web01");
        output.ended_with(1);
        assert_eq!(
            world.filtered(&output),
            format!(
                "error: the relay refused the connection: {status} InvalidSignature: The token has an invalid signature.\n\
                 hint: connect again; if it stays so, check this machine's clock and the firewall of the relay\n"
            )
        );
        assert_eq!(world.credentials_requests(), 1, "{status}");
    }
}

#[test]
fn a_listener_that_is_slow_once_is_asked_again() {
    let world = World::with(options_with(&["web01"]));
    world.login(ADA);
    world.add(&["web01"]);
    world
        .sandbox
        .fault(relay_refuses(504, "the listener did not respond in time"));
    world.sandbox.fault(Fault::RelayReset);
    world.ssh(&["web01", "true"]).run();
    world.sandbox.clear_faults();
    world
        .sandbox
        .fault(relay_refuses(504, "the listener did not respond in time"));
    world.ssh(&["web01", "true"]).run().succeeded();
}

#[test]
fn a_handshake_that_stalls_gets_another_beside_it() {
    let world = World::with(options_with(&["web01"]));
    world.login(ADA);
    world.add(&["web01"]);
    let usual = world.ssh(&["web01", "true"]).run().seconds;
    world.sandbox.fault(Fault::RelayStall { after_bytes: None });
    let output = world.ssh(&["web01", "true"]).run();
    output.succeeded();
    // The one that stalls would be given up after ten seconds.
    let limits = 1.9..9.0 + 3.0 * usual;
    assert!(limits.contains(&output.seconds), "{output}: {limits:?}");
}

#[test]
fn handshakes_that_stall_are_given_up_and_made_anew() {
    let world = World::with(options_with(&["web01"]));
    world.login(ADA);
    world.add(&["web01"]);
    world
        .sandbox
        .fault(Fault::RelayStall { after_bytes: None }.times(2));
    let output = world.ssh(&["web01", "true"]).run();
    output.succeeded();
    assert!(
        (9.0..25.0 + PROMPT).contains(&output.seconds),
        "{} s",
        output.seconds
    );
}

#[test]
fn a_listener_that_stays_slow_is_not_asked_for_ever_nor_all_the_time() {
    let world = World::with(options_with(&["web01"]));
    world.login(ADA);
    world.sandbox.clear_requests();
    world
        .sandbox
        .fault(relay_refuses(504, "the listener did not respond in time").times(0));
    let output = proxy(&world, "web01");
    output.ended_with(1);
    assert_eq!(
        world.filtered(&output),
        "error: the relay refused the connection: 504 the listener did not respond in time\n\
         hint: the relay or the machine is busy: connect again in a moment\n"
    );
    assert!(output.seconds < 30.0 + PROMPT, "{} s", output.seconds);
    let tries = world
        .requests(|row| row.service == sandbox::Service::Relay)
        .len();
    assert!(
        (2..=60).contains(&tries),
        "{tries} tries in {} s",
        output.seconds
    );
}

#[test]
fn what_only_a_person_can_mend_ends_with_4_and_other_refusals_with_1() {
    let world = World::with(options_with(&[]));
    world.login(ADA);
    world.sandbox.fault(token_refused(
        50_076,
        "interaction_required",
        "Due to a configuration change made by your administrator, you must use multi-factor authentication to access \
         'ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0'.",
        Some(r#"{"access_token":{"capolids":{"essential":true,"values":["1"]}}}"#),
    ));
    assert_told(
        &world,
        &["cert"],
        4,
        "error: Entra refused (AADSTS50076): Due to a configuration change made by your administrator, you must use \
         multi-factor authentication to access 'ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0'.\n\
         caused by: multi-factor authentication is asked for\n\
         correlation id: [ID], [TIME]\n\
         hint: answer it at a terminal: entra-ssh cert\n",
    );
    world.sandbox.fault(token_refused(
        700_082,
        "invalid_grant",
        "The refresh token has expired due to inactivity.",
        None,
    ));
    assert_told(
        &world,
        &["cert"],
        4,
        "error: Entra refused (AADSTS700082): The refresh token has expired due to inactivity.\n\
         caused by: the sign-in has expired because it was not used\n\
         correlation id: [ID], [TIME]\n\
         hint: sign in again: entra-ssh login\n",
    );
    world.sandbox.fault(token_refused(
        65_002,
        "invalid_client",
        "Consent between first party application and resource must be configured via preauthorization.",
        None,
    ));
    assert_told(
        &world,
        &["cert"],
        1,
        "error: Entra refused (AADSTS65002): Consent between first party application and resource must be configured via \
         preauthorization.\n\
         caused by: this client may not ask for SSH certificates\n\
         correlation id: [ID], [TIME]\n\
         hint: use the Azure CLI's client ID, 04b07795-8ddb-461a-bbee-02f9e1bf7b46\n",
    );
}

#[test]
fn a_service_principal_whose_secret_is_wrong_is_told_so() {
    let world = World::with(options_with(&[]));
    world.login_deploy();
    let fault = token_refused(
        7_000_215,
        "invalid_client",
        "Invalid client secret provided.",
        None,
    );
    world.sandbox.fault(fault);
    assert_told(
        &world,
        &["cert"],
        1,
        "error: Entra refused (AADSTS7000215): Invalid client secret provided.\n\
         caused by: the client secret or assertion is wrong\n\
         correlation id: [ID], [TIME]\n\
         hint: make sure that it is the secret's value and not its ID, then: entra-ssh login --service-principal \
         --client-id ID --tenant ID --client-secret-file FILE\n",
    );
}

#[test]
fn a_refused_token_is_told_by_ssh_too() {
    let world = World::with(options_with(&["web01"]));
    world.login(ADA);
    world.add(&["web01"]);
    world.stop_agent();
    world.remove_stored_certificate();
    world.sandbox.fault(
        token_refused(
            50_076,
            "interaction_required",
            "You must use multi-factor authentication.",
            None,
        )
        .times(0),
    );
    let output = world.ssh(&["web01", "true"]).run();
    output.ended_with(255);
    let hints = output
        .stderr
        .lines()
        .filter(|line| line.starts_with("hint: "))
        .count();
    let errors = output
        .stderr
        .lines()
        .filter(|line| line.starts_with("error: "))
        .count();
    assert_eq!((errors, hints), (1, 1), "{output}");
    let output = world.entra_ssh(&["ssh", "web01", "--", "true"]);
    output.ended_with(4);
}

#[test]
fn unknown_and_ambiguous_names_are_refused_with_a_hint() {
    let world = World::with(options());
    world.login(ADA);
    let contoso = "/subscriptions/50b5c000-0000-4000-8000-000000000001/resourceGroups";
    for (arguments, status, expected) in [
        (
            &["ssh", "web99"][..],
            1,
            "error: `ada@contoso.example` sees no machine `web99`\n\
             hint: check the name, and that the account may read the machine: az resource list --name NAME\n"
                .to_owned(),
        ),
        (
            &["config", "add", "rg-db-east/web01"],
            1,
            "error: `ada@contoso.example` sees no machine `web01` in the resource group `rg-db-east`\n\
             hint: check the name, and that the account may read the machine: az resource list --name NAME\n"
                .to_owned(),
        ),
        (
            &["config", "add", "db01"],
            1,
            format!(
                "error: there are 2 machines named `db01`\n\
                 caused by: there is {contoso}/rg-db-east/providers/Microsoft.HybridCompute/machines/db01\n\
                 caused by: there is {contoso}/rg-db-west/providers/Microsoft.HybridCompute/machines/db01\n\
                 hint: name the resource group: rg-db-east/db01, or the resource ID\n"
            ),
        ),
        (
            &["--profile", "nobody", "cert"],
            4,
            "error: nobody is signed in as the profile `nobody`\n\
             hint: sign in: entra-ssh --profile nobody login\n"
                .to_owned(),
        ),
        (
            &["--cloud", "AzureMars", "login", "--device-code"],
            2,
            "error: there is no cloud `AzureMars`, and no file of that name\n\
             hint: use one of AzureCloud, AzureUSGovernment, AzureChinaCloud, or a cloud file\n"
                .to_owned(),
        ),
    ] {
        let output = world.entra_ssh(arguments);
        output.ended_with(status);
        assert_eq!(world.filtered(&output), expected, "{arguments:?}");
        assert_eq!(output.stdout, "");
    }
    assert!(!world.managed_config().exists());
}

#[test]
fn what_azure_refuses_is_told_in_its_words() {
    let world = World::with(options_with(&["web01", "new01"]));
    world.login("radia@contoso.example");
    let output = proxy(&world, "web01");
    output.ended_with(1);
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert!(
        lines[0].starts_with("error: Azure does not let this account "),
        "{output}"
    );
    assert!(
        lines[0].contains("`web01` (AuthorizationFailed): "),
        "{output}"
    );
    assert_eq!(
        lines[1],
        "hint: ask for the role `Virtual Machine User Login` or `Virtual Machine Administrator Login` on the machine"
    );
    // Grace may log in, and not set a machine up.
    world.login("Grace.Hopper@contoso.example");
    let output = proxy(&world, "new01");
    output.ended_with(1);
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert!(
        lines[0].contains("create the connectivity endpoint"),
        "{output}"
    );
    assert!(
        lines[1].starts_with(
            "hint: connecting for the first time needs Owner or Contributor on the machine, once"
        ),
        "{output}"
    );
}

#[test]
fn a_throttled_azure_is_asked_again() {
    let world = World::with(options_with(&["web01"]));
    world.login(ADA);
    world
        .sandbox
        .fault(Fault::arm("listcredentials", 429, "TooManyRequests", "Slow down.").times(2));
    let output = world.entra_ssh(&[
        "ssh",
        "web01",
        "--",
        "-o",
        "StrictHostKeyChecking=accept-new",
        "true",
    ]);
    output.succeeded();
}

#[test]
fn an_entra_that_is_out_of_reach_is_told_as_such() {
    let world = World::with(options_with(&[]));
    world.login(ADA);
    world.sandbox.fault(Fault::Outage.times(0));
    let output = world.entra_ssh(&["cert"]);
    output.ended_with(1);
    assert!(
        output
            .stderr
            .starts_with("error: cannot ask Entra for a token\n"),
        "{output}"
    );
    assert!(output.stderr.contains("\nhint: "), "{output}");
}

#[test]
fn errors_in_json_are_one_value_on_standard_error() {
    let world = World::with(options_with(&[]));
    world.login(ADA);
    let fault = token_refused(
        50_076,
        "interaction_required",
        "You must use multi-factor authentication.",
        None,
    );
    world.sandbox.fault(fault);
    let output = world.entra_ssh(&["-o", "json", "cert"]);
    output.ended_with(4);
    assert_eq!(output.stdout, "");
    let error: Value = serde_json::from_str(&output.stderr).unwrap();
    assert_eq!(
        error["error"],
        "Entra refused (AADSTS50076): You must use multi-factor authentication."
    );
    assert_eq!(error["code"], "AADSTS50076");
    assert_eq!(
        error["causes"][0],
        "multi-factor authentication is asked for"
    );
    assert_eq!(error["hint"], "answer it at a terminal: entra-ssh cert");
    assert_eq!(error["correlation_id"].as_str().unwrap().len(), 36);
    let output = world.entra_ssh(&["-o", "json", "--profile", "nobody", "cert"]);
    let error: Value = serde_json::from_str(&output.stderr).unwrap();
    for name in ["error", "causes", "hint", "code", "correlation_id"] {
        assert!(error.get(name).is_some(), "{name}: {error}");
    }
}

#[test]
fn a_connection_that_breaks_ends_and_says_why() {
    let world = World::with(options_with(&["web01"]));
    world.login(ADA);
    world.add(&["web01"]);
    world.ssh(&["web01", "true"]).run().succeeded();
    world.sandbox.fault(Fault::RelayClose {
        after_bytes: 8192,
        code: 1011,
        reason: String::new(),
    });
    let output = world
        .ssh(&["web01", "sleep 1; head -c 100000 /dev/zero"])
        .run();
    output.ended_with(255);
    assert!(
        output.stderr.contains(
            "error: the relay closed the connection: the relay service failed (close code 1011)\n"
        ),
        "{output}"
    );
    assert!(output.seconds < PROMPT, "{} s", output.seconds);
}
