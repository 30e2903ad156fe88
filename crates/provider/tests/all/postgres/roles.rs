//! The roles of docs/postgresql.md: its statements are run as they stand, one role makes the tables, the other has what
//! the program needs and no more.

use super::store_fixture::raw::{Postgres, try_run};
use super::store_fixture::*;
use provider::store::{SlotChange, SlotFilter, Store, StoreError};

/// Statements of a block of the guide, by its number.
fn block(n: usize) -> Vec<String> {
    let guide = include_str!("../../../../../docs/postgresql.md");
    let block = guide.split("```sql\n").nth(n).expect("a block of SQL");
    let block = block.split("```").next().unwrap();
    let lines = block.lines().filter(|line| !line.starts_with("--"));
    let text = lines.collect::<Vec<_>>().join("\n");
    let statements = text.split(';').map(str::trim);
    statements
        .filter(|s| !s.is_empty())
        .map(str::to_owned)
        .collect()
}

fn error(url: &str) -> StoreError {
    match Store::open(url, &provider::store::Options::default()) {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn the_guides_roles_are_enough_and_no_more() {
    let server = server();
    for statement in block(1) {
        try_run(&server.url("postgres"), &statement).unwrap();
    }
    let of = |role: &str| server.url("uec").replace("uec@", &format!("{role}@"));
    let (owner, own) = (of("uec_owner"), of("uec_run"));
    for statement in block(2) {
        try_run(&owner, &statement).unwrap();
    }
    let refused = error(&own).to_string();
    assert!(refused.contains("uec provider migrate"), "{refused}");
    drop(open_url(&owner));
    for statement in block(3) {
        try_run(&owner, &statement).unwrap();
    }

    // Everything that the program does.
    let store = open_url(&own);
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 10).await;
    let made = book(tenant, slots[0]).await;
    let cancelled = tenant.cancel(cancellation(&made.id, 1)).await;
    assert_eq!(cancelled.unwrap().version, 2);
    let some = || SlotFilter {
        schedules: vec![gp],
        slots: vec![slots[1]],
        ..SlotFilter::default()
    };
    let held = tenant
        .change_slots(SlotChange::Hold, some(), now(), &staff())
        .await;
    assert_eq!(held.unwrap(), 1);
    let gone = tenant
        .change_slots(SlotChange::Remove, some(), now(), &staff())
        .await;
    assert_eq!(gone.unwrap(), 1);
    let day = tenant.slots_of_day(gp, provider::store::utc_day(first_start()));
    assert_eq!(day.unwrap().1.len(), 9);
    assert_trail_verifies(tenant);

    // And what it does not.
    let hand = Postgres::connect(&own).unwrap();
    for sql in [
        "UPDATE audit SET body = ''",
        "UPDATE appointment_version SET json = ''",
        "UPDATE referral_message SET body = 'x'",
        "DELETE FROM appointment",
        "DELETE FROM referral",
        "TRUNCATE audit",
        "UPDATE uec_schema SET number = 0",
        "ALTER TABLE audit DISABLE TRIGGER ALL",
        "CREATE TABLE more (a INT)",
    ] {
        let said = hand.rows(sql).unwrap_err();
        assert!(said.starts_with("42501"), "{sql}: {said}");
    }
    // What a replica is judged by may be asked by anybody.
    let asked = "SELECT system_identifier, timeline_id, pg_walfile_name(pg_current_wal_flush_lsn()), pg_last_wal_replay_lsn()
                 FROM pg_control_system(), pg_control_checkpoint()";
    assert_eq!(hand.rows(asked).unwrap().len(), 1);
}
