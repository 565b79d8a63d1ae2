//! Frames (RFC 6455, section 5), apart from any socket: a client's are written, a server's are read.

/// What a header of ours takes up at most, in bytes: two, a length of eight, a mask of four.
pub const MAX_HEADER_BYTES: usize = 14;
/// The longest payload of a control frame (RFC 6455, section 5.5), in bytes.
const MAX_CONTROL_BYTES: usize = 125;

/// What a frame is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Opcode {
    /// Bytes of a message.
    Binary,
    /// The end of the connection.
    Close,
    /// A question whether anyone is there.
    Ping,
    /// The answer to it.
    Pong,
}

impl Opcode {
    const fn number(self) -> u8 {
        match self {
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }
}

/// Set in the first byte of a message's last frame.
const FINAL: u8 = 0x80;
/// Set in the second byte of a masked frame.
const MASKED: u8 = 0x80;
/// Stands for a length in the two bytes that follow.
const MEDIUM: u8 = 126;
/// Stands for a length in the eight bytes that follow.
const LONG: u8 = 127;

/// Writes the header of a final frame, and returns its bytes and how many of them count; a payload of `length` bytes follows,
/// masked with `mask`.
#[must_use]
pub fn header(opcode: Opcode, length: usize, mask: [u8; 4]) -> ([u8; MAX_HEADER_BYTES], usize) {
    let mut header = [0; MAX_HEADER_BYTES];
    let first = FINAL | opcode.number();
    let mut used = 0;
    let mut push = |bytes: &[u8]| {
        for byte in bytes {
            if let Some(place) = header.get_mut(used) {
                *place = *byte;
                used += 1;
            }
        }
    };
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if length < 126 => push(&[first, MASKED | short]),
        (_, Ok(medium)) => {
            push(&[first, MASKED | MEDIUM]);
            push(&medium.to_be_bytes());
        }
        _ => {
            push(&[first, MASKED | LONG]);
            push(&u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
        }
    }
    push(&mask);
    (header, used)
}

/// Masks or unmasks a payload in place (RFC 6455, section 5.3).
pub fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u128::from_ne_bytes([a, b, c, d, a, b, c, d, a, b, c, d, a, b, c, d]);
    let (blocks, tail) = payload.as_chunks_mut::<16>();
    for block in blocks {
        *block = (u128::from_ne_bytes(*block) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in tail.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// What the decoder found at the front of its input.
#[derive(Debug, Eq, PartialEq)]
pub enum Event<'a> {
    /// A close frame: its code (1005 where it has none, as RFC 6455, section 7.1.5 says) and its reason.
    Close(u16, String),
    /// Bytes of a message.
    Data(&'a [u8]),
    /// Nothing whole yet.
    More,
    /// A ping, to be answered with the same payload.
    Ping(Vec<u8>),
    /// A pong.
    Pong,
}

/// Reads frames of a server. Messages are passed on in the pieces that they come in, so that no length of a frame or a
/// message asks for memory.
#[derive(Debug, Default)]
pub struct Decoder {
    /// How many bytes of the current data frame are still to come.
    payload_left: u64,
    /// Whether a message has begun that its last frame has not ended.
    in_message: bool,
}

impl Decoder {
    /// Reads one thing off the front of `input`, and returns how many bytes it took up.
    ///
    /// # Errors
    /// What is wrong with the frame.
    pub fn next<'a>(&mut self, input: &'a [u8]) -> Result<(usize, Event<'a>), &'static str> {
        if self.payload_left > 0 {
            let length = usize::try_from(self.payload_left)
                .unwrap_or(usize::MAX)
                .min(input.len());
            if length == 0 {
                return Ok((0, Event::More));
            }
            self.payload_left -= u64::try_from(length).unwrap_or(u64::MAX);
            return Ok((length, Event::Data(input.get(..length).unwrap_or_default())));
        }
        let [first, second, rest @ ..] = input else {
            return Ok((0, Event::More));
        };
        if first & 0x70 != 0 {
            return Err("a reserved bit is set");
        }
        if second & MASKED != 0 {
            return Err("a server's frame is masked");
        }
        let (is_final, opcode) = (first & FINAL != 0, first & 0x0f);
        if opcode >= 8 {
            return control(is_final, opcode, usize::from(*second), rest);
        }
        let Some((length, used)) = payload_length(*second, rest)? else {
            return Ok((0, Event::More));
        };
        match (opcode, self.in_message) {
            (0, false) => return Err("a message is continued that was not begun"),
            (1 | 2, true) => return Err("a message begins within another"),
            (0..=2, _) => {}
            _ => return Err("a reserved opcode is used"),
        }
        self.in_message = !is_final;
        self.payload_left = length;
        Ok((2 + used, Event::Data(&[])))
    }
}

/// Reads the longer forms of a payload length, and returns it and how many bytes it took up.
fn payload_length(second: u8, rest: &[u8]) -> Result<Option<(u64, usize)>, &'static str> {
    let (length, used) = match second {
        MEDIUM => match rest.first_chunk::<2>() {
            Some(bytes) => (u64::from(u16::from_be_bytes(*bytes)), 2),
            None => return Ok(None),
        },
        LONG => match rest.first_chunk::<8>() {
            Some(bytes) => (u64::from_be_bytes(*bytes), 8),
            None => return Ok(None),
        },
        short => (u64::from(short), 0),
    };
    let shortest = match used {
        2 => 126,
        8 => 65_536,
        _ => 0,
    };
    if length < shortest || length > u64::MAX >> 1 {
        return Err("a length is out of range or not in its shortest form");
    }
    Ok(Some((length, used)))
}

fn control<'a>(
    is_final: bool,
    opcode: u8,
    length: usize,
    rest: &[u8],
) -> Result<(usize, Event<'a>), &'static str> {
    if !is_final {
        return Err("a control frame is fragmented");
    }
    if length > MAX_CONTROL_BYTES {
        return Err("a control frame is too long");
    }
    let Some(payload) = rest.get(..length) else {
        return Ok((0, Event::More));
    };
    let event = match opcode {
        8 => close(payload)?,
        9 => Event::Ping(payload.to_vec()),
        10 => Event::Pong,
        _ => return Err("a reserved opcode is used"),
    };
    Ok((2 + length, event))
}

fn close<'a>(payload: &[u8]) -> Result<Event<'a>, &'static str> {
    match payload.split_first_chunk::<2>() {
        None if payload.is_empty() => Ok(Event::Close(1005, String::new())),
        None => Err("a close frame has half a code"),
        Some((code, reason)) => {
            let code = u16::from_be_bytes(*code);
            if !(1000..5000).contains(&code) || (1004..=1006).contains(&code) || code == 1015 {
                return Err("a close code is used that must not be sent");
            }
            let reason = std::str::from_utf8(reason).map_err(|_| "a close reason is not UTF-8")?;
            Ok(Event::Close(code, reason.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(length @ 0..MEDIUM), _) => frame.push(length),
            (_, Ok(length)) => {
                frame.push(MEDIUM);
                frame.extend(length.to_be_bytes());
            }
            _ => {
                frame.push(LONG);
                frame.extend(u64::try_from(payload.len()).unwrap().to_be_bytes());
            }
        }
        frame.extend_from_slice(payload);
        frame
    }

    /// Feeds bytes in pieces of `step`, and returns the data and the number of control frames.
    fn decode(bytes: &[u8], step: usize) -> Result<(Vec<u8>, usize), &'static str> {
        let (mut decoder, mut pending, mut data, mut controls) =
            (Decoder::default(), Vec::new(), Vec::new(), 0);
        for piece in bytes.chunks(step) {
            pending.extend_from_slice(piece);
            loop {
                let (used, event) = decoder.next(&pending)?;
                match event {
                    Event::More => break,
                    Event::Data(bytes) => data.extend_from_slice(bytes),
                    _ => controls += 1,
                }
                pending.drain(..used);
            }
        }
        Ok((data, controls))
    }

    #[test]
    fn messages_come_through_whatever_their_frames_and_pieces() {
        let bytes = [
            server_frame(0x82, b""),
            server_frame(0x02, &[1; 125]),
            server_frame(0x89, b"ping between fragments"),
            server_frame(0x00, &[2; 126]),
            server_frame(0x80, &vec![3; 65_535]),
            server_frame(0x8a, b""),
            server_frame(0x82, &vec![4; 65_536]),
            server_frame(0x81, b"text"),
        ]
        .concat();
        let expected = [
            &[1; 125][..],
            &[2; 126],
            &vec![3; 65_535],
            &vec![4; 65_536],
            b"text",
        ]
        .concat();
        for step in [1, 2, 3, 7, 1000, usize::MAX] {
            let (data, controls) = decode(&bytes, step).unwrap();
            assert_eq!((data.len(), controls), (expected.len(), 2), "{step}");
            assert!(data == expected, "{step}");
        }
    }

    #[test]
    fn reject_frames_that_break_rfc_6455() {
        for (name, bytes) in [
            ("reserved bit, 5.2", server_frame(0xc2, b"x")),
            (
                "masked by a server, 5.1",
                vec![0x82, 0x81, 0, 0, 0, 0, b'x'],
            ),
            ("continuation of nothing, 5.4", server_frame(0x80, b"x")),
            (
                "message within a message, 5.4",
                [server_frame(0x02, b"x"), server_frame(0x82, b"y")].concat(),
            ),
            ("reserved opcode, 5.2", server_frame(0x83, b"x")),
            ("reserved control opcode, 5.2", server_frame(0x8b, b"x")),
            ("fragmented control, 5.5", server_frame(0x09, b"x")),
            ("control of 126 bytes, 5.5", server_frame(0x89, &[0; 126])),
            (
                "length of 126 in two bytes too many, 5.2",
                vec![0x82, 126, 0, 125],
            ),
            (
                "length of 65535 in six bytes too many, 5.2",
                vec![0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
            ),
            (
                "length with the highest bit, 5.2",
                vec![0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0],
            ),
            ("half a close code, 5.5.1", server_frame(0x88, &[3])),
            (
                "close code 1005, 7.4.1",
                server_frame(0x88, &1005_u16.to_be_bytes()),
            ),
            (
                "close code 999, 7.4.2",
                server_frame(0x88, &999_u16.to_be_bytes()),
            ),
            (
                "close reason that is not UTF-8, 5.5.1",
                server_frame(0x88, &[0x03, 0xe8, 0xff]),
            ),
        ] {
            assert!(decode(&bytes, usize::MAX).is_err(), "{name}");
        }
    }

    #[test]
    fn a_control_frame_of_125_bytes_is_taken() {
        assert_eq!(decode(&server_frame(0x89, &[0; 125]), 1).unwrap().1, 1);
    }

    #[test]
    fn close_frames_are_read() {
        let frame = server_frame(0x88, &[&1008_u16.to_be_bytes()[..], b"expired"].concat());
        let (_, event) = Decoder::default().next(&frame).unwrap();
        assert_eq!(event, Event::Close(1008, "expired".to_owned()));
        let frame = server_frame(0x88, b"");
        let (_, event) = Decoder::default().next(&frame).unwrap();
        assert_eq!(event, Event::Close(1005, String::new()));
    }

    #[test]
    fn masking_twice_is_nothing_at_every_length() {
        let mask = [1, 2, 3, 4];
        for length in 0..100 {
            let mut payload = vec![9; length];
            apply_mask(&mut payload, mask);
            for (index, byte) in payload.iter().enumerate() {
                assert_eq!(*byte, 9 ^ mask[index % 4]);
            }
            apply_mask(&mut payload, mask);
            assert_eq!(payload, vec![9; length]);
        }
    }

    #[test]
    fn headers_are_in_the_shortest_form() {
        for (length, used) in [(0, 6), (125, 6), (126, 8), (65_535, 8), (65_536, 14)] {
            assert_eq!(header(Opcode::Binary, length, [0; 4]).1, used, "{length}");
        }
        let (bytes, used) = header(Opcode::Ping, 3, [1, 2, 3, 4]);
        assert_eq!(&bytes[..used], [0x89, 0x83, 1, 2, 3, 4]);
    }
}
