//! The SDS client against a directory that answers in odd, wrong and hostile forms.

use super::discover_support;
use super::discover_support::ldap::*;
use super::discover_support::*;
use consumer::discover::{BookingAddress, Discovery};
use consumer::obstacle::{Kind, Obstacle, Step};
use ldap3_proto::proto::{LdapFilter, LdapResultCode, LdapSearchScope};
use std::time::Duration;

const ROOT: &str = "https://provider.example.nhs.uk/STU3/1/careconnect/booking";
const BOTH: &[&str] = &[READ_SLOT, CREATE];

/// A directory in which everything is right, but for what the test changes.
async fn directory(
    systems: impl Fn() -> Vec<Reply> + Send + Sync + 'static,
    routes: impl Fn(&str) -> Vec<Reply> + Send + Sync + 'static,
) -> Sds {
    Sds::start(move |search| {
        let mut replies = match for_system(search) {
            true => systems(),
            false => routes(&asked(search, "nhsMhsSvcIA").unwrap()),
        };
        if !replies
            .iter()
            .any(|r| !matches!(r, Reply::Entry(..) | Reply::Reference))
        {
            replies.push(done());
        }
        replies
    })
    .await
}

fn right() -> Vec<Reply> {
    vec![system(FERNHILL, "FX101-1", BOTH)]
}

async fn found(sds: &Sds) -> Result<consumer::discover::Endpoint, Obstacle> {
    discovery(NOWHERE, &sds.address)
        .endpoint(&details(GP_CLINIC, &format!("ASID:{FERNHILL}")))
        .await
}

async fn kind(sds: &Sds) -> Kind {
    let obstacle = found(sds).await.unwrap_err();
    assert!(obstacle.noted("service") == Some(GP_CLINIC) && obstacle.noted("sds").is_some());
    assert!(obstacle.row().referral_may_follow);
    obstacle.kind
}

/// Proves: CONS-SDS-01, NAT-SDS-01, NAT-SDS-02, NAT-SDS-03, NAT-SDS-04, D-30, C9, C13, C16
/// The two queries as they go over the wire, and one address each for slots and bookings.
#[tokio::test]
async fn the_queries() {
    let sds = directory(right, |interaction| {
        vec![route(&format!(
            "{ROOT}/{}",
            interaction.rsplit(':').next().unwrap()
        ))]
    })
    .await;
    let endpoint = found(&sds).await.unwrap();
    assert_eq!(endpoint.slots_root, format!("{ROOT}/slot"));
    assert_eq!(endpoint.booking_root, format!("{ROOT}/appointment"));
    assert_eq!(endpoint.party_key, "FX101-1");
    assert_eq!(endpoint.ods, Some("FX101".into()));
    let seen = sds.seen();
    assert_eq!(seen.len(), 3);
    let equal = |n: &str, v: &str| LdapFilter::Equality(n.into(), v.into());
    for search in &seen {
        assert_eq!(search.base, "ou=services,o=nhs");
        assert_eq!(search.scope, LdapSearchScope::Subtree);
    }
    assert_eq!(
        seen[0].filter,
        LdapFilter::And(vec![
            equal("objectClass", "nhsAs"),
            equal("uniqueIdentifier", FERNHILL)
        ])
    );
    for wanted in ["nhsMHSPartyKey", "nhsAsSvcIA", "nhsIDCode"] {
        assert!(seen[0].attrs.iter().any(|a| a == wanted));
    }
    for (search, interaction) in seen[1..].iter().zip(BOTH) {
        assert_eq!(
            search.filter,
            LdapFilter::And(vec![
                equal("objectClass", "nhsMhs"),
                equal("nhsMHSPartyKey", "FX101-1"),
                equal("nhsMhsSvcIA", interaction),
            ])
        );
        assert!(search.attrs.iter().any(|a| a == "nhsMHSEndPoint"));
    }
}

/// Proves: CONS-SDS-02, D-60
/// An entry of another system, or a route of another party or interaction, is not taken for the one asked for.
#[tokio::test]
async fn answers_about_another_system() {
    let other = "918999000022";
    let of_dn = entry(
        &format!("uniqueIdentifier={other},ou=Services,o=nhs"),
        &[("nhsMHSPartyKey", &["k"]), ("nhsAsSvcIA", BOTH)],
    );
    for wrong in [system(other, "k", BOTH), of_dn] {
        let sds = directory(move || vec![wrong.clone()], |_| vec![route(ROOT)]).await;
        assert_eq!(kind(&sds).await, Kind::SystemOther);
    }
    for attribute in [
        ("nhsMHSPartyKey", "FX202-9"),
        (
            "nhsMhsSvcIA",
            "urn:nhs:names:services:careconnect:fhir:rest:read:metadata",
        ),
    ] {
        let sds = directory(right, move |_| {
            vec![entry(
                "uniqueIdentifier=S1,ou=Services,o=nhs",
                &[("nhsMHSEndPoint", &[ROOT]), (attribute.0, &[attribute.1])],
            )]
        })
        .await;
        assert_eq!(kind(&sds).await, Kind::SystemOther);
    }
}

/// Proves: CONS-SDS-02, C10, C11, C12
/// What may be wrong with the nhsAs entry.
#[tokio::test]
async fn the_system_is_not_as_it_should_be() {
    const GP: &str = "urn:nhs:names:services:gpconnect:fhir:rest:search:slot";
    let entries: Vec<(Vec<Reply>, Kind)> = vec![
        (vec![], Kind::SystemUnknown),
        (
            vec![Reply::Done(LdapResultCode::NoSuchObject)],
            Kind::SystemUnknown,
        ),
        ([right(), right()].concat(), Kind::SystemAmbiguous),
        (
            vec![
                right().remove(0),
                Reply::Done(LdapResultCode::SizeLimitExceeded),
            ],
            Kind::SystemAmbiguous,
        ),
        (vec![system(FERNHILL, "k", &[])], Kind::InteractionsMissing),
        (
            vec![system(FERNHILL, "k", &[READ_SLOT])],
            Kind::InteractionsMissing,
        ),
        (
            vec![system(FERNHILL, "k", &[CREATE])],
            Kind::InteractionsMissing,
        ),
        (
            vec![system(FERNHILL, "k", &[GP])],
            Kind::InteractionsMissing,
        ),
        (
            vec![system(FERNHILL, "k", &[READ_SLOT, CREATE, GP])],
            Kind::InteractionsMixed,
        ),
        (
            vec![system(FERNHILL, "k", &[READ_SLOT, GP])],
            Kind::InteractionsMixed,
        ),
        (
            vec![entry("cn=x", &[("nhsAsSvcIA", BOTH)])],
            Kind::AddressUnknown,
        ),
        (
            vec![entry(
                "cn=x",
                &[("nhsAsSvcIA", BOTH), ("nhsMHSPartyKey", &["a", "b"])],
            )],
            Kind::AddressAmbiguous,
        ),
    ];
    for (replies, expected) in entries {
        let sds = directory(move || replies.clone(), |_| vec![route(ROOT)]).await;
        assert_eq!(kind(&sds).await, expected);
    }
}

/// Proves: CONS-SDS-02, NAT-SSP-02, C14, C17
/// What may be wrong with the nhsMhs entry, for slots or for booking.
#[tokio::test]
async fn the_route_is_not_as_it_should_be() {
    let cases: Vec<(Vec<Reply>, Kind)> = vec![
        (vec![], Kind::AddressUnknown),
        (vec![route(ROOT), route(ROOT)], Kind::AddressAmbiguous),
        (vec![entry("cn=x", &[])], Kind::AddressMissing),
        (vec![route("  ")], Kind::AddressMissing),
        (
            vec![entry(
                "cn=x",
                &[(
                    "nhsMHSEndPoint",
                    &["https://a.example", "https://b.example"],
                )],
            )],
            Kind::AddressAmbiguous,
        ),
        (
            vec![route("http://provider.example.nhs.uk/r")],
            Kind::AddressInvalid,
        ),
        (vec![route("provider.example.nhs.uk")], Kind::AddressInvalid),
        (vec![route("https://")], Kind::AddressInvalid),
    ];
    for (wrong, expected) in cases {
        for place in BOTH {
            let wrong = wrong.clone();
            let sds = directory(right, move |interaction| match interaction == *place {
                true => wrong.clone(),
                // Not even the other interaction of slots helps.
                false if *place == READ_SLOT && interaction == SEARCH_SLOT => wrong.clone(),
                false => vec![route(ROOT)],
            })
            .await;
            assert_eq!(kind(&sds).await, expected, "{place}");
        }
    }
    // On a test network http is taken where the settings say so.
    let sds = directory(right, |_| vec![route("http://provider.example.nhs.uk/r")]).await;
    let mut config = config(NOWHERE, &sds.address);
    config.allow_plain = true;
    let taken = Discovery::new(&config).unwrap();
    let taken = taken
        .endpoint(&details(GP_CLINIC, "ASID:918999000011"))
        .await
        .unwrap();
    assert_eq!(taken.booking_root, "http://provider.example.nhs.uk/r");
}

/// Proves: NAT-SDS-06, NAT-SSP-02, D-30, C21
/// Names in any case and with options, values repeated, references beside entries, `search:slot` in
/// place of `read:slot`, characters that are not safe in an address.
#[tokio::test]
async fn odd_but_legal_answers() {
    let odd = "https://provider.example.nhs.uk/a b/{c}|d";
    let sds = directory(
        || {
            let interactions: Vec<String> = [SEARCH_SLOT, CREATE]
                .iter()
                .map(|i| i.to_uppercase())
                .collect();
            let interactions: Vec<&str> = interactions.iter().map(String::as_str).collect();
            vec![
                Reply::Reference,
                entry(
                    "uniqueIdentifier=918999000011,ou=Services,o=nhs",
                    &[
                        ("NHSASSVCIA;lang-en", &interactions),
                        ("nhsmhspartykey", &[" FX101-1 ", "FX101-1"]),
                        ("someOther", &["\u{1F600}"]),
                    ],
                ),
            ]
        },
        move |interaction| match interaction {
            READ_SLOT => vec![],
            _ => vec![entry(
                "cn=x",
                &[("NHSMHSENDPOINT", &[odd]), ("nhsMhsFQDN", &["x"])],
            )],
        },
    )
    .await;
    let endpoint = found(&sds).await.unwrap();
    assert_eq!((endpoint.slots_root.as_str(), endpoint.ods), (odd, None));
    let sent = consumer::plan::join(
        Some("https://ssp.example"),
        &endpoint.slots_root,
        "Slot?a=b",
    );
    assert_eq!(
        sent,
        "https://ssp.example/https://provider.example.nhs.uk/a%20b/%7Bc%7D%7Cd/Slot?a=b"
    );
    let interactions: Vec<_> = sds
        .seen()
        .iter()
        .filter_map(|s| asked(s, "nhsMhsSvcIA"))
        .collect();
    assert_eq!(interactions, [READ_SLOT, SEARCH_SLOT, CREATE]);
}

/// Proves: NAT-SDS-05, NAT-SDS-06
/// An `ODS:` address is looked up by organisation and interaction; the value cannot change the
/// filter.
#[tokio::test]
async fn an_address_by_organisation() {
    let sds = directory(right, |_| vec![route(ROOT)]).await;
    let discovery = discovery(NOWHERE, &sds.address);
    let service = details(GP_CLINIC, "ODS:FX101");
    assert!(matches!(
        service.booking_address().unwrap(),
        BookingAddress::Ods(_)
    ));
    let endpoint = discovery.endpoint(&service).await.unwrap();
    assert_eq!(endpoint.asid, asid(FERNHILL));
    let first = &sds.seen()[0];
    assert_eq!(asked(first, "nhsIDCode").as_deref(), Some("FX101"));
    assert_eq!(asked(first, "nhsAsSvcIA").as_deref(), Some(CREATE));

    let two = directory(
        || {
            vec![
                system(FERNHILL, "a", BOTH),
                system("918999000022", "b", BOTH),
            ]
        },
        |_| vec![route(ROOT)],
    )
    .await;
    let obstacle = discover_support::discovery(NOWHERE, &two.address)
        .endpoint(&service)
        .await;
    assert_eq!(obstacle.unwrap_err().kind, Kind::SystemAmbiguous);

    // A party key with the signs of a filter in it stays a value.
    let hostile = "FX101)(objectClass=*";
    let sds = directory(move || vec![system(FERNHILL, hostile, BOTH)], |_| vec![]).await;
    assert_eq!(kind(&sds).await, Kind::AddressUnknown);
    assert_eq!(
        asked(&sds.seen()[1], "nhsMHSPartyKey").as_deref(),
        Some(hostile)
    );
}

/// Proves: NAT-SDS-07
/// Within a session the same system is asked for once, also by look-ups side by side; a new session
/// asks again.
#[tokio::test]
async fn remembered_within_a_session_only() {
    let sds = directory(right, |_| vec![route(ROOT)]).await;
    let discovery = discovery(NOWHERE, &sds.address);
    let session = discovery.session();
    let address = format!("ASID:{FERNHILL}");
    let (first, second) = (
        details("2000000011", &address),
        details("2000000012", &address),
    );
    let (a, b) = tokio::join!(session.endpoint(&first), session.endpoint(&second));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!(a.booking_root, b.booking_root);
    assert_eq!(
        (a.service.as_str(), b.service.as_str()),
        ("2000000011", "2000000012")
    );
    session.clone().endpoint(&first).await.unwrap();
    assert_eq!(sds.seen().len(), 3);
    discovery.session().endpoint(&first).await.unwrap();
    assert_eq!(sds.seen().len(), 6);
}

/// Proves: CONS-SDS-02, CONS-ERR-01, CONS-ERR-02
/// SDS is away, busy, silent, hangs up, says goodbye, turns us away.
#[tokio::test]
async fn a_directory_that_does_not_serve() {
    let gone = discovery(NOWHERE, NOWHERE)
        .endpoint(&details(GP_CLINIC, "ASID:918999000011"))
        .await;
    let gone = gone.unwrap_err();
    assert_eq!(
        (gone.kind, gone.row().step),
        (Kind::SdsUnreachable, Step::TryAgain)
    );
    assert!(gone.retry_safe);
    for (replies, expected) in [
        (vec![Reply::Cut], Kind::SdsUnreachable),
        (vec![Reply::Goodbye], Kind::SdsUnreachable),
        (
            vec![Reply::Done(LdapResultCode::Busy)],
            Kind::SdsUnreachable,
        ),
        (
            vec![Reply::Done(LdapResultCode::TimeLimitExceeded)],
            Kind::SdsUnreachable,
        ),
        (
            vec![Reply::Done(LdapResultCode::InsufficentAccessRights)],
            Kind::SdsRefused,
        ),
        (vec![Reply::Foreign], Kind::SdsUnreadable),
    ] {
        let sds = directory(move || replies.clone(), |_| vec![route(ROOT)]).await;
        assert_eq!(kind(&sds).await, expected);
    }
    let sds = Sds::binding(
        LdapResultCode::InappropriateAuthentication,
        |_| vec![done()],
    )
    .await;
    assert_eq!(kind(&sds).await, Kind::SdsRefused);

    let slow = directory(|| vec![Reply::Silence(LONG)], |_| vec![]).await;
    let mut config = config(NOWHERE, &slow.address);
    config.timeouts.sds = Duration::from_millis(300);
    let late = Discovery::new(&config).unwrap();
    let late = late
        .endpoint(&details(GP_CLINIC, "ASID:918999000011"))
        .await
        .unwrap_err();
    assert_eq!(late.kind, Kind::SdsUnreachable);
}

/// Proves: CONS-SDS-02
/// Answers that are no LDAP, or are meant to do harm, end as an answer that cannot be read.
#[tokio::test]
async fn hostile_answers() {
    let message = |inner: &[u8]| {
        let mut bytes = vec![0x30, 0x83];
        bytes.extend(&u32::try_from(inner.len()).unwrap().to_be_bytes()[1..]);
        bytes.extend(inner);
        bytes
    };
    // Sequences in each other, far deeper than an entry.
    let mut deep = Vec::new();
    for _ in 0..5_000 {
        deep = message(&deep);
    }
    let length = u32::try_from(deep.len()).unwrap().to_be_bytes();
    deep.splice(0..0, [2, 1, 2, 0x64, 0x83, length[1], length[2], length[3]]);
    let long = system(FERNHILL, &"x".repeat(300 << 10), BOTH);
    let endless: Vec<Reply> = (0..200).map(|_| Reply::Reference).collect();
    for replies in [
        vec![Reply::Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())],
        vec![Reply::Raw(vec![0x30, 0x84, 0x7f, 0xff, 0xff, 0xff])],
        vec![Reply::Raw(vec![0x30, 0x80, 0, 0])],
        vec![Reply::Raw(vec![0x30, 0x05, 2, 1, 2, 0x7f, 0])],
        vec![Reply::Raw(vec![0x30, 0x03, 2, 1, 2])],
        vec![Reply::Raw(vec![0x30, 0x05, 2, 1, 2, 0x64, 0])],
        vec![Reply::Raw(vec![0x30, 0x07, 2, 1, 2, 0x64, 2, 4, 9])],
        vec![Reply::Raw(message(&deep))],
        vec![long],
        endless,
    ] {
        let shown = format!(
            "{:.80}",
            replies
                .iter()
                .map(|r| match r {
                    Reply::Raw(bytes) => format!("{bytes:02x?}"),
                    _ => "messages".to_owned(),
                })
                .collect::<String>()
        );
        let sds = directory(
            move || [replies.clone(), vec![Reply::Silence(LONG)]].concat(),
            |_| vec![],
        )
        .await;
        assert_eq!(kind(&sds).await, Kind::SdsUnreadable, "{shown}");
    }
    // Entries without end are several.
    let many: Vec<Reply> = (0..40).flat_map(|_| right()).collect();
    let sds = directory(move || many.clone(), |_| vec![]).await;
    assert_eq!(kind(&sds).await, Kind::SystemAmbiguous);
}
