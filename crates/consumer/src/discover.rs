//! Finding a service and the way to its bookings: the Directory of Services, then SDS (CONS-DOS-01..06, CONS-SDS-01..02).
//!
//! A [`Discovery`] lives as long as the program. What SDS says is remembered in a [`Session`] only, which belongs to one
//! contact with one patient (NAT-SDS-07).

mod choice;
mod dos;
mod sds;

pub use choice::{Offer, Reachable};
pub use dos::{
    Age, BookingAddress, LeftOut, Listed, OpenDay, OpenSpan, Opening, Service, ServiceDetails,
    ServiceSearch, Sex,
};

use crate::config::{ConfigError, ConsumerConfig, Role};
use crate::journey::Target;
use crate::obstacle::{Kind, Obstacle};
use booking::foreign::Foreign;
use booking::ids::{Asid, ServiceId};
use sds::Found;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// Systems remembered in one session; a contact with a patient touches a few.
const MOST: usize = 200;

/// Where a service's bookings go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// DoS service id.
    pub service: ServiceId,
    /// What the DoS calls it, for the user.
    pub name: Option<Foreign>,
    /// ASID of the Provider: `Ssp-To`.
    pub asid: Asid,
    /// ODS code of the system's organisation, as SDS has it.
    pub ods: Option<Foreign>,
    /// Party key of the system.
    pub party_key: String,
    /// Service root for slot searches, as SDS has it: also `aud` of a token. Encoded where an address is built.
    pub slots_root: String,
    /// Service root for everything about appointments, as SDS has it.
    pub booking_root: String,
}

impl From<&Endpoint> for Target {
    fn from(endpoint: &Endpoint) -> Target {
        Target {
            service: endpoint.service.clone(),
            name: endpoint.name.clone(),
            asid: endpoint.asid.clone(),
            slots_root: endpoint.slots_root.clone(),
            booking_root: endpoint.booking_root.clone(),
        }
    }
}

/// The way to the national directories. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Discovery {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dos: dos::Client,
    sds: sds::Client,
    role: Role,
    own: Asid,
}

impl Discovery {
    /// Over the settings' addresses and certificates; what is wrong with those is told here.
    pub fn new(config: &ConsumerConfig) -> Result<Discovery, ConfigError> {
        Discovery::over(config, crate::client::http(config)?)
    }

    /// The same over an HTTP client that exists, so that its connections are shared.
    pub fn over(config: &ConsumerConfig, http: reqwest::Client) -> Result<Discovery, ConfigError> {
        Ok(Discovery {
            inner: Arc::new(Inner {
                dos: dos::Client::new(config, http)?,
                sds: sds::Client::new(config)?,
                role: config.role(),
                own: config.asid.clone(),
            }),
        })
    }

    /// The same for a user of another role: the DoS has an account for each (NAT-DOS-02).
    #[must_use]
    pub fn for_role(&self, role: Role) -> Discovery {
        Discovery {
            inner: Arc::new(Inner {
                dos: self.inner.dos.clone(),
                sds: self.inner.sds.clone(),
                role,
                own: self.inner.own.clone(),
            }),
        }
    }

    /// A session: one contact with one patient.
    pub fn session(&self) -> Session {
        Session {
            discovery: self.clone(),
            known: Arc::default(),
        }
    }

    /// The services that suit, in the order of the DoS (CONS-DOS-01). None at all is an obstacle of its own.
    pub async fn services(&self, search: &ServiceSearch) -> Result<Vec<Service>, Obstacle> {
        Ok(self.listed(search).await?.services)
    }

    /// The same, with how many services the list has besides that cannot be offered, and why.
    pub async fn listed(&self, search: &ServiceSearch) -> Result<Listed, Obstacle> {
        let found = self.inner.dos.services(self.inner.role, search).await;
        found.map_err(Obstacle::logged)
    }

    /// A service's details with its endpoints (NAT-DOS-05).
    pub async fn service(&self, id: &ServiceId) -> Result<ServiceDetails, Obstacle> {
        let found = self.inner.dos.service(self.inner.role, id).await;
        found.map_err(Obstacle::logged)
    }

    /// The details of a service of a list. Endpoints and attributes are taken from whichever answer holds them
    /// (NAT-DOS-07); a DoS that fails between the two costs nothing that the list already had.
    pub async fn details(&self, chosen: &Service) -> Result<ServiceDetails, Obstacle> {
        let passing = |kind| {
            matches!(
                kind,
                Kind::DosUnreachable | Kind::DosFailed | Kind::DosUnreadable
            )
        };
        match self.service(&chosen.id).await {
            Ok(details) => Ok(details.with(chosen)),
            Err(obstacle) if passing(obstacle.kind) && !chosen.endpoints.is_empty() => {
                Ok(ServiceDetails::of(chosen))
            }
            Err(obstacle) => Err(obstacle),
        }
    }

    /// Where the service's bookings go: asks SDS each time. See [`Session::endpoint`].
    pub async fn endpoint(&self, details: &ServiceDetails) -> Result<Endpoint, Obstacle> {
        self.session().endpoint(details).await
    }

    async fn look_up(&self, address: &BookingAddress) -> Result<Found, Obstacle> {
        self.inner.sds.find(address).await
    }
}

/// What SDS says of a system that takes bookings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// ODS code of its organisation.
    pub ods: Option<Foreign>,
    /// Its party key.
    pub party_key: String,
    /// Service root for slot searches.
    pub slots_root: String,
    /// Service root for bookings.
    pub booking_root: String,
}

/// Asks SDS how a system is registered, as every Consumer does before it books.
pub async fn registered(config: &ConsumerConfig, asid: &Asid) -> Result<Registered, Obstacle> {
    let client = sds::Client::new(config)
        .map_err(|e| Obstacle::new(Kind::SdsUnreachable).note("settings", e))?;
    let found = client.find(&BookingAddress::Asid(asid.clone())).await?;
    Ok(Registered {
        ods: found.ods.map(Foreign::from),
        party_key: found.party_key,
        slots_root: found.slots_root,
        booking_root: found.booking_root,
    })
}

type Cell = Arc<OnceCell<Found>>;

/// One contact with one patient: what SDS said is remembered within it, and not beyond (NAT-SDS-07). Clones share
/// what they know; look-ups of the same system side by side ask once.
#[derive(Clone, Debug)]
pub struct Session {
    discovery: Discovery,
    known: Arc<Mutex<HashMap<BookingAddress, Cell>>>,
}

impl Session {
    /// The discovery that it belongs to.
    pub fn discovery(&self) -> &Discovery {
        &self.discovery
    }

    /// Where the service's bookings go (CONS-SDS-01).
    pub async fn endpoint(&self, details: &ServiceDetails) -> Result<Endpoint, Obstacle> {
        let found = self.find(details).await;
        found.map_err(|obstacle| {
            obstacle
                .note("service", &details.id)
                .note("own_asid", &self.discovery.inner.own)
                .logged()
        })
    }

    async fn find(&self, details: &ServiceDetails) -> Result<Endpoint, Obstacle> {
        let address = details.booking_address()?;
        let cell = self.cell(&address);
        // Only a success is kept: what failed is asked for again.
        let found = cell
            .get_or_try_init(|| self.discovery.look_up(&address))
            .await?;
        Ok(Endpoint {
            service: details.id.clone(),
            name: details.name.clone(),
            asid: found.asid.clone(),
            ods: found.ods.clone().map(Foreign::from),
            party_key: found.party_key.clone(),
            slots_root: found.slots_root.clone(),
            booking_root: found.booking_root.clone(),
        })
    }

    fn cell(&self, address: &BookingAddress) -> Cell {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST && !known.contains_key(address) {
            known.clear();
        }
        known.entry(address.clone()).or_default().clone()
    }

    /// What the user may do with a service of a list: book, refer, both, neither.
    pub async fn reachable(&self, chosen: &Service) -> Result<Reachable, Obstacle> {
        let details = self.discovery.details(chosen).await?;
        Ok(self.reach(details).await)
    }

    /// The same for a service whose details are known.
    pub async fn reach(&self, details: ServiceDetails) -> Reachable {
        let booking = self.endpoint(&details).await;
        Reachable::decide(details, booking)
    }
}
