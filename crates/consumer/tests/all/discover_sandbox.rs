//! Discovery against the sandbox's DoS and SDS over sockets, plain and with certificates.

use super::discover_support::*;
use booking::foreign::Foreign;
use consumer::config::{ConsumerConfig, Role, Tls};
use consumer::discover::{Discovery, Offer};
use consumer::journal::Encounter;
use consumer::journey::{Journey, SlotSearch, Target};
use consumer::obstacle::{Kind, Step};
use sandbox::faults::{Fault, Point, Rule};
use testkit::assert_lacks;

async fn plain() -> (sandbox::Sandbox, Discovery) {
    let sandbox = sandbox(None).await;
    let config = ConsumerConfig::demo(&addresses(&sandbox)).unwrap();
    let discovery = Discovery::new(&config).unwrap();
    (sandbox, discovery)
}

/// Proves: CONS-DOS-01, CONS-DOS-04, NAT-DOS-03, NAT-DOS-04
/// The seeded services come in the order of the DoS, with the public's name, place, distance,
/// opening times and telephone, and nothing that is not for the public.
#[tokio::test]
async fn services_in_order_with_what_a_user_needs() {
    let (_sandbox, discovery) = plain().await;
    let services = discovery.services(&search()).await.unwrap();
    let gp = listed(&services, GP_CLINIC);
    assert_eq!(gp.name, "Fernhill Urgent Treatment Centre, GP clinic");
    assert_eq!(
        gp.address.as_ref().map(Foreign::as_received),
        Some("Gate 2, 1 Fernhill Way, Exampleton")
    );
    assert_eq!(
        gp.postcode.as_ref().map(Foreign::as_received),
        Some("LS99 9ZA")
    );
    assert_eq!(
        gp.phone.as_ref().map(Foreign::as_received),
        Some("01632 960101")
    );
    assert_eq!(gp.capacity.as_ref().map(Foreign::as_received), Some("High"));
    assert!(gp.opening.always && gp.opening.to_string() == "day and night");
    assert!((gp.distance_miles.unwrap() - 1.0).abs() < 0.11);
    assert_lacks(format!("{services:?}"), &["960191"]);
    let ids: Vec<&str> = services.iter().map(|s| s.id.as_str()).collect();
    // The nearest of the most suitable type; the nurse clinic behind it, because it has little capacity.
    let place = |id: &str| ids.iter().position(|i| *i == id);
    assert_eq!(place(GP_CLINIC), Some(0));
    assert!(place("2000000012") > place("2000000014"));
    assert!(ids.contains(&"2000000021") && !ids.contains(&"2000000032"));
    assert!(!services.iter().any(|s| s.catch_all));
    // Booking only, and false.
    assert!(listed(&services, "2000000021").booking_required);
    assert!(!listed(&services, "2000000012").booking_required);
}

/// Proves: CONS-DOS-03, CONS-DOS-05, CONS-DOS-06, CONS-SDS-01, CONS-BO-01, CONS-BO-02, NAT-DOS-05
/// Proves: NAT-DOS-07, C1, C2, C3, C4, C6, C7, C8, C9, C13, C16
/// What may be done with each seeded service, and where its bookings go.
#[tokio::test]
async fn what_may_be_done_with_each_service() {
    let (sandbox, discovery) = plain().await;
    let services = discovery.services(&search()).await.unwrap();
    let session = discovery.session();
    for (service, offer, reason) in [
        (GP_CLINIC, Offer::BookOrRefer, None),
        ("2000000012", Offer::BookOrRefer, None),
        ("2000000013", Offer::BookOrRefer, None),
        ("2000000021", Offer::BookThenRefer, None),
        (
            "2000000022",
            Offer::ReferOnly,
            Some(Kind::NoBookingEndpoint),
        ),
        ("2000000023", Offer::Neither, Some(Kind::BookingAddress)),
        (
            "2000000031",
            Offer::Neither,
            Some(Kind::SeveralBookingEndpoints),
        ),
    ] {
        let reachable = session.reachable(listed(&services, service)).await.unwrap();
        assert_eq!(reachable.offer, offer, "{service}: {}", reachable.sentence);
        assert_eq!(
            reachable.booking.as_ref().err().map(|o| o.kind),
            reason,
            "{service}"
        );
        if let Ok(endpoint) = &reachable.booking {
            let provider = &sandbox.addresses().provider;
            let ods = endpoint.ods.clone().unwrap();
            assert_eq!(endpoint.booking_root, format!("{provider}/STU3/1/{ods}"));
            assert_eq!(endpoint.slots_root, endpoint.booking_root);
            let target = Target::from(endpoint);
            assert_eq!(target.service.as_str(), service);
            assert_eq!(target.name, Some(listed(&services, service).name.clone()));
        }
    }
    let gone = discovery.service(&id("2000009999")).await.unwrap_err();
    assert_eq!(gone.kind, Kind::ServiceUnknown);
    assert_eq!(gone.noted("dos_code"), Some("103"));
    assert_eq!(gone.noted("service"), Some("2000009999"));
    assert_eq!(gone.row().step, Step::ChooseAnother);
}

/// Proves: NAT-DOS-02
/// Clinicians and health advisers search with accounts of their own, and find different services.
#[tokio::test]
async fn each_role_has_its_account() {
    let (_sandbox, discovery) = plain().await;
    let mut child = search();
    child.age = consumer::discover::Age::Years(7);
    let adviser = discovery.services(&child).await.unwrap();
    let clinician = discovery
        .for_role(Role::Clinician)
        .services(&child)
        .await
        .unwrap();
    let finds =
        |list: &[consumer::discover::Service]| list.iter().any(|s| s.id.as_str() == "2000000032");
    assert!(!finds(&adviser) && finds(&clinician));
}

/// Proves: NAT-DOS-04, NAT-DOS-10
/// Nothing that suits brings the emergency departments; a postcode unknown, a place out of the area
/// and a detail that is refused have words of their own; a locked account is for the helpdesk.
#[tokio::test]
async fn searches_that_find_nothing_or_are_refused() {
    let (sandbox, discovery) = plain().await;
    let mut dental = search();
    (
        dental.disposition,
        dental.symptom_group,
        dental.discriminators,
    ) = (1018, 1016, vec![4028]);
    dental.postcode = "LS98 1AA".into();
    let found = discovery.services(&dental).await.unwrap();
    assert!(!found.is_empty() && found.iter().all(|s| s.catch_all));

    for (postcode, kind) in [
        ("LS97 1AA", Kind::NoServices),
        ("LS90 1AA", Kind::PostcodeUnknown),
        ("nowhere at all", Kind::PostcodeUnknown),
    ] {
        let mut lost = search();
        lost.postcode = postcode.into();
        let obstacle = discovery.services(&lost).await.unwrap_err();
        assert_eq!(obstacle.kind, kind);
        assert_lacks(obstacle.fields(), &[postcode]);
    }
    let mut strange = search();
    strange.symptom_group = 9_999;
    let obstacle = discovery.services(&strange).await.unwrap_err();
    assert_eq!(
        (obstacle.kind, obstacle.noted("dos_code")),
        (Kind::SearchDetails, Some("120"))
    );
    let mut past = search();
    past.at = Some("2020-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(
        discovery.services(&past).await.unwrap_err().kind,
        Kind::SearchDetails
    );

    let mut config = ConsumerConfig::demo(&addresses(&sandbox)).unwrap();
    for (name, password) in [
        ("fernhill-locked", "sandbox-locked"),
        ("fernhill-reports", "sandbox-reports"),
        ("fernhill-adviser", "wrong"),
    ] {
        config.dos.adviser = Some(consumer::config::Account {
            username: name.into(),
            password: consumer::config::Secret::new(password),
        });
        let refused = Discovery::new(&config)
            .unwrap()
            .services(&search())
            .await
            .unwrap_err();
        assert_eq!(refused.kind, Kind::DosAccess, "{name}");
        assert!(!refused.fields().contains(password) && !format!("{config:?}").contains(password));
    }
}

/// Proves: CONS-ERR-01, CONS-ERR-02, CONS-DOS-05, CONS-DOS-06, NAT-DOS-10
/// The faults that a DoS can have.
#[tokio::test]
async fn faults_of_the_dos() {
    let (sandbox, discovery) = plain().await;
    let rule = |fault| Rule::new(Point::Dos, fault).times(1);
    for (fault, kind) in [
        (Fault::Offline, Kind::DosUnreachable),
        (Fault::Malformed, Kind::DosUnreadable),
        (Fault::Status { status: 503 }, Kind::DosFailed),
        (Fault::Status { status: 403 }, Kind::DosAccess),
        (
            Fault::SoapFault {
                code: 100,
                text: None,
            },
            Kind::DosFailed,
        ),
        (
            Fault::SoapFault {
                code: 300,
                text: None,
            },
            Kind::DosAccess,
        ),
        (
            Fault::SoapFault {
                code: 107,
                text: None,
            },
            Kind::DosRequest,
        ),
    ] {
        // A connection that is cut under an idle client is tried once more on a new one.
        let rule = match fault {
            Fault::Offline => Rule::new(Point::Dos, fault.clone()),
            _ => rule(fault.clone()),
        };
        sandbox.faults().add(rule).unwrap();
        let obstacle = discovery.service(&id(GP_CLINIC)).await.unwrap_err();
        assert_eq!(obstacle.kind, kind, "{fault:?}: {obstacle:?}");
        sandbox.faults().clear();
    }
    let session = discovery.session();
    for (fault, kind) in [
        (Fault::NoEndpoint, Kind::NoBookingEndpoint),
        (Fault::TwoEndpoints, Kind::SeveralBookingEndpoints),
    ] {
        sandbox
            .faults()
            .add(rule(fault).service(GP_CLINIC))
            .unwrap();
        let details = discovery.service(&id(GP_CLINIC)).await.unwrap();
        let reach = session.reach(details).await;
        assert_eq!(reach.offer, Offer::ReferOnly);
        assert_eq!(reach.booking.unwrap_err().kind, kind);
    }
    // A DoS that fails between list and details costs nothing that the list had.
    let services = discovery.services(&search()).await.unwrap();
    let broken = rule(Fault::Status { status: 500 }).interaction("ServiceDetailsById");
    sandbox.faults().add(broken).unwrap();
    let reach = session
        .reachable(listed(&services, GP_CLINIC))
        .await
        .unwrap();
    assert_eq!(reach.offer, Offer::BookOrRefer);
}

/// Proves: CONS-SDS-02, D-32, C10, C12, C14
/// What is wrong in SDS ends booking, says so, and leaves the referral.
#[tokio::test]
async fn faults_of_sds() {
    let (sandbox, discovery) = plain().await;
    let details = discovery.service(&id(GP_CLINIC)).await.unwrap();
    for (fault, kind) in [
        (Fault::Unreachable, Kind::SdsUnreachable),
        (Fault::NoObject, Kind::SystemUnknown),
        (Fault::TwoObjects, Kind::SystemAmbiguous),
        (Fault::GpConnectToo, Kind::InteractionsMixed),
    ] {
        let rule = Rule::new(Point::Sds, fault.clone()).asid(FERNHILL);
        sandbox.faults().add(rule).unwrap();
        let reach = discovery.session().reach(details.clone()).await;
        let obstacle = reach.booking.unwrap_err();
        assert_eq!(obstacle.kind, kind, "{fault:?}: {obstacle:?}");
        assert_eq!(obstacle.noted("service"), Some(GP_CLINIC));
        assert_eq!(obstacle.noted("own_asid"), Some("918999000099"));
        assert_eq!(obstacle.noted("address"), Some("ASID:918999000011"));
        assert_eq!(reach.offer, Offer::ReferOnly);
        assert!(
            reach.sentence.starts_with(&obstacle.plain),
            "{}",
            reach.sentence
        );
        sandbox.faults().clear();
    }
    // What failed is not remembered; the next try of the session succeeds.
    let session = discovery.session();
    let once = Rule::new(Point::Sds, Fault::Unreachable).times(1);
    sandbox.faults().add(once).unwrap();
    assert!(session.endpoint(&details).await.is_err());
    assert!(session.endpoint(&details).await.is_ok());
}

/// Proves: NAT-SDS-01, NAT-SSP-04
/// The same over TLS with the own certificate; without it SDS turns us away.
#[tokio::test]
async fn with_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = sandbox(Some(folder.path())).await;
    let files = sandbox.certificates().unwrap().clone();
    let (_, certificate, key) = files
        .consumers
        .iter()
        .find(|(name, ..)| name == "consumer.fernhill111.example")
        .unwrap()
        .clone();
    let tls = Tls {
        ca: files.ca.clone(),
        identity: Some((certificate, key)),
    };
    let mut config = ConsumerConfig::demo_with_tls(&addresses(&sandbox), &tls).unwrap();
    assert!(config.sds.starts_with("ldaps://") && config.dos.url.starts_with("https://"));
    let discovery = Discovery::new(&config).unwrap();
    let services = discovery.services(&search()).await.unwrap();
    let reach = discovery
        .session()
        .reachable(listed(&services, GP_CLINIC))
        .await
        .unwrap();
    let endpoint = reach.booking.unwrap();
    assert_eq!(endpoint.asid, asid(FERNHILL));

    config.tls = Some(Tls {
        ca: files.ca.clone(),
        identity: None,
    });
    let nameless = Discovery::new(&config).unwrap();
    let obstacle = nameless.endpoint(&reach.details).await.unwrap_err();
    assert_eq!(obstacle.kind, Kind::SdsRefused, "{obstacle:?}");

    let other = tempfile::tempdir().unwrap();
    let strangers =
        sandbox::pki::write(other.path(), "ssp.example", &["stranger.example"]).unwrap();
    config.tls = Some(Tls {
        ca: strangers.ca.clone(),
        identity: None,
    });
    let distrustful = Discovery::new(&config).unwrap();
    let obstacle = distrustful.endpoint(&reach.details).await.unwrap_err();
    assert_eq!(obstacle.kind, Kind::SdsRefused, "{obstacle:?}");
    let obstacle = distrustful.services(&search()).await.unwrap_err();
    assert_eq!(obstacle.kind, Kind::DosUnreachable);
    assert!(obstacle.plain.contains("genuine"), "{obstacle}");
    let target = Target::from(&endpoint);
    let seen_through = |tls: Tls| {
        let mut config = config.clone();
        (config.tls, config.journal) = (Some(tls), folder.path().join("journal.sqlite"));
        let target = target.clone();
        async move {
            let journey = Journey::open(&config).unwrap();
            let encounter = Encounter::now("u-1");
            let c = journey.consultation(encounter).await.unwrap();
            let obstacle = c.slots(&target, SlotSearch::soon()).await.unwrap_err();
            (obstacle.kind, obstacle.fields())
        }
    };
    // A certificate of others is refused in the handshake, none at all by a status or an alert.
    let of_strangers = (
        strangers.consumers[0].1.clone(),
        strangers.consumers[0].2.clone(),
    );
    for identity in [None, Some(of_strangers)] {
        let tls = Tls {
            ca: files.ca.clone(),
            identity,
        };
        let (kind, told) = seen_through(tls).await;
        assert_eq!(kind, Kind::SspCertificate, "{told}");
    }
    let tls = Tls {
        ca: strangers.ca.clone(),
        identity: None,
    };
    let (kind, told) = seen_through(tls).await;
    assert_eq!(kind, Kind::PeerCertificate, "{told}");
}
