//! Judging address and headers (C19..C26, ASR-20, ASR-21).

use booking::ids::{Asid, is_uuid};

use super::query::is_service_name;
use crate::consumer_suite::asked::{Asked, Wanted, Way};
use crate::consumer_suite::ledger::Notes;
use crate::consumer_suite::rules::Rule;
use crate::consumer_suite::scenario::Scenario;
use crate::consumer_suite::state::{State, clipped};

/// Characters that an address never carries raw (ASR-21). Quotation marks and spaces do not even reach here.
const FORBIDDEN: &[char] = &['<', '>', '{', '}', '|', '\\', '^', '`', '"', ' '];

/// The exact forms of the FHIR media types (ASR-21).
const TYPES: [&str; 4] = [
    "application/fhir+json",
    "application/fhir+xml",
    "application/fhir+json;charset=utf-8",
    "application/fhir+xml;charset=utf-8",
];

/// What to send so that the test kit's report is clean.
const VERBATIM: &str = "exactly one of application/fhir+json and application/fhir+xml, bare or followed by ;charset=utf-8";

/// Judges what can be judged of any request.
pub(crate) fn judge(state: &State, asked: &Asked, wanted: &Wanted, notes: &mut Notes) {
    address(state, asked, wanted, notes);
    from(state, asked, notes);
    trace(asked, notes);
    interaction(asked, wanted, notes);
    media_types(asked, wanted, notes);
    request_id(asked, wanted, notes);
}

fn address(state: &State, asked: &Asked, wanted: &Wanted, notes: &mut Notes) {
    let known = !matches!(wanted, Wanted::Nothing | Wanted::WrongMethod { .. });
    let what = match wanted {
        Wanted::WrongMethod { allow } => format!(
            "{} is not a method of this path; it has {allow}",
            clipped(&asked.method)
        ),
        _ => format!(
            "The path {} is none of the Standard below {}",
            clipped(asked.target.split('?').next().unwrap_or_default()),
            state.root.url()
        ),
    };
    notes.judge(Rule::Reachable, known, what);
    encoded(asked, notes);
    let through = asked.way != Way::Direct;
    // Where there is no proxy in front, a straight call proves nothing.
    if through || state.through_ssp || state.ssp_seen {
        let what = "The request came straight to the Provider, without the SSP";
        notes.judge(Rule::ThroughSsp, through, what);
    }
    let path = asked.target.split('?').next().unwrap_or_default();
    if path.ends_with("/Slot") || path.ends_with("/Slot/") {
        let fine = *wanted == Wanted::SearchSlots && asked.target.contains("/Slot?");
        let what = format!("A slot search is not at {}/Slot?", state.root.url());
        notes.judge(Rule::SlotAddress, fine, what);
    }
}

/// Raw characters in the address, `:` and `+` in query values among them (C19).
fn encoded(asked: &Asked, notes: &mut Notes) {
    let raw: Vec<char> = asked
        .target
        .chars()
        .filter(|c| FORBIDDEN.contains(c) || !c.is_ascii())
        .collect();
    let broken = broken_escape(&asked.target);
    // How the service criterion is spelt is judged there.
    let in_query: Vec<char> = asked
        .query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) if is_service_name(name) => value,
            _ => pair,
        })
        .flat_map(str::chars)
        .filter(|c| matches!(c, ':' | '+'))
        .collect();
    // The media type in _format is the one value where a raw plus means itself (PROV-GEN-09).
    let plus_of_format = asked
        .query
        .split('&')
        .filter(|p| p.starts_with("_format="))
        .flat_map(str::chars)
        .filter(|c| *c == '+')
        .count();
    let only_includes = raw_only_in_includes(&asked.query);
    let (fine, what) = match () {
        () if broken => (false, "The address holds a % that is no escape".to_owned()),
        () if !raw.is_empty() => (false, format!("The address holds {} raw", listed(&raw))),
        () if in_query.len() > plus_of_format && !only_includes => (
            false,
            format!("A query value holds {} raw", listed(&in_query)),
        ),
        () => (true, String::new()),
    };
    notes.judge(Rule::Encoded, fine, what);
}

/// `:` may stand raw in a query by RFC 3986; in times it is judged (ASR-21).
fn raw_only_in_includes(query: &str) -> bool {
    query
        .split('&')
        .filter(|p| p.contains([':', '+']))
        .all(|p| {
            let name = p.split('=').next().unwrap_or_default();
            p.starts_with("_include")
                || p.starts_with("_revinclude")
                || p.starts_with("_format=")
                || (is_service_name(name) && !p.trim_start_matches(name).contains([':', '+']))
        })
}

fn broken_escape(text: &str) -> bool {
    let bytes = text.as_bytes();
    let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    bytes
        .iter()
        .enumerate()
        .any(|(at, b)| *b == b'%' && !(hex(at + 1) && hex(at + 2)))
}

fn listed(found: &[char]) -> String {
    let mut seen: Vec<char> = found.to_vec();
    seen.sort_unstable();
    seen.dedup();
    let shown: Vec<String> = seen.iter().take(10).map(|c| format!("`{c}`")).collect();
    shown.join(" ")
}

/// The one value of a header; otherwise a finding says what is wrong with it.
fn single<'a>(asked: &'a Asked, name: &str, rule: Rule, notes: &mut Notes) -> Option<&'a str> {
    let fault = match (asked.count(name), asked.header(name)) {
        (1, Some(value)) => return Some(value.trim()),
        (0, _) => "is missing",
        (1, None) => "is no ASCII text",
        _ => "stands more than once",
    };
    notes.judge(rule, false, format!("The header {name} {fault}"));
    None
}

fn from(state: &State, asked: &Asked, notes: &mut Notes) {
    const NAME: &str = "Ssp-From";
    let Some(value) = single(asked, NAME, Rule::SspFrom, notes) else {
        return;
    };
    let own = state
        .from
        .as_ref()
        .is_none_or(|from| from.as_str() == value);
    let what = match Asid::parse(value) {
        Err(_) => format!("Ssp-From `{}` is not 12 digits", clipped(value)),
        Ok(_) if state.is_announced(value) => {
            "Ssp-From is the Provider's ASID: the two are swapped".to_owned()
        }
        Ok(_) => format!("Ssp-From is {}, not the consumer's ASID", clipped(value)),
    };
    let fine = Asid::parse(value).is_ok() && own && !state.is_announced(value);
    notes.judge(Rule::SspFrom, fine, what);
}

/// Judges `Ssp-To`, once it is known which service a request is about.
pub(crate) fn receiver(
    state: &State,
    asked: &Asked,
    scenario: Option<&'static Scenario>,
    notes: &mut Notes,
) {
    const NAME: &str = "Ssp-To";
    let Some(value) = single(asked, NAME, Rule::SspTo, notes) else {
        return;
    };
    let (fine, wanted) = match scenario {
        Some(s) => (value == state.asid_of(s), state.asid_of(s)),
        None => (state.is_announced(value), state.to.as_str()),
    };
    let what = match Asid::parse(value) {
        Err(_) => format!("Ssp-To `{}` is not 12 digits", clipped(value)),
        Ok(_) => format!("Ssp-To is {}; the directory names {wanted}", clipped(value)),
    };
    notes.judge(Rule::SspTo, fine, what);
}

fn trace(asked: &Asked, notes: &mut Notes) {
    let Some(value) = single(asked, "Ssp-TraceID", Rule::SspTrace, notes) else {
        return;
    };
    let lower = !value.bytes().any(|b| b.is_ascii_uppercase());
    let what = match is_uuid(value) {
        true => "Ssp-TraceID has capital letters",
        false => "Ssp-TraceID is no UUID",
    };
    notes.judge(Rule::SspTrace, is_uuid(value) && lower, what);
}

fn interaction(asked: &Asked, wanted: &Wanted, notes: &mut Notes) {
    let Some(interaction) = wanted.interaction() else {
        return;
    };
    let Some(value) = single(asked, "Ssp-InteractionID", Rule::SspInteraction, notes) else {
        return;
    };
    let urns = interaction.urns().join(" or ");
    let given = format!("Ssp-InteractionID is `{}`", clipped(value));
    let what = format!("{given}; this request takes {urns}");
    let fine = interaction.accepts(value);
    notes.judge(Rule::SspInteraction, fine, what);
    // D-22: the directory knows another id than the test kit.
    let first = interaction.urns().first().copied().unwrap_or_default();
    notes.advise(Rule::SspInteraction, !fine || value == first, first, given);
}

fn media_types(asked: &Asked, wanted: &Wanted, notes: &mut Notes) {
    if asked.count("accept") > 0 {
        // A list of legal forms is one too; */* means JSON (PROV-GEN-10).
        let given: Vec<&str> = asked
            .headers
            .get_all("accept")
            .iter()
            .filter_map(|v| v.to_str().ok())
            .flat_map(|v| v.split(','))
            .collect();
        let fine = given
            .iter()
            .all(|one| is_exact(one) || one.trim().starts_with("*/*"));
        let what = format!("Accept is `{}`", clipped(&given.join(",")));
        notes.judge(Rule::Accept, fine, what.clone());
        let one = asked.count("accept") == 1 && asked.header("accept").is_some_and(is_verbatim);
        notes.advise(Rule::Accept, !fine || one, VERBATIM, what);
    } else if asked.query.contains("_format=") {
        notes.holds(Rule::Accept);
    } else if wanted.interaction().is_some() {
        let what = "There is neither Accept nor _format";
        notes.advise(Rule::Accept, false, VERBATIM, what);
    }
    if matches!(wanted, Wanted::Book | Wanted::Cancel { .. }) {
        let Some(value) = single(asked, "Content-Type", Rule::ContentType, notes) else {
            return;
        };
        let what = format!("Content-Type is `{}`", clipped(value));
        let fine = is_exact(value);
        notes.judge(Rule::ContentType, fine, what.clone());
        let one = !fine || is_verbatim(value);
        notes.advise(Rule::ContentType, one, VERBATIM, what);
    }
}

/// One of the forms letter by letter, as the test kit compares them.
fn is_verbatim(value: &str) -> bool {
    TYPES.contains(&value)
}

/// One of the exact forms: the case of the charset and a space before it do not matter (PROV-GEN-10); a weight is allowed.
fn is_exact(value: &str) -> bool {
    let plain: String = value
        .to_ascii_lowercase()
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    let plain = plain.split(";q=").next().unwrap_or_default();
    TYPES.contains(&plain)
}

fn request_id(asked: &Asked, wanted: &Wanted, notes: &mut Notes) {
    const NAME: &str = "X-Request-ID";
    if matches!(wanted, Wanted::Book | Wanted::Cancel { .. }) {
        let Some(value) = single(asked, NAME, Rule::RequestId, notes) else {
            return;
        };
        let what = "X-Request-ID is no UUID";
        notes.judge(Rule::RequestId, is_uuid(value), what);
    } else if asked.count(NAME) > 0 {
        let fine = asked.count(NAME) == 1 && asked.header(NAME).is_some_and(is_uuid);
        notes
            .of(Rule::RequestId)
            .should(fine)
            .or("X-Request-ID is no UUID");
    }
}
