//! Tokens that can be bent before they are encoded (`national-services.md` section 4).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use booking::wire::minting::Content;
use booking::wire::token::{Device, Organization, Practitioner};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::target::Target;

/// Scope of metadata and slot searches.
pub(super) const SLOT_READ: &str = "organization/slot.read";
/// Scope of reads.
pub(super) const READ: &str = "patient/appointment.read";
/// Scope of bookings and cancellations.
pub(super) const WRITE: &str = "patient/appointment.write";

/// Header and claims.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) header: Value,
    pub(super) claims: Value,
}

impl Token {
    /// A right one, made now.
    pub(super) fn new(target: &Target, scope: &str) -> Token {
        let base = "https://consumer.example.nhs.uk";
        let content = Content {
            issuer: format!("{base}/"),
            subject: "u-17".to_owned(),
            audience: target.audience(),
            scope: scope.to_owned(),
            issued_at: Timestamp::now().as_second(),
            device: Device {
                system: format!("{base}/Id/device"),
                value: "ASSURE-1".to_owned(),
                model: "uec assure".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            organization: Organization {
                name: "Conformance test".to_owned(),
                ods: target.organization.clone(),
            },
            practitioner: Some(Practitioner {
                id: "u-17".to_owned(),
                family: "Advisor".to_owned(),
                given: "Alex".to_owned(),
                prefix: Some("Mx".to_owned()),
                sds_user: None,
                sds_role: None,
                local: Some((format!("{base}/Id/user"), "u-17".to_owned())),
            }),
        };
        Token {
            header: json!({"alg": "none", "typ": "JWT"}),
            claims: content.payload(),
        }
    }

    /// Replaces one claim (a pointer such as `/requesting_device/model`); `Value::Null` takes it out.
    pub(super) fn claim(mut self, pointer: &str, value: Value) -> Token {
        super::messages::set(&mut self.claims, pointer, value);
        self
    }

    /// Header and payload, encoded.
    pub(super) fn parts(&self) -> (String, String) {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        (part(&self.header), part(&self.claims))
    }

    /// The value of `Authorization`.
    pub(super) fn bearer(&self) -> String {
        let (header, payload) = self.parts();
        format!("Bearer {header}.{payload}.")
    }
}
