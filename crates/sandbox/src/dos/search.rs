//! Finds the services for a clinical need and sorts them (NAT-DOS-04).

use super::case::ClinicalNeed;
use crate::world::World;
use crate::world::model::{Account, AgeRange, Capacity, Postcode, Service, Status};
use jiff::tz::TimeZone;

/// Metres in a mile: searches use kilometres, answers miles.
const METRES_PER_MILE: f64 = 1609.344;
/// Most emergency departments listed when nothing matches.
const CATCH_ALL: usize = 2;
/// Their largest distance, equal to the largest search distance.
const CATCH_ALL_METRES: f64 = 99_000.0;

/// A service that matches.
pub struct Found<'w> {
    /// The service.
    pub service: &'w Service,
    /// Its postcode.
    pub place: &'w Postcode,
    /// Distance from the patient in a straight line, miles.
    pub miles: f64,
    /// The matching age ranges.
    pub ages: Vec<&'w AgeRange>,
    /// True when listed because nothing matched.
    pub catch_all: bool,
}

/// The services for a need, the best first; emergency departments if there are none.
pub fn services<'w>(
    world: &'w World,
    case: &ClinicalNeed<'w>,
    account: &Account,
    zone: &TimeZone,
) -> Vec<Found<'w>> {
    let holidays = &world.settings.bank_holidays;
    let mut found: Vec<(Rank, Found<'w>)> = world
        .services
        .iter()
        .filter(|service| suits(service, case, account))
        .filter(|s| s.open_within(case.at, case.disposition.within_minutes, holidays, zone))
        .filter_map(|service| {
            let place = world.postcode(&service.postcode)?;
            in_box(case, place).then(|| {
                let metres = metres(case.place, place);
                let open = service.is_open(case.at, holidays, zone);
                (
                    Rank::of(service, case, open, metres),
                    Found {
                        service,
                        place,
                        miles: metres / METRES_PER_MILE,
                        ages: ages(service, case).collect(),
                        catch_all: false,
                    },
                )
            })
        })
        .collect();
    if found.is_empty() {
        return catch_all(world, case);
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found.into_iter().map(|(_, found)| found).collect()
}

/// All criteria except place and time.
fn suits(service: &Service, case: &ClinicalNeed<'_>, account: &Account) -> bool {
    service.status == Status::Active
        && service.capacity != Capacity::None
        && service.roles.contains(&account.role)
        && service.genders.contains(&case.gender)
        && service.dispositions.contains(&case.disposition.id)
        && ages(service, case).next().is_some()
        && takes_symptom(service, case)
        && (!service.restricted || is_for_surgery(service, case))
}

/// Checks the group and all discriminators of the request.
fn takes_symptom(service: &Service, case: &ClinicalNeed<'_>) -> bool {
    service
        .symptom
        .iter()
        .filter(|s| s.group == case.group.id)
        .any(|s| match &s.discriminators {
            None => true,
            Some(taken) => case.discriminators.iter().all(|d| taken.contains(d)),
        })
}

fn is_for_surgery(service: &Service, case: &ClinicalNeed<'_>) -> bool {
    case.surgery
        .as_ref()
        .is_some_and(|surgery| service.surgeries.iter().any(|s| s == surgery.as_str()))
}

fn ages<'w>(service: &'w Service, case: &ClinicalNeed<'_>) -> impl Iterator<Item = &'w AgeRange> {
    let (youngest, oldest) = case.age_days;
    service
        .ages
        .iter()
        .filter(move |range| range.from.first_day() <= oldest && youngest <= range.to.last_day())
}

/// The directory searches a square around the patient (CheckCapacitySummary search logic).
fn in_box(case: &ClinicalNeed<'_>, place: &Postcode) -> bool {
    let reach = case.distance_km * 1000;
    place.easting.abs_diff(case.place.easting) <= reach
        && place.northing.abs_diff(case.place.northing) <= reach
}

fn metres(a: &Postcode, b: &Postcode) -> f64 {
    f64::from(a.easting - b.easting).hypot(f64::from(a.northing - b.northing))
}

fn catch_all<'w>(world: &'w World, case: &ClinicalNeed<'w>) -> Vec<Found<'w>> {
    let mut near: Vec<Found<'w>> = world
        .services
        .iter()
        .filter(|s| s.catch_all && s.status == Status::Active)
        .filter_map(|service| {
            let place = world.postcode(&service.postcode)?;
            let metres = metres(case.place, place);
            (metres <= CATCH_ALL_METRES).then(|| Found {
                service,
                place,
                miles: metres / METRES_PER_MILE,
                ages: ages(service, case).collect(),
                catch_all: true,
            })
        })
        .collect();
    near.sort_by(|a, b| {
        a.miles
            .total_cmp(&b.miles)
            .then(a.service.id.cmp(&b.service.id))
    });
    near.truncate(CATCH_ALL);
    near
}

/// The sort key, most important field first, smaller is better.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// False for services of the patient's surgery.
    not_for_surgery: bool,
    /// Index of the service's type in the disposition's ranking.
    kind: usize,
    /// Closed at the time searched for.
    not_open: bool,
    /// Busy rather than free.
    busy: bool,
    metres: u64,
    id: u32,
}

impl Rank {
    fn of(service: &Service, case: &ClinicalNeed<'_>, open: bool, metres: f64) -> Rank {
        let ranking = &case.disposition.ranking;
        Rank {
            not_for_surgery: !is_for_surgery(service, case),
            kind: ranking
                .iter()
                .position(|kind| *kind == service.kind.id)
                .unwrap_or(ranking.len()),
            not_open: !open,
            busy: service.capacity == Capacity::Low,
            // Distances are far below the loss of precision.
            metres: metres.round() as u64,
            id: service.id,
        }
    }
}
