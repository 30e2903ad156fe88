//! Unpacks payloads: base64 in XML, and gzip. Bounds the output and the work.

use super::reason::Reason;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use flate2::bufread::GzDecoder;
use std::io::Read;

/// Most streams in one gzip file. Each costs a start, however small it is.
const MAX_STREAMS: usize = 1_000;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decodes base64, in pieces and lines, padded or not.
pub(super) fn base64<'t>(pieces: impl Iterator<Item = &'t str> + Clone) -> Result<Vec<u8>, Reason> {
    let mut compact = Vec::with_capacity(pieces.clone().map(str::len).sum());
    for piece in pieces {
        compact.extend(piece.bytes().filter(|b| !b.is_ascii_whitespace()));
    }
    LENIENT
        .decode(compact)
        .map_err(|_| Reason::invalid("The payload is said to be base64, but it is not."))
}

/// The result of unpacking a gzip file.
pub enum Unpacked {
    /// All of its content.
    Whole(Vec<u8>),
    /// The content exceeds the limit.
    TooLarge,
    /// Incomplete, not gzip, or too many streams; the bytes unpacked until then.
    Broken(usize),
}

/// Unpacks at most `most` bytes.
pub fn gunzip(mut packed: &[u8], most: usize) -> Unpacked {
    let mut out = Vec::new();
    for _ in 0..MAX_STREAMS {
        let room = (most - out.len()) as u64;
        let mut stream = GzDecoder::new(packed).take(room + 1);
        if stream.read_to_end(&mut out).is_err() {
            return Unpacked::Broken(out.len());
        }
        if out.len() > most {
            return Unpacked::TooLarge;
        }
        packed = stream.into_inner().into_inner();
        if packed.is_empty() {
            return Unpacked::Whole(out);
        }
    }
    Unpacked::Broken(out.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn stream(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).expect("written");
        encoder.finish().expect("written")
    }

    /// Proves: NFR-01
    #[test]
    fn what_comes_out_and_the_streams_are_bounded() {
        let two = [stream(b"one "), stream(b"two")].concat();
        assert!(matches!(gunzip(&two, 7), Unpacked::Whole(out) if out == b"one two"));
        assert!(matches!(gunzip(&two, 6), Unpacked::TooLarge));
        assert!(matches!(gunzip(&two, 3), Unpacked::TooLarge));
        assert!(matches!(
            gunzip(&two[..two.len() - 9], 100),
            Unpacked::Broken(_)
        ));
        let many = stream(b"").repeat(MAX_STREAMS + 1);
        assert!(matches!(gunzip(&many, 100), Unpacked::Broken(0)));
        assert!(matches!(gunzip(b"", 100), Unpacked::Broken(0)));
        let bomb = stream(&vec![b' '; 1 << 20]);
        assert!(matches!(gunzip(&bomb, 1_000), Unpacked::TooLarge));
    }
}
