//! The set-up, looked at before the first test. What is wrong with it is told in one sentence that says what to do,
//! and not as findings against the Provider: wrong address, wrong service, no rights, no slots, nobody who serves.
//!
//! It stops only for what no test can be about. A Provider that hangs, answers with nonsense or fails is what the
//! tests are for; one that says of itself that it does not serve now is not.

use super::answer::{self, Answer, list, shortened, text};
use super::query::{Window, window};
use super::registry::Test;
use super::session::Session;
use super::wire::Exchanged;
use booking::count::counted;

/// Free slots that the tests need (`assurance.md` section 4).
const SLOTS_NEEDED: usize = 16;
/// Most entries of a Bundle that are looked through for the reason why it is empty.
const MAX_ENTRIES: usize = 10;

/// What is wrong with the set-up, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct SetUp {
    /// One sentence.
    pub sentence: String,
    /// The command names something that is not there; otherwise the Provider has to be set up.
    pub is_usage: bool,
}

impl SetUp {
    fn usage(sentence: String) -> SetUp {
        SetUp {
            sentence,
            is_usage: true,
        }
    }

    fn provider(sentence: String) -> SetUp {
        SetUp {
            sentence,
            is_usage: false,
        }
    }
}

/// Looks at what these tests need. Gives what is worth knowing before they run.
pub(super) fn check(session: &mut Session, tests: &[&Test]) -> Result<Vec<String>, SetUp> {
    let checked = checked(session, tests);
    session.silent = 0;
    checked
}

fn checked(session: &mut Session, tests: &[&Test]) -> Result<Vec<String>, SetUp> {
    let request = session.metadata();
    let exchanged = session.quiet(&request, "look whether the Provider is there");
    unreachable(session, &exchanged)?;
    // One that is there and does not answer is for the tests.
    let Some(metadata) = answer::read(&exchanged) else {
        return Ok(Vec::new());
    };
    let service = session.target.service.as_str().to_owned();
    let Some(found) = search(session, &service) else {
        return Ok(Vec::new());
    };
    wrong_root(session, &metadata, &found)?;
    refused(session, &metadata, &found)?;
    let beyond = |start: &str| tests.iter().any(|t| !t.id.starts_with(start));
    if !beyond("Capability_") {
        return Ok(Vec::new());
    }
    unavailable(&metadata, &found)?;
    known(&found, &service, "--service")?;
    if found.status != 200 {
        return Ok(Vec::new());
    }
    let notes = slots(session, &found, &service)?;
    other_services(session, tests)?;
    let books = |t: &&&Test| {
        let searches = ["Capability_", "SFFS", "Slots_"];
        !searches.iter().any(|s| t.id.starts_with(s))
    };
    if tests.iter().any(|t| books(&t)) {
        may_book(session)?;
    }
    Ok(notes)
}

/// A search for the free slots of a service.
fn search(session: &mut Session, service: &str) -> Option<Answer> {
    let request = session.search(&window(
        service,
        Window::days(1, super::bookings::DAYS_AHEAD),
        "free",
    ));
    let exchanged = session.quiet(&request, "look whether the service has slots");
    answer::read(&exchanged)
}

fn unreachable(session: &Session, exchanged: &Exchanged) -> Result<(), SetUp> {
    let endpoint = &session.target.endpoint;
    let at = endpoint.authority();
    let Some(why) = exchanged.exchange.broken.as_deref() else {
        return Ok(());
    };
    if exchanged.exchange.status.is_some() {
        return Ok(());
    }
    let tls = ["TLS failed", "no TLS", "no name for TLS"];
    if tls.iter().any(|start| why.starts_with(start)) {
        return Err(SetUp::usage(format!(
            "no TLS connection to {at} ({why}): check --tls-ca, --tls-cert and --tls-key, and that the address speaks https"
        )));
    }
    if why.starts_with("no connection") {
        return Err(SetUp::usage(format!(
            "nothing listens at {at} ({why}): start the Provider, or correct --endpoint"
        )));
    }
    if why.contains("invalid HTTP") && !endpoint.is_https() {
        return Err(SetUp::usage(format!(
            "what listens at {at} does not speak HTTP ({why}): if it is https, write https:// in --endpoint and name --tls-ca"
        )));
    }
    Ok(())
}

/// True for an answer that no booking API gives under its service root.
fn is_foreign(a: &Answer) -> bool {
    let media = a.header("content-type").unwrap_or_default();
    let is_fhir = media.to_ascii_lowercase().contains("fhir");
    match a.status {
        300..=399 | 404 | 405 | 410 => true,
        200..=299 => !is_fhir && a.kind().is_empty(),
        _ => false,
    }
}

fn wrong_root(session: &Session, metadata: &Answer, found: &Answer) -> Result<(), SetUp> {
    match is_foreign(metadata) && is_foreign(found) {
        false => Ok(()),
        true => Err(SetUp::usage(format!(
            "there is no booking API at {}: /metadata was answered with {}{}; give --endpoint the service root as SDS has it, such as https://provider.example.nhs.uk/STU3/1/ODS",
            session.target.endpoint.root(),
            metadata.status,
            metadata.said(),
        ))),
    }
}

fn refused(session: &Session, metadata: &Answer, found: &Answer) -> Result<(), SetUp> {
    let target = session.target;
    if matches!(found.status, 401 | 403) {
        return Err(SetUp::provider(format!(
            "the Provider refuses this consumer ({}{}): declare there the ASID {} and the organisation {} (--ods names another), and check --audience (now {}) and both clocks",
            found.status,
            found.said(),
            target.from.as_str(),
            target.organization.as_str(),
            target.audience(),
        )));
    }
    if (metadata.status, found.status) == (400, 400) {
        return Err(SetUp::usage(format!(
            "the Provider does not take the requests of this consumer (400{}): check --from-asid {} and --to-asid {}",
            found.said(),
            target.from.as_str(),
            target.to.as_str(),
        )));
    }
    Ok(())
}

/// A server that is up and says that it, or what stands behind it, cannot serve now: every test would say the same.
fn unavailable(metadata: &Answer, found: &Answer) -> Result<(), SetUp> {
    match found.status {
        502..=504 => Err(SetUp::provider(format!(
            "the Provider does not serve now: a slot search was answered with {}{}, and /metadata with {}; wait until it is \
             ready, and run again",
            found.status,
            found.said(),
            metadata.status,
        ))),
        _ => Ok(()),
    }
}

fn known(found: &Answer, service: &str, flag: &str) -> Result<(), SetUp> {
    match found.status {
        404 => Err(SetUp::usage(format!(
            "the Provider does not know the service {service}{}: give {flag} the DoS id of a service that it offers",
            found.said()
        ))),
        _ => Ok(()),
    }
}

fn slots(session: &mut Session, found: &Answer, service: &str) -> Result<Vec<String>, SetUp> {
    session.find_free();
    let free = session.free.len();
    if free >= SLOTS_NEEDED {
        return Ok(Vec::new());
    }
    if free > 0 {
        return Ok(vec![format!(
            "Service {service} has {} from tomorrow on; tests that find none of the {SLOTS_NEEDED} they need are skipped.",
            counted(free, "free slot", "free slots")
        )]);
    }
    let why = list(&found.resource, "/entry")
        .iter()
        .take(MAX_ENTRIES)
        .filter_map(|e| e.get("resource"))
        .find(|r| text(r, "/resourceType") == "OperationOutcome")
        .map(|r| shortened(text(r, "/issue/0/diagnostics")));
    Err(SetUp::provider(match why {
        Some(why) => format!(
            "the Provider shows this consumer no slot of service {service} ({why}): give the organisation {} the right to book there",
            session.target.organization.as_str()
        ),
        None => format!(
            "service {service} has no free slot from tomorrow on: open at least {SLOTS_NEEDED} slots there, or give --service another one"
        ),
    }))
}

/// The services that some tests need beside the first.
fn other_services(session: &mut Session, tests: &[&Test]) -> Result<(), SetUp> {
    let chosen = |part: &str| tests.iter().any(|t| t.id.contains(part));
    let target = session.target;
    if let Some(empty) = target.service_empty.as_ref().filter(|_| chosen("NoSlots"))
        && let Some(found) = search(session, empty.as_str())
        && found.status == 200
        && found.total().is_some_and(|total| total > 0)
    {
        return Err(SetUp::usage(format!(
            "service {} has free slots: give --service-empty a service that has none",
            empty.as_str()
        )));
    }
    if let Some(bare) = target
        .service_slots_only
        .as_ref()
        .filter(|_| chosen("lotsOnly") || chosen("slots_only"))
        && let Some(found) = search(session, bare.as_str())
    {
        known(&found, bare.as_str(), "--service-slots-only")?;
        if found.status == 200 && found.total() == Some(0) {
            return Err(SetUp::provider(format!(
                "service {} has no free slot from tomorrow on: open slots there, or give --service-slots-only another one",
                bare.as_str()
            )));
        }
    }
    Ok(())
}

/// Books one slot and cancels it: a consumer may be known and still not allowed to book.
fn may_book(session: &mut Session) -> Result<(), SetUp> {
    let Ok(slot) = session.take_slot() else {
        return Ok(());
    };
    let message = session.booking(&slot);
    let request = session.book(&message);
    let exchanged = session.exchange(&request, "look whether this consumer may book");
    let answer = answer::read(&exchanged);
    session.test_ended();
    match answer {
        Some(a) if matches!(a.status, 401 | 403) => Err(SetUp::provider(format!(
            "the Provider does not let this consumer book ({}{}): give the ASID {} and the organisation {} the right to book there",
            a.status,
            a.said(),
            session.target.from.as_str(),
            session.target.organization.as_str(),
        ))),
        _ => Ok(()),
    }
}
