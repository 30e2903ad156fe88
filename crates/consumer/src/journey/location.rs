//! Reads the address of an appointment from `Location`, from the text of an OperationOutcome, or from a Bundle
//! (CONS-BOOK-01, CONS-BOOK-03, REF-CON-03).

use crate::slots::same_host;
use booking::ids::ResourceId;

/// The address of an appointment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppointmentUrl {
    /// The Provider's absolute URL, without version and SSP prefix.
    pub url: String,
    /// The id at its end.
    pub id: ResourceId,
    /// The version at its end, if any.
    pub version: Option<String>,
}

/// Reads an address in any legal form: absolute, relative to the host or the service root, with or without version, with
/// the SSP in front. An address on another host than the service root is refused.
pub fn read(text: &str, root: &str, ssp: Option<&str>) -> Option<AppointmentUrl> {
    let text = text.trim();
    let text = ssp
        .and_then(|ssp| text.strip_prefix(ssp.trim_end_matches('/')))
        .map(|rest| rest.trim_start_matches('/'))
        .filter(|rest| rest.contains("://"))
        .unwrap_or(text);
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let absolute = if text.contains("://") {
        text.to_owned()
    } else if text.starts_with("//") {
        format!("https:{text}")
    } else if let Some(path) = text.strip_prefix('/') {
        format!("{}/{path}", origin(root)?)
    } else {
        format!("{}/{text}", root.trim_end_matches('/'))
    };
    if !same_host(&absolute, root) {
        return None;
    }
    let (url, version) = match absolute.split_once("/_history") {
        Some((url, version)) => (url.to_owned(), Some(version.trim_matches('/').to_owned())),
        None => (absolute.trim_end_matches('/').to_owned(), None),
    };
    let mut steps = url.rsplit('/');
    let id = ResourceId::parse(steps.next()?).ok()?;
    (steps.next()? == "Appointment").then_some(())?;
    Some(AppointmentUrl {
        url,
        id,
        version: version.filter(|v| !v.is_empty()),
    })
}

/// The address of an appointment id below the service root.
pub fn of_id(id: &ResourceId, root: &str) -> AppointmentUrl {
    AppointmentUrl {
        url: format!("{}/Appointment/{}", root.trim_end_matches('/'), id.as_str()),
        id: id.clone(),
        version: None,
    }
}

/// The first address in a text.
pub fn in_text(text: &str, root: &str, ssp: Option<&str>) -> Option<AppointmentUrl> {
    text.split_whitespace()
        .filter(|word| word.contains("Appointment/"))
        .find_map(|word| {
            let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '/');
            read(word, root, ssp)
        })
}

fn origin(root: &str) -> Option<&str> {
    let host = root.find("://")? + 3;
    let end = root[host..].find('/').map_or(root.len(), |p| host + p);
    Some(&root[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "https://p.example/STU3/1/X";

    /// Proves: CONS-BOOK-01, REF-CON-03
    /// Whatever form it has, the result is absolute, the Provider's own and unversioned.
    #[test]
    fn every_form_of_location() {
        for text in [
            "https://p.example/STU3/1/X/Appointment/5d2f-A",
            "https://p.example/STU3/1/X/Appointment/5d2f-A/",
            "https://p.example/STU3/1/X/Appointment/5d2f-A/_history/1",
            "/STU3/1/X/Appointment/5d2f-A/_history/1",
            "Appointment/5d2f-A",
            "https://ssp.example/https://p.example/STU3/1/X/Appointment/5d2f-A/_history/2",
        ] {
            let found = read(text, ROOT, Some("https://ssp.example/")).unwrap();
            assert_eq!(
                found.url, "https://p.example/STU3/1/X/Appointment/5d2f-A",
                "{text}"
            );
            assert_eq!(found.id.as_str(), "5d2f-A");
        }
        assert!(read("https://p.example/STU3/1/X/Slot/1", ROOT, None).is_none());
        assert!(read("", ROOT, None).is_none());
        for foreign in [
            "https://q.example/STU3/1/X/Appointment/1",
            "https://p.example:8443/STU3/1/X/Appointment/1",
            "https://p.example.evil.example/STU3/1/X/Appointment/1",
            "https://ssp.example/https://q.example/STU3/1/X/Appointment/1",
            "//q.example/STU3/1/X/Appointment/1",
        ] {
            assert!(
                read(foreign, ROOT, Some("https://ssp.example")).is_none(),
                "{foreign}"
            );
        }
        let same = read("HTTPS://P.Example:443/STU3/1/X/Appointment/1", ROOT, None);
        assert_eq!(same.unwrap().id.as_str(), "1");
        let told = in_text(
            "Used before for <https://p.example/STU3/1/X/Appointment/7>.",
            ROOT,
            None,
        );
        assert_eq!(told.unwrap().id.as_str(), "7");
        assert!(in_text("Used before.", ROOT, None).is_none());
    }
}
