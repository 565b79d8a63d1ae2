//! Outgoing masked frames, built in the memory that the input was read into.
//!
//! ```text
//! bytes   | room for a header | first message | second message |
//! sent    |         h  first message |
//!                                  h  second message |           its header overwrites what has been sent
//! ```

use std::io;

use super::buffer::Capacity;
use super::frame::{self, MAX_HEADER_BYTES, Opcode};
use super::masks::Masks;

/// The longest message to send, in bytes. This is the default read limit of Go's WebSocket library, which closes the
/// connection with 1009 above it; the machine's agent is written in Go.
const MAX_MESSAGE_BYTES: usize = 32 * 1024;
/// What the header of a long frame takes up, in bytes. With it, a long message fills whole TLS records.
const LONG_HEADER_BYTES: usize = 8;

/// Frames that are being built.
pub(super) struct Outgoing {
    /// Room for a header, and then the payload of as many messages as are encrypted at once.
    bytes: Box<[u8]>,
    /// The length of a message's payload, in bytes.
    message_bytes: usize,
    masks: Masks,
}

impl Outgoing {
    pub(super) fn new(capacity: Capacity) -> Self {
        let plain_bytes = capacity.plain_bytes();
        let frame_bytes = plain_bytes.min(MAX_MESSAGE_BYTES);
        let message_bytes = frame_bytes - LONG_HEADER_BYTES;
        let at_once = plain_bytes / frame_bytes * message_bytes;
        Self {
            bytes: vec![0; MAX_HEADER_BYTES + at_once].into_boxed_slice(),
            message_bytes,
            masks: Masks::new(),
        }
    }

    /// Returns where the payload goes: as much as can be sent at once.
    pub(super) fn payload_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(MAX_HEADER_BYTES..).unwrap_or_default()
    }

    /// Makes messages of the first `length` bytes of the payload, as few as their length allows, and hands each to `send`.
    ///
    /// # Errors
    /// What `send` returns, or that the system gives no random numbers.
    pub(super) fn send_messages(
        &mut self,
        length: usize,
        mut send: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut start = 0;
        while start < length {
            let end = length.min(start + self.message_bytes);
            send(self.make_frame(Opcode::Binary, start, end)?)?;
            start = end;
        }
        Ok(())
    }

    /// Makes a control frame, and hands it to `send`.
    ///
    /// # Errors
    /// As [`Outgoing::send_messages`].
    pub(super) fn send_control(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        send: impl FnOnce(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        for (place, byte) in self.payload_mut().iter_mut().zip(payload) {
            *place = *byte;
        }
        send(self.make_frame(opcode, 0, payload.len())?)
    }

    /// Masks a part of the payload, puts a header before it, and returns both.
    fn make_frame(&mut self, opcode: Opcode, start: usize, end: usize) -> io::Result<&[u8]> {
        let mask = self
            .masks
            .next()
            .map_err(|_| io::Error::other("the system gives no random numbers"))?;
        let (header, used) = frame::header(opcode, end - start, mask);
        let (start, end) = (MAX_HEADER_BYTES + start, MAX_HEADER_BYTES + end);
        if let Some(payload) = self.bytes.get_mut(start..end) {
            frame::apply_mask(payload, mask);
        }
        let room = self.bytes.iter_mut().skip(start - used);
        for (place, byte) in room.zip(header.into_iter().take(used)) {
            *place = byte;
        }
        Ok(self.bytes.get(start - used..end).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the opcode and the payload of a client's frame, unmasked.
    fn read(frame: &[u8]) -> (u8, Vec<u8>) {
        let (length, rest) = match frame[1] & 0x7f {
            126 => (
                usize::from(u16::from_be_bytes([frame[2], frame[3]])),
                &frame[4..],
            ),
            127 => panic!("no frame is as long as that"),
            short => (usize::from(short), &frame[2..]),
        };
        let (mask, payload) = rest.split_at(4);
        let mut payload = payload.to_vec();
        assert_eq!(payload.len(), length);
        frame::apply_mask(&mut payload, mask.try_into().unwrap());
        (frame[0], payload)
    }

    /// Sends `length` bytes, and returns the frames' lengths.
    fn send(capacity: Capacity, length: usize) -> Vec<usize> {
        let mut outgoing = Outgoing::new(capacity);
        let bytes: Vec<u8> = (0..length)
            .map(|index| u8::try_from(index % 251).unwrap())
            .collect();
        outgoing.payload_mut()[..length].copy_from_slice(&bytes);
        let (mut lengths, mut payloads) = (Vec::new(), Vec::new());
        outgoing
            .send_messages(length, |frame| {
                lengths.push(frame.len());
                let (first, payload) = read(frame);
                assert_eq!(first, 0x82);
                assert!(payload.len() <= MAX_MESSAGE_BYTES);
                payloads.extend(payload);
                Ok(())
            })
            .unwrap();
        assert!(payloads == bytes, "{length}");
        lengths
    }

    #[test]
    fn messages_end_at_the_limit_and_fill_whole_records_with_their_headers() {
        const FULL: usize = MAX_MESSAGE_BYTES;
        const PAYLOAD: usize = FULL - LONG_HEADER_BYTES;
        for (length, frames) in [
            (0, vec![]),
            (1, vec![7]),
            (PAYLOAD - 1, vec![FULL - 1]),
            (PAYLOAD, vec![FULL]),
            (PAYLOAD + 1, vec![FULL, 7]),
            (2 * PAYLOAD, vec![FULL, FULL]),
        ] {
            assert_eq!(send(Capacity::ALONE, length), frames, "{length}");
        }
        assert_eq!(
            Outgoing::new(Capacity::ALONE).payload_mut().len(),
            2 * PAYLOAD
        );
    }

    #[test]
    fn a_connection_with_little_memory_sends_shorter_messages() {
        let most = Outgoing::new(Capacity::AMONG_MANY).payload_mut().len();
        assert_eq!(send(Capacity::AMONG_MANY, most), [16 * 1024]);
    }

    #[test]
    fn what_one_message_cannot_send_is_not_sent_after_it() {
        let mut outgoing = Outgoing::new(Capacity::ALONE);
        let length = outgoing.payload_mut().len();
        let mut tries = 0;
        let outcome = outgoing.send_messages(length, |_| {
            tries += 1;
            Err(io::ErrorKind::BrokenPipe.into())
        });
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(tries, 1);
    }

    #[test]
    fn a_control_frame_has_its_payload() {
        let mut outgoing = Outgoing::new(Capacity::ALONE);
        let mut sent = None;
        let keep = |frame: &[u8]| {
            sent = Some(read(frame));
            Ok(())
        };
        outgoing
            .send_control(Opcode::Pong, b"there?", keep)
            .unwrap();
        assert_eq!(sent, Some((0x8a, b"there?".to_vec())));
    }
}
