//! Slot searches, reads and searches by patient, as each scenario plays them.

use booking::ids::{ResourceId, ServiceId};
use booking::instant::london;
use booking::patient_summary::search_entry;
use booking::refusal::{Refusal, Situation};
use booking::slot::SlotStatus;
use booking::wire::appointment_query::AppointmentQuery;
use booking::wire::query;
use booking::wire::slot_query::{SlotQuery, Window};
use fhir::Element;
use fhir::primitive::format_instant;
use uuid::Uuid;

use crate::consumer_suite::asked::Asked;
use crate::consumer_suite::reply::{Given, Reply};
use crate::consumer_suite::resources;
use crate::consumer_suite::scenario::{Play, Scenario, StopAt, scenario};
use crate::consumer_suite::state::{Call, State, Stored};

/// Most slots of one answer outside the scenario of very many.
const MAX_SLOTS: usize = 500;

type Answered = Result<Reply, Box<Refusal>>;

impl State {
    /// Answers a slot search.
    pub(crate) fn search(&mut self, asked: &Asked, call: &mut Call) -> Answered {
        let query = SlotQuery::parse(&asked.query, call.now, &london(), &Window::default())?;
        let known = scenario(query.service.as_str()).filter(|s| is_served(s));
        let Some(scenario) = known else {
            return Err(Box::new(Refusal::new(
                Situation::ServiceUnknown,
                format!("There is no service {}.", query.service),
            )));
        };
        call.scenario = Some(scenario);
        self.searched.insert(scenario.id);
        let was_stale = self.stale.remove(scenario.id);
        let tally = self.tally(scenario);
        tally.searches += 1;
        tally.searches_after_refusal += usize::from(was_stale);
        match scenario.play {
            Play::SearchRefused(situation) => Err(Box::new(Play::refusal(situation))),
            Play::SearchEmpty(status) => Ok(Reply::Empty(status)),
            Play::SearchHangs => Ok(Reply::Silence),
            Play::SearchBroken => Ok(Reply::Broken(self.bundle(scenario, &query, call))),
            _ => Ok(Reply::ok(self.bundle(scenario, &query, call))),
        }
    }

    /// The searchset (PROV-SLOT-12..17).
    fn bundle(&mut self, scenario: &'static Scenario, query: &SlotQuery, call: &Call) -> Element {
        let service = scenario.id;
        let most = match scenario.play {
            Play::ManySlots => {
                self.diary.fill(service, query, call.now);
                crate::consumer_suite::diary::MANY
            }
            Play::NoSlots => 0,
            _ => MAX_SLOTS,
        };
        let bare = scenario.play == Play::SlotsOnly;
        let mut matches = Vec::new();
        let mut used = [false; 2];
        for slot in self.diary.of(service, call.now).iter_mut() {
            let status = if slot.free {
                SlotStatus::Free
            } else {
                SlotStatus::Busy
            };
            if matches.len() < most
                && slot.start > call.now
                && query.covers(slot.start)
                && query.statuses.has(status)
            {
                slot.offered |= slot.free;
                used[slot.schedule % 2] = true;
                matches.push(resources::slot(slot, service));
            }
        }
        let i = &query.includes;
        let mut included = Vec::new();
        let form = if bare { "bare-" } else { "" };
        let of_schedules = |kind: &str| -> Vec<Element> {
            let schedules = (0..2).filter(|s| used[*s]);
            let names = schedules.map(|s| format!("{kind}-{}", s + 1));
            names.map(|n| resources::made(&n, service)).collect()
        };
        let any = !matches.is_empty();
        if i.schedule {
            included.extend(of_schedules(&format!("{form}schedule")));
        }
        if i.healthcare_service && any {
            let name = format!("Simulated clinic: {}", scenario.name);
            let clinic = resources::made(&format!("{form}service"), service);
            included.push(clinic.with(Element::text("name", name)));
        }
        if i.practitioner && !bare {
            included.extend(of_schedules("practitioner"));
        }
        if i.practitioner_role && !bare {
            included.extend(of_schedules("role"));
        }
        if i.location && any && !bare {
            included.push(resources::made("location", service));
        }
        if i.organization && any && !bare {
            included.push(resources::made("organization", service));
        }
        let total = matches.len();
        let own = format!("{}/Slot?{}", self.root.published(), query.self_query);
        let mut bundle = searchset(total, &own, call);
        for (mode, list) in [("match", matches), ("include", included)] {
            for resource in list {
                let url = format!(
                    "{}/{}/{}",
                    self.root.published(),
                    resource.resource_type().unwrap_or_default(),
                    resource.str_of("id").unwrap_or_default()
                );
                bundle.push(entry(&url, mode, resource));
            }
        }
        bundle
    }

    /// Answers a search by patient (PROV-SRCH-01..04).
    pub(crate) fn search_appointments(&mut self, asked: &Asked, call: &mut Call) -> Answered {
        let query = AppointmentQuery::parse(&asked.query, &london())?;
        if let Some(number) = &query.nhs_number {
            let wanted = number.as_str().to_owned();
            self.looked(&|a| a.booking.as_ref().is_some_and(|(who, _)| *who == wanted));
        }
        let is_wanted = |id: &str, stored: &Stored| {
            let number = query
                .nhs_number
                .as_ref()
                .is_none_or(|n| stored.number.as_deref() == Some(n.as_str()));
            let named = query.id.as_ref().is_none_or(|wanted| wanted.as_str() == id);
            // Another system's appointments are not this one's to tell.
            let here = asked.header("ssp-to") == Some(self.asid_of(stored.service));
            let version = query.version.is_none_or(|v| v == stored.version());
            here && number
                && named
                && version
                && stored
                    .current()
                    .is_some_and(|(document, _)| query.covers(document, call.now))
        };
        let mut found: Vec<(&String, &Stored)> = self
            .appointments
            .iter()
            .filter(|(id, s)| is_wanted(id, s))
            .collect();
        found.sort_by_key(|(_, s)| s.versions.first().map(|(_, at)| *at));
        let own = format!("{}/Appointment?{}", self.root.published(), query.self_query);
        let mut bundle = searchset(found.len(), &own, call);
        for (id, stored) in found {
            if let Some((document, _)) = stored.current() {
                let url = self.url(id);
                bundle.push(entry(
                    &format!("{url}/_history/{}", stored.version()),
                    "match",
                    search_entry(document, &url),
                ));
            }
        }
        Ok(Reply::ok(bundle))
    }

    /// Answers a read (PROV-READ-01..03).
    pub(crate) fn read(
        &mut self,
        asked: &Asked,
        id: &str,
        version: Option<&str>,
        call: &mut Call,
    ) -> Answered {
        query::only_format(&asked.query)?;
        let url = self.url(id);
        let Some(stored) = self.appointments.get_mut(id) else {
            return Err(Box::new(unknown(id)));
        };
        let scenario = stored.service;
        call.scenario = Some(scenario);
        let number = match version {
            None => stored.version(),
            Some(text) => text.parse().unwrap_or(0),
        };
        let place = usize::try_from(number).unwrap_or(0).checked_sub(1);
        let Some((document, at)) = place.and_then(|p| stored.versions.get(p)).cloned() else {
            return Err(Box::new(unknown(id)));
        };
        let mut after_conflict = false;
        if number == stored.version() {
            stored.read = Some((number, document.clone()));
            after_conflict = std::mem::take(&mut stored.unread_conflict);
        }
        let tally = self.tally(scenario);
        tally.reads += 1;
        tally.reads_after_conflict += usize::from(after_conflict);
        self.looked(&|a| a.appointment() == Some(id) || a.made.as_deref() == Some(id));
        Ok(Reply::Resource(Box::new(Given {
            status: 200,
            resource: document,
            version: Some((number, at)),
            location: None,
            content_location: Some(format!("{url}/_history/{number}")),
        })))
    }

    /// Answers a history (PROV-INT-06).
    pub(crate) fn history(&mut self, id: &str, call: &mut Call) -> Answered {
        let url = self.url(id);
        let Some(stored) = self.appointments.get(id) else {
            return Err(Box::new(unknown(id)));
        };
        call.scenario = Some(stored.service);
        let mut bundle = searchset(stored.versions.len(), &format!("{url}/_history"), call);
        bundle.set(Element::text("type", "history"));
        for (at, (document, _)) in stored.versions.iter().enumerate().rev() {
            let (verb, status) = if at == 0 {
                ("POST", "201")
            } else {
                ("PUT", "200")
            };
            let request = Element::new("request")
                .with(Element::text("method", verb))
                .with(Element::text("url", format!("Appointment/{id}")));
            let response = Element::new("response").with(Element::text("status", status));
            let one = Element::new("entry")
                .in_list()
                .with(Element::text("fullUrl", &url))
                .with(document.clone().named("resource"))
                .with(request)
                .with(response);
            bundle.push(one);
        }
        Ok(Reply::ok(bundle))
    }
}

/// Whether the simulator has the service: a consumer that was to turn back before finds nothing here.
fn is_served(scenario: &Scenario) -> bool {
    !matches!(
        scenario.play,
        Play::Stop(StopAt::Directory | StopAt::System | StopAt::Endpoint)
    )
}

/// 404 for an appointment (ERR-09).
pub(crate) fn unknown(id: &str) -> Refusal {
    let shown =
        ResourceId::parse(id).map_or_else(|_| "with this id".to_owned(), |id| id.to_string());
    Refusal::new(
        Situation::AppointmentUnknown,
        format!("There is no appointment {shown}, or not in this version."),
    )
}

fn searchset(total: usize, own: &str, call: &Call) -> Element {
    let link = Element::new("link")
        .in_list()
        .with(Element::text("relation", "self"))
        .with(Element::text("url", own));
    Element::resource("Bundle")
        .with(Element::text("id", Uuid::new_v4().to_string()))
        .with(Element::new("meta").with(Element::text("lastUpdated", format_instant(call.now))))
        .with(Element::text("type", "searchset"))
        .with(Element::number("total", total.to_string()))
        .with(link)
}

fn entry(url: &str, mode: &str, resource: Element) -> Element {
    Element::new("entry")
        .in_list()
        .with(Element::text("fullUrl", url))
        .with(resource.named("resource"))
        .with(Element::new("search").with(Element::text("mode", mode)))
}

/// The service id of a query, if it can be read at all.
pub(crate) fn service_of(raw_query: &str) -> Option<ServiceId> {
    let parameters = query::parameters(raw_query).ok()?;
    let is_service = |name: &str| {
        name.to_ascii_lowercase()
            .starts_with("schedule.actor:healthcareservice")
            || name == "service"
    };
    let (_, value) = parameters.iter().find(|(name, _)| is_service(name))?;
    let bare = value.rsplit(['|', '/']).next().unwrap_or_default();
    ServiceId::parse(bare).ok()
}
