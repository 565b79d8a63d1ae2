//! Signing in with a real browser: Chromium shows the sandbox's page and comes back to ours.

use std::path::PathBuf;

use sandbox::Fault;

use crate::world::browser::{login, opened};
use crate::world::{ADA, Chromium, World, options_with_sshd, wait_for};

/// Returns where a screenshot goes: to a folder that was named, for people to look at, or away with the test.
fn picture(world: &World, name: &str) -> PathBuf {
    let folder = std::env::var_os("ENTRA_SSH_TEST_SCREENSHOTS");
    let folder = folder.map_or_else(|| world.root().to_owned(), PathBuf::from);
    folder.join(format!("{name}.png"))
}

/// Waits until the browser is back at the page of `entra-ssh`, and returns what can be read there.
fn our_page(chromium: &Chromium) -> String {
    wait_for("the browser to come back", || {
        chromium.address().starts_with("http://localhost:")
    });
    chromium.text()
}

#[test]
fn a_person_signs_in_in_chromium_and_logs_in_to_the_real_sshd() {
    let world = World::with(options_with_sshd(&["web01"]));
    let login = login(&world, "").start();
    let chromium = Chromium::start(&world);
    chromium.open(opened(&world).as_str());
    assert_eq!(chromium.title(), "Choose who signs in");
    chromium.screenshot(&picture(&world, "choose"));
    chromium.press("Ada Lovelace");
    let text = our_page(&chromium);
    assert!(
        text.contains("You are signed in as ada@contoso.example."),
        "{text}"
    );
    assert!(text.contains("You can close this"), "{text}");
    assert_eq!(chromium.title(), "Signed in – entra-ssh");
    chromium.screenshot(&picture(&world, "signed-in"));
    login.finish().succeeded();
    world.add(&["web01"]);
    let output = world.ssh("web01", "id -un");
    output.succeeded();
    assert_eq!(output.stdout.trim(), ADA);
}

#[test]
fn a_person_who_declines_in_chromium_reads_why_nobody_is_signed_in() {
    let world = World::new();
    let login = login(&world, "").start();
    let chromium = Chromium::start(&world);
    chromium.open(opened(&world).as_str());
    chromium.press("Decline");
    let text = our_page(&chromium);
    assert!(text.contains("Not signed in"), "{text}");
    assert!(text.contains("AADSTS65004"), "{text}");
    chromium.screenshot(&picture(&world, "declined"));
    let output = login.finish();
    output.ended_with(1);
    assert!(
        output.stdout.contains("error: Entra refused (AADSTS65004)"),
        "{output}"
    );
    world.entra_ssh(&["cert"]).ended_with(4);
}

#[test]
fn a_refusal_by_the_tenant_is_readable_by_day_and_by_night() {
    let world = World::new();
    world.sandbox.fault(Fault::Authorize {
        aadsts: 53_003,
        error: String::new(),
        description: String::new(),
        on_page: false,
    });
    let login = login(&world, "").start();
    let chromium = Chromium::start(&world);
    chromium.open(opened(&world).as_str());
    chromium.press("Ada Lovelace");
    let text = our_page(&chromium);
    assert!(text.contains("AADSTS53003"), "{text}");
    let mut looks = Vec::new();
    for scheme in ["light", "dark"] {
        chromium.prefer(scheme);
        chromium.screenshot(&picture(&world, &format!("refused-{scheme}")));
        looks.push((chromium.style("color"), chromium.style("background-color")));
    }
    assert_ne!(looks[0].0, looks[0].1, "text is seen by day");
    assert_ne!(looks[1].0, looks[1].1, "text is seen by night");
    assert_ne!(looks[0].1, looks[1].1, "the night is not white");
    login.finish().ended_with(1);
}
