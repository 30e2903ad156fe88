//! A trial where the real ones run: what is marked `test` and what is not do not see each other.

use serde_json::Value;

use super::support::operations::{answer, apply, declare, get, metric, until, written};
use super::support::server::{entries, matches};
use super::support::{Booking, GP_CLINIC, Response, Server};

/// A consumer on trial.
const TESTER: (&str, &str) = ("918999000077", "FX977");
/// The service of Fernhill that goes on trial.
const ON_TRIAL: &str = "2000000013";

fn search(server: &Server, service: &str, tester: bool) -> Response {
    let call = server.search(&Server::window_query(service, 1, 3));
    let call = match tester {
        true => server.from(call, TESTER),
        false => call,
    };
    call.expect(200)
}

fn slots(response: &Response) -> usize {
    matches(&response.json()).len()
}

fn on_trial(name: &str, consumer: &str) -> Server {
    let server = Server::start(name, true);
    declare(&server, "FX101", |text| {
        let marked = text.replace(
            &format!("id = \"{ON_TRIAL}\"\n"),
            &format!("id = \"{ON_TRIAL}\"\ntest = true\n"),
        );
        assert_ne!(marked, text, "the service is declared");
        let (asid, ods) = TESTER;
        format!(
            "{marked}\n[[consumer]]\nods = \"{ods}\"\nasid = \"{asid}\"\nname = \"Trial 111\"\n\
             test = true\n{consumer}"
        )
    });
    until("the declaration is known", || {
        slots(&search(&server, ON_TRIAL, true)) > 0
    });
    server
}

/// A service that is marked although somebody is booked into it: the consumer that booked can still read and cancel, and
/// nobody books anew.
#[test]
fn what_was_booked_before_the_mark_can_be_cancelled() {
    let server = Server::start("trial-late", true);
    let booking = server.booking();
    let made = server.book(&booking.body()).expect(201);
    declare(&server, "FX101", |text| {
        let line = format!("id = \"{GP_CLINIC}\"\n");
        let marked = text.replace(&line, &format!("{line}test = true\n"));
        assert_ne!(marked, text, "the service is declared");
        marked
    });
    until("the mark is known", || {
        slots(&search(&server, GP_CLINIC, false)) == 0
    });
    let id = made.location_id();
    assert_eq!(answer(&server.read(&id)).status, 200);
    let cancel = server.cancelling(&booking, &made);
    answer(&cancel).with(200);
    server.kill();
}

/// Proves: PROV-SLOT-14, ERR-07, ERR-09
#[test]
fn a_service_on_trial_and_the_real_ones_do_not_see_each_other() {
    let server = on_trial("trial-service", "");
    // A real consumer finds nothing to book, and hears why.
    let hidden = search(&server, ON_TRIAL, false);
    assert_eq!(slots(&hidden), 0);
    let outcome = &entries(&hidden.json(), "outcome")[0];
    let said = outcome["issue"][0]["diagnostics"].as_str().unwrap_or("");
    assert!(said.contains("on trial"), "{said}");
    assert_eq!(entries(&hidden.json(), "include").len(), 0);
    let busy =
        format!("{}&status=busy", Server::window_query(ON_TRIAL, 1, 3)).replace("&status=free", "");
    assert_eq!(slots(&server.search(&busy).expect(200)), 0);
    // A tester sees the trial and not the clinic.
    let shown = search(&server, ON_TRIAL, true);
    let slot = matches(&shown.json())[0].clone();
    assert_eq!(slots(&search(&server, GP_CLINIC, true)), 0);
    assert!(slots(&search(&server, GP_CLINIC, false)) > 0);

    // Booking: each in its own world.
    answer(&server.book(&Booking::of(&slot).body())).with(403);
    let clinic: Value = server.take_slot();
    let real = Booking::of(&clinic);
    answer(&server.from(server.book(&real.body()), TESTER)).with(403);
    let trial = Booking::of(&slot);
    let made = server.from(server.book(&trial.body()), TESTER).expect(201);
    let booked = server.book(&real.body()).expect(201);

    // Reading, history, cancelling, the patient's list: the other world's bookings are not there.
    let (trial_id, real_id) = (made.location_id(), booked.location_id());
    assert_eq!(answer(&server.read(&trial_id)).status, 404);
    assert_eq!(
        answer(&server.from(server.read(&real_id), TESTER)).status,
        404
    );
    assert_eq!(
        answer(&server.from(server.read(&trial_id), TESTER)).status,
        200
    );
    let history = server.read(&format!("{trial_id}/_history"));
    assert_eq!(answer(&history).status, 404);
    let cancel = server.cancelling(&trial, &made);
    assert_eq!(answer(&cancel).status, 404);
    let of_patient = server.appointments_of(&trial);
    of_patient.expect(200).has("/total", 0);
    server.from(of_patient, TESTER).expect(200).has("/total", 1);
    let cancel = server.cancelling(&trial, &made);
    server.from(cancel, TESTER).expect(200);

    // The trial is counted apart.
    let page = get(server.address, "/metrics").expect("a page").text();
    let booked = |traffic| {
        let labels = [
            ("interaction", "book"),
            ("status", "2xx"),
            ("traffic", traffic),
        ];
        metric(&page, "uec_requests_total", &labels)
    };
    assert_eq!(
        (booked("live"), booked("test")),
        (Some(1.0), Some(1.0)),
        "{page}"
    );
    let free = |service, traffic| {
        metric(
            &page,
            "uec_slots_free",
            &[("service", service), ("traffic", traffic)],
        )
    };
    assert!(
        free(ON_TRIAL, "test").is_some() && free(ON_TRIAL, "live").is_none(),
        "{page}"
    );
    server.kill();
}

#[test]
fn a_tester_sees_the_real_ones_only_when_declared() {
    let server = on_trial("trial-live-too", "live_too = true\n");
    assert!(slots(&search(&server, GP_CLINIC, true)) > 0);
    assert!(slots(&search(&server, ON_TRIAL, true)) > 0);
    server.kill();
}

/// A whole provider on trial, and the declaration goes out and in unchanged.
#[test]
fn a_provider_on_trial_hides_all_its_services() {
    let server = Server::start("trial-provider", true);
    declare(&server, "FX101", |text| {
        text.replacen(
            "asid = \"918999000011\"\n",
            "asid = \"918999000011\"\ntest = true\n",
            1,
        )
    });
    until("the declaration is known", || {
        slots(&search(&server, GP_CLINIC, false)) == 0
    });
    let exported = server.uec("provider export --provider FX101");
    let text = exported.stdout;
    assert_eq!(text.matches("test = true").count(), 1, "{text}");
    let file = written(&server.folder, "again.toml", &text);
    server
        .uec(format!("provider apply '{}' --dry-run", file.display()))
        .with(0);
    apply(&server, &file);
    assert_eq!(slots(&search(&server, GP_CLINIC, false)), 0);
    server.kill();
}

/// `live_too` says something of testers only.
#[test]
fn a_mark_that_means_nothing_is_refused() {
    let server = Server::start("trial-nonsense", true);
    let exported = server.uec("provider export --provider FX101");
    let text = exported.stdout;
    let wrong =
        format!("{text}\n[[consumer]]\nods = \"FX978\"\nname = \"Nobody\"\nlive_too = true\n");
    let file = written(&server.folder, "wrong.toml", &wrong);
    let refused = server
        .uec(format!("provider apply '{}'", file.display()))
        .with(2);
    let said = refused.stderr.clone();
    assert!(said.contains("live_too"), "{said}");
    server.kill();
}
