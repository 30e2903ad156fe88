//! Builds addresses: the service root after the SSP's, with exactly one `/` at each join, and percent-encoding (NAT-SSP-01,
//! NAT-SSP-02, CONS-REQ-02).

use std::fmt::Write;

/// `[ssp]/[root]/[tail]`. The tail is a FHIR request, already encoded (`Slot?…`, `Appointment/5d2f`).
pub fn join(ssp: Option<&str>, root: &str, tail: &str) -> String {
    let root = encode_root(root);
    let root = root.trim_end_matches('/');
    let tail = tail.trim_start_matches('/');
    match ssp {
        Some(ssp) => format!("{}/{root}/{tail}", ssp.trim_end_matches('/')),
        None => format!("{root}/{tail}"),
    }
}

/// The service root with all characters encoded that RFC 3986 forbids in a path. Existing escapes stay; a `%` that is no
/// escape becomes `%25`. Scheme and host stay, also `[…]` of an IPv6 host.
pub fn encode_root(root: &str) -> String {
    let authority_end = root
        .find("://")
        .map(|at| at + 3)
        .map_or(0, |at| root[at..].find('/').map_or(root.len(), |p| at + p));
    let (authority, path) = root.split_at(authority_end);
    let mut out = String::with_capacity(root.len() + 8);
    out.push_str(authority);
    let bytes = path.as_bytes();
    for (i, byte) in bytes.iter().enumerate() {
        let encoded = *byte == b'%'
            && bytes
                .get(i + 1..i + 3)
                .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let plain = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(byte);
        push(&mut out, *byte, plain || encoded);
    }
    out
}

/// A query value with all but the unreserved characters encoded: `:` and `+` become `%3A` and `%2B` (CONS-SLOT-01).
pub fn query_value(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        push(&mut out, byte, plain);
    }
    out
}

fn push(out: &mut String, byte: u8, plain: bool) {
    if plain {
        out.push(char::from(byte));
    } else {
        // Writing into a String cannot fail.
        let _ = write!(out, "%{byte:02X}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_slash_at_each_join() {
        let wanted = "https://ssp.example/https://p.example/STU3/1/X/Slot?a=b";
        for (ssp, root) in [
            ("https://ssp.example", "https://p.example/STU3/1/X"),
            ("https://ssp.example/", "https://p.example/STU3/1/X/"),
            ("https://ssp.example//", "https://p.example/STU3/1/X//"),
        ] {
            assert_eq!(join(Some(ssp), root, "/Slot?a=b"), wanted);
        }
        assert_eq!(join(None, "http://p/r/", "metadata"), "http://p/r/metadata");
    }

    #[test]
    fn unsafe_characters_of_the_root_are_encoded_once() {
        assert_eq!(
            encode_root("https://p.example/a b/{c}/\"d\"/é|%20/100%/x#y?z[1]"),
            "https://p.example/a%20b/%7Bc%7D/%22d%22/%C3%A9%7C%20/100%25/x%23y%3Fz%5B1%5D"
        );
        assert_eq!(encode_root("https://[::1]:8443/r"), "https://[::1]:8443/r");
        assert_eq!(encode_root("https://p.example"), "https://p.example");
    }

    #[test]
    fn query_values_carry_no_reserved_character() {
        assert_eq!(
            query_value("le2031-03-04T08:15:00+00:00"),
            "le2031-03-04T08%3A15%3A00%2B00%3A00"
        );
    }
}
