//! Answers one SOAP request, from text to text, without sockets.

use super::answer::{self, EndpointFault, Transaction};
use super::case::ClinicalNeed;
use super::envelope::{Envelope, Operation, document};
use super::fault::DosFault;
use super::fields::text_of;
use super::search;
use super::{NAMESPACE, VERSION};
use crate::world::World;
use crate::world::model::{Account, Service, Status, WEB_SERVICE};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use roxmltree::{Document, Node};

/// Longest `serviceId`: an id or an ODS code.
const MAX_SERVICE_ID: usize = 32;

/// The subject of a request, for injected faults and the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestSubject {
    /// The operation.
    pub operation: Option<&'static str>,
    /// `serviceId` of ServiceDetailsById.
    pub service: Option<String>,
}

/// A request that is well-formed SOAP.
pub struct Call<'a, 'i> {
    envelope: Envelope<'a, 'i>,
}

/// Parses the text for [`Call::read`].
pub fn parse(text: &str) -> Result<Document<'_>, DosFault> {
    document(text)
}

impl<'a, 'i> Call<'a, 'i> {
    /// Reads the envelope. `action` is the SOAPAction or the media type's action; `None` or empty: not sent.
    pub fn read(
        document: &'a Document<'i>,
        action: Option<&str>,
        strict: bool,
    ) -> Result<Call<'a, 'i>, DosFault> {
        let envelope = Envelope::read(document, strict)?;
        let wanted = format!("{NAMESPACE}/{}", envelope.operation.name());
        match action
            .map(|a| a.trim_matches('"'))
            .filter(|a| !a.is_empty())
        {
            Some(action) if strict && action != wanted => Err(DosFault::malformed(format_args!(
                "the action is {action}, but the Body holds {}; its action is {wanted}",
                envelope.operation.name()
            ))),
            _ => Ok(Call { envelope }),
        }
    }

    /// The subject of the request.
    pub fn about(&self) -> RequestSubject {
        let service = match (self.envelope.operation, self.envelope.payload) {
            (Operation::ServiceDetailsById, Some(node)) => text_of(node).ok().flatten(),
            _ => None,
        };
        RequestSubject {
            operation: Some(self.envelope.operation.name()),
            service: service.filter(|id| id.len() <= MAX_SERVICE_ID),
        }
    }

    /// The SOAP envelope of the answer, or the fault.
    pub fn answer(
        &self,
        world: &World,
        transaction: &Transaction,
        zone: &TimeZone,
        tamper: &dyn Fn(&Service) -> Option<EndpointFault>,
    ) -> Result<String, DosFault> {
        let account = self.login(world)?;
        match self.envelope.version.as_deref() {
            Some(VERSION) => {}
            None => return Err(DosFault::new(109)),
            Some(_) => return Err(DosFault::new(107)),
        }
        if !account.permissions.iter().any(|p| p == WEB_SERVICE) {
            return Err(DosFault::new(303));
        }
        let payload = self.envelope.payload;
        match self.envelope.operation {
            Operation::CheckCapacitySummary => {
                let node = payload.ok_or_else(|| {
                    DosFault::malformed("CheckCapacitySummary has no element `c`")
                })?;
                summary(node, world, account, transaction, zone, tamper)
            }
            Operation::ServiceDetailsById => {
                let id = payload.map_or(Ok(None), text_of)?;
                details(id.as_deref(), world, tamper)
            }
        }
    }

    /// The account of a request (NAT-DOS-01).
    fn login<'w>(&self, world: &'w World) -> Result<&'w Account, DosFault> {
        let (username, password) = self
            .envelope
            .credentials
            .as_ref()
            .ok_or_else(|| DosFault::new(1001))?;
        world
            .account(username)
            .filter(|account| account.password == *password && !account.locked)
            .ok_or_else(|| DosFault::new(302))
    }
}

fn summary(
    node: Node<'_, '_>,
    world: &World,
    account: &Account,
    transaction: &Transaction,
    zone: &TimeZone,
    tamper: &dyn Fn(&Service) -> Option<EndpointFault>,
) -> Result<String, DosFault> {
    let case = ClinicalNeed::read(node, world, transaction.requested, zone)?;
    let found = search::services(world, &case, account, zone);
    match found.is_empty() {
        true => Err(DosFault::new(102)),
        false => Ok(answer::summary(
            &world.settings,
            &case,
            &found,
            transaction,
            zone,
            tamper,
        )),
    }
}

/// Finds by service id, or all services of an organisation by its ODS code (NAT-DOS-05).
fn details(
    id: Option<&str>,
    world: &World,
    tamper: &dyn Fn(&Service) -> Option<EndpointFault>,
) -> Result<String, DosFault> {
    let id = id
        .filter(|id| id.len() <= MAX_SERVICE_ID)
        .ok_or_else(|| DosFault::new(103))?;
    let number: Option<u32> = match id.bytes().all(|b| b.is_ascii_digit()) {
        true => id.parse().ok(),
        false => None,
    };
    let active = || world.services.iter().filter(|s| s.status == Status::Active);
    let mut services: Vec<&Service> = active().filter(|s| Some(s.id) == number).collect();
    if services.is_empty() {
        services = active()
            .filter(|s| s.ods.eq_ignore_ascii_case(id))
            .collect();
    }
    match services.is_empty() {
        true => Err(DosFault::new(103)),
        false => Ok(answer::details(&world.settings, &services, tamper)),
    }
}

/// A new transaction.
pub fn transaction(requested: Timestamp) -> Transaction {
    Transaction {
        id: uuid::Uuid::new_v4().to_string(),
        requested,
    }
}

/// Fault keys: the operation's name for a request, this id for a service of an answer.
pub fn service_key(service: &Service) -> String {
    service.id.to_string()
}
