//! How the program gets to a PostgreSQL server: TLS with and without a check of the server, passwords, and the commands
//! that are not for such a database.

use super::support::certificates::{Authority, Identity};
use super::support::operations::command;
use super::support::postgres::Server;
use provider::store::{Options, Store, StoreError};
use std::path::PathBuf;
use std::sync::OnceLock;
use testkit::{Arguments, Ended, assert_contains, assert_lacks};

const PASSWORD: &str = "a word with a colon: and a % sign";

/// The server: TLS with a certificate for `localhost`, a user with a password.
struct Own {
    server: Server,
    authority: PathBuf,
    stranger: PathBuf,
}

fn own() -> Option<&'static Own> {
    static OWN: OnceLock<Option<Own>> = OnceLock::new();
    OWN.get_or_init(|| {
        let [known, other] = ["Test Authority", "Somebody Else"].map(Authority::new);
        let Identity { certificate, key } = known.server("localhost");
        let hba = "host all guarded all scram-sha-256\nhost all all all trust\n";
        let files = [
            ("server.crt", certificate.pem()),
            ("server.key", key.serialize_pem()),
            ("pg_hba.conf", hba.to_owned()),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (*n, t.as_str())).collect();
        let server = Server::start_with("login", &["fsync=off", "ssl=on"], &files)?;
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let written = |name: &str, pem: &str| {
            let file = folder.join(format!("postgres-{}-{name}", std::process::id()));
            std::fs::write(&file, pem).expect("certificate");
            file
        };
        for sql in [
            format!("CREATE ROLE guarded LOGIN PASSWORD '{PASSWORD}'"),
            "CREATE DATABASE guarded OWNER guarded".to_owned(),
        ] {
            server.psql(&sql).expect("a user with a password");
        }
        Some(Own {
            authority: written("ca.pem", &known.certificate.pem()),
            stranger: written("other.pem", &other.certificate.pem()),
            server,
        })
    })
    .as_ref()
}

fn opened(url: &str) -> Result<(), StoreError> {
    Store::open(url, &Options::default())?.ready()
}

#[test]
fn tls_is_used_and_the_server_checked_as_asked_for() {
    let Some(own) = own() else { return };
    let port = own.server.port;
    let url = |host: &str, rest: &str| format!("postgres://uec@{host}:{port}/postgres?{rest}");
    let full = |file: &PathBuf| format!("sslmode=verify-full&sslrootcert={}", file.display());
    opened(&url("127.0.0.1", "sslmode=require")).expect("encrypted");
    opened(&url("127.0.0.1", "sslmode=disable")).expect("plain");
    opened(&url("localhost", &full(&own.authority))).expect("checked");
    for (host, file) in [("localhost", &own.stranger), ("127.0.0.1", &own.authority)] {
        let said = opened(&url(host, &full(file))).expect_err(host);
        assert!(matches!(said, StoreError::Untrusted { .. }), "{said}");
        assert!(said.to_string().contains("ertificate"), "{said}");
    }
    for wrong in ["sslmode=verify-full", "sslmode=verify-ca", "sslrootcert=x"] {
        let said = opened(&url("localhost", wrong)).expect_err(wrong);
        assert!(matches!(said, StoreError::Address { .. }), "{said}");
    }
}

fn uec(arguments: impl Arguments, password: Option<(&str, &str)>) -> Ended {
    let mut command = command(arguments);
    Ended::run(command.env_remove("PGPASSWORD").envs(password))
}

#[test]
fn a_password_comes_from_the_environment_a_file_or_the_address_and_is_never_said() {
    let Some(own) = own() else { return };
    let place = format!("127.0.0.1:{}/guarded", own.server.port);
    let url = format!("postgres://guarded@{place}?sslmode=disable");
    let declared = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("postgres-{}-pgpass", std::process::id()));
    let line = format!("*:*:guarded:guarded:{}\n", PASSWORD.replace(':', "\\:"));
    std::fs::write(&declared, line).expect("password file");
    // The first makes the tables.
    let store = format!(
        "postgres://guarded:{}@{place}?sslmode=disable",
        PASSWORD
            .replace('%', "%25")
            .replace(' ', "%20")
            .replace(':', "%3A")
    );
    opened(&store).expect("from the address");
    let verify = format!("provider audit verify --database '{url}'");
    let file = declared.display().to_string();
    for password in [("PGPASSWORD", PASSWORD), ("PGPASSFILE", &file)] {
        uec(&verify, Some(password)).with(0);
    }
    for password in [None, Some(("PGPASSWORD", "another word"))] {
        let output = uec(&verify, password).with(1);
        let words = output.said();
        assert!(words.contains("guarded@"), "{words}");
        assert_lacks(&words, &["another word", PASSWORD]);
    }
    let _ = std::fs::remove_file(declared);
}

#[test]
fn backup_and_restore_say_what_to_use_instead() {
    let backup = "provider backup --to x --database postgres://u:word@h/d";
    let restore = "provider restore --from x --database postgres://u:word@h/d";
    for arguments in [backup, restore] {
        let output = uec(arguments, None).with(2);
        let words = output.said();
        assert_contains(&words, &["pg_basebackup", "pg_dump"]);
        assert_lacks(&words, &["word@"]);
    }
}
