//! Ends a process with all that descends from it.
//!
//! `sshd` gives every connection a session of its own, so a signal to a process group reaches none
//! of them. The tree is read from `/proc`; on systems without it only the process itself is ended.

use std::collections::BTreeSet;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How often the tree is read again to find what was started meanwhile.
const MAX_ROUNDS: usize = 16;

/// How long killed processes may take to be gone, on a busy machine.
const DEATH_TIME: Duration = Duration::from_secs(30);

/// Kills a process and its descendants, and returns when they are gone. A process that a session left behind when it ended is no
/// descendant any more, and lives on.
pub(super) fn kill(root: u32) {
    let mut tree = BTreeSet::from([root]);
    send(root, Signal::STOP);
    for _ in 0..MAX_ROUNDS {
        let new = children(&tree);
        if new.is_empty() {
            break;
        }
        // Who is stopped starts no others.
        for id in &new {
            send(*id, Signal::STOP);
        }
        tree.extend(new);
    }
    for id in &tree {
        send(*id, Signal::KILL);
    }
    let deadline = Instant::now() + DEATH_TIME;
    while tree.iter().any(|id| is_alive(*id)) && Instant::now() < deadline {
        sleep(Duration::from_millis(1));
    }
}

/// Returns whether a process runs or could; one that only waits to be noticed does not.
fn is_alive(id: u32) -> bool {
    stat(id).is_some_and(|(state, _)| !matches!(state.as_str(), "X" | "Z"))
}

/// Returns the processes whose parent is in `tree` and that are not in it themselves.
fn children(tree: &BTreeSet<u32>) -> BTreeSet<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return BTreeSet::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|id| !tree.contains(id) && parent(*id).is_some_and(|id| tree.contains(&id)))
        .collect()
}

fn parent(id: u32) -> Option<u32> {
    stat(id).map(|(_, parent)| parent)
}

/// Returns the state and the parent of a process: the fields after its name, which is in parentheses
/// and may itself hold spaces and parentheses.
fn stat(id: u32) -> Option<(String, u32)> {
    let stat = fs::read(format!("/proc/{id}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

fn send(id: u32, signal: Signal) {
    if let Some(id) = Pid::from_raw(id.cast_signed()) {
        // It fails when the process is gone, which is what is wanted.
        let _ = kill_process(id, signal);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Stdio;

    use tokio::io::{AsyncBufReadExt as _, BufReader};
    use tokio::process::Command;

    use super::{is_alive, kill, parent};

    #[tokio::test]
    async fn grandchildren_in_other_sessions_die_too() {
        let mut child = Command::new("sh")
            .args(["-c", "setsid sh -c 'echo $$; sleep 600; true'; true"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let grandchild: u32 = lines.next_line().await.unwrap().unwrap().parse().unwrap();
        assert!(parent(grandchild).is_some());
        kill(child.id().unwrap());
        assert!(!is_alive(grandchild));
        assert!(!child.wait().await.unwrap().success());
        // The pipe closes when the last of them is gone.
        assert_eq!(lines.next_line().await.unwrap(), None);
    }
}
