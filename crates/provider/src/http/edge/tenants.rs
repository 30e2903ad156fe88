//! Tenants and their declared things, kept as last read and read again when the catalogue's version changed.

use crate::diary::catalogue::Catalogue;
use crate::diary::render;
use crate::http::edge::base::Base;
use crate::http::edge::store_refusal;
use crate::store::{Revision, ScheduleKey, SlotDays, Store, StoreError, TenantKey, TenantRow};
use booking::ids::{OdsCode, ServiceId};
use booking::refusal::Refusal;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

/// One tenant as last read.
pub struct TenantView {
    /// Its key in the store.
    pub key: TenantKey,
    /// Its name.
    pub name: String,
    /// Its service root, absolute, without a trailing slash.
    pub root: String,
    /// Version of the catalogue that this view was made from.
    pub version: i64,
    /// Declared things.
    pub catalogue: Catalogue,
    services: HashMap<ServiceId, Arc<ServiceView>>,
}

/// A tenant and the state of the database in which the view of it was last seen to hold.
#[derive(Clone)]
pub struct KnownTenant {
    /// The tenant.
    pub view: Arc<TenantView>,
    /// That state.
    pub revision: Revision,
}

/// What a slot search of one service may include, as Bundle entries ready to send.
pub struct ServiceView {
    /// `HealthcareService`.
    pub service: Entry,
    /// `HealthcareService.location`.
    pub location: Option<Entry>,
    /// `HealthcareService.providedBy`.
    pub organization: Option<Entry>,
    /// Its diaries.
    pub schedules: Vec<ScheduleView>,
    recent: RecentDays,
    turn: tokio::sync::Mutex<()>,
}

impl ServiceView {
    /// Versions of the days that have slots: as read before if nothing was committed since. Where the database is far
    /// away one request reads them, the others wait for it.
    pub async fn slot_days(
        &self,
        store: &Store,
        tenant: TenantKey,
        revision: Revision,
        days: (i32, i32),
    ) -> Result<Arc<SlotDays>, StoreError> {
        if let Some(known) = self.recent.get(revision, days) {
            return Ok(known);
        }
        let _turn = match store.is_remote() {
            true => Some(self.turn.lock().await),
            false => None,
        };
        if let Some(known) = self.recent.get(revision, days) {
            return Ok(known);
        }
        let keys: Vec<_> = self.schedules.iter().map(|s| s.key).collect();
        let read = Arc::new(store.tenant(tenant).slot_days(&keys, days.0, days.1)?);
        self.recent.put(revision, days, read.clone());
        Ok(read)
    }
}

/// Windows remembered per service: consumers search the same few days from now.
const RECENT_WINDOWS: usize = 4;

/// Day versions read lately, each with the state of the database that was seen before the read.
#[derive(Default)]
struct RecentDays {
    windows: Mutex<VecDeque<Recent>>,
}

struct Recent {
    revision: Revision,
    days: (i32, i32),
    read: Arc<SlotDays>,
}

impl RecentDays {
    fn get(&self, revision: Revision, days: (i32, i32)) -> Option<Arc<SlotDays>> {
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fitting = windows
            .iter()
            .filter(|w| w.revision >= revision && w.days == days);
        fitting.next().map(|w| w.read.clone())
    }

    fn put(&self, revision: Revision, days: (i32, i32), read: Arc<SlotDays>) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.iter().any(|w| w.revision > revision) {
            return;
        }
        windows.retain(|w| w.revision == revision && w.days != days);
        windows.truncate(RECENT_WINDOWS - 1);
        windows.push_front(Recent {
            revision,
            days,
            read,
        });
    }
}

/// One diary of a service.
pub struct ScheduleView {
    /// Its key in the store.
    pub key: ScheduleKey,
    /// Its id.
    pub id: String,
    /// `Schedule`, whose HealthcareService actor is the service searched for.
    pub schedule: Entry,
    /// The `Practitioner` actor.
    pub practitioner: Option<Entry>,
    /// The `PractitionerRole` actor.
    pub role: Option<Entry>,
}

/// A resource as Bundle entry with mode `include`.
#[derive(Clone)]
pub struct Entry {
    /// `Type/id`, to send each resource once.
    pub reference: String,
    /// JSON of the entry.
    pub json: Arc<str>,
}

impl TenantView {
    fn build(row: &TenantRow, base: &Base, store: &Store) -> Result<TenantView, StoreError> {
        let (version, declared) = store.tenant(row.key).declared()?;
        let catalogue = Catalogue::build(row, &declared)?;
        let root = base.root(row.ods.as_str());
        let services = catalogue
            .declared
            .services
            .iter()
            .map(|service| {
                (
                    service.id.clone(),
                    Arc::new(service_view(&root, &catalogue, service)),
                )
            })
            .collect();
        Ok(TenantView {
            key: row.key,
            name: row.name.clone(),
            root,
            version,
            catalogue,
            services,
        })
    }

    /// What a search of this service may include; `None` when the service is not mapped to any schedule here.
    pub fn service(&self, id: &ServiceId) -> Option<&Arc<ServiceView>> {
        self.services.get(id).filter(|s| !s.schedules.is_empty())
    }
}

fn service_view(
    root: &str,
    catalogue: &Catalogue,
    service: &crate::diary::catalogue::Service,
) -> ServiceView {
    let entry = |resource: fhir::Element| -> Entry {
        let kind = resource.resource_type().unwrap_or("").to_owned();
        let reference = format!("{kind}/{}", resource.str_of("id").unwrap_or(""));
        let body = fhir::json::write(&resource);
        let json = format!(
            "{{\"fullUrl\":\"{root}/{reference}\",\"resource\":{},\"search\":{{\"mode\":\"include\"}}}}",
            String::from_utf8_lossy(&body)
        );
        Entry {
            reference,
            json: json.into(),
        }
    };
    ServiceView {
        recent: RecentDays::default(),
        turn: tokio::sync::Mutex::default(),
        service: entry(render::healthcare_service(service)),
        location: catalogue
            .location_of(service)
            .map(|l| entry(render::location(l))),
        organization: catalogue
            .organization_of(service)
            .map(|o| entry(render::organization(o))),
        schedules: catalogue
            .schedules_of(&service.id)
            .map(|schedule| ScheduleView {
                key: schedule.key,
                id: schedule.id.clone(),
                schedule: entry(render::schedule(schedule, &service.id)),
                practitioner: catalogue
                    .practitioner_of(schedule)
                    .map(|p| entry(render::practitioner(p))),
                role: catalogue
                    .role_of(schedule)
                    .map(|r| entry(render::practitioner_role(r))),
            })
            .collect(),
    }
}

/// All tenants of the store.
pub struct Tenants {
    base: Base,
    known: RwLock<HashMap<OdsCode, KnownTenant>>,
    /// Held by who looks whether a tenant changed, where that takes its time.
    turn: tokio::sync::Mutex<()>,
    unknown: Unknown,
}

/// Codes of no tenant that is known, which anybody can make up: the database is asked for one of them at a time, and not
/// more often than [`UNKNOWN_EACH`]. In between a code is unknown as it was; a new tenant is found a moment later.
struct Unknown {
    since: Instant,
    /// Milliseconds after `since` before which nothing is asked.
    not_before: AtomicU64,
    asking: AtomicBool,
}

/// A code in a path that no tenant has is looked up at most this often, milliseconds: fifty times a second.
const UNKNOWN_EACH: u64 = 20;

impl Unknown {
    /// Leave to ask the database for a code; `None`: somebody just did.
    fn leave(&self) -> Option<Asking<'_>> {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let free = now >= self.not_before.load(Ordering::Relaxed)
            && !self.asking.swap(true, Ordering::AcqRel);
        free.then(|| {
            self.not_before.store(now + UNKNOWN_EACH, Ordering::Relaxed);
            Asking(&self.asking)
        })
    }
}

/// Ends the asking when it is dropped.
struct Asking<'a>(&'a AtomicBool);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Tenants {
    /// Reads every tenant.
    pub fn open(store: &Store, base: Base) -> Result<Tenants, StoreError> {
        let mut known = HashMap::new();
        let revision = store.revision()?;
        for row in store.tenants()? {
            let view = Arc::new(TenantView::build(&row, &base, store)?);
            known.insert(row.ods.clone(), KnownTenant { view, revision });
        }
        Ok(Tenants {
            base,
            known: RwLock::new(known),
            turn: tokio::sync::Mutex::default(),
            unknown: Unknown {
                since: Instant::now(),
                not_before: AtomicU64::new(0),
                asking: AtomicBool::new(false),
            },
        })
    }

    /// The tenant with this routing segment, up to date; also one that was declared a moment ago.
    pub async fn find(&self, store: &Store, ods: &OdsCode) -> Result<Option<KnownTenant>, Refusal> {
        let revision = store.revision_now().await.map_err(store_refusal)?;
        if let Some(found) = self.up_to_date(ods, revision) {
            return Ok(Some(found));
        }
        if self.known(ods).is_none() {
            // Nobody who is known waits for this.
            let Some(_asking) = self.unknown.leave() else {
                return Ok(None);
            };
            return self.reload(store, ods, revision).await;
        }
        let _turn = match store.is_remote() {
            true => Some(self.turn.lock().await),
            false => None,
        };
        // Another request may have looked meanwhile.
        if let Some(found) = self.up_to_date(ods, revision) {
            return Ok(Some(found));
        }
        let Some(KnownTenant { view, .. }) = self.known(ods) else {
            return Ok(None);
        };
        let version = store
            .tenant(view.key)
            .catalogue_version()
            .map_err(store_refusal)?;
        if version != view.version {
            return self.reload(store, ods, revision).await;
        }
        self.keep(ods, &view, revision);
        Ok(Some(KnownTenant { view, revision }))
    }

    /// ODS codes by key, as far as they were asked for.
    pub fn names(&self) -> HashMap<i64, String> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known
            .values()
            .map(|k| (k.view.key.number(), k.view.catalogue.tenant.ods.to_string()))
            .collect()
    }

    fn known(&self, ods: &OdsCode) -> Option<KnownTenant> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(ods).cloned()
    }

    /// The tenant, if it was seen in this state of the database or a later one.
    fn up_to_date(&self, ods: &OdsCode, revision: Revision) -> Option<KnownTenant> {
        self.known(ods).filter(|k| k.revision >= revision)
    }

    fn keep(&self, ods: &OdsCode, view: &Arc<TenantView>, revision: Revision) {
        let view = view.clone();
        self.known
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(ods.clone(), KnownTenant { view, revision });
    }

    async fn reload(
        &self,
        store: &Store,
        ods: &OdsCode,
        revision: Revision,
    ) -> Result<Option<KnownTenant>, Refusal> {
        let (store, base, wanted) = (store.clone(), self.base.clone(), ods.clone());
        let built =
            tokio::task::spawn_blocking(move || -> Result<Option<TenantView>, StoreError> {
                match store.tenant_of(&wanted)? {
                    None => Ok(None),
                    Some(row) => TenantView::build(&row, &base, &store).map(Some),
                }
            })
            .await
            .map_err(|e| {
                Refusal::new(
                    booking::refusal::Situation::Unexpected,
                    "An unexpected fault.",
                )
                .log(e.to_string())
            })?
            .map_err(store_refusal)?;
        Ok(match built {
            None => {
                self.known
                    .write()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(ods);
                None
            }
            Some(view) => {
                let view = Arc::new(view);
                self.keep(ods, &view, revision);
                Some(KnownTenant { view, revision })
            }
        })
    }
}
