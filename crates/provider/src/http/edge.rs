//! The order of checks that every request goes through (provider-api, section 2), and what is recorded of it.
//!
//! Each step returns a value that the next one needs: a route, the SSP headers, the claims, a [`Caller`]. The
//! first failure answers.

pub mod answer;
pub mod base;
pub mod body;
pub mod context;
#[cfg(test)]
mod finish_tests;
pub mod log;
mod outcome;
pub mod pieces;
pub mod rendered;
mod request;
pub mod routes;
pub mod tenants;
pub(in crate::http) mod unreadable;

use super::admission::admit;
use super::admission::limits::Admission;
use super::admission::receiving::Receiving;
use super::admission::strangers::Strangers;
use super::admission::untaken::Untaken;
use super::interactions::itk::Intake;
use super::interactions::{
    book, cancel, capability, history, read, search_appointments, search_slots,
};
use super::trust::{Peer, Trust};
use crate::audit::Fault;
use crate::config::Settings;
use crate::health::Health;
use crate::log_state::LogState;
use crate::metrics::Metrics;
use crate::metrics::requests::{Answered, RequestKind, Traffic};
use crate::metrics::sample::Sampler;
use crate::store::Store;
use crate::telemetry::Tracer;
use answer::{Answer, Body};
use base::Base;
use booking::refusal::{Refusal, Situation};
use booking::wire::headers::{self, IfMatch};
use booking::wire::interaction::Interaction;
pub use context::RequestContext;
use futures_util::FutureExt;
use http::{Request, Response};
use hyper::body::Incoming;
use jiff::tz::TimeZone;
pub use outcome::{Failure, store_refusal, stored_tree};
use rendered::RenderedDays;
pub use request::{Caller, CheckedRequest, write_request};
use request::{HeaderView, has_body};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tenants::Tenants;

/// Everything that answers requests: one per server.
pub struct Edge {
    /// The diary, the bookings and the audit trail.
    pub store: Store,
    /// Settings of the server.
    pub settings: Arc<Settings>,
    /// Tenants with their declared things, as last read.
    pub tenants: Tenants,
    /// Slots as rendered for searches.
    pub rendered: RenderedDays,
    /// Europe/London.
    pub zone: TimeZone,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Whether this server should be sent requests.
    pub health: Health,
    /// Rate limits and load shedding.
    pub admission: Admission,
    /// Figures read from the database for metrics.
    pub sampler: Arc<Sampler>,
    /// Where spans of requests go.
    pub traces: Tracer,
    /// Answers that are not taken yet.
    pub untaken: Untaken,
    /// Refused requests of nobody known.
    pub(in crate::http) strangers: Strangers,
    /// What takes in bodies of bookings and cancellations.
    pub(in crate::http) bodies: Receiving,
    /// What takes in referrals.
    pub(in crate::http) intake: Intake,
    pub(in crate::http) trust: Trust,
    base: Base,
}

impl Edge {
    /// Puts the parts together and reads the tenants.
    pub fn new(
        store: Store,
        settings: Arc<Settings>,
        trust: Trust,
        base: Base,
    ) -> Result<Edge, String> {
        let zone = TimeZone::get("Europe/London").map_err(|e| format!("time zone data: {e}"))?;
        let tenants = Tenants::open(&store, base.clone()).map_err(|e| e.to_string())?;
        let cached = settings.search.cache_bytes;
        let rendered = RenderedDays::new(cached);
        let (alive, most) = (rendered.alive.clone(), settings.limits.answers_bytes);
        Ok(Edge {
            tenants,
            untaken: Untaken::new(most, alive, cached),
            rendered,
            admission: Admission::new(&settings.limits),
            health: Health::new(&settings, &store),
            metrics: Arc::new(Metrics::default()),
            sampler: Arc::default(),
            traces: Tracer::off(),
            strangers: Strangers::default(),
            bodies: admit::bodies(&settings),
            intake: Intake::new(),
            zone,
            store,
            settings,
            trust,
            base,
        })
    }

    /// The same, handing a span of every request to an exporter.
    #[must_use]
    pub fn traced(mut self, traces: Tracer) -> Edge {
        self.traces = traces;
        self
    }

    /// The same, knowing whether this process's log can be written.
    #[must_use]
    pub fn logged(mut self, log: Arc<LogState>) -> Edge {
        self.health.log = log;
        self
    }

    /// Answers one request. Never fails, never panics: what goes wrong inside is answered 500 and logged.
    pub async fn serve(&self, peer: Peer, request: Request<Incoming>) -> Response<Body> {
        let started = Instant::now();
        let _counted = self.metrics.requests.begin();
        let (mut parts, body) = request.into_parts();
        let mut ctx = self.open_context(peer, &parts);
        let search = routes::is_search(parts.method.as_str(), parts.uri.path());
        // A write enters when its body has arrived.
        let entered = match has_body(&parts.method) {
            true => Ok(()),
            false => self.enter(&mut ctx, search),
        };
        let outcome = match entered {
            Err(refusal) => Err(refusal.into()),
            Ok(()) => AssertUnwindSafe(self.run(&mut ctx, &mut parts, body))
                .catch_unwind()
                .await
                .unwrap_or_else(|_| {
                    Err(Refusal::new(Situation::Unexpected, "An unexpected fault.").into())
                }),
        };
        let response = self.finish(&mut ctx, outcome).await;
        let asked = ctx
            .entry
            .interaction
            .map_or(RequestKind::Nothing, RequestKind::Interaction);
        self.answered(&ctx, asked, &response, started.elapsed());
        response
    }

    /// Logs, counts and traces an answer.
    pub(in crate::http) fn answered(
        &self,
        ctx: &RequestContext,
        asked: RequestKind,
        response: &Response<Body>,
        took: Duration,
    ) {
        let status = response.status().as_u16();
        log::request(ctx, asked, status, took);
        self.metrics.requests.answered(&Answered {
            tenant: ctx.entry.tenant,
            asked,
            traffic: ctx.traffic,
            status,
            refused: ctx.refused,
            took,
            bytes: response.body().len(),
        });
        if self.traces.is_on() {
            self.traces
                .span(&self.metrics, &ctx.seen(), asked, status, took);
        }
    }

    /// Steps 1 to 5; the interaction does the rest.
    async fn run(
        &self,
        ctx: &mut RequestContext,
        parts: &mut http::request::Parts,
        body: Incoming,
    ) -> Result<Answer, Failure> {
        let matched = match routes::find(parts.method.as_str(), parts.uri.path()) {
            Ok(matched) => matched,
            Err(failure) => {
                self.belongs(ctx, routes::ods_of(parts.uri.path()).as_ref())
                    .await;
                return Err(failure);
            }
        };
        let known = self
            .tenants
            .find(&self.store, &matched.ods)
            .await?
            .ok_or_else(|| {
                Refusal::new(
                    Situation::RouteUnknown,
                    format!(
                        "No provider with the routing segment `{}` is served here.",
                        matched.ods.as_str()
                    ),
                )
            })?;
        let tenant = &known.view;
        ctx.entry.tenant = Some(tenant.key);
        ctx.entry.interaction = Some(matched.interaction);
        ctx.ods = Some(matched.ods.clone());
        ctx.traffic = Traffic::of(tenant.catalogue.declared.provider.test);
        let caller = self.caller(ctx, parts, &matched, tenant)?;
        // Kept until the interaction is done.
        let _allowed = self.allowed(ctx, tenant, &caller)?;
        let (asid, ods) = (
            caller.ssp.from.clone(),
            caller.claims.organization.ods.clone(),
        );
        let standard = caller.standard;
        // Read now: while the body of a write comes, the headers are not kept.
        let if_match = headers::read_if_match(&HeaderView(&parts.headers));
        let outcome = match self
            .request(ctx, parts, body, (matched, standard), &known)
            .await
        {
            Ok(checked) => self.dispatch(ctx, checked, caller, if_match).await,
            Err(refusal) => Err(refusal.into()),
        };
        match outcome {
            // The transaction of a write looks for a repeat itself, and has recorded what it found.
            Err(failure) if !failure.recorded && ctx.entered.is_some() => {
                match self.repeat(ctx, tenant, &asid, &ods)? {
                    Some(refusal) => Err(refusal.into()),
                    None => Err(failure),
                }
            }
            outcome => outcome,
        }
    }

    async fn dispatch(
        &self,
        ctx: &mut RequestContext,
        checked: CheckedRequest,
        caller: Caller,
        if_match: IfMatch,
    ) -> Result<Answer, Failure> {
        Ok(match checked.matched.interaction {
            Interaction::Capability => capability::run(&checked.tenant.name),
            Interaction::SearchSlots => search_slots::run(self, ctx, &checked, &caller).await?,
            Interaction::Book => book::run(self, ctx, checked, caller).await?,
            Interaction::Read | Interaction::VersionRead => {
                read::run(self, ctx, &checked, &caller).await?
            }
            Interaction::History => history::run(self, ctx, &checked, &caller).await?,
            Interaction::Cancel => cancel::run(self, ctx, checked, caller, &if_match).await?,
            Interaction::SearchAppointments => {
                search_appointments::run(self, ctx, &checked, &caller).await?
            }
        })
    }

    /// Makes the response and records the request: what is recorded is what is sent, so the answer is made first.
    pub(in crate::http) async fn finish(
        &self,
        ctx: &mut RequestContext,
        outcome: Result<Answer, Failure>,
    ) -> Response<Body> {
        // A change is recorded in its own transaction.
        let mut recorded = match &outcome {
            Ok(_) => ctx.entry.interaction.is_some_and(Interaction::writes),
            Err(failure) => failure.recorded,
        };
        let outcome = outcome.and_then(|done| {
            ctx.entry.status = done.status;
            let made = answer::answer(ctx, done);
            let held = made.and_then(|response| self.held(ctx, response));
            held.map_err(|refusal| {
                if std::mem::take(&mut recorded) {
                    // The change stands; that it was not told is recorded too.
                    ctx.durable = true;
                    let what = "the change was made, but its answer could not be written";
                    ctx.entry.detail = Some(what.to_owned());
                }
                Failure::from(refusal)
            })
        });
        if let Err(failure) = &outcome {
            let fault = Fault::of(&failure.refusal);
            ctx.entry.refused(&failure.refusal, fault);
        }
        let stored = match recorded {
            true => Ok(()),
            false => self.record(ctx).await,
        };
        let mut failure = match (outcome, stored) {
            (Ok(response), Ok(())) => return response,
            (Err(failure), Ok(())) => failure,
            (_, Err(refusal)) => refusal.into(),
        };
        ctx.entry.status = failure.refusal.status();
        ctx.refused = Some(failure.refusal.situation);
        let existing = match (&ctx.ods, &failure.refusal.existing) {
            (Some(ods), Some(id)) => {
                Some(format!("{}/Appointment/{id}", self.base.root(ods.as_str())))
            }
            _ => None,
        };
        log::refusal(ctx, &failure.refusal);
        let refuse = |ctx: &RequestContext, refusal: &Refusal| {
            answer::refuse(ctx, refusal, failure.allow.as_deref(), existing.as_deref())
        };
        let response = refuse(ctx, &failure.refusal);
        self.held(ctx, response).unwrap_or_else(|_| {
            // There is room for one finding.
            failure.refusal.findings.truncate(1);
            refuse(ctx, &failure.refusal)
        })
    }
}
