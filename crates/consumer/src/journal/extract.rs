//! What the journal has of one encounter, to be looked at or kept as evidence (CONS-ERR-05, AUD-05). It names no patient.

use super::known::{COLUMNS, at, booking, encounter};
use super::{Encounter, Journal, JournalError, KnownBooking};
use jiff::Timestamp;
use rusqlite::{Row, Transaction, params};
use serde::Serialize;
use serde_json::Value;

/// Most steps of an extract: a contact has tens.
const MOST_STEPS: i64 = 1_000;
/// Most attempts of one step: pages of a search and their repeats.
const MOST_ATTEMPTS: i64 = 100;
/// Most bookings of one encounter that are read.
const MOST_BOOKINGS: i64 = 200;

/// An encounter with everything that happened in it.
#[derive(Clone, Debug, Serialize)]
pub struct Extract {
    /// The encounter.
    pub encounter: Encounter,
    /// Its steps, oldest first.
    pub steps: Vec<KeptStep>,
    /// Its bookings, oldest first.
    pub bookings: Vec<KnownBooking>,
}

/// A step as it was kept.
#[derive(Clone, Debug, Serialize)]
pub struct KeptStep {
    /// When it began.
    pub at: Timestamp,
    /// What it was.
    pub kind: String,
    /// DoS service id.
    pub service: Option<String>,
    /// How it ended; none while it is under way, or when it never ended.
    pub outcome: Option<String>,
    /// What belongs to it.
    pub detail: Value,
    /// Its requests.
    pub attempts: Vec<Attempt>,
}

/// A request as it was kept.
#[derive(Clone, Debug, Serialize)]
pub struct Attempt {
    /// When it was sent.
    pub at: Timestamp,
    /// Which interaction.
    pub interaction: String,
    /// 1 for the first.
    pub attempt: i64,
    /// Address without query.
    pub address: String,
    /// `Ssp-From`
    pub asid_from: String,
    /// `Ssp-To`
    pub asid_to: String,
    /// `Ssp-TraceID`
    pub trace_id: String,
    /// `X-Request-ID` sent.
    pub request_id: String,
    /// `X-Correlation-ID` of the answer.
    pub correlation_id: Option<String>,
    /// HTTP status; none without an answer.
    pub status: Option<i64>,
    /// How long it took.
    pub elapsed_ms: i64,
    /// What was wrong.
    pub fault: Option<String>,
}

impl Journal {
    /// What is kept of an encounter; `None` when it is not known here.
    pub async fn extract(&self, id: &str) -> Result<Option<Extract>, JournalError> {
        let id = id.to_owned();
        self.run(move |t| {
            let Some(encounter) = encounter(t, &id)? else {
                return Ok(None);
            };
            Ok(Some(Extract {
                encounter,
                steps: steps(t, &id)?,
                bookings: bookings(t, &id)?,
            }))
        })
        .await
    }
}

fn bookings(t: &Transaction<'_>, id: &str) -> Result<Vec<KnownBooking>, JournalError> {
    let mut select = t.prepare(&format!(
        "SELECT {COLUMNS} FROM booking WHERE encounter = ?1 ORDER BY requested_at, rowid LIMIT {MOST_BOOKINGS}"
    ))?;
    let rows = select.query_map([id], booking)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn steps(t: &Transaction<'_>, id: &str) -> Result<Vec<KeptStep>, JournalError> {
    let mut select = t.prepare(
        "SELECT id, at, kind, service, outcome, detail FROM step WHERE encounter = ?1 ORDER BY id LIMIT ?2",
    )?;
    let mut attempts = t.prepare(
        "SELECT at, interaction, attempt, address, asid_from, asid_to, trace_id, request_id, correlation_id, status,
           elapsed_ms, fault FROM exchange WHERE step = ?1 ORDER BY id LIMIT ?2",
    )?;
    let read = |r: &Row<'_>| {
        let detail: Option<String> = r.get(5)?;
        let step = KeptStep {
            at: at(r.get(1)?),
            kind: r.get(2)?,
            service: r.get(3)?,
            outcome: r.get(4)?,
            detail: detail
                .and_then(|text| serde_json::from_str(&text).ok())
                .unwrap_or_default(),
            attempts: Vec::new(),
        };
        Ok((r.get::<_, i64>(0)?, step))
    };
    let found: Vec<(i64, KeptStep)> = select
        .query_map(params![id, MOST_STEPS], read)?
        .collect::<Result<_, _>>()?;
    let mut steps = Vec::with_capacity(found.len());
    for (number, mut step) in found {
        let rows = attempts.query_map(params![number, MOST_ATTEMPTS], attempt)?;
        step.attempts = rows.collect::<Result<_, _>>()?;
        steps.push(step);
    }
    Ok(steps)
}

fn attempt(r: &Row<'_>) -> rusqlite::Result<Attempt> {
    Ok(Attempt {
        at: at(r.get(0)?),
        interaction: r.get(1)?,
        attempt: r.get(2)?,
        address: r.get(3)?,
        asid_from: r.get(4)?,
        asid_to: r.get(5)?,
        trace_id: r.get(6)?,
        request_id: r.get(7)?,
        correlation_id: r.get(8)?,
        status: r.get(9)?,
        elapsed_ms: r.get(10)?,
        fault: r.get(11)?,
    })
}
