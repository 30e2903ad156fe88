//! Reads the request headers of the Standard (`provider-api.md` section 3).

use super::interaction::Interaction;
use crate::ids::{Asid, IdError, RequestId, TraceId, VersionId};
use crate::refusal::{Finding, Refusal, Situation};

/// The source of header values, implemented by the HTTP edge. Names are case insensitive.
pub trait Headers {
    /// All values of a header, in order of arrival, trimmed.
    fn values<'a>(&'a self, name: &str) -> Vec<&'a [u8]>;

    /// The first two values of a header, enough to judge one that may occur once.
    fn first_two<'a>(&'a self, name: &str) -> (Option<&'a [u8]>, Option<&'a [u8]>) {
        let values = self.values(name);
        (values.first().copied(), values.get(1).copied())
    }
}

/// The four headers of the Spine Secure Proxy (PROV-HDR-02..04).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SspHeaders {
    /// `Ssp-TraceID`, in lower case.
    pub trace_id: TraceId,
    /// `Ssp-From`: the consumer's system.
    pub from: Asid,
    /// `Ssp-To`: this system.
    pub to: Asid,
    /// `Ssp-InteractionID`: the full URN.
    pub interaction: &'static str,
}

/// Reads the four SSP headers. Each missing, repeated or malformed one is a finding of ERR-02.
pub fn read_ssp(h: &impl Headers, i: Interaction) -> Result<SspHeaders, Refusal> {
    let mut faults = Vec::new();
    let trace_id = parsed(h, "Ssp-TraceID", TraceId::parse, &mut faults);
    let from = parsed(h, "Ssp-From", Asid::parse, &mut faults);
    let to = parsed(h, "Ssp-To", Asid::parse, &mut faults);
    let interaction = match single(h, "Ssp-InteractionID", &mut faults) {
        None => None,
        Some(given) => {
            let known = i.matching(given);
            if known.is_none() {
                faults.push(header_fault(
                    "Ssp-InteractionID",
                    format!(
                        "`{}` does not suit this request; it takes {}",
                        printable(given),
                        i.urns().join(" or ")
                    ),
                ));
            }
            known
        }
    };
    match (trace_id, from, to, interaction) {
        (Some(trace_id), Some(from), Some(to), Some(interaction)) => Ok(SspHeaders {
            trace_id,
            from,
            to,
            interaction,
        }),
        _ => Err(Refusal::of(Situation::HeaderInvalid, faults)),
    }
}

/// The refusal when `Ssp-To` is not the system behind this service root (ERR-02, PROV-HDR-08).
pub fn other_system(to: &Asid, own: &Asid) -> Refusal {
    let fault = format!("names {to}, but the system behind this service root is {own}");
    Refusal::of(
        Situation::HeaderInvalid,
        vec![header_fault("Ssp-To", fault)],
    )
}

/// Reads `X-Request-ID`. It may be absent here, since only POST and PUT need it (D-21). Repeated, too long or with
/// invisible characters: ERR-02.
pub fn read_request_id(h: &impl Headers) -> Result<Option<RequestId>, Refusal> {
    if h.first_two("X-Request-ID").0.is_none() {
        return Ok(None);
    }
    let mut faults = Vec::new();
    match parsed(h, "X-Request-ID", RequestId::parse, &mut faults) {
        Some(id) => Ok(Some(id)),
        None => Err(Refusal::of(Situation::HeaderInvalid, faults)),
    }
}

/// The refusal of a POST or PUT without `X-Request-ID` (ERR-03).
pub fn request_id_missing() -> Refusal {
    Refusal::new(
        Situation::RequestIdMissing,
        "The header X-Request-ID is missing: send a new UUID with every create and update, and the same one with a retry.",
    )
    .location("http.X-Request-ID")
}

/// The value of `If-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// No such header: 412 (D-04).
    Missing,
    /// The version id in the quotes, weak or strong (PROV-HDR-06).
    Version(String),
    /// Anything else. It names no existing version, so 409 (PROV-CAN-03). Holds its printable characters.
    Malformed(String),
}

/// Reads `If-Match`: `W/"1"` or `"1"`. A list, `*` or an unquoted value is malformed.
pub fn read_if_match(h: &impl Headers) -> IfMatch {
    let (first, second) = h.first_two("If-Match");
    let Some(first) = first else {
        return IfMatch::Missing;
    };
    let text = std::str::from_utf8(first).unwrap_or_default();
    let quoted = text.strip_prefix("W/").unwrap_or(text);
    let version = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    match version {
        Some(version) if second.is_none() && VersionId::parse(version).is_ok() => {
            IfMatch::Version(version.to_owned())
        }
        _ => IfMatch::Malformed(printable(&String::from_utf8_lossy(first))),
    }
}

fn parsed<T>(
    h: &impl Headers,
    name: &str,
    parse: fn(&str) -> Result<T, IdError>,
    faults: &mut Vec<Finding>,
) -> Option<T> {
    match parse(single(h, name, faults)?) {
        Ok(id) => Some(id),
        Err(error) => {
            faults.push(header_fault(
                name,
                format!("holds no legal value: the {error}"),
            ));
            None
        }
    }
}

fn single<'a>(h: &'a impl Headers, name: &str, faults: &mut Vec<Finding>) -> Option<&'a str> {
    let fault = match h.first_two(name) {
        (Some(one), None) => match std::str::from_utf8(one) {
            Ok(text) => return Some(text),
            Err(_) => "has bytes that are not ASCII",
        },
        (None, _) => "is missing",
        (Some(_), Some(_)) => "stands more than once; send it once",
    };
    faults.push(header_fault(name, fault.to_owned()));
    None
}

fn header_fault(name: &str, fault: String) -> Finding {
    Finding::error(format!("The header {name} {fault}.")).location(format!("http.{name}"))
}

/// The visible ASCII characters of a text, at most 128, for quoting in an answer.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .take(128)
        .collect()
}
