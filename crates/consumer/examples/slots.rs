//! Find a service and list its free slots. Run `uec demo` first, then:
//! `cargo run -p consumer --example slots -- 2000000011`

use booking::ids::ServiceId;
use consumer::config::{ConsumerConfig, DemoAddresses};
use consumer::discover::Discovery;
use consumer::journal::Encounter;
use consumer::journey::{Journey, SlotSearch, Target};
use consumer::slots::day_and_time;
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config =
        ConsumerConfig::demo_with(&DemoAddresses::default(), &|name| std::env::var(name).ok())?;
    let service = ServiceId::parse(&std::env::args().nth(1).unwrap_or("2000000011".to_owned()))?;

    // Directory of Services, then Spine Directory Service: where is this service booked?
    let discovery = Discovery::new(&config)?;
    let details = discovery.service(&service).await?;
    let endpoint = discovery.endpoint(&details).await?;

    // Every search, booking and cancellation belongs to a contact with a patient.
    let journey = Journey::open(&config)?;
    let contact = journey.consultation(Encounter::now("adviser-1")).await?;
    let found = contact
        .slots(&Target::from(&endpoint), SlotSearch::hours(24))
        .await?;
    for slot in &found.slots {
        println!(
            "{}  {}  {}",
            day_and_time(slot.start),
            slot.channel_shown(),
            slot.id
        );
    }
    println!("{} free slots", found.slots.len());
    contact.close().await?;
    Ok(())
}
