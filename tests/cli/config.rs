//! `config`: what is written, and what stays as it was.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use crate::world::{ADA, GRACE, World, mode, options, options_with};

/// What stands at the top of the user's own file from the first `config add` on.
fn include(world: &World) -> String {
    format!(
        "# The hosts that entra-ssh manages. Keep this line above the first Host or Match.\nInclude {}\n",
        world.managed_config().display()
    )
}

#[test]
fn what_the_user_wrote_stays_byte_for_byte() {
    let world = World::signed_in(options());
    world.make_ssh_folder();
    for (before, rights) in [
        (&b"Host *\r\n    User x\r\n"[..], 0o644),
        (b"# caf\xe9 \xff\xfe, not UTF-8\nHost a\n\tPort 1\n", 0o600),
        (b"Host b\n    Port 2", 0o640),
        (b"\n\n", 0o644),
        (b"", 0o600),
        (b"Host web01\n    Port 3333\n", 0o444),
    ] {
        fs::write(world.ssh_config(), before).unwrap();
        fs::set_permissions(world.ssh_config(), fs::Permissions::from_mode(rights)).unwrap();
        let expected = [
            include(&world).as_bytes(),
            if before.is_empty() { b"" } else { b"\n" },
            before,
        ]
        .concat();
        for _ in 0..2 {
            world.add(&["web01"]);
            assert!(
                fs::read(world.ssh_config()).unwrap() == expected,
                "{before:?}"
            );
            assert_eq!(mode(&world.ssh_config()), rights);
        }
        world.entra_ssh(&["config", "remove", "web01"]).succeeded();
        world.entra_ssh(&["config", "refresh"]).succeeded();
        assert!(
            fs::read(world.ssh_config()).unwrap() == expected,
            "{before:?}"
        );
        fs::remove_file(world.ssh_config()).unwrap();
        fs::remove_file(world.managed_config()).unwrap();
    }
}

#[test]
fn a_linked_config_stays_a_link() {
    let world = World::signed_in(options());
    let folder = world.make_ssh_folder();
    let target = world.home().join("dotfiles-config");
    fs::write(&target, "Host a\n").unwrap();
    symlink("../dotfiles-config", folder.join("config")).unwrap();
    world.add(&["web01"]);
    assert_eq!(
        fs::read_link(world.ssh_config()).unwrap().to_str(),
        Some("../dotfiles-config")
    );
    let text = fs::read_to_string(&target).unwrap();
    assert_eq!(text, format!("{}\nHost a\n", include(&world)));
}

#[test]
fn a_config_that_is_missing_is_made_private() {
    let world = World::signed_in(options());
    world.add(&["web01"]);
    assert_eq!(
        fs::read_to_string(world.ssh_config()).unwrap(),
        include(&world)
    );
    assert_eq!(mode(&world.ssh_config()), 0o600);
    assert_eq!(mode(&world.managed_config()), 0o600);
    assert_eq!(mode(&world.home().join(".ssh")), 0o700);
    assert_eq!(mode(&world.home().join(".ssh/entra-ssh")), 0o700);
}

#[test]
fn adding_again_changes_nothing_and_ssh_reads_what_is_written() {
    let world = World::signed_in(options());
    let first = world.add(&["web01"]);
    let id = world.machine("web01");
    assert_eq!(
        first.stdout,
        format!("added {id}: connect with `ssh web01`\n")
    );
    let before = fs::read(world.managed_config()).unwrap();
    let second = world.add(&["web01"]);
    assert_eq!(
        second.stdout,
        format!("unchanged {id}: connect with `ssh web01`\n")
    );
    assert!(fs::read(world.managed_config()).unwrap() == before);
    let read = world.ssh_command(&["-G", "web01"]).run();
    read.succeeded();
    for line in [
        "user ada@contoso.example".to_owned(),
        "port 22".to_owned(),
        format!("identityagent {}", world.agent_link().display()),
        "preferredauthentications publickey".to_owned(),
    ] {
        assert!(
            read.stdout.lines().any(|said| said == line),
            "{line} in {read}"
        );
    }
    // The first value counts, and ours stand first.
    let config = fs::read_to_string(world.ssh_config()).unwrap();
    fs::write(
        world.ssh_config(),
        format!("{config}Host web01\n  User me\nHost *\n  Port 99\n"),
    )
    .unwrap();
    assert_eq!(
        world.ssh_command(&["-G", "web01"]).run().stdout,
        read.stdout
    );
    // Others are not touched by it.
    let other = world.ssh_command(&["-G", "example.com"]).run();
    assert!(!other.stdout.contains("proxycommand"), "{other}");
    assert!(
        !other.stdout.contains(world.agent_link().to_str().unwrap()),
        "{other}"
    );
}

#[test]
fn looking_at_a_config_has_no_side_effect() {
    let world = World::signed_in(options());
    world.add(&["web01"]);
    world.stop_agent();
    world.sandbox.clear_requests();
    world.ssh_command(&["-G", "web01"]).run().succeeded();
    world.entra_ssh(&["config", "list"]).succeeded();
    world.entra_ssh(&["config", "show", "web01"]).succeeded();
    assert!(world.sandbox.requests().is_empty());
    assert!(world.agents().is_empty(), "nobody needed an agent");
}

#[test]
fn hosts_are_listed_shown_aliased_and_removed() {
    let world = World::signed_in(options());
    world.add(&["web01", "web02"]);
    world.add(&["rg-db-east/db01", "--alias", "db-east", "--port", "2222"]);
    world.add(&["rg-db-west/db01", "--local-user", "admin"]);
    let list = world.json(&["config", "list"]);
    let hosts: Vec<[&str; 5]> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            ["host", "resource_id", "user", "route", "identity"]
                .map(|name| row[name].as_str().unwrap())
        })
        .collect();
    let (web01, web02) = (world.machine("web01"), world.machine("web02"));
    let east = world.machine("db01");
    let west = east.replace("rg-db-east", "rg-db-west");
    assert_eq!(
        hosts,
        [
            ["web01", &web01, ADA, "relay", "agent"],
            ["web02", &web02, ADA, "relay", "agent"],
            ["db-east", &east, ADA, "relay", "agent"],
            ["db01", &west, "admin", "relay", "own"],
        ]
    );
    assert_eq!(list[2]["port"], 2222);
    let text = world.entra_ssh(&["config", "list"]);
    assert_eq!(text.stdout.lines().count(), 4);
    assert!(
        text.stdout
            .starts_with("web01    ada@contoso.example  /subscriptions/"),
        "{text}"
    );

    let shown = world.entra_ssh(&["config", "show", "db-east"]);
    assert!(shown.stdout.contains("\nHost db-east\n"), "{shown}");
    let managed = fs::read_to_string(world.managed_config()).unwrap();
    assert!(managed.contains(&shown.stdout), "{shown}");
    let options = world.json(&["config", "show", "db01"]);
    assert_eq!(options["options"]["User"], "admin");
    assert!(
        options["options"].get("IdentityAgent").is_none(),
        "{options}"
    );

    let before = fs::read(world.managed_config()).unwrap();
    world.assert_refused(
        &["config", "remove", "web99"],
        1,
        "error: `web99` is not a managed host\nhint: list the managed hosts: entra-ssh config list\n",
    );
    assert!(fs::read(world.managed_config()).unwrap() == before);
    world.entra_ssh(&["config", "show", "web99"]).ended_with(1);
    // What there is goes, and what there is not is named.
    let removed = world.entra_ssh(&["config", "remove", "web01", "web99", "db-east"]);
    removed.ended_with(1);
    assert_eq!(
        removed.stdout, "removed web01\nremoved db-east\n",
        "{removed}"
    );
    assert_eq!(
        world.filtered(&removed),
        "error: `web99` was not removed\ncaused by: `web99` is not a managed host\n\
         hint: list the managed hosts: entra-ssh config list\n"
    );
    let left = world.json(&["config", "list"]);
    assert_eq!(left.as_array().unwrap().len(), 2);
    assert_eq!(left[0]["host"], "web02");
}

#[test]
fn several_machines_cannot_have_one_alias() {
    let world = World::signed_in(options());
    world.assert_refused(
        &["config", "add", "web01", "web02", "--alias", "web"],
        2,
        "error: several machines cannot have one alias\nhint: add them one by one, each with its --alias\n",
    );
    world.entra_ssh(&["config", "add", "web99"]).ended_with(1);
    assert!(!world.managed_config().exists());
    assert!(!world.ssh_config().exists());
}

#[test]
fn what_stands_beside_the_blocks_is_the_users() {
    let world = World::signed_in(options());
    world.add(&["web01"]);
    let managed = fs::read_to_string(world.managed_config()).unwrap();
    let text = format!("# mine\n{managed}Host mine\n\tUser me");
    fs::write(world.managed_config(), &text).unwrap();
    world.add(&["web01"]);
    assert_eq!(fs::read_to_string(world.managed_config()).unwrap(), text);
    world.add(&["web02"]);
    let longer = fs::read_to_string(world.managed_config()).unwrap();
    assert!(
        longer.starts_with(&format!("{text}\n# >>> entra-ssh ")),
        "{longer}"
    );
    world
        .entra_ssh(&["config", "remove", "web01", "web02"])
        .succeeded();
    let rest = fs::read_to_string(world.managed_config()).unwrap();
    assert!(
        rest.starts_with("# mine\n") && rest.ends_with("Host mine\n\tUser me\n"),
        "{rest}"
    );
    // What changed within a block is written anew by `refresh`.
    world.add(&["web01"]);
    let good = fs::read_to_string(world.managed_config()).unwrap();
    fs::write(
        world.managed_config(),
        good.replace("    Port 22\n", "    Port 23\n"),
    )
    .unwrap();
    let refreshed = world.entra_ssh(&["config", "refresh"]);
    assert_eq!(refreshed.stdout, "wrote 1 hosts\n");
    assert_eq!(fs::read_to_string(world.managed_config()).unwrap(), good);
}

#[test]
fn a_damaged_file_is_refused_by_line_and_left_alone() {
    let world = World::signed_in(options());
    world.add(&["web01"]);
    let good = fs::read_to_string(world.managed_config()).unwrap();
    let path = world.managed_config();
    for (damaged, cause) in [
        (
            good.replace("# <<< entra-ssh", "# <<<"),
            "the block that begins in line 3 is not closed by `# <<< entra-ssh`",
        ),
        (
            good.replace("\"port\":22", "\"port\":\"22\""),
            "line 3 does not describe a host: ",
        ),
        (
            good.replace("# >>> entra-ssh {", "# >>> entra-ssh "),
            "line 3 does not describe a host: ",
        ),
    ] {
        assert_ne!(damaged, good);
        fs::write(&path, &damaged).unwrap();
        for arguments in [
            &["config", "add", "web02"][..],
            &["config", "remove", "web01"],
            &["config", "list"],
            &["config", "refresh"],
            &["ssh", "web01", "--", "true"],
        ] {
            let refused = world.entra_ssh(arguments);
            refused.ended_with(1);
            let said = world.filtered(&refused);
            let start =
                format!("error: cannot use `[HOME]/.ssh/entra-ssh/config`\ncaused by: {cause}");
            assert!(said.contains(&start), "{refused}");
            let hint = "\nhint: fix the line, or delete the file and add the hosts again: entra-ssh config add\n";
            assert!(said.ends_with(hint), "{refused}");
            assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
        }
    }
}

#[test]
fn two_that_add_at_once_both_land() {
    let world = World::signed_in(options());
    world.entra_ssh(&["cert"]).succeeded();
    for _ in 0..3 {
        let names = ["web01", "web02", "new01", "lonely01"];
        let running = names.map(|name| world.command(&["config", "add", name]).start());
        for each in running {
            each.finish().succeeded();
        }
        let list = world.json(&["config", "list"]);
        assert_eq!(list.as_array().unwrap().len(), names.len(), "{list}");
        let config = fs::read_to_string(world.ssh_config()).unwrap();
        assert_eq!(config, include(&world));
        world
            .command(&["config", "remove"])
            .args(names)
            .run()
            .succeeded();
    }
}

#[test]
fn the_hosts_of_two_profiles_go_each_with_its_own_certificate() {
    let world = World::signed_in(options_with(&["web01"]));
    world.login_as(GRACE, &["--profile", "grace"]);
    world.add(&["web01", "--alias", "as-ada"]);
    world.add(&["web01", "--alias", "as-grace", "--profile", "grace"]);
    for (host, user) in [
        ("as-ada", ADA),
        ("as-grace", "grace.hopper@contoso.example"),
        ("as-ada", ADA),
    ] {
        world.ssh(host, "echo $USER").printed(&format!("{user}\n"));
    }
}

#[test]
fn names_that_mean_more_to_ssh_are_no_aliases() {
    let world = World::signed_in(options());
    for alias in [
        "web*",
        "!web",
        "a b",
        "-oProxyCommand=x",
        "a\nHost b",
        "",
        "web?",
        "%h",
        "\"a\"",
    ] {
        let alias = format!("--alias={alias}");
        let refused = world.entra_ssh(&["config", "add", "web01", &alias]);
        refused.ended_with(2);
        assert!(refused.stderr.starts_with("error: "), "{refused}");
    }
    assert!(!world.managed_config().exists());
}

#[test]
fn folders_may_have_names_that_mean_more_to_ssh_and_to_shells() {
    let world = World::in_folder("e s%h'$x", options_with(&["web01"]));
    world.login(ADA);
    world.add(&["web01"]);
    world.add(&["web01"]);
    let config = fs::read_to_string(world.ssh_config()).unwrap();
    assert_eq!(config.matches("Include").count(), 1, "{config}");
    world.ssh("web01", "echo in").printed("in\n");
    world.entra_ssh(&["ssh", "web01", "--", "true"]).succeeded();
    assert!(world.home().join(".ssh/entra-ssh/known_hosts").exists());
}
