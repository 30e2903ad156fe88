//! Who may book what, and when; the shortened appointment of a search by patient; check digits.

use super::messages;
use booking::ids::{Asid, NhsNumber, OdsCode, check_digit};
use booking::patient_summary::search_entry;
use booking::rules::release::{
    Audience, Cap, CapPer, ConsumerFacts, ReleaseRule, Withheld, may_book,
};
use fhir::Element;
use jiff::Timestamp;
use proptest::prelude::*;

fn who() -> ConsumerFacts {
    ConsumerFacts {
        asid: Some(Asid::parse("918999000099").unwrap()),
        ods: OdsCode::parse("FX900").unwrap(),
        ods_believed: true,
        kind: Some("111".to_owned()),
        may_search: true,
        may_book: true,
        may_cancel: true,
        may_read: true,
    }
}

fn rule() -> ReleaseRule {
    ReleaseRule {
        audience: Audience::Any,
        cap: None,
        embargo_minutes: None,
        cutoff_minutes: None,
    }
}

fn only(kinds: &[&str], ods: &[&str]) -> Audience {
    Audience::Only {
        kinds: kinds.iter().map(|k| (*k).to_owned()).collect(),
        ods: ods.iter().map(|o| OdsCode::parse(o).unwrap()).collect(),
        asids: vec![],
    }
}

const START: &str = "2031-03-04T09:30:00Z";

fn verdict(rules: &[ReleaseRule], now: &str, booked: u32) -> Result<(), Withheld> {
    let rules: Vec<&ReleaseRule> = rules.iter().collect();
    may_book(
        &rules,
        &who(),
        START.parse().unwrap(),
        now.parse().unwrap(),
        false,
        |_| booked,
    )
}

/// Proves: PROV-SLOT-21, ERR-07
#[test]
fn without_rules_any_consumer_books_until_the_start() {
    assert_eq!(verdict(&[], "2031-03-04T09:29:59Z", 0), Ok(()));
    assert_eq!(verdict(&[], START, 0), Err(Withheld::TooLate));
    let start: Timestamp = START.parse().unwrap();
    let now: Timestamp = messages::now();
    let barred = ConsumerFacts {
        may_book: false,
        ..who()
    };
    assert_eq!(
        may_book(&[], &barred, start, now, false, |_| 0),
        Err(Withheld::ConsumerMayNotBook)
    );
    assert_eq!(
        may_book(&[], &who(), start, now, true, |_| 0),
        Err(Withheld::HeldBack)
    );
}

/// Proves: PROV-SLOT-21
#[test]
fn audience_cap_embargo_and_cutoff() {
    let now = "2031-03-04T08:30:00Z";
    let others = ReleaseRule {
        audience: only(&["cas"], &["FX901"]),
        ..rule()
    };
    assert_eq!(
        verdict(std::slice::from_ref(&others), now, 0),
        Err(Withheld::NotInAudience)
    );
    for audience in [
        only(&["111"], &[]),
        only(&[], &["FX900"]),
        only(&["CAS", "111"], &[]),
    ] {
        assert_eq!(
            verdict(&[ReleaseRule { audience, ..rule() }], now, 0),
            Ok(())
        );
    }
    let capped = ReleaseRule {
        cap: Some(Cap {
            per: CapPer::Consumer,
            limit: 2,
        }),
        ..rule()
    };
    assert_eq!(verdict(std::slice::from_ref(&capped), now, 1), Ok(()));
    assert_eq!(
        verdict(std::slice::from_ref(&capped), now, 2),
        Err(Withheld::CapReached { limit: 2 })
    );
    let embargoed = ReleaseRule {
        embargo_minutes: Some(60),
        ..rule()
    };
    assert_eq!(verdict(std::slice::from_ref(&embargoed), now, 0), Ok(()));
    let until = "2031-03-04T08:30:00Z".parse().unwrap();
    assert_eq!(
        verdict(std::slice::from_ref(&embargoed), "2031-03-04T08:29:59Z", 0),
        Err(Withheld::Embargoed { until })
    );
    let cutoff = ReleaseRule {
        cutoff_minutes: Some(60),
        ..rule()
    };
    assert_eq!(verdict(std::slice::from_ref(&cutoff), now, 0), Ok(()));
    assert_eq!(
        verdict(std::slice::from_ref(&cutoff), "2031-03-04T08:30:01Z", 0),
        Err(Withheld::TooLate)
    );
    // One rule that admits is enough; a reason made for this consumer is given before "for others".
    assert_eq!(
        verdict(&[others.clone(), capped.clone(), rule()], now, 9),
        Ok(())
    );
    assert_eq!(
        verdict(&[others, capped], now, 9),
        Err(Withheld::CapReached { limit: 2 })
    );
}

/// Proves: PROV-SLOT-14
#[test]
fn every_reason_is_a_sentence() {
    let until = START.parse().unwrap();
    for withheld in [
        Withheld::ConsumerMayNotBook,
        Withheld::NotInAudience,
        Withheld::CapReached { limit: 3 },
        Withheld::Embargoed { until },
        Withheld::TooLate,
        Withheld::HeldBack,
        Withheld::ForTestSystems,
        Withheld::TestSystem,
    ] {
        let sentence = withheld.sentence();
        assert!(sentence.ends_with('.') && sentence.len() > 20, "{sentence}");
    }
}

/// Proves: PROV-SRCH-03
#[test]
fn a_summary_has_only_the_listed_elements() {
    let stored = messages::parse(&messages::booking())
        .root
        .with(Element::text("id", "a-1"));
    let entry = search_entry(
        &stored,
        "https://provider.example.nhs.uk/STU3/1/FX101/Appointment/a-1",
    );
    let names: Vec<&str> = entry.children().iter().map(Element::name).collect();
    assert_eq!(
        names,
        [
            "id",
            "meta",
            "identifier",
            "status",
            "start",
            "end",
            "created",
            "participant"
        ]
    );
    assert_eq!(
        entry.at("identifier.system").unwrap().as_str(),
        Some("urn:ietf:rfc:3986")
    );
    let participant = entry.get("participant").unwrap();
    assert_eq!(
        participant.at("actor.identifier.value").unwrap().as_str(),
        Some("9990123454")
    );
    assert_eq!(participant.str_of("status"), Some("accepted"));
    assert!(participant.at("actor.identifier.extension").is_none());
    assert!(participant.at("actor.display").is_none());
}

proptest! {
    /// Proves: ERR-18
    #[test]
    fn one_check_digit_fits_and_no_other(nine in "[0-9]{9}") {
        let fits: Vec<u32> = (0..10).filter(|d| NhsNumber::parse(&format!("{nine}{d}")).is_ok()).collect();
        let expected: Vec<u32> = check_digit(nine.as_bytes()).map(u32::from).into_iter().collect();
        prop_assert_eq!(fits, expected);
    }
}
