//! Commands of the Provider for operators: their words, their exit codes, what they change and what they do not.

use base64::Engine as _;
use testkit::{Arguments, assert_contains, assert_lacks};

use super::support::Server;
use super::support::certificates::Identity;
use super::support::operations::{file_named, uec, written};
use serde_json::Value;

#[track_caller]
fn ends(code: i32, arguments: impl Arguments) -> String {
    uec(arguments).with(code).said()
}

/// Counts are words for people and numbers for programs.
#[test]
fn counts_of_slots_are_words() {
    let server = Server::shared(module_path!());
    let database = server.database();
    let list = |more: &str| {
        let all = format!("provider slots list --count --provider FX101 --database '{database}'");
        ends(0, format!("{all} {more}"))
    };
    let told = list("");
    assert_contains(&told, &[" slots: ", " free, ", " held back, "]);
    assert_lacks(&told, &["SlotCounts"]);
    let json: Value = serde_json::from_str(&list("--json")).expect("JSON");
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
        let export = format!("provider export --provider {ods} --database '{database}'");
        uec(&export).stdout
    };
    let unchanged = |ods: &str| {
        let file = written(&server.folder, "export.toml", &exported(ods));
        let file = file.display();
        uec(format!(
            "provider apply '{file}' --dry-run --database '{database}'"
        ))
        .with(0)
        .says(&["nothing to change"]);
    };
    unchanged("FX101");
    unchanged("FX202");
    let said = exported("FX101").replacen(
        "practitioner = \"fernhill-gp-1\"\nidentifier = \"GP-1\"",
        "practitioner = \"fernhill-gp-1\"\nrole = \"555000000011\"\nidentifier = \"fernhill-gp-1\"",
        1,
    );
    assert!(said.contains("role = \"555000000011\""), "{said}");
    let file = file_named(&server.folder, "said.toml", &said);
    ends(
        0,
        format!("provider apply '{file}' --keep-bookings --database '{database}'"),
    );
    unchanged("FX101");
    server.kill();
}

const DECLARATION: &str = include_str!("../../../provider/src/diary/demo/riverside.toml");

/// A dry run needs no database, and makes none.
#[test]
fn a_dry_run_needs_no_database() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = file_named(folder.path(), "riverside.toml", DECLARATION);
    let database = folder.path().join("none.sqlite");
    let url = format!("sqlite:{}", database.display());
    for more in ["", &format!("--database '{url}'")] {
        let told = ends(0, format!("provider apply '{file}' --dry-run {more}"));
        assert_contains(&told, &["There is no database yet", "+ service"]);
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
    let config = file_named(&server.folder, "provider.toml", &settings);
    let file = file_named(&server.folder, "riverside.toml", DECLARATION);
    let copy = server.folder.join("copy.sqlite").display().to_string();
    let other = format!("sqlite:{}", server.folder.join("other.sqlite").display());
    let commands: [&str; 9] = [
        "export --provider FX101",
        &format!("apply '{file}' --dry-run"),
        "slots list --count --provider FX101",
        "audit verify",
        "referral list --provider FX101",
        &format!("backup --to '{copy}'"),
        "migrate",
        "describe openapi",
        &format!("copy --to '{other}' --while-running --quiet"),
    ];
    for command in commands {
        ends(0, format!("provider {command} --config '{config}'"));
    }
    let described = ends(0, format!("provider describe postman --config '{config}'"));
    assert_contains(&described, &["https://a.example/STU3/1/FX101"]);
    let key = server.folder.join("head.pem");
    let settings = format!("[audit]\nkey = \"{}\"\n", key.display());
    let config = file_named(&server.folder, "keys.toml", &settings);
    let of_settings = format!("provider audit key --config '{config}'");
    ends(0, format!("{of_settings} --make"));
    let shown = ends(0, &of_settings);
    assert!(shown.contains("PUBLIC KEY") && key.exists(), "{shown}");
    ends(2, "provider audit key --make");
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
        let command = format!("provider describe openapi --config '{config}'");
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
    #[rustfmt::skip] // a token a line
    let cases: [(&str, &str); 6] = [
        ("--aud zz", "`aud`"),
        ("--aud ''", "`aud` is empty"),
        (&format!("--aud {root} --offset '{far}'"), "`iat`"),
        (&format!("--aud {root} --offset 3600"), "in the future"),
        (&format!("--aud {root} --offset -3600"), "expired"),
        (&format!("--aud {root} --organisation ''"), "requesting_organization"),
    ];
    for (arguments, word) in cases {
        let out = uec(format!("token new {arguments}"));
        let told = &out.stderr;
        assert_eq!(out.code, 0, "{arguments:?}: {out}");
        assert!(
            told.starts_with("A Provider will refuse this token: ") && told.contains(word),
            "{arguments:?}: {told}"
        );
        assert_eq!(out.stdout.matches('.').count(), 2);
    }
    let right = uec(format!("token new --aud {root} --user u1"));
    assert_eq!(right.stderr, "");
}

/// What is wrong with settings ends with 2, as the documents say.
#[test]
fn wrong_settings_end_with_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = format!("sqlite:{}", folder.path().join("p.sqlite").display());
    let bad = file_named(folder.path(), "bad.toml", "databse = \"sqlite:a\"\n");
    let none = folder.path().join("none.toml").display().to_string();
    let serve = format!("serve --database '{database}'");
    let settings = [
        format!("{serve} --listen nonsense"),
        format!("{serve} --listen 127.0.0.1:99999"),
        format!("{serve} --listen 127.0.0.1:0 --admin-listen x"),
        "serve --database mysql://a/b --listen 127.0.0.1:0".to_owned(),
        "serve --listen 127.0.0.1:0".to_owned(),
        "export --database mysql://a/b".to_owned(),
        format!("export --config '{bad}'"),
        format!("audit verify --config '{none}'"),
        "audit verify".to_owned(),
    ];
    for arguments in settings {
        ends(2, format!("provider {arguments}"));
    }
}

/// What is wrong with a PEM file is said in words: which file, what was found, what would be right.
#[test]
fn faults_of_pem_files_are_plain_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let database = format!("sqlite:{}", folder.join("p.sqlite").display());
    let made = || {
        let made = Identity::alone("a.example", |_| ());
        (made.certificate.pem(), made.key.serialize_pem())
    };
    let ((certificate, key), (_, other)) = (made(), made());
    let (chain, key_file) = (
        file_named(folder, "chain.pem", &certificate),
        file_named(folder, "key.pem", &key),
    );
    let other = file_named(folder, "other.pem", &other);
    let cut = file_named(folder, "cut.pem", &certificate[..certificate.len() / 2]);
    let locked = file_named(
        folder,
        "locked.pem",
        &key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
    );
    let binary = file_named(folder, "chain.der", "0\u{1}\u{2}");
    let none = folder.join("none.pem").display().to_string();
    // As far as it is read: the size of the modulus, and the curve.
    let part = |tag: u8, content: &[u8]| {
        let length = u16::try_from(content.len()).expect("short").to_be_bytes();
        [&[tag, 0x82], &length[..], content].concat()
    };
    let key_of = |label: &str, der: Vec<u8>| {
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        let text = format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n");
        file_named(folder, &format!("{}.pem", label.replace(' ', "-")), &text)
    };
    let numbers = [part(2, &[0]), part(2, &[0x7F; 128]), part(2, &[3])];
    let short = key_of("RSA PRIVATE KEY", part(0x30, &numbers.concat()));
    let curve = part(0xA0, &[6, 5, 0x2B, 0x81, 4, 0, 0x0A]);
    let numbers = [part(2, &[1]), part(4, &[7; 32]), curve];
    let bitcoin = key_of("EC PRIVATE KEY", part(0x30, &numbers.concat()));
    #[rustfmt::skip] // a fault a line
    let cases: [(&str, &str, &[&str]); 9] = [
        (&chain, &short, &["an RSA key of 1023 bits", "2048 to 8192 bits"]),
        (&chain, &bitcoin, &["the curve secp256k1", "P-256, P-384 or P-521"]),
        (&chain, &other, &[&other, "does not belong to the first certificate"]),
        (&key_file, &key_file, &["should hold a certificate", "Found: PRIVATE KEY", "BEGIN CERTIFICATE"]),
        (&chain, &chain, &["should hold a private key", "Found: CERTIFICATE", "BEGIN PRIVATE KEY"]),
        (&cut, &key_file, &[&cut, "cut off"]),
        (&chain, &locked, &["encrypted with a passphrase", "openssl pkey"]),
        (&binary, &key_file, &["No PEM section was found"]),
        (&none, &key_file, &["cannot read", "No such file"]),
    ];
    for (chain, key, words) in cases {
        let told = ends(
            2,
            format!(
                "provider serve --database '{database}' --listen 127.0.0.1:0 --seed demo \
             --tls-certificate '{chain}' --tls-key '{key}'"
            ),
        );
        assert_contains(&told, words);
        assert_lacks(
            &told,
            &[
                "KeyMismatch",
                "[45,",
                "[4",
                "MissingSectionEnd",
                "NoItemsFound",
            ],
        );
    }
}

/// A value of the wrong kind is told in words of whoever wrote the file: settings, declarations, worlds, plans, patients.
#[test]
fn a_wrong_value_is_told_in_plain_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let file = |name: &str, text: &str| file_named(folder, name, text);
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
    ends(0, format!("assure plan new utc --out '{plan}'"));
    let kept = folder.join("plan/plan.json");
    let text = std::fs::read_to_string(&kept).expect("the plan");
    let mut value: Value = serde_json::from_str(&text).expect("JSON");
    value["title"] = 5.into();
    std::fs::write(&kept, value.to_string()).expect("written");
    let book = format!("consumer book --service 2000000011 --first --config '{ready}'");
    #[rustfmt::skip] // a fault a line
    let cases: [(&str, &str); 7] = [
        (&format!("provider audit key --config '{settings}'"), "a whole number, 0 or more, not a text"),
        (&format!("provider audit key --config '{table}'"), "a table, with keys of its own"),
        (&format!("provider apply '{declaration}' --dry-run"), "expected text in quotes"),
        (&format!("sandbox check '{world}'"), "expected a whole number"),
        (&format!("consumer show --config '{consumer}'"), "true or false, without quotes"),
        (&format!("{book} --patient '{patient}'"), "a table, with keys of its own"),
        (&format!("assure plan show '{plan}'"), "expected text in quotes, not a whole number"),
    ];
    for (command, words) in cases {
        let out = uec(command);
        let told = out.said();
        assert!(out.code != 0 && told.contains(words), "{command:?}: {told}");
        for odd in ["invalid type", "struct ", "usize"] {
            assert!(!told.contains(odd), "{command:?}: {told}");
        }
    }
}
