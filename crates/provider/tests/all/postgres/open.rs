//! Opening a PostgreSQL database: what is made, and what is refused with which sentence.

use super::store_fixture::raw::{Postgres, try_run};
use super::store_fixture::*;
use provider::store::{Options, Store, StoreError, backed_up_elsewhere, redacted};
use std::path::Path;
use std::time::{Duration, Instant};

fn error(url: &str) -> StoreError {
    match Store::open(url, &serving()) {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn an_empty_database_gets_the_schema_and_keeps_its_data() {
    let url = server().empty();
    let none = Options {
        create: false,
        ..Options::default()
    };
    let missing = Store::open(&url, &none).err().unwrap();
    assert!(matches!(missing, StoreError::Missing { .. }), "{missing}");
    let key = tenant(&open_url(&url)).await.0.key();
    let store = Store::open(&url, &none).unwrap();
    assert_eq!(store.tenants().unwrap()[0].key, key);
    store.ready().unwrap();
    assert!(!store.shown().contains('?'));
}

/// Processes that start together take each step once, also when the server was just made.
#[test]
fn many_processes_may_make_the_schema_at_once() {
    let url = server().empty();
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| open_url(&url).tenants().unwrap().len()))
            .collect();
        assert!(all.into_iter().all(|t| t.join().unwrap() == 0));
    });
    let steps = Postgres::connect(&url).unwrap();
    let rows = steps
        .rows("SELECT count(*), max(number) FROM uec_schema")
        .unwrap();
    assert_eq!(rows[0][0].as_deref(), Some("1"));
}

#[test]
fn a_newer_schema_and_a_foreign_database_are_left_alone() {
    let newer = server().migrated();
    try_run(&newer, "UPDATE uec_schema SET number = 4711").unwrap();
    let said = error(&newer);
    assert!(
        matches!(said, StoreError::NewerSchema { found: 4711, .. }),
        "{said}"
    );
    assert!(said.to_string().contains("newer version"), "{said}");

    let foreign = server().empty();
    try_run(&foreign, "CREATE TABLE recipes (name TEXT)").unwrap();
    let said = error(&foreign);
    assert!(matches!(said, StoreError::NotOurs { .. }), "{said}");
    let tables = Postgres::connect(&foreign).unwrap();
    let tables = tables
        .rows("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        .unwrap();
    assert_eq!(tables.len(), 1, "{tables:?}");
}

#[test]
fn a_database_that_is_not_there_and_a_user_that_may_not_are_named() {
    let port = server().port;
    let said = error(&format!(
        "postgres://uec:s3cret@127.0.0.1:{port}/nowhere?sslmode=disable"
    ));
    assert!(matches!(said, StoreError::NoDatabase { .. }), "{said}");
    assert!(!said.to_string().contains("s3cret"), "{said}");
    let said = error(&format!(
        "postgres://nobody:s3cret@127.0.0.1:{port}/postgres"
    ));
    assert!(matches!(said, StoreError::LoginRefused { .. }), "{said}");
    assert!(!said.to_string().contains("s3cret"), "{said}");
    let said = error(&format!(
        "postgres://uec@127.0.0.1:{port}/postgres?sslmode=require"
    ));
    assert!(matches!(said, StoreError::Unreachable { .. }), "{said}");
}

#[test]
fn a_server_that_is_away_is_waited_for_and_then_named() {
    let begun = Instant::now();
    let said = error("postgres://uec:s3cret@127.0.0.1:1/x");
    assert!(
        matches!(said, StoreError::Unreachable { .. }) && said.is_transient(),
        "{said}"
    );
    assert!(!said.to_string().contains("s3cret"), "{said}");
    assert!(
        begun.elapsed() >= Duration::from_secs(10),
        "it was waited for"
    );
}

/// The first host refuses; the second is the one that takes writes.
#[tokio::test]
async fn several_hosts_are_tried() {
    let url = server().migrated();
    let database = url.split('/').next_back().unwrap();
    let url = format!(
        "postgres://uec@127.0.0.1:1,127.0.0.1:{}/{database}",
        server().port
    );
    tenant(&open_url(&url)).await;
}

#[test]
fn a_backup_is_made_with_the_tools_of_the_server() {
    let store = memory();
    let said = store.backup(Path::new("never-made.db")).unwrap_err();
    assert!(said.to_string().contains("pg_basebackup"), "{said}");
    assert!(!Path::new("never-made.db").exists());
    assert!(backed_up_elsewhere("postgres://x/y").is_some());
    assert!(backed_up_elsewhere("sqlite:x").is_none());
    assert_eq!(
        redacted("postgres://u:p@h/d?password=p"),
        "postgres://u@h/d"
    );
}

/// Everything leads with the tenant, and nothing that a search asks reads what it does not need.
#[tokio::test]
async fn every_table_leads_with_the_tenant() {
    let place = Place::new();
    let raw = place.raw();
    let without = raw.numbers(
        "SELECT count(*) FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[0]
         WHERE t.relnamespace = 'public'::regnamespace AND a.attname <> 'tenant'
         AND t.relname NOT IN ('tenant', 'uec_schema')",
    );
    assert_eq!(without, [Some(0)]);
}

/// Bookings of one tenant in [`plans_are_right_before_the_server_has_analysed`]: what is read of each other's rows grows with
/// their square.
const BOOKINGS: usize = 400;
/// Rows that may be read for each: some forty are, whatever the number of bookings.
const READ_EACH: i64 = 80;

/// Books every slot of a new tenant, reads what was booked, and tells how many rows the server read for that.
async fn rows_read(place: &Place, ods: &str, asid: &str) -> i64 {
    let raw = place.raw();
    let read = || {
        raw.number(
            "SELECT ((SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)
               + (SELECT sum(seq_tup_read) FROM pg_stat_user_tables))::bigint",
        )
    };
    let before = read();
    let store = place.open();
    let (tenant, gp) = tenant_named(&store, ods, asid).await;
    let slots = make_slots(tenant, gp, BOOKINGS).await;
    let mut made = Vec::new();
    for slot in slots {
        made.push(book(tenant, slot).await);
    }
    // On a connection that has planned nothing yet, and on one that planned when there was nothing.
    let key = tenant.key();
    for store in [place.open(), store] {
        let live = store
            .tenant(key)
            .live_bookings(&[gp], first_start(), BOOKINGS);
        assert_eq!(live.unwrap().len(), BOOKINGS);
        drop(store);
    }
    let store = place.open();
    let tenant = store.tenant(key);
    for booked in made.iter().step_by(2) {
        tenant.cancel(cancellation(&booked.id, 1)).await.unwrap();
    }
    drop(store);
    // What a connection has read is counted when it ends.
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'uec'";
    testkit::until("every connection has ended", || raw.number(others) == 0);
    read() - before
}

/// A server analyses tables about once a minute, and a tenant that came after that is not in what it learned.
/// Proves: NFR-02
#[tokio::test]
async fn plans_are_right_before_the_server_has_analysed() {
    let place = Place::new();
    let raw = place.raw();
    for table in raw.words("SELECT relname FROM pg_stat_user_tables") {
        raw.run(&format!(
            "ALTER TABLE {} SET (autovacuum_enabled = false)",
            table[0]
        ));
    }
    let most = READ_EACH * BOOKINGS as i64;
    let first = rows_read(&place, "FX101", "918999000011").await;
    assert!(first < most, "{first} rows of a new database");
    raw.run("ANALYZE");
    let second = rows_read(&place, "FX102", "918999000012").await;
    assert!(second < most, "{second} rows of a new tenant");
}

/// A store is used in the same way on a runtime of one thread, of many, and without one.
#[test]
fn reads_work_with_and_without_a_runtime() {
    let place = Place::new();
    let store = place.open();
    assert!(store.tenants().unwrap().is_empty());
    let one = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let key = one.block_on(async { tenant(&store).await.0.key() });
    let many = tokio::runtime::Runtime::new().unwrap();
    let read = store.clone();
    let found = many.block_on(async move {
        tokio::spawn(async move { read.tenants().unwrap()[0].key })
            .await
            .unwrap()
    });
    assert_eq!(found, key);
    let read = store.clone();
    let found = many.block_on(async move {
        let work = move || read.tenants().unwrap()[0].key;
        tokio::task::spawn_blocking(work).await.unwrap()
    });
    assert_eq!(found, key);
}

/// Invariants stand on indexes and triggers; without them no server starts.
#[test]
fn a_schema_that_lacks_something_is_refused() {
    for (broken, named) in [
        ("DROP INDEX appointment_live", "index appointment_live"),
        (
            "ALTER TABLE audit DISABLE TRIGGER audit_kept",
            "trigger audit_kept",
        ),
        ("DROP TRIGGER audit_fixed ON audit", "trigger audit_fixed"),
        (
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'appointment_live'::regclass",
            "index appointment_live",
        ),
        (
            "ALTER TABLE slot DROP COLUMN held_first",
            "table slot lacks its column held_first",
        ),
        (
            "CREATE OR REPLACE FUNCTION uec_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
            "function uec_refuse",
        ),
    ] {
        let url = server().migrated();
        try_run(&url, broken).unwrap();
        let refused = error(&url);
        assert!(matches!(refused, StoreError::Schema { .. }), "{refused}");
        assert!(refused.to_string().contains(named), "{refused}");
        let seen = Store::inspect(&url, false).unwrap();
        assert!(
            seen.schema_faults.iter().any(|f| f.contains(named)),
            "{seen:?}"
        );
    }
    for number in [0, 1] {
        let url = server().migrated();
        try_run(&url, &format!("UPDATE uec_schema SET number = {number}")).unwrap();
        let refused = error(&url);
        assert!(matches!(refused, StoreError::Schema { .. }), "{refused}");
        assert!(
            refused
                .to_string()
                .contains(&format!("its number is {number}")),
            "{refused}"
        );
    }
}

/// A server that takes no writes, and a user that may not write.
#[test]
fn a_database_that_may_only_be_read_is_refused() {
    let url = server().migrated();
    let name = url
        .split('/')
        .next_back()
        .unwrap()
        .split('?')
        .next()
        .unwrap();
    try_run(
        &url,
        "CREATE ROLE reads LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reads",
    )
    .unwrap();
    let said = error(&url.replace("uec@", "reads@")).to_string();
    assert!(said.contains("INSERT on appointment"), "{said}");
    assert!(said.contains("docs/postgresql.md"), "{said}");
    let seen = Store::inspect(&url, false).unwrap();
    assert_eq!(seen.unwritable, None);
    let seen = Store::inspect(&url.replace("uec@", "reads@"), false).unwrap();
    assert!(seen.unwritable.unwrap().contains("INSERT on audit"));

    try_run(
        &url,
        &format!("ALTER DATABASE {name} SET default_transaction_read_only = on"),
    )
    .unwrap();
    let said = error(&url);
    assert!(
        matches!(said, StoreError::ReadOnly { .. }) && said.is_transient(),
        "{said}"
    );
    assert!(
        said.to_string().contains("default_transaction_read_only"),
        "{said}"
    );
    let seen = Store::inspect(&url, false).unwrap_err();
    assert!(matches!(seen, StoreError::ReadOnly { .. }), "{seen}");
}
