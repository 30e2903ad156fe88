//! Pages of a search: where the next one is. A Provider may page its results (PROV-SLOT-20); what is on later pages
//! was found as well.

use serde_json::Value;

use super::answer::{list, text};
use super::target::Target;

/// Most pages of one search that are followed: at ten slots a page more slots than the tests need in two weeks.
pub(super) const MAX_PAGES: usize = 40;

/// Where the next page is, as a path below the service root; none on the last page. An address that cannot be one of
/// this Provider comes back as the error.
pub(super) fn next(bundle: &Value, target: &Target) -> Option<Result<String, String>> {
    let link = list(bundle, "/link")
        .iter()
        .find(|l| text(l, "/relation") == "next")?;
    let url = text(link, "/url");
    // Behind a proxy the root that goes out is another than the address that was called.
    for root in [target.audience(), target.endpoint.root()] {
        if let Some(rest) = url.strip_prefix(root.trim_end_matches('/'))
            && rest.starts_with(['/', '?'])
        {
            return Some(Ok(rest.to_owned()));
        }
    }
    // `https` goes out although the socket may be plain (D-20).
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)),
        None if url.starts_with('/') => Some(url),
        None => return Some(relative(url)),
    };
    let below = path.and_then(|p| p.strip_prefix(target.endpoint.path.as_str()));
    match below {
        Some(rest) if rest.starts_with(['/', '?']) => Some(Ok(rest.to_owned())),
        _ => Some(Err(url.to_owned())),
    }
}

fn relative(url: &str) -> Result<String, String> {
    match url.starts_with("Slot?") || url.starts_with("Appointment?") {
        true => Ok(format!("/{url}")),
        false => Err(url.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Proves: PROV-SLOT-20
    #[test]
    fn a_next_link_is_read_below_the_root_and_nowhere_else() {
        let t = Target {
            audience: Some("https://public.example/STU3/1/FX1".to_owned()),
            ..Target::of_tests("http://127.0.0.1:8001/STU3/1/FX101")
        };
        let at = |url: &str| {
            next(
                &json!({"link": [{"relation": "self", "url": "x"}, {"relation": "next", "url": url}]}),
                &t,
            )
        };
        for (url, path) in [
            (
                "http://127.0.0.1:8001/STU3/1/FX101/Slot?page=2",
                "/Slot?page=2",
            ),
            (
                "https://127.0.0.1:8001/STU3/1/FX101/Slot?page=2",
                "/Slot?page=2",
            ),
            (
                "https://public.example/STU3/1/FX1?_getpages=7",
                "?_getpages=7",
            ),
            ("/STU3/1/FX101/Slot?page=2", "/Slot?page=2"),
            ("Slot?page=2", "/Slot?page=2"),
        ] {
            assert_eq!(at(url), Some(Ok(path.to_owned())), "{url}");
        }
        for url in [
            "https://elsewhere.example/Slot?page=2",
            "page=2",
            "",
            "https://127.0.0.1:8001",
        ] {
            assert_eq!(at(url), Some(Err(url.to_owned())), "{url}");
        }
        assert_eq!(
            next(&json!({"link": [{"relation": "self", "url": "x"}]}), &t),
            None
        );
    }
}
