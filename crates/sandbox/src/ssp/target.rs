//! Reads the target URL after the proxy's prefix, and checks that an endpoint of the directory covers it.

use http::Uri;

/// Represents an encoded slash, which differs from a slash.
const ENCODED_SLASH: u16 = 0x100;

/// Why the request target contains no URL.
pub type Wrong = &'static str;

const FORM: Wrong = "The path holds no URL: send /https://host/service-root/Slot?… with exactly one slash \
                     before the URL of the Provider.";

/// Reads the absolute URL in a request target such as `/https://host/root/Slot?…` (NAT-SSP-01). The URL may be
/// percent-encoded as a whole. Path and query stay unchanged, byte for byte.
pub fn read(request: &Uri) -> Result<Uri, Wrong> {
    let path = request.path();
    let rest = path.strip_prefix('/').ok_or(FORM)?;
    if rest.starts_with('/') {
        return Err(FORM);
    }
    let (scheme, rest) = ["https", "http"]
        .into_iter()
        .find_map(|scheme| {
            let head = rest.get(..scheme.len())?;
            let after = &rest[scheme.len()..];
            (head.eq_ignore_ascii_case(scheme) && (after.starts_with(':') || encoded(after, "%3A")))
                .then_some((scheme, after))
        })
        .ok_or(FORM)?;
    let whole;
    let rest = match ["://", "%3A//", "%3A%2F%2F", ":%2F%2F"]
        .into_iter()
        .find(|start| encoded(rest, start))
        .ok_or(FORM)?
    {
        "://" => &rest[3..],
        start => {
            // Encoded as a whole: only its delimiters are decoded.
            whole = delimiters(&rest[start.len()..]);
            whole.as_str()
        }
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    if authority.is_empty() || authority.contains(['@', '%']) {
        return Err("The URL of the Provider has no plain host.");
    }
    if climbs(path) {
        return Err("The URL of the Provider has `.` or `..` in its path, plain or encoded.");
    }
    let path = if path.is_empty() { "/" } else { path };
    let query = request.query().map(|q| format!("?{q}")).unwrap_or_default();
    Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query(format!("{path}{query}"))
        .build()
        .map_err(|_| "The URL of the Provider cannot be read.")
}

/// True when `text` starts with `start`; the case of percent escapes does not matter.
fn encoded(text: &str, start: &str) -> bool {
    text.get(..start.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(start))
}

fn delimiters(text: &str) -> String {
    ["%3A", "%3a"]
        .into_iter()
        .chain(["%2F", "%2f"])
        .fold(text.to_owned(), |text, escape| {
            let plain = if escape.ends_with(['A', 'a']) {
                ":"
            } else {
                "/"
            };
            text.replace(escape, plain)
        })
}

/// How often a path is decoded to find its meaning: each server in a chain may decode it once.
const DECODED: usize = 3;

/// True when a segment of the path may mean `.` or `..` to some server: decoded, with `\\` for `/`, and without what
/// follows a `;`.
fn climbs(path: &str) -> bool {
    let mut plain = path.as_bytes().to_vec();
    for _ in 0..DECODED {
        let decoded: Vec<u8> = meant(&plain)
            .into_iter()
            .map(|c| u8::try_from(c).unwrap_or(b'/'))
            .collect();
        let mut segments = decoded.split(|b| matches!(b, b'/' | b'\\'));
        let climbing = |segment: &[u8]| {
            let name = segment.split(|b| *b == b';').next();
            matches!(name, Some(b"." | b".."))
        };
        if segments.any(climbing) {
            return true;
        }
        if decoded == plain {
            return false;
        }
        plain = decoded;
    }
    false
}

/// True when the target is below the endpoint: same scheme, host and port, and the endpoint's path is a prefix
/// (NAT-SSP-04). Escapes are compared decoded, since the directory may have unsafe characters that the consumer has to
/// encode (NAT-SSP-02).
pub fn covers(endpoint: &str, target: &Uri) -> bool {
    let Some((scheme, rest)) = endpoint.split_once("://") else {
        return false;
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let same_host = target
        .scheme_str()
        .is_some_and(|s| s.eq_ignore_ascii_case(scheme))
        && target
            .authority()
            .is_some_and(|a| place(scheme, authority) == place(scheme, a.as_str()));
    let root = meant(path.trim_end_matches('/').as_bytes());
    let asked = meant(target.path().as_bytes());
    same_host
        && asked
            .strip_prefix(root.as_slice())
            .is_some_and(|rest| rest.first().is_none_or(|&c| c == u16::from(b'/')))
}

/// Host in lower case, and port or the default port.
fn place(scheme: &str, authority: &str) -> (String, String) {
    let usual = if scheme.eq_ignore_ascii_case("https") {
        "443"
    } else {
        "80"
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, port),
        _ => (authority, usual),
    };
    let port = if port.is_empty() { usual } else { port };
    (host.to_ascii_lowercase(), port.to_owned())
}

/// The characters of a path after decoding.
fn meant(bytes: &[u8]) -> Vec<u16> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escape = bytes.get(at + 1..at + 3).and_then(|digits| {
            let text = std::str::from_utf8(digits).ok()?;
            let hex = digits.iter().all(u8::is_ascii_hexdigit);
            hex.then(|| u8::from_str_radix(text, 16).ok()).flatten()
        });
        match (byte, escape) {
            (b'%', Some(b'/')) => out.push(ENCODED_SLASH),
            (b'%', Some(meant)) => out.push(u16::from(meant)),
            _ => out.push(u16::from(byte)),
        }
        at += if byte == b'%' && escape.is_some() {
            3
        } else {
            1
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(request: &str) -> Result<String, Wrong> {
        read(&request.parse().unwrap()).map(|uri| uri.to_string())
    }

    /// Proves: NAT-SSP-01, NAT-SSP-02
    #[test]
    fn the_url_stands_behind_exactly_one_slash() {
        let url = "https://p.example.nhs.uk/STU3/1/FX101/Slot?start=ge2031-01-01T00%3A00";
        assert_eq!(target(&format!("/{url}")).unwrap(), url);
        for encoded in [
            "/https%3A%2F%2Fp.example.nhs.uk%2FSTU3%2F1%2FFX101/Slot",
            "/https%3a//p.example.nhs.uk/STU3/1/FX101/Slot",
        ] {
            assert_eq!(
                target(encoded).unwrap(),
                "https://p.example.nhs.uk/STU3/1/FX101/Slot"
            );
        }
        assert_eq!(target("/HTTP://a:80/b%20c").unwrap(), "http://a:80/b%20c");
        let dotted = "https://a/b..c/.well-known/x;v=1/...";
        assert_eq!(target(&format!("/{dotted}")).unwrap(), dotted);
        for bad in [
            "/",
            "//https://a/b",
            "/https:/a/b",
            "/ftp://a/b",
            "/https://",
            "/https://u@a/b",
            "/https://a/b/../c",
            "/https://a/b/%2e%2E/c",
            "/https://a/b/..%2fc",
            "/https://a/b%2F%2e%2e%2Fc",
            "/https://a/b/..%5Cc",
            "/https://a/b%5c..%5cc",
            "/https://a/b/..;/c",
            "/https://a/b/..;x=1/c",
            "/https://a/b/%2e%2e%3bx/c",
            "/https://a/b/%252e%252e/c",
            "/https%3A%2F%2Fa%2Fb%2F..%2Fc",
            "/Slot",
        ] {
            assert!(target(bad).is_err(), "{bad}");
        }
    }

    /// Proves: NAT-SSP-04
    #[test]
    fn an_endpoint_covers_what_lies_under_it() {
        let covers =
            |endpoint: &str, target: &str| super::covers(endpoint, &target.parse().unwrap());
        let root = "https://p.example.nhs.uk/STU3/1/FX101";
        assert!(covers(
            root,
            "https://p.example.nhs.uk/STU3/1/FX101/Slot?x=1"
        ));
        assert!(covers(root, "https://P.example.nhs.uk:443/STU3/1/FX101"));
        assert!(covers(
            &format!("{root}/"),
            "https://p.example.nhs.uk/STU3/1/FX101/Slot"
        ));
        assert!(covers(
            "https://p/a b(1)/é",
            "https://p/a%20b%281%29/%C3%A9/Slot"
        ));
        for other in [
            "https://p.example.nhs.uk/STU3/1/FX1012/Slot",
            "https://p.example.nhs.uk/STU3/1",
            "http://p.example.nhs.uk/STU3/1/FX101/Slot",
            "https://q.example.nhs.uk/STU3/1/FX101/Slot",
            "https://p.example.nhs.uk:8443/STU3/1/FX101/Slot",
            "https://p.example.nhs.uk/STU3%2F1/FX101/Slot",
        ] {
            assert!(!covers(root, other), "{other}");
        }
    }
}
