//! What `config add` does to hosts that are there already, and when part of it fails.

use std::fs;

use crate::world::{ADA, GRACE, World, options_with};

const GRACE_LOGIN: &str = "grace.hopper@contoso.example";

/// Returns the resource IDs of the two machines named `db01`.
fn east_and_west(world: &World) -> (String, String) {
    let east = world.machine("db01");
    let west = east.replace("rg-db-east", "rg-db-west");
    (east, west)
}

#[test]
fn an_alias_leads_to_another_machine_only_if_the_user_says_so() {
    let world = World::signed_in(options_with(&["db01"]));
    let (east, west) = east_and_west(&world);
    let both = world.entra_ssh(&["config", "add", "rg-db-east/db01", "rg-db-west/db01"]);
    both.ended_with(1);
    assert_eq!(
        both.stdout,
        format!("added {east}: connect with `ssh db01`\n")
    );
    let taken = format!("alias `db01` already leads to another machine, `{east}`\n");
    let hint = "hint: choose another alias: entra-ssh config add rg-db-west/db01 --alias db01-rg-db-west; \
        or replace that host: --replace\n";
    let told = format!("error: `rg-db-west/db01` was not added\ncaused by: {taken}{hint}");
    assert!(both.stderr.ends_with(&told), "{both}");
    let before = fs::read(world.managed_config()).unwrap();
    let alone = world.entra_ssh(&["config", "add", "rg-db-west/db01"]);
    alone.ended_with(1);
    assert!(
        alone.stderr.ends_with(&format!("error: {taken}{hint}")),
        "{alone}"
    );
    assert!(fs::read(world.managed_config()).unwrap() == before);
    // Of two in one command, neither replaces the other.
    let both = [
        "config",
        "add",
        "rg-db-east/db01",
        "rg-db-west/db01",
        "--replace",
    ];
    world.entra_ssh(&both).ended_with(1);
    assert!(fs::read(world.managed_config()).unwrap() == before);
    world.add(&["rg-db-west/db01", "--alias", "db01-rg-db-west"]);
    let replaced = world.json(&["config", "add", "rg-db-west/db01", "--replace"]);
    assert_eq!(replaced[0]["change"], "replaced");
    let listed = world.json(&["config", "list"]);
    assert_eq!(listed[0]["resource_id"], west.as_str());
}

#[test]
fn what_changes_of_a_host_is_said() {
    let world = World::signed_in(options_with(&["web01"]));
    let id = world.machine("web01");
    let change = |arguments: &[&str]| {
        let row = world.json(&[&["config", "add", "web01"], arguments].concat());
        (row[0]["change"].clone(), row[0]["changed"].clone())
    };
    assert_eq!(change(&[]), ("added".into(), serde_json::json!([])));
    assert_eq!(change(&[]), ("unchanged".into(), serde_json::json!([])));
    let port = change(&["--port", "2222"]);
    assert_eq!(port, ("changed".into(), serde_json::json!(["port"])));
    let text = world.add(&["web01", "--local-user", "bob"]);
    let told = format!("changed (user, identity, port) {id}: connect with `ssh web01`\n");
    assert_eq!(text.stdout, told);
}

#[test]
fn the_others_are_added_and_what_cannot_be_is_named() {
    let world = World::signed_in(options_with(&["web01", "web02", "new01"]));
    let added = world.entra_ssh(&["config", "add", "web01", "web98", "web02", "web99", "new01"]);
    added.ended_with(1);
    assert_eq!(added.stdout.lines().count(), 3, "{added}");
    let told = "error: 2 of 5 machines were not added: `web98`, `web99`\n";
    assert!(added.stderr.contains(told), "{added}");
    // Progress is shown for all of them, not for each.
    let progress = added.stderr.matches("checking the certificate\n").count();
    assert_eq!(progress, 1, "{added}");
    let listed = world.json(&["config", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), 3);
    world.ssh("new01", "true").succeeded();
}

#[test]
fn who_is_not_signed_in_is_told_once() {
    let world = World::with(options_with(&["web01"]));
    let refused = world.entra_ssh(&["config", "add", "web01", "web02", "web03"]);
    refused.ended_with(4);
    assert!(!world.managed_config().exists());
    assert_eq!(refused.stderr.matches("hint:").count(), 1, "{refused}");
}

#[test]
fn a_host_that_the_users_own_config_names_is_warned_of() {
    let world = World::signed_in(options_with(&["web01", "web02"]));
    let folder = world.make_ssh_folder();
    fs::create_dir(folder.join("conf.d")).unwrap();
    fs::write(
        folder.join("conf.d/work.conf"),
        "Match host x,web02\n  Port 1\n",
    )
    .unwrap();
    let config = "Include conf.d/*.conf\n\nHost other web01\n  Port 2\nHost web*\n  Port 3\n";
    fs::write(world.ssh_config(), config).unwrap();
    let added = world.add(&["web01", "web02"]);
    let place = |name: &str, line: usize| format!("{}, line {line}", folder.join(name).display());
    for told in [
        format!("warning: {} names `web01` too", place("config", 6)),
        format!(
            "warning: {} names `web02` too",
            place("conf.d/work.conf", 1)
        ),
    ] {
        assert!(added.stderr.contains(&told), "{told} in {added}");
    }
    assert_eq!(added.stderr.matches("warning:").count(), 2, "{added}");
    assert!(
        !world.add(&["web01"]).stderr.contains("warning"),
        "nothing has changed"
    );
    // One that ssh reads first is another matter.
    let ours = fs::read_to_string(world.ssh_config()).unwrap();
    fs::write(world.ssh_config(), format!("Include conf.d/*.conf\n{ours}")).unwrap();
    let changed = world.add(&["web02", "--port", "2222"]);
    assert!(
        changed
            .stderr
            .contains("before the managed hosts, and takes precedence"),
        "{changed}"
    );
}

#[test]
fn an_alias_that_ssh_rejects_is_refused_with_one_that_it_accepts() {
    let world = World::signed_in(options_with(&["web01"]));
    for (alias, other) in [
        ("web(prod)", "web-prod"),
        ("a@b", "a-b"),
        ("x;y", "x-y"),
        ("$HOME", "HOME"),
        ("a=b", "a-b"),
    ] {
        let refused = world.entra_ssh(&["config", "add", "web01", "--alias", alias]);
        refused.ended_with(2);
        let start = format!("`{alias}` is not a host alias ");
        assert!(refused.error().starts_with(&start), "{refused}");
        let hint = format!("choose one that ssh accepts: --alias {other}");
        assert_eq!(refused.hint(), hint);
        let accepted = world.program("ssh").args(["-F", "none", "-G", other]);
        accepted.run().succeeded();
    }
    assert!(!world.managed_config().exists());
}

#[test]
fn login_names_follow_whoever_signs_in() {
    let world = World::signed_in(options_with(&["web01", "web02"]));
    world.add(&["web01"]);
    world.add(&["web02", "--local-user", "root"]);
    let again = world.login(ADA);
    assert!(!again.stderr.contains("still log in"), "{again}");
    let other = world.login(GRACE);
    let told = "the managed hosts `web01` still log in as another user; to have them log in as \
        `Grace.Hopper@contoso.example`: entra-ssh config refresh\n";
    assert!(other.stderr.ends_with(told), "{other}");
    let refreshed = world.entra_ssh(&["config", "refresh"]);
    refreshed.succeeded();
    let told = format!("web01 logs in as {GRACE_LOGIN} now\nwrote 2 hosts\n");
    assert_eq!(refreshed.stdout, told);
    let user = world.ssh("web01", "echo $USER");
    user.printed(&format!("{GRACE_LOGIN}\n"));
    let listed = world.json(&["config", "list"]);
    assert_eq!(listed[1]["user"], "root");
    // Also if the other one has signed out in between.
    world.entra_ssh(&["logout"]).succeeded();
    assert!(world.login(ADA).stderr.contains("still log in"));
}
