//! Cancel the next appointment that was booked from here. Run the example `book` first, then:
//! `cargo run -p consumer --example cancel`

use consumer::config::{ConsumerConfig, DemoAddresses};
use consumer::journal::Encounter;
use consumer::journey::{Journey, Located};
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config =
        ConsumerConfig::demo_with(&DemoAddresses::default(), &|name| std::env::var(name).ok())?;
    let journey = Journey::open(&config)?;
    let contact = journey.consultation(Encounter::now("adviser-1")).await?;

    // The journal knows what was booked, also by an earlier run.
    let known = contact.known_bookings(None).await?;
    let next = known.first().ok_or("nothing is booked")?;
    let appointment = Located::of_known(next).ok_or("the service has to be asked about it")?;

    // It is read first; only its status is changed; another patient's is left alone.
    let report = contact
        .cancel(&appointment, next.nhs_number.as_ref())
        .await?;
    println!("{}", report.plain());
    contact.close().await?;
    Ok(())
}
