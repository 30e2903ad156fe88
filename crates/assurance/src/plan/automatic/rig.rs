//! A consumer to do steps with: its contacts, and the appointments that stand.

use super::{Order, Seen, Stop, evidence, not_tried};
use crate::plan::{Part, PlanFolder, Ready, Step, Task};
use booking::ids::ServiceId;
use consumer::config::{ConsumerConfig, Role};
use consumer::discover::{Discovery, ServiceDetails, Session};
use consumer::journal::{Encounter, Journal, KnownBooking, State};
use consumer::journey::timeframe::{self, Cleared, Confirmation, Judgement};
use consumer::journey::{
    AppointmentShown, Booked, Booking, Consultation, Journey, Located, SlotSearch, Target,
};
use consumer::slots::{FreeSlot, day_and_time, span};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use uuid::Uuid;

/// A contact that was opened longer ago is over: a call takes minutes, and its timeframe runs from its start.
const CONTACT_LASTS: SignedDuration = SignedDuration::from_mins(60);
/// A slot that starts sooner may be over before people have looked at it.
const LEAD: SignedDuration = SignedDuration::from_mins(15);
/// Slots tried one after the other when others are quicker.
const TRIES: usize = 3;

/// A consumer to do steps with.
pub struct Rig {
    pub(super) config: ConsumerConfig,
    pub(super) client: reqwest::Client,
    pub(super) discovery: Discovery,
    pub(super) session: Session,
    pub(super) journey: Journey,
    /// Bookings of this run, with their slots, by appointment id.
    pub(super) remembered: HashMap<String, Booked>,
}

/// An appointment that stands.
pub(super) struct Standing {
    pub known: KnownBooking,
    pub located: Located,
    pub shown: AppointmentShown,
    /// The contact that it was booked in.
    pub encounter: String,
}

/// A service with the way to its bookings.
pub(super) struct Place {
    pub details: ServiceDetails,
    pub target: Target,
}

impl Rig {
    /// Opens the consumer's journal and sets up its client.
    pub fn open(config: ConsumerConfig) -> Result<Rig, String> {
        let client = consumer::client::http(&config).map_err(|e| e.to_string())?;
        let journal = config.open_journal().map_err(|e| e.to_string())?;
        let journey = Journey::over(&config, client.clone(), journal);
        let discovery = Discovery::over(&config, client.clone()).map_err(|e| e.to_string())?;
        Ok(Rig {
            session: discovery.session(),
            config,
            client,
            discovery,
            journey,
            remembered: HashMap::new(),
        })
    }

    /// Who does the steps, for the particulars.
    pub fn system(&self) -> String {
        format!("uec {}", env!("CARGO_PKG_VERSION"))
    }

    /// The organisation that the steps are done for.
    pub fn organisation(&self) -> String {
        format!("{} ({})", self.config.organisation.name, self.config.ods())
    }

    pub(super) fn journal(&self) -> &Journal {
        self.journey.journal()
    }

    /// Does the task of a step. `Err` says why it could not be tried.
    pub async fn perform(
        &mut self,
        folder: &mut PlanFolder,
        step: &Step,
        task: Task,
        order: &Order,
    ) -> Result<Seen, String> {
        self.session = self.discovery.session();
        let begun = Timestamp::now();
        let done = self.task(folder, step, task, order).await;
        self.ended(folder, step, order, begun, done).await
    }

    /// Makes ready what people need for a step.
    pub async fn make_ready(
        &mut self,
        folder: &mut PlanFolder,
        step: &Step,
        ready: Ready,
        order: &Order,
    ) -> Result<Seen, String> {
        self.session = self.discovery.session();
        let begun = Timestamp::now();
        let done = self.ready(folder, step, ready, order).await;
        self.ended(folder, step, order, begun, done).await
    }

    async fn ended(
        &self,
        folder: &PlanFolder,
        step: &Step,
        order: &Order,
        begun: Timestamp,
        done: Result<Seen, Stop>,
    ) -> Result<Seen, String> {
        let mut seen = match done {
            Ok(seen) => seen,
            Err(Stop::Failed(lines)) => Seen::failed(lines),
            Err(Stop::NotTried(why)) => return Err(why),
        };
        let journal = self.extracts(folder, step.part, begun).await;
        match journal {
            Ok(Some(text)) => seen = seen.with("journal.json", text),
            Ok(None) => {}
            Err(error) => seen
                .lines
                .push(format!("The journal could not be read: {error}.")),
        }
        if order.redact {
            for (_, bytes) in &mut seen.files {
                *bytes = evidence::redacted(std::mem::take(bytes));
            }
        }
        Ok(seen)
    }

    /// Goes through the directories to where a service is booked.
    pub(super) async fn place(&self, service: &ServiceId) -> Result<Place, Stop> {
        let details = self.discovery.service(service).await?;
        let endpoint = self.session.endpoint(&details).await?;
        Ok(Place {
            details,
            target: Target::from(&endpoint),
        })
    }

    /// The case number of a part.
    pub(super) fn case(folder: &PlanFolder, part: Part) -> String {
        let id = folder.plan.id.simple().to_string();
        let short = id.get(..8).unwrap_or(&id);
        match part {
            Part::Whole => format!("TEST-{short}"),
            Part::Disposition(code) => format!("TEST-{short}-{code}"),
            Part::Branch => format!("TEST-{short}-branch"),
        }
    }

    fn encounter(&self, folder: &PlanFolder, part: Part, order: &Order, id: &str) -> Encounter {
        let disposition = match part {
            Part::Disposition(code) => Some(code.to_owned()),
            Part::Whole | Part::Branch => order.disposition.clone(),
        };
        let user = self.config.user.as_ref().map(|u| u.practitioner.id.clone());
        Encounter {
            id: id.to_owned(),
            opened_at: Timestamp::now(),
            closed_at: None,
            case_ref: Some(Rig::case(folder, part)),
            user: user.unwrap_or_else(|| self.config.device.value.clone()),
            clinical: self.config.role() == Role::Clinician,
            within_minutes: disposition.as_deref().and_then(timeframe::of_disposition),
            disposition,
            practice: None,
        }
    }

    /// The open contact of a part, or a new one.
    pub(super) async fn contact(
        &self,
        folder: &mut PlanFolder,
        part: Part,
        order: &Order,
    ) -> Result<Consultation, Stop> {
        let last = folder
            .plan
            .contacts
            .iter()
            .rev()
            .find(|c| c.part == part.name());
        let open =
            last.filter(|c| !c.closed && Timestamp::now().duration_since(c.opened) < CONTACT_LASTS);
        match open.map(|c| c.encounter.clone()) {
            Some(id) => self.resume(folder, part, order, &id).await,
            None => self.new_contact(folder, part, order).await,
        }
    }

    /// Goes on with a contact.
    pub(super) async fn resume(
        &self,
        folder: &PlanFolder,
        part: Part,
        order: &Order,
        id: &str,
    ) -> Result<Consultation, Stop> {
        let encounter = self.encounter(folder, part, order, id);
        Ok(self.journey.consultation(encounter).await?)
    }

    /// Ends the contacts of a part and opens another. Its id is on the disk before anything is done in it.
    pub(super) async fn new_contact(
        &self,
        folder: &mut PlanFolder,
        part: Part,
        order: &Order,
    ) -> Result<Consultation, Stop> {
        self.close_contacts(folder, part).await?;
        let id = Uuid::new_v4().to_string();
        folder
            .plan
            .add_contact(&id, part.name())
            .map_err(Stop::NotTried)?;
        folder.save()?;
        self.resume(folder, part, order, &id).await
    }

    pub(super) async fn close_contacts(
        &self,
        folder: &mut PlanFolder,
        part: Part,
    ) -> Result<(), Stop> {
        let mut changed = false;
        for contact in &mut folder.plan.contacts {
            if contact.part == part.name() && !contact.closed {
                self.journal()
                    .close(&contact.encounter, Timestamp::now())
                    .await?;
                contact.closed = true;
                changed = true;
            }
        }
        if changed {
            folder.save()?;
        }
        Ok(())
    }

    /// Bookings of a part that the journal has as standing, the newest first, with their contacts.
    pub(super) async fn believed(
        &self,
        folder: &PlanFolder,
        part: Part,
    ) -> Result<Vec<(String, KnownBooking)>, Stop> {
        let mut all = Vec::new();
        for contact in folder.plan.contacts.iter().rev() {
            if contact.part != part.name() {
                continue;
            }
            let Some(extract) = self.journal().extract(&contact.encounter).await? else {
                continue;
            };
            let live = |b: &KnownBooking| !matches!(b.state, State::Failed | State::Cancelled);
            let bookings = extract.bookings.into_iter().rev().filter(live);
            all.extend(bookings.map(|b| (contact.encounter.clone(), b)));
        }
        Ok(all)
    }

    /// The newest appointment of a part that stands at the service too, and is still to come.
    pub(super) async fn standing(
        &self,
        folder: &mut PlanFolder,
        part: Part,
        order: &Order,
    ) -> Result<Option<Standing>, Stop> {
        for (encounter, known) in self.believed(folder, part).await? {
            let Some(located) = Located::of_known(&known) else {
                continue;
            };
            if known.start <= Timestamp::now() {
                continue;
            }
            let consultation = self.resume(folder, part, order, &encounter).await?;
            let shown = consultation.show(&located).await?;
            if shown.status == "booked" {
                return Ok(Some(Standing {
                    known,
                    located,
                    shown,
                    encounter,
                }));
            }
        }
        Ok(None)
    }

    /// Free slots that leave people time to look at them.
    pub(super) async fn free(
        &self,
        consultation: &Consultation,
        target: &Target,
    ) -> Result<Vec<FreeSlot>, Stop> {
        let list = consultation.slots(target, SlotSearch::soon()).await?;
        let soonest = Timestamp::now() + LEAD;
        Ok(list
            .slots
            .into_iter()
            .filter(|slot| slot.start >= soonest)
            .collect())
    }

    /// The slot to book, with the proof that the timeframe was looked at. One within the timeframe goes first.
    pub(super) fn choose(
        consultation: &Consultation,
        slots: &[FreeSlot],
        order: &Order,
    ) -> Result<(FreeSlot, Cleared), Stop> {
        let encounter = consultation.encounter();
        let inside = slots
            .iter()
            .find(|s| timeframe::inside(encounter, s.start) != Some(false));
        let Some(slot) = inside.or(slots.first()) else {
            return not_tried(
                "The service has no free slot in the next three days: put test slots into its diary.",
            );
        };
        let confirmation = Confirmation {
            told: true,
            approver: order.approved_by.clone(),
            patient_agreed: None,
        };
        match timeframe::clear(encounter, slot, confirmation) {
            Ok(cleared) => Ok((slot.clone(), cleared)),
            Err(_) => {
                let late = match timeframe::judge(encounter, slot.start) {
                    Judgement::Outside { minutes, .. } => span(minutes),
                    Judgement::NoTimeframe | Judgement::Inside => String::new(),
                };
                not_tried(format!(
                    "No slot is free within the time of {}: the first starts {late} after it, and the user of these settings \
                     is no clinician. Put test slots into the diary, or say with --approved-by NAME which clinician approves.",
                    encounter
                        .disposition
                        .as_deref()
                        .unwrap_or("the disposition")
                ))
            }
        }
    }

    /// Books the first slot that fits.
    pub(super) async fn book(
        &mut self,
        consultation: &Consultation,
        target: &Target,
        order: &Order,
    ) -> Result<Booked, Stop> {
        for _ in 0..TRIES {
            let slots = self.free(consultation, target).await?;
            let (slot, cleared) = Rig::choose(consultation, &slots, order)?;
            let booking = consultation
                .book(target, &slot, &order.details, &cleared)
                .await?;
            match booking {
                Booking::Booked(booked) => {
                    self.remembered
                        .insert(booked.appointment.clone(), (*booked).clone());
                    return Ok(*booked);
                }
                Booking::SlotTaken { .. } => {}
                Booking::Unknown { notice, .. } => return Err(notice.into()),
            }
        }
        not_tried(format!(
            "{TRIES} slots were taken by others just before they could be booked: reserve the test slots."
        ))
    }

    /// An appointment that stands, booked now if there is none.
    pub(super) async fn ensured(
        &mut self,
        folder: &mut PlanFolder,
        part: Part,
        order: &Order,
        lines: &mut Vec<String>,
    ) -> Result<Standing, Stop> {
        if let Some(standing) = self.standing(folder, part, order).await? {
            return Ok(standing);
        }
        let consultation = self.contact(folder, part, order).await?;
        let place = self.place(self.service(order, part)).await?;
        let booked = self.book(&consultation, &place.target, order).await?;
        lines.push(format!(
            "Booked for this step: {}",
            told(&booked.appointment, Some(booked.slot.start))
        ));
        let Some(standing) = self.standing(folder, part, order).await? else {
            return Err(Stop::Failed(vec![format!(
                "The appointment {} was confirmed, but the service does not show it as booked.",
                booked.appointment
            )]));
        };
        Ok(standing)
    }

    /// The service of a part.
    pub(super) fn service<'a>(&self, order: &'a Order, part: Part) -> &'a ServiceId {
        match part {
            Part::Branch => order.branch.as_ref().unwrap_or(&order.service),
            Part::Whole | Part::Disposition(_) => &order.service,
        }
    }
}

/// An appointment in a sentence.
pub(super) fn told(id: &str, start: Option<Timestamp>) -> String {
    match start {
        Some(start) => format!("{}, appointment {id}", day_and_time(start)),
        None => format!("appointment {id}"),
    }
}
