//! Visits by `ssh` to a real `sshd`, as root and as anybody else.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

use super::accounts::Accounts;
use super::{authority, configuration};
use crate::machine::visitor::Visitor;
use crate::machine::{Machine, MachineKind, MachineOptions};

const ALICE: &str = "alice@entra-ssh-sandbox.test";
const GUEST: &str = "linus_fabrikam.example#ext#@entra-ssh-sandbox.test";
const DEPLOY: &str = "a9911ca7-0000-4000-8000-000000000301";
const AWKWARD: [&str; 2] = [
    "o'brien@entra-ssh-sandbox.test",
    "-dash@entra-ssh-sandbox.test",
];

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
async fn ssh_with_a_certificate_logs_in_users_guests_and_applications() {
    let visitor = Visitor::new().await;
    let upper = GUEST.to_uppercase();
    let principals = [(ALICE, ALICE), (GUEST, &upper), (DEPLOY, DEPLOY)];
    let (machine, folder) = start(&visitor, &principals).await;
    for (login, principal) in [
        (ALICE, ALICE),
        (GUEST, GUEST),
        (GUEST, &upper),
        (DEPLOY, DEPLOY),
    ] {
        visitor.certify("ca", principal, "-1m:+1h").await;
        let line = "id -un; pwd; echo $HOME $USER; cat; exit 7";
        let output = visitor.run(&machine, login, line, b"hello\n").await;
        let home = folder.path().canonicalize().unwrap().join("home");
        let home = home.join(login).display().to_string();
        assert_eq!(
            stdout(&output),
            format!("{login}\n{home}\n{home} {login}\nhello\n"),
            "{output:?}\n{}",
            machine.log()
        );
        assert_eq!(output.status.code(), Some(7));
        assert_eq!(output.stderr, b"");
    }
    assert!(machine.log().contains("Accepted publickey"));
    visitor.certify("ca", ALICE, "-1m:+1h").await;
    let output = visitor.run(&machine, GUEST, "true", b"").await;
    assert_eq!(
        output.status.code(),
        Some(255),
        "another user's principal: {output:?}"
    );
}

#[tokio::test]
async fn unusual_user_names_are_accounts_too() {
    let visitor = Visitor::new().await;
    let (machine, _folder) = start(&visitor, &AWKWARD.map(|name| (name, name))).await;
    for login in AWKWARD {
        visitor.certify("ca", login, "-1m:+1h").await;
        // Some versions of `ssh` refuse such names on the command line, and none in a file.
        let config = visitor.path("config");
        tokio::fs::write(&config, format!("User \"{login}\"\n"))
            .await
            .unwrap();
        let mut ssh = visitor.program_with("ssh", &config, &machine);
        let output = ssh.args(["127.0.0.1", "id -un"]).output().await.unwrap();
        assert_eq!(stdout(&output), format!("{login}\n"), "{output:?}");
    }
}

#[tokio::test]
async fn sessions_run_as_the_user_that_started_the_machine() {
    let visitor = Visitor::new().await;
    visitor.certify("ca", ALICE, "-1m:+1h").await;
    let (machine, folder) = start(&visitor, &[(ALICE, ALICE)]).await;
    let uid = folder.path().metadata().unwrap().uid();
    let output = visitor.run(&machine, ALICE, "id -u; touch here", b"").await;
    assert_eq!(stdout(&output), format!("{uid}\n"), "{output:?}");
    let home = folder.path().join("home").join(ALICE);
    assert_eq!(home.join("here").metadata().unwrap().uid(), uid);
    // Nothing of it is an account of the system.
    let known = Command::new("id").args(["-u", ALICE]).output().await;
    assert!(!known.unwrap().status.success());
}

#[tokio::test]
async fn a_terminal_is_real() {
    let visitor = Visitor::new().await;
    visitor.certify("ca", ALICE, "-1m:+1h").await;
    let (machine, _folder) = start(&visitor, &[(ALICE, ALICE)]).await;
    let mut ssh = visitor.program("ssh", &machine);
    ssh.args(["-tt", "-l", ALICE, "127.0.0.1", "test -t 0 && tty"])
        .stdin(Stdio::null());
    let output = ssh.output().await.unwrap();
    assert!(stdout(&output).starts_with("/dev/"), "{output:?}");
}

#[tokio::test]
async fn a_certificate_does_not_let_a_local_account_in_and_its_own_key_does() {
    let visitor = Visitor::new().await;
    visitor.certify("ca", ALICE, "-1m:+1h").await;
    let (machine, folder) = start(&visitor, &[("builder", ALICE)]).await;
    let refused = visitor.run(&machine, "builder", "true", b"").await;
    assert_eq!(refused.status.code(), Some(255), "{refused:?}");
    let ssh_folder = folder.path().join("home/builder/.ssh");
    std::fs::create_dir(&ssh_folder).unwrap();
    std::fs::copy(visitor.path("id.pub"), ssh_folder.join("authorized_keys")).unwrap();
    let output = visitor.run(&machine, "builder", "id -un", b"").await;
    assert_eq!(stdout(&output), "builder\n", "{output:?}");
}

#[tokio::test]
async fn refuse_certificate_that_is_expired_or_of_another_authority() {
    let visitor = Visitor::new().await;
    visitor.make_key("other").await;
    let (machine, _folder) = start(&visitor, &[(ALICE, ALICE)]).await;
    for (ca, principal, validity) in [
        ("ca", ALICE, "-2h:-1h"),
        ("other", ALICE, "-1m:+1h"),
        ("ca", "bob@contoso.com", "-1m:+1h"),
    ] {
        visitor.certify(ca, principal, validity).await;
        let output = visitor.run(&machine, ALICE, "true", b"").await;
        assert_eq!(
            output.status.code(),
            Some(255),
            "{ca} {principal} {validity}"
        );
    }
    std::fs::remove_file(visitor.path("id-cert.pub")).unwrap();
    let output = visitor.run(&machine, ALICE, "true", b"").await;
    assert_eq!(output.status.code(), Some(255), "a plain public key");
}

#[tokio::test]
async fn dropped_machine_leaves_no_process_and_no_connection() {
    let visitor = Visitor::new().await;
    visitor.certify("ca", ALICE, "-1m:+1h").await;
    let (machine, _folder) = start(&visitor, &[(ALICE, ALICE)]).await;
    let mut ssh = visitor.program("ssh", &machine);
    ssh.args(["-l", ALICE, "127.0.0.1", "echo $$; sleep 600; true"])
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
    let ended = timeout(Duration::from_secs(120), child.wait())
        .await
        .unwrap();
    assert_ne!(ended.unwrap().code(), Some(0));
    assert!(TcpStream::connect(address).await.is_err());
    let alive = Command::new("sh")
        .args(["-c", &format!("ps -o stat= -p {id} | grep -v Z")])
        .output();
    assert_eq!(alive.await.unwrap().stdout, b"");
}

#[tokio::test]
async fn the_configuration_is_the_extensions() {
    let folder = tempfile::tempdir().unwrap();
    let logins = [GUEST.to_owned()];
    let accounts = Accounts::create(folder.path(), &logins).await.unwrap();
    let text = configuration(Path::new("/tmp/a %u"), 2222, &accounts, &logins);
    assert!(text.contains("\nHostKey \"/tmp/a %u/host_key\"\n"));
    assert!(text.contains(&format!(
        "\nMatch User \"{GUEST}\"\n    SetEnv \"LD_PRELOAD="
    )));
    let block = "\nMatch User *@*,????????-????-????-????-????????????\n    \
                 AuthenticationMethods publickey\n    PubkeyAuthentication yes\n    \
                 AuthorizedKeysCommand /bin/cat \"/tmp/a %%u/authorities/%u\"\n    \
                 AuthorizedKeysCommandUser sandbox-reader\n";
    assert!(text.ends_with(block), "{text}");
}

#[test]
fn principals_are_accepted_as_given_and_in_lower_case() {
    let names = ["Alice@contoso.com".to_owned(), "a#EXT#@b".to_owned()];
    let expected = "cert-authority,principals=\"Alice@contoso.com,a#EXT#@b,a#ext#@b,alice@contoso.com\" ssh-rsa AAAA\n";
    assert_eq!(authority("ssh-rsa AAAA", &names), expected);
    assert_eq!(authority("ssh-rsa AAAA", &[]), "");
}
