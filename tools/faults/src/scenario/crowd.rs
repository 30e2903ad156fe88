//! Thousands of clients, each with a connection of its own, want one slot at the same moment.

use super::{End, figure};
use crate::Setting;
use crate::consumer::{Booked, Consumer};
use crate::stage::Stage;
use crate::world::Size;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// Clients: quick, and full.
const CLIENTS: [usize; 2] = [1_000, 10_000];
/// Files that this program needs beside the clients' connections.
const OTHER_FILES: usize = 200;

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let clients =
        CLIENTS[usize::from(!setting.quick)].min(open_files().saturating_sub(OTHER_FILES));
    let stage = Stage::set(
        setting,
        "crowd",
        Size {
            clinics: 2,
            days: 1,
        },
    )
    .await?;
    let mut random = stage.random.clone();
    let mut provider = stage.launch("provider")?.start()?;
    let shared = stage.shared(&[provider.address()]);
    let mut waiting = Vec::with_capacity(clients);
    for _ in 0..clients {
        let mut consumer = Consumer::new(&shared.ledger, &shared.heads, &shared.addresses, 0);
        consumer
            .connect()
            .await
            .map_err(|e| format!("a client cannot connect: {}", e.word()))?;
        waiting.push((consumer, random.uuid()));
    }
    let barrier = Arc::new(Barrier::new(clients));
    let began = Instant::now();
    let mut set = JoinSet::new();
    for (mut consumer, request) in waiting {
        let (barrier, slots) = (barrier.clone(), shared.slots.clone());
        set.spawn(async move {
            barrier.wait().await;
            match consumer.book(request, 0, &slots[0]).await {
                Booked::Yes(..) => 201,
                Booked::No(status) => status,
                Booked::Unknown => 0,
            }
        });
    }
    let (mut won, mut refused, mut strange) = (0, 0, 0);
    while let Some(status) = set.join_next().await {
        match status.map_err(|e| e.to_string())? {
            201 => won += 1,
            422 => refused += 1,
            _ => strange += 1,
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    if (won, strange) != (1, 0) {
        stage.ledger.wrong(&format!(
            "one slot was won {won} times, {strange} answers were strange"
        ));
    }
    let verdict = stage.prove_with(&provider).await?;
    provider.stop();
    Ok(End::Proved(
        verdict,
        vec![
            figure("clients", clients),
            figure("won", won),
            figure("refused", refused),
            figure("seconds", format!("{seconds:.1}")),
        ],
    ))
}

/// How many files this program may have open.
fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(1_024)
}
