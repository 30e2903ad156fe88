//! `POST /itk` and `/itk/{ODS}`: referral documents, wrapped by ITK in SOAP or as FHIR documents (REF-PRO-01..08).
//!
//! A message that arrived whole from somebody who may send is stored before anything is answered: filed, or in
//! quarantine. "OK" goes out only when its document is filed, or was before. Whose it is, is decided by the path;
//! else by the organisations that envelope and document are addressed to; else by the booking that the document
//! points at; else, with one provider only, it is that one's.

mod intake;
mod reader;

pub use intake::{Intake, MOST_MEMORY};

use crate::audit::{AuditEntry, Fault};
use crate::config::ReferralSenders;
use crate::http::admission::receiving::{Received, Share};
use crate::http::edge::answer::{self, Answer, Body, Content};
use crate::http::edge::body;
use crate::http::edge::log;
use crate::http::edge::{Edge, Failure, RequestContext};
use crate::http::trust::Peer;
use crate::metrics::requests::RequestKind;
use crate::referral::answer::{acknowledgement, fault};
use crate::referral::{Arrived, Code, Reason, Wire, Wrapper, read};
use crate::store::{Arrival, Filed, REFERRAL_BYTES, StoreError, TenantKey, TenantRow};
use booking::ids::{OdsCode, RequestId};
use booking::refusal::{Refusal, Situation, information_outcome};
use booking::wire::format::{self, Coding, Format};
use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use intake::Sender;
use reader::NotRead;
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use uuid::Uuid;

/// Where referrals are sent.
pub(in crate::http) const PATH: &str = "/itk";
/// The media types of referrals, and the wrapping that each announces.
pub(in crate::http) const MEDIA_TYPES: [(&str, Wire); 7] = [
    ("text/xml", Wire::Soap11),
    ("application/xml", Wire::Soap11),
    ("application/soap+xml", Wire::Soap12),
    ("application/fhir+json", Wire::FhirJson),
    ("application/json+fhir", Wire::FhirJson),
    ("application/fhir+xml", Wire::FhirXml),
    ("application/xml+fhir", Wire::FhirXml),
];
/// Action of the audit rows.
const ACTION: &str = "referral.receive";
/// True for the paths of this file.
pub fn is_path(path: &str) -> bool {
    path == PATH || path.starts_with("/itk/")
}

/// Answers one message. Never fails: what goes wrong inside is told as a fault that invites a repeat.
pub async fn serve(edge: &Edge, peer: Peer, request: Request<Incoming>) -> Response<Body> {
    let started = Instant::now();
    let _counted = edge.metrics.requests.begin();
    let (mut parts, body) = request.into_parts();
    let mut ctx = edge.open_context(peer, &parts);
    ctx.entry.action = Some(ACTION.to_owned());
    ctx.entry.request_id = parts
        .headers
        .get("x-request-id")
        .and_then(|v| v.to_str().ok())
        .and_then(|v| RequestId::parse(v).ok());
    let wire = wire_of(&parts).unwrap_or(Wire::Soap11);
    let response = match receive(edge, &mut ctx, &mut parts, body).await {
        Ok(response) => response,
        Err(Failure {
            refusal, recorded, ..
        }) => {
            ctx.entry.refused(&refusal, Fault::of(&refusal));
            ctx.refused = Some(refusal.situation);
            // The answer says that nothing was taken; that stands also when this row cannot be written.
            if !recorded && let Err(error) = edge.record(&mut ctx).await {
                tracing::error!(%error, "a refused referral could not be recorded");
            }
            log::refusal(&ctx, &refusal);
            refused(&mut ctx, wire, &refusal)
        }
    };
    edge.answered(&ctx, RequestKind::Referral, &response, started.elapsed());
    response
}

/// Everything up to the message being whole; what fails here was not received, and its sender is told so.
async fn receive(
    edge: &Edge,
    ctx: &mut RequestContext,
    parts: &mut http::request::Parts,
    incoming: Incoming,
) -> Result<Response<Body>, Failure> {
    // Nothing is read of the database for who may not send.
    if parts.method != http::Method::POST {
        let named = parts.uri.path().strip_prefix(PATH).unwrap_or("");
        let named = OdsCode::parse(&named.trim_matches('/').to_ascii_uppercase());
        edge.belongs(ctx, named.ok().as_ref()).await;
        return Err(
            Refusal::new(Situation::MethodNotAllowed, "Referrals are sent with POST.").into(),
        );
    }
    permitted(edge, &ctx.peer)?;
    ctx.is_strangers = false;
    let tenants = edge.store.tenants().map_err(|e| Refusal::from(&e))?;
    let named = tenant_of_path(parts.uri.path(), &tenants)?;
    ctx.entry.tenant = named;
    ctx.ods = ods_of(&tenants, named);
    let wire = wire_of(parts)?;
    let encodings: Vec<&[u8]> = parts
        .headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    let coding = format::content_coding(&encodings)?;
    let sender = Sender::of(&ctx.peer, &parts.headers);
    // While the body comes, only what was read of the head is kept.
    (parts.headers, parts.uri) = Default::default();
    let per_sender = edge.settings.referral.per_sender.max(1);
    let _place = edge.intake.place(sender, per_sender).await?;
    let received = edge.intake.bodies.receive(incoming).await?;
    if received.bytes.is_empty() {
        return Err(Refusal::new(Situation::BodyUnreadable, "The message is empty.").into());
    }
    edge.enter(ctx, false)?;
    file(edge, ctx, wire, coding, received, named, tenants).await
}

/// The tenant that the path names, if it names one.
fn tenant_of_path(path: &str, tenants: &[TenantRow]) -> Result<Option<TenantKey>, Refusal> {
    let rest = path.strip_prefix(PATH).unwrap_or("").trim_matches('/');
    if rest.is_empty() {
        return Ok(None);
    }
    let unknown = || {
        Refusal::new(
            Situation::RouteUnknown,
            "No provider of this path takes referrals here; the path is /itk/ followed by an ODS code.",
        )
    };
    let ods = OdsCode::parse(&rest.to_ascii_uppercase()).map_err(|_| unknown())?;
    let row = tenants.iter().find(|t| t.ods == ods).ok_or_else(unknown)?;
    Ok(Some(row.key))
}

fn ods_of(tenants: &[TenantRow], key: Option<TenantKey>) -> Option<OdsCode> {
    let row = tenants.iter().find(|t| Some(t.key) == key)?;
    Some(row.ods.clone())
}

/// Who may send (NFR-01): what is stored is shown to clinicians, and it takes space.
fn permitted(edge: &Edge, peer: &Peer) -> Result<(), Refusal> {
    let proven = peer.tls
        && edge
            .settings
            .tls
            .as_ref()
            .is_some_and(|t| t.client_ca.is_some());
    let may = match edge.settings.referral.from {
        ReferralSenders::Nobody => false,
        ReferralSenders::Certificate => proven || edge.trust.accepts_anybody(),
        ReferralSenders::Any => true,
    };
    match may {
        true => Ok(()),
        false => Err(Refusal::new(
            Situation::NotPermitted,
            "Referrals are not taken from this sender: a client certificate known here is needed.",
        )),
    }
}

/// The wrapping that the media type announces.
fn wire_of(parts: &http::request::Parts) -> Result<Wire, Refusal> {
    let value = parts.headers.get(header::CONTENT_TYPE);
    let text = value.and_then(|v| v.to_str().ok()).unwrap_or("");
    let essence = text.split(';').next().unwrap_or("").trim();
    let known = MEDIA_TYPES
        .into_iter()
        .find(|(name, _)| essence.eq_ignore_ascii_case(name));
    known.map(|(_, wire)| wire).ok_or_else(|| {
        Refusal::new(
            Situation::MediaTypeUnsupported,
            "A referral is an ITK message in SOAP (text/xml or application/soap+xml) or a FHIR document \
             (application/fhir+json or application/fhir+xml).",
        )
        .location("http.Content-Type")
    })
}

/// What reading a message yields, ready for the store.
struct ReadMessage {
    arrived: Arrived,
    document_hash: Option<[u8; 32]>,
    message_hash: [u8; 32],
}

fn read_message(wire: Wire, body: &[u8]) -> ReadMessage {
    let mut arrived = read(wire, body);
    let document_hash = arrived.document.as_mut().ok().map(|document| {
        let mut hasher = Sha256::new();
        document.digest(&mut hasher);
        // From here on only what it says is needed.
        document.bytes = Vec::new();
        for further in &mut document.further {
            further.bytes = further
                .bytes
                .as_ref()
                .map(|_| Vec::new())
                .map_err(Clone::clone);
        }
        hasher.finalize().into()
    });
    ReadMessage {
        arrived,
        document_hash,
        message_hash: Sha256::digest(body).into(),
    }
}

/// A message whose reader failed or came too late: all that is known is its bytes.
fn unread(wire: Wire, body: &[u8], why: &NotRead) -> ReadMessage {
    let reason = match why {
        NotRead::Late => Reason::new(
            Code::Retryable,
            "The message is kept, but could not be read in time; send the same message again in a minute.",
        ),
        NotRead::Failed => Reason::new(
            Code::Retryable,
            "The message is kept, but could not be read here; its receiver has to look at it.",
        ),
    };
    ReadMessage {
        arrived: Arrived {
            wire,
            wrapper: Wrapper::default(),
            document: Err(reason),
        },
        document_hash: None,
        message_hash: Sha256::digest(body).into(),
    }
}

/// Lets a reader decompress and read what was received. The memory is held for as long as the reader works, also when
/// the sender has gone.
async fn read_received(
    edge: &Edge,
    wire: Wire,
    coding: Coding,
    received: Received,
) -> Result<(ReadMessage, Bytes, Arc<Mutex<Share>>), Refusal> {
    let share = Arc::new(Mutex::new(received.share));
    let held = share.clone();
    let raw = Bytes::from(received.bytes);
    let reading = raw.clone();
    let read = edge.intake.readers.read(move || {
        let body = match coding {
            Coding::Identity => reading,
            Coding::Gzip => body::gunzip(&reading, REFERRAL_BYTES)?,
        };
        let message = read_message(wire, &body);
        drop(held);
        Ok::<_, Refusal>((message, body))
    });
    let (message, body) = match (read.await, coding) {
        (Ok(read), _) => read?,
        (Err(why), Coding::Identity) => (unread(wire, &raw, &why), raw),
        // What was never unpacked is not a message yet.
        (Err(_), Coding::Gzip) => {
            return Err(Refusal::new(
                Situation::Unavailable,
                "The message could not be read here and now; send the same message again in a minute.",
            ));
        }
    };
    Ok((message, body, share))
}

/// The message is whole: from here on it is kept, whatever is wrong with it.
async fn file(
    edge: &Edge,
    ctx: &mut RequestContext,
    wire: Wire,
    coding: Coding,
    received: Received,
    named: Option<TenantKey>,
    tenants: Vec<TenantRow>,
) -> Result<Response<Body>, Failure> {
    let (message, body, share) = read_received(edge, wire, coding, received).await?;
    edge.metrics
        .requests
        .received(RequestKind::Referral, body.len());
    let _share = edge.intake.grown(share, body.len()).await?;
    let (message, tenant) = addressed_to(edge, message, named, tenants).await?;
    let _filing = edge.intake.filing(body.len()).await;
    let Arrived {
        wire,
        wrapper,
        document,
    } = message.arrived;
    let key = tenant.as_ref().map(|t| t.key);
    ctx.entry.tenant = key;
    ctx.ods = tenant.as_ref().map(|t| t.ods.clone());
    ctx.entry.query = wrapper.tracking.as_ref().map(|t| format!("tracking {t}"));
    ctx.entry.ods = sender_of(
        &wrapper,
        document.as_ref().ok().and_then(|d| d.facts.author.as_ref()),
    );
    let further = further_note(document.as_ref().ok());
    let document = match (document, message.document_hash) {
        (Ok(document), Some(hash)) => Ok((document.facts, hash)),
        (Err(reason), _) => Err(reason),
        (Ok(_), None) => Err(Reason::new(Code::Retryable, "The document has no digest.")),
    };
    let arrival = Arrival {
        id: Uuid::now_v7(),
        at: ctx.now,
        wire,
        wrapper: wrapper.clone(),
        document,
        further,
        message_hash: message.message_hash,
        body,
        refused_status: match wire {
            Wire::Soap11 => |code| fault_status(Wire::Soap11, code).as_u16(),
            Wire::Soap12 => |code| fault_status(Wire::Soap12, code).as_u16(),
            Wire::FhirJson | Wire::FhirXml => |code| situation_of(code).row().status,
        },
        entry: AuditEntry {
            status: 200,
            ..ctx.entry.clone()
        },
    };
    let filed = edge.store.file_referral(key, arrival).await;
    let reporter = tenant.map_or_else(String::new, |t| {
        format!("urn:nhs-uk:identity:ods:{}", t.ods)
    });
    // Recorded with its transaction, whatever becomes of the answer.
    filed_answer(ctx, wire, &wrapper, &reporter, filed).map_err(Failure::recorded)
}

/// What the staff are told of the other documents of the message.
fn further_note(document: Option<&crate::referral::Document>) -> Option<String> {
    let further = &document?.further;
    let unreadable = further.iter().filter(|f| f.bytes.is_err()).count();
    let mut note = match further.len() {
        0 => return None,
        1 => "The message brings one more document, which is kept with it.".to_owned(),
        n => format!("The message brings {n} more documents, which are kept with it."),
    };
    if unreadable > 0 {
        note.push_str(&format!(
            " {unreadable} of them cannot be taken out of the message; it is kept as it was sent."
        ));
    }
    Some(note)
}

/// Who sent it, for the audit trail: the author of the document, else the sender of the envelope.
fn sender_of(wrapper: &Wrapper, author: Option<&OdsCode>) -> Option<String> {
    let sender = || {
        wrapper
            .sender
            .as_deref()
            .and_then(crate::referral::recipient::ods_of)
    };
    author
        .cloned()
        .or_else(sender)
        .map(|o| o.as_str().to_owned())
}

/// The message with the tenant that it is for, if there is one.
async fn addressed_to(
    edge: &Edge,
    message: ReadMessage,
    named: Option<TenantKey>,
    tenants: Vec<TenantRow>,
) -> Result<(ReadMessage, Option<TenantRow>), Refusal> {
    let row = |key: TenantKey, tenants: Vec<TenantRow>| tenants.into_iter().find(|t| t.key == key);
    if let Some(key) = named {
        return Ok((message, row(key, tenants)));
    }
    let store = edge.store.clone();
    let asked = tokio::task::spawn_blocking(move || {
        let key = whose(&store, &tenants, &message.arrived)?;
        Ok((message, key.and_then(|key| row(key, tenants))))
    });
    let asked = asked.await.map_err(|e| {
        Refusal::new(
            Situation::Unexpected,
            "Whose the message is could not be found out.",
        )
        .log(e.to_string())
    })?;
    asked.map_err(|e: StoreError| Refusal::from(&e))
}

/// Whose a message is that came without an ODS code in its path.
fn whose(
    store: &crate::store::Store,
    tenants: &[TenantRow],
    arrived: &Arrived,
) -> Result<Option<TenantKey>, StoreError> {
    let served = |ods: &OdsCode| tenants.iter().find(|t| t.ods == *ods).map(|t| t.key);
    let facts = arrived.document.as_ref().ok().map(|d| &d.facts);
    let mut addressed = arrived
        .wrapper
        .recipients
        .iter()
        .chain(facts.iter().flat_map(|f| f.recipients.iter()));
    if let Some(key) = addressed.find_map(served) {
        return Ok(Some(key));
    }
    if let Some(facts) = facts {
        let url = facts.appointment.as_ref().and_then(|a| a.ods.as_ref());
        if let Some(key) = url.and_then(served) {
            return Ok(Some(key));
        }
        for tenant in tenants {
            if !store
                .tenant(tenant.key)
                .bookings_of_document(&facts.id, 1)?
                .is_empty()
            {
                return Ok(Some(tenant.key));
            }
        }
    }
    // Mail for somebody else is not opened by the only one at home.
    let for_others =
        !arrived.wrapper.recipients.is_empty() || facts.is_some_and(|f| !f.recipients.is_empty());
    Ok(match tenants {
        [only] if !for_others => Some(only.key),
        _ => None,
    })
}

/// The answer, after the commit.
fn filed_answer(
    ctx: &mut RequestContext,
    wire: Wire,
    wrapper: &Wrapper,
    reporter: &str,
    filed: Result<Filed, StoreError>,
) -> Result<Response<Body>, Refusal> {
    let reason = match filed {
        Ok(Filed::Taken { id, matched }) => {
            let by = matched.map_or("none", |m| m.word());
            tracing::info!(%id, matched = by, "referral filed");
            return acknowledged(ctx, wire, wrapper, reporter);
        }
        Ok(Filed::Repeat { id }) => {
            tracing::info!(%id, "referral repeated");
            return acknowledged(ctx, wire, wrapper, reporter);
        }
        Ok(Filed::Quarantined { id, reason }) => {
            tracing::warn!(%id, code = reason.code.number(), reason = %reason, "referral in quarantine");
            reason
        }
        Err(error) => {
            tracing::error!(%error, "a referral could not be stored");
            Reason::new(
                Code::Retryable,
                "The message could not be stored; send the same message again in a minute.",
            )
        }
    };
    Ok(match wire {
        Wire::Soap11 | Wire::Soap12 => {
            let text = fault(wire, wrapper, &reason, ctx.response_id);
            soap(ctx, wire, fault_status(wire, reason.code), text)
        }
        Wire::FhirJson | Wire::FhirXml => {
            let refusal = Refusal::new(situation_of(reason.code), reason.text);
            refused(ctx, wire, &refusal)
        }
    })
}

fn situation_of(code: Code) -> Situation {
    match code {
        Code::Invalid => Situation::BodyUnreadable,
        Code::Refused => Situation::NotConformant,
        Code::Denied => Situation::NotPermitted,
        Code::Retryable => Situation::Unavailable,
    }
}

/// SOAP 1.1 sends every fault with 500; SOAP 1.2 tells the sender's faults apart.
fn fault_status(wire: Wire, code: Code) -> StatusCode {
    match (wire, code) {
        (Wire::Soap12, Code::Invalid | Code::Refused | Code::Denied) => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn acknowledged(
    ctx: &mut RequestContext,
    wire: Wire,
    wrapper: &Wrapper,
    reporter: &str,
) -> Result<Response<Body>, Refusal> {
    ctx.entry.status = 200;
    match wire {
        Wire::Soap11 | Wire::Soap12 => {
            let text = acknowledgement(wire, wrapper, reporter, ctx.now);
            Ok(soap(ctx, wire, StatusCode::OK, text))
        }
        Wire::FhirJson | Wire::FhirXml => {
            ctx.format = fhir_format(wire);
            let outcome = information_outcome(&ctx.response_id_text(), "The document is stored.");
            answer::answer(ctx, Answer::ok(Content::Tree(outcome)))
        }
    }
}

fn fhir_format(wire: Wire) -> Format {
    match wire {
        Wire::FhirXml => Format::Xml,
        _ => Format::Json,
    }
}

/// A refusal in the wrapping of the message.
fn refused(ctx: &mut RequestContext, wire: Wire, refusal: &Refusal) -> Response<Body> {
    let status = refusal.status();
    let allow = (status == 405).then_some("POST");
    if let Wire::FhirJson | Wire::FhirXml = wire {
        ctx.format = fhir_format(wire);
        return answer::refuse(ctx, refusal, allow, None);
    }
    let code = match refusal.situation {
        Situation::NotPermitted => Code::Denied,
        Situation::Unavailable | Situation::Unexpected | Situation::RequestTimeout => {
            Code::Retryable
        }
        _ => Code::Invalid,
    };
    let reason = Reason::new(code, refusal.to_string());
    let text = fault(wire, &Wrapper::default(), &reason, ctx.response_id);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = soap(ctx, wire, status, text);
    let headers = response.headers_mut();
    if allow.is_some() {
        headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
    }
    if !refused_before_reading(refusal.situation) {
        return response;
    }
    // The rest of the body is not read: the connection cannot be used again.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn refused_before_reading(situation: Situation) -> bool {
    matches!(
        situation,
        Situation::BodyTooLarge | Situation::RequestTimeout | Situation::Unavailable
    )
}

fn soap(ctx: &RequestContext, wire: Wire, status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Bytes::from(text).into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let media = match wire {
        Wire::Soap12 => "application/soap+xml;charset=utf-8",
        _ => "text/xml;charset=utf-8",
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&ctx.response_id_text()) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    if let Some(correlation) = &ctx.correlation {
        headers.insert(
            HeaderName::from_static("x-correlation-id"),
            correlation.clone(),
        );
    }
    response
}
