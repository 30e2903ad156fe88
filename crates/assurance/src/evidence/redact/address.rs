//! Addresses: passwords in them, and queries about a person.

use super::text::{Known, scrub, scrub_marks};
use super::{NUMBER_REMOVED, REMOVED, TOKEN_REMOVED};

/// Words in the name of a query parameter that is about a person. `patient.family:exact` is one.
const ABOUT_PEOPLE: [&str; 12] = [
    "address",
    "birthdate",
    "dob",
    "email",
    "family",
    "given",
    "name",
    "phone",
    "postcode",
    "surname",
    "telecom",
    "telephone",
];
/// Names of parameters that let the bearer in.
const SECRET: [&str; 5] = ["access_token", "api_key", "apikey", "token", "id_token"];

/// Remembers what a query says about a person.
pub(super) fn learn(url: &str, known: &mut Known) {
    for (name, value) in pairs(query(url)) {
        if is_about_person(&name) {
            known.add(&value);
        }
    }
}

/// The address without it.
pub(super) fn redact(url: &str, known: &Known) -> String {
    let (head, query) = match url.split_once('?') {
        Some((head, query)) => (head, Some(query)),
        None => (url, None),
    };
    let mut out = without_password(head);
    let decoded = decode(&out);
    // A name may not be looked for here: a path is made of words of the field.
    let clean = scrub_marks(&decoded);
    if clean != decoded {
        out = clean;
    }
    if let Some(query) = query {
        let parts: Vec<String> = query
            .split('&')
            .map(|pair| redact_pair(pair, known))
            .collect();
        out.push('?');
        out.push_str(&parts.join("&"));
    }
    out
}

fn redact_pair(pair: &str, known: &Known) -> String {
    let Some((name, value)) = pair.split_once('=') else {
        let plain = decode(pair);
        let clean = scrub(&plain, known);
        return if clean == plain {
            pair.to_owned()
        } else {
            clean
        };
    };
    let (plain_name, plain) = (decode(name), decode(value));
    let lower = plain_name.to_ascii_lowercase();
    let clean = if SECRET.contains(&lower.as_str()) {
        TOKEN_REMOVED.to_owned()
    } else if is_about_person(&lower) {
        REMOVED.to_owned()
    } else if let Some((system, _)) = plain
        .split_once('|')
        .filter(|(s, _)| s.contains("nhs-number"))
    {
        format!("{system}|{NUMBER_REMOVED}")
    } else {
        scrub(&plain, known)
    };
    let name_clean = scrub_marks(&plain_name);
    let name = if name_clean == plain_name {
        name
    } else {
        name_clean.as_str()
    };
    match clean == plain {
        true => format!("{name}={value}"),
        false => format!("{name}={clean}"),
    }
}

fn is_about_person(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let plain = name.split(':').next().unwrap_or_default();
    let last = plain.rsplit('.').next().unwrap_or_default();
    ABOUT_PEOPLE
        .iter()
        .any(|word| last == *word || last.starts_with(&format!("{word}-")))
}

fn query(url: &str) -> &str {
    url.split_once('?').map_or("", |(_, query)| query)
}

fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(n, v)| (decode(n), decode(v)))
}

/// Takes `user:password@` out of each address in it: behind the SSP's there is another.
fn without_password(head: &str) -> String {
    let mut out = String::with_capacity(head.len());
    for (i, part) in head.split("://").enumerate() {
        if i == 0 {
            out.push_str(part);
            continue;
        }
        let end = part.find('/').unwrap_or(part.len());
        let (authority, path) = part.split_at(end);
        out.push_str("://");
        match authority.rsplit_once('@') {
            Some((_, host)) => {
                out.push_str(REMOVED);
                out.push('@');
                out.push_str(host);
            }
            None => out.push_str(authority),
        }
        out.push_str(path);
    }
    out
}

/// Percent-decoding; a `+` is a space. What is not UTF-8 becomes a replacement character.
fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = text.get(at + 1..at + 3).filter(|_| byte == b'%');
        let code = hex
            .filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        match (code, byte) {
            (Some(code), _) => {
                out.push(code);
                at += 3;
                continue;
            }
            (None, b'+') => out.push(b' '),
            (None, byte) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_about_people_lose_their_values() {
        let mut known = Known::default();
        known.add("Marlowe");
        let cases = [
            (
                "https://h/Appointment?patient.identifier=https%3A%2F%2Ffhir.nhs.uk%2FId%2Fnhs-number%7C1234567890",
                "https://h/Appointment?patient.identifier=https://fhir.nhs.uk/Id/nhs-number|[NHS number removed]",
            ),
            (
                "https://h/x?q=%209990123454&b=1",
                "https://h/x?q= [NHS number removed]&b=1",
            ),
            (
                "https://h/x?%39990123454",
                "https://h/x?[NHS number removed]",
            ),
            (
                "https://h/x/%39990123454",
                "https://h/x/[NHS number removed]",
            ),
            (
                "https://h/x?patient.family:exact=Any&note=Mr+Marlowe",
                "https://h/x?patient.family:exact=[removed]&note=Mr [removed]",
            ),
            (
                "https://u:p@ssp/https://a:b@h/Slot",
                "https://[removed]@ssp/https://[removed]@h/Slot",
            ),
            (
                "https://h/Slot?start=ge2030-01-01T00%3A00%3A00%2B00%3A00",
                "https://h/Slot?start=ge2030-01-01T00%3A00%3A00%2B00%3A00",
            ),
        ];
        for (url, wanted) in cases {
            assert_eq!(redact(url, &known), wanted);
        }
    }
}
