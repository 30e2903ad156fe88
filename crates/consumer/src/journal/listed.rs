//! The lists of slots and of services that a user saw last, so that a row can be named by its number.

use super::known::at;
use super::rows::clipped;
use super::{Journal, JournalError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Kind of the step that keeps a list.
pub const LISTED: &str = "listed";
/// Most rows of a list that are kept: with their ids they stay within what a step may hold.
pub const MAX_ROWS: usize = 200;
/// Newest lists that are looked through: other users write the same journal.
const NEWEST: i64 = 500;
/// Newest steps in which a slot that was shown is looked for: those of some days.
const NEWEST_STEPS: i64 = 10_000;

/// One numbered row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedSlot {
    /// Slot id.
    pub slot: String,
    /// Its start.
    pub start: Timestamp,
}

/// A list as it was shown; the first row is number 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// When.
    pub at: Timestamp,
    /// DoS service id.
    pub service: String,
    /// The rows.
    pub rows: Vec<ListedSlot>,
}

/// A list of services as it was shown; the first is number 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranking {
    /// When.
    pub at: Timestamp,
    /// DoS service ids; `None` when the list was too long to be kept.
    pub services: Option<Vec<String>>,
}

impl Journal {
    /// The list of services that this user saw last: in this encounter if there was one, else in any.
    pub async fn last_ranking(
        &self,
        user: &str,
        encounter: &str,
    ) -> Result<Option<Ranking>, JournalError> {
        let sql = "SELECT l.at, l.detail
             FROM (SELECT * FROM step WHERE kind = 'services' ORDER BY id DESC LIMIT ?1) AS l
                  JOIN encounter e ON e.id = l.encounter
             WHERE l.outcome = 'shown' AND e.user = ?2 ORDER BY l.encounter = ?3 DESC, l.id DESC LIMIT 1";
        let values = (NEWEST, clipped(user), clipped(encounter));
        let id = |row: &Value| row["service"].as_str().map(str::to_owned);
        self.first(sql, values, move |r| {
            Ok(Ranking {
                at: at(r.get(0)?),
                services: detail(r.get(1)?)
                    .and_then(|d| d["ranked"].as_array()?.iter().map(id).collect()),
            })
        })
        .await
    }

    /// When a slot of a service starts that was shown before, if it was.
    pub async fn last_shown(
        &self,
        service: &str,
        slot: &str,
    ) -> Result<Option<Timestamp>, JournalError> {
        let sql = "SELECT shown.start FROM slot_shown AS shown JOIN step s ON s.id = shown.step
             WHERE shown.step > (SELECT coalesce(max(id), 0) FROM step) - ?3 AND shown.slot = ?2 AND s.service = ?1
             ORDER BY shown.step DESC LIMIT 1";
        let values = (service.to_owned(), slot.to_owned(), NEWEST_STEPS);
        self.first(sql, values, |r| Ok(at(r.get(0)?))).await
    }

    /// The list that this user saw last: in this encounter if there was one, else in any.
    pub async fn last_listing(
        &self,
        user: &str,
        encounter: &str,
    ) -> Result<Option<Listing>, JournalError> {
        let sql = "SELECT l.at, l.service, l.detail
             FROM (SELECT * FROM step WHERE kind = ?1 ORDER BY id DESC LIMIT ?2) AS l
                  JOIN encounter e ON e.id = l.encounter
             WHERE e.user = ?3 ORDER BY l.encounter = ?4 DESC, l.id DESC LIMIT 1";
        let values = (LISTED, NEWEST, clipped(user), clipped(encounter));
        let found = self.first(sql, values, |r| {
            let (service, detail) = (r.get::<_, Option<String>>(1)?, detail(r.get(2)?));
            let rows = detail.and_then(|d| serde_json::from_value(d["rows"].clone()).ok());
            let at = at(r.get(0)?);
            Ok(service
                .zip(rows)
                .map(|(service, rows)| Listing { at, service, rows }))
        });
        Ok(found.await?.flatten())
    }
}

/// What belongs to a step, if it can be read.
fn detail(text: Option<String>) -> Option<Value> {
    serde_json::from_str(&text?).ok()
}
