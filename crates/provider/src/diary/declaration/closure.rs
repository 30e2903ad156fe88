//! `[[closure]]`: days on which a provider, some of its locations or some of its services are closed.

use super::{Declaration, Service, list, one, option, text_option};
use crate::diary::generate::london_date;
use booking::ids::ServiceId;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

/// One closure. Without locations and services it closes the whole provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closure {
    /// Its name.
    #[serde(with = "one")]
    pub id: String,
    /// The day, or the first.
    #[serde(with = "one")]
    pub date: Date,
    /// The last day.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// Only what takes place at these locations.
    #[serde(default, with = "list", skip_serializing_if = "Vec::is_empty")]
    pub locations: Vec<String>,
    /// Only these services.
    #[serde(default, with = "list", skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceId>,
    /// Why, for the staff.
    #[serde(default, with = "text_option", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Closure {
    /// The last day.
    pub fn last(&self) -> Date {
        self.until.unwrap_or(self.date)
    }

    fn covers(&self, day: Date) -> bool {
        self.date <= day && day <= self.last()
    }

    fn is_of_all(&self) -> bool {
        self.locations.is_empty() && self.services.is_empty()
    }

    /// Whether it closes a service at a location.
    pub fn closes(&self, service: &ServiceId, location: Option<&str>) -> bool {
        self.is_of_all() || self.services.contains(service) || self.is_at(location)
    }

    /// Whether it names a location.
    pub fn is_at(&self, location: Option<&str>) -> bool {
        location.is_some_and(|l| self.locations.iter().any(|id| id == l))
    }
}

/// The closures of a provider, with the locations of its services.
#[derive(Clone, Copy, Debug)]
pub struct Closures<'a> {
    closures: &'a [Closure],
    services: &'a [Service],
}

impl<'a> Closures<'a> {
    /// The closures of a declaration.
    pub fn of(declaration: &'a Declaration) -> Closures<'a> {
        Closures::new(&declaration.closures, &declaration.services)
    }

    /// The closures and services as given.
    pub fn new(closures: &'a [Closure], services: &'a [Service]) -> Closures<'a> {
        Closures { closures, services }
    }

    /// The closure of a service when a slot starts.
    pub fn of_service(&self, service: &ServiceId, start: Timestamp) -> Option<&'a Closure> {
        if self.closures.is_empty() {
            return None;
        }
        self.of_service_on(service, london_date(start))
    }

    fn of_service_on(&self, service: &ServiceId, day: Date) -> Option<&'a Closure> {
        let location = self
            .services
            .iter()
            .find(|s| s.id == *service)
            .and_then(|s| s.location.as_deref());
        self.closures
            .iter()
            .find(|c| c.covers(day) && c.closes(service, location))
    }

    /// The closure of the diary's location when a slot starts.
    pub fn of_place(&self, location: Option<&str>, start: Timestamp) -> Option<&'a Closure> {
        if self.closures.is_empty() || location.is_none() {
            return None;
        }
        self.of_place_on(location, london_date(start))
    }

    fn of_place_on(&self, location: Option<&str>, day: Date) -> Option<&'a Closure> {
        self.closures
            .iter()
            .find(|c| c.covers(day) && c.is_at(location))
    }

    /// The closure that hides a diary's slots that start at a moment: the closure of its location, or one of all its
    /// services.
    pub fn of_diary(
        &self,
        services: &[ServiceId],
        location: Option<&str>,
        start: Timestamp,
    ) -> Option<&'a Closure> {
        if self.closures.is_empty() {
            return None;
        }
        self.of_diary_on(services, location, london_date(start))
    }

    /// Like [`Closures::of_diary`], for a day in London.
    pub fn of_diary_on(
        &self,
        services: &[ServiceId],
        location: Option<&str>,
        day: Date,
    ) -> Option<&'a Closure> {
        self.of_place_on(location, day).or_else(|| {
            let mut by_service = services.iter().map(|s| self.of_service_on(s, day));
            let first = by_service.next()??;
            by_service.all(|c| c.is_some()).then_some(first)
        })
    }

    /// The spans of days, between two days, on which a diary is closed. Each span is its first day and the day after its
    /// last.
    pub fn spans_of_diary(
        &self,
        services: &[ServiceId],
        location: Option<&str>,
        first: Date,
        last: Date,
    ) -> Vec<(Date, Date)> {
        let mut spans: Vec<(Date, Date)> = Vec::new();
        let days = first.series(1.day()).take_while(|day| *day <= last);
        for day in days.filter(|d| self.of_diary_on(services, location, *d).is_some()) {
            let Ok(after) = day.tomorrow() else { break };
            match spans.last_mut() {
                Some((_, end)) if *end == day => *end = after,
                _ => spans.push((day, after)),
            }
        }
        spans
    }
}
