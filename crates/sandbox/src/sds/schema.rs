//! The entries that describe the server: root DSE and schema (RFC 4512, sections 4.2 and 5.1).

use super::tree::{ATTRIBUTES, Entry, SUBSCHEMA, special};

/// Simple paged results (RFC 2696).
pub const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
/// ManageDsaIT (RFC 3296): there are no referrals, so it changes nothing; common clients send it.
pub const MANAGE_DSA_IT: &str = "2.16.840.1.113730.3.4.2";
/// Who am I? (RFC 4532).
pub const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
/// StartTLS (RFC 4511, section 4.14); refused (NAT-SDS-01).
pub const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
/// DirectoryString.
const TEXT: &str = "1.3.6.1.4.1.1466.115.121.1.15";
/// Object identifiers made of a UUID (2.25) are free for local use; the last part numbers the elements.
const ARC: &str = "2.25.151780918999000.1";

/// The root DSE.
pub fn root() -> Entry {
    let one = |value: &str| vec![value.to_owned()];
    special(
        "",
        "LDAProotDSE",
        vec![
            ("namingContexts", one("o=nhs")),
            ("supportedLDAPVersion", one("3")),
            (
                "supportedControl",
                vec![PAGED_RESULTS.to_owned(), MANAGE_DSA_IT.to_owned()],
            ),
            ("supportedExtension", one(WHO_AM_I)),
            ("vendorName", one("uec sandbox")),
        ],
    )
}

/// The schema: what is needed to read the entries.
pub fn subschema() -> Entry {
    let attributes = ATTRIBUTES
        .iter()
        .enumerate()
        .map(|(at, name)| {
            format!(
                "( {ARC}.{at} NAME '{name}' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch \
                 SYNTAX {TEXT} )"
            )
        })
        .collect();
    let class = |at: usize, name: &str, must: &str, may: &str| {
        format!(
            "( {ARC}.1000.{at} NAME '{name}' SUP top STRUCTURAL MUST ( {must} ) MAY ( {may} ) )"
        )
    };
    let classes = vec![
        class(
            1,
            "nhsAs",
            "uniqueIdentifier $ nhsMHSPartyKey $ nhsIDCode",
            "nhsAsClient $ nhsProductKey $ nhsAsSvcIA",
        ),
        class(
            2,
            "nhsMhs",
            "uniqueIdentifier $ nhsMHSPartyKey $ nhsMhsSvcIA",
            "nhsMHsSN $ nhsMhsIN $ nhsEPInteractionType $ nhsMhsFQDN $ nhsMHSEndPoint $ nhsIDCode $ \
             nhsMHSIsAuthenticated $ nhsMHSSyncReplyMode",
        ),
        class(3, "organization", "o", "ou"),
        class(4, "organizationalUnit", "ou", "o"),
    ];
    special(
        SUBSCHEMA,
        "subschema",
        vec![
            ("cn", vec!["Subschema".to_owned()]),
            ("attributeTypes", attributes),
            ("objectClasses", classes),
        ],
    )
}
