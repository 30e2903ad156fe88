//! Letting requests in: the server's places, what a consumer may use, and memory for bodies.

use crate::config::Settings;
use crate::http::admission::limits::{OfConsumer, TurnedAway};
use crate::http::admission::receiving::{Bounds, Receiving};
use crate::http::edge::context::RequestContext;
use crate::http::edge::tenants::TenantView;
use crate::http::edge::{Caller, Edge};
use crate::metrics::Shed;
use booking::refusal::{Refusal, Situation};
use std::time::Duration;

/// Each of the two pools of memory for bodies of bookings and cancellations, KiB.
const POOL_KIB: usize = 32 << 10;
/// The most memory, bytes, that these bodies take at the same time, with `limits.body_bytes` as it is by default.
pub const MOST_BODY_MEMORY: u64 = 2 * ((POOL_KIB as u64) << 10);

/// The bounds on bodies of bookings and cancellations; one has about 5 KB.
pub(in crate::http) fn bodies(settings: &Settings) -> Receiving {
    let within = Duration::from_secs(settings.limits.body_seconds);
    Receiving::new(Bounds {
        what: "bookings",
        most: settings.limits.body_bytes,
        within,
        least_each: within / 3,
        first_kib: POOL_KIB,
        small_kib: 64,
        further_kib: POOL_KIB.max(settings.limits.body_bytes.div_ceil(1 << 10)),
        step_kib: 8,
        wait: Duration::from_secs(2),
    })
}

impl Edge {
    /// Takes a place among what is under way; 503 when there is none.
    pub(in crate::http) fn enter(
        &self,
        ctx: &mut RequestContext,
        search: bool,
    ) -> Result<(), Refusal> {
        let entered = self.admission.enter(search).map_err(|why| {
            self.metrics.shed(why);
            let said = match why {
                Shed::Lag | Shed::Share => {
                    "The server is busy and keeps its room for bookings; search again in a second."
                }
                _ => {
                    "The server has as many requests under way as it takes; try again in a second."
                }
            };
            Refusal::new(Situation::Unavailable, said).log(why.name())
        })?;
        ctx.entered = Some(entered);
        Ok(())
    }

    /// What a consumer may use; beyond it 429 with the time after which there is more.
    pub(in crate::http) fn allowed(
        &self,
        ctx: &mut RequestContext,
        tenant: &TenantView,
        caller: &Caller,
    ) -> Result<OfConsumer<'_>, Refusal> {
        let asid = &caller.ssp.from;
        let default = self.admission.default_allowance();
        let (allowance, declared) = tenant.catalogue.allowance(&caller.facts, default);
        ctx.holder = declared.then(|| (tenant.key, asid.clone()));
        let entered = self
            .admission
            .consumer(tenant.key, asid, allowance, declared);
        entered.map_err(|TurnedAway { why, retry_after }| {
            self.metrics.shed(why);
            ctx.retry_after = retry_after;
            let said = match why {
                Shed::UnderWay => format!(
                    "{asid} has {} requests under way here, which is as many as it may; wait for answers.",
                    allowance.under_way
                ),
                _ => format!(
                    "{asid} sends more than the {} requests a second that it may; try again in {retry_after} s.",
                    allowance.per_second
                ),
            };
            Refusal::new(Situation::TooManyRequests, said).log(why.name())
        })
    }
}
