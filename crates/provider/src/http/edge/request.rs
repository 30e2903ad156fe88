//! What a request has proven: its caller, and that it is one that an interaction can work on.

use super::Edge;
use super::body;
use super::context::RequestContext;
use super::outcome::store_refusal;
use super::routes::Matched;
use super::tenants::{KnownTenant, TenantView};
use crate::audit::AuditEntry;
use crate::http::admission::receiving::Share;
use crate::http::trust;
use crate::metrics::requests::{RequestKind, Traffic};
use crate::store::{Conflict, Revision, WriteRequest};
use booking::ids::{Asid, OdsCode, RequestId, ResourceId, VersionId};
use booking::refusal::{Refusal, Situation};
use booking::rules::release::ConsumerFacts;
use booking::version::StandardVersion;
use booking::wire::format::{self, Coding, Format};
use booking::wire::headers::{self, Headers, SspHeaders};
use booking::wire::interaction::Interaction;
use booking::wire::token::{self, Claims, Expectation};
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use hyper::body::Incoming;
use std::sync::Arc;

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

/// True for the methods whose body is read.
pub(super) fn has_body(method: &http::Method) -> bool {
    matches!(*method, http::Method::POST | http::Method::PUT)
}

/// Header access for the rules, which know no HTTP library.
pub(super) struct HeaderView<'a>(pub(super) &'a HeaderMap);

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
    /// `X-Request-ID`; there for a create or update, unless the caller's version lets it be left out (VER-02).
    pub request_id: Option<RequestId>,
    /// Body, decompressed.
    pub body: Bytes,
    /// The memory that it holds.
    pub(in crate::http) _share: Share,
    /// Format of the body.
    pub body_format: Format,
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

/// The part of a booking or cancellation that both have; `entry` is what is recorded when it is made.
pub fn write_request(
    ctx: &RequestContext,
    checked: &CheckedRequest,
    caller: &Caller,
    status: u16,
) -> WriteRequest {
    WriteRequest {
        asid: caller.ssp.from.clone(),
        ods: caller.claims.organization.ods.clone(),
        request_id: checked.request_id.clone(),
        at: ctx.now,
        received: Some(checked.body.clone()),
        entry: AuditEntry {
            status,
            ..ctx.entry.clone()
        },
    }
}

impl Edge {
    /// Steps 2 and 3: SSP headers, then the token.
    pub(super) fn caller(
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
    pub(super) async fn request(
        &self,
        ctx: &mut RequestContext,
        parts: &mut http::request::Parts,
        body: Incoming,
        (matched, standard): (Matched, StandardVersion),
        known: &KnownTenant,
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
        if write && request_id.is_none() && standard.requires_request_id() {
            return Err(headers::request_id_missing());
        }
        let (query, (body, share)) = match write {
            false => (
                parts.uri.query().unwrap_or("").to_owned(),
                Default::default(),
            ),
            true => {
                // While the body comes, only what was read of the head is kept.
                (parts.headers, parts.uri) = Default::default();
                let asked = RequestKind::Interaction(matched.interaction);
                (String::new(), self.body(ctx, body, coding, asked).await?)
            }
        };
        Ok(CheckedRequest {
            matched,
            tenant: known.view.clone(),
            revision: known.revision,
            query,
            request_id,
            body,
            _share: share,
            body_format,
        })
    }

    /// Step 5, first half: the body of a write, with the memory that it holds. Then the request enters.
    async fn body(
        &self,
        ctx: &mut RequestContext,
        body: Incoming,
        coding: Coding,
        asked: RequestKind,
    ) -> Result<(Bytes, Share), Refusal> {
        let received = self.bodies.receive(body).await?;
        let mut share = received.share;
        let body = body::decode(received.bytes, coding, self.settings.limits.body_bytes)?;
        self.bodies.grow(&mut share, body.len()).await?;
        self.enter(ctx, false)?;
        self.reserve(ctx, body.len())?;
        self.metrics.requests.received(asked, body.len());
        Ok((body, share))
    }

    /// Step 5, second half: an id that an earlier create or update succeeded with is refused before anything else that
    /// is wrong (D-03). Looked for only when something else is wrong: what can be done is not held up.
    pub(super) fn repeat(
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
            .tenant(tenant.key)
            .request_id(id)
            .map_err(store_refusal)?;
        Ok(used.map(|used| Refusal::from(&Conflict::repeated(used, asid, ods))))
    }
}
