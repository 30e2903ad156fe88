//! One slot, 10,000 clients: exactly one gets it.

use crate::Setting;
use crate::fixture::Fixture;
use crate::load::{self, Pace};
use crate::message;
use crate::place::Place;
use crate::report::Measure;
use crate::server::Server;
use booking::wire::interaction::Interaction;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Connections; each carries several clients, one after the other.
const CONNECTIONS: usize = 400;
/// Longest that the race may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Measures the row.
pub async fn run(setting: &Setting, place: &Place) -> Result<Vec<Measure>, String> {
    let clients = if setting.quick { 2_000 } else { 10_000 };
    let fixture = Fixture::make(place, "race", 1).await?;
    let mut slots = Vec::new();
    fixture.fill(1, |slot| slots.push(slot)).await?;
    let made = fixture.close();
    let slot = slots.pop().ok_or("no slot was made")?;
    let server = Server::start(setting, &made.url)?;
    let address = server.address.clone();
    let token = message::token(&address, Interaction::Book)?;
    let requests = Arc::new(move |n: usize| {
        (n < clients).then(|| message::book(&made, &slot, n, &address, &token).into())
    });
    let load = load::run(
        &server.address,
        CONNECTIONS,
        Pace::Closed,
        PATIENCE,
        requests,
    )
    .await?;
    let status = |s: u16| load.statuses.get(&s).copied().unwrap_or(0);
    let clean = status(201) == 1 && status(422) == clients - 1;
    let statuses: Vec<String> = load
        .statuses
        .iter()
        .map(|(status, n)| format!("{n} × {status}"))
        .collect();
    Ok(vec![
        Measure::new("race", format!("one slot, {clients} clients"))
            .measured(format!(
                "{}; {:.0} a second, p99 {:.0} ms",
                statuses.join(", "),
                load.rate(),
                load.within(0.99)
            ))
            .target("exactly one 201, all others 422", clean)
            .values(json!({
                "statuses": load.statuses, "per_second": load.rate(),
                "p50_ms": load.within(0.5), "p99_ms": load.within(0.99),
            })),
    ])
}
