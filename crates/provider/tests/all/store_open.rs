//! Opening: what is made, and what is refused with which sentence.

use super::store_fixture::*;
use provider::store::{Options, Store, StoreError};
use rusqlite::Connection;

fn error(url: &str) -> StoreError {
    match Store::open(url, &serving()) {
        Ok(_) => panic!("{url} opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_new_file_gets_the_schema_and_an_old_one_keeps_its_data() {
    let place = Place::new();
    let key = tenant(&place.open()).await.0.key();
    let store = place.open();
    let tenants = store.tenants().unwrap();
    assert_eq!(tenants.len(), 1);
    assert_eq!((tenants[0].key, tenants[0].ods.as_str()), (key, "FX101"));
    store.ready().unwrap();
    let raw = Connection::open(place.file()).unwrap();
    let mode: String = raw
        .pragma_query_value(None, "journal_mode", |r| r.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
}

/// The files hold patient data: nobody else on the machine may read them.
#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let store = place.open();
    tenant(&store).await;
    let copy = place.directory.path().join("copy.db");
    store.backup(&copy).unwrap();
    let mut files = 0;
    for file in std::fs::read_dir(place.directory.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(
            file.metadata().unwrap().permissions().mode() & 0o077,
            0,
            "{:?}",
            file.path()
        );
        files += 1;
    }
    assert!(files >= 3, "the database, its WAL and the copy");
}

#[test]
fn an_empty_file_becomes_a_database() {
    let place = Place::new();
    std::fs::write(place.file(), "").unwrap();
    assert!(place.open().tenants().unwrap().is_empty());
}

#[test]
fn many_processes_may_make_the_schema_at_once() {
    let place = Place::new();
    let path = place.file();
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| open(&path).tenants().unwrap().len()))
            .collect();
        assert!(all.into_iter().all(|t| t.join().unwrap() == 0));
    });
}

#[test]
fn addresses_that_cannot_be_opened_are_named() {
    let wrong = error("mysql://x");
    assert!(matches!(wrong, StoreError::Address { .. }));
    assert!(wrong.to_string().contains("sqlite:PATH"), "{wrong}");
    assert!(matches!(error("sqlite:"), StoreError::Address { .. }));
    let place = Place::new();
    let missing = error(&url(&place.directory.path().join("no/such/provider.db")));
    assert!(
        matches!(missing, StoreError::MissingDirectory { .. }),
        "{missing}"
    );
    assert!(matches!(
        error(&url(place.directory.path())),
        StoreError::NotOurs { .. }
    ));
    let options = Options {
        create: false,
        ..Options::default()
    };
    let none = Store::open(&url(&place.file()), &options).err().unwrap();
    assert!(matches!(none, StoreError::Missing { .. }), "{none}");
    assert!(!place.file().exists());
}

#[test]
fn a_newer_schema_is_left_alone() {
    let place = Place::new();
    drop(place.open());
    let raw = Connection::open(place.file()).unwrap();
    raw.pragma_update(None, "user_version", 4711).unwrap();
    drop(raw);
    let newer = error(&url(&place.file()));
    assert!(
        matches!(newer, StoreError::NewerSchema { found: 4711, .. }),
        "{newer}"
    );
    assert!(newer.to_string().contains("newer version"), "{newer}");
}

/// A database of the first schema gets the tables of the second, and keeps what it has.
#[test]
fn an_older_schema_is_brought_up_to_date() {
    let place = Place::new();
    let raw = Connection::open(place.file()).unwrap();
    raw.execute_batch(include_str!(
        "../../src/store/driver/sqlite/migrations/0001_initial.sql"
    ))
    .unwrap();
    raw.execute_batch("INSERT INTO tenant VALUES (1, 'FX101', '918999000011', 'Fernhill', 0, 0)")
        .unwrap();
    raw.pragma_update(None, "application_id", 0x5545_4342)
        .unwrap();
    raw.pragma_update(None, "user_version", 1).unwrap();
    drop(raw);
    let store = place.open();
    let tenant = store.tenants().unwrap()[0].key;
    let all = provider::store::ReferralFilter::All;
    assert!(store.referrals(Some(tenant), all, 10).unwrap().is_empty());
}

#[test]
fn files_of_others_are_left_alone() {
    let place = Place::new();
    let raw = Connection::open(place.file()).unwrap();
    raw.execute_batch("CREATE TABLE recipes (name TEXT)")
        .unwrap();
    drop(raw);
    let before = std::fs::read(place.file()).unwrap();
    let foreign = error(&url(&place.file()));
    assert!(matches!(foreign, StoreError::NotOurs { .. }), "{foreign}");
    assert_eq!(std::fs::read(place.file()).unwrap(), before);

    std::fs::write(
        place.file(),
        "To whom it may concern: this is a letter.".repeat(200),
    )
    .unwrap();
    let letter = error(&url(&place.file()));
    assert!(matches!(letter, StoreError::NotOurs { .. }), "{letter}");
}

#[test]
fn a_locked_database_is_named() {
    let place = Place::new();
    drop(place.open());
    let raw = Connection::open(place.file()).unwrap();
    raw.pragma_update(None, "locking_mode", "EXCLUSIVE")
        .unwrap();
    raw.execute_batch(
        "BEGIN EXCLUSIVE; INSERT INTO label (tenant, text) SELECT 1, 'x' WHERE 0; COMMIT",
    )
    .unwrap();
    let locked = error(&url(&place.file()));
    assert!(matches!(locked, StoreError::Locked { .. }), "{locked}");
    assert!(locked.is_transient());
}

#[tokio::test]
async fn a_damaged_database_is_named() {
    let place = Place::new();
    let store = place.open();
    let (tenant, gp) = tenant(&store).await;
    make_slots(tenant, gp, 500).await;
    drop(store);
    let mut bytes = std::fs::read(place.file()).unwrap();
    bytes[4096..].fill(0xA5);
    std::fs::write(place.file(), bytes).unwrap();
    let damaged = match Store::open(&url(&place.file()), &Options::default()) {
        Err(error) => error,
        Ok(store) => store.tenants().unwrap_err(),
    };
    assert!(matches!(damaged, StoreError::Corrupt { .. }), "{damaged}");
    assert!(damaged.to_string().contains("backup"), "{damaged}");
}

/// Invariants stand on indexes and triggers; without them no server starts, and a copy into a new database brings them back.
#[tokio::test]
async fn a_schema_that_lacks_something_is_refused() {
    for (broken, named) in [
        (
            "DROP INDEX appointment_live",
            "the index appointment_live is missing",
        ),
        (
            "DROP TRIGGER audit_kept",
            "the trigger audit_kept is missing",
        ),
        (
            "DROP INDEX appointment_live; CREATE INDEX appointment_live ON appointment (slot)",
            "the index appointment_live is not as this program makes it",
        ),
        (
            "ALTER TABLE slot DROP COLUMN held_first",
            "the table slot is not as",
        ),
    ] {
        let place = Place::new();
        tenant(&place.open()).await;
        place.raw().run(broken);
        let refused = error(&url(&place.file()));
        assert!(matches!(refused, StoreError::Schema { .. }), "{refused}");
        let said = refused.to_string();
        assert!(said.contains(named) && said.contains("copy"), "{said}");
        // Whoever checks the trail is let in.
        open(&place.file()).tenants().unwrap();
        let seen = Store::inspect(&url(&place.file()), false).unwrap();
        assert!(
            seen.schema_faults.iter().any(|f| f.contains(named)),
            "{seen:?}"
        );
    }
    // What others add is theirs.
    let place = Place::new();
    drop(place.open());
    place
        .raw()
        .run("CREATE TABLE mine (a); CREATE INDEX mine_day ON appointment (day)");
    drop(place.open());
}

/// A number that does not fit the tables is told in words, not in the statement that fails.
#[test]
fn a_number_that_does_not_fit_the_tables_is_refused() {
    let place = Place::new();
    drop(place.open());
    let before = place.raw().number("SELECT count(*) FROM sqlite_schema");
    for number in [0, 1, 2] {
        place.raw().run(&format!("PRAGMA user_version = {number}"));
        let refused = error(&url(&place.file()));
        assert!(matches!(refused, StoreError::Schema { .. }), "{refused}");
        let said = refused.to_string();
        assert!(said.contains(&format!("its number is {number}")), "{said}");
        assert!(!said.contains("CREATE") && said.len() < 800, "{said}");
    }
    assert_eq!(
        place.raw().number("SELECT count(*) FROM sqlite_schema"),
        before
    );
}
