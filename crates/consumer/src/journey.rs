//! The journey of a booking once the Provider's endpoint is known: search, book, show, cancel, rebook. It applies the rules
//! on timeframes and booking-only services, and recovers lost answers.
//!
//! It knows no terminal and no page. A [`Journey`] lives as long as the program; each contact with a patient is a
//! [`Consultation`]. Every failure is an [`Obstacle`]: plain words and a next step for the user, codes for the log
//! (CONS-ERR-01, CONS-ERR-02).

mod appointment;
mod book;
mod booked;
mod booking_only;
mod cancel;
mod capability;
mod clock;
mod draft;
mod faults;
mod find_booking;
pub mod identity;
pub mod location;
mod outcome;
mod progress;
mod rebook;
mod same_booking;
mod search;
mod settle;
pub mod timeframe;

pub use appointment::{AppointmentShown, Located};
pub use book::Booking;
pub use booked::Booked;
pub use booking_only::ReferralPermit;
pub use cancel::{CancelReport, Cancelled, not_booked};
pub use capability::Capability;
pub use draft::{ReferralDraft, referred};
pub use identity::{Expected, Proven, Status, Unproven};
pub use progress::{PendingChange, Progress};
pub use rebook::{Old, Rebooked};
pub use same_booking::{is_same_booking, is_theirs};
pub use search::{NextFree, Shown, SlotSearch, Window};
pub use settle::{Lost, REQUEST_LIFE, slot_of};

use crate::config::ConsumerConfig;
use crate::journal::{Encounter, Journal, StepId};
use crate::obstacle::Obstacle;
use crate::plan::{Ids, PlanError, Request, Route, Sender, Setting};
use crate::transport::{Answer, Delivery, Transport};
use booking::foreign::Foreign;
use booking::ids::{Asid, ServiceId};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// A bookable service, as discovery found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// DoS service id.
    pub service: ServiceId,
    /// Its name in the DoS, for the user.
    pub name: Option<Foreign>,
    /// ASID of the Provider.
    pub asid: Asid,
    /// Service root for slot searches, from SDS.
    pub slots_root: String,
    /// Service root for everything about appointments, from SDS.
    pub booking_root: String,
}

/// The library's entry point after discovery. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Journey {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    sender: Sender,
    ssp: Option<String>,
    transport: Transport,
    journal: Journal,
    /// The Providers' capabilities by endpoint, read in this session (D-50).
    capabilities: Mutex<HashMap<String, Option<Capability>>>,
    progress: Mutex<Progress>,
}

impl Journey {
    /// A journey for one user: `sender` names the user in every token. `ssp` is the address of the Spine Secure Proxy;
    /// without it requests go straight to Providers, for development only.
    pub fn new(
        sender: Sender,
        ssp: Option<String>,
        transport: Transport,
        journal: Journal,
    ) -> Journey {
        Journey {
            inner: Arc::new(Inner {
                sender,
                ssp,
                transport,
                journal,
                capabilities: Mutex::new(HashMap::new()),
                progress: Mutex::default(),
            }),
        }
    }

    /// A journey with the user, SSP, certificates, time-outs and journal of the settings.
    pub fn open(config: &ConsumerConfig) -> Result<Journey, Obstacle> {
        let client = crate::client::http(config).map_err(faults::settings)?;
        let journal = config.open_journal().map_err(faults::journal)?;
        Ok(Journey::over(config, client, journal))
    }

    /// Like [`Journey::open`], with a given client and journal.
    pub fn over(config: &ConsumerConfig, client: reqwest::Client, journal: Journal) -> Journey {
        let transport = Transport::new(client, journal.clone(), config.policy());
        Journey::new(config.sender(), config.ssp.clone(), transport, journal)
    }

    /// The journal of this journey.
    pub fn journal(&self) -> &Journal {
        &self.inner.journal
    }

    /// Begins a contact with a patient, or continues the one with the same id.
    pub async fn consultation(&self, encounter: Encounter) -> Result<Consultation, Obstacle> {
        let kept = self.inner.journal.encounter(encounter).await;
        Ok(Consultation {
            journey: self.clone(),
            encounter: kept.map_err(faults::journal)?,
            known: None,
        })
    }

    fn route(&self, asid: &Asid, root: &str) -> Route {
        Route::new(self.inner.ssp.clone(), asid.clone(), root)
    }

    fn ssp(&self) -> Option<&str> {
        self.inner.ssp.as_deref()
    }

    /// Builds a request with new ids.
    fn plan(
        &self,
        route: &Route,
        build: impl FnOnce(&Setting) -> Result<Request, PlanError>,
    ) -> Result<Request, Obstacle> {
        self.plan_as(route, Ids::new(), build)
    }

    /// Builds a request with these ids.
    fn plan_as(
        &self,
        route: &Route,
        ids: Ids,
        build: impl FnOnce(&Setting) -> Result<Request, PlanError>,
    ) -> Result<Request, Obstacle> {
        let setting = Setting {
            sender: &self.inner.sender,
            route,
            ids,
            now: Timestamp::now(),
        };
        build(&setting).map_err(faults::plan)
    }

    /// Sends a request. If a Provider refuses JSON, sends it once more in XML: a changed request with a new id.
    async fn send(&self, request: &Request, step: StepId) -> Delivery {
        let delivery = self.inner.transport.send(request, step).await;
        match (&delivery, request.in_xml()) {
            (Ok(answer), Some(other)) if answer.status == 415 && !answer.uncertain => {
                self.inner.transport.send(&other, step).await
            }
            _ => delivery,
        }
    }
}

/// One contact of a user with a patient. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Consultation {
    journey: Journey,
    encounter: Encounter,
    /// The documents of the patient's bookings that the user knows, if a new booking requires that there are no others.
    known: Option<Vec<String>>,
}

impl Consultation {
    /// The same contact, which books only while the patient has no bookings from here, certain or not, except these
    /// documents (CONS-REB-04). Two programs that ask at the same time cannot both book.
    pub fn knowing(&self, known: Vec<String>) -> Consultation {
        Consultation {
            known: Some(known),
            ..self.clone()
        }
    }

    /// The stored encounter.
    pub fn encounter(&self) -> &Encounter {
        &self.encounter
    }

    /// The journey of this contact.
    pub fn journey(&self) -> &Journey {
        &self.journey
    }

    /// Ends the contact. Later steps count as after the consultation (REP-C-07, REP-C-09).
    pub async fn close(&self) -> Result<(), Obstacle> {
        let closed = self
            .journal()
            .close(&self.encounter.id, Timestamp::now())
            .await;
        closed.map_err(faults::journal)
    }

    /// Records a step of the caller, such as the services shown and the one chosen (DAT-01), a warning (DAT-06), or a text
    /// message sent. `detail` must not name the patient.
    pub async fn note(
        &self,
        kind: &'static str,
        service: Option<&ServiceId>,
        outcome: &str,
        detail: Value,
    ) -> Result<(), Obstacle> {
        let step = self.begin(kind, service).await?;
        self.end(step, outcome, detail).await;
        Ok(())
    }

    fn journal(&self) -> &Journal {
        &self.journey.inner.journal
    }

    async fn begin(
        &self,
        kind: &'static str,
        service: Option<&ServiceId>,
    ) -> Result<StepId, Obstacle> {
        let service = service.map(ServiceId::as_str);
        let begun = self
            .journal()
            .begin(&self.encounter.id, kind, service, Timestamp::now())
            .await;
        begun.map_err(faults::journal)
    }

    /// Ends a step. The step has happened, so a failing journal is only logged.
    async fn end(&self, step: StepId, outcome: &str, detail: Value) {
        let ended = self
            .journal()
            .end(step, outcome, detail, Timestamp::now())
            .await;
        if let Err(error) = ended {
            tracing::error!(%error, outcome, "the end of a step could not be kept in the journal");
        }
    }

    /// Ends a step with an obstacle: stage, codes, text, and the words shown to the user (DAT-08, REP-C-06).
    async fn end_with(&self, step: StepId, obstacle: &Obstacle) {
        self.end(step, "obstacle", faults::detail(obstacle)).await;
    }

    async fn ended<T>(&self, step: StepId, obstacle: Obstacle) -> Result<T, Obstacle> {
        self.end_with(step, &obstacle).await;
        Err(obstacle)
    }
}

/// The answer of a success, else an obstacle.
fn success(delivery: Delivery, stage: faults::Stage, target: &Target) -> Result<Answer, Obstacle> {
    match delivery {
        Ok(answer) if answer.is_success() => Ok(answer),
        Ok(answer) => Err(faults::refused(&answer, stage, target)),
        Err(undelivered) => Err(faults::undelivered(&undelivered, stage, target)),
    }
}
