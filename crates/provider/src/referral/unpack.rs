//! Payloads unpacked: base64 as it stands in XML, and gzip, with a bound on what comes out and on the work for it.

use super::reason::Reason;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use flate2::bufread::GzDecoder;
use std::io::Read;

/// Most streams in one gzip file: they may follow one another, and each costs a start, however little it holds.
const MAX_STREAMS: usize = 1_000;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decodes text that is broken into lines, padded or not; it may come in pieces.
pub(super) fn base64<'t>(pieces: impl Iterator<Item = &'t str> + Clone) -> Result<Vec<u8>, Reason> {
    let mut compact = Vec::with_capacity(pieces.clone().map(str::len).sum());
    for piece in pieces {
        compact.extend(piece.bytes().filter(|b| !b.is_ascii_whitespace()));
    }
    LENIENT
        .decode(compact)
        .map_err(|_| Reason::invalid("The payload is said to be base64, but it is not."))
}

/// What a gzip file holds.
pub enum Unpacked {
    /// All of it.
    Whole(Vec<u8>),
    /// It holds more than it may.
    TooLarge,
    /// It is not a complete gzip file, or of too many streams; so much was unpacked before that was seen.
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
