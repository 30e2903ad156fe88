//! What the journey tests share: a real Provider with demo data behind the sandbox's SSP, and a scripted provider
//! that answers as it is told. Each test program uses a part of it.

use booking::ids::{Asid, OdsCode, ServiceId};
use booking::wire::token::{Device, Organization, Practitioner};
use consumer::journal::{BookingRow, Encounter, Journal};
use consumer::journey::{Consultation, Journey, Target};
use consumer::plan::{BookingDetails, Sender};
use consumer::slots::FreeSlot;
use consumer::transport::{Policy, Transport};
use jiff::Timestamp;
use provider::config::{Settings, Unsigned};
use provider::diary::demo;
use provider::http::edge::Edge;
use provider::http::edge::base::Base;
use provider::http::server::{self, Server};
use provider::http::trust::Trust;
use provider::store::{Options, Store};
use sandbox::{Listeners, Ports, Sandbox, Setup};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

pub const GP_CLINIC: &str = "2000000011";
pub const NO_FREE_SLOT: &str = "2000000014";
pub const BARE_SLOTS: &str = "2000000015";
pub const TELEPHONE: &str = "2000000013";
pub const CONSUMER: &str = "918999000099";
pub const SEARCH_ONLY: &str = "918999000098";
pub const PROVIDER: &str = "918999000011";

/// A Provider with demo data in memory, served over a socket of this process.
pub async fn provider() -> (SocketAddr, Store) {
    let listener = server::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let store = Store::open("sqlite::memory:", &Options::default()).unwrap();
    demo::load(&store, Timestamp::now()).await.unwrap();
    let mut settings = Settings::default();
    settings.trust.unsigned = Unsigned::Any;
    let settings = Arc::new(settings);
    let trust = Trust::open(&settings).unwrap();
    let base = Base::new(None, &address.to_string());
    let edge = Arc::new(Edge::new(store.clone(), settings.clone(), trust, base).unwrap());
    let server = Server::new(listener, edge, settings).unwrap();
    tokio::spawn(server.run(std::future::pending()));
    (address, store)
}

/// A Provider behind an SSP.
pub struct Path {
    pub sandbox: Sandbox,
    pub store: Store,
    pub provider: SocketAddr,
}

impl Path {
    pub async fn start() -> Path {
        let (address, store) = provider().await;
        let ports = Ports {
            ssp: Some(0),
            ..Ports::default()
        };
        let listeners = Listeners::bind("127.0.0.1", &ports).await.unwrap();
        let setup = Setup {
            provider: Some(format!("http://{address}")),
            ..Setup::default()
        };
        let sandbox = Sandbox::start(listeners, setup).await.unwrap();
        Path {
            sandbox,
            store,
            provider: address,
        }
    }

    pub fn ssp(&self) -> Option<String> {
        Some(self.sandbox.addresses().ssp.clone())
    }

    pub fn target(&self, service: &str) -> Target {
        target(&format!("http://{}/STU3/1/FX101", self.provider), service)
    }

    pub fn journey(&self) -> Journey {
        journey(CONSUMER, "FX900", self.ssp())
    }

    /// How many live bookings the Provider has for the patient.
    pub fn live_bookings(&self, nhs_number: &str) -> usize {
        let number = booking::ids::NhsNumber::parse(nhs_number).unwrap();
        let tenants = self.store.tenants().unwrap();
        let tenant = tenants.iter().find(|t| t.ods.as_str() == "FX101").unwrap();
        let all = self
            .store
            .tenant(tenant.key)
            .appointments_of(&number, 1_000)
            .unwrap();
        all.iter()
            .filter(|a| String::from_utf8_lossy(&a.json).contains("\"status\":\"booked\""))
            .count()
    }
}

pub fn target(root: &str, service: &str) -> Target {
    Target {
        service: ServiceId::parse(service).unwrap(),
        name: Some("Tested service".into()),
        asid: Asid::parse(PROVIDER).unwrap(),
        slots_root: root.to_owned(),
        booking_root: root.to_owned(),
    }
}

pub fn sender(asid: &str, ods: &str) -> Sender {
    Sender {
        asid: Asid::parse(asid).unwrap(),
        issuer: "https://consumer.example.nhs.uk/".into(),
        device: Device {
            system: "https://consumer.example.nhs.uk/Id/device".into(),
            value: "CONS-1".into(),
            model: "Test consumer".into(),
            version: "1.0".into(),
        },
        organization: Organization {
            name: "Fernhill 111".into(),
            ods: OdsCode::parse(ods).unwrap(),
        },
        practitioner: Some(Practitioner {
            id: "u-17".into(),
            family: "Advisor".into(),
            given: "Alex".into(),
            prefix: None,
            sds_user: None,
            sds_role: None,
            local: None,
        }),
    }
}

/// Fast enough for tests; the order of things is the same.
pub fn policy() -> Policy {
    Policy {
        attempt: Duration::from_secs(5),
        total: Duration::from_secs(30),
        pause: Duration::from_millis(10),
        longest_pause: Duration::from_secs(2),
    }
}

pub fn journey_with(asid: &str, ods: &str, ssp: Option<String>, policy: Policy) -> Journey {
    let journal = Journal::memory().unwrap();
    Journey::new(
        sender(asid, ods),
        ssp,
        Transport::new(client(), journal.clone(), policy),
        journal,
    )
}

pub fn journey(asid: &str, ods: &str, ssp: Option<String>) -> Journey {
    journey_with(asid, ods, ssp, policy())
}

pub fn client() -> reqwest::Client {
    // A second installation keeps the first.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

pub fn encounter(clinical: bool, within_minutes: Option<i64>) -> Encounter {
    Encounter {
        id: Uuid::new_v4().to_string(),
        opened_at: Timestamp::now(),
        user: "u-17".into(),
        clinical,
        within_minutes,
        ..Encounter::default()
    }
}

pub async fn consultation(journey: &Journey) -> Consultation {
    journey.consultation(encounter(true, None)).await.unwrap()
}

/// A booking of this slot as the journal keeps it before it is asked for.
pub fn booking_row(c: &Consultation, target: &Target, slot: &FreeSlot) -> BookingRow {
    BookingRow {
        document: Uuid::new_v4().to_string(),
        encounter: c.encounter().id.clone(),
        service: target.service.as_str().to_owned(),
        asid: target.asid.as_str().to_owned(),
        root: target.booking_root.clone(),
        request_id: Uuid::new_v4().to_string(),
        nhs_number: None,
        claim: slot.claim.clone(),
        start: slot.start,
        end: slot.end,
        at: Timestamp::now(),
        details_digest: None,
        replaces: None,
        told: Default::default(),
        outside_minutes: None,
        approver: None,
        patient_agreed: None,
    }
}

/// An invented patient; the NHS number is one of the range that is never issued.
pub fn details(nhs_number: Option<&str>) -> BookingDetails {
    let mut details: BookingDetails = toml::from_str(
        r#"
        description = "Sore throat and fever"
        [patient]
        gender = "female"
        birth_date = "1984-06-21"
        name = { family = "Testwell", given = ["Ada"], prefix = ["Ms"] }
        address = { lines = ["2 Synthetic Way"], city = "Exampleton", postcode = "LS99 9ZZ" }
        telecom = [{ value = "07700 900123", use = "mobile", rank = 1 }]
        [[patient.contact]]
        relationship = "N"
        name = { family = "Testwell", given = ["Grace"] }
        telecom = [{ value = "01632 960456", use = "home", rank = 2 }]
        "#,
    )
    .unwrap();
    details.patient.nhs_number = nhs_number.map(str::to_owned);
    details
}

/// A number of the 999 range with its check digit, different for each `n`.
pub fn nhs_number(n: u32) -> String {
    (n * 10..)
        .find_map(|n| {
            let nine = format!("999{n:06}");
            let check = booking::ids::check_digit(nine.as_bytes())?;
            Some(format!("{nine}{check}"))
        })
        .unwrap()
}
