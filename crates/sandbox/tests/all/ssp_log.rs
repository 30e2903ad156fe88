//! What the SSP's log says, and what it does not.

use super::spine::upstream::*;
use super::spine::*;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sandbox::ssp::Settings;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use testkit::{assert_contains, assert_lacks};
use tracing_subscriber::fmt::MakeWriter;

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Log;
    fn make_writer(&self) -> Log {
        self.clone()
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// Proves: NAT-SSP-05, AUD-05
#[tokio::test]
async fn the_trace_log_names_systems_and_hides_people() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    // Of this thread only, on which all tasks of the test run.
    let _subscribed = tracing::subscriber::set_default(subscriber);
    let upstream = Upstream::start(None).await;
    let ssp = start_ssp(directory(&upstream.root()), Settings::default()).await;
    let url = format!(
        "{}/{}/Appointment?patient.identifier=9990123454",
        ssp.http(),
        upstream.root()
    );
    let claims = r#"{"sub":"user-secret-17","requesting_device":{"identifier":[{"value":"device-secret"}]},
        "requesting_organization":{"identifier":[{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"FX900"}]},
        "requesting_practitioner":{"name":[{"family":"Surnamesecret"}]}}"#;
    let token = format!("Bearer e30.{}.", URL_SAFE_NO_PAD.encode(claims));
    let asked = |query: &str| {
        let mut asked = request(
            "POST",
            &format!("{url}{query}"),
            "create:appointment",
            full("Patientsecret"),
        );
        asked
            .headers_mut()
            .insert("authorization", token.parse().unwrap());
        asked
    };
    assert_eq!(caller(None).request(asked("")).await.unwrap().status(), 200);
    // The answer may be here before its line.
    let line = testkit::found_async("the relayed request is logged", || {
        let text = log.text();
        text.lines()
            .find(|l| l.contains("relayed"))
            .map(str::to_owned)
    })
    .await;
    let text = log.text();
    assert_contains(
        &line,
        &[
            "trace=\"09a01679-2564-0fb4-5129-aecc81ea2706\"",
            "from=\"918999000099\"",
            "to=\"918999000011\"",
            "rest:create:appointment",
            "status=200",
            "micros=",
            "organisation=\"FX900\"",
        ],
    );
    assert_contains(&line, &["user=\""]);
    assert_lacks(&line, &["user=\"-\""]);
    for hidden in [
        "user-secret",
        "device-secret",
        "Surnamesecret",
        "9990123454",
        "Patientsecret",
        "e30.",
    ] {
        let ours: Vec<_> = text
            .lines()
            .filter(|l| l.contains("sandbox") && l.contains(hidden))
            .collect();
        assert!(ours.is_empty(), "{hidden}: {ours:?}");
    }
    // The client goes away before the answer.
    let left = tokio::time::timeout(
        Duration::from_millis(100),
        caller(None).request(asked("&wait")),
    )
    .await;
    assert!(left.is_err());
    testkit::until_async("the lost client is in the log", || {
        log.text().contains("status=499")
    })
    .await;
}
