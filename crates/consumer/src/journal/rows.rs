//! What is written: encounters, steps, attempts, slots shown, bookings.

use super::bookings::{BookingRow, ELSEWHERE, Kept, Others, Settled};
use super::{Journal, JournalError};
use booking::foreign::Foreign;
use jiff::Timestamp;
use rusqlite::{TransactionBehavior, params};
use serde::Serialize;

/// Longest detail of a step, bytes: a ranked list of fifty services fits.
const MAX_DETAIL: usize = 32 * 1024;
/// Longest short text, characters.
const MAX_TEXT: usize = 500;
/// Most slots kept of one search, for the reports on slots shown.
const MAX_SHOWN: usize = 5_000;

/// The open contact of a user with a patient.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Encounter {
    /// Its id, of the caller's choice or a UUID.
    pub id: String,
    /// When it began.
    pub opened_at: Timestamp,
    /// When it ended.
    pub closed_at: Option<Timestamp>,
    /// The caller's own number of the case.
    pub case_ref: Option<String>,
    /// Id of the user.
    pub user: String,
    /// Whether the user is a clinician.
    pub clinical: bool,
    /// Disposition code.
    pub disposition: Option<String>,
    /// The disposition's timeframe, minutes from `opened_at`.
    pub within_minutes: Option<i64>,
    /// ODS code of the patient's registered practice.
    pub practice: Option<String>,
}

impl Encounter {
    /// One that begins now, under a new id, with a user who is no clinician and no timeframe yet.
    pub fn now(user: &str) -> Encounter {
        Encounter {
            id: uuid::Uuid::new_v4().to_string(),
            opened_at: Timestamp::now(),
            user: user.to_owned(),
            ..Encounter::default()
        }
    }

    /// The end of the disposition's timeframe (CONS-TF-01).
    pub fn due_at(&self) -> Option<Timestamp> {
        let minutes = self.within_minutes?;
        self.opened_at
            .checked_add(jiff::SignedDuration::from_mins(minutes))
            .ok()
    }
}

/// A step that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepId(pub(super) i64);

/// One attempt to get an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeRow {
    /// When it was sent.
    pub at: Timestamp,
    /// Which interaction.
    pub interaction: &'static str,
    /// 1 for the first.
    pub attempt: u32,
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
    /// `X-Request-ID` of the answer.
    pub response_id: Option<String>,
    /// `X-Correlation-ID` of the answer.
    pub correlation_id: Option<String>,
    /// HTTP status.
    pub status: Option<u16>,
    /// How long it took.
    pub elapsed_ms: i64,
    /// What was wrong, with codes.
    pub fault: Option<String>,
}

/// A slot that a user was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownSlot {
    /// Its id.
    pub id: String,
    /// Its start.
    pub start: Timestamp,
    /// Whether it is within the timeframe.
    pub inside: Option<bool>,
}

/// What became of a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Sent; nothing is known yet.
    Requested,
    /// Booked.
    Booked,
    /// Not booked.
    Failed,
    /// No answer, and nothing could be found out (CONS-BOOK-05).
    Unknown,
    /// Cancelled.
    Cancelled,
}

impl State {
    /// The word in the database.
    pub fn word(self) -> &'static str {
        match self {
            State::Requested => "requested",
            State::Booked => "booked",
            State::Failed => "failed",
            State::Unknown => "unknown",
            State::Cancelled => "cancelled",
        }
    }

    pub(super) fn from_word(word: &str) -> State {
        match word {
            "requested" => State::Requested,
            "booked" => State::Booked,
            "failed" => State::Failed,
            "cancelled" => State::Cancelled,
            _ => State::Unknown,
        }
    }
}

pub(super) fn clipped(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

fn ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

impl Journal {
    /// Opens an encounter, or goes on with the one of this id: then its first data stay, and what is new is added.
    /// Returns it as it stands.
    pub async fn encounter(&self, e: Encounter) -> Result<Encounter, JournalError> {
        self.run(move |t| {
            t.execute(
                "INSERT INTO encounter (id, opened_at, case_ref, user, clinical, disposition, within_minutes, due_at, practice)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (id) DO UPDATE SET
                   case_ref = coalesce(excluded.case_ref, case_ref),
                   disposition = coalesce(excluded.disposition, disposition),
                   within_minutes = coalesce(excluded.within_minutes, within_minutes),
                   due_at = coalesce(opened_at + 60000 * excluded.within_minutes, due_at),
                   practice = coalesce(excluded.practice, practice)",
                params![
                    clipped(&e.id), ms(e.opened_at), e.case_ref.as_deref().map(clipped), clipped(&e.user), e.clinical,
                    e.disposition.as_deref().map(clipped), e.within_minutes, e.due_at().map(ms),
                    e.practice.as_deref().map(clipped)
                ],
            )?;
            super::known::encounter(t, &clipped(&e.id))?
                .ok_or_else(|| JournalError::Failed("the encounter was not kept".to_owned()))
        })
        .await
    }

    /// Ends an encounter; one that has ended keeps its first end.
    pub async fn close(&self, encounter: &str, at: Timestamp) -> Result<(), JournalError> {
        let sql = "UPDATE encounter SET closed_at = ?2 WHERE id = ?1 AND closed_at IS NULL";
        self.execute(sql, (encounter.to_owned(), ms(at))).await?;
        Ok(())
    }

    /// Begins a step.
    pub async fn begin(
        &self,
        encounter: &str,
        kind: &'static str,
        service: Option<&str>,
        at: Timestamp,
    ) -> Result<StepId, JournalError> {
        let (encounter, service) = (encounter.to_owned(), service.map(clipped));
        self.run(move |t| {
            t.execute(
                "INSERT INTO step (encounter, at, kind, service) VALUES (?1, ?2, ?3, ?4)",
                params![encounter, ms(at), kind, service],
            )?;
            Ok(StepId(t.last_insert_rowid()))
        })
        .await
    }

    /// Ends a step with its outcome in one word and what belongs to it.
    pub async fn end(
        &self,
        step: StepId,
        outcome: &str,
        detail: serde_json::Value,
        at: Timestamp,
    ) -> Result<(), JournalError> {
        let text = detail.to_string();
        let detail = match text.len() > MAX_DETAIL {
            true => serde_json::json!({ "left_out": "longer than is kept" }).to_string(),
            false => text,
        };
        let sql = "UPDATE step SET outcome = ?2, detail = ?3, ended_at = ?4 WHERE id = ?1";
        self.execute(sql, (step.0, clipped(outcome), detail, ms(at)))
            .await?;
        Ok(())
    }

    /// Keeps an attempt.
    pub async fn exchange(&self, step: StepId, row: ExchangeRow) -> Result<(), JournalError> {
        let clip = |text: Option<String>| text.as_deref().map(clipped);
        let sql = "INSERT INTO exchange (step, at, interaction, attempt, address, asid_from, asid_to, trace_id, request_id,
               response_id, correlation_id, status, elapsed_ms, fault)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
        let values = (
            step.0,
            ms(row.at),
            row.interaction,
            row.attempt,
            clipped(&row.address),
            row.asid_from,
            row.asid_to,
            row.trace_id,
            row.request_id,
            clip(row.response_id),
            clip(row.correlation_id),
            row.status,
            row.elapsed_ms,
            clip(row.fault),
        );
        self.execute(sql, values).await?;
        Ok(())
    }

    /// Keeps what a user was shown.
    pub async fn shown(&self, step: StepId, slots: Vec<ShownSlot>) -> Result<(), JournalError> {
        self.run(move |t| {
            let mut insert = t.prepare(
                "INSERT OR IGNORE INTO slot_shown (step, slot, start, inside) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for slot in slots.iter().take(MAX_SHOWN) {
                insert.execute(params![step.0, slot.id, ms(slot.start), slot.inside])?;
            }
            Ok(())
        })
        .await
    }

    /// Keeps a booking before it is asked for, so that it is known whatever happens next. With `others`, only while the
    /// patient has no booking that the user does not know of: looking and writing are one step, also for several programs.
    pub async fn requested(
        &self,
        b: BookingRow,
        others: Option<Others>,
    ) -> Result<Kept, JournalError> {
        let claim =
            serde_json::to_string(&b.claim).map_err(|e| JournalError::Failed(e.to_string()))?;
        self.run_as(TransactionBehavior::Immediate, move |t| {
            if let Some(others) = &others
                && let Some(other) = super::known::other(t, b.nhs_number.as_ref(), b.at, others)?
            {
                return Ok(Kept::Other(Box::new(other)));
            }
            let told = |text: &Option<Foreign>| text.as_ref().map(|t| clipped(t.as_received()));
            t.execute(
                "INSERT INTO booking (document, encounter, service, asid, root, request_id, nhs_number, slot, start, end,
                   state, requested_at, replaces, outside_minutes, approver, patient_agreed, slot_identifier, claim,
                   details_digest, written_at, old_appointment, old_service, rebook_open, service_name, place, clinician,
                   may_have_left)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'requested', ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
                   ?11, ?19, ?20, ?19 IS NOT NULL, ?21, ?22, ?23, 0)",
                params![
                    b.document, b.encounter, b.service, b.asid, b.root, b.request_id,
                    b.nhs_number.as_ref().map(|n| n.as_str().to_owned()), b.claim.id, ms(b.start), ms(b.end), ms(b.at),
                    b.replaces.as_ref().and_then(|r| r.document.clone()), b.outside_minutes,
                    b.approver.as_deref().map(clipped), b.patient_agreed,
                    b.claim.identifier.as_ref().map(|(_, value)| value.clone()), claim, b.details_digest,
                    b.replaces.as_ref().map(|r| r.appointment.clone()), b.replaces.as_ref().map(|r| r.service.clone()),
                    told(&b.told.service), told(&b.told.place),
                    told(&b.told.clinician)
                ],
            )?;
            Ok(Kept::Yes)
        })
        .await
    }

    /// Keeps that a booking is asked for once more, or under another `X-Request-ID`, before that is done. False when its end
    /// is known meanwhile: then it may not be asked for.
    pub async fn asked_again(
        &self,
        document: &str,
        request_id: &str,
        at: Timestamp,
    ) -> Result<bool, JournalError> {
        let sql = "UPDATE booking SET request_id = ?2, requested_at = ?3, state = 'requested'
             WHERE document = ?1 AND state IN ('requested', 'unknown')";
        let values = (document.to_owned(), request_id.to_owned(), ms(at));
        Ok(self.execute(sql, values).await? == 1)
    }

    /// Keeps that the request for a booking is about to leave, before its first byte may. False when somebody has kept
    /// meanwhile that it was never made: then it must not leave.
    pub async fn leaving(&self, document: &str) -> Result<bool, JournalError> {
        let sql = "UPDATE booking SET may_have_left = 1
             WHERE document = ?1 AND state IN ('requested', 'unknown')";
        Ok(self.execute(sql, [document.to_owned()]).await? == 1)
    }

    /// Keeps that a booking was never made whose request has not left. False when it may have left meanwhile.
    pub async fn not_sent(&self, document: &str, at: Timestamp) -> Result<bool, JournalError> {
        let sql = "UPDATE booking SET state = 'failed', settled_at = ?2
             WHERE document = ?1 AND may_have_left = 0 AND state IN ('requested', 'unknown')";
        Ok(self.execute(sql, (document.to_owned(), ms(at))).await? == 1)
    }

    /// Keeps that an appointment of which its service said that it is cancelled stands all the same.
    pub async fn stands_after_all(
        &self,
        appointment: &str,
        asid: &str,
    ) -> Result<(), JournalError> {
        let sql = "UPDATE booking SET state = 'booked', cancelled_at = NULL, cancelled_by = NULL, cancelled_in = NULL
             WHERE appointment = ?1 AND asid = ?2 AND state = 'cancelled' AND cancelled_by = ?3";
        let values = (appointment.to_owned(), asid.to_owned(), ELSEWHERE);
        self.execute(sql, values).await?;
        Ok(())
    }

    /// Keeps that the old appointment of a rebooking was dealt with, one way or the other, and the user told.
    pub async fn rebook_closed(&self, document: &str) -> Result<(), JournalError> {
        let sql = "UPDATE booking SET rebook_open = 0 WHERE document = ?1";
        self.execute(sql, [document.to_owned()]).await?;
        Ok(())
    }

    /// Keeps how a booking ended; one that is cancelled was so elsewhere. What is known to be booked or cancelled is not unsettled by a program that knew less, and
    /// what another program has asked for again since is not called not booked.
    pub async fn settle(&self, document: &str, s: Settled) -> Result<(), JournalError> {
        let sql = "UPDATE booking SET state = ?2, appointment = coalesce(?3, appointment), url = coalesce(?4, url),
               version = coalesce(?5, version), etag = coalesce(?6, etag), settled_at = ?7, open_question = ?8,
               cancelled_at = CASE ?2 WHEN 'cancelled' THEN ?7 ELSE cancelled_at END,
               cancelled_by = CASE ?2 WHEN 'cancelled' THEN ?10 ELSE cancelled_by END
             WHERE document = ?1 AND state <> 'cancelled' AND (state <> 'booked' OR ?2 = 'booked')
               AND (?2 <> 'failed' OR ?9 IS NULL OR requested_at <= ?9)";
        let values = (
            document.to_owned(),
            s.state.word(),
            s.appointment,
            s.url,
            s.version,
            s.etag,
            ms(s.at),
            s.open_question.as_deref().map(clipped),
            s.asked_at.map(ms),
            ELSEWHERE,
        );
        self.execute(sql, values).await?;
        Ok(())
    }

    /// Keeps that an appointment is cancelled. One that is not known here was made elsewhere: the step tells of it.
    pub async fn cancelled(
        &self,
        appointment: &str,
        asid: &str,
        by: &str,
        encounter: &str,
        at: Timestamp,
    ) -> Result<(), JournalError> {
        let sql = "UPDATE booking SET state = 'cancelled', cancelled_at = ?3, cancelled_by = ?4, cancelled_in = ?5
             WHERE appointment = ?1 AND asid = ?2 AND cancelled_at IS NULL";
        let (appointment, asid) = (appointment.to_owned(), asid.to_owned());
        let values = (appointment, asid, ms(at), clipped(by), encounter.to_owned());
        self.execute(sql, values).await?;
        Ok(())
    }

    /// Keeps that the patient was told of the cancellation (CONS-CAN-05).
    pub async fn patient_told(&self, appointment: &str, asid: &str) -> Result<(), JournalError> {
        let sql = "UPDATE booking SET patient_told = 1 WHERE appointment = ?1 AND asid = ?2";
        self.execute(sql, (appointment.to_owned(), asid.to_owned()))
            .await?;
        Ok(())
    }

    /// Takes out everything older: the retention of local policy (AUD-07). Bookings that are still to come stay, with
    /// the encounters that made them. Returns how many encounters went.
    pub async fn prune(&self, before: Timestamp) -> Result<usize, JournalError> {
        self.run(move |t| {
            let before = ms(before);
            t.execute(
                "CREATE TEMP TABLE gone AS SELECT id FROM encounter e WHERE opened_at < ?1
                   AND NOT EXISTS (SELECT 1 FROM booking b WHERE b.encounter = e.id AND b.start >= ?1)",
                params![before],
            )?;
            for sql in [
                "DELETE FROM slot_shown WHERE step IN (SELECT id FROM step WHERE encounter IN (SELECT id FROM gone))",
                "DELETE FROM exchange WHERE step IN (SELECT id FROM step WHERE encounter IN (SELECT id FROM gone))",
                "DELETE FROM step WHERE encounter IN (SELECT id FROM gone)",
                "DELETE FROM booking WHERE encounter IN (SELECT id FROM gone)",
            ] {
                t.execute(sql, [])?;
            }
            let gone = t.execute("DELETE FROM encounter WHERE id IN (SELECT id FROM gone)", [])?;
            t.execute("DROP TABLE gone", [])?;
            Ok(gone)
        })
        .await
    }

    /// The outcome of a step, for callers that look back.
    pub async fn outcome(&self, step: StepId) -> Result<Option<String>, JournalError> {
        let sql = "SELECT outcome FROM step WHERE id = ?1";
        let found = self.first(sql, [step.0], |r| r.get(0)).await?;
        Ok(found.flatten())
    }
}
