//! Many attempts for each slot, from many clients, over several processes on one database; some attempts are sent twice
//! at the same time with the same `X-Request-ID`.

use super::{End, figure};
use crate::Setting;
use crate::consumer::{Booked, Consumer};
use crate::provider::Provider;
use crate::random::Random;
use crate::stage::{Kind, Stage};
use crate::world::Size;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tokio::task::JoinSet;

/// Attempts for one slot.
const PER_SLOT: usize = 50;
/// The attempt that is sent with the `X-Request-ID` of the one before it.
const TWIN: usize = 7;
/// Clients.
const CLIENTS: usize = 96;
/// Attempts between two words about progress.
const STEP: usize = 10_000;

struct Race {
    next: AtomicUsize,
    attempts: usize,
    won: AtomicUsize,
    strange: AtomicUsize,
    seed: u64,
}

impl Race {
    /// The `X-Request-ID` of an attempt.
    fn request(&self, attempt: usize) -> uuid::Uuid {
        let attempt = match attempt % PER_SLOT {
            TWIN => attempt - 1,
            _ => attempt,
        };
        Random::of(
            self.seed ^ u64::try_from(attempt).unwrap_or(0).rotate_left(20),
            "race",
        )
        .uuid()
    }
}

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let wanted = setting.attempts.div_ceil(PER_SLOT);
    let stage = Stage::set(setting, "race", Size::of_slots(wanted)).await?;
    let processes = match setting.store {
        Kind::Sqlite => 2,
        Kind::Postgres => 3,
    };
    let mut providers = Vec::new();
    for n in 0..processes {
        providers.push(stage.launch(&format!("provider-{n}"))?.start()?);
    }
    let addresses: Vec<_> = providers.iter().map(Provider::address).collect();
    let shared = stage.shared(&addresses);
    let race = Arc::new(Race {
        next: AtomicUsize::new(0),
        attempts: setting.attempts,
        won: AtomicUsize::new(0),
        strange: AtomicUsize::new(0),
        seed: setting.seed,
    });
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for n in 0..CLIENTS {
        let consumer = Consumer::new(&shared.ledger, &shared.heads, &shared.addresses, n);
        clients.spawn(client(consumer, race.clone(), shared.slots.clone()));
    }
    let mut said = 0;
    while !clients.is_empty() {
        let pause = std::time::Duration::from_millis(100);
        if let Ok(Some(ended)) = tokio::time::timeout(pause, clients.join_next()).await {
            ended.map_err(|e| format!("a client broke: {e}"))?;
        }
        let done = race.next.load(Ordering::Relaxed).min(race.attempts);
        if done / STEP > said {
            said = done / STEP;
            setting.progress("race", done, race.attempts);
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let (won, strange) = (
        race.won.load(Ordering::Relaxed),
        race.strange.load(Ordering::Relaxed),
    );
    if won != wanted {
        stage.ledger.wrong(&format!(
            "{wanted} slots were raced for, and {won} of them won"
        ));
    }
    if strange > 0 {
        stage.ledger.wrong(&format!(
            "{strange} attempts were answered neither 201 nor 422"
        ));
    }
    drop(providers);
    let verdict = stage.prove().await?;
    Ok(End::Proved(
        verdict,
        vec![
            figure("attempts", race.attempts),
            figure("slots", wanted),
            figure("won", won),
            figure("processes", processes),
            figure(
                "attempts a second",
                format!("{:.0}", race.attempts as f64 / seconds),
            ),
        ],
    ))
}

async fn client(mut consumer: Consumer, race: Arc<Race>, slots: Arc<Vec<crate::message::Slot>>) {
    loop {
        let attempt = race.next.fetch_add(1, Ordering::Relaxed);
        if attempt >= race.attempts {
            return;
        }
        let number = attempt / PER_SLOT;
        match consumer
            .book(race.request(attempt), number, &slots[number])
            .await
        {
            // Told by a 409 that its twin, or its own lost attempt, has won.
            Booked::Yes(_, None) => {}
            Booked::Yes(_, Some(_)) => {
                race.won.fetch_add(1, Ordering::Relaxed);
            }
            Booked::No(422) => {}
            Booked::No(_) | Booked::Unknown => {
                race.strange.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
