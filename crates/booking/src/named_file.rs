//! Reads files that a user names, up to a bound: a device or a wrong file gives an error and never fills the memory. The
//! opened file is an argument.

use std::io::{self, Error, ErrorKind, Read};

/// Bound for settings, a patient, answers or a world, bytes.
pub const SMALL: u64 = 1 << 20;
/// Bound for a declaration, which may list imported slots, bytes.
pub const LARGE: u64 = 64 << 20;

/// The bytes of an opened file. More than `most` is an error.
pub fn bytes(opened: io::Result<impl Read>, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = opened.and_then(|opened| opened.take(most + 1).read_to_end(&mut bytes));
    read.map_err(|error| match error.kind() {
        ErrorKind::IsADirectory => Error::new(error.kind(), "it is a folder, not a file"),
        _ => error,
    })?;
    if bytes.len() as u64 > most {
        let why = format!("it is larger than {most} bytes, the most that is read");
        return Err(Error::new(ErrorKind::InvalidData, why));
    }
    Ok(bytes)
}

/// The text of an opened file. More than `most` bytes is an error.
pub fn text(opened: io::Result<impl Read>, most: u64) -> io::Result<String> {
    String::from_utf8(bytes(opened, most)?)
        .map_err(|_| Error::new(ErrorKind::InvalidData, "it is not text in UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_read_to_the_bound_only() {
        let said = text(Ok(io::repeat(0)), SMALL).unwrap_err().to_string();
        assert!(said.contains("larger than 1048576 bytes"), "{said}");
        assert_eq!(text(Ok(&b"abcd"[..]), 4).unwrap(), "abcd");
        assert!(text(Ok(&b"abcde"[..]), 4).is_err());
        assert!(
            text(Ok(&b"\xff"[..]), 4)
                .unwrap_err()
                .to_string()
                .contains("UTF-8")
        );
    }
}
