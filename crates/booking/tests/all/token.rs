//! The token: what is accepted, and that every fault is 403 and names its claim.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use booking::ids::OdsCode;
use booking::refusal::{Refusal, Situation};
use booking::wire::headers::Headers;
use booking::wire::minting::Content;
use booking::wire::token::{
    Claims, Device, Expectation, MAX_TOKEN, Minting, Organization, Practitioner, bearer, mint,
    read_unsigned,
};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

const ROOT: &str = "https://provider.example.nhs.uk/STU3/1/FX101";
const IAT: i64 = 1_930_378_511;

fn read_at(token: &str, now: i64) -> Result<Claims, Refusal> {
    read_unsigned(
        token,
        &Expectation {
            audience: &|root| root == ROOT,
            scope: "patient/appointment.write",
            other_scope: &|_| None,
            now: Timestamp::from_second(now).unwrap(),
            tolerance_seconds: 60,
        },
    )
}

fn read(token: &str) -> Result<Claims, Refusal> {
    read_at(token, IAT + 1)
}

fn content() -> Content {
    Content {
        issuer: "https://consumer.example.nhs.uk/".to_owned(),
        subject: "u-17".to_owned(),
        audience: ROOT.to_owned(),
        scope: "patient/appointment.write".to_owned(),
        issued_at: IAT,
        device: Device {
            system: "https://consumer.example.nhs.uk/Id/device".to_owned(),
            value: "CONS-1".to_owned(),
            model: "Example Consumer".to_owned(),
            version: "1.0".to_owned(),
        },
        organization: Organization {
            name: "Fernhill 111".to_owned(),
            ods: OdsCode::parse("FX900").unwrap(),
        },
        practitioner: Some(Practitioner {
            id: "u-17".to_owned(),
            family: "Advisor".to_owned(),
            given: "Alex".to_owned(),
            prefix: Some("Mx".to_owned()),
            sds_user: None,
            sds_role: Some("123456789012".to_owned()),
            local: Some((
                "https://consumer.example.nhs.uk/Id/user".to_owned(),
                "u-17".to_owned(),
            )),
        }),
    }
}

fn token_of(header: &str, payload: &str) -> String {
    format!(
        "{}.{}.",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    )
}

fn with(change: impl FnOnce(&mut Value)) -> String {
    let mut payload = content().payload();
    change(&mut payload);
    token_of(r#"{"alg":"none","typ":"JWT"}"#, &payload.to_string())
}

fn remove(at: &mut Value, name: &str) {
    at.as_object_mut().unwrap().remove(name).expect("was there");
}

/// Proves: NAT-JWT-01, NAT-JWT-02, NAT-JWT-03, NAT-JWT-07, NAT-JWT-08, NAT-JWT-09, NAT-JWT-10, NAT-JWT-11, NAT-JWT-12
#[test]
fn a_minted_token_is_accepted_and_read_whole() {
    let claims = read(&content().unsecured()).unwrap_or_else(|r| panic!("{r}"));
    assert_eq!(claims.audience, ROOT);
    assert_eq!((claims.issued_at, claims.expires_at), (IAT, IAT + 300));
    assert_eq!(claims.organization.ods.as_str(), "FX900");
    assert_eq!(claims.device, content().device);
    let practitioner = claims.practitioner.unwrap();
    assert_eq!(practitioner.display(), "Mx Alex Advisor");
    assert_eq!(practitioner.sds_user.as_deref(), Some("UNK"));
    assert_eq!(
        serde_json::from_str::<Value>(&claims.provenance).unwrap(),
        content().payload()
    );
    let small = mint(&Minting {
        issuer: "https://consumer.example.nhs.uk/".to_owned(),
        audience: ROOT.to_owned(),
        scope: "patient/appointment.write".to_owned(),
        issued_at: IAT,
        organization_ods: OdsCode::parse("FX900").unwrap(),
        organization_name: "Fernhill 111".to_owned(),
        user: None,
    });
    assert!(small.ends_with('.'));
    assert!(read(&small).unwrap().practitioner.is_none());
}

/// Proves: NAT-JWT-04, NAT-JWT-08, NAT-JWT-10, NAT-JWT-11
#[test]
fn what_is_tolerated() {
    let good: &[fn(&mut Value)] = &[
        |p| p["aud"] = json!(format!("{ROOT}/")),
        |p| p["aud"] = json!([ROOT]),
        |p| p["requested_scope"] = json!("organization/slot.read  patient/appointment.write"),
        |p| remove(p, "requesting_practitioner"),
        |p| p["requesting_practitioner"] = Value::Null,
        |p| {
            p["requesting_practitioner"]["identifier"]
                .as_array_mut()
                .unwrap()
                .truncate(1);
        },
        |p| p["requesting_practitioner"]["name"] = json!({"family": ["Advisor"], "given": "Alex"}),
        |p| p["requesting_organization"]["identifier"][0]["value"] = json!("fx900"),
        |p| p["extra"] = json!({"any": ["thing"]}),
        |p| remove(&mut p["requesting_device"], "resourceType"),
    ];
    for (i, change) in good.iter().enumerate() {
        read(&with(change)).unwrap_or_else(|r| panic!("{i}: {r}"));
    }
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"typ":"jwt","alg":"none","kid":"1"}"#,
    ] {
        assert!(
            read(&token_of(header, &content().payload().to_string())).is_ok(),
            "{header}"
        );
    }
    let padded = format!(
        "{}.{}.",
        URL_SAFE.encode(r#"{"alg":"none"} "#),
        URL_SAFE.encode(content().payload().to_string())
    );
    assert!(read(&padded).is_ok());
}

/// Claim that must be named, change.
type Fault = (&'static str, fn(&mut Value));

/// One change per claim, and the claim that must be named.
#[rustfmt::skip]
const FAULTS: &[Fault] = &[
    ("iss", |p| remove(p, "iss")),
    ("iss", |p| p["iss"] = json!(" ")),
    ("sub", |p| remove(p, "sub")),
    ("sub", |p| p["sub"] = json!(17)),
    ("sub", |p| p["sub"] = json!("someone-else")),
    ("aud", |p| remove(p, "aud")),
    ("aud", |p| p["aud"] = json!("notanendpoint")),
    ("aud", |p| p["aud"] = json!([])),
    ("aud", |p| p["aud"] = json!([ROOT, ROOT])),
    ("aud", |p| p["aud"] = json!([[ROOT]])),
    ("aud", |p| p["aud"] = json!([""])),
    ("aud", |p| p["aud"] = json!(["notanendpoint"])),
    ("aud", |p| p["aud"] = json!(format!("{ROOT}//"))),
    ("iat", |p| remove(p, "iat")),
    ("iat", |p| p["iat"] = json!("1930378511")),
    ("iat", |p| p["iat"] = json!(1930378511.0)),
    ("iat", |p| p["iat"] = json!(IAT * 1000)),
    ("iat", |p| { p["iat"] = json!(IAT + 100); p["exp"] = json!(IAT + 400); }),
    ("exp", |p| remove(p, "exp")),
    ("exp", |p| p["exp"] = json!(IAT)),
    ("exp", |p| p["exp"] = json!(IAT + 361)),
    ("exp", |p| { p["iat"] = json!(IAT - 400); p["exp"] = json!(IAT - 100); }),
    ("reason_for_request", |p| p["reason_for_request"] = json!("secondaryuses")),
    ("reason_for_request", |p| remove(p, "reason_for_request")),
    ("requested_scope", |p| p["requested_scope"] = json!("patient/appointment.read")),
    ("requested_scope", |p| p["requested_scope"] = json!("patient/appointment.writer")),
    ("requesting_device", |p| remove(p, "requesting_device")),
    ("requesting_device", |p| p["requesting_device"]["resourceType"] = json!("Patient")),
    ("requesting_device.identifier", |p| remove(&mut p["requesting_device"]["identifier"][0], "system")),
    ("requesting_device.model", |p| remove(&mut p["requesting_device"], "model")),
    ("requesting_device.version", |p| p["requesting_device"]["version"] = json!("")),
    ("requesting_organization", |p| p["requesting_organization"] = json!("FX900")),
    ("requesting_organization.name", |p| remove(&mut p["requesting_organization"], "name")),
    ("requesting_organization.identifier", |p| p["requesting_organization"]["identifier"][0]["system"] = json!("x")),
    ("requesting_organization.identifier", |p| p["requesting_organization"]["identifier"][0]["value"] = json!("F!")),
    ("requesting_practitioner", |p| p["requesting_practitioner"] = json!([])),
    ("requesting_practitioner.id", |p| remove(&mut p["requesting_practitioner"], "id")),
    ("requesting_practitioner.name.family", |p| remove(&mut p["requesting_practitioner"]["name"][0], "family")),
    ("requesting_practitioner.name.given", |p| remove(&mut p["requesting_practitioner"]["name"][0], "given")),
    ("requesting_practitioner.identifier", |p| remove(&mut p["requesting_practitioner"], "identifier")),
];

/// Proves: NAT-JWT-02, NAT-JWT-03, NAT-JWT-04, NAT-JWT-05, NAT-JWT-06, NAT-JWT-07, NAT-JWT-08, NAT-JWT-09, NAT-JWT-10, NAT-JWT-11, D-01, ERR-06
#[test]
fn every_faulty_claim_is_named() {
    for (claim, change) in FAULTS {
        let refusal = read(&with(change)).map(|_| ()).expect_err(claim);
        assert_eq!(
            (refusal.situation, refusal.status()),
            (Situation::TokenRefused, 403)
        );
        let named = format!("`{claim}`");
        assert!(
            refusal
                .findings
                .iter()
                .any(|f| f.diagnostics.contains(&named)),
            "{named} in {refusal}"
        );
    }
    // All together.
    let refusal = read(&token_of(r#"{"alg":"none"}"#, "{}")).unwrap_err();
    assert_eq!(refusal.findings.len(), 9, "{refusal}");
}

/// Proves: NAT-JWT-05, NAT-JWT-06
#[test]
fn times_are_tolerated_to_the_second() {
    let token = content().unsecured();
    for (now, fits) in [
        (IAT - 60, true),
        (IAT - 61, false),
        (IAT + 360, true),
        (IAT + 361, false),
    ] {
        assert_eq!(read_at(&token, now).is_ok(), fits, "{}", now - IAT);
    }
    assert!(read(&with(|p| p["exp"] = json!(IAT + 360))).is_ok());
}

/// Proves: NAT-JWT-01, D-01
#[test]
fn the_form_is_strict() {
    let good = content().unsecured();
    let payload = content().payload().to_string();
    let twice = payload.replacen("{\"iss\"", "{\"iss\":\"https://other.example\",\"iss\"", 1);
    let inner = payload.replacen("\"model\"", "\"model\":\"x\",\"model\"", 1);
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(20), "]".repeat(20));
    let none = r#"{"alg":"none"}"#;
    for bad in [
        String::new(),
        "..".to_owned(),
        good.trim_end_matches('.').to_owned(),
        format!("{good}c2ln"),
        format!("{good}."),
        good.replacen('.', "!.", 1),
        token_of(r#"{"alg":"None"}"#, &payload),
        token_of(r#"{"alg":"HS256"}"#, &payload),
        token_of(r#"{"typ":"JWT"}"#, &payload),
        token_of(r#"{"alg":"none","typ":"JWE"}"#, &payload),
        token_of(r#"{"alg":"none","crit":["exp"]}"#, &payload),
        token_of(r#"{"alg":"none","alg":"none"}"#, &payload),
        token_of("[]", &payload),
        token_of(none, "[]"),
        token_of(none, "\"x\""),
        token_of(none, &format!("{payload}{payload}")),
        token_of(none, &twice),
        token_of(none, &inner),
        token_of(none, &deep),
        token_of(none, &"[".repeat(5000)),
        token_of(none, &"x".repeat(MAX_TOKEN)),
        "eyJhbGciOiJub25lIn1=.e30.".to_owned() + "=",
    ] {
        let refusal = read(&bad).map(|_| ()).expect_err(&bad);
        assert_eq!(
            (refusal.status(), refusal.findings[0].location.as_deref()),
            (403, Some("http.Authorization"))
        );
    }
    assert!(
        read(&token_of(none, &twice))
            .unwrap_err()
            .to_string()
            .contains("`iss` twice")
    );
}

struct Sent(&'static [&'static str]);

impl Headers for Sent {
    fn values<'a>(&'a self, _: &str) -> Vec<&'a [u8]> {
        self.0.iter().map(|v| v.as_bytes()).collect()
    }
}

/// Proves: PROV-HDR-01, ERR-06
#[test]
fn the_bearer_scheme_in_any_case_once() {
    for good in [&["Bearer a.b."], &["bearer a.b."], &["BEARER  a.b."]] {
        assert_eq!(bearer(&Sent(good)).unwrap(), "a.b.");
    }
    for bad in [
        &[][..],
        &["Bearer"],
        &["Bearer "],
        &["Basic a.b."],
        &["a.b."],
        &["Bearer a. b"],
        &["Bearer a", "Bearer a"],
    ] {
        assert_eq!(bearer(&Sent(bad)).unwrap_err().status(), 403, "{bad:?}");
    }
}

proptest! {
    /// Proves: NAT-JWT-01
    #[test]
    fn no_token_panics(token in ".{0,300}") {
        let _ = read(&token);
    }

    /// Proves: NAT-JWT-01
    #[test]
    fn no_payload_panics(payload in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), URL_SAFE_NO_PAD.encode(payload)));
    }

    /// Proves: NAT-JWT-05, NAT-JWT-06
    #[test]
    fn no_times_panic(iat in any::<i64>(), exp in any::<i64>(), now in -1_000_000_000_i64..9_999_999_999) {
        let _ = read_at(&with(|p| { p["iat"] = json!(iat); p["exp"] = json!(exp); }), now);
    }
}
