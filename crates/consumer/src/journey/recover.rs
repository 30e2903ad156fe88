//! Finding a booking whose answer was lost (CONS-BOOK-05, D-43). The proof is the UUID of the clinical document, which
//! was made for this booking alone.

use super::Consultation;
use super::appointment::{AppointmentShown, Located, tag_and_version};
use super::book::{Attempt, Booked};
use super::location::{self, AppointmentUrl};
use crate::plan;
use crate::transport::Answer;
use booking::instant;
use fhir::Element;
use jiff::Timestamp;

/// Most appointments of a patient that are read to find the right one: those at the slot's time.
const MAX_CANDIDATES: usize = 5;

impl Consultation {
    /// Looks where the answer points to, then among the patient's appointments.
    pub(super) async fn recover(
        &self,
        attempt: &Attempt<'_>,
        answer: Option<&Answer>,
    ) -> Option<Booked> {
        if let Some(answer) = answer
            && let Some(at) = self.pointed_to(attempt, answer)
        {
            match self.proven(attempt, &at).await {
                Proof::Ours(shown) => return Some(attempt.found(&at, Some(*shown))),
                // 409 says that this id was used by a booking that succeeded, and names it; that it cannot be read
                // just now does not unmake it.
                Proof::Unread if answer.status == 409 && says_repeat(answer) => {
                    return Some(attempt.found(&at, None));
                }
                Proof::Unread | Proof::NotOurs => {}
            }
        }
        self.by_patient(attempt).await
    }

    /// The appointment that `Location`, a text or the body of an answer names.
    fn pointed_to(&self, attempt: &Attempt<'_>, answer: &Answer) -> Option<AppointmentUrl> {
        let root = &attempt.target.booking_root;
        let of_text = || {
            let issues = &answer.outcome.as_ref()?.issues;
            issues
                .iter()
                .find_map(|i| location::in_text(&i.text, root, self.journey.ssp()))
        };
        let of_body = || {
            let id = answer.resource_of("Appointment")?.str_of("id")?;
            let id = booking::ids::ResourceId::parse(id).ok()?;
            Some(location::of_id(&id, root))
        };
        self.own_url(answer, root).or_else(of_text).or_else(of_body)
    }

    async fn proven(&self, attempt: &Attempt<'_>, at: &AppointmentUrl) -> Proof {
        let located = Located {
            target: attempt.target.clone(),
            id: at.id.clone(),
        };
        match self.read(&located, attempt.step).await {
            Ok(shown) if attempt.is_ours(&shown) => Proof::Ours(Box::new(shown)),
            Ok(_) => Proof::NotOurs,
            Err(_) => Proof::Unread,
        }
    }

    async fn by_patient(&self, attempt: &Attempt<'_>) -> Option<Booked> {
        let patient = attempt.details.patient.number()?;
        let target = attempt.target;
        let route = self.journey.route(&target.asid, &target.booking_root);
        let request = self
            .journey
            .plan(&route, |s| plan::search_appointments::plan(s, &patient))
            .ok()?;
        let answer = self.journey.send(&request, attempt.step).await.ok()?;
        let bundle = answer
            .resource_of("Bundle")
            .filter(|_| answer.status == 200)?;
        for at in candidates(
            bundle,
            &target.booking_root,
            attempt.slot.start,
            self.journey.ssp(),
        ) {
            if let Proof::Ours(shown) = self.proven(attempt, &at).await {
                return Some(attempt.found(&at, Some(*shown)));
            }
        }
        None
    }
}

/// What reading an appointment proved.
enum Proof {
    Ours(Box<AppointmentShown>),
    NotOurs,
    Unread,
}

fn says_repeat(answer: &Answer) -> bool {
    answer.uncertain
        || answer
            .outcome
            .as_ref()
            .is_some_and(|o| o.has_code("duplicate"))
}

/// The booked appointments at the slot's time.
pub(super) fn candidates(
    bundle: &Element,
    root: &str,
    at: Timestamp,
    ssp: Option<&str>,
) -> Vec<AppointmentUrl> {
    let of_entry = |entry: &Element| {
        let appointment = entry.get("resource")?;
        let start = appointment.str_of("start").and_then(instant::parse);
        // Providers leave out what they do not want to tell: what is missing excludes nothing.
        let right = appointment.resource_type() == Some("Appointment")
            && appointment.str_of("status").is_none_or(|s| s == "booked")
            && start.is_none_or(|s| s == at);
        let of_id = || {
            let id = booking::ids::ResourceId::parse(appointment.str_of("id")?).ok()?;
            Some(location::of_id(&id, root))
        };
        let full = entry
            .str_of("fullUrl")
            .and_then(|u| location::read(u, root, ssp));
        right.then(|| full.or_else(of_id)).flatten()
    };
    let mut found: Vec<AppointmentUrl> = bundle.all("entry").filter_map(of_entry).collect();
    // The newest is the likeliest; Providers list them by time of start or of making.
    found.reverse();
    found.truncate(MAX_CANDIDATES);
    found
}

impl Attempt<'_> {
    fn is_ours(&self, shown: &AppointmentShown) -> bool {
        shown.document.as_deref() == Some(self.document.to_string().as_str())
            && shown.status == "booked"
    }

    fn found(&self, at: &AppointmentUrl, shown: Option<AppointmentShown>) -> Booked {
        let (etag, version) = match shown {
            Some(shown) => (shown.etag, shown.version),
            None => tag_and_version(None, at.version.clone()),
        };
        self.booked(at.id.as_str(), at.url.clone(), version, etag, true)
    }
}
