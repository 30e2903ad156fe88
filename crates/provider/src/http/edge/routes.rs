//! The route table: which method and path is which interaction, and what the CapabilityStatement says of it.

use super::outcome::Failure;
use crate::ROOT_PREFIX;
use booking::ids::{OdsCode, ResourceId, VersionId};
use booking::refusal::{Refusal, Situation};
use booking::wire::interaction::Interaction;

/// One row of the table.
pub struct Route {
    /// The interaction that answers.
    pub interaction: Interaction,
    /// HTTP method.
    pub method: &'static str,
    /// Path below the service root; `{id}` and `{vid}` stand for one segment each.
    pub path: &'static str,
    /// Resource type and interaction code in the CapabilityStatement; `None` for what it does not list.
    pub stated: Option<(&'static str, &'static str)>,
}

/// Every route below a service root (PROV-INT-01..08). The order of the rows is the order in the
/// CapabilityStatement.
pub const ROUTES: &[Route] = &[
    row(Interaction::Capability),
    row(Interaction::Read),
    row(Interaction::VersionRead),
    row(Interaction::History),
    row(Interaction::Book),
    row(Interaction::Cancel),
    row(Interaction::SearchAppointments),
    row(Interaction::SearchSlots),
];

const fn row(interaction: Interaction) -> Route {
    const APPOINTMENT: &str = "Appointment";
    let (method, path, kind, code) = match interaction {
        Interaction::Capability => ("GET", "/metadata", "", ""),
        Interaction::Read => ("GET", "/Appointment/{id}", APPOINTMENT, "read"),
        Interaction::VersionRead => {
            let path = "/Appointment/{id}/_history/{vid}";
            ("GET", path, APPOINTMENT, "vread")
        }
        Interaction::History => {
            let path = "/Appointment/{id}/_history";
            ("GET", path, APPOINTMENT, "history-instance")
        }
        Interaction::Book => ("POST", "/Appointment", APPOINTMENT, "create"),
        Interaction::Cancel => ("PUT", "/Appointment/{id}", APPOINTMENT, "update"),
        Interaction::SearchAppointments => ("GET", "/Appointment", APPOINTMENT, "search-type"),
        Interaction::SearchSlots => ("GET", "/Slot", "Slot", "search-type"),
    };
    Route {
        interaction,
        method,
        path,
        stated: if kind.is_empty() {
            None
        } else {
            Some((kind, code))
        },
    }
}

/// A request line that the table knows.
#[derive(Debug)]
pub struct Matched {
    /// The tenant's routing segment.
    pub ods: OdsCode,
    /// The interaction that answers.
    pub interaction: Interaction,
    /// `{id}` of the path.
    pub id: Option<ResourceId>,
    /// `{vid}` of the path.
    pub version: Option<VersionId>,
}

/// True when a request can wait rather than a booking: a search, or the CapabilityStatement. Told from the request line
/// alone, before anything else is looked at.
pub fn is_search(method: &str, path: &str) -> bool {
    matches!(method, "GET" | "HEAD") && !path.contains("/Appointment/")
}

/// The routing segment of a path and what stands below it, with the rows of the table that have such a path.
fn rows_of(path: &str) -> Option<(OdsCode, &str, Vec<&'static Route>)> {
    let rest = path.strip_prefix(ROOT_PREFIX)?;
    let (segment, below) = rest.split_at(rest.find('/')?);
    let ods = OdsCode::parse(segment).ok()?;
    let rows: Vec<&Route> = ROUTES.iter().filter(|r| fits(r.path, below)).collect();
    (!rows.is_empty()).then_some((ods, below, rows))
}

/// The routing segment of a path that the table knows.
pub fn ods_of(path: &str) -> Option<OdsCode> {
    rows_of(path).map(|(ods, _, _)| ods)
}

/// Finds the interaction of a method and path; 404 or 405. Paths and ids are case sensitive (PROV-GEN-01).
pub fn find(method: &str, path: &str) -> Result<Matched, Failure> {
    let (ods, below, rows) = rows_of(path).ok_or_else(|| {
        Refusal::new(
            Situation::RouteUnknown,
            format!(
                "There is nothing at this path. The service root is {ROOT_PREFIX}{{ODS}}, followed by {}.",
                "/metadata, /Slot, /Appointment, /Appointment/{id} or /Appointment/{id}/_history[/{vid}]"
            ),
        )
    })?;
    let Some(route) = rows.iter().find(|r| r.method == method) else {
        return Err(wrong_method(method, below, &rows));
    };
    let mut matched = Matched {
        ods,
        interaction: route.interaction,
        id: None,
        version: None,
    };
    for (part, given) in route.path.split('/').zip(below.split('/')) {
        // An id that breaks the grammar of ids cannot exist: not found, like any other id that does not.
        match part {
            "{id}" => matched.id = Some(ResourceId::parse(given).map_err(|_| no_such(given))?),
            "{vid}" => matched.version = Some(VersionId::parse(given).map_err(|_| no_such(given))?),
            _ => {}
        }
    }
    Ok(matched)
}

fn no_such(given: &str) -> Refusal {
    let shown: String = given
        .chars()
        .filter(|c| c.is_ascii_graphic())
        .take(64)
        .collect();
    Refusal::new(
        Situation::AppointmentUnknown,
        format!("No Appointment or version `{shown}` exists: this is not a legal id."),
    )
}

fn wrong_method(method: &str, path: &str, rows: &[&Route]) -> Failure {
    let mut allowed: Vec<&str> = rows.iter().map(|r| r.method).collect();
    allowed.dedup();
    let allow = allowed.join(", ");
    let method: String = method
        .chars()
        .filter(char::is_ascii_graphic)
        .take(32)
        .collect();
    let refusal = Refusal::new(
        Situation::MethodNotAllowed,
        format!("{method} is not possible on {path}; it takes {allow}."),
    );
    Failure {
        allow: Some(allow),
        ..refusal.into()
    }
}

fn fits(pattern: &str, path: &str) -> bool {
    let mut given = path.split('/');
    for part in pattern.split('/') {
        match given.next() {
            Some(g) if part.starts_with('{') && !g.is_empty() => {}
            Some(g) if g == part => {}
            _ => return false,
        }
    }
    given.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: PROV-INT-01, PROV-INT-02, PROV-INT-03, PROV-INT-04, PROV-INT-05, PROV-INT-06, PROV-INT-07
    #[test]
    fn every_route_is_found_by_its_own_path() {
        for route in ROUTES {
            let path = route.path.replace("{id}", "a-1").replace("{vid}", "1");
            let found = find(route.method, &format!("/STU3/1/FX101{path}")).unwrap();
            assert_eq!(found.interaction, route.interaction);
        }
    }

    /// Proves: PROV-GEN-01, PROV-INT-09
    #[test]
    fn unknown_paths_and_wrong_methods() {
        for path in [
            "/",
            "/STU3/1/FX101",
            "/STU3/1/FX101/slot",
            "/stu3/1/FX101/Slot",
            "/STU3/1/FX101/Slot/",
        ] {
            let e = find("GET", path).unwrap_err();
            assert_eq!(e.refusal.status(), 404, "{path}");
        }
        for method in ["DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "POST"] {
            let e = find(method, "/STU3/1/FX101/Slot").unwrap_err();
            assert_eq!(
                (e.refusal.status(), e.allow.as_deref()),
                (405, Some("GET")),
                "{method}"
            );
        }
        let e = find("PUT", "/STU3/1/FX101/Appointment").unwrap_err();
        assert_eq!(e.allow.as_deref(), Some("POST, GET"));
    }
}
