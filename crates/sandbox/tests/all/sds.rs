//! SDS over real sockets, with the ldap3 client and, where it is installed, Debian's ldapsearch.

use super::spine::*;
use ldap3::controls::{Control, PagedResults, RawControl};
use ldap3::exop::WhoAmI;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, Mod, Scope, SearchEntry, SearchOptions};
use sandbox::faults::{Fault, Point, Rule};
use sandbox::pki::Protocol;
use sandbox::sds::{SERVICES, Settings};
use std::collections::HashSet;

const ROOT: &str = "https://provider.example.nhs.uk/STU3/1/FX101";
const AS: [&str; 3] = ["nhsMHSPartyKey", "nhsAsSvcIA", "nhsIDCode"];

async fn sds() -> Running {
    start_sds(directory(ROOT), Settings::default()).await
}

async fn connect(running: &Running) -> Ldap {
    let (connection, ldap) = LdapConnAsync::new(&running.ldap()).await.unwrap();
    ldap3::drive!(connection);
    ldap
}

/// Result code and entries of a search.
async fn search(
    ldap: &mut Ldap,
    base: &str,
    scope: Scope,
    filter: &str,
    attributes: &[&str],
) -> (u32, Vec<SearchEntry>) {
    let ldap3::SearchResult(entries, result) = ldap
        .search(base, scope, filter, attributes.to_vec())
        .await
        .unwrap();
    let entries = entries.into_iter().map(SearchEntry::construct).collect();
    (result.rc, entries)
}

/// The same below the services.
async fn services(ldap: &mut Ldap, filter: &str, asked: &[&str]) -> (u32, Vec<SearchEntry>) {
    search(ldap, SERVICES, Scope::Subtree, filter, asked).await
}

/// Result code of a search below the services, and how many it finds.
async fn count(ldap: &mut Ldap, filter: &str) -> (u32, usize) {
    let (code, found) = services(ldap, filter, &["1.1"]).await;
    (code, found.len())
}

async fn names(ldap: &mut Ldap, base: &str, scope: Scope, filter: &str) -> (u32, Vec<String>) {
    let (code, entries) = search(ldap, base, scope, filter, &["1.1"]).await;
    (code, entries.into_iter().map(|e| e.dn).collect())
}

fn system(asid: &str) -> String {
    format!("(&(objectClass=nhsAs)(uniqueIdentifier={asid}))")
}

fn endpoint(key: &str, interaction: &str) -> String {
    format!(
        "(&(objectClass=nhsMhs)(nhsMHSPartyKey={key})(nhsMhsSvcIA={}))",
        urn(interaction)
    )
}

/// Proves: NAT-SDS-01, NAT-SDS-02, NAT-SDS-03, NAT-SDS-04, NAT-SDS-06
#[tokio::test]
async fn the_two_queries_lead_to_the_endpoint() {
    let running = sds().await;
    let mut ldap = connect(&running).await;
    ldap.simple_bind("", "").await.unwrap().success().unwrap();
    for (base, filter) in [
        ("ou=services,o=nhs", system(PROVIDER)),
        (
            "OU=Services, O=NHS",
            system(PROVIDER).replace("objectClass=nhsAs", "OBJECTCLASS=NHSAS"),
        ),
        (
            &*format!("uniqueIdentifier={PROVIDER},ou=Services,o=nhs"),
            "(objectClass=nhsAs)".to_owned(),
        ),
    ] {
        let (code, found) = search(&mut ldap, base, Scope::Subtree, &filter, &AS).await;
        assert_eq!((code, found.len()), (0, 1), "{base}");
        assert_eq!(
            found[0].dn,
            format!("uniqueIdentifier={PROVIDER},{SERVICES}")
        );
        assert_eq!(found[0].attrs["nhsMHSPartyKey"], ["FX101-9000011"]);
        assert_eq!(found[0].attrs["nhsIDCode"], ["FX101"]);
        assert!(found[0].attrs["nhsAsSvcIA"].contains(&urn("read:slot")));
        assert_eq!(found[0].attrs.len(), 3);
    }
    for interaction in ["read:slot", "create:appointment"] {
        let filter = endpoint("fx101-9000011", interaction);
        let asked = ["NHSMHSENDPOINT", "nhsMhsFQDN"];
        let (code, found) = search(
            &mut ldap,
            "ou=services,o=nhs",
            Scope::Subtree,
            &filter,
            &asked,
        )
        .await;
        assert_eq!((code, found.len()), (0, 1));
        assert_eq!(found[0].attrs["nhsMHSEndPoint"], [ROOT]);
        assert_eq!(found[0].attrs["nhsMhsFQDN"], ["provider.example.nhs.uk"]);
    }
}

/// Proves: NAT-SDS-05
#[tokio::test]
async fn an_organisation_leads_to_its_asid() {
    let running = sds().await;
    let mut ldap = connect(&running).await;
    let filter = format!(
        "(&(objectClass=nhsAs)(nhsIDCode=FX101)(nhsAsSvcIA={}))",
        urn("read:slot")
    );
    let (code, found) = services(&mut ldap, &filter, &["uniqueIdentifier", "nhsMHSPartyKey"]).await;
    assert_eq!((code, found.len()), (0, 1));
    assert_eq!(found[0].attrs["uniqueIdentifier"], [PROVIDER]);
}

/// Proves: NAT-SDS-02, NAT-SDS-03
#[tokio::test]
async fn entries_have_all_attributes_of_the_directory() {
    let running = sds().await;
    let mut ldap = connect(&running).await;
    let (_, found) = services(&mut ldap, &system(PROVIDER), &["*"]).await;
    let held: HashSet<&str> = found[0].attrs.keys().map(String::as_str).collect();
    let wanted = [
        "objectClass",
        "uniqueIdentifier",
        "nhsMHSPartyKey",
        "nhsIDCode",
        "nhsAsClient",
        "nhsProductKey",
        "nhsAsSvcIA",
    ];
    assert_eq!(held, wanted.into_iter().collect());
    let (_, found) = services(&mut ldap, &endpoint("FX101-9000011", "read:slot"), &[]).await;
    let attrs = &found[0].attrs;
    assert_eq!(attrs["nhsMHsSN"], ["urn:nhs:names:services:careconnect"]);
    assert_eq!(attrs["nhsMhsIN"], ["fhir:rest:read:slot"]);
    assert_eq!(attrs["nhsEPInteractionType"], ["FHIR"]);
    assert_eq!(attrs["nhsMHSIsAuthenticated"], ["none"]);
    assert_eq!(attrs["nhsMHSSyncReplyMode"], ["None"]);
    assert_eq!(attrs["uniqueIdentifier"], ["S91899900001101"]);
    assert_eq!(attrs.len(), 12);
}

/// Proves: NAT-SDS-01
#[tokio::test]
async fn only_the_anonymous_bind_is_taken() {
    let running = sds().await;
    for (name, password, code) in [
        ("", "", 0),
        ("cn=x,o=nhs", "", 53),
        ("cn=x,o=nhs", "secret", 49),
        ("", "secret", 49),
    ] {
        let mut ldap = connect(&running).await;
        assert_eq!(
            ldap.simple_bind(name, password).await.unwrap().rc,
            code,
            "{name} {password}"
        );
    }
    let mut ldap = connect(&running).await;
    assert_eq!(ldap.sasl_external_bind().await.unwrap().rc, 7);
    // Without any bind a client is anonymous too; and after a refused one.
    assert_eq!(
        names(&mut ldap, SERVICES, Scope::Base, "(ou=*)").await.1,
        [SERVICES]
    );
    let whoami = ldap.extended(WhoAmI).await.unwrap().success().unwrap().0;
    assert!(whoami.val.unwrap_or_default().is_empty());
    ldap.unbind().await.unwrap();
}

/// Proves: NAT-SDS-01
#[tokio::test]
async fn start_tls_is_refused() {
    let running = sds().await;
    let settings = LdapConnSettings::new()
        .set_starttls(true)
        .set_no_tls_verify(true);
    let error = LdapConnAsync::with_settings(settings, &running.ldap())
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("rc=2"), "{error}");
}

#[tokio::test]
async fn scopes() {
    let running = sds().await;
    let mut ldap = connect(&running).await;
    let all = "(objectClass=*)";
    for (base, scope, count) in [
        ("o=nhs", Scope::Base, 1),
        ("o=nhs", Scope::OneLevel, 4),
        ("o=nhs", Scope::Subtree, 1 + 4 + 4 + 6),
        (SERVICES, Scope::Base, 1),
        (SERVICES, Scope::OneLevel, 10),
        (SERVICES, Scope::Subtree, 11),
        ("ou=People,o=nhs", Scope::OneLevel, 0),
        ("", Scope::Base, 1),
        ("", Scope::OneLevel, 1),
        ("", Scope::Subtree, 15),
        ("cn=Subschema", Scope::Base, 1),
    ] {
        let (code, found) = names(&mut ldap, base, scope, all).await;
        assert_eq!((code, found.len()), (0, count), "{base} {scope:?}");
    }
}

#[tokio::test]
async fn every_kind_of_filter() {
    let running = sds().await;
    let mut ldap = connect(&running).await;
    for (filter, wanted) in [
        ("(objectClass=nhsAs)", 4),
        ("(objectclass=NHSAS)", 4),
        ("(objectClass=top)", 11),
        ("(|(objectClass=nhsAs)(objectClass=nhsMhs))", 10),
        ("(&(objectClass=nhsAs)(!(nhsIDCode=FX101)))", 3),
        ("(nhsProductKey=*)", 1),
        ("(&(objectClass=nhsAs)(!(nhsProductKey=*)))", 3),
        ("(uniqueIdentifier=9189990000*)", 4),
        ("(uniqueIdentifier=*22)", 1),
        ("(nhsMhsSvcIA=urn:*:CareConnect:*:create:*)", 2),
        ("(nhsMhsSvcIA=*appointment*slot*)", 0),
        ("(nhsIDCode=fx1*1)", 5),
        ("(nhsIDCode=fx101*1)", 0),
        ("(&(objectClass=nhsAs)(uniqueIdentifier>=918999000098))", 2),
        ("(&(objectClass=nhsAs)(uniqueIdentifier<=918999000022))", 2),
        ("(nhsIDCode~=fx900)", 1),
        ("(nhsIDCode:caseIgnoreMatch:=fx900)", 1),
        ("(nhsIDCode:caseExactMatch:=fx900)", 0),
        ("(nhsIDCode:2.5.13.5:=FX900)", 1),
        ("(:caseExactMatch:=FX900)", 1),
        ("(ou:dn:=services)", 11),
        ("(nhsIDCode:noSuchRule:=FX900)", 0),
        ("(!(nhsIDCode:noSuchRule:=FX900))", 0),
        // An attribute that nobody knows is neither true nor false (RFC 4511).
        ("(noSuchAttribute=1)", 0),
        ("(!(noSuchAttribute=1))", 0),
        ("(|(noSuchAttribute=1)(nhsIDCode=FX900))", 1),
        // Known, but absent.
        ("(&(objectClass=nhsAs)(!(nhsMHSEndPoint=x)))", 4),
        (r"(nhsIDCode=\46X900)", 1),
        (r"(nhsMHSEndPoint=*a \28b\29)", 2),
        (
            "(entryDN=UNIQUEIDENTIFIER=918999000011, OU=Services, O=NHS)",
            1,
        ),
        ("(nhsMHSPartyKey;binary=FX900-9000099)", 0),
        ("(&)", 11),
        ("(|)", 0),
    ] {
        let found = count(&mut ldap, filter).await;
        assert_eq!(found, (0, wanted), "{filter}");
    }
}

#[tokio::test]
async fn selection_of_attributes() {
    let running = sds().await;
    let mut ldap = connect(&running).await;
    for (asked, count, some) in [
        (&["1.1"][..], 0, ""),
        (&["+"], 4, "entryDN"),
        (&["*", "+"], 11, "nhsIDCode"),
        (&["nhsidcode", "nosuch"], 1, "nhsIDCode"),
        (
            &["nhsIDCode", "structuralObjectClass"],
            2,
            "structuralObjectClass",
        ),
        (&[], 7, "nhsIDCode"),
    ] {
        let (_, found) = services(&mut ldap, &system(PROVIDER), asked).await;
        assert_eq!(
            found[0].attrs.len(),
            count,
            "{asked:?}: {:?}",
            found[0].attrs
        );
        assert!(some.is_empty() || found[0].attrs.contains_key(some));
    }
    ldap.with_search_options(SearchOptions::new().typesonly(true));
    let (_, found) = services(&mut ldap, &system(PROVIDER), &["nhsIDCode"]).await;
    assert!(found[0].attrs["nhsIDCode"].is_empty());
}

#[tokio::test]
async fn root_and_schema_describe_the_server() {
    let running = sds().await;
    let mut ldap = connect(&running).await;
    let (_, root) = search(&mut ldap, "", Scope::Base, "(objectClass=*)", &["+"]).await;
    assert_eq!(root[0].attrs["namingContexts"], ["o=nhs"]);
    assert_eq!(root[0].attrs["supportedLDAPVersion"], ["3"]);
    assert!(root[0].attrs["supportedControl"].contains(&"1.2.840.113556.1.4.319".to_owned()));
    assert_eq!(root[0].attrs["subschemaSubentry"], ["cn=Subschema"]);
    let (_, schema) = search(
        &mut ldap,
        "cn=Subschema",
        Scope::Base,
        "(objectClass=subschema)",
        &["attributeTypes", "objectClasses"],
    )
    .await;
    assert!(
        schema[0].attrs["attributeTypes"]
            .iter()
            .any(|a| a.contains("'nhsMHSEndPoint'"))
    );
    assert!(
        schema[0].attrs["objectClasses"]
            .iter()
            .any(|c| c.contains("'nhsMhs'"))
    );
}

/// Proves: NAT-SDS-08
#[tokio::test]
async fn what_is_not_there() {
    let running = sds().await;
    let mut ldap = connect(&running).await;
    assert_eq!(count(&mut ldap, &system("918999009999")).await, (0, 0));
    for (base, code, matched) in [
        (
            "uniqueIdentifier=918999009999,ou=Services,o=nhs",
            32,
            SERVICES,
        ),
        ("ou=Nowhere,o=nhs", 32, "o=nhs"),
        ("dc=example,dc=com", 32, ""),
        ("this is no name", 34, ""),
    ] {
        let ldap3::SearchResult(_, result) = ldap
            .search(base, Scope::Subtree, "(objectClass=*)", ["*"])
            .await
            .unwrap();
        assert_eq!(
            (result.rc, result.matched.as_str()),
            (code, matched),
            "{base}"
        );
    }
}

#[tokio::test]
async fn limits_of_client_and_server() {
    let settings = Settings {
        size_limit: 8,
        ..Settings::default()
    };
    let running = start_sds(directory(ROOT), settings).await;
    let mut ldap = connect(&running).await;
    for (filter, client, code, wanted) in [
        ("(objectClass=nhsAs)", 3, 4, 3),
        ("(objectClass=nhsAs)", 4, 0, 4),
        ("(objectClass=*)", 0, 4, 8),
        ("(objectClass=*)", 100, 4, 8),
    ] {
        ldap.with_search_options(SearchOptions::new().sizelimit(client));
        let found = count(&mut ldap, filter).await;
        assert_eq!(found, (code, wanted), "{filter} {client}");
    }
    let slow = Fault::Slow {
        milliseconds: 60_000,
    };
    running.faults.add(Rule::new(Point::Sds, slow)).unwrap();
    ldap.with_search_options(SearchOptions::new().timelimit(1));
    assert_eq!(count(&mut ldap, "(objectClass=*)").await.0, 3);
    running.faults.clear();
    let long = format!(
        "(|{})",
        "(nhsIDCode=FX900)".repeat(sandbox::sds::MAX_TERMS + 1)
    );
    assert_eq!(count(&mut ldap, &long).await.0, 11);
}

#[tokio::test]
async fn pages() {
    let settings = Settings {
        size_limit: 4,
        ..Settings::default()
    };
    let running = start_sds(directory(ROOT), settings).await;
    let mut ldap = connect(&running).await;
    let (mut seen, mut cookie, mut pages) = (HashSet::new(), Vec::new(), 0);
    loop {
        let page = PagedResults {
            size: 3,
            cookie: cookie.clone(),
        };
        ldap.with_controls(vec![RawControl::from(page)]);
        let ldap3::SearchResult(entries, result) = ldap
            .search(SERVICES, Scope::Subtree, "(objectClass=*)", ["1.1"])
            .await
            .unwrap();
        assert_eq!(result.rc, 0);
        assert!(entries.len() <= 3);
        seen.extend(entries.into_iter().map(|e| SearchEntry::construct(e).dn));
        pages += 1;
        let answer: Option<PagedResults> = result.ctrls.iter().find_map(|c| match c {
            Control(Some(_), raw) => Some(raw.parse()),
            _ => None,
        });
        cookie = answer.unwrap().cookie;
        if cookie.is_empty() {
            break;
        }
    }
    assert_eq!((seen.len(), pages), (11, 4));
}

#[tokio::test]
async fn nothing_can_be_written() {
    let running = sds().await;
    let mut ldap = connect(&running).await;
    let dn = format!("uniqueIdentifier={PROVIDER},{SERVICES}");
    let set = |value| HashSet::from([value]);
    let new = vec![("ou", set("x"))];
    let replace = vec![Mod::Replace("nhsIDCode", set("FX9"))];
    for refused in [
        ldap.add("uniqueIdentifier=1,o=nhs", new).await,
        ldap.delete(&dn).await,
        ldap.modify(&dn, replace).await,
        ldap.modifydn(&dn, "uniqueIdentifier=2", true, None).await,
    ] {
        assert_eq!(refused.unwrap().rc, 53);
    }
    for (attribute, value, code) in [
        ("nhsIDCode", "fx101", 6),
        ("nhsIDCode", "fx102", 5),
        ("nhsMHSEndPoint", "x", 16),
    ] {
        assert_eq!(
            ldap.compare(&dn, attribute, value).await.unwrap().0.rc,
            code
        );
    }
    assert_eq!(
        ldap.compare("ou=x,o=nhs", "ou", "x").await.unwrap().0.rc,
        32
    );
    let critical = |ctype: &str| {
        let (ctype, crit, val) = (ctype.to_owned(), true, None);
        vec![RawControl { ctype, crit, val }]
    };
    ldap.with_controls(critical("1.2.3.4"));
    assert_eq!(
        names(&mut ldap, SERVICES, Scope::Base, "(ou=*)").await.0,
        12
    );
    // Manage DSA IT is known.
    ldap.with_controls(critical("2.16.840.1.113730.3.4.2"));
    assert_eq!(names(&mut ldap, SERVICES, Scope::Base, "(ou=*)").await.0, 0);
}

/// Proves: NAT-SDS-08
#[tokio::test]
async fn faults_meet_the_asid_and_the_query_they_are_for() {
    let running = sds().await;
    let mut ldap = connect(&running).await;
    let first = system(PROVIDER);
    let second = endpoint("FX101-9000011", "read:slot");
    let rule = |fault| Rule::new(Point::Sds, fault).asid(PROVIDER);
    let add = |rule| running.faults.add(rule).unwrap();

    add(rule(Fault::NoObject).times(1));
    assert_eq!(count(&mut ldap, &system(CONSUMER)).await, (0, 1));
    assert_eq!(count(&mut ldap, &first).await, (0, 0));
    assert_eq!(count(&mut ldap, &first).await, (0, 1));
    let base = format!("uniqueIdentifier={PROVIDER},{SERVICES}");
    add(rule(Fault::NoObject).times(1));
    assert_eq!(
        names(&mut ldap, &base, Scope::Base, "(objectClass=*)")
            .await
            .0,
        32
    );

    // Only the query for the endpoint carries the interaction.
    for fault in [Fault::NoObject, Fault::TwoObjects] {
        let wanted = if fault == Fault::NoObject { 0 } else { 2 };
        add(rule(fault).interaction("read:slot"));
        assert_eq!(count(&mut ldap, &first).await, (0, 1));
        let found = names(&mut ldap, SERVICES, Scope::Subtree, &second).await.1;
        assert_eq!(found.iter().collect::<HashSet<_>>().len(), wanted);
        running.faults.clear();
    }
    add(rule(Fault::TwoObjects).times(1));
    assert_eq!(count(&mut ldap, &first).await, (0, 2));

    add(rule(Fault::GpConnectToo));
    let (_, found) = services(&mut ldap, &first, &AS).await;
    let held = &found[0].attrs["nhsAsSvcIA"];
    assert!(held.contains(&urn("read:slot")));
    assert!(
        held.iter()
            .any(|i| i.starts_with("urn:nhs:names:services:gpconnect:fhir:"))
    );
    running.faults.clear();

    add(rule(Fault::Unreachable));
    assert!(
        ldap.search(SERVICES, Scope::Subtree, &first, AS)
            .await
            .is_err()
    );
    let mut other = connect(&running).await;
    assert_eq!(count(&mut other, &system(CONSUMER)).await.0, 0);
    running
        .faults
        .replace(vec![Rule::new(Point::Sds, Fault::Unreachable)])
        .unwrap();
    let (connection, mut cut) = LdapConnAsync::new(&running.ldap()).await.unwrap();
    ldap3::drive!(connection);
    assert!(cut.simple_bind("", "").await.is_err());
}

/// Proves: NAT-SDS-01
#[tokio::test]
async fn ldaps_with_certificates_on_both_sides() {
    let made = Certificates::new(&[CONSUMER_NAME]);
    let tls = Some(made.server(Protocol::Ldap, true));
    let running = start_sds_tls(directory(ROOT), Settings::default(), tls).await;
    let url = format!("ldaps://localhost:{}", running.address.port());
    let settings = LdapConnSettings::new().set_config(made.client(Some(CONSUMER_NAME)));
    let (connection, mut ldap) = LdapConnAsync::with_settings(settings, &url).await.unwrap();
    ldap3::drive!(connection);
    ldap.simple_bind("", "").await.unwrap().success().unwrap();
    assert_eq!(count(&mut ldap, &system(PROVIDER)).await, (0, 1));
    // No certificate: the handshake fails, at the latest with the first message.
    let settings = LdapConnSettings::new().set_config(made.client(None));
    if let Ok((connection, mut ldap)) = LdapConnAsync::with_settings(settings, &url).await {
        ldap3::drive!(connection);
        assert!(ldap.simple_bind("", "").await.is_err());
    }
    let other = Certificates::new(&[CONSUMER_NAME]);
    let settings = LdapConnSettings::new().set_config(other.client(Some(CONSUMER_NAME)));
    assert!(LdapConnAsync::with_settings(settings, &url).await.is_err());
}

#[tokio::test]
async fn many_clients_at_once() {
    let running = sds().await;
    let tasks: Vec<_> = (0..40)
        .map(|_| {
            let url = running.ldap();
            tokio::spawn(async move {
                let (connection, mut ldap) = LdapConnAsync::new(&url).await.unwrap();
                ldap3::drive!(connection);
                for _ in 0..25 {
                    assert_eq!(count(&mut ldap, &system(PROVIDER)).await, (0, 1));
                }
                ldap.unbind().await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}
