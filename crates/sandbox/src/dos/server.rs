//! Serves the directory on a socket.

use super::edge::Edge;
use crate::faults::Faults;
use crate::watch::Observer;
use crate::world::World;
use jiff::tz::TimeZone;
use listen::{Accepted, Limits};
use rustls::ServerConfig;
use std::future::Future;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Largest request head, bytes. SOAP clients send a few hundred.
const HEAD_BYTES: usize = 32 << 10;

/// Serves until `stop` is ready, then gives requests under way up to five seconds.
pub async fn serve(
    listener: TcpListener,
    world: Arc<World>,
    faults: Arc<Faults>,
    tls: Option<Arc<ServerConfig>>,
    stop: impl Future<Output = ()>,
) {
    serve_watched(listener, world, faults, tls, Observer::default(), stop).await;
}

/// Like [`serve`]; also tells the observer the services in each answer.
pub async fn serve_watched(
    listener: TcpListener,
    world: Arc<World>,
    faults: Arc<Faults>,
    tls: Option<Arc<ServerConfig>>,
    observer: Observer,
    stop: impl Future<Output = ()>,
) {
    let zone = match TimeZone::get("Europe/London") {
        Ok(zone) => zone,
        Err(error) => return tracing::error!(%error, "the directory cannot start"),
    };
    let edge = Arc::new(Edge {
        world,
        faults,
        zone,
        tls: tls.is_some(),
        observer,
    });
    let limits = Limits {
        head_bytes: HEAD_BYTES,
        ..Limits::default()
    };
    listen::run(listener, limits, Arc::default(), stop, |accepted| {
        connection(edge.clone(), accepted, tls.clone())
    })
    .await;
}

async fn connection(edge: Arc<Edge>, accepted: Accepted, tls: Option<Arc<ServerConfig>>) {
    let Some(secured) = accepted.secure(tls.as_ref()).await else {
        return;
    };
    let handler = move |request| {
        let edge = edge.clone();
        async move { edge.answer(request).await }
    };
    if let Err(error) = listen::http(secured.stream, &secured.watch, handler).await {
        tracing::debug!(%error, "connection ended");
    }
}
