//! The error table of the Standard (`provider-api.md` section 11), used by every edge.
//!
//! The Provider decides whose fault a row is (`audit::Fault::of`), and which interactions answer with it
//! (`http::operators::describe`).

/// Whether the same request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// No repeat can succeed.
    Never,
    /// Only after a change to the request.
    WithChange,
    /// Unchanged, with the same `X-Request-ID`.
    Safe,
}

/// A situation of the error table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Situation {
    /// ERR-01: a bad query value, a misspelt criterion, no service, all bounds past.
    InvalidParameter,
    /// ERR-02: an SSP header is missing, malformed or unsuitable.
    HeaderInvalid,
    /// ERR-03: POST or PUT without `X-Request-ID`.
    RequestIdMissing,
    /// ERR-04: the body cannot be read as an Appointment with a contained Slot id.
    BodyUnreadable,
    /// ERR-05: not exactly one contact point of rank 1, or one without rank.
    ContactRank,
    /// ERR-06: the token is absent, malformed, expired, for others, or lacks the scope.
    TokenRefused,
    /// ERR-07: the organisation or role lacks the permission.
    NotPermitted,
    /// ERR-08: the service id is unknown.
    ServiceUnknown,
    /// ERR-09: the appointment or version is unknown.
    AppointmentUnknown,
    /// ERR-10: the path does not have this method.
    MethodNotAllowed,
    /// ERR-11: the `X-Request-ID` was used by a request that succeeded.
    RequestIdReused,
    /// ERR-12: `If-Match` names another version.
    VersionConflict,
    /// ERR-13: `If-Match` is missing.
    VersionMissing,
    /// ERR-14: the media type or response format is not supported.
    MediaTypeUnsupported,
    /// ERR-15: the slot is no longer free.
    SlotTaken,
    /// ERR-16: the slot or another reference does not exist.
    ReferenceUnknown,
    /// ERR-17: profile, cardinality or value set; an `id` on create.
    NotConformant,
    /// ERR-18: the NHS number has not ten digits or fails modulus 11.
    NhsNumberInvalid,
    /// ERR-19: the body of a cancellation changes more than `status`.
    CancelDiffers,
    /// ERR-20: already cancelled, past, or a status other than `cancelled`.
    StateForbids,
    /// ERR-21: the operation is not implemented.
    NotImplemented,
    /// ERR-22: an unexpected fault, or data that cannot be represented.
    Unexpected,
    /// ERR-23: overload or maintenance.
    Unavailable,
    /// 404: there is nothing at this path.
    RouteUnknown,
    /// 413: the body is over the limit.
    BodyTooLarge,
    /// 408: the request did not arrive in time.
    RequestTimeout,
    /// 429: the caller sends too many requests.
    TooManyRequests,
    /// 400: the request line or a header is malformed.
    HeadUnreadable,
    /// 431: request line and headers are over the limit.
    HeadTooLarge,
}

/// One row of the error table.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// Id in the requirement catalogue; empty if the Standard has no row.
    pub id: &'static str,
    /// HTTP status.
    pub status: u16,
    /// `issue.code`.
    pub code: &'static str,
    /// `issue.details.coding.code`.
    pub spine: &'static str,
    /// `issue.details.coding.display`.
    pub display: &'static str,
    /// Whether to try again.
    pub retry: Retry,
}

impl Row {
    /// The id, or the status if the Standard has no row; for logs and metrics.
    pub fn name(&self) -> &'static str {
        match (self.id, self.status) {
            ("", 400) => "400",
            ("", 404) => "404",
            ("", 408) => "408",
            ("", 413) => "413",
            ("", 429) => "429",
            ("", 431) => "431",
            (id, _) => id,
        }
    }
}

const fn row(
    id: &'static str,
    status: u16,
    code: &'static str,
    spine: &'static str,
    display: &'static str,
    retry: Retry,
) -> Row {
    Row {
        id,
        status,
        code,
        spine,
        display,
        retry,
    }
}

use Retry::{Never, Safe, WithChange};

#[rustfmt::skip] // a row a line
static ROWS: [Row; 29] = [
    row("ERR-01", 400, "invalid", "INVALID_PARAMETER", "Invalid parameter", WithChange),
    row("ERR-02", 400, "invalid", "MISSING_OR_INVALID_HEADER", "Missing or invalid header", WithChange),
    row("ERR-03", 400, "required", "MISSING_OR_INVALID_HEADER", "Missing or invalid header", WithChange),
    row("ERR-04", 400, "invalid", "INVALID_PARAMETER", "Invalid parameter", WithChange),
    row("ERR-05", 400, "invalid", "INVALID_PARAMETER", "Invalid parameter", WithChange),
    row("ERR-06", 403, "forbidden", "ACCESS DENIED", "Access denied", WithChange),
    row("ERR-07", 403, "forbidden", "ACCESS DENIED", "Access denied", Never),
    row("ERR-08", 404, "not-found", "NO_RECORD_FOUND", "No record found", WithChange),
    row("ERR-09", 404, "not-found", "NO_RECORD_FOUND", "No record found", WithChange),
    row("ERR-10", 405, "not-supported", "BAD_REQUEST", "Bad request", WithChange),
    row("ERR-11", 409, "duplicate", "DUPLICATE_REJECTED", "Duplicate rejected", Never),
    row("ERR-12", 409, "conflict", "CONFLICTING_VALUES", "Conflicting values", WithChange),
    row("ERR-13", 412, "required", "MISSING_OR_INVALID_HEADER", "Missing or invalid header", WithChange),
    row("ERR-14", 415, "not-supported", "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type", WithChange),
    row("ERR-15", 422, "processing", "processing", "Processing Failure", WithChange),
    row("ERR-16", 422, "invalid", "REFERENCE_NOT_FOUND", "Reference not found", WithChange),
    row("ERR-17", 422, "invalid", "INVALID_PARAMETER", "Invalid parameter", WithChange),
    row("ERR-18", 422, "value", "INVALID_NHS_NUMBER", "Invalid NHS number", WithChange),
    row("ERR-19", 422, "invalid", "REFERENCE_NOT_FOUND", "Reference not found", WithChange),
    row("ERR-20", 422, "business-rule", "INVALID_REQUEST_STATE", "Invalid request state", Never),
    row("ERR-21", 501, "not-supported", "NOT_IMPLEMENTED", "Not implemented", Never),
    row("ERR-22", 500, "processing", "INTERNAL_SERVER_ERROR", "Internal server error", Safe),
    row("ERR-23", 503, "transient", "INTERNAL_SERVER_ERROR", "Internal server error", Safe),
    row("", 404, "not-found", "NO_RECORD_FOUND", "No record found", WithChange),
    row("", 413, "too-long", "BAD_REQUEST", "Bad request", WithChange),
    row("", 408, "timeout", "BAD_REQUEST", "Bad request", Safe),
    row("", 429, "throttled", "BAD_REQUEST", "Bad request", Safe),
    row("", 400, "structure", "BAD_REQUEST", "Bad request", WithChange),
    row("", 431, "too-long", "BAD_REQUEST", "Bad request", WithChange),
];

impl Situation {
    /// Every situation in the order of the table.
    pub const ALL: &[Situation] = &[
        Situation::InvalidParameter,
        Situation::HeaderInvalid,
        Situation::RequestIdMissing,
        Situation::BodyUnreadable,
        Situation::ContactRank,
        Situation::TokenRefused,
        Situation::NotPermitted,
        Situation::ServiceUnknown,
        Situation::AppointmentUnknown,
        Situation::MethodNotAllowed,
        Situation::RequestIdReused,
        Situation::VersionConflict,
        Situation::VersionMissing,
        Situation::MediaTypeUnsupported,
        Situation::SlotTaken,
        Situation::ReferenceUnknown,
        Situation::NotConformant,
        Situation::NhsNumberInvalid,
        Situation::CancelDiffers,
        Situation::StateForbids,
        Situation::NotImplemented,
        Situation::Unexpected,
        Situation::Unavailable,
        Situation::RouteUnknown,
        Situation::BodyTooLarge,
        Situation::RequestTimeout,
        Situation::TooManyRequests,
        Situation::HeadUnreadable,
        Situation::HeadTooLarge,
    ];

    /// The row of the table.
    pub fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }
}
