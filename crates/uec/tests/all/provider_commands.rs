//! Commands of the Provider for operators: their words, their exit codes, what they change and what they do not.

use base64::Engine as _;
use std::path::Path;
use std::process::Output;

use super::support::Server;
use super::support::operations::{uec, written};
use serde_json::Value;

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&[out.stdout.as_slice(), &out.stderr].concat()).into_owned()
}

#[track_caller]
fn ends(code: i32, arguments: &[&str]) -> String {
    let out = uec(arguments);
    assert_eq!(
        out.status.code(),
        Some(code),
        "{arguments:?}: {}",
        said(&out)
    );
    said(&out)
}

/// Counts are words for people and numbers for programs.
#[test]
fn counts_of_slots_are_words() {
    let server = Server::shared(module_path!());
    let list = |more: &[&str]| {
        let database = server.database();
        let all = [
            "provider",
            "slots",
            "list",
            "--count",
            "--provider",
            "FX101",
            "--database",
            &database,
        ];
        ends(0, &[&all, more].concat())
    };
    let told = list(&[]);
    assert!(
        told.contains(" slots: ") && told.contains(" free, ") && told.contains(" held back, "),
        "{told}"
    );
    assert!(!told.contains("SlotCounts"), "{told}");
    let json: Value = serde_json::from_str(&list(&["--json"])).expect("JSON");
    assert!(
        json["free"].as_u64() > Some(0) && json["total"].as_u64() >= json["free"].as_u64(),
        "{json}"
    );
}

/// What was exported and is applied changes nothing: neither what is implied nor what is said although it is implied.
#[test]
fn applying_an_export_changes_nothing() {
    let server = Server::start("export", true);
    let database = server.database();
    let exported = |ods: &str| {
        let out = uec(&[
            "provider",
            "export",
            "--provider",
            ods,
            "--database",
            &database,
        ]);
        String::from_utf8(out.stdout).expect("text")
    };
    let unchanged = |ods: &str| {
        let file = written(&server.folder, "export.toml", &exported(ods));
        let file = file.display().to_string();
        let told = ends(
            0,
            &[
                "provider",
                "apply",
                &file,
                "--dry-run",
                "--database",
                &database,
            ],
        );
        assert!(told.contains("nothing to change"), "{told}");
    };
    unchanged("FX101");
    unchanged("FX202");
    let said = exported("FX101").replacen(
        "practitioner = \"fernhill-gp-1\"\nidentifier = \"GP-1\"",
        "practitioner = \"fernhill-gp-1\"\nrole = \"555000000011\"\nidentifier = \"fernhill-gp-1\"",
        1,
    );
    assert!(said.contains("role = \"555000000011\""), "{said}");
    let file = written(&server.folder, "said.toml", &said)
        .display()
        .to_string();
    ends(
        0,
        &[
            "provider",
            "apply",
            &file,
            "--keep-bookings",
            "--database",
            &database,
        ],
    );
    unchanged("FX101");
    server.kill();
}

const DECLARATION: &str = include_str!("../../../provider/src/diary/demo/riverside.toml");

/// A dry run needs no database, and makes none.
#[test]
fn a_dry_run_needs_no_database() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = written(folder.path(), "riverside.toml", DECLARATION)
        .display()
        .to_string();
    let database = folder.path().join("none.sqlite");
    let url = format!("sqlite:{}", database.display());
    for more in [&[][..], &["--database", &url]] {
        let told = ends(
            0,
            &[&["provider", "apply", &file, "--dry-run"], more].concat(),
        );
        assert!(
            told.contains("There is no database yet") && told.contains("+ service"),
            "{told}"
        );
    }
    assert!(!database.exists());
}

/// Every command takes the database from the settings file.
#[test]
fn every_command_takes_the_settings_file() {
    let server = Server::start("settings", true);
    let settings = format!(
        "database = \"{}\"\nbase_url = \"https://a.example\"\n",
        server.database()
    );
    let config = written(&server.folder, "provider.toml", &settings)
        .display()
        .to_string();
    let file = written(&server.folder, "riverside.toml", DECLARATION)
        .display()
        .to_string();
    let copy = server.folder.join("copy.sqlite").display().to_string();
    let other = format!("sqlite:{}", server.folder.join("other.sqlite").display());
    let commands: [&[&str]; 9] = [
        &["export", "--provider", "FX101"],
        &["apply", &file, "--dry-run"],
        &["slots", "list", "--count", "--provider", "FX101"],
        &["audit", "verify"],
        &["referral", "list", "--provider", "FX101"],
        &["backup", "--to", &copy],
        &["migrate"],
        &["describe", "openapi"],
        &["copy", "--to", &other, "--while-running", "--quiet"],
    ];
    for command in commands {
        ends(
            0,
            &[&["provider"], command, &["--config", &config]].concat(),
        );
    }
    let described = ends(0, &["provider", "describe", "postman", "--config", &config]);
    assert!(
        described.contains("https://a.example/STU3/1/FX101"),
        "{described}"
    );
    let key = server.folder.join("head.pem");
    let settings = format!("[audit]\nkey = \"{}\"\n", key.display());
    let config = written(&server.folder, "keys.toml", &settings)
        .display()
        .to_string();
    let of_settings = ["provider", "audit", "key", "--config", &config];
    ends(0, &[&of_settings[..], &["--make"]].concat());
    let shown = ends(0, &of_settings);
    assert!(shown.contains("PUBLIC KEY") && key.exists(), "{shown}");
    ends(2, &["provider", "audit", "key", "--make"]);
    server.kill();
}

/// Without a base URL the description names where the Provider of that settings file listens.
#[test]
fn a_description_names_the_port_of_the_settings() {
    let folder = tempfile::tempdir().expect("a folder");
    let tls = "[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n";
    for (settings, base) in [
        (
            "listen = \"127.0.0.1:9123\"\n".to_owned(),
            "http://127.0.0.1:9123",
        ),
        (
            "listen = \"0.0.0.0:9123\"\n".to_owned(),
            "http://127.0.0.1:9123",
        ),
        (
            format!("listen = \"a.example:9123\"\n{tls}"),
            "https://a.example:9123",
        ),
        (
            "database = \"sqlite:a\"\n".to_owned(),
            "http://127.0.0.1:8001",
        ),
    ] {
        let config = written(folder.path(), "provider.toml", &settings);
        let config = config.display().to_string();
        let command = ["provider", "describe", "openapi", "--config", &config];
        let told = ends(0, &command);
        assert!(
            told.contains(&format!("\"{base}/STU3/1/")),
            "{settings}: {told}"
        );
    }
}

/// A token that a Provider will refuse is made, since a test may want it, and the reasons are told beside it.
#[test]
fn a_token_that_will_be_refused_is_told_as_such() {
    let root = "https://a.example/STU3/1/FX101";
    let far = i64::MAX.to_string();
    let cases: [(&[&str], &str); 6] = [
        (&["--aud", "zz"], "`aud`"),
        (&["--aud", ""], "`aud` is empty"),
        (&["--aud", root, "--offset", &far], "`iat`"),
        (&["--aud", root, "--offset", "3600"], "in the future"),
        (&["--aud", root, "--offset", "-3600"], "expired"),
        (
            &["--aud", root, "--organisation", ""],
            "requesting_organization",
        ),
    ];
    for (arguments, word) in cases {
        let out = uec(&[&["token", "new"], arguments].concat());
        let told = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(0), "{arguments:?}: {told}");
        assert!(
            told.starts_with("A Provider will refuse this token: ") && told.contains(word),
            "{arguments:?}: {told}"
        );
        assert_eq!(out.stdout.iter().filter(|b| **b == b'.').count(), 2);
    }
    let right = uec(&["token", "new", "--aud", root, "--user", "u1"]);
    assert_eq!(String::from_utf8_lossy(&right.stderr), "");
}

/// What is wrong with settings ends with 2, as the documents say.
#[test]
fn wrong_settings_end_with_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = format!("sqlite:{}", folder.path().join("p.sqlite").display());
    let bad = written(folder.path(), "bad.toml", "databse = \"sqlite:a\"\n")
        .display()
        .to_string();
    let none = folder.path().join("none.toml").display().to_string();
    let settings = [
        vec!["serve", "--database", &database, "--listen", "nonsense"],
        vec![
            "serve",
            "--database",
            &database,
            "--listen",
            "127.0.0.1:99999",
        ],
        vec![
            "serve",
            "--database",
            &database,
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "x",
        ],
        vec![
            "serve",
            "--database",
            "mysql://a/b",
            "--listen",
            "127.0.0.1:0",
        ],
        vec!["serve", "--listen", "127.0.0.1:0"],
        vec!["export", "--database", "mysql://a/b"],
        vec!["export", "--config", &bad],
        vec!["audit", "verify", "--config", &none],
        vec!["audit", "verify"],
    ];
    for arguments in settings {
        ends(2, &[&["provider"], arguments.as_slice()].concat());
    }
}

fn pem(folder: &Path, name: &str, text: &str) -> String {
    written(folder, name, text).display().to_string()
}

/// What is wrong with a PEM file is said in words: which file, what was found, what would be right.
#[test]
fn faults_of_pem_files_are_plain_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let database = format!("sqlite:{}", folder.join("p.sqlite").display());
    let made = || {
        let key = rcgen::KeyPair::generate().expect("a key");
        let params =
            rcgen::CertificateParams::new(vec!["a.example".to_owned()]).expect("parameters");
        let certificate = params.self_signed(&key).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    };
    let ((certificate, key), (_, other)) = (made(), made());
    let (chain, key_file) = (
        pem(folder, "chain.pem", &certificate),
        pem(folder, "key.pem", &key),
    );
    let other = pem(folder, "other.pem", &other);
    let cut = pem(folder, "cut.pem", &certificate[..certificate.len() / 2]);
    let locked = pem(
        folder,
        "locked.pem",
        &key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
    );
    let binary = pem(folder, "chain.der", "0\u{1}\u{2}");
    let none = folder.join("none.pem").display().to_string();
    // As far as it is read: the size of the modulus, and the curve.
    let part = |tag: u8, content: &[u8]| {
        let length = u16::try_from(content.len()).expect("short").to_be_bytes();
        [&[tag, 0x82], &length[..], content].concat()
    };
    let key_of = |label: &str, der: Vec<u8>| {
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        let text = format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n");
        pem(folder, &format!("{}.pem", label.replace(' ', "-")), &text)
    };
    let numbers = [part(2, &[0]), part(2, &[0x7F; 128]), part(2, &[3])];
    let short = key_of("RSA PRIVATE KEY", part(0x30, &numbers.concat()));
    let curve = part(0xA0, &[6, 5, 0x2B, 0x81, 4, 0, 0x0A]);
    let numbers = [part(2, &[1]), part(4, &[7; 32]), curve];
    let bitcoin = key_of("EC PRIVATE KEY", part(0x30, &numbers.concat()));
    let cases: [(&str, &str, &[&str]); 9] = [
        (
            &chain,
            &short,
            &["an RSA key of 1023 bits", "2048 to 8192 bits"],
        ),
        (
            &chain,
            &bitcoin,
            &["the curve secp256k1", "P-256, P-384 or P-521"],
        ),
        (
            &chain,
            &other,
            &[&other, "does not belong to the first certificate"],
        ),
        (
            &key_file,
            &key_file,
            &[
                "should hold a certificate",
                "Found: PRIVATE KEY",
                "BEGIN CERTIFICATE",
            ],
        ),
        (
            &chain,
            &chain,
            &[
                "should hold a private key",
                "Found: CERTIFICATE",
                "BEGIN PRIVATE KEY",
            ],
        ),
        (&cut, &key_file, &[&cut, "cut off"]),
        (
            &chain,
            &locked,
            &["encrypted with a passphrase", "openssl pkey"],
        ),
        (&binary, &key_file, &["No PEM section was found"]),
        (&none, &key_file, &["cannot read", "No such file"]),
    ];
    for (chain, key, words) in cases {
        let told = ends(
            2,
            &[
                "provider",
                "serve",
                "--database",
                &database,
                "--listen",
                "127.0.0.1:0",
                "--seed",
                "demo",
                "--tls-certificate",
                chain,
                "--tls-key",
                key,
            ],
        );
        for word in words {
            assert!(told.contains(word), "{word} in {told}");
        }
        for odd in [
            "KeyMismatch",
            "[45,",
            "[4",
            "MissingSectionEnd",
            "NoItemsFound",
        ] {
            assert!(!told.contains(odd), "{odd} in {told}");
        }
    }
}

/// A value of the wrong kind is told in words of whoever wrote the file: settings, declarations, worlds, plans, patients.
#[test]
fn a_wrong_value_is_told_in_plain_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let file = |name: &str, text: &str| written(folder, name, text).display().to_string();
    let settings = file("settings.toml", "[limits]\nconnections = \"many\"\n");
    let table = file("table.toml", "tls = 5\n");
    let declaration = file("declaration.toml", "[provider]\nods = 5\n");
    let world = file("world.toml", "[[service]]\nid = true\n");
    let consumer = file("consumer.toml", "[ssp]\ndirect = \"perhaps\"\n");
    let patient = file("patient.json", "{\"patient\": 5}");
    let ready = format!(
        "asid = \"918999000099\"\niss = \"https://c.example/\"\njournal = \"{}\"\n[organisation]\nods = \"FX900\"\nname = \"x\"\n\
         [device]\nvalue = \"d\"\n[user]\nid = \"u\"\nfamily = \"F\"\ngiven = \"G\"\n[dos]\nurl = \"http://127.0.0.1:1\"\n\
         adviser = {{ username = \"a\", password = \"b\" }}\n[sds]\nurl = \"ldap://127.0.0.1:1\"\n[ssp]\ndirect = true\n",
        folder.join("journal.sqlite").display()
    );
    let ready = file("ready.toml", &ready);
    let plan = folder.join("plan").display().to_string();
    ends(0, &["assure", "plan", "new", "utc", "--out", &plan]);
    let kept = folder.join("plan/plan.json");
    let text = std::fs::read_to_string(&kept).expect("the plan");
    let mut value: Value = serde_json::from_str(&text).expect("JSON");
    value["title"] = 5.into();
    std::fs::write(&kept, value.to_string()).expect("written");
    let book = [
        "consumer",
        "book",
        "--service",
        "2000000011",
        "--first",
        "--config",
        &ready,
    ];
    let cases: [(&[&str], &str); 7] = [
        (
            &["provider", "audit", "key", "--config", &settings],
            "a whole number, 0 or more, not a text",
        ),
        (
            &["provider", "audit", "key", "--config", &table],
            "a table, with keys of its own",
        ),
        (
            &["provider", "apply", &declaration, "--dry-run"],
            "expected text in quotes",
        ),
        (&["sandbox", "check", &world], "expected a whole number"),
        (
            &["consumer", "show", "--config", &consumer],
            "true or false, without quotes",
        ),
        (
            &[&book[..], &["--patient", &patient]].concat(),
            "a table, with keys of its own",
        ),
        (
            &["assure", "plan", "show", &plan],
            "expected text in quotes, not a whole number",
        ),
    ];
    for (command, words) in cases {
        let out = uec(command);
        let told = said(&out);
        assert!(
            !out.status.success() && told.contains(words),
            "{command:?}: {told}"
        );
        for odd in ["invalid type", "struct ", "usize"] {
            assert!(!told.contains(odd), "{command:?}: {told}");
        }
    }
}
