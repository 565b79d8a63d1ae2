//! What versions say to one another's agent: how it is, that it is to end, and what it hands over to the next one.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{Version, assert_holds, pinned_json};
use crate::world::agent_socket::{ask, string};
use crate::world::{
    CONTOSO, DEPLOY, DEPLOY_SECRET, World, files_below, options_with, program, wait_for,
};

const EXTENSION: u8 = 27;
const SUCCESS: u8 = 6;
const NAME: &[u8] = b"ask@entra-ssh";
/// What any version may ask the agent of any other.
const QUESTIONS: [&str; 2] = ["status", "stop"];

/// Returns what a version asks and answers, and what its agent hands over, as files and what is in them.
pub(super) fn record(version: &Version<'_>) -> Vec<(String, Value)> {
    let (fake, asked) = fake_agent(version.world, "fake", |_| json!({"Err": null}));
    let socket = fake.display().to_string();
    for question in QUESTIONS {
        let arguments = ["agent", question, "--agent-socket", &socket];
        version.command(&arguments).run();
    }
    let asked: Vec<Value> = asked.try_iter().collect();
    let real = make_folder(version.world, "real").join("s");
    let socket = real.display().to_string();
    version.run(&["agent", "start", "--agent-socket", &socket]);
    let mut files: Vec<_> = QUESTIONS
        .iter()
        .map(|name| {
            let question = asked
                .iter()
                .find(|asked| question_of(asked) == *name)
                .unwrap();
            let answer = question_and_answer(&real, &question.to_string());
            let file = format!("agent/{name}.json");
            (file, json!({"question": question, "answer": answer}))
        })
        .collect();
    files.push(("agent/handed-over.json".to_owned(), handed_over(version)));
    files
}

/// Returns a folder for sockets.
fn make_folder(world: &World, name: &str) -> PathBuf {
    let folder = world.runtime().join(name);
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    folder
}

/// Returns the socket that our own programs ask the agent at.
fn ask_socket(socket: &Path) -> PathBuf {
    let mut path = socket.as_os_str().to_owned();
    path.push(".ask");
    path.into()
}

/// Returns which question was asked.
fn question_of(asked: &Value) -> &str {
    let question = asked.get("question").unwrap_or(asked);
    question.as_str().unwrap_or_default()
}

/// Opens the sockets of an agent that gives these answers, and returns them with the questions that come.
fn fake_agent(
    world: &World,
    name: &str,
    answer: impl Fn(&str) -> Value + Send + 'static,
) -> (PathBuf, mpsc::Receiver<Value>) {
    let socket = make_folder(world, name).join("s");
    let listener = UnixListener::bind(ask_socket(&socket)).unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            while let Some(message) = read_message(&mut stream) {
                let question = &message[1 + 4 + NAME.len()..];
                let question: Value = serde_json::from_slice(question).unwrap();
                let answer = answer(question_of(&question)).to_string();
                let reply = [&[SUCCESS], answer.as_bytes()].concat();
                // Whoever has asked may have left.
                let _written = stream.write_all(&string(&reply));
                if sender.send(question).is_err() {
                    return;
                }
            }
        }
    });
    (socket, receiver)
}

fn read_message(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}

/// Asks an agent, and returns its answer.
fn question_and_answer(socket: &Path, question: &str) -> Value {
    let mut stream = UnixStream::connect(ask_socket(socket)).unwrap();
    let message = [&[EXTENSION], &string(NAME)[..], question.as_bytes()].concat();
    let reply = ask(&mut stream, &message);
    assert_eq!(reply[0], SUCCESS);
    serde_json::from_slice(&reply[1..]).unwrap()
}

/// Returns what an agent with a sign-in in its memory hands over to the program that replaces its own, and the profile.
fn handed_over(version: &Version<'_>) -> Value {
    let world = World::with(options_with(&[]));
    let installed = world.home().join("entra-ssh");
    fs::copy(version.program(), &installed).unwrap();
    let own = Version::new(&world, installed.clone());
    own.command(&["login", "--service-principal", "--client-id", DEPLOY])
        .args(["--tenant", CONTOSO, "--keyring", "memory"])
        .env("ENTRA_SSH_CLIENT_SECRET", DEPLOY_SECRET)
        .run()
        .succeeded();
    let file = world.home().join("handed-over");
    let next = world.home().join("next");
    let script = format!(
        "#!/bin/sh\ncat >'{0}.new' && mv '{0}.new' '{0}'\n",
        file.display()
    );
    fs::write(&next, script).unwrap();
    fs::set_permissions(&next, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(next, &installed).unwrap();
    wait_for("the agent to hand its memory over", || file.exists());
    let bytes = fs::read(file).unwrap();
    let strings = super::entries::strings(&bytes);
    let (end, entries) = strings.split_last().unwrap();
    assert!(end.is_empty());
    let entries: Vec<_> = entries
        .chunks(2)
        .map(|entry| {
            let name = String::from_utf8(entry[0].clone()).unwrap();
            json!({"name": own.regular(&name), "bytes": BASE64_STANDARD.encode(&entry[1])})
        })
        .collect();
    let profiles = files_below(&world.home().join(super::record::PROFILES));
    let profile = own.regular(&fs::read_to_string(&profiles[0]).unwrap());
    let profile: Value = serde_json::from_str(&profile).unwrap();
    json!({"entries": entries, "profile": profile})
}

#[test]
fn an_agent_answers_what_version_0_1_0_asks() {
    let world = World::with(options_with(&[]));
    let today = Version::new(&world, program());
    let socket = make_folder(&world, "real").join("s");
    today.run(&["agent", "start", "--agent-socket", socket.to_str().unwrap()]);
    for name in QUESTIONS {
        let old = pinned_json(&format!("agent/{name}.json"));
        let question = today.actual(&old["question"].to_string());
        let answer = question_and_answer(&socket, &question);
        assert_holds(name, &old["answer"], &answer);
    }
    wait_for("the agent to end", || world.agents().is_empty());
}

#[test]
fn an_agent_of_version_0_1_0_is_understood() {
    let world = World::with(options_with(&[]));
    let today = Version::new(&world, program());
    let (socket, asked) = fake_agent(&world, "fake", |question| {
        pinned_json(&format!("agent/{question}.json"))["answer"].clone()
    });
    let socket = socket.to_str().unwrap();
    let status = ["agent", "status", "--agent-socket", socket, "-o", "json"];
    let status = today.run(&status).json();
    assert_eq!(status["running"], true);
    assert_eq!(status["version"], "0.1.0");
    let stop = ["agent", "stop", "--agent-socket", socket, "-o", "json"];
    assert_eq!(today.run(&stop).json()["stopped"], true);
    let asked: Vec<Value> = asked.try_iter().collect();
    assert_eq!(asked.last().map(question_of), Some("stop"));
}

#[test]
fn what_an_agent_of_version_0_1_0_hands_over_is_signed_in() {
    let world = World::with(options_with(&[]));
    let today = Version::new(&world, program());
    let old = pinned_json("agent/handed-over.json");
    let mut bytes = Vec::new();
    for entry in old["entries"].as_array().unwrap() {
        let secret = BASE64_STANDARD.decode(entry["bytes"].as_str().unwrap());
        bytes.extend(string(
            today.actual(entry["name"].as_str().unwrap()).as_bytes(),
        ));
        bytes.extend(string(&secret.unwrap()));
    }
    bytes.extend(string(b""));
    let folder = world.home().join(super::record::PROFILES);
    super::read::make_folder(&folder);
    let profile = today.actual(&old["profile"].to_string());
    fs::write(folder.join("default.json"), profile).unwrap();
    // Where the agent of then had its sockets.
    make_folder(&world, "entra-ssh");
    let run = today.command(&["agent", "run", "--inherit"]).stdin(bytes);
    let mut agent = run.start();
    agent.wait_until("the agent to listen", |_| {
        world.socket().exists().then_some(())
    });
    let status = today.run(&["agent", "status", "-o", "json"]).json();
    assert_eq!(status["sign_ins_in_memory"], 1);
    let certificate = today.run(&["cert", "-o", "json"]).json();
    assert_eq!(certificate["principals"][0], DEPLOY);
    assert_eq!(world.agents().len(), 1, "no other agent was needed");
    world.stop_agent();
}
