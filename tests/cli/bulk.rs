//! Much, many at once, and many small things: through real `ssh` and `sshd`, what goes in comes out.
//!
//! Each has a small form here, and one of the size that people meet, which takes long:
//!
//! ```sh
//! cargo nextest run --run-ignored only -E 'test(bulk::)' --no-capture
//! ```

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::world::{Invocation, World, noise, options_with_sshd};

const MIB: usize = 1024 * 1024;
/// How long the long forms may take.
const LONG: Duration = Duration::from_secs(3600);

/// A world with a managed host, and a folder that this machine and that one both see.
struct Bulk {
    world: World,
    folder: TempDir,
}

impl Bulk {
    fn new() -> Self {
        let world = World::signed_in(options_with_sshd(&["web01"]));
        world.add(&["web01"]);
        let folder = tempfile::Builder::new()
            .prefix("es-bulk")
            .tempdir_in("/tmp")
            .unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        Self { world, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        path
    }

    /// Runs a script in which `$SSH` is ssh with this world's config.
    fn script(&self, script: &str) -> Invocation {
        let config = self.world.ssh_config();
        let ssh = format!(
            "ssh -o StrictHostKeyChecking=accept-new -F {}",
            config.display()
        );
        self.world
            .program("bash")
            .args(["-e", "-u", "-o", "pipefail", "-c", script])
            .env("SSH", ssh)
            .limit(LONG)
    }
}

/// Sends a file of 64 MiB so often up, and as often down, and compares the checksums.
fn much(rounds: usize) {
    let bulk = Bulk::new();
    let file = bulk.write("noise", &noise(64 * MIB));
    let file = file.display();
    let repeat = format!("for i in $(seq {rounds}); do cat {file}; done");
    let expected = bulk.script(&format!("({repeat}) | sha256sum")).run();
    expected.succeeded();
    for (name, script) in [
        ("up", format!("({repeat}) | $SSH web01 sha256sum")),
        ("down", format!("$SSH web01 '{repeat}' | sha256sum")),
    ] {
        let begun = Instant::now();
        let output = bulk.script(&script).run();
        output.succeeded();
        assert_eq!(output.stdout, expected.stdout, "{name}");
        println!(
            "{} MiB {name}, checksums equal, {:.1} s",
            64 * rounds,
            begun.elapsed().as_secs_f64()
        );
    }
}

/// Opens so many sessions at once; each sends so many MiB and has them sent back.
fn many(sessions: usize, mib: usize) {
    let bulk = Bulk::new();
    let file = bulk.write("noise", &noise(mib * MIB));
    bulk.script("$SSH web01 true").run().succeeded();
    let file = file.display();
    let begun = Instant::now();
    let running: Vec<_> = (0..sessions)
        .map(|_| {
            let script = format!("$SSH web01 cat <{file} | cmp - {file}");
            bulk.script(&script).start()
        })
        .collect();
    for session in running {
        session.finish().succeeded();
    }
    println!(
        "{sessions} sessions at once, {mib} MiB each way, all equal, {:.1} s",
        begun.elapsed().as_secs_f64()
    );
}

/// Copies so many small files there with rsync, and back, and compares them.
fn small(files: usize) {
    let bulk = Bulk::new();
    let bytes = noise(files + 4096);
    for number in 0..files {
        let name = format!("there/{}/{number}", number % 100);
        bulk.write(&name, &bytes[number..number + number % 4096]);
    }
    for folder in fs::read_dir(bulk.path("there")).unwrap() {
        let open = Permissions::from_mode(0o755);
        fs::set_permissions(folder.unwrap().path(), open).unwrap();
    }
    let (there, back) = (bulk.path("there"), bulk.path("back"));
    let copy = |from: &str, to: &str| {
        let output = bulk
            .script(&format!(
                "rsync --archive --no-owner --rsh \"$SSH\" {from}/ {to}/"
            ))
            .run();
        output.succeeded();
    };
    let begun = Instant::now();
    let remote = format!("web01:{}", bulk.path("copied").display());
    copy(&there.display().to_string(), &remote);
    copy(&remote, &back.display().to_string());
    let seconds = begun.elapsed().as_secs_f64();
    let compare = format!("diff -r {} {}", there.display(), back.display());
    bulk.script(&compare).run().succeeded();
    assert_eq!(count(&back), files);
    println!("{files} files there and back with rsync, all equal, {seconds:.1} s");
}

fn count(folder: &Path) -> usize {
    crate::world::files_below(folder).len()
}

#[test]
fn what_is_sent_and_received_in_bulk_is_whole() {
    much(1);
}

#[test]
fn sessions_at_once_do_not_mix() {
    many(8, 2);
}

#[test]
fn rsync_copies_small_files_there_and_back() {
    small(500);
}

#[test]
#[ignore = "takes minutes"]
fn ten_gibibytes_each_way_are_whole() {
    much(160);
}

#[test]
#[ignore = "takes minutes"]
fn a_hundred_sessions_at_once_do_not_mix() {
    many(100, 10);
}

#[test]
#[ignore = "takes minutes"]
fn rsync_copies_ten_thousand_files_there_and_back() {
    small(10_000);
}
