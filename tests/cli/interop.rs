//! Other people's clients: paramiko, asyncssh, and OpenSSH with a forwarded agent, at our agent; MSAL at the sandbox, so that it
//! is Entra for more than for us.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;

use crate::world::{
    ADA, CONTOSO, DEPLOY, DEPLOY_SECRET, GRACE, Output, Running, World, options_with,
    options_with_sshd, package, wait_for,
};

/// The Python with paramiko, asyncssh and MSAL that `tests/run` makes.
fn python() -> PathBuf {
    let python = package().join("target/interop/bin/python");
    assert!(
        python.exists(),
        "`{}` is missing: tests/run makes it",
        python.display()
    );
    python
}

/// Has MSAL acquire a certificate, and asserts whom it is for.
#[track_caller]
fn msal_gets_a_certificate(way: &str, principal: &str) {
    let world = World::with(options_with(&[]));
    let facts = serde_json::json!({
        "authority": world.sandbox.authority(),
        "tenant": CONTOSO,
        "control": world.sandbox.description().control,
        "ca_file": world.sandbox.ca_file(),
        "principal": DEPLOY,
        "secret": DEPLOY_SECRET,
        "cloud_shell": world.sandbox.description().workloads["cloud-shell"]["MSI_ENDPOINT"],
    });
    let script = package().join("tests/cli/interop/msal_sign_in.py");
    world
        .program(python())
        .arg(script)
        .args([way, &facts.to_string()])
        .run()
        .printed(&format!("{principal}\n"));
}

#[test]
fn msal_gets_a_certificate_by_a_client_secret() {
    msal_gets_a_certificate("secret", DEPLOY);
}

#[test]
fn msal_gets_a_certificate_by_a_client_certificate() {
    msal_gets_a_certificate("certificate", DEPLOY);
}

#[test]
fn msal_gets_a_certificate_after_a_device_code() {
    msal_gets_a_certificate("device-code", &GRACE.to_lowercase());
}

#[test]
fn msal_gets_a_certificate_after_a_sign_in_with_a_browser() {
    msal_gets_a_certificate("auth-code", &GRACE.to_lowercase());
}

#[test]
fn msal_gets_a_certificate_in_cloud_shell() {
    msal_gets_a_certificate("cloud-shell", ADA);
}

/// Returns a world with real `sshd` on both machines, and somebody signed in.
fn signed_in_with_sshd() -> World {
    let world = World::signed_in(options_with_sshd(&["web01", "web02"]));
    world.add(&["web01"]);
    world
}

fn log_in_by(world: &World, script: &str) -> Output {
    let scripts = package().join("tests/cli/interop");
    let address = world.sandbox.machine_address("web01").unwrap();
    world
        .program(python())
        .env("SSH_AUTH_SOCK", world.socket())
        .arg(scripts.join(script))
        .args([address.ip().to_string(), address.port().to_string()])
        .arg(ADA)
        .run()
}

#[test]
fn paramiko_logs_in() {
    let world = signed_in_with_sshd();
    log_in_by(&world, "paramiko_login.py").printed("paramiko is in\n");
    world.ssh_add("-D").succeeded();
    assert_ne!(log_in_by(&world, "paramiko_login.py").status, 0);
}

#[test]
fn asyncssh_logs_in() {
    let world = signed_in_with_sshd();
    log_in_by(&world, "asyncssh_login.py").printed("asyncssh is in\n");
    world.ssh_add("-D").succeeded();
    assert_ne!(log_in_by(&world, "asyncssh_login.py").status, 0);
}

/// A machine in between that is not of Azure: `sshd`, which lets this user in with a key of their own.
struct JumpHost {
    port: u16,
    user: String,
    _running: Running,
}

impl JumpHost {
    fn start(world: &World) -> Self {
        let home = world.home();
        for name in ["jump_host_key", "own_key"] {
            world
                .program("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f", name])
                .run()
                .succeeded();
        }
        let port = TcpListener::bind(("127.0.0.1", 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let home_path = home.display();
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nPidFile none\nHostKey {home_path}/jump_host_key\n\
             AuthorizedKeysFile {home_path}/own_key.pub\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
        );
        fs::write(home.join("jump_config"), config).unwrap();
        let running = world
            .program("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(home.join("jump_config"))
            .start();
        wait_for("the machine in between", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        let user = world.program("id").arg("-un").run();
        Self {
            port,
            user: user.stdout.trim().to_owned(),
            _running: running,
        }
    }

    /// Runs a command there, with our agent forwarded.
    fn run(&self, world: &World, command: &str) -> Output {
        world
            .program("ssh")
            .args(["-A", "-F", "none", "-i", "own_key"])
            .args(["-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"])
            .args(["-o", "StrictHostKeyChecking=no"])
            .args(["-o", "UserKnownHostsFile=/dev/null"])
            .args(["-p", &self.port.to_string(), "-l", &self.user])
            .args(["127.0.0.1", command])
            .env("SSH_AUTH_SOCK", world.socket())
            .run()
    }
}

// The jump host takes another key, so that a login to it does not depend on what the forwarded agent shows.
#[test]
fn a_forwarded_agent_signs_for_no_third_host_unless_the_profile_says_so() {
    let world = signed_in_with_sshd();
    let jump_host = JumpHost::start(&world);
    let third = world.sandbox.machine_address("web02").unwrap();
    let onwards = format!(
        "ssh -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -F none -p {} -l {ADA} {} \
         echo on the third",
        third.port(),
        third.ip()
    );
    let refused = jump_host.run(&world, &onwards);
    assert_eq!(refused.status, 255, "{refused}");
    assert!(refused.stderr.contains("Permission denied"), "{refused}");
    // The agent is there, and shows nothing.
    let listed = jump_host.run(&world, "ssh-add -l");
    assert!(
        listed.stdout.contains("The agent has no identities."),
        "{listed}"
    );
    world.json(&["cert", "--forwardable", "yes"]);
    jump_host.run(&world, &onwards).printed("on the third\n");
}
