//! The keyring of the kernel, and a session that has none of its own.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;

use serde_json::Value;

use crate::world::{CONTOSO, DEPLOY, DEPLOY_SECRET, Output, World, options_with};

/// Lets an ordinary user without an account run scripts, since root's keys are not counted. `$E` is our program, `$LOGIN`
/// a sign-in that asks nobody.
struct OrdinaryUser<'w> {
    world: &'w World,
    id: u32,
    /// Held by one test at a time, since the kernel counts all keys of a user together.
    _turn: fs::File,
}

impl<'w> OrdinaryUser<'w> {
    /// Opens the world's folders to somebody whom no other test is.
    fn of(world: &'w World) -> Self {
        let id = if rustix::process::geteuid().is_root() {
            100_000 + std::process::id()
        } else {
            rustix::process::geteuid().as_raw()
        };
        let turn = fs::File::open(std::env::current_exe().unwrap()).unwrap();
        turn.lock().unwrap();
        let user = Self {
            world,
            id,
            _turn: turn,
        };
        fs::set_permissions(world.root(), Permissions::from_mode(0o755)).unwrap();
        if rustix::process::geteuid().is_root() {
            for folder in [world.home(), world.runtime()] {
                chown(folder, Some(id), Some(id)).unwrap();
            }
        }
        let sandbox = &world.sandbox;
        for (from, to) in [
            (crate::world::program(), user.program()),
            (sandbox.cloud_file(), user.cloud_file()),
            (sandbox.ca_file(), world.root().join("ca.pem")),
        ] {
            // The program is large where it was built with all that debuggers want.
            if fs::hard_link(&from, &to).is_err() {
                fs::copy(from, &to).unwrap();
            }
            fs::set_permissions(to, Permissions::from_mode(0o755)).unwrap();
        }
        user
    }

    fn program(&self) -> PathBuf {
        self.world.root().join("entra-ssh")
    }

    fn cloud_file(&self) -> PathBuf {
        self.world.root().join("cloud.toml")
    }

    /// Runs a script in the session that there is, and returns the lines in JSON beside the whole.
    fn run(&self, script: &str) -> (Output, Vec<Value>) {
        self.run_by(&[], script)
    }

    /// Runs a script in a session of its own, as those who log in have it.
    fn run_in_session(&self, script: &str) -> (Output, Vec<Value>) {
        self.run_by(&["keyctl", "session", "-"], script)
    }

    fn run_by(&self, session: &[&str], script: &str) -> (Output, Vec<Value>) {
        let id = self.id.to_string();
        let mut words = Vec::new();
        if rustix::process::geteuid().is_root() {
            words.extend(["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"]);
        }
        words.extend(session);
        words.extend(["sh", "-c", script]);
        let output = self
            .world
            .program(words[0])
            .args(&words[1..])
            .env("E", self.program())
            .env("ENTRA_SSH_CLOUD", self.cloud_file())
            .env("ENTRA_SSH_CLIENT_SECRET", DEPLOY_SECRET)
            .env("ENTRA_SSH_OUTPUT", "json")
            .env(
                "LOGIN",
                format!("login --service-principal --client-id {DEPLOY} --tenant {CONTOSO}"),
            )
            .run();
        let values = output
            .stdout
            .lines()
            .filter(|line| line.starts_with(['{', '[']))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        (output, values)
    }
}

/// Asserts that the kernel's keyring is used. Where a container forbids it, these tests cannot run.
#[track_caller]
fn assert_is_there(status: &Value) {
    let keyring = &status["keyring"];
    let reason = keyring["reason"].as_str().unwrap();
    assert!(
        reason.contains("the Secret Service cannot be used: "),
        "{reason}"
    );
    assert_eq!(keyring["backend"], "keyutils", "{reason}");
}

#[test]
fn the_kernel_keyring_is_taken_where_there_is_no_secret_service() {
    let world = World::without_keyring(options_with(&[]));
    let user = OrdinaryUser::of(&world);
    let (output, values) = user.run_in_session(
        "$E status; $E $LOGIN && $E cert && $E cert show && $E status && $E logout && $E cert show; keyctl show",
    );
    assert_is_there(&values[0]);
    let [_, login, issued, shown, status, logout] = values.as_slice() else {
        panic!("{output}");
    };
    assert_eq!(login["keyring"]["backend"], "keyutils");
    assert_eq!(
        issued["public_key_fingerprint"],
        shown["public_key_fingerprint"]
    );
    assert_eq!(status["profiles"][0]["signed_in"], true);
    assert_eq!(
        logout[0]["removed"].as_array().unwrap().len(),
        4,
        "{output}"
    );
    assert!(
        output.stderr.contains("profile `default` is not signed in"),
        "{output}"
    );
    assert!(
        !output.stdout.contains("@entra-ssh"),
        "something is left: {output}"
    );
    assert!(!world.keyring_folder().exists());
}

#[test]
fn an_agent_that_is_killed_while_it_writes_to_the_kernel_keyring_leaves_key_and_certificate_whole()
{
    let world = World::without_keyring(options_with(&[]));
    let user = OrdinaryUser::of(&world);
    // Killed at once, later each time by a part of what a renewal takes here, and when it was too late.
    let (output, values) = user.run_in_session(
        "$E status; $E $LOGIN --key-size 2048 >/dev/null; $E cert >/dev/null
         key() { $E cert show | grep -o '\"public_key_fingerprint\":\"[^\"]*'; }
         begun=$(date +%s%N); $E rotate --force >/dev/null; span=$(($(date +%s%N) - begun))
         last=$(key); turn=0
         while [ $turn -le 16 ]; do
             agent=$($E agent start | grep -o '\"pid\":[0-9]*' | cut -d : -f 2)
             $E rotate --force >/dev/null & client=$!
             if [ $turn = 16 ]; then wait $client
             else sleep $(awk \"BEGIN { print $span * $turn / 1e10 }\"); fi
             kill -9 $client $agent; wait $client
             now=$(key) || echo broken
             [ $now = $last ] && echo kept || echo replaced
             last=$now; turn=$((turn + 1))
             echo entries $(keyctl show | awk '/@entra-ssh/ { print $1 }' | sort -u | wc -l)
         done
         $E logout >/dev/null",
    );
    assert_is_there(&values[0]);
    let count = |line: &str| output.stdout.lines().filter(|it| *it == line).count();
    assert_eq!(count("broken"), 0, "{output}");
    println!("{} kept, {} replaced", count("kept"), count("replaced"));
    assert!(count("kept") > 0 && count("replaced") > 0, "{output}");
    // The sign-in and the certificate, and no more.
    assert_eq!(count("entries 2"), 17, "{output}");
}

#[test]
fn a_full_kernel_keyring_is_told_and_keeps_what_it_has() {
    let world = World::without_keyring(options_with(&[]));
    let user = OrdinaryUser::of(&world);
    let (output, values) = user.run_in_session(
        "$E status; $E $LOGIN
         free=$(awk -v id=$(id -u): '$1 == id { split($5, bytes, \"/\"); print bytes[2] - bytes[1] }' /proc/key-users)
         key=$(keyctl add user filler \"$(head -c $((free - 1500)) /dev/zero | tr '\\0' x)\" @s)
         ENTRA_SSH_OUTPUT=text $E cert; echo \"exit status $?\"; $E status
         keyctl unlink $key @s >/dev/null; $E cert; $E cert show; $E logout",
    );
    assert_is_there(&values[0]);
    // The certificate serves all the same, and is stored as soon as there is room.
    assert!(output.stdout.contains("exit status 0\n"), "{output}");
    let warning =
        "warning: the certificate is held in the agent's memory only: the kernel keyring is full";
    assert!(output.stderr.contains(warning), "{output}");
    let [_, _, status, issued, shown, _] = values.as_slice() else {
        panic!("{output}");
    };
    assert_eq!(status["profiles"][0]["signed_in"], true, "{output}");
    assert_eq!(
        issued["public_key_fingerprint"], shown["public_key_fingerprint"],
        "{output}"
    );
}

#[test]
fn a_session_that_cannot_read_back_is_told_and_left_as_it_was() {
    let world = World::without_keyring(options_with(&[]));
    let user = OrdinaryUser::of(&world);
    // Unless whoever runs this test has logged in, keys are added to the user's own session keyring, and cannot be read.
    let (output, values) = user
        .run("$E status; $E status; ENTRA_SSH_OUTPUT=text $E $LOGIN; keyctl show; $E logout --all; $E agent stop");
    // Inside a session that began with a login, as those of `su`, it can.
    if values[0]["keyring"]["backend"] != "keyutils" {
        assert!(
            output
                .stderr
                .contains("warning: the agent's memory forgets the sign-in when the agent ends"),
            "{output}"
        );
    }
    let left = output.stdout.matches("keyring:trial").count();
    assert!(left <= 1, "each trial leaves something behind: {output}");
}
