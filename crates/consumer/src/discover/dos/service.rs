//! Services as the DoS describes them.

use super::endpoint::{self, BookingAddress};
use super::opening::Opening;
use super::soap::{below, child, shown_of, text_of};
use crate::obstacle::Obstacle;
use crate::referral::{self, DosEndpoint, Organisation, ReferralFailure};
use booking::foreign::Foreign;
use booking::ids::{OdsCode, ServiceId};
use roxmltree::Node;

/// Most attributes of a service that are read.
const MAX_ATTRIBUTES: usize = 200;
/// Names of the attribute by which a service takes referrals only with a booking (D-31).
const BOOKING_REQUIRED: [&str; 4] = [
    "requirebooking",
    "requiresbooking",
    "requireappointment",
    "requiresappointment",
];
/// What stands behind the name of a service that is listed because nothing matched (NAT-DOS-04).
const CATCH_ALL: &str = "(catch-all)";

/// A service of a search. What is not for the public (numbers for professionals, fax) is not read.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// DoS service id.
    pub id: ServiceId,
    /// Name for the public, or else the directory's own.
    pub name: Foreign,
    /// The directory's own name.
    pub directory_name: Option<Foreign>,
    /// Kind of service.
    pub kind: Option<Foreign>,
    /// ODS code.
    pub ods: Option<Foreign>,
    /// `High`, `Low` or `None`.
    pub capacity: Option<Foreign>,
    /// Place of care.
    pub address: Option<Foreign>,
    /// Its postcode.
    pub postcode: Option<Foreign>,
    /// Distance in miles.
    pub distance_miles: Option<f64>,
    /// Telephone number for the public.
    pub phone: Option<Foreign>,
    /// Web page.
    pub url: Option<Foreign>,
    /// What the public may be told.
    pub information: Option<Foreign>,
    /// When it is open.
    pub opening: Opening,
    /// Listed because nothing matched.
    pub catch_all: bool,
    /// Takes referrals only with a booking (CONS-BO-01).
    pub booking_required: bool,
    /// Its endpoints, where the answer has them.
    pub endpoints: Vec<DosEndpoint>,
}

impl Service {
    /// Reads a `serviceCareSummaryDestination`.
    pub(super) fn read(node: Node<'_, '_>) -> Option<Service> {
        let id = ServiceId::parse(&text_of(node, "id")?).ok()?;
        let directory_name = shown_of(node, "name");
        let name = shown_of(node, "publicName").or_else(|| directory_name.clone());
        let name = name.unwrap_or_else(|| format!("Service {id}").into());
        let miles = text_of(node, "distance").and_then(|t| t.parse::<f64>().ok());
        let marked = |name: &Foreign| name.as_received().to_ascii_lowercase().contains(CATCH_ALL);
        Some(Service {
            catch_all: marked(&name) || directory_name.as_ref().is_some_and(marked),
            kind: child(node, "serviceType").and_then(|kind| shown_of(kind, "name")),
            ods: shown_of(node, "odsCode"),
            capacity: shown_of(node, "capacity"),
            address: shown_of(node, "address"),
            postcode: shown_of(node, "postcode"),
            distance_miles: miles.filter(|m| m.is_finite() && *m >= 0.0),
            phone: shown_of(node, "contactDetails"),
            url: shown_of(node, "url"),
            information: shown_of(node, "publicFacingInformation"),
            opening: Opening::read(node),
            booking_required: booking_required(node, &id),
            endpoints: endpoint::read(node),
            id,
            name,
            directory_name,
        })
    }
}

/// A service with what is needed to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceDetails {
    /// DoS service id.
    pub id: ServiceId,
    /// Name for the user, where it is known.
    pub name: Option<Foreign>,
    /// ODS code.
    pub ods: Option<Foreign>,
    /// Takes referrals only with a booking (CONS-BO-01).
    pub booking_required: bool,
    /// Its endpoints in the directory's order.
    pub endpoints: Vec<DosEndpoint>,
}

impl ServiceDetails {
    /// Reads a `service` of ServiceDetailsById.
    pub(super) fn read(node: Node<'_, '_>, id: &ServiceId) -> ServiceDetails {
        ServiceDetails {
            id: id.clone(),
            name: shown_of(node, "publicName").or_else(|| shown_of(node, "name")),
            ods: shown_of(node, "odsCode"),
            booking_required: booking_required(node, id),
            endpoints: endpoint::read(node),
        }
    }

    /// What a list already says of a service.
    pub fn of(service: &Service) -> ServiceDetails {
        ServiceDetails {
            id: service.id.clone(),
            name: Some(service.name.clone()),
            ods: service.ods.clone(),
            booking_required: service.booking_required,
            endpoints: service.endpoints.clone(),
        }
    }

    /// Completed by what a list said of the service: endpoints from whichever answer holds them (NAT-DOS-07), and the
    /// attribute, which only lists have.
    #[must_use]
    pub fn with(mut self, listed: &Service) -> ServiceDetails {
        if self.id != listed.id {
            return self;
        }
        if self.endpoints.is_empty() {
            self.endpoints.clone_from(&listed.endpoints);
        }
        self.name = Some(listed.name.clone());
        self.ods = self.ods.or_else(|| listed.ods.clone());
        self.booking_required |= listed.booking_required;
        self
    }

    /// Which system takes its bookings (CONS-DOS-03).
    pub fn booking_address(&self) -> Result<BookingAddress, Obstacle> {
        endpoint::booking_address(&self.endpoints)
    }

    /// Where referrals go: the first for the service itself, then those for copies (REF-CON-07).
    pub fn referral_endpoints(&self) -> Result<Vec<referral::Endpoint>, ReferralFailure> {
        referral::endpoints(&self.endpoints)
    }

    /// The organisation that referrals go to, if the directory says which runs this service.
    pub fn recipient(&self) -> Result<Organisation, NoRecipient> {
        let ods = self.ods.as_ref().map_or("", Foreign::as_received);
        Ok(Organisation {
            ods: OdsCode::parse(ods).map_err(|_| NoRecipient)?,
            name: self.name_or_id(),
        })
    }

    /// The service's name as the directory has it, or its id.
    pub fn name_or_id(&self) -> String {
        let name = self.name.as_ref().map(Foreign::as_received);
        name.unwrap_or(self.id.as_str()).to_owned()
    }
}

/// The recipient of a referral is not known.
#[derive(Debug, thiserror::Error)]
#[error("The directory does not say which organisation runs this service. Tell the helpdesk.")]
pub struct NoRecipient;

/// Whether the attribute is there and true; of several instances one is enough, because sending a referral that the
/// service will not take is the worse mistake (NAT-DOS-09).
fn booking_required(service: Node<'_, '_>, id: &ServiceId) -> bool {
    let values: Vec<String> = below(service, "attribute")
        .take(MAX_ATTRIBUTES)
        .filter(|a| {
            let name = text_of(*a, "name").unwrap_or_default();
            BOOKING_REQUIRED
                .iter()
                .any(|n| name.eq_ignore_ascii_case(n))
        })
        .filter_map(|a| text_of(a, "value"))
        .collect();
    let is_true = |v: &String| {
        ["true", "y", "yes", "1"]
            .iter()
            .any(|t| v.trim().eq_ignore_ascii_case(t))
    };
    let required = values.iter().any(is_true);
    if required && !values.iter().all(is_true) {
        tracing::warn!(service = %id, fault_of = "dos configuration", "requirebooking contradicts itself; taken as true");
    }
    required
}
