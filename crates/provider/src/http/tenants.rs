//! Tenants and their declared things, kept as last read and read again when the catalogue's version changed.

use super::base::Base;
use super::edge::store_refusal;
use crate::diary::catalogue::Catalogue;
use crate::diary::render;
use crate::store::{ScheduleKey, Store, StoreError, TenantKey, TenantRow};
use booking::ids::{OdsCode, ServiceId};
use booking::refusal::Refusal;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

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
        let (version, declared) = store.declared(row.key)?;
        let catalogue = Catalogue::build(row, &declared)?;
        let root = base.root(row.ods.as_str());
        let services = catalogue
            .services()
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
    known: RwLock<HashMap<OdsCode, Arc<TenantView>>>,
}

impl Tenants {
    /// Reads every tenant.
    pub fn open(store: &Store, base: Base) -> Result<Tenants, StoreError> {
        let mut known = HashMap::new();
        for row in store.tenants()? {
            known.insert(
                row.ods.clone(),
                Arc::new(TenantView::build(&row, &base, store)?),
            );
        }
        Ok(Tenants {
            base,
            known: RwLock::new(known),
        })
    }

    /// The tenant with this routing segment, up to date; also one that was declared a moment ago.
    pub async fn find(
        &self,
        store: &Store,
        ods: &OdsCode,
    ) -> Result<Option<Arc<TenantView>>, Refusal> {
        let known = self
            .known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(ods)
            .cloned();
        if let Some(view) = known {
            let version = store.catalogue_version(view.key).map_err(store_refusal)?;
            if version == view.version {
                return Ok(Some(view));
            }
        }
        self.reload(store, ods).await
    }

    async fn reload(
        &self,
        store: &Store,
        ods: &OdsCode,
    ) -> Result<Option<Arc<TenantView>>, Refusal> {
        let (store, base, wanted) = (store.clone(), self.base.clone(), ods.clone());
        let built =
            tokio::task::spawn_blocking(move || -> Result<Option<TenantView>, StoreError> {
                match store.tenants()?.into_iter().find(|row| row.ods == wanted) {
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
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        Ok(match built {
            None => {
                known.remove(ods);
                None
            }
            Some(view) => {
                let view = Arc::new(view);
                known.insert(ods.clone(), view.clone());
                Some(view)
            }
        })
    }
}
