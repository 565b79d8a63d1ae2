//! What the frames of a relayed connection cost, apart from TLS and sockets.
//!
//! ```sh
//! cargo bench
//! ```

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use entra_ssh::internal::relay::frame::{Decoder, Event, Opcode, apply_mask, header};

/// What `proxy` reads at once, in bytes.
const BLOCK_BYTES: usize = 64 * 1024;

fn main() {
    divan::main();
}

/// A frame of ours: its header, and its payload masked in place.
#[divan::bench(args = [64, 1024, BLOCK_BYTES])]
fn write(bencher: Bencher<'_, '_>, length: usize) {
    let mut payload = vec![0x5a; length];
    bencher.counter(BytesCount::new(length)).bench_local(|| {
        let mask = black_box([1, 2, 3, 4]);
        let header = header(Opcode::Binary, length, mask);
        apply_mask(&mut payload, mask);
        header
    });
}

/// A server's frames of so many bytes, one behind the other in what was read at once.
#[divan::bench(args = [64, 1024, 16 * 1024])]
fn read(bencher: Bencher<'_, '_>, length: usize) {
    let start = match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..126), _) => vec![0x82, short],
        (_, Ok(medium)) => [&[0x82, 126][..], &medium.to_be_bytes()].concat(),
        _ => return,
    };
    let frame = [start, vec![0x5a; length]].concat();
    let bytes = frame.repeat(BLOCK_BYTES / frame.len());
    bencher.counter(BytesCount::new(bytes.len())).bench(|| {
        let (mut decoder, mut rest, mut data) = (Decoder::default(), black_box(&bytes[..]), 0);
        while let Ok((used, event)) = decoder.next(rest) {
            match event {
                Event::More => break,
                Event::Data(payload) => data += payload.len(),
                _ => {}
            }
            rest = rest.get(used..).unwrap_or_default();
        }
        data
    });
}
