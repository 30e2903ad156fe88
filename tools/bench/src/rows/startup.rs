//! From the start of the process to `/health/ready` = 200, on an existing database.

use super::median;
use crate::Setting;
use crate::fixture::Fixture;
use crate::load::unanswered;
use crate::place::Place;
use crate::report::Measure;
use crate::server::Server;
use serde_json::json;
use std::time::Instant;
use testkit::http::Connection;

/// Clinics and slots of each in the database: a provider of some size.
const CLINICS: usize = 50;
const SLOTS: usize = 1_000;

/// Measures the row.
pub async fn run(setting: &Setting, place: &Place) -> Result<Vec<Measure>, String> {
    let times = if setting.quick { 7 } else { 20 };
    let fixture = Fixture::make(place, "startup", CLINICS).await?;
    fixture.fill(SLOTS, |_| {}).await?;
    let made = fixture.close();
    let mut took = Vec::with_capacity(times);
    for _ in 0..times {
        let began = Instant::now();
        let server = Server::start(setting, &made.url)?;
        let mut connection = Connection::open(&server.address)
            .await
            .map_err(unanswered)?;
        let request = format!(
            "GET /health/ready HTTP/1.1\r\nHost: {}\r\n\r\n",
            server.address
        );
        let status = connection
            .send(request.as_bytes())
            .await
            .map_err(unanswered)?
            .status;
        took.push(began.elapsed().as_secs_f64() * 1e3);
        if status != 200 {
            return Err(format!("/health/ready was answered {status}"));
        }
        server.stop()?;
    }
    let (middle, worst) = (median(&took), took.iter().copied().fold(f64::MIN, f64::max));
    Ok(vec![
        Measure::new("startup", "from start to ready, existing database")
            .measured(format!(
                "{middle:.0} ms (median of {times}; longest {worst:.0} ms)"
            ))
            .target("under 100 ms", middle < 100.0)
            .values(json!({"median_ms": middle, "all_ms": took})),
    ])
}
