//! What failed last.

use sandbox::Fault;

use crate::world::{ADA, World, contains, files_below, mode, options_with};

#[test]
fn the_last_failure_is_told_again_with_what_to_do() {
    let world = World::with(options_with(&["web01"]));
    let nothing = world.entra_ssh(&["why"]);
    nothing.printed("nothing has failed\n");
    assert_eq!(world.json(&["why"]), serde_json::Value::Null);
    world.login(ADA);
    world.add(&["web01"]);
    let text = "There are no listeners connected for the endpoint".to_owned();
    let nobody = Fault::RelayRefuse { status: 404, text };
    world.sandbox.fault(nobody.times(0));
    let refused = world.ssh("web01", "true");
    refused.ended_with(255);
    // A wrong command line, and a command that succeeds, change nothing about it.
    world.entra_ssh(&["config", "wipe"]).ended_with(2);
    world.entra_ssh(&["config", "list"]).succeeded();
    let told = world.entra_ssh(&["why"]);
    told.succeeded();
    let (first, rest) = told.stdout.split_once('\n').unwrap();
    assert!(first.contains(" s ago: entra-ssh proxy "), "{told}");
    assert!(first.ends_with(&world.machine("web01")), "{told}");
    assert!(refused.stderr.contains(rest), "{refused}\n---\n{told}");
    assert!(
        rest.starts_with("error: the relay refused the connection: 404"),
        "{told}"
    );
    assert!(rest.contains("\nhint: "), "{told}");
    let record = world.json(&["why"]);
    assert_eq!(record["failure"]["kind"], "failed");
    assert_eq!(record["command"][0], "proxy");
    let file = world
        .home()
        .join(".local/state/entra-ssh/last-failure.json");
    assert_eq!(mode(&file), 0o600);
}

#[test]
fn the_command_for_a_machine_is_neither_kept_nor_told() {
    let world = World::with(options_with(&["web01"]));
    let refused = world.entra_ssh(&["ssh", "web01", "--", "mysql", "-phunter2"]);
    refused.ended_with(4);
    let told = world.entra_ssh(&["why"]);
    assert!(
        told.stdout.contains(" ago: entra-ssh ssh web01 -- …\n"),
        "{told}"
    );
    let record = world.json(&["why"]);
    assert_eq!(record["command"], serde_json::json!(["ssh", "web01", "--"]));
    for file in files_below(world.root()) {
        let contents = std::fs::read(&file).unwrap_or_default();
        assert!(!contains(&contents, b"hunter2"), "{}", file.display());
    }
}
