//! Compares anchors with a database: which signed rows are missing or changed, and from which row on.

use super::folder::{Anchors, Point};
use super::line::Kind;
use crate::audit::hex;
use crate::store::{AuditHead, AuditVerdict, Store, StoreError, TenantRow};
use std::cell::RefCell;
use std::fmt;

/// What happened to a trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossKind {
    /// The trail ends before the signed row.
    Missing,
    /// The row differs from the signed one.
    Changed,
    /// The database does not know the provider.
    NoProvider,
}

/// A provider whose trail does not match an anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// ODS code of the provider.
    pub provider: String,
    /// What happened to its trail.
    pub what: LossKind,
    /// First row that is, or may be, affected. The rows before it are proven.
    pub first: i64,
    /// Row of the last anchor.
    pub anchored: i64,
    /// When the last anchor was signed.
    pub at: String,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (provider, first, anchored) = (&self.provider, self.first, self.anchored);
        let at = &self.at;
        match self.what {
            LossKind::Missing => write!(
                f,
                "the audit trail of {provider} lacks rows {first} to {anchored} at least: row {anchored} was signed at {at}"
            ),
            LossKind::Changed => write!(
                f,
                "the audit trail of {provider} is another one from row {first} on: row {anchored} was signed at {at} with \
                 another hash"
            ),
            LossKind::NoProvider => write!(
                f,
                "the provider {provider} is gone with its audit trail: row {anchored} of it was signed at {at}"
            ),
        }
    }
}

/// The losses at this moment, by the anchors since each provider's last acceptance.
pub fn losses(store: &Store, anchors: &Anchors) -> Result<Vec<Loss>, StoreError> {
    let tenants = store.tenants()?;
    let mut losses = Vec::new();
    for (provider, points) in &anchors.providers {
        let mut points: Vec<&Point> = points.iter().filter(|p| !p.accepted).collect();
        points.sort_by_key(|point| point.anchor.row);
        let Some(last) = points.last().filter(|point| point.anchor.row > 0) else {
            continue;
        };
        let tenant = tenants.iter().find(|t| t.ods.as_str() == provider);
        let found = match tenant {
            None => Some((LossKind::NoProvider, 1)),
            Some(tenant) => loss_of(store, tenant, &points)?,
        };
        losses.extend(found.map(|(what, first)| Loss {
            provider: provider.clone(),
            what,
            first,
            anchored: last.anchor.row,
            at: last.anchor.at.clone(),
        }));
    }
    Ok(losses)
}

/// The loss of one trail, if any; `points` are in the order of their rows.
fn loss_of(
    store: &Store,
    tenant: &TenantRow,
    points: &[&Point],
) -> Result<Option<(LossKind, i64)>, StoreError> {
    let fits = |point: &Point| {
        let found = store.tenant(tenant.key).audit_hash(point.anchor.row)?;
        Ok::<_, StoreError>(
            point.anchor.row == 0 || found.is_some_and(|h| hex(&h) == point.anchor.hash),
        )
    };
    let Some(last) = points.last() else {
        return Ok(None);
    };
    if fits(last)? {
        return Ok(None);
    }
    // A matching row proves all rows before it, so a binary search finds the first that does not match.
    let (mut low, mut high) = (0, points.len() - 1);
    while low < high {
        let middle = low.midpoint(high);
        match fits(points[middle])? {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    let proven = low.checked_sub(1).map_or(0, |n| points[n].anchor.row);
    let end = store.tenant(tenant.key).audit_end()?.seq;
    Ok(Some(match points[low].anchor.row > end {
        true => (LossKind::Missing, end + 1),
        false => (LossKind::Changed, proven + 1),
    }))
}

/// The result of checking a trail against its anchors.
#[derive(Debug)]
pub struct Checked {
    /// The verdict on the chain itself.
    pub verdict: AuditVerdict,
    /// Anchors that match.
    pub fits: usize,
    /// The last row that an anchor proves.
    pub proven: i64,
    /// The first row that does not match its anchor, if any.
    pub loss: Option<Loss>,
    /// Earlier losses, and who accepted each.
    pub accepted: Vec<String>,
}

/// Checks a whole trail and all its anchors.
pub fn check(store: &Store, tenant: &TenantRow, anchors: &Anchors) -> Result<Checked, StoreError> {
    let none = Vec::new();
    let points = anchors.providers.get(tenant.ods.as_str()).unwrap_or(&none);
    let mut sorted: Vec<&Point> = points.iter().filter(|p| p.anchor.row > 0).collect();
    sorted.sort_by_key(|point| point.anchor.row);
    let seen = RefCell::new(Seen::default());
    let verdict = store.tenant(tenant.key).audit_verify_seeing(&|row| {
        seen.borrow_mut().take(&sorted, row);
    })?;
    let mut seen = seen.into_inner();
    // A broken chain was not read to its end.
    if matches!(verdict, AuditVerdict::Verified { .. }) {
        seen.missing(&sorted);
    }
    let loss = seen.first.map(|(point, proven)| {
        let missing = point.anchor.row > seen.end;
        Loss {
            provider: tenant.ods.to_string(),
            what: if missing {
                LossKind::Missing
            } else {
                LossKind::Changed
            },
            first: if missing { seen.end + 1 } else { proven + 1 },
            anchored: point.anchor.row,
            at: point.anchor.at.clone(),
        }
    });
    let accepted = points
        .iter()
        .filter(|point| point.anchor.kind == Kind::Accepted)
        .map(accepted_words)
        .collect();
    Ok(Checked {
        verdict,
        fits: seen.fits,
        proven: seen.proven,
        loss,
        accepted,
    })
}

fn accepted_words(point: &Point) -> String {
    let a = &point.anchor;
    format!(
        "a loss was accepted at {} by {}, the trail went on from row {}: {}",
        a.at,
        a.by.as_deref().unwrap_or("somebody"),
        a.row,
        a.because.as_deref().unwrap_or("")
    )
}

/// The position among the anchors while a trail is read.
#[derive(Default)]
struct Seen<'p> {
    next: usize,
    fits: usize,
    /// The last row that an anchor proves.
    proven: i64,
    /// The first anchor that does not match and is not accepted, and the last row proven before it.
    first: Option<(&'p Point, i64)>,
    end: i64,
}

impl<'p> Seen<'p> {
    fn take(&mut self, points: &[&'p Point], row: &AuditHead) {
        self.end = row.seq;
        // Ends after the anchors of this row.
        while let Some(point) = points.get(self.next).filter(|p| p.anchor.row <= row.seq) {
            self.next += 1;
            if point.anchor.row == row.seq && point.anchor.hash == hex(&row.hash) {
                self.fits += 1;
                self.proven = row.seq;
            } else {
                self.note(point);
            }
        }
    }

    /// Records the anchors of rows beyond the end.
    fn missing(&mut self, points: &[&'p Point]) {
        for point in points.iter().skip(self.next) {
            self.note(point);
        }
    }

    fn note(&mut self, point: &'p Point) {
        if !point.accepted && self.first.is_none() {
            self.first = Some((point, self.proven));
        }
    }
}
