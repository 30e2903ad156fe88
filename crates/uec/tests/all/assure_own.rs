//! The provider suite against our own Provider. The evidence of the runs is kept as build output.

use super::assured;
use super::support::operations::declare;
use super::support::server::ROOT;
use super::support::{CONSUMER_ASID, Server};
use testkit::Ended;

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

/// Proves: ASR-06, ASR-10, D-73, PROV-GEN-02
#[test]
fn our_own_provider_passes() {
    let server = Server::start("assured", true);
    let before = busy(&server);
    let out = assured::kept("own-provider");
    let root = format!("http://{}{ROOT}", server.address);
    Ended::run(&mut assured::assure(&root, assured::DEMO, &out, &[])).with(0);
    let record = assurance::evidence::read(&out).expect("evidence");
    assured::is_clean(&record.runs[0], &["EveryAnswer_StrictTransportSecurity"]);
    assert_eq!(busy(&server), before, "busy slots after the run");
    // Every interaction was used, in every order.
    server.uec("provider audit verify").with(0);
    println!("evidence: {}", out.join("report.html").display());
}

/// A set-up that is wrong is one sentence, and nothing is written.
///
/// Proves: P8, P10
#[test]
fn a_wrong_set_up_of_our_own_provider_is_one_sentence() {
    let server = Server::start("assured-setup", true);
    let right = format!("http://{}{ROOT}", server.address);
    let nowhere = right.replace("FX101", "FX999");
    let [full, empty, bare] = assured::DEMO;
    let own = assured::TO;
    #[rustfmt::skip] // a set-up a line
    let cases = [
        ("root", own, &nowhere, assured::DEMO, 2, "--endpoint"),
        ("service", own, &right, ["2000000099", empty, bare], 2, "--service "),
        ("slots", own, &right, [empty, empty, bare], 1, "no free slot"),
        ("full", own, &right, [full, full, bare], 2, "--service-empty"),
        ("asid", "918999000077", &right, assured::DEMO, 2, "--to-asid"),
    ];
    for (name, to, root, services, code, word) in cases {
        let out = assured::kept(&format!("own-setup-{name}"));
        let _ = std::fs::remove_dir_all(&out);
        let ended = Ended::run(&mut assured::assure_to(to, root, services, &out, &[]));
        assured::is_one_sentence(&ended.with(code), &[word]);
        assert!(!out.join("result.json").exists(), "{name}");
    }
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
    Ended::run(&mut assured::assure(&root, assured::DEMO, &out, &tls)).with(0);
    let record = assurance::evidence::read(&out).expect("evidence");
    assured::is_clean(&record.runs[0], &[]);
    println!("evidence: {}", out.join("report.html").display());
}

/// Proves: NFR-09, VER-01, VER-02, VER-03, VER-04, VER-05, VER-06, VER-07, VER-08
#[test]
fn our_own_provider_passes_for_a_consumer_of_the_superseded_version() {
    let server = Server::start("assured-superseded", true);
    let root = format!("http://{}{ROOT}", server.address);
    let run = |name: &str, more: &[&str]| {
        let out = assured::kept(name);
        let flags = [&["--standard", "2.0.1-beta"], more].concat();
        let output = Ended::run(&mut assured::assure(&root, assured::DEMO, &out, &flags));
        (output, out)
    };
    // A Provider that does not know the consumer as one of that version is told what it refuses.
    let (output, out) = run("own-provider-undeclared", &["--suite", "V"]);
    assert_eq!(output.code, 1, "{output}");
    let record = assurance::evidence::read(&out).expect("evidence");
    let found = |id: &str| {
        let findings = record.runs[0].outcomes.iter().flat_map(|o| &o.findings);
        findings.flat_map(|f| &f.requirement).any(|r| r == id)
    };
    for id in ["VER-02", "VER-03", "VER-04", "VER-05", "VER-06"] {
        assert!(found(id), "{id}: {}", output.said());
    }
    for id in ["VER-07", "VER-08"] {
        assert!(!found(id), "{id}: {}", output.said());
    }
    declare(&server, "FX101", |text| {
        let line = format!("asid = \"{CONSUMER_ASID}\"\n");
        let declared = text.replace(&line, &format!("{line}standard = \"2.0.1-beta\"\n"));
        assert_ne!(declared, text, "the consumer is declared");
        declared
    });
    let (output, out) = run("own-provider-superseded", &[]);
    assert_eq!(output.code, 0, "{output}");
    let record = assurance::evidence::read(&out).expect("evidence");
    assured::is_clean(
        &record.runs[0],
        &[
            "BookRefused_Contained",
            "Contact_NoRank",
            "EveryAnswer_StrictTransportSecurity",
            "Header_X-Request-ID",
            "Order_OfAHead",
            "Token_ScopeOfEachInteraction",
        ],
    );
}
