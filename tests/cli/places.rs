//! Where sockets and locks lie when their usual place is gone, foreign, or cannot hold them, and whose they must be.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::process::{Signal, geteuid};

use crate::world::{World, files_below, options_with, wait_for};

#[test]
#[ignore = "a runtime folder of the system must be out of sight: tests/run runs it as root"]
fn as_root_hosts_are_reached_when_the_runtime_folder_is_gone_and_when_it_is_back() {
    let of_system = Path::new("/run/user").join(geteuid().as_raw().to_string());
    assert!(!of_system.exists(), "it would take the folder's place");
    let world = World::with_host("web01");
    world.ssh("web01", "true").succeeded();
    let config = fs::read_to_string(world.managed_config()).unwrap();
    let link = world.agent_link();
    assert!(
        config.contains(&format!("IdentityAgent {}\n", link.display())),
        "{config}"
    );
    // The last logout takes the folder, and with it the agent.
    let (runtime, away) = (world.runtime(), world.root().join("away"));
    fs::rename(&runtime, &away).unwrap();
    wait_for("the agent to end", || world.agents().is_empty());
    let fallback = world.home().join(".local/state/entra-ssh/agent.sock");
    // As in a shell that has outlived the folder, and as in cron.
    let ssh = || world.ssh_command(&["web01", "echo here"]);
    for ssh in [ssh(), ssh().env_remove("XDG_RUNTIME_DIR")] {
        ssh.run().printed("here\n");
        assert_eq!(fs::read_link(&link).unwrap(), fallback);
    }
    let status = world.json(&["agent", "status"]);
    assert_eq!(status["socket"], fallback.to_str().unwrap());
    assert_eq!(status["running"], true);
    world.stop_agent();
    fs::rename(&away, &runtime).unwrap();
    world.ssh("web01", "true").succeeded();
    assert_eq!(fs::read_link(&link).unwrap(), world.socket());
}

#[test]
fn an_agent_whose_folder_is_gone_ends() {
    let world = World::with(options_with(&[]));
    world.json(&["agent", "start"]);
    fs::remove_dir_all(world.socket().parent().unwrap()).unwrap();
    wait_for("the agent to end", || world.agents().is_empty());
}

#[test]
fn an_agent_whose_sockets_are_gone_ends_and_leaves_those_of_the_next() {
    let world = World::with(options_with(&[]));
    let first = world.json(&["agent", "start"]);
    let folder = world.socket().parent().unwrap().to_owned();
    world.agents()[0].signal(Signal::STOP);
    fs::rename(&folder, world.root().join("away")).unwrap();
    let second = world.json(&["agent", "start"]);
    assert_ne!(second["pid"], first["pid"]);
    let stopped = |agent: &&crate::world::Process| first["pid"] == agent.id;
    let agents = world.agents();
    agents.iter().find(stopped).unwrap().signal(Signal::CONT);
    wait_for("the first to end", || world.agents().len() == 1);
    assert_eq!(world.json(&["agent", "status"])["pid"], second["pid"]);
}

#[test]
fn agent_stop_finds_an_agent_that_hangs_and_that_nobody_can_reach() {
    let world = World::with(options_with(&[]));
    world.json(&["agent", "start"]);
    let agent = world.agents().remove(0);
    agent.signal(Signal::STOP);
    fs::remove_dir_all(world.socket().parent().unwrap()).unwrap();
    let output = world.entra_ssh(&["agent", "stop"]);
    output.succeeded();
    let told = format!(
        "ended process {}, an agent whose socket is gone\n",
        agent.id
    );
    assert!(output.stdout.contains(&told), "{output}");
    wait_for("the agent to end", || world.agents().is_empty());
}

#[test]
fn a_socket_in_a_folder_of_others_is_not_asked_and_the_remedy_is_named() {
    let world = World::with(options_with(&[]));
    let folder = world.root().join("shared");
    fs::create_dir(&folder).unwrap();
    let socket = folder.join("agent.sock");
    let listener = UnixListener::bind(folder.join("agent.sock.ask")).unwrap();
    listener.set_nonblocking(true).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o1777)).unwrap();
    let status = [
        "--agent-socket",
        socket.to_str().unwrap(),
        "agent",
        "status",
    ];
    let output = world.entra_ssh(&status);
    output.ended_with(1);
    let folder_name = folder.display();
    assert_eq!(
        output.stderr,
        format!(
            "error: other users may write to the folder `{folder_name}` of the socket\n\
             hint: remove their write access: chmod go-w {folder_name}\n"
        )
    );
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    assert!(listener.accept().is_err(), "nobody has connected");
}

#[test]
#[ignore = "only root can give a folder away: tests/run runs it as root"]
fn as_root_a_socket_in_the_folder_of_another_user_is_not_asked() {
    let world = World::with(options_with(&[]));
    let folder = world.root().join("theirs");
    fs::create_dir(&folder).unwrap();
    let listener = UnixListener::bind(folder.join("agent.sock.ask")).unwrap();
    listener.set_nonblocking(true).unwrap();
    chown(&folder, Some(54321), None).unwrap();
    let socket = folder.join("agent.sock");
    let output = world
        .command(&["agent", "status", "--agent-socket"])
        .arg(socket)
        .run();
    output.ended_with(1);
    let folder = folder.display();
    assert_eq!(
        output.stderr,
        format!(
            "error: the folder `{folder}` of the socket belongs to another user (uid 54321), not to you (uid 0)\n\
             hint: run entra-ssh without sudo, or as the agent's user: sudo -u '#54321' entra-ssh\n"
        )
    );
    assert!(listener.accept().is_err(), "nobody has connected");
}

#[test]
#[ignore = "only root can be two users: tests/run runs it as root"]
fn as_root_a_program_of_another_user_that_listens_in_our_folder_is_not_believed() {
    let world = World::with(options_with(&[]));
    fs::set_permissions(world.root(), Permissions::from_mode(0o755)).unwrap();
    let folder = world.root().join("ours");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
    let asked = folder.join("agent.sock.ask");
    let mut listening = world
        .program("setpriv")
        .args(["--clear-groups", "--reuid", "54321", "--regid", "54321"])
        .args(["socat", "PIPE"])
        .arg(format!("UNIX-LISTEN:{}", asked.display()))
        .start();
    listening.wait_until("the other user listens", |_| asked.exists().then_some(()));
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    let output = world
        .command(&["agent", "status", "--agent-socket"])
        .arg(folder.join("agent.sock"))
        .run();
    output.ended_with(1);
    let told = format!(
        "error: a program of another user (uid 54321) listens at `{}`\n",
        asked.display()
    );
    assert!(output.stderr.starts_with(&told), "{output}");
}

#[test]
fn sudo_with_the_users_home_is_refused_and_leaves_nothing() {
    let world = World::signed_in(options_with(&[]));
    world.stop_agent();
    // As root, another user's home; as an ordinary user, root's.
    let (home, owner) = if geteuid().is_root() {
        chown(world.home(), Some(54321), None).unwrap();
        chown(world.runtime(), Some(54321), None).unwrap();
        (world.home(), "54321")
    } else {
        (PathBuf::from("/"), "0")
    };
    let before = files_below(world.root());
    for arguments in [&["status"][..], &["cert"], &["agent", "start"]] {
        let output = world
            .command(arguments)
            .env("HOME", &home)
            .env("SUDO_UID", owner)
            .run();
        output.ended_with(1);
        let told = format!("the home folder `{}` belongs to `", home.display());
        assert!(output.error().starts_with(&told), "{output}");
        let hint = output.hint();
        assert!(hint.starts_with("run entra-ssh as "), "{output}");
        assert!(hint.contains(": sudo -H entra-ssh"), "{output}");
    }
    assert_eq!(files_below(world.root()), before);
    assert!(world.agents().is_empty());
}

#[test]
#[ignore = "only root can become a user without a name: tests/run runs it as root"]
fn as_root_a_user_without_name_and_home_has_an_agent_and_is_told_how_to_have_profiles() {
    let world = World::with(options_with(&[]));
    fs::set_permissions(world.root(), Permissions::from_mode(0o755)).unwrap();
    let id = 200_000 + std::process::id();
    let place = PathBuf::from(format!("/tmp/entra-ssh-{id}"));
    let program = world.root().join("entra-ssh");
    fs::copy(crate::world::program(), &program).unwrap();
    let run = |arguments: &[&str]| {
        let id = id.to_string();
        world
            .program("setpriv")
            .args(["--clear-groups", "--reuid", &id, "--regid", &id])
            .arg(&program)
            .args(arguments)
            .current_dir("/")
            .env("HOME", "/")
            .env_remove("XDG_RUNTIME_DIR")
            .env("ENTRA_SSH_KEYRING", "file")
            .run()
    };
    let started = run(&["agent", "start", "-o", "json"]);
    let socket = place.join("agent.sock");
    let status = run(&["agent", "status", "-o", "json"]);
    let stopped = run(&["agent", "stop"]);
    // First of all, so that nothing stays whatever fails.
    let _removed = fs::remove_dir_all(&place);
    started.succeeded();
    assert_eq!(status.json()["running"], true, "{status}");
    assert_eq!(status.json()["socket"], socket.to_str().unwrap());
    assert_eq!(stopped.stdout, "stopped the agent\n");
}
