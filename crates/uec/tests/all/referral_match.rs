//! Referrals and bookings find each other: before, after, twice, cancelled, never.

use super::referral_fixture::*;
use super::support;
use super::support::{Server, nhs_number, uuid};
use serde_json::{Value, json};
use testkit::{assert_contains, assert_lacks};

/// The appointment's URL as the consumer puts it into a document.
fn url_of(response: &support::Response) -> String {
    let location = response.header("location").expect("Location");
    location
        .split("/_history")
        .next()
        .expect("a part")
        .to_owned()
}

/// Proves: REF-PRO-01, REF-PRO-02, REF-PRO-03, REF-PRO-05, AUD-01, DAT-05, OPS-P1, OPS-P2, OPS-P3
#[test]
fn booking_first() {
    let server = Server::shared(module_path!());
    let (booking, response) = server.booked();
    // CDA has the id in upper case, FHIR in lower.
    let cda = Cda::new(&booking.document_id.to_ascii_uppercase()).booked(&url_of(&response));
    files(server, &cda);
    let shown = show(server, &booking.document_id);
    assert_eq!(shown["state"], "linked", "{shown}");
    assert_eq!(shown["from"], "FX900");
    assert_eq!(shown["case"], booking.document_id);
    assert_eq!(shown["matched"]["by"], "document id");
    assert_eq!(shown["bookings"][0]["appointment"], response.location_id());
    assert!(!listed(server, "--unmatched", &booking.document_id));
    // The clinician opens the document as it was sent, byte for byte.
    assert_eq!(original(server, &booking.document_id), cda.xml());
    // What is there is not overwritten.
    let file = server.folder.join(format!("{}.cda", booking.document_id));
    let show = format!("show '{}' --provider FX101", booking.document_id);
    uec(server, format!("{show} --original '{}'", file.display())).with(1);
}

/// Proves: REF-PRO-02, REF-PRO-04, DAT-05
#[test]
fn document_first() {
    let server = Server::shared(module_path!());
    let booking = server.booking();
    let cda = Cda::new(&booking.document_id.to_ascii_uppercase());
    files(server, &cda);
    assert_eq!(show(server, &booking.document_id)["state"], "unmatched");
    assert!(listed(server, "--unmatched", &booking.document_id));
    let response = server.book(&booking.body()).expect(201);
    let shown = show(server, &booking.document_id);
    assert_eq!(shown["state"], "linked", "{shown}");
    assert_eq!(shown["bookings"][0]["appointment"], response.location_id());
    assert_eq!(shown["matched"]["by"], "document id");
    assert!(!listed(server, "--unmatched", &booking.document_id));
}

/// Proves: REF-PRO-02, REF-PRO-06
#[test]
fn without_a_booking_it_stays_on_the_work_list() {
    let server = Server::shared(module_path!());
    let id = uuid();
    let mut cda = Cda::new(&id);
    cda = cda.booked("https://elsewhere.example.nhs.uk/STU3/1/FX101/Appointment/0198b6a0-0000-7000-8000-00000000ffff");
    files(server, &cda);
    assert!(listed(server, "--unmatched", &id));
}

/// Proves: REF-PRO-06, REF-PRO-05, D-39
#[test]
fn the_url_is_the_second_key() {
    let server = Server::shared(module_path!());
    let (booking, response) = server.booked();
    let url = url_of(&response);
    let id = uuid();
    let mut cda = Cda::new(&id);
    cda.nhs_number = booking.nhs_number.clone();
    // Upper case, a version and a slash at the end are tolerated; the text between the tags is never read; the entry
    // names another appointment and loses against the link.
    let (root, appointment) = url.rsplit_once('/').expect("a URL");
    let href = format!("{root}/{}/_history/1/", appointment.to_ascii_uppercase());
    cda.link = Some((href, "https://other.example/Appointment/1".to_owned()));
    cda.entry = Some(format!("{root}/0198b6a0-0000-7000-8000-00000000aaaa"));
    files(server, &cda);
    let shown = show(server, &id);
    assert_eq!(shown["state"], "linked", "{shown}");
    assert_eq!(shown["matched"]["by"], "appointment URL");
    assert_eq!(shown["case"], booking.document_id);
    assert_eq!(shown["bookings"][0]["appointment"], response.location_id());
    let note = shown["note"].as_str().expect("a note");
    assert!(note.contains("encounter/id/@extension"), "{note}");
    // A cancellation ends this link too.
    server.cancelling(&booking, &response).expect(200);
    assert_eq!(show(server, &id)["state"], "decoupled");
}

/// Proves: REF-PRO-05, REF-PRO-06
#[test]
fn the_coded_entry_is_used_when_there_is_no_link() {
    let server = Server::shared(module_path!());
    let (_, response) = server.booked();
    let id = uuid();
    let mut cda = Cda::new(&id);
    cda.entry = Some(url_of(&response));
    files(server, &cda);
    assert_eq!(show(server, &id)["state"], "linked");
}

/// Proves: REF-PRO-06, PROV-ERR-04
#[test]
fn two_patients_are_never_joined_by_url() {
    let server = Server::shared(module_path!());
    let (booking, response) = server.booked();
    let id = uuid();
    let mut cda = Cda::new(&id).booked(&url_of(&response));
    cda.nhs_number = Some(nhs_number());
    files(server, &cda);
    let shown = show(server, &id);
    assert_eq!(shown["state"], "unmatched", "{shown}");
    assert_contains(shown["note"].to_string(), &["another patient"]);
    // By the document id they belong together as both say, and somebody is told to look.
    let mut cda = Cda::new(&booking.document_id);
    cda.nhs_number = Some(nhs_number());
    files(server, &cda);
    let shown = show(server, &booking.document_id);
    assert_eq!(shown["state"], "linked");
    assert_contains(shown["note"].to_string(), &["NHS number"]);
    // No patient data in lists, nor in logs.
    let number = cda.nhs_number.as_deref().expect("a number");
    assert_lacks(shown.to_string(), &[number]);
    assert_lacks(server.log(), &[number]);
}

/// Proves: REF-PRO-07, DAT-07, OPS-P4
#[test]
fn a_cancelled_booking_decouples() {
    let server = Server::shared(module_path!());
    // The document came before the cancellation.
    let (booking, response) = server.booked();
    files(server, &Cda::new(&booking.document_id));
    server.cancelling(&booking, &response).expect(200);
    let shown = show(server, &booking.document_id);
    assert_eq!(shown["state"], "decoupled", "{shown}");
    assert_eq!(shown["bookings"][0]["status"], "cancelled");
    assert!(shown["bookings"][0]["ended"].is_string());
    assert!(!listed(server, "--unmatched", &booking.document_id));
    // The document comes after it.
    let (booking, response) = server.booked();
    server.cancelling(&booking, &response).expect(200);
    files(server, &Cda::new(&booking.document_id));
    assert_eq!(show(server, &booking.document_id)["state"], "decoupled");
    assert!(!listed(server, "--unmatched", &booking.document_id));
    // And after it, matched by URL only.
    let id = uuid();
    files(server, &Cda::new(&id).booked(&url_of(&response)));
    assert_eq!(show(server, &id)["state"], "decoupled");
}

/// Proves: REF-PRO-01, REF-PRO-02
#[test]
fn twice_is_once() {
    let server = Server::shared(module_path!());
    let id = uuid();
    let message = Itk::new(&Cda::new(&id).xml());
    accepted(server, &message);
    let first = show(server, &id);
    accepted(server, &message);
    // The same document in another message, packed another way.
    let declared = format!("<?xml version=\"1.0\"?>\n{}\n", Cda::new(&id).xml());
    let mut again = Itk::new(&declared);
    again.base64 = true;
    again.compressed = true;
    accepted(server, &again);
    assert_eq!(show(server, &id), first);
    assert_eq!(times_listed(server, "", &id), 1);
    // Other content under the same id is kept aside, and said.
    let mut other = Cda::new(&id.to_ascii_uppercase());
    other.narrative = "Something else".to_owned();
    let said = faulted(server, &Itk::new(&other.xml()), "2200");
    assert!(said.contains("with this id"), "{said}");
    assert!(listed(server, "--quarantined", &id));
    // Another document under a tracking id that was used.
    let fresh = uuid();
    let mut reused = Itk::new(&Cda::new(&fresh).xml());
    reused.tracking.clone_from(&message.tracking);
    let said = faulted(server, &reused, "2200");
    assert!(said.contains("tracking id"), "{said}");
    assert!(listed(server, "--quarantined", &fresh));
    // A fault that is repeated is kept once.
    faulted(server, &reused, "2200");
    assert_eq!(times_listed(server, "--quarantined", &fresh), 1);
    assert_eq!(show(server, &id)["state"], first["state"]);
}

/// Many at the same time, over several connections: filed once.
///
/// Proves: REF-PRO-01, REF-PRO-02
#[test]
fn twice_at_the_same_time_is_once() {
    let server = Server::shared(module_path!());
    let id = uuid();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let message = Itk::new(&Cda::new(&id).xml());
            scope.spawn(move || accepted(server, &message));
        }
    });
    assert_eq!(times_listed(server, "", &id), 1);
}

/// Proves: REF-CON-05, REF-PRO-01
#[test]
fn a_linked_document_is_not_replaced() {
    let server = Server::shared(module_path!());
    let (booking, response) = server.booked();
    files(server, &Cda::new(&booking.document_id));
    let next = uuid();
    let mut replacing = Cda::new(&next);
    replacing.replaces = Some(booking.document_id.to_ascii_uppercase());
    let said = faulted(server, &Itk::new(&replacing.xml()), "2200");
    assert_contains(&said, &["linked to a booking", "book"]);
    assert!(listed(server, "--quarantined", &next), "refused, yet kept");
    assert_eq!(show(server, &booking.document_id)["state"], "linked");
    // Cancelling does not make it replaceable: that needs a new cycle.
    server.cancelling(&booking, &response).expect(200);
    faulted(server, &Itk::new(&replacing.xml()), "2200");
    // One that is linked to nothing can be replaced.
    let (old, new) = (uuid(), uuid());
    files(server, &Cda::new(&old));
    let mut replacing = Cda::new(&new);
    replacing.replaces = Some(old.clone());
    files(server, &replacing);
    let shown = show(server, &old);
    assert_eq!(
        (&shown["state"], &shown["supersededBy"]),
        (&json!("superseded"), &json!(new))
    );
    assert!(!listed(server, "--unmatched", &old) && listed(server, "--unmatched", &new));
}

/// Proves: REF-PRO-06, D-69
#[test]
fn another_organisations_document_is_not_superseded() {
    let server = Server::shared(module_path!());
    let replacing = |old: &str, new: &str, author: &str| {
        let mut cda = Cda::new(new);
        cda.replaces = Some(old.to_owned());
        let xml = cda.xml().replace("extension=\"FX900\"", author);
        accepted(server, &Itk::new(&xml));
    };
    let (other, nobody) = ("extension=\"FX901\"", "nullFlavor=\"UNK\"");
    for author in [other, nobody] {
        // In either order: the document stands, and so does the claim to replace it, with a note.
        let (old, new) = (uuid(), uuid());
        files(server, &Cda::new(&old));
        replacing(&old, &new, author);
        let (late, early) = (uuid(), uuid());
        replacing(&late, &early, author);
        files(server, &Cda::new(&late));
        for stands in [&old, &new, &late, &early] {
            let shown = show(server, stands);
            assert_eq!(shown["state"], "unmatched", "{shown}");
            assert!(shown["supersededBy"].is_null(), "{shown}");
            assert!(listed(server, "--unmatched", stands));
        }
        let note = show(server, &new)["note"].to_string();
        assert!(note.contains("another organisation wrote"), "{note}");
    }
    // Its author replaces it, in either order.
    let (late, early) = (uuid(), uuid());
    replacing(&late, &early, "extension=\"FX900\"");
    files(server, &Cda::new(&late));
    assert_eq!(show(server, &late)["state"], "superseded");
}

/// Proves: REF-PRO-06, AUD-01
#[test]
fn the_quarantine_is_worked_off() {
    let server = Server::shared(module_path!());
    let response = post(server, "/itk/FX101", "text/xml", b"<a><b></a>");
    check_fault(&response, "1000");
    let aside = referrals(server, "quarantine --provider FX101 --json");
    let item = aside
        .as_array()
        .expect("a list")
        .iter()
        .find(|r| r["document"].is_null() && r["bytes"] == 10)
        .expect("it is kept")
        .clone();
    assert_contains(item["reason"]["text"].to_string(), &["well-formed"]);
    let id = item["id"].as_str().expect("id");
    let file = server.folder.join("kept");
    let path = file.to_str().expect("path");
    uec(
        server,
        format!("show {id} --provider FX101 --message '{path}'"),
    )
    .with(0);
    assert_eq!(std::fs::read(&file).expect("written"), b"<a><b></a>");
    let close = format!("quarantine --provider FX101 --close {id} --because 'rang the sender'");
    uec(server, &close).with(0);
    let shown = show(server, id);
    assert_eq!(shown["state"], "closed");
    assert_eq!(shown["closed"]["because"], "rang the sender");
    uec(server, &close).with(1);
}

/// Proves: D-70, NFR-01
#[test]
fn what_a_sender_wrote_forges_no_line_on_a_terminal() {
    let server = Server::shared(module_path!());
    let document = uuid();
    let mut message = Itk::new(&Cda::new(&document).xml());
    // Control characters in an identifier keep a message aside; these are none, and hide or turn round what stands beside.
    message.tracking = format!("{}\u{202e}\u{200b}\u{2028}state         filed", uuid());
    send_itk(server, &message);
    for arguments in [
        format!("show {document} --provider FX101"),
        "list --unmatched --provider FX101".to_owned(),
        format!("show {document} --provider FX101 --json"),
    ] {
        let shown = uec(server, &arguments).with(0);
        let text = shown.stdout;
        let is_seen = |c: char| c == '\n' || booking::foreign::visible(c) == c;
        assert!(text.chars().all(is_seen), "{text:?}");
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            // JSON says exactly what was sent.
            assert_eq!(value["tracking"].as_str(), Some(message.tracking.as_str()));
        }
    }
}
