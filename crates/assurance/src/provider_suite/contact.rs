//! Group B: the contact-rank rule (`resources.md`, RES-RANK): exactly one contact point comes first.

use booking::situation::Situation;
use serde_json::{Value, json};

use super::messages::{contact_only, with};
use super::registry::Table;
use super::trial::{Ids, Step, Trial};

const RANK: Ids = &["RES-RANK-02", "D-05"];

/// The tests of this file.
pub(super) const TESTS: Table = &[
    ("BookAppointment_TwoRank1", |t| {
        refused(
            t,
            "two contact points of rank 1",
            &[("/Patient/contact/0/telecom/0/rank", json!(1))],
        )
    }),
    ("BookAppointment_NoRank1", |t| {
        refused(t, "ranks 2 and 2", &[("/Patient/telecom/0/rank", json!(2))])
    }),
    ("Contact_NoRank", |t| {
        refused(
            t,
            "a telecom without rank",
            &[("/Patient/contact/0/telecom/0/rank", Value::Null)],
        )
    }),
    ("Contact_None", |t| {
        refused(
            t,
            "no contact point",
            &[
                ("/Patient/telecom", Value::Null),
                ("/Patient/contact", Value::Null),
            ],
        )
    }),
    ("Contact_TwoRank1InTelecom", |t| {
        let second =
            json!({"system": "phone", "value": "07700 900457", "use": "mobile", "rank": 1});
        refused(
            t,
            "two telephones of rank 1",
            &[("/Patient/telecom/-", second)],
        )
    }),
    ("Contact_OrderMeansNothing", order),
    ("Contact_ThirdPartyFirst", third_party_first),
];

fn refused(t: &mut Trial, about: &str, changes: &[(&str, Value)]) -> Step {
    let slot = t.slot()?;
    let mut message = t.booking(&slot);
    for (place, value) in changes {
        message = with(message, place, value.clone());
    }
    let a = t
        .ask(about, &t.book(&message))
        .refused(Situation::ContactRank, RANK)?;
    if a.status != 400 {
        return Ok(());
    }
    // What was refused has left the slot free.
    let message = t.booking(&slot);
    let a = t.send("book the same slot rightly", &t.book(&message))?;
    t.status(
        &a,
        201,
        &["P24", "PROV-BOOK-01"],
        "the slot of a refused booking",
    )
}

fn order(t: &mut Trial) -> Step {
    let telecom = json!([
        {"system": "email", "value": "odette@example.org", "rank": 3},
        {"system": "phone", "value": "07700 900457", "use": "mobile", "rank": 2},
        {"system": "phone", "value": "01632 960123", "use": "home", "rank": 1},
    ]);
    let message = with(t.message()?, "/Patient/telecom", telecom);
    let request = t.book(&message);
    let a = t.send("book with rank 1 last and two of rank 2", &request)?;
    t.status(
        &a,
        201,
        &["RES-RANK-01", "RES-RANK-03"],
        "rank 1 last, two of rank 2",
    )
}

fn third_party_first(t: &mut Trial) -> Step {
    let own = json!([{"system": "phone", "value": "01632 960123", "use": "home", "rank": 2}]);
    let message = with(contact_only(t.message()?), "/Patient/telecom", own);
    let request = t.book(&message);
    let a = t.send("book with the third party first", &request)?;
    t.status(
        &a,
        201,
        &["PROV-BOOK-06", "RES-RANK-02"],
        "third party of rank 1, patient of rank 2",
    )
}
