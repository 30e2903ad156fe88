//! Who sent a request, from the claims of its token: device, organisation, practitioner.

use crate::ids::OdsCode;

/// `requesting_device` (NAT-JWT-09).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// System of its identifier.
    pub system: String,
    /// Value of its identifier.
    pub value: String,
    /// Model.
    pub model: String,
    /// Version.
    pub version: String,
}

/// `requesting_organization` (NAT-JWT-10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Name.
    pub name: String,
    /// ODS code.
    pub ods: OdsCode,
}

/// `requesting_practitioner` (NAT-JWT-11). The identifiers are provenance only, and their form is not checked: there is no
/// authorisation by user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Practitioner {
    /// Its id, equal to `sub`.
    pub id: String,
    /// Family name.
    pub family: String,
    /// Given names, separated by spaces.
    pub given: String,
    /// Prefix, if sent.
    pub prefix: Option<String>,
    /// SDS user id, if sent (12 digits or `UNK`).
    pub sds_user: Option<String>,
    /// SDS role profile id, if sent (12 digits or `UNK`).
    pub sds_role: Option<String>,
    /// The consumer's own identifier: system and value.
    pub local: Option<(String, String)>,
}

impl Practitioner {
    /// Prefix, given names and family name.
    pub fn display(&self) -> String {
        let parts = [
            self.prefix.as_deref().unwrap_or_default(),
            &self.given,
            &self.family,
        ];
        parts
            .into_iter()
            .filter(|p| !p.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }
}
