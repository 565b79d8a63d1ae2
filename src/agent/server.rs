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
};
use super::client::read_message;
use crate::certificate::SignatureAlgorithm;
use crate::failure::{Failure, file_failure};
use crate::host::Host;
use crate::host::files;
use crate::host::lock::Lock;
use crate::issue::Issued;
use crate::openssh::agent_protocol::{
    FLAG_RSA_SHA2_256, FLAG_RSA_SHA2_512, OfferedKey, Request, Response,
};
use crate::time::Spoken;

/// How long the agent stays without a question.
pub const DEFAULT_IDLE: Duration = Duration::from_secs(3600);
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

/// The agent at work.
struct Agent {
    host: Host,
    accounts: Accounts,
    stop: Notify,
    started: Instant,
    /// When the last question came, in seconds after the start.
    asked: AtomicU64,
}

/// Runs the agent until it is told to stop or nobody has asked for as long as `idle`. Returns at once if another one runs
/// on this socket.
///
/// # Errors
/// [`Failure`] if the socket cannot be opened.
pub async fn serve(host: Host, socket: &Path, idle: Duration) -> Result<(), Failure> {
    let folder = socket.parent().unwrap_or(Path::new("."));
    let failed = |error: io::Error| file_failure("open the agent's socket", socket, &error);
    let Some(_lock) = Lock::try_take(folder, "agent.lock").map_err(failed)? else {
        return Ok(());
    };
    // Whoever held this socket is dead: its lock was free.
    files::remove_if_there(socket).map_err(failed)?;
    let listener = UnixListener::bind(socket).map_err(failed)?;
    files::make_private(socket).map_err(failed)?;
    let agent = Arc::new(Agent {
        accounts: Accounts::new(host.clone()),
        host,
        stop: Notify::new(),
        started: Instant::now(),
        asked: AtomicU64::new(0),
    });
    tokio::select! {
        () = agent.accept(listener) => {}
        () = agent.stop.notified() => tokio::time::sleep(LAST_WORDS).await,
        () = agent.wait_until_idle(idle) => {}
    }
    files::remove_if_there(socket).map_err(failed)
}

impl Agent {
    async fn accept(self: &Arc<Self>, listener: UnixListener) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, _)) if is_ours(&stream) => {
                    let agent = Arc::clone(self);
                    tokio::spawn(async move {
                        agent.converse(stream).await;
                        drop(place);
                    });
                }
                Ok(_) => {}
                // Too many open files, most likely: others will close theirs.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    async fn wait_until_idle(&self, idle: Duration) {
        loop {
            let asked = self.started + Duration::from_secs(self.asked.load(Ordering::Relaxed));
            if asked.elapsed() >= idle {
                return;
            }
            tokio::time::sleep_until(asked + idle).await;
        }
    }

    /// Answers one connection until it ends, is silent for too long, or sends what is no message.
    async fn converse(&self, mut stream: UnixStream) {
        while let Ok(Ok(Some(message))) = timeout(CONNECTION_IDLE, read_message(&mut stream)).await
        {
            self.asked
                .store(self.started.elapsed().as_secs(), Ordering::Relaxed);
            let response = match Request::decode(&message) {
                Some(request) => self.respond(request).await,
                None => Response::Failure,
            };
            let bytes = Zeroizing::new(response.encode());
            if stream.write_all(&bytes).await.is_err() {
                return;
            }
        }
    }

    async fn respond(&self, request: Request<'_>) -> Response {
        match request {
            Request::RequestIdentities => Response::Identities(self.offer().await),
            Request::Sign { key, data, flags } => self
                .sign(key, data, flags)
                .await
                .unwrap_or(Response::Failure),
            Request::Extension {
                name: EXTENSION,
                contents,
            } => {
                let result = match serde_json::from_slice(contents) {
                    Ok(question) => timeout(QUESTION_LIMIT, self.answer(question))
                        .await
                        .unwrap_or_else(|_| {
                            Err(Failure::new("the agent did not finish in time").hint("try again"))
                        }),
                    Err(_) => Err(Failure::new("the running agent is of another version")
                        .hint("start it anew: entra-ssh agent stop")),
                };
                match serde_json::to_vec::<AskResult>(&result) {
                    Ok(contents) => Response::Success(contents),
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
        let profile = &account.sign_in().profile;
        let left = issued.certificate.validity().1.since(self.host.clock.now());
        format!(
            "{} {} {} left",
            profile.account,
            profile.tenant,
            Spoken(left)
        )
    }

    async fn sign(&self, key: &[u8], data: &[u8], flags: u32) -> Option<Response> {
        // Without a flag the client asks for SHA-1, which this agent does not do.
        let algorithm = match flags {
            FLAG_RSA_SHA2_512 => SignatureAlgorithm::RsaSha512,
            FLAG_RSA_SHA2_256 => SignatureAlgorithm::RsaSha256,
            _ => return None,
        };
        for account in self.accounts.all().await {
            let Some(issued) = account.certificate_at_hand().await else {
                continue;
            };
            if key == issued.certificate.blob() || key == issued.key_pair.public_key().blob() {
                return Some(Response::Signature {
                    algorithm: algorithm.name(),
                    signature: issued.key_pair.sign(algorithm, data).ok()?,
                });
            }
        }
        None
    }

    async fn answer(&self, question: Question) -> AskResult {
        match question {
            Question::Certificate { profile } => {
                let account = self.accounts.open(&profile).await?;
                let issued = account.certificate().await?;
                let login_name = issued
                    .certificate
                    .login_name()
                    .ok_or_else(|| Failure::new("the certificate names no principal"))?;
                Ok(Answer::Certificate(CertificateAnswer {
                    login_name,
                    certificate: issued
                        .certificate
                        .explain()
                        .summarize(self.host.clock.now(), None),
                }))
            }
            Question::RelayCredentials {
                profile,
                machine,
                port,
                anew,
            } => {
                let account = self.accounts.open(&profile).await?;
                let (credentials, is_new) = account.relay_credentials(&machine, port, anew).await?;
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
