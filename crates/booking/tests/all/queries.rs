//! The queries of slot and appointment searches.

use booking::instant::london;
use booking::refusal::Refusal;
use booking::slot::SlotStatus;
use booking::wire::appointment_query::AppointmentQuery;
use booking::wire::query::{MAX_PARAMETERS, MAX_QUERY, parameters};
use booking::wire::slot_query::{SlotQuery, StatusSet, Window};
use fhir::Element;
use jiff::Timestamp;
use proptest::prelude::*;

const NOW: &str = "2031-03-04T08:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn search(query: &str) -> Result<SlotQuery, Refusal> {
    SlotQuery::parse(
        query,
        at(NOW),
        &london(),
        &Window {
            default_hours: 72,
            max_days: 31,
        },
    )
}

fn slots(criteria: &str) -> SlotQuery {
    search(&format!("service=2000000011&{criteria}")).unwrap_or_else(|r| panic!("{criteria}: {r}"))
}

#[track_caller]
fn bad(criteria: &str, place: &str) {
    let refusal = search(&format!("service=2000000011&{criteria}"))
        .map(|_| ())
        .expect_err(criteria);
    assert_eq!(
        (refusal.status(), refusal.findings[0].location.as_deref()),
        (400, Some(place)),
        "{criteria}: {refusal}"
    );
}

/// Proves: PROV-SLOT-01
#[test]
fn the_service_in_every_spelling() {
    for name in [
        "schedule.actor:healthcareservice",
        "schedule.actor%3Ahealthcareservice",
        "schedule.actor:HealthcareService",
        "SCHEDULE.ACTOR:HEALTHCARESERVICE",
        "schedule.actor:HealthcareService.identifier",
        "service",
    ] {
        for value in [
            "2000000011",
            "%7C2000000011",
            "|2000000011",
            "https://fhir.nhs.uk/Id/dos-service-id|2000000011",
            "urn%3Aother%7C2000000011",
            "HealthcareService/2000000011",
            "HealthcareService%2F2000000011",
        ] {
            let query = search(&format!("{name}={value}"))
                .unwrap_or_else(|r| panic!("{name}={value}: {r}"));
            assert_eq!(query.service.as_str(), "2000000011");
        }
    }
    assert!(search("service=1&schedule.actor:healthcareservice=1").is_ok());
    for query in [
        "service=1&schedule.actor:healthcareservice=2",
        "service=",
        "service=a%20b",
        "service=a,b",
        "service=x|",
    ] {
        assert_eq!(search(query).unwrap_err().status(), 400, "{query}");
    }
}

/// Proves: PROV-SLOT-02, D-09, ERR-01
#[test]
fn without_service_it_is_refused_by_name() {
    let refusal = search("start=ge2031-03-04").unwrap_err();
    assert_eq!(refusal.status(), 400);
    assert_eq!(
        refusal.findings[0].location.as_deref(),
        Some("http.schedule.actor:healthcareservice")
    );
}

/// Proves: PROV-SLOT-03
#[test]
fn start_bounds_with_every_prefix_and_spelling() {
    for (value, lower, upper) in [
        ("ge2031-03-05T09:00:00Z", true, None),
        ("gt2031-03-05T09:00:00Z", false, None),
        ("ge2031-03-05T09:00:00.000%2B00:00", true, None),
        ("ge2031-03-05T09%3A00%3A00%2B00%3A00", true, None),
        ("ge2031-03-05T10:00:00+01:00", true, None),
        ("ge2031-03-05T10:00:00 01:00", true, None),
        ("ge2031-03-05T10:00:00.0+01:00", true, None),
        ("ge2031-03-05t09:00:00z", true, None),
        ("ge2031-03-05T03:00:00-06:00", true, None),
        ("2031-03-05T09:00:00Z", true, Some(true)),
        ("eq2031-03-05T09:00:00Z", true, Some(true)),
    ] {
        let query = slots(&format!("start={value}"));
        let bound = query.lower.unwrap();
        assert_eq!(
            (bound.at, bound.inclusive),
            (at("2031-03-05T09:00:00Z"), lower),
            "{value}"
        );
        if let Some(inclusive) = upper {
            let bound = query.upper.unwrap();
            assert_eq!(
                (bound.at, bound.inclusive),
                (at("2031-03-05T09:00:00Z"), inclusive),
                "{value}"
            );
        }
    }
    for (value, inclusive) in [
        ("le2031-03-05T09:00:00Z", true),
        ("lt2031-03-05T09:00:00Z", false),
    ] {
        let bound = slots(&format!("start={value}")).upper.unwrap();
        assert_eq!(
            (bound.at, bound.inclusive),
            (at("2031-03-05T09:00:00Z"), inclusive)
        );
    }
    // All are ANDed: the narrowest holds.
    let query = slots(
        "start=ge2031-03-05T09:00:00Z&start=gt2031-03-05T09:00:00Z&start=le2031-03-07&start=lt2031-03-06T00:00:00Z",
    );
    assert!(!query.covers(at("2031-03-05T09:00:00Z")));
    assert!(query.covers(at("2031-03-05T09:00:01Z")));
    assert!(!query.covers(at("2031-03-06T00:00:00Z")));
}

/// Proves: PROV-SLOT-04, D-19
#[test]
fn partial_dates_and_local_times_are_london_time() {
    let query = slots("start=2031-03-31");
    assert!(query.covers(at("2031-03-30T23:00:00Z")), "summer time");
    assert!(!query.covers(at("2031-03-31T23:00:00Z")));
    let query = slots("start=ge2031-03-05&start=le2031-03-06");
    assert!(query.covers(at("2031-03-06T23:59:59Z")));
    assert!(!query.covers(at("2031-03-07T00:00:00Z")));
    assert!(!slots("start=gt2031-03-05").covers(at("2031-03-05T12:00:00Z")));
    assert!(!slots("start=lt2031-03-05").covers(at("2031-03-05T00:00:00Z")));
    let query = slots("start=ge2031-03-31T10:00:00&start=lt2031-03-31T11:00");
    assert!(query.covers(at("2031-03-31T09:00:00Z")) && !query.covers(at("2031-03-31T10:00:00Z")));
    assert_eq!(
        slots("start=2031-04").lower.unwrap().at,
        at("2031-03-31T23:00:00Z")
    );
    // Clocks go back on 26 October 2031: 01:30 stands for two moments, and the wider window holds both.
    let now = at("2031-10-25T00:00:00Z");
    let query = SlotQuery::parse(
        "service=1&start=ge2031-10-26T01:30:00&start=le2031-10-26T01:30:00",
        now,
        &london(),
        &Window::default(),
    )
    .unwrap();
    assert!(query.covers(at("2031-10-26T00:30:00Z")) && query.covers(at("2031-10-26T01:30:00Z")));
}

/// Proves: PROV-SLOT-04, ERR-01
#[test]
fn other_prefixes_and_no_dates_are_refused() {
    for value in [
        "ne2031-03-05",
        "sa2031-03-05",
        "eb2031-03-05",
        "ap2031-03-05",
        "",
        "ge",
        "tomorrow",
        "ge2031-02-30",
        "ge2031-3-5",
        "ge2031-03-05T25:00:00Z",
        "ge2031-03-05T09:00:00+0100",
        "ge2031-03-05T09:00:00+15:00",
        "ge2031-03-05 09:00:00Z",
        "ge2031-03T09:00:00Z",
        "GE2031-03-05",
        "ge20310305",
        "ge2031-03-05,2031-03-06",
        "ge%E2%91%A0031-03-05",
        "ge2031-03-05T09:00:00.Z",
    ] {
        bad(&format!("start={value}"), "http.start");
    }
}

/// Proves: PROV-SLOT-05, PROV-SLOT-20
#[test]
fn missing_bounds_come_from_the_window_and_long_spans_are_shortened() {
    let now = at(NOW);
    let query = slots("");
    assert_eq!(
        (query.lower.unwrap().at, query.upper.unwrap().at),
        (now, at("2031-03-07T08:00:00Z"))
    );
    let query = slots("start=ge2031-03-10T00:00:00Z");
    assert_eq!(query.upper.unwrap().at, at("2031-03-13T00:00:00Z"));
    let query = slots("start=le2031-03-05T00:00:00Z");
    assert_eq!(query.lower.unwrap().at, now);
    let query = slots("start=ge2031-03-05T00:00:00Z&start=le2032-03-05T00:00:00Z");
    assert_eq!(query.upper.unwrap().at, at("2031-04-05T00:00:00Z"));
    assert!(
        query.self_query.contains("start=le2031-04-05T00:00:00Z"),
        "{}",
        query.self_query
    );
    let said = query.shortened_sentence().expect("a sentence");
    assert!(
        said.contains("to 2031-04-05T00:00:00Z were searched"),
        "{said}"
    );
    // Times gone by are given up before times to come.
    let query = slots("start=ge2020-01-01T00:00:00Z&start=le2031-03-06T00:00:00Z");
    assert_eq!(
        (query.lower.unwrap().at, query.upper.unwrap().at),
        (now, at("2031-03-06T00:00:00Z"))
    );
    assert!(query.shortened_sentence().is_some());
    // What is searched as asked, or for want of a bound, is not shortened.
    for criteria in ["", "start=ge2031-03-05", "start=le2031-03-20"] {
        assert_eq!(slots(criteria).shortened_sentence(), None, "{criteria}");
    }
}

/// Proves: PROV-SLOT-06, D-10
#[test]
fn bounds_all_in_the_past_are_refused_and_inverted_ones_are_not() {
    for criteria in [
        "start=ge2031-03-01T00:00:00Z&start=le2031-03-02T00:00:00Z",
        "start=le2031-03-04T07:59:59Z",
        "start=ge2031-03-01",
        "start=2031-03-03",
        "start=eq2031-03-04T07:00:00Z",
        "start=ge2031-03-04T07:00:00Z",
    ] {
        bad(criteria, "http.start");
    }
    let query = slots("start=ge2031-03-01T00:00:00Z&start=le2031-03-05T00:00:00Z");
    assert_eq!(query.lower.unwrap().at, at("2031-03-01T00:00:00Z"));
    let query = slots("start=ge2031-03-10T00:00:00Z&start=le2031-03-08T00:00:00Z");
    assert!(query.lower.unwrap().at > query.upper.unwrap().at);
    // Today as a date is not over; a lower bound of a moment ago is the time at which the request was made.
    slots("start=ge2031-03-04");
    slots("start=ge2031-03-04T07:59:30Z");
}

/// Proves: PROV-SLOT-07, D-11
#[test]
fn statuses_are_a_list_and_all_when_absent() {
    assert_eq!(slots("").statuses, StatusSet::ALL);
    let free_busy = StatusSet::NONE
        .with(SlotStatus::Free)
        .with(SlotStatus::Busy);
    for criteria in [
        "status=free,busy",
        "status=free%2Cbusy",
        "status=busy&status=free",
        "status=%7Cfree,http://hl7.org/fhir/slotstatus|busy",
    ] {
        assert_eq!(slots(criteria).statuses, free_busy, "{criteria}");
    }
    let all = slots("status=free,busy,busy-unavailable,busy-tentative,entered-in-error").statuses;
    assert_eq!(all, StatusSet::ALL);
    for criteria in [
        "status=",
        "status=Free",
        "status=open",
        "status=free,",
        "status=urn:x|free",
    ] {
        bad(criteria, "http.status");
    }
}

/// Proves: PROV-SLOT-08, PROV-SLOT-09, PROV-SLOT-10, PROV-SLOT-15
#[test]
fn includes_in_every_form_closed_over_what_can_be_reached() {
    for name in [
        "_include",
        "_INCLUDE",
        "_include:iterate",
        "_include.recurse",
        "_include%3Aiterate",
        "_include:Recurse",
    ] {
        let query = slots(&format!(
            "{name}=Slot:schedule&{name}=schedule.ACTOR:practitioner&{name}=Schedule:actor:PractitionerRole&\
             {name}=Schedule%3Aactor%3AHealthcareService&{name}=HealthcareService.providedBy&{name}=HealthcareService:Location"
        ));
        let i = query.includes;
        assert!(
            i.schedule
                && i.practitioner
                && i.practitioner_role
                && i.healthcare_service
                && i.location
                && i.organization,
            "{name}"
        );
    }
    for value in [
        "HealthcareService:organization",
        "HealthcareService:Organization",
        "HealthcareService:providedby",
    ] {
        let base = "_include=Slot:schedule&_include=Schedule:actor:HealthcareService";
        assert!(
            slots(&format!("{base}&_include={value}"))
                .includes
                .organization,
            "{value}"
        );
    }
    let i = slots(
        "_include=HealthcareService:location&_include=Slot:schedule&_include=nonsense&_include=",
    )
    .includes;
    assert!(i.schedule && !i.location && !i.healthcare_service);
    assert!(
        !slots("_include=Schedule:actor:Practitioner")
            .includes
            .practitioner
    );
    assert_eq!(
        slots("_revinclude=Appointment:slot&_revinclude=x").includes,
        Default::default()
    );
}

/// Proves: PROV-SLOT-11, D-07
#[test]
fn misspelt_criteria_are_refused_and_other_unknown_ones_ignored() {
    for name in [
        "startXXXXXXX",
        "start-date",
        "start_",
        "starts",
        "status1",
        "statuses",
    ] {
        bad(&format!("{name}=ge2031-03-05"), &format!("http.{name}"));
    }
    let query = slots("_count=5&_format=json&Start=x&star=1&specialty=x&start.x=1&foo");
    assert!(!query.self_query.contains("_count") && !query.self_query.contains("_format"));
}

/// Proves: PROV-SLOT-11, PROV-SRCH-01
#[test]
fn modifiers_of_known_parameters_are_refused() {
    for name in [
        "status:not",
        "start:ge",
        "start:missing",
        "start:",
        "Status:not",
        "service:not",
        "schedule.actor:missing",
        "schedule.actor:Practitioner",
        "schedule.actor:healthcareservice:not",
        "Schedule.Actor:HealthcareService.identifier:in",
    ] {
        bad(&format!("{name}=free"), &format!("http.{name}"));
    }
    slots("_include:iterate=Slot:schedule&_revinclude:iterate=x&colour:not=blue");
    let nobody = "patient.identifier=9990123454";
    for name in [
        "start:ge",
        "startX",
        "_id:not",
        "version:missing",
        "patient:missing",
        "patient:Patient.name",
        "Patient.Identifier:not",
        "participant.actor:Practitioner",
    ] {
        let refusal =
            AppointmentQuery::parse(&format!("{nobody}&{name}=1"), &london()).unwrap_err();
        assert_eq!(refusal.status(), 400, "{name}");
        let place = refusal.findings[0].location.clone();
        assert_eq!(place, Some(format!("http.{name}")));
    }
    assert!(AppointmentQuery::parse(&format!("{nobody}&colour:not=blue&foo=1"), &london()).is_ok());
}

/// Proves: PROV-SLOT-12
#[test]
fn the_self_link_shows_the_criteria_as_understood_and_reads_back_the_same() {
    let query = slots(
        "_include=Schedule:actor:HealthcareService&status=busy%2Cfree&start=lt2031-03-06T01:00:00%2B01:00&\
         start=ge2031-03-05T00:00:00Z&_include:iterate=Slot.schedule&x=1",
    );
    assert_eq!(
        query.self_query,
        "schedule.actor:healthcareservice=2000000011&start=ge2031-03-05T00:00:00Z&start=lt2031-03-06T00:00:00Z&\
         status=free,busy&_include=Slot:schedule&_include=Schedule:actor:HealthcareService"
    );
    assert_eq!(search(&query.self_query).unwrap(), query);
}

/// Proves: ERR-01
#[test]
fn queries_are_bounded_and_decoded_precisely() {
    assert_eq!(
        parameters("a=1&&b=%41+c&d").unwrap(),
        [("a", "1"), ("b", "A c"), ("d", "")].map(|(a, b)| (a.into(), b.into()))
    );
    for bad in [
        "a=%", "a=%4", "a=%zz", "a=%ff", "%c3=1", "a=%00", "a=%0d%0a",
    ] {
        assert_eq!(parameters(bad).unwrap_err().status(), 400, "{bad}");
    }
    assert!(parameters(&"a&".repeat(MAX_PARAMETERS)).is_ok());
    assert!(parameters(&"a&".repeat(MAX_PARAMETERS + 1)).is_err());
    assert!(parameters(&"a".repeat(MAX_QUERY + 1)).is_err());
}

fn appointments(query: &str) -> Result<AppointmentQuery, Refusal> {
    AppointmentQuery::parse(query, &london())
}

/// Proves: PROV-SRCH-01
#[test]
fn a_patient_under_every_name() {
    for name in [
        "Appointment.participant.actor:Patient.identifier",
        "Appointment.participant.actor",
        "participant.actor:Patient.identifier",
        "patient.identifier",
        "patient:Patient.identifier",
        "Patient",
        "patient",
        "identifier",
        "patient%3APatient.identifier",
    ] {
        for value in [
            "https://fhir.nhs.uk/Id/nhs-number|9990123454",
            "https%3A%2F%2Ffhir.nhs.uk%2FId%2Fnhs-number%7C9990123454",
            "9990123454",
            "|9990123454",
        ] {
            let query = appointments(&format!("{name}={value}"))
                .unwrap_or_else(|r| panic!("{name}={value}: {r}"));
            assert_eq!(query.nhs_number.as_ref().unwrap().as_str(), "9990123454");
            assert!(!format!("{query:?}").contains("9990123454"));
        }
    }
    let query = appointments("_id=a-1&version=2").unwrap();
    assert_eq!(
        (query.id.unwrap().as_str(), query.version),
        ("a-1", Some(2))
    );
}

/// Proves: PROV-SRCH-01, ERR-01, PROV-ERR-04
#[test]
fn a_search_that_names_no_patient_is_refused() {
    for query in [
        "",
        "version=1",
        "foo=1",
        "patient=",
        "patient=9990123455",
        "patient=urn:other|9990123454",
        "patient=9990123454&identifier=9990000018",
        "_id=a/b",
        "_id=1&version=A",
        "patient=9990123454&version=abc",
        "patient=9990123454&version=01",
        "patient=9990123454&version=0",
        "patient=9990123454&version=+1",
        "patient=9990123454&version=99999999999999999999",
        "_id=1&start=x",
    ] {
        let refusal = appointments(query).map(|_| ()).expect_err(query);
        assert_eq!(refusal.status(), 400, "{query}");
        assert!(!refusal.to_string().contains("999012345"), "{refusal}");
    }
}

/// Proves: PROV-SRCH-02, PROV-SRCH-04
#[test]
fn past_appointments_are_left_out_unless_asked_for() {
    let past = Element::resource("Appointment")
        .with(Element::text("start", "2031-03-01T09:00:00Z"))
        .with(Element::text("end", "2031-03-01T09:10:00Z"));
    let covers = |query: &str| appointments(query).unwrap().covers(&past, at(NOW));
    assert!(!covers("patient=9990123454"));
    assert!(covers(
        "patient=9990123454&start=ge2031-03-01&start=le2031-03-02"
    ));
    assert!(!covers("patient=9990123454&start=ge2031-03-02"));
    assert!(covers("_id=a-1"));
}

/// Proves: PROV-SRCH-02, D-57
#[test]
fn a_search_for_appointments_by_state_and_page() {
    let query = appointments("patient=9990123454&status=booked,cancelled&_count=20").unwrap();
    assert_eq!(query.statuses, ["booked", "cancelled"]);
    assert_eq!((query.count, query.after.as_deref()), (Some(20), None));
    let next = query.page_query(Some("1.1898510400000.12"));
    assert!(
        next.ends_with("&status=booked,cancelled&_count=20&_after=1.1898510400000.12"),
        "{next}"
    );
    let again = appointments(&next).unwrap();
    assert_eq!(again.after.as_deref(), Some("1.1898510400000.12"));
    assert_eq!(again.self_query, query.self_query);
    for wrong in [
        "status=bookd",
        "status=",
        "status:not=booked",
        "statuses=booked",
        "_count=many",
        "_count=-1",
        "_after=",
        "_after=%3Cb%3E",
    ] {
        let refused = appointments(&format!("patient=9990123454&{wrong}")).map(|_| ());
        assert_eq!(refused.expect_err(wrong).status(), 400, "{wrong}");
    }
}

proptest! {
    /// Proves: ERR-01
    #[test]
    fn no_query_panics(query in ".{0,200}") {
        let _ = search(&query);
        let _ = appointments(&query);
    }

    /// Proves: ERR-01
    #[test]
    fn no_criteria_panic(
        start in "(ge|gt|le|lt|eq|ne)?[0-9]{1,5}(-[0-9]{1,3}){0,2}([Tt ][0-9:.]{0,12})?([Zz]|[-+ ][0-9:]{0,6})?",
        status in "[a-z,|%-]{0,20}",
    ) {
        if let Ok(query) = search(&format!("service=1&start={start}&status={status}")) {
            prop_assert!(search(&query.self_query).is_ok(), "{}", query.self_query);
        }
    }
}
