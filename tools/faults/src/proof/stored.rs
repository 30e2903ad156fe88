//! What the database holds, read behind the program's back.

use crate::database::Database;
use uuid::Uuid;

/// An appointment.
#[derive(Clone, Debug)]
pub struct Appointment {
    /// Id.
    pub id: Uuid,
    /// Slot; nil when the slot is not there any more.
    pub slot: Uuid,
    /// Whether it holds the slot.
    pub live: bool,
    /// Its version.
    pub version: u32,
    /// Service that was booked.
    pub service: String,
    /// Day of the start.
    pub day: i64,
    /// The consumer's organisation.
    pub ods: String,
}

/// A version of an appointment and the request that made it.
#[derive(Clone, Debug)]
pub struct Version {
    /// The appointment.
    pub appointment: Uuid,
    /// Number from 1.
    pub number: u32,
    /// `X-Request-ID`.
    pub request: Option<Uuid>,
}

/// A successful booking or cancellation in the audit trail, in the order of the chain.
#[derive(Clone, Debug)]
pub struct Event {
    /// Booked, or cancelled.
    pub booked: bool,
    /// The appointment.
    pub appointment: Uuid,
    /// The slot.
    pub slot: Uuid,
}

/// What `uec provider audit verify` said of a tenant.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The tenant.
    pub provider: String,
    /// Whether the chain is whole.
    pub verified: bool,
    /// Its rows, when it is.
    pub rows: u64,
    /// What is wrong, when it is not.
    pub what: String,
}

/// Everything that the proof needs.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// All appointments.
    pub appointments: Vec<Appointment>,
    /// All versions.
    pub versions: Vec<Version>,
    /// All slots, and whether each is free.
    pub slots: Vec<(Uuid, bool)>,
    /// The trail.
    pub trail: Vec<Event>,
    /// All chains.
    pub chains: Vec<Chain>,
}

impl Stored {
    /// Reads everything but the chains.
    pub fn read(database: &Database) -> Result<Stored, String> {
        let mut stored = Stored::default();
        let hex = |column: &str| match database {
            Database::Sqlite(_) => format!("lower(hex({column}))"),
            Database::Postgres(_) => format!("encode({column}, 'hex')"),
        };
        let uuid = hex("s.uuid");
        let nothing = Uuid::nil().simple().to_string();
        database.each(
            &format!(
                "SELECT a.id, coalesce({uuid}, '{nothing}'), a.live, a.version, a.service, a.day, a.booked_ods \
                 FROM appointment a LEFT JOIN slot s ON s.tenant = a.tenant AND s.key = a.slot"
            ),
            &mut |row| {
                stored.appointments.push(Appointment {
                    id: parse(row.first())?,
                    slot: parse(row.get(1))?,
                    live: row.get(2).is_some_and(|l| l == "1"),
                    version: parse(row.get(3))?,
                    service: row.get(4).cloned().unwrap_or_default(),
                    day: parse(row.get(5))?,
                    ods: row.get(6).cloned().unwrap_or_default(),
                });
                Ok(())
            },
        )?;
        database.each(
            "SELECT a.id, v.version, coalesce(v.request_id, '') FROM appointment_version v \
             JOIN appointment a ON a.tenant = v.tenant AND a.key = v.appointment",
            &mut |row| {
                stored.versions.push(Version {
                    appointment: parse(row.first())?,
                    number: parse(row.get(1))?,
                    request: row.get(2).and_then(|id| id.parse().ok()),
                });
                Ok(())
            },
        )?;
        database.each(
            &format!("SELECT {uuid}, s.status FROM slot s"),
            &mut |row| {
                let free = row.get(1).is_some_and(|status| status == "0");
                stored.slots.push((parse(row.first())?, free));
                Ok(())
            },
        )?;
        database.each(trail_query(database), &mut |row| {
            stored.trail.push(Event {
                booked: row.first().is_some_and(|name| name == "book"),
                appointment: parse(row.get(1))?,
                slot: parse(row.get(2))?,
            });
            Ok(())
        })?;
        Ok(stored)
    }
}

fn trail_query(database: &Database) -> &'static str {
    match database {
        Database::Sqlite(_) => {
            "SELECT body->>'interaction', body->>'appointment', body->>'slot' FROM audit \
             WHERE body->>'interaction' IN ('book', 'cancel') AND body->>'status' IN (200, 201) ORDER BY key"
        }
        Database::Postgres(_) => {
            "SELECT body::json->>'interaction', body::json->>'appointment', body::json->>'slot' FROM audit \
             WHERE body::json->>'interaction' IN ('book', 'cancel') AND body::json->>'status' IN ('200', '201') \
             ORDER BY tenant, seq"
        }
    }
}

fn parse<T: std::str::FromStr>(field: Option<&String>) -> Result<T, String> {
    let text = field.map_or("", String::as_str);
    text.parse()
        .map_err(|_| format!("the database holds `{text}` where something else was expected"))
}
