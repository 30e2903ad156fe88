//! Slot search of three days, all six includes, a hundred slots, against a bare server that returns the same bytes.

use super::median;
use crate::Setting;
use crate::fixture::{Fixture, Made};
use crate::load::{self, Load, Pace, unanswered};
use crate::message;
use crate::place::Place;
use crate::report::Measure;
use crate::server::Server;
use booking::wire::interaction::Interaction;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use testkit::http::Connection;

/// Connections that search at once.
const CONNECTIONS: usize = 32;
/// Slots that each search returns.
const SLOTS: usize = 100;

/// Measures the row.
pub async fn run(setting: &Setting, place: &Place) -> Result<Vec<Measure>, String> {
    let (rounds, seconds) = if setting.quick { (3, 1) } else { (5, 4) };
    let fixture = Fixture::make(place, "search", 8).await?;
    fixture.fill(SLOTS, |_| {}).await?;
    let made = fixture.close();
    place.analyze("search")?;
    place.settle()?;
    let server = Server::start(setting, &made.url)?;
    let file = setting.data.join("answer.http");
    let request = request(&made, &server.address)?;
    let size = keep_answer(&server.address, &request, &file).await?;
    let bare = Server::bare(&file)?;
    let (mut ours, mut theirs) = (Side::default(), Side::default());
    let warm = Duration::from_millis(500);
    load(&server, &request, warm).await?;
    load(&bare, &request, warm).await?;
    let mut stored = 0.0;
    for _ in 0..rounds {
        let before = place.cpu();
        // A token is valid for five minutes, a round takes seconds.
        let request = self::request(&made, &server.address)?;
        ours.round(&server, &request, Duration::from_secs(seconds))
            .await?;
        stored += place.cpu() - before;
        theirs
            .round(&bare, &request, Duration::from_secs(seconds))
            .await?;
    }
    let pairs = |f: fn(&Load) -> f64| -> Vec<f64> {
        let pairs = ours.rounds.iter().zip(&theirs.rounds);
        pairs.map(|(o, t)| f(o) / f(t)).collect()
    };
    let rate = median(&pairs(Load::rate));
    let tail = median(&pairs(|l| l.within(0.99)));
    let (o, t) = (ours.total(), theirs.total());
    let stored = stored * 1e6 / o.count().max(1) as f64;
    let beside = match place.is_sqlite() {
        true => String::new(),
        false => format!("; {stored:.0} µs of PostgreSQL's own processes"),
    };
    let values = json!({
        "answer_bytes": size,
        "requests_per_second": {"provider": o.rate(), "bare": t.rate()},
        "p50_ms": {"provider": o.within(0.5), "bare": t.within(0.5)},
        "p99_ms": {"provider": o.within(0.99), "bare": t.within(0.99)},
        "processor_us_per_request": {
            "provider": ours.cpu_micros(), "bare": theirs.cpu_micros(), "database": stored,
        },
        "ratio": rate, "p99_ratio": tail,
    });
    Ok(vec![
        Measure::new("search", "requests per second, of the bare server's")
            .measured(format!(
                "{:.0} % ({:.0} of {:.0} a second, {size} bytes each)",
                rate * 100.0,
                o.rate(),
                t.rate()
            ))
            .target("at least 50 %", rate >= 0.5)
            .values(values),
        Measure::new("search", "p99, as a multiple of the bare server's")
            .measured(format!(
                "{tail:.2} × ({:.1} ms to {:.1} ms; p50 {:.1} ms to {:.1} ms)",
                o.within(0.99),
                t.within(0.99),
                o.within(0.5),
                t.within(0.5)
            ))
            .target("at most 3 ×", tail <= 3.0),
        Measure::new("search", "processor time of the server per request").measured(format!(
            "{:.0} µs to {:.0} µs of the bare server{beside}",
            ours.cpu_micros(),
            theirs.cpu_micros()
        )),
    ])
}

fn request(made: &Made, address: &str) -> Result<Arc<[u8]>, String> {
    let token = message::token(address, Interaction::SearchSlots)?;
    Ok(message::search(made, 0, address, &token).into())
}

/// Stores one answer for the bare server, after a look at whether it is the one meant.
async fn keep_answer(
    address: &str,
    request: &[u8],
    file: &std::path::Path,
) -> Result<usize, String> {
    let mut connection = Connection::open(address).await.map_err(unanswered)?;
    let answer = connection.send(request).await.map_err(unanswered)?;
    let bundle: serde_json::Value =
        serde_json::from_slice(answer.body).map_err(|e| e.to_string())?;
    let entries = bundle["entry"].as_array().map_or(0, Vec::len);
    // Schedule, service, practitioner, role, place, organisation.
    if answer.status != 200 || entries != SLOTS + 6 {
        return Err(format!(
            "the search was answered {} with {entries} entries: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body[..answer.body.len().min(400)])
        ));
    }
    let raw = [answer.head, answer.body].concat();
    std::fs::write(file, raw).map_err(|e| format!("cannot write {}: {e}", file.display()))?;
    Ok(answer.body.len())
}

async fn load(server: &Server, request: &Arc<[u8]>, duration: Duration) -> Result<Load, String> {
    let request = request.clone();
    let requests = Arc::new(move |_| Some(request.clone()));
    load::run(
        &server.address,
        CONNECTIONS,
        Pace::Closed,
        duration,
        requests,
    )
    .await?
    .only(200)
}

#[derive(Default)]
struct Side {
    rounds: Vec<Load>,
    cpu: f64,
}

impl Side {
    async fn round(
        &mut self,
        server: &Server,
        request: &Arc<[u8]>,
        duration: Duration,
    ) -> Result<(), String> {
        let before = server.cpu();
        self.rounds.push(load(server, request, duration).await?);
        self.cpu += server.cpu() - before;
        Ok(())
    }

    fn total(&self) -> Load {
        Load::sum(&self.rounds)
    }

    fn cpu_micros(&self) -> f64 {
        let count: usize = self.rounds.iter().map(Load::count).sum();
        self.cpu * 1e6 / count.max(1) as f64
    }
}
