//! Whose rights a request has: what the proxy's certificate or a signature proves, never what a token claims (D-75, D-76).

use super::support;
use super::support::http::{Call, connect, exchange};
use super::support::operations::{declare, uec};
use super::support::{Booking, CONSUMER_ASID, GP_CLINIC, Response, Server, Token};
use jsonwebtoken::{Algorithm, EncodingKey};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use sandbox::pki::{self, Authority, Identity};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufReader, Write as _};
use std::path::Path;
use std::sync::Arc;
use testkit::assert_contains;

const PROXY: &str = "ssp.example.nhs.uk";
const SEARCH: &str = "organization/slot.read";
const WRITE: &str = "patient/appointment.write";
/// Nobody declares it.
const UNKNOWN_ASID: &str = "918999000055";

/// A server behind the proxy, which shows its certificate.
struct Behind {
    server: Server,
    authority: Authority,
    identity: Identity,
    proxy: Arc<ClientConfig>,
    other: Arc<ClientConfig>,
}

impl Behind {
    fn new(name: &str, more: &str) -> Behind {
        Behind::with(name, |_, _| more.to_owned())
    }

    /// With more settings at the end of the file, which may name files.
    fn with(name: &str, more: impl FnOnce(&Path, &Authority) -> String) -> Behind {
        let authority = Authority::new().expect("an authority");
        let own = authority.server(&["127.0.0.1"]).expect("a certificate");
        let identity = authority.client(PROXY).expect("a certificate");
        let other = authority
            .client("other.example.nhs.uk")
            .expect("a certificate");
        let mut clients = Vec::new();
        let server = Server::spawn(name, true, |folder| {
            let put = |file: &str, text: &str| {
                let path = folder.join(file);
                fs::write(&path, text).expect("written");
                path
            };
            let ca = put("ca.pem", authority.certificate());
            for (name, identity) in [("proxy", &identity), ("other", &other)] {
                let chain = put(&format!("{name}.pem"), &identity.certificate);
                let key = put(&format!("{name}.key"), &identity.key);
                let files = pki::ClientTls {
                    ca: ca.clone(),
                    identity: Some((chain, key)),
                };
                clients.push(pki::client_config(&files).expect("a client"));
            }
            let settings = format!(
                "[trust]\nssp_names = [\"{PROXY}\"]\n{}\n",
                more(folder, &authority)
            );
            let mut arguments = Vec::new();
            for (flag, file) in [
                ("--config", put("provider.toml", &settings)),
                ("--tls-certificate", put("server.pem", &own.certificate)),
                ("--tls-key", put("server.key", &own.key)),
                ("--tls-client-ca", ca),
            ] {
                arguments.extend([flag.to_owned(), file.display().to_string()]);
            }
            arguments
        });
        let [proxy, other] = clients.try_into().expect("two clients");
        let behind = Behind {
            server,
            authority,
            identity,
            proxy,
            other,
        };
        behind.server.wait_until(|server| {
            std::net::TcpStream::connect(server.address).is_ok()
                && behind.get("/health/ready").is_some_and(|r| r.status == 200)
        });
        behind
    }

    fn get(&self, path: &str) -> Option<Response> {
        let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        self.bytes(&self.proxy, head.as_bytes())
    }

    fn bytes(&self, client: &Arc<ClientConfig>, bytes: &[u8]) -> Option<Response> {
        let name = ServerName::try_from("127.0.0.1").expect("a name");
        let tls = ClientConnection::new(client.clone(), name).expect("a client");
        let mut stream = StreamOwned::new(tls, connect(self.server.address));
        stream.write_all(bytes).ok()?;
        stream.flush().ok()?;
        Response::read(&mut BufReader::new(stream))
    }

    /// Sends a call through the proxy.
    #[track_caller]
    fn send(&self, call: Call) -> Response {
        self.send_by(&self.proxy, call)
    }

    #[track_caller]
    fn send_by(&self, client: &Arc<ClientConfig>, call: Call) -> Response {
        let bytes = call.with("Connection", "close").bytes();
        self.bytes(client, &bytes).expect("an answer")
    }

    /// Free slots of some days.
    #[track_caller]
    fn slots(&self, from: i64, to: i64) -> Vec<Value> {
        let query = Server::window_query(GP_CLINIC, from, to);
        let found = self.send(self.server.search(&query)).with(200);
        support::server::matches(&found.json())
    }

    /// A booking of a free slot.
    #[track_caller]
    fn booking(&self) -> Call {
        let slots = self.slots(2, 13);
        let slot = slots.first().expect("a free slot");
        self.server.book(&Booking::of(slot).body())
    }

    /// A booking of a free slot, as this system and organisation.
    #[track_caller]
    fn book(&self, who: (&str, &str), status: u16) -> Response {
        self.send(self.server.from(self.booking(), who))
            .with(status)
    }
}

/// A declaration in which whoever is not declared may only search.
fn others_search_only(text: &str) -> String {
    let (before, rest) = text.split_once("others_may = [").expect("the key");
    let (_, after) = rest.split_once(']').expect("its end");
    format!("{before}others_may = [\"search\"]{after}")
}

/// Proves: NAT-JWT-12, PROV-SLOT-21, ERR-07
#[test]
fn a_declared_system_names_its_own_organisations_only() {
    let behind = Behind::new("own-organisations", "");
    behind.book((CONSUMER_ASID, "FX900"), 201);
    // May only search; writes the code of an organisation that may book.
    for who in [("918999000098", "FX900"), (CONSUMER_ASID, "FX901")] {
        let refused = behind.book(who, 403);
        refused.says(&["is not declared for it here", who.0, who.1]);
    }
    declare(&behind.server, "FX101", |text| {
        text.replace(
            "asid = \"918999000099\"\n",
            "asid = \"918999000099\"\nserves = [\"FX905\", \"FX906\"]\n",
        )
    });
    for (ods, status) in [
        ("FX900", 201),
        ("FX905", 201),
        ("FX906", 201),
        ("FX907", 403),
    ] {
        behind.book((CONSUMER_ASID, ods), status);
    }
    behind.server.kill();
}

/// Proves: NAT-JWT-12, PROV-SLOT-21, ERR-07
#[test]
fn an_undeclared_system_gets_what_any_consumer_gets_whatever_it_claims() {
    let behind = Behind::new("claims", "");
    declare(&behind.server, "FX101", |text| {
        let more = "\n[[consumer]]\nods = \"FX910\"\nname = \"By code only\"\nkind = \"111\"\n";
        others_search_only(&text) + more
    });
    for claimed in ["FX900", "FX910", "FX777"] {
        let refused = behind.book((UNKNOWN_ASID, claimed), 403);
        refused.says(&["may not book"]);
        let call = behind.server.search(&Server::window_query(GP_CLINIC, 2, 3));
        let call = behind.server.from(call, (UNKNOWN_ASID, claimed));
        behind.send(call).with(200);
    }
    behind.book((CONSUMER_ASID, "FX900"), 201);
    behind.server.kill();
}

/// A declaration in which each consumer may have one slot of the clinic.
fn one_each(text: &str) -> String {
    let id = format!("id = \"{GP_CLINIC}\"\n");
    let (before, after) = text.split_at(text.find(&id).expect("the service"));
    let rule = "\n[[release]]\nid = \"one-each\"\ncap = 1\n";
    format!("{before}release = [\"one-each\"]\n{after}{rule}")
}

/// Proves: PROV-SLOT-21, ERR-07
#[test]
fn a_cap_is_not_escaped_by_naming_another_organisation_each_time() {
    let behind = Behind::new("cap", "");
    declare(&behind.server, "FX101", |text| one_each(&text));
    let slots = behind.slots(3, 4);
    let mut slots = slots.iter();
    for (ods, status) in [("FX920", 201), ("FX921", 403), ("FX922", 403)] {
        let slot = slots.next().expect("a free slot");
        let call = behind.server.book(&Booking::of(slot).body());
        let call = behind.server.from(call, (UNKNOWN_ASID, ods));
        behind.send(call).with(status);
    }
    behind.server.kill();
}

/// Proves: D-75, PROV-SLOT-21, ERR-07
#[test]
fn a_claim_uses_up_no_cap_and_chooses_no_version() {
    let folder = tempfile::tempdir().expect("a folder");
    let signing = key_set(folder.path());
    let keys = folder.path().join("keys.json");
    let behind = Behind::new("claimed", &format!("signed_keys = {keys:?}\n"));
    declare(&behind.server, "FX101", |text| {
        let old = "\n[[consumer]]\nods = \"FX912\"\nname = \"By code, of old\"\nstandard = \"2.0.1-beta\"\n";
        one_each(&text) + old
    });
    let slots = behind.slots(3, 4);
    let mut slots = slots.iter();
    let mut call = || {
        let slot = slots.next().expect("a free slot");
        behind.server.book(&Booking::of(slot).body())
    };
    // By the proxy, which proves the system; or not by it, and signed, which proves the organisation.
    let claims = |call: Call, asid, ods| behind.send(behind.server.from(call, (asid, ods)));
    let signs = |call: Call, asid, ods| {
        let claims = Token::new(&behind.server.audience(), WRITE, ods).claims;
        let token = signed(&signing, &json!({"alg": "EdDSA", "kid": "good"}), &claims);
        let call = call.with("Authorization", &token).with("Ssp-From", asid);
        behind.send_by(&behind.other, call)
    };
    let other = "918999000056";
    claims(call(), UNKNOWN_ASID, "FX910").with(201);
    // The claim did not count.
    signs(call(), other, "FX910").with(201);
    signs(call(), other, "FX910").with(403);

    // The version of FX912 lets it leave out the header; who only claims to be FX912 is held to the current one.
    let mut old = || call().without("X-Request-ID");
    claims(old(), "918999000057", "FX912").with(400);
    signs(old(), "918999000058", "FX912").with(201);
    behind.server.kill();
}

/// A signed token with this header.
fn signed(signing: &EncodingKey, header: &Value, claims: &Value) -> String {
    let parts = [header, claims].map(|v| support::token::part(v.to_string().as_bytes()));
    let message = parts.join(".");
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), signing, Algorithm::EdDSA);
    format!("Bearer {message}.{}", signature.expect("a signature"))
}

/// A key set with this key under several names, and the key to sign with.
fn key_set(folder: &Path) -> EncodingKey {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let x = support::token::part(pair.public_key_raw());
    let key = |kid: &str, more: Value| {
        let mut key = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid});
        let more = more.as_object().expect("members").clone();
        key.as_object_mut().expect("an object").extend(more);
        key
    };
    let set = json!({"keys": [
        key("good", json!({"use": "sig", "alg": "EdDSA"})),
        key("plain", json!({})),
        key("enc", json!({"use": "enc"})),
        key("ops", json!({"key_ops": ["encrypt"]})),
        key("other", json!({"alg": "ES256"})),
    ]});
    fs::write(folder.join("keys.json"), set.to_string()).expect("key set");
    EncodingKey::from_ed_pem(pair.serialize_pem().as_bytes()).expect("a signing key")
}

/// Proves: NAT-JWT-01, NAT-JWT-12, ERR-06
#[test]
fn a_signed_token_proves_its_organisation_and_is_read_strictly() {
    let folder = tempfile::tempdir().expect("a folder");
    let signing = key_set(folder.path());
    let keys = folder.path().join("keys.json");
    let behind = Behind::new("signed", &format!("signed_keys = {keys:?}\n"));
    declare(&behind.server, "FX101", |text| {
        let more = "\n[[consumer]]\nods = \"FX910\"\nname = \"By code only\"\n";
        others_search_only(&text) + more
    });
    let query = Server::window_query(GP_CLINIC, 2, 3);
    // Not the proxy: the signature stands for the request.
    let send = |header: &Value, claims: &Value, call: Call| {
        let call = call.with("Authorization", &signed(&signing, header, claims));
        behind.send_by(&behind.other, call)
    };
    let header = |kid: &str| json!({"alg": "EdDSA", "typ": "JWT", "kid": kid});
    let token = |ods: &str| Token::new(&behind.server.audience(), SEARCH, ods);
    let search =
        |header: &Value, token: Token| send(header, &token.claims, behind.server.search(&query));
    let now = jiff::Timestamp::now().as_second();
    for (kid, token) in [
        ("good", token("FX900")),
        ("plain", token("FX900")),
        ("good", token("FX900").claim("nbf", json!(now - 5))),
    ] {
        search(&header(kid), token).with(200);
    }
    let critical = json!({"alg": "EdDSA", "kid": "good", "crit": ["exp"], "exp": 1});
    let not_before = |at: Value| token("FX900").claim("nbf", at);
    for (header, token, words) in [
        (critical, token("FX900"), "`crit`"),
        (header("enc"), token("FX900"), "`use` is not `sig`"),
        (header("ops"), token("FX900"), "`key_ops` lack `verify`"),
        (header("other"), token("FX900"), "for ES256 only"),
        (header("good"), not_before(json!(now + 600)), "`nbf` lies"),
        (
            header("good"),
            not_before(json!("soon")),
            "`nbf` is not an integer",
        ),
        (
            header("good"),
            token("FX901"),
            "is not declared for it here",
        ),
    ] {
        search(&header, token).with(403).says(&[words]);
    }
    // The signature proves the organisation, so its declaration counts, whatever system the header names.
    for (ods, status) in [("FX910", 201), ("FX777", 403)] {
        let call = behind.booking().with("Ssp-From", UNKNOWN_ASID);
        let claims = Token::new(&behind.server.audience(), WRITE, ods).claims;
        send(&header("good"), &claims, call).with(status);
    }
    behind.server.kill();
}

/// Proves: NAT-JWT-12
#[test]
fn where_anybody_is_let_in_a_declared_system_still_names_its_own() {
    let server = Server::shared(module_path!());
    let query = Server::window_query(GP_CLINIC, 2, 3);
    for (who, status) in [
        ((CONSUMER_ASID, "FX900"), 200),
        ((CONSUMER_ASID, "FX901"), 403),
        ((UNKNOWN_ASID, "FX900"), 200),
    ] {
        server.from(server.search(&query), who).expect(status);
    }
}

/// A certificate is revoked while its connection is open, by a file that changes; and taken back.
///
/// Proves: NAT-SSP-04, NAT-ENV-03
#[test]
fn a_revoked_client_certificate_is_refused_also_on_an_open_connection() {
    let listed = |authority: &Authority, revoked: &[&Identity]| {
        authority.revocation_list(revoked).expect("a list")
    };
    let behind = Behind::with("revoked", |folder, authority| {
        let file = folder.join("clients.crl");
        fs::write(&file, listed(authority, &[])).expect("list");
        let (server, key) = (folder.join("server.pem"), folder.join("server.key"));
        // The flags name the rest.
        format!(
            "[tls]\ncertificate = {server:?}\nkey = {key:?}\nclient_ca = {:?}\nclient_crl = [{file:?}]",
            folder.join("ca.pem")
        )
    });
    let file = behind.server.folder.join("clients.crl");
    let request = |close: bool| {
        let call = behind.server.plain_search();
        let connection = if close { "close" } else { "keep-alive" };
        call.with("Connection", connection).bytes()
    };
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let tls = ClientConnection::new(behind.proxy.clone(), name).expect("a client");
    let mut open = BufReader::new(StreamOwned::new(tls, connect(behind.server.address)));
    let mut ask = |close: bool| {
        open.get_mut().write_all(&request(close)).expect("sent");
        Response::read(&mut open).expect("an answer")
    };
    assert_eq!(ask(false).status, 200);
    let new = || {
        behind
            .bytes(&behind.proxy, &request(true))
            .map(|r| r.status)
    };
    fs::write(&file, "no list").expect("damaged");
    behind
        .server
        .wait_until(|server| server.log().contains("should hold a revocation list"));
    assert_eq!(new(), Some(200), "the list that was read last counts");
    let put = |text: String| {
        let whole = file.with_extension("new");
        fs::write(&whole, text).expect("written");
        fs::rename(&whole, &file).expect("in place");
    };
    put(listed(&behind.authority, &[&behind.identity]));
    testkit::until("new connections are refused", || new().is_none());
    let refused = ask(false);
    assert_eq!(refused.status, 403, "{}", refused.shown());
    assert!(refused.text().contains("was revoked"), "{}", refused.text());
    assert_eq!(refused.header("connection"), Some("close"));
    let other = behind.bytes(&behind.other, &request(true));
    assert_eq!(other.map(|r| r.status), Some(200), "another certificate");
    put(listed(&behind.authority, &[]));
    testkit::until("it is taken again", || new() == Some(200));
    behind.server.kill();
}

/// Proves: NAT-ENV-03
#[test]
fn lists_that_cannot_be_read_stop_the_start_and_old_ones_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new().expect("an authority");
    let own = authority.server(&["127.0.0.1"]).expect("a certificate");
    let put = |file: &str, text: &[u8]| {
        let path = folder.path().join(file);
        fs::write(&path, text).expect("written");
        path
    };
    let (server, key) = (
        put("server.pem", own.certificate.as_bytes()),
        put("server.key", own.key.as_bytes()),
    );
    let ca = put("ca.pem", authority.certificate().as_bytes());
    let database = format!("sqlite:{}", folder.path().join("p.sqlite").display());
    let doctor = |lists: &str| {
        let settings = format!(
            "[tls]\ncertificate = {server:?}\nkey = {key:?}\nclient_ca = {ca:?}\nclient_crl = [{lists}]\n"
        );
        let file = put("provider.toml", settings.as_bytes());
        let file = file.display().to_string();
        uec(format!(
            "provider doctor --quick --config '{file}' --database '{database}'"
        ))
        .stdout
    };
    let list = authority.revocation_list(&[]).expect("a list");
    let pem = put("good.pem", list.as_bytes());
    let current = "lists of client certificates can be read and are current";
    assert_contains(doctor(&format!("{pem:?}")), &[current]);
    let body: String = list.lines().filter(|l| !l.starts_with("--")).collect();
    let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body);
    let der = put("good.crl", &der.expect("base64"));
    assert_contains(doctor(&format!("{der:?}")), &[current]);
    assert_contains(doctor(""), &["Revoked client certificates are not noticed"]);
    let damaged = put("damaged.crl", b"0\x03abc");
    for (file, words) in [
        (
            damaged.display().to_string(),
            "holds no revocation list that can be used",
        ),
        ("/dev/zero".to_owned(), "is larger than"),
        (ca.display().to_string(), "should hold a revocation list"),
    ] {
        assert_contains(doctor(&format!("{file:?}")), &["would not start", words]);
    }
    let soon = jiff::Zoned::now().date() + jiff::Span::new().days(2);
    let due = put("due.crl", &list_until(soon));
    let words = ["due.crl is the first to end, on ", "Have it fetched now"];
    assert_contains(doctor(&format!("{der:?}, {due:?}")), &words);
    let old = put("old.crl", &list_until(jiff::civil::date(2001, 2, 1)));
    let words = ["should have been replaced by a newer list on 2001"];
    assert_contains(doctor(&format!("{old:?}")), &words);
}

/// A running server tells of each list how old it is and when it ends; one that has ended leaves it ready, with a note.
/// Proves: D-76
#[test]
fn lists_are_in_the_metrics_and_an_old_one_is_a_note() {
    let behind = Behind::with("list-metrics", |folder, authority| {
        let put = |name: &str, bytes: &[u8]| {
            let file = folder.join(name);
            fs::write(&file, bytes).expect("list");
            file
        };
        let good = authority.revocation_list(&[]).expect("a list");
        let good = put("good.crl", good.as_bytes());
        let old = put("old.crl", &list_until(jiff::civil::date(2001, 2, 1)));
        let (server, key) = (folder.join("server.pem"), folder.join("server.key"));
        format!(
            "[tls]\ncertificate = {server:?}\nkey = {key:?}\nclient_ca = {:?}\nclient_crl = [{good:?}, {old:?}]",
            folder.join("ca.pem")
        )
    });
    let metrics = behind.get("/metrics").expect("an answer").text();
    let value = |name: &str, labels: &str| {
        let series = format!("uec_tls_revocation_list_{name}_seconds{{{labels}}} ");
        let found = metrics.lines().find_map(|l| l.strip_prefix(&series));
        found
            .unwrap_or_else(|| panic!("{series}: {metrics}"))
            .parse::<i64>()
            .expect("a number")
    };
    let (good, old) = (
        "list=\"1\",file=\"good.crl\"",
        "list=\"2\",file=\"old.crl\"",
    );
    assert!(value("expiry", good) > 0 && value("age", good) > 0);
    let (expiry, age) = (value("expiry", old), value("age", old));
    assert!(expiry < -86_400 * 365 && age > -expiry, "{expiry} {age}");
    let ready = behind.get("/health/ready").expect("an answer").with(200);
    assert_eq!(ready.json()["notes"][0]["code"], "revocation-list");
    behind.server.kill();
}

/// A list that ends on a day, of an authority that is gone.
fn list_until(day: jiff::civil::Date) -> Vec<u8> {
    use rcgen::{CertificateParams, CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair};
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_usages = vec![rcgen::KeyUsagePurpose::CrlSign];
    let list = CertificateRevocationListParams {
        this_update: rcgen::date_time_ymd(2001, 1, 1),
        next_update: rcgen::date_time_ymd(
            day.year().into(),
            day.month().unsigned_abs(),
            day.day().unsigned_abs(),
        ),
        crl_number: rcgen::SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = list.signed_by(&Issuer::new(params, key)).expect("a list");
    list.der().to_vec()
}

/// Proves: PROV-GEN-01, ERR-04
#[test]
fn a_request_names_one_host() {
    let server = Server::shared(module_path!());
    let ask = |head: &str| exchange(server.address, head.as_bytes()).expect("an answer");
    for (hosts, status) in [
        ("", 400),
        ("Host: a\r\nHost: a\r\n", 400),
        ("Host: a\r\nHost: b\r\n", 400),
        ("Host:\r\n", 400),
        ("Host:  \r\n", 400),
        ("Host: a b\r\n", 400),
        ("Host: a@b\r\n", 400),
        ("Host: a\r\n", 200),
    ] {
        for path in ["/health/live", "/STU3/1/FX101/metadata", "/itk"] {
            let answer = ask(&format!(
                "GET {path} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n"
            ));
            if status == 400 {
                let answer = answer.with(400);
                answer.has("/resourceType", "OperationOutcome");
                answer.says(&["The header Host "]);
            } else {
                answer.never_says(&["header Host"]);
            }
        }
    }
    // HTTP/1.0 has no Host, and if it has one, it is one.
    ask("GET /health/live HTTP/1.0\r\n\r\n").with(200);
    ask("GET /health/live HTTP/1.0\r\nHost:\r\n\r\n").with(400);
}

/// Proves: NFR-01
#[test]
fn a_file_without_end_is_refused_at_once() {
    for arguments in [
        "provider serve --config /dev/zero",
        "provider apply /dev/zero",
        "sandbox serve --world /dev/zero",
        "consumer --config /dev/zero slots --service 1",
    ] {
        uec(arguments)
            .with(2)
            .notes(&["/dev/zero: it is larger than"]);
    }
}
