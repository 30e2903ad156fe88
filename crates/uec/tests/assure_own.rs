//! The provider suite against our own Provider. The evidence of the runs is kept as build output.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "each test program uses a part of it")]
mod assured;
#[allow(
    dead_code,
    unused_imports,
    reason = "each test program uses a part of it"
)]
mod support;

use support::Server;
use support::server::ROOT;

/// Busy slots of the whole diary.
fn busy(server: &Server) -> u64 {
    let query = format!(
        "{}&status=busy",
        Server::window_query(assured::DEMO[0], 0, 15)
    );
    let query = query.replace("&status=free", "");
    let bundle = server.search(&query).expect(200).json();
    bundle["total"].as_u64().expect("total")
}

/// Proves: ASR-06, ASR-10
#[test]
fn our_own_provider_passes() {
    let server = Server::start("assured", true);
    let before = busy(&server);
    let out = assured::kept("own-provider");
    let root = format!("http://{}{ROOT}", server.address);
    let output = assured::assure(&root, assured::DEMO, &out, &[])
        .output()
        .expect("the suite runs");
    assert!(output.status.success(), "{}", assured::said(&output));
    let record = assurance::evidence::read(&out).expect("evidence");
    assured::is_clean(&record.runs[0], &["EveryAnswer_StrictTransportSecurity"]);
    assert_eq!(busy(&server), before, "busy slots after the run");
    println!("evidence: {}", out.join("report.html").display());
}

/// Proves: ASR-10, PROV-GEN-04, PROV-HDR-17
#[test]
fn our_own_provider_passes_over_tls() {
    let certificates = assured::kept("certificates");
    assured::certificates(&certificates);
    let file = |name: &str| certificates.join(name).display().to_string();
    let server = Server::spawn("assured-tls", true, |_| {
        let pairs = [
            ("--tls-certificate", "server.pem"),
            ("--tls-key", "server.key"),
            ("--tls-client-ca", "ca.pem"),
        ];
        pairs
            .iter()
            .flat_map(|(flag, name)| [(*flag).to_owned(), file(name)])
            .collect()
    });
    server.wait_until(|s| std::net::TcpStream::connect(s.address).is_ok());
    let out = assured::kept("own-provider-tls");
    let root = format!("https://{}{ROOT}", server.address);
    let (ca, cert, key) = (file("ca.pem"), file("client.pem"), file("client.key"));
    let tls = ["--tls-ca", &ca, "--tls-cert", &cert, "--tls-key", &key];
    let output = assured::assure(&root, assured::DEMO, &out, &tls)
        .output()
        .expect("the suite runs");
    assert!(output.status.success(), "{}", assured::said(&output));
    let record = assurance::evidence::read(&out).expect("evidence");
    assured::is_clean(&record.runs[0], &[]);
    println!("evidence: {}", out.join("report.html").display());
}
