//! Group T: the token, part by part and claim by claim (`national-services.md` section 4). Every fault is 403 (D-01).

use booking::situation::Situation;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::query::{Window, window};
use super::registry::Test;
use super::request::Request;
use super::token::{READ, SLOT_READ, Token, WRITE};
use super::trial::{Ids, Step, Trial};

/// The tests of this file.
pub(super) static TESTS: &[Test] = &[
    Test::new("Token_Form", form)
        .tries("Three parts, the third empty, algorithm none")
        .of(&["P1", "NAT-JWT-01", "PROV-HDR-01", "D-01"]),
    Test::new("Token_iss", |t| needed(t, "iss", &["P1", "NAT-JWT-02"]))
        .tries("The claim iss")
        .of(&["P1", "NAT-JWT-02"]),
    Test::new("Token_sub", sub)
        .tries("The claim sub")
        .of(&["P1", "NAT-JWT-03"]),
    Test::new("Token_aud", aud).tries("The claim aud").of(&[
        "P1",
        "P3",
        "NAT-JWT-04",
        "PROV-GEN-03",
    ]),
    Test::new("Token_iat", iat)
        .tries("The claim iat")
        .of(&["P1", "P2", "NAT-JWT-05"]),
    Test::new("Token_exp", exp)
        .tries("The claim exp")
        .of(&["P1", "P2", "NAT-JWT-06"]),
    Test::new("Token_reason_for_request", reason)
        .tries("The claim reason_for_request")
        .of(&["P1", "NAT-JWT-07"]),
    Test::new("Token_requested_scope", scope)
        .tries("The claim requested_scope")
        .of(&["P1", "P4", "NAT-JWT-08"]),
    Test::new("Token_ScopeOfEachInteraction", scopes)
        .tries("Each interaction needs its own scope")
        .of(&[
            "P4",
            "NAT-JWT-08",
            "PROV-INT-01",
            "PROV-INT-02",
            "PROV-INT-03",
            "PROV-INT-04",
            "PROV-INT-07",
            "D-23",
        ]),
    Test::new("Token_requesting_device", device)
        .tries("The claim requesting_device")
        .of(&["P1", "NAT-JWT-09"]),
    Test::new("Token_requesting_organization", organization)
        .tries("The claim requesting_organization")
        .of(&["P1", "NAT-JWT-10"]),
    Test::new("Token_requesting_practitioner", practitioner)
        .tries("The claim requesting_practitioner")
        .of(&["P1", "NAT-JWT-11"]),
];

fn search(t: &Trial) -> Request {
    let service = t.session.target.service.as_str();
    t.session
        .search(&window(service, Window::days(1, 2), "free"))
}

fn refused(t: &mut Trial, about: &str, token: &Token, ids: Ids) -> Step {
    let request = search(t).with("Authorization", token.bearer());
    refused_as(t, about, &request, ids)
}

fn refused_as(t: &mut Trial, about: &str, request: &Request, ids: Ids) -> Step {
    let a = t
        .ask(about, request)
        .refused(Situation::TokenRefused, ids)?;
    if a.status == 403 {
        let challenge = a
            .header("www-authenticate")
            .unwrap_or_default()
            .to_ascii_lowercase();
        t.at(&a, "header WWW-Authenticate", &["PROV-HDR-18"])
            .should(challenge.starts_with("bearer"))
            .right("`Bearer error=\"…\"`")
            .or("No WWW-Authenticate on a refused token");
    }
    Ok(())
}

fn accepted(t: &mut Trial, about: &str, token: &Token, ids: Ids) -> Step {
    let a = t.send(about, &search(t).with("Authorization", token.bearer()))?;
    let _ = t.status(&a, 200, ids, about);
    Ok(())
}

fn token(t: &Trial) -> Token {
    t.session.token(SLOT_READ)
}

/// Missing, of another type, and (for texts) empty.
fn needed(t: &mut Trial, claim: &str, ids: Ids) -> Step {
    let place = format!("/{claim}");
    for (about, value) in [
        ("missing", Value::Null),
        ("of another type", json!([17])),
        ("empty", json!("")),
    ] {
        let bent = token(t).claim(&place, value);
        refused(t, &format!("{claim} {about}"), &bent, ids)?;
    }
    Ok(())
}

fn form(t: &mut Trial) -> Step {
    let ids: Ids = &["P1", "NAT-JWT-01", "PROV-HDR-01"];
    let good = token(t);
    let (head, payload) = good.parts();
    let with_header = |header: Value| {
        Token {
            header,
            claims: good.claims.clone(),
        }
        .bearer()
    };
    let plain = search(t);
    refused_as(
        t,
        "no Authorization",
        &plain.clone().without("Authorization"),
        ids,
    )?;
    for (about, value) in [
        ("only the scheme", "Bearer".to_owned()),
        ("another scheme", "Basic dXNlcjpwYXNz".to_owned()),
        ("no scheme", format!("{head}.{payload}.")),
        ("two parts", format!("Bearer {head}.{payload}")),
        ("four parts", format!("Bearer {head}.{payload}..")),
        ("a signature", format!("Bearer {head}.{payload}.c2lnbmVk")),
        ("no payload", format!("Bearer {head}..")),
        ("no header", format!("Bearer .{payload}.")),
        ("no base64url", format!("Bearer {head}.{payload}!.")),
        ("the header twice", format!("Bearer {head}.{head}.")),
        (
            "two tokens",
            format!("Bearer {head}.{payload}. {head}.{payload}."),
        ),
        (
            "alg HS256",
            with_header(json!({"alg": "HS256", "typ": "JWT"})),
        ),
        ("no alg", with_header(json!({"typ": "JWT"}))),
    ] {
        refused_as(t, about, &plain.clone().with("Authorization", value), ids)?;
    }
    let good = good.bearer();
    let a = t.send("Authorization twice", &plain.also("Authorization", good))?;
    super::headers::ambiguous(t, &a, ids, "Authorization twice");
    Ok(())
}

fn sub(t: &mut Trial) -> Step {
    let ids: Ids = &["P1", "NAT-JWT-03"];
    needed(t, "sub", ids)?;
    let other = token(t).claim("/sub", json!("someone-else"));
    refused(t, "sub unlike requesting_practitioner.id", &other, ids)
}

fn aud(t: &mut Trial) -> Step {
    let ids: Ids = &["P1", "P3", "NAT-JWT-04"];
    needed(t, "aud", ids)?;
    let own = t.session.target.audience();
    for (about, value) in [
        (
            "another host",
            "https://elsewhere.example.nhs.uk/STU3/1/booking".to_owned(),
        ),
        ("more than the root", format!("{own}/Slot")),
        ("another routing segment", format!("{own}x")),
        (
            "the host only",
            own.split('/').take(3).collect::<Vec<_>>().join("/"),
        ),
    ] {
        let bent = token(t).claim("/aud", json!(value));
        refused(t, about, &bent, ids)?;
    }
    let slash = token(t).claim("/aud", json!(format!("{own}/")));
    accepted(t, "aud with a trailing slash", &slash, ids)
}

fn at(t: &Trial, iat: i64, exp: i64) -> Token {
    let now = Timestamp::now().as_second();
    token(t)
        .claim("/iat", json!(now + iat))
        .claim("/exp", json!(now + exp))
}

fn iat(t: &mut Trial) -> Step {
    let ids: Ids = &["P1", "P2", "NAT-JWT-05"];
    needed(t, "iat", ids)?;
    let ahead = at(t, 900, 1200);
    refused(t, "iat a quarter of an hour ahead", &ahead, ids)?;
    let now = Timestamp::now().as_second();
    for (about, value) in [
        ("iat as a text", json!(now.to_string())),
        ("iat in milliseconds", json!(now * 1000)),
        ("iat with a fraction", json!(now as f64 + 0.5)),
        ("iat negative", json!(-1)),
    ] {
        let bent = token(t).claim("/iat", value);
        refused(t, about, &bent, ids)?;
    }
    let drift = at(t, 20, 320);
    accepted(t, "a clock 20 seconds ahead", &drift, &["P2", "NAT-JWT-05"])
}

fn exp(t: &mut Trial) -> Step {
    let ids: Ids = &["P1", "P2", "NAT-JWT-06"];
    needed(t, "exp", ids)?;
    for (about, iat, exp) in [
        ("expired a quarter of an hour ago", -1200, -900),
        ("exp equal to iat", 0, 0),
        ("exp before iat", 0, -10),
        ("a life of an hour", 0, 3600),
    ] {
        let bent = at(t, iat, exp);
        refused(t, about, &bent, ids)?;
    }
    let now = Timestamp::now().as_second();
    let bent = token(t).claim("/exp", json!((now + 300).to_string()));
    refused(t, "exp as a text", &bent, ids)?;
    let old = at(t, -240, 60);
    accepted(t, "a token of four minutes ago", &old, ids)
}

fn reason(t: &mut Trial) -> Step {
    let ids: Ids = &["P1", "NAT-JWT-07"];
    needed(t, "reason_for_request", ids)?;
    let bent = token(t).claim("/reason_for_request", json!("secondaryuses"));
    refused(t, "secondaryuses", &bent, ids)
}

fn scope(t: &mut Trial) -> Step {
    let ids: Ids = &["P1", "P4", "NAT-JWT-08"];
    needed(t, "requested_scope", ids)?;
    for value in [
        WRITE,
        READ,
        "organization/slot.write",
        "organization/slot.reader",
        "organization/*.read",
    ] {
        let bent = token(t).claim("/requested_scope", json!(value));
        refused(t, value, &bent, ids)?;
    }
    let several = token(t).claim("/requested_scope", json!(format!("{READ} {SLOT_READ}")));
    accepted(t, "a list that holds the scope", &several, ids)
}

fn scopes(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let body = booked.cancelled();
    let other = t.message()?;
    let s = &t.session;
    let wrong = [
        ("metadata", s.metadata(), READ),
        ("search", search(t), WRITE),
        ("book", s.book(&other), READ),
        ("book with slot scope", s.book(&other), SLOT_READ),
        ("read", s.read(&booked.id), WRITE),
        ("cancel", s.cancel(&booked.id, &booked.etag, &body), READ),
    ];
    for (about, request, scope) in wrong {
        let token = t.session.token(scope);
        let request = request.with("Authorization", token.bearer());
        refused_as(
            t,
            &format!("{about} under {scope}"),
            &request,
            &["P4", "NAT-JWT-08", "D-23"],
        )?;
    }
    Ok(())
}

fn device(t: &mut Trial) -> Step {
    let ids: Ids = &["P1", "NAT-JWT-09"];
    needed(t, "requesting_device", ids)?;
    for place in [
        "/requesting_device/identifier",
        "/requesting_device/identifier/0/system",
        "/requesting_device/identifier/0/value",
        "/requesting_device/model",
        "/requesting_device/version",
    ] {
        let bent = token(t).claim(place, Value::Null);
        refused(t, &format!("without {place}"), &bent, ids)?;
    }
    Ok(())
}

fn organization(t: &mut Trial) -> Step {
    let ids: Ids = &["P1", "NAT-JWT-10"];
    needed(t, "requesting_organization", ids)?;
    for place in [
        "/requesting_organization/name",
        "/requesting_organization/identifier",
        "/requesting_organization/identifier/0/system",
        "/requesting_organization/identifier/0/value",
    ] {
        let bent = token(t).claim(place, Value::Null);
        refused(t, &format!("without {place}"), &bent, ids)?;
    }
    let other = token(t).claim(
        "/requesting_organization/identifier/0/system",
        json!("https://elsewhere.example/Id"),
    );
    refused(t, "an identifier of another system", &other, ids)
}

fn practitioner(t: &mut Trial) -> Step {
    let ids: Ids = &["P1", "NAT-JWT-11"];
    let without = token(t).claim("/requesting_practitioner", Value::Null);
    accepted(t, "no practitioner", &without, ids)?;
    let one = token(t)
        .claim("/requesting_practitioner/identifier/2", Value::Null)
        .claim("/requesting_practitioner/identifier/1", Value::Null);
    accepted(t, "a practitioner with one identifier", &one, ids)?;
    let no_prefix = token(t).claim("/requesting_practitioner/name/0/prefix", Value::Null);
    accepted(t, "a practitioner without prefix", &no_prefix, ids)?;
    for place in [
        "/requesting_practitioner/id",
        "/requesting_practitioner/name",
        "/requesting_practitioner/name/0/family",
        "/requesting_practitioner/name/0/given",
    ] {
        let bent = token(t).claim(place, Value::Null);
        refused(t, &format!("without {place}"), &bent, ids)?;
    }
    Ok(())
}
