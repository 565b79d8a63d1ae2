//! Which machine a connection leads to: what ssh shares, and what it keeps of host keys, belongs to one machine alone.

use std::fs;

use crate::world::{ADA, Invocation, Output, World, options, options_with};

/// Where ssh may put the sockets of shared connections.
const CONTROL_PATHS: [&str; 4] = ["%C", "%h", "%r@%h:%p", "%n"];

/// A world with two machines named `db01`, and a user who has ssh share connections.
struct Sharing {
    world: World,
    control_path: String,
}

impl Sharing {
    fn by(name: &str) -> Self {
        let world = World::signed_in(options_with(&["db01"]));
        world.make_ssh_folder();
        let control_path = format!("{}/cm-{name}", world.root().display());
        let config = format!(
            "Host *\n  ControlMaster auto\n  ControlPath {control_path}\n  ControlPersist 60\n"
        );
        fs::write(world.ssh_config(), config).unwrap();
        Self {
            world,
            control_path,
        }
    }

    /// Runs a command on a machine without any config of ours, and returns what it says.
    fn connect(&self, target: &str, command: &str) -> Output {
        let ssh = self.world.command(&["ssh", target, "--", "-F"]);
        let ssh = ssh.arg(self.world.ssh_config());
        let ssh = ssh.args(["-o", "StrictHostKeyChecking=accept-new", command]);
        let output = ssh.run();
        output.succeeded();
        output
    }
}

impl Drop for Sharing {
    fn drop(&mut self) {
        for entry in fs::read_dir(self.world.root()).unwrap() {
            let path = entry.unwrap().path();
            if path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("cm-"))
            {
                let control = format!("ControlPath={}", path.display());
                let exit = self.world.program("ssh");
                exit.args(["-F", "none", "-o", &control, "-O", "exit", "x"])
                    .try_run();
            }
        }
    }
}

#[test]
fn machines_of_one_name_share_no_connection() {
    for name in CONTROL_PATHS {
        let sharing = Sharing::by(name);
        let east = sharing.connect("rg-db-east/db01", "echo $HOME").stdout;
        let west = sharing.connect("rg-db-west/db01", "echo $HOME").stdout;
        assert_ne!(east, west, "{}", sharing.control_path);
        // One machine does.
        let again = sharing
            .connect("rg-db-east/db01", "echo $HOME; echo $PPID")
            .stdout;
        assert!(again.starts_with(&east), "{again}");
        let once_more = sharing
            .connect("rg-db-east/db01", "echo $HOME; echo $PPID")
            .stdout;
        assert_eq!(again, once_more);
    }
}

#[test]
fn an_alias_that_names_another_machine_leads_to_that_one() {
    for name in ["%C", "%r@%h:%p"] {
        let sharing = Sharing::by(name);
        let world = &sharing.world;
        let connect = || {
            let output = world.ssh("db01", "echo $HOME");
            output.succeeded();
            output.stdout
        };
        world.add(&["rg-db-east/db01"]);
        let east = connect();
        // A connection without config does not meet that of the managed host of another machine.
        let west = sharing.connect("rg-db-west/db01", "echo $HOME").stdout;
        assert_ne!(east, west);
        world.entra_ssh(&["config", "remove", "db01"]).succeeded();
        world.add(&["rg-db-west/db01"]);
        assert_eq!(connect(), west);
    }
}

#[test]
fn the_path_of_a_shared_connection_has_room_for_a_long_login_name() {
    let guest = "linus_fabrikam.example#ext#@contoso.example";
    let mut options = options_with(&["web01"]);
    options.machines[0].name = "a-rather-long-name-of-a-machine-01.corp.contoso.example".to_owned();
    let world = World::signed_in(options);
    let name = world.sandbox.options().machines[0].name.clone();
    world.add(&[&name, "--alias", "far"]);
    let seen = world.ssh_command(&[
        "-l",
        guest,
        "-o",
        "ControlPath=/home/alice/.ssh/cm-%r@%h:%p",
    ]);
    let seen = seen.args(["-G", "far"]).run();
    let path = seen
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("controlpath "));
    // ssh listens at a name that is 17 bytes longer at first, and there is a zero at its end.
    let length = path.unwrap().len() + 17 + 1;
    assert!(length <= 108, "{length}: {seen}");
}

/// Returns a managed file as the version before wrote it.
fn as_before(managed: &str, id: &str) -> String {
    let earlier = earlier_name(id);
    managed
        .lines()
        .filter(|line| !line.starts_with("    HostName "))
        .map(|line| match line.strip_prefix("    HostKeyAlias ") {
            Some(_) => format!("    HostKeyAlias {earlier}\n"),
            None => format!("{line}\n"),
        })
        .collect()
}

fn earlier_name(id: &str) -> String {
    let parts: Vec<&str> = id.split('/').collect();
    format!("{}.{}.{}.hybridcompute.azure", parts[8], parts[4], parts[2])
}

/// A user of the version before, who has met `web01` and has checked its key.
fn before() -> World {
    let world = World::with_host("web01");
    let id = world.machine("web01");
    let managed = fs::read_to_string(world.managed_config()).unwrap();
    fs::write(world.managed_config(), as_before(&managed, &id)).unwrap();
    let key = world.sandbox.machine_host_key("web01").unwrap();
    fs::write(
        known_hosts(&world),
        format!("{} {key}\n", earlier_name(&id)),
    )
    .unwrap();
    world
}

fn known_hosts(world: &World) -> std::path::PathBuf {
    world.home().join(".ssh/entra-ssh/known_hosts")
}

fn strict(invocation: Invocation) {
    invocation
        .args(["-o", "StrictHostKeyChecking=yes", "true"])
        .run()
        .succeeded();
}

fn plain(world: &World) -> Invocation {
    world
        .program("ssh")
        .arg("-F")
        .arg(world.ssh_config())
        .arg("web01")
}

#[test]
fn host_keys_that_the_version_before_has_kept_are_known_without_a_prompt() {
    for is_hashed in [false, true] {
        let world = before();
        if is_hashed {
            let hash = world.program("ssh-keygen").args(["-H", "-f"]);
            hash.arg(known_hosts(&world)).run().succeeded();
        }
        strict(plain(&world));
        // Without config, with the file as it was, and after it was written anew.
        strict(world.command(&["ssh", "web01", "--"]));
        strict(plain(&world));
        world.entra_ssh(&["config", "refresh"]).succeeded();
        strict(plain(&world));
        let written = fs::read_to_string(world.managed_config()).unwrap();
        assert!(written.contains("    HostName web01-"), "{written}");
        // A key that the user removes stays removed.
        let name = written
            .lines()
            .find_map(|line| line.strip_prefix("    HostKeyAlias "))
            .unwrap();
        let remove = world.program("ssh-keygen").args(["-R", name, "-f"]);
        remove.arg(known_hosts(&world)).run().succeeded();
        world.entra_ssh(&["config", "refresh"]).succeeded();
        let refused = plain(&world)
            .args(["-o", "StrictHostKeyChecking=yes", "true"])
            .run();
        refused.ended_with(255);
        assert!(
            refused.stderr.contains("Host key verification failed"),
            "{refused}"
        );
    }
}

#[test]
fn a_managed_file_of_the_version_before_is_brought_up_to_date_with_its_host_keys() {
    let world = before();
    world.entra_ssh(&["config", "refresh"]).succeeded();
    strict(plain(&world));
    let world = before();
    world.add(&["web01", "--alias", "other"]);
    strict(plain(&world));
}

#[test]
fn a_managed_host_is_a_jump_host_for_others() {
    let world = World::signed_in(options());
    world.add(&["web01"]);
    let port = world.port("web02");
    let agent = world.socket();
    let config = fs::read_to_string(world.ssh_config()).unwrap();
    let beyond = format!(
        "Host beyond\n  HostName 127.0.0.1\n  Port {port}\n  User {ADA}\n  IdentityAgent {}\n  \
         UserKnownHostsFile {}\n  \nHost *\n  StrictHostKeyChecking accept-new\n",
        agent.display(),
        world.root().join("known").display()
    );
    fs::write(world.ssh_config(), format!("{config}{beyond}")).unwrap();
    let jump = world
        .ssh_command(&["-J", "web01", "beyond", "echo $HOME"])
        .run();
    jump.succeeded();
    let straight = world.ssh("beyond", "echo $HOME");
    assert_eq!(jump.stdout, straight.stdout);
}

#[test]
fn a_managed_host_is_reached_by_way_of_a_jump_host() {
    let world = World::signed_in(options());
    world.add(&["web01"]);
    let port = world.port("web02");
    world.add(&["--ip", "127.0.0.1", "--port", &port, "--alias", "near"]);
    let config = fs::read_to_string(world.ssh_config()).unwrap();
    let accept = "Host *\n  StrictHostKeyChecking accept-new\n";
    fs::write(world.ssh_config(), format!("{config}{accept}")).unwrap();
    let jump = world
        .ssh_command(&["-J", "web01", "near", "echo $HOME"])
        .run();
    jump.succeeded();
    let straight = world.ssh("near", "echo $HOME");
    assert_eq!(jump.stdout, straight.stdout);
    // The name that was typed is for name servers to know, and not the unique one.
    let named = ["-G", "-J", "bastion", "-o", "HostName=%h", "web01"];
    let seen = world.ssh_command(&named).run();
    for line in ["hostname web01", "proxyjump bastion"] {
        assert!(seen.stdout.lines().any(|said| said == line), "{seen}");
    }
}
