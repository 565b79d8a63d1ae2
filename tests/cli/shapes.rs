//! Certificates of the shape that Entra's have, and of others that OpenSSH accepts.

use sandbox::{Fault, Variation};
use serde_json::{Value, json};

use crate::world::{GRACE, World, options_with_sshd};

fn issued_to_grace(variation: Variation) -> (World, Value) {
    let world = World::with(options_with_sshd(&["web01"]));
    world.login(GRACE);
    world.sandbox.fault(Fault::certificate(variation));
    let issued = world.json(&["cert"]);
    (world, issued)
}

#[test]
fn a_certificate_of_entras_shape_is_explained_and_logs_in() {
    let (world, issued) = issued_to_grace(Variation::None);
    assert_eq!(issued["serial"], 0);
    assert_eq!(
        issued["principals"],
        json!(["grace.hopper@contoso.example"])
    );
    // The five minutes before its issue are over.
    let left = issued["remaining_seconds"].as_u64().unwrap();
    assert!((3_500..=3_600).contains(&left), "{issued}");
    let shown = world.json(&["cert", "show"]);
    assert_eq!(shown["signature_algorithm"], "rsa-sha2-256");
    let extensions = shown["extensions"].as_object().unwrap();
    for permitted in [
        "X11-forwarding",
        "agent-forwarding",
        "port-forwarding",
        "pty",
        "user-rc",
    ] {
        assert_eq!(extensions[&format!("permit-{permitted}")], "", "{shown}");
    }
    world.add(&["web01"]);
    world.ssh("web01", "true").succeeded();
    assert_eq!(world.certificate_requests(), 1, "it is far from due");
}

#[test]
fn a_certificate_of_an_odd_shape_is_explained_and_logs_in() {
    let (world, issued) = issued_to_grace(Variation::Odd);
    assert_ne!(issued["serial"], 0);
    assert_eq!(
        issued["principals"],
        json!(["Grace.Hopper@contoso.example", "another"])
    );
    let shown = world.json(&["cert", "show"]);
    assert_eq!(shown["signature_algorithm"], "rsa-sha2-512");
    assert_eq!(shown["extensions"]["note@example.com"], "not packed");
    assert!(shown["extensions"].get("permit-port-forwarding").is_none());
    world.add(&["web01"]);
    world
        .ssh_command(&["web01", "echo", "in"])
        .run()
        .printed("in\n");
    assert_eq!(world.certificate_requests(), 1);
}
