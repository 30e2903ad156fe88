//! Reads the query of a slot search (`provider-api.md` section 6).
//!
//! A new parameter also goes into the Provider's CapabilityStatement (`interactions::capability`), its description for tools
//! (`operators::describe`) and the names that its log may show (`edge::log`).

use super::headers::printable;
pub use super::time::Bound;
use super::time::Bounds;
use super::{query, time};
use crate::ids::ServiceId;
use crate::refusal::{Refusal, Situation};
use crate::slot::SlotStatus;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Default and longest span of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Hours searched if a bound is missing.
    pub default_hours: u32,
    /// Most days searched. A longer span is shortened, and the answer says so.
    pub max_days: u32,
}

impl Window {
    fn default_span(&self) -> SignedDuration {
        SignedDuration::from_hours(i64::from(self.default_hours))
    }

    fn max_span(&self) -> SignedDuration {
        SignedDuration::from_hours(24 * i64::from(self.max_days))
    }
}

impl Default for Window {
    /// Three days ahead, as a 111 service asks for, and at most 31 days, to bound the work.
    fn default() -> Window {
        Window {
            default_hours: 72,
            max_days: 31,
        }
    }
}

/// A set of slot states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatusSet(u8);

impl StatusSet {
    /// Every state, the default of `status` (D-11).
    pub const ALL: StatusSet = StatusSet(0b1_1111);
    /// No state.
    pub const NONE: StatusSet = StatusSet(0);

    /// The set with one more state.
    #[must_use]
    pub fn with(self, status: SlotStatus) -> StatusSet {
        StatusSet(self.0 | 1 << status.number())
    }

    /// Whether a state is in the set.
    pub fn has(self, status: SlotStatus) -> bool {
        self.has_number(status.number())
    }

    /// Whether the state of a stored number is in the set.
    pub fn has_number(self, number: u8) -> bool {
        number < 8 && self.0 & (1 << number) != 0
    }

    /// The states of the set in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = SlotStatus> {
        SlotStatus::ALL.into_iter().filter(move |s| self.has(*s))
    }
}

/// Resources to include. An include without the includes that lead to it is dropped: `location` is true only with the
/// Schedules and their HealthcareServices, and so on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Includes {
    /// `Slot:schedule`
    pub schedule: bool,
    /// `Schedule:actor:Practitioner`
    pub practitioner: bool,
    /// `Schedule:actor:PractitionerRole`
    pub practitioner_role: bool,
    /// `Schedule:actor:HealthcareService`
    pub healthcare_service: bool,
    /// `HealthcareService:location`
    pub location: bool,
    /// `HealthcareService:providedBy`
    pub organization: bool,
}

/// A parsed slot search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotQuery {
    /// The service searched.
    pub service: ServiceId,
    /// Lower bound of `Slot.start`, given or from the window.
    pub lower: Option<Bound>,
    /// Upper bound of `Slot.start`, given or from the window.
    pub upper: Option<Bound>,
    /// Whether the span was too long and was shortened to these bounds.
    pub shortened: bool,
    /// States to return.
    pub statuses: StatusSet,
    /// Resources to include.
    pub includes: Includes,
    /// The parsed criteria, percent-encoded in a fixed order, for the `self` link (PROV-SLOT-12).
    pub self_query: String,
}

/// Name of the service parameter in the `self` link.
const SERVICE_PARAMETER: &str = "schedule.actor:healthcareservice";
/// Names of the service parameter, in any case (PROV-SLOT-01).
const SERVICE_SPELLINGS: [&str; 3] = [
    SERVICE_PARAMETER,
    "schedule.actor:healthcareservice.identifier",
    "service",
];

/// Names of the service parameter before a modifier.
const SERVICE_NAMES: [&str; 4] = [
    "schedule.actor:healthcareservice",
    "schedule.actor:healthcareservice.identifier",
    "schedule.actor",
    "service",
];

impl SlotQuery {
    /// Reads the raw query of a slot search (PROV-SLOT-01..11). Faults are ERR-01. A later step checks that the service is
    /// known. Values without offset are local time in `zone` (D-19).
    pub fn parse(
        raw_query: &str,
        now: Timestamp,
        zone: &TimeZone,
        window: &Window,
    ) -> Result<SlotQuery, Refusal> {
        let mut service = None;
        let mut bounds = Bounds::default();
        let mut statuses = None;
        let mut includes = Includes::default();
        for (name, value) in query::parameters(raw_query)? {
            match name.as_ref() {
                "start" => bounds.add(&name, &value, zone)?,
                "status" => {
                    statuses = Some(add_statuses(statuses.unwrap_or(StatusSet::NONE), &value)?)
                }
                _ if is_service(&name) => add_service(&mut service, &name, &value)?,
                _ if is_include(&name) => add_include(&mut includes, &value),
                _ => query::refuse_unsupported(&name, &SERVICE_NAMES, &["start", "status"])?,
            }
        }
        let service = service.ok_or_else(|| {
            refused(
                "schedule.actor:healthcareservice",
                "The parameter `schedule.actor:healthcareservice` is missing; it takes the directory (DoS) id \
                 of one service."
                    .to_owned(),
            )
        })?;
        if bounds.all_past(now) {
            return Err(refused(
                "start",
                "Every `start` bound is in the past; ask for times to come.".to_owned(),
            ));
        }
        let (lower, upper, shortened) = close(bounds.lower, bounds.upper, now, window);
        let includes = includes.closed();
        let self_query = self_query(&service, lower, upper, statuses, includes);
        Ok(SlotQuery {
            service,
            lower: Some(lower),
            upper: Some(upper),
            shortened,
            statuses: statuses.unwrap_or(StatusSet::ALL),
            includes,
            self_query,
        })
    }

    /// For a shortened span, the sentence for the answer that says what was searched (D-91).
    pub fn shortened_sentence(&self) -> Option<String> {
        let (lower, upper) = self.lower.zip(self.upper).filter(|_| self.shortened)?;
        Some(format!(
            "The time asked for is longer than one search takes: slots that start from {} to {} were searched. Search \
             the rest of the time by itself.",
            time::text(lower.at),
            time::text(upper.at)
        ))
    }

    /// Whether a Slot with this start is within the bounds.
    pub fn covers(&self, start: Timestamp) -> bool {
        time::within(start, self.lower, self.upper)
    }
}

impl Includes {
    /// Drops includes that cannot be reached from Slots (PROV-SLOT-15).
    fn closed(mut self) -> Includes {
        self.practitioner &= self.schedule;
        self.practitioner_role &= self.schedule;
        self.healthcare_service &= self.schedule;
        self.location &= self.healthcare_service;
        self.organization &= self.healthcare_service;
        self
    }

    /// The wanted `_include` values, in a fixed order.
    pub fn values(self) -> impl Iterator<Item = &'static str> {
        [
            (self.schedule, "Slot:schedule"),
            (self.practitioner, "Schedule:actor:Practitioner"),
            (self.practitioner_role, "Schedule:actor:PractitionerRole"),
            (self.healthcare_service, "Schedule:actor:HealthcareService"),
            (self.location, "HealthcareService:location"),
            (self.organization, "HealthcareService:providedBy"),
        ]
        .into_iter()
        .filter_map(|(asked, value)| asked.then_some(value))
    }
}

fn refused(parameter: &str, diagnostics: String) -> Refusal {
    Refusal::new(Situation::InvalidParameter, diagnostics).location(format!("http.{parameter}"))
}

fn is_service(name: &str) -> bool {
    SERVICE_SPELLINGS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

/// `id`, `system|id`, `|id` or `HealthcareService/id`. The system is ignored (D-34).
fn add_service(service: &mut Option<ServiceId>, name: &str, value: &str) -> Result<(), Refusal> {
    let id = value.rsplit_once('|').map_or(value, |(_, id)| id);
    let id = id.strip_prefix("HealthcareService/").unwrap_or(id);
    let id = ServiceId::parse(id).map_err(|error| {
        refused(
            name,
            format!("The value of `{name}` is no service: the {error}."),
        )
    })?;
    match service {
        Some(other) if *other != id => Err(refused(
            name,
            format!(
                "Two different services are asked for (`{other}` and `{id}`); ask for one at a time."
            ),
        )),
        _ => {
            *service = Some(id);
            Ok(())
        }
    }
}

/// Adds a comma-separated list of codes, each bare or a token of the slotstatus system.
fn add_statuses(mut set: StatusSet, value: &str) -> Result<StatusSet, Refusal> {
    for token in value.split(',') {
        let code = match token.split_once('|') {
            Some(("" | "http://hl7.org/fhir/slotstatus", code)) => code,
            Some(_) => "",
            None => token,
        };
        let Some(status) = SlotStatus::from_code(code) else {
            let known: Vec<&str> = SlotStatus::ALL.iter().map(|s| s.code()).collect();
            return Err(refused(
                "status",
                format!(
                    "`{}` is no slot status; the values are {}.",
                    printable(token),
                    known.join(", ")
                ),
            ));
        };
        set = set.with(status);
    }
    Ok(set)
}

/// `_include`, `_include:iterate` or `_include:recurse`, case ignored, `.` equal to `:` (PROV-SLOT-08).
fn is_include(name: &str) -> bool {
    let Some((head, tail)) = name.split_at_checked("_include".len()) else {
        return false;
    };
    head.eq_ignore_ascii_case("_include")
        && (tail.is_empty() || same_path(tail, ":iterate") || same_path(tail, ":recurse"))
}

fn same_path(a: &str, b: &str) -> bool {
    if a.len() != b.len() || a == b {
        return a.len() == b.len();
    }
    let plain = |c: u8| {
        if c == b'.' {
            b':'
        } else {
            c.to_ascii_lowercase()
        }
    };
    a.bytes().map(plain).eq(b.bytes().map(plain))
}

/// Adds an include; unknown values are no error (PROV-SLOT-09).
fn add_include(includes: &mut Includes, value: &str) {
    let is = |path: &str| same_path(value, path);
    if is("Slot:schedule") {
        includes.schedule = true;
    } else if is("Schedule:actor:Practitioner") {
        includes.practitioner = true;
    } else if is("Schedule:actor:PractitionerRole") {
        includes.practitioner_role = true;
    } else if is("Schedule:actor:HealthcareService") {
        includes.healthcare_service = true;
    } else if is("HealthcareService:location") {
        includes.location = true;
    } else if is("HealthcareService:providedBy") || is("HealthcareService:organization") {
        includes.organization = true;
    }
}

/// Completes the bounds from the window and shortens a span over the limit (PROV-SLOT-05, PROV-SLOT-20). True: it was
/// shortened.
fn close(
    lower: Option<Bound>,
    upper: Option<Bound>,
    now: Timestamp,
    window: &Window,
) -> (Bound, Bound, bool) {
    let inclusive = |at| Bound {
        at,
        inclusive: true,
    };
    let mut lower = lower.unwrap_or(inclusive(now));
    let mut upper =
        upper.unwrap_or_else(|| inclusive(later(lower.at.max(now), window.default_span())));
    let asked = (lower, upper);
    // Drops past times first, since nobody can book them.
    if upper.at > later(lower.at, window.max_span()) && lower.at < now {
        lower = inclusive(now.min(upper.at));
    }
    let last = later(lower.at, window.max_span());
    if upper.at > last {
        upper = inclusive(last);
    }
    (lower, upper, (lower, upper) != asked)
}

/// The sum, or the last moment if the sum exceeds it.
fn later(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}

fn self_query(
    service: &ServiceId,
    lower: Bound,
    upper: Bound,
    statuses: Option<StatusSet>,
    includes: Includes,
) -> String {
    let mut out = String::with_capacity(384);
    query::append(&mut out, SERVICE_PARAMETER, service.as_str());
    append_bounds(&mut out, Some(lower), Some(upper));
    if let Some(set) = statuses {
        let codes: Vec<&str> = set.iter().map(SlotStatus::code).collect();
        query::append(&mut out, "status", &codes.join(","));
    }
    for value in includes.values() {
        query::append(&mut out, "_include", value);
    }
    out
}

/// Writes bounds as `start` criteria in UTC.
pub(super) fn append_bounds(out: &mut String, lower: Option<Bound>, upper: Option<Bound>) {
    if let Some(b) = lower {
        query::append(
            out,
            "start",
            &format!(
                "{}{}",
                if b.inclusive { "ge" } else { "gt" },
                time::text(b.at)
            ),
        );
    }
    if let Some(b) = upper {
        query::append(
            out,
            "start",
            &format!(
                "{}{}",
                if b.inclusive { "le" } else { "lt" },
                time::text(b.at)
            ),
        );
    }
}
