//! What the SCAL asks of a Provider.

use super::Kind;
use super::{Level, Row};

const fn must(id: &'static str, text: &'static str) -> Row {
    Row::new(Kind::Provider, Level::Must, id, text)
}

const fn should(id: &'static str, text: &'static str) -> Row {
    Row::new(Kind::Provider, Level::Should, id, text)
}

const fn may(id: &'static str, text: &'static str) -> Row {
    Row::new(Kind::Provider, Level::May, id, text)
}

const TOKEN_WHY: &str = "The token says who is asking, for whom and for what. A Provider that accepts a bad one opens \
     its diary and its patients' data to anyone who can reach it.";
const REPORT_WHY: &str =
    "Commissioners judge by these figures whether direct booking works for patients.";
const REPORT_CHANGE: &str =
    "Run the report in the product, for a period with test bookings in it, and attach its output.";
const REPORT_ATTACH: &str = "The data output of the report.";

/// The rows, in the order of the SCAL.
pub(super) const ROWS: &[Row] = &[
    must("P1", "Every request's token is checked whole: its form and every mandatory claim; a bad one is refused with 403.")
        .why(TOKEN_WHY)
        .change("Look at the claim named in the finding. Check the token before anything else is done, and answer 403 with an OperationOutcome that names the claim.")
        .catalogue(&["PROV-HDR-01", "ERR-06", "NAT-JWT-01", "NAT-JWT-02", "NAT-JWT-03", "NAT-JWT-07", "NAT-JWT-09", "NAT-JWT-10", "NAT-JWT-11", "PROV-META-03"]),
    must("P2", "A token counts only between its issue (iat) and its end (exp), give or take a small clock drift.")
        .why("An old token that still opens the door can be replayed by whoever finds it in a log.")
        .change("Compare iat and exp with a synchronised clock; refuse what is expired, from the future, or lives longer than five minutes plus the tolerance.")
        .catalogue(&["NAT-JWT-05", "NAT-JWT-06", "PROV-GEN-18"])
        .checks(&["P-VDATE-INCOM-JWT-CHK-EXP"]),
    must("P3", "A token counts only where its audience (aud) is this Provider's own service root.")
        .why("A token made for another Provider must not open this one.")
        .change("Compare aud with the service root published in SDS; a trailing slash, a list of one and another spelling of the same URL may be forgiven, nothing else.")
        .catalogue(&["PROV-GEN-03", "NAT-JWT-04"])
        .checks(&["P-VDATE-INCOM-JWT-AUDI-CLAIM"]),
    must("P4", "A token counts only for the operation that its scope (requested_scope) allows.")
        .why("A consumer that asked to look at slots must not be able to book or cancel with the same token.")
        .change("Compare requested_scope with the operation: organization/slot.read, patient/appointment.write or patient/appointment.read.")
        .catalogue(&["NAT-JWT-08"])
        .checks(&["P-VDATE-INCOM-JWT-SCOPE-CLAIM"]),
    must("P5", "The audit log shows where each request came from, as its token says.")
        .why("After an incident it has to be clear who saw or changed what.")
        .change("Store organisation, user, device and issuer of the token with every audit row.")
        .catalogue(&["NAT-JWT-12", "AUD-01", "AUD-02", "AUD-03", "AUD-05", "PROV-BOOK-12"])
        .attach("Audit log extract of the run: match its rows by the X-Request-ID and Ssp-TraceID of the messages here."),
    may("P7", "Staff can set which organisations or roles may do what.")
        .why("A service must be able to keep its capacity for those it was commissioned for.")
        .change("If the product offers such rules, refuse with 403 and say why.")
        .catalogue(&["PROV-CAN-08", "ERR-07", "PROV-SLOT-21"])
        .attach("Screen of the settings, and the log of a request refused by them; or a declaration that there are none."),
    must("P8", "The CapabilityStatement is given on demand.")
        .why("Consumers read from it which version is spoken and what can be asked.")
        .change("Serve GET metadata under the service root, with the content that the catalogue lists.")
        .catalogue(&["PROV-INT-01", "PROV-META-01", "PROV-META-02", "PROV-GEN-02", "RES-CAP-01", "RES-CAP-02", "RES-CAP-03", "RES-CAP-04", "RES-CAP-05", "RES-CAP-06", "NFR-09"]),
    should("P9", "Answers come in XML or JSON as header or parameter ask; JSON if neither does.")
        .why("A consumer that reads only one of the two cannot show what comes in the other.")
        .change("_format wins over Accept, Accept over the request's Content-Type, and JSON is what is left. State the charset.")
        .catalogue(&["PROV-GEN-07", "PROV-GEN-08", "PROV-GEN-09", "PROV-GEN-10", "PROV-GEN-11", "PROV-GEN-12", "ERR-14"])
        .checks(&["P-FORMAT-XML-JSON"]),
    must("P10", "A slot request names a service, and one that this Provider knows.")
        .why("Slots of the wrong service send a patient to the wrong place.")
        .change("Without a service answer 400; for an id that no diary is mapped to answer 404 and name the id.")
        .catalogue(&["PROV-SLOT-01", "PROV-SLOT-02", "PROV-SLOT-22", "ERR-08"])
        .attach("Screen of the mapping from directory services to diaries."),
    must("P11-P13", "All matching slots come in one Bundle with what was asked for, each resource once, and each Schedule names its HealthcareService.")
        .numbers(&["P11", "P12", "P13"])
        .why("Consumers show what is there and cannot ask again: a missing or doubled resource becomes a missing or doubled line on a call handler's screen.")
        .change("Build the Bundle from the set of resources that the slots point to; total counts slots only; every Schedule has exactly one HealthcareService actor.")
        .catalogue(&["PROV-INT-02", "PROV-SLOT-12", "PROV-SLOT-13", "PROV-SLOT-14", "PROV-SLOT-15", "PROV-SLOT-16", "PROV-SLOT-18", "RES-SCH-01", "RES-SCH-02"])
        .checks(&["P-CRT-RES-MORE-SLOT-ONCE-BUND"]),
    must("P14", "Each Slot states its profile, schedule, start and end with offset, and is free if free ones were asked for.")
        .numbers(&["P14", "P18"])
        .why("A slot without a clear time, or one that is not free, cannot be offered to a patient on the telephone.")
        .change("Compare the Slot named in the finding with the profile: meta.profile, schedule reference, instants with Z or an offset, status.")
        .catalogue(&["PROV-SLOT-07", "RES-SLOT-01", "RES-SLOT-02", "RES-SLOT-03", "RES-SLOT-04", "RES-SLOT-05", "RES-GEN-01", "RES-GEN-02", "RES-GEN-04"])
        .checks(&["P-CRT-RES-RET-SLOT-META-PROF", "P-CRT-RES-RET-SLOT-START-TIMESTAMP-UTC-OFFSET", "P-CRT-RES-RET-SLOT-END-TIMESTAMP-UTC-OFFSET", "P-CRT-RES-RET-SLOT-STAT-FREE"]),
    must("P19", "What was asked to be included is there: practitioner, role, HealthcareService and the organisation that provides it.")
        .numbers(&["P19", "P20", "P21", "P22"])
        .why("The patient wants to know who will see them and where.")
        .change("Follow every reference of the returned Schedules and HealthcareServices, and put the resource into the Bundle when its include was asked for.")
        .catalogue(&["PROV-SLOT-08", "PROV-SLOT-09", "PROV-SLOT-17", "RES-HCS-01", "RES-HCS-02", "RES-HCS-03", "RES-PRA-01", "RES-PRA-02", "RES-ROL-01", "RES-ROL-02"])
        .checks(&["P-CRT-RES-PRACT-REQ-SLOT-INC-BUND", "P-CRT-RES-PRACTROLE-REQ-SLOT-INC-BUND", "P-CRT-RES-HEAL-SERV-REQ-SLOT-INC-BUND", "P-CRT-RES-ACT-REQ-SLOT-INC-BUND"]),
    must("P23", "Slots lie within the time limits that were asked for.")
        .why("The time limit is how soon this patient has to be seen: a slot beyond it may be unsafe.")
        .change("Filter on Slot.start, all bounds together, comparing instants and not strings.")
        .catalogue(&["PROV-SLOT-03", "PROV-SLOT-04", "PROV-SLOT-05", "PROV-SLOT-06"])
        .checks(&["P-CRT-RES-SLOT-RET-MEET-TIME"]),
    should("P-CRT-RES-RET-SLOT-INC-DELI-CHAN-EXT-POP", "The delivery channel of a slot is stated when it is known.")
        .why("A patient who waits by the telephone for a visit in person misses it.")
        .change("Send the delivery channel extension when the diary knows it; never a default.")
        .catalogue(&["PROV-SLOT-23", "RES-SLOT-06"]),
    must("P24", "A booking is one atomic transaction, made by one request.")
        .why("A booking half made leaves a patient without an appointment or an appointment without a patient.")
        .change("Slot, appointment and audit row change together or not at all; of two bookings of one slot at the same time exactly one may succeed.")
        .catalogue(&["PROV-BOOK-01", "PROV-BOOK-03"]),
    must("P25", "The booked slot becomes busy and the appointment is recorded.")
        .why("Otherwise the same slot is offered to the next patient.")
        .change("Set the slot busy in the transaction of the booking, and show the appointment in the diary.")
        .catalogue(&["PROV-BOOK-08"])
        .attach("Screens of the diary before and after a booking."),
    must("P26", "A booking is answered with 201 and the booked Appointment with its new id, and Location says where it is.")
        .why("The consumer puts this address into the referral; without it nobody can find or cancel the booking.")
        .change("Answer 201 with the stored Appointment, Location absolute with /_history/, ETag, and X-Correlation-ID equal to the request's X-Request-ID.")
        .catalogue(&["PROV-INT-03", "PROV-BOOK-02", "PROV-BOOK-04", "PROV-BOOK-05", "PROV-BOOK-06", "PROV-BOOK-07", "PROV-BOOK-09", "PROV-BOOK-10", "PROV-HDR-11", "PROV-HDR-13", "PROV-HDR-14", "PROV-HDR-15"])
        .checks(&["P-BOOK-APP-RES-CRT-CODE-RET-NEW-ID", "P-BOOK-APP-LOCA-HEAD-RELA-ABSOL-VALUE"]),
    must("P27", "The id of an appointment is unique for ever; a UUID is suggested.")
        .why("Two appointments of one id would mix two patients.")
        .change("Make ids from a UUID; never use one again, not even after a cancellation.")
        .catalogue(&["PROV-GEN-15"])
        .attach("Design note on how ids are made."),
    must("P29", "A slot that is no longer free is refused with 422 and one issue: error, processing, \"Processing Failure\", \"Slot no longer available\".")
        .why("The consumer tells this refusal from others by these words, and offers the call handler the remaining slots.")
        .change("Answer exactly the coding and the diagnostics of the catalogue's slot-taken row.")
        .catalogue(&["PROV-BOOK-03", "ERR-15"])
        .checks(&["P-BOOK-APP-SLOT-NOT-FREE-*"]),
    must("P31", "A cancellation is accepted as submitted, versions are kept, and the answer is 200 with Last-Modified and the ETag of the new version.")
        .why("A slot that is given back can help another patient; and it has to stay visible who cancelled what.")
        .change("On PUT compare If-Match with the current version, allow only status to change, store a new version, free the slot, and answer 200 with the new ETag and Last-Modified.")
        .catalogue(&["PROV-INT-04", "PROV-INT-05", "PROV-INT-07", "PROV-CAN-01", "PROV-CAN-02", "PROV-CAN-03", "PROV-CAN-04", "PROV-CAN-05", "PROV-CAN-06", "PROV-CAN-07", "PROV-CAN-09", "PROV-READ-01", "PROV-READ-02", "PROV-READ-03", "PROV-READ-04", "PROV-HDR-06", "ERR-12", "ERR-13", "ERR-19", "ERR-20"])
        .checks(&["P-CAN-APP-RET-OK-CODE-LAST-MOD-ETAG-HEAD-VERS-ID"]),
    must("P35", "A malformed request is logged as the consumer's fault, with the organisation it came from.")
        .why("The supplier of the faulty consumer has to be told, and by whom patients were let down.")
        .change("Write a log row with fault party, organisation and ASID for every 400 and 422 of form.")
        .catalogue(&["PROV-ERR-03", "AUD-06"])
        .attach("Log extract that shows the malformed requests of this run."),
    must("P36", "Every answer of 400 and above carries an OperationOutcome with id, severity and code.")
        .numbers(&["P36", "P37"])
        .why("Without it the consumer cannot tell its user what to do next, nor can the two help desks find the same event.")
        .change("Answer every error, those of the framework and the proxy too, with an OperationOutcome of the Standard's form.")
        .catalogue(&["PROV-GEN-16", "PROV-GEN-17", "PROV-ERR-01", "PROV-ERR-02", "PROV-ERR-04", "PROV-HDR-02", "PROV-HDR-03", "PROV-HDR-04", "PROV-HDR-05", "PROV-INT-09", "PROV-SLOT-11", "ERR-01", "ERR-02", "ERR-03", "ERR-04", "ERR-05", "ERR-09", "ERR-10", "ERR-11", "ERR-16", "ERR-17", "ERR-18", "ERR-21", "ERR-22", "ERR-23", "PROV-BOOK-11"]),
    must("P38", "Report rep-prov-01: how many appointments were booked.")
        .why(REPORT_WHY).change(REPORT_CHANGE).catalogue(&["REP-P-01", "REP-G-02"]).attach(REPORT_ATTACH),
    must("P39", "Report rep-prov-02: appointments booked against referrals received.")
        .why(REPORT_WHY).change(REPORT_CHANGE).catalogue(&["REP-P-02", "REP-G-02"]).attach(REPORT_ATTACH),
    must("P40", "Report rep-prov-03: appointments booked against slots made available.")
        .why(REPORT_WHY).change(REPORT_CHANGE).catalogue(&["REP-P-03", "REP-G-02"]).attach(REPORT_ATTACH),
    must("P41", "Report rep-prov-04: referrals received without an appointment.")
        .why(REPORT_WHY).change(REPORT_CHANGE).catalogue(&["REP-P-04", "REP-G-02"]).attach(REPORT_ATTACH),
    must("P42", "Report rep-prov-05: appointments cancelled after they were booked.")
        .why(REPORT_WHY).change(REPORT_CHANGE).catalogue(&["REP-P-05", "REP-G-02"]).attach(REPORT_ATTACH),
];
