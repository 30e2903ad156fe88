//! Group T: the token, part by part and claim by claim (`national-services.md` section 4). Every fault is 403 (D-01).

use booking::situation::Situation;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::registry::Table;
use super::request::Request;
use super::token::{READ, SLOT_READ, Token, WRITE};
use super::trial::{Ids, Step, Trial};

/// The tests of this file.
pub(super) const TESTS: Table = &[
    ("Token_Form", form),
    ("Token_iss", |t| needed(t, "iss", &["P1", "NAT-JWT-02"])),
    ("Token_sub", sub),
    ("Token_aud", aud),
    ("Token_iat", iat),
    ("Token_exp", exp),
    ("Token_reason_for_request", reason),
    ("Token_requested_scope", scope),
    ("Token_ScopeOfEachInteraction", scopes),
    ("Token_requesting_device", device),
    ("Token_requesting_organization", organization),
    ("Token_requesting_practitioner", practitioner),
];

fn refused(t: &mut Trial, about: &str, token: &Token, ids: Ids) -> Step {
    let request = t.usual_search().with("Authorization", token.bearer());
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
    let a = t.send(
        about,
        &t.usual_search().with("Authorization", token.bearer()),
    )?;
    let _ = t.status(&a, 200, ids, about);
    Ok(())
}

fn token(t: &Trial) -> Token {
    t.token(SLOT_READ)
}

/// A token with another value of one claim is refused.
fn wrong<'c>(
    t: &mut Trial,
    place: &str,
    values: impl IntoIterator<Item = (&'c str, Value)>,
    ids: Ids,
) -> Step {
    for (about, value) in values {
        let bent = token(t).claim(place, value);
        refused(t, about, &bent, ids)?;
    }
    Ok(())
}

/// A token without one of these is refused.
fn without(t: &mut Trial, places: &[&str], ids: Ids) -> Step {
    for place in places {
        let about = format!("without {place}");
        wrong(t, place, [(about.as_str(), Value::Null)], ids)?;
    }
    Ok(())
}

/// Missing, of another type, and (for texts) empty.
fn needed(t: &mut Trial, claim: &str, ids: Ids) -> Step {
    for (about, value) in [
        ("missing", Value::Null),
        ("of another type", json!([17])),
        ("empty", json!("")),
    ] {
        let about = format!("{claim} {about}");
        wrong(t, &format!("/{claim}"), [(about.as_str(), value)], ids)?;
    }
    Ok(())
}

fn form(t: &mut Trial) -> Step {
    let ids: Ids = &["P1", "NAT-JWT-01", "PROV-HDR-01"];
    let good = token(t);
    let (head, payload) = good.parts();
    let with_header = |header: Value| {
        let claims = good.claims.clone();
        Token { header, claims }.bearer()
    };
    let signed = with_header(json!({"alg": "HS256", "typ": "JWT"}));
    let twice = format!("Bearer {head}.{payload}. {head}.{payload}.");
    let plain = t.usual_search();
    let bare = plain.clone().without("Authorization");
    refused_as(t, "no Authorization", &bare, ids)?;
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
        ("two tokens", twice),
        ("alg HS256", signed),
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
    let other = json!("someone-else");
    let about = "sub unlike requesting_practitioner.id";
    wrong(t, "/sub", [(about, other)], ids)
}

fn aud(t: &mut Trial) -> Step {
    let ids: Ids = &["P1", "P3", "NAT-JWT-04"];
    needed(t, "aud", ids)?;
    let own = t.target.audience();
    let host: Vec<&str> = own.split('/').take(3).collect();
    let elsewhere = "https://elsewhere.example.nhs.uk/STU3/1/booking";
    let others = [
        ("another host", json!(elsewhere)),
        ("more than the root", json!(format!("{own}/Slot"))),
        ("another routing segment", json!(format!("{own}x"))),
        ("the host only", json!(host.join("/"))),
    ];
    wrong(t, "/aud", others, ids)?;
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
    let others = [
        ("iat as a text", json!(now.to_string())),
        ("iat in milliseconds", json!(now * 1000)),
        ("iat with a fraction", json!(now as f64 + 0.5)),
        ("iat negative", json!(-1)),
    ];
    wrong(t, "/iat", others, ids)?;
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
    let text = json!((now + 300).to_string());
    wrong(t, "/exp", [("exp as a text", text)], ids)?;
    let old = at(t, -240, 60);
    accepted(t, "a token of four minutes ago", &old, ids)
}

fn reason(t: &mut Trial) -> Step {
    let ids: Ids = &["P1", "NAT-JWT-07"];
    needed(t, "reason_for_request", ids)?;
    let other = "secondaryuses";
    wrong(t, "/reason_for_request", [(other, json!(other))], ids)
}

fn scope(t: &mut Trial) -> Step {
    let ids: Ids = &["P1", "P4", "NAT-JWT-08"];
    needed(t, "requested_scope", ids)?;
    let others = [
        WRITE,
        READ,
        "organization/slot.write",
        "organization/slot.reader",
        "organization/*.read",
    ];
    let others = others.map(|scope| (scope, json!(scope)));
    wrong(t, "/requested_scope", others, ids)?;
    let several = token(t).claim("/requested_scope", json!(format!("{READ} {SLOT_READ}")));
    accepted(t, "a list that holds the scope", &several, ids)
}

fn scopes(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let other = t.message()?;
    let wrong = [
        ("metadata", t.metadata(), READ),
        ("search", t.usual_search(), WRITE),
        ("book", t.book(&other), READ),
        ("book with slot scope", t.book(&other), SLOT_READ),
        ("read", t.read(&booked.id), WRITE),
        ("cancel", t.cancellation(&booked), READ),
    ];
    for (about, request, scope) in wrong {
        let token = t.token(scope);
        let request = request.with("Authorization", token.bearer());
        let about = format!("{about} under {scope}");
        refused_as(t, &about, &request, &["P4", "NAT-JWT-08", "D-23"])?;
    }
    Ok(())
}

fn device(t: &mut Trial) -> Step {
    let ids: Ids = &["P1", "NAT-JWT-09"];
    needed(t, "requesting_device", ids)?;
    let parts = [
        "/requesting_device/identifier",
        "/requesting_device/identifier/0/system",
        "/requesting_device/identifier/0/value",
        "/requesting_device/model",
        "/requesting_device/version",
    ];
    without(t, &parts, ids)
}

fn organization(t: &mut Trial) -> Step {
    let ids: Ids = &["P1", "NAT-JWT-10"];
    needed(t, "requesting_organization", ids)?;
    let parts = [
        "/requesting_organization/name",
        "/requesting_organization/identifier",
        "/requesting_organization/identifier/0/system",
        "/requesting_organization/identifier/0/value",
    ];
    without(t, &parts, ids)?;
    let other = json!("https://elsewhere.example/Id");
    let place = "/requesting_organization/identifier/0/system";
    let about = "an identifier of another system";
    wrong(t, place, [(about, other)], ids)
}

fn practitioner(t: &mut Trial) -> Step {
    let ids: Ids = &["P1", "NAT-JWT-11"];
    let none = token(t).claim("/requesting_practitioner", Value::Null);
    accepted(t, "no practitioner", &none, ids)?;
    let one = token(t)
        .claim("/requesting_practitioner/identifier/2", Value::Null)
        .claim("/requesting_practitioner/identifier/1", Value::Null);
    accepted(t, "a practitioner with one identifier", &one, ids)?;
    let no_prefix = token(t).claim("/requesting_practitioner/name/0/prefix", Value::Null);
    accepted(t, "a practitioner without prefix", &no_prefix, ids)?;
    let parts = [
        "/requesting_practitioner/id",
        "/requesting_practitioner/name",
        "/requesting_practitioner/name/0/family",
        "/requesting_practitioner/name/0/given",
    ];
    without(t, &parts, ids)
}
