//! The DoS over HTTP: description, help, bounds, TLS, and faults on purpose.

use super::dos_support::{Answer, Dos, Need, details};
use sandbox::dos::{MAX_BODY, NAMESPACE, PATH};
use sandbox::faults::{Fault, Point, Rule};
use std::time::{Duration, Instant};
use testkit::assert_contains;

#[tokio::test]
async fn description_and_help() {
    let dos = Dos::demo().await;
    for query in ["?wsdl", "?WSDL"] {
        let answer = dos.request("GET", &format!("{PATH}{query}"), "", "").await;
        assert_eq!(answer.status, 200);
        let document = answer.document();
        let wsdl = "http://schemas.xmlsoap.org/wsdl/";
        let operations = document
            .descendants()
            .filter(|n| {
                n.has_tag_name((wsdl, "operation"))
                    && n.parent().unwrap().has_tag_name((wsdl, "portType"))
            })
            .map(|n| n.attribute("name").unwrap())
            .collect::<Vec<_>>();
        assert_eq!(operations, ["CheckCapacitySummary", "ServiceDetailsById"]);
        let location = format!("http://{}{PATH}", dos.address);
        assert!(answer.body.contains(&location));
    }
    let page = dos.request("GET", "/", "", "").await;
    assert_eq!(page.status, 200);
    assert_contains(
        page.body.to_lowercase(),
        &[
            "?wsdl",
            "curl",
            "fernhill-adviser",
            "never",
            "/sandbox/faults",
        ],
    );
    assert!(!page.body.contains("sandbox-adviser"), "no passwords");
    let got = dos.request("GET", PATH, "", "").await;
    assert_eq!(got.status, 405);
    assert!(got.head.contains("allow: post"));
    assert_eq!(dos.request("GET", "/elsewhere", "", "").await.status, 404);
    assert_eq!(dos.request("DELETE", "/", "", "").await.status, 405);
}

/// Proves: ERR-04
#[tokio::test]
async fn a_request_names_one_host() {
    let dos = Dos::demo().await;
    for host in ["", "Host: \r\n", "Host: a b\r\n", "Host: a\r\nHost: b\r\n"] {
        let head = format!("GET / HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
        let said = Answer::read(&dos.raw(head.as_bytes()).await);
        assert_eq!(said.status, 400, "{host}: {}", said.body);
        assert!(said.body.contains("The header Host"), "{}", said.body);
    }
}

/// Proves: NAT-DOS-01
#[tokio::test]
async fn media_types_and_actions() {
    let dos = Dos::demo().await;
    let good = details("2000000011");
    let action = format!("{NAMESPACE}/ServiceDetailsById");
    let send = async |headers: String| dos.request("POST", PATH, &headers, &good).await;
    for accepted in [
        "Content-Type: application/soap+xml\r\n".to_owned(),
        "Content-Type: text/xml;charset=UTF-8\r\nSOAPAction: \"\"\r\n".to_owned(),
        format!("Content-Type: application/soap+xml;charset=utf-8;action=\"{action}\"\r\n"),
        format!("Content-Type: text/xml\r\nSOAPAction: \"{action}\"\r\n"),
    ] {
        assert_eq!(send(accepted.clone()).await.status, 200, "{accepted}");
    }
    let other = format!(
        "Content-Type: application/soap+xml\r\nSOAPAction: \"{NAMESPACE}/CheckCapacitySummary\"\r\n"
    );
    assert_eq!(send(other).await.fault().0, 108);
    for refused in [
        String::new(),
        "Content-Type: application/json\r\n".to_owned(),
        "Content-Type: text/xml; charset=utf-16\r\n".to_owned(),
        "Content-Type: text/xml\r\nContent-Encoding: gzip\r\n".to_owned(),
    ] {
        assert_eq!(send(refused.clone()).await.status, 415, "{refused}");
    }
}

#[tokio::test]
async fn bodies_are_bounded() {
    let dos = Dos::demo().await;
    let large = " ".repeat(MAX_BODY + 1);
    assert_eq!(dos.post(&large).await.status, 413);
    for levels in [3_900, 20_000] {
        let deep = format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels));
        assert_eq!(dos.post(&deep).await.fault().0, 108, "{levels}");
    }
    let many: Vec<u32> = vec![4052; 200];
    let need = Need::usual().discriminators(&many);
    assert_eq!(dos.fault(&need).await, 104);
    let text = format!(
        "POST {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: text/xml\r\nContent-Length: 3\r\n\r\n\u{1}\u{0}a"
    );
    assert_eq!(Answer::read(&dos.raw(text.as_bytes()).await).fault().0, 108);
}

#[tokio::test]
async fn faults_on_purpose_in_the_program() {
    let dos = Dos::demo().await;
    let add = |rule: Rule| dos.faults.add(rule).unwrap();
    let rule = |fault: Fault| Rule::new(Point::Dos, fault).times(1);
    add(rule(Fault::Slow { milliseconds: 300 }));
    let began = Instant::now();
    assert_eq!(dos.details("2000000011").await.status, 200);
    assert!(began.elapsed() >= Duration::from_millis(300));
    add(rule(Fault::Status { status: 503 }));
    assert_eq!(dos.details("2000000011").await.status, 503);
    add(rule(Fault::SoapFault {
        code: 300,
        text: None,
    }));
    let answer = dos.details("2000000011").await;
    assert_eq!((answer.status, answer.fault().0), (500, 300));
    add(rule(Fault::Malformed));
    let answer = dos.details("2000000011").await;
    assert_eq!(answer.status, 200);
    assert!(
        booking::bounded_xml::parse(&answer.body, booking::bounded_xml::Bounds::nodes(100_000))
            .is_err()
    );
    add(rule(Fault::Offline));
    assert_eq!(
        dos.details("2000000011").await.status,
        0,
        "the connection is cut"
    );
    assert_eq!(dos.details("2000000011").await.status, 200, "all used up");
}

/// Proves: NAT-DOS-06
#[tokio::test]
async fn endpoints_can_be_taken_away_or_doubled_per_service() {
    let dos = Dos::demo().await;
    let rule = |fault: Fault, id: &str| Rule::new(Point::Dos, fault).service(id);
    dos.faults
        .add(rule(Fault::NoEndpoint, "2000000011"))
        .unwrap();
    dos.faults
        .add(rule(Fault::TwoEndpoints, "2000000012"))
        .unwrap();
    dos.faults
        .add(rule(Fault::TwoEndpoints, "2000000022"))
        .unwrap();
    let bookings = async |id: &str| {
        let found = dos.details(id).await.texts("interaction");
        found
            .iter()
            .filter(|i| i.eq_ignore_ascii_case("scheduling"))
            .count()
    };
    assert_eq!(bookings("2000000011").await, 0);
    assert_eq!(bookings("2000000012").await, 2);
    assert_eq!(bookings("2000000022").await, 2);
    assert_eq!(bookings("2000000014").await, 1);
    // The search shows the same.
    let summary = dos.post(&Need::usual().envelope()).await;
    let document = summary.document();
    let first = document
        .descendants()
        .find(|n| n.tag_name().name() == "serviceCareSummaryDestination")
        .unwrap();
    let formats = first
        .descendants()
        .filter(|n| n.tag_name().name() == "format")
        .count();
    assert_eq!(formats, 1);
}

#[tokio::test]
async fn faults_on_purpose_over_http() {
    let dos = Dos::demo().await;
    let json = "Content-Type: application/json\r\n";
    let fault =
        r#"{"at":"dos","kind":"soap-fault","code":504,"interaction":"CheckCapacitySummary"}"#;
    let added = dos.request("POST", "/sandbox/faults", json, fault).await;
    assert_eq!(added.status, 201, "{}", added.body);
    assert_eq!(
        dos.details("2000000011").await.status,
        200,
        "another operation"
    );
    let answer = dos.post(&Need::usual().envelope()).await;
    assert_eq!((answer.status, answer.fault().0), (504, 504));
    assert_eq!(
        dos.request("DELETE", "/sandbox/faults", "", "")
            .await
            .status,
        200
    );
    assert_eq!(dos.post(&Need::usual().envelope()).await.status, 200);
}
