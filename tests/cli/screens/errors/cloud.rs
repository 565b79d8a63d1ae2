//! What Entra, Azure, the Relay and machines refuse.

use sandbox::{Fault, Variation};

use super::{check, make_key};
use crate::screens::{assert_command, assert_screen, screen};
use crate::world::{ADA, RefusingPort, World, options, options_with};

/// Has a certificate issued for a key that is there.
const CERT: &str = "cert --public-key-file key.pub";

#[test]
fn refusals_of_entra_read_as_they_were_accepted() {
    let world = World::with(options_with(&[]));
    world.login(ADA);
    make_key(&world);
    for (name, fault) in [
        (
            "unknown-code",
            Fault::token(123_456, "invalid_request", "What Entra says."),
        ),
        ("account-disabled", Fault::aadsts(50_057)),
        ("sign-in-expired", Fault::aadsts(700_082)),
        ("step-up", Fault::step_up()),
        (
            "clock",
            Fault::Clock {
                offset_seconds: 7_200,
                certificates: true,
            },
        ),
        (
            "captive-portal",
            Fault::CaptivePortal {
                path: String::new(),
            },
        ),
        (
            "oversized",
            Fault::Oversized {
                path: String::new(),
                bytes: 2 * 1024 * 1024,
            },
        ),
        (
            "gateway",
            Fault::Gateway {
                path: String::new(),
                status: 503,
                retry_after: None,
            },
        ),
        (
            "throttled",
            Fault::Gateway {
                path: String::new(),
                status: 429,
                retry_after: Some(3_600),
            },
        ),
    ] {
        world.sandbox.fault(fault.times(0));
        check("entra", name, &world, CERT);
        world.sandbox.clear_faults();
    }
}

#[test]
fn certificates_that_are_not_taken_read_as_they_were_accepted() {
    let world = World::with(options_with(&[]));
    world.login(ADA);
    make_key(&world);
    for (name, variation) in [
        ("bearer", Variation::Bearer),
        ("expired", Variation::Expired),
        ("host", Variation::Host),
        ("no-principals", Variation::NoPrincipals),
        ("not-yet-valid", Variation::NotYetValid),
        ("wrong-key", Variation::WrongKey),
        ("wrong-tenant", Variation::WrongTenant),
    ] {
        world.sandbox.fault(Fault::certificate(variation).times(0));
        check("certificate", name, &world, CERT);
        world.sandbox.clear_faults();
    }
    check(
        "certificate",
        "not-a-certificate",
        &world,
        "cert show key.pub",
    );
    check(
        "certificate",
        "no-such-file",
        &world,
        "cert show nothing.pub",
    );
}

/// Lets nobody set a machine up.
fn forbidden_to_set_up() -> Fault {
    Fault::Arm {
        path: "/endpoints".to_owned(),
        method: Some("PUT".to_owned()),
        status: 403,
        code: "AuthorizationFailed".to_owned(),
        message: "What Azure says.".to_owned(),
        retry_after: None,
    }
}

/// Connects to a machine, and compares what `why` says of it: ssh hides or adds words of its own.
#[track_caller]
fn check_connection(folder: &str, name: &str, world: &World, fault: Option<Fault>, host: &str) {
    if let Some(fault) = fault {
        world.sandbox.fault(fault.times(0));
    }
    world.ssh(host, "true").ended_with(255);
    world.sandbox.clear_faults();
    assert_command(&format!("errors/{folder}"), name, world, "why").succeeded();
}

#[test]
fn refusals_of_azure_read_as_they_were_accepted() {
    let world = World::with(options());
    world.login(ADA);
    world.add(&["web01", "new01", "vm01"]);
    let listing = "/listcredentials";
    for (name, host, fault) in [
        (
            "forbidden",
            "web01",
            Fault::arm(listing, 403, "AuthorizationFailed", "What Azure says."),
        ),
        ("forbidden-set-up", "new01", forbidden_to_set_up()),
        (
            "forbidden-addresses",
            "vm01",
            Fault::arm(
                "/networkinterfaces",
                403,
                "AuthorizationFailed",
                "What Azure says.",
            ),
        ),
        (
            "not-found",
            "web01",
            Fault::arm(listing, 404, "ResourceNotFound", "What Azure says."),
        ),
        (
            "not-registered",
            "web01",
            Fault::arm(
                listing,
                409,
                "MissingSubscriptionRegistration",
                "What Azure says.",
            ),
        ),
        (
            "locked",
            "web01",
            Fault::arm(listing, 409, "ScopeLocked", "What Azure says."),
        ),
        (
            "refused",
            "web01",
            Fault::arm(listing, 400, "BadRequest", "What Azure says."),
        ),
        (
            "gateway",
            "web01",
            Fault::Gateway {
                path: listing.to_owned(),
                status: 503,
                retry_after: None,
            },
        ),
        (
            "throttled",
            "web01",
            Fault::Gateway {
                path: listing.to_owned(),
                status: 429,
                retry_after: Some(3_600),
            },
        ),
    ] {
        world.stop_agent();
        check_connection("azure", name, &world, Some(fault), host);
    }
    check("azure", "no-such-machine", &world, "config add web99");
    check(
        "azure",
        "no-such-machine-in-group",
        &world,
        "config add rg-db-east/web01",
    );
    check("azure", "ambiguous-machine", &world, "config add db01");
}

#[test]
fn refusals_of_the_relay_read_as_they_were_accepted() {
    let world = World::with(options_with(&["web01", "lonely01"]));
    world.login(ADA);
    world.add(&["web01", "lonely01"]);
    let refuse = |status: u16, text: &str| Fault::RelayRefuse {
        status,
        text: text.to_owned(),
    };
    for (name, fault) in [
        ("forbidden", refuse(403, "Forbidden")),
        (
            "no-listener",
            refuse(404, "There are no listeners connected for the endpoint"),
        ),
        ("refused", refuse(500, "Internal Server Error")),
        ("not-http", Fault::RelayGarbage),
        ("not-a-relay", Fault::RelayWrongAccept),
        (
            "dropped",
            Fault::RelayClose {
                after_bytes: 0,
                code: 1011,
                reason: "What the relay says.".to_owned(),
            },
        ),
    ] {
        world.stop_agent();
        check_connection("relay", name, &world, Some(fault), "web01");
    }
    check_connection("relay", "nobody-listens", &world, None, "lonely01");
}

#[test]
fn machines_that_cannot_be_reached_read_as_they_were_accepted() {
    let world = World::with(options_with(&["web01", "vm01"]));
    world.login(ADA);
    let port = RefusingPort::open();
    let number = port.number().to_string();
    world.add(&["vm01", "--port", &number]);
    world.ssh("vm01", "true").ended_with(255);
    let why = world.entra_ssh(&["why"]);
    let seen = screen(&world, "why", &why).replace(&number, "[PORT]");
    assert_screen("errors/direct", "refused", &seen);
    let line = "config add web01 --prefer-private-ip";
    check("direct", "private-address-of-relayed", &world, line);
}
