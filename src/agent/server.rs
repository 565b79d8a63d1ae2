use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use super::accounts::{Account, Accounts};
use super::ask::{
    Answer, AskResult, CertificateAnswer, EXTENSION, Question, RelayAnswer, StatusAnswer,
    another_version,
};
use super::client::{ask_socket, read_message};
use crate::certificate::SignatureAlgorithm;
use crate::failure::{Failure, file_failure};
use crate::host::Host;
use crate::host::files;
use crate::host::lock::Lock;
use crate::issue::Issued;
use crate::openssh::agent_protocol::{
    FLAG_RSA_SHA2_256, FLAG_RSA_SHA2_512, OfferedKey, Request, Response,
};
use crate::sign_in::SignIn;
use crate::time::Spoken;

/// How long the agent stays without a question, in seconds.
pub const DEFAULT_IDLE_SECONDS: u32 = 3600;
/// How many connections are served at once; more wait.
const MAX_CONNECTIONS: usize = 512;
/// How long a connection may be silent.
const CONNECTION_IDLE: Duration = Duration::from_secs(3600);
/// How long ssh is kept waiting for the list of keys while a certificate is renewed.
const LIST_PATIENCE: Duration = Duration::from_secs(20);
/// How long one question may take.
const QUESTION_LIMIT: Duration = Duration::from_secs(90);

/// How long the agent stays after it was told to stop, for the answer to get out.
const LAST_WORDS: Duration = Duration::from_millis(20);
/// How long a new agent waits for one that is about to end.
const TAKE_OVER_LIMIT: Duration = Duration::from_secs(1);
/// How often it tries meanwhile.
const TAKE_OVER_POLL: Duration = Duration::from_millis(10);
/// How often the agent looks whether its socket is still there.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// The agent at work.
struct Agent {
    host: Host,
    accounts: Accounts,
    stop: Notify,
    started: Instant,
    /// When the last question came, in seconds after the start.
    asked: AtomicU64,
}

/// Runs the agent until it is told to stop or nobody has asked for as long as `idle`. Returns if another one runs on this
/// socket.
///
/// # Errors
/// [`Failure`] if the sockets cannot be opened.
pub async fn serve(host: Host, socket: &Path, idle: Duration) -> Result<(), Failure> {
    let ask_socket = ask_socket(socket);
    let failed = |error: io::Error| file_failure("open the agent's socket", socket, &error);
    let folder = socket.parent().unwrap_or(Path::new("/"));
    let name = socket.file_name().unwrap_or_default().to_string_lossy();
    let Some(_lock) = become_the_agent(folder, &format!("{name}.lock"), &ask_socket)
        .await
        .map_err(failed)?
    else {
        return Ok(());
    };
    // The one that ssh is told of comes first: whoever finds the other may count on it.
    let for_ssh = listen(socket).map_err(failed)?;
    let for_us = listen(&ask_socket).map_err(failed)?;
    let agent = Arc::new(Agent {
        accounts: Accounts::new(host.clone()),
        host,
        stop: Notify::new(),
        started: Instant::now(),
        asked: AtomicU64::new(0),
    });
    tokio::select! {
        () = agent.accept(for_ssh, Door::Ssh) => {}
        () = agent.accept(for_us, Door::OwnPrograms) => {}
        () = agent.stop.notified() => {}
        () = agent.wait_until_idle(idle, socket) => {}
    }
    // Whoever comes now starts another one; whoever is being answered gets the answer.
    for path in [socket, &ask_socket] {
        files::remove_stale_socket(path).map_err(failed)?;
    }
    tokio::time::sleep(LAST_WORDS).await;
    Ok(())
}

/// Takes the lock that one agent holds. Returns `None` if another one answers; one that is about to end holds the lock for a
/// moment longer than it answers.
async fn become_the_agent(
    folder: &Path,
    lock: &str,
    ask_socket: &Path,
) -> io::Result<Option<Lock>> {
    let deadline = Instant::now() + TAKE_OVER_LIMIT;
    loop {
        if let Some(lock) = Lock::try_take(folder, lock)? {
            return Ok(Some(lock));
        }
        if UnixStream::connect(ask_socket).await.is_ok() || Instant::now() >= deadline {
            return Ok(None);
        }
        tokio::time::sleep(TAKE_OVER_POLL).await;
    }
}

/// Opens a socket for this user alone, in place of one that nobody listens on any more.
fn listen(socket: &Path) -> io::Result<UnixListener> {
    files::remove_stale_socket(socket)?;
    let listener = UnixListener::bind(socket)?;
    files::make_private(socket)?;
    Ok(listener)
}

/// Where a question comes from.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Door {
    /// Our own programs' socket, which never leaves the machine.
    OwnPrograms,
    /// The socket that ssh is told of, which `ssh -A` carries to other machines.
    Ssh,
}

impl Agent {
    async fn accept(self: &Arc<Self>, listener: UnixListener, door: Door) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, _)) if is_ours(&stream) => {
                    let agent = Arc::clone(self);
                    tokio::spawn(async move {
                        agent.converse(stream, door).await;
                        drop(place);
                    });
                }
                Ok(_) => {}
                // Too many open files, most likely: others will close theirs.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Returns when nobody has asked for as long as `idle`, or the socket is gone and nobody can ask any more.
    async fn wait_until_idle(&self, idle: Duration, socket: &Path) {
        loop {
            let asked = Duration::from_secs(self.asked.load(Ordering::Relaxed));
            let idled = self.started.elapsed().saturating_sub(asked);
            if idled >= idle || !socket.exists() {
                return;
            }
            tokio::time::sleep(idle.saturating_sub(idled).min(LOOK_INTERVAL)).await;
        }
    }

    /// Answers one connection until it ends, is silent for too long, or sends what is no message.
    async fn converse(&self, mut stream: UnixStream, door: Door) {
        while let Ok(Ok(Some(message))) = timeout(CONNECTION_IDLE, read_message(&mut stream)).await
        {
            self.asked
                .store(self.started.elapsed().as_secs(), Ordering::Relaxed);
            let response = match Request::decode(&message) {
                Some(request) => self.respond(request, door).await,
                None => Response::Failure,
            };
            let bytes = Zeroizing::new(response.encode());
            if stream.write_all(&bytes).await.is_err() {
                return;
            }
        }
    }

    async fn respond(&self, request: Request<'_>, door: Door) -> Response {
        match request {
            Request::RequestIdentities => Response::Identities(self.offer().await),
            Request::Sign { key, data, flags } => self
                .sign(key, data, flags)
                .await
                .unwrap_or(Response::Failure),
            Request::Extension {
                name: EXTENSION,
                contents,
            } if door == Door::OwnPrograms => {
                let result = match serde_json::from_slice(contents) {
                    Ok(question) => timeout(QUESTION_LIMIT, self.answer(question))
                        .await
                        .unwrap_or_else(|_| {
                            Err(Failure::new("the agent did not finish in time").hint("try again"))
                        }),
                    Err(_) => Err(another_version()),
                };
                match serde_json::to_vec::<AskResult>(&result) {
                    Ok(contents) => Response::Success(Zeroizing::new(contents)),
                    Err(_) => Response::ExtensionFailure,
                }
            }
            Request::Extension { .. } | Request::Other(_) => Response::Failure,
        }
    }

    /// Returns the certificates of all accounts, each renewed first if it is due and that can be done within ssh's patience.
    async fn offer(&self) -> Vec<OfferedKey> {
        let mut offered = Vec::new();
        for account in self.accounts.all().await {
            let Some(held) = account.certificate_at_hand().await else {
                continue;
            };
            let issued = match timeout(LIST_PATIENCE, account.certificate()).await {
                Ok(Ok(issued)) => issued,
                _ => held,
            };
            offered.push(OfferedKey {
                blob: issued.certificate.blob().to_vec(),
                comment: self.comment(&account, &issued),
            });
        }
        offered
    }

    fn comment(&self, account: &Account, issued: &Issued) -> String {
        let SignIn {
            profile, tenant, ..
        } = account.sign_in();
        let left = issued.certificate.validity().1.since(self.host.clock.now());
        format!("{} {} {} left", profile.account, tenant, Spoken(left))
    }

    async fn sign(&self, key: &[u8], data: &[u8], flags: u32) -> Option<Response> {
        // Without a flag the client asks for SHA-1, which this agent does not do.
        let algorithm = match flags {
            FLAG_RSA_SHA2_512 => SignatureAlgorithm::RsaSha512,
            FLAG_RSA_SHA2_256 => SignatureAlgorithm::RsaSha256,
            _ => return None,
        };
        for account in self.accounts.all().await {
            if let Some(key_pair) = account.key_pair(key).await {
                return Some(Response::Signature {
                    algorithm: algorithm.name(),
                    signature: key_pair.sign(algorithm, data).ok()?,
                });
            }
        }
        None
    }

    async fn answer(&self, question: Question) -> AskResult {
        match question {
            Question::Certificate { profile, tenancy } => {
                let account = self.accounts.open(&profile, &tenancy).await?;
                let issued = account.certificate().await?;
                Ok(Answer::Certificate(CertificateAnswer {
                    login_name: issued.certificate.login_name().clone(),
                    certificate: issued
                        .certificate
                        .explain()
                        .summarize(self.host.clock.now(), None),
                }))
            }
            Question::RelayCredentials {
                profile,
                tenancy,
                machine,
                port,
                refused,
            } => {
                let account = self.accounts.open(&profile, &tenancy).await?;
                let (credentials, is_new) = account
                    .relay_credentials(&machine, port, refused.as_deref())
                    .await?;
                Ok(Answer::RelayCredentials(RelayAnswer::new(
                    &credentials,
                    is_new,
                )))
            }
            Question::Forget { profile } => {
                self.accounts.forget(&profile).await;
                Ok(Answer::Done)
            }
            Question::Status => Ok(Answer::Status(StatusAnswer {
                pid: std::process::id(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                profiles: self.accounts.names().await,
            })),
            Question::Stop => {
                self.stop.notify_one();
                Ok(Answer::Done)
            }
        }
    }
}

/// The socket's folder keeps other users out; this is the second lock on the door.
fn is_ours(stream: &UnixStream) -> bool {
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}
