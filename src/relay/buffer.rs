//! Bytes that come in at one end and go out at the other, in memory that is taken once.

/// What a TLS record carries at most (RFC 8446, section 5.1), in bytes.
const RECORD_BYTES: usize = 16 * 1024;

/// How much memory a connection may use: how many whole TLS records are dealt with at once. More of them cost fewer turns,
/// fewer of them leave room for other connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Capacity {
    records: usize,
}

impl Capacity {
    /// For the one connection of a process: some 400 KiB.
    pub const ALONE: Self = Self { records: 4 };
    /// For one of hundreds: some 130 KiB.
    pub const AMONG_MANY: Self = Self { records: 1 };

    /// The most plain bytes that are encrypted at once.
    pub(super) const fn plain_bytes(self) -> usize {
        self.records * RECORD_BYTES
    }

    /// How much is held encrypted and unsent at most: what [`Capacity::plain_bytes`] become, and room to spare.
    pub(super) const fn outgoing_bytes(self) -> usize {
        self.records * (RECORD_BYTES + 4 * 1024)
    }

    /// How much is held undecrypted at most: a record more, for what surrounds them, and for a flight of a handshake.
    pub(super) const fn incoming_bytes(self) -> usize {
        (self.records + 1) * RECORD_BYTES
    }

    /// How much is held decrypted and not passed on yet at most: what one read of the socket can come to, and a record's
    /// worth that the output has not taken yet.
    pub(super) const fn decrypted_bytes(self) -> usize {
        self.incoming_bytes() + RECORD_BYTES
    }
}

/// A buffer of a fixed size.
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// Returns an empty buffer of this many bytes.
    pub(super) fn new(size: usize) -> Self {
        Self {
            bytes: vec![0; size].into_boxed_slice(),
            start: 0,
            end: 0,
        }
    }

    /// Returns all the room there is, at the end; what is in the buffer is moved to the front first.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// Adds this many bytes, which were written to the [`Buffer::room`].
    pub(super) fn add(&mut self, length: usize) {
        self.end = self.end.saturating_add(length).min(self.bytes.len());
    }

    /// Adds bytes, as many as there is room for, and returns how many.
    pub(super) fn append(&mut self, bytes: &[u8]) -> usize {
        let room = self.room();
        let length = bytes.len().min(room.len());
        if let (Some(room), Some(bytes)) = (room.get_mut(..length), bytes.get(..length)) {
            room.copy_from_slice(bytes);
        }
        self.add(length);
        length
    }

    /// Removes this many bytes from the front.
    pub(super) fn remove(&mut self, length: usize) {
        self.start = self.start.saturating_add(length).min(self.end);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Returns what is in the buffer.
    pub(super) fn filled_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// Returns what is in the buffer.
    pub(super) fn filled(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Returns how many more bytes can be added.
    pub(super) const fn room_left(&self) -> usize {
        self.bytes.len() - (self.end - self.start)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer({} bytes)", self.end - self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_out_in_the_order_they_came_in_and_never_beyond_the_size() {
        let mut buffer = Buffer::new(8);
        assert_eq!(buffer.append(b"abcdef"), 6);
        buffer.remove(4);
        assert_eq!(buffer.room_left(), 6);
        assert_eq!(buffer.append(b"ghijklmn"), 6);
        assert_eq!((buffer.filled(), buffer.room_left()), (&b"efghijkl"[..], 0));
        assert_eq!(buffer.append(b"x"), 0);
        buffer.remove(100);
        assert!(buffer.is_empty());
        assert_eq!(buffer.room().len(), 8);
    }

    #[test]
    fn debug_prints_no_byte() {
        let mut buffer = Buffer::new(8);
        buffer.append(b"secret");
        assert_eq!(format!("{buffer:?}"), "Buffer(6 bytes)");
    }
}
