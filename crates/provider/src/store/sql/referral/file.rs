//! The filing transaction: judged, stored, matched and recorded, all or nothing (REF-PRO-01..07).

use super::super::group::Group;
use super::super::read::{id as parsed, millis};
use super::{ASIDE, CLOSED, FILED, SUPERSEDED, owner, wire_number};
use crate::audit::{AuditEntry, Fault, KeptMessage};
use crate::referral::Reason;
use crate::referral::appointment_url::AppointmentUrl;
use crate::referral::cda::Facts;
use crate::referral::judge::{Before, Earlier, Replaced, Verdict, judge};
use crate::store::Store;
use crate::store::driver::{Connection, corrupt, values};
use crate::store::error::{StoreError, WriteError};
use crate::store::referral::{Arrival, Filed, MatchedBy};
use crate::tenant_key::TenantKey;
use booking::ids::{NhsNumber, OdsCode};
use jiff::Timestamp;
use uuid::Uuid;

/// Said on both sides when document and booking name different patients.
const OTHER_PATIENT: &str =
    "The NHS number of the document is not the one of the booking: check who the patient is.";

/// Said on a document that claims to replace one that stands.
const OTHER_AUTHOR: &str = "The document says that it replaces one that another organisation wrote: that one stands; \
     ask the sender which of them holds.";

impl Store {
    /// Files a message with a referral, or keeps it aside, all or nothing with its audit row. `None`: it could not be
    /// told whose it is; such a message is kept, and has no audit trail to be recorded in.
    pub async fn file_referral(
        &self,
        tenant: Option<TenantKey>,
        arrival: Arrival,
    ) -> Result<Filed, StoreError> {
        self.write(tenant, move |group| file(group, tenant, &arrival))
            .await
    }

    /// Takes a message off the quarantine list; it is kept. False when it is not on it.
    pub async fn close_referral(
        &self,
        tenant: Option<TenantKey>,
        id: Uuid,
        because: &str,
        entry: AuditEntry,
    ) -> Result<bool, StoreError> {
        let because = because.to_owned();
        self.write(tenant, move |group| {
            close(group, tenant, id, &because, &entry)
        })
        .await
    }
}

fn file(
    group: &mut Group<'_>,
    tenant: Option<TenantKey>,
    arrival: &Arrival,
) -> Result<Filed, WriteError> {
    group.attempt(|g| {
        let mut entry = arrival.entry.clone();
        let filed = filed(g.connection, tenant, arrival, &mut entry)?;
        if let Some(tenant) = tenant {
            g.append_audit(tenant, &entry.body())?;
        }
        Ok(filed)
    })
}

fn filed(
    c: &Connection,
    tenant: Option<TenantKey>,
    arrival: &Arrival,
    entry: &mut AuditEntry,
) -> Result<Filed, WriteError> {
    let (facts, hash, tenant) = match (&arrival.document, tenant) {
        (Ok((facts, hash)), Some(tenant)) => (facts, hash, tenant),
        (Ok(_), None) => {
            let nobody = Reason::refused(
                "No organisation that the message is addressed to is served here: send it to /itk/ followed by the \
                 organisation's ODS code, or address it to one that is.",
            );
            return Ok(aside(c, tenant, arrival, nobody, entry)?);
        }
        (Err(reason), _) => return Ok(aside(c, tenant, arrival, reason.clone(), entry)?),
    };
    entry.document = Some(facts.id.clone());
    entry.consumer_faults.clone_from(&facts.notes);
    match judge(&before(c, tenant, arrival, facts)?, facts, hash) {
        Verdict::Quarantine(reason) => Ok(aside(c, Some(tenant), arrival, reason, entry)?),
        Verdict::Repeat => {
            entry.detail =
                Some("the same document was filed before; acknowledged again".to_owned());
            Ok(Filed::Repeat {
                id: filed_before(c, tenant, &facts.id)?,
            })
        }
        Verdict::Take => Ok(take(c, tenant, arrival, facts, hash, entry)?),
    }
}

/// What is stored already that the verdict depends on.
fn before(
    c: &Connection,
    tenant: TenantKey,
    arrival: &Arrival,
    facts: &Facts,
) -> Result<Before, StoreError> {
    let earlier = |sql: &str, value: &str| -> Result<Option<Earlier>, StoreError> {
        let found: Option<[u8; 32]> = c.one(sql, values![tenant.0, value], |r| r.get(0))?;
        Ok(found.map(|hash| Earlier { hash }))
    };
    let tracking = match &arrival.wrapper.tracking {
        Some(tracking) => earlier(
            "SELECT document_hash FROM referral WHERE tenant = ?1 AND tracking = ?2 AND state < 2",
            tracking,
        )?,
        None => None,
    };
    Ok(Before {
        tracking,
        document: earlier(
            "SELECT document_hash FROM referral WHERE tenant = ?1 AND document = ?2 AND state < 2",
            &facts.id,
        )?,
        replaced: replaced(c, tenant, facts)?,
    })
}

/// The document that this one names, or others of its set; linked also when the booking is cancelled by now
/// (REF-CON-05).
fn replaced(
    c: &Connection,
    tenant: TenantKey,
    facts: &Facts,
) -> Result<Option<Replaced>, StoreError> {
    let other = facts.replaces.as_deref().filter(|r| *r != facts.id);
    if other.is_none() && facts.set_id.is_none() {
        return Ok(None);
    }
    let found = c.one(
        "WITH other (document) AS (
           SELECT CAST(?2 AS TEXT) WHERE CAST(?2 AS TEXT) IS NOT NULL
           UNION SELECT document FROM referral
             WHERE tenant = ?1 AND set_id = ?3 AND state < 2 AND document <> ?4)
         SELECT EXISTS (SELECT 1 FROM other), EXISTS (
           SELECT 1 FROM other JOIN document_link l ON l.tenant = ?1 AND l.document = other.document)",
        values![tenant.0, other, facts.set_id.as_deref(), &facts.id],
        |r| Ok((r.get(0)?, r.get(1)?)),
    )?;
    Ok(match found {
        Some((true, linked)) => Some(Replaced { linked }),
        _ => None,
    })
}

fn filed_before(c: &Connection, tenant: TenantKey, document: &str) -> Result<Uuid, StoreError> {
    let sql = "SELECT id FROM referral WHERE tenant = ?1 AND document = ?2 AND state < 2";
    let found: Option<[u8; 16]> = c.one(sql, values![tenant.0, document], |r| r.get(0))?;
    found
        .map(Uuid::from_bytes)
        .ok_or_else(|| corrupt("a document that is gone"))
}

/// Files the document, marks the one that it replaces, and looks for its booking.
fn take(
    c: &Connection,
    tenant: TenantKey,
    arrival: &Arrival,
    facts: &Facts,
    hash: &[u8; 32],
    entry: &mut AuditEntry,
) -> Result<Filed, StoreError> {
    let author = facts.author.as_ref().map(OdsCode::as_str);
    let overtaken = c.number(
        "SELECT EXISTS (SELECT 1 FROM referral WHERE tenant = ?1 AND replaces = ?2 AND state < 2
           AND author IS NOT DISTINCT FROM CAST(?3 AS TEXT))",
        values![tenant.0, &facts.id, author],
    )? != 0;
    let state = if overtaken { SUPERSEDED } else { FILED };
    let found = find_booking(c, tenant, facts)?;
    let mut notes = facts.notes.clone();
    notes.extend(found.note.map(str::to_owned));
    notes.extend(arrival.further.clone());
    if let Some(replaced) = &facts.replaces {
        // Nobody takes another organisation's document off the work list (D-69).
        c.execute(
            "UPDATE referral SET state = 1 WHERE tenant = ?1 AND document = ?2 AND state = 0
               AND author IS NOT DISTINCT FROM CAST(?3 AS TEXT)",
            values![tenant.0, replaced, author],
        )?;
        let stands = c.number(
            "SELECT EXISTS (SELECT 1 FROM referral WHERE tenant = ?1 AND document = ?2 AND state = 0)",
            values![tenant.0, replaced],
        )? != 0;
        notes.extend(stands.then(|| OTHER_AUTHOR.to_owned()));
    }
    let stored = Stored {
        tenant: Some(tenant),
        state,
        facts: Some((facts, hash)),
        case: Some(found.case.as_deref().unwrap_or(&facts.id)),
        matched: found.by,
        reason: None,
        note: (!notes.is_empty()).then(|| notes.join(" ")),
    };
    insert(c, arrival, &stored, entry)?;
    if let (Some(MatchedBy::Url), Some(link)) = (found.by, &found.add) {
        c.execute(
            "INSERT INTO document_link (tenant, document, appointment, linked_at, ended_at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            values![
                tenant.0,
                &facts.id,
                link.appointment,
                millis(arrival.at),
                link.ended_at
            ],
        )?;
    }
    entry.appointment = found.appointment;
    entry.detail = Some(match found.by {
        Some(by) => format!("filed; matched with a booking by {}", by.word()),
        None => "filed; no booking yet, on the work list".to_owned(),
    });
    if let Some(note) = stored.note {
        entry.reason = Some(note);
    }
    Ok(Filed::Taken {
        id: arrival.id,
        matched: found.by,
    })
}

/// A link to be made, for a match by URL.
struct NewLink {
    appointment: i64,
    ended_at: Option<i64>,
}

/// What was found of the booking.
#[derive(Default)]
struct Found {
    by: Option<MatchedBy>,
    appointment: Option<String>,
    case: Option<String>,
    add: Option<NewLink>,
    note: Option<&'static str>,
}

/// By document id, else by URL (REF-PRO-02, REF-PRO-06).
fn find_booking(c: &Connection, tenant: TenantKey, facts: &Facts) -> Result<Found, StoreError> {
    let linked: Option<(String, Option<String>)> = c.one(
        "SELECT a.id, a.nhs_number FROM document_link l
         JOIN appointment a ON a.tenant = l.tenant AND a.key = l.appointment
         WHERE l.tenant = ?1 AND l.document = ?2 ORDER BY l.ended_at IS NOT NULL, l.key LIMIT 1",
        values![tenant.0, &facts.id],
        |r| Ok((r.get(0)?, r.get(1)?)),
    )?;
    if let Some((appointment, number)) = linked {
        return Ok(Found {
            by: Some(MatchedBy::DocumentId),
            appointment: Some(appointment),
            note: (!same_patient(facts.nhs_number.as_ref(), number.as_deref()))
                .then_some(OTHER_PATIENT),
            ..Found::default()
        });
    }
    match &facts.appointment {
        Some(url) => by_url(c, tenant, facts, url),
        None => Ok(Found::default()),
    }
}

/// The second key is weaker: it links only within the tenant that the URL names, and never two patients.
fn by_url(
    c: &Connection,
    tenant: TenantKey,
    facts: &Facts,
    url: &AppointmentUrl,
) -> Result<Found, StoreError> {
    struct Candidate {
        key: i64,
        cancelled_at: Option<i64>,
        number: Option<String>,
        case: Option<String>,
        tenant: String,
    }
    let found = c.one(
        "SELECT a.key, a.cancelled_at, a.nhs_number,
           (SELECT l.document FROM document_link l
            WHERE l.tenant = a.tenant AND l.appointment = a.key ORDER BY l.key LIMIT 1), t.ods
         FROM appointment a JOIN tenant t ON t.key = a.tenant WHERE a.tenant = ?1 AND a.id = ?2",
        values![tenant.0, url.id.as_str()],
        |r| {
            Ok(Candidate {
                key: r.get(0)?,
                cancelled_at: r.get(1)?,
                number: r.get(2)?,
                case: r.get(3)?,
                tenant: r.get(4)?,
            })
        },
    )?;
    let Some(candidate) = found else {
        return Ok(Found::default());
    };
    let tenant_ods = parsed(&candidate.tenant, OdsCode::parse, "an ODS code")?;
    if url.ods.as_ref().is_some_and(|ods| *ods != tenant_ods) {
        return Ok(Found::default());
    }
    if !same_patient(facts.nhs_number.as_ref(), candidate.number.as_deref()) {
        return Ok(Found {
            note: Some(
                "The document names an appointment of ours, but another patient: they were not linked.",
            ),
            ..Found::default()
        });
    }
    Ok(Found {
        by: Some(MatchedBy::Url),
        appointment: Some(url.id.as_str().to_owned()),
        case: candidate.case,
        add: Some(NewLink {
            appointment: candidate.key,
            ended_at: candidate.cancelled_at,
        }),
        note: Some(
            "The id of the document is not the one that the booking announced; matched by the appointment's URL.",
        ),
    })
}

/// False only when both numbers are known and differ.
fn same_patient(document: Option<&NhsNumber>, booking: Option<&str>) -> bool {
    match (document, booking) {
        (Some(document), Some(booking)) => document.as_str() == booking,
        _ => true,
    }
}

/// Keeps a message aside; the very same message is kept once.
fn aside(
    c: &Connection,
    tenant: Option<TenantKey>,
    arrival: &Arrival,
    reason: Reason,
    entry: &mut AuditEntry,
) -> Result<Filed, StoreError> {
    entry.status = (arrival.refused_status)(reason.code);
    entry.error = Some(format!("ITK-{}", reason.code.number()));
    entry.diagnostics = Some(reason.text.clone());
    entry.fault = Some(Fault::Consumer);
    let (whose, owner) = owner(c, tenant);
    let sql = format!(
        "SELECT id FROM referral WHERE {whose} AND message_hash = ?2 AND state >= 2 AND reason = ?3 LIMIT 1"
    );
    let values = values![owner, &arrival.message_hash, &reason.text];
    let earlier: Option<[u8; 16]> = c.one(&sql, values, |r| r.get(0))?;
    if let Some(id) = earlier {
        entry.detail = Some("refused; the same message is in quarantine already".to_owned());
        return Ok(Filed::Quarantined {
            id: Uuid::from_bytes(id),
            reason,
        });
    }
    let facts = arrival.document.as_ref().ok().map(|(f, h)| (f, h));
    let stored = Stored {
        tenant,
        state: ASIDE,
        facts,
        case: None,
        matched: None,
        reason: Some(&reason),
        note: None,
    };
    insert(c, arrival, &stored, entry)?;
    entry.detail = Some("refused; kept in quarantine".to_owned());
    Ok(Filed::Quarantined {
        id: arrival.id,
        reason,
    })
}

/// A row to be made.
struct Stored<'a> {
    tenant: Option<TenantKey>,
    state: u8,
    facts: Option<(&'a Facts, &'a [u8; 32])>,
    case: Option<&'a str>,
    matched: Option<MatchedBy>,
    reason: Option<&'a Reason>,
    note: Option<String>,
}

/// Stores the row and the message; the audit row of it will hold the digest of the message.
fn insert(
    c: &Connection,
    arrival: &Arrival,
    stored: &Stored<'_>,
    entry: &mut AuditEntry,
) -> Result<(), StoreError> {
    let (wrapper, at) = (&arrival.wrapper, millis(arrival.at));
    let facts = stored.facts.map(|(f, _)| f);
    let (_, owner) = owner(c, stored.tenant);
    let key = c.one(
        "INSERT INTO referral (tenant, id, received_at, state, wire, tracking, service, sender, document,
           document_hash, set_id, version, replaces, author, nhs_number, appointment_url, case_id, matched_at,
           matched_by, code, reason, note, message_hash, bytes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
           ?23, ?24) RETURNING key",
        values![
            owner.clone(),
            arrival.id.as_bytes(),
            at,
            stored.state,
            wire_number(arrival.wire),
            wrapper.tracking.as_deref(),
            wrapper.service.as_deref(),
            wrapper.sender.as_deref(),
            facts.map(|f| f.id.as_str()),
            stored.facts.map(|(_, hash)| hash),
            facts.and_then(|f| f.set_id.as_deref()),
            facts.and_then(|f| f.version),
            facts.and_then(|f| f.replaces.as_deref()),
            facts.and_then(|f| f.author.as_ref()).map(OdsCode::as_str),
            facts.and_then(|f| f.nhs_number.as_ref()).map(NhsNumber::as_str),
            facts.and_then(|f| f.appointment.as_ref()).map(|a| a.url.as_str()),
            stored.case,
            stored.matched.map(|_| at),
            stored.matched.map(|m| m as u8),
            stored.reason.map(|r| r.code.number()),
            stored.reason.map(|r| r.text.as_str()),
            stored.note.as_deref(),
            &arrival.message_hash,
            i64::try_from(arrival.body.len()).unwrap_or(i64::MAX),
        ],
        |r| r.get::<i64>(0),
    )?;
    let key = key.ok_or_else(|| corrupt("a referral without a key"))?;
    let sql = c.text(
        "INSERT INTO referral_message (referral, body) VALUES (?1, ?2)",
        "INSERT INTO referral_message (referral, body, tenant) VALUES (?1, ?2, ?3)",
    );
    let values = values![key, &arrival.body[..], owner];
    c.execute(sql, c.text(&values[..2], values))?;
    entry.kept = Some(KeptMessage {
        id: arrival.id,
        message: arrival.message_hash,
    });
    Ok(())
}

const WAITING: &str =
    "SELECT key, nhs_number FROM referral WHERE tenant = ?1 AND document = ?2 AND state < 2";

/// Says that [`joined_by`] will be asked about this document.
pub(in crate::store::sql) fn ahead_of_join(
    c: &Connection,
    tenant: TenantKey,
    document: &str,
) -> Result<(), StoreError> {
    Ok(c.ahead(WAITING, values![tenant.0, document])?)
}

/// A booking is made that names this document: if the document came first, it joins the case in the same
/// transaction (REF-PRO-04). True when it was there.
pub(in crate::store::sql) fn joined_by(
    c: &Connection,
    tenant: TenantKey,
    document: &str,
    patient: Option<&NhsNumber>,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let waiting: Option<(i64, Option<String>)> =
        c.one(WAITING, values![tenant.0, document], |r| {
            Ok((r.get(0)?, r.get(1)?))
        })?;
    let Some((key, number)) = waiting else {
        return Ok(false);
    };
    let note = (!same_patient(patient, number.as_deref())).then_some(OTHER_PATIENT);
    c.execute(
        "UPDATE referral SET matched_at = coalesce(matched_at, ?3), matched_by = coalesce(matched_by, 0),
           note = CASE WHEN CAST(?4 AS TEXT) IS NULL THEN note
             ELSE trim(coalesce(note, '') || ' ' || CAST(?4 AS TEXT)) END WHERE tenant = ?1 AND key = ?2",
        values![tenant.0, key, millis(at), note],
    )?;
    Ok(true)
}

fn close(
    group: &mut Group<'_>,
    tenant: Option<TenantKey>,
    id: Uuid,
    because: &str,
    entry: &AuditEntry,
) -> Result<bool, WriteError> {
    group.attempt(|g| {
        let (whose, owner) = owner(g.connection, tenant);
        let (at, actor) = (millis(entry.at), entry.actor.as_deref());
        let changed = g.connection.execute(
            &format!(
                "UPDATE referral SET state = ?3, closed_at = ?4, closed_by = ?5, closed_because = ?6
                 WHERE {whose} AND id = ?2 AND state = ?7"
            ),
            values![owner.clone(), id.as_bytes(), CLOSED, at, actor, because, ASIDE],
        )?;
        if changed == 0 && g.doubtful {
            // It may have been this very closing, whose answer was lost.
            let mine = g.connection.one(
                &format!(
                    "SELECT 1 FROM referral WHERE {whose} AND id = ?2 AND state = ?3 AND closed_at = ?4
                     AND closed_because = ?5"
                ),
                values![owner, id.as_bytes(), CLOSED, at, because],
                |_| Ok(()),
            )?;
            return Ok(mine.is_some());
        }
        if let (1, Some(tenant)) = (changed, tenant) {
            g.append_audit(tenant, &entry.body())?;
        }
        Ok(changed == 1)
    })
}
