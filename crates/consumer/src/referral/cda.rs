//! Writes the 111 report as CDA (Integrated Urgent Care Report).

use super::model::{Appointment, Author, Gender, Organisation, Patient, Referral, Section};
use crate::slots::time;
use booking::ids::NhsNumber;
use booking::instant::london;
use booking::systems;
use booking::xml_writer::XmlWriter;
use jiff::Timestamp;
use uuid::Uuid;

/// Roots of template and content ids.
const TEMPLATE: &str = "2.16.840.1.113883.2.1.3.2.4.18.2";
const CONTENT: &str = "2.16.840.1.113883.2.1.3.2.4.18.16";
/// Root of the message type.
const MESSAGE_TYPE: &str = "2.16.840.1.113883.2.1.3.2.4.18.17";
/// Roots of identifiers.
const NHS_NUMBER: &str = "2.16.840.1.113883.2.1.4.1";
const NHS_NUMBER_UNVERIFIED: &str = "2.16.840.1.113883.2.1.3.2.4.18.23";
const ODS: &str = "2.16.840.1.113883.2.1.3.2.4.19.1";
const LOCAL_USER: &str = "2.16.840.1.113883.2.1.3.2.4.18.24";
const CASE: &str = "2.16.840.1.113883.2.1.3.2.4.18.34";
const APPOINTMENT: &str = "2.16.840.1.113883.2.1.3.2.4.17.541";
/// Code systems.
const SNOMED: &str = "2.16.840.1.113883.2.1.3.2.4.15";
const CONFIDENTIALITY: &str = "2.16.840.1.113883.1.11.16926";
const GENDER: &str = "2.16.840.1.113883.2.1.3.2.4.16.25";
const DISPOSITION: &str = "2.16.840.1.113883.2.1.3.2.4.17.325";
const APPOINTMENT_KIND: &str = "2.16.840.1.113883.2.1.3.2.4.17.542";
/// Templates.
const PATIENT_ROLE: &str = "COCD_TP145201GB01#PatientRole";
const ASSIGNED_AUTHOR: &str = "COCD_TP145200GB01#AssignedAuthor";
const ASSIGNED_CUSTODIAN: &str = "COCD_TP145018UK03#AssignedCustodian";
const INTENDED_RECIPIENT: &str = "COCD_TP145202GB01#IntendedRecipient";
const ENCOMPASSING_ENCOUNTER: &str = "COCD_TP146232GB01#EncompassingEncounter";
const SECTION: &str = "COCD_TP146246GB01#Section1";
const APPOINTMENT_REFERENCE: &str = "COCD_TP146093GB01#AppointmentReference";

/// Writes the document. Ids are upper case, as usual in CDA (REF-CON-02).
pub fn write(referral: &Referral) -> String {
    let mut xml = XmlWriter::document();
    xml.start(
        "ClinicalDocument",
        &[
            ("xmlns", "urn:hl7-org:v3"),
            ("xmlns:npfitlc", "NPFIT:HL7:Localisation"),
            ("classCode", "DOCCLIN"),
            ("moodCode", "EVN"),
        ],
    );
    head(&mut xml, referral);
    record_target(&mut xml, &referral.patient);
    author(&mut xml, &referral.author, referral.written_at);
    custodian(&mut xml, &referral.custodian);
    recipient(&mut xml, &referral.recipient, "PRCP");
    for copy in &referral.copies {
        recipient(&mut xml, copy, "TRC");
    }
    related_document(&mut xml, referral);
    encounter(&mut xml, referral);
    body(&mut xml, referral);
    xml.finish()
}

fn head(xml: &mut XmlWriter, referral: &Referral) {
    xml.empty(
        "typeId",
        &[
            ("root", "2.16.840.1.113883.1.3"),
            ("extension", "POCD_HD000040"),
        ],
    );
    xml.empty(
        "npfitlc:messageType",
        &[
            ("root", MESSAGE_TYPE),
            ("extension", systems::DOCUMENT_TYPE_CODE),
        ],
    );
    xml.empty("id", &[("root", &upper(referral.document_id))]);
    xml.empty(
        "code",
        &[
            ("code", "819551000000100"),
            ("codeSystem", SNOMED),
            ("displayName", systems::DOCUMENT_TYPE_DISPLAY),
        ],
    );
    xml.text("title", &[], systems::DOCUMENT_TYPE_DISPLAY);
    xml.empty("effectiveTime", &[("value", &moment(referral.written_at))]);
    xml.empty(
        "confidentialityCode",
        &[
            ("code", "N"),
            ("codeSystem", CONFIDENTIALITY),
            ("displayName", "normal"),
        ],
    );
    // A first version starts its own set.
    let (set, version) = match &referral.replaces {
        None => (referral.document_id, 1),
        Some(earlier) => (earlier.document_id, earlier.version.saturating_add(1)),
    };
    xml.empty("setId", &[("root", &upper(set))]);
    xml.empty("versionNumber", &[("value", &version.to_string())]);
}

fn record_target(xml: &mut XmlWriter, patient: &Patient) {
    xml.start(
        "recordTarget",
        &[("typeCode", "RCT"), ("contextControlCode", "OP")],
    );
    content_id(xml, PATIENT_ROLE);
    xml.start("patientRole", &[("classCode", "PAT")]);
    template_id(xml, PATIENT_ROLE);
    match &patient.nhs_number {
        Some(number) => {
            let root = if patient.verified {
                NHS_NUMBER
            } else {
                NHS_NUMBER_UNVERIFIED
            };
            xml.empty(
                "id",
                &[("root", root), ("extension", NhsNumber::as_str(number))],
            );
        }
        None => xml.empty("id", &[("nullFlavor", "UNK")]),
    }
    if !patient.address.is_empty() || patient.postcode.is_some() {
        xml.start("addr", &[("use", "H")]);
        for line in &patient.address {
            xml.text("streetAddressLine", &[], line);
        }
        if let Some(postcode) = &patient.postcode {
            xml.text("postalCode", &[], postcode);
        }
        xml.end();
    }
    for telephone in &patient.telephones {
        let digits: String = telephone.chars().filter(|c| !c.is_whitespace()).collect();
        xml.empty("telecom", &[("value", &format!("tel:{digits}"))]);
    }
    xml.start(
        "patient",
        &[("classCode", "PSN"), ("determinerCode", "INSTANCE")],
    );
    xml.start("name", &[]);
    if let Some(prefix) = &patient.prefix {
        xml.text("prefix", &[], prefix);
    }
    for given in &patient.given {
        xml.text("given", &[], given);
    }
    xml.text("family", &[], &patient.family);
    xml.end();
    let gender = match patient.gender {
        Gender::Unknown => "0",
        Gender::Male => "1",
        Gender::Female => "2",
        Gender::Other => "9",
    };
    xml.empty(
        "administrativeGenderCode",
        &[("code", gender), ("codeSystem", GENDER)],
    );
    if let Some(born) = patient.birth_date {
        xml.empty(
            "birthTime",
            &[("value", &born.strftime("%Y%m%d").to_string())],
        );
    }
    xml.end();
    if let Some(practice) = &patient.practice {
        organisation(xml, "providerOrganization", practice);
    }
    xml.end();
    xml.end();
}

fn author(xml: &mut XmlWriter, author: &Author, at: Timestamp) {
    xml.start(
        "author",
        &[("typeCode", "AUT"), ("contextControlCode", "OP")],
    );
    content_id(xml, ASSIGNED_AUTHOR);
    xml.empty("time", &[("value", &moment(at))]);
    xml.start("assignedAuthor", &[("classCode", "ASSIGNED")]);
    template_id(xml, ASSIGNED_AUTHOR);
    xml.empty("id", &[("root", LOCAL_USER), ("extension", &author.id)]);
    xml.start("code", &[("nullFlavor", "OTH")]);
    xml.text("originalText", &[], &author.role);
    xml.end();
    xml.start(
        "assignedPerson",
        &[("classCode", "PSN"), ("determinerCode", "INSTANCE")],
    );
    xml.text("name", &[], &author.name);
    xml.end();
    organisation(xml, "representedOrganization", &author.organisation);
    xml.end();
    xml.end();
}

fn custodian(xml: &mut XmlWriter, keeper: &Organisation) {
    xml.start("custodian", &[("typeCode", "CST")]);
    content_id(xml, ASSIGNED_CUSTODIAN);
    xml.start("assignedCustodian", &[("classCode", "ASSIGNED")]);
    template_id(xml, ASSIGNED_CUSTODIAN);
    organisation(xml, "representedCustodianOrganization", keeper);
    xml.end();
    xml.end();
}

fn recipient(xml: &mut XmlWriter, to: &Organisation, kind: &str) {
    xml.start("informationRecipient", &[("typeCode", kind)]);
    content_id(xml, INTENDED_RECIPIENT);
    xml.start("intendedRecipient", &[("classCode", "ASSIGNED")]);
    template_id(xml, INTENDED_RECIPIENT);
    organisation(xml, "receivedOrganization", to);
    xml.end();
    xml.end();
}

fn organisation(xml: &mut XmlWriter, name: &'static str, organisation: &Organisation) {
    xml.start(
        name,
        &[("classCode", "ORG"), ("determinerCode", "INSTANCE")],
    );
    xml.empty(
        "id",
        &[("root", ODS), ("extension", organisation.ods.as_str())],
    );
    xml.text("name", &[], &organisation.name);
    xml.end();
}

fn related_document(xml: &mut XmlWriter, referral: &Referral) {
    let Some(earlier) = &referral.replaces else {
        return;
    };
    xml.start("relatedDocument", &[("typeCode", "RPLC")]);
    xml.start(
        "parentDocument",
        &[("classCode", "DOCCLIN"), ("moodCode", "EVN")],
    );
    xml.empty("id", &[("root", &upper(earlier.document_id))]);
    xml.end();
    xml.end();
}

fn encounter(xml: &mut XmlWriter, referral: &Referral) {
    let encounter = &referral.encounter;
    xml.start("componentOf", &[("typeCode", "COMP")]);
    content_id(xml, ENCOMPASSING_ENCOUNTER);
    xml.start(
        "encompassingEncounter",
        &[("classCode", "ENC"), ("moodCode", "EVN")],
    );
    template_id(xml, ENCOMPASSING_ENCOUNTER);
    xml.empty("id", &[("root", CASE), ("extension", &encounter.case_id)]);
    xml.start("effectiveTime", &[]);
    xml.empty("low", &[("value", &moment(encounter.start))]);
    if let Some(end) = encounter.end {
        xml.empty("high", &[("value", &moment(end))]);
    }
    xml.end();
    xml.empty(
        "dischargeDispositionCode",
        &[
            ("code", &encounter.disposition.code),
            ("codeSystem", DISPOSITION),
            ("displayName", &encounter.disposition.text),
        ],
    );
    xml.end();
    xml.end();
}

/// One section with the disposition, the appointment as a coded entry, and the narrative.
fn body(xml: &mut XmlWriter, referral: &Referral) {
    let disposition = &referral.encounter.disposition;
    xml.start(
        "component",
        &[("typeCode", "COMP"), ("contextConductionInd", "true")],
    );
    xml.start(
        "structuredBody",
        &[("classCode", "DOCBODY"), ("moodCode", "EVN")],
    );
    let outcome = Section {
        title: "Outcome of the triage".to_owned(),
        paragraphs: vec![format!("{} {}", disposition.code, disposition.text)],
    };
    open_section(xml, referral, 0, &outcome.title);
    paragraphs(xml, &outcome.paragraphs);
    if let Some(booked) = &referral.appointment {
        appointment_entry(xml, booked);
    }
    let mut number = 1;
    if let Some(booked) = &referral.appointment {
        appointment_section(xml, referral, booked);
        number += 1;
    }
    for section in &referral.triage {
        open_section(xml, referral, number, &section.title);
        paragraphs(xml, &section.paragraphs);
        xml.end();
        xml.end();
        number += 1;
    }
    xml.end();
    xml.end();
    xml.end();
    xml.end();
}

/// Opens component and section.
fn open_section(xml: &mut XmlWriter, referral: &Referral, number: usize, title: &str) {
    xml.start(
        "component",
        &[("typeCode", "COMP"), ("contextConductionInd", "true")],
    );
    content_id(xml, SECTION);
    xml.start("section", &[("classCode", "DOCSECT"), ("moodCode", "EVN")]);
    template_id(xml, SECTION);
    // Derived from the document's id, so that a repeat has the same text.
    let id = Uuid::new_v5(
        &referral.document_id,
        format!("section {number}").as_bytes(),
    );
    xml.empty("id", &[("root", &upper(id))]);
    xml.text("title", &[], title);
}

fn paragraphs(xml: &mut XmlWriter, paragraphs: &[String]) {
    xml.start("text", &[]);
    for paragraph in paragraphs {
        xml.text("paragraph", &[], paragraph);
    }
    xml.end();
}

/// The coded reference to the appointment (REF-CON-04, first place).
fn appointment_entry(xml: &mut XmlWriter, booked: &Appointment) {
    xml.start(
        "entry",
        &[("typeCode", "COMP"), ("contextConductionInd", "true")],
    );
    content_id(xml, APPOINTMENT_REFERENCE);
    xml.start("encounter", &[("classCode", "ENC"), ("moodCode", "APT")]);
    template_id(xml, APPOINTMENT_REFERENCE);
    xml.empty(
        "id",
        &[("root", APPOINTMENT), ("extension", booked.url.as_str())],
    );
    xml.empty(
        "code",
        &[
            ("code", "01"),
            ("codeSystem", APPOINTMENT_KIND),
            ("displayName", "Patient convenience appointment"),
        ],
    );
    xml.empty("effectiveTime", &[("value", &minute(booked.start))]);
    xml.end();
    xml.end();
}

/// The link for readers (REF-CON-04, second place).
fn appointment_section(xml: &mut XmlWriter, referral: &Referral, booked: &Appointment) {
    let local = booked.start.to_zoned(london());
    let title = format!(
        "Booked appointment with {} on {} at {}",
        booked.service,
        local.strftime("%-d %B %Y"),
        time(booked.start)
    );
    open_section(xml, referral, 1, &title);
    xml.start("text", &[]);
    xml.text("linkHtml", &[("href", booked.url.as_str())], "Appointment");
    xml.end();
    xml.end();
    xml.end();
}

fn content_id(xml: &mut XmlWriter, template: &str) {
    xml.empty(
        "npfitlc:contentId",
        &[("root", CONTENT), ("extension", template)],
    );
}

fn template_id(xml: &mut XmlWriter, template: &str) {
    xml.empty("templateId", &[("root", TEMPLATE), ("extension", template)]);
}

/// A UUID in CDA's form, upper case.
pub(super) fn upper(id: Uuid) -> String {
    id.to_string().to_ascii_uppercase()
}

/// An HL7 v3 time in seconds, UTC.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y%m%d%H%M%S+00").to_string()
}

/// An HL7 v3 time in minutes, UTC.
fn minute(at: Timestamp) -> String {
    at.strftime("%Y%m%d%H%M+00").to_string()
}
