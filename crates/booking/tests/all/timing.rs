//! How long the pure parts take: `cargo test --release -p booking --test timing -- --ignored --nocapture`.

use super::messages;
use booking::appointment::BookingRequest;
use booking::ids::OdsCode;
use booking::instant::london;
use booking::wire::slot_query::{SlotQuery, Window};
use booking::wire::token::{Expectation, Minting, mint, read_unsigned};
use jiff::Timestamp;
use std::hint::black_box;
use std::time::Instant;

fn micros(what: &str, mut run: impl FnMut()) {
    const TIMES: u32 = 20_000;
    let start = Instant::now();
    for _ in 0..TIMES {
        run();
    }
    println!(
        "{what}: {:.2} µs",
        start.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES)
    );
}

#[test]
#[ignore = "prints times, proves nothing"]
fn times() {
    let now: Timestamp = messages::now();
    let parsed = messages::parse(&messages::booking());
    micros("clone of a parsed booking", || {
        drop(black_box(parsed.clone()))
    });
    micros("booking read, the clone included", || {
        drop(black_box(BookingRequest::read(parsed.clone())))
    });
    let token = mint(&Minting {
        issuer: "https://consumer.example.nhs.uk/".to_owned(),
        audience: "https://provider.example.nhs.uk/STU3/1/FX101".to_owned(),
        scope: "organization/slot.read".to_owned(),
        issued_at: now.as_second(),
        organization_ods: OdsCode::parse("FX900").unwrap(),
        organization_name: "Fernhill 111".to_owned(),
        user: Some("u-17".to_owned()),
    });
    let expect = Expectation {
        audience: &|root| root == "https://provider.example.nhs.uk/STU3/1/FX101",
        scope: "organization/slot.read",
        other_scope: &|_| None,
        now,
        tolerance_seconds: 60,
    };
    micros("token", || {
        drop(black_box(read_unsigned(&token, &expect).unwrap()))
    });
    let (zone, window) = (london(), Window::default());
    let query = "schedule.actor%3Ahealthcareservice=2000000011&start=ge2031-03-05T00%3A00%3A00%2B00%3A00&\
        start=le2031-03-07T00%3A00%3A00%2B00%3A00&status=free&_include=Slot%3Aschedule&\
        _include=Schedule%3Aactor%3AHealthcareService&_include=HealthcareService%3Alocation&\
        _include=Schedule%3Aactor%3APractitioner&_include=HealthcareService.providedBy";
    micros("slot query", || {
        drop(black_box(
            SlotQuery::parse(query, now, &zone, &window).unwrap(),
        ))
    });
}
