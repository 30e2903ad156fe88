//! Finds, reads and shows existing appointments (CONS-CAN-01, CONS-CAN-02).

use super::identity::{self, Expected, Proven, Status, Unproven};
use super::location::{self, AppointmentUrl};
use super::{Consultation, Target, faults, success};
use crate::form;
use crate::journal::{Found, KnownBooking, Settled, State, StepId};
use crate::obstacle::Obstacle;
use crate::plan;
use crate::redact::{self, Identifying};
use crate::slots::{Channel, day_and_time, human_name};
use booking::foreign::Foreign;
use booking::ids::{Asid, NhsNumber, ResourceId, ServiceId};
use booking::{instant, systems};
use fhir::Element;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use std::fmt;

/// Why an appointment of unknown meaning cannot be used.
const MODIFIED: &str = "the Appointment has a modifier extension, which is not known";

/// An appointment and its service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The service and its Provider.
    pub target: Target,
    /// The id.
    pub id: ResourceId,
}

impl Located {
    /// Where a booking of the journal is. `None`: it has no id, or it is unknown whether it was made.
    pub fn of_known(known: &KnownBooking) -> Option<Located> {
        if known.is_unsettled() {
            return None;
        }
        Some(Located {
            id: ResourceId::parse(known.appointment.as_deref()?).ok()?,
            target: Target {
                service: ServiceId::parse(&known.service).ok()?,
                name: None,
                asid: Asid::parse(&known.asid).ok()?,
                slots_root: known.root.clone(),
                booking_root: known.root.clone(),
            },
        })
    }

    /// An appointment of a service, from its id or URL.
    pub fn of_text(target: &Target, text: &str) -> Option<Located> {
        let found = location::read(text, &target.booking_root, None)
            .map(|at| at.id)
            .or_else(|| ResourceId::parse(text.trim()).ok())?;
        Some(Located {
            target: target.clone(),
            id: found,
        })
    }
}

/// An appointment that was read.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct AppointmentShown {
    /// Its id.
    pub id: String,
    /// Absolute URL, without version.
    pub url: String,
    /// `booked`, `cancelled`, …
    pub status: Foreign,
    /// Version id.
    pub version: Option<Foreign>,
    /// Start.
    pub start: Option<Timestamp>,
    /// End.
    pub end: Option<Timestamp>,
    /// Reason.
    pub description: Option<Foreign>,
    /// Delivery channel, if supplied.
    pub channel: Option<Channel>,
    /// The patient's name.
    pub patient: Option<Foreign>,
    /// UUID of the clinical document.
    pub document: Option<Foreign>,
    /// ETag to cancel with.
    #[serde(skip)]
    pub etag: String,
    /// The whole resource.
    #[serde(skip)]
    pub resource: Element,
}

impl fmt::Debug for AppointmentShown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppointmentShown")
            .field("id", &self.id)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl AppointmentShown {
    /// Reads an Appointment. `etag` is the answer's; without it the version serves as one.
    pub(super) fn of(
        resource: Element,
        id: &ResourceId,
        etag: Option<&str>,
        url: String,
    ) -> AppointmentShown {
        let text = |name: &str| resource.str_of(name).map(|t| Foreign::from(t.trim()));
        let at = |name: &str| {
            resource
                .str_of(name)
                .map(str::trim)
                .and_then(instant::parse)
        };
        let version = resource
            .at("meta.versionId")
            .and_then(Element::as_str)
            .map(str::to_owned);
        let (etag, version) = tag_and_version(etag, version);
        let contained = |kind: &str| {
            resource
                .all("contained")
                .find(|c| c.resource_type() == Some(kind))
        };
        let wanted = [systems::DELIVERY_CHANNEL, systems::DELIVERY_CHANNEL_GPC];
        let channel = resource
            .all("extension")
            .find(|e| e.str_of("url").is_some_and(|u| wanted.contains(&u)))
            .and_then(|e| e.str_of("valueCode"))
            .map(Channel::from_code);
        if let Some(patient) = contained("Patient") {
            redact::keep_out(&Identifying::from(patient));
        }
        let patient = contained("Patient").and_then(human_name).or_else(|| {
            let display = resource.at("participant.actor.display");
            display.and_then(Element::as_str).map(Foreign::from)
        });
        AppointmentShown {
            id: id.as_str().to_owned(),
            url,
            status: text("status").unwrap_or_default(),
            version: version.map(Foreign::from),
            start: at("start"),
            end: at("end"),
            description: text("description"),
            channel,
            patient,
            document: identity::documents_of(&resource)
                .into_iter()
                .next()
                .map(Foreign::from),
            etag,
            resource,
        }
    }

    /// How a booking ended of which this is the appointment.
    pub fn settled(&self, state: State) -> Settled {
        Settled {
            appointment: Some(self.id.clone()),
            url: Some(self.url.clone()),
            version: self.version.as_ref().map(|t| t.as_received().to_owned()),
            etag: Some(self.etag.clone()),
            ..Settled::without_appointment(state, None)
        }
    }

    /// The patient's NHS number, if the Appointment has one.
    pub fn nhs_number(&self) -> Option<NhsNumber> {
        identity::numbers_of(&self.resource).into_iter().next()
    }

    /// Patient, service, day and time on one line, for every question and result about the appointment.
    pub fn named(&self, service: &str) -> String {
        let patient = self.patient.as_ref().map_or_else(
            || "a patient whose name is not given".to_owned(),
            Foreign::to_string,
        );
        let when = self.start.map_or_else(
            || "at a time that is not given".to_owned(),
            |start| format!("on {}", day_and_time(start)),
        );
        format!("{patient} at {service} {when}")
    }
}

/// The ETag to send and the version id, each derived from the other if missing. A tag is sent as received: a strong one
/// stays strong.
pub(super) fn tag_and_version(
    etag: Option<&str>,
    version: Option<String>,
) -> (String, Option<String>) {
    let tag = etag.map(str::trim).filter(|tag| !tag.is_empty());
    let bare = tag.map(|tag| tag.strip_prefix("W/").unwrap_or(tag));
    let of_tag = bare.map(|bare| bare.trim_matches('"').to_owned());
    let version = of_tag.filter(|v| !v.is_empty()).or(version);
    let is_whole = bare.is_some_and(|b| b.len() > 2 && b.starts_with('"') && b.ends_with('"'));
    let sent = match (tag, &version) {
        // Weak or strong, it is sent as received.
        (Some(tag), _) if is_whole => tag.to_owned(),
        // The Standard's form is weak, and every Provider accepts it.
        (_, Some(version)) => format!("W/\"{version}\""),
        (_, None) => String::new(),
    };
    (sent, version)
}

impl Consultation {
    /// Reads an appointment and compares it with what is expected. `Ok(Err(…))`: the answer is not, or not certainly, the
    /// expected appointment.
    pub async fn read_expected(
        &self,
        located: &Located,
        expected: &Expected,
        status: Status,
    ) -> Result<Result<Proven, Unproven>, Obstacle> {
        let step = self.begin("read", Some(&located.target.service)).await?;
        match self.read(located, step).await {
            Ok(shown) => {
                let mut detail = json!({ "appointment": shown.id, "status": shown.status, "version": shown.version });
                let judged = expected.at(located.id.as_str()).judge(shown, status);
                let outcome = match &judged {
                    Ok(_) => "read",
                    Err(unproven) => {
                        detail["differs"] = json!(unproven.plain());
                        "not the one that is meant"
                    }
                };
                self.end(step, outcome, detail).await;
                Ok(judged)
            }
            Err(obstacle) => self.ended(step, obstacle).await,
        }
    }

    /// What is expected of an appointment: the journal's record, else its id and the current patient.
    pub async fn expected(
        &self,
        located: &Located,
        patient: Option<&NhsNumber>,
    ) -> Result<Expected, Obstacle> {
        let id = located.id.as_str();
        let asid = located.target.asid.as_str();
        let found = self.journal().find(id).await.map_err(faults::journal)?;
        let all = match found {
            Found::None => Vec::new(),
            Found::One(known) => vec![*known],
            Found::Several(all) => all,
        };
        let known = all
            .iter()
            .find(|k| k.appointment.as_deref() == Some(id) && k.asid == asid && !k.is_unsettled());
        let expected = match (known, patient) {
            (Some(known), Some(patient)) => Expected::known(known).of_patient(patient),
            (Some(known), None) => Expected::known(known),
            (None, patient) => Expected::elsewhere(id, patient),
        };
        Ok(expected)
    }

    /// Reads an appointment without comparing it.
    pub async fn show(&self, located: &Located) -> Result<AppointmentShown, Obstacle> {
        let step = self.begin("read", Some(&located.target.service)).await?;
        match self.read(located, step).await {
            Ok(shown) => {
                let odd = form::of_appointment(&shown.resource);
                let why = match crate::slots::modifier(&shown.resource) {
                    Some(_) => Some(MODIFIED.to_owned()),
                    None => (!odd.is_empty()).then(|| form::plain(&odd)),
                };
                if let Some(why) = why {
                    let obstacle = faults::unusable(&why, &located.target);
                    return self.ended(step, obstacle).await;
                }
                let detail = json!({ "appointment": shown.id, "status": shown.status, "version": shown.version });
                self.end(step, "read", detail).await;
                Ok(shown)
            }
            Err(obstacle) => self.ended(step, obstacle).await,
        }
    }

    pub(super) async fn read(
        &self,
        located: &Located,
        step: StepId,
    ) -> Result<AppointmentShown, Obstacle> {
        let target = &located.target;
        let route = self.journey.route(&target.asid, &target.booking_root);
        let request = self
            .journey
            .plan(&route, |s| plan::read::plan(s, &located.id))?;
        let delivery = self.journey.send(&request, step).await;
        let answer = success(delivery, faults::Stage::Read, target)?;
        let Some(resource) = answer.resource_of("Appointment") else {
            return Err(faults::malformed(&answer, faults::Stage::Read, target));
        };
        let at = location::of_id(&located.id, &route.root);
        let url = self
            .own_url(&answer, &route.root)
            .map_or(at.url, |own| own.url);
        Ok(AppointmentShown::of(
            resource.clone(),
            &located.id,
            answer.etag.as_deref(),
            url,
        ))
    }

    /// The Provider's own address, from `Location`.
    pub(super) fn own_url(
        &self,
        answer: &crate::transport::Answer,
        root: &str,
    ) -> Option<AppointmentUrl> {
        location::read(answer.location.as_deref()?, root, self.journey.ssp())
    }
}
