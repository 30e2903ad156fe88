//! Tokens: nothing in a header panics, and nothing but an unsecured token is accepted as one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use booking::wire::headers::Headers;
use booking::wire::token::{Claims, Expectation, LIFETIME_SECONDS, bearer, read_unsigned};
use serde_json::Value;

use crate::Outcome;

/// How far the clocks may be apart, seconds.
const TOLERANCE: i64 = 60;
const SCOPE: &str = "patient/appointment.write";

/// One `Authorization` header.
struct Authorization<'a>(&'a [u8]);

impl Headers for Authorization<'_> {
    fn values<'a>(&'a self, name: &str) -> Vec<&'a [u8]> {
        match name.eq_ignore_ascii_case("Authorization") {
            true => vec![self.0],
            false => Vec::new(),
        }
    }
}

/// Takes the bytes three ways: as the header's value, as a token, and as the lines of a token that is
/// still to be encoded (header, payload, signature). Panics when a promise is broken.
pub fn run(bytes: &[u8]) -> Outcome {
    let as_header = match bearer(&Authorization(bytes)) {
        Ok(token) => check(token),
        Err(refusal) => Outcome::of_refusal(&refusal),
    };
    let as_token = String::from_utf8_lossy(bytes);
    let mut lines = bytes.splitn(3, |b| *b == b'\n');
    let mut part = || URL_SAFE_NO_PAD.encode(lines.next().unwrap_or(&[]));
    let encoded = format!("{}.{}.{}", part(), part(), part());
    as_header.then(check(as_token.trim())).then(check(&encoded))
}

fn check(token: &str) -> Outcome {
    let now = crate::seeds::now();
    let expected = Expectation {
        audience: &|root| root == crate::seeds::AUDIENCE,
        scope: SCOPE,
        other_scope: &|_| None,
        now,
        tolerance_seconds: TOLERANCE,
    };
    match read_unsigned(token, &expected) {
        Ok(claims) => accepted(token, &claims, now.as_second()),
        Err(refusal) => {
            crate::booking::check_refusal(&refusal);
            assert!(refusal.status() == 403, "every fault of a token is 403");
            Outcome::of_refusal(&refusal)
        }
    }
}

/// What holds for every token that was accepted, checked by other means.
fn accepted(token: &str, claims: &Claims, now: i64) -> Outcome {
    assert!(token.ends_with('.'), "a signature was let pass");
    let mut parts = token.split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD
            .decode(part.trim_end_matches('='))
            .unwrap_or_default();
        serde_json::from_slice::<Value>(&bytes).unwrap_or_default()
    });
    let header = parts.next().unwrap_or_default();
    assert!(
        header["alg"] == "none",
        "an algorithm was let pass: {header}"
    );
    assert!(
        header.get("crit").is_none(),
        "a critical extension was let pass"
    );
    let payload = parts.next().unwrap_or_default();
    assert!(payload["iss"] == claims.issuer, "another issuer");
    assert!(payload["reason_for_request"] == "directcare");
    assert!(
        claims.scopes.iter().any(|s| s == SCOPE),
        "the scope is missing"
    );
    assert!(
        claims.expires_at > now - TOLERANCE - 1,
        "an expired token was let pass"
    );
    assert!(
        claims.expires_at - claims.issued_at <= LIFETIME_SECONDS + TOLERANCE,
        "too long a life"
    );
    let provenance: Value = serde_json::from_str(&claims.provenance).unwrap_or_default();
    assert!(
        provenance == payload,
        "the audit trail holds another payload"
    );
    Outcome::of(("accepted", claims.practitioner.is_some()))
}
