//! The status page: what can be walked, what to do for it, and what was seen so far. One page, no scripts, nothing
//! from elsewhere.

use crate::evidence::markup::escape;
use booking::count::counted;
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use std::fmt::Write;

use super::state::State;

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:70rem;padding:1rem;color:#1b1b1b;background:#fff}\
h1{font-size:1.5rem}table{border-collapse:collapse;width:100%}caption{text-align:left;font-weight:bold;padding:.5rem 0}\
th,td{border-bottom:1px solid #767676;padding:.4rem .6rem;text-align:left;vertical-align:top}code{font-family:ui-monospace,monospace}\
.scroll{overflow-x:auto}.done{color:#00552b;font-weight:bold}.bad{color:#a01200;font-weight:bold}.open{color:#4a4a4a}\
body{overflow-wrap:anywhere}@media (max-width:45rem){thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}\
table,tbody,tr,th,td,caption{display:block}tr{border:1px solid #767676;margin:0 0 .8rem;padding:.4rem}th,td{border:0;padding:.2rem .4rem}\
td:nth-child(3)::before{content:'Do: '}td:nth-child(4)::before{content:'Right: '}td:nth-child(5)::before{content:'State: '}}";

/// Whether a request is for the page.
pub(super) fn is_for(method: &Method, path: &str) -> bool {
    path == "/" && (method == Method::GET || method == Method::HEAD)
}

/// The page.
pub(super) fn answer(state: &State) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(page(state))));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html;charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(policy),
    );
    response
}

fn page(state: &State) -> String {
    let progress = state.progress();
    let done = progress
        .scenarios
        .iter()
        .filter(|s| s.left.is_none())
        .count();
    let mut out = format!(
        "<!DOCTYPE html><html lang=\"en-GB\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>Simulated Provider: {done} of {} walked</title><style>{STYLE}</style></head>\
         <body><main><h1>Simulated Provider</h1><p>Service root <code>{}</code>, ASID <code>{}</code>. {} seen, {}.</p><p><a href=\"/\">Fetch anew</a></p>",
        counted(progress.scenarios.len(), "scenario", "scenarios"),
        escape(state.root.url()),
        escape(state.to.as_str()),
        counted(progress.requests, "request", "requests"),
        counted(progress.faults, "different finding", "different findings"),
    );
    out.push_str(
        "<div class=\"scroll\" role=\"region\" aria-label=\"Scenarios\" tabindex=\"0\"><table role=\"table\"><caption>Scenarios</caption><thead role=\"rowgroup\"><tr role=\"row\"><th scope=\"col\" role=\"columnheader\">Service</th><th scope=\"col\" role=\"columnheader\">Scenario</th>\
         <th scope=\"col\" role=\"columnheader\">What to do</th><th scope=\"col\" role=\"columnheader\">What is right</th><th scope=\"col\" role=\"columnheader\">State</th></tr></thead><tbody role=\"rowgroup\">",
    );
    for s in &progress.scenarios {
        let (class, state) = match (s.trespassed, s.left) {
            (true, _) => ("bad", "Went on where it should have turned back".to_owned()),
            (false, None) => ("done", "Walked".to_owned()),
            (false, Some(left)) if s.begun => ("open", format!("To do: {left}")),
            (false, Some(left)) => ("open", format!("Not begun: {left}")),
        };
        // Writing into a String cannot fail.
        let _ = write!(
            out,
            "<tr role=\"row\"><th scope=\"row\" role=\"rowheader\"><code>{}</code></th><td role=\"cell\">{}</td><td role=\"cell\">{}</td><td role=\"cell\">{}</td><td role=\"cell\" class=\"{class}\">{}</td></tr>",
            s.scenario.id,
            escape(s.scenario.name),
            escape(s.scenario.task),
            escape(s.scenario.right),
            escape(&state),
        );
    }
    out.push_str("</tbody></table></div><h2>Last findings</h2>");
    if state.recent.is_empty() {
        out.push_str("<p>None so far.</p>");
    } else {
        out.push_str("<ul>");
        for line in &state.recent {
            let _ = write!(out, "<li>{}</li>", escape(line));
        }
        out.push_str("</ul>");
    }
    out.push_str("</main></body></html>\n");
    out
}
