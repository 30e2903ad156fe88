//! Chooses where and how to send a referral, from a service's endpoints in the Directory of Services (REF-CON-07).

use super::failure::{ReferralFailure, Why};

/// Prefix of a referral's interaction.
const INTERACTION: &str = "urn:nhs-itk:interaction:";
/// ITK service for a 111 report.
const REPORT_SERVICE: &str = "urn:nhs-itk:services:201005:SendNHS111Report-v2-0";
/// ITK service for other CDA documents.
const DOCUMENT_SERVICE: &str = "urn:nhs-itk:services:201005:SendCDADocument-v2-0";

/// One endpoint as the Directory of Services lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DosEndpoint {
    /// `endpointOrder`; the lowest is tried first.
    pub order: u32,
    /// `transport`: `itk`, `http`, `email`, `telno`.
    pub transport: String,
    /// `format`: `CDA`, `FHIR`, `HTML`, `PDF`.
    pub format: String,
    /// `interaction`.
    pub interaction: String,
    /// `businessScenario`: `Primary` or `Copy`.
    pub scenario: String,
    /// `address`.
    pub address: String,
    /// `compression`: `compressed` or `uncompressed`.
    pub compression: String,
}

/// How a document is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapping {
    /// ITK distribution envelope in SOAP, with the document as XML.
    Itk,
    /// The same, with the document in base64.
    ItkBase64,
    /// The same, with the document compressed and in base64.
    ItkCompressed,
    /// A FHIR document in JSON.
    FhirJson,
    /// A FHIR document in XML.
    FhirXml,
}

/// Where and how to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Absolute URL.
    pub address: String,
    /// How the document is wrapped.
    pub wrapping: Wrapping,
    /// ITK interaction, for the handling specification.
    pub interaction: String,
    /// True for a copy for information.
    pub copy: bool,
}

impl Endpoint {
    /// The ITK service called.
    pub fn service(&self) -> &'static str {
        match self.interaction.contains("NHS111") || self.interaction.is_empty() {
            true => REPORT_SERVICE,
            false => DOCUMENT_SERVICE,
        }
    }
}

/// The endpoints of a referral: the first primary one, then those for copies, in the directory's order. Skips endpoints for
/// booking (`Scheduling`), e-mail and telephone.
pub fn endpoints(listed: &[DosEndpoint]) -> Result<Vec<Endpoint>, ReferralFailure> {
    let mut usable: Vec<(u32, Endpoint)> = listed
        .iter()
        .filter_map(|e| Some((e.order, usable(e)?)))
        .collect();
    // A stable sort keeps the directory's order.
    usable.sort_by_key(|(order, e)| (e.copy, *order));
    let mut found: Vec<Endpoint> = Vec::new();
    for (_, endpoint) in usable {
        if endpoint.copy || found.is_empty() {
            found.push(endpoint);
        }
    }
    match found.first() {
        Some(first) if !first.copy => Ok(found),
        _ => Err(ReferralFailure::new(
            Why::NoEndpoint,
            "The directory names no electronic address for referrals to this service.",
            "Ring the service to hand over, and tell the directory's team.",
        )),
    }
}

fn usable(listed: &DosEndpoint) -> Option<Endpoint> {
    let is = |text: &str, wanted: &str| text.trim().eq_ignore_ascii_case(wanted);
    let interaction = listed.interaction.trim();
    let itk = is(&listed.transport, "itk") && is(&listed.format, "CDA");
    let http = is(&listed.transport, "http")
        && interaction.starts_with(INTERACTION)
        && (is(&listed.format, "FHIR") || is(&listed.format, "CDA"));
    let address = listed.address.trim();
    let absolute = address.starts_with("https://") || address.starts_with("http://");
    if !(itk || http) || !absolute {
        return None;
    }
    let wrapping = match (
        is(&listed.format, "FHIR"),
        is(&listed.compression, "compressed"),
    ) {
        (true, _) => Wrapping::FhirJson,
        (false, true) => Wrapping::ItkCompressed,
        (false, false) => Wrapping::Itk,
    };
    Some(Endpoint {
        address: address.to_owned(),
        wrapping,
        interaction: interaction.to_owned(),
        copy: is(&listed.scenario, "Copy"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(order: u32, transport: &str, scenario: &str) -> DosEndpoint {
        DosEndpoint {
            order,
            transport: transport.into(),
            format: "CDA".into(),
            interaction: format!(
                "{INTERACTION}primaryEmergencyDepartmentRecipientNHS111CDADocument-v2-0"
            ),
            scenario: scenario.into(),
            address: format!("https://itk.example.nhs.uk/{order}"),
            compression: "uncompressed".into(),
        }
    }

    /// Proves: REF-CON-07
    #[test]
    fn the_first_primary_one_then_copies() {
        let scheduling = DosEndpoint {
            format: "FHIR".into(),
            interaction: "Scheduling".into(),
            ..listed(0, "http", "Primary")
        };
        let all = [
            listed(3, "itk", "Primary"),
            listed(1, "itk", "Copy"),
            listed(2, "itk", "primary"),
            listed(1, "email", "Primary"),
            scheduling.clone(),
        ];
        let found = endpoints(&all).unwrap();
        let shown: Vec<_> = found.iter().map(|e| (e.address.as_str(), e.copy)).collect();
        assert_eq!(
            shown,
            [
                ("https://itk.example.nhs.uk/2", false),
                ("https://itk.example.nhs.uk/1", true)
            ]
        );
        for none in [vec![], vec![listed(1, "itk", "Copy")], vec![scheduling]] {
            assert_eq!(endpoints(&none).unwrap_err().why, Why::NoEndpoint);
        }
    }
}
