//! Looking for a booking: where an answer or the journal points to, then among all the patient's appointments
//! (CONS-BOOK-05, D-43, D-52). What was not read is not believed.

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

/// Most pages of a patient search, and most of its appointments that are read to find the right one: those at the
/// slot's time, and those that stand at another, where the service may have moved it. A patient has a handful; what goes
/// beyond leaves it open.
const MAX_PAGES: usize = 20;
const MAX_CANDIDATES: usize = 50;
/// Most addresses in one answer that are followed: `Location`, a sentence, the body.
const MAX_POINTERS: usize = 4;
/// Type of the answer to a search: any other Bundle does not say what a patient has.
const SEARCHSET: &str = "searchset";

/// What looking came to.
#[derive(Debug)]
pub(super) enum Sight {
    /// It is booked.
    Booked(Box<Proven>),
    /// It was not seen as a booking that stands.
    Not {
        /// What was read of an appointment with this document, or of the one that was pointed to.
        unproven: Option<Box<Unproven>>,
        /// True when all of the patient's appointments were looked through.
        complete: bool,
        /// True when somebody pointed to an appointment that could not be read.
        unread: bool,
    },
}

impl Sight {
    /// Whether the patient's appointments were all looked through, and none of what was seen can be it.
    pub(super) fn is_absent(&self) -> bool {
        match self {
            Sight::Booked(_) => false,
            Sight::Not {
                unproven,
                complete,
                unread,
            } => *complete && !unread && unproven.as_ref().is_none_or(|u| u.is_other()),
        }
    }
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    unproven: Option<Box<Unproven>>,
    complete: bool,
    unread: bool,
}

impl Seen {
    /// Keeps what tells most: an appointment with our document before any other.
    fn keep(&mut self, unproven: Unproven) {
        let better = self.unproven.as_ref().is_none_or(|known| known.is_other());
        if better {
            self.unproven = Some(Box::new(unproven));
        }
    }
}

impl Consultation {
    /// Looks at the appointments pointed to, then among the patient's.
    pub(super) async fn look(
        &self,
        target: &Target,
        expected: &Expected,
        pointers: &[AppointmentUrl],
        step: StepId,
    ) -> Sight {
        let mut seen = Seen::default();
        for at in pointers.iter().take(MAX_POINTERS) {
            match self.look_at(target, expected, at, step).await {
                Ok(proven) => return Sight::Booked(proven),
                Err(Some(unproven)) => seen.keep(*unproven),
                Err(None) => seen.unread = true,
            }
        }
        if let Some(number) = expected.number()
            && let Some(proven) = self
                .among_the_patients(target, expected, number, step, &mut seen)
                .await
        {
            return Sight::Booked(proven);
        }
        Sight::Not {
            unproven: seen.unproven,
            complete: seen.complete,
            unread: seen.unread,
        }
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

    /// Reads every appointment of the patient that may be the booking, over all pages.
    async fn among_the_patients(
        &self,
        target: &Target,
        expected: &Expected,
        number: &NhsNumber,
        step: StepId,
        seen: &mut Seen,
    ) -> Option<Box<Proven>> {
        let (candidates, all_pages) = self.candidates(target, expected, number, step).await;
        let few = candidates.len() <= MAX_CANDIDATES;
        seen.complete = all_pages && few;
        for at in candidates.iter().take(MAX_CANDIDATES) {
            match self.look_at(target, expected, at, step).await {
                Ok(proven) => return Some(proven),
                // Somebody else's document: the patient's other appointment at this time.
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
                // A page that leads back to itself, or out of the service.
                Ok(Some(_)) | Err(_) => break,
            }
        }
        (found.likeliest(), false)
    }

    /// The appointments that an answer names: in `Location`, in its body, in a text.
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

/// The appointment that is the body of an answer.
pub(super) fn of_body(answer: &Answer, root: &str) -> Option<AppointmentUrl> {
    let id = answer.resource_of("Appointment")?.str_of("id")?;
    Some(location::of_id(&ResourceId::parse(id.trim()).ok()?, root))
}

/// The entries of a patient search that may be the booking.
#[derive(Default)]
struct Candidates {
    booked: Vec<AppointmentUrl>,
    others: Vec<AppointmentUrl>,
    /// Those that stand at another time.
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
                // The service says that something is wrong with its own list.
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
            // What is not written as FHIR has it excludes nothing: it has to be read.
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
            // The Provider's own address, where it is that of this id.
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

    /// Whether as many came as the service says there are, and each could be told.
    fn is_whole(&self) -> bool {
        !self.unreadable && self.entries >= self.total
    }

    /// The newest first: services list them by time of start or of making. Cancelled ones come after them, and last those
    /// at other times.
    fn likeliest(&self) -> Vec<AppointmentUrl> {
        let booked = self.booked.iter().rev();
        let others = self.others.iter().rev();
        let elsewhen = self.elsewhen.iter().rev();
        booked.chain(others).chain(elsewhen).cloned().collect()
    }
}

/// Whether an outcome among the entries says more than that all is well, or nothing that can be understood.
fn reports_trouble(outcome: &Element) -> bool {
    let harmless = |issue: &Element| {
        issue.str_of("severity") == Some("information") && !form::is_odd(issue, "severity")
    };
    let mut issues = outcome.all("issue").peekable();
    issues.peek().is_none() || form::is_odd(outcome, "issue") || !issues.all(harmless)
}

/// Whether the links tell which page comes next: each is readable, and at most one is the next.
fn leads_one_way(bundle: &Element) -> bool {
    let next = bundle.all("link").filter(|link| is_next(link));
    next.count() <= 1
        && bundle
            .all("link")
            .all(|link| form::odd(link, &["relation", "url"]).is_empty())
}

/// Whether an entry starts when the booking does. Services leave out what they do not want to tell: what is missing
/// excludes nothing.
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

/// Whether an entry may be the patient's: it names them, if among others, or nobody, or belongs to our document.
fn is_of_the_patient(appointment: &Element, expected: &Expected) -> bool {
    let numbers = identity::numbers_of(appointment);
    match expected.number() {
        Some(number) if !numbers.is_empty() => {
            numbers.contains(number) || expected.names_document(appointment)
        }
        _ => true,
    }
}
