//! The lists of slots and of services that a user saw last, so that a row can be named by its number.

use super::{Journal, JournalError};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

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
    #[serde(serialize_with = "crate::slots::rfc3339", deserialize_with = "moment")]
    pub start: Timestamp,
}

fn moment<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(D::Error::custom)
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
        let (user, encounter) = (super::rows::clipped(user), super::rows::clipped(encounter));
        self.run(move |t| {
            let found = t
                .query_row(
                    "SELECT l.at, l.detail
                     FROM (SELECT * FROM step WHERE kind = 'services' ORDER BY id DESC LIMIT ?1) AS l
                          JOIN encounter e ON e.id = l.encounter
                     WHERE l.outcome = 'shown' AND e.user = ?2 ORDER BY l.encounter = ?3 DESC, l.id DESC LIMIT 1",
                    params![NEWEST, user, encounter],
                    |r| Ok((r.get::<_, i64>(0)?, r.get::<_, Option<String>>(1)?)),
                )
                .optional()?;
            let id = |row: &serde_json::Value| row["service"].as_str().map(str::to_owned);
            Ok(found.map(|(at, detail)| Ranking {
                at: super::known::at(at),
                services: detail
                    .and_then(|d| serde_json::from_str::<serde_json::Value>(&d).ok())
                    .and_then(|d| d["ranked"].as_array()?.iter().map(id).collect()),
            }))
        })
        .await
    }

    /// When a slot of a service starts that was shown before, if it was.
    pub async fn last_shown(
        &self,
        service: &str,
        slot: &str,
    ) -> Result<Option<Timestamp>, JournalError> {
        let (service, slot) = (service.to_owned(), slot.to_owned());
        self.run(move |t| {
            let start = t
                .query_row(
                    "SELECT shown.start FROM slot_shown AS shown JOIN step s ON s.id = shown.step
                     WHERE shown.step > (SELECT coalesce(max(id), 0) FROM step) - ?3 AND shown.slot = ?2 AND s.service = ?1
                     ORDER BY shown.step DESC LIMIT 1",
                    params![service, slot, NEWEST_STEPS],
                    |r| r.get::<_, i64>(0),
                )
                .optional()?;
            Ok(start.map(super::known::at))
        })
        .await
    }

    /// The list that this user saw last: in this encounter if there was one, else in any.
    pub async fn last_listing(
        &self,
        user: &str,
        encounter: &str,
    ) -> Result<Option<Listing>, JournalError> {
        let (user, encounter) = (super::rows::clipped(user), super::rows::clipped(encounter));
        self.run(move |t| {
            let found = t
                .query_row(
                    "SELECT l.at, l.service, l.detail
                     FROM (SELECT * FROM step WHERE kind = ?1 ORDER BY id DESC LIMIT ?2) AS l
                          JOIN encounter e ON e.id = l.encounter
                     WHERE e.user = ?3 ORDER BY l.encounter = ?4 DESC, l.id DESC LIMIT 1",
                    params![LISTED, NEWEST, user, encounter],
                    |r| {
                        Ok((
                            r.get::<_, i64>(0)?,
                            r.get::<_, Option<String>>(1)?,
                            r.get::<_, Option<String>>(2)?,
                        ))
                    },
                )
                .optional()?;
            let Some((at, Some(service), Some(detail))) = found else {
                return Ok(None);
            };
            let rows = serde_json::from_str::<serde_json::Value>(&detail)
                .ok()
                .and_then(|d| serde_json::from_value(d["rows"].clone()).ok());
            Ok(rows.map(|rows| Listing {
                at: super::known::at(at),
                service,
                rows,
            }))
        })
        .await
    }
}
