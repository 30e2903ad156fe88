//! The catalogue: the declared things of one tenant as typed maps, for searches, bookings and FHIR resources.

use super::declaration::closure::Closures;
use super::declaration::{self, CapPer as DeclaredCapPer, Declaration, Provider, Right};
pub use super::declaration::{
    Closure, Consumer, Location, Organization, Practitioner, Release, Role, Service, Session,
    Template,
};
use crate::store::{
    BookingCount, CountBookings, CountBy, DeclaredRow, PlacedSlot, SCHEDULE_KIND, ScheduleKey,
    StoreError, TenantRow, london_day,
};
use booking::ids::{Asid, OdsCode, ServiceId};
use booking::rules::release::{
    self, Audience, Believed, Cap, CapPer, ConsumerFacts, ReleaseRule, Withheld,
};
use booking::version::StandardVersion;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;

/// `declared.kind` of each kind of thing, in the order in which they are stored and exported.
pub mod kind {
    /// The provider's own settings; one row, whose id is [`PROVIDER`].
    pub const PROVIDER: &str = "provider";
    /// Organisations.
    pub const ORGANIZATION: &str = "organization";
    /// Locations.
    pub const LOCATION: &str = "location";
    /// Practitioners.
    pub const PRACTITIONER: &str = "practitioner";
    /// Roles.
    pub const ROLE: &str = "role";
    /// Release rules.
    pub const RELEASE: &str = "release";
    /// Services.
    pub const SERVICE: &str = "service";
    /// Schedules.
    pub const SCHEDULE: &str = crate::store::SCHEDULE_KIND;
    /// Templates.
    pub const TEMPLATE: &str = "template";
    /// One-off sessions.
    pub const SESSION: &str = "session";
    /// Closures.
    pub const CLOSURE: &str = "closure";
    /// Consumers.
    pub const CONSUMER: &str = "consumer";
    /// All, in order.
    pub const ALL: [&str; 12] = [
        PROVIDER,
        ORGANIZATION,
        LOCATION,
        PRACTITIONER,
        ROLE,
        RELEASE,
        SERVICE,
        SCHEDULE,
        TEMPLATE,
        SESSION,
        CLOSURE,
        CONSUMER,
    ];
}

/// A schedule with its key in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Key in the store.
    pub key: ScheduleKey,
    /// FHIR id.
    pub id: String,
    /// Services in declared order.
    pub services: Vec<ServiceId>,
    /// Practitioner's id.
    pub practitioner: Option<String>,
    /// PractitionerRole's id; the practitioner's role where the declaration does not name it (D-35).
    pub role: Option<String>,
    /// Location's id, where the place is an actor.
    pub location: Option<String>,
    /// System of the identifier.
    pub identifier_system: String,
    /// Identifier.
    pub identifier: String,
    /// Clinics may overlap.
    pub overlaps: bool,
}

/// Where a release rule is declared, which is also what its cap counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope<'a> {
    Service(&'a ServiceId),
    Template(&'a str),
    Slot(&'a str),
}

/// All declared things of a tenant.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// The tenant.
    pub tenant: TenantRow,
    /// What it declares, without imported slots, which only the diary holds.
    pub declared: Declaration,
    /// Its schedules with their keys.
    pub schedules: Vec<Schedule>,
    rules: HashMap<String, ReleaseRule>,
    clinic_rules: HashMap<String, Vec<String>>,
    nobody: ReleaseRule,
    /// True when a thing in the catalogue is marked `test`.
    pub(super) trial: bool,
    /// True when a consumer has limits of its own.
    pub(super) limited: bool,
}

/// The release rules that apply to a slot, and where they are declared.
pub struct SlotRelease<'c, 'k> {
    scope: Scope<'k>,
    rules: Vec<&'c ReleaseRule>,
    service: &'k ServiceId,
    closures: Closures<'c>,
}

impl SlotRelease<'_, '_> {
    /// Whether a consumer may book such a slot now. `count` is called only for a cap. It counts the bookings of the level
    /// at which the rule is declared, such as a template.
    pub fn admits(
        &self,
        held: bool,
        start: Timestamp,
        who: &ConsumerFacts,
        now: Timestamp,
        mut count: impl FnMut(&BookingCount<'_>) -> u32,
    ) -> Result<(), Withheld> {
        if self.closures.of_service(self.service, start).is_some() {
            return Err(Withheld::Closed);
        }
        release::may_book(&self.rules, who, start, now, held, |cap| {
            count(&counted(self.scope, cap, who, london_day(start)))
        })
    }
}

impl Catalogue {
    /// Builds the catalogue from stored rows. An unreadable document is corrupt, or from a newer program.
    pub fn build(tenant: &TenantRow, rows: &[DeclaredRow]) -> Result<Catalogue, StoreError> {
        let provider = of_kind::<Provider>(rows, kind::PROVIDER)?
            .pop()
            .unwrap_or_else(|| Provider {
                ods: tenant.ods.clone(),
                asid: tenant.asid.clone(),
                further_asids: Vec::new(),
                name: tenant.name.clone(),
                horizon_days: declaration::DEFAULT_HORIZON_DAYS,
                schedule_system: declaration::SCHEDULE_SYSTEM.to_owned(),
                others_may: Right::ALL.to_vec(),
                local_patient_identifiers: false,
                test: false,
            });
        let declared = Declaration {
            provider,
            organizations: of_kind(rows, kind::ORGANIZATION)?,
            locations: of_kind(rows, kind::LOCATION)?,
            practitioners: of_kind(rows, kind::PRACTITIONER)?,
            roles: of_kind(rows, kind::ROLE)?,
            releases: of_kind(rows, kind::RELEASE)?,
            services: of_kind(rows, kind::SERVICE)?,
            schedules: of_kind(rows, kind::SCHEDULE)?,
            templates: of_kind(rows, kind::TEMPLATE)?,
            sessions: of_kind(rows, kind::SESSION)?,
            closures: of_kind(rows, kind::CLOSURE)?,
            slots: Vec::new(),
            consumers: of_kind(rows, kind::CONSUMER)?,
        };
        let templates = declared.templates.iter().map(|t| (&t.id, &t.release));
        let sessions = declared.sessions.iter().map(|s| (&s.id, &s.release));
        let clinic_rules = templates
            .chain(sessions)
            .filter(|(_, release)| !release.is_empty())
            .map(|(id, release)| (id.clone(), release.clone()))
            .collect();
        let (services, consumers) = (&declared.services, &declared.consumers);
        let rules = declared.releases.iter().map(|r| (r.id.clone(), rule(r)));
        Ok(Catalogue {
            trial: declared.provider.test
                || services.iter().any(|s| s.test)
                || consumers.iter().any(|c| c.test),
            limited: consumers.iter().any(Consumer::has_limits),
            tenant: tenant.clone(),
            rules: rules.collect(),
            schedules: schedules(rows, &declared)?,
            declared,
            clinic_rules,
            nobody: ReleaseRule {
                audience: Audience::Only {
                    kinds: Vec::new(),
                    ods: Vec::new(),
                    asids: Vec::new(),
                },
                cap: None,
                embargo_minutes: None,
                cutoff_minutes: None,
            },
        })
    }

    /// A service.
    pub fn service(&self, id: &ServiceId) -> Option<&Service> {
        self.declared.services.iter().find(|s| s.id == *id)
    }

    /// The schedules that a service books into, in declared order (PROV-SLOT-18, PROV-SLOT-22).
    pub fn schedules_of<'a>(
        &'a self,
        id: &'a ServiceId,
    ) -> impl Iterator<Item = &'a Schedule> + 'a {
        self.schedules
            .iter()
            .filter(move |s| s.services.contains(id))
    }

    /// A schedule by its id.
    pub fn schedule(&self, id: &str) -> Option<&Schedule> {
        self.schedules.iter().find(|s| s.id == id)
    }

    /// A schedule by its key.
    pub fn schedule_of_key(&self, key: ScheduleKey) -> Option<&Schedule> {
        self.schedules.iter().find(|s| s.key == key)
    }

    /// `HealthcareService.location`.
    pub fn location_of(&self, service: &Service) -> Option<&Location> {
        let id = service.location.as_ref()?;
        self.declared.locations.iter().find(|l| l.id == *id)
    }

    /// `HealthcareService.providedBy`.
    pub fn organization_of(&self, service: &Service) -> Option<&Organization> {
        let id = service.provided_by.as_ref()?;
        self.declared.organizations.iter().find(|o| o.id == *id)
    }

    /// The practitioner whose diary the schedule is.
    pub fn practitioner_of(&self, schedule: &Schedule) -> Option<&Practitioner> {
        let id = schedule.practitioner.as_ref()?;
        self.declared.practitioners.iter().find(|p| p.id == *id)
    }

    /// The role of the schedule's practitioner.
    pub fn role_of(&self, schedule: &Schedule) -> Option<&Role> {
        let id = schedule.role.as_ref()?;
        self.declared.roles.iter().find(|r| r.id == *id)
    }

    /// Whether an ASID is one of this provider's own systems (PROV-HDR-08).
    pub fn is_own_system(&self, asid: &Asid) -> bool {
        self.tenant.asid == *asid || self.declared.provider.further_asids.contains(asid)
    }

    /// What a consumer may do: what all declarations of its system and organisation allow, or without any,
    /// `others_may`. A declaration of the system takes precedence for the kind. A consumer whose organisation is only
    /// claimed counts as one of the others, and loses what that organisation may not do (D-75). `None`: the system is
    /// declared, but not for this organisation.
    pub fn consumer_facts(
        &self,
        asid: &Asid,
        ods: &OdsCode,
        believed: Believed,
    ) -> Option<ConsumerFacts> {
        let of_system = |c: &&Consumer| c.asid.as_ref() == Some(asid);
        let of_organization = |c: &&Consumer| c.asid.as_ref() != Some(asid) && c.ods == *ods;
        let declared = self.declared.consumers.iter().any(|c| of_system(&c));
        if declared
            && !self
                .declared
                .consumers
                .iter()
                .any(|c| of_system(&c) && c.acts_for(ods))
        {
            return None;
        }
        let matching: Vec<&Consumer> = self
            .declared
            .consumers
            .iter()
            .filter(of_system)
            .chain(self.declared.consumers.iter().filter(of_organization))
            .collect();
        let ods_believed = declared || believed.organization;
        let is_other = matching.is_empty() || !ods_believed;
        let may = |right: Right| {
            (!is_other || self.declared.provider.others_may.contains(&right))
                && matching.iter().all(|c| c.may.contains(&right))
        };
        Some(ConsumerFacts {
            asid: (declared || believed.system).then(|| asid.clone()),
            ods: ods.clone(),
            ods_believed,
            kind: match is_other {
                true => None,
                false => matching.iter().find_map(|c| c.kind.clone()),
            },
            may_search: may(Right::Search),
            may_book: may(Right::Book),
            may_cancel: may(Right::Cancel),
            may_read: may(Right::Read),
        })
    }

    /// The version of the Standard that a consumer follows: as declared for its system, else for its organisation if that
    /// is believed, else the current one. A claimed organisation gets no relief of an older version (D-75).
    pub fn standard_of(&self, asid: &Asid, ods: &OdsCode, believed: Believed) -> StandardVersion {
        let said = |matches: &dyn Fn(&Consumer) -> bool| {
            let mut found = self.declared.consumers.iter().filter(|c| matches(c));
            found.find_map(|c| c.standard)
        };
        said(&|c| c.asid.as_ref() == Some(asid) && c.acts_for(ods))
            .or_else(|| said(&|c| believed.organization && c.asid.is_none() && c.ods == *ods))
            .unwrap_or_default()
    }

    /// The release rules of a slot asked for through a service: the slot's own; else those of its template or session; else
    /// those of the service.
    pub fn release_of<'c, 'k>(
        &'c self,
        service: &'k ServiceId,
        template: Option<&'k str>,
        release: Option<&'k str>,
    ) -> SlotRelease<'c, 'k> {
        // A named rule that does not exist admits nobody.
        let named = |id: &str| self.rules.get(id).unwrap_or(&self.nobody);
        if let Some(id) = release {
            return SlotRelease {
                scope: Scope::Slot(id),
                rules: vec![named(id)],
                service,
                closures: self.closures(),
            };
        }
        if let Some((id, ids)) =
            template.and_then(|id| self.clinic_rules.get(id).map(|ids| (id, ids)))
        {
            return SlotRelease {
                scope: Scope::Template(id),
                rules: ids.iter().map(|id| named(id)).collect(),
                service,
                closures: self.closures(),
            };
        }
        let own = self.service(service).map_or(&[][..], |s| &s.release);
        SlotRelease {
            scope: Scope::Service(service),
            rules: own.iter().map(|id| named(id)).collect(),
            service,
            closures: self.closures(),
        }
    }

    /// The closures, with the locations of the services.
    pub fn closures(&self) -> Closures<'_> {
        Closures::new(&self.declared.closures, &self.declared.services)
    }

    /// Whether the schedule's location is closed when a slot starts.
    pub fn is_place_closed(&self, schedule: &Schedule, start: Timestamp) -> bool {
        self.closures()
            .of_place(schedule.location.as_deref(), start)
            .is_some()
    }

    /// Whether a consumer may book a slot through a service now. `count` is called only for a cap. It counts the bookings
    /// of the level at which the rule is declared, such as a template.
    #[allow(clippy::too_many_arguments)] // The question has this many parts; a struct would only rename them.
    pub fn may_book(
        &self,
        service: &ServiceId,
        template: Option<&str>,
        release: Option<&str>,
        held: bool,
        start: Timestamp,
        who: &ConsumerFacts,
        now: Timestamp,
        count: impl FnMut(&BookingCount<'_>) -> u32,
    ) -> Result<(), Withheld> {
        self.shows(service, who)?;
        self.release_of(service, template, release)
            .admits(held, start, who, now, count)
    }

    /// The service that a booking of this slot belongs to: the first, in the schedule's order, that permits the consumer.
    /// The error says why none does.
    pub fn service_for_booking(
        &self,
        slot: &PlacedSlot,
        who: &ConsumerFacts,
        now: Timestamp,
        count: &CountBookings<'_>,
    ) -> Result<ServiceId, Withheld> {
        let schedule = self.schedule_of_key(slot.schedule);
        if schedule.is_some_and(|s| self.is_place_closed(s, slot.slot.start)) {
            return Err(Withheld::Closed);
        }
        let services = schedule.map_or(&[][..], |s| &s.services);
        let mut reason = None;
        for service in services {
            let row = &slot.slot;
            let verdict = self.may_book(
                service,
                row.template.as_deref(),
                row.release.as_deref(),
                row.held,
                row.start,
                who,
                now,
                count,
            );
            match verdict {
                Ok(()) => return Ok(service.clone()),
                Err(withheld) => {
                    reason.get_or_insert(withheld);
                }
            }
        }
        // An undeclared schedule releases nothing.
        Err(reason.unwrap_or(Withheld::HeldBack))
    }
}

fn schedules(rows: &[DeclaredRow], declared: &Declaration) -> Result<Vec<Schedule>, StoreError> {
    let rows = rows.iter().filter(|r| r.kind == SCHEDULE_KIND);
    let schedule = |(row, s): (&DeclaredRow, &declaration::Schedule)| {
        let key = row.schedule.ok_or_else(|| {
            StoreError::unexpected(format!("the schedule `{}` has no key", row.id))
        })?;
        let id = s.practitioner.as_ref();
        let profile = id
            .and_then(|id| declared.practitioners.iter().find(|p| p.id == *id))
            .map(|p| &p.role_profile)
            .filter(|profile| declared.roles.iter().any(|r| r.id == **profile));
        Ok(Schedule {
            key,
            identifier_system: declared.provider.schedule_system.clone(),
            identifier: s.identifier.as_ref().unwrap_or(&s.id).clone(),
            role: s.role.as_ref().or(profile).cloned(),
            id: s.id.clone(),
            services: s.services.clone(),
            practitioner: s.practitioner.clone(),
            location: s.location.clone(),
            overlaps: s.overlaps,
        })
    };
    rows.zip(&declared.schedules).map(schedule).collect()
}

fn of_kind<T: DeserializeOwned>(rows: &[DeclaredRow], kind: &str) -> Result<Vec<T>, StoreError> {
    rows.iter().filter(|r| r.kind == kind).map(read).collect()
}

fn read<T: DeserializeOwned>(row: &DeclaredRow) -> Result<T, StoreError> {
    serde_json::from_str(&row.body).map_err(|e| {
        StoreError::unexpected(format!(
            "the stored {} `{}` cannot be read: {e}",
            row.kind, row.id
        ))
    })
}

/// A declared thing as the document to store.
pub(super) fn document<T: Serialize>(thing: &T) -> Result<String, StoreError> {
    serde_json::to_string(thing)
        .map_err(|e| StoreError::unexpected(format!("a declared thing cannot be written: {e}")))
}

fn rule(release: &Release) -> ReleaseRule {
    let any = release.kinds.is_empty() && release.ods.is_empty() && release.asids.is_empty();
    ReleaseRule {
        audience: match any {
            true => Audience::Any,
            false => Audience::Only {
                kinds: release.kinds.clone(),
                ods: release.ods.clone(),
                asids: release.asids.clone(),
            },
        },
        cap: release.cap.map(|limit| Cap {
            limit,
            per: match release.cap_per {
                Some(DeclaredCapPer::Kind) => CapPer::Kind,
                Some(DeclaredCapPer::Consumer) | None => CapPer::Consumer,
            },
        }),
        embargo_minutes: release.embargo.map(|m| m.0),
        cutoff_minutes: release.cutoff.map(|m| m.0),
    }
}

/// What a cap counts for this consumer. Without a kind it counts the organisation, or the system where the organisation is
/// only claimed: a claim could differ each time.
fn counted<'a>(scope: Scope<'a>, cap: &Cap, who: &'a ConsumerFacts, day: i32) -> BookingCount<'a> {
    let by = match (cap.per, who.kind.as_deref(), &who.asid) {
        (CapPer::Kind, Some(kind), _) => CountBy::Kind(kind),
        (_, _, Some(asid)) if !who.ods_believed => CountBy::Asid(asid),
        _ => CountBy::Ods(&who.ods),
    };
    let mut of = BookingCount {
        day,
        by,
        service: None,
        template: None,
        release: None,
    };
    match scope {
        Scope::Service(id) => of.service = Some(id),
        Scope::Template(id) => of.template = Some(id),
        Scope::Slot(id) => of.release = Some(id),
    }
    of
}
