//! The database: there, ours, whole, writable, with room, and its audit trails.

use super::Findings;
use booking::count::counted;
use provider::anchor::folder::Anchors;
use provider::anchor::{compare, keeper};
use provider::config::Settings;
use provider::health::free_bytes;
use provider::store::{AuditVerdict, Inspection, Options, ServerSeen, Store};
use std::path::Path;

/// A WAL longer than this is not being copied back, bytes: the server starts it anew at a tenth.
const LONG_WAL: u64 = 640 << 20;
/// Transactions after which the server should long have looked after every row again; it does by itself at 200 million.
const OLD_TRANSACTIONS: i64 = 1_000_000_000;
/// Audit trails up to this long are checked whole, about a second.
const SHORT_TRAIL: i64 = 1_000_000;

/// Looks at the database; hands on the open store when its data can be looked at.
pub fn check(url: &str, settings: &Settings, pages: bool, out: &mut Findings<'_>) -> Option<Store> {
    let seen = match Store::inspect(url, pages) {
        Ok(seen) => seen,
        Err(error) => {
            out.problem(
                format!("The database cannot be read: {error}."),
                "Check the address, the rights of the user that runs this, and that the server was started once.",
            );
            return None;
        }
    };
    whole(&seen, out);
    match (&seen.file, &seen.server) {
        (Some(file), _) => disk(&seen, file, settings, out),
        (None, Some(server)) => of_server(server, out),
        (None, None) => {}
    }
    for lost in &seen.lost {
        out.problem(
            format!("Bookings that were acknowledged are not in the database: {lost}."),
            "Look for its WAL or a later copy before anything more is booked; see docs/operations.md.",
        );
    }
    if !seen.schema_faults.is_empty() {
        out.problem(
            format!(
                "The schema is not what this program makes: {}. A server does not start on it.",
                seen.schema_faults.join(", ")
            ),
            "Restore the latest good backup, or copy the data into a new database with `uec provider copy`.",
        );
    }
    if seen.schema != seen.newest {
        out.warn(
            format!(
                "The schema is {}, this program knows {}: its data was not looked at.",
                seen.schema, seen.newest
            ),
            "Make a backup, then start this release's server once: it brings the schema up to date.",
        );
        return None;
    }
    if seen.unwritable.is_some() || seen.damage.is_some() || !seen.schema_faults.is_empty() {
        // Opening it would take the write lock, or read what is damaged or not there.
        return None;
    }
    let options = Options {
        create: false,
        allow_shared_files: settings.allow_shared_files,
        ..Options::default()
    };
    match Store::open(url, &options) {
        Ok(store) => {
            contents(&store, out);
            anchored(&store, settings, out);
            Some(store)
        }
        Err(error) => {
            out.problem(
                format!("The database cannot be opened: {error}."),
                "Do what the sentence says, then run this again.",
            );
            None
        }
    }
}

fn whole(seen: &Inspection, out: &mut Findings<'_>) {
    match &seen.damage {
        Some(what) => out.problem(
            format!("The database is damaged: {what}."),
            "Stop the server, keep what is there, and restore the latest good backup.",
        ),
        None if seen.pages_checked => out.ok(format!(
            "The database is whole, {} MB, schema {}.",
            seen.bytes >> 20,
            seen.schema
        )),
        None => out.ok(format!(
            "The database can be read, {} MB, schema {}; its pages were not looked at.",
            seen.bytes >> 20,
            seen.schema
        )),
    }
    match &seen.unwritable {
        Some(why) => out.problem(
            format!("Nothing can be written: {why}."),
            "Close whatever else holds the database, or give the user that runs the server the right to write.",
        ),
        None => out.ok("It can be written."),
    }
}

fn disk(seen: &Inspection, file: &Path, settings: &Settings, out: &mut Findings<'_>) {
    if seen.wal_bytes > LONG_WAL {
        out.warn(
            format!(
                "{} MB are written but not yet copied into the database file.",
                seen.wal_bytes >> 20
            ),
            "Look for a program that keeps a read open for long, or a disk that cannot keep up.",
        );
    }
    let wanted = settings.health.disk_free_bytes;
    match free_bytes(file) {
        None => out.note("The free space of its disk could not be read.", ""),
        Some(free) if free < wanted => out.problem(
            format!(
                "Its disk has {} MB left; below {} MB the server is not ready.",
                free >> 20,
                wanted >> 20
            ),
            "Free space on the disk, or move the database to a larger one.",
        ),
        // Room for a copy, so that a backup can be made beside it.
        Some(free) if free < wanted.max(seen.bytes * 2) => out.warn(
            format!(
                "Its disk has {} MB left, less than twice the database.",
                free >> 20
            ),
            "Plan for a larger disk: a backup beside the database would fill it.",
        ),
        Some(free) => out.ok(format!("Its disk has {} MB left.", free >> 20)),
    }
}

/// What keeps a server from losing a booking, or from taking the next one.
fn of_server(seen: &ServerSeen, out: &mut Findings<'_>) {
    out.ok(format!("The server is PostgreSQL {}.", seen.version));
    if !seen.fsync || !seen.full_page_writes {
        out.problem(
            "The server does not make sure that what is committed is on its disk: a booking can be lost when it stops.",
            "Set fsync = on and full_page_writes = on in postgresql.conf, and reload it.",
        );
    }
    match seen.synchronous_standbys.as_str() {
        "" => out.note(
            "No standby confirms a commit: when the server's disk is lost, so are the bookings since the last backup.",
            "Set synchronous_standby_names, see docs/postgresql.md.",
        ),
        names => out.ok(format!("A commit waits for a standby: {names}.")),
    }
    if seen.connections * 10 > seen.connections_most * 8 {
        out.warn(
            format!(
                "{} of {} connections are in use.",
                seen.connections, seen.connections_most
            ),
            "Raise max_connections, or give each process fewer readers and writers.",
        );
    }
    if seen.transaction_age > OLD_TRANSACTIONS {
        out.problem(
            format!(
                "The oldest row was last looked after {} million transactions ago; the server stops at 2000 million.",
                seen.transaction_age / 1_000_000
            ),
            "Find out what keeps autovacuum from its work: a transaction left open, a standby, a replication slot.",
        );
    }
    if seen.prepared > 0 {
        out.warn(
            format!("{} prepared transactions are left open.", seen.prepared),
            "They are not this program's; end them with COMMIT PREPARED or ROLLBACK PREPARED.",
        );
    }
    if seen.idle_slots > 0 {
        out.warn(
            format!(
                "{} replication slots have no reader, and keep WAL until the disk is full.",
                seen.idle_slots
            ),
            "Bring the standby back, or drop the slot with pg_drop_replication_slot.",
        );
    }
}

fn contents(store: &Store, out: &mut Findings<'_>) {
    let tenants = match store.tenants() {
        Ok(tenants) => tenants,
        Err(error) => return out.problem(format!("Its providers cannot be read: {error}."), ""),
    };
    if tenants.is_empty() {
        out.problem(
            "No provider is declared.",
            "Declare one with `uec provider apply FILE`.",
        );
    }
    for tenant in tenants {
        let last = store
            .tenant(tenant.key)
            .audit_last_before(jiff::Timestamp::MAX);
        match last {
            Err(error) => out.problem(
                format!("The audit trail of {} cannot be read: {error}.", tenant.ods),
                "Keep the file and restore the latest good backup.",
            ),
            Ok(rows) if rows > SHORT_TRAIL => out.note(
                format!("The audit trail of {} has {rows} rows; it was not checked.", tenant.ods),
                "Check it with `uec provider audit verify`, which takes about a second per million rows.",
            ),
            Ok(_) => trail(store, &tenant, out),
        }
    }
}

/// Whether what was signed of the audit trails is still there.
fn anchored(store: &Store, settings: &Settings, out: &mut Findings<'_>) {
    const ADVICE: &str = "Make a key with `uec provider audit key FILE --make`, and name it and a folder of another machine under \
                          [audit]: see docs/operations.md.";
    let keys = match keeper::keys(&settings.audit) {
        Ok(Some((_, keys))) => keys,
        Ok(None) => {
            return out.note(
                "Nothing outside the database proves its audit trails: no heads of them are signed.",
                ADVICE,
            );
        }
        Err(error) => return out.problem(format!("No head can be signed: {error}."), ADVICE),
    };
    let Some(folder) = &settings.audit.folder else {
        return out.note(
            "Signed heads of the audit trails are kept in no folder: a start does not notice what is missing.",
            ADVICE,
        );
    };
    let read = Anchors::read(folder, &keys).and_then(|anchors| {
        let losses = compare::losses(store, &anchors).map_err(|e| e.to_string())?;
        Ok((anchors, losses))
    });
    match read {
        Err(error) => out.problem(format!("The signed heads cannot be compared: {error}."), ""),
        Ok((anchors, losses)) => {
            if anchors.faulty + anchors.damaged > 0 {
                out.warn(
                    format!(
                        "{} signed heads cannot be believed: {}.",
                        anchors.faulty + anchors.damaged,
                        anchors.faults.first().map(String::as_str).unwrap_or_default()
                    ),
                    "Name the keys of before under audit.former_keys; find out who else writes to the folder.",
                );
            }
            for loss in &losses {
                out.problem(
                    format!("Bookings may be lost: {loss}."),
                    "Look for a newer copy of the database before anything else; once it is known what is lost, \
                     `uec provider audit accept-loss`.",
                );
            }
            if losses.is_empty() {
                out.ok(format!(
                    "The audit trails fit the {} heads that were signed.",
                    anchors.taken
                ));
            }
        }
    }
}

fn trail(store: &Store, tenant: &provider::store::TenantRow, out: &mut Findings<'_>) {
    match store.tenant(tenant.key).audit_verify() {
        Ok(AuditVerdict::Verified { rows, head, .. }) => out.ok(format!(
            "The audit trail of {} holds together: {}, head {}.",
            tenant.ods,
            counted(rows, "row", "rows"),
            head.get(..12).unwrap_or(&head)
        )),
        Ok(AuditVerdict::Broken { seq, what }) => out.problem(
            format!(
                "The audit trail of {} is broken at row {seq}: {what}.",
                tenant.ods
            ),
            "Keep the file as evidence, find out who could change it, and compare it with backups.",
        ),
        Err(error) => out.problem(
            format!(
                "The audit trail of {} cannot be checked: {error}.",
                tenant.ods
            ),
            "",
        ),
    }
}
