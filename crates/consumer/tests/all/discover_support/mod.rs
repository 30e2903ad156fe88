//! What the discovery tests share: settings, a DoS and an SDS that answer as they are told. Each test program uses a
//! part of it.

pub mod ldap;
pub mod soap;

use booking::ids::{Asid, ServiceId};
use consumer::config::{ConsumerConfig, DemoAddresses};
use consumer::discover::{Age, Discovery, Service, ServiceDetails, ServiceSearch, Sex};
use consumer::referral::DosEndpoint;
use sandbox::{Listeners, Ports, Sandbox, Setup};
use std::path::Path;
use std::time::Duration;

pub const GP_CLINIC: &str = "2000000011";
pub const FERNHILL: &str = "918999000011";
/// Longer than any test: who waits for it waits for ever.
pub const LONG: Duration = Duration::from_secs(24 * 60 * 60);
/// An address where nothing listens: the port is reserved.
pub const NOWHERE: &str = "127.0.0.1:1";

pub fn id(text: &str) -> ServiceId {
    ServiceId::parse(text).unwrap()
}

pub fn asid(text: &str) -> Asid {
    Asid::parse(text).unwrap()
}

/// Settings of the demonstration for these addresses.
pub fn config(dos: &str, sds: &str) -> ConsumerConfig {
    let addresses = DemoAddresses {
        dos: format!("http://{dos}"),
        sds: format!("ldap://{sds}"),
        ..DemoAddresses::default()
    };
    let mut config = ConsumerConfig::demo(&addresses).unwrap();
    config.timeouts.connect = Duration::from_secs(30);
    config.timeouts.dos = Duration::from_secs(60);
    config.timeouts.sds = Duration::from_secs(60);
    config
}

pub fn discovery(dos: &str, sds: &str) -> Discovery {
    Discovery::new(&config(dos, sds)).unwrap()
}

/// All national services of the sandbox.
pub async fn sandbox(tls: Option<&Path>) -> Sandbox {
    let listeners = Listeners::bind("127.0.0.1", &Ports::FREE).await.unwrap();
    let setup = Setup {
        tls: tls.map(Path::to_owned),
        ..Setup::default()
    };
    Sandbox::start(listeners, setup).await.unwrap()
}

pub fn addresses(sandbox: &Sandbox) -> DemoAddresses {
    let a = sandbox.addresses();
    DemoAddresses {
        dos: a.dos.clone(),
        sds: a.sds.clone(),
        ssp: a.ssp.clone(),
    }
}

/// An adult with abdominal pain near Fernhill, for primary care within two hours.
pub fn search() -> ServiceSearch {
    ServiceSearch {
        case_ref: Some("call-1".into()),
        case_id: None,
        postcode: "LS99 9AA".into(),
        surgery: None,
        age: Age::Years(40),
        sex: Sex::Female,
        disposition: 1005,
        symptom_group: 1011,
        discriminators: vec![4003],
        distance_km: Some(30),
        force_distance: false,
        at: None,
    }
}

pub fn booking_endpoint(address: &str) -> DosEndpoint {
    DosEndpoint {
        order: 1,
        transport: "http".into(),
        format: "FHIR".into(),
        interaction: "Scheduling".into(),
        scenario: "Primary".into(),
        address: address.into(),
        compression: "uncompressed".into(),
    }
}

/// A service with this one booking address.
pub fn details(service: &str, address: &str) -> ServiceDetails {
    ServiceDetails {
        id: id(service),
        name: Some("Fernhill".into()),
        ods: None,
        booking_required: false,
        endpoints: vec![booking_endpoint(address)],
    }
}

pub fn listed<'s>(services: &'s [Service], wanted: &str) -> &'s Service {
    services.iter().find(|s| s.id.as_str() == wanted).unwrap()
}
