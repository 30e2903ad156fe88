//! The connection between Provider and PostgreSQL is cut at every few bytes of a booking and a cancellation.

use super::{End, figure, stage};
use crate::Setting;
use crate::consumer::{Booked, Cancelled, Consumer};
use crate::proxy::{Cut, Proxy};
use crate::stage::DATABASE;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Cuts: quick, and full.
const CUTS: [usize; 2] = [60, 2_000];
/// Bytes that a booking sends to PostgreSQL, and a little more.
const SENT: usize = 14_000;
/// Bytes that PostgreSQL answers to it.
const ANSWERED: usize = 6_000;

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let stage = stage(setting, "cut-database").await?;
    let mut random = stage.random.clone();
    let cluster = stage.cluster.as_ref().ok_or("there is no PostgreSQL")?;
    let proxy = Proxy::start(SocketAddr::from(([127, 0, 0, 1], cluster.port))).await?;
    let mut launch = stage.launch("provider")?;
    let port = proxy.address.port();
    launch.database = format!("postgres://uec@127.0.0.1:{port}/{DATABASE}?sslmode=disable");
    let mut provider = launch.start()?;
    let addresses = Arc::new(vec![provider.address()]);
    let mut consumer = Consumer::new(&stage.ledger, &stage.heads, &addresses, 0);
    let all = CUTS[usize::from(!setting.quick)];
    let free: Vec<usize> = (0..stage.slots.len())
        .filter(|n| stage.slots[*n].cap == 0)
        .collect();
    for n in 0..all {
        let mut cut = || match random.below(4) {
            0 | 1 => Cut::Request(1 + random.below(SENT)),
            2 => Cut::Answer(1 + random.below(ANSWERED)),
            _ => {
                let wait = random.below(3_000);
                let wait = Duration::from_micros(u64::try_from(wait).unwrap_or(0));
                Cut::After(1 + random.below(SENT), wait)
            }
        };
        let (booking, cancellation) = (cut(), cut());
        let number = free[n % free.len()];
        stage
            .ledger
            .fault(&format!("{booking:?} to PostgreSQL within a booking"));
        proxy.order(booking);
        let booked = consumer
            .book(random.uuid(), number, &stage.slots[number])
            .await;
        proxy.was_cut();
        let Booked::Yes(id, body) = booked else {
            stage
                .ledger
                .wrong(&format!("a booking was not made after {booking:?}"));
            continue;
        };
        let stored = match body {
            Some(body) => Some(body),
            None => consumer.read(id).await.map(|(_, body)| body),
        };
        let Some(stored) = stored else { continue };
        stage.ledger.fault(&format!(
            "{cancellation:?} to PostgreSQL within a cancellation"
        ));
        proxy.order(cancellation);
        let cancelled = consumer.cancel(random.uuid(), id, &stored).await;
        proxy.was_cut();
        if cancelled != Cancelled::Yes {
            stage.ledger.wrong(&format!(
                "a cancellation ended {cancelled:?} after {cancellation:?}"
            ));
        }
        setting.progress("cut-database", n + 1, all);
    }
    let verdict = stage.prove_with(&provider).await?;
    provider.stop();
    Ok(End::Proved(verdict, vec![figure("cuts", proxy.cuts())]))
}
