//! The description of the web service, for SOAP clients that are made from it.

use super::xml::escaped;

/// The description, with `{location}` for the URL of the service.
const TEXT: &str = include_str!("../../data/dos-1.5.wsdl");

/// The description of a service at this URL.
pub fn description(location: &str) -> String {
    TEXT.replace("{location}", &escaped(location))
}
