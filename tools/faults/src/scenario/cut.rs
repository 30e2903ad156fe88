//! The connection between client and Provider is cut at every step of a booking and of a cancellation; the client
//! repeats with the same `X-Request-ID`.

use super::{End, figure, stage};
use crate::Setting;
use crate::consumer::{Booked, Cancelled, Consumer};
use crate::message;
use crate::proxy::{Cut, Proxy};
use crate::random::Random;
use std::sync::Arc;
use std::time::Duration;

/// Random cuts beside the fixed ones: quick, and full.
const RANDOM: [usize; 2] = [60, 2_000];
/// Longest head and body of a request, so that a random cut may fall anywhere within.
const REQUEST: usize = 5_200;

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let stage = stage(setting, "cut").await?;
    let mut random = stage.random.clone();
    let mut provider = stage.launch("provider")?.start()?;
    let proxy = Proxy::start(provider.address()).await?;
    let addresses = Arc::new(vec![proxy.address]);
    let mut consumer = Consumer::new(&stage.ledger, &stage.heads, &addresses, 0);
    let cuts = cuts(&mut random, RANDOM[usize::from(!setting.quick)]);
    let (mut recovered, mut anew) = (0, 0);
    for (n, cut) in cuts.iter().enumerate() {
        let number = n % stage.slots.len();
        let slot = &stage.slots[number];
        if slot.cap > 0 {
            continue;
        }
        consumer.hang_up();
        stage.ledger.fault(&format!("{cut:?} of a booking"));
        let request = random.uuid();
        let whole = stage.heads.book(request, slot).len();
        proxy.order(fitted(*cut, whole));
        let booked = consumer.book(request, number, slot).await;
        proxy.was_cut();
        let Booked::Yes(id, body) = booked else {
            stage
                .ledger
                .wrong(&format!("a booking was not made after {cut:?}"));
            continue;
        };
        let stored = match body {
            Some(body) => {
                anew += 1;
                body
            }
            None => {
                recovered += 1;
                match consumer.read(id).await {
                    Some((200, body)) => body,
                    _ => continue,
                }
            }
        };
        consumer.hang_up();
        stage.ledger.fault(&format!("{cut:?} of a cancellation"));
        let request = random.uuid();
        let body = message::cancelled(&stored).unwrap_or_default();
        let whole = stage.heads.cancel(request, id, &body).len();
        proxy.order(fitted(*cut, whole));
        let cancelled = consumer.cancel(request, id, &stored).await;
        proxy.was_cut();
        if cancelled != Cancelled::Yes {
            stage
                .ledger
                .wrong(&format!("a cancellation ended {cancelled:?} after {cut:?}"));
        }
        setting.progress("cut", n + 1, cuts.len());
    }
    let verdict = stage.prove_with(&provider).await?;
    provider.stop();
    Ok(End::Proved(
        verdict,
        vec![
            figure("cuts", proxy.cuts()),
            figure("bookings recovered by a 409", recovered),
            figure("bookings made by the repeat", anew),
        ],
    ))
}

/// The fixed steps, then random ones.
fn cuts(random: &mut Random, more: usize) -> Vec<Cut> {
    let mut cuts = vec![Cut::BeforeSend, Cut::AnswerStarts];
    cuts.extend([1, 20, 400, 1_200, 2_000, usize::MAX].map(Cut::Request));
    cuts.extend([0, 1, 2, 4, 8, 16].map(|ms| Cut::After(usize::MAX, Duration::from_millis(ms))));
    cuts.extend([1, 12, 300, 1_000, 2_500].map(Cut::Answer));
    for _ in 0..more {
        cuts.push(match random.below(4) {
            0 => Cut::Request(1 + random.below(REQUEST)),
            1 => {
                let micros = random.below(12_000);
                Cut::After(
                    usize::MAX,
                    Duration::from_micros(u64::try_from(micros).unwrap_or(0)),
                )
            }
            2 => Cut::AnswerStarts,
            _ => Cut::Answer(1 + random.below(3_000)),
        });
    }
    cuts
}

/// A cut within a request of this length: what lies behind it falls before its last byte.
fn fitted(cut: Cut, whole: usize) -> Cut {
    match cut {
        Cut::Request(at) => Cut::Request(at.min(whole - 1)),
        Cut::After(at, wait) => Cut::After(at.min(whole), wait),
        other => other,
    }
}
