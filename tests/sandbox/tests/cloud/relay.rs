//! Listeners, senders, refusals and faults of the Relay.

use std::time::{Duration, Instant};

use sandbox::{Fault, Options, Sandbox};
use serde_json::Value;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::client::{Refused, Socket, Trust, arm_token, connect, credentials, start, websocket};

fn relay_of(sandbox: &Sandbox, name: &str) -> Value {
    let token = arm_token(sandbox, "organizations", "ada@contoso.example");
    let machines = sandbox.description().machines;
    let machine = machines.into_iter().find(|machine| machine.name == name);
    credentials(sandbox, &token, &machine.unwrap().resource_id)
}

fn listen(sandbox: &Sandbox, connection: &str, token: &str) -> Result<Socket, Refused> {
    let url = format!(
        "{}/$hc/{connection}?sb-hc-action=listen",
        sandbox.relay_endpoint()
    );
    websocket(sandbox, &url, &[("ServiceBusAuthorization", token)])
}

fn connect_plain(sandbox: &Sandbox) -> Result<Socket, Refused> {
    let url = format!(
        "{}/$hc/plain?sb-hc-action=connect&colour=green",
        sandbox.relay_endpoint()
    );
    let token = sandbox.send_token("plain");
    websocket(sandbox, &url, &[("ServiceBusAuthorization", &token)])
}

/// Listens on the plain connection, and echoes what the first sender says.
fn echo(sandbox: &Sandbox) -> std::thread::JoinHandle<Value> {
    let mut control = listen(sandbox, "plain", &sandbox.listen_token("plain")).unwrap();
    let endpoint = sandbox.relay_endpoint();
    let trust = Trust::of(sandbox);
    std::thread::spawn(move || {
        let message = control.read().unwrap().into_text().unwrap();
        let message: Value = serde_json::from_str(&message).unwrap();
        let accepted = message["accept"].clone();
        let address = accepted["address"].as_str().unwrap();
        assert!(address.starts_with(&endpoint), "{address}");
        let mut socket = trust.websocket(address, &[]).unwrap();
        while let Ok(message) = socket.read() {
            if message.is_binary() || message.is_text() {
                socket.send(message).unwrap();
            }
        }
        accepted
    })
}

#[test]
fn banner_of_the_machine_comes_through_relay_and_agent() {
    let sandbox = start();
    let mut socket = connect(&sandbox, &relay_of(&sandbox, "web01")).unwrap();
    let banner = socket.read().unwrap();
    assert!(banner.is_binary());
    assert!(banner.into_data().starts_with(b"SSH-2.0-"));
}

#[test]
fn public_listener_meets_the_sender_and_sees_its_headers() {
    let sandbox = start();
    let listener = echo(&sandbox);
    let mut sender = connect_plain(&sandbox).unwrap();
    sender.send(Message::text("hello")).unwrap();
    assert_eq!(sender.read().unwrap(), Message::text("hello"));
    let large = vec![7_u8; 20 * 1024 * 1024];
    sender.send(Message::binary(large.clone())).unwrap();
    assert!(sender.read().unwrap().into_data() == large);
    let farewell = CloseFrame {
        code: CloseCode::Normal,
        reason: "done".into(),
    };
    sender.close(Some(farewell.clone())).unwrap();
    // The Relay answers the close, as the peer would.
    assert_eq!(sender.read().unwrap(), Message::Close(Some(farewell)));
    assert!(matches!(sender.read(), Err(Error::ConnectionClosed)));
    let accepted = listener.join().unwrap();
    let address = accepted["address"].as_str().unwrap();
    assert!(address.contains("colour=green"), "{address}");
    let headers = &accepted["connectHeaders"];
    let names: Vec<String> = headers
        .as_object()
        .unwrap()
        .keys()
        .map(|name| name.to_lowercase())
        .collect();
    assert!(names.contains(&"sec-websocket-key".to_owned()));
    assert!(!names.contains(&"servicebusauthorization".to_owned()));
}

#[test]
fn rejection_of_the_listener_reaches_the_sender() {
    let sandbox = start();
    let mut control = listen(&sandbox, "plain", &sandbox.listen_token("plain")).unwrap();
    let trust = Trust::of(&sandbox);
    let rejecter = std::thread::spawn(move || {
        let message = control.read().unwrap().into_text().unwrap();
        let message: Value = serde_json::from_str(&message).unwrap();
        let address = message["accept"]["address"].as_str().unwrap();
        let url = format!("{address}&sb-hc-statusCode=503&sb-hc-statusDescription=not%20now");
        trust.websocket(&url, &[]).unwrap_err().0
    });
    let refused = connect_plain(&sandbox).unwrap_err();
    assert_eq!(refused, (503, "not now".to_owned()));
    assert_eq!(rejecter.join().unwrap(), 410);
}

#[test]
fn rendezvous_address_serves_once() {
    let sandbox = start();
    let listener = echo(&sandbox);
    let mut sender = connect_plain(&sandbox).unwrap();
    sender.close(None).unwrap();
    let accepted = listener.join().unwrap();
    let address = accepted["address"].as_str().unwrap();
    assert_eq!(websocket(&sandbox, address, &[]).unwrap_err().0, 403);
}

#[test]
fn refusals_say_what_the_relay_says() {
    let sandbox = start();
    let relay = relay_of(&sandbox, "lonely01");
    assert_eq!(
        connect(&sandbox, &relay).unwrap_err(),
        (
            404,
            "There are no listeners connected for the endpoint".to_owned()
        )
    );
    let unknown = sandbox.send_token("nothing");
    let url = format!(
        "{}/$hc/nothing?sb-hc-action=connect",
        sandbox.relay_endpoint()
    );
    let refused = websocket(&sandbox, &url, &[("ServiceBusAuthorization", &unknown)]);
    assert_eq!(
        refused.unwrap_err(),
        (404, "Endpoint does not exist".to_owned())
    );
}

#[test]
fn tokens_of_another_right_path_or_shape_are_refused() {
    let sandbox = start();
    let mut relay = relay_of(&sandbox, "web01");
    let connection = relay["hybridConnectionName"].as_str().unwrap().to_owned();
    let status = |key: &str, relay: &mut Value| {
        relay["accessKey"] = key.into();
        connect(&sandbox, relay).unwrap_err().0
    };
    assert_eq!(status(&sandbox.listen_token(&connection), &mut relay), 403);
    assert_eq!(status(&sandbox.send_token("plain"), &mut relay), 403);
    assert_eq!(status("SharedAccessSignature nonsense", &mut relay), 401);
    relay["accessKey"] = sandbox.send_token(&connection).into();
    relay["serviceConfigurationToken"] = "nonsense".into();
    assert_eq!(connect(&sandbox, &relay).unwrap_err().0, 403);
    assert_eq!(
        listen(&sandbox, "plain", &sandbox.send_token("plain"))
            .unwrap_err()
            .0,
        403
    );
}

#[test]
fn agent_and_machine_that_stopped_look_different() {
    let sandbox = start();
    let relay = relay_of(&sandbox, "web02");
    sandbox.stop_machine("web02").unwrap();
    let (status, text) = connect(&sandbox, &relay).unwrap_err();
    assert_eq!(status, 503);
    assert!(
        text.starts_with("connection to localhost:22 failed: dial tcp"),
        "{text}"
    );
    sandbox.stop_agent("web02").unwrap();
    assert_eq!(
        connect(&sandbox, &relay).unwrap_err(),
        (
            404,
            "There are no listeners connected for the endpoint".to_owned()
        )
    );
}

#[test]
fn listeners_take_turns() {
    let sandbox = start();
    let token = sandbox.listen_token("plain");
    let mut controls = [
        listen(&sandbox, "plain", &token).unwrap(),
        listen(&sandbox, "plain", &token).unwrap(),
    ];
    for _ in 0..2 {
        // Nobody accepts, so the senders wait on threads that end with the sandbox.
        let trust = Trust::of(&sandbox);
        let url = format!(
            "{}/$hc/plain?sb-hc-action=connect",
            sandbox.relay_endpoint()
        );
        let token = sandbox.send_token("plain");
        std::thread::spawn(move || {
            trust
                .websocket(&url, &[("ServiceBusAuthorization", &token)])
                .map(drop)
        });
    }
    for control in &mut controls {
        assert!(
            control
                .read()
                .unwrap()
                .into_text()
                .unwrap()
                .contains("\"accept\"")
        );
    }
}

#[test]
fn listener_that_does_not_answer_is_a_504() {
    let sandbox = Sandbox::start(Options {
        rendezvous_time: Duration::from_millis(200),
        ..Options::default()
    })
    .unwrap();
    let _control = listen(&sandbox, "plain", &sandbox.listen_token("plain")).unwrap();
    assert_eq!(connect_plain(&sandbox).unwrap_err().0, 504);
}

#[test]
fn wrong_token_of_a_renewal_closes_the_control_channel_with_1008() {
    let sandbox = start();
    let token = sandbox.listen_token("plain");
    let mut control = listen(&sandbox, "plain", &token).unwrap();
    let renewal = |token: &str| Message::text(format!(r#"{{"renewToken":{{"token":"{token}"}}}}"#));
    control.send(renewal(&token)).unwrap();
    control.send(renewal("nonsense")).unwrap();
    let Message::Close(Some(frame)) = control.read().unwrap() else {
        panic!("not closed");
    };
    assert_eq!(u16::from(frame.code), 1_008);
}

#[test]
fn faults_of_the_handshake_are_seen_as_such() {
    let sandbox = start();
    let relay = relay_of(&sandbox, "web01");
    let seen = |fault: Fault| {
        sandbox.fault(fault);
        connect(&sandbox, &relay).map(drop).unwrap_err()
    };
    let refusal = Fault::RelayRefuse {
        status: 503,
        text: "the gateway is busy".to_owned(),
    };
    assert_eq!(seen(refusal), (503, "the gateway is busy".to_owned()));
    assert_eq!(seen(Fault::RelayGarbage).0, 0);
    assert_eq!(seen(Fault::RelayReset).0, 0);
    assert!(
        seen(Fault::RelayWrongAccept)
            .1
            .contains("Sec-WebSocket-Accept")
    );
    let started = Instant::now();
    sandbox.fault(Fault::RelayDelay { milliseconds: 300 });
    assert!(connect(&sandbox, &relay).is_ok());
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[test]
fn close_fault_comes_with_its_code_and_reason() {
    let sandbox = start();
    let relay = relay_of(&sandbox, "web01");
    sandbox.fault(Fault::RelayClose {
        after_bytes: 4,
        code: 1_011,
        reason: "something went wrong".to_owned(),
    });
    let mut socket = connect(&sandbox, &relay).unwrap();
    let end = loop {
        match socket.read() {
            Ok(Message::Close(frame)) => break frame.unwrap(),
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(u16::from(end.code), 1_011);
    assert_eq!(end.reason.as_str(), "something went wrong");
}

#[test]
fn stalled_connection_stays_open_and_silent() {
    let sandbox = start();
    let relay = relay_of(&sandbox, "web01");
    sandbox.fault(Fault::RelayStall {
        after_bytes: Some(0),
    });
    let mut socket = connect(&sandbox, &relay).unwrap();
    let stream = &socket.get_ref().sock;
    stream
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    assert!(matches!(socket.read(), Err(Error::Io(_))));
}

#[test]
fn idle_connection_is_dropped_and_pings_keep_it() {
    let sandbox = Sandbox::start(Options {
        relay_idle_time: Duration::from_secs(4),
        ..Options::default()
    })
    .unwrap();
    let relay = relay_of(&sandbox, "web01");
    let mut socket = connect(&sandbox, &relay).unwrap();
    assert!(socket.read().unwrap().is_binary());
    for _ in 0..6 {
        std::thread::sleep(Duration::from_secs(1));
        socket.send(Message::Ping("still here".into())).unwrap();
        let pong = loop {
            let message = socket.read().unwrap();
            if message.is_pong() {
                break message;
            }
        };
        assert_eq!(pong, Message::Pong("still here".into()));
    }
    let dropped = loop {
        match socket.read() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(
        matches!(dropped, Error::Io(_) | Error::Protocol(_)),
        "{dropped}"
    );
}
