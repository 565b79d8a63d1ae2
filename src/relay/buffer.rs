//! Bytes that come in at one end and go out at the other, in memory that is taken once.

/// A buffer of a fixed size.
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// Returns an empty buffer for so many bytes.
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

    /// Adds so many bytes that were written to the [`Buffer::room`].
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

    /// Removes so many bytes from the front.
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

    /// Tells whether nothing is in it.
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
