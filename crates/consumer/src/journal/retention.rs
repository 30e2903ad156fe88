//! Retention (AUD-07): personal data leave the journal when they are due; what reports count stays.

use super::{Journal, JournalError};
use jiff::Timestamp;
use rusqlite::{Transaction, params};
use serde::Serialize;

/// What is taken out, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Forgotten {
    /// Encounters whose personal data go.
    pub encounters: i64,
    /// Bookings that lose their patient.
    pub bookings: i64,
    /// Requests, with the addresses and ids that lead to an appointment.
    pub requests: i64,
    /// Encounters that are old enough, but have a booking that is to come or is not certain.
    pub kept: i64,
}

/// The encounters that are due: begun before, and with no booking that starts later or whose end is not known.
const DUE: &str = "CREATE TEMP TABLE due AS SELECT id FROM encounter e WHERE opened_at < ?1 AND NOT EXISTS (
    SELECT 1 FROM booking b WHERE b.encounter = e.id AND (b.start >= ?1 OR b.state IN ('requested', 'unknown')))";

/// What a step's detail loses: ids that lead to an appointment, foreign texts. What is left is counted by reports: kind
/// and stage of an obstacle, the words shown, numbers of slots, ranked services, document ids.
const STRIPPED: &str =
    "UPDATE step SET detail = json_remove(detail, '$.log', '$.remarks', '$.provider_faults',
    '$.appointment', '$.url', '$.slot', '$.rows', '$.text', '$.obstacle.log')
    WHERE detail IS NOT NULL AND json_valid(detail) AND encounter IN (SELECT id FROM due)";

impl Journal {
    /// Takes personal data out of everything that was over before a moment. With `dry` nothing is changed.
    pub async fn forget(&self, before: Timestamp, dry: bool) -> Result<Forgotten, JournalError> {
        self.run(move |t| {
            let before = before.as_millisecond();
            t.execute(DUE, params![before])?;
            let found = counted(t, before)?;
            if !dry {
                for sql in [
                    "DELETE FROM exchange WHERE step IN (SELECT id FROM step WHERE encounter IN (SELECT id FROM due))",
                    STRIPPED,
                    "UPDATE booking SET nhs_number = NULL, appointment = NULL, url = NULL, etag = NULL, approver = NULL,
                       details_digest = NULL, claim = NULL, open_question = NULL, old_appointment = NULL
                       WHERE encounter IN (SELECT id FROM due)",
                    "UPDATE encounter SET case_ref = NULL WHERE id IN (SELECT id FROM due)",
                ] {
                    t.execute(sql, [])?;
                }
            }
            t.execute("DROP TABLE due", [])?;
            Ok(found)
        })
        .await
    }
}

fn counted(t: &Transaction<'_>, before: i64) -> Result<Forgotten, JournalError> {
    let count = |sql: &str| t.query_row(sql, [], |r| r.get::<_, i64>(0));
    let bookings = "SELECT count(*) FROM booking WHERE encounter IN (SELECT id FROM due)
        AND (nhs_number IS NOT NULL OR appointment IS NOT NULL)";
    let requests = "SELECT count(*) FROM exchange WHERE step IN
        (SELECT id FROM step WHERE encounter IN (SELECT id FROM due))";
    let encounters = "SELECT count(*) FROM encounter e WHERE id IN (SELECT id FROM due) AND (case_ref IS NOT NULL
        OR EXISTS (SELECT 1 FROM booking b WHERE b.encounter = e.id AND (b.nhs_number IS NOT NULL OR b.appointment IS NOT NULL))
        OR EXISTS (SELECT 1 FROM step s JOIN exchange x ON x.step = s.id WHERE s.encounter = e.id))";
    let kept = t.query_row(
        "SELECT count(*) FROM encounter WHERE opened_at < ?1 AND id NOT IN (SELECT id FROM due)",
        [before],
        |r| r.get(0),
    )?;
    Ok(Forgotten {
        encounters: count(encounters)?,
        bookings: count(bookings)?,
        requests: count(requests)?,
        kept,
    })
}
