//! Slots from clinics: Europe/London on ordinary days and on both clock-change days, exceptions, validity.

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use provider::diary::declaration::read::read;
use provider::diary::declaration::{Session, Template};
use provider::diary::generate::{Wanted, day_start, london_date, session_slots, template_slots};

const HEAD: &str = r#"
[provider]
ods = "FX101"
asid = "918999000011"
name = "Test"
[[service]]
id = "1"
name = "Clinic"
[[schedule]]
id = "s"
services = "1"
"#;

fn template(keys: &str) -> Template {
    let text = format!("{HEAD}[[template]]\nid = \"t\"\nschedule = \"s\"\n{keys}");
    let read = read(&text, "test.toml", date(2027, 1, 1));
    read.unwrap_or_else(|e| panic!("{e}")).templates.remove(0)
}

fn daily(from: &str, to: &str, minutes: u16) -> Template {
    template(&format!(
        "weekdays = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]\nfrom = \"{from}\"\nto = \"{to}\"\n\
         slot_minutes = {minutes}"
    ))
}

fn starts(slots: &[Wanted]) -> Vec<String> {
    slots.iter().map(|s| s.start.to_string()).collect()
}

fn on(template: &Template, day: Date) -> Vec<Wanted> {
    template_slots(template, day, day)
}

fn assert_sound(slots: &[Wanted], minutes: i64) {
    for slot in slots {
        assert_eq!(
            slot.end.duration_since(slot.start),
            SignedDuration::from_mins(minutes)
        );
    }
    for pair in slots.windows(2) {
        assert!(
            pair[0].end <= pair[1].start,
            "{} then {}",
            pair[0].start,
            pair[1].start
        );
    }
}

const SPRING: Date = date(2027, 3, 28);
const AUTUMN: Date = date(2027, 10, 31);

#[test]
fn local_times_follow_the_season() {
    let t = daily("09:00", "10:00", 30);
    assert_eq!(
        starts(&on(&t, date(2027, 1, 15))),
        ["2027-01-15T09:00:00Z", "2027-01-15T09:30:00Z"]
    );
    assert_eq!(
        starts(&on(&t, date(2027, 7, 15))),
        ["2027-07-15T08:00:00Z", "2027-07-15T08:30:00Z"]
    );
    // On the change days themselves the clinic is already on the new time.
    assert_eq!(
        starts(&on(&t, SPRING)),
        ["2027-03-28T08:00:00Z", "2027-03-28T08:30:00Z"]
    );
    assert_eq!(
        starts(&on(&t, AUTUMN)),
        ["2027-10-31T09:00:00Z", "2027-10-31T09:30:00Z"]
    );
}

#[test]
fn the_hour_that_spring_skips_has_no_slots() {
    let night = on(&daily("00:00", "04:00", 30), SPRING);
    assert_eq!(
        starts(&night),
        [
            "2027-03-28T00:00:00Z",
            "2027-03-28T00:30:00Z",
            "2027-03-28T01:00:00Z", // shown as 02:00
            "2027-03-28T01:30:00Z",
            "2027-03-28T02:00:00Z",
            "2027-03-28T02:30:00Z",
        ]
    );
    assert_sound(&night, 30);
    assert!(on(&daily("01:00", "02:00", 10), SPRING).is_empty());
    assert!(on(&daily("01:10", "01:50", 10), SPRING).is_empty());
    // Begins in the skipped hour: at the jump. Ends in it: at the jump.
    assert_eq!(
        starts(&on(&daily("01:30", "03:00", 30), SPRING)),
        ["2027-03-28T01:00:00Z", "2027-03-28T01:30:00Z"]
    );
    assert_eq!(
        starts(&on(&daily("00:00", "01:30", 30), SPRING)),
        ["2027-03-28T00:00:00Z", "2027-03-28T00:30:00Z"]
    );
}

#[test]
fn the_hour_that_autumn_repeats_has_slots_of_its_own() {
    let night = on(&daily("00:00", "04:00", 30), AUTUMN);
    assert_eq!(night.len(), 10, "five real hours");
    assert_eq!(night[0].start.to_string(), "2027-10-30T23:00:00Z");
    assert_eq!(night[9].end.to_string(), "2027-10-31T04:00:00Z");
    assert_sound(&night, 30);
    // Clinics on either side of a time that is shown twice neither overlap nor leave a gap.
    let (early, late) = (
        on(&daily("00:00", "01:30", 30), AUTUMN),
        on(&daily("01:30", "03:00", 30), AUTUMN),
    );
    assert_eq!((early.len(), late.len()), (3, 5));
    assert_eq!(early[2].end, late[0].start);
    assert_eq!(late[4].end.to_string(), "2027-10-31T03:00:00Z");
}

#[test]
fn night_clinics_reach_into_the_next_day_across_both_changes() {
    let t = daily("22:00", "06:00", 60);
    assert_eq!(on(&t, date(2027, 3, 27)).len(), 7);
    assert_eq!(on(&t, date(2027, 10, 30)).len(), 9);
    assert_eq!(on(&t, date(2027, 6, 1)).len(), 8);
    assert_eq!(on(&daily("00:00", "24:00", 60), SPRING).len(), 23);
    assert_eq!(on(&daily("00:00", "24:00", 60), AUTUMN).len(), 25);
}

/// Whatever the clinic, its slots have full length and never meet, on every day around both changes.
#[test]
fn no_two_slots_ever_meet() {
    for (from, to, minutes) in [
        ("00:00", "24:00", 7),
        ("00:10", "02:10", 15),
        ("00:00", "03:00", 45),
    ] {
        let session = |day: Date| Session {
            id: "x".to_owned(),
            schedule: "s".to_owned(),
            date: day,
            from: daily(from, "23:59", 1).from,
            to: daily("00:01", to, 1).to,
            slot_minutes: minutes,
            capacity: 1,
            channel: None,
            held: false,
            release: Vec::new(),
        };
        for first in [date(2027, 3, 26), date(2027, 10, 29)] {
            let mut all = Vec::new();
            let mut day = first;
            for _ in 0..5 {
                all.extend(session_slots(&session(day), day, day));
                day = day.tomorrow().unwrap();
            }
            assert!(!all.is_empty());
            assert_sound(&all, i64::from(minutes));
        }
    }
}

#[test]
fn exceptions_close_days_and_change_hours() {
    let t = template(
        r#"
weekdays = ["mon", "tue"]
from = "09:00"
to = "10:00"
slot_minutes = 30
valid_from = 2027-03-01
valid_to = 2027-03-16
exceptions = [
  { date = 2027-03-02, closed = true, reason = "training" },
  { date = 2027-03-08, until = 2027-03-09, from = "13:00", to = "13:30" },
]
"#,
    );
    let slots = template_slots(&t, date(2027, 2, 1), date(2027, 4, 30));
    assert_eq!(
        starts(&slots),
        [
            "2027-03-01T09:00:00Z",
            "2027-03-01T09:30:00Z",
            "2027-03-08T13:00:00Z",
            "2027-03-09T13:00:00Z",
            "2027-03-15T09:00:00Z",
            "2027-03-15T09:30:00Z",
            "2027-03-16T09:00:00Z",
            "2027-03-16T09:30:00Z",
        ]
    );
    assert!(slots.iter().all(|s| &*s.template == "t"));
}

#[test]
fn london_days_begin_at_local_midnight() {
    assert_eq!(
        day_start(date(2027, 7, 1)).to_string(),
        "2027-06-30T23:00:00Z"
    );
    let late: Timestamp = "2027-06-30T23:30:00Z".parse().unwrap();
    assert_eq!(london_date(late), date(2027, 7, 1));
}
