//! Checks that a request names exactly one host, and that the name is well-formed.

use ::http::{Request, Version, header};

/// Checks the host of a request, `Host` or `:authority` (RFC 9110, 7.2; RFC 9112, 3.2; RFC 9113, 8.3.1). HTTP/1.0 may leave
/// it out. The error is a sentence for the sender.
pub fn names_one_host<B>(request: &Request<B>) -> Result<(), &'static str> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    let is_2 = request.version() == Version::HTTP_2;
    let authority = request.uri().authority().map(|a| a.as_str());
    if second.is_some() || first.is_none() && !may_lack_host(request.version(), authority) {
        return Err(
            "The header Host is missing or stands more than once: a request names one host.",
        );
    }
    let named = authority.map(str::as_bytes).into_iter();
    if !named.chain(first.map(|f| f.as_bytes())).all(is_host) {
        return Err("The header Host holds no host: it is a name or an address, and a port.");
    }
    match (first, authority) {
        (Some(host), Some(authority))
            if is_2 && !host.as_bytes().eq_ignore_ascii_case(authority.as_bytes()) =>
        {
            Err("The header Host names another host than :authority does.")
        }
        _ => Ok(()),
    }
}

/// Whether a request without `Host` is valid: HTTP/1.0, or HTTP/2 with an authority.
fn may_lack_host(version: Version, authority: Option<&str>) -> bool {
    match version {
        Version::HTTP_2 => authority.is_some(),
        Version::HTTP_11 => false,
        _ => true,
    }
}

/// A name, an IPv4 address or an IPv6 address in brackets, and a port if there is a colon (RFC 3986, 3.2).
fn is_host(text: &[u8]) -> bool {
    let colon = match text.first() {
        Some(b'[') => text.iter().position(|b| *b == b']').map(|at| at + 1),
        _ => Some(text.iter().position(|b| *b == b':').unwrap_or(text.len())),
    };
    let Some((host, rest)) = colon.and_then(|at| text.split_at_checked(at)) else {
        return false;
    };
    let is_port = match rest {
        [] => true,
        [b':', digits @ ..] => {
            digits.iter().all(u8::is_ascii_digit)
                && std::str::from_utf8(digits)
                    .is_ok_and(|digits| digits.is_empty() || digits.parse::<u16>().is_ok())
        }
        _ => false,
    };
    is_port
        && match host {
            [b'[', inside @ .., b']'] => std::str::from_utf8(inside)
                .is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok()),
            _ => {
                let legal = |b: &u8| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(b);
                !host.is_empty() && host.iter().all(legal)
            }
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(version: Version, uri: &str, hosts: &[&[u8]]) -> Result<(), &'static str> {
        let mut request = Request::builder().version(version).uri(uri);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        names_one_host(&request.body(()).unwrap())
    }

    /// Proves: ERR-04
    #[test]
    fn a_host_is_one_and_well_formed() {
        for host in [
            "a",
            "a:80",
            "a:",
            "127.0.0.1:8001",
            "[::1]",
            "[::1]:8001",
            "provider.example.nhs.uk",
            "a_b-c:65535",
        ] {
            assert_eq!(
                of(Version::HTTP_11, "/", &[host.as_bytes()]),
                Ok(()),
                "{host}"
            );
        }
        for host in [
            "",
            " ",
            "a b",
            "a,b c",
            "a/b",
            "a@b",
            "a:b",
            "a:65536",
            "a:1:2",
            ":80",
            "[::1",
            "[::1]x",
            "[a]",
            "::1",
            "a\tb",
            "a?b",
            "a#b",
            "a\\b",
            "caf\u{e9}",
        ] {
            assert!(
                of(Version::HTTP_11, "/", &[host.as_bytes()]).is_err(),
                "{host}"
            );
        }
        assert!(of(Version::HTTP_11, "/", &[]).is_err());
        assert!(of(Version::HTTP_11, "/", &[b"a", b"b"]).is_err());
        assert!(of(Version::HTTP_11, "/", &[b"a", b"a"]).is_err());
        assert!(of(Version::HTTP_10, "/", &[]).is_ok());
        assert!(of(Version::HTTP_10, "/", &[b""]).is_err());
        // A request to a proxy names the host in its target as well as in Host.
        assert!(of(Version::HTTP_11, "http://b/", &[b"a"]).is_ok());
        assert!(of(Version::HTTP_11, "http://b/", &[]).is_err());
    }

    /// Proves: ERR-04
    #[test]
    fn http2_names_its_host_in_one_of_two_places() {
        let at = "http://a:80/";
        assert!(of(Version::HTTP_2, at, &[]).is_ok());
        assert!(of(Version::HTTP_2, at, &[b"A:80"]).is_ok());
        assert!(of(Version::HTTP_2, at, &[b"b"]).is_err());
        assert!(of(Version::HTTP_2, "/", &[b"a"]).is_ok());
        assert!(of(Version::HTTP_2, "/", &[]).is_err());
        assert!(of(Version::HTTP_2, "http://u@a/", &[]).is_err());
    }
}
