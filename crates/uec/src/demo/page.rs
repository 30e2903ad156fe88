//! The tour as a page for browsers: the same places and commands, with links.

use super::tour::{Place, Step, Tour};

/// Colours have a contrast of at least 4.5; nothing is wider than a telephone.
const STYLE: &str = "\
:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem;color:#212b32;background:#fff}
h1{line-height:1.2}
a{color:#005eb8}
a:focus-visible,pre:focus-visible{outline:3px solid #ffb81c;outline-offset:2px}
.skip{position:absolute;left:-999rem}
.skip:focus{position:static}
dl{display:grid;grid-template-columns:1fr;gap:0 1rem}
dt{font-weight:600;margin-top:.5rem}
dd{margin:0;overflow-wrap:anywhere}
ol{padding-left:1.5rem}
pre{background:#f0f4f5;border:1px solid #aeb7bd;padding:.75rem;white-space:pre-wrap;overflow-wrap:anywhere}
@media(min-width:40rem){dl{grid-template-columns:8rem 1fr}dt{margin:0}}
@media(prefers-color-scheme:dark){body{color:#f0f4f5;background:#1a2127}a{color:#9ccbf5}pre{background:#212b32;border-color:#4c6272}}
";

/// The page.
pub async fn html(tour: &Tour) -> Result<String, String> {
    let by_hand = tour.by_hand().await?;
    let mut out = String::with_capacity(16 << 10);
    out.push_str("<!doctype html>\n<html lang=\"en-GB\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    out.push_str(&format!(
        "<title>UEC Booking demo</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
    ));
    out.push_str("<a class=\"skip\" href=\"#main\">Skip to the tour</a>\n<main id=\"main\">\n");
    out.push_str(
        "<h1>UEC Booking demo</h1>\n<p>A Provider, the national services between it and a 111 service, and a tour to paste into a \
         terminal. Synthetic patients only. SSP is the Spine Secure Proxy, DoS the Directory of Services, SDS the Spine \
         Directory Service.</p>\n<h2>Where everything is</h2>\n<dl>\n",
    );
    for place in tour.places() {
        out.push_str(&of_place(&place));
    }
    out.push_str("</dl>\n<h2>Book by hand</h2>\n");
    for step in &by_hand {
        out.push_str(&format!(
            "<h3>{}</h3>\n{}",
            escaped(&step.what),
            command(step)
        ));
    }
    out.push_str("<h2>The whole journey</h2>\n<p>Each command can be pasted.</p>\n<ol>\n");
    for step in tour.journey() {
        out.push_str(&format!(
            "<li>{}\n{}</li>\n",
            escaped(&step.what),
            command(&step)
        ));
    }
    out.push_str("</ol>\n<p>Reload for a fresh token and a fresh slot. As text: <code>curl ");
    out.push_str(&format!(
        "http://127.0.0.1:{}/</code>. Stop with Ctrl-C.</p>\n",
        tour.port
    ));
    out.push_str("</main>\n</body>\n</html>\n");
    Ok(out)
}

fn of_place(place: &Place) -> String {
    let address = escaped(&place.address);
    let address = match &place.link {
        Some(link) => format!("<a href=\"{}\">{address}</a>", escaped(link)),
        None => format!("<code>{address}</code>"),
    };
    let name = if place.name.is_empty() {
        "Also"
    } else {
        place.name
    };
    format!(
        "<dt>{}</dt><dd>{address} {}</dd>\n",
        escaped(name),
        escaped(place.about)
    )
}

fn command(step: &Step) -> String {
    format!(
        "<pre tabindex=\"0\" role=\"group\" aria-label=\"{}\">{}</pre>\n",
        escaped(&step.what),
        escaped(&step.command)
    )
}

/// Text as HTML takes it, in elements and in attributes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_foreign_is_escaped() {
        let place = Place {
            name: "Data",
            address: "/tmp/<b>\"'&".to_owned(),
            about: "",
            link: Some("http://a/?b=1&c=\"".to_owned()),
        };
        let shown = of_place(&place);
        assert!(shown.contains("/tmp/&lt;b&gt;&quot;&#39;&amp;"), "{shown}");
        assert!(
            shown.contains("href=\"http://a/?b=1&amp;c=&quot;\""),
            "{shown}"
        );
    }
}
