//! What stands between here and Microsoft's cloud: clocks that are off, portals, middleboxes, gateways.

use sandbox::Fault;

use crate::world::{World, options_with};

#[test]
fn a_clock_that_is_off_is_found_and_said() {
    let world = World::signed_in(options_with(&[]));
    for (offset_seconds, said) in [
        (
            7_200,
            "\ncaused by: this machine's clock is 2 h behind Entra's, which says ",
        ),
        (
            -7_200,
            "\ncaused by: this machine's clock is 2 h ahead of Entra's, which says ",
        ),
    ] {
        world.sandbox.fault(
            Fault::Clock {
                offset_seconds,
                certificates: true,
            }
            .times(0),
        );
        let output = world.entra_ssh(&["cert"]);
        world.sandbox.clear_faults();
        output.ended_with(1);
        assert!(output.stderr.contains(said), "{output}");
        assert_eq!(
            output.hint(),
            "set this machine's clock: sudo timedatectl set-ntp true"
        );
    }
    // Less than what certificates allow is not worth a word.
    world.sandbox.fault(
        Fault::Clock {
            offset_seconds: 200,
            certificates: true,
        }
        .times(0),
    );
    world.entra_ssh(&["cert"]).succeeded();
}

#[test]
fn a_captive_portal_is_told_from_entra() {
    let world = World::signed_in(options_with(&[]));
    world.sandbox.fault(
        Fault::CaptivePortal {
            path: String::new(),
        }
        .times(0),
    );
    world.assert_refused(
        &["cert"],
        1,
        "error: `localhost:[PORT]` did not answer like a token endpoint (HTTP status 200)\n\
         hint: check --cloud, and whether a proxy or a captive portal answers in its place\n",
    );
}

#[test]
fn a_gateway_that_fails_twice_is_asked_again_and_one_that_fails_for_good_is_not_for_ever() {
    let world = World::signed_in(options_with(&[]));
    let fault = |times| {
        Fault::Gateway {
            path: "/token".to_owned(),
            status: 503,
            retry_after: Some(1),
        }
        .times(times)
    };
    world.sandbox.fault(fault(2));
    world.entra_ssh(&["cert"]).succeeded();
    world.sandbox.clear_requests();
    world.sandbox.fault(fault(0));
    let output = world.entra_ssh(&["cert"]);
    output.ended_with(1);
    assert!(
        world.filtered(&output).starts_with(
            "error: `localhost:[PORT]` did not answer like a token endpoint (HTTP status 503)\n"
        ),
        "{output}"
    );
    // Requests are sent again in one place, which the agent's own tries do not multiply.
    assert_eq!(world.token_requests(), 4);
}

#[test]
fn a_reply_that_is_too_long_is_cut_off() {
    let world = World::signed_in(options_with(&["web01"]));
    let too_long = |path: &str| {
        Fault::Oversized {
            path: path.to_owned(),
            bytes: 5 * 1024 * 1024,
        }
        .times(0)
    };
    world.sandbox.fault(too_long("/token"));
    let output = world.entra_ssh(&["cert"]);
    output.ended_with(1);
    assert!(
        output.stderr.contains("is longer than 4194304 bytes\n"),
        "{output}"
    );
    world.sandbox.clear_faults();
    world.sandbox.fault(too_long("Microsoft.ResourceGraph"));
    let output = world.entra_ssh(&["config", "add", "web01"]);
    output.ended_with(1);
    assert!(
        output.stderr.contains("is longer than 4194304 bytes\n"),
        "{output}"
    );
}

#[test]
fn who_reads_tls_on_the_way_is_named() {
    let world = World::with(options_with(&[]));
    let output = world
        .command(&["login", "--device-code"])
        .env("ENTRA_SSH_CLOUD", world.sandbox.inspected_cloud_file())
        .run();
    output.ended_with(1);
    assert!(
        output
            .stderr
            .contains("its certificate is issued by `CN=Contoso TLS Inspection CA"),
        "{output}"
    );
    assert_eq!(
        output.hint(),
        "a device on the network may intercept TLS: add its root certificate to the system, or as ca_file in the cloud file"
    );
}

#[test]
fn roots_come_from_the_variable_too() {
    let world = World::with(options_with(&[]));
    let cloud = std::fs::read_to_string(world.sandbox.cloud_file()).unwrap();
    let lines = cloud.lines().filter(|line| !line.starts_with("ca_file"));
    let without_ca = lines.collect::<Vec<_>>().join("\n");
    let file = world.home().join("cloud.toml");
    std::fs::write(&file, without_ca).unwrap();
    let login = || {
        world
            .command(&["login", "--service-principal", "--client-id"])
            .args([crate::world::DEPLOY, "--tenant", crate::world::CONTOSO])
            .env("ENTRA_SSH_CLIENT_SECRET", crate::world::DEPLOY_SECRET)
            .env("ENTRA_SSH_CLOUD", &file)
    };
    login().run().ended_with(1);
    login()
        .env("SSL_CERT_FILE", world.sandbox.ca_file())
        .run()
        .succeeded();
}
