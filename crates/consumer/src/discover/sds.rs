//! SDS: from an ASID to the address of its system, by two LDAP searches (NAT-SDS-01..08, CONS-SDS-01, CONS-SDS-02).

mod address;
mod connection;
mod filter;

use super::dos::BookingAddress;
use crate::config::{ConfigError, ConsumerConfig};
use crate::obstacle::{Kind, Obstacle};
use booking::ids::Asid;
use booking::wire::interaction::URN_PREFIX;
use connection::{Connection, Entry, Found as Searched, Server, Trouble};
use filter::Filter;
use std::time::Duration;

/// Base of all searches.
const BASE: &str = "ou=services,o=nhs";
/// Begin of GP Connect's interactions.
const GP_CONNECT: &str = "urn:nhs:names:services:gpconnect:fhir:";
/// Begin of CareConnect's.
const CARE_CONNECT: &str = "urn:nhs:names:services:careconnect:fhir:";
/// Interactions of slots; the one that the directory knows first (D-30).
const SLOTS: [&str; 2] = ["read:slot", "search:slot"];
/// Interaction of booking.
const BOOK: &str = "create:appointment";

/// What is asked of an nhsAs entry.
const SYSTEM: [&str; 4] = [
    "uniqueIdentifier",
    "nhsMHSPartyKey",
    "nhsAsSvcIA",
    "nhsIDCode",
];
/// What is asked of an nhsMhs entry.
const ROUTE: [&str; 4] = [
    "nhsMHSEndPoint",
    "nhsMhsFQDN",
    "nhsMHSPartyKey",
    "nhsMhsSvcIA",
];

/// What SDS knows of a system that takes bookings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub asid: Asid,
    pub ods: Option<String>,
    pub party_key: String,
    pub slots_root: String,
    pub booking_root: String,
}

/// An nhsAs entry that has passed the checks.
struct System {
    asid: Asid,
    ods: Option<String>,
    party_key: String,
}

/// A client of SDS. Cheap to clone; each look-up has a connection of its own.
#[derive(Clone, Debug)]
pub struct Client {
    server: Server,
    patience: Duration,
    allow_plain: bool,
}

impl Client {
    /// Over the settings' address and certificates.
    pub fn new(config: &ConsumerConfig) -> Result<Client, ConfigError> {
        Ok(Client {
            server: Server::new(config)?,
            patience: config.timeouts.sds,
            allow_plain: config.allow_plain,
        })
    }

    /// Looks a system up, within one time-out for all of it.
    pub async fn find(&self, address: &BookingAddress) -> Result<Found, Obstacle> {
        let found = match tokio::time::timeout(self.patience, self.look_up(address)).await {
            Ok(found) => found,
            Err(_) => {
                let seconds = self.patience.as_secs_f64();
                Err(Obstacle::new(Kind::SdsUnreachable)
                    .note("transport", format_args!("no answer within {seconds} s")))
            }
        };
        found.map_err(|obstacle| {
            obstacle
                .note("address", address)
                .note("sds", self.server.name())
        })
    }

    async fn look_up(&self, address: &BookingAddress) -> Result<Found, Obstacle> {
        let mut connection = self.server.connect().await.map_err(trouble)?;
        let system = system(&mut connection, address).await?;
        let told = |o: Obstacle| {
            o.note("asid", &system.asid)
                .text("party_key", &system.party_key)
        };
        let slots = self
            .slots_root(&mut connection, &system)
            .await
            .map_err(told)?;
        let booking = self.root(&mut connection, &system, BOOK).await;
        let booking = booking
            .and_then(|root| root.ok_or_else(|| unknown(BOOK)))
            .map_err(told)?;
        connection.end().await;
        Ok(Found {
            asid: system.asid,
            ods: system.ods,
            party_key: system.party_key,
            slots_root: slots,
            booking_root: booking,
        })
    }

    /// D-30: `read:slot`, or else `search:slot`.
    async fn slots_root(
        &self,
        connection: &mut Connection,
        system: &System,
    ) -> Result<String, Obstacle> {
        for interaction in SLOTS {
            if let Some(root) = self.root(connection, system, interaction).await? {
                return Ok(root);
            }
        }
        Err(unknown(SLOTS[0]))
    }

    /// Query 2: exactly one nhsMhs entry, with exactly one address; `None` without an entry (C13, C14, C16, C17).
    async fn root(
        &self,
        connection: &mut Connection,
        system: &System,
        interaction: &str,
    ) -> Result<Option<String>, Obstacle> {
        let urn = format!("{URN_PREFIX}{interaction}");
        let filter = Filter::all(&[
            ("objectClass", "nhsMhs"),
            ("nhsMHSPartyKey", &system.party_key),
            ("nhsMhsSvcIA", &urn),
        ]);
        let told = |o: Obstacle| o.note("interaction", interaction);
        let searched = search(connection, &filter, &ROUTE).await.map_err(told)?;
        let entry = match one(&searched) {
            One::None => return Ok(None),
            One::Several => return Err(told(Obstacle::new(Kind::AddressAmbiguous))),
            One::Entry(entry) => entry,
        };
        let told = |o: Obstacle| told(o).text("dn", &entry.dn);
        if !answers(entry, "nhsMHSPartyKey", &system.party_key)
            || !answers(entry, "nhsMhsSvcIA", &urn)
        {
            return Err(told(Obstacle::new(Kind::SystemOther)));
        }
        let root = match entry.values("nhsMHSEndPoint").as_slice() {
            [] => return Err(told(Obstacle::new(Kind::AddressMissing))),
            [only] => address::root(only, self.allow_plain),
            _ => return Err(told(Obstacle::new(Kind::AddressAmbiguous))),
        };
        root.map(Some)
            .map_err(|why| told(Obstacle::new(Kind::AddressInvalid).text("fault", &why)))
    }
}

/// Query 1: exactly one nhsAs entry, registered for what booking needs (C9 to C12).
async fn system(connection: &mut Connection, address: &BookingAddress) -> Result<System, Obstacle> {
    let urn = format!("{URN_PREFIX}{BOOK}");
    let filter = match address {
        BookingAddress::Asid(asid) => Filter::all(&[
            ("objectClass", "nhsAs"),
            ("uniqueIdentifier", asid.as_str()),
        ]),
        BookingAddress::Ods(ods) => Filter::all(&[
            ("objectClass", "nhsAs"),
            ("nhsIDCode", ods.as_str()),
            ("nhsAsSvcIA", &urn),
        ]),
    };
    let searched = search(connection, &filter, &SYSTEM).await?;
    let entry = match one(&searched) {
        One::None => return Err(Obstacle::new(Kind::SystemUnknown)),
        One::Several => return Err(Obstacle::new(Kind::SystemAmbiguous)),
        One::Entry(entry) => entry,
    };
    check(entry, address).map_err(|o| o.text("dn", &entry.dn))
}

/// Whether an entry is about what was asked for: the attribute of the filter has the value, or is kept back.
fn answers(entry: &Entry, attribute: &str, asked: &str) -> bool {
    let values = entry.values(attribute);
    values.is_empty() || values.iter().any(|v| v.eq_ignore_ascii_case(asked))
}

/// The ASID at the begin of a distinguished name, `uniqueIdentifier=…,ou=Services,o=nhs`.
fn asid_of_dn(dn: &str) -> Option<&str> {
    let (name, value) = dn.split(',').next()?.split_once('=')?;
    let named = name.trim().eq_ignore_ascii_case("uniqueIdentifier");
    named.then_some(value.trim())
}

/// Whether the entry is that of another system. A proxy or a cache that mixes answers up would send a patient's booking
/// to it.
fn is_other(entry: &Entry, address: &BookingAddress) -> bool {
    match address {
        BookingAddress::Asid(asid) => {
            !answers(entry, "uniqueIdentifier", asid.as_str())
                || asid_of_dn(&entry.dn).is_some_and(|of_dn| of_dn != asid.as_str())
        }
        BookingAddress::Ods(ods) => !answers(entry, "nhsIDCode", ods.as_str()),
    }
}

fn check(entry: &Entry, address: &BookingAddress) -> Result<System, Obstacle> {
    if is_other(entry, address) {
        return Err(Obstacle::new(Kind::SystemOther));
    }
    let interactions = entry.values("nhsAsSvcIA");
    let begins = |with: &str| {
        interactions.iter().any(|i| {
            i.get(..with.len())
                .is_some_and(|i| i.eq_ignore_ascii_case(with))
        })
    };
    let has = |short: &str| {
        let urn = format!("{URN_PREFIX}{short}");
        interactions.iter().any(|i| i.eq_ignore_ascii_case(&urn))
    };
    if begins(CARE_CONNECT) && begins(GP_CONNECT) {
        return Err(Obstacle::new(Kind::InteractionsMixed));
    }
    let (slots, book) = (SLOTS.iter().any(|s| has(s)), has(BOOK));
    if !slots || !book {
        return Err(Obstacle::new(Kind::InteractionsMissing)
            .note("slots", slots)
            .note("booking", book)
            .note("interactions", interactions.len()));
    }
    let asid = match (address, entry.values("uniqueIdentifier").as_slice()) {
        (BookingAddress::Asid(asid), _) => asid.clone(),
        (BookingAddress::Ods(_), [only]) => Asid::parse(only).map_err(|error| {
            Obstacle::new(Kind::SystemUnknown).text("fault", &error.to_string())
        })?,
        (BookingAddress::Ods(_), values) => {
            return Err(Obstacle::new(Kind::SystemAmbiguous).note("asids", values.len()));
        }
    };
    let party_key = match entry.values("nhsMHSPartyKey").as_slice() {
        [only] => only.clone(),
        [] => return Err(Obstacle::new(Kind::AddressUnknown).note("fault", "no party key")),
        _ => return Err(Obstacle::new(Kind::AddressAmbiguous).note("fault", "several party keys")),
    };
    let ods = entry.values("nhsIDCode").into_iter().next();
    Ok(System {
        asid,
        ods,
        party_key,
    })
}

fn unknown(interaction: &str) -> Obstacle {
    Obstacle::new(Kind::AddressUnknown).note("interaction", interaction)
}

async fn search(
    connection: &mut Connection,
    filter: &Filter,
    attributes: &[&str],
) -> Result<Searched, Obstacle> {
    let searched = connection.search(BASE, filter, attributes).await;
    searched.map_err(|t| trouble(t).text("filter", &filter.to_string()))
}

/// How many entries there are.
enum One<'f> {
    None,
    Entry(&'f Entry),
    Several,
}

fn one(found: &Searched) -> One<'_> {
    match (found.entries.as_slice(), found.more) {
        ([], false) => One::None,
        ([only], false) => One::Entry(only),
        _ => One::Several,
    }
}

fn trouble(trouble: Trouble) -> Obstacle {
    let (kind, why) = match trouble {
        Trouble::Unreachable(why) => (Kind::SdsUnreachable, why),
        Trouble::Refused(why) => (Kind::SdsRefused, why),
        Trouble::Unreadable(why) => (Kind::SdsUnreadable, why),
    };
    Obstacle::new(kind).text("transport", &why)
}
