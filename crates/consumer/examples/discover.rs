//! Which services suit a patient, and when is each of them free? Run `uec demo` first, then:
//! `cargo run -p consumer --example discover`

use consumer::config::{ConsumerConfig, DemoAddresses};
use consumer::discover::{Age, Discovery, ServiceSearch, Sex};
use consumer::journal::Encounter;
use consumer::journey::{Journey, SlotSearch, Target};
use consumer::slots::day_and_time;
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config =
        ConsumerConfig::demo_with(&DemoAddresses::default(), &|name| std::env::var(name).ok())?;
    let discovery = Discovery::new(&config)?;
    let search = ServiceSearch {
        case_ref: None,
        case_id: None,
        postcode: "LS99 9AA".to_owned(),
        surgery: None,
        age: Age::Years(42),
        sex: Sex::Female,
        disposition: 1005,
        symptom_group: 1011,
        discriminators: vec![4052],
        distance_km: None,
        force_distance: false,
        at: None,
    };

    // What SDS says is remembered in a session: one contact with one patient.
    let session = discovery.session();
    let mut targets = Vec::new();
    for service in discovery.services(&search).await? {
        let reachable = session.reachable(&service).await?;
        println!(
            "{} {}\n    {}",
            service.id, service.name, reachable.sentence
        );
        targets.extend(
            reachable
                .booking
                .ok()
                .map(|endpoint| Target::from(&endpoint)),
        );
    }

    // The free times of all of them, side by side; one that fails leaves the others alone.
    let contact = Journey::open(&config)?
        .consultation(Encounter::now("adviser-1"))
        .await?;
    for next in contact.next_free(&targets, SlotSearch::hours(24)).await {
        let words = match next.found {
            Ok((count, Some(slot), _)) => format!("{} ({count} free)", day_and_time(slot.start)),
            Ok((_, None, _)) => "no free slots".to_owned(),
            Err(obstacle) => obstacle.to_string(),
        };
        println!("{}: {words}", next.target.service);
    }
    contact.close().await?;
    Ok(())
}
