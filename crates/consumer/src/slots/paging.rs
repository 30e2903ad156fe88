//! Reads the paging links of a search (CONS-SLOT-05). Only links below the searched service root are followed: the next
//! request carries a token, and no Bundle may decide where that goes.

use crate::plan::encode_root;
use fhir::Element;

/// The part of the `next` link after the service root, for [`crate::plan::search_slots::page`]. `Ok(None)`: no further
/// page. `Err`: the link leads elsewhere.
pub fn next_tail(
    bundle: &Element,
    root: &str,
    ssp: Option<&str>,
) -> Result<Option<String>, String> {
    let Some(next) = bundle.all("link").find(|link| is_next(link)) else {
        return Ok(None);
    };
    let url = next.str_of("url").map(str::trim).unwrap_or_default();
    if url.is_empty() {
        return Err("the link to the next page has no address".to_owned());
    }
    let tail = tail(url, root, ssp)
        .filter(|tail| !climbs(tail))
        .ok_or_else(|| "the link to the next page leads outside the service root".to_owned())?;
    Ok(Some(encode_root_keeping_query(&tail)))
}

/// Whether a link is the next page's.
pub(crate) fn is_next(link: &Element) -> bool {
    link.str_of("relation")
        .is_some_and(|r| r.trim().eq_ignore_ascii_case("next"))
}

fn tail(url: &str, root: &str, ssp: Option<&str>) -> Option<String> {
    // A Provider does not see the SSP, but a proxy may have added its prefix to the link.
    let url = ssp
        .and_then(|ssp| url.strip_prefix(ssp.trim_end_matches('/')))
        .map_or(url, |rest| rest.trim_start_matches('/'));
    if let Some(rest) = below(url, root) {
        return Some(rest);
    }
    if url.contains("://") || url.starts_with("//") {
        return None;
    }
    match url.strip_prefix('/') {
        // From the root of the host: the service root's path comes first.
        Some(path) => below(&format!("{}/{path}", origin(root)?), root),
        None => Some(url.to_owned()),
    }
}

/// Whether an address has the host of a service root, in any case, with or without the default port. The schemes may
/// differ, since TLS may end at a proxy.
pub(crate) fn same_host(url: &str, root: &str) -> bool {
    matches!((authority(url), authority(root)), (Some(a), Some(b)) if a == b)
}

/// Host and port in lower case, without a default port of either scheme.
fn authority(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..end].to_ascii_lowercase();
    let bare = [":443", ":80"]
        .into_iter()
        .find_map(|usual| host.strip_suffix(usual));
    Some(bare.unwrap_or(&host).to_owned())
}

/// The part after the root, in either scheme: a Provider behind a proxy may write `https` for `http`.
fn below(url: &str, root: &str) -> Option<String> {
    if !same_host(url, root) {
        return None;
    }
    let path_of = |u: &str| {
        let rest = u.split_once("://").map_or(u, |(_, rest)| rest);
        rest.find('/').map_or("", |at| &rest[at..]).to_owned()
    };
    let (path, root_path) = (path_of(url), path_of(root));
    let rest = path
        .strip_prefix(root_path.trim_end_matches('/'))
        .or_else(|| path.strip_prefix(encode_root(&root_path).trim_end_matches('/')))?;
    match rest.chars().next() {
        Some('/') => Some(rest.trim_start_matches('/').to_owned()),
        // A link to the root itself: `[root]?page=2`.
        Some('?') => Some(rest.to_owned()),
        _ => None,
    }
}

/// A page's address in one spelling, to recognise a loop whatever is percent-encoded.
pub(crate) fn page_key(url: &str) -> String {
    let mut bytes = Vec::with_capacity(url.len());
    let mut rest = url.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = match rest {
            [b'%', a, b, ..] => {
                let digit = |d: &u8| char::from(*d).to_digit(16);
                digit(a)
                    .zip(digit(b))
                    .and_then(|(a, b)| u8::try_from(a * 16 + b).ok())
            }
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &rest[3..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn origin(root: &str) -> Option<&str> {
    let host = root.find("://")? + 3;
    let end = root[host..].find('/').map_or(root.len(), |p| host + p);
    Some(&root[..end])
}

/// Whether the path has `..` steps in any spelling.
fn climbs(tail: &str) -> bool {
    let path = tail.split(['?', '#']).next().unwrap_or_default();
    path.split(['/', '\\']).any(|step| {
        matches!(
            step.to_ascii_lowercase().replace("%2e", ".").as_str(),
            "." | ".."
        )
    })
}

/// Encodes characters that an address may not contain, and drops a fragment.
fn encode_root_keeping_query(tail: &str) -> String {
    let tail = tail.split('#').next().unwrap_or_default();
    match tail.split_once('?') {
        Some((path, query)) => {
            let query = query.replace('?', "%3F");
            format!("{}?{}", encode_root(path), encode_root(&query))
        }
        None => encode_root(tail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(url: &str) -> Result<Option<String>, String> {
        let link = Element::new("link")
            .with(Element::text("relation", "next"))
            .with(Element::text("url", url));
        next_tail(
            &Element::resource("Bundle").with(link),
            "https://p.example/STU3/1/X",
            Some("https://ssp.example"),
        )
    }

    /// Proves: CONS-SLOT-05
    /// Pages below the service root are followed, in every form a link can have.
    #[test]
    fn links_below_the_root() {
        for (url, tail) in [
            ("https://p.example/STU3/1/X/Slot?page=2", "Slot?page=2"),
            ("http://P.example:443/STU3/1/X/Slot?page=2", "Slot?page=2"),
            (
                "https://p.example/STU3/1/X?_getpages=a|b&n=1",
                "?_getpages=a%7Cb&n=1",
            ),
            ("/STU3/1/X/Slot?page=2", "Slot?page=2"),
            ("Slot?page=2#top", "Slot?page=2"),
            (
                "https://ssp.example/https://p.example/STU3/1/X/Slot?p=2",
                "Slot?p=2",
            ),
        ] {
            assert_eq!(next(url).unwrap().as_deref(), Some(tail), "{url}");
        }
    }

    #[test]
    fn links_elsewhere_are_not_followed() {
        for url in [
            "https://evil.example/STU3/1/X/Slot?page=2",
            "https://p.example.evil.example/STU3/1/X/Slot",
            "https://p.example/STU3/1/Y/Slot",
            "https://p.example/STU3/1/XY/Slot",
            "https://p.example/STU3/1/X/../Y/Slot",
            "%2e%2E/Y/Slot",
            "//evil.example/Slot",
            "/STU3/1/Y/Slot",
        ] {
            assert!(next(url).is_err(), "{url}");
        }
    }
}
