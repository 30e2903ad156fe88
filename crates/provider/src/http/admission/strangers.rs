//! Requests whose sender proved nothing: each is refused, and the first few of a peer are recorded one by one; the others
//! are recorded together (D-68), so that nobody without a token fills the database.
//!
//! A request is a stranger's until its token was believed, or, for a referral, until its sender was found to be one who may
//! send. Nothing that touches a patient is a stranger's. Every refused request is in the log as well.

use crate::audit::AuditEntry;
use crate::http::edge::context::RequestContext;
use crate::http::edge::{Edge, store_refusal};
use crate::metrics::requests::Traffic;
use crate::store::TenantKey;
use booking::ids::OdsCode;
use booking::refusal::Refusal;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// Requests of one peer that are recorded one by one in each [`WINDOW`]: enough for a supplier to see what is wrong.
const ONE_BY_ONE: u32 = 20;
/// How long requests are counted before the count is recorded.
const WINDOW: SignedDuration = SignedDuration::from_secs(60);
/// How often full windows are looked for.
const LOOK: Duration = Duration::from_secs(5);
/// Peers that are counted apart; further ones are counted together for each provider.
const PEERS: usize = 1_024;
/// Action of the rows.
const ACTION: &str = "refused.summary";

/// What strangers asked for lately.
#[derive(Default)]
pub struct Strangers(Mutex<HashMap<(TenantKey, Option<IpAddr>), Counted>>);

/// The requests of one peer within a window.
struct Counted {
    from: Timestamp,
    to: Timestamp,
    one_by_one: u32,
    /// By status of the answer.
    together: BTreeMap<u16, u64>,
}

impl Strangers {
    fn all(&self) -> MutexGuard<'_, HashMap<(TenantKey, Option<IpAddr>), Counted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request; true: it is to be recorded by itself.
    fn note(&self, tenant: TenantKey, peer: IpAddr, status: u16, at: Timestamp) -> bool {
        let mut all = self.all();
        let own = (tenant, Some(peer));
        let key = match all.contains_key(&own) || all.len() < PEERS {
            true => own,
            false => (tenant, None),
        };
        let counted = all.entry(key).or_insert_with(|| Counted {
            from: at,
            to: at,
            one_by_one: 0,
            together: BTreeMap::new(),
        });
        counted.to = at;
        if counted.one_by_one < ONE_BY_ONE {
            counted.one_by_one += 1;
            return true;
        }
        *counted.together.entry(status).or_default() += 1;
        false
    }

    /// The rows of windows that are over at this time, or of all.
    fn take(&self, now: Timestamp, every: bool) -> Vec<(TenantKey, AuditEntry)> {
        let mut all = self.all();
        let mut rows = Vec::new();
        all.retain(|(tenant, peer), counted| {
            // A clock that was set back ends a window too.
            let age = now.duration_since(counted.from);
            let is_over = every || age >= WINDOW || age.is_negative();
            if is_over && !counted.together.is_empty() {
                rows.push((*tenant, counted.row(*tenant, *peer, now)));
            }
            !is_over
        });
        rows
    }
}

impl Counted {
    fn row(&self, tenant: TenantKey, peer: Option<IpAddr>, now: Timestamp) -> AuditEntry {
        let requests: u64 = self.together.values().sum();
        let by_status: Vec<String> = self
            .together
            .iter()
            .map(|(status, count)| format!("{status}: {count}"))
            .collect();
        let of = peer.map_or("other peers".to_owned(), |peer| peer.to_string());
        let mut entry = AuditEntry::new(now, Uuid::new_v4());
        entry.tenant = Some(tenant);
        entry.action = Some(ACTION.to_owned());
        entry.detail = Some(format!(
            "{} from {of}, of nobody known, refused between {} and {} and not recorded one by one; by status: {}",
            booking::count::counted(requests, "request", "requests"),
            self.from,
            self.to,
            by_status.join(", ")
        ));
        entry
    }
}

impl Edge {
    /// Notes the tenant of a request whose path is known, so that its refusal is recorded.
    pub(in crate::http) async fn belongs(&self, ctx: &mut RequestContext, ods: Option<&OdsCode>) {
        let Some(ods) = ods else { return };
        // It is refused in any case, and in the log.
        if let Ok(Some(found)) = self.tenants.find(&self.store, ods).await {
            ctx.entry.tenant = Some(found.view.key);
            ctx.ods = Some(ods.clone());
            ctx.traffic = Traffic::of(found.view.catalogue.declared.provider.test);
        }
    }

    /// Stores the audit entry: before the answer leaves where patient data was read, within a second otherwise
    /// (AUD-01). Requests that belong to no tenant are only logged; of a stranger's, see [`Strangers`].
    pub(in crate::http) async fn record(&self, ctx: &mut RequestContext) -> Result<(), Refusal> {
        let Some(tenant) = ctx.entry.tenant else {
            return Ok(());
        };
        let peer = ctx.peer.address.ip().to_canonical();
        if ctx.is_strangers && !self.strangers.note(tenant, peer, ctx.entry.status, ctx.now) {
            return Ok(());
        }
        let recorded = match ctx.durable {
            true => self.store.tenant(tenant).audit(&ctx.entry).await,
            false => self.store.tenant(tenant).audit_soon(&ctx.entry).await,
        };
        recorded.map_err(store_refusal)
    }

    /// Records what was counted of strangers, again and again.
    pub(in crate::http) async fn record_strangers(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            self.record_counted(false).await;
        }
    }

    /// Records what was counted of strangers in windows that are over, or in all.
    pub(in crate::http) async fn record_counted(&self, every: bool) {
        for (tenant, entry) in self.strangers.take(crate::clock::now(), every) {
            if let Err(error) = self.store.tenant(tenant).audit(&entry).await {
                let lost = entry.detail.unwrap_or_default();
                tracing::error!(%error, lost, "a count of refused requests could not be recorded");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantKey = TenantKey::of_test(1);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    /// Proves: AUD-01, D-68
    #[test]
    fn the_first_are_recorded_and_the_others_counted() {
        let strangers = Strangers::default();
        let peer: IpAddr = "192.0.2.7".parse().unwrap();
        let noted = |n| strangers.note(TENANT, peer, if n % 2 == 0 { 400 } else { 403 }, at(n));
        let by_themselves = (0..50).filter(|n| noted(*n)).count();
        assert_eq!(by_themselves, ONE_BY_ONE as usize);
        assert!(strangers.take(at(59), false).is_empty());
        let rows = strangers.take(at(60), false);
        assert_eq!(rows.len(), 1);
        let detail = rows[0].1.detail.as_deref().unwrap();
        for words in [
            "30 requests from 192.0.2.7",
            "400: 15, 403: 15",
            "2027-01-15T08:00:00Z",
        ] {
            assert!(detail.contains(words), "{words}: {detail}");
        }
        // Another window, another twenty; nothing to tell of them.
        assert!(noted(61));
        assert!(strangers.take(at(200), false).is_empty());
    }

    /// Proves: AUD-01, D-68
    #[test]
    fn many_peers_take_no_more_room_and_are_all_counted() {
        let strangers = Strangers::default();
        let peers = PEERS as u32 + 100;
        let mut by_themselves = 0;
        for n in 0..peers {
            let peer = IpAddr::from((0xC000_0000_u32 + n).to_be_bytes());
            by_themselves += u64::from(strangers.note(TENANT, peer, 400, at(0)));
        }
        assert_eq!(strangers.all().len(), PEERS + 1);
        let rows = strangers.take(at(0), true);
        assert_eq!(rows.len(), 1);
        let detail = rows[0].1.detail.as_deref().unwrap();
        let counted = u64::from(peers) - by_themselves;
        assert!(
            detail.starts_with(&format!("{counted} requests from other peers")),
            "{detail}"
        );
    }
}
