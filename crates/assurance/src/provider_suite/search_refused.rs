//! Group S: searches that have to be refused, and those that only look wrong.

use booking::situation::Situation;

use super::bundle::{searched, told};
use super::query::{encoded, from_now, midnight};
use super::registry::Test;
use super::trial::{Ids, Step, Trial};

/// An id that no directory has given: ten digits like a DoS id, of a range that is not used.
const UNKNOWN_SERVICE: &str = "2099999999";
/// An hour, in seconds.
const HOUR: i64 = 3600;

/// The tests of this file.
pub(super) static TESTS: &[Test] = &[
    Test::new(
        "Slots_NoService",
        "A search without service",
        &["P10", "PROV-SLOT-02", "D-09"],
        no_service,
    ),
    Test::new(
        "Slots_UnknownService",
        "A service that the Provider does not know",
        &["P10", "PROV-SLOT-02", "D-08"],
        unknown_service,
    ),
    Test::new(
        "Slots_NoTimes",
        "Values of start that are no time",
        &["PROV-SLOT-04", "P35"],
        no_times,
    ),
    Test::new(
        "Slots_PastBounds",
        "All bounds in the past, or one of them",
        &["PROV-SLOT-06"],
        past,
    ),
    Test::new(
        "Slots_InvertedWindow",
        "An upper bound below the lower one",
        &["PROV-SLOT-06", "D-10"],
        inverted,
    ),
    Test::new(
        "Slots_UnknownStatus",
        "A status that does not exist",
        &["PROV-SLOT-07"],
        status,
    ),
    Test::new(
        "Slots_MisspeltCriteria",
        "Names that begin like a criterion",
        &["PROV-SLOT-11", "D-07"],
        misspelt,
    ),
];

fn service(t: &Trial) -> String {
    t.session.target.service.as_str().to_owned()
}

fn refused(t: &mut Trial, query: &str, situation: Situation, ids: Ids) -> Step {
    let request = t.session.search(query);
    t.refused(query, &request, situation, ids).map(drop)
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
    let request = t.session.search(&query);
    let a = t.refused(
        "a service that is not mapped here",
        &request,
        Situation::ServiceUnknown,
        &["PROV-SLOT-02", "P10"],
    )?;
    if a.status == 404 {
        let named = a.text.contains(UNKNOWN_SERVICE);
        t.should(
            named,
            &a,
            &["PROV-SLOT-02", "ERR-08"],
            "OperationOutcome.issue.diagnostics",
            "The service id is not named",
            "the service id",
        );
    }
    Ok(())
}

fn no_times(t: &mut Trial) -> Step {
    let name = service(t);
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
    let name = service(t);
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
    let request = t.session.search(&format!(
        "service={name}&status=free&start=ge{before}&start=le{ahead}"
    ));
    searched(
        t,
        "a lower bound in the past, an upper one ahead",
        &request,
        &["PROV-SLOT-06"],
    )
    .map(drop)
}

fn inverted(t: &mut Trial) -> Step {
    let name = service(t);
    let (early, late) = (encoded(midnight(2)), encoded(midnight(4)));
    let request = t
        .session
        .search(&format!("service={name}&start=ge{late}&start=le{early}"));
    let a = searched(
        t,
        "an upper bound below the lower one",
        &request,
        &["PROV-SLOT-06", "D-10"],
    )?;
    t.must(
        a.total() == Some(0),
        &a,
        &["PROV-SLOT-06", "D-10"],
        "Bundle.total",
        format!("An upper bound below the lower one: {}", told(a.total())),
        "0",
    );
    Ok(())
}

fn status(t: &mut Trial) -> Step {
    let name = service(t);
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
    let name = service(t);
    let good = encoded(midnight(2));
    for query in [
        format!("service={name}&startDate=ge{good}"),
        format!("service={name}&start_time=ge{good}"),
        format!("service={name}&statuses=free"),
    ] {
        let request = t.session.search(&query);
        let a = t.refused(
            &query,
            &request,
            Situation::InvalidParameter,
            &["PROV-SLOT-11", "D-07"],
        )?;
        let named = ["startDate", "start_time", "statuses"]
            .iter()
            .any(|name| a.text.contains(name));
        t.should(
            a.status != 400 || named,
            &a,
            &["ERR-01"],
            "OperationOutcome.issue.diagnostics",
            "The parameter is not named",
            "the name of the parameter",
        );
    }
    Ok(())
}
