//! Whether an address from SDS can be used (C16, C17).

use crate::config::{has_authority, is_this_machine};
use crate::plan::encode_root;
use booking::foreign::visible;

/// Longest address; with the criteria of a request behind it a line of eight kilobytes still holds it.
const MAX_ADDRESS: usize = 2_048;

/// The service root as SDS has it, if it is a valid https URL. Characters that are not safe in one are judged as they
/// will be sent: percent-encoded (NAT-SSP-02). `http` is for this machine, or where the settings say so.
pub fn root(text: &str, allow_plain: bool) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("the address is empty".to_owned());
    }
    if text.len() > MAX_ADDRESS {
        return Err(format!(
            "the address has more than {MAX_ADDRESS} characters"
        ));
    }
    if text.chars().any(|c| visible(c) != c) {
        return Err("the address has control characters, or others that are not seen".to_owned());
    }
    // A text with `@` may hold a password.
    let shown = if text.contains('@') {
        "the address"
    } else {
        text
    };
    let wrong = |why: &str| Err(format!("`{shown}` {why}"));
    // The parser mends what others would not: `https:host`, `https:///host`.
    let whole = has_authority(text).then(|| reqwest::Url::parse(&encode_root(text)));
    let Some(Ok(url)) = whole else {
        return wrong("is no absolute address");
    };
    let host = url.host_str().unwrap_or_default();
    if host.is_empty() {
        return wrong("names no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the address has a user or a password in it".to_owned());
    }
    match url.scheme() {
        "https" => Ok(text.to_owned()),
        "http" if allow_plain || is_this_machine(host) => Ok(text.to_owned()),
        _ => wrong("does not begin with https://"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: CONS-SDS-02, NAT-SSP-02, C16, C17, C21
    #[test]
    fn only_https_addresses_pass() {
        for good in [
            "https://provider.example/STU3/1/careconnect/booking",
            " https://provider.example:8443/r ",
            "HTTPS://provider.example/r",
            "https://provider.example/a b/{c}|\"d\"",
            "http://127.0.0.1:8001/STU3/1/FX101",
            "http://localhost/r",
            "http://[::1]:8001/r",
        ] {
            assert_eq!(root(good, false).as_deref(), Ok(good.trim()), "{good}");
        }
        for bad in [
            "",
            "  ",
            "provider.example/r",
            "/STU3/1/r",
            "https://",
            "https:///r",
            "https:provider.example/r",
            "https:/provider.example/r",
            "https:\\\\provider.example\\r",
            "https://[::1/r",
            "https://user:secret@provider.example/r",
            "https://prov ider.example/r",
            "https://provider.example/r\u{0}",
            "http://provider.example/r",
            "http://127.0.0.1.example/r",
            "ftp://provider.example/r",
            "mailto:someone@provider.example",
        ] {
            assert!(root(bad, false).is_err(), "{bad}");
        }
        assert!(root("http://provider.example/r", true).is_ok());
        assert!(root(&format!("https://p.example/{}", "x".repeat(3_000)), false).is_err());
        assert!(
            !root("https://user:secret@p.example", false)
                .unwrap_err()
                .contains("secret")
        );
    }
}
