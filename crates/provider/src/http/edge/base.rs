//! How consumers know this server: the base URL, service roots, and the audience of tokens.

use booking::wire::url;

/// How consumers know this server.
#[derive(Clone, Debug)]
pub struct Base {
    url: String,
    configured: bool,
}

impl Base {
    /// The configured base URL, or `https://` and the address listened on: the root is always https, also when a
    /// proxy in front ends TLS (D-20).
    pub fn new(configured: Option<&str>, listen: &str) -> Base {
        match configured {
            Some(url) => Base {
                url: url.to_owned(),
                configured: true,
            },
            None => Base {
                url: format!("https://{listen}"),
                configured: false,
            },
        }
    }

    /// Service root of a tenant (PROV-GEN-01).
    pub fn root(&self, ods: &str) -> String {
        format!("{}{}{ods}", self.url, crate::ROOT_PREFIX)
    }

    /// True when a token's audience is this root (NAT-JWT-04), compared as URLs (D-58). A trailing slash is tolerated;
    /// where nobody configured a base URL, `http` and the names of the loop-back interface too.
    pub fn is_audience(&self, audience: &str, root: &str) -> bool {
        let audience = audience.strip_suffix('/').unwrap_or(audience);
        if audience == root {
            return true;
        }
        let (Some(audience), Some(root)) = (url::normal_form(audience), url::normal_form(root))
        else {
            return false;
        };
        let audience = audience.strip_suffix('/').unwrap_or(&audience);
        if audience == root || self.configured {
            return audience == root;
        }
        // Whether it names the loop-back interface; what stands behind such a name, or all of it.
        fn plain(url: &str) -> (bool, &str) {
            let rest = url
                .strip_prefix("https://")
                .or_else(|| url.strip_prefix("http://"))
                .unwrap_or(url);
            let own = ["localhost", "[::1]", "127.0.0.1", "0.0.0.0"];
            let after = own.iter().find_map(|name| rest.strip_prefix(name));
            match after {
                Some(after) => (true, after),
                None => (false, rest),
            }
        }
        plain(audience) == plain(&root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: NAT-JWT-04, PROV-GEN-03, D-20, D-58
    #[test]
    fn audience_is_the_service_root() {
        let base = Base::new(Some("https://booking.example"), "0.0.0.0:8443");
        let root = base.root("FX101");
        assert_eq!(root, "https://booking.example/STU3/1/FX101");
        assert!(base.is_audience(&root, &root) && base.is_audience(&format!("{root}/"), &root));
        for same in [
            "HTTPS://Booking.EXAMPLE:443/STU3/1/FX101",
            "https://booking.example:/STU3/1/%46X101/",
            "https://booking.example/STU3/./1/x/../FX101",
            "https://booking.example/STU3/1/FX101/.",
        ] {
            assert!(base.is_audience(same, &root), "{same}");
        }
        for other in [
            "https://booking.example/stu3/1/FX101",
            "https://booking.example/STU3/1/fx101",
            "https://booking.example:8443/STU3/1/FX101",
            "https://booking.example/STU3/1/FX101?a",
            "https://user@booking.example/STU3/1/FX101",
            "https://booking.example.org/STU3/1/FX101",
            "https://booking.example/STU3%2F1/FX101",
            "http://booking.example/STU3/1/FX101",
            "https://booking.example/STU3/1/FX102",
            "https://booking.example",
            "notanendpoint",
            "",
        ] {
            assert!(!base.is_audience(other, &root), "{other}");
        }
        let local = Base::new(None, "127.0.0.1:8001");
        let root = local.root("FX101");
        assert!(local.is_audience("http://localhost:8001/STU3/1/FX101", &root));
        assert!(local.is_audience("https://[::1]:8001/STU3/1/FX101/", &root));
        for other in ["http://localhost:8002/STU3/1/FX101", ":8001/STU3/1/FX101"] {
            assert!(!local.is_audience(other, &root), "{other}");
        }
    }
}
