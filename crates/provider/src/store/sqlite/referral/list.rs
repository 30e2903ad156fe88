//! Referrals read: lists, one of them, its message.

use super::super::fault::odd;
use super::super::group::snapshot;
use super::super::read::{id as parsed, moment};
use super::{ASIDE, CLOSED, SUPERSEDED, wire_of};
use crate::referral::reason::{Code, Reason};
use crate::store::appointment::AppointmentStatus;
use crate::store::error::StoreError;
use crate::store::model::TenantKey;
use crate::store::referral::{
    LinkedBooking, MatchedBy, ReferralFilter, ReferralRow, ReferralState,
};
use booking::ids::{OdsCode, ResourceId, ServiceId};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

/// Most bookings shown of one referral; a document belongs to one, rarely to a few (PROV-BOOK-07).
const MAX_BOOKINGS: usize = 100;

const COLUMNS: &str = "r.id, r.tenant, r.received_at, r.state, r.wire, r.tracking, r.service, r.sender, r.author, \
     r.document, r.version, r.replaces, r.case_id, r.appointment_url, r.matched_at, r.matched_by, r.code, r.reason, \
     r.note, r.closed_at, r.closed_by, r.closed_because, r.bytes, (SELECT s.document FROM referral s WHERE \
     s.tenant = r.tenant AND s.replaces = r.document AND s.state < 2 ORDER BY s.key LIMIT 1)";

/// Latest first; at most `limit`. `tenant` `None`: what could not be assigned to anybody.
pub(in crate::store) fn rows(
    c: &Connection,
    tenant: Option<TenantKey>,
    filter: ReferralFilter,
    limit: usize,
) -> Result<Vec<ReferralRow>, StoreError> {
    let which = match filter {
        ReferralFilter::All => "1",
        ReferralFilter::Quarantined => "r.state = 2",
        ReferralFilter::Unmatched => {
            "r.state = 0 AND NOT EXISTS (SELECT 1 FROM document_link l WHERE l.tenant = r.tenant AND \
             l.document = r.document)"
        }
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    snapshot(c, |c| {
        let mut statement = c.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM referral r WHERE r.tenant IS ?1 AND {which}
             ORDER BY r.received_at DESC, r.key DESC LIMIT ?2"
        ))?;
        let mut found = statement.query(params![tenant.map(|t| t.0), limit])?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            rows.push(with_bookings(c, row)?);
        }
        Ok(rows)
    })
}

/// One referral, by its id here, or by document or tracking id in any letter case. What is filed comes before what
/// is in quarantine, then the latest.
pub(in crate::store) fn one(
    c: &Connection,
    tenant: Option<TenantKey>,
    name: &str,
) -> Result<Option<ReferralRow>, StoreError> {
    let uuid = Uuid::parse_str(name).ok().map(Uuid::into_bytes);
    snapshot(c, |c| {
        let mut statement = c.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM referral r WHERE r.tenant IS ?1
             AND (r.id = ?2 OR r.document = ?3 OR r.tracking = ?4 COLLATE NOCASE)
             ORDER BY r.id IS NOT ?2, r.state, r.key DESC LIMIT 1"
        ))?;
        let mut found = statement.query(params![
            tenant.map(|t| t.0),
            uuid,
            name.to_ascii_lowercase(),
            name
        ])?;
        match found.next()? {
            Some(row) => with_bookings(c, row).map(Some),
            None => Ok(None),
        }
    })
}

/// A message as it was received.
pub(in crate::store) fn message(
    c: &Connection,
    tenant: Option<TenantKey>,
    id: Uuid,
) -> Result<Option<Bytes>, StoreError> {
    let body: Option<Vec<u8>> = c
        .prepare_cached(
            "SELECT m.body FROM referral r JOIN referral_message m ON m.referral = r.key
             WHERE r.id = ?1 AND r.tenant IS ?2",
        )?
        .query_row(params![id.as_bytes(), tenant.map(|t| t.0)], |r| r.get(0))
        .optional()?;
    Ok(body.map(Bytes::from))
}

fn with_bookings(c: &Connection, row: &Row<'_>) -> Result<ReferralRow, StoreError> {
    let mut referral = referral(row)?;
    if let (Some(tenant), Some(document)) = (referral.tenant, referral.document.as_deref()) {
        referral.bookings = bookings(c, tenant, document)?;
    }
    let stored: u8 = row.get(3)?;
    referral.state = match stored {
        SUPERSEDED => ReferralState::Superseded,
        ASIDE => ReferralState::Quarantined,
        CLOSED => ReferralState::Closed,
        _ if referral.bookings.iter().any(|b| b.ended_at.is_none()) => ReferralState::Linked,
        _ if !referral.bookings.is_empty() => ReferralState::Decoupled,
        _ => ReferralState::Unmatched,
    };
    Ok(referral)
}

fn referral(row: &Row<'_>) -> Result<ReferralRow, StoreError> {
    let wire = wire_of(row.get(4)?).ok_or_else(|| odd("the wire of a referral"))?;
    let matched = match (
        row.get::<_, Option<i64>>(14)?,
        row.get::<_, Option<u8>>(15)?,
    ) {
        (Some(at), Some(by)) => Some((
            moment(at)?,
            MatchedBy::from_number(by).ok_or_else(|| odd("how a referral was matched"))?,
        )),
        _ => None,
    };
    let reason = match (
        row.get::<_, Option<String>>(16)?,
        row.get::<_, Option<String>>(17)?,
    ) {
        (Some(code), Some(text)) => Some(Reason {
            code: Code::from_number(&code).ok_or_else(|| odd("the code of a reason"))?,
            text,
        }),
        _ => None,
    };
    let closed = match row.get::<_, Option<i64>>(19)? {
        Some(at) => Some((
            moment(at)?,
            row.get::<_, Option<String>>(20)?.unwrap_or_default(),
            row.get::<_, Option<String>>(21)?.unwrap_or_default(),
        )),
        None => None,
    };
    Ok(ReferralRow {
        id: Uuid::from_bytes(row.get(0)?),
        tenant: row.get::<_, Option<i64>>(1)?.map(TenantKey),
        received_at: moment(row.get(2)?)?,
        state: ReferralState::Unmatched,
        wire,
        tracking: row.get(5)?,
        service: row.get(6)?,
        sender: row.get(7)?,
        author: row.get(8)?,
        document: row.get(9)?,
        version: row.get(10)?,
        replaces: row.get(11)?,
        superseded_by: row.get(23)?,
        case: row.get(12)?,
        appointment_url: row.get(13)?,
        matched,
        reason,
        note: row.get(18)?,
        closed,
        bytes: u64::try_from(row.get::<_, i64>(22)?).unwrap_or(0),
        bookings: Vec::new(),
    })
}

fn bookings(
    c: &Connection,
    tenant: TenantKey,
    document: &str,
) -> Result<Vec<LinkedBooking>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT a.id, a.status, a.service, a.start, a.booked_ods, l.linked_at, l.ended_at
         FROM document_link l JOIN appointment a ON a.key = l.appointment
         WHERE l.tenant = ?1 AND l.document = ?2 ORDER BY l.key LIMIT ?3",
    )?;
    let mut rows = statement.query(params![tenant.0, document, MAX_BOOKINGS as i64])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |n: usize| -> Result<String, StoreError> { Ok(row.get(n)?) };
        found.push(LinkedBooking {
            id: parsed(&text(0)?, ResourceId::parse, "the id of an appointment")?,
            status: AppointmentStatus::from_number(row.get(1)?)
                .ok_or_else(|| odd("the state of an appointment"))?,
            service: parsed(&text(2)?, ServiceId::parse, "a service id")?,
            start: moment(row.get(3)?)?,
            ods: parsed(&text(4)?, OdsCode::parse, "an ODS code")?,
            linked_at: moment(row.get(5)?)?,
            ended_at: row.get::<_, Option<i64>>(6)?.map(moment).transpose()?,
        });
    }
    Ok(found)
}
