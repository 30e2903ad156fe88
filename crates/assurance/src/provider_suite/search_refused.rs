//! Group S: searches that have to be refused, and those that only look wrong.

use booking::situation::Situation;

use super::bundle::told;
use super::query::{encoded, from_now, midnight};
use super::registry::Table;
use super::trial::{Ids, Step, Trial};

/// An id that no directory has given: ten digits like a DoS id, of a range that is not used.
const UNKNOWN_SERVICE: &str = "2099999999";
/// An hour, in seconds.
const HOUR: i64 = 3600;

/// The tests of this file.
pub(super) const TESTS: Table = &[
    ("Slots_NoService", no_service),
    ("Slots_UnknownService", unknown_service),
    ("Slots_NoTimes", no_times),
    ("Slots_PastBounds", past),
    ("Slots_InvertedWindow", inverted),
    ("Slots_UnknownStatus", status),
    ("Slots_MisspeltCriteria", misspelt),
];

fn refused(t: &mut Trial, query: &str, situation: Situation, ids: Ids) -> Step {
    t.ask(query, &t.search(query))
        .refused(situation, ids)
        .map(drop)
}

fn no_service(t: &mut Trial) -> Step {
    let ids: Ids = &["PROV-SLOT-02", "P10"];
    let bounds = format!(
        "start=ge{}&start=le{}&status=free",
        encoded(midnight(1)),
        encoded(midnight(5))
    );
    refused(t, &bounds, Situation::InvalidParameter, ids)?;
    refused(
        t,
        &format!("service=&{bounds}"),
        Situation::InvalidParameter,
        ids,
    )
}

fn unknown_service(t: &mut Trial) -> Step {
    let query = super::query::full(UNKNOWN_SERVICE);
    let request = t.search(&query);
    let a = t
        .ask("a service that is not mapped here", &request)
        .refused(Situation::ServiceUnknown, &["PROV-SLOT-02", "P10"])?;
    if a.status == 404 {
        let named = a.text.contains(UNKNOWN_SERVICE);
        t.at(
            &a,
            "OperationOutcome.issue.diagnostics",
            &["PROV-SLOT-02", "ERR-08"],
        )
        .should(named)
        .right("the service id")
        .or("The service id is not named");
    }
    Ok(())
}

fn no_times(t: &mut Trial) -> Step {
    let name = t.service();
    let good = encoded(midnight(2));
    for value in [
        "gewhen".to_owned(),
        "ge2030-13-01".to_owned(),
        "ge2030-02-30T10%3A00%3A00Z".to_owned(),
        "ge".to_owned(),
        format!("ne{good}"),
        format!("sa{good}"),
        format!("eb{good}"),
        format!("ap{good}"),
        format!("xx{good}"),
        "ge1800000000".to_owned(),
    ] {
        refused(
            t,
            &format!("service={name}&start={value}"),
            Situation::InvalidParameter,
            &["PROV-SLOT-04"],
        )?;
    }
    Ok(())
}

fn past(t: &mut Trial) -> Step {
    let name = t.service();
    let (long_ago, before, ahead) = (
        encoded(from_now(-5 * HOUR)),
        encoded(from_now(-HOUR)),
        encoded(from_now(72 * HOUR)),
    );
    for query in [
        format!("service={name}&start=ge{long_ago}&start=le{before}"),
        format!("service={name}&start=le{before}"),
    ] {
        refused(t, &query, Situation::InvalidParameter, &["PROV-SLOT-06"])?;
    }
    let request = t.search(&format!(
        "service={name}&status=free&start=ge{before}&start=le{ahead}"
    ));
    t.ask("a lower bound in the past, an upper one ahead", &request)
        .searched(&["PROV-SLOT-06"])
        .map(drop)
}

fn inverted(t: &mut Trial) -> Step {
    let name = t.service();
    let (early, late) = (encoded(midnight(2)), encoded(midnight(4)));
    let request = t.search(&format!("service={name}&start=ge{late}&start=le{early}"));
    let a = t
        .ask("an upper bound below the lower one", &request)
        .searched(&["PROV-SLOT-06", "D-10"])?;
    t.at(&a, "Bundle.total", &["PROV-SLOT-06", "D-10"])
        .must(a.total() == Some(0))
        .right("0")
        .or(format!(
            "An upper bound below the lower one: {}",
            told(a.total())
        ));
    Ok(())
}

fn status(t: &mut Trial) -> Step {
    let name = t.service();
    let bounds = format!(
        "start=ge{}&start=le{}",
        encoded(midnight(1)),
        encoded(midnight(5))
    );
    for status in ["available", "free,available"] {
        refused(
            t,
            &format!("service={name}&{bounds}&status={status}"),
            Situation::InvalidParameter,
            &["PROV-SLOT-07"],
        )?;
    }
    Ok(())
}

fn misspelt(t: &mut Trial) -> Step {
    let name = t.service();
    let good = encoded(midnight(2));
    for query in [
        format!("service={name}&startDate=ge{good}"),
        format!("service={name}&start_time=ge{good}"),
        format!("service={name}&statuses=free"),
    ] {
        let a = t
            .ask(&query, &t.search(&query))
            .refused(Situation::InvalidParameter, &["PROV-SLOT-11", "D-07"])?;
        let named = ["startDate", "start_time", "statuses"]
            .iter()
            .any(|name| a.text.contains(name));
        t.at(&a, "OperationOutcome.issue.diagnostics", &["ERR-01"])
            .should(a.status != 400 || named)
            .right("the name of the parameter")
            .or("The parameter is not named");
    }
    Ok(())
}
