//! Dates and times: the calendar, the spans that values stand for, both clock changes of Europe/London.

use fhir::primitive::{DateTime, Instant, Precision, format_instant};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// The span of a value read in Europe/London.
#[track_caller]
fn check(text: &str, start: &str, end: &str) {
    let zone = TimeZone::get("Europe/London").unwrap_or(TimeZone::UTC);
    let value = DateTime::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(value.range(&zone), (at(start), at(end)), "{text}");
}

#[test]
fn spans_are_as_long_as_the_value_is_vague() {
    check("2031", "2031-01-01T00:00:00Z", "2032-01-01T00:00:00Z");
    check("2031-07", "2031-06-30T23:00:00Z", "2031-07-31T23:00:00Z");
    check("2028-02", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z");
    check("2031-03-04", "2031-03-04T00:00:00Z", "2031-03-05T00:00:00Z");
    check(
        "2031-07-04T09:30",
        "2031-07-04T08:30:00Z",
        "2031-07-04T08:31:00Z",
    );
    check(
        "2031-03-04T09:30:15Z",
        "2031-03-04T09:30:15Z",
        "2031-03-04T09:30:16Z",
    );
    check(
        "2031-03-04T09:30:15.25-05:30",
        "2031-03-04T15:00:15.25Z",
        "2031-03-04T15:00:15.26Z",
    );
}

#[test]
fn spring_change() {
    // At 01:00 on 30 March 2031 the clocks go to 02:00.
    check("2031-03-30", "2031-03-30T00:00:00Z", "2031-03-30T23:00:00Z");
    check(
        "2031-03-30T00:59",
        "2031-03-30T00:59:00Z",
        "2031-03-30T01:00:00Z",
    );
    check(
        "2031-03-30T01:00",
        "2031-03-30T01:00:00Z",
        "2031-03-30T01:00:00Z",
    );
    check(
        "2031-03-30T01:30:00",
        "2031-03-30T01:00:00Z",
        "2031-03-30T01:00:00Z",
    );
    check(
        "2031-03-30T02:00",
        "2031-03-30T01:00:00Z",
        "2031-03-30T01:01:00Z",
    );
    check(
        "2031-03-30T01:30:00+00:00",
        "2031-03-30T01:30:00Z",
        "2031-03-30T01:30:01Z",
    );
}

#[test]
fn autumn_change() {
    // At 02:00 on 26 October 2031 the clocks go back to 01:00.
    check("2031-10-26", "2031-10-25T23:00:00Z", "2031-10-27T00:00:00Z");
    check(
        "2031-10-26T00:59",
        "2031-10-25T23:59:00Z",
        "2031-10-26T00:00:00Z",
    );
    check(
        "2031-10-26T01:30",
        "2031-10-26T00:30:00Z",
        "2031-10-26T01:31:00Z",
    );
    check(
        "2031-10-26T02:00",
        "2031-10-26T02:00:00Z",
        "2031-10-26T02:01:00Z",
    );
    check(
        "2031-10-26T01:30:00+01:00",
        "2031-10-26T00:30:00Z",
        "2031-10-26T00:30:01Z",
    );
}

#[test]
fn what_is_no_date_is_refused_with_what_would_be_right() {
    for (text, right) in [
        ("2031-02-29", "01 to 28"),
        ("2031-04-31", "01 to 30"),
        ("2031-13", "01 to 12"),
        ("2031-00", "01 to 12"),
        ("2031-01-00", "01 to 31"),
        ("0000", "0001"),
        ("31", "YYYY"),
        ("2031-3-4", "YYYY-MM-DD"),
        ("2031-03-04T24:00:00Z", "00:00 to 23:59"),
        ("2031-03-04T09:60:00Z", "00:00 to 23:59"),
        ("2031-03-04T23:59:60Z", "leap seconds"),
        ("2031-03-04T09:30:00.Z", "fraction"),
        ("2031-03-04T09:30:00+15:00", "+14:00"),
        ("2031-03-04T09:30:00+14:30", "+14:00"),
        ("2031-03-04T09:30:00+0100", "+01:00"),
        ("2031-03-04T09:30:00z", "Z"),
        ("2031-03-04 09:30:00Z", "T"),
        ("2031T09:30:00Z", "whole date"),
        ("２０３１", "YYYY"),
    ] {
        match DateTime::parse(text) {
            Ok(_) => panic!("{text} was accepted"),
            Err(e) => assert!(e.message().contains(right), "{text}: {e}"),
        }
    }
}

#[test]
fn elements_are_stricter_than_search_parameters() {
    assert!(DateTime::parse("2031-03-04T09:30").is_ok());
    assert!(DateTime::check_element("2031-03-04T09:30").is_err());
    assert!(DateTime::check_element("2031-03-04T09:30:00").is_err());
    assert!(DateTime::check_element("2031-03-04T09:30:00Z").is_ok());
    assert!(DateTime::check_element("2031-03").is_ok());
    assert!(DateTime::check_date("2031-03-04").is_ok());
    assert!(DateTime::check_date("2031-03-04T09:30:00Z").is_err());
    for text in [
        "2031",
        "2031-03-04",
        "2031-03-04T09:30Z",
        "2031-03-04T09:30:00",
    ] {
        assert!(Instant::parse(text).is_err(), "{text}");
    }
}

#[test]
fn precision_is_kept() {
    for (text, precision) in [
        ("2031", Precision::Year),
        ("2031-03", Precision::Month),
        ("2031-03-04", Precision::Day),
        ("2031-03-04T09:30", Precision::Minute),
        ("2031-03-04T09:30:00Z", Precision::Second),
        ("2031-03-04T09:30:00.120Z", Precision::Fraction(3)),
    ] {
        assert_eq!(
            DateTime::parse(text).map(|d| d.precision()),
            Ok(precision),
            "{text}"
        );
    }
}

#[test]
fn instants_keep_their_text_and_are_written_in_utc() {
    let text = "2031-07-04T09:30:00.5+01:00";
    let instant = Instant::parse(text).unwrap();
    assert_eq!(instant.text(), text);
    assert_eq!(
        format_instant(instant.timestamp()),
        "2031-07-04T08:30:00.500+00:00"
    );
    assert_eq!(
        format_instant(at("2031-07-04T08:30:00.9999Z")),
        "2031-07-04T08:30:00.999+00:00"
    );
}

#[test]
fn the_ends_of_time_do_not_panic() {
    let zone = TimeZone::UTC;
    for text in [
        "0001",
        "9999",
        "9999-12-31T23:59:59.999999999-14:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31",
    ] {
        let (start, end) = DateTime::parse(text).unwrap().range(&zone);
        assert!(start <= end, "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
        let _ = DateTime::parse(&text);
        let _ = Instant::parse(&text);
    }

    #[test]
    fn any_near_miss_is_read_or_refused(text in "[0-9T:.Z+-]{0,30}") {
        if let Ok(value) = DateTime::parse(&text) {
            let (start, end) = value.range(&TimeZone::UTC);
            prop_assert!(start <= end);
        }
    }

    /// The calendar agrees with jiff's for every day and month, real or not.
    #[test]
    fn the_calendar_is_real(year in 1_i16..9999, month in 0_i8..=13, day in 0_i8..=32) {
        let text = format!("{year:04}-{month:02}-{day:02}");
        let real = jiff::civil::Date::new(year, month, day).is_ok();
        prop_assert_eq!(DateTime::parse(&text).is_ok(), real);
    }

    /// Writing and reading an instant gives the same moment, to the millisecond.
    #[test]
    fn instants_round_trip(seconds in -60_000_000_000_i64..250_000_000_000, millis in 0_i32..1000) {
        let moment = Timestamp::new(seconds, millis * 1_000_000 * if seconds < 0 { -1 } else { 1 }).unwrap();
        let instant = Instant::parse(&format_instant(moment)).unwrap();
        prop_assert_eq!(instant.timestamp(), moment);
    }

    /// Every moment of a year lies in the span of the local day and of the local minute that a clock shows.
    #[test]
    fn a_moment_lies_in_its_own_span(minute in 0_i64..525_600) {
        let zone = TimeZone::get("Europe/London").unwrap();
        let moment = at("2031-01-01T00:00:00Z") + SignedDuration::from_mins(minute);
        let local = moment.to_zoned(zone.clone());
        for format in ["%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"] {
            let (start, end) = DateTime::parse(&local.strftime(format).to_string()).unwrap().range(&zone);
            prop_assert!(start <= moment && moment < end, "{} {} {}", start, moment, end);
        }
    }
}
