//! What a logout removes, and what it leaves because another profile needs it.

use std::fs;

use crate::world::{ADA, GRACE, World, options_with};

/// The tenant next door, which Ada is a guest of.
const FABRIKAM: &str = "fab21ca0-0000-4000-8000-000000000002";

#[test]
fn a_logout_leaves_what_another_profile_of_the_account_needs() {
    let world = World::signed_in(options_with(&[]));
    world.login_as(ADA, &["--profile", "work"]);
    world.entra_ssh(&["cert"]).succeeded();
    let work = ["--profile", "work"];
    world.entra_ssh(&["logout"]).printed("signed out of the profile default: removed all of it from the agent, the profile; kept the sign-in, which the \
         profile work uses, the key and its certificate, which the profile work uses\n");
    world.entra_ssh(&["cert"]).ended_with(4);
    world.command(&["cert"]).args(work).run().succeeded();
    world
        .command(&["cert", "show"])
        .args(work)
        .run()
        .succeeded();
    world.command(&["logout"]).args(work).run().succeeded();
    assert!(world.keyring_files().is_empty());
}

#[test]
fn a_logout_leaves_what_a_guest_of_the_tenant_needs() {
    let world = World::signed_in(options_with(&[]));
    world.entra_ssh(&["cert", "--tenant", FABRIKAM]).succeeded();
    let guest = ["--profile", "guest"];
    world.login_as(ADA, &["--profile", "guest", "--tenant", FABRIKAM]);
    // The other way round, too: what the guest has is what the profile at home has of that tenant.
    for (gone, left) in [("default", "guest"), ("guest", "default")] {
        world.command(&["cert"]).args(guest).run().succeeded();
        world.entra_ssh(&["logout", "--profile", gone]).succeeded();
        let certified = world.entra_ssh(&["cert", "--profile", left, "--tenant", FABRIKAM]);
        certified.succeeded();
        assert_eq!(certified.stderr, "", "{certified}");
        if gone == "default" {
            world.login(ADA);
            world.entra_ssh(&["cert", "--tenant", FABRIKAM]).succeeded();
        }
    }
    world.entra_ssh(&["logout", "--all"]).succeeded();
    assert!(world.keyring_files().is_empty());
}

#[test]
fn a_new_sign_in_leaves_what_another_profile_of_the_old_account_needs() {
    let world = World::signed_in(options_with(&[]));
    world.login_as(ADA, &["--profile", "work"]);
    world.login(GRACE);
    world.entra_ssh(&["cert", "--profile", "work"]).succeeded();
    world.login_as(GRACE, &["--profile", "work"]);
    world.entra_ssh(&["cert"]).succeeded();
    // Nothing of Ada is left.
    assert_eq!(world.keyring_files().len(), 2);
}

#[test]
fn a_new_sign_in_removes_the_key_files_of_the_account_before() {
    let world = World::signed_in(options_with(&[]));
    world.login_as(ADA, &["--profile", "work"]);
    for profile in ["default", "work"] {
        world
            .entra_ssh(&["rotate", "--identity", "file", "--profile", profile])
            .succeeded();
    }
    world.login(GRACE);
    let folder = world.home().join(".ssh/entra-ssh/keys");
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["work", "work-cert.pub"]);
}
