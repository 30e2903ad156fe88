//! Reads the URL of an appointment in a CDA (REF-PRO-05, REF-PRO-06).

use crate::ROOT_PREFIX;
use booking::ids::{OdsCode, ResourceId};

/// Longest URL read; ours have about 100 characters.
const MAX_URL: usize = 2_048;

/// An appointment here, as a URL names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppointmentUrl {
    /// The URL without version, trailing slash, query and white space; the UUID in lower case.
    pub url: String,
    /// The id at its end, lower case.
    pub id: ResourceId,
    /// The ODS code before it, if the URL has the form of ours.
    pub ods: Option<OdsCode>,
}

impl AppointmentUrl {
    /// Reads a URL. `None`: it names no appointment. Only the end of the URL counts. It tolerates (REF-PRO-05) a trailing
    /// `/`, an upper-case UUID, a `_history` part and a proxy's URL in front.
    pub fn parse(text: &str) -> Option<AppointmentUrl> {
        let text = text.trim();
        if text.len() > MAX_URL || !is_absolute(text) || text.contains(char::is_control) {
            return None;
        }
        let text = text.split(['?', '#']).next().unwrap_or(text);
        // The last one: an SSP prefix holds a whole URL.
        let at = text.to_ascii_lowercase().rfind("/appointment/")?;
        let root = &text[..at];
        let rest = text[at + "/appointment/".len()..].trim_end_matches('/');
        let id = match rest.split_once('/') {
            None => rest,
            Some((id, version)) if version.to_ascii_lowercase().starts_with("_history") => id,
            Some(_) => return None,
        };
        let id = ResourceId::parse(&id.to_ascii_lowercase()).ok()?;
        Some(AppointmentUrl {
            url: format!("{root}/Appointment/{id}"),
            ods: segment(root),
            id,
        })
    }

    /// True when both name the same appointment.
    pub fn same(&self, other: &AppointmentUrl) -> bool {
        self.id == other.id && self.url.eq_ignore_ascii_case(&other.url)
    }
}

fn is_absolute(text: &str) -> bool {
    let lower: String = text
        .chars()
        .take(8)
        .collect::<String>()
        .to_ascii_lowercase();
    lower.starts_with("https://") || lower.starts_with("http://")
}

/// The ODS code at the end of one of our service roots.
fn segment(root: &str) -> Option<OdsCode> {
    let at = root.rfind(ROOT_PREFIX)?;
    OdsCode::parse(&root[at + ROOT_PREFIX.len()..]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: REF-PRO-05
    #[test]
    fn forms_that_are_tolerated() {
        let id = "5d2f1c1e-1111-4a4a-8b8b-000000000001";
        let root = "https://provider.example.nhs.uk/STU3/1/FX101";
        for form in [
            format!("{root}/Appointment/{id}"),
            format!("{root}/Appointment/{id}/"),
            format!("{root}/Appointment/{}", id.to_ascii_uppercase()),
            format!("{root}/Appointment/{id}/_history/1"),
            format!("{root}/Appointment/{id}/_history/1/"),
            format!(" {root}/Appointment/{id}\n"),
            format!("https://proxy.example/{root}/Appointment/{id}"),
        ] {
            let read = AppointmentUrl::parse(&form).unwrap_or_else(|| panic!("{form}"));
            assert_eq!(read.id.as_str(), id, "{form}");
            assert_eq!(
                read.ods.as_ref().map(OdsCode::as_str),
                Some("FX101"),
                "{form}"
            );
        }
        for other in [
            "Appointment",
            "Appointment/5d2f1c1e",
            "https://provider.example.nhs.uk/STU3/1/FX101/Slot/1",
            "https://provider.example.nhs.uk/Appointment/a b",
            "https://provider.example.nhs.uk/Appointment/1/extra",
            "javascript:/Appointment/1",
            "https://a\u{1b}.example/Appointment/1",
            "",
        ] {
            assert!(AppointmentUrl::parse(other).is_none(), "{other}");
        }
    }
}
