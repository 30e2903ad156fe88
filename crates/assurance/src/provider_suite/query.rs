//! The queries of slot searches: windows in London time, percent-encoded as Consumers must (C19, ASR-21).

use booking::instant::london;
use jiff::{Timestamp, ToSpan, Zoned};

/// The six includes of the published tests (PROV-SLOT-08).
pub(super) const INCLUDES: [&str; 6] = [
    "Slot:schedule",
    "Schedule:actor:Practitioner",
    "Schedule:actor:PractitionerRole",
    "Schedule:actor:HealthcareService",
    "HealthcareService:location",
    "HealthcareService:providedBy",
];

/// A moment as a query carries it.
pub(super) fn encoded(at: Timestamp) -> String {
    let text = at.to_zoned(london()).strftime("%Y-%m-%dT%H:%M:%S%:z");
    text.to_string().replace(':', "%3A").replace('+', "%2B")
}

/// Midnight of a day from today on, in London.
pub(super) fn midnight(days: i64) -> Timestamp {
    let now: Zoned = Timestamp::now().to_zoned(london());
    let day = now.checked_add(days.days()).unwrap_or(now);
    day.start_of_day().unwrap_or(day).timestamp()
}

/// A moment some seconds from now.
pub(super) fn from_now(seconds: i64) -> Timestamp {
    let now = Timestamp::now();
    now.checked_add(seconds.seconds()).unwrap_or(now)
}

/// The bounds of a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) lower: Timestamp,
    pub(super) upper: Timestamp,
}

impl Window {
    /// Between the midnights of two days from today on.
    pub(super) fn days(from: i64, to: i64) -> Window {
        Window {
            lower: midnight(from),
            upper: midnight(to),
        }
    }

    /// The very start of a slot.
    pub(super) fn at(start: Timestamp) -> Window {
        Window {
            lower: start,
            upper: start,
        }
    }

    /// The window of the published tests: tomorrow 00:00 to four days on.
    pub(super) fn usual() -> Window {
        Window::days(1, 5)
    }

    /// `&start=ge…&start=le…`
    pub(super) fn query(self) -> String {
        format!(
            "&start=ge{}&start=le{}",
            encoded(self.lower),
            encoded(self.upper)
        )
    }
}

/// A search for the slots of a service in a window.
pub(super) fn window(service: &str, window: Window, status: &str) -> String {
    let status = match status {
        "" => String::new(),
        status => format!("&status={status}"),
    };
    format!(
        "schedule.actor%3Ahealthcareservice={service}{}{status}",
        window.query()
    )
}

/// All includes, each as `&NAME=value`.
pub(super) fn includes(name: &str) -> String {
    let all = INCLUDES.iter();
    all.map(|value| format!("&{name}={}", value.replace(':', "%3A")))
        .collect()
}

/// The full search of the published tests.
pub(super) fn full(service: &str) -> String {
    format!(
        "{}{}",
        window(service, Window::usual(), "free"),
        includes("_include")
    )
}
