//! Whatever a relay sends: nothing panics, no more comes out than went in, and how the bytes are cut makes no difference.

#![no_main]

use entra_ssh::internal::relay::frame::{Decoder, Event};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Default, PartialEq)]
struct Seen {
    data: Vec<u8>,
    controls: Vec<(u16, Vec<u8>)>,
    failure: Option<&'static str>,
}

fn read(bytes: &[u8], step: usize) -> Seen {
    let (mut decoder, mut seen, mut pending) = (Decoder::default(), Seen::default(), Vec::new());
    for piece in bytes.chunks(step) {
        pending.extend_from_slice(piece);
        loop {
            let (used, event) = match decoder.next(&pending) {
                Ok(next) => next,
                Err(reason) => {
                    seen.failure = Some(reason);
                    return seen;
                }
            };
            assert!(used <= pending.len());
            match event {
                Event::More => break,
                Event::Data(data) => seen.data.extend_from_slice(data),
                Event::Ping(payload) => seen.controls.push((9, payload)),
                Event::Pong => seen.controls.push((10, Vec::new())),
                Event::Close(code, reason) => seen.controls.push((code, reason.into_bytes())),
            }
            pending.drain(..used);
        }
    }
    seen
}

fuzz_target!(|input: (u8, &[u8])| {
    let (step, bytes) = input;
    let whole = read(bytes, usize::MAX);
    assert!(whole.data.len() <= bytes.len());
    assert_eq!(read(bytes, usize::from(step).max(1)), whole);
});
