//! What is asked of the Appointment that a Consumer sends. The numbers come from the test kit; the SCAL's own scripts
//! stop before them.

use super::Kind;
use super::{Level, Row};

const fn must(id: &'static str, text: &'static str) -> Row {
    Row::new(Kind::Consumer, Level::Must, id, text)
}

const PROFILE_WHY: &str = "The Provider refuses what does not keep to the profile, and the patient is left without the booking.";
const IDENTITY_WHY: &str = "By this the Provider knows whom it will see; a wrong or missing value can put data into the wrong record.";
const CONTACT_WHY: &str =
    "When the clinician is late or the line drops, this is how the patient is reached.";
const DOCUMENT_WHY: &str =
    "It joins the booking to the clinical document, so that the clinician reads the right one.";

/// The rows, in the order of the test kit.
pub(super) const ROWS: &[Row] = &[
    Row::new(Kind::Consumer, Level::May, "C31-C34 (includes)", "Schedule, service, practitioner and role may be asked to come with the slots.")
        .numbers(&["C32", "C33", "C34"])
        .why("They tell the patient who will see them, and where.")
        .change("Send the _include parameters that the screens need.")
        .catalogue(&["CONS-SLOT-03"])
        .checks(&["C-INC-SCHEDULE", "C-INC-HEAL-SERV", "C-INC-PRACT", "C-INC-PRACTROLE"]),
    must("C39", "The body is an Appointment that states its profile.")
        .why(PROFILE_WHY).change("Put the CareConnect Appointment profile into meta.profile.")
        .catalogue(&["CONS-BOOK-02", "RES-APPT-02", "RES-GEN-01"]).checks(&["C-POST-INC-APP-RES"]),
    must("C-APP-RES-NOT-ID-VALUE", "A new Appointment has no id.")
        .why("The Provider gives the id; two authors of ids would clash.")
        .change("Leave id out of the POST.").catalogue(&["RES-APPT-01"]),
    must("C-APP-RES-STAT-BOOKED", "A new Appointment has the status booked.")
        .why(PROFILE_WHY).change("Send status booked on POST, cancelled on PUT.").catalogue(&["RES-APPT-05"]),
    must("C41", "The language is en-GB.")
        .why(PROFILE_WHY).change("Send language en-GB.")
        .catalogue(&["RES-APPT-03"]).checks(&["C-APP-RES-LANG-ENG-GB"]),
    must("C43, C44", "Exactly one slot, pointing with # to the contained Slot, which states its profile.")
        .numbers(&["C43", "C44"])
        .why("The Provider finds the slot by this copy; without it nothing can be booked.")
        .change("Contain the Slot of the search result with its id, identifier, schedule and times, and point to it with #.")
        .catalogue(&["RES-APPT-04", "RES-APPT-09", "RES-SLOT-07"])
        .checks(&["C-APP-RES-REFS-ONE-SLOT", "C-APP-RESS-SLOT-REF-CONTD-RES", "C-APP-RES-CONTD-SLOT-RES-CLAIM-META"]),
    must("C45", "created is the current time, with offset.")
        .why("It shows when the patient was promised the appointment.")
        .change("Set created when the request is built.")
        .catalogue(&["RES-APPT-07"]).checks(&["C-APP-RES-APP-CRT-CUR-TIMESTAMP"]),
    must("C46-C48", "One actor, pointing with # to the patient, with official NHS number identifier and readable name.")
        .numbers(&["C46", "C47", "C48"])
        .why(IDENTITY_WHY)
        .change("One participant: reference to the contained Patient, identifier with the NHS number where it is known, display with the full name.")
        .catalogue(&["RES-APPT-12", "RES-APPT-13", "RES-APPT-14", "RES-APPT-15"])
        .checks(&["C-APP-RES-APP-ONE-ACT-RES-REF-CONTD-RES", "C-ACT-RES-CON-SYS-NHS-NO-ACT-RES-ONE-IDENT-USE", "C-ACT-RES-DPLAY-VALUE-FULL-NAME-READ-FORMAT"]),
    must("C49", "One supportingInformation, pointing with # to the contained DocumentReference.")
        .why(DOCUMENT_WHY).change("Point to the contained DocumentReference, once.")
        .catalogue(&["RES-APPT-10", "CONS-BOOK-01"])
        .checks(&["C-REFAL-REF-CONS-CDA-DOC-APP-ONE-SUPP-INFO-REF-CONTD-RES"]),
    must("C50-C53", "One contained Patient, whose local id is the actor's reference, and which states its profile.")
        .numbers(&["C50", "C51", "C52", "C53"])
        .why(IDENTITY_WHY).change("Contain one Patient, with the id that participant.actor.reference names after the #.")
        .catalogue(&["RES-APPT-04", "RES-PAT-01"])
        .checks(&["C-PATIENT-RES-ONE-CONTD", "C-PATIENT-RES-ID-MATCH-ACT-RES-REF", "C-PATIENT-RES-CLAIM-META-SECT"]),
    must("C54, C55", "The NHS number is official and says how it was verified; none is sent if it is unknown.")
        .numbers(&["C54", "C55"])
        .why(IDENTITY_WHY).change("Send the identifier with use, system, ten digits and the verification extension, or leave the identifier out.")
        .catalogue(&["RES-PAT-02", "RES-PAT-03"])
        .checks(&[
            "C-PATIENT-RES-CONS-SYS-NHS-NO-*",
            "C-POST-INC-APP-RES-NHS-NO-CONDT-PATIENT-RES-ONE-IDENT",
            "C-POST-INC-APP-RES-NOT-NHS-NO-CONDT-PATIENT-RES-NOT-IDENT",
        ]),
    must("C56, C57", "One official name with family and given.")
        .numbers(&["C56", "C57"])
        .why(IDENTITY_WHY).change("Send exactly one name, use official, family and at least one given.")
        .catalogue(&["RES-PAT-04"])
        .checks(&["C-PATIENT-RES-ONE-NAME", "C-PATIENT-RES-NAME-OFFI-FAMI-GIVE-NAME-NOT-NULL"]),
    must("C58, C59", "A telephone of rank 1, the patient's or a contact's; email addresses look like one.")
        .numbers(&["C58", "C59"])
        .why(CONTACT_WHY).change("Exactly one contact point of rank 1, system phone, digits and spaces.")
        .catalogue(&["RES-PAT-08", "RES-PAT-09", "RES-RANK-01", "RES-RANK-02", "RES-RANK-03", "RES-RANK-04", "RES-RANK-05"])
        .checks(&["C-PATIENT-RES-CONT-POINT-SYS-*"]),
    must("C60, C61", "Gender and date of birth.")
        .numbers(&["C60", "C61"])
        .why(IDENTITY_WHY).change("Send gender and birthDate, whole and not in the future.")
        .catalogue(&["RES-PAT-05", "RES-PAT-06"])
        .checks(&["C-PATIENT-RES-GENDER-VALUE", "C-PATIENT-RES-DOB-VALUE"]),
    must("C62-C64", "An address; exactly one of use home; a valid postcode.")
        .numbers(&["C62", "C63", "C64"])
        .why(CONTACT_WHY).change("Send one address, use home, with a postcode of the usual form.")
        .catalogue(&["RES-PAT-07"])
        .checks(&["C-PATIENT-RES-ONE-ADDRESS", "C-PATIENT-RES-ONE-ADDRESS-SET-HOME", "C-PATIENT-RES-HOME-ADDRESS-VALID-PCODE"]),
    must("C65-C71", "One contained DocumentReference: id match, identifier, status, type, indexed, attachment.")
        .numbers(&["C65", "C66", "C67", "C68", "C69", "C70", "C71"])
        .why(DOCUMENT_WHY).change("Send the identifier of the document that will follow, status current, type, indexed now, and the attachment's media type and language.")
        .catalogue(&["RES-DOC-01", "RES-DOC-02", "RES-DOC-03", "RES-DOC-04", "RES-DOC-05", "RES-DOC-06"])
        .checks(&["C-DOCREF-RES-*"]),
];
