//! Identifiers, each with its own type. Parsing happens once, so code behind the edge cannot hold a bad one.

use smol_str::SmolStr;
use std::fmt;
use std::str::FromStr;

/// Why a text is no identifier of the wanted kind. Never quotes the text, which may identify a patient.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {fault}; {wanted}")]
pub struct IdError {
    kind: &'static str,
    fault: &'static str,
    wanted: &'static str,
}

impl IdError {
    /// The wanted kind, such as `NHS number`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// What would be right.
    pub fn wanted(&self) -> &'static str {
        self.wanted
    }
}

/// Longest FHIR id, service id and version id (FHIR STU3 `id`; PROV-GEN-15).
pub const MAX_ID: usize = 64;
/// Longest `X-Request-ID` kept: three UUIDs, and short enough for an index key.
pub const MAX_REQUEST_ID: usize = 128;
/// Longest ODS code. Codes have 3 to 6 characters today, site and local codes up to 9.
pub const MAX_ODS: usize = 12;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $wanted:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(SmolStr);

        impl $name {
            /// Parses the text. The error says what is wrong and what would be right.
            pub fn parse(text: &str) -> Result<$name, IdError> {
                let check: fn(&str) -> Result<SmolStr, &'static str> = $check;
                match check(text) {
                    Ok(kept) => Ok($name(kept)),
                    Err(fault) => Err(IdError { kind: $kind, fault, wanted: $wanted }),
                }
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<$name, IdError> {
                $name::parse(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
    };
}

macro_rules! shown {
    ($($name:ident),+) => { $(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    )+ };
}

identifier!(
    /// An NHS number: ten digits with the modulus 11 check digit (RES-PAT-03, ERR-18). It has no `Display` and its `Debug`
    /// hides it, so no log gets it by accident.
    NhsNumber,
    "NHS number",
    "it has exactly ten digits and no spaces, the last being its modulus 11 check digit",
    |text| {
        let digits = text.as_bytes();
        if digits.len() != 10 || !digits.iter().all(u8::is_ascii_digit) {
            return Err("is not ten digits");
        }
        match check_digit(&digits[..9]) {
            Some(check) if check == digits[9] - b'0' => Ok(SmolStr::new(text)),
            _ => Err("has the wrong check digit"),
        }
    }
);

identifier!(
    /// An ODS code of an organisation or site: 1 to 12 upper-case letters and digits.
    OdsCode,
    "ODS code",
    "it has 1 to 12 upper-case letters and digits, such as FX101",
    |text| bounded(text, MAX_ODS, |b| b.is_ascii_uppercase() || b.is_ascii_digit())
);

identifier!(
    /// An accredited system identifier: 12 digits (PROV-HDR-03).
    Asid,
    "ASID",
    "it has exactly 12 digits, such as 918999000099",
    |text| {
        if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
            Ok(SmolStr::new(text))
        } else {
            Err("is not 12 digits")
        }
    }
);

identifier!(
    /// A directory (DoS) service id, also the id of the HealthcareService (D-34).
    ServiceId,
    "service id",
    "it has 1 to 64 letters, digits, '-' or '.', such as 2000000011",
    |text| bounded(text, MAX_ID, id_char)
);

identifier!(
    /// `Ssp-TraceID`: a UUID, kept in lower case (PROV-HDR-02, RES-GEN-05).
    TraceId,
    "trace id",
    "it is a UUID of the form 09a01679-2564-0fb4-5129-aecc81ea2706",
    |text| {
        if is_uuid(text) {
            Ok(SmolStr::new(text.to_ascii_lowercase()))
        } else {
            Err("is not a UUID")
        }
    }
);

identifier!(
    /// `X-Request-ID`, kept byte for byte: upper and lower case are different ids (PROV-HDR-05, PROV-HDR-11).
    RequestId,
    "request id",
    "it has 1 to 128 visible ASCII characters without spaces; a UUID is usual",
    |text| bounded(text, MAX_REQUEST_ID, |b| b.is_ascii_graphic())
);

identifier!(
    /// A FHIR resource id (PROV-GEN-15).
    ResourceId,
    "resource id",
    "it has 1 to 64 letters, digits, '-' or '.'",
    |text| bounded(text, MAX_ID, id_char)
);

identifier!(
    /// A version id; only `[a-z0-9-]` (PROV-GEN-15).
    VersionId,
    "version id",
    "it has 1 to 64 lower-case letters, digits or '-'",
    |text| bounded(text, MAX_ID, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
);

shown!(
    OdsCode, Asid, ServiceId, TraceId, RequestId, ResourceId, VersionId
);

impl VersionId {
    /// The id of a version number: its plain digits.
    pub fn from_number(number: u32) -> VersionId {
        VersionId(smol_str::format_smolstr!("{number}"))
    }
}

impl fmt::Debug for NhsNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NhsNumber(*** *** ****)")
    }
}

fn bounded(text: &str, max: usize, legal: fn(u8) -> bool) -> Result<SmolStr, &'static str> {
    if text.is_empty() {
        Err("is empty")
    } else if text.len() > max {
        Err("is too long")
    } else if !text.bytes().all(legal) {
        Err("has a character that is not allowed")
    } else {
        Ok(SmolStr::new(text))
    }
}

fn id_char(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'-' || b == b'.'
}

/// The modulus 11 check digit of the first nine digits of an NHS number. `None`: the remainder is 10, and no such number is
/// issued.
pub fn check_digit(nine: &[u8]) -> Option<u8> {
    let sum: u32 = nine
        .iter()
        .zip((2..=10).rev())
        .map(|(d, weight)| u32::from(d - b'0') * weight)
        .sum();
    match 11 - sum % 11 {
        11 => Some(0),
        10 => None,
        // At most 9.
        check => u8::try_from(check).ok(),
    }
}

/// True for the 8-4-4-4-12 form of a UUID, in either case.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: ERR-18, RES-PAT-03
    #[test]
    fn nhs_numbers_have_ten_digits_and_modulus_11() {
        assert!(NhsNumber::parse("9990123454").is_ok());
        for bad in [
            "",
            "999012345",
            "99901234545",
            "9990123455",
            "999012345a",
            "999 012 3454",
            "９990123454",
        ] {
            let error = NhsNumber::parse(bad).unwrap_err();
            assert!(error.to_string().contains("ten digits"), "{error}");
            assert!(bad.is_empty() || !error.to_string().contains(bad));
        }
    }

    /// Proves: PROV-ERR-04
    #[test]
    fn debug_hides_the_nhs_number() {
        let number = NhsNumber::parse("9990123454").unwrap();
        assert!(!format!("{number:?}").contains("999"));
    }

    /// Proves: PROV-HDR-02, PROV-HDR-03, PROV-GEN-15, RES-GEN-05
    #[test]
    fn grammars() {
        assert_eq!(
            TraceId::parse("09A01679-2564-0FB4-5129-AECC81EA2706")
                .unwrap()
                .as_str(),
            "09a01679-2564-0fb4-5129-aecc81ea2706"
        );
        assert!(TraceId::parse("09A01679-2564-0FB4-5129-AECC81EA270").is_err());
        assert!(TraceId::parse("{9A01679-2564-0FB4-5129-AECC81EA2706").is_err());
        assert!(Asid::parse("918999000099").is_ok());
        assert!(Asid::parse("91899900009").is_err());
        assert!(Asid::parse("91899900009x").is_err());
        assert!(VersionId::parse("1").is_ok());
        assert!(VersionId::parse("V1").is_err());
        assert!(ResourceId::parse("a.B-9").is_ok());
        assert!(ResourceId::parse(&"a".repeat(65)).is_err());
        assert!(ResourceId::parse("a/b").is_err());
        assert!(RequestId::parse("a b").is_err());
        assert_eq!(RequestId::parse("AbC{1}").unwrap().as_str(), "AbC{1}");
        assert!(OdsCode::parse("fx101").is_err());
        assert!(ServiceId::parse("").is_err());
    }
}
