//! Visits by `ssh` and `sftp`.

use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::machine::visitor::Visitor;
use crate::machine::{Machine, MachineKind, MachineOptions};

const ALICE: &str = "alice@contoso.com";

async fn machine(visitor: &Visitor) -> (Machine, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::start(MachineOptions {
        kind: MachineKind::Embedded,
        user_ca: visitor.user_ca(),
        principals: vec![(ALICE.to_owned(), vec![ALICE.to_owned()])],
        folder: folder.path().to_owned(),
    });
    (machine.await.unwrap(), folder)
}

async fn alice_and_machine() -> (Visitor, Machine, TempDir) {
    let alice = Visitor::new().await;
    alice.certify("ca", "Alice@contoso.com", "-1m:+1h").await;
    let (machine, folder) = machine(&alice).await;
    (alice, machine, folder)
}

#[tokio::test]
async fn ssh_with_a_certificate_runs_a_command() {
    let (alice, machine, folder) = alice_and_machine().await;
    let line = "cat; echo to stderr >&2; pwd -P; exit 7";
    let output = alice.run(&machine, ALICE, line, b"hello\n").await;
    assert_eq!(output.status.code(), Some(7), "{output:?}{}", machine.log());
    let home = folder
        .path()
        .canonicalize()
        .unwrap()
        .join("home")
        .join(ALICE);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(stdout, format!("hello\n{}\n", home.display()));
    assert_eq!(output.stderr, b"to stderr\n");
    assert!(machine.log().contains("accepted `alice@contoso.com`"));
}

#[tokio::test]
async fn command_sees_nothing_of_the_environment_but_three_variables() {
    let (alice, machine, _folder) = alice_and_machine().await;
    let output = alice.run(&machine, ALICE, "env", b"").await;
    let stdout = String::from_utf8(output.stdout).unwrap();
    let made_by_shells = ["OLDPWD", "PWD", "SHLVL"];
    let mut names: Vec<&str> = stdout
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0))
        .filter(|name| !name.starts_with('_') && !made_by_shells.contains(name))
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "PATH", "USER"]);
}

#[tokio::test]
async fn shell_without_a_terminal_reads_its_commands() {
    let (alice, machine, _folder) = alice_and_machine().await;
    let mut ssh = alice.program("ssh", &machine);
    ssh.args(["-T", "-l", ALICE, "127.0.0.1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = ssh.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"echo $USER; exit 3\n").await.unwrap();
    let output = timeout(Duration::from_secs(120), child.wait_with_output());
    let output = output.await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(output.stdout, format!("{ALICE}\n").into_bytes());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn shell_has_a_terminal_that_interrupts() {
    let (alice, machine, _folder) = alice_and_machine().await;
    let mut ssh = alice.program("ssh", &machine);
    ssh.args(["-tt", "-l", ALICE, "127.0.0.1"])
        .env("TERM", "vt100")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = ssh.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut shown = String::new();
    // What to type, and what to wait for before typing on; 3 is Ctrl-C, which ends `sleep`.
    for (text, mark) in [
        ("tty; sh -c 'echo $TERM; exec sleep 600'\n", "\nvt100\r\n"),
        ("\x03", "^C"),
        ("exit 4\n", "exit 4"),
    ] {
        stdin.write_all(text.as_bytes()).await.unwrap();
        while !shown.contains(mark) {
            let mut part = [0; 1024];
            let read = timeout(Duration::from_secs(120), stdout.read(&mut part));
            let length = read.await.expect(&shown).unwrap();
            assert_ne!(length, 0, "{shown}");
            shown += std::str::from_utf8(&part[..length]).unwrap();
        }
    }
    let status = timeout(Duration::from_secs(120), child.wait())
        .await
        .unwrap();
    assert_eq!(status.unwrap().code(), Some(4), "{shown}");
    assert!(shown.contains("/dev/pts/"), "{shown}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn command_on_a_terminal_shows_all_of_its_output() {
    let (alice, machine, _folder) = alice_and_machine().await;
    let mut ssh = alice.program("ssh", &machine);
    ssh.args(["-tt", "-l", ALICE, "127.0.0.1", "seq 100000; exit 5"])
        .stdin(Stdio::null());
    let output = timeout(Duration::from_secs(120), ssh.output());
    let output = output.await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(5));
    let expected: Vec<String> = (1..=100_000).map(|n| n.to_string()).collect();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.lines().eq(expected), "{} bytes", shown.len());
}

#[tokio::test]
async fn refuse_certificate_of_another_authority() {
    let (alice, machine, _folder) = alice_and_machine().await;
    alice.make_key("other").await;
    alice.certify("other", ALICE, "-1m:+1h").await;
    let output = alice.run(&machine, ALICE, "true", b"").await;
    assert_eq!(output.status.code(), Some(255), "{output:?}");
    assert!(
        machine.log().contains("not of the user CA"),
        "{}",
        machine.log()
    );
}

#[tokio::test]
async fn refuse_expired_certificate() {
    let (alice, machine, _folder) = alice_and_machine().await;
    alice.certify("ca", ALICE, "-2h:-1h").await;
    let output = alice.run(&machine, ALICE, "true", b"").await;
    assert_eq!(output.status.code(), Some(255), "{output:?}");
}

#[tokio::test]
async fn refuse_plain_public_key() {
    let visitor = Visitor::new().await;
    let (machine, _folder) = machine(&visitor).await;
    let output = visitor.run(&machine, ALICE, "true", b"").await;
    assert_eq!(output.status.code(), Some(255), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("Permission denied (publickey)"), "{stderr}");
}

#[tokio::test]
async fn large_input_and_output_do_not_wait_for_each_other() {
    let (alice, machine, _folder) = alice_and_machine().await;
    let input: Vec<u8> = (0..32_u32 << 20)
        .map(|n| n.to_le_bytes()[n as usize % 3])
        .collect();
    let run = alice.run(&machine, ALICE, "cat", &input);
    let output = timeout(Duration::from_mins(1), run).await.unwrap();
    assert!(output.status.success());
    assert!(
        output.stdout == input,
        "{} bytes came back",
        output.stdout.len()
    );
}

// Elsewhere the SFTP server is at other places.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn sftp_uploads_a_file() {
    let (alice, machine, folder) = alice_and_machine().await;
    let mut sftp = alice.program("sftp", &machine);
    let batch = alice.path("batch");
    tokio::fs::write(
        &batch,
        format!("put {} upload", alice.path("ca.pub").display()),
    )
    .await
    .unwrap();
    sftp.arg("-b").arg(batch).arg(format!("{ALICE}@127.0.0.1"));
    let output = sftp.output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let upload = folder.path().join("home").join(ALICE).join("upload");
    assert_eq!(std::fs::read_to_string(upload).unwrap(), alice.user_ca());
}

#[tokio::test]
async fn connections_to_loopback_are_forwarded() {
    let (alice, machine, _folder) = alice_and_machine().await;
    let echo = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let target = echo.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = echo.accept().await.unwrap();
        let (mut reader, mut writer) = stream.split();
        let _ = tokio::io::copy(&mut reader, &mut writer).await;
    });
    let mut ssh = alice.program("ssh", &machine);
    ssh.args(["-l", ALICE, "-W", &target.to_string(), "127.0.0.1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = ssh.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"there and back").await.unwrap();
    drop(stdin);
    let output = timeout(Duration::from_secs(120), child.wait_with_output());
    assert_eq!(output.await.unwrap().unwrap().stdout, b"there and back");
}

#[tokio::test]
async fn program_ends_when_the_client_goes_away() {
    let (alice, machine, _folder) = alice_and_machine().await;
    let mut ssh = alice.program("ssh", &machine);
    ssh.args(["-l", ALICE, "127.0.0.1", "sleep 600 & echo $!; wait"])
        .stdout(Stdio::piped());
    let mut child = ssh.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut id = [0; 16];
    let length = stdout.read(&mut id).await.unwrap();
    let id = std::str::from_utf8(&id[..length])
        .unwrap()
        .trim()
        .to_owned();
    child.kill().await.unwrap();
    let watch = format!("while ps -o stat= -p {id} | grep -qv Z; do sleep 0.02; done");
    let mut gone = tokio::process::Command::new("sh");
    let gone = gone.args(["-c", &watch]).kill_on_drop(true).status();
    let status = timeout(Duration::from_secs(120), gone).await.unwrap();
    assert!(status.unwrap().success());
}

#[tokio::test]
async fn dropped_machine_leaves_no_process_and_no_connection() {
    let (alice, machine, folder) = alice_and_machine().await;
    let mut ssh = alice.program("ssh", &machine);
    ssh.args(["-l", ALICE, "127.0.0.1", "sleep 600 & echo $!; wait"])
        .stdout(Stdio::piped());
    let mut child = ssh.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut id = [0; 16];
    let length = stdout.read(&mut id).await.unwrap();
    let id = std::str::from_utf8(&id[..length])
        .unwrap()
        .trim()
        .to_owned();
    let address = machine.address();
    drop((machine, folder));
    let ended = timeout(Duration::from_secs(120), child.wait())
        .await
        .unwrap();
    assert_ne!(ended.unwrap().code(), Some(0));
    assert!(TcpStream::connect(address).await.is_err());
    let left = tokio::process::Command::new("sh")
        .args(["-c", &format!("ps -o stat= -p {id} | grep -v Z")])
        .output();
    assert_eq!(left.await.unwrap().stdout, b"");
}
