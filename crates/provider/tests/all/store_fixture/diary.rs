//! Declarations applied to a store with one tenant, and what is then in its diary.

use super::BELIEVED;
use booking::ids::{Asid, OdsCode};
use booking::rules::release::ConsumerFacts;
use jiff::Timestamp;
use provider::diary::apply::{Applied, ApplyError, Options, apply};
use provider::diary::catalogue::Catalogue;
use provider::diary::declaration::read::read;
use provider::diary::export::{export, to_toml};
use provider::diary::generate::london_date;
use provider::store::{PlacedSlot, SlotChange, SlotFilter, Store, Tenant};

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

/// A consumer whose names are believed.
pub fn who(catalogue: &Catalogue, asid: &str, ods: &str) -> ConsumerFacts {
    let (asid, ods) = (Asid::parse(asid).unwrap(), OdsCode::parse(ods).unwrap());
    catalogue.consumer_facts(&asid, &ods, BELIEVED).unwrap()
}

/// What FX101 has declared, as a file.
pub fn exported(store: &Store, now: Timestamp) -> String {
    let exported = export(store, &OdsCode::parse("FX101").unwrap(), now).unwrap();
    to_toml(&exported.unwrap()).unwrap()
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

/// Why one is refused.
pub async fn refused(store: &Store, text: &str, now: Timestamp) -> String {
    let outcome = try_apply(store, text, now, false).await;
    outcome.unwrap_err().to_string()
}

/// The same of one that is applied although bookings are in the way.
pub async fn forced(store: &Store, text: &str, now: Timestamp) -> Applied {
    try_apply(store, text, now, true).await.unwrap()
}

/// Applies a declaration that says what is there already.
pub async fn assert_unchanged(store: &Store, text: &str, now: Timestamp) {
    let plan = applied(store, text, now).await.plan;
    assert!(plan.is_empty(), "{plan}");
}

/// Holds back, releases or removes slots; returns how many.
pub async fn change(store: &Store, what: SlotChange, filter: SlotFilter, now: Timestamp) -> u64 {
    super::change(tenant(store), what, filter, now).await
}
