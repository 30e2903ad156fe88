//! The Provider's diary in a scenario: clinics around the clock, one of them with a cap.

use crate::http::Connection;
use crate::message::{ASID, CONSUMER_ASID, CONSUMER_ODS, Heads, ODS, Slot};
use crate::provider;
use jiff::Timestamp;
use serde_json::Value;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

/// Slots of a clinic on one day: one every ten minutes.
pub const SLOTS_A_DAY: usize = 144;
/// Most bookings that the consumer may have on one day in the clinic with a cap.
pub const CAP: u32 = 8;

/// How large the diary is.
#[derive(Clone, Copy)]
pub struct Size {
    /// Clinics; the last one has the cap.
    pub clinics: usize,
    /// Days from tomorrow on.
    pub days: usize,
}

impl Size {
    /// A diary with at least so many slots without cap.
    pub fn of_slots(slots: usize) -> Size {
        let days = 14;
        Size {
            clinics: slots.div_ceil(SLOTS_A_DAY * days) + 1,
            days,
        }
    }
}

/// DoS service id of a clinic.
pub fn service(clinic: usize) -> String {
    format!("{}", 2_000_400_000 + clinic)
}

/// Puts the diary into the database, with the program's own command.
pub fn declare(program: &Path, folder: &Path, database: &str, size: Size) -> Result<(), String> {
    let file = folder.join("diary.toml");
    std::fs::write(&file, declaration(size))
        .map_err(|e| format!("cannot write {}: {e}", file.display()))?;
    let file = file.to_string_lossy().into_owned();
    provider::run(program, &["apply", &file, "--database", database]).map(|_| ())
}

fn declaration(size: Size) -> String {
    let mut out = format!(
        "[provider]\nods = \"{ODS}\"\nasid = \"{ASID}\"\nname = \"Tried Care\"\nhorizon_days = {}\n\
         [[organization]]\nid = \"fx404\"\nods = \"{ODS}\"\nname = \"Tried Care\"\n\
         address = {{ lines = [\"4 Tried Way\"], city = \"Exampleton\", postcode = \"LS99 9ZA\" }}\n\
         [[location]]\nid = \"place\"\nsite = \"FX40401\"\nname = \"Tried Treatment Centre\"\n\
         organization = \"fx404\"\n\
         address = {{ lines = [\"4 Tried Way\"], city = \"Exampleton\", postcode = \"LS99 9ZA\" }}\n\
         [[consumer]]\nods = \"{CONSUMER_ODS}\"\nasid = \"{CONSUMER_ASID}\"\nname = \"Fernhill 111\"\nkind = \"111\"\n\
         [[release]]\nid = \"few\"\nkinds = [\"111\"]\ncap = {CAP}\n",
        size.days + 1
    );
    for n in 0..size.clinics {
        let release = match n + 1 == size.clinics {
            true => "release = [\"few\"]\n",
            false => "",
        };
        // Writing into a String cannot fail.
        let _ = write!(
            out,
            "[[service]]\nid = \"{}\"\nname = \"Clinic {n}\"\nprovided_by = \"fx404\"\nlocation = \"place\"\n{release}\
             [[schedule]]\nid = \"clinic-{n}\"\nservices = [\"{}\"]\nlocation = \"place\"\n\
             [[template]]\nid = \"day-{n}\"\nschedule = \"clinic-{n}\"\nweekdays = [\"mon\", \"tue\", \"wed\", \"thu\", \
             \"fri\", \"sat\", \"sun\"]\nfrom = \"00:00\"\nto = \"24:00\"\nslot_minutes = 10\n",
            service(n),
            service(n),
        );
    }
    out
}

/// A time that one search covers.
#[derive(Clone, Copy)]
pub struct Window {
    /// First start.
    pub from: Timestamp,
    /// Last start.
    pub to: Timestamp,
}

/// The days of a diary, from tomorrow's midnight (UTC) on.
pub fn windows(size: Size, now: Timestamp) -> Vec<Window> {
    let day = 24 * 3_600;
    let today = now.as_second().div_euclid(day) * day;
    (1..=size.days)
        .filter_map(|n| {
            let from = today + i64::try_from(n).ok()? * day;
            Some(Window {
                from: Timestamp::from_second(from).ok()?,
                to: Timestamp::from_second(from + day - 1).ok()?,
            })
        })
        .collect()
}

/// The free slots of the whole diary, by one search per clinic and day.
pub async fn free_slots(
    address: SocketAddr,
    heads: &Heads,
    size: Size,
    now: Timestamp,
) -> Result<Vec<Slot>, String> {
    let mut connection = Connection::open(address)
        .await
        .map_err(|e| format!("a search could not be sent: {}", e.word()))?;
    let mut found = Vec::new();
    for clinic in 0..size.clinics {
        for window in windows(size, now) {
            let request = heads.search(&service(clinic), window.from, window.to);
            let answer = connection
                .send(&request)
                .await
                .map_err(|e| format!("a search had no answer: {}", e.word()))?;
            if answer.status != 200 {
                let body = String::from_utf8_lossy(&answer.body).into_owned();
                return Err(format!("a search was answered {}: {body}", answer.status));
            }
            let cap = match clinic + 1 == size.clinics {
                true => CAP,
                false => 0,
            };
            found.extend(slots_of(&answer.body, clinic, cap));
        }
    }
    Ok(found)
}

/// The slots of a Bundle.
fn slots_of(bundle: &[u8], clinic: usize, cap: u32) -> Vec<Slot> {
    let bundle: Value = serde_json::from_slice(bundle).unwrap_or_default();
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    entries
        .iter()
        .map(|entry| &entry["resource"])
        .filter(|r| r["resourceType"] == "Slot" && r["status"] == "free")
        .filter_map(|slot| {
            Some(Slot {
                uuid: slot["id"].as_str()?.parse().ok()?,
                schedule: format!("clinic-{clinic}"),
                service: service(clinic),
                start: text(&slot["start"]),
                end: text(&slot["end"]),
                cap,
            })
        })
        .collect()
}
