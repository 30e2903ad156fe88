//! The consumer's own referral, sent to the real Provider in every wrapping.

use super::referral_fixture::{show, uec};
use super::support::Server;
use crate::referral_sample;
use consumer::referral::{
    Message, Receipt, Referral, ReferralFailure, Replacement, Retries, Sender, Why, Wrapping,
    write_cda,
};
use uuid::Uuid;

fn send(
    server: &Server,
    referral: &Referral,
    wrapping: Wrapping,
) -> Result<Receipt, ReferralFailure> {
    // A second call finds it installed.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let address = format!("http://{}/itk", server.address);
    let endpoint = referral_sample::endpoint(&address, wrapping);
    let message = Message::new(referral, &endpoint, true, Uuid::new_v4()).expect("may be sent");
    let sender = Sender::new(reqwest::Client::new(), Retries::default());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(sender.send(&message))
}

/// Proves: REF-CON-01, REF-CON-02, REF-CON-03, REF-CON-04, REF-PRO-01, REF-PRO-02, DAT-05
#[test]
fn booked_sent_and_joined_in_every_wrapping() {
    let server = Server::shared(module_path!());
    for wrapping in [
        Wrapping::Itk,
        Wrapping::ItkBase64,
        Wrapping::ItkCompressed,
        Wrapping::FhirJson,
        Wrapping::FhirXml,
    ] {
        let (booking, response) = server.booked();
        let location = response.header("location").expect("Location");
        let url = location.split("/_history").next().expect("a URL");
        let mut referral = referral_sample::referral();
        referral.document_id = booking.document_id.parse().expect("a UUID");
        referral.appointment = Some(referral_sample::appointment(url));
        let receipt = send(server, &referral, wrapping).expect("taken");
        assert_eq!((receipt.tries, receipt.status), (1, 200), "{wrapping:?}");
        send(server, &referral, wrapping).expect("taken again");
        let shown = show(server, &booking.document_id);
        assert_eq!(shown["state"], "linked", "{shown}");
        assert_eq!(shown["appointmentUrl"], url);
        assert_eq!(
            shown["bookings"][0]["appointment"],
            response.location_id(),
            "{wrapping:?}"
        );
        let file = server.folder.join(format!("{wrapping:?}.xml"));
        let path = file.to_str().expect("path");
        let arguments = format!(
            "show '{}' --provider FX101 --original '{path}'",
            booking.document_id
        );
        uec(server, &arguments).with(0);
        let kept = std::fs::read_to_string(&file).expect("written");
        assert!(write_cda(&referral).ends_with(&kept), "{wrapping:?}");
    }
}

/// A consumer that does not know of the link is told.
///
/// Proves: REF-CON-05, REF-PRO-01
#[test]
fn a_replacement_of_a_linked_document_is_refused_in_plain_words() {
    let server = Server::shared(module_path!());
    let (booking, _) = server.booked();
    let mut referral = referral_sample::referral();
    referral.document_id = booking.document_id.parse().expect("a UUID");
    send(server, &referral, Wrapping::Itk).expect("taken");
    let mut next = referral_sample::referral();
    next.replaces = Some(Replacement {
        document_id: referral.document_id,
        version: 1,
        linked: false,
    });
    let unsent = send(server, &next, Wrapping::Itk).expect_err("refused");
    assert_eq!(unsent.why, Why::Refused);
    assert!(!unsent.retry_safe);
    let said = unsent.log.iter().find(|(key, _)| *key == "said");
    assert!(said.is_some_and(|(_, text)| text.contains("linked to a booking")));
    assert_eq!(
        show(server, &next.document_id.to_string())["state"],
        "quarantined"
    );
}
