//! Group C: reading appointments, their versions, and those of a patient.

use booking::count::counted;
use booking::situation::Situation;
use booking::systems;

use super::answer::{contained, text, texts};
use super::messages::uuid;
use super::registry::Table;
use super::trial::{Ids, Step, Trial, skip};

/// The tests of this file.
pub(super) const TESTS: Table = &[
    ("ReadNonExistentAppointment", unknown),
    ("Read_IdCase", id_case),
    ("Read_Versions", versions),
    ("Read_UnknownVersion", unknown_version),
    ("Read_History", history),
    ("Read_Xml", xml),
    ("Read_UnknownParameters", parameters),
    ("Search_Patient", of_patient),
];

fn unknown(t: &mut Trial) -> Step {
    for id in [uuid(), "no-such-appointment".to_owned()] {
        let request = t.read(&id).with("Accept", "application/fhir+xml");
        let a = t
            .ask("read an unknown id", &request)
            .refused(Situation::AppointmentUnknown, &["PROV-READ-02"])?;
        if a.status == 404 {
            t.at(&a, "header Content-Type", &["P9", "PROV-GEN-08"])
                .must(a.is_xml)
                .right("XML, as Accept asks")
                .or("The error is not in XML");
        }
    }
    Ok(())
}

fn id_case(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let swap = |c: char| match c.is_ascii_uppercase() {
        true => c.to_ascii_lowercase(),
        false => c.to_ascii_uppercase(),
    };
    let other: String = booked.id.chars().map(swap).collect();
    if other == booked.id {
        return skip("the ids of this Provider have no letters");
    }
    t.ask("read an id in the other case", &t.read(&other))
        .refused(
            Situation::AppointmentUnknown,
            &["PROV-GEN-01", "PROV-READ-02"],
        )
        .map(drop)
}

fn versions(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let first = text(booked.stored(), "/meta/versionId").to_owned();
    let request = t.cancellation(&booked);
    let a = t
        .ask("cancel it", &request)
        .cancels(&booked.id, &["PROV-INT-07"])?;
    let second = text(&a.resource, "/meta/versionId").to_owned();
    let ids: Ids = &["PROV-READ-01", "PROV-READ-02", "PROV-CAN-06"];
    for (path, status, version) in [
        (booked.id.clone(), "cancelled", &second),
        (
            format!("{}/_history/{second}", booked.id),
            "cancelled",
            &second,
        ),
        (format!("{}/_history/{first}", booked.id), "booked", &first),
    ] {
        let a = t
            .ask("read a version", &t.read(&path))
            .succeeds(200, "Appointment", ids)?;
        let given = (
            text(&a.resource, "/status").to_owned(),
            text(&a.resource, "/meta/versionId").to_owned(),
        );
        t.at(&a, "Appointment.status", ids)
            .must(given == (status.to_owned(), version.clone()))
            .right(format!("version {version}, {status}"))
            .or(format!("Version {} has the status {}", given.1, given.0));
    }
    Ok(())
}

fn history(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let request = t.cancellation(&booked);
    t.ask("cancel it", &request)
        .cancels(&booked.id, &["PROV-INT-07"])?;
    let request = t.read(&format!("{}/_history", booked.id));
    let a = t.send("read the history", &request)?;
    if matches!(a.status, 404 | 405 | 501) {
        return skip("the Provider does not offer the history, which is a MAY");
    }
    let ids: Ids = &["PROV-INT-06", "PROV-CAN-06"];
    t.status(&a, 200, ids, "read the history")?;
    let mut statuses: Vec<&str> = texts(&a.resource, "/entry", "/resource/status").collect();
    statuses.sort_unstable();
    let whole = text(&a.resource, "/type") == "history" && statuses == ["booked", "cancelled"];
    t.at(&a, "Bundle.entry", ids)
        .must(whole)
        .right("a Bundle of type history with both versions, booked and cancelled")
        .or(format!(
            "The history of a cancelled booking is a Bundle of type `{}` with {}",
            text(&a.resource, "/type"),
            counted(statuses.len(), "version", "versions")
        ));
    Ok(())
}

fn unknown_version(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    for path in [
        format!("{}/_history/no-such-version", booked.id),
        format!("{}/_history/1", uuid()),
    ] {
        t.ask("read an unknown version", &t.read(&path))
            .refused(Situation::AppointmentUnknown, &["PROV-READ-02"])?;
    }
    Ok(())
}

fn xml(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let request = t
        .read(&format!("{}?_format=application/fhir%2Bxml", booked.id))
        .without("Accept");
    let a = t
        .ask("read in XML", &request)
        .succeeds(200, "Appointment", &["PROV-GEN-08"])?;
    t.at(&a, "header Content-Type", &["P9", "PROV-GEN-08"])
        .must(a.is_xml)
        .right("XML, as _format asks")
        .or("The answer is not in XML");
    let same = a.resource == *booked.stored();
    t.at(&a, "Appointment", &["PROV-READ-01"])
        .must(same)
        .right("the same content in both formats")
        .or("XML and JSON of one version differ");
    Ok(())
}

fn parameters(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let request = t.read(&format!("{}?status=booked", booked.id));
    t.ask("a search parameter on a read", &request)
        .refused(Situation::InvalidParameter, &["PROV-READ-03"])?;
    let request = t.read(&format!("{}?_format=json", booked.id));
    t.ask("_format on a read", &request)
        .succeeds(200, "Appointment", &["PROV-READ-03"])
        .map(drop)
}

fn of_patient(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let number = text(contained(&booked.message, "Patient"), "/identifier/0/value").to_owned();
    let token = token(&number);
    let request = t.appointments(&format!("patient.identifier={token}"));
    let a = t.send("search by NHS number", &request)?;
    if matches!(a.status, 404 | 405 | 501) {
        // PROV-INT-08 is a SHOULD.
        t.at(&a, "status", &["PROV-INT-08"])
            .should(false)
            .right("offered")
            .or(format!(
                "The search for a patient's appointments is not offered ({})",
                a.status
            ));
        return skip("the Provider does not offer this search, which is a SHOULD");
    }
    t.status(&a, 200, &["PROV-SRCH-02"], "search by NHS number")?;
    for name in [
        "Appointment.participant.actor:Patient.identifier",
        "participant.actor:Patient.identifier",
        "patient:Patient.identifier",
        "patient",
        "identifier",
    ] {
        let request = t.appointments(&format!("{name}={token}"));
        let a = t.send("search by NHS number in another spelling", &request)?;
        let what = format!(
            "{name}: answered {} with {}",
            a.status,
            counted(a.slots().len(), "entry", "entries")
        );
        t.at(&a, "query", &["PROV-SRCH-01"])
            .should(a.status == 200 && a.slots().len() == 1)
            .right("the same result in every spelling")
            .or(what);
    }
    let all = a.slots().into_iter().cloned().collect::<Vec<_>>();
    let found = all.iter().find(|r| text(r, "/id") == booked.id);
    if !t
        .at(&a, "Bundle.entry", &["PROV-SRCH-02"])
        .must(found.is_some() && all.len() == 1)
        .right("the appointments of this patient")
        .or(format!(
            "{} of a patient with one",
            counted(all.len(), "appointment", "appointments")
        ))
    {
        return Ok(());
    }
    let allowed = [
        "resourceType",
        "id",
        "meta",
        "status",
        "start",
        "end",
        "created",
        "participant",
        "identifier",
    ];
    let members = found.and_then(serde_json::Value::as_object);
    let more: Vec<&str> = members
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .filter(|name| !allowed.contains(name))
        .collect();
    t.at(&a, "Bundle.entry.resource", &["PROV-SRCH-03"])
        .must(more.is_empty())
        .right("only id, meta, status, start, end, created, participant and identifier")
        .or(format!(
            "The entry tells more than it may: {}",
            more.join(", ")
        ));
    let url = format!("/Appointment/{}", booked.id);
    let full = texts(&a.resource, "/entry", "/fullUrl").all(|full| full.ends_with(&url));
    t.at(&a, "Bundle.entry.fullUrl", &["PROV-SRCH-03", "D-51"])
        .must(full)
        .right("the appointment's URL without its version")
        .or("The fullUrl of an entry is not the appointment's URL, or names a version (bdl-8)");
    no_patient(t)
}

/// An NHS number as queries carry it.
pub(super) fn token(number: &str) -> String {
    let system = systems::NHS_NUMBER.replace(':', "%3A").replace('/', "%2F");
    format!("{system}%7C{number}")
}

/// A patient without appointments, and a search that names none.
fn no_patient(t: &mut Trial) -> Step {
    let number = t.nhs_number();
    let request = t.appointments(&format!("patient.identifier={}", token(&number)));
    let a = t
        .ask("search for a patient without appointments", &request)
        .succeeds(200, "Bundle", &["PROV-SRCH-02"])?;
    t.at(&a, "Bundle.entry", &["PROV-SRCH-02"])
        .must(a.slots().is_empty())
        .right("an empty Bundle")
        .or("Appointments were found for a patient who has none");
    t.ask("no patient named", &t.appointments("colour=blue"))
        .refused(Situation::InvalidParameter, &["PROV-SRCH-01"])?;
    Ok(())
}
