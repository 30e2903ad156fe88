//! Unsigned tokens as a Consumer makes them, and broken ones.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Claims that can be changed before they are encoded.
#[derive(Clone, Debug)]
pub struct Token {
    pub header: Value,
    pub claims: Value,
}

impl Token {
    /// A right token of the demo consumer.
    pub fn new(audience: &str, scope: &str, ods: &str) -> Token {
        let now = jiff::Timestamp::now().as_second();
        let claims = json!({
            "iss": "https://consumer.example.nhs.uk/",
            "sub": "u-17",
            "aud": audience,
            "exp": now + 300,
            "iat": now,
            "reason_for_request": "directcare",
            "requested_scope": scope,
            "requesting_device": {"resourceType": "Device",
                "identifier": [{"system": "https://consumer.example.nhs.uk/Id/device", "value": "CONS-1"}],
                "model": "Example Consumer", "version": "1.0"},
            "requesting_organization": {"resourceType": "Organization",
                "identifier": [{"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": ods}],
                "name": "Fernhill 111"},
            "requesting_practitioner": {"resourceType": "Practitioner", "id": "u-17",
                "identifier": [{"system": "https://fhir.nhs.uk/Id/sds-user-id", "value": "UNK"},
                    {"system": "https://fhir.nhs.uk/Id/sds-role-profile-id", "value": "UNK"},
                    {"system": "https://consumer.example.nhs.uk/Id/user", "value": "u-17"}],
                "name": [{"family": "Advisor", "given": ["Alex"], "prefix": ["Mx"]}]}
        });
        Token {
            header: json!({"alg": "none", "typ": "JWT"}),
            claims,
        }
    }

    /// Replaces one claim; `Value::Null` takes it out.
    pub fn claim(mut self, name: &str, value: Value) -> Token {
        let claims = self.claims.as_object_mut().expect("claims are an object");
        match value {
            Value::Null => claims.remove(name),
            value => claims.insert(name.to_owned(), value),
        };
        self
    }

    /// Three parts, the last one empty.
    pub fn encoded(&self) -> String {
        let part = |value: &Value| part(value.to_string().as_bytes());
        format!("{}.{}.", part(&self.header), part(&self.claims))
    }

    /// As the value of `Authorization`.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.encoded())
    }
}

/// One part of a token.
pub fn part(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
