//! Visits by `ssh` to a real `sshd`. Without one there is nothing to test.

use std::path::Path;
use std::process::Output;

use tempfile::TempDir;
use tokio::process::Command;

use super::{PLACES, accounts, configuration, spell};
use crate::machine::visitor::Visitor;
use crate::machine::{Machine, MachineKind, MachineOptions};

/// A name that is no account anywhere before these tests.
const ALICE: &str = "alice@entra-ssh-sandbox.test";
const GUEST: &str = "linus_fabrikam.example#ext#@entra-ssh-sandbox.test";

fn is_installed() -> bool {
    PLACES.iter().any(|place| Path::new(place).exists())
}

async fn start(visitor: &Visitor, principals: &[(&str, &str)]) -> (Machine, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::start(MachineOptions {
        kind: MachineKind::Sshd,
        user_ca: visitor.user_ca(),
        principals: principals
            .iter()
            .map(|(login, principal)| ((*login).to_owned(), vec![(*principal).to_owned()]))
            .collect(),
        folder: folder.path().to_owned(),
    });
    (machine.await.unwrap(), folder)
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

#[tokio::test]
async fn ssh_with_a_certificate_logs_in_the_current_user() {
    if !is_installed() {
        return;
    }
    let visitor = Visitor::new().await;
    visitor.certify("ca", ALICE, "-1m:+1h").await;
    let me = accounts::current().await.unwrap();
    let (machine, _folder) = start(&visitor, &[(&me, ALICE)]).await;
    let output = visitor
        .run(&machine, &me, "id -un; cat; exit 7", b"hello\n")
        .await;
    assert_eq!(
        output.status.code(),
        Some(7),
        "{output:?}\n{}",
        machine.log()
    );
    assert_eq!(stdout(&output), format!("{me}\nhello\n"));
    assert!(
        machine.log().contains("Accepted publickey"),
        "{}",
        machine.log()
    );
}

#[tokio::test]
async fn ssh_with_a_certificate_logs_in_accounts_that_root_makes() {
    if !is_installed() || !accounts::is_root() {
        return;
    }
    let visitor = Visitor::new().await;
    let (machine, _folder) =
        start(&visitor, &[(ALICE, ALICE), (GUEST, &GUEST.to_uppercase())]).await;
    for (login, principal) in [
        (ALICE, ALICE.to_owned()),
        (GUEST, GUEST.to_owned()),
        (GUEST, GUEST.to_uppercase()),
    ] {
        visitor.certify("ca", &principal, "-1m:+1h").await;
        let output = visitor
            .run(&machine, login, "id -un; pwd; echo $HOME", b"")
            .await;
        assert!(output.status.success(), "{output:?}\n{}", machine.log());
        assert_eq!(
            stdout(&output),
            format!("{login}\n/home/{login}\n/home/{login}\n")
        );
        assert_eq!(output.stderr, b"");
    }
    visitor.certify("ca", ALICE, "-1m:+1h").await;
    let output = visitor.run(&machine, GUEST, "true", b"").await;
    assert_eq!(
        output.status.code(),
        Some(255),
        "somebody else's principal: {output:?}"
    );
}

#[tokio::test]
async fn machines_that_start_together_share_a_new_account() {
    if !is_installed() || !accounts::is_root() {
        return;
    }
    let visitor = Visitor::new().await;
    let login = format!("together{}@sandbox.test", std::process::id());
    let principals = [(login.as_str(), ALICE)];
    let machines = tokio::join!(
        start(&visitor, &principals),
        start(&visitor, &principals),
        start(&visitor, &principals),
    );
    drop(machines);
    let removed = Command::new("userdel")
        .args(["--remove", "--", &login])
        .output();
    assert!(removed.await.unwrap().status.success());
}

#[tokio::test]
async fn refuse_certificate_that_is_expired_or_of_another_authority() {
    if !is_installed() {
        return;
    }
    let visitor = Visitor::new().await;
    visitor.make_key("other").await;
    let me = accounts::current().await.unwrap();
    let (machine, _folder) = start(&visitor, &[(&me, ALICE)]).await;
    for (ca, principal, validity) in [
        ("ca", ALICE, "-2h:-1h"),
        ("other", ALICE, "-1m:+1h"),
        ("ca", "bob@contoso.com", "-1m:+1h"),
    ] {
        visitor.certify(ca, principal, validity).await;
        let output = visitor.run(&machine, &me, "true", b"").await;
        assert_eq!(
            output.status.code(),
            Some(255),
            "{ca} {principal} {validity}"
        );
    }
    std::fs::remove_file(visitor.path("id-cert.pub")).unwrap();
    let output = visitor.run(&machine, &me, "true", b"").await;
    assert_eq!(output.status.code(), Some(255), "a plain public key");
}

#[tokio::test]
async fn missing_account_is_named_when_it_cannot_be_made() {
    if !is_installed() || accounts::is_root() {
        return;
    }
    let visitor = Visitor::new().await;
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::start(MachineOptions {
        kind: MachineKind::Sshd,
        user_ca: visitor.user_ca(),
        principals: vec![(ALICE.to_owned(), Vec::new())],
        folder: folder.path().to_owned(),
    });
    let error = machine.await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    assert!(error.to_string().contains(ALICE), "{error}");
}

// Elsewhere sessions are not found: see `process_tree`.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn dropped_machine_leaves_no_process_and_no_connection() {
    use std::process::Stdio;
    use std::time::Duration;

    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    if !is_installed() {
        return;
    }
    let visitor = Visitor::new().await;
    visitor.certify("ca", ALICE, "-1m:+1h").await;
    let me = accounts::current().await.unwrap();
    let (machine, _folder) = start(&visitor, &[(&me, ALICE)]).await;
    let mut ssh = visitor.program("ssh", &machine);
    ssh.args(["-l", &me, "127.0.0.1", "echo $$; sleep 600; true"])
        .stdout(Stdio::piped());
    let mut child = ssh.spawn().unwrap();
    let mut id = [0; 16];
    let mut out = child.stdout.take().unwrap();
    let length = out.read(&mut id).await.unwrap();
    let id = std::str::from_utf8(&id[..length])
        .unwrap()
        .trim()
        .to_owned();
    let address = machine.address();
    drop(machine);
    let ended = timeout(Duration::from_secs(10), child.wait())
        .await
        .unwrap();
    assert_ne!(ended.unwrap().code(), Some(0));
    assert!(TcpStream::connect(address).await.is_err());
    let alive = Command::new("sh")
        .args(["-c", &format!("ps -o stat= -p {id} | grep -v Z")])
        .output();
    assert_eq!(alive.await.unwrap().stdout, b"");
}

#[test]
fn folder_with_percent_signs_and_spaces_is_quoted() {
    let text = configuration(Path::new("/tmp/a %u"), "root", 2222);
    assert!(text.contains("\nHostKey \"/tmp/a %u/host_key\"\n"));
    assert!(text.contains(" /bin/cat \"/tmp/a %%u/principals/%u\"\n"));
}

#[test]
fn principals_are_spelled_twice_and_apart_from_comments() {
    let names = ["Alice@contoso.com".to_owned(), "a#EXT#@b".to_owned()];
    let (list, authority) = spell("ssh-rsa AAAA", &names);
    assert_eq!(list, "Alice@contoso.com\nalice@contoso.com\n");
    let expected = "cert-authority,principals=\"a#EXT#@b,a#ext#@b\" ssh-rsa AAAA\n";
    assert_eq!(authority, expected);
}
