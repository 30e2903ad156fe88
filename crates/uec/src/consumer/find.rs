//! `uec consumer services|endpoint|slots`: finding.

use super::ranked::{self, Named};
use super::session::Session;
use super::{Done, Stopped, rows, shown};
use crate::print;
use booking::foreign::Foreign;
use booking::ids::OdsCode;
use clap::Args;
use consumer::discover::{Age, Listed, Service, ServiceDetails, ServiceSearch, Sex};
use consumer::journey::{Shown, SlotSearch, Target};
use consumer::obstacle::Obstacle;
use consumer::slots::{FreeSlot, counted, day_and_time};
use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::{Value, json};

/// Where a service is booked.
#[derive(Args)]
pub struct EndpointOf {
    /// Number of a row of the list of services shown last, or the directory (DoS) id of the service
    #[arg(long, value_name = "NUMBER|ID")]
    pub service: Named,
}

impl EndpointOf {
    pub(super) async fn run(self, session: &Session) -> Done {
        let found = session
            .bookable(&ranked::service(session, &self.service).await?)
            .await?;
        let target = found.target();
        let value = json!({
            "service": target.service.as_str(),
            "name": target.name,
            "booking_required": found.details.booking_required,
            "asid": target.asid.as_str(),
            "slots": target.slots_root,
            "booking": target.booking_root,
        });
        if session.json {
            shown::json(&value);
            return Ok(());
        }
        let row = |head: &str, text: &str| shown::row(head, 10, text);
        row(
            "Service",
            &match target.name.as_ref().filter(|n| !n.is_blank()) {
                Some(name) => format!("{} {name}", target.service),
                None => target.service.to_string(),
            },
        );
        row("System", target.asid.as_str());
        row("Slots", &target.slots_root);
        row("Booking", &target.booking_root);
        if found.details.booking_required {
            print("This service takes patients only with a booked appointment.\n");
        }
        Ok(())
    }
}

/// List the services that suit a patient.
#[derive(Args)]
#[command(
    after_help = "Example:\n  uec consumer services --postcode \"LS99 9AA\" --age 42 --gender female \\\n    \
    --disposition Dx05 --symptom-group 1011 --discriminator 4052 --free\n\n\
    `--service 2` of the other commands names the second row of the list that was shown last."
)]
pub struct Services {
    /// Where the patient is
    #[arg(long)]
    pub postcode: String,
    /// Age with its unit, such as 42, 18m for months, 10d for days, or a group: adult, child, toddler, baby
    #[arg(long, value_parser = age)]
    pub age: Age,
    /// male, female, other or unknown
    #[arg(long, default_value = "unknown")]
    pub gender: String,
    /// Symptom group of the assessment
    #[arg(long, value_name = "NUMBER")]
    pub symptom_group: u32,
    /// Symptom discriminator of the assessment; may be repeated
    #[arg(long, value_name = "NUMBER", required = true)]
    pub discriminator: Vec<u32>,
    /// Search distance in km [default: the directory's own]
    #[arg(long, value_name = "KM")]
    pub distance: Option<u8>,
    /// Look up the next free time of each service
    #[arg(long)]
    pub free: bool,
    #[command(flatten)]
    pub when: When,
}

fn age(text: &str) -> Result<Age, String> {
    let text = text.trim().to_ascii_lowercase();
    let group = match text.as_str() {
        "adult" => Some(1),
        "child" => Some(2),
        "toddler" => Some(3),
        "baby" => Some(4),
        _ => None,
    };
    if let Some(group) = group {
        return Ok(Age::Group(group));
    }
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u8 = digits
        .trim()
        .parse()
        .map_err(|_| "write an age such as 42, 18m or 10d".to_owned())?;
    match text.strip_prefix(digits).unwrap_or_default() {
        "" | "y" => Ok(Age::Years(number)),
        "m" => Ok(Age::Months(number)),
        "d" => Ok(Age::Days(number)),
        _ => Err("write an age such as 42, 18m or 10d".to_owned()),
    }
}

/// The directory's number of an outcome: `Dx05` is 1005.
fn disposition(text: &str) -> Option<u32> {
    let text = text.trim().to_ascii_lowercase();
    match text.strip_prefix("dx") {
        Some(number) => number.parse::<u32>().ok().and_then(|n| n.checked_add(1000)),
        None => text.parse().ok(),
    }
}

/// Before every line of a service but its first.
const INDENT: &str = "     ";

/// Next free time of a service, or why there is none.
enum Free {
    NotAsked,
    At(Box<FreeSlot>, usize),
    /// None in the time that was asked for, and so many outside it.
    None(usize),
    Obstacle(Obstacle),
}

impl Services {
    pub(super) async fn run(self, session: &Session) -> Done {
        let search = self.search(session)?;
        let listed = session.discovery.listed(&search).await;
        let Listed { services, left_out } = match listed {
            Ok(listed) => listed,
            Err(obstacle) => {
                let detail = shown::obstacle(&obstacle);
                session
                    .consultation
                    .note("services", None, "obstacle", detail)
                    .await?;
                return Err(obstacle.into());
            }
        };
        let ranked: Vec<Value> = services
            .iter()
            .map(|s| {
                let address = ServiceDetails::of(s).booking_address().ok();
                json!({ "service": s.id.as_str(), "booking_required": s.booking_required,
                        "bookable": address.is_some(), "address": address.map(|a| a.to_string()) })
            })
            .collect();
        session
            .consultation
            .note(
                "services",
                None,
                "shown",
                json!({ "ranked": ranked, "left_out": left_out }),
            )
            .await?;
        let free = match self.free {
            true => self.look_up(session, &services).await?,
            false => services.iter().map(|_| Free::NotAsked).collect(),
        };
        match session.json {
            true => shown::json(&json!({
                "services": services.iter().zip(&free).map(json_of).collect::<Vec<_>>(), "left_out": left_out,
            })),
            false => {
                people(&services, &free);
                if let Some(told) = left_out.plain() {
                    shown::wrapped("", &told, "  ");
                }
            }
        }
        Ok(())
    }

    fn search(&self, session: &Session) -> Result<ServiceSearch, Stopped> {
        let contact = session.consultation.encounter();
        let outcome = contact
            .disposition
            .as_deref()
            .and_then(disposition)
            .ok_or_else(|| {
                Stopped::usage(
                    "--disposition: write the outcome of the assessment, such as Dx05 or 1005",
                )
            })?;
        let practice = contact.practice.as_deref().map(OdsCode::parse).transpose();
        Ok(ServiceSearch {
            case_ref: contact.case_ref.clone(),
            case_id: Some(contact.id.clone()),
            postcode: self.postcode.clone(),
            surgery: practice.map_err(|e| Stopped::Usage(format!("--practice: {e}")))?,
            age: self.age,
            sex: match self.gender.to_ascii_lowercase().as_str() {
                "male" | "m" => Sex::Male,
                "female" | "f" => Sex::Female,
                "other" | "unknown" | "i" => Sex::Indeterminate,
                _ => {
                    return Err(Stopped::usage(
                        "--gender: write male, female, other or unknown",
                    ));
                }
            },
            disposition: outcome,
            symptom_group: self.symptom_group,
            discriminators: self.discriminator.clone(),
            distance_km: self.distance,
            force_distance: self.distance.is_some(),
            at: None,
        })
    }

    /// Finds the endpoints one after the other (services of one system share theirs), then the free times side by side.
    async fn look_up(&self, session: &Session, services: &[Service]) -> Result<Vec<Free>, Stopped> {
        let search = self.when.search()?;
        let mut free = Vec::with_capacity(services.len());
        let mut targets = Vec::new();
        for service in services {
            let found = match session.discovery.details(service).await {
                Ok(details) => session.found_endpoint(&details).await?,
                Err(obstacle) => Err(obstacle),
            };
            match found {
                Ok(endpoint) => {
                    free.push(Free::NotAsked);
                    targets.push((free.len() - 1, Target::from(&endpoint)));
                }
                Err(obstacle) => free.push(Free::Obstacle(obstacle)),
            }
        }
        let asked: Vec<Target> = targets.iter().map(|(_, t)| t.clone()).collect();
        let found = session.consultation.next_free(&asked, search).await;
        for ((at, _), next) in targets.iter().zip(found) {
            free[*at] = match next.found {
                Ok((count, Some(slot), _)) => Free::At(Box::new(slot), count),
                Ok((_, None, outside)) => Free::None(outside),
                Err(obstacle) => Free::Obstacle(obstacle),
            };
        }
        Ok(free)
    }
}

fn json_of((service, free): (&Service, &Free)) -> Value {
    let mut value = json!({
        "id": service.id.as_str(), "name": service.name, "kind": service.kind, "ods": service.ods,
        "address": service.address, "postcode": service.postcode, "distance_miles": service.distance_miles,
        "phone": service.phone, "information": service.information, "catch_all": service.catch_all,
        "booking_required": service.booking_required,
        "bookable": ServiceDetails::of(service).booking_address().is_ok(),
    });
    match free {
        Free::NotAsked => {}
        Free::At(slot, count) => value["free"] = json!({ "next": slot, "count": count }),
        Free::None(outside) => {
            value["free"] = json!({ "next": null, "count": 0, "outside_asked_time": outside });
        }
        Free::Obstacle(o) => value["free"] = json!({ "obstacle": shown::obstacle(o) }),
    }
    value
}

/// Prints each service under its number, on lines that fit.
fn people(services: &[Service], free: &[Free]) {
    for ((service, free), number) in services.iter().zip(free).zip(1..) {
        let mut facts = vec![service.id.as_str().to_owned()];
        facts.extend(service.distance_miles.map(|m| format!("{m:.1} miles")));
        let bookable = match (
            ServiceDetails::of(service).booking_address().is_ok(),
            service.booking_required,
        ) {
            (true, true) => Some("booking only"),
            (true, false) => Some("can be booked"),
            (false, _) => None,
        };
        facts.extend(bookable.map(str::to_owned));
        let next = match free {
            Free::NotAsked => None,
            Free::At(slot, count) => Some(format!(
                "next free {} ({count} free)",
                day_and_time(slot.start)
            )),
            Free::None(0) => Some("no free slots".to_owned()),
            Free::None(outside) => Some(format!(
                "no free slots in this time ({} outside it)",
                counted(*outside, "slot")
            )),
            Free::Obstacle(o) => Some(format!("free times are not known: {}", o.plain)),
        };
        let place = service.address.as_ref().or(service.postcode.as_ref());
        let place = place.map(Foreign::to_string);
        shown::wrapped(&format!("{number:>3}  "), &service.name, INDENT);
        for line in [Some(facts.join(", ")), place, next].into_iter().flatten() {
            shown::wrapped(INDENT, &line, INDENT);
        }
    }
}

/// When slots start.
#[derive(Args)]
pub struct When {
    /// Slots that start within so many hours from --from
    #[arg(long, value_name = "N", default_value_t = 72, value_parser = clap::value_parser!(i64).range(1..=8784))]
    pub hours: i64,
    /// First time, as 2031-03-04T09:00 on the clock here, or with offset [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub from: Option<Timestamp>,
}

/// A time with offset, or one on the clock of Europe/London.
fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let local: DateTime = text
        .parse()
        .map_err(|_| "write a time such as 2031-03-04T09:00 or 2031-03-04T09:00:00Z".to_owned())?;
    let zoned = local
        .to_zoned(booking::instant::london())
        .map_err(|e| e.to_string())?;
    Ok(zoned.timestamp())
}

impl When {
    /// The search.
    pub fn search(&self) -> Result<SlotSearch, Stopped> {
        let mut search = SlotSearch::hours(self.hours);
        if let Some(from) = self.from {
            search.window.from = from;
            search.window.until = from
                .checked_add(jiff::SignedDuration::from_hours(self.hours))
                .map_err(|e| Stopped::Usage(format!("--from: {e}")))?;
        }
        Ok(search)
    }
}

/// List the free slots of a service.
#[derive(Args)]
#[command(
    after_help = "Example:\n  uec consumer slots --service 2000000011 --hours 24 --within 2h\n\n\
    `uec consumer book --slot 3` books the third row of the list that was shown last.\n\n\
    A slot marked `late` starts after the time in which the patient should be seen."
)]
pub struct Slots {
    /// Number of a row of the list of services shown last, or the directory (DoS) id of the service
    #[arg(long, value_name = "NUMBER|ID")]
    pub service: Named,
    #[command(flatten)]
    pub when: When,
    /// Most slots shown [default: 40; with --json all of them]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
}

/// Slots shown when nobody says how many.
pub const SHOWN: usize = 40;

impl Slots {
    pub(super) async fn run(self, session: &Session) -> Done {
        let search = self.when.search()?;
        let target = session
            .bookable(&ranked::service(session, &self.service).await?)
            .await?
            .target();
        let list = session.consultation.slots(&target, search).await?;
        let all = session.consultation.shown(&list);
        let given = self.limit.and_then(|n| usize::try_from(n).ok());
        let limit = given.unwrap_or(if session.json { usize::MAX } else { SHOWN });
        let some: Vec<&Shown> = all.iter().take(limit).collect();
        let numbered = rows::keep(session, &target.service, &some).await;
        if session.json {
            shown::json(&json!({
                "service": target.service.as_str(), "name": target.name, "slots": some, "total": all.len(),
                "remarks": list.remarks, "unreadable": list.unreadable, "cut_off": list.cut_off,
                "outside_asked_time": list.outside_asked_time,
            }));
            return Ok(());
        }
        for remark in &list.remarks {
            shown::wrapped("The service says: ", remark, "  ");
        }
        if let Some(told) = list.unreadable.plain() {
            shown::wrapped("", &told, "  ");
        }
        if all.is_empty() {
            let id = format!("Service {}", target.service);
            let name = target.name.as_ref().map_or(id, Foreign::to_string);
            let told = "has no free slots in this time. Other services can be chosen.";
            shown::wrapped("", format!("{name} {told}"), "  ");
            return Ok(());
        }
        let told = shown::same_for_all(&some);
        match target.name.as_ref().or(told.as_ref()) {
            Some(name) => shown::wrapped("", name, "  "),
            None => shown::wrapped("", &target.service, "  "),
        }
        shown::addresses(some.iter().map(|s| &s.slot));
        shown::slots(&some, numbered);
        if all.len() > some.len() {
            print(&format!(
                "… and {} more; --limit shows them.\n",
                all.len() - some.len()
            ));
        }
        if let Some(told) = rows::outside(&list) {
            shown::wrapped("", format!("{told} --first takes none of them."), "  ");
        }
        if list.cut_off {
            print("The service's list could not be read to its end, so there may be more slots.\n");
        }
        Ok(())
    }
}
