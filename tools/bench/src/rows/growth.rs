//! Slot search with ten thousand and with ten million slots in the database, and the memory that it takes.

use super::median;
use crate::Setting;
use crate::fixture::{Fixture, Made};
use crate::load::{self, Load, Pace};
use crate::message;
use crate::place::Place;
use crate::report::Measure;
use crate::server::Server;
use booking::wire::interaction::Interaction;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Connections that search at once.
const CONNECTIONS: usize = 32;
/// Clinics of the small database; the same number is searched in both.
const SEARCHED: usize = 100;
/// Slots of each clinic of the large database: nearly a year, one every forty minutes.
const PER_CLINIC: usize = 12_500;

/// Measures the row.
pub async fn run(setting: &Setting, place: &Place) -> Result<Vec<Measure>, String> {
    // Through PostgreSQL ten million slots are made in a quarter of an hour; a tenth of them tells as much.
    let fewer = setting.quick || !place.is_sqlite();
    let clinics = if fewer { SEARCHED } else { 8 * SEARCHED };
    let (rounds, seconds) = if setting.quick { (2, 1) } else { (4, 4) };
    let per_clinic = if fewer {
        PER_CLINIC * 4 / 5
    } else {
        PER_CLINIC
    };
    let small = Fixture::make(place, "small", SEARCHED).await?;
    small.fill(100, |_| {}).await?;
    let small = small.close();
    let began = Instant::now();
    let large = Fixture::make(place, "large", clinics).await?;
    large.fill(per_clinic, |_| {}).await?;
    let large = large.close();
    let slots = clinics * per_clinic;
    let filling = slots as f64 / began.elapsed().as_secs_f64();
    let bytes = place.bytes("large")?;
    place.analyze("large")?;
    place.settle()?;
    let few = Server::start(setting, &small.url)?;
    let many = Server::start(setting, &large.url)?;
    let duration = Duration::from_secs(seconds);
    let (mut ratios, mut fast, mut slow) = (Vec::new(), Vec::new(), Vec::new());
    load(&few, &small, SEARCHED, duration).await?;
    load(&many, &large, SEARCHED, duration).await?;
    for _ in 0..rounds {
        let f = load(&few, &small, SEARCHED, duration).await?;
        let m = load(&many, &large, SEARCHED, duration).await?;
        ratios.push(m.rate() / f.rate());
        fast.push(f);
        slow.push(m);
    }
    let few_memory = few.memory("VmHWM");
    let wide = load(&many, &large, clinics, duration * 2).await?;
    let (resident, highest) = (many.memory("VmRSS"), many.memory("VmHWM"));
    let slower = 1.0 - median(&ratios);
    let (fast, slow) = (Load::sum(&fast), Load::sum(&slow));
    let label = if fewer {
        "from 10 thousand to 1 million slots"
    } else {
        "from 10 thousand to 10 million slots"
    };
    Ok(vec![
        Measure::new("growth", format!("slot search slows, {label}"))
            .measured(format!(
                "{:.0} % ({:.0} to {:.0} a second)",
                slower * 100.0,
                fast.rate(),
                slow.rate()
            ))
            .target("at most 20 %", slower <= 0.2)
            .values(json!({
                "slots": slots, "file_bytes": bytes, "slots_made_per_second": filling,
                "few_per_second": fast.rate(), "many_per_second": slow.rate(), "slower": slower,
                "all_clinics_per_second": wide.rate(), "all_clinics_p99_ms": wide.within(0.99),
                "resident_mb": resident, "highest_resident_mb": highest, "few_highest_resident_mb": few_memory,
            })),
        Measure::new("growth", "memory of the server, at its highest")
            .measured(format!(
                "{highest:.0} MB (now {resident:.0} MB; with 10 thousand slots {few_memory:.0} MB)"
            ))
            .target("under 200 MB", highest < 200.0),
        Measure::new("growth", format!("search of all {clinics} clinics in turn"))
            .measured(format!(
                "{:.0} a second, p99 {:.1} ms",
                wide.rate(),
                wide.within(0.99)
            )),
        Measure::new("growth", "making the slots").measured(format!(
            "{filling:.0} a second; {slots} slots take {:.0} MB",
            bytes as f64 / 1e6
        )),
    ])
}

/// Searches over the first clinics in turn.
async fn load(
    server: &Server,
    made: &Made,
    clinics: usize,
    duration: Duration,
) -> Result<Load, String> {
    let token = message::token(&server.address, Interaction::SearchSlots)?;
    let prepared: Vec<Arc<[u8]>> = (0..clinics)
        .map(|clinic| message::search(made, clinic, &server.address, &token).into())
        .collect();
    let requests = Arc::new(move |n: usize| prepared.get(n % prepared.len()).cloned());
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
