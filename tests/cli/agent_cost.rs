//! What the agent costs. These are measurements: run them alone, and of a release build for figures that mean something:
//!
//! ```sh
//! cargo test --release --test cli -- --ignored --nocapture agent_cost
//! ```

use std::fs;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use entra_ssh::certificate::{KeyKind, KeyPair};
use entra_ssh::internal::agent::ask::{RenewWhen, Tenancy};
use entra_ssh::internal::agent::client::AgentClient;
use entra_ssh::internal::host::Host;
use entra_ssh::internal::host::clock::SystemClock;
use entra_ssh::internal::host::env::Env;
use entra_ssh::internal::host::paths::Paths;
use entra_ssh::internal::host::vault::OwnMemory;
use entra_ssh::internal::issue;
use entra_ssh::internal::session::{Profiles, Session};

use crate::world::agent_socket::{
    REQUEST_IDENTITIES, SIGN_REQUEST, SIGN_RESPONSE, ask, identities, string,
};
use crate::world::{World, wait_for};

const ROUNDS: usize = 200;
/// How much longer than OpenSSH's own agent ours may take.
const LARGEST_RATIO: f64 = 1.2;
/// How much memory the agent may ever take, in KiB.
const MAX_KIB: u64 = 12 * 1024;
/// How much longer than the token request issuing may take.
const LARGEST_OVERHEAD: Duration = Duration::from_millis(5);

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Writes key and certificate of the file keyring as OpenSSH's agent takes them in.
fn export(world: &World) {
    let (_, file) = world
        .keyring_files()
        .into_iter()
        .find(|(kind, _)| *kind == 3)
        .unwrap();
    let entry = fs::read(file).unwrap();
    let length = usize::try_from(u32::from_be_bytes(entry[2..6].try_into().unwrap())).unwrap();
    let base64 = STANDARD.encode(&entry[6..6 + length]);
    let lines: Vec<&str> = base64
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    let pem = format!(
        "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n",
        lines.join("\n")
    );
    let key = world.home().join("exported");
    fs::write(&key, pem).unwrap();
    world
        .program("chmod")
        .arg("600")
        .arg(&key)
        .run()
        .succeeded();
    fs::write(
        world.home().join("exported-cert.pub"),
        world.ssh_add("-L").stdout,
    )
    .unwrap();
}

fn list_and_sign(socket: &Path, blob: &[u8]) -> Duration {
    let data = [7; 500];
    let sign = [
        &[SIGN_REQUEST][..],
        &string(blob),
        &string(&data),
        &4_u32.to_be_bytes(),
    ]
    .concat();
    let begun = Instant::now();
    let mut stream = UnixStream::connect(socket).unwrap();
    ask(&mut stream, &[REQUEST_IDENTITIES]);
    assert_eq!(ask(&mut stream, &sign)[0], SIGN_RESPONSE);
    begun.elapsed()
}

#[test]
#[ignore = "a measurement"]
fn listing_and_signing_cost_little_more_than_with_openssh_and_memory_is_small() {
    let world = World::with_host("web01");
    export(&world);
    let theirs = world.runtime().join("theirs.sock");
    let _agent = world
        .program("ssh-agent")
        .args(["-D", "-a"])
        .arg(&theirs)
        .start();
    wait_for("ssh-agent", || theirs.exists());
    world
        .program("ssh-add")
        .env("SSH_AUTH_SOCK", &theirs)
        .arg("exported")
        .run()
        .succeeded();
    let blob = identities(&world).remove(0);
    let (mut by_us, mut by_them) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        by_us.push(list_and_sign(&world.socket(), &blob));
        by_them.push(list_and_sign(&theirs, &blob));
    }
    let (by_us, by_them) = (median(by_us), median(by_them));
    let ratio = by_us.as_secs_f64() / by_them.as_secs_f64();
    let status = fs::read_to_string(format!("/proc/{}/status", world.agents()[0].id)).unwrap();
    let peak: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next())
        .unwrap()
        .parse()
        .unwrap();
    println!("list and sign: {by_us:?}, ssh-agent {by_them:?}, ratio {ratio:.2}; peak {peak} KiB");
    assert!(ratio <= LARGEST_RATIO, "{ratio}");
    if !cfg!(debug_assertions) {
        assert!(peak <= MAX_KIB, "{peak} KiB");
    }
}

#[test]
#[ignore = "a measurement"]
fn issuing_costs_the_token_request_and_little_more() {
    let world = World::with_host("web01");
    let env = Env::from([
        ("HOME", world.home().to_str().unwrap()),
        ("XDG_RUNTIME_DIR", world.runtime().to_str().unwrap()),
    ]);
    let host = Host {
        clock: std::sync::Arc::new(SystemClock),
        paths: Paths::of(&env).unwrap(),
        env,
        memory: std::sync::Arc::<OwnMemory>::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let key = KeyPair::generate(KeyKind::Rsa { bits: 3072 }).unwrap();
    let agent = AgentClient::new(world.socket(), Env::default());
    let name = "default".parse().unwrap();
    let (mut bare, mut whole) = (Vec::new(), Vec::new());
    runtime.block_on(async {
        let profile = Profiles::new(&host.paths).load(&name).unwrap();
        let session = Session::open(&host, profile, None).await.unwrap();
        for _ in 0..15 {
            // Time for the next key to be made.
            tokio::time::sleep(Duration::from_secs(3)).await;
            let begun = Instant::now();
            issue::certify(&session, key.public_key()).await.unwrap();
            bare.push(begun.elapsed());
            let begun = Instant::now();
            agent
                .renew(&name, &Tenancy::Home, RenewWhen::Now)
                .await
                .unwrap();
            whole.push(begun.elapsed());
        }
    });
    let (bare, whole) = (median(bare), median(whole));
    println!("token request {bare:?}, issuing {whole:?}");
    std::io::stdout().flush().unwrap();
    assert!(whole <= bare + LARGEST_OVERHEAD, "{whole:?} and {bare:?}");
}
