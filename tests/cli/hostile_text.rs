//! Servers that put into their texts what a terminal obeys, what hides or reorders text, and lines like ours.

use std::fs;

use sandbox::Fault;

use crate::world::{ADA, Output, World, browser, options_with};

/// The screen is cleared, a line of ours is forged, text is turned around, and there is no end.
fn hostile() -> String {
    format!(
        "no\u{1b}[2J\u{9b}1A\r\nhint: run evil\n\u{202e}evil\u{200b}\u{7f}{}",
        "x".repeat(100_000)
    )
}

/// What is shown of the beginning of that; the rest is cut.
const SHOWN: &str = "no\u{fffd}[2J\u{fffd}1A hint: run evil \u{fffd}evil\u{fffd}\u{fffd}xxx";

fn assert_is_harmless(text: &str) {
    let harmful =
        |c: char| c.is_control() && c != '\n' || matches!(c, '\u{200b}' | '\u{202a}'..='\u{202e}');
    assert!(!text.contains(harmful), "{text:?}");
    assert!(
        text.lines().all(|line| !line.starts_with("hint: run evil")),
        "{text:?}"
    );
    assert!(text.len() < 10_000, "{} bytes", text.len());
}

/// Runs a command that fails, in text, in JSON and with a log, and asks why.
fn assert_fails_harmlessly(world: &World, arguments: &[&str]) {
    let log = world.home().join("log");
    let logged = ["-vvv", "--log-file", log.to_str().unwrap()];
    let output: Output = world.command(arguments).args(logged).run();
    output.ended_with(1);
    assert!(output.stderr.contains(SHOWN), "{output}");
    assert_is_harmless(&output.stderr);
    assert_is_harmless(&fs::read_to_string(&log).unwrap());
    fs::remove_file(log).unwrap();
    let why = world.entra_ssh(&["why"]);
    assert!(why.stdout.contains(SHOWN), "{why}");
    assert_is_harmless(&why.stdout);
    let kept = world
        .home()
        .join(".local/state/entra-ssh/last-failure.json");
    assert_is_harmless(&fs::read_to_string(kept).unwrap());
    let json = world.command(arguments).args(["-o", "json"]).run();
    json.ended_with(1);
    assert_is_harmless(&json.stderr);
    let error: serde_json::Value = serde_json::from_str(&json.stderr).unwrap();
    assert!(error["error"].as_str().unwrap().contains("hint: run evil"));
    assert_is_harmless(error["error"].as_str().unwrap());
}

#[test]
fn what_entra_says_stays_text_on_one_line() {
    let world = World::signed_in(options_with(&[]));
    // Entra's own descriptions have further lines, which are not shown; this is in the first.
    let description = hostile()
        .replace("\r\n", "\u{2028}")
        .replace('\n', "\u{85}");
    let fault = Fault::token(0, "invalid_request\n\u{1b}[2J", &description);
    world.sandbox.fault(fault.times(0));
    assert_fails_harmlessly(&world, &["cert"]);
    let listed = world.ssh_add("-l");
    assert_is_harmless(&listed.stdout);
}

#[test]
fn what_azure_says_stays_text_on_one_line() {
    let world = World::signed_in(options_with(&["web01"]));
    for (status, code) in [
        (403, "No\u{1b}[2J\nhint: run evil"),
        (409, "No"),
        (404, "No"),
    ] {
        world.sandbox.clear_faults();
        let fault = Fault::arm("/providers/", status, code, &hostile());
        world.sandbox.fault(fault.times(0));
        assert_fails_harmlessly(&world, &["config", "add", "web01"]);
    }
}

#[test]
fn what_a_redirect_says_stays_text_on_the_page_and_at_the_terminal() {
    let world = World::new();
    let fault = Fault::Authorize {
        aadsts: 0,
        error: "access_denied".to_owned(),
        description: "no\u{1b}[2J\u{202e}<b>evil".to_owned(),
        on_page: false,
    };
    world.sandbox.fault(fault.times(1));
    let login = browser::login(&world, "").start();
    let redirect = browser::press(&world, &browser::opened(&world), ("upn", ADA));
    let page = browser::visit(&redirect);
    assert!(
        page.contains("no\u{fffd}[2J\u{fffd}&lt;b&gt;evil"),
        "{page}"
    );
    let output = login.finish();
    output.ended_with(1);
    assert!(
        output.stdout.contains("no\u{fffd}[2J\u{fffd}<b>evil"),
        "{output}"
    );
    // A terminal is what `script` writes to: its lines end in CR LF.
    assert_is_harmless(&output.stdout.replace('\r', ""));
}
