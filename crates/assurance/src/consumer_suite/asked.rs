//! One request as it came, and what it asks for.

use booking::wire::headers::Headers;
use booking::wire::interaction::Interaction;
use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use std::time::Instant;

/// How a request came here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// With the Provider's address behind this simulator's own: it plays the SSP.
    Prefixed,
    /// Through the SSP in front.
    Proxied,
    /// Straight.
    Direct,
}

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub at: Timestamp,
    pub began: Instant,
    pub method: String,
    /// The request target as received.
    pub target: String,
    pub way: Way,
    /// Behind the service root, such as `/Slot`; none if the request is not for it.
    pub path: Option<String>,
    pub query: String,
    pub headers: HeaderMap,
    /// As it was sent, after its content coding.
    pub body: Bytes,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Capability,
    SearchSlots,
    Book,
    SearchAppointments,
    Read {
        id: String,
    },
    VersionRead {
        id: String,
        version: String,
    },
    History {
        id: String,
    },
    Cancel {
        id: String,
    },
    /// A path of the Standard with another method.
    WrongMethod {
        allow: &'static str,
    },
    /// Nothing of the Standard.
    Nothing,
}

impl Wanted {
    pub fn interaction(&self) -> Option<Interaction> {
        self.named().map(|(interaction, _)| interaction)
    }

    /// The word shown to a reader.
    pub fn word(&self) -> &'static str {
        self.named().map_or("other", |(_, word)| word)
    }

    fn named(&self) -> Option<(Interaction, &'static str)> {
        Some(match self {
            Wanted::Capability => (Interaction::Capability, "capability"),
            Wanted::SearchSlots => (Interaction::SearchSlots, "search"),
            Wanted::Book => (Interaction::Book, "book"),
            Wanted::SearchAppointments => (Interaction::SearchAppointments, "search patient"),
            Wanted::Read { .. } => (Interaction::Read, "read"),
            Wanted::VersionRead { .. } => (Interaction::VersionRead, "read version"),
            Wanted::History { .. } => (Interaction::History, "history"),
            Wanted::Cancel { .. } => (Interaction::Cancel, "cancel"),
            Wanted::WrongMethod { .. } | Wanted::Nothing => return None,
        })
    }
}

impl Asked {
    /// What it asks for, by method and path.
    pub fn wanted(&self) -> Wanted {
        let Some(path) = &self.path else {
            return Wanted::Nothing;
        };
        let steps: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        let id = |text: &str| text.to_owned();
        let (get, other, allow) = match steps.as_slice() {
            ["metadata"] => (Wanted::Capability, None, "GET"),
            ["Slot"] => (Wanted::SearchSlots, None, "GET"),
            ["Appointment"] => {
                let book = ("POST", Wanted::Book);
                (Wanted::SearchAppointments, Some(book), "GET, POST")
            }
            ["Appointment", one] if !one.is_empty() => {
                let cancel = ("PUT", Wanted::Cancel { id: id(one) });
                (Wanted::Read { id: id(one) }, Some(cancel), "GET, PUT")
            }
            ["Appointment", one, "_history"] => (Wanted::History { id: id(one) }, None, "GET"),
            ["Appointment", one, "_history", version] => {
                let (id, version) = (id(one), id(version));
                (Wanted::VersionRead { id, version }, None, "GET")
            }
            _ => return Wanted::Nothing,
        };
        match other {
            _ if self.method == "GET" => get,
            Some((method, other)) if self.method == method => other,
            _ => Wanted::WrongMethod { allow },
        }
    }

    /// The first value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// How often a header stands.
    pub fn count(&self, name: &str) -> usize {
        self.headers.get_all(name).iter().count()
    }
}

impl Headers for Asked {
    fn values<'a>(&'a self, name: &str) -> Vec<&'a [u8]> {
        self.headers
            .get_all(name)
            .iter()
            .map(|v| v.as_bytes().trim_ascii())
            .collect()
    }
}

/// The announced service root, taken apart.
#[derive(Clone, Debug)]
pub(super) struct Root {
    url: String,
    scheme: String,
    authority: String,
    path: String,
}

impl Root {
    /// Reads `http://host:port/STU3`.
    pub fn new(url: &str) -> Option<Root> {
        let url = url.trim_end_matches('/');
        let (scheme, rest) = url.split_once("://")?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let plain = !authority.is_empty() && url.bytes().all(|b| b.is_ascii_graphic());
        (plain && matches!(scheme, "http" | "https") && !url.contains(['?', '#'])).then(|| Root {
            url: url.to_owned(),
            scheme: scheme.to_owned(),
            authority: authority.to_owned(),
            path: path.to_owned(),
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// As it stands in addresses that are given out: always https, also when a proxy in front ends TLS (D-20,
    /// REF-CON-03).
    pub fn published(&self) -> String {
        format!("https://{}{}", self.authority, self.path)
    }

    /// Scheme, host and port.
    pub fn base(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// What stands behind the root; none if the path does not lie below it.
    fn below(&self, path: &str) -> Option<String> {
        let rest = path.strip_prefix(&self.path)?;
        (rest.starts_with('/')).then(|| rest.to_owned())
    }

    /// Takes a request target apart: how it came, and what stands behind the root.
    pub fn split(&self, target: &str) -> (Way, Option<String>, String) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (way, path) = match behind_ssp(path) {
            Some(url) => (Way::Prefixed, self.path_of(&url)),
            None => (Way::Direct, Some(path.to_owned())),
        };
        (way, path.and_then(|p| self.below(&p)), query.to_owned())
    }

    /// The path of an address, if it is at this root's host.
    fn path_of(&self, url: &str) -> Option<String> {
        let (scheme, rest) = url.split_once("://")?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let same = scheme.eq_ignore_ascii_case(&self.scheme)
            && authority.eq_ignore_ascii_case(&self.authority);
        same.then(|| path.to_owned())
    }
}

/// The address behind the SSP's prefix: `/https://…`, or the same encoded (NAT-SSP-01, NAT-SSP-02).
fn behind_ssp(path: &str) -> Option<String> {
    let rest = path.strip_prefix('/')?;
    let lower = rest.get(..rest.len().min(16))?.to_ascii_lowercase();
    let scheme = ["https", "http"].into_iter().find(|s| {
        lower
            .strip_prefix(s)
            .is_some_and(|r| r.starts_with(':') || r.starts_with("%3a"))
    })?;
    let after = rest.get(scheme.len()..)?;
    let forms = ["://", "%3a//", ":%2f%2f", "%3a%2f%2f"];
    let form = forms.into_iter().find(|f| {
        after
            .get(..f.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(f))
    })?;
    let tail = after.get(form.len()..)?;
    let tail = match form {
        "://" => tail.to_owned(),
        _ => ["%2F", "%2f"]
            .into_iter()
            .fold(tail.replace("%3A", ":").replace("%3a", ":"), |t, e| {
                t.replace(e, "/")
            }),
    };
    Some(format!("{scheme}://{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: NAT-SSP-01, NAT-SSP-02, ASR-20
    #[test]
    fn targets_are_taken_apart() {
        let root = Root::new("http://127.0.0.1:9000/STU3/").unwrap();
        let some = |way, path: &str| (way, Some(path.to_owned()), "a=b".to_owned());
        assert_eq!(root.split("/STU3/Slot?a=b"), some(Way::Direct, "/Slot"));
        for prefixed in [
            "/http://127.0.0.1:9000/STU3/Slot?a=b",
            "/http%3A%2F%2F127.0.0.1%3A9000%2FSTU3%2FSlot?a=b",
            "/HTTP%3a//127.0.0.1:9000/STU3/Slot?a=b",
        ] {
            assert_eq!(
                root.split(prefixed),
                some(Way::Prefixed, "/Slot"),
                "{prefixed}"
            );
        }
        for other in [
            "/STU3",
            "/Slot",
            "/http://elsewhere/STU3/Slot",
            "/httpx",
            "/",
        ] {
            assert_eq!(root.split(other).1, None, "{other}");
        }
        assert!(Root::new("127.0.0.1:9000/STU3").is_none() && Root::new("http://h/a?b").is_none());
    }
}
