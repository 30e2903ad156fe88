//! `uec provider doctor`: what it finds, what it says to do, and that it changes nothing.

use super::support::operations::command;
use std::net::{Shutdown, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use testkit::{Arguments, Ended, assert_lacks, words};

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use serde_json::Value;

use super::support::Server;
use super::support::certificates::{Authority, Identity};
use super::support::operations::{declare, free_address, sandbox, serves, uec, written};

fn doctor(arguments: impl Arguments) -> Ended {
    uec([words("provider doctor --json"), arguments.words()].concat())
}

/// The same, on a machine that trusts this certificate.
fn doctor_trusting(certificate: &Path, arguments: impl Arguments) -> Ended {
    let arguments = [words("provider doctor --json"), arguments.words()].concat();
    Ended::run(command(arguments).env("SSL_CERT_FILE", certificate))
}

/// A server that is reached under https, as every base URL says, and its certificate.
fn secure_server(name: &str) -> (Server, PathBuf) {
    let admin = free_address();
    let server = Server::spawn(name, true, |folder| {
        let mut arguments = Identity::alone("127.0.0.1", |_| ()).served(folder);
        arguments.extend(["--admin-listen".to_owned(), admin.to_string()]);
        arguments
    });
    testkit::until("the server is ready", || serves(admin, "/health/ready"));
    let certificate = server.folder.join("server.pem");
    (server, certificate)
}

/// Findings of this severity in an area, in one text.
fn told(report: &Value, area: &str, severity: &str) -> String {
    let findings = report["findings"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or(&[]);
    findings
        .iter()
        .filter(|f| f["area"] == area && f["severity"] == severity)
        .map(|f| {
            format!(
                "{} → {}",
                f["says"].as_str().unwrap_or(""),
                f["advice"].as_str().unwrap_or("")
            )
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[track_caller]
fn assert_told(report: &Value, area: &str, severity: &str, words: &str) {
    let told = told(report, area, severity);
    assert!(
        told.contains(words),
        "{severity} of {area}: {words}\nin {report:#}"
    );
}

/// A finding of an area says that something is as it should be.
#[track_caller]
fn is_well(report: &Value, area: &str, words: &str) {
    assert_told(report, area, "ok", words);
}

/// A warning of an area has these words.
#[track_caller]
fn warns(report: &Value, area: &str, words: &str) {
    assert_told(report, area, "warning", words);
}

/// A problem of an area has these words.
#[track_caller]
fn fails(report: &Value, area: &str, words: &str) {
    assert_told(report, area, "problem", words);
}

/// Settings with which only what a test breaks is wrong.
const TRUSTED: &str = "[trust]\nssp_names = [\"ssp.example\"]\n";

fn settings(folder: &Path, more: &str) -> String {
    let file = written(folder, "doctor.toml", more);
    file.display().to_string()
}

/// A healthy set-up beside its server: no problem, exit 0, nothing changed.
#[test]
fn a_healthy_provider_has_no_problem() {
    let (server, certificate) = secure_server("doctor-healthy");
    let file = server.folder.join("provider.sqlite");
    let base = format!("https://{}", server.address);
    let config = settings(
        &server.folder,
        &format!(
            "base_url = \"{base}\"\nlisten = \"{}\"\n[trust]\nsigned_keys = \"{}\"\n",
            server.address,
            written(&server.folder, "jwks.json", "{\"keys\":[]}").display()
        ),
    );
    let rows = || count(&file, "SELECT count(*) FROM audit");
    let before = rows();
    let config = format!("--database '{}' --config '{config}'", server.database());
    let report = &doctor_trusting(&certificate, &config).with(0).json;
    assert_eq!(report["problems"], 0);
    is_well(report, "database", "The database is whole");
    is_well(report, "database", "audit trail of FX101 holds together");
    is_well(report, "database", "It can be written");
    is_well(report, "clock", "runs evenly");
    is_well(report, "rights", "Only its owner can read the database");
    is_well(report, "endpoint", "answers and is ready");
    // The demonstration has services without slots on purpose.
    warns(report, "diary", "2000000014, FX101) has no free slot");
    warns(report, "diary", "2000000022");
    assert_eq!(rows(), before, "nothing was written");
    // The same for people.
    let quick = format!("provider doctor --quick {config}");
    let told = Ended::run(command(&quick).env("SSL_CERT_FILE", &certificate));
    told.says(&["0 problems", "its pages were not looked at"]);
    server.kill();
}

/// A server that answers with a certificate that nobody here trusts is there all the same.
#[test]
fn an_untrusted_certificate_is_not_called_unreachable() {
    let (server, _) = secure_server("doctor-untrusted");
    let base = format!("https://{}", server.address);
    let config = settings(&server.folder, &format!("base_url = \"{base}\"\n{TRUSTED}"));
    let other = Identity::alone("other.example", |_| ());
    let (other, _) = other.write(&server.folder, "other");
    let report = doctor_trusting(
        &other,
        format!("--database '{}' --config '{config}'", server.database()),
    )
    .json;
    warns(
        &report,
        "endpoint",
        "a certificate that this machine does not trust: the authority that it names has not signed it",
    );
    assert_eq!(told(&report, "endpoint", "problem"), "", "{report:#}");
    server.kill();
}

/// A server that speaks this protocol alone and wants a certificate of whoever calls; its address and certificate.
fn demanding_server(protocol: &str) -> (SocketAddr, String) {
    let Identity { certificate, key } = Identity::alone("127.0.0.1", |_| ());
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).expect("a root");
    let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), crypto.clone());
    let mut config = ServerConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier.build().expect("a verifier"))
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .expect("a certificate with its key");
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut tls = ServerConnection::new(config.clone()).expect("a session");
            // Ends with the refusal, whose alert is written; the rest is read, so that nothing is reset.
            while tls.complete_io(&mut stream).is_ok_and(|(read, _)| read > 0) {}
            let _ = tls.write_tls(&mut stream);
            let _ = stream.shutdown(Shutdown::Write);
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    (address, certificate.pem())
}

/// A server that wants a client certificate is there, whichever HTTP it speaks; so is one that refuses for another reason.
#[test]
fn a_server_that_wants_a_client_certificate_answers() {
    let provider = Server::start("doctor-demands", true);
    for (protocol, asks) in [("http/1.1", true), ("h2", true), ("other/1", false)] {
        let (address, certificate) = demanding_server(protocol);
        let trusted = written(&provider.folder, "demanding.pem", &certificate);
        let base = format!("https://{address}");
        let config = settings(
            &provider.folder,
            &format!("base_url = \"{base}\"\n{TRUSTED}"),
        );
        let report = doctor_trusting(
            &trusted,
            format!("--database '{}' --config '{config}'", provider.database()),
        )
        .json;
        assert_eq!(told(&report, "endpoint", "problem"), "", "{report:#}");
        match asks {
            true => {
                let said = format!("{base} answers and asks for a client certificate.");
                is_well(&report, "endpoint", &said);
            }
            // No HTTP in common: refused for another reason.
            false => {
                let said = format!("{base} answers but refuses the TLS handshake");
                warns(&report, "endpoint", &said);
                assert!(!told(&report, "endpoint", "ok").contains("client certificate"));
            }
        }
    }
    provider.kill();
}

fn count(file: &Path, sql: &str) -> i64 {
    let connection = rusqlite::Connection::open(file).expect("opens");
    connection
        .query_row(sql, [], |r| r.get(0))
        .expect("a number")
}

/// A missing, foreign, older or held database; each is told, none is touched.
#[test]
fn a_database_that_cannot_be_used_is_told() {
    let server = Server::start("doctor-database", true);
    let folder = &server.folder;
    let missing = format!("sqlite:{}", folder.join("nothing.sqlite").display());
    let report = doctor(format!("--database '{missing}'")).with(1).json;
    fails(&report, "database", "there is no database");
    assert!(!folder.join("nothing.sqlite").exists(), "not made");

    let foreign = folder.join("foreign.sqlite");
    let other = rusqlite::Connection::open(&foreign).expect("opens");
    other.execute_batch("CREATE TABLE a (b)").expect("made");
    let report = doctor(format!("--database 'sqlite:{}'", foreign.display())).json;
    fails(&report, "database", "not a database of this program");

    let copy = folder.join("older.sqlite");
    uec(format!(
        "provider backup --database '{}' --to '{}'",
        server.database(),
        copy.display()
    ))
    .with(0);
    let older = rusqlite::Connection::open(&copy).expect("opens");
    older
        .pragma_update(None, "user_version", 1)
        .expect("marked");
    let report = doctor(format!("--database 'sqlite:{}'", copy.display())).json;
    warns(&report, "database", "The schema is 1");
    let schema = |c: &rusqlite::Connection| -> i64 {
        c.pragma_query_value(None, "user_version", |r| r.get(0))
            .expect("a number")
    };
    assert_eq!(schema(&older), 1, "not brought up to date");

    drop(older);
    let lacking = rusqlite::Connection::open(&copy).expect("opens");
    lacking
        .execute_batch("PRAGMA user_version = 4; DROP TRIGGER audit_kept")
        .expect("dropped");
    drop(lacking);
    let report = doctor(format!("--database 'sqlite:{}'", copy.display()))
        .with(1)
        .json;
    fails(&report, "database", "the trigger audit_kept is missing");

    let holder = rusqlite::Connection::open(folder.join("provider.sqlite")).expect("opens");
    holder.execute_batch("BEGIN EXCLUSIVE").expect("held");
    let report = doctor(format!("--database '{}'", server.database())).json;
    fails(&report, "database", "Nothing can be written");
    holder.execute_batch("ROLLBACK").expect("let go");
    server.kill();
}

/// Certificates: expired, soon to expire, for another name, with another's key, out of order.
#[test]
fn certificates_are_judged() {
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("doctor-certificates-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let day = Duration::from_secs(86_400);
    let authority = Authority::new("Test Authority");
    let make = |from: SystemTime, until: SystemTime| {
        let made = authority.server_with("booking.example", |params| {
            params.not_before = from.into();
            params.not_after = until.into();
        });
        (made.certificate.pem(), made.key.serialize_pem())
    };
    let now = SystemTime::now();
    let report = |name: &str, chain: &str, key: &str, host: &str| {
        let pem = written(&folder, &format!("{name}.pem"), chain);
        let key = written(&folder, &format!("{name}.key"), key);
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("rights");
        let more = format!(
            "base_url = \"https://{host}\"\n{TRUSTED}[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n",
            pem.display(),
            key.display()
        );
        let config = settings(&folder, &more);
        doctor(format!(
            "--config '{config}' --database sqlite:nowhere/at-all.sqlite"
        ))
        .json
    };
    let (good, key) = make(now - day, now + 100 * day);
    let chain = format!("{good}{}", authority.certificate.pem());
    let right = report("right", &chain, &key, "booking.example");
    is_well(
        &right,
        "certificates",
        "chain of 2 certificates holds together",
    );
    is_well(&right, "certificates", "is for booking.example");
    is_well(&right, "certificates", "go together");
    fails(&right, "certificates", "nobody could call this server");
    fails(&right, "rights", "the private key");
    let other = report("other-name", &chain, &key, "elsewhere.example");
    fails(&other, "certificates", "not for elsewhere.example");
    let (soon, soon_key) = make(now - day, now + 10 * day);
    warns(
        &report("soon", &soon, &soon_key, "booking.example"),
        "certificates",
        "expires in",
    );
    let (gone, gone_key) = make(now - 10 * day, now - day);
    fails(
        &report("gone", &gone, &gone_key, "booking.example"),
        "certificates",
        "expired on",
    );
    let mixed = report("mixed", &good, &soon_key, "booking.example");
    fails(&mixed, "certificates", "would not start");
    let stranger = Authority::new("Somebody Else").certificate.pem();
    let loose = report(
        "loose",
        &format!("{good}{stranger}"),
        &key,
        "booking.example",
    );
    fails(&loose, "certificates", "does not hold together");
    let _ = std::fs::remove_dir_all(&folder);
}

/// Rules that nobody can meet, clinics that end, files that others can read.
#[test]
fn what_cannot_be_meant_is_told() {
    let server = Server::start("doctor-diary", true);
    let ends = (jiff::Zoned::now().date() + jiff::Span::new().days(5)).to_string();
    declare(&server, "FX101", |text| {
        let text = text.replace(
            "id = \"dental-day\"\n",
            &format!("id = \"dental-day\"\nvalid_to = {ends}\nrelease = [\"gps\"]\n"),
        );
        format!(
            "{text}\n[[release]]\nid = \"gps\"\nkinds = [\"gp-practice\"]\n\n[[release]]\nid = \"unused\"\ncap = 3\n\n\
             [[service]]\nid = \"2000000016\"\nname = \"Without a diary\"\n\n\
             [[consumer]]\nods = \"FX910\"\nname = \"By code only\"\n"
        )
    });
    let database = server.folder.join("provider.sqlite");
    std::fs::set_permissions(&database, std::fs::Permissions::from_mode(0o644)).expect("rights");
    let config = settings(&server.folder, TRUSTED);
    let output = doctor(format!(
        "--database '{}' --config '{config}'",
        server.database()
    ))
    .with(1);
    output.notes(&[" found"]);
    let report = &output.json;
    fails(
        report,
        "rights",
        "Everybody on this machine can read or change the database",
    );
    warns(
        report,
        "consumers",
        "`gps`: no consumer is of the kind `gp-practice`",
    );
    let by_code = "By code only is declared by its ODS code FX910 alone at FX101";
    warns(report, "consumers", by_code);
    warns(
        report,
        "consumers",
        "`unused`: no service, template, session or slot names it",
    );
    warns(report, "diary", "The clinic `dental-day` of FX101 ends on");
    warns(
        report,
        "diary",
        "Without a diary (2000000016, FX101) has no schedule",
    );
    warns(report, "endpoint", "No base URL");

    server.kill();
}

/// A time server that is so many seconds ahead.
fn time_server(ahead: i64) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("its address");
    std::thread::spawn(move || {
        let mut message = [0_u8; 48];
        while let Ok((_, from)) = socket.recv_from(&mut message) {
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .expect("after 1970");
            let seconds = i64::try_from(now.as_secs()).expect("in range") + ahead + 2_208_988_800;
            message = [0; 48];
            message[0] = 0x24;
            message[1] = 2;
            message[40..44]
                .copy_from_slice(&u32::try_from(seconds).expect("in range").to_be_bytes());
            let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
            message[44..48]
                .copy_from_slice(&u32::try_from(fraction).expect("in range").to_be_bytes());
            let _ = socket.send_to(&message, from);
        }
    });
    address.to_string()
}

#[test]
fn the_clock_is_compared() {
    let server = Server::start("doctor-clock", true);
    let database = server.database();
    let ask = |arguments: &[&str]| {
        let mut all = vec!["--database", database.as_str(), "--quick"];
        all.extend(arguments);
        doctor(&all).json
    };
    let right = ask(&[
        "--ntp",
        &time_server(0),
        "--clock",
        &format!("http://{}/health/live", server.address),
    ]);
    assert!(
        told(&right, "clock", "ok").matches("agrees with").count() == 2,
        "{right:#}"
    );
    warns(&ask(&["--ntp", &time_server(20)]), "clock", "behind");
    fails(
        &ask(&["--ntp", &time_server(-3_600)]),
        "clock",
        "Tokens are refused beyond 60 s",
    );
    let nobody = free_address().to_string();
    warns(
        &ask(&["--clock", &format!("http://{nobody}")]),
        "clock",
        "does not tell the time",
    );
    server.kill();
}

/// SDS as it is asked by every Consumer: right, another address, not registered.
#[test]
fn the_registration_is_compared() {
    let (server, certificate) = secure_server("doctor-sds");
    let sds = sandbox(&format!("--sds 0 --provider https://{}", server.address));
    let ask = |base: &str| {
        let config = settings(&server.folder, &format!("base_url = \"{base}\"\n{TRUSTED}"));
        let database = server.database();
        let asked = format!("--database '{database}' --config '{config}' --quick");
        doctor_trusting(&certificate, format!("{asked} --sds '{}'", sds.told("SDS"))).json
    };
    let right = ask(&format!("https://{}", server.address));
    is_well(
        &right,
        "endpoint",
        "SDS sends slots and bookings of FX101 here",
    );
    let wrong = ask("https://127.0.0.1:9");
    fails(&wrong, "endpoint", "SDS sends slots of FX101 to");
    fails(&wrong, "endpoint", "cannot be reached from here");
    // When nobody answers, nothing is said against the registration.
    let config = settings(&server.folder, "base_url = \"https://127.0.0.1:9\"\n");
    let nobody = format!("ldap://127.0.0.1:{}", testkit::port());
    let database = server.database();
    let asked = format!("--database '{database}' --config '{config}' --quick --sds '{nobody}'");
    let silent = doctor_trusting(&certificate, &asked).json;
    fails(
        &silent,
        "endpoint",
        "SDS could not be asked about 918999000011 of FX101",
    );
    assert_lacks(silent.to_string(), &["registration corrected"]);
    drop(sds);
    server.kill();
}
