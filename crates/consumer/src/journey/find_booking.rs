//! Looks for a booking: at the addresses in an answer or the journal, then among the patient's appointments (CONS-BOOK-05,
//! D-43, D-52). Believes only what it has read.

use super::appointment::{AppointmentShown, Located};
use super::identity::{self, Expected, Proven, Status, Unproven};
use super::location::{self, AppointmentUrl};
use super::{Consultation, Target, faults, success};
use crate::form;
use crate::journal::StepId;
use crate::plan;
use crate::slots::{envelope_modifier, is_next, next_tail};
use crate::transport::Answer;
use booking::ids::{NhsNumber, ResourceId};
use booking::instant;
use fhir::Element;
use jiff::Timestamp;

/// Most pages of a patient search. Also the most appointments read to find the booking: those at the slot's time, then
/// those at other times, since the service may have moved it. A patient has a handful; beyond the limit the outcome stays
/// open.
const MAX_PAGES: usize = 20;
const MAX_CANDIDATES: usize = 50;
/// Most addresses followed from one answer: `Location`, text, body.
const MAX_POINTERS: usize = 4;
/// Type of the Bundle that answers a search. Other Bundles do not list a patient's appointments.
const SEARCHSET: &str = "searchset";

/// Why no booking in force was found.
#[derive(Debug, Default)]
pub(super) struct NotFound {
    /// The appointment with this document, or at the address, that did not match.
    pub unproven: Option<Box<Unproven>>,
    /// True when all of the patient's appointments were checked.
    pub complete: bool,
    /// True when an appointment at an address could not be read.
    pub unread: bool,
}

impl NotFound {
    /// Whether all of the patient's appointments were checked, and none can be the booking.
    pub(super) fn is_absent(&self) -> bool {
        self.complete && !self.unread && self.unproven.as_ref().is_none_or(|u| u.is_other())
    }

    /// Keeps the most telling one: an appointment with our document before any other.
    fn keep(&mut self, unproven: Unproven) {
        let better = self.unproven.as_ref().is_none_or(|known| known.is_other());
        if better {
            self.unproven = Some(Box::new(unproven));
        }
    }
}

impl Consultation {
    /// Reads the appointments at the addresses, then the patient's.
    pub(super) async fn find_booking(
        &self,
        target: &Target,
        expected: &Expected,
        pointers: &[AppointmentUrl],
        step: StepId,
    ) -> Result<Box<Proven>, NotFound> {
        let mut seen = NotFound::default();
        for at in pointers.iter().take(MAX_POINTERS) {
            match self.look_at(target, expected, at, step).await {
                Ok(proven) => return Ok(proven),
                Err(Some(unproven)) => seen.keep(*unproven),
                Err(None) => seen.unread = true,
            }
        }
        let Some(number) = expected.number() else {
            return Err(seen);
        };
        let found = self.among_the_patients(target, expected, number, step, &mut seen);
        found.await.ok_or(seen)
    }

    async fn look_at(
        &self,
        target: &Target,
        expected: &Expected,
        at: &AppointmentUrl,
        step: StepId,
    ) -> Result<Box<Proven>, Option<Box<Unproven>>> {
        let located = Located {
            target: target.clone(),
            id: at.id.clone(),
        };
        let shown = self.read(&located, step).await.map_err(|_| None)?;
        let shown = AppointmentShown {
            url: at.url.clone(),
            ..shown
        };
        let judged = expected.at(at.id.as_str()).judge(shown, Status::Booked);
        judged.map(Box::new).map_err(|u| Some(Box::new(u)))
    }

    /// Reads every appointment of the patient that may be the booking, on all pages.
    async fn among_the_patients(
        &self,
        target: &Target,
        expected: &Expected,
        number: &NhsNumber,
        step: StepId,
        seen: &mut NotFound,
    ) -> Option<Box<Proven>> {
        let (candidates, all_pages) = self.candidates(target, expected, number, step).await;
        let few = candidates.len() <= MAX_CANDIDATES;
        seen.complete = all_pages && few;
        for at in candidates.iter().take(MAX_CANDIDATES) {
            match self.look_at(target, expected, at, step).await {
                Ok(proven) => return Some(proven),
                // The patient's other appointment at this time, with another document.
                Err(Some(unproven)) if unproven.is_other() => {}
                Err(Some(unproven)) => seen.keep(*unproven),
                Err(None) => seen.complete = false,
            }
        }
        None
    }

    /// The patient's appointments that may be the booking, the likeliest first, and whether all pages were read.
    async fn candidates(
        &self,
        target: &Target,
        expected: &Expected,
        number: &NhsNumber,
        step: StepId,
    ) -> (Vec<AppointmentUrl>, bool) {
        let route = self.journey.route(&target.asid, &target.booking_root);
        let ssp = self.journey.ssp();
        let mut found = Candidates::default();
        let mut tails: Vec<String> = Vec::new();
        for _ in 0..MAX_PAGES {
            let request = self.journey.plan(&route, |s| match tails.last() {
                None => plan::search_appointments::plan(s, number),
                Some(tail) => plan::search_appointments::page(s, tail),
            });
            let Ok(request) = request else {
                return (found.likeliest(), false);
            };
            let delivery = self.journey.send(&request, step).await;
            let Ok(answer) = success(delivery, faults::Stage::Read, target) else {
                return (found.likeliest(), false);
            };
            let Some(bundle) = answer
                .resource_of("Bundle")
                .filter(|_| answer.status == 200)
            else {
                return (found.likeliest(), false);
            };
            found.add(bundle, &target.booking_root, expected, ssp);
            match next_tail(bundle, &route.root, ssp) {
                Ok(None) => {
                    let whole = found.is_whole();
                    return (found.likeliest(), whole);
                }
                Ok(Some(tail)) if !tails.contains(&tail) => tails.push(tail),
                // A page link that loops or leaves the service.
                Ok(Some(_)) | Err(_) => break,
            }
        }
        (found.likeliest(), false)
    }

    /// The appointments named in an answer's `Location`, body or text.
    pub(super) fn pointed_to(&self, root: &str, answer: &Answer) -> Vec<AppointmentUrl> {
        let ssp = self.journey.ssp();
        let issues = answer.outcome.iter().flat_map(|o| &o.issues);
        let of_texts = issues.filter_map(|i| location::in_text(&i.text, root, ssp));
        let mut all: Vec<AppointmentUrl> = Vec::new();
        let named = self
            .own_url(answer, root)
            .into_iter()
            .chain(of_body(answer, root))
            .chain(of_texts);
        for at in named {
            if !all.iter().any(|known| known.id == at.id) {
                all.push(at);
            }
        }
        all
    }
}

/// The appointment in the body of an answer.
pub(super) fn of_body(answer: &Answer, root: &str) -> Option<AppointmentUrl> {
    let id = answer.resource_of("Appointment")?.str_of("id")?;
    Some(location::of_id(&ResourceId::parse(id.trim()).ok()?, root))
}

/// The entries of a patient search that may be the booking.
#[derive(Default)]
struct Candidates {
    booked: Vec<AppointmentUrl>,
    others: Vec<AppointmentUrl>,
    /// Entries at other times.
    elsewhen: Vec<AppointmentUrl>,
    entries: u64,
    total: u64,
    unreadable: bool,
}

impl Candidates {
    fn add(&mut self, bundle: &Element, root: &str, expected: &Expected, ssp: Option<&str>) {
        if let Some(total) = bundle.str_of("total").and_then(|t| t.parse().ok()) {
            self.total = self.total.max(total);
        }
        self.unreadable |= bundle.str_of("type") != Some(SEARCHSET);
        self.unreadable |= !form::odd(bundle, &["type", "total", "entry", "link"]).is_empty();
        self.unreadable |= envelope_modifier(bundle).is_some() || !leads_one_way(bundle);
        for entry in bundle.all("entry") {
            let Some(appointment) = entry.get("resource") else {
                self.unreadable = true;
                continue;
            };
            match appointment.resource_type() {
                Some("Appointment") => self.entries += 1,
                // The service reports a fault of its own list.
                Some("OperationOutcome") => {
                    self.unreadable |= reports_trouble(appointment);
                    continue;
                }
                Some(_) => continue,
                None => {
                    self.unreadable = true;
                    continue;
                }
            }
            // An entry in another form than FHIR's excludes nothing, and has to be read.
            let odd = !form::of_appointment(appointment).is_empty();
            let status = appointment.str_of("status").filter(|_| !odd);
            let stands = status.is_none_or(|s| s == "booked");
            let timely = odd || is_at_the_time(appointment, expected);
            if !odd && !(is_of_the_patient(appointment, expected) && (timely || stands)) {
                continue;
            }
            let full = entry
                .str_of("fullUrl")
                .and_then(|u| location::read(u, root, ssp));
            let of_id = || {
                let id = ResourceId::parse(appointment.str_of("id")?.trim()).ok()?;
                Some(location::of_id(&id, root))
            };
            // The Provider's address, if it has this id.
            let at = match (of_id(), full) {
                (Some(at), Some(full)) if full.id == at.id => Some(full),
                (at, full) => at.or(full),
            };
            let Some(at) = at else {
                self.unreadable = true;
                continue;
            };
            match (stands, timely) {
                (true, true) => self.booked.push(at),
                (true, false) => self.elsewhen.push(at),
                (false, _) => self.others.push(at),
            }
        }
    }

    /// Whether the number of entries is the service's total, and each was readable.
    fn is_whole(&self) -> bool {
        !self.unreadable && self.entries >= self.total
    }

    /// The newest first, since services list by start or creation. Then cancelled ones, then those at other times.
    fn likeliest(&self) -> Vec<AppointmentUrl> {
        let booked = self.booked.iter().rev();
        let others = self.others.iter().rev();
        let elsewhen = self.elsewhen.iter().rev();
        booked.chain(others).chain(elsewhen).cloned().collect()
    }
}

/// Whether an outcome among the entries reports a problem, or cannot be understood.
fn reports_trouble(outcome: &Element) -> bool {
    let harmless = |issue: &Element| {
        issue.str_of("severity") == Some("information") && !form::is_odd(issue, "severity")
    };
    let mut issues = outcome.all("issue").peekable();
    issues.peek().is_none() || form::is_odd(outcome, "issue") || !issues.all(harmless)
}

/// Whether the links identify the next page: all are readable, and at most one is the next.
fn leads_one_way(bundle: &Element) -> bool {
    let next = bundle.all("link").filter(|link| is_next(link));
    next.count() <= 1
        && bundle
            .all("link")
            .all(|link| form::odd(link, &["relation", "url"]).is_empty())
}

/// Whether an entry starts with the booking. A missing start excludes nothing, since services may leave elements out.
fn is_at_the_time(appointment: &Element, expected: &Expected) -> bool {
    let millisecond = |at: Timestamp| at.as_millisecond();
    let start = appointment
        .str_of("start")
        .and_then(|s| instant::parse(s.trim()));
    match (start, expected.start()) {
        (Some(found), Some(wanted)) => millisecond(found) == millisecond(wanted),
        _ => true,
    }
}

/// Whether an entry may be the patient's: it names the patient, perhaps among others, or nobody, or has our document.
fn is_of_the_patient(appointment: &Element, expected: &Expected) -> bool {
    let numbers = identity::numbers_of(appointment);
    match expected.number() {
        Some(number) if !numbers.is_empty() => {
            numbers.contains(number) || expected.names_document(appointment)
        }
        _ => true,
    }
}
