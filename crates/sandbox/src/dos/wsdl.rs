//! The WSDL of the web service, from which SOAP clients are generated.

use booking::xml_writer::escaped;

/// The WSDL, with `{location}` for the service's URL.
const TEXT: &str = include_str!("../../data/dos-1.5.wsdl");

/// The WSDL of a service at this URL.
pub fn description(location: &str) -> String {
    TEXT.replace("{location}", &escaped(location))
}
