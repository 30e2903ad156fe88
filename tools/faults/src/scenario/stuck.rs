//! Clients that never read their answers, never finish their requests, or vanish; the others must not notice.

use super::under_load::{Ending, UnderLoad};
use super::{End, figure};
use crate::Setting;
use crate::http::Connection;
use crate::stage::Stage;
use crate::world::{service, windows};
use std::net::SocketAddr;
use std::time::Duration;

/// Stuck clients of each sort: quick, and full.
const STUCK: [usize; 2] = [20, 400];
/// How long they are there: in the full form longer than the Provider waits for a head or a body.
const FOR: [Duration; 2] = [Duration::from_millis(1_500), Duration::from_secs(35)];
/// Searches that a client sends without reading: their answers are more than the buffers of both kernels hold.
const UNREAD: usize = 400;
/// How long a client tries to send one more before it is content to be stuck.
const SEND: Duration = Duration::from_millis(50);
/// How long the others may wait for any answer.
const OTHERS: Duration = Duration::from_secs(5);

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let form = usize::from(!setting.quick);
    let mut play = UnderLoad::start(setting, "stuck").await?;
    let address = play.provider.address();
    let mut stuck = Vec::new();
    let mut unread = 0;
    for n in 0..STUCK[form] {
        stuck.push(half(&play.stage, address, play.random.uuid(), n).await?);
        let (connection, sent) = deaf(&play.stage, address, n).await?;
        unread += sent;
        stuck.push(connection);
        vanishing(&play.stage, address, play.random.uuid(), n).await?;
    }
    let what = format!("{} clients are stuck", stuck.len());
    play.stage.ledger.fault(&what);
    let began = std::time::Instant::now();
    while began.elapsed() < FOR[form] {
        play.must_book_within(OTHERS, "beside stuck clients").await;
    }
    let stuck_clients = stuck.len();
    drop(stuck);
    play.must_book("after the stuck clients had gone").await;
    let figures = vec![
        figure("stuck clients", stuck_clients),
        figure("answers never read", unread),
    ];
    play.prove(Ending::Runs, figures).await
}

/// Sends half a head, or a head and half a body.
async fn half(
    stage: &Stage,
    address: SocketAddr,
    request: uuid::Uuid,
    n: usize,
) -> Result<Connection, String> {
    let number = n % stage.slots.len();
    let bytes = stage.heads.book(request, &stage.slots[number]);
    let most = if n.is_multiple_of(2) {
        300
    } else {
        bytes.len() - 100
    };
    let mut connection = open(address).await?;
    stage.ledger.book(request, number);
    // What becomes of it nobody is told; the ledger says so by saying nothing.
    let _ = connection.send_only(&bytes[..most], SEND).await;
    Ok(connection)
}

/// Sends searches, one behind the other, and reads nothing.
async fn deaf(stage: &Stage, address: SocketAddr, n: usize) -> Result<(Connection, usize), String> {
    let window = windows(stage.size, stage.began)[0];
    let request = stage
        .heads
        .search(&service(n % stage.size.clinics), window.from, window.to);
    let mut connection = open(address).await?;
    let mut sent = 0;
    while sent < UNREAD && connection.send_only(&request, SEND).await.is_ok() {
        sent += 1;
    }
    Ok((connection, sent))
}

/// Sends a whole booking and is gone.
async fn vanishing(
    stage: &Stage,
    address: SocketAddr,
    request: uuid::Uuid,
    n: usize,
) -> Result<(), String> {
    let number = n % stage.slots.len();
    let mut connection = open(address).await?;
    stage.ledger.book(request, number);
    let _ = connection
        .send_only(&stage.heads.book(request, &stage.slots[number]), SEND)
        .await;
    Ok(())
}

async fn open(address: SocketAddr) -> Result<Connection, String> {
    Connection::open(address)
        .await
        .map_err(|e| format!("a client cannot connect: {}", e.word()))
}
