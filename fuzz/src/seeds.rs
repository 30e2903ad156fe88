//! Inputs to begin with. All people and organisations in them are invented.

use jiff::Timestamp;

/// The service root that tokens of the seeds name.
pub const AUDIENCE: &str = "https://provider.example.nhs.uk/STU3/1/FX101";
/// The time of all targets, in seconds: 2031-03-04 08:20:11 UTC, a minute after the seeds were "made".
const NOW: i64 = 1_930_378_811;

const JSON: &[&str] = &[
    include_str!("../seeds/json/booking.json"),
    include_str!("../seeds/json/bundle.json"),
    include_str!("../seeds/json/primitives.json"),
    include_str!("../seeds/json/undefined.json"),
];
const XML: &[&str] = &[
    include_str!("../seeds/xml/booking.xml"),
    include_str!("../seeds/xml/bundle.xml"),
    include_str!("../seeds/xml/narrative.xml"),
];
/// One query a line.
const SLOT_QUERIES: &str = include_str!("../seeds/slot_query/queries.txt");
/// Header, payload and signature of a token, one a line.
const TOKENS: &[&str] = &[
    include_str!("../seeds/token/consumer.txt"),
    include_str!("../seeds/token/no_practitioner.txt"),
];

/// The time that all targets go by.
pub fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn bytes(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Resources in JSON.
pub fn json() -> Vec<Vec<u8>> {
    bytes(JSON)
}

/// Resources in XML.
pub fn xml() -> Vec<Vec<u8>> {
    bytes(XML)
}

/// Bookings in both formats.
pub fn booking() -> Vec<Vec<u8>> {
    let first = |texts: &'static [&'static str]| texts.iter().take(1).copied();
    bytes(&first(JSON).chain(first(XML)).collect::<Vec<_>>())
}

/// Queries of searches.
pub fn slot_query() -> Vec<Vec<u8>> {
    bytes(&SLOT_QUERIES.lines().collect::<Vec<_>>())
}

/// Tokens, to be encoded, and encoded as a header's value.
pub fn token() -> Vec<Vec<u8>> {
    use base64::Engine as _;
    let encoded = TOKENS.iter().map(|text| {
        let mut lines = text.trim_end().lines();
        let mut part = || {
            base64::engine::general_purpose::URL_SAFE_NO_PAD
                .encode(lines.next().unwrap_or_default())
        };
        format!("Bearer {}.{}.", part(), part()).into_bytes()
    });
    let plain = TOKENS
        .iter()
        .map(|text| text.trim_end().as_bytes().to_vec());
    plain.chain(encoded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Outcome, TARGETS};
    use fhir::Limits;

    #[test]
    fn seeds_lead_deep_into_the_targets() {
        for seed in json() {
            let parsed = fhir::json::parse(&seed, &Limits::default()).unwrap();
            assert!(!parsed.has_errors(), "{:?}", parsed.issues);
        }
        for seed in xml() {
            let parsed = fhir::xml::parse(&seed, &Limits::default()).unwrap();
            assert!(!parsed.has_errors(), "{:?}", parsed.issues);
        }
        for seed in booking() {
            let parse = if seed.starts_with(b"<") {
                fhir::xml::parse
            } else {
                fhir::json::parse
            };
            let parsed = parse(&seed, &Limits::default()).unwrap();
            booking::appointment::BookingRequest::read(parsed).unwrap();
        }
    }

    #[test]
    fn some_tokens_and_queries_are_accepted() {
        let accepted = |name: &str| -> Vec<Outcome> {
            let target = TARGETS.iter().find(|t| t.name == name).unwrap();
            (target.seeds)()
                .iter()
                .map(|seed| (target.run)(seed))
                .collect()
        };
        let refused = crate::token::run(b"Bearer x");
        assert!(accepted("token").iter().all(|o| *o != refused));
        let refused = crate::slot_query::run(b"");
        assert!(accepted("slot_query").iter().any(|o| *o != refused));
    }
}
