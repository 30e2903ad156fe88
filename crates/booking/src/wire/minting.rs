//! Makes tokens for `uec token new`, the Consumer and the demo. They pass [`super::token::read_unsigned`].

use super::token::{Device, LIFETIME_SECONDS, Organization, Practitioner};
use crate::ids::OdsCode;
use crate::systems::{ODS_ORGANIZATION, SDS_ROLE_PROFILE, SDS_USER};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

/// A minimal token. Its device is this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minting {
    /// `iss`: URL of the Consumer's endpoint.
    pub issuer: String,
    /// `aud`: service root of the Provider, as SDS has it.
    pub audience: String,
    /// `requested_scope`
    pub scope: String,
    /// `iat`, Unix seconds; `exp` is 300 seconds later (NAT-JWT-06).
    pub issued_at: i64,
    /// ODS code of the user's organisation.
    pub organization_ods: OdsCode,
    /// Its name.
    pub organization_name: String,
    /// Local id of the user. If set, the token names a practitioner.
    pub user: Option<String>,
}

/// All content of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// `iss`: URL of the Consumer's endpoint.
    pub issuer: String,
    /// `sub`: user id. A practitioner's id takes its place (NAT-JWT-03).
    pub subject: String,
    /// `aud`: service root of the Provider, as SDS has it.
    pub audience: String,
    /// `requested_scope`
    pub scope: String,
    /// `iat`, Unix seconds; `exp` is 300 seconds later (NAT-JWT-06).
    pub issued_at: i64,
    /// `requesting_device`
    pub device: Device,
    /// `requesting_organization`
    pub organization: Organization,
    /// `requesting_practitioner`
    pub practitioner: Option<Practitioner>,
}

impl From<&Minting> for Content {
    fn from(m: &Minting) -> Content {
        let practitioner = m.user.as_ref().map(|user| Practitioner {
            id: user.clone(),
            family: user.clone(),
            given: "User".to_owned(),
            prefix: None,
            sds_user: None,
            sds_role: None,
            local: Some((
                format!("{}/Id/user", m.issuer.trim_end_matches('/')),
                user.clone(),
            )),
        });
        Content {
            issuer: m.issuer.clone(),
            subject: m.user.clone().unwrap_or_else(|| "unknown".to_owned()),
            audience: m.audience.clone(),
            scope: m.scope.clone(),
            issued_at: m.issued_at,
            device: Device {
                system: format!("{}/Id/device", m.issuer.trim_end_matches('/')),
                value: "uec".to_owned(),
                model: "uec".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            organization: Organization {
                name: m.organization_name.clone(),
                ods: m.organization_ods.clone(),
            },
            practitioner,
        }
    }
}

/// Makes an unsecured token: `header.payload.`.
pub fn mint(m: &Minting) -> String {
    Content::from(m).unsecured()
}

impl Content {
    /// The unsigned token: `header.payload.`.
    pub fn unsecured(&self) -> String {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let payload = URL_SAFE_NO_PAD.encode(self.payload().to_string());
        format!("{header}.{payload}.")
    }

    /// The payload, for a token that is signed elsewhere.
    pub fn payload(&self) -> Value {
        let subject = self.practitioner.as_ref().map_or(&self.subject, |p| &p.id);
        let mut payload = json!({
            "iss": self.issuer,
            "sub": subject,
            "aud": self.audience,
            "exp": self.issued_at.saturating_add(LIFETIME_SECONDS),
            "iat": self.issued_at,
            "reason_for_request": "directcare",
            "requested_scope": self.scope,
            "requesting_device": {
                "resourceType": "Device",
                "identifier": [identifier(&self.device.system, &self.device.value)],
                "model": self.device.model,
                "version": self.device.version,
            },
            "requesting_organization": {
                "resourceType": "Organization",
                "identifier": [identifier(ODS_ORGANIZATION, self.organization.ods.as_str())],
                "name": self.organization.name,
            },
        });
        if let (Some(p), Some(claims)) = (&self.practitioner, payload.as_object_mut()) {
            claims.insert("requesting_practitioner".to_owned(), practitioner(p));
        }
        payload
    }
}

fn practitioner(p: &Practitioner) -> Value {
    // Unknown SDS ids are sent as UNK (NAT-JWT-11).
    let mut identifiers = vec![
        identifier(SDS_USER, p.sds_user.as_deref().unwrap_or("UNK")),
        identifier(SDS_ROLE_PROFILE, p.sds_role.as_deref().unwrap_or("UNK")),
    ];
    identifiers.extend(
        p.local
            .as_ref()
            .map(|(system, value)| identifier(system, value)),
    );
    let mut name = Map::new();
    name.insert("family".to_owned(), json!(p.family));
    name.insert(
        "given".to_owned(),
        json!(p.given.split(' ').collect::<Vec<_>>()),
    );
    if let Some(prefix) = &p.prefix {
        name.insert("prefix".to_owned(), json!([prefix]));
    }
    json!({ "resourceType": "Practitioner", "id": p.id, "identifier": identifiers, "name": [name] })
}

fn identifier(system: &str, value: &str) -> Value {
    json!({ "system": system, "value": value })
}
