//! Referrals read: lists, one of them, its message.

use super::super::group::snapshot;
use super::super::read::{self, id as parsed, moment};
use super::{ASIDE, CLOSED, SUPERSEDED, owner, wire_of};
use crate::referral::reason::{Code, Reason};
use crate::store::appointment::AppointmentStatus;
use crate::store::driver::{Connection, Row, corrupt, values};
use crate::store::error::StoreError;
use crate::store::referral::{
    LinkedBooking, MatchedBy, ReferralFilter, ReferralRow, ReferralState,
};
use crate::store::{LIST_MOST, Store};
use crate::tenant_key::TenantKey;
use booking::foreign::Foreign;
use booking::ids::{OdsCode, ResourceId, ServiceId};
use bytes::Bytes;
use uuid::Uuid;

/// Most bookings shown of one referral; a document belongs to one, rarely to a few (PROV-BOOK-07).
const MAX_BOOKINGS: usize = 100;

const COLUMNS: &str = "r.id, r.tenant, r.received_at, r.state, r.wire, r.tracking, r.service, r.sender, r.author, \
     r.document, r.version, r.replaces, r.case_id, r.appointment_url, r.matched_at, r.matched_by, r.code, r.reason, \
     r.note, r.closed_at, r.closed_by, r.closed_because, r.bytes, (SELECT s.document FROM referral s WHERE \
     r.state = 1 AND s.tenant = r.tenant AND s.replaces = r.document AND s.state < 2 ORDER BY \
     CASE WHEN s.author IS NOT DISTINCT FROM r.author THEN 0 ELSE 1 END, s.key LIMIT 1)";

impl Store {
    /// Referrals of a tenant, latest first; `None`: what could not be assigned. At most `limit`.
    pub fn referrals(
        &self,
        tenant: Option<TenantKey>,
        filter: ReferralFilter,
        limit: usize,
    ) -> Result<Vec<ReferralRow>, StoreError> {
        let limit = limit.min(LIST_MOST);
        self.read(|c| {
    let which = match filter {
        ReferralFilter::All => "",
        ReferralFilter::Quarantined => "AND r.state = 2",
        ReferralFilter::Unmatched => {
            "AND r.state = 0 AND NOT EXISTS (SELECT 1 FROM document_link l WHERE l.tenant = r.tenant AND \
             l.document = r.document)"
        }
    };
    let (whose, owner) = owner(c, tenant);
    snapshot(c, |c| {
        let sql = format!(
            "SELECT {COLUMNS} FROM referral r WHERE r.{whose} {which}
             ORDER BY r.received_at DESC, r.key DESC LIMIT ?2"
        );
        let mut found = c.all(&sql, values![owner, read::rows(limit)], referral)?;
        for row in &mut found {
            add_bookings(c, row)?;
        }
        Ok(found)
    })
        })
    }

    /// One referral, by its id here, or by document or tracking id in any letter case. What is filed comes before what
    /// is in quarantine, then the latest.
    pub fn referral(
        &self,
        tenant: Option<TenantKey>,
        name: &str,
    ) -> Result<Option<ReferralRow>, StoreError> {
        self.read(|c| {
            let uuid = Uuid::parse_str(name).ok().map(Uuid::into_bytes);
            let (whose, owner) = owner(c, tenant);
            let lower = name.to_ascii_lowercase();
            snapshot(c, |c| {
                let sql = format!(
                    "SELECT {COLUMNS} FROM referral r WHERE r.{whose}
             AND (r.id = ?2 OR r.document = ?3 OR lower(r.tracking) = ?3)
             ORDER BY CASE WHEN r.id = ?2 THEN 0 ELSE 1 END, r.state, r.key DESC LIMIT 1"
                );
                let mut found = c.one(&sql, values![owner, uuid.as_ref(), &lower], referral)?;
                if let Some(row) = &mut found {
                    add_bookings(c, row)?;
                }
                Ok(found)
            })
        })
    }

    /// The message of a referral, as received. It is patient data: whoever asks for it belongs in the audit trail.
    pub fn referral_message(
        &self,
        tenant: Option<TenantKey>,
        id: Uuid,
    ) -> Result<Option<Bytes>, StoreError> {
        self.read(|c| {
            let (whose, owner) = owner(c, tenant);
            let sql = format!(
                "SELECT m.body FROM referral r JOIN referral_message m ON m.referral = r.key AND {}
         WHERE r.{whose} AND r.id = ?2",
                c.text("1 = 1", "m.tenant = r.tenant")
            );
            let body: Option<Vec<u8>> = c.one(&sql, values![owner, id.as_bytes()], |r| r.get(0))?;
            Ok(body.map(Bytes::from))
        })
    }
}

/// Adds the bookings, and says by them where the referral stands.
fn add_bookings(c: &Connection, row: &mut ReferralRow) -> Result<(), StoreError> {
    if let (Some(tenant), Some(document)) = (row.tenant, &row.document) {
        row.bookings = bookings(c, tenant, document.as_received())?;
    }
    if row.state == ReferralState::Unmatched {
        row.state = match row.bookings.as_slice() {
            [] => ReferralState::Unmatched,
            some if some.iter().any(|b| b.ended_at.is_none()) => ReferralState::Linked,
            _ => ReferralState::Decoupled,
        };
    }
    Ok(())
}

fn referral(row: &Row<'_>) -> Result<ReferralRow, StoreError> {
    let wire = wire_of(row.get(4)?).ok_or_else(|| corrupt("the wire of a referral"))?;
    let matched = match (row.get::<Option<i64>>(14)?, row.get::<Option<u8>>(15)?) {
        (Some(at), Some(by)) => Some((
            moment(at)?,
            MatchedBy::from_number(by).ok_or_else(|| corrupt("how a referral was matched"))?,
        )),
        _ => None,
    };
    let reason = match (
        row.get::<Option<String>>(16)?,
        row.get::<Option<String>>(17)?,
    ) {
        (Some(code), Some(text)) => Some(Reason {
            code: Code::from_number(&code).ok_or_else(|| corrupt("the code of a reason"))?,
            text,
        }),
        _ => None,
    };
    let text = |column| Ok::<_, StoreError>(row.get::<Option<String>>(column)?.map(Foreign::from));
    let closed = match row.get::<Option<i64>>(19)? {
        Some(at) => Some((
            moment(at)?,
            text(20)?.unwrap_or_default(),
            text(21)?.unwrap_or_default(),
        )),
        None => None,
    };
    Ok(ReferralRow {
        id: Uuid::from_bytes(row.get(0)?),
        tenant: row
            .get::<Option<i64>>(1)?
            .filter(|key| *key != 0)
            .map(TenantKey),
        received_at: moment(row.get(2)?)?,
        state: match row.get::<u8>(3)? {
            SUPERSEDED => ReferralState::Superseded,
            ASIDE => ReferralState::Quarantined,
            CLOSED => ReferralState::Closed,
            _ => ReferralState::Unmatched,
        },
        wire,
        tracking: text(5)?,
        service: text(6)?,
        sender: text(7)?,
        author: text(8)?,
        document: text(9)?,
        version: row.get(10)?,
        replaces: text(11)?,
        superseded_by: text(23)?,
        case: text(12)?,
        appointment_url: text(13)?,
        matched,
        reason,
        note: text(18)?,
        closed,
        bytes: u64::try_from(row.get::<i64>(22)?).unwrap_or(0),
        bookings: Vec::new(),
    })
}

fn bookings(
    c: &Connection,
    tenant: TenantKey,
    document: &str,
) -> Result<Vec<LinkedBooking>, StoreError> {
    let found = c.all(
        "SELECT a.id, a.status, a.service, a.start, a.booked_ods, l.linked_at, l.ended_at
         FROM document_link l JOIN appointment a ON a.tenant = l.tenant AND a.key = l.appointment
         WHERE l.tenant = ?1 AND l.document = ?2 ORDER BY l.key LIMIT ?3",
        values![tenant.0, document, MAX_BOOKINGS as i64],
        |row| {
            Ok(LinkedBooking {
                id: parsed(row.get(0)?, ResourceId::parse, "the id of an appointment")?,
                status: AppointmentStatus::from_number(row.get(1)?)
                    .ok_or_else(|| corrupt("the state of an appointment"))?,
                service: parsed(row.get(2)?, ServiceId::parse, "a service id")?,
                start: moment(row.get(3)?)?,
                ods: parsed(row.get(4)?, OdsCode::parse, "an ODS code")?,
                linked_at: moment(row.get(5)?)?,
                ended_at: row.get::<Option<i64>>(6)?.map(moment).transpose()?,
            })
        },
    )?;
    Ok(found)
}
