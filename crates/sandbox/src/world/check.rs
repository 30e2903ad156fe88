//! What must hold between the entries of a world file, or it cannot be served.

use super::World;
use super::model::{DISTANCES_KM, Service, Session, SpecifiedDay, WEB_SERVICE};
use super::written::plain_postcode;
use crate::directory::{Directory, WrittenEndpoint, WrittenSystem};
use booking::ids::{Asid, IdError, OdsCode};
use booking::nearest::nearest;
use sheet::{Sheet, Table};

/// Longest free text of one entry.
const MAX_TEXT: usize = 4096;
/// Most endpoints, sessions or attributes of one service; services have a handful.
const MAX_PARTS: usize = 200;
/// The largest service id: the directory's own type is a 32 bit number.
const MAX_SERVICE_ID: u32 = i32::MAX as u32;

/// Completes the systems, and tells what is wrong with them at their place in the file.
pub fn directory(
    systems: Vec<WrittenSystem>,
    endpoints: Vec<WrittenEndpoint>,
    sheet: &mut Sheet<'_>,
) -> Directory {
    for (at, system) in systems.iter().enumerate() {
        let mut table = sheet.table("system", at);
        id(Asid::parse(&system.asid), "asid", &mut table);
        id(OdsCode::parse(&system.ods), "ods", &mut table);
    }
    sheet.unique("system", "asid", systems.iter().map(|s| &s.asid));
    for (at, endpoint) in endpoints.iter().enumerate() {
        let mut table = sheet.table("endpoint", at);
        id(OdsCode::parse(&endpoint.ods), "ods", &mut table);
    }
    if sheet.clean().is_err() {
        return Directory::default();
    }
    Directory::new(systems, endpoints).unwrap_or_else(|error| {
        sheet.fault("system", 0, "asid", error);
        Directory::default()
    })
}

fn id<T>(parsed: Result<T, IdError>, key: &str, table: &mut Table<'_, '_>) {
    if let Err(error) = parsed {
        table.fault(key, format!("the {error}"));
    }
}

/// Checks everything else.
pub fn world(world: &World, sheet: &mut Sheet<'_>) {
    let distance = world.settings.default_distance_km;
    if !DISTANCES_KM.contains(&distance) {
        sheet.fault("dos", 0, "default_distance_km", distance_rule(distance));
    }
    tables(world, sheet);
    accounts(world, sheet);
    sheet.unique("service", "id", world.services.iter().map(|s| s.id));
    for (at, service) in world.services.iter().enumerate() {
        let mut table = sheet.table("service", at);
        if service.id == 0 || service.id > MAX_SERVICE_ID {
            let what = format!("{} is not between 1 and {MAX_SERVICE_ID}", service.id);
            table.fault("id", what);
        }
        id(OdsCode::parse(&service.ods), "ods", &mut table);
        if service.name.trim().is_empty() {
            table.fault("name", "is empty");
        }
        references(world, service, &mut table);
        times(service, &mut table);
        texts(service, &mut table);
    }
}

fn distance_rule(km: u32) -> String {
    format!(
        "{km} is no search distance; it is a number of km from {} to {}",
        DISTANCES_KM.start(),
        DISTANCES_KM.end()
    )
}

/// Postcodes, distances, dispositions, symptom groups.
fn tables(world: &World, sheet: &mut Sheet<'_>) {
    let postcodes = world.postcodes.iter();
    let plain = postcodes.map(|place| plain_postcode(&place.postcode));
    sheet.unique("postcode", "postcode", plain);
    for (at, place) in world.postcodes.iter().enumerate() {
        let mut table = sheet.table("postcode", at);
        let plain = plain_postcode(&place.postcode);
        if !(5..=7).contains(&plain.len()) || !plain.bytes().all(|b| b.is_ascii_alphanumeric()) {
            let what = format!("`{}` is not a postcode, such as LS99 9ZA", place.postcode);
            table.fault("postcode", what);
        }
        for (key, metres) in [("easting", place.easting), ("northing", place.northing)] {
            // The national grid is 700 by 1300 km.
            if !(0..=1_300_000).contains(&metres) {
                table.fault(key, format!("{metres} m is not on the national grid"));
            }
        }
    }
    for (at, distance) in world.distances.iter().enumerate() {
        let mut table = sheet.table("distance", at);
        if !DISTANCES_KM.contains(&distance.km) {
            table.fault("km", distance_rule(distance.km));
        }
        if plain_postcode(&distance.area).len() < 2 {
            let what = "write a postcode, a sector (LS99 9) or a district (LS99)";
            table.fault("area", what);
        }
    }
    let (dispositions, groups) = (&world.dispositions, &world.symptom_groups);
    sheet.unique("disposition", "id", dispositions.iter().map(|d| d.id));
    sheet.unique("symptom_group", "id", groups.iter().map(|g| g.id));
    for (at, group) in groups.iter().enumerate() {
        if group.discriminators.is_empty() {
            let what = "is empty: no search could name a valid one";
            sheet.fault("symptom_group", at, "discriminators", what);
        }
    }
}

fn accounts(world: &World, sheet: &mut Sheet<'_>) {
    let names = world.accounts.iter().map(|a| &a.username);
    sheet.unique("account", "username", names);
    for (at, account) in world.accounts.iter().enumerate() {
        let mut table = sheet.table("account", at);
        for (key, text) in [
            ("username", &account.username),
            ("password", &account.password),
            ("role", &account.role),
        ] {
            if text.trim().is_empty() || text.len() > MAX_TEXT {
                table.fault(key, "is empty or too long");
            }
        }
        for permission in &account.permissions {
            if permission != WEB_SERVICE && permission.eq_ignore_ascii_case(WEB_SERVICE) {
                let what = format!("`{permission}` gives no right; did you mean `{WEB_SERVICE}`?");
                table.fault("permissions", what);
            }
        }
    }
}

/// What a service names must be in the tables.
fn references(world: &World, service: &Service, table: &mut Table<'_, '_>) {
    if world.postcode(&service.postcode).is_none() {
        let known = world.postcodes.iter().map(|p| p.postcode.as_str());
        let hint = match nearest(&service.postcode, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "add it with its easting and northing".to_owned(),
        };
        let message = format!(
            "`{}` is not in the [[postcode]] table; {hint}",
            service.postcode
        );
        table.fault("postcode", message);
    }
    for id in &service.dispositions {
        if world.disposition(*id).is_none() {
            let what = format!("{id} is not in the [[disposition]] table");
            table.fault("dispositions", what);
        }
    }
    for symptom in &service.symptom {
        match world.symptom_group(symptom.group) {
            None => {
                let group = symptom.group;
                let what = format!("group {group} is not in the [[symptom_group]] table");
                table.fault("symptom", what);
            }
            Some(group) => {
                let named = symptom.discriminators.iter().flatten();
                for id in named.filter(|id| !group.discriminators.contains(id)) {
                    let group = group.id;
                    let what = format!("discriminator {id} does not belong to group {group}");
                    table.fault("symptom", what);
                }
            }
        }
    }
    for role in &service.roles {
        if !world.accounts.iter().any(|a| a.role == *role) {
            let known = world.accounts.iter().map(|a| a.role.as_str());
            let hint = match nearest(role, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "an [[account]] gives it".to_owned(),
            };
            table.fault("roles", format!("no account has the role `{role}`; {hint}"));
        }
    }
    for surgery in &service.surgeries {
        id(OdsCode::parse(surgery), "surgeries", table);
    }
}

fn times(service: &Service, table: &mut Table<'_, '_>) {
    for range in &service.ages {
        if range.from.first_day() > range.to.last_day() {
            let (from, to) = (String::from(range.from), String::from(range.to));
            table.fault("ages", format!("from {from} to {to} is empty"));
        }
    }
    if service.open_all_hours && !(service.opening.is_empty() && service.specified.is_empty()) {
        let message = "a service that is open all hours has no opening times";
        table.fault("open_all_hours", message);
    }
    for Session { days, from, to } in &service.opening {
        if days.is_empty() {
            table.fault("opening", "a session without days");
        }
        if from.minutes() == 24 * 60 {
            let what = "a session that opens at 24:00 opens at 00:00 of the next day";
            table.fault("opening", what);
        }
        if from == to {
            let what = format!("from {from} to {to} is empty; all day is 00:00 to 24:00");
            table.fault("opening", what);
        }
    }
    for SpecifiedDay {
        day,
        from,
        to,
        closed,
    } in &service.specified
    {
        let day = day.0;
        match (from, to, closed) {
            (None, None, true) => {}
            (Some(from), Some(to), false) if from < to => {}
            (Some(_), Some(_), false) => {
                table.fault("specified", format!("{day}: opens after it closes"));
            }
            _ => {
                let what = format!("{day}: write `closed = true`, or both `from` and `to`");
                table.fault("specified", what);
            }
        }
    }
}

/// Bounds, and control characters that no XML can carry.
fn texts(service: &Service, table: &mut Table<'_, '_>) {
    for (key, count) in [
        ("endpoint", service.endpoint.len()),
        ("attribute", service.attribute.len()),
        ("opening", service.opening.len()),
        ("specified", service.specified.len()),
    ] {
        if count > MAX_PARTS {
            let what = format!("there are {count}; at most {MAX_PARTS} are allowed");
            table.fault(key, what);
        }
    }
    let endpoints = service.endpoint.iter().flat_map(|e| {
        [
            &e.transport,
            &e.format,
            &e.interaction,
            &e.scenario,
            &e.address,
            &e.compression,
            &e.comment,
        ]
        .map(|text| ("endpoint", text))
    });
    let attributes = service
        .attribute
        .iter()
        .flat_map(|a| [&a.name, &a.value, &a.kind].map(|text| ("attribute", text)));
    let own = [
        ("public_name", &service.public_name),
        ("phone", &service.phone),
        ("non_public_phone", &service.non_public_phone),
        ("fax", &service.fax),
        ("url", &service.url),
        ("public_information", &service.public_information),
        ("referral_information", &service.referral_information),
    ];
    let all = own
        .into_iter()
        .filter_map(|(key, text)| text.as_ref().map(|text| (key, text)))
        .chain([("name", &service.name)])
        .chain(service.address.iter().map(|line| ("address", line)))
        .chain(endpoints)
        .chain(attributes);
    for (key, text) in all {
        if text.len() > MAX_TEXT {
            table.fault(key, format!("is longer than {MAX_TEXT} bytes"));
        }
        if text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\t'))
        {
            table.fault(key, "holds a control character");
        }
    }
}
