//! Bytes between a sender and the machine, and how a connection closes.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::super::{ArcAgent, ArcAgentOptions};
use super::{FakeRelay, echo, read};

#[tokio::test]
async fn bytes_go_both_ways() {
    let mut relay = FakeRelay::start().await;
    let (_agent, mut control) = relay.agent(echo().await).await;
    let mut sender = relay.connect(&mut control).await;
    sender
        .send(Message::Binary(Bytes::from_static(b"SSH-2.0-")))
        .await
        .unwrap();
    assert_eq!(read(&mut sender, 8).await, b"SSH-2.0-");
}

#[tokio::test]
async fn messages_of_many_megabytes_are_taken() {
    let mut relay = FakeRelay::start().await;
    let (_agent, mut control) = relay.agent(echo().await).await;
    let sender = relay.connect(&mut control).await;
    let data = Bytes::from(vec![7; 48 << 20]);
    let (mut sink, mut stream) = sender.split();
    let length = data.len();
    let speak = sink.send(Message::Binary(data));
    let receive = async {
        let mut received = 0;
        while received < length {
            received += stream.next().await.unwrap().unwrap().len();
        }
        received
    };
    let both = async { tokio::join!(speak, receive) };
    let (sent, received) = timeout(Duration::from_mins(1), both).await.unwrap();
    sent.unwrap();
    assert_eq!(received, length);
}

#[tokio::test]
async fn a_message_above_the_read_limit_closes_with_1009_and_one_at_it_does_not() {
    const LIMIT: usize = 32 * 1024;
    let mut relay = FakeRelay::start().await;
    let options = ArcAgentOptions {
        read_limit: LIMIT,
        ..relay.options(echo().await)
    };
    let _agent = ArcAgent::start(options).await.unwrap();
    let mut control = relay.socket().await;
    let mut sender = relay.connect(&mut control).await;
    let message = |length: usize| Message::Binary(Bytes::from(vec![7; length]));
    for _ in 0..3 {
        sender.send(message(LIMIT)).await.unwrap();
        assert_eq!(read(&mut sender, LIMIT).await, vec![7; LIMIT]);
    }
    sender.send(message(LIMIT + 1)).await.unwrap();
    let end = timeout(Duration::from_secs(10), sender.next()).await;
    let Ok(Some(Ok(Message::Close(Some(frame))))) = end else {
        panic!("{end:?}");
    };
    assert_eq!(frame.code, CloseCode::Size);
    assert_eq!(frame.reason.as_str(), "read limited at 32769 bytes");
}

#[tokio::test]
async fn machine_that_ends_closes_with_1000_after_its_last_words() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let mut relay = FakeRelay::start().await;
    let (_agent, mut control) = relay.agent(listener.local_addr().unwrap()).await;
    let mut sender = relay.connect(&mut control).await;
    let (mut machine, _) = listener.accept().await.unwrap();
    machine.write_all(b"bye").await.unwrap();
    drop(machine);
    assert_eq!(read(&mut sender, 3).await, b"bye");
    let Some(Ok(Message::Close(Some(frame)))) = sender.next().await else {
        panic!("no close frame");
    };
    assert_eq!(frame.code, CloseCode::Normal);
}

#[tokio::test]
async fn sender_that_ends_closes_the_machine() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let mut relay = FakeRelay::start().await;
    let (_agent, mut control) = relay.agent(listener.local_addr().unwrap()).await;
    let mut sender = relay.connect(&mut control).await;
    let (mut machine, _) = listener.accept().await.unwrap();
    sender
        .send(Message::Binary(Bytes::from_static(b"bye")))
        .await
        .unwrap();
    let frame = CloseFrame {
        code: CloseCode::Away,
        reason: "".into(),
    };
    sender.close(Some(frame)).await.unwrap();
    let mut heard = Vec::new();
    let heard_all = timeout(Duration::from_secs(120), machine.read_to_end(&mut heard));
    heard_all.await.unwrap().unwrap();
    assert_eq!(heard, b"bye");
    let answer = timeout(Duration::from_secs(120), sender.next())
        .await
        .unwrap();
    assert!(matches!(answer, Some(Ok(Message::Close(_)))), "{answer:?}");
}

#[tokio::test]
async fn slow_machine_holds_the_sender_back() {
    const MIB: usize = 1 << 20;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let mut relay = FakeRelay::start().await;
    let (_agent, mut control) = relay.agent(listener.local_addr().unwrap()).await;
    let mut sender = relay.connect(&mut control).await;
    let (_deaf, _) = listener.accept().await.unwrap();
    let message = Message::Binary(Bytes::from(vec![0; MIB]));
    for sent in 0..128 {
        let send = timeout(Duration::from_secs(5), sender.send(message.clone()));
        if send.await.is_err() {
            assert!(sent > 0);
            return;
        }
    }
    panic!("the agent took 128 MiB that nobody reads");
}
