//! Settings of a Consumer: file, environment, and every mistake told with its place.

use consumer::client;
use consumer::config::{ConsumerConfig, DemoAddresses, KEYS, Role, Tls};
use consumer::discover::Discovery;
use std::path::Path;
use std::time::Duration;
use testkit::assert_contains;

const COMPLETE: &str = r#"
asid = "918999000099"
iss = "https://consumer.example/"
journal = "j.sqlite"
[organisation]
ods = "FX900"
name = "Fernhill 111"
[device]
value = "D-1"
[user]
id = "u-17"
family = "Advisor"
given = "Alex"
clinical = true
[dos]
url = "http://127.0.0.1:8003"
[dos.clinician]
username = "c"
password = "secret-c"
[sds]
url = "ldap://127.0.0.1:8004"
[ssp]
url = "http://127.0.0.1:8002"
[timeouts]
sds_seconds = 7
"#;

fn nothing(_: &str) -> Option<String> {
    None
}

fn parse(text: &str) -> Result<ConsumerConfig, String> {
    ConsumerConfig::parse("consumer.toml", text, &nothing).map_err(|e| e.to_string())
}

/// Proves: NAT-JWT-02, NAT-JWT-09, NAT-JWT-10, NAT-JWT-11, NAT-DOS-02
/// A file, with the defaults for what it leaves out.
#[test]
fn a_complete_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("consumer.toml");
    std::fs::write(&file, COMPLETE).unwrap();
    let config = ConsumerConfig::load(Some(&file), &nothing).unwrap();
    assert_eq!(config.role(), Role::Clinician);
    assert_eq!(config.timeouts.sds, Duration::from_secs(7));
    assert_eq!(config.timeouts.attempt, config.policy().attempt);
    assert_eq!(config.journal, Path::new("j.sqlite"));
    assert!(!config.journal_is_default && config.retention_days == 365);
    let sender = config.sender();
    assert_eq!(sender.issuer, "https://consumer.example/");
    assert_eq!(sender.device.system, "https://consumer.example/Id/device");
    let user = sender.practitioner.unwrap();
    assert_eq!(
        user.local,
        Some(("https://consumer.example/Id/user".into(), "u-17".into()))
    );
    assert_eq!(user.sds_user.as_deref(), Some("UNK"));
    // One account serves both roles.
    assert_eq!(
        config.dos.account(Role::HealthAdviser).unwrap().username,
        "c"
    );
    assert!(!format!("{config:?}").contains("secret-c"));
    assert!(Discovery::new(&config).is_ok());
}

/// The environment wins over the file; every key has a variable of its own, which is taken.
#[test]
fn the_environment_wins() {
    let given = |name: &str| match name {
        "UEC_CONSUMER_ASID" => Some("918999000098".to_owned()),
        "UEC_USER_CLINICAL" => Some("no".to_owned()),
        "UEC_DOS_SECONDS" => Some("9".to_owned()),
        "UEC_DOS_ADVISER_USERNAME" => Some("a".to_owned()),
        "UEC_DOS_ADVISER_PASSWORD" => Some("secret-a".to_owned()),
        "UEC_ORGANISATION_ODS" => Some(String::new()),
        _ => None,
    };
    let config = ConsumerConfig::parse("consumer.toml", COMPLETE, &given).unwrap();
    assert_eq!(config.asid.as_str(), "918999000098");
    assert_eq!(config.ods().as_str(), "FX900");
    assert_eq!(config.role(), Role::HealthAdviser);
    assert_eq!(config.timeouts.dos, Duration::from_secs(9));
    assert_eq!(
        config.dos.account(Role::HealthAdviser).unwrap().username,
        "a"
    );

    let mut variables: Vec<&str> = KEYS.iter().map(|k| k.variable).collect();
    variables.sort_unstable();
    variables.dedup();
    assert_eq!(variables.len(), KEYS.len());
    for key in KEYS {
        // A value that no key takes: each variable has to show in the result.
        let odd = |name: &str| (name == key.variable).then(|| "\u{7}odd".to_owned());
        let changed = ConsumerConfig::parse("consumer.toml", COMPLETE, &odd);
        let same = parse(COMPLETE).unwrap();
        assert!(
            changed.map_or(true, |c| c != same),
            "{} is ignored",
            key.path
        );
    }
}

/// A mistake names file, line, key and the nearest valid one.
#[test]
fn mistakes_name_their_place() {
    let wrong = COMPLETE.replace("journal =", "jurnal =");
    let error = parse(&wrong).unwrap_err();
    assert!(
        error.starts_with("consumer.toml, line 4, column 1: `jurnal`: there is no key `jurnal`"),
        "{error}"
    );
    assert!(error.ends_with("did you mean `journal`?"), "{error}");
    let wrong = COMPLETE.replace("sds_seconds = 7", "sds_second = 7");
    assert!(
        parse(&wrong)
            .unwrap_err()
            .contains("did you mean `sds_seconds`?")
    );
    let wrong = COMPLETE.replace("sds_seconds = 7", "sds_seconds = \"7\"");
    assert!(
        parse(&wrong)
            .unwrap_err()
            .starts_with("consumer.toml, line 25, column")
    );
    let wrong = COMPLETE.replace("asid = ", "asid ");
    assert!(
        parse(&wrong)
            .unwrap_err()
            .starts_with("consumer.toml, line 2, column")
    );

    // All at once, each with its variable.
    let error = ConsumerConfig::load(None, &nothing)
        .unwrap_err()
        .to_string();
    for key in [
        "asid",
        "iss",
        "organisation.ods",
        "organisation.name",
        "dos.url",
        "sds.url",
        "ssp.url",
    ] {
        let known = KEYS.iter().find(|k| k.path == key).unwrap();
        assert_contains(
            &error,
            &[&format!("{key} is missing (variable {})", known.variable)],
        );
    }
    assert!(error.contains("[dos.adviser]"));
    let missing = ConsumerConfig::load(Some(Path::new("no/such/file.toml")), &nothing);
    assert!(
        missing
            .unwrap_err()
            .to_string()
            .starts_with("cannot read no/such/file.toml: ")
    );
}

/// Proves: NAT-SDS-01, NAT-SSP-04
/// Values are checked: ids, addresses, certificates, times, passwords.
#[test]
fn bad_values_are_told() {
    for (from, to, says) in [
        ("918999000099", "91899900009", "asid: "),
        ("\"FX900\"", "\"F X\"", "organisation.ods: "),
        ("http://127.0.0.1:8003", "127.0.0.1:8003", "dos.url: "),
        ("http://127.0.0.1:8003", "https://", "dos.url: "),
        (
            "http://127.0.0.1:8003",
            "ldap://127.0.0.1",
            "is the wrong kind of address",
        ),
        (
            "http://127.0.0.1:8003",
            "http://dos.example",
            "for this machine only",
        ),
        (
            "http://127.0.0.1:8003",
            "http://u:p@127.0.0.1:8003",
            "do not belong into it",
        ),
        (
            "http://127.0.0.1:8003",
            "https://dos.example",
            "dos.url is encrypted: tls.ca is missing",
        ),
        (
            "ldap://127.0.0.1:8004",
            "ldap://sds.example",
            "for this machine only",
        ),
        (
            "ldap://127.0.0.1:8004",
            "http://127.0.0.1:8004",
            "is the wrong kind of address",
        ),
        (
            "http://127.0.0.1:8002",
            "http://127.0.0.1:8002/?x=y",
            "do not belong into it",
        ),
        ("url = \"http://127.0.0.1:8002\"", "", "ssp.url is missing"),
        (
            "url = \"http://127.0.0.1:8002\"",
            "url = \"http://127.0.0.1:8002\"\ndirect = true",
            "keep one",
        ),
        (
            "password = \"secret-c\"",
            "",
            "dos.clinician.password or password_file is missing",
        ),
        (
            "password = \"secret-c\"",
            "password_file = \"no/such\"",
            "cannot read no/such",
        ),
        (
            "sds_seconds = 7",
            "sds_seconds = 0",
            "timeouts.sds_seconds: 0 is not between",
        ),
        (
            "sds_seconds = 7",
            "sds_seconds = 9999",
            "timeouts.sds_seconds",
        ),
        ("family = \"Advisor\"", "", "user.family is missing"),
        (
            "[timeouts]",
            "[tls]\nca = \"ca.pem\"\ncertificate = \"c.pem\"\n[timeouts]",
            "go together",
        ),
        (
            "ldap://127.0.0.1:8004\"",
            "ldaps://sds.example\"\n[tls]\nca = \"ca.pem\"",
            "sds.url asks for a client certificate",
        ),
    ] {
        let error = parse(&COMPLETE.replace(from, to)).unwrap_err();
        assert!(error.contains(says), "{says}: {error}");
        assert!(!error.contains("u:p"), "{error}");
    }
    let direct = COMPLETE.replace("url = \"http://127.0.0.1:8002\"", "direct = true");
    assert_eq!(parse(&direct).unwrap().ssp, None);
    let test_network =
        format!("allow_plain = true\n{COMPLETE}").replace("127.0.0.1", "host.example");
    assert!(parse(&test_network).is_ok());
    let error = ConsumerConfig::parse("f", COMPLETE, &|name| {
        (name == "UEC_DOS_SECONDS").then(|| "soon".to_owned())
    });
    assert_eq!(
        error.unwrap_err().to_string(),
        "UEC_DOS_SECONDS: `soon` is no whole number of seconds"
    );
}

/// A password may come from a file of its own.
#[test]
fn a_password_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "secret-from-file\n").unwrap();
    let line = format!("password_file = {:?}", file.display().to_string());
    let config = parse(&COMPLETE.replace("password = \"secret-c\"", &line)).unwrap();
    assert_eq!(
        config.dos.clinician.unwrap().password.reveal(),
        "secret-from-file"
    );
}

/// Proves: NAT-SDS-01, NAT-SSP-04
/// Certificates are read at the start; the sentence names key, file and fault.
#[test]
fn certificates_are_read_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let files = sandbox::pki::write(folder.path(), "ssp.example", &["consumer.example"]).unwrap();
    let (_, certificate, key) = files.consumers[0].clone();
    let of = |ca: &Path, certificate: &Path, key: &Path| {
        let mut config = ConsumerConfig::demo(&DemoAddresses::default()).unwrap();
        config.tls = Some(Tls {
            ca: ca.to_owned(),
            identity: Some((certificate.to_owned(), key.to_owned())),
        });
        client::http(&config).map(|_| ()).map_err(|e| e.to_string())
    };
    of(&files.ca, &certificate, &key).unwrap();
    let missing = folder.path().join("missing.pem");
    let empty = folder.path().join("empty.pem");
    let garbage = folder.path().join("garbage.pem");
    std::fs::write(&empty, "no pem here").unwrap();
    std::fs::write(
        &garbage,
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    for (error, key, says) in [
        (of(&missing, &certificate, &key), "tls.ca", "cannot read"),
        (
            of(folder.path(), &certificate, &key),
            "tls.ca",
            "is a folder",
        ),
        (
            of(&empty, &certificate, &key),
            "tls.ca",
            "should hold a certificate, but none is in it",
        ),
        (
            of(&garbage, &certificate, &key),
            "tls.ca",
            "holds something else",
        ),
        (
            of(&files.ca, &missing, &key),
            "tls.certificate",
            "cannot read",
        ),
        (
            of(&files.ca, &certificate, &missing),
            "tls.key",
            "cannot read",
        ),
        (
            of(&files.ca, &certificate, &certificate),
            "tls.key",
            "should hold a private key, but none is in it. Found: CERTIFICATE",
        ),
        (
            of(&files.ca, &certificate, &files.server.1),
            "tls: the private key",
            "does not belong to the first certificate",
        ),
    ] {
        let error = error.unwrap_err();
        assert!(error.contains(key) && error.contains(says), "{error}");
    }
}

/// Where the journal lies when nobody says: in the user's data folder; a relative one does not count.
#[test]
fn the_journal_has_a_fixed_place() {
    let text = COMPLETE.replace("journal = \"j.sqlite\"\n", "");
    for (xdg, home, place) in [
        ("/data", "/people/u", "/data/uec/consumer.sqlite"),
        (
            "data",
            "/people/u",
            "/people/u/.local/share/uec/consumer.sqlite",
        ),
    ] {
        let given = |name: &str| match name {
            "XDG_DATA_HOME" => Some(xdg.to_owned()),
            "HOME" => Some(home.to_owned()),
            _ => None,
        };
        let config = ConsumerConfig::parse("consumer.toml", &text, &given).unwrap();
        assert_eq!(config.journal, Path::new(place));
        let demo = ConsumerConfig::demo_with(&DemoAddresses::default(), &given).unwrap();
        assert!(demo.journal.ends_with("uec/demo-consumer.sqlite"));
    }
    let wrong = COMPLETE.replace("asid =", "retention_days = 0\nasid =");
    assert!(parse(&wrong).unwrap_err().contains("retention_days: 0"));
}
