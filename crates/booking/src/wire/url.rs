//! Compares URLs by RFC 3986 (sections 6.2.2 and 6.2.3), so that spellings of one address are equal.

use std::net::Ipv6Addr;

/// Longest URL normalised; a service root has about 100 characters.
const MAX_URL: usize = 2_048;

/// The normal form of an absolute `http` or `https` URL: scheme and host in lower case, no default port, escapes only where
/// needed and in upper case, no dot segments. `None` for anything else, such as a URL with user, query or fragment, which
/// no service root has.
pub fn normal_form(url: &str) -> Option<String> {
    if url.len() > MAX_URL || !url.bytes().all(|b| b.is_ascii_graphic()) {
        return None;
    }
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    if rest.contains(['?', '#', '\\']) {
        return None;
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = host_and_port(authority)?;
    let port = match port {
        Some(port) if port != default_port => format!(":{port}"),
        _ => String::new(),
    };
    Some(format!(
        "{scheme}://{host}{port}{}",
        without_dots(&plain(path)?)
    ))
}

/// Splits an authority into host and port. An empty port counts as absent. A user name is refused.
fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (inside, after) = rest.split_once(']')?;
        let address: Ipv6Addr = inside.parse().ok()?;
        let port = match after {
            "" => None,
            after => port(after.strip_prefix(':')?)?,
        };
        return Some((format!("[{address}]"), port));
    }
    let (host, number) = authority.split_once(':').unwrap_or((authority, ""));
    let host = plain(host)?.to_ascii_lowercase();
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '%');
    let is_host = !host.is_empty() && host.chars().all(legal);
    is_host.then_some(())?;
    Some((host, port(number)?))
}

/// Reads a port: `None` inside if empty, outside if invalid.
fn port(digits: &str) -> Option<Option<u16>> {
    if digits.is_empty() {
        return Some(None);
    }
    let number = digits.bytes().all(|b| b.is_ascii_digit());
    let number = number.then(|| digits.parse::<u16>().ok()).flatten();
    number.filter(|n| *n > 0).map(Some)
}

/// Decodes escapes of unreserved characters and writes the others in upper case.
fn plain(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let digits = rest.get(at + 1..at + 3)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let c = char::from(u8::from_str_radix(digits, 16).ok()?);
        match c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~') {
            true => out.push(c),
            false => {
                out.push('%');
                out.push_str(&digits.to_ascii_uppercase());
            }
        }
        rest = &rest[at + 3..];
    }
    out.push_str(rest);
    Some(out)
}

/// Removes `.` and `..` (section 5.2.4). An empty path becomes `/`.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                // `/a/.` is the folder `/a/`.
                if last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::normal_form;

    /// Proves: NAT-JWT-04
    #[test]
    fn spellings_of_one_url_have_one_normal_form() {
        for (given, normal) in [
            ("https://a.example/S", "https://a.example/S"),
            ("HTTPS://A.EXAMPLE:443/S", "https://a.example/S"),
            ("http://a.example:80/S", "http://a.example/S"),
            ("https://a.example:80/S", "https://a.example:80/S"),
            ("https://a.example:/S", "https://a.example/S"),
            ("https://a.example", "https://a.example/"),
            (
                "https://%61.example/%53%7e/%2f/%c3%a9",
                "https://a.example/S~/%2F/%C3%A9",
            ),
            ("https://a.example/x/../S/./T", "https://a.example/S/T"),
            ("https://a.example/S/.", "https://a.example/S/"),
            ("https://a.example/S/T/..", "https://a.example/S/"),
            ("https://a.example/../../S", "https://a.example/S"),
            ("https://[0:0:0:0:0:0:0:1]:8443/S", "https://[::1]:8443/S"),
        ] {
            assert_eq!(normal_form(given).as_deref(), Some(normal), "{given}");
        }
        for other in [
            "",
            "S",
            "ftp://a.example/S",
            "https://",
            "https:///S",
            "https://u@a.example/S",
            "https://a.example:0/S",
            "https://a.example:65536/S",
            "https://a.example:+1/S",
            "https://a.example/S?x",
            "https://a.example/S#x",
            "https://a.example/%5",
            "https://a.example/%zz",
            "https://a.example/ S",
            "https://[::1/S",
            "https://[::1]x/S",
        ] {
            assert_eq!(normal_form(other), None, "{other}");
        }
    }
}
