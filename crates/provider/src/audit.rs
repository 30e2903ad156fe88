//! Records every access and change in the audit trail (AUD-01..06, DAT-03..05, DAT-07, DAT-08).
//!
//! An [`AuditEntry`] becomes one JSON text in the tenant's chain of audit rows. Provenance and query may identify a
//! patient, so an entry has no full `Debug` and belongs in the database only, never in a log. A new field goes into the
//! struct, its constructor and its text, all in this file. The store keeps the text unchanged.

use crate::tenant_key::TenantKey;
use booking::ids::RequestId;
use booking::refusal::{Refusal, Situation};
use booking::wire::headers::SspHeaders;
use booking::wire::interaction::Interaction;
use booking::wire::token::Claims;
use jiff::Timestamp;
use std::fmt::{self, Write};
use std::sync::Arc;
use uuid::Uuid;

/// Longest text of one field, characters. A token has its own bound; everything else is shorter.
const MAX_TEXT: usize = 20_000;
/// Most consumer faults recorded per request.
const MAX_FAULTS: usize = 20;

/// Who runs a local command: the name from the environment, which anybody can set, and the operating system's user id.
pub fn operator() -> String {
    let name = std::env::var("SUDO_USER")
        .or_else(|_| std::env::var("USER"))
        .unwrap_or_else(|_| "unknown".to_owned());
    let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    let uid = rustix::process::getuid().as_raw();
    format!("operator {name} (uid {uid})")
}

/// Whose fault a refused request is (AUD-06).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The system that called.
    Consumer,
    /// This system.
    Provider,
    /// Neither: a lost race, a missing permission.
    Nobody,
}

impl Fault {
    /// The stored word.
    pub fn code(self) -> &'static str {
        match self {
            Fault::Consumer => "consumer",
            Fault::Provider => "provider",
            Fault::Nobody => "nobody",
        }
    }

    /// Attributes a refusal.
    pub fn of(refusal: &Refusal) -> Fault {
        match refusal.situation {
            Situation::Unexpected | Situation::Unavailable | Situation::NotImplemented => {
                Fault::Provider
            }
            Situation::SlotTaken | Situation::VersionConflict | Situation::NotPermitted => {
                Fault::Nobody
            }
            Situation::InvalidParameter
            | Situation::HeaderInvalid
            | Situation::RequestIdMissing
            | Situation::BodyUnreadable
            | Situation::ContactRank
            | Situation::TokenRefused
            | Situation::ServiceUnknown
            | Situation::AppointmentUnknown
            | Situation::MethodNotAllowed
            | Situation::RequestIdReused
            | Situation::VersionMissing
            | Situation::MediaTypeUnsupported
            | Situation::ReferenceUnknown
            | Situation::NotConformant
            | Situation::NhsNumberInvalid
            | Situation::CancelDiffers
            | Situation::StateForbids
            | Situation::RouteUnknown
            | Situation::BodyTooLarge
            | Situation::RequestTimeout
            | Situation::TooManyRequests
            | Situation::HeadUnreadable
            | Situation::HeadTooLarge => Fault::Consumer,
        }
    }
}

/// One access or change, completed step by step.
#[derive(Clone, Default)]
pub struct AuditEntry {
    /// When the request arrived.
    pub at: Timestamp,
    /// The response's `X-Request-ID`, which is also the id of its OperationOutcome (DAT-08).
    pub response_id: Uuid,
    /// The tenant, once the route is known.
    pub tenant: Option<TenantKey>,
    /// Interaction of the API.
    pub interaction: Option<Interaction>,
    /// What was done if it was no interaction of the API: `declare`, `slots.hold`, `backup`.
    pub action: Option<String>,
    /// Who did it if there is no token: a user of the operating system or the console.
    pub actor: Option<String>,
    /// Request method.
    pub method: String,
    /// Request path.
    pub path: String,
    /// `Forwarded`, as received.
    pub forwarded: Option<String>,
    /// HTTP status of the answer; 0 where there was no request.
    pub status: u16,
    /// Row of the error table (`ERR-15`), or the status where the table has no row.
    pub error: Option<String>,
    /// Diagnostics of the answer.
    pub diagnostics: Option<String>,
    /// Whose fault the refusal was.
    pub fault: Option<Fault>,
    /// Deviations from the Standard that were tolerated in the request (PROV-ERR-03).
    pub consumer_faults: Vec<String>,
    /// The caller's `X-Request-ID` (AUD-04).
    pub request_id: Option<RequestId>,
    /// `Ssp-TraceID` (AUD-05).
    pub trace_id: Option<String>,
    /// `Ssp-From`.
    pub asid_from: Option<String>,
    /// `Ssp-To`.
    pub asid_to: Option<String>,
    /// ODS code of the token's organisation.
    pub ods: Option<String>,
    /// Whole payload of the token, JSON (AUD-02, AUD-03).
    pub provenance: Option<Arc<str>>,
    /// Service searched for or booked.
    pub service: Option<String>,
    /// Search criteria as understood.
    pub query: Option<String>,
    /// Slots returned by a search.
    pub slots_returned: Option<u32>,
    /// Why a search returned nothing.
    pub reason: Option<String>,
    /// Appointment read, booked or changed.
    pub appointment: Option<String>,
    /// Its version.
    pub version: Option<u32>,
    /// Digests of the version that the change made: the row proves what was stored (D-73).
    pub made: Option<MadeVersion>,
    /// The stored message of a referral and its digest: the row proves what was kept (D-97).
    pub kept: Option<KeptMessage>,
    /// Appointments returned by a search.
    pub appointments_returned: Option<u32>,
    /// Referral document of a booking.
    pub document: Option<String>,
    /// Slot booked or freed.
    pub slot: Option<String>,
    /// State of the slot before (DAT-04).
    pub slot_before: Option<&'static str>,
    /// State of the slot after.
    pub slot_after: Option<&'static str>,
    /// Anything else, as a sentence: counts of a bulk change, the file of a backup.
    pub detail: Option<String>,
}

impl AuditEntry {
    /// An entry for a request, before anything else is known.
    pub fn new(at: Timestamp, response_id: Uuid) -> AuditEntry {
        AuditEntry {
            at,
            response_id,
            ..AuditEntry::default()
        }
    }

    /// An entry for something that staff or an operator did here.
    pub fn local(at: Timestamp, action: &str, actor: &str) -> AuditEntry {
        AuditEntry {
            action: Some(action.to_owned()),
            actor: Some(actor.to_owned()),
            ..AuditEntry::new(at, Uuid::now_v7())
        }
    }

    /// Records the SSP headers.
    pub fn ssp(&mut self, ssp: &SspHeaders) {
        self.trace_id = Some(ssp.trace_id.as_str().to_owned());
        self.asid_from = Some(ssp.from.as_str().to_owned());
        self.asid_to = Some(ssp.to.as_str().to_owned());
    }

    /// Records the caller from the token.
    pub fn claims(&mut self, claims: &Claims) {
        self.ods = Some(claims.organization.ods.as_str().to_owned());
        self.provenance = Some(claims.provenance.clone());
    }

    /// Records the refusal, its reason and whose fault it was.
    pub fn refused(&mut self, refusal: &Refusal, fault: Fault) {
        let row = refusal.situation.row();
        self.status = row.status;
        self.error = Some(match row.id {
            "" => row.status.to_string(),
            id => id.to_owned(),
        });
        self.diagnostics = Some(refusal.to_string());
        self.fault = Some(fault);
    }

    /// The text for the chain: compact JSON without empty fields. `provenance` holds the token's payload as JSON, so that
    /// reports can query it.
    pub fn body(&self) -> String {
        let mut out = Body::begin(self.at, self.response_id);
        out.text("interaction", self.interaction.map(Interaction::name));
        out.text("action", self.action.as_deref());
        out.text("actor", self.actor.as_deref());
        out.text("method", Some(&self.method));
        out.text("path", Some(&self.path));
        out.text("forwarded", self.forwarded.as_deref());
        out.text("error", self.error.as_deref());
        out.text("diagnostics", self.diagnostics.as_deref());
        out.text("fault", self.fault.map(Fault::code));
        out.text(
            "request_id",
            self.request_id.as_ref().map(RequestId::as_str),
        );
        out.text("trace_id", self.trace_id.as_deref());
        out.text("asid_from", self.asid_from.as_deref());
        out.text("asid_to", self.asid_to.as_deref());
        out.text("ods", self.ods.as_deref());
        out.text("service", self.service.as_deref());
        out.text("query", self.query.as_deref());
        out.text("reason", self.reason.as_deref());
        out.text("appointment", self.appointment.as_deref());
        out.text("document", self.document.as_deref());
        out.text("slot", self.slot.as_deref());
        out.text("slot_before", self.slot_before);
        out.text("slot_after", self.slot_after);
        out.text("detail", self.detail.as_deref());
        out.number(
            "status",
            (self.status > 0).then_some(u32::from(self.status)),
        );
        out.number("slots_returned", self.slots_returned);
        out.number("version", self.version);
        if let Some(made) = &self.made {
            out.text("sha256", Some(&hex(&made.document)));
            out.text("record", Some(&hex(&made.record)));
        }
        if let Some(kept) = &self.kept {
            out.text("referral", Some(&kept.id.to_string()));
            out.text("message_sha256", Some(&hex(&kept.message)));
        }
        out.number("appointments_returned", self.appointments_returned);
        out.list("consumer_faults", &self.consumer_faults);
        if let Some(provenance) = &self.provenance {
            out.member("provenance");
            out.json.push_str(provenance);
        }
        out.json.push('}');
        out.json
    }
}

/// Digests of an appointment's version, in its audit row. Other data beside the rows can be bound the same way: the row's
/// text names it and holds its digest, and the chain stays unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MadeVersion {
    /// SHA-256 of the document's stored bytes.
    pub document: [u8; 32],
    /// SHA-256 of all else stored of the version: number, state, time, actor, the received request, and what its booking is
    /// of.
    pub record: [u8; 32],
}

/// A stored message of a referral, in its audit row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptMessage {
    /// Id of the referral in the store.
    pub id: Uuid,
    /// SHA-256 of the received message.
    pub message: [u8; 32],
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|b| [b >> 4, b & 15])
        .filter_map(|n| char::from_digit(u32::from(n), 16))
        .collect()
}

/// The JSON of an entry while it is written. Every request needs one, so it is written without a tree.
struct Body {
    json: String,
}

impl Body {
    /// Capacity for an entry with a token's payload.
    const ROOM: usize = 2_048;

    fn begin(at: Timestamp, id: Uuid) -> Body {
        let mut json = String::with_capacity(Body::ROOM);
        // Writing into a String cannot fail.
        let _ = write!(json, "{{\"at\":\"{at:.3}\",\"id\":\"{id}\"");
        Body { json }
    }

    /// Keys are constants of this file and need no escapes.
    fn member(&mut self, key: &str) {
        self.json.push_str(",\"");
        self.json.push_str(key);
        self.json.push_str("\":");
    }

    fn text(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value.filter(|v| !v.is_empty()) {
            self.member(key);
            self.string(value);
        }
    }

    fn number(&mut self, key: &str, value: Option<u32>) {
        if let Some(value) = value {
            self.member(key);
            let _ = write!(self.json, "{value}");
        }
    }

    fn list(&mut self, key: &str, values: &[String]) {
        let mut separator = '[';
        for value in values.iter().take(MAX_FAULTS) {
            if separator == '[' {
                self.member(key);
            }
            self.json.push(separator);
            self.string(value);
            separator = ',';
        }
        if separator == ',' {
            self.json.push(']');
        }
    }

    fn string(&mut self, text: &str) {
        let text = clipped(text);
        self.json.push('"');
        let mut plain = 0;
        loop {
            let at = fhir::json::end_of_plain(text.as_bytes(), plain);
            self.json.push_str(&text[plain..at]);
            let Some(byte) = text.as_bytes().get(at) else {
                break;
            };
            // This form is valid for all control characters.
            let _ = write!(self.json, "\\u{byte:04x}");
            plain = at + 1;
        }
        self.json.push('"');
    }
}

/// Shows only what is safe in a log.
impl fmt::Debug for AuditEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditEntry")
            .field("at", &self.at)
            .field("interaction", &self.interaction)
            .field("action", &self.action)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

fn clipped(text: &str) -> &str {
    // So many bytes are at least as many as the characters.
    if text.len() <= MAX_TEXT {
        return text;
    }
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}
