//! Reads and checks the token of a request (`national-services.md` section 4). Every fault is 403 (D-01).

use super::audience;
use super::headers::Headers;
pub use super::minting::{Minting, mint};
pub use super::provenance::{Device, Organization, Practitioner};
use super::strict_json::{self, Json, Object};
use crate::ids::OdsCode;
use crate::refusal::{Finding, Refusal, Situation};
use crate::systems::{ODS_ORGANIZATION, SDS_ROLE_PROFILE, SDS_USER};
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use fhir::article::with_article;
use jiff::Timestamp;
use std::borrow::Cow;
use std::sync::Arc;

/// Longest token read, bytes. A real one has 1 to 2 KiB, and HTTP servers limit the header to about this.
pub const MAX_TOKEN: usize = 16 * 1024;
/// Deepest nesting of a token; a real one has 4 levels.
pub const MAX_DEPTH: usize = 12;
/// Lifetime of a token, seconds (NAT-JWT-06).
pub const LIFETIME_SECONDS: i64 = 300;

/// The usual header of a token, `{"alg":"none","typ":"JWT"}`, recognised without parsing.
const USUAL_HEADER: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";

/// base64url without padding (RFC 7515). Padding is accepted on reading, since some libraries write it. Stray bits after
/// the last byte and the `+` `/` alphabet are not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What the token of a request has to satisfy.
pub struct Expectation<'a> {
    /// Whether a service root, without trailing `/`, is ours (NAT-JWT-04).
    pub audience: &'a dyn Fn(&str) -> bool,
    /// The scope that the interaction needs (NAT-JWT-08).
    pub scope: &'a str,
    /// A scope that is accepted too from this organisation (VER-04).
    pub other_scope: &'a dyn Fn(&OdsCode) -> Option<&'static str>,
    /// The current time.
    pub now: Timestamp,
    /// Tolerated clock difference, seconds; 60 by default (NAT-JWT-06).
    pub tolerance_seconds: i64,
}

/// The claims of a checked token. Only [`read_unsigned`] and [`read_verified`] make them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claims {
    /// `iss`
    pub issuer: String,
    /// `sub`
    pub subject: String,
    /// `aud`, without a trailing `/`.
    pub audience: String,
    /// `iat`
    pub issued_at: i64,
    /// `exp`
    pub expires_at: i64,
    /// `reason_for_request`
    pub reason: String,
    /// `requested_scope`
    pub scopes: Vec<String>,
    /// `requesting_device`
    pub device: Device,
    /// `requesting_organization`
    pub organization: Organization,
    /// `requesting_practitioner`
    pub practitioner: Option<Practitioner>,
    /// The whole payload as received, a JSON object, for the audit trail (NAT-JWT-12).
    pub provenance: Arc<str>,
}

/// The token in `Authorization: Bearer …`: one header, the scheme in any case (PROV-HDR-01).
pub fn bearer(h: &impl Headers) -> Result<&str, Refusal> {
    let value = match h.first_two("Authorization") {
        (None, _) => {
            return Err(refused(
                "The header Authorization is missing; it carries `Bearer` and the token.",
            ));
        }
        (Some(one), None) => std::str::from_utf8(one).ok(),
        (Some(_), Some(_)) => {
            return Err(refused(
                "The header Authorization stands more than once; send it once.",
            ));
        }
    };
    let token = value
        .and_then(|v| v.split_once(' '))
        .and_then(|(scheme, token)| {
            let token = token.trim_start_matches(' ');
            (scheme.eq_ignore_ascii_case("Bearer") && !token.is_empty()).then_some(token)
        });
    match token {
        Some(token) if token.len() > MAX_TOKEN => Err(refused(&format!(
            "The token has {} bytes; at most {MAX_TOKEN} are read.",
            token.len()
        ))),
        Some(token) if is_graphic(token) => Ok(token),
        _ => Err(refused(
            "The header Authorization is not `Bearer`, one space and a token.",
        )),
    }
}

/// Whether every byte is visible ASCII. Checks all bytes without stopping early, which is faster on long texts.
fn is_graphic(text: &str) -> bool {
    text.bytes()
        .fold(true, |so_far, b| so_far & b.is_ascii_graphic())
}

/// Reads and checks an unsigned token: three parts, `alg` exactly `none`, empty signature (NAT-JWT-01), then the claims.
pub fn read_unsigned(token: &str, e: &Expectation) -> Result<Claims, Refusal> {
    if token.len() > MAX_TOKEN {
        return Err(refused(&format!(
            "The token has {} bytes; at most {MAX_TOKEN} are read.",
            token.len()
        )));
    }
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(refused(
            "The token has not three parts separated by `.` (the third one empty).",
        ));
    };
    if !signature.is_empty() {
        return Err(refused(
            "The token carries a signature; an unsecured token ends with `.`.",
        ));
    }
    if header != USUAL_HEADER {
        let header = decoded(header, "header")?;
        check_header(&object(&header, "header")?)?;
    }
    read_payload(payload, e)
}

/// Checks the header of a signed token, apart from its signature: `typ`, and no `crit` (RFC 7515, 4.1.11).
pub fn check_signed_header(token: &str) -> Result<(), Refusal> {
    let header = decoded(token.split('.').next().unwrap_or_default(), "header")?;
    check_extensions(&object(&header, "header")?)
}

/// Checks the claims of a token whose header and signature the caller has verified.
pub fn read_verified(token: &str, e: &Expectation) -> Result<Claims, Refusal> {
    read_payload(token.split('.').nth(1).unwrap_or_default(), e)
}

/// `alg` of a token's header, if readable.
pub fn algorithm(token: &str) -> Option<Cow<'static, str>> {
    let head = token.split('.').next().filter(|h| h.len() <= MAX_TOKEN)?;
    if head == USUAL_HEADER {
        return Some(Cow::Borrowed("none"));
    }
    let bytes = BASE64.decode(head).ok()?;
    let header = strict_json::object(&bytes, MAX_DEPTH).ok()?;
    let name = header.get("alg")?.as_str()?;
    Some(Cow::Owned(name.to_owned()))
}

fn read_payload(part: &str, e: &Expectation) -> Result<Claims, Refusal> {
    let bytes = decoded(part, "payload")?;
    let payload = object(&bytes, "payload")?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|e| refused("The token payload is not UTF-8.").log(e.to_string()))?;
    check_claims(&payload, text, e)
}

fn check_header(header: &Object<'_>) -> Result<(), Refusal> {
    if header.get("alg").and_then(Json::as_str) != Some("none") {
        return Err(refused("The token header's `alg` is not `none`."));
    }
    check_extensions(header)
}

fn check_extensions(header: &Object<'_>) -> Result<(), Refusal> {
    // `typ` is optional (RFC 7519 section 5.1), and JWT may have any case.
    let typ_fits = header
        .get("typ")
        .is_none_or(|t| t.as_str().is_some_and(|t| t.eq_ignore_ascii_case("JWT")));
    if !typ_fits {
        return Err(refused("The token header's `typ` is not `JWT`."));
    }
    if header.get("crit").is_some() {
        return Err(refused(
            "The token header has `crit`: no extension is understood here.",
        ));
    }
    Ok(())
}

fn decoded(part: &str, name: &str) -> Result<Vec<u8>, Refusal> {
    BASE64
        .decode(part)
        .map_err(|e| refused(&format!("The token {name} is not base64url.")).log(e.to_string()))
}

fn object<'a>(bytes: &'a [u8], name: &str) -> Result<Object<'a>, Refusal> {
    strict_json::object(bytes, MAX_DEPTH)
        .map_err(|fault| refused(&format!("The token {name} {fault}.")))
}

fn refused(diagnostics: &str) -> Refusal {
    Refusal::new(Situation::TokenRefused, diagnostics).location("http.Authorization")
}

/// Checks the claims of a payload and collects all faults, each with its claim. `text` is the payload as received.
fn check_claims(payload: &Object<'_>, text: &str, e: &Expectation) -> Result<Claims, Refusal> {
    let mut c = Check { faults: Vec::new() };
    let issuer = c.string(payload, "", "iss");
    let subject = c.string(payload, "", "sub");
    let audience = c.audience(payload, e);
    let times = c.times(payload, e);
    let reason = c.string(payload, "", "reason_for_request");
    if reason.as_deref().is_some_and(|r| r != "directcare") {
        c.fault("reason_for_request", "is not `directcare`");
    }
    let scopes = c.scopes(payload);
    let device = c.device(payload);
    let organization = c.organization(payload);
    if let Some(scopes) = &scopes {
        c.scope(scopes, organization.as_ref(), e);
    }
    let practitioner = c.practitioner(payload, subject.as_deref());
    match (
        issuer,
        subject,
        audience,
        times,
        reason,
        scopes,
        device,
        organization,
    ) {
        (
            Some(issuer),
            Some(subject),
            Some(audience),
            Some((issued_at, expires_at)),
            Some(reason),
            Some(scopes),
            Some(device),
            Some(organization),
        ) if c.faults.is_empty() => Ok(Claims {
            issuer,
            subject,
            audience,
            issued_at,
            expires_at,
            reason,
            scopes,
            device,
            organization,
            practitioner,
            provenance: text.into(),
        }),
        _ => Err(Refusal::of(Situation::TokenRefused, c.faults)),
    }
}

/// Collects the faults of one payload. Each `None` for a required claim comes with a fault.
struct Check {
    faults: Vec<Finding>,
}

impl Check {
    fn fault(&mut self, claim: &str, fault: impl std::fmt::Display) {
        let finding = Finding::error(format!("The claim `{claim}` {fault}."));
        self.faults.push(finding.location("http.Authorization"));
    }

    /// A non-empty string member. `path` is the claim that holds it, for the message.
    fn string(&mut self, object: &Object<'_>, path: &str, name: &str) -> Option<String> {
        let fault = match object.get(name) {
            Some(Json::Text(text)) if !text.trim().is_empty() => {
                return Some(text.clone().into_owned());
            }
            Some(Json::Text(_)) => "is empty",
            Some(_) => "is not a string",
            None => "is missing",
        };
        let dot = if path.is_empty() { "" } else { "." };
        self.fault(&format!("{path}{dot}{name}"), fault);
        None
    }

    fn audience(&mut self, payload: &Object<'_>, e: &Expectation) -> Option<String> {
        let given = match audience::named(payload) {
            Ok(given) => given,
            Err(fault) => {
                self.fault("aud", fault);
                return None;
            }
        };
        let root = given.strip_suffix('/').unwrap_or(given);
        if (e.audience)(root) {
            return Some(root.to_owned());
        }
        self.fault(
            "aud",
            "is not the service root of this Provider as the directory (SDS) has it",
        );
        None
    }

    /// `iat`, `exp` (NAT-JWT-05, NAT-JWT-06), and `nbf`, which is optional (D-76).
    fn times(&mut self, payload: &Object<'_>, e: &Expectation) -> Option<(i64, i64)> {
        let iat = self.seconds(payload, "iat");
        let exp = self.seconds(payload, "exp");
        let now = e.now.as_second();
        let tolerance = e.tolerance_seconds;
        let before = self.faults.len();
        if let Some(iat) = iat
            && iat > now + tolerance
        {
            self.fault("iat", format!("lies {} seconds in the future", iat - now));
        }
        match payload.get("nbf") {
            None => {}
            Some(Json::Integer(nbf)) if *nbf <= now.saturating_add(tolerance) => {}
            Some(Json::Integer(nbf)) => self.fault(
                "nbf",
                format!("lies {} seconds in the future", nbf.saturating_sub(now)),
            ),
            Some(_) => self.fault("nbf", "is not an integer number (Unix time in seconds)"),
        }
        if let Some(exp) = exp
            && exp + tolerance < now
        {
            self.fault(
                "exp",
                format!("is over: the token expired {} seconds ago", now - exp),
            );
        }
        let (iat, exp) = (iat?, exp?);
        if exp <= iat {
            self.fault("exp", "is not after `iat`");
        } else if exp - iat > LIFETIME_SECONDS + tolerance {
            self.fault(
                "exp",
                format!(
                    "is {} seconds after `iat`; it must be {LIFETIME_SECONDS}",
                    exp - iat
                ),
            );
        }
        (self.faults.len() == before).then_some((iat, exp))
    }

    fn seconds(&mut self, payload: &Object<'_>, name: &str) -> Option<i64> {
        let fault = match payload.get(name) {
            None => "is missing",
            Some(Json::Integer(seconds @ 1_000_000_000..=9_999_999_999)) => return Some(*seconds),
            Some(Json::Integer(_)) => "is not a Unix time in seconds (10 digits)",
            Some(_) => "is not an integer number (Unix time in seconds)",
        };
        self.fault(name, fault);
        None
    }

    fn scopes(&mut self, payload: &Object<'_>) -> Option<Vec<String>> {
        let given = self.string(payload, "", "requested_scope")?;
        Some(given.split_ascii_whitespace().map(str::to_owned).collect())
    }

    /// Checks that the scopes include the needed one (NAT-JWT-08).
    fn scope(&mut self, scopes: &[String], of: Option<&Organization>, e: &Expectation) {
        let other = of.and_then(|o| (e.other_scope)(&o.ods));
        if !scopes
            .iter()
            .any(|s| s == e.scope || Some(s.as_str()) == other)
        {
            let fault = format!("does not hold `{}`, which this request needs", e.scope);
            self.fault("requested_scope", fault);
        }
    }

    fn device(&mut self, payload: &Object<'_>) -> Option<Device> {
        const PATH: &str = "requesting_device";
        let device = self.resource(payload, PATH, "Device")?;
        let pairs = identifiers(device);
        if pairs.is_empty() {
            self.fault(
                "requesting_device.identifier",
                "has no entry with `system` and `value`",
            );
        }
        let model = self.string(device, PATH, "model");
        let version = self.string(device, PATH, "version");
        let (system, value) = pairs.first()?;
        Some(Device {
            system: (*system).to_owned(),
            value: (*value).to_owned(),
            model: model?,
            version: version?,
        })
    }

    fn organization(&mut self, payload: &Object<'_>) -> Option<Organization> {
        const PATH: &str = "requesting_organization";
        let organization = self.resource(payload, PATH, "Organization")?;
        let name = self.string(organization, PATH, "name");
        let code = identifiers(organization)
            .into_iter()
            .find(|(system, _)| *system == ODS_ORGANIZATION);
        let ods = match code {
            None => {
                let fault = format!("has no entry of the system {ODS_ORGANIZATION} with a value");
                self.fault("requesting_organization.identifier", fault);
                None
            }
            // Codes are upper case, but directories and forms often use lower case.
            Some((_, code)) => match OdsCode::parse(&code.trim().to_ascii_uppercase()) {
                Ok(ods) => Some(ods),
                Err(error) => {
                    self.fault(
                        "requesting_organization.identifier",
                        format!("is no code: the {error}"),
                    );
                    None
                }
            },
        };
        Some(Organization {
            name: name?,
            ods: ods?,
        })
    }

    /// It may be absent or null (NAT-JWT-11).
    fn practitioner(
        &mut self,
        payload: &Object<'_>,
        subject: Option<&str>,
    ) -> Option<Practitioner> {
        const PATH: &str = "requesting_practitioner";
        if payload.get(PATH).is_none_or(|p| *p == Json::Null) {
            return None;
        }
        let practitioner = self.resource(payload, PATH, "Practitioner")?;
        let id = self.string(practitioner, PATH, "id");
        if let (Some(id), Some(subject)) = (&id, subject)
            && id != subject
        {
            self.fault("sub", "is not equal to `requesting_practitioner.id`");
        }
        let name = practitioner
            .get("name")
            .and_then(first)
            .and_then(Json::as_object);
        let part = |key: &str| {
            name.and_then(|n| n.get(key))
                .map(words)
                .filter(|w| !w.is_empty())
        };
        let (family, given, prefix) = (part("family"), part("given"), part("prefix"));
        if family.is_none() {
            self.fault("requesting_practitioner.name.family", "is missing");
        }
        if given.is_none() {
            self.fault("requesting_practitioner.name.given", "is missing");
        }
        let pairs = identifiers(practitioner);
        if pairs.is_empty() {
            self.fault(
                "requesting_practitioner.identifier",
                "has no entry with `system` and `value`",
            );
        }
        let of = |system: &str| {
            pairs
                .iter()
                .find(|(s, _)| *s == system)
                .map(|(_, v)| (*v).to_owned())
        };
        let local = pairs
            .iter()
            .find(|(s, _)| *s != SDS_USER && *s != SDS_ROLE_PROFILE);
        Some(Practitioner {
            id: id?,
            family: family?,
            given: given?,
            prefix,
            sds_user: of(SDS_USER),
            sds_role: of(SDS_ROLE_PROFILE),
            local: local.map(|(s, v)| ((*s).to_owned(), (*v).to_owned())),
        })
    }

    /// A claim that is a FHIR resource of a type. `resourceType` may be absent, but not differ.
    fn resource<'a>(
        &mut self,
        payload: &'a Object<'a>,
        claim: &str,
        resource_type: &str,
    ) -> Option<&'a Object<'a>> {
        let fault = match payload.get(claim) {
            Some(Json::Object(resource)) => match resource.get("resourceType") {
                None => return Some(resource),
                Some(Json::Text(given)) if given == resource_type => return Some(resource),
                Some(_) => format!("is not {}", with_article(resource_type)),
            },
            Some(_) => "is not a JSON object".to_owned(),
            None => "is missing".to_owned(),
        };
        self.fault(claim, fault);
        None
    }
}

/// The identifiers of a resource with both system and value.
fn identifiers<'a>(resource: &'a Object<'a>) -> Vec<(&'a str, &'a str)> {
    let Some(Json::List(list)) = resource.get("identifier") else {
        return Vec::new();
    };
    list.iter()
        .filter_map(|entry| Some((filled(entry, "system")?, filled(entry, "value")?)))
        .collect()
}

fn filled<'a>(entry: &'a Json<'a>, member: &str) -> Option<&'a str> {
    entry
        .get(member)?
        .as_str()
        .filter(|text| !text.trim().is_empty())
}

/// The first of an array, or the value itself: older consumers send a single name.
fn first<'a>(value: &'a Json<'a>) -> Option<&'a Json<'a>> {
    match value {
        Json::List(list) => list.first(),
        other => Some(other),
    }
}

/// A string, or the strings of an array joined by spaces.
fn words(value: &Json<'_>) -> String {
    match value {
        Json::Text(text) => text.trim().to_owned(),
        Json::List(list) => list
            .iter()
            .filter_map(Json::as_str)
            .collect::<Vec<_>>()
            .join(" ")
            .trim()
            .to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: NAT-JWT-01
    #[test]
    fn the_usual_header_is_one_that_would_be_accepted() {
        let bytes = BASE64.decode(USUAL_HEADER).unwrap();
        assert_eq!(bytes, br#"{"alg":"none","typ":"JWT"}"#);
        assert!(check_header(&object(&bytes, "header").unwrap()).is_ok());
    }
}
