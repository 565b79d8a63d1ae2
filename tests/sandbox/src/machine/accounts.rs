//! Accounts of the system that people log in to under `sshd`.
//!
//! `sshd` logs in accounts, and a login name such as `alice@contoso.com` is none. Root can make it
//! one: `useradd --badname` takes such names. What it makes is left in place and found again by the
//! next machine, since a machine that runs at the same time may be using it. The comment field says
//! where they come from; `userdel --remove` takes them away.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Stdio;

use rustix::process::geteuid;
use tokio::process::Command;

/// Held while accounts are made, by one process at a time.
const LOCK: &str = "/run/entra-ssh-sandbox-accounts.lock";

/// The longest name that `useradd` takes, bad or not; the system itself has no such bound.
const MAX_NAME_BYTES: usize = 32;

/// What the accounts' comment field says.
const COMMENT: &str = "entra-ssh sandbox";

/// Returns whether this process can log in others than itself, and make accounts.
pub(super) fn is_root() -> bool {
    geteuid().is_root()
}

/// Returns the name of the account that this process runs as.
pub(super) async fn current() -> io::Result<String> {
    let output = Command::new("id").arg("-un").output().await?;
    let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if name.is_empty() {
        let text = "the user that runs this has no name";
        return Err(io::Error::new(io::ErrorKind::NotFound, text));
    }
    Ok(name)
}

/// Sees to it that `sshd`, started by this process, can log in every one of `logins`.
///
/// # Errors
///
/// Returns `NotFound` with the login name that has no account. As an ordinary user that is every
/// name but its own.
pub(super) async fn ensure(logins: &[String]) -> io::Result<()> {
    if !is_root() {
        let me = current().await?;
        return logins
            .iter()
            .find(|login| **login != me)
            .map_or(Ok(()), |login| {
                Err(io::Error::new(
                    io::ErrorKind::NotFound,
                    format!("`sshd` as `{me}` cannot log in `{login}`: only root makes accounts"),
                ))
            });
    }
    for login in logins {
        if !exists(login).await? {
            create(login).await?;
        }
    }
    Ok(())
}

async fn exists(login: &str) -> io::Result<bool> {
    let output = Command::new("id")
        .args(["-u", "--", login])
        .output()
        .await?;
    Ok(output.status.success())
}

async fn create(login: &str) -> io::Result<()> {
    let _lock = tokio::task::spawn_blocking(lock).await??;
    if exists(login).await? {
        return Ok(());
    }
    if login.len() <= MAX_NAME_BYTES {
        return add(login, login).await;
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "._@#+-~^!".contains(c);
    if !login.chars().all(plain) {
        return Err(failure(login, "it is too long for its characters"));
    }
    let short = format!("entra-ssh-{}", std::process::id());
    add(&short, login).await?;
    rename(&short, login).await?;
    if exists(login).await? {
        return Ok(());
    }
    Err(failure(login, "`vipw` changed nothing"))
}

/// Adds an account, with the home that belongs to `login`.
async fn add(name: &str, login: &str) -> io::Result<()> {
    let mut useradd = Command::new("useradd");
    useradd
        .args(["--badname", "--system", "--create-home", "--no-user-group"])
        // A locked password, which is the default, shuts the account; this one only fits nothing.
        .args(["--no-log-init", "--password", "*", "--comment", COMMENT])
        .arg("--home-dir")
        .arg(Path::new("/home").join(login))
        .arg("--shell")
        .arg(shell())
        .args(["--", name]);
    run(useradd, login).await
}

/// Gives an account a name that `useradd` would not take, by way of `vipw`. The name holds nothing that
/// `sed` or the shell would read otherwise.
async fn rename(name: &str, login: &str) -> io::Result<()> {
    for table in [&["-q", "-p"], &["-q", "-s"]] {
        let mut vipw = Command::new("vipw");
        vipw.args(table)
            // It takes a table whose time, in seconds, is what it was for unchanged.
            .env("EDITOR", format!("sleep 1; sed -i 's/^{name}:/{login}:/'"))
            .env_remove("VISUAL");
        run(vipw, login).await?;
    }
    Ok(())
}

/// Runs a program that is needed to make an account.
async fn run(mut command: Command, login: &str) -> io::Result<()> {
    let output = command.stdin(Stdio::null()).output().await?;
    if output.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&output.stderr);
    Err(failure(login, reason.trim()))
}

fn failure(login: &str, reason: &str) -> io::Error {
    let text = format!("account `{login}` cannot be made: {reason}");
    io::Error::new(io::ErrorKind::NotFound, text)
}

/// Waits for the lock; it is open again when the file is dropped.
fn lock() -> io::Result<File> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(LOCK)?;
    file.lock()?;
    Ok(file)
}

fn shell() -> &'static OsStr {
    let bash = Path::new("/bin/bash");
    let shell = if bash.exists() {
        bash
    } else {
        Path::new("/bin/sh")
    };
    shell.as_os_str()
}
