//! How long messages are, and bytes between pipes, as under ssh.

use std::io::{Read as _, Write as _};
use std::thread::{self};
use std::time::{Duration, Instant};

use entra_ssh::internal::relay::{Capacity, Ending};

use super::{Far, Relay, Taken, client_close, client_frame, close, pipes, short};

#[test]
fn pipes_carry_all_of_it_both_ways_at_once() {
    const BYTES: usize = 3 * 1024 * 1024;
    let relay = Relay::open(|far| {
        far.write_all(&short(0x89, b"there?")).unwrap();
        let mut echoed = 0;
        let mut pong = None;
        while echoed < BYTES {
            let (first, payload) = client_frame(far).unwrap();
            if first == 0x8a {
                pong = Some(payload);
                continue;
            }
            echoed += payload.len();
            // In pieces, so that each has the shortest form of a length.
            for piece in payload.chunks(125) {
                far.write_all(&short(0x82, piece)).unwrap();
            }
        }
        far.write_all(&close(1000)).unwrap();
        (pong, client_close(far))
    });
    let (pipes, mut writer, mut reader) = pipes();
    let sent: Vec<u8> = (0..BYTES)
        .map(|index| u8::try_from(index % 251).unwrap())
        .collect();
    let expected = sent.clone();
    let writing = thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer
    });
    let reading = thread::spawn(move || {
        let mut taken = Vec::new();
        reader.read_to_end(&mut taken).unwrap();
        taken
    });
    let (ending, (pong, closed)) = relay.carry_pipes(pipes);
    assert_eq!(ending.unwrap(), Ending::Far);
    assert_eq!(pong, Some(b"there?".to_vec()));
    assert_eq!(closed, Some(1000_u16.to_be_bytes().to_vec()));
    assert!(reading.join().unwrap() == expected);
    // The input was open to the end.
    drop(writing.join().unwrap());
}

/// Reads messages until it has so many bytes, and returns their lengths.
fn lengths(far: &mut Far, bytes: usize) -> Vec<usize> {
    let mut lengths = Vec::new();
    while lengths.iter().sum::<usize>() < bytes {
        let (first, payload) = client_frame(far).unwrap();
        assert_eq!(first, 0x82, "each message is one frame");
        lengths.push(payload.len());
    }
    far.write_all(&close(1000)).unwrap();
    lengths
}

/// What Go's WebSocket library reads of a message, unless it is told otherwise.
const GO_READ_LIMIT: usize = 32_768;

#[tokio::test]
async fn no_message_is_longer_than_go_reads_and_bulk_fills_them() {
    const BYTES: usize = 3_000_000;
    for capacity in [Capacity::ALONE, Capacity::AMONG_MANY] {
        let relay = Relay::open(|far| lengths(far, BYTES));
        let input = vec![7; BYTES];
        let (ending, lengths) = relay
            .carry_with(capacity, &input[..], Taken::new(usize::MAX))
            .await;
        assert_eq!(ending.unwrap(), Ending::Far);
        assert_eq!(lengths.iter().sum::<usize>(), BYTES);
        assert!(lengths.iter().all(|length| *length <= GO_READ_LIMIT));
        let full = lengths.iter().max().unwrap();
        assert!(lengths.len() <= BYTES / full + 1, "{lengths:?}");
    }
}

#[test]
fn no_message_from_a_pipe_is_longer_than_go_reads() {
    const BYTES: usize = 3_000_000;
    let relay = Relay::open(|far| lengths(far, BYTES));
    let (pipes, mut writer, _reader) = pipes();
    let writing = thread::spawn(move || {
        writer.write_all(&vec![7; BYTES]).unwrap();
        writer
    });
    let (ending, lengths) = relay.carry_pipes(pipes);
    assert_eq!(ending.unwrap(), Ending::Far);
    assert_eq!(lengths.iter().sum::<usize>(), BYTES);
    assert!(lengths.iter().all(|length| *length <= GO_READ_LIMIT));
    drop(writing.join().unwrap());
}

#[test]
fn pipes_that_ssh_has_left_end_it_soon_though_the_far_end_stays() {
    let relay = Relay::open(|far| {
        let said = client_frame(far).unwrap();
        (said, client_close(far))
    });
    let (pipes, mut writer, reader) = pipes();
    let leaving = thread::spawn(move || {
        writer.write_all(b"exit").unwrap();
        thread::sleep(Duration::from_millis(300));
        drop((writer, reader));
    });
    let begun = Instant::now();
    let (ending, (said, closed)) = relay.carry_pipes(pipes);
    assert_eq!(ending.unwrap(), Ending::Near);
    assert!(begun.elapsed() < Duration::from_secs(9));
    assert_eq!(said, (0x82, b"exit".to_vec()));
    assert_eq!(closed, Some(1000_u16.to_be_bytes().to_vec()));
    leaving.join().unwrap();
}
