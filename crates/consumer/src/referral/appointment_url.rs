//! The URL of an appointment for a CDA (REF-CON-03).

use booking::ids::ResourceId;
use std::fmt;

/// Longest URL accepted; ours have about 100 characters.
const MAX_URL: usize = 2_048;

/// The Provider's absolute URL of an appointment, without version and proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppointmentUrl(String);

/// The text is not the URL of an appointment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the URL of an appointment: {0}")]
pub struct NotAppointmentUrl(&'static str);

impl AppointmentUrl {
    /// Makes it from a booking's `Location`: removes `_history/…`, a trailing slash, and a Spine Secure Proxy's URL in
    /// front. `http` becomes `https`, as documents require (D-65).
    pub fn from_location(location: &str) -> Result<AppointmentUrl, NotAppointmentUrl> {
        let location = location.trim();
        if location.len() > MAX_URL || location.contains(char::is_whitespace) {
            return Err(NotAppointmentUrl("it is too long or has a space in it"));
        }
        // The last scheme is the Provider's; the proxy is before it.
        let lower = location.to_ascii_lowercase();
        let scheme = lower
            .rfind("://")
            .filter(|&at| lower[..at].ends_with("http") || lower[..at].ends_with("https"));
        let Some(scheme) = scheme else {
            return Err(NotAppointmentUrl("it is not absolute with https"));
        };
        let own = format!("https{}", &location[scheme..]);
        if own.contains(['?', '#']) {
            return Err(NotAppointmentUrl("it has a query or fragment"));
        }
        let own = own.trim_end_matches('/');
        let unversioned = own.split("/_history").next().unwrap_or(own);
        let (root, id) = unversioned
            .rsplit_once("/Appointment/")
            .ok_or(NotAppointmentUrl("it does not end with Appointment/ID"))?;
        ResourceId::parse(id).map_err(|_| NotAppointmentUrl("its id is not one of FHIR"))?;
        if root.len() <= "https://".len() {
            return Err(NotAppointmentUrl("it names no host"));
        }
        Ok(AppointmentUrl(unversioned.to_owned()))
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppointmentUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: REF-CON-03, D-65
    #[test]
    fn the_providers_own_url_without_version() {
        let own = "https://provider.example.nhs.uk/STU3/1/FX101/Appointment/5d2f1c1e-1111-4a4a-8b8b-000000000001";
        for given in [
            own.to_owned(),
            format!("{own}/"),
            format!("{own}/_history/1"),
            format!("{own}/_history/12/"),
            format!("https://proxy.example.nhs.uk/{own}/_history/1"),
            format!("http://127.0.0.1:8002/{own}"),
            own.replace("https:", "http:"),
            format!(
                "https://proxy.example.nhs.uk/{}",
                own.replace("https:", "HTTP:")
            ),
        ] {
            let read = AppointmentUrl::from_location(&given).unwrap();
            assert_eq!(read.as_str(), own, "{given}");
        }
        for bad in [
            "",
            "Appointment/1",
            "/STU3/1/FX101/Appointment/1",
            "ftp://provider.example.nhs.uk/Appointment/1",
            "https://provider.example.nhs.uk/Slot/1",
            "https://provider.example.nhs.uk/Appointment/a_b",
            "https:///Appointment/1 2",
            "https://provider.example.nhs.uk/Appointment/1?x=y",
        ] {
            assert!(AppointmentUrl::from_location(bad).is_err(), "{bad}");
        }
    }
}
