//! Instance history: `GET [root]/Appointment/{id}/_history` (PROV-INT-06), newest version first.

use crate::http::edge::answer::{Answer, Content};
use crate::http::edge::{Caller, CheckedRequest, Edge, RequestContext, store_refusal, stored_tree};
use crate::http::interactions::read;
use booking::refusal::Refusal;
use booking::wire::query;
use fhir::Element;

/// Answers with a Bundle of type `history`.
pub async fn run(
    edge: &Edge,
    ctx: &mut RequestContext,
    request: &CheckedRequest,
    caller: &Caller,
) -> Result<Answer, Refusal> {
    query::only_format(&request.query)?;
    read::may_read(caller)?;
    let id = read::path_id(request)?;
    ctx.entry.appointment = Some(id.as_str().to_owned());
    let mut versions = edge
        .store
        .tenant(request.tenant.key)
        .history(id)
        .map_err(store_refusal)?;
    versions.retain(|version| read::is_shown(request, caller, version));
    if versions.is_empty() {
        return Err(read::unknown(id));
    }
    ctx.durable = true;
    versions.sort_by_key(|v| std::cmp::Reverse(v.version));
    let url = format!("{}/Appointment/{id}", request.tenant.root);
    let mut bundle = read::bundle("history", ctx.now)
        .with(Element::number("total", versions.len().to_string()))
        .with(
            Element::new("link")
                .with(Element::text("relation", "self"))
                .with(Element::text("url", format!("{url}/_history"))),
        );
    for stored in versions {
        let (method, wanted) = match stored.version {
            1 => ("POST", "Appointment".to_owned()),
            _ => ("PUT", format!("Appointment/{id}")),
        };
        // No `response`: STU3 keeps it for answers to batches (bdl-4); version and time are in the resource's meta.
        bundle.push(
            Element::new("entry")
                .with(Element::text("fullUrl", &url))
                .with(stored_tree(&stored.json)?.named("resource"))
                .with(
                    Element::new("request")
                        .with(Element::text("method", method))
                        .with(Element::text("url", wanted)),
                ),
        );
    }
    Ok(Answer::ok(Content::Tree(bundle)))
}
