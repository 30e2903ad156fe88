//! Group C: reading appointments, their versions, and those of a patient.

use booking::count::counted;
use booking::situation::Situation;
use booking::systems;

use super::answer::{contained, list, text};
use super::messages::{cancelled, uuid};
use super::registry::Test;
use super::trial::{Ids, Step, Stop, Trial};

/// The tests of this file.
pub(super) static TESTS: &[Test] = &[
    Test::new(
        "ReadNonExistentAppointment",
        "An appointment that does not exist, in XML",
        &["PROV-READ-02"],
        unknown,
    ),
    Test::new(
        "Read_IdCase",
        "Ids are case sensitive",
        &["PROV-GEN-01", "PROV-READ-02"],
        id_case,
    ),
    Test::new(
        "Read_Versions",
        "Every version stays readable, the current one without naming it",
        &[
            "P31",
            "PROV-READ-01",
            "PROV-READ-02",
            "PROV-INT-05",
            "PROV-CAN-06",
        ],
        versions,
    ),
    Test::new(
        "Read_UnknownVersion",
        "A version that does not exist",
        &["PROV-READ-02"],
        unknown_version,
    ),
    Test::new(
        "Read_History",
        "All versions of an appointment at once",
        &["PROV-INT-06", "PROV-CAN-06"],
        history,
    ),
    Test::new(
        "Read_Xml",
        "An appointment in XML",
        &["P9", "PROV-GEN-08"],
        xml,
    ),
    Test::new(
        "Read_UnknownParameters",
        "Query parameters on a read",
        &["PROV-READ-03"],
        parameters,
    ),
    Test::new(
        "Search_Patient",
        "The appointments of a patient by NHS number",
        &[
            "PROV-INT-08",
            "PROV-SRCH-01",
            "PROV-SRCH-02",
            "PROV-SRCH-03",
        ],
        of_patient,
    ),
];

fn unknown(t: &mut Trial) -> Step {
    for id in [uuid(), "no-such-appointment".to_owned()] {
        let request = t.session.read(&id).with("Accept", "application/fhir+xml");
        let a = t.refused(
            "read an unknown id",
            &request,
            Situation::AppointmentUnknown,
            &["PROV-READ-02"],
        )?;
        if a.status == 404 {
            t.must(
                a.is_xml,
                &a,
                &["P9", "PROV-GEN-08"],
                "header Content-Type",
                "The error is not in XML",
                "XML, as Accept asks",
            );
        }
    }
    Ok(())
}

fn id_case(t: &mut Trial) -> Step {
    let (_, booked) = t.booked()?;
    let swap = |c: char| match c.is_ascii_uppercase() {
        true => c.to_ascii_lowercase(),
        false => c.to_ascii_uppercase(),
    };
    let other: String = booked.id.chars().map(swap).collect();
    if other == booked.id {
        return Err(Stop::Skip(
            "the ids of this Provider have no letters".into(),
        ));
    }
    let request = t.session.read(&other);
    t.refused(
        "read an id in the other case",
        &request,
        Situation::AppointmentUnknown,
        &["PROV-GEN-01", "PROV-READ-02"],
    )
    .map(drop)
}

fn versions(t: &mut Trial) -> Step {
    let (message, booked) = t.booked()?;
    let first = text(&booked.answer.resource, "/meta/versionId").to_owned();
    let body = cancelled(&message, &booked.answer.resource);
    let request = t.session.cancel(&booked.id, &booked.etag, &body);
    let a = t.cancels("cancel it", &request, &booked.id, &["PROV-INT-07"])?;
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
        let request = t.session.read(&path);
        let a = t.succeeds("read a version", &request, 200, "Appointment", ids)?;
        let given = (
            text(&a.resource, "/status").to_owned(),
            text(&a.resource, "/meta/versionId").to_owned(),
        );
        t.must(
            given == (status.to_owned(), version.clone()),
            &a,
            ids,
            "Appointment.status",
            format!("Version {} has the status {}", given.1, given.0),
            &format!("version {version}, {status}"),
        );
    }
    Ok(())
}

fn history(t: &mut Trial) -> Step {
    let (message, booked) = t.booked()?;
    let body = cancelled(&message, &booked.answer.resource);
    let request = t.session.cancel(&booked.id, &booked.etag, &body);
    t.cancels("cancel it", &request, &booked.id, &["PROV-INT-07"])?;
    let request = t.session.read(&format!("{}/_history", booked.id));
    let a = t.send("read the history", &request)?;
    if matches!(a.status, 404 | 405 | 501) {
        return Err(Stop::Skip(
            "the Provider does not offer the history, which is a MAY".into(),
        ));
    }
    let ids: Ids = &["PROV-INT-06", "PROV-CAN-06"];
    t.status(&a, 200, ids, "read the history")?;
    let mut statuses: Vec<&str> = list(&a.resource, "/entry")
        .iter()
        .map(|e| text(e, "/resource/status"))
        .collect();
    statuses.sort_unstable();
    let whole = text(&a.resource, "/type") == "history" && statuses == ["booked", "cancelled"];
    t.must(
        whole,
        &a,
        ids,
        "Bundle.entry",
        format!(
            "The history of a cancelled booking is a Bundle of type `{}` with {}",
            text(&a.resource, "/type"),
            counted(statuses.len(), "version", "versions")
        ),
        "a Bundle of type history with both versions, booked and cancelled",
    );
    Ok(())
}

fn unknown_version(t: &mut Trial) -> Step {
    let (_, booked) = t.booked()?;
    for path in [
        format!("{}/_history/no-such-version", booked.id),
        format!("{}/_history/1", uuid()),
    ] {
        let request = t.session.read(&path);
        t.refused(
            "read an unknown version",
            &request,
            Situation::AppointmentUnknown,
            &["PROV-READ-02"],
        )?;
    }
    Ok(())
}

fn xml(t: &mut Trial) -> Step {
    let (_, booked) = t.booked()?;
    let request = t
        .session
        .read(&format!("{}?_format=application/fhir%2Bxml", booked.id))
        .without("Accept");
    let a = t.succeeds(
        "read in XML",
        &request,
        200,
        "Appointment",
        &["PROV-GEN-08"],
    )?;
    t.must(
        a.is_xml,
        &a,
        &["P9", "PROV-GEN-08"],
        "header Content-Type",
        "The answer is not in XML",
        "XML, as _format asks",
    );
    let same = a.resource == booked.answer.resource;
    t.must(
        same,
        &a,
        &["PROV-READ-01"],
        "Appointment",
        "XML and JSON of one version differ",
        "the same content in both formats",
    );
    Ok(())
}

fn parameters(t: &mut Trial) -> Step {
    let (_, booked) = t.booked()?;
    let request = t.session.read(&format!("{}?status=booked", booked.id));
    t.refused(
        "a search parameter on a read",
        &request,
        Situation::InvalidParameter,
        &["PROV-READ-03"],
    )?;
    let request = t.session.read(&format!("{}?_format=json", booked.id));
    t.succeeds(
        "_format on a read",
        &request,
        200,
        "Appointment",
        &["PROV-READ-03"],
    )
    .map(drop)
}

fn of_patient(t: &mut Trial) -> Step {
    let (message, booked) = t.booked()?;
    let number = text(contained(&message, "Patient"), "/identifier/0/value").to_owned();
    let token = format!(
        "{}%7C{number}",
        systems::NHS_NUMBER.replace(':', "%3A").replace('/', "%2F")
    );
    let request = t
        .session
        .appointments(&format!("patient.identifier={token}"));
    let a = t.send("search by NHS number", &request)?;
    if matches!(a.status, 404 | 405 | 501) {
        // PROV-INT-08 is a SHOULD.
        t.should(
            false,
            &a,
            &["PROV-INT-08"],
            "status",
            format!(
                "The search for a patient's appointments is not offered ({})",
                a.status
            ),
            "offered",
        );
        return Err(Stop::Skip(
            "the Provider does not offer this search, which is a SHOULD".into(),
        ));
    }
    t.status(&a, 200, &["PROV-SRCH-02"], "search by NHS number")?;
    for name in [
        "Appointment.participant.actor:Patient.identifier",
        "participant.actor:Patient.identifier",
        "patient:Patient.identifier",
        "patient",
        "identifier",
    ] {
        let request = t.session.appointments(&format!("{name}={token}"));
        let a = t.send("search by NHS number in another spelling", &request)?;
        let what = format!(
            "{name}: answered {} with {}",
            a.status,
            counted(a.slots().len(), "entry", "entries")
        );
        t.should(
            a.status == 200 && a.slots().len() == 1,
            &a,
            &["PROV-SRCH-01"],
            "query",
            what,
            "the same result in every spelling",
        );
    }
    let all = a.slots().into_iter().cloned().collect::<Vec<_>>();
    let found = all.iter().find(|r| text(r, "/id") == booked.id);
    if !t.must(
        found.is_some() && all.len() == 1,
        &a,
        &["PROV-SRCH-02"],
        "Bundle.entry",
        format!(
            "{} of a patient with one",
            counted(all.len(), "appointment", "appointments")
        ),
        "the appointments of this patient",
    ) {
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
    t.must(
        more.is_empty(),
        &a,
        &["PROV-SRCH-03"],
        "Bundle.entry.resource",
        format!("The entry tells more than it may: {}", more.join(", ")),
        "only id, meta, status, start, end, created, participant and identifier",
    );
    let url = format!("/Appointment/{}", booked.id);
    let full = list(&a.resource, "/entry")
        .iter()
        .all(|e| text(e, "/fullUrl").ends_with(&url));
    t.must(
        full,
        &a,
        &["PROV-SRCH-03", "D-51"],
        "Bundle.entry.fullUrl",
        "The fullUrl of an entry is not the appointment's URL, or names a version (bdl-8)",
        "the appointment's URL without its version",
    );
    no_patient(t)
}

/// A patient without appointments, and a search that names none.
fn no_patient(t: &mut Trial) -> Step {
    let system = systems::NHS_NUMBER.replace(':', "%3A").replace('/', "%2F");
    let number = t.session.nhs_number();
    let request = t
        .session
        .appointments(&format!("patient.identifier={system}%7C{number}"));
    let a = t.succeeds(
        "search for a patient without appointments",
        &request,
        200,
        "Bundle",
        &["PROV-SRCH-02"],
    )?;
    t.must(
        a.slots().is_empty(),
        &a,
        &["PROV-SRCH-02"],
        "Bundle.entry",
        "Appointments were found for a patient who has none",
        "an empty Bundle",
    );
    let request = t.session.appointments("colour=blue");
    t.refused(
        "no patient named",
        &request,
        Situation::InvalidParameter,
        &["PROV-SRCH-01"],
    )?;
    Ok(())
}
