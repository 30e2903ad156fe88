//! What must hold between the entries of a world file, or it cannot be served.

use super::World;
use super::model::{DISTANCES_KM, Service, Session, SpecifiedDay, WEB_SERVICE};
use super::sheet::Sheet;
use super::written::plain_postcode;
use crate::directory::{Directory, WrittenEndpoint, WrittenSystem};
use booking::ids::{Asid, OdsCode};
use booking::nearest::nearest;
use std::collections::BTreeSet;

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
    let before = sheet.is_clean();
    let mut seen = BTreeSet::new();
    for (at, system) in systems.iter().enumerate() {
        if let Err(error) = Asid::parse(&system.asid) {
            sheet.fault("system", at, "asid", format!("the {error}"));
        }
        if let Err(error) = OdsCode::parse(&system.ods) {
            sheet.fault("system", at, "ods", format!("the {error}"));
        }
        if !seen.insert(&system.asid) {
            sheet.fault(
                "system",
                at,
                "asid",
                format!("{} stands twice", system.asid),
            );
        }
    }
    for (at, endpoint) in endpoints.iter().enumerate() {
        if let Err(error) = OdsCode::parse(&endpoint.ods) {
            sheet.fault("endpoint", at, "ods", format!("the {error}"));
        }
    }
    if before != sheet.is_clean() {
        return Directory::default();
    }
    match Directory::new(systems, endpoints) {
        Ok(directory) => directory,
        Err(error) => {
            sheet.fault("system", 0, "asid", error);
            Directory::default()
        }
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
    let mut ids = BTreeSet::new();
    for (at, service) in world.services.iter().enumerate() {
        let mut fault = |key: &str, message: String| sheet.fault("service", at, key, message);
        if service.id == 0 || service.id > MAX_SERVICE_ID {
            fault(
                "id",
                format!("{} is not between 1 and {MAX_SERVICE_ID}", service.id),
            );
        }
        if !ids.insert(service.id) {
            fault("id", format!("{} stands twice", service.id));
        }
        if let Err(error) = OdsCode::parse(&service.ods) {
            fault("ods", format!("the {error}"));
        }
        if service.name.trim().is_empty() {
            fault("name", "is empty".to_owned());
        }
        references(world, service, &mut fault);
        times(service, &mut fault);
        texts(service, &mut fault);
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
    let mut seen = BTreeSet::new();
    for (at, place) in world.postcodes.iter().enumerate() {
        let plain = plain_postcode(&place.postcode);
        if !(5..=7).contains(&plain.len()) || !plain.bytes().all(|b| b.is_ascii_alphanumeric()) {
            let message = format!("`{}` is not a postcode, such as LS99 9ZA", place.postcode);
            sheet.fault("postcode", at, "postcode", message);
        }
        if !seen.insert(plain) {
            sheet.fault(
                "postcode",
                at,
                "postcode",
                format!("{} stands twice", place.postcode),
            );
        }
        for (key, metres) in [("easting", place.easting), ("northing", place.northing)] {
            // The national grid is 700 by 1300 km.
            if !(0..=1_300_000).contains(&metres) {
                sheet.fault(
                    "postcode",
                    at,
                    key,
                    format!("{metres} m is not on the national grid"),
                );
            }
        }
    }
    for (at, distance) in world.distances.iter().enumerate() {
        if !DISTANCES_KM.contains(&distance.km) {
            sheet.fault("distance", at, "km", distance_rule(distance.km));
        }
        if plain_postcode(&distance.area).len() < 2 {
            let message = "write a postcode, a sector (LS99 9) or a district (LS99)".to_owned();
            sheet.fault("distance", at, "area", message);
        }
    }
    let mut seen = BTreeSet::new();
    for (at, disposition) in world.dispositions.iter().enumerate() {
        if !seen.insert(disposition.id) {
            sheet.fault(
                "disposition",
                at,
                "id",
                format!("{} stands twice", disposition.id),
            );
        }
    }
    let mut seen = BTreeSet::new();
    for (at, group) in world.symptom_groups.iter().enumerate() {
        if !seen.insert(group.id) {
            sheet.fault(
                "symptom_group",
                at,
                "id",
                format!("{} stands twice", group.id),
            );
        }
        if group.discriminators.is_empty() {
            let message = "is empty: no search could name a valid one".to_owned();
            sheet.fault("symptom_group", at, "discriminators", message);
        }
    }
}

fn accounts(world: &World, sheet: &mut Sheet<'_>) {
    let mut seen = BTreeSet::new();
    for (at, account) in world.accounts.iter().enumerate() {
        for (key, text) in [
            ("username", &account.username),
            ("password", &account.password),
            ("role", &account.role),
        ] {
            if text.trim().is_empty() || text.len() > MAX_TEXT {
                sheet.fault("account", at, key, "is empty or too long".to_owned());
            }
        }
        if !seen.insert(&account.username) {
            sheet.fault(
                "account",
                at,
                "username",
                format!("{} stands twice", account.username),
            );
        }
        for permission in &account.permissions {
            if permission != WEB_SERVICE && permission.eq_ignore_ascii_case(WEB_SERVICE) {
                let message =
                    format!("`{permission}` gives no right; did you mean `{WEB_SERVICE}`?");
                sheet.fault("account", at, "permissions", message);
            }
        }
    }
}

/// What a service names must be in the tables.
fn references(world: &World, service: &Service, fault: &mut dyn FnMut(&str, String)) {
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
        fault("postcode", message);
    }
    for id in &service.dispositions {
        if world.disposition(*id).is_none() {
            fault(
                "dispositions",
                format!("{id} is not in the [[disposition]] table"),
            );
        }
    }
    for symptom in &service.symptom {
        match world.symptom_group(symptom.group) {
            None => fault(
                "symptom",
                format!(
                    "group {} is not in the [[symptom_group]] table",
                    symptom.group
                ),
            ),
            Some(group) => {
                let named = symptom.discriminators.iter().flatten();
                for id in named.filter(|id| !group.discriminators.contains(id)) {
                    fault(
                        "symptom",
                        format!("discriminator {id} does not belong to group {}", group.id),
                    );
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
            fault("roles", format!("no account has the role `{role}`; {hint}"));
        }
    }
    for surgery in &service.surgeries {
        if let Err(error) = OdsCode::parse(surgery) {
            fault("surgeries", format!("the {error}"));
        }
    }
}

fn times(service: &Service, fault: &mut dyn FnMut(&str, String)) {
    for range in &service.ages {
        if range.from.first_day() > range.to.last_day() {
            let (from, to) = (String::from(range.from), String::from(range.to));
            fault("ages", format!("from {from} to {to} is empty"));
        }
    }
    if service.open_all_hours && !(service.opening.is_empty() && service.specified.is_empty()) {
        let message = "a service that is open all hours has no opening times".to_owned();
        fault("open_all_hours", message);
    }
    for Session { days, from, to } in &service.opening {
        if days.is_empty() {
            fault("opening", "a session without days".to_owned());
        }
        if from.minutes() == 24 * 60 {
            fault(
                "opening",
                "a session that opens at 24:00 opens at 00:00 of the next day".to_owned(),
            );
        }
        if from == to {
            fault(
                "opening",
                format!("from {from} to {to} is empty; all day is 00:00 to 24:00"),
            );
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
                fault("specified", format!("{day}: opens after it closes"))
            }
            _ => fault(
                "specified",
                format!("{day}: write `closed = true`, or both `from` and `to`"),
            ),
        }
    }
}

/// Bounds, and control characters that no XML can carry.
fn texts(service: &Service, fault: &mut dyn FnMut(&str, String)) {
    for (key, count) in [
        ("endpoint", service.endpoint.len()),
        ("attribute", service.attribute.len()),
        ("opening", service.opening.len()),
        ("specified", service.specified.len()),
    ] {
        if count > MAX_PARTS {
            fault(
                key,
                format!("there are {count}; at most {MAX_PARTS} are allowed"),
            );
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
            fault(key, format!("is longer than {MAX_TEXT} bytes"));
        }
        if text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\t'))
        {
            fault(key, "holds a control character".to_owned());
        }
    }
}
