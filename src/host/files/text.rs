use zeroize::Zeroizing;

/// Returns the text that bytes are: UTF-8, or UTF-16 with a byte order mark, as Windows `PowerShell` writes it. The mark is no
/// part of the text.
#[must_use]
pub(crate) fn decode_text(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => from_utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => from_utf16(rest, u16::from_be_bytes)?,
        [0xef, 0xbb, 0xbf, rest @ ..] | rest => std::str::from_utf8(rest).ok()?.to_owned(),
    };
    Some(Zeroizing::new(text))
}

fn from_utf16(bytes: &[u8], to_unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| to_unit(*pair)).collect();
    let units = Zeroizing::new(units);
    String::from_utf16(&units).ok().filter(|_| odd.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_the_same_with_any_byte_order_mark_and_without_one() {
        for bytes in [
            &b"a\xc3\xa4\r\n"[..],
            b"\xef\xbb\xbfa\xc3\xa4\r\n",
            b"\xff\xfea\0\xe4\0\r\0\n\0",
            b"\xfe\xff\0a\0\xe4\0\r\0\n",
        ] {
            assert_eq!(*decode_text(bytes).unwrap(), "aä\r\n", "{bytes:?}");
        }
    }

    #[test]
    fn reject_what_is_neither_utf_8_nor_utf_16() {
        for bytes in [
            &b"\xe4"[..],
            b"\xff\xfea",
            b"\xff\xfe\0\xd8",
            b"\xef\xbb\xbf\xe4",
        ] {
            assert_eq!(decode_text(bytes), None, "{bytes:?}");
        }
    }
}
