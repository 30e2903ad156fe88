//! What the tests of the wire share: a server of their own, a client that can be odd, messages.

pub mod certificates;
pub mod http;
pub mod messages;
pub mod nation;
pub mod operations;
pub mod server;
pub mod token;

pub use testkit::postgres;

pub use http::{Call, Response};
pub use messages::{Booking, nhs_number, to_xml};
pub use server::{CONSUMER_ASID, ROOT, SEARCH_ONLY, STRANGER, Server};
pub use token::Token;

/// The GP clinic: free slots on every day, all kinds of resources to include.
pub const GP_CLINIC: &str = "2000000011";
/// A service whose schedules have no free slot.
pub const NO_SLOTS: &str = "2000000014";
/// A service with slots and schedules, without practitioner, location or organisation.
pub const SLOTS_ONLY: &str = "2000000015";

/// A new UUID as text.
pub fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// The test program's PostgreSQL server; `None`, having said so, where PostgreSQL is not installed.
pub fn postgres_server() -> Option<&'static postgres::Server> {
    postgres::shared(|url| {
        let options = provider::store::Options::default();
        drop(provider::store::Store::open(url, &options).expect("a database with the schema"));
    })
}
