//! The versions of the Standard that a Provider serves side by side (NFR-09), and their differences.
//!
//! A request carries no version; the Provider knows it from the Consumer's declaration. The rules of the current version
//! ask for each difference by name. `versions.md` in the catalogue lists the differences.

use std::fmt;

/// A version of the Standard with the version of its API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StandardVersion {
    /// The Standard 1.0.0 with the API 2.0.4, the current one.
    #[default]
    Current,
    /// The Standard 0.1.17 with the API 2.0.1-beta, which is superseded.
    Superseded,
}

/// The error for a version that is not served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no version of the API that is served here; there are 2.0.4 (the Standard 1.0.0) and 2.0.1-beta (the Standard 0.1.17)"
)]
pub struct UnknownVersion(String);

impl StandardVersion {
    /// All versions, the current one first.
    pub const ALL: [StandardVersion; 2] = [StandardVersion::Current, StandardVersion::Superseded];

    /// Parses the version of the API.
    pub fn parse(text: &str) -> Result<StandardVersion, UnknownVersion> {
        StandardVersion::ALL
            .into_iter()
            .find(|v| v.api() == text)
            .ok_or_else(|| UnknownVersion(text.to_owned()))
    }

    /// Version of the FHIR API.
    pub const fn api(self) -> &'static str {
        match self {
            StandardVersion::Current => "2.0.4",
            StandardVersion::Superseded => "2.0.1-beta",
        }
    }

    /// Version of the Standard.
    pub const fn standard(self) -> &'static str {
        match self {
            StandardVersion::Current => "1.0.0",
            StandardVersion::Superseded => "0.1.17",
        }
    }

    /// Whether every create and update needs `X-Request-ID` (VER-02).
    pub fn requires_request_id(self) -> bool {
        self == StandardVersion::Current
    }

    /// Whether every contact point needs a rank, one of them rank 1 (VER-03).
    pub fn requires_ranks(self) -> bool {
        self == StandardVersion::Current
    }

    /// Whether the scope for writing appointments covers reading them (VER-04).
    pub fn write_scope_covers_reads(self) -> bool {
        self == StandardVersion::Superseded
    }

    /// Whether document and slot have to be contained, like the patient (VER-05).
    pub fn requires_all_contained(self) -> bool {
        self == StandardVersion::Current
    }

    /// Whether participants other than the patient are allowed (VER-06).
    pub fn allows_further_participants(self) -> bool {
        self == StandardVersion::Superseded
    }
}

impl fmt::Display for StandardVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.api())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: VER-01
    #[test]
    fn a_version_is_read_as_it_is_written_and_no_other() {
        for version in StandardVersion::ALL {
            assert_eq!(StandardVersion::parse(&version.to_string()), Ok(version));
        }
        for text in ["", "1.0.0", "2.0.1", "2.0.1-BETA", "2.0.4 "] {
            let said = StandardVersion::parse(text).unwrap_err().to_string();
            for version in StandardVersion::ALL {
                assert!(said.contains(version.api()), "{said}");
                assert!(said.contains(version.standard()), "{said}");
            }
        }
    }
}
