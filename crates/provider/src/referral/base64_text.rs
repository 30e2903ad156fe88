//! Base64 as it stands in XML: broken into lines, padded or not.

use super::reason::Reason;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decodes; white space is left out.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, Reason> {
    let compact: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    LENIENT
        .decode(compact)
        .map_err(|_| Reason::invalid("The payload is said to be base64, but it is not."))
}
