//! Finds the recipient organisation of a message: ODS codes in ITK addresses.

use booking::ids::OdsCode;

/// Prefix of an ITK address that names an organisation.
pub const ODS_ADDRESS: &str = "urn:nhs-uk:addressing:ods:";
/// Prefix of an ITK identity that names an organisation.
const ODS_IDENTITY: &str = "urn:nhs-uk:identity:ods:";

/// The organisation of an ITK address such as `urn:nhs-uk:addressing:ods:FX101:department:2000000011`.
pub fn ods_of(uri: &str) -> Option<OdsCode> {
    let uri = uri.trim();
    [ODS_ADDRESS, ODS_IDENTITY].iter().find_map(|prefix| {
        let head = uri.get(..prefix.len())?;
        let rest = &uri[prefix.len()..];
        let code = rest.split(':').next().unwrap_or("");
        (head.eq_ignore_ascii_case(prefix))
            .then(|| OdsCode::parse(&code.to_ascii_uppercase()).ok())
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn organisations_of_addresses() {
        let ods = |uri: &str| ods_of(uri).map(|o| o.as_str().to_owned());
        assert_eq!(ods("urn:nhs-uk:addressing:ods:FX101"), Some("FX101".into()));
        assert_eq!(
            ods("urn:nhs-uk:addressing:ods:fx101:dept:1"),
            Some("FX101".into())
        );
        assert_eq!(ods("urn:nhs-uk:identity:ods:FX900"), Some("FX900".into()));
        assert_eq!(ods("mailto:someone@example.nhs.uk"), None);
        assert_eq!(ods("urn:nhs-uk:addressing:ods:"), None);
    }
}
