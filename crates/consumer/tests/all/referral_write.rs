//! What the consumer writes: the document, its wrappings, and when it refuses to.

use super::referral_sample::*;
use consumer::referral::{Message, Replacement, Why, Wrapping, write_cda};
use provider::referral::{Wire, read};
use roxmltree::{Document, Node};
use testkit::assert_lacks;
use uuid::Uuid;

const V3: &str = "urn:hl7-org:v3";

fn find<'a, 't>(tree: &'a Document<'t>, name: &str) -> Vec<Node<'a, 't>> {
    tree.descendants()
        .filter(|n| n.tag_name().name() == name)
        .collect()
}

/// Proves: REF-CON-01, REF-CON-02, REF-CON-03, REF-CON-04
#[test]
fn the_document_points_at_its_appointment() {
    let referral = referral();
    let cda = write_cda(&referral);
    let tree = booking::bounded_xml::parse(&cda, booking::bounded_xml::Bounds::nodes(100_000))
        .expect("well-formed");
    let root = tree.root_element();
    assert_eq!(
        (root.tag_name().name(), root.tag_name().namespace()),
        ("ClinicalDocument", Some(V3))
    );
    let child = |name: &str| {
        root.children()
            .find(|n| n.tag_name().name() == name)
            .expect("a child")
    };
    let id = child("id").attribute("root").expect("root");
    assert_eq!(id, referral.document_id.to_string().to_ascii_uppercase());
    assert_eq!(
        child("messageType").attribute("extension"),
        Some("POCD_MT200001GB02")
    );
    let link = find(&tree, "linkHtml");
    assert_eq!(link.len(), 1);
    assert_eq!(
        (link[0].attribute("href"), link[0].text()),
        (Some(URL), Some("Appointment"))
    );
    let encounter = find(&tree, "encounter");
    assert_eq!(encounter.len(), 1);
    let of = |name: &str| {
        encounter[0]
            .children()
            .find(|n| n.tag_name().name() == name)
            .expect("a child")
    };
    assert_eq!(of("id").attribute("extension"), Some(URL));
    assert_eq!(
        of("id").attribute("root"),
        Some("2.16.840.1.113883.2.1.3.2.4.17.541")
    );
    assert_eq!(
        of("code").attribute("codeSystem"),
        Some("2.16.840.1.113883.2.1.3.2.4.17.542")
    );
    assert_eq!(
        of("effectiveTime").attribute("value"),
        Some("203107040830+00")
    );
    assert_eq!(
        of("templateId").attribute("extension"),
        Some("COCD_TP146093GB01#AppointmentReference")
    );
    // Local time for the reader, in summer.
    assert!(cda.contains("on 4 July 2031 at 09:30"), "{cda}");
    // In the hour that comes twice, which of the two it is.
    for (start, told) in [
        ("2031-10-26T00:30:00Z", "on 26 October 2031 at 01:30 BST"),
        ("2031-10-26T01:30:00Z", "on 26 October 2031 at 01:30 GMT"),
    ] {
        let mut twice = referral.clone();
        if let Some(appointment) = &mut twice.appointment {
            appointment.start = start.parse().expect("a time");
        }
        assert!(write_cda(&twice).contains(told), "{told}");
    }
    let family = find(&tree, "family");
    assert_eq!(family[0].text(), Some("O'Test & \"Sons\" <x>"));
    // Written again, it is the same document.
    assert_eq!(write_cda(&referral), cda);
    assert_lacks(format!("{referral:?}{:?}", referral.patient), &["999"]);
}

/// Our own reader and writer agree in every wrapping; the reader is tested with messages of others elsewhere.
///
/// Proves: REF-CON-01, REF-CON-02, REF-CON-04, REF-CON-07, REF-PRO-05
#[test]
fn every_wrapping_is_read_back() {
    let referral = referral();
    let tracking = Uuid::new_v4();
    for (wrapping, wire) in [
        (Wrapping::Itk, Wire::Soap11),
        (Wrapping::ItkBase64, Wire::Soap11),
        (Wrapping::ItkCompressed, Wire::Soap11),
        (Wrapping::FhirJson, Wire::FhirJson),
        (Wrapping::FhirXml, Wire::FhirXml),
    ] {
        let endpoint = endpoint("https://itk.example.nhs.uk/itk", wrapping);
        let message = Message::new(&referral, &endpoint, true, tracking).expect("may be sent");
        let arrived = read(wire, message.body());
        let document = arrived
            .document
            .unwrap_or_else(|r| panic!("{wrapping:?}: {r}"));
        let facts = &document.facts;
        assert_eq!(facts.id, referral.document_id.to_string());
        assert_eq!(
            facts.appointment.as_ref().map(|a| a.url.as_str()),
            Some(URL)
        );
        assert_eq!(facts.nhs_number, referral.patient.nhs_number);
        assert_eq!(facts.author.as_ref().map(|o| o.as_str()), Some("FX900"));
        assert_eq!(facts.recipients[0].as_str(), "FX101");
        assert!(facts.notes.is_empty(), "{:?}", facts.notes);
        let said = arrived.wrapper.tracking.expect("a tracking id");
        assert!(said.eq_ignore_ascii_case(&tracking.to_string()));
        let cda = write_cda(&referral);
        let (_, element) = cda.split_once("?>").expect("a declaration");
        assert!(
            document.element() == element.trim().as_bytes(),
            "{wrapping:?}: byte for byte"
        );
    }
}

/// The FHIR document is FHIR: nothing in its structure is wrong.
///
/// Proves: REF-CON-01, RES-DOC-01
#[test]
fn the_bundle_is_sound() {
    let endpoint = endpoint("https://itk.example.nhs.uk/itk", Wrapping::FhirJson);
    let message = Message::new(&referral(), &endpoint, false, Uuid::new_v4()).expect("may be sent");
    let parsed = fhir::json::parse(message.body(), &fhir::Limits::default()).expect("JSON");
    assert!(!parsed.has_errors(), "{:?}", parsed.issues);
    assert_eq!(parsed.root.str_of("type"), Some("document"));
    let first = parsed.root.at("entry.resource").expect("an entry");
    assert_eq!(first.resource_type(), Some("Composition"));
    assert!(first.get("relatesTo").is_none());
}

/// Proves: REF-CON-05, REF-CON-06, DAT-06
#[test]
fn what_may_not_be_sent() {
    let endpoint = endpoint("https://itk.example.nhs.uk/itk", Wrapping::Itk);
    let refused = |referral, required| {
        Message::new(&referral, &endpoint, required, Uuid::new_v4()).expect_err("refused")
    };
    let mut unbooked = referral();
    unbooked.appointment = None;
    assert!(Message::new(&unbooked, &endpoint, false, Uuid::new_v4()).is_ok());
    let withheld = refused(unbooked, true);
    assert_eq!(withheld.why, Why::BookingRequired);
    assert!(!withheld.retry_safe && withheld.plain.contains("booked"));
    let earlier = |linked| Replacement {
        document_id: Uuid::new_v4(),
        version: 1,
        linked,
    };
    let mut replacing = referral();
    replacing.replaces = Some(earlier(true));
    let withheld = refused(replacing.clone(), false);
    assert_eq!(withheld.why, Why::ReplacesLinked);
    assert!(withheld.next.contains("book again"), "{withheld}");
    replacing.replaces = Some(earlier(false));
    let message = Message::new(&replacing, &endpoint, false, Uuid::new_v4()).expect("may be sent");
    let document = read(Wire::Soap11, message.body()).document.expect("reads");
    let replaced = replacing.replaces.expect("set").document_id.to_string();
    assert_eq!(
        (document.facts.replaces, document.facts.version),
        (Some(replaced), Some(2))
    );
}
