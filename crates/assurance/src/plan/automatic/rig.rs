//! A consumer to do steps with, and the work on one part of a plan: its contacts, and the appointments that stand.

use super::{Order, Seen, Stop, not_tried};
use crate::evidence::redacted;
use crate::plan::{self, Part, PlanFolder, Step, Task};
use booking::ids::ServiceId;
use consumer::config::{ConsumerConfig, Role};
use consumer::discover::{Discovery, ServiceDetails, Session};
use consumer::journal::{Encounter, Extract, Journal, KnownBooking, State};
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

/// The work on one part of a plan.
pub(super) struct Work<'a> {
    pub rig: &'a mut Rig,
    pub folder: &'a mut PlanFolder,
    pub part: Part,
    pub order: &'a Order,
    /// What was seen so far.
    pub lines: Vec<String>,
}

/// An appointment that stands.
pub(super) struct Standing {
    pub known: KnownBooking,
    pub located: Located,
    pub shown: AppointmentShown,
    /// The contact that it was booked in.
    pub encounter: String,
}

impl Standing {
    pub(super) fn told(&self) -> String {
        told(&self.shown.id, self.shown.start)
    }
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

    pub(super) fn work<'a>(
        &'a mut self,
        folder: &'a mut PlanFolder,
        part: Part,
        order: &'a Order,
    ) -> Work<'a> {
        Work {
            rig: self,
            folder,
            part,
            order,
            lines: Vec::new(),
        }
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
        let mut work = self.work(folder, step.part, order);
        let mut seen = match work.task(task).await {
            Ok(seen) => seen,
            Err(Stop::Failed(lines)) => Seen::of(false, lines),
            Err(Stop::NotTried(why)) => return Err(why),
        };
        match work.journal_since(begun).await {
            Ok(Some(text)) => seen = seen.with("journal.json", text),
            Ok(None) => {}
            Err(error) => seen
                .lines
                .push(format!("The journal could not be read: {error}.")),
        }
        if order.redact {
            for (_, bytes) in &mut seen.files {
                *bytes = redacted(std::mem::take(bytes));
            }
        }
        Ok(seen)
    }
}

impl Work<'_> {
    /// What was seen, as the result of the task.
    pub(super) fn seen(&mut self, passed: bool) -> Seen {
        Seen::of(passed, std::mem::take(&mut self.lines))
    }

    pub(super) fn tell(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    pub(super) fn journal(&self) -> &Journal {
        self.rig.journey.journal()
    }

    /// Goes through the directories to where a service is booked.
    pub(super) async fn place_of(&self, service: &ServiceId) -> Result<Place, Stop> {
        let details = self.rig.discovery.service(service).await?;
        let endpoint = self.rig.session.endpoint(&details).await?;
        Ok(Place {
            details,
            target: Target::from(&endpoint),
        })
    }

    /// Where this part's service is booked.
    pub(super) async fn place(&self) -> Result<Place, Stop> {
        self.place_of(self.service()).await
    }

    /// The service of this part.
    pub(super) fn service(&self) -> &ServiceId {
        match (self.part, &self.order.branch) {
            (Part::Branch, Some(branch)) => branch,
            _ => &self.order.service,
        }
    }

    /// The case number of this part.
    pub(super) fn case(&self) -> String {
        let id = self.folder.plan.id.simple().to_string();
        let short = id.get(..8).unwrap_or(&id);
        match self.part {
            Part::Whole => format!("TEST-{short}"),
            Part::Disposition(code) => format!("TEST-{short}-{code}"),
            Part::Branch => format!("TEST-{short}-branch"),
        }
    }

    /// The contacts of this part, oldest first.
    pub(super) fn contacts(&self) -> impl DoubleEndedIterator<Item = &plan::Contact> {
        let name = self.part.name();
        let all = self.folder.plan.contacts.iter();
        all.filter(move |contact| contact.part == name)
    }

    /// What the journal has of these contacts, oldest first.
    pub(super) async fn extracts(&self) -> Result<Vec<Extract>, Stop> {
        let mut all = Vec::new();
        for contact in self.contacts() {
            all.extend(self.journal().extract(&contact.encounter).await?);
        }
        Ok(all)
    }

    /// The open contact, or a new one.
    pub(super) async fn contact(&mut self) -> Result<Consultation, Stop> {
        let now = Timestamp::now();
        let open = self
            .contacts()
            .next_back()
            .filter(|c| !c.closed && now.duration_since(c.opened) < CONTACT_LASTS);
        match open.map(|c| c.encounter.clone()) {
            Some(id) => self.resume(&id).await,
            None => self.new_contact().await,
        }
    }

    /// Goes on with a contact.
    pub(super) async fn resume(&self, id: &str) -> Result<Consultation, Stop> {
        let disposition = match self.part {
            Part::Disposition(code) => Some(code.to_owned()),
            Part::Whole | Part::Branch => self.order.disposition.clone(),
        };
        let config = &self.rig.config;
        let user = config.user.as_ref().map(|u| u.practitioner.id.clone());
        let encounter = Encounter {
            id: id.to_owned(),
            opened_at: Timestamp::now(),
            closed_at: None,
            case_ref: Some(self.case()),
            user: user.unwrap_or_else(|| config.device.value.clone()),
            clinical: config.role() == Role::Clinician,
            within_minutes: disposition.as_deref().and_then(timeframe::of_disposition),
            disposition,
            practice: None,
        };
        Ok(self.rig.journey.consultation(encounter).await?)
    }

    /// Ends the contacts and opens another. Its id is on the disk before anything is done in it.
    pub(super) async fn new_contact(&mut self) -> Result<Consultation, Stop> {
        self.close_contacts().await?;
        let id = Uuid::new_v4().to_string();
        let plan = &mut self.folder.plan;
        plan.add_contact(&id, self.part.name())
            .map_err(Stop::NotTried)?;
        self.folder.save()?;
        self.resume(&id).await
    }

    /// A new contact for the call back of a patient.
    pub(super) async fn call_back(&mut self) -> Result<Consultation, Stop> {
        let consultation = self.new_contact().await?;
        self.tell("The consultation was closed; a new one stands for the call back.");
        Ok(consultation)
    }

    pub(super) async fn close_contacts(&mut self) -> Result<(), Stop> {
        let open = self.contacts().filter(|contact| !contact.closed);
        let open: Vec<String> = open.map(|contact| contact.encounter.clone()).collect();
        for encounter in &open {
            self.journal().close(encounter, Timestamp::now()).await?;
        }
        if open.is_empty() {
            return Ok(());
        }
        for contact in &mut self.folder.plan.contacts {
            contact.closed |= open.contains(&contact.encounter);
        }
        Ok(self.folder.save()?)
    }

    /// Bookings that the journal has as standing, the newest first, with their contacts.
    pub(super) async fn believed(&self) -> Result<Vec<(String, KnownBooking)>, Stop> {
        let mut all = Vec::new();
        for extract in self.extracts().await?.into_iter().rev() {
            let live = |b: &KnownBooking| !matches!(b.state, State::Failed | State::Cancelled);
            let bookings = extract.bookings.into_iter().rev().filter(live);
            all.extend(bookings.map(|b| (extract.encounter.id.clone(), b)));
        }
        Ok(all)
    }

    /// The newest appointment that stands at the service too, and is still to come.
    async fn standing(&self) -> Result<Option<Standing>, Stop> {
        for (encounter, known) in self.believed().await? {
            let Some(located) = Located::of_known(&known) else {
                continue;
            };
            if known.start <= Timestamp::now() {
                continue;
            }
            let consultation = self.resume(&encounter).await?;
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

    /// A slot to book that leaves people time to look at it, with the proof that the timeframe was looked at. One within
    /// the timeframe goes first.
    pub(super) async fn choose(
        &self,
        consultation: &Consultation,
        target: &Target,
    ) -> Result<(FreeSlot, Cleared), Stop> {
        let list = consultation.slots(target, SlotSearch::soon()).await?;
        let soonest = Timestamp::now() + LEAD;
        let slots: Vec<FreeSlot> = list
            .slots
            .into_iter()
            .filter(|slot| slot.start >= soonest)
            .collect();
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
            approver: self.order.approved_by.clone(),
            patient_agreed: None,
        };
        if let Ok(cleared) = timeframe::clear(encounter, slot, confirmation) {
            return Ok((slot.clone(), cleared));
        }
        let late = match timeframe::judge(encounter, slot.start) {
            Judgement::Outside { minutes, .. } => span(minutes),
            Judgement::NoTimeframe | Judgement::Inside => String::new(),
        };
        let disposition = encounter.disposition.as_deref();
        not_tried(format!(
            "No slot is free within the time of {}: the first starts {late} after it, and the user of these settings is no \
             clinician. Put test slots into the diary, or say with --approved-by NAME which clinician approves.",
            disposition.unwrap_or("the disposition")
        ))
    }

    /// Books the first slot of this part's service that fits.
    pub(super) async fn book(&mut self, consultation: &Consultation) -> Result<Booked, Stop> {
        let target = self.place().await?.target;
        for _ in 0..TRIES {
            let (slot, cleared) = self.choose(consultation, &target).await?;
            let booking = consultation
                .book(&target, &slot, &self.order.details, &cleared)
                .await?;
            match booking {
                Booking::Booked(booked) => {
                    let id = booked.appointment.clone();
                    self.rig.remembered.insert(id, (*booked).clone());
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

    /// The same in the open contact.
    pub(super) async fn book_in_contact(&mut self) -> Result<Booked, Stop> {
        let consultation = self.contact().await?;
        self.book(&consultation).await
    }

    /// An appointment that stands, booked now if there is none.
    pub(super) async fn ensured(&mut self) -> Result<Standing, Stop> {
        if let Some(standing) = self.standing().await? {
            return Ok(standing);
        }
        let booked = self.book_in_contact().await?;
        self.tell(format!(
            "Booked for this step: {}",
            told(&booked.appointment, Some(booked.slot.start))
        ));
        self.standing().await?.ok_or_else(|| {
            Stop::Failed(vec![format!(
                "The appointment {} was confirmed, but the service does not show it as booked.",
                booked.appointment
            )])
        })
    }
}

/// An appointment in a sentence.
pub(super) fn told(id: &str, start: Option<Timestamp>) -> String {
    match start {
        Some(start) => format!("{}, appointment {id}", day_and_time(start)),
        None => format!("appointment {id}"),
    }
}
