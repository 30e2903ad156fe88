//! An observer is told what each part sees.

use sandbox::watch::{Observation, Observer};
use sandbox::{Listeners, Ports, Sandbox, Setup};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

/// Sends bytes to an address such as `http://127.0.0.1:8002`, and gives what comes back.
fn send(address: &str, bytes: &str) -> String {
    let host = address.split_once("://").unwrap().1;
    let mut stream = TcpStream::connect(host).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn details(id: &str) -> String {
    format!(
        "<soap:Envelope xmlns:soap=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:w=\"https://nww.pathwaysdos.nhs.uk/app/api/webservices\"><soap:Header><w:serviceVersion>1.5</w:serviceVersion>\
         </soap:Header><soap:Body><w:ServiceDetailsById><w:userInfo><w:username>fernhill-adviser</w:username>\
         <w:password>sandbox-adviser</w:password></w:userInfo><w:serviceId>{id}</w:serviceId></w:ServiceDetailsById>\
         </soap:Body></soap:Envelope>"
    )
}

/// Proves: NAT-DOS-05, NAT-SDS-02, NAT-SSP-03
#[test]
fn every_part_tells() {
    let seen: Arc<Mutex<Vec<Observation>>> = Arc::default();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let told = seen.clone();
    let sandbox = runtime.block_on(async {
        let listeners = Listeners::bind("127.0.0.1", &Ports::FREE).await.unwrap();
        let setup = Setup {
            // Nobody listens there: what is passed on meets a refused connection.
            provider: Some("http://127.0.0.1:1".to_owned()),
            observer: Observer::new(move |s| told.lock().unwrap().push(s)),
            ..Setup::default()
        };
        Sandbox::start(listeners, setup).await.unwrap()
    });
    let at = sandbox.addresses().clone();
    for id in ["2000000011", "1"] {
        let body = details(id);
        let head = format!(
            "POST /app/api/webservices HTTP/1.1\r\nHost: dos\r\nConnection: close\r\n\
             Content-Type: application/soap+xml\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        send(&at.dos, &(head + &body));
    }
    let ask = |to: &str| {
        format!(
            "GET /http://127.0.0.1:1/STU3/1/FX101/Slot?a=b HTTP/1.1\r\nHost: ssp\r\nConnection: close\r\n\
             Ssp-TraceID: 09a01679-2564-4fb4-9129-aecc81ea2706\r\nSsp-From: 918999000099\r\nSsp-To: {to}\r\n\
             Ssp-InteractionID: urn:nhs:names:services:careconnect:fhir:rest:search:slot\r\n\r\n"
        )
    };
    assert!(send(&at.ssp, &ask("918999000011")).starts_with("HTTP/1.1 502"));
    assert!(send(&at.ssp, &ask("918999000404")).starts_with("HTTP/1.1 403"));
    runtime.block_on(async {
        let (connection, mut ldap) = ldap3::LdapConnAsync::new(&at.sds).await.unwrap();
        ldap3::drive!(connection);
        let filter = "(&(objectClass=nhsAs)(uniqueIdentifier=918999000011))";
        let scope = ldap3::Scope::Subtree;
        let found = ldap
            .search("ou=services,o=nhs", scope, filter, vec!["nhsMHSPartyKey"])
            .await;
        assert_eq!(found.unwrap().success().unwrap().0.len(), 1);
        ldap.unbind().await.unwrap();
        sandbox.stop().await;
    });
    let seen = seen.lock().unwrap();
    // A request that the directory answers with a fault tells nothing.
    let [dos, passed, refused, sds] = seen.as_slice() else {
        panic!("{seen:?}");
    };
    let operation = "ServiceDetailsById";
    let services = vec![2_000_000_011];
    assert_eq!(
        *dos,
        Observation::Dos {
            operation,
            services
        }
    );
    assert!(
        matches!(passed, Observation::SspPassed(h) if h.target == "/http://127.0.0.1:1/STU3/1/FX101/Slot?a=b")
    );
    assert!(
        matches!(refused, Observation::SspRefused(h, 403) if h.headers.iter().any(|(n, v)| n == "ssp-to" && v == "918999000404"))
    );
    let asid = Some("918999000011".to_owned());
    let (party_key, interaction) = (None, None);
    assert_eq!(
        *sds,
        Observation::Sds {
            asid,
            party_key,
            interaction
        }
    );
}
