//! Properties of WebSocket frames (RFC 6455, section 5): whatever a server sends and however it is cut into pieces.

#![expect(clippy::unwrap_used, reason = "tests")]

use entra_ssh::internal::relay::frame::{
    Decoder, Event, MAX_HEADER_BYTES, Opcode, apply_mask, header,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// What a server sends, in the order of the wire.
#[derive(Clone, Debug)]
enum Sent {
    Message {
        is_text: bool,
        fragments: Vec<Vec<u8>>,
    },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

/// What a client is to make of it.
#[derive(Debug, Default, Eq, PartialEq)]
struct Seen {
    data: Vec<u8>,
    pings: Vec<Vec<u8>>,
    pongs: usize,
    close: Option<(u16, String)>,
}

fn fragment() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => vec(any::<u8>(), 0..300),
        1 => vec(any::<u8>(), 65_530..65_545),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let control = || vec(any::<u8>(), 0..=125);
    prop_oneof![
        3 => (any::<bool>(), vec(fragment(), 1..5))
            .prop_map(|(is_text, fragments)| Sent::Message { is_text, fragments }),
        1 => control().prop_map(Sent::Ping),
        1 => control().prop_map(Sent::Pong),
    ]
}

/// Writes a server's frame, in the shortest form.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ ..=125 => bytes.push(u8::try_from(length).unwrap()),
        length @ 126..=65_535 => {
            bytes.push(126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            bytes.push(127);
            bytes.extend(u64::try_from(length).unwrap().to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}

/// Writes all of it, with the control frames of `between` after each fragment, and a close frame.
fn write(sent: &[Sent], between: Option<&[u8]>) -> (Vec<u8>, Seen) {
    let (mut bytes, mut seen) = (Vec::new(), Seen::default());
    for one in sent {
        match one {
            Sent::Ping(payload) => {
                bytes.extend(frame(0x89, payload));
                seen.pings.push(payload.clone());
            }
            Sent::Pong(payload) => {
                bytes.extend(frame(0x8a, payload));
                seen.pongs += 1;
            }
            Sent::Message { is_text, fragments } => {
                for (index, fragment) in fragments.iter().enumerate() {
                    let opcode = match (index, is_text) {
                        (0, true) => 1,
                        (0, false) => 2,
                        _ => 0,
                    };
                    let last = u8::from(index + 1 == fragments.len()) << 7;
                    bytes.extend(frame(last | opcode, fragment));
                    seen.data.extend_from_slice(fragment);
                    if let Some(payload) = between {
                        bytes.extend(frame(0x89, payload));
                        seen.pings.push(payload.to_vec());
                    }
                }
            }
        }
    }
    bytes.extend(frame(0x88, b"\x03\xf0expired"));
    seen.close = Some((1008, "expired".to_owned()));
    (bytes, seen)
}

/// Reads bytes as they come, cut after each of `cuts` in turn, and returns what is wrong with them besides.
fn read(bytes: &[u8], cuts: &[usize]) -> (Seen, Option<&'static str>) {
    let (mut decoder, mut seen, mut pending) = (Decoder::default(), Seen::default(), Vec::new());
    let (mut rest, mut cuts) = (bytes, cuts.iter().cycle());
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
        rest = later;
        pending.extend_from_slice(piece);
        loop {
            match decoder.next(&pending) {
                Err(reason) => return (seen, Some(reason)),
                Ok((used, event)) => {
                    match event {
                        Event::More => break,
                        Event::Data(data) => seen.data.extend_from_slice(data),
                        Event::Ping(payload) => seen.pings.push(payload),
                        Event::Pong => seen.pongs += 1,
                        Event::Close(code, reason) => {
                            seen.close = Some((code, reason));
                            return (seen, None);
                        }
                    }
                    pending.drain(..used);
                }
            }
        }
    }
    (seen, None)
}

proptest! {
    #[test]
    fn whatever_a_server_sends_comes_through_however_it_is_cut(
        sent in vec(sent(), 0..6),
        between in proptest::option::of(vec(any::<u8>(), 0..=125)),
        cuts in vec(1_usize..5_000, 1..8),
    ) {
        let (bytes, expected) = write(&sent, between.as_deref());
        let (seen, reason) = read(&bytes, &cuts);
        prop_assert_eq!(reason, None);
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn what_any_bytes_come_to_does_not_depend_on_how_they_are_cut(
        bytes in vec(any::<u8>(), 0..400),
        cuts in vec(1_usize..50, 1..8),
    ) {
        prop_assert_eq!(read(&bytes, &cuts), read(&bytes, &[usize::MAX]));
    }

    #[test]
    fn the_first_bytes_of_a_frame_never_ask_for_more_than_there_is(
        first in any::<u8>(),
        length in any::<u64>(),
        rest in vec(any::<u8>(), 0..40),
    ) {
        let bytes = [&[first, 127][..], &length.to_be_bytes(), &rest].concat();
        let (seen, _) = read(&bytes, &[usize::MAX]);
        prop_assert!(seen.data.len() <= rest.len());
    }

    #[test]
    fn a_client_s_frame_is_its_payload_again_once_the_mask_is_taken_off(
        payload in fragment(),
        mask in any::<[u8; 4]>(),
    ) {
        let (bytes, used) = header(Opcode::Binary, payload.len(), mask);
        prop_assert!(used <= MAX_HEADER_BYTES);
        let bytes = &bytes[..used];
        prop_assert_eq!((bytes[0], bytes[1] & 0x80), (0x82, 0x80));
        prop_assert_eq!(&bytes[used - 4..], &mask);
        // But for the bit that says that it is masked, it is what a server's header would be.
        let servers = frame(0x82, &payload);
        prop_assert_eq!(bytes[1] & 0x7f, servers[1]);
        prop_assert_eq!(&bytes[2..used - 4], &servers[2..servers.len() - payload.len()]);
        let mut masked = payload.clone();
        apply_mask(&mut masked, mask);
        let unmasked: Vec<u8> = masked.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        prop_assert_eq!(unmasked, payload);
    }
}
