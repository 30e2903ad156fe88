//! Book the first free slot of a service. Run `uec demo` first, then: `cargo run -p consumer --example book`

use booking::ids::ServiceId;
use consumer::config::{ConsumerConfig, DemoAddresses};
use consumer::discover::Discovery;
use consumer::journal::Encounter;
use consumer::journey::timeframe::{Confirmation, clear};
use consumer::journey::{Booking, Journey, SlotSearch, Target};
use consumer::plan::BookingDetails;
use std::error::Error;

/// An invented patient.
const PATIENT: &str = r#"
description = "Sore throat and fever"
[patient]
nhs_number = "9990123454"
gender = "female"
birth_date = "1984-06-21"
name = { family = "Testwell", given = ["Ada"], prefix = ["Ms"] }
address = { lines = ["2 Synthetic Way"], city = "Exampleton", postcode = "LS99 9ZZ" }
telecom = [{ value = "01632 960123", rank = 1 }]
"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config =
        ConsumerConfig::demo_with(&DemoAddresses::default(), &|name| std::env::var(name).ok())?;
    let discovery = Discovery::new(&config)?;
    let details = discovery.service(&ServiceId::parse("2000000011")?).await?;
    let target = Target::from(&discovery.endpoint(&details).await?);

    let journey = Journey::open(&config)?;
    let contact = journey.consultation(Encounter::now("adviser-1")).await?;
    let found = contact.slots(&target, SlotSearch::soon()).await?;
    let slot = found.slots.first().ok_or("no free slot")?;

    // A slot after the end of the patient's timeframe may need a clinician's approval: `clear` says so.
    let cleared = clear(contact.encounter(), slot, Confirmation::default())
        .map_err(|missing| missing.notice)?;
    let patient: BookingDetails = toml::from_str(PATIENT)?;
    match contact.book(&target, slot, &patient, &cleared).await? {
        Booking::Booked(booked) => println!("booked {}\n{}", booked.appointment, booked.url),
        Booking::SlotTaken { refreshed, .. } => {
            println!(
                "somebody was quicker; {} slots are free now",
                refreshed?.slots.len()
            );
        }
        Booking::Unknown { notice, .. } => println!("{notice}"),
    }
    contact.close().await?;
    Ok(())
}
