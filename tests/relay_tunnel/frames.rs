//! Frames of every kind, and how a connection ends.

use std::io::{self, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use entra_ssh::internal::relay::{self, Capacity, Ending, RelayError};
use tokio::time::timeout;

use super::{LIMIT, Open, Relay, Taken, client_close, client_frame, close, short};

#[tokio::test]
async fn fragments_and_text_come_through_and_pings_between_them_are_answered() {
    let relay = Relay::open(|far| {
        let sent = [
            short(0x02, b"one "),
            short(0x89, b"are you there?"),
            short(0x00, b""),
            short(0x80, b"message, "),
            short(0x8a, b"nobody asked"),
            short(0x81, b"text, "),
            short(0x82, b"bytes"),
        ]
        .concat();
        // Byte by byte, each in a record of its own.
        for byte in sent {
            far.write_all(&[byte]).unwrap();
        }
        let answer = client_frame(far).unwrap();
        far.write_all(&close(1000)).unwrap();
        (answer, client_close(far))
    });
    let output = Taken::new(usize::MAX);
    let (ending, (answer, closed)) = relay.carry(Open, output.clone()).await;
    assert_eq!(ending.unwrap(), Ending::Far);
    assert_eq!(output.bytes(), b"one message, text, bytes");
    assert_eq!(answer, (0x8a, b"are you there?".to_vec()));
    assert_eq!(closed, Some(1000_u16.to_be_bytes().to_vec()));
}

#[tokio::test]
async fn all_that_came_before_the_end_is_delivered_to_a_slow_reader() {
    const BYTES: usize = 3 * 1024 * 1024;
    for is_closed in [true, false] {
        let relay = Relay::open(move |far| {
            let length = u64::try_from(BYTES).unwrap().to_be_bytes();
            far.write_all(&[&[0x82, 127][..], &length].concat())
                .unwrap();
            far.write_all(&vec![7; BYTES]).unwrap();
            if is_closed {
                far.write_all(&close(1000)).unwrap();
            }
        });
        let output = Taken::new(1000);
        let (ending, ()) = relay.carry(Open, output.clone()).await;
        match ending {
            Ok(Ending::Far) => assert!(is_closed),
            // Without a close frame, nobody can tell whether it was all.
            Err(RelayError::Dropped { .. }) => assert!(!is_closed),
            other => panic!("{other:?}"),
        }
        assert_eq!(output.bytes().len(), BYTES, "{is_closed}");
    }
}

#[tokio::test]
async fn what_still_comes_after_our_input_has_ended_is_passed_on() {
    let relay = Relay::open(|far| {
        let said = client_frame(far).unwrap();
        thread::sleep(Duration::from_millis(300));
        far.write_all(&short(0x82, b"late")).unwrap();
        far.write_all(&close(1000)).unwrap();
        said
    });
    let output = Taken::new(usize::MAX);
    let (ending, said) = relay.carry(&b"exit"[..], output.clone()).await;
    assert_eq!(ending.unwrap(), Ending::Far);
    assert_eq!(said, (0x82, b"exit".to_vec()));
    assert_eq!(output.bytes(), b"late");
}

#[tokio::test]
async fn what_breaks_the_protocol_ends_the_connection_with_a_reason() {
    for (bytes, expected) in [
        (short(0xc2, b"x"), "a reserved bit is set"),
        (
            short(0x80, b"x"),
            "a message is continued that was not begun",
        ),
        (short(0x09, b"x"), "a control frame is fragmented"),
        (
            vec![0x82, 0x81, 0, 0, 0, 0, 1],
            "a server's frame is masked",
        ),
        (vec![0x89, 126, 0, 126], "a control frame is too long"),
        (close(1006), "a close code is used that must not be sent"),
    ] {
        let relay = Relay::open(move |far| {
            far.write_all(&[short(0x82, b"before"), bytes].concat())
                .unwrap();
            client_close(far)
        });
        let output = Taken::new(usize::MAX);
        let (ending, closed) = relay.carry(Open, output.clone()).await;
        // Section 7.4.1: a protocol error.
        assert_eq!(closed, Some(1002_u16.to_be_bytes().to_vec()), "{expected}");
        match ending.unwrap_err() {
            RelayError::NotARelay { reason, .. } => assert_eq!(reason, expected),
            other => panic!("{expected}: {other:?}"),
        }
        assert_eq!(output.bytes(), b"before");
    }
}

#[tokio::test]
async fn close_codes_and_reasons_are_told() {
    for (frame, expected) in [
        (
            close(1001),
            "the relay closed the connection: the machine's listener has gone (close code 1001)",
        ),
        (
            close(1009),
            "the relay closed the connection: a message was longer than the machine's listener accepts (close code 1009)",
        ),
        (
            short(0x88, b"\x03\xf3disk full\n"),
            "the relay closed the connection: disk full (close code 1011)",
        ),
    ] {
        let relay = Relay::open(move |far| far.write_all(&frame).unwrap());
        let (ending, ()) = relay.carry(Open, Taken::new(usize::MAX)).await;
        assert_eq!(ending.unwrap_err().to_string(), expected);
    }
    // No code at all is a normal end (RFC 6455, section 7.1.5).
    let relay = Relay::open(|far| far.write_all(&short(0x88, b"")).unwrap());
    let (ending, ()) = relay.carry(Open, Taken::new(usize::MAX)).await;
    assert_eq!(ending.unwrap(), Ending::Far);
}

#[tokio::test]
async fn an_end_of_tls_or_tcp_without_a_close_frame_is_a_drop() {
    for says_goodbye in [true, false] {
        let relay = Relay::open(move |far| {
            far.write_all(&short(0x82, b"some")).unwrap();
            if says_goodbye {
                far.conn.send_close_notify();
                far.flush().unwrap();
            }
        });
        let output = Taken::new(usize::MAX);
        let begun = Instant::now();
        let (ending, ()) = relay.carry(Open, output.clone()).await;
        let Err(RelayError::Dropped { source, .. }) = ending else {
            panic!("{ending:?}");
        };
        assert_eq!(source.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(output.bytes(), b"some");
        assert!(begun.elapsed() < LIMIT / 2);
    }
}

#[tokio::test]
async fn nothing_is_read_while_the_output_takes_nothing() {
    const BLOCK_BYTES: usize = 64 * 1024;
    // What the sockets of both sides may hold is the system's affair; what is more must wait.
    const MAX_BYTES: usize = 32 * 1024 * 1024;
    let relay = Relay::open(|far| {
        far.sock
            .set_write_timeout(Some(Duration::from_secs(2)))
            .unwrap();
        let length = u64::try_from(BLOCK_BYTES).unwrap().to_be_bytes();
        let frame = [&[0x82, 127][..], &length, &vec![7; BLOCK_BYTES]].concat();
        let mut sent = 0;
        while sent < 2 * MAX_BYTES && far.write_all(&frame).is_ok() {
            sent += BLOCK_BYTES;
        }
        sent
    });
    let Relay { endpoint, tls, .. } = &relay;
    let connection = relay::dial(endpoint, tls, None, Capacity::ALONE)
        .await
        .unwrap();
    let carrying = relay::carry(connection, Open, Taken::new(0));
    let waited = timeout(Duration::from_secs(4), carrying).await;
    assert!(waited.is_err(), "{waited:?}");
    let sent = relay.script.join().unwrap();
    assert!((1..MAX_BYTES).contains(&sent), "{sent}");
}
