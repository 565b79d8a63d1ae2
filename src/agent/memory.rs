//! The memory keyring: the agent holds its entries, and the other programs of the user ask for them at the agent's own socket.
//!
//! It is for machines without any keyring, such as containers that forbid the kernel's. What is in it ends with the agent, so
//! that an agent with a sign-in in it does not end when it is idle, and hands it over to the program that replaces its own.

use std::io;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, LocalOptions};

use super::ask::{Answer, Carried, MemoryAnswer, MemoryQuestion};
use super::client::AgentClient;
use crate::failure::Failure;
use crate::host::vault::{OwnMemory, Vault};
use crate::secret::SecretBytes;

/// How long to wait for an agent that is handing its memory over.
const HAND_OVER_LIMIT: Duration = Duration::from_secs(15);
/// How often to ask meanwhile.
const HAND_OVER_POLL: Duration = Duration::from_millis(50);

/// Answers from the memory of this process, which is the agent.
pub(super) fn answer(memory: &OwnMemory, question: &MemoryQuestion) -> Result<Answer, Failure> {
    let answered = match question {
        MemoryQuestion::Load(name) => memory
            .load(name)
            .map(|secret| MemoryAnswer::Secret(secret.as_ref().map(Carried::new))),
        MemoryQuestion::Remove(name) => memory.remove(name).map(MemoryAnswer::Removed),
        MemoryQuestion::Save(name, secret) => secret
            .secret()
            .and_then(|secret| memory.save(name, &secret))
            .map(|()| MemoryAnswer::Saved),
    };
    match answered {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Ok(Answer::Memory(MemoryAnswer::Busy))
        }
        Err(error) => Err(Failure::new("the agent cannot hold the secret").caused_by(&error)),
        Ok(answer) => Ok(Answer::Memory(answer)),
    }
}

/// The memory of the agent. Calls block, and start the agent only to save something.
#[derive(Debug)]
pub(crate) struct AgentMemory {
    agent: AgentClient,
}

impl AgentMemory {
    /// Returns the memory of an agent.
    #[must_use]
    pub(crate) const fn new(agent: AgentClient) -> Self {
        Self { agent }
    }

    /// Asks until the agent is not busy. `None` stands for an agent that does not run, and so holds nothing.
    fn ask(&self, question: &MemoryQuestion) -> io::Result<Option<MemoryAnswer>> {
        let deadline = Instant::now() + HAND_OVER_LIMIT;
        let ask = async {
            loop {
                match self.agent.memory(question.clone()).await? {
                    Some(MemoryAnswer::Busy) if Instant::now() < deadline => {
                        tokio::time::sleep(HAND_OVER_POLL).await;
                    }
                    answer => return Ok(answer),
                }
            }
        };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())?;
        let answer: Result<_, Failure> = runtime.block_on(ask);
        answer.map_err(|failure| io::Error::other(failure.error.to_string()))
    }
}

impl Vault for AgentMemory {
    fn load(&self, name: &str) -> io::Result<Option<SecretBytes>> {
        match self.ask(&MemoryQuestion::Load(name.to_owned()))? {
            Some(MemoryAnswer::Secret(Some(secret))) => secret.secret().map(Some),
            Some(MemoryAnswer::Secret(None)) | None => Ok(None),
            Some(_) => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn save(&self, name: &str, secret: &SecretBytes) -> io::Result<()> {
        let question = MemoryQuestion::Save(name.to_owned(), Carried::new(secret));
        match self.ask(&question)? {
            Some(MemoryAnswer::Saved) => Ok(()),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn remove(&self, name: &str) -> io::Result<bool> {
        match self.ask(&MemoryQuestion::Remove(name.to_owned()))? {
            Some(MemoryAnswer::Removed(is_removed)) => Ok(is_removed),
            None => Ok(false),
            Some(_) => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_come_through_and_no_debug_text_shows_them() {
        let memory = OwnMemory::default();
        let secret = SecretBytes::new(b"hunter2\0\xff".to_vec());
        let question = MemoryQuestion::Save("sign-in a".to_owned(), Carried::new(&secret));
        let text = format!("{question:?}");
        assert!(
            !text.contains("hunter2") && !text.contains("aHVudGVy"),
            "{text}"
        );
        let json = serde_json::to_vec(&question).unwrap();
        let question = serde_json::from_slice(&json).unwrap();
        answer(&memory, &question).unwrap();
        let load = MemoryQuestion::Load("sign-in a".to_owned());
        let Ok(Answer::Memory(MemoryAnswer::Secret(Some(loaded)))) = answer(&memory, &load) else {
            panic!("it is not there");
        };
        assert_eq!(loaded.secret().unwrap().expose(), b"hunter2\0\xff");
        memory.freeze();
        for question in [question, MemoryQuestion::Remove("sign-in a".to_owned())] {
            let answer = answer(&memory, &question).unwrap();
            assert!(matches!(answer, Answer::Memory(MemoryAnswer::Busy)));
        }
    }
}
