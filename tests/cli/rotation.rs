//! Certificates that renew themselves, and `rotate`.

use std::fs::{self, File};
use std::thread;
use std::time::{Duration, Instant};

use sandbox::{Fault, Options};

use crate::world::{ADA, World, options_with, wait_for};

/// Certificates of so many seconds, and one machine.
fn short_lived(seconds: u64) -> Options {
    Options {
        certificate_lifetime: Duration::from_secs(seconds),
        ..options_with(&["web01"])
    }
}

/// Returns the fingerprint of the certified key: each certificate has one of its own, and no serial number.
fn key(world: &World) -> String {
    world.json(&["cert", "show"])["public_key_fingerprint"].to_string()
}

#[test]
fn what_is_in_use_is_renewed_before_it_ends_and_what_is_not_is_left() {
    let world = World::signed_in(short_lived(24));
    world.add(&["web01"]);
    world.ssh("web01", "true").succeeded();
    let (first, issued) = (key(&world), world.certificate_requests());
    world.ssh_add("-l").succeeded();
    wait_for("the renewal", || world.certificate_requests() > issued);
    wait_for("the new certificate", || key(&world) != first);
    // Nobody has used the second one.
    thread::sleep(Duration::from_secs(25));
    assert_eq!(world.certificate_requests(), issued + 1);
    world.ssh("web01", "true").succeeded();
    assert_eq!(world.certificate_requests(), issued + 2);
}

#[test]
fn while_entra_is_away_the_old_certificate_serves_and_ssh_add_says_why() {
    let world = World::signed_in(short_lived(90));
    world.add(&["web01"]);
    world.ssh("web01", "true").succeeded();
    world.sandbox.fault(Fault::Outage.times(0));
    let comment = || world.ssh_add("-l").stdout;
    wait_for("the reason", || {
        thread::sleep(Duration::from_millis(200));
        comment().contains("not renewed: ")
    });
    assert!(
        comment().contains("cannot request a token from Entra"),
        "{}",
        comment()
    );
    world.ssh("web01", "true").succeeded();
    world.sandbox.clear_faults();
    wait_for("the renewal", || !comment().contains("not renewed"));
    world.ssh("web01", "true").succeeded();
}

#[test]
fn a_passing_failure_is_met_by_another_try_while_somebody_waits() {
    let world = World::with_host("web01");
    world.forget_certificates();
    world.sandbox.fault(busy().times(2));
    world.ssh("web01", "true").succeeded();
    // Three tries, and no more.
    world.forget_certificates();
    world.sandbox.fault(busy().times(3));
    let before = world.certificate_requests();
    world.entra_ssh(&["rotate"]).ended_with(1);
    assert_eq!(world.certificate_requests(), before + 3);
    world.entra_ssh(&["rotate"]).succeeded();
}

/// Entra says of itself that it is busy.
fn busy() -> Fault {
    Fault::token(
        90033,
        "temporarily_unavailable",
        "A transient error has occurred.",
    )
}

#[test]
fn fifty_askers_share_one_failure() {
    let world = World::with_host("web01");
    world.forget_certificates();
    world.json(&["agent", "start"]);
    let refusal = Fault::token(53003, "access_denied", "Access has been blocked.");
    world.sandbox.fault(refusal.times(0));
    let before = world.certificate_requests();
    // Nobody may issue until all have asked, however long it takes this machine to start fifty programs.
    let lock = world.runtime().join("entra-ssh/locks/issue-default");
    let lock = File::options().write(true).open(lock).unwrap();
    lock.lock().unwrap();
    let running: Vec<_> = (0..50)
        .map(|_| world.command(&["rotate", "--quiet"]).start())
        .collect();
    let door = format!("{}.ask", world.socket().display());
    wait_for("all to ask", || {
        let sockets = fs::read_to_string("/proc/net/unix").unwrap();
        let accepted = |line: &&str| {
            let inode = line.split_whitespace().nth(6);
            line.ends_with(&door) && inode != Some("0")
        };
        // The one that is listened on is among them.
        sockets.lines().filter(accepted).count() > 50
    });
    // Time to read what each has sent before it was accepted.
    thread::sleep(Duration::from_secs(2));
    lock.unlock().unwrap();
    for each in running {
        each.finish().ended_with(1);
    }
    assert_eq!(world.certificate_requests() - before, 1);
}

#[test]
fn rotate_renews_what_is_due_and_says_so_by_its_exit_status() {
    let world = World::with_host("web01");
    let first = key(&world);
    let fresh = world.json(&["rotate"]);
    assert_eq!(fresh[0]["profile"], "default");
    assert_eq!(fresh[0]["renewed"], false);
    assert_eq!(key(&world), first);
    assert_eq!(
        world.json(&["rotate", "--within", "30m"])[0]["renewed"],
        false
    );
    let renewed = world.json(&["rotate", "--within", "2h"]);
    assert_eq!(renewed[0]["renewed"], true);
    assert_ne!(key(&world), first);
    let second = world.json(&["cert", "show"]);
    world.json(&["rotate", "--new-key"]);
    let third = world.json(&["cert", "show"]);
    let key = "public_key_fingerprint";
    assert_ne!(
        second[key], third[key],
        "every certificate has a key of its own"
    );
    let quiet = world.entra_ssh(&["rotate", "--force", "--quiet"]);
    quiet.succeeded();
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    // What is due is renewed before it is over.
    let refusal = Fault::token(50078, "interaction_required", "Presented MFA has expired.");
    world.sandbox.fault(refusal.times(1));
    let needs_a_person = world.entra_ssh(&["rotate", "--force", "--quiet"]);
    needs_a_person.ended_with(4);
    world.sandbox.fault(Fault::Outage.times(0));
    world.entra_ssh(&["rotate", "--force"]).ended_with(1);
    world.sandbox.clear_faults();
    world.entra_ssh(&["rotate", "--all"]).succeeded();
    let nobody = world.entra_ssh(&["--profile", "other", "rotate"]);
    nobody.ended_with(4);
    world
        .entra_ssh(&["rotate", "--within", "soon"])
        .ended_with(2);
}

#[test]
fn a_hundred_ssh_at_once_start_one_agent_and_ask_once() {
    let world = World::with_host("web01");
    world.forget_certificates();
    let (certificates, credentials) = (world.certificate_requests(), world.credentials_requests());
    let begun = Instant::now();
    let running: Vec<_> = (0..100)
        .map(|_| {
            world
                .ssh_command(&["-o", "ConnectTimeout=50", "web01", "true"])
                .start()
        })
        .collect();
    for each in running {
        each.finish().succeeded();
    }
    println!("100 ssh at once: {:.1} s", begun.elapsed().as_secs_f64());
    assert_eq!(world.certificate_requests(), certificates + 1);
    assert_eq!(world.credentials_requests(), credentials + 1);
    wait_for("one agent to remain", || world.agents().len() == 1);
}

#[test]
fn keys_are_as_long_as_the_profile_says() {
    let world = World::with(options_with(&["web01"]));
    world.login_as(ADA, &["--key-size", "2048"]);
    let bits = |world: &World| {
        world
            .ssh_add("-l")
            .stdout
            .split(' ')
            .next()
            .unwrap()
            .to_owned()
    };
    world.json(&["cert"]);
    assert_eq!(bits(&world), "2048");
    world.json(&["cert", "--key-size", "4096"]);
    assert_eq!(bits(&world), "4096");
    world.json(&["rotate", "--force"]);
    assert_eq!(bits(&world), "4096", "it is kept in the profile");
    world
        .entra_ssh(&["cert", "--key-size", "1024"])
        .ended_with(2);
}
