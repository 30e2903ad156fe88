//! Somebody who watches: told what the parts see, so that a consumer can be judged by what went over the wire.

use std::fmt;
use std::sync::Arc;

/// Something that a part saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// The DoS answered a request; the services in its answer.
    Dos {
        /// The operation.
        operation: &'static str,
        /// Ids of the services.
        services: Vec<u32>,
    },
    /// SDS was searched; what its filter or base demands, in lower case.
    Sds {
        /// `uniqueIdentifier`
        asid: Option<String>,
        /// `nhsMHSPartyKey`
        party_key: Option<String>,
        /// `nhsMhsSvcIA` or `nhsAsSvcIA`
        interaction: Option<String>,
    },
    /// The SSP passes a request on; told before it leaves.
    SspPassed(Heard),
    /// The SSP refused a request with this status.
    SspRefused(Heard, u16),
}

/// A request as the SSP heard it, body apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Method.
    pub method: String,
    /// Request target.
    pub target: String,
    /// Headers; bytes that are not UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
}

impl Heard {
    pub(crate) fn of(parts: &http::request::Parts) -> Heard {
        let text = |v: &http::HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
        Heard {
            method: parts.method.to_string(),
            // HTTP/2 names the host in the same place; what counts is behind it.
            target: parts
                .uri
                .path_and_query()
                .map_or("/", |p| p.as_str())
                .to_owned(),
            headers: parts
                .headers
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), text(value)))
                .collect(),
        }
    }
}

/// Who is told; nobody by default. It is called on the way of each request and must be quick.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<dyn Fn(Observation) + Send + Sync>>);

impl Observer {
    /// An observer.
    pub fn new(told: impl Fn(Observation) + Send + Sync + 'static) -> Observer {
        Observer(Some(Arc::new(told)))
    }

    /// Tells what was seen; it is only put together if somebody watches.
    pub(crate) fn saw(&self, seen: impl FnOnce() -> Observation) {
        if let Some(told) = &self.0 {
            told(seen());
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Observer"
        } else {
            "Observer(nobody)"
        })
    }
}

/// Two are equal if they are the same one, or nobody.
impl PartialEq for Observer {
    fn eq(&self, other: &Observer) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl Eq for Observer {}
