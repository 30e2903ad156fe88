//! Judging the token claim by claim (C18, NAT-JWT-01..11).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use booking::ids::OdsCode;
use booking::systems::{ODS_ORGANIZATION, SDS_ROLE_PROFILE, SDS_USER};
use booking::wire::interaction::Interaction;
use booking::wire::token::{LIFETIME_SECONDS, MAX_TOKEN};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use crate::consumer_suite::asked::Asked;
use crate::consumer_suite::ledger::Notes;
use crate::consumer_suite::rules::Rule;
use crate::consumer_suite::state::{State, TOLERANCE_SECONDS, clipped};

/// Most tokens remembered; only their hashes are kept.
const MAX_USES: usize = 20_000;
/// Two requests of one second may have equal tokens; so long after it was made a token has been kept back.
const KEPT_BACK_SECONDS: i64 = 5;

/// Two requests with equal tokens of their own leave within a second; on their way they lose less than this.
const APART: Duration = Duration::from_secs(5);

/// Which tokens were used for which request.
#[derive(Debug, Default)]
pub(crate) struct TokenUses {
    of_token: HashMap<u64, Instant>,
    of_pair: HashSet<(u64, u64)>,
}

/// Judges the token of a request.
pub(crate) fn judge(state: &mut State, asked: &Asked, interaction: Interaction, notes: &mut Notes) {
    let read = text(asked).and_then(|token| Ok((token, payload(token)?)));
    let (token, claims) = match read {
        Ok(read) => read,
        Err(what) => {
            notes.judge(Rule::JwtForm, false, what);
            return;
        }
    };
    notes.fault(Rule::JwtForm, form(token));
    own(state, asked, token, &claims, notes);
    who(&claims, notes);
    audience(state.root.url(), &claims, notes);
    times(&claims, asked.at.as_second(), notes);
    purpose(&claims, interaction, notes);
    device(&claims, notes);
    organization(&claims, notes);
    practitioner(&claims, notes);
}

fn text(asked: &Asked) -> Result<&str, String> {
    let value = match (asked.count("authorization"), asked.header("authorization")) {
        (1, Some(value)) => value,
        (0, _) => return Err("There is no Authorization header".into()),
        _ => return Err("Authorization is no text, or stands more than once".into()),
    };
    match value.strip_prefix("Bearer ") {
        Some(token) if token.len() <= MAX_TOKEN => Ok(token),
        Some(_) => Err(format!("The token is longer than {MAX_TOKEN} bytes")),
        None => Err("Authorization is not `Bearer`, one space and a token".into()),
    }
}

/// What is wrong with a token whose payload can be read.
fn form(token: &str) -> Option<String> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else {
        return Some("The token has not three parts".into());
    };
    if !signature.is_empty() {
        return Some("The token carries a signature".into());
    }
    if header.contains('=') || payload.contains('=') {
        return Some("The token's parts are padded with `=`".into());
    }
    let header: Option<Value> = decoded(header);
    match header {
        Some(Value::Object(h)) if h.get("alg").and_then(Value::as_str) == Some("none") => {
            match h.get("typ").and_then(Value::as_str) {
                Some("JWT") => None,
                _ => Some("The header's typ is not JWT".into()),
            }
        }
        Some(_) => Some("The header's alg is not none".into()),
        None => Some("The header is no base64url of JSON".into()),
    }
}

fn payload(token: &str) -> Result<Value, String> {
    let part = token
        .split('.')
        .nth(1)
        .ok_or("The token has not three parts")?;
    match decoded(part) {
        Some(claims @ Value::Object(_)) => Ok(claims),
        _ => Err("The payload is no base64url of a JSON object".into()),
    }
}

fn decoded(part: &str) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// A token of an earlier, different request (CONS-REQ-01).
fn own(state: &mut State, asked: &Asked, token: &str, claims: &Value, notes: &mut Notes) {
    let hash = |text: &dyn Fn(&mut DefaultHasher)| {
        let mut hasher = DefaultHasher::new();
        text(&mut hasher);
        hasher.finish()
    };
    let of_token = hash(&|h| token.hash(h));
    let of_request = hash(&|h| {
        (
            &asked.method,
            &asked.target,
            asked.header("x-request-id"),
            &asked.body[..],
        )
            .hash(h)
    });
    let uses = &mut state.tokens;
    let first = uses.of_token.get(&of_token).copied();
    let long = |at: Instant| asked.began.saturating_duration_since(at) >= APART;
    let known = first.is_some_and(long);
    let same_request = uses.of_pair.contains(&(of_token, of_request));
    if uses.of_pair.len() < MAX_USES {
        uses.of_token.entry(of_token).or_insert(asked.began);
        uses.of_pair.insert((of_token, of_request));
    }
    let age = asked.at.as_second()
        - claims
            .get("iat")
            .and_then(Value::as_i64)
            .unwrap_or_default();
    let again = known && !same_request && age >= KEPT_BACK_SECONDS;
    let what = "The token of an earlier request is used again";
    notes.judge(Rule::JwtOwn, !again, what);
}

fn of<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .trim()
}

/// What is wrong with the value of a claim: it is not there, or it is this, of which more is to be said.
fn said(claim: &str, given: &str, more: &str) -> String {
    match given {
        "" => format!("{claim} is missing"),
        given => format!("{claim} is `{}`{more}", clipped(given)),
    }
}

fn who(claims: &Value, notes: &mut Notes) {
    let iss = of(claims, "/iss");
    let url = iss
        .strip_prefix("https://")
        .or_else(|| iss.strip_prefix("http://"))
        .is_some_and(|rest| !rest.is_empty());
    let what = said("iss", iss, ", which is no URL");
    notes.judge(Rule::JwtIss, url, what);
    let sub = of(claims, "/sub");
    let id = of(claims, "/requesting_practitioner/id");
    let what = if sub.is_empty() {
        "sub is missing"
    } else {
        "sub is not requesting_practitioner.id"
    };
    let fine = !sub.is_empty() && (id.is_empty() || id == sub);
    notes.judge(Rule::JwtSub, fine, what);
}

fn audience(root: &str, claims: &Value, notes: &mut Notes) {
    let aud = of(claims, "/aud");
    let what = match aud {
        "" => "aud is missing, or no text".to_owned(),
        given => format!("aud is `{}`; the service root is {root}", clipped(given)),
    };
    let fine = aud.strip_suffix('/').unwrap_or(aud) == root;
    notes.judge(Rule::JwtAud, fine, what);
}

fn times(claims: &Value, now: i64, notes: &mut Notes) {
    let whole = |name: &str| {
        claims
            .get(name)
            .and_then(Value::as_i64)
            .filter(|t| (1_000_000_000..=9_999_999_999).contains(t))
    };
    let missing = |name: &str| match claims.get(name) {
        None => format!("{name} is missing"),
        Some(_) => format!("{name} is no Unix time in seconds (10 digits, a number)"),
    };
    let iat = whole("iat");
    match iat {
        None => {
            notes.judge(Rule::JwtIat, false, missing("iat"));
        }
        Some(iat) => {
            let ahead = iat - now;
            let what = format!("iat lies {ahead} seconds in the future");
            notes.judge(Rule::JwtIat, ahead <= TOLERANCE_SECONDS, what);
        }
    }
    let what = match (whole("exp"), iat) {
        (None, _) => Some(missing("exp")),
        (Some(exp), _) if exp + TOLERANCE_SECONDS < now => {
            Some(format!("The token expired {} seconds ago", now - exp))
        }
        (Some(exp), Some(iat)) if exp - iat != LIFETIME_SECONDS => {
            Some(format!("exp is iat and {} seconds", exp - iat))
        }
        _ => None,
    };
    notes.fault(Rule::JwtExp, what);
}

fn purpose(claims: &Value, interaction: Interaction, notes: &mut Notes) {
    let reason = of(claims, "/reason_for_request");
    let what = said("reason_for_request", reason, "");
    notes.judge(Rule::JwtReason, reason == "directcare", what);
    let (scope, wanted) = (of(claims, "/requested_scope"), interaction.scope());
    let right = format!("; to {} it is `{wanted}`", interaction.name());
    let what = said("requested_scope", scope, &right);
    let fine = scope.split_ascii_whitespace().any(|s| s == wanted);
    notes.judge(Rule::JwtScope, fine, what);
}

fn identifiers(resource: &Value) -> Vec<(&str, &str)> {
    let list = resource
        .pointer("/identifier")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    list.iter()
        .map(|i| (of(i, "/system"), of(i, "/value")))
        .collect()
}

/// Judges a claim that is a resource: what it lacks is named.
fn holds(rule: Rule, claim: &str, parts: &[(bool, &str)], notes: &mut Notes) {
    let missing = parts.iter().filter(|(there, _)| !there);
    let missing: Vec<&str> = missing.map(|(_, name)| *name).collect();
    let what = format!("{claim} lacks {}", missing.join(", "));
    notes.judge(rule, missing.is_empty(), what);
}

fn device(claims: &Value, notes: &mut Notes) {
    let device = &claims["requesting_device"];
    let named = identifiers(device)
        .iter()
        .any(|(system, value)| !system.is_empty() && !value.is_empty());
    let is_device = of(device, "/resourceType") == "Device";
    let parts = [
        (device.is_object(), "the claim itself"),
        (is_device, "resourceType Device"),
        (named, "identifier with system and value"),
        (!of(device, "/model").is_empty(), "model"),
        (!of(device, "/version").is_empty(), "version"),
    ];
    holds(Rule::JwtDevice, "requesting_device", &parts, notes);
}

fn organization(claims: &Value, notes: &mut Notes) {
    let organization = &claims["requesting_organization"];
    let ods = identifiers(organization)
        .iter()
        .any(|(system, value)| *system == ODS_ORGANIZATION && OdsCode::parse(value).is_ok());
    let is_organization = of(organization, "/resourceType") == "Organization";
    let parts = [
        (organization.is_object(), "the claim itself"),
        (is_organization, "resourceType Organization"),
        (ods, "an identifier with its ODS code"),
        (!of(organization, "/name").is_empty(), "name"),
    ];
    let rule = Rule::JwtOrganization;
    holds(rule, "requesting_organization", &parts, notes);
}

fn practitioner(claims: &Value, notes: &mut Notes) {
    const CLAIM: &str = "requesting_practitioner";
    let Some(practitioner) = claims.get(CLAIM) else {
        return;
    };
    let named = identifiers(practitioner);
    let given = practitioner
        .pointer("/name/0/given")
        .and_then(Value::as_array)
        .is_some_and(|g| !g.is_empty());
    let sds = |system: &str| {
        let fine = |value: &str| {
            value == "UNK" || (value.len() == 12 && value.bytes().all(|b| b.is_ascii_digit()))
        };
        let mut of_system = named.iter().filter(|(s, _)| *s == system);
        of_system.all(|(_, value)| fine(value))
    };
    let is_practitioner = of(practitioner, "/resourceType") == "Practitioner";
    let family = of(practitioner, "/name/0/family");
    let role = sds(SDS_ROLE_PROFILE);
    let parts = [
        (is_practitioner, "resourceType Practitioner"),
        (!of(practitioner, "/id").is_empty(), "id"),
        (!family.is_empty(), "name.family"),
        (given, "name.given"),
        (sds(SDS_USER), "an SDS user id of 12 digits or UNK"),
        (role, "an SDS role profile id of 12 digits or UNK"),
    ];
    holds(Rule::JwtPractitioner, CLAIM, &parts, notes);
    let has = |system: &str| named.iter().any(|(s, _)| *s == system);
    let local = |(s, v): &(&str, &str)| {
        !s.is_empty() && !v.is_empty() && *s != SDS_USER && *s != SDS_ROLE_PROFILE
    };
    for (there, name) in [
        (has(SDS_USER), "SDS user id"),
        (has(SDS_ROLE_PROFILE), "SDS role profile id"),
        (named.iter().any(local), "local identifier of the user"),
    ] {
        let what = format!("requesting_practitioner has no {name}");
        notes.advise(Rule::JwtPractitioner, there, "three identifiers: the SDS user id and the SDS role profile id (UNK without smartcard), and the consumer's own id of the user", what);
    }
}
