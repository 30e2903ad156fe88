//! The order of checks that every request goes through (provider-api, section 2), and what is recorded of it.
//!
//! Each step returns a value that the next one needs: a route, the SSP headers, the claims, a [`Caller`]. The
//! first failure answers.

use super::answer::{self, Answer, Body};
use super::base::Base;
pub use super::context::RequestContext;
use super::itk::Intake;
use super::limits::Admission;
use super::receiving::{Receiving, Share};
use super::rendered::RenderedDays;
use super::routes::{self, Matched, Unmatched};
use super::strangers::Strangers;
use super::tenants::{Found, TenantView, Tenants};
use super::trust::{self, Peer, Trust};
use super::untaken::Untaken;
use super::{
    admit, body, book, cancel, capability, history, log, read, search_appointments, search_slots,
};
use crate::audit::Fault;
use crate::config::Settings;
use crate::health::Health;
use crate::log_state::LogState;
use crate::metrics::Metrics;
use crate::metrics::requests::{Answered, Asked, Traffic};
use crate::metrics::sample::Sampler;
use crate::store::{Conflict, Revision, Store, WriteIntent};
use crate::telemetry::Tracer;
use booking::ids::{Asid, OdsCode, RequestId, ResourceId, VersionId};
use booking::refusal::{Refusal, Situation};
use booking::rules::release::ConsumerFacts;
use booking::version::StandardVersion;
use booking::wire::format::{self, Coding, Format};
use booking::wire::headers::{self, Headers, SspHeaders};
use booking::wire::interaction::Interaction;
use booking::wire::token::{self, Claims, Expectation};
use bytes::Bytes;
use fhir::Element;
use futures_util::FutureExt;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;
use jiff::tz::TimeZone;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
    pub(super) strangers: Strangers,
    /// What takes in bodies of bookings and cancellations.
    pub(super) bodies: Receiving,
    /// What takes in referrals.
    pub(super) intake: Intake,
    pub(super) trust: Trust,
    base: Base,
}

/// Who calls: nothing behind the edge runs without one.
pub struct Caller {
    /// The SSP headers.
    pub ssp: SspHeaders,
    /// The token's claims.
    pub claims: Claims,
    /// The caller's rights, as declared by the tenant.
    pub facts: ConsumerFacts,
    /// The version of the Standard that it follows, as declared by the tenant.
    pub standard: StandardVersion,
}

/// A refusal with what the edge adds to it.
pub struct Failure {
    refusal: Box<Refusal>,
    allow: Option<String>,
    root: Option<String>,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure {
            refusal: Box::new(refusal),
            allow: None,
            root: None,
        }
    }
}

impl From<Unmatched> for Failure {
    fn from(unmatched: Unmatched) -> Failure {
        Failure {
            refusal: unmatched.refusal,
            allow: unmatched.allow,
            root: None,
        }
    }
}

/// True for the methods whose body is read.
fn has_body(method: &http::Method) -> bool {
    matches!(*method, http::Method::POST | http::Method::PUT)
}

/// Header access for the rules, which know no HTTP library.
struct HeaderView<'a>(&'a HeaderMap);

impl Headers for HeaderView<'_> {
    fn values<'a>(&'a self, name: &str) -> Vec<&'a [u8]> {
        self.0
            .get_all(name)
            .iter()
            .map(HeaderValue::as_bytes)
            .collect()
    }

    fn first_two<'a>(&'a self, name: &str) -> (Option<&'a [u8]>, Option<&'a [u8]>) {
        let mut values = self.0.get_all(name).iter().map(HeaderValue::as_bytes);
        (values.next(), values.next())
    }
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
        let mut ctx = self.exchange(peer, &parts);
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
            .map_or(Asked::Nothing, Asked::Interaction);
        self.answered(&ctx, asked, &response, started.elapsed());
        response
    }

    /// Logs, counts and traces an answer.
    pub(super) fn answered(
        &self,
        ctx: &RequestContext,
        asked: Asked,
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
            self.traces.span(&self.metrics, ctx, asked, status, took);
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
            Err(unmatched) => {
                self.belongs(ctx, unmatched.ods.as_ref()).await;
                return Err(unmatched.into());
            }
        };
        let found = self
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
        let tenant = &found.view;
        ctx.entry.tenant = Some(tenant.key);
        ctx.entry.interaction = Some(matched.interaction);
        ctx.ods = Some(matched.ods.clone());
        ctx.traffic = Traffic::of(tenant.catalogue.provider.test);
        let refused = |refusal: Refusal| Failure {
            refusal: Box::new(refusal),
            allow: None,
            root: Some(tenant.root.clone()),
        };
        let caller = self.caller(ctx, parts, &matched, tenant)?;
        // Kept until the interaction is done.
        let _allowed = self.allowed(ctx, tenant, &caller)?;
        let (asid, ods) = (
            caller.ssp.from.clone(),
            caller.claims.organization.ods.clone(),
        );
        let standard = caller.standard;
        let outcome = match self
            .request(ctx, parts, body, (matched, standard), &found)
            .await
        {
            Ok(checked) => self.dispatch(ctx, checked, caller).await.map_err(refused),
            Err(refusal) => Err(refusal.into()),
        };
        match outcome {
            // The transaction of a write looks for a repeat itself, and has recorded what it found.
            Err(_) if !ctx.recorded && ctx.entered.is_some() => {
                match self.repeat(ctx, tenant, &asid, &ods)? {
                    Some(refusal) => Err(refused(refusal)),
                    None => outcome,
                }
            }
            outcome => outcome,
        }
    }

    /// Steps 2 and 3: SSP headers, then the token.
    fn caller(
        &self,
        ctx: &mut RequestContext,
        parts: &http::request::Parts,
        matched: &Matched,
        tenant: &TenantView,
    ) -> Result<Caller, Refusal> {
        let view = HeaderView(&parts.headers);
        let ssp = headers::read_ssp(&view, matched.interaction)?;
        ctx.entry.ssp(&ssp);
        let token = token::bearer(&view)?;
        let believed = self.trust.believed(token, &ctx.peer);
        let expect = Expectation {
            audience: &|audience| self.base.is_audience(audience, &tenant.root),
            scope: matched.interaction.scope(),
            other_scope: &|ods| {
                let standard = tenant.catalogue.standard_of(&ssp.from, ods, believed);
                matched.interaction.other_scope(standard)
            },
            now: ctx.now,
            tolerance_seconds: self.trust.tolerance_seconds,
        };
        let claims = self.trust.verify(token, &ctx.peer, &expect)?;
        ctx.is_strangers = false;
        ctx.entry.claims(&claims);
        if !tenant.catalogue.is_own_system(&ssp.to) {
            return Err(headers::other_system(
                &ssp.to,
                &tenant.catalogue.tenant.asid,
            ));
        }
        let ods = &claims.organization.ods;
        let facts = tenant.catalogue.consumer_facts(&ssp.from, ods, believed);
        let facts = facts.ok_or_else(|| trust::other_organization(&ssp.from, ods))?;
        if tenant.catalogue.is_test_consumer(&facts) {
            ctx.traffic = Traffic::Test;
        }
        let standard = tenant.catalogue.standard_of(&ssp.from, ods, believed);
        Ok(Caller {
            ssp,
            claims,
            facts,
            standard,
        })
    }

    /// Steps 4 and 5: formats, then `X-Request-ID` of a write, then the body is read.
    async fn request(
        &self,
        ctx: &mut RequestContext,
        parts: &mut http::request::Parts,
        body: Incoming,
        (matched, standard): (Matched, StandardVersion),
        found: &Found,
    ) -> Result<CheckedRequest, Refusal> {
        ctx.format = std::mem::replace(&mut ctx.requested, Ok(ctx.format))?;
        let write = matches!(matched.interaction, Interaction::Book | Interaction::Cancel);
        let view = HeaderView(&parts.headers);
        let (body_format, coding) = match write {
            false => (Format::Json, Coding::Identity),
            true => (
                format::body_format(
                    parts
                        .headers
                        .get(header::CONTENT_TYPE)
                        .map(HeaderValue::as_bytes),
                )?,
                format::content_coding(&view.values("content-encoding"))?,
            ),
        };
        let request_id = headers::read_request_id(&view);
        let request_id = if write {
            request_id?
        } else {
            request_id.ok().flatten()
        };
        ctx.entry.request_id = request_id.clone();
        let mut checked = CheckedRequest {
            matched,
            tenant: found.view.clone(),
            revision: found.revision,
            query: parts.uri.query().unwrap_or("").to_owned(),
            if_match: headers::read_if_match(&view),
            request_id,
            body: Bytes::new(),
            share: Share::default(),
            body_format,
            announced: None,
        };
        if write {
            if checked.request_id.is_none() && standard.requires_request_id() {
                return Err(Refusal::new(
                    Situation::RequestIdMissing,
                    "The header X-Request-ID is missing: send a new UUID with every create and update, and the same \
                     one with a retry.",
                )
                .location("http.X-Request-ID"));
            }
            // While the body comes, only what was read of the head is kept.
            (parts.headers, parts.uri) = Default::default();
            checked.query = String::new();
            let received = self.bodies.receive(body).await?;
            checked.share = received.share;
            checked.body = body::decode(received.bytes, coding, self.settings.limits.body_bytes)?;
            self.bodies
                .grow(&mut checked.share, checked.body.len())
                .await?;
            self.enter(ctx, false)?;
            self.reserve(ctx, checked.body.len())?;
            let asked = Asked::Interaction(checked.matched.interaction);
            self.metrics.requests.received(asked, checked.body.len());
            checked.announced = Some(self.store.announce(found.view.key));
        }
        Ok(checked)
    }

    /// Step 5, second half: an id that an earlier create or update succeeded with is refused before anything else that
    /// is wrong (D-03). Looked for only when something else is wrong: what can be done is not held up.
    fn repeat(
        &self,
        ctx: &mut RequestContext,
        tenant: &TenantView,
        asid: &Asid,
        ods: &OdsCode,
    ) -> Result<Option<Refusal>, Refusal> {
        let write = matches!(
            ctx.entry.interaction,
            Some(Interaction::Book | Interaction::Cancel)
        );
        let Some(id) = ctx.entry.request_id.as_ref().filter(|_| write) else {
            return Ok(None);
        };
        // A file that has gone from its path neither acknowledges a repeat nor is a reason to refuse one.
        self.store.in_place().map_err(store_refusal)?;
        let used = self
            .store
            .request_id(tenant.key, id)
            .map_err(store_refusal)?;
        Ok(used.map(|used| Refusal::from(&Conflict::repeated(used, asid, ods))))
    }

    async fn dispatch(
        &self,
        ctx: &mut RequestContext,
        checked: CheckedRequest,
        caller: Caller,
    ) -> Result<Answer, Refusal> {
        match checked.matched.interaction {
            Interaction::Capability => Ok(capability::run(&checked.tenant.name)),
            Interaction::SearchSlots => search_slots::run(self, ctx, &checked, &caller).await,
            Interaction::Book => book::run(self, ctx, checked, caller).await,
            Interaction::Read => read::run(self, ctx, &checked, &caller).await,
            Interaction::VersionRead => read::run(self, ctx, &checked, &caller).await,
            Interaction::History => history::run(self, ctx, &checked, &caller).await,
            Interaction::Cancel => cancel::run(self, ctx, checked, caller).await,
            Interaction::SearchAppointments => {
                search_appointments::run(self, ctx, &checked, &caller).await
            }
        }
    }

    /// Makes the response and records the request: what is recorded is what is sent, so the answer is made first.
    pub(super) async fn finish(
        &self,
        ctx: &mut RequestContext,
        outcome: Result<Answer, Failure>,
    ) -> Response<Body> {
        let outcome = match outcome {
            Err(failure) => Err(failure),
            Ok(done) => {
                ctx.entry.status = done.status;
                let made = answer::answer(ctx, done);
                let held = made.and_then(|response| self.held(ctx, response));
                held.map_err(|refusal| {
                    if std::mem::take(&mut ctx.recorded) {
                        // The change stands, recorded with its transaction; that it was not told is recorded too.
                        ctx.durable = true;
                        let what = "the change was made, but its answer could not be written";
                        ctx.entry.detail = Some(what.to_owned());
                    }
                    Failure::from(refusal)
                })
            }
        };
        let mut failure = match outcome {
            Ok(response) => match self.record(ctx).await {
                Ok(()) => return response,
                Err(refusal) => refusal.into(),
            },
            Err(failure) => {
                ctx.entry
                    .refused(&failure.refusal, Fault::of(&failure.refusal));
                match self.record(ctx).await {
                    Err(refusal) => refusal.into(),
                    Ok(()) => failure,
                }
            }
        };
        ctx.entry.status = failure.refusal.status();
        ctx.refused = Some(failure.refusal.situation);
        let existing = match (&failure.root, &failure.refusal.existing) {
            (Some(root), Some(id)) => Some(format!("{root}/Appointment/{id}")),
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

/// A request whose caller, formats and repeat check are settled.
pub struct CheckedRequest {
    /// Interaction and ids of the path.
    pub matched: Matched,
    /// The tenant as last read.
    pub tenant: Arc<TenantView>,
    /// The state of the database in which that view holds.
    pub revision: Revision,
    /// Raw query.
    pub query: String,
    /// `If-Match`.
    pub if_match: headers::IfMatch,
    /// `X-Request-ID`; there for a create or update, unless the caller's version lets it be left out (VER-02).
    pub request_id: Option<RequestId>,
    /// Body, decompressed.
    pub body: Bytes,
    /// The memory that it holds.
    pub(super) share: Share,
    /// Format of the body.
    pub body_format: Format,
    /// Tells the store that a write comes; taken back before it does.
    pub(super) announced: Option<WriteIntent>,
}

impl CheckedRequest {
    /// The body as a tree with what is wrong with its structure (step 6). Not readable: 400 (ERR-04).
    pub fn tree(&self, limit: usize) -> Result<fhir::Parsed, Refusal> {
        let limits = fhir::Limits {
            max_bytes: limit,
            ..fhir::Limits::default()
        };
        let parsed = match self.body_format {
            Format::Json => fhir::json::parse(&self.body, &limits),
            Format::Xml => fhir::xml::parse(&self.body, &limits),
        };
        parsed.map_err(|issue| Refusal::from_issues(Situation::BodyUnreadable, &[issue]))
    }

    /// Version-specific URL of an appointment.
    pub fn version_url(&self, id: &ResourceId, version: &VersionId) -> String {
        format!("{}/Appointment/{id}/_history/{version}", self.tenant.root)
    }
}

/// A stored resource as a tree. One that cannot be read is our fault: 500 (PROV-GEN-16).
pub fn stored_tree(json: &[u8]) -> Result<Element, Refusal> {
    let unreadable = |what: String| {
        Refusal::new(
            Situation::Unexpected,
            "A stored resource cannot be represented.",
        )
        .log(what)
    };
    let parsed = fhir::json::parse(json, &fhir::Limits::unbounded())
        .map_err(|issue| unreadable(issue.to_string()))?;
    Ok(parsed.root)
}

/// What a failing store means to the caller; the reason goes to the log only.
pub fn store_refusal(error: crate::store::StoreError) -> Refusal {
    Refusal::from(&error)
}
