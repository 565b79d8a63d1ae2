//! Keys of the user's own, whose private halves are elsewhere.

use std::fs;
use std::path::PathBuf;

use sandbox::Fault;

use crate::world::{Invocation, OwnAgent, World, mode, options_with, options_with_sshd};

/// Somebody who is signed in, has a key of their own in OpenSSH's agent and nowhere else, and a machine with the real `sshd`.
struct Owner {
    world: World,
    own: OwnAgent,
}

impl Owner {
    fn new() -> Self {
        let world = World::signed_in(options_with_sshd(&["web01"]));
        world.make_ssh_folder();
        let own = OwnAgent::start(&world);
        let owner = Self { world, own };
        owner.make_key();
        owner
    }

    fn make_key(&self) {
        let keygen = ["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"];
        let keygen = self.world.program("ssh-keygen").args(keygen);
        keygen.arg(self.key()).run().succeeded();
        self.program("ssh-add").arg(self.key()).run().succeeded();
        fs::remove_file(self.key()).unwrap();
    }

    fn key(&self) -> PathBuf {
        self.world.home().join(".ssh/id_rsa")
    }

    fn program(&self, program: &str) -> Invocation {
        let invocation = self.world.program(program);
        invocation.env("SSH_AUTH_SOCK", &self.own.socket)
    }

    fn ssh(&self) -> Invocation {
        let ssh = self.world.ssh_command(&["web01", "true"]);
        ssh.env("SSH_AUTH_SOCK", &self.own.socket)
    }

    /// Returns the certificate file that there is.
    fn certificate(&self) -> PathBuf {
        let folder = self.world.home().join(".ssh/entra-ssh/keys");
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files.remove(0)
    }
}

#[test]
fn a_key_that_is_in_another_agent_alone_gets_certificates_that_are_kept_fresh() {
    let owner = Owner::new();
    let world = &owner.world;
    let added = world.json(&[
        "config",
        "add",
        "web01",
        "--public-key-file",
        ".ssh/id_rsa.pub",
    ]);
    assert_eq!(added[0]["identity"], "public-key");
    assert_eq!(mode(&owner.certificate()), 0o600);
    let asked = world.certificate_requests();
    owner.ssh().run().succeeded();
    owner.ssh().run().succeeded();
    assert_eq!(world.certificate_requests(), asked, "it is fresh");
    assert_eq!(owner.own.listed(world).len(), 1, "the agent is as it was");
    world.entra_ssh(&["cert", "show"]).ended_with(1);
    // One that is missing, of another key, or no certificate at all is replaced, once for all who come.
    fs::remove_file(owner.certificate()).unwrap();
    let many: Vec<_> = (0..8).map(|_| owner.ssh().start()).collect();
    for each in many {
        each.finish().succeeded();
    }
    assert_eq!(world.certificate_requests(), asked + 1);
    owner.make_key();
    owner.ssh().run().succeeded();
    assert_eq!(world.certificate_requests(), asked + 2);
    fs::write(owner.certificate(), "half a certif").unwrap();
    owner.ssh().run().succeeded();
    assert_eq!(world.certificate_requests(), asked + 3);
    let logout = world.entra_ssh(&["logout"]);
    logout.succeeded();
    assert!(
        logout.stdout.contains("the certificate /"),
        "it is said: {logout}"
    );
    let folder = world.home().join(".ssh/entra-ssh/keys");
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
    assert!(owner.key().with_extension("pub").exists());
}

#[test]
fn rotate_renews_the_certificate_of_a_key_of_ones_own_and_a_failure_leaves_the_old_one() {
    let owner = Owner::new();
    let world = &owner.world;
    let file = owner.key().with_extension("pub");
    let rotate = |arguments: &[&str]| {
        world
            .command(&["rotate", "-o", "json", "--public-key-file"])
            .arg(&file)
            .args(arguments)
            .run()
    };
    let renewed = |arguments: &[&str]| rotate(arguments).json()[0]["renewed"] == true;
    assert!(renewed(&[]));
    assert!(!renewed(&[]));
    assert!(!renewed(&["--within", "30m"]));
    assert!(renewed(&["--within", "2h"]));
    assert!(renewed(&["--force"]));
    let before = fs::read(owner.certificate()).unwrap();
    let refusal = Fault::token(50078, "interaction_required", "Presented MFA has expired.");
    world.sandbox.fault(refusal.times(1));
    rotate(&["--force"]).ended_with(4);
    assert_eq!(fs::read(owner.certificate()).unwrap(), before);
    rotate(&["--new-key"]).ended_with(2);
}

#[test]
fn a_connection_without_any_config_may_be_made_with_a_key_of_ones_own() {
    let owner = Owner::new();
    owner
        .world
        .connect(
            &["ssh", "web01", "--public-key-file", ".ssh/id_rsa.pub"],
            "echo in",
        )
        .env("SSH_AUTH_SOCK", &owner.own.socket)
        .run()
        .printed("in\n");
}

#[test]
fn the_private_half_may_also_lie_beside_the_public_one() {
    let world = World::signed_in(options_with(&["web01"]));
    let keygen = ["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", "mine"];
    world.program("ssh-keygen").args(keygen).run().succeeded();
    world.json(&["config", "add", "web01", "--public-key-file", "mine.pub"]);
    world.ssh("web01", "true").succeeded();
}
