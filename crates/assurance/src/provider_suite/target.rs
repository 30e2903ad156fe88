//! Whom the simulated consumer talks to, and as whom.

use booking::ids::{Asid, OdsCode, ServiceId};
use consumer::config::Tls;
use std::time::Duration;

/// A Provider to be tried.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its service root.
    pub endpoint: Endpoint,
    /// `aud` of the tokens: the service root as SDS has it; the endpoint when nothing else is said (PROV-GEN-03).
    pub audience: Option<String>,
    /// ASID of the simulated consumer.
    pub from: Asid,
    /// ASID of the Provider.
    pub to: Asid,
    /// ODS code of the organisation in the tokens.
    pub organization: OdsCode,
    /// A service with free slots: 16 or more from tomorrow on (`assurance.md` section 4).
    pub service: ServiceId,
    /// A known service without slots.
    pub service_empty: Option<ServiceId>,
    /// A service whose slots and schedules name no practitioner, location or organisation.
    pub service_slots_only: Option<ServiceId>,
    /// Authorities and own certificate, for an `https` endpoint.
    pub tls: Option<Tls>,
    /// The longest that one exchange may take.
    pub patience: Duration,
}

impl Target {
    /// `aud` of the tokens.
    pub fn audience(&self) -> String {
        self.audience
            .clone()
            .unwrap_or_else(|| self.endpoint.root())
    }
}

#[cfg(test)]
impl Target {
    /// A Provider at this service root.
    pub(super) fn of_tests(root: &str) -> Target {
        Target {
            endpoint: Endpoint::parse(root).unwrap(),
            audience: None,
            from: Asid::parse("918999000099").unwrap(),
            to: Asid::parse("918999000011").unwrap(),
            organization: OdsCode::parse("FX900").unwrap(),
            service: ServiceId::parse("2000000011").unwrap(),
            service_empty: None,
            service_slots_only: None,
            tls: None,
            patience: Duration::from_secs(60),
        }
    }
}

/// Patience with one exchange when nothing else is said; NHS sets 100 ms for commands, proxies give up after 30 s.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Why a target cannot be tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TargetError(pub String);

/// A service root, `http://` or `https://`, without a trailing `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub(super) https: bool,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) path: String,
    text: String,
}

impl Endpoint {
    /// Parses a service root; a trailing `/` is dropped (PROV-GEN-01).
    pub fn parse(text: &str) -> Result<Endpoint, TargetError> {
        let fault = |why: &str| {
            TargetError(format!(
                "the endpoint {why}; it looks like https://provider.example.nhs.uk/STU3/1/ODS"
            ))
        };
        let uri: http::Uri = text.parse().map_err(|_| fault("is no address"))?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(fault("is neither http nor https")),
        };
        if uri.query().is_some() {
            return Err(fault("has a query"));
        }
        let authority = uri.authority().ok_or_else(|| fault("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(fault("has a user name"));
        }
        let port = authority.port_u16().unwrap_or(if https { 443 } else { 80 });
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        Ok(Endpoint {
            https,
            host,
            port,
            path: uri.path().trim_end_matches('/').to_owned(),
            text: text.trim_end_matches('/').to_owned(),
        })
    }

    /// True if it is reached over TLS.
    pub fn is_https(&self) -> bool {
        self.https
    }

    pub(super) fn root(&self) -> String {
        self.text.clone()
    }

    pub(super) fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        format!("{host}:{}", self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_service_root() {
        let e = Endpoint::parse("http://127.0.0.1:8001/STU3/1/FX101/").unwrap();
        assert_eq!((e.port, e.path.as_str()), (8001, "/STU3/1/FX101"));
        assert_eq!(e.root(), "http://127.0.0.1:8001/STU3/1/FX101");
        assert_eq!(Endpoint::parse("https://a.example").unwrap().port, 443);
        assert_eq!(Endpoint::parse("http://[::1]:80/a").unwrap().host, "::1");
        for bad in [
            "",
            "a",
            "ftp://a/b",
            "http://a/b?c",
            "http://u:p@a/b",
            "/STU3",
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }
}
