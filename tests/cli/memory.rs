//! The memory keyring, for machines without any other: what it holds lives as long as the agent.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::world::{
    ADA, CONTOSO, DEPLOY, DEPLOY_SECRET, Invocation, Process, World, options_with, wait_for,
};

/// Forbids a program the kernel's keyring, as containers do: by a filter of system calls, which its children inherit. No rights
/// are needed for that.
const WITHOUT_KEYCTL: &str = r#"
import ctypes, os, platform, struct, sys
first = {"x86_64": 248, "aarch64": 217}[platform.machine()]  # add_key, request_key, keyctl
def step(code, jump_true, jump_false, value):
    return struct.pack("HBBI", code, jump_true, jump_false, value)
LOAD, AT_LEAST, ABOVE, RETURN = 0x20, 0x35, 0x25, 0x06
program = b"".join([
    step(LOAD, 0, 0, 0),
    step(AT_LEAST, 0, 2, first),
    step(ABOVE, 1, 0, first + 2),
    step(RETURN, 0, 0, 0x00050000 | 1),  # EPERM
    step(RETURN, 0, 0, 0x7fff0000),
])
steps = ctypes.create_string_buffer(program)
class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2
filter = Filter(len(program) // 8, ctypes.addressof(steps))
zero = ctypes.c_ulong(0)
assert libc.prctl(NO_NEW_PRIVILEGES, ctypes.c_ulong(1), zero, zero, zero) == 0
assert libc.prctl(SECCOMP, ctypes.c_ulong(FILTER), ctypes.byref(filter), zero, zero) == 0
assert libc.syscall(first + 2, 0, -3, 0) == -1 and ctypes.get_errno() == 1
os.execv(sys.argv[1], sys.argv[1:])
"#;

/// Returns `entra-ssh` where the kernel has no keyring for it, and nothing else is there.
fn without_keyring(world: &World, arguments: &[&str]) -> Invocation {
    world
        .program("python3")
        .args(["-c", WITHOUT_KEYCTL])
        .arg(crate::world::program())
        .args(arguments)
        .env("ENTRA_SSH_CLOUD", world.sandbox.cloud_file())
}

fn login_without_keyring(world: &World) -> crate::world::Output {
    without_keyring(world, &["login", "--service-principal"])
        .args(["--client-id", DEPLOY, "--tenant", CONTOSO])
        .env("ENTRA_SSH_CLIENT_SECRET", DEPLOY_SECRET)
        .run()
}

#[test]
fn without_any_keyring_the_agents_memory_is_taken_and_said_to_end_with_it() {
    let world = World::without_keyring(options_with(&["web01"]));
    let status = without_keyring(&world, &["status", "-o", "json"]).run();
    assert_eq!(status.json()["keyring"]["backend"], "memory", "{status}");
    let reason = status.json()["keyring"]["reason"].to_string();
    assert!(reason.contains("the kernel keyring"), "{status}");
    assert!(world.agents().is_empty(), "nothing has to be held yet");
    let login = login_without_keyring(&world);
    login.succeeded();
    assert!(
        login.stderr.starts_with(
            "warning: the agent's memory forgets the sign-in when the agent ends: at the last logout, at reboot, or with entra-ssh agent stop\n\
             hint: keep it in private files instead: entra-ssh login --keyring file\n"
        ),
        "{login}"
    );
    without_keyring(&world, &["config", "add", "web01"])
        .run()
        .succeeded();
    let output = world.ssh("web01", "echo $USER");
    output.succeeded();
    assert_eq!(output.stdout.trim(), DEPLOY);
    without_keyring(&world, &["cert", "show"]).run().succeeded();
    let status = without_keyring(&world, &["status", "-o", "json"]).run();
    assert_eq!(status.json()["profiles"][0]["signed_in"], true, "{status}");
    assert!(!world.keyring_folder().exists());

    let stopped = without_keyring(&world, &["agent", "stop"]).run();
    stopped.succeeded();
    assert_eq!(
        stopped.stderr,
        "warning: a sign-in that was kept only in the agent's memory ended with it; sign in again: entra-ssh login\n"
    );
    let refused = without_keyring(&world, &["cert"]).run();
    refused.ended_with(4);
    let causes = refused.causes();
    let forgets =
        |cause: &&str| cause.starts_with("the agent's memory forgets when the agent ends");
    assert!(causes.iter().any(forgets), "{refused}");
}

#[test]
fn an_account_that_variables_name_needs_no_keyring_and_leaves_nothing_to_lose() {
    let world = World::without_keyring(options_with(&[]));
    let run = |arguments: &[&str]| {
        without_keyring(&world, arguments)
            .env("AZURE_CLIENT_ID", DEPLOY)
            .env("AZURE_TENANT_ID", CONTOSO)
            .env("AZURE_CLIENT_SECRET", DEPLOY_SECRET)
            .run()
    };
    let issued = run(&["cert", "-o", "json"]);
    issued.succeeded();
    assert_eq!(issued.stderr, "");
    assert_eq!(issued.json()["principals"][0], DEPLOY);
    let status = run(&["status", "-o", "json"]);
    status.succeeded();
    assert_eq!(status.json()["profiles"][0]["account"], DEPLOY, "{status}");
    assert_eq!(status.json()["profiles"][0]["signed_in"], true, "{status}");
    let stopped = run(&["agent", "stop"]);
    stopped.succeeded();
    assert_eq!(stopped.stderr, "", "nothing was lost");
    run(&["cert"]).succeeded();
}

#[test]
fn a_person_signs_in_to_the_agents_memory_and_out_of_it() {
    let world = World::without_keyring(options_with(&[]));
    world.login_as(ADA, &["--keyring", "memory"]);
    world.entra_ssh(&["cert"]).succeeded();
    let agent = world.json(&["agent", "status"]);
    assert_eq!(agent["sign_ins_in_memory"], 1);
    let output = world.entra_ssh(&["logout"]);
    output.succeeded();
    assert!(
        output.stdout.contains(
            "removed the sign-in from the agent's memory, the key and its certificate from the agent's memory"
        ),
        "{output}"
    );
    let agent = world.json(&["agent", "status"]);
    assert_eq!(agent["sign_ins_in_memory"], 0);
    let stopped = world.entra_ssh(&["agent", "stop"]);
    assert_eq!(stopped.stderr, "", "nothing was lost: {stopped}");
}

/// Puts a program into the world in place of the one that is there, as a package manager does.
fn install(world: &World, program: &Path) -> PathBuf {
    let (new, installed) = (world.home().join("new"), world.home().join("entra-ssh"));
    fs::copy(program, &new).unwrap();
    fs::rename(&new, &installed).unwrap();
    installed
}

/// Signs in with a copy of the program, whose agent is returned.
fn signed_in_with_a_copy(world: &World) -> Process {
    let login = world
        .program(install(world, &crate::world::program()))
        .args(["login", "--service-principal", "--client-id", DEPLOY])
        .args(["--tenant", CONTOSO, "--keyring", "memory"])
        .env("ENTRA_SSH_CLOUD", world.sandbox.cloud_file())
        .env("ENTRA_SSH_CLIENT_SECRET", DEPLOY_SECRET)
        .run();
    login.succeeded();
    world.agents().remove(0)
}

#[test]
fn an_upgraded_program_takes_the_memory_over() {
    let world = World::without_keyring(options_with(&[]));
    let first = signed_in_with_a_copy(&world);
    install(&world, &crate::world::program());
    world.entra_ssh(&["cert"]).succeeded();
    wait_for("the next agent to take over", || {
        world.json(&["agent", "status"])["pid"] != first.id
    });
    wait_for("the first to leave", || {
        world.agents().iter().all(|agent| agent.id != first.id)
    });
    world.entra_ssh(&["cert"]).succeeded();
    let status = world.json(&["agent", "status"]);
    assert_eq!(status["sign_ins_in_memory"], 1, "{status}");
}

#[test]
fn a_program_that_cannot_be_the_next_agent_takes_nothing_with_it() {
    let world = World::without_keyring(options_with(&[]));
    let first = signed_in_with_a_copy(&world);
    install(&world, Path::new("/bin/false"));
    for _ in 0..3 {
        world.entra_ssh(&["cert"]).succeeded();
    }
    let status = world.entra_ssh(&["agent", "status", "-o", "json"]);
    assert_eq!(status.json()["pid"], first.id, "{status}");
    assert!(
        status
            .stderr
            .contains("it holds the only copy of a sign-in"),
        "{status}"
    );
}

#[test]
fn an_agent_that_is_killed_takes_the_sign_in_with_it_and_the_next_says_so() {
    let world = World::without_keyring(options_with(&[]));
    world.login_as(ADA, &["--keyring", "memory"]);
    world.agents()[0].signal(Signal::TERM);
    wait_for("the agent to end", || world.agents().is_empty());
    let refused = world.entra_ssh(&["cert"]);
    refused.ended_with(4);
    assert_eq!(
        refused.stderr,
        format!(
            "error: the agent's memory holds no sign-in for `{ADA}` (profile `default`)\n\
             caused by: the agent's memory forgets when the agent ends: at the last logout, at reboot, or with entra-ssh agent stop\n\
             hint: sign in: entra-ssh login\n"
        )
    );
}
