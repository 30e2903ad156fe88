//! The switch of controlled faults, in code and over HTTP on the SSP's port.

use super::spine::upstream::*;
use super::spine::*;
use bytes::Bytes;
use http::Request;
use sandbox::faults::{
    CONTROL_PATH, Fault, Faults, Key, MAX_CONTROL_BYTES, MAX_RULES, Point, Rule,
};
use sandbox::ssp::Settings;
use serde_json::{Value, json};

async fn ask(ssp: &Running, method: &str, path: &str, body: &str) -> (u16, Value) {
    let url = format!("{}{CONTROL_PATH}{path}", ssp.http());
    let asked = Request::builder()
        .method(method)
        .uri(url)
        .body(full(body.to_owned()))
        .unwrap();
    let (status, headers, body) = taken(caller(None).request(asked).await.unwrap()).await;
    assert_eq!(headers["content-type"], "application/json");
    (status, serde_json::from_slice(&body).unwrap())
}

const NOT_OF_SDS: &str = r#"{"at":"sds","kind":"lost-answer"}"#;
const SECOND_NOT_OF_DOS: &str =
    r#"{"faults":[{"at":"sds","kind":"no-object"},{"at":"dos","kind":"no-object"}]}"#;

/// The request is refused with this status and a word that says why.
async fn refused(ssp: &Running, request: (&str, &str, &str), status: u16, why: &str) {
    let (method, path, body) = request;
    let (found, said) = ask(ssp, method, path, body).await;
    assert_eq!(found, status, "{body:.80}: {said}");
    let told = said["error"].as_str().unwrap();
    assert!(told.contains(why), "{body:.80}: {said}");
}

async fn ssp() -> Running {
    start_ssp(
        directory("http://127.0.0.1:9/STU3/1/FX101"),
        Settings::default(),
    )
    .await
}

#[tokio::test]
async fn faults_are_switched_over_http() {
    let ssp = ssp().await;
    assert_eq!(ask(&ssp, "GET", "", "").await, (200, json!({"faults": []})));
    let one = json!({"at": "ssp", "kind": "slow", "milliseconds": 800, "asid": PROVIDER, "interaction": "read:slot", "count": 2});
    let (status, list) = ask(&ssp, "POST", "", &one.to_string()).await;
    assert_eq!(status, 201);
    let mut shown = one.clone();
    shown["id"] = json!(1);
    shown["taken"] = json!(0);
    assert_eq!(list, json!({"faults": [shown]}));

    let key = Key {
        asid: Some(PROVIDER),
        interaction: Some(&urn("search:slot")),
        ..Key::default()
    };
    assert_eq!(
        ssp.faults.take(Point::Ssp, &key),
        Some(Fault::Slow { milliseconds: 800 })
    );
    let (_, list) = ask(&ssp, "GET", "", "").await;
    assert_eq!(
        (&list["faults"][0]["count"], &list["faults"][0]["taken"]),
        (&json!(1), &json!(1))
    );

    let two = json!({"faults": [{"at": "sds", "kind": "two-objects"}, {"at": "dos", "kind": "soap-fault", "code": 103}, {"at": "ssp", "kind": "lost-answer", "cut": true}]});
    let (status, list) = ask(&ssp, "PUT", "", &two.to_string()).await;
    assert_eq!((status, list["faults"].as_array().unwrap().len()), (200, 3));
    assert_eq!(list["faults"][1]["code"], 103);
    let id = list["faults"][1]["id"].to_string();
    assert_eq!(
        ask(&ssp, "DELETE", &format!("/{id}"), "").await.1["faults"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(ask(&ssp, "DELETE", &format!("/{id}"), "").await.0, 404);
    assert_eq!(
        ask(&ssp, "DELETE", "", "").await,
        (200, json!({"faults": []}))
    );
}

#[tokio::test]
async fn what_is_wrong_is_said_and_changes_nothing() {
    let ssp = ssp().await;
    ssp.faults
        .add(Rule::new(Point::Ssp, Fault::Offline))
        .unwrap();
    let large = " ".repeat(MAX_CONTROL_BYTES + 1);
    let many =
        json!({"faults": vec![json!({"at": "ssp", "kind": "offline"}); MAX_RULES + 1]}).to_string();
    let of_ssp = [
        (r#""kind":"gone""#, "gone"),
        (r#""kind":"slow""#, "milliseconds"),
        (r#""kind":"slow","milliseconds":999999999"#, "at most"),
        (r#""kind":"offline","milliseconds":1"#, "milliseconds"),
        (r#""kind":"offline","asids":"1""#, "asids"),
        (r#""kind":"offline","count":0"#, "count"),
        (r#""kind":"status","status":200"#, "status"),
    ];
    for (rest, why) in of_ssp {
        let body = format!(r#"{{"at":"ssp",{rest}}}"#);
        refused(&ssp, ("POST", "", &body), 400, why).await;
    }
    for (method, path, body, status, why) in [
        ("POST", "", "{", 400, "EOF"),
        ("POST", "", "[]", 400, "object"),
        ("POST", "", r#"{"at":"pds","kind":"offline"}"#, 400, "pds"),
        ("POST", "", r#"{"kind":"offline"}"#, 400, "at"),
        ("POST", "", NOT_OF_SDS, 400, "point"),
        ("PUT", "", SECOND_NOT_OF_DOS, 400, "faults[1]"),
        ("PUT", "", r#"{"fault":[]}"#, 400, "fault"),
        ("PUT", "", &many, 400, "at most"),
        ("PUT", "", &large, 413, "bytes"),
        ("PATCH", "", "", 405, "GET"),
        ("GET", "/1", "", 405, "deleted"),
        ("DELETE", "/x", "", 404, "number"),
    ] {
        refused(&ssp, (method, path, body), status, why).await;
    }
    assert_eq!(ssp.faults.active().len(), 1);
}

#[tokio::test]
async fn the_control_resource_can_be_left_out() {
    let settings = Settings {
        control: false,
        ..Settings::default()
    };
    let ssp = start_ssp(directory("http://127.0.0.1:9/x"), settings).await;
    let url = format!("{}{CONTROL_PATH}", ssp.http());
    let asked = Request::builder()
        .uri(url)
        .body(full(Bytes::new()))
        .unwrap();
    assert_eq!(caller(None).request(asked).await.unwrap().status(), 400);
}

#[test]
fn selectors_and_counts() {
    let faults = Faults::default();
    let key = |service, asid, interaction| Key {
        service,
        asid,
        other_asid: Some(CONSUMER),
        interaction,
    };
    assert_eq!(faults.take(Point::Dos, &Key::default()), None);
    faults
        .add(
            Rule::new(Point::Dos, Fault::NoEndpoint)
                .service("2000000011")
                .interaction("ServiceDetailsById")
                .times(2),
        )
        .unwrap();
    for (service, operation, hit) in [
        (Some("2000000012"), Some("ServiceDetailsById"), false),
        (Some("2000000011"), Some("CheckCapacitySummary"), false),
        (Some("2000000011"), None, false),
        (None, Some("ServiceDetailsById"), false),
        (Some("2000000011"), Some("servicedetailsbyid"), true),
        (Some("2000000011"), Some("ServiceDetailsById"), true),
        (Some("2000000011"), Some("ServiceDetailsById"), false),
    ] {
        assert_eq!(
            faults
                .take(Point::Dos, &key(service, None, operation))
                .is_some(),
            hit,
            "{service:?} {operation:?}"
        );
    }
    // The sender's ASID selects too; the other point is not touched.
    faults
        .add(Rule::new(Point::Ssp, Fault::Offline).asid(CONSUMER))
        .unwrap();
    assert_eq!(
        faults.take(Point::Sds, &key(None, Some(PROVIDER), None)),
        None
    );
    assert_eq!(
        faults.take(Point::Ssp, &key(None, Some(PROVIDER), None)),
        Some(Fault::Offline)
    );
    // The first that is wanted, in the order they were switched on.
    faults.add(Rule::new(Point::Ssp, Fault::Malformed)).unwrap();
    let wanted = |f: &Fault| *f == Fault::Malformed;
    assert_eq!(
        faults.take_if(Point::Ssp, &key(None, Some(PROVIDER), None), wanted),
        Some(Fault::Malformed)
    );
    for _ in faults.active().len()..MAX_RULES {
        faults.add(Rule::new(Point::Ssp, Fault::Offline)).unwrap();
    }
    assert!(faults.add(Rule::new(Point::Ssp, Fault::Offline)).is_err());
}

#[test]
fn a_counted_fault_is_shown_exactly_so_often_under_a_race() {
    let faults = Faults::default();
    faults
        .add(Rule::new(Point::Ssp, Fault::Offline).times(50))
        .unwrap();
    let taken: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    (0..100)
                        .filter(|_| faults.take(Point::Ssp, &Key::default()).is_some())
                        .count()
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert_eq!(taken, 50);
}
