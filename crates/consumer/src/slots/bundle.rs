//! Reads the searchset: finds the free slots and the resources that they refer to.

use super::{Channel, FreeSlot, SlotList, Unreadable, Why, describe};
use crate::form;
use crate::plan::book::SlotClaim;
use crate::redact;
use booking::foreign::visible;
use booking::instant;
use booking::systems;
use fhir::Element;
use fhir::article::with_article;
use std::collections::{HashMap, HashSet};

/// Most slots kept of one search: two weeks of a large diary, more than anybody reads.
pub const MAX_SLOTS: usize = 5_000;
/// Most resources kept of one search.
const MAX_RESOURCES: usize = 20_000;
/// Most faults kept for the log.
const MAX_FAULTS: usize = 50;
/// Longest fault, characters; it may quote an id.
const MAX_FAULT: usize = 300;
/// The statuses of a slot. Only the first is bookable.
const STATUSES: [&str; 5] = [
    "free",
    "busy",
    "busy-unavailable",
    "busy-tentative",
    "entered-in-error",
];
/// Most remarks for the user, and the length of one, characters.
const MAX_REMARKS: usize = 5;
const MAX_REMARK: usize = 300;

/// Collects the pages of a search. An included resource may be on another page than its slots.
#[derive(Default)]
pub struct SearchPages {
    resources: Vec<Element>,
    /// Index in `resources`, by full address and by `Type/id`.
    index: HashMap<String, usize>,
    slots: Vec<(Element, Option<String>)>,
    remarks: Vec<String>,
    faults: Vec<String>,
    unreadable: Unreadable,
    cut_off: bool,
}

impl SearchPages {
    /// Nothing yet.
    pub fn new() -> SearchPages {
        SearchPages::default()
    }

    /// Adds a page. The error, for the log, says that the answer is no Bundle.
    pub fn add(&mut self, bundle: &Element) -> Result<(), String> {
        if bundle.resource_type() != Some("Bundle") {
            return Err(format!(
                "the answer to a slot search is {}, no Bundle",
                with_article(bundle.resource_type().unwrap_or("text"))
            ));
        }
        if let Some(mark) = envelope_modifier(bundle) {
            return Err(format!("the Bundle has {mark}, which is not known"));
        }
        for entry in bundle.all("entry") {
            let Some(resource) = entry.get("resource") else {
                self.unreadable.add(Why::Empty);
                self.fault("an entry has no resource".to_owned());
                continue;
            };
            let full = entry.str_of("fullUrl").map(|u| u.trim().to_owned());
            match resource.resource_type() {
                Some("OperationOutcome") => self.remark(resource),
                Some("Slot") => self.slot(resource, full),
                // A Schedule is kept, so that its slots are known to be unusable.
                Some(kind) if kind != "Schedule" && modifier(resource).is_some() => {
                    self.fault(format!(
                        "{} with a modifier extension is not used",
                        with_article(kind)
                    ));
                }
                Some(_) => self.resource(resource, full),
                None => {
                    self.unreadable.add(Why::Empty);
                    self.fault("an entry has no resource type".to_owned());
                }
            }
        }
        Ok(())
    }

    /// Records that further pages were not read.
    pub fn cut_off(&mut self, why: &str) {
        self.cut_off = true;
        self.fault(why.to_owned());
    }

    /// Records a fault of the Provider.
    pub fn fault(&mut self, fault: String) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(redact::foreign(&fault, MAX_FAULT));
        }
    }

    fn slot(&mut self, slot: &Element, full: Option<String>) {
        if self.slots.len() >= MAX_SLOTS {
            self.cut_off = true;
            return;
        }
        self.slots.push((slot.clone(), full));
    }

    fn resource(&mut self, resource: &Element, full: Option<String>) {
        if self.resources.len() >= MAX_RESOURCES {
            self.cut_off = true;
            return;
        }
        let at = self.resources.len();
        if let (Some(kind), Some(id)) = (resource.resource_type(), resource.str_of("id")) {
            self.index.entry(format!("{kind}/{id}")).or_insert(at);
        }
        if let Some(full) = full {
            // Without an id, the address names the resource.
            if let Some(local) = type_and_id(&full) {
                self.index.entry(local).or_insert(at);
            }
            self.index
                .entry(unversioned(&full).to_owned())
                .or_insert(at);
        }
        self.resources.push(resource.clone());
    }

    /// Records the text of an OperationOutcome in a search (CONS-SLOT-08).
    fn remark(&mut self, outcome: &Element) {
        for issue in outcome.all("issue") {
            let words = [
                issue.str_of("diagnostics"),
                issue.get("details").and_then(|d| d.str_of("text")),
                issue.at("details.coding.display").and_then(Element::as_str),
            ];
            let Some(words) = words
                .into_iter()
                .flatten()
                .map(str::trim)
                .find(|w| !w.is_empty())
            else {
                continue;
            };
            let words = redact::foreign(words, MAX_REMARK);
            if self.remarks.len() < MAX_REMARKS && !self.remarks.contains(&words) {
                self.remarks.push(words);
            }
        }
    }

    /// The free slots, described and sorted by start.
    pub fn finish(mut self) -> SlotList {
        let entries = std::mem::take(&mut self.slots);
        let mut seen = HashSet::new();
        let mut slots = Vec::with_capacity(entries.len());
        for (slot, full) in &entries {
            match self.free(slot, full.as_deref()) {
                Ok(Some(free)) if seen.insert((free.id.clone(), free.start)) => slots.push(free),
                Ok(_) => {}
                Err((why, fault)) => {
                    self.unreadable.add(why);
                    self.fault(fault);
                }
            }
        }
        slots.sort_by(|a, b| (a.start, a.end, &a.id).cmp(&(b.start, b.end, &b.id)));
        SlotList {
            slots,
            remarks: self.remarks,
            faults: self.faults,
            unreadable: self.unreadable,
            cut_off: self.cut_off,
            outside_asked_time: 0,
        }
    }

    /// The slot, if it is free. An unbookable one is a fault of the Provider.
    fn free(&self, slot: &Element, full: Option<&str>) -> Result<Option<FreeSlot>, (Why, String)> {
        let id = slot
            .str_of("id")
            .map(str::to_owned)
            .or_else(|| full.and_then(last_step));
        let named = id.as_deref().unwrap_or("without id");
        let wrong = |why: Why, what: &str| (why, format!("Slot {named}: {what}"));
        let odd = form::odd(slot, &["id", "status", "start", "end", "identifier"]);
        if slot.is_malformed() || !odd.is_empty() {
            return Err(wrong(Why::Form, &form::plain(&odd)));
        }
        let status = slot.str_of("status").map(str::trim);
        let status = status.ok_or_else(|| wrong(Why::NoStatus, "it has no status"))?;
        if !STATUSES.contains(&status) {
            return Err(wrong(Why::Status, "its status is none of FHIR"));
        }
        if status != STATUSES[0] {
            return Ok(None);
        }
        let schedule = slot.get("schedule");
        let of_schedule = schedule.and_then(|s| self.resolve(s, "Schedule"));
        for part in [Some(slot), of_schedule].into_iter().flatten() {
            if let Some(at) = modifier(part) {
                return Err(wrong(
                    Why::Modifier,
                    &format!("a modifier extension at {at}"),
                ));
            }
        }
        let read = |name: &str, missing: Why| {
            let text = slot.str_of(name).map(str::trim);
            let text = text.ok_or_else(|| wrong(missing, &format!("it has no {name}")))?;
            let at = instant::parse(text)
                .ok_or_else(|| wrong(Why::Time, &format!("{name} is no instant")))?;
            Ok((text.to_owned(), at))
        };
        let (start_text, start) = read("start", Why::NoStart)?;
        let (end_text, end) = read("end", Why::NoEnd)?;
        if end <= start {
            return Err(wrong(Why::Order, "it ends before it starts"));
        }
        let Some(id) = id.clone() else {
            return Err(wrong(Why::Id, "it has no fullUrl either"));
        };
        if id.trim().is_empty() || id.chars().any(|c| visible(c) != c) {
            return Err(wrong(Why::Id, "its id cannot be written down"));
        }
        let channel = channel(slot);
        let described = describe::of(self, schedule);
        Ok(Some(FreeSlot {
            start,
            end,
            channel: channel.as_deref().map(Channel::from_code),
            service: described.service,
            place: described.place,
            clinician: described.clinician,
            organization: described.organization,
            claim: SlotClaim {
                identifier: slot_identifier(slot, &id),
                id: id.clone(),
                schedule: schedule.and_then(|s| self.schedule_id(s)),
                start: start_text,
                end: end_text,
                channel,
            },
            id,
        }))
    }

    fn schedule_id(&self, reference: &Element) -> Option<String> {
        let of_entry = self
            .resolve(reference, "Schedule")
            .and_then(|s| s.str_of("id"))
            .map(str::to_owned);
        of_entry.or_else(|| reference.str_of("reference").and_then(last_step))
    }

    /// The target of a reference, if it came: by full address, relative to the service root, as URN, or by logical
    /// identifier.
    pub(super) fn resolve<'a>(&'a self, reference: &Element, kind: &str) -> Option<&'a Element> {
        let by_address = reference.str_of("reference").and_then(|text| {
            let text = unversioned(text.trim());
            let local = type_and_id(text);
            let direct = self.index.get(text);
            direct.or_else(|| self.index.get(local?.as_str()))
        });
        let found = by_address
            .and_then(|at| self.resources.get(*at))
            .filter(|r| r.resource_type() == Some(kind));
        found.or_else(|| {
            let wanted = reference.get("identifier")?;
            let value = wanted.str_of("value")?;
            let of_kind = |r: &&Element| r.resource_type() == Some(kind);
            self.resources.iter().filter(of_kind).find(|r| {
                r.all("identifier").any(|i| {
                    i.str_of("value") == Some(value)
                        && (wanted.str_of("system").is_none()
                            || i.str_of("system") == wanted.str_of("system"))
                })
            })
        })
    }

    /// All resources of a type in the search.
    pub(super) fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Element> + 'a {
        self.resources
            .iter()
            .filter(move |r| r.resource_type() == Some(kind))
    }
}

/// The path of a modifier extension or of implicit rules in a resource. Their meaning is unknown and may reverse that of
/// the rest, so the resource is unusable (FHIR, `modifierExtension` and `implicitRules`), even where they are malformed.
pub(crate) fn modifier(resource: &Element) -> Option<String> {
    let mut names = ["modifierExtension", "implicitRules"].into_iter();
    if let Some(lost) = names.find(|name| resource.has_lost(name)) {
        return Some(lost.to_owned());
    }
    resource.children().iter().find_map(|child| {
        let name = child.name();
        match name {
            "modifierExtension" | "implicitRules" => Some(name.to_owned()),
            _ => modifier(child).map(|below| format!("{name}.{below}")),
        }
    })
}

/// Like [`modifier`], for a Bundle and its entries without their resources.
pub(crate) fn envelope_modifier(bundle: &Element) -> Option<String> {
    let parts = |of: &Element| -> Option<String> {
        let own = of.children().iter().filter(|c| c.name() != "entry");
        own.filter(|c| c.name() != "resource")
            .find_map(|c| match c.name() {
                mark @ ("modifierExtension" | "implicitRules") => Some(mark.to_owned()),
                _ => modifier(c),
            })
    };
    parts(bundle).or_else(|| bundle.all("entry").find_map(parts))
}

/// System and value of the first complete identifier, else the id if it is a UUID (RES-SLOT-02).
fn slot_identifier(slot: &Element, id: &str) -> Option<(String, String)> {
    let complete = |i: &Element| {
        let system = i.str_of("system").unwrap_or(systems::UUID);
        Some((system.to_owned(), i.str_of("value")?.to_owned()))
    };
    let mut all: Vec<(String, String)> = slot.all("identifier").filter_map(complete).collect();
    all.sort_by_key(|(system, _)| system != systems::UUID);
    let stand_in = || booking::ids::is_uuid(id).then(|| (systems::UUID.to_owned(), id.to_owned()));
    all.into_iter().next().or_else(stand_in)
}

/// The delivery channel's code, from either extension (`resources.md` section 1).
fn channel(slot: &Element) -> Option<String> {
    let wanted = [systems::DELIVERY_CHANNEL, systems::DELIVERY_CHANNEL_GPC];
    let code = |extension: &Element| {
        let value = extension
            .children()
            .iter()
            .find(|c| c.name().starts_with("value"))?;
        let coded = value.get("coding").unwrap_or(value);
        let text = value.as_str().or_else(|| coded.str_of("code"));
        text.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty())
    };
    wanted.into_iter().find_map(|url| {
        slot.all("extension")
            .filter(|e| e.str_of("url") == Some(url))
            .find_map(code)
    })
}

/// A reference without `/_history/…`.
fn unversioned(text: &str) -> &str {
    text.split("/_history").next().unwrap_or(text)
}

/// `Type/id` at the end of a reference.
fn type_and_id(text: &str) -> Option<String> {
    let mut steps = unversioned(text).trim_end_matches('/').rsplit('/');
    let (id, kind) = (steps.next()?, steps.next()?);
    let is_type = kind.starts_with(|c: char| c.is_ascii_uppercase());
    (is_type && !id.is_empty()).then(|| format!("{kind}/{id}"))
}

/// The id at the end of an address; the UUID of a `urn:uuid:…`.
fn last_step(text: &str) -> Option<String> {
    let text = unversioned(text.trim()).trim_end_matches('/');
    let step = text.rsplit(['/', ':']).next()?;
    booking::ids::ResourceId::parse(step)
        .is_ok()
        .then(|| step.to_owned())
}
