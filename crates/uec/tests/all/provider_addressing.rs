//! How a Provider is addressed: the URL that it is known by, and the systems that consumers name in `Ssp-To`.

use super::support::operations::{declare, uec, until};
use super::support::{GP_CLINIC, Server};
use testkit::assert_contains;

/// Proves: PROV-HDR-08, PROV-GEN-05
#[test]
fn a_provider_may_declare_further_systems_of_its_own() {
    let server = Server::start("further", true);
    let query = Server::window_query(GP_CLINIC, 1, 2);
    let call = server.search(&query).with("Ssp-To", "918999000012");
    call.expect(400);
    declare(&server, "FX101", |text| {
        text.replacen(
            "asid = \"918999000011\"",
            "asid = \"918999000011\"\nfurther_asids = [\"918999000012\"]",
            1,
        )
    });
    until("the declaration is known", || call.send().status == 200);
    server.search(&query).expect(200);
    server
        .search(&query)
        .with("Ssp-To", "918999000013")
        .expect(400);
    // What is exported says so, and applying it changes nothing.
    declare(&server, "FX101", |text| {
        assert_contains(&text, &["further_asids = [\"918999000012\"]"]);
        text
    });
    call.expect(200);
}

/// Proves: PROV-GEN-01, D-20
#[test]
fn a_base_url_without_https_stops_the_start() {
    for (given, words) in [
        ("http://booking.example", "must begin with https://"),
        ("https://booking.example/", "without path"),
        ("https://booking.example:99999", "https://HOST:PORT"),
    ] {
        let output = uec(format!(
            "provider serve --database sqlite::memory: --listen 127.0.0.1:0 \
             --base-url '{given}'"
        ));
        let said = &output.stderr;
        assert_eq!(output.code, 2, "{given}: {said}");
        assert!(said.contains(given) && said.contains(words), "{said}");
    }
}
