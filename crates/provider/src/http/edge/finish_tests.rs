//! What is recorded of a change that stands and whose answer cannot be written. No request can bring this about: what a
//! transaction stores was written from a tree. So the edge is given an answer that is broken.

use crate::config::{Settings, Unsigned};
use crate::diary::demo;
use crate::http::edge::Edge;
use crate::http::edge::answer::{Answer, Content};
use crate::http::edge::base::Base;
use crate::http::trust::{Peer, Trust};
use crate::store::{Options, Store};
use booking::wire::interaction::Interaction;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;

/// Proves: AUD-01, PROV-GEN-16
#[tokio::test]
async fn a_change_whose_answer_cannot_be_written_is_recorded_as_it_was_answered() {
    let store = Store::open("sqlite::memory:", &Options::default()).unwrap();
    demo::load(&store, Timestamp::now()).await.unwrap();
    let mut settings = Settings::default();
    settings.trust.unsigned = Unsigned::Any;
    let settings = Arc::new(settings);
    let trust = Trust::open(&settings).unwrap();
    let base = Base::new(None, "127.0.0.1:1");
    let edge = Edge::new(store.clone(), settings, trust, base).unwrap();
    let tenant = store.tenants().unwrap()[0].key;
    let rows = |after: i64| store.tenant(tenant).audit_rows(after, 100).unwrap();
    let before = rows(0).last().map_or(0, |row| row.seq);

    let request = http::Request::post("/STU3/1/FX101/Appointment")
        .header("Accept", "application/fhir+xml")
        .body(())
        .unwrap();
    let peer = Peer {
        address: SocketAddr::from(([127, 0, 0, 1], 1)),
        tls: false,
        is_ssp: false,
    };
    let mut ctx = edge.open_context(peer, &request.into_parts().0);
    ctx.entry.tenant = Some(tenant);
    ctx.entry.interaction = Some(Interaction::Book);
    let broken = Answer {
        status: 201,
        ..Answer::ok(Content::Json(Bytes::from_static(b"{").into()))
    };
    let response = edge.finish(&mut ctx, Ok(broken)).await;
    assert_eq!(response.status(), 500);
    let said: Vec<Value> = rows(before)
        .iter()
        .map(|row| serde_json::from_str(&row.body).unwrap())
        .collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0]["status"], 500);
    assert_eq!(said[0]["error"], "ERR-22");
    assert_eq!(
        said[0]["detail"],
        "the change was made, but its answer could not be written"
    );
}
