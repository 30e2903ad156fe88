//! Declarations applied to a store with one tenant, and what is then in its diary.

use jiff::Timestamp;
use provider::diary::apply::{Applied, ApplyError, Options, apply};
use provider::diary::catalogue::Catalogue;
use provider::diary::declaration::read::read;
use provider::diary::generate::london_date;
use provider::store::{PlacedSlot, SlotFilter, Store, Tenant};

/// The only tenant.
pub fn tenant(store: &Store) -> Tenant<'_> {
    store.tenant(store.tenants().unwrap()[0].key)
}

/// What the only tenant has declared.
pub fn catalogue(store: &Store) -> Catalogue {
    let (_, rows) = tenant(store).declared().unwrap();
    Catalogue::build(&store.tenants().unwrap()[0], &rows).unwrap()
}

/// The slots of all its schedules that start at a moment or later.
pub fn from(store: &Store, from: Timestamp) -> SlotFilter {
    SlotFilter {
        schedules: catalogue(store).schedules.iter().map(|s| s.key).collect(),
        from: Some(from),
        ..SlotFilter::default()
    }
}

/// These slots.
pub fn slots(store: &Store, filter: &SlotFilter) -> Vec<PlacedSlot> {
    tenant(store).slots(filter, 10_000).unwrap()
}

/// Applies a declaration.
pub async fn try_apply(
    store: &Store,
    text: &str,
    now: Timestamp,
    keep_bookings: bool,
) -> Result<Applied, ApplyError> {
    let options = Options {
        keep_bookings,
        actor: "tester".to_owned(),
    };
    let declaration = read(text, "clinic.toml", london_date(now)).unwrap_or_else(|e| panic!("{e}"));
    apply(store, &declaration, now, &options, &mut |_| {}).await
}

/// The same of one that nothing is in the way of.
pub async fn applied(store: &Store, text: &str, now: Timestamp) -> Applied {
    let outcome = try_apply(store, text, now, false).await;
    outcome.unwrap_or_else(|e| panic!("{e}"))
}
