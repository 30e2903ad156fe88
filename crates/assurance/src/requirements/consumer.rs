//! What the SCAL asks of a Consumer on its way to a booking: directory, endpoint, token, headers, search.

use super::Kind;
use super::{Level, Row};

const fn must(id: &'static str, text: &'static str) -> Row {
    Row::new(Kind::Consumer, Level::Must, id, text)
}

const fn may(id: &'static str, text: &'static str) -> Row {
    Row::new(Kind::Consumer, Level::May, id, text)
}

const SCREEN: &str = "Screen of this step, with the directory's answer beside it.";
const FALLBACK: &str =
    "Error log entry and screen: the user is told and the referral goes on without a booking.";
const FALLBACK_WHY: &str = "A set-up fault of one service must never stop the patient's journey: the referral goes on as it did before booking existed.";
const FALLBACK_CHANGE: &str = "Log the fault with service id and ASID, tell the user in plain words, and go on without booking. Send no request to the Provider.";
const SSP_WHY: &str = "The Spine Secure Proxy decides by this whether the message may pass; a wrong value stops every booking.";

/// The rows, in the order of the SCAL.
pub(super) const ROWS: &[Row] = &[
    must("C1, C6", "The ASID of the chosen service's scheduling endpoint is taken from the directory and kept.")
        .numbers(&["C1", "C6"])
        .why("It is the address of the system that holds the slots.")
        .change("Read the endpoint with transport http, format FHIR and interaction Scheduling; take the twelve digits after ASID:.")
        .catalogue(&["CONS-DOS-03", "NAT-DOS-06", "NAT-DOS-07", "NAT-DOS-08"])
        .attach("The directory's answer and the stored value."),
    must("C2", "Where the booking-only attribute is absent, a referral without booking is allowed.")
        .why("Most services still accept patients without an appointment.")
        .change("Treat an absent requirebooking attribute as false.")
        .catalogue(&["CONS-BO-02", "NAT-DOS-09"]).attach("The referral that was sent."),
    must("C3", "Where the booking-only attribute is true, no referral without booking is offered.")
        .why("The service turns away those who come without an appointment.")
        .change("Disable the referral until a booking exists, and say why.")
        .catalogue(&["CONS-BO-01", "CONS-BO-03", "NAT-DOS-09"]).attach("Screen: the referral is not offered."),
    must("C4", "Where the booking-only attribute is false, a referral without booking is allowed.")
        .why("Most services still accept patients without an appointment.")
        .change("Compare the attribute without regard to case; false allows the referral.")
        .catalogue(&["CONS-BO-02", "NAT-DOS-09"]).attach("The referral that was sent."),
    must("C7", "More than one ASID on a service: booking stops and the user sees an error.")
        .why("Guessing one of two could book at the wrong organisation.")
        .change("Count the scheduling endpoints before going on; stop at two.")
        .catalogue(&["CONS-DOS-06"]).attach(SCREEN),
    must("C8", "No ASID on a service: the existing workflow goes on.")
        .why("The service simply cannot be booked electronically yet.")
        .change("Leave booking out, without an error, and go on as before.")
        .catalogue(&["CONS-DOS-05"]).attach(SCREEN),
    must("C9", "The ASID is used to look the system up in SDS.")
        .why("Only SDS knows where the system is and what it can do.")
        .change("Query nhsAs by uniqueIdentifier with the ASID of the directory.")
        .catalogue(&["CONS-SDS-01", "NAT-SDS-02"]).attach("LDAP log."),
    must("C10", "No nhsAs entry: logged, and the journey goes on without booking.")
        .why(FALLBACK_WHY).change(FALLBACK_CHANGE).catalogue(&["CONS-SDS-02", "NAT-SDS-08"]).attach(FALLBACK),
    must("C11", "The interactions read:slot and create:appointment not both there: logged, and on without booking.")
        .why(FALLBACK_WHY).change(FALLBACK_CHANGE).catalogue(&["CONS-SDS-02", "NAT-SDS-08"]).attach(FALLBACK),
    must("C12", "CareConnect and GP Connect interactions both there: logged, and on without booking.")
        .why(FALLBACK_WHY).change(FALLBACK_CHANGE).catalogue(&["CONS-SDS-02", "NAT-SDS-08"]).attach(FALLBACK),
    must("C13", "Party key and interaction together find the nhsMhs entry.")
        .why("One party may hold many endpoints; the interaction picks the right one.")
        .change("Query nhsMhs by nhsMHSPartyKey and nhsMhsSvcIA, with the party key of the first answer.")
        .catalogue(&["CONS-SDS-01", "NAT-SDS-03", "NAT-SDS-04"]).attach("LDAP log."),
    must("C14", "Several nhsMhs entries: logged, and on without booking.")
        .why(FALLBACK_WHY).change(FALLBACK_CHANGE).catalogue(&["CONS-SDS-02", "NAT-SDS-08"]).attach(FALLBACK),
    must("C16", "The endpoint is taken from nhsMHSEndPoint.")
        .why("It is the service root of the Provider, and the audience of every token.")
        .change("Take the value as it is; do not build it from other attributes.")
        .catalogue(&["CONS-SDS-01", "NAT-SDS-03"]).attach("LDAP log."),
    must("C17", "An invalid endpoint: logged, and on without booking.")
        .why(FALLBACK_WHY).change(FALLBACK_CHANGE).catalogue(&["CONS-SDS-02", "NAT-SDS-08"]).attach(FALLBACK),
    must("C18", "Every request carries a complete token of its own, with the scope of its operation: search, book, cancel.")
        .why("The Provider trusts and records who asks by this token alone.")
        .change("Make a new token per request: all mandatory claims, aud the service root, exp five minutes after iat, scope of the operation.")
        .catalogue(&["CONS-REQ-01", "NAT-JWT-01", "NAT-JWT-02", "NAT-JWT-03", "NAT-JWT-04", "NAT-JWT-05", "NAT-JWT-06", "NAT-JWT-07", "NAT-JWT-08", "NAT-JWT-09", "NAT-JWT-10", "NAT-JWT-11"])
        .attach("Three decoded tokens: search, book, cancel."),
    must("C19", "The address is percent-encoded where it has to be, for search, book and cancel.")
        .why("A raw plus sign or space changes the time that is asked for, or breaks the request on its way.")
        .change("Encode : and + of times in query values, and never send characters that an address may not hold.")
        .catalogue(&["CONS-REQ-02", "NAT-SSP-02", "ASR-21"])
        .checks(&["C-ENCOD-URLS"]),
    must("C20", "The slot address is the endpoint, /Slot? and the parameters.")
        .why("Only there does the Provider listen.")
        .change("Join the endpoint of SDS and /Slot? with exactly one slash.")
        .catalogue(&["CONS-SLOT-01", "ASR-20"]),
    must("C21", "The address of the SSP stands in front of every call.")
        .why("Providers accept calls from the proxy alone.")
        .change("Put the SSP's address, one slash and the Provider's whole address together.")
        .catalogue(&["CONS-REQ-02", "NAT-SSP-01"])
        .attach("HTTP log of the calls as they left, in front of the SSP."),
    may("C22", "A format may be asked for by Accept or _format.")
        .why("A Provider that speaks both answers in the one that the consumer reads best.")
        .change("Use one of the exact media types: application/fhir+json or application/fhir+xml.")
        .catalogue(&["CONS-REQ-05", "ASR-21"]),
    must("C23", "Ssp-From is the consumer's own ASID.")
        .why(SSP_WHY).change("Send the twelve digits of the own ASID.")
        .catalogue(&["CONS-REQ-02", "NAT-SSP-03"])
        .checks(&["C-ADD-SSP-FROM-HEAD", "C-ADD-SSP-APP-FROM-HEAD"]),
    must("C24", "Ssp-To is the ASID that the directory gave.")
        .why(SSP_WHY).change("Send the twelve digits taken from the chosen service's endpoint.")
        .catalogue(&["CONS-REQ-02", "NAT-SSP-03"])
        .checks(&["C-ADD-SSP-TO-HEAD", "C-ADD-SSP-APP-TO-HEAD"]),
    must("C25", "Ssp-TraceID is a UUID that leads back to the case.")
        .why("It is the one number by which the help desks of both sides find the same call.")
        .change("Make a lower-case UUID and store it with the case.")
        .catalogue(&["CONS-REQ-02", "NAT-SSP-03", "AUD-05", "RES-GEN-05"])
        .checks(&["C-ADD-SSP-TRACE-ID-HEAD", "C-ADD-SSP-APP-TRACE-ID-HEAD"])
        .attach("The case that belongs to a trace id of this run."),
    must("C26", "Ssp-InteractionID is the interaction of the operation.")
        .why(SSP_WHY).change("Use search:slot, create:appointment, read:appointment and update:appointment for their operations.")
        .catalogue(&["CONS-REQ-02", "NAT-SSP-03"])
        .checks(&["C-ADD-SSP-INTER-ID-HEAD", "C-ADD-SSP-APP-INTER-ID-HEAD"]),
    may("C27", "Free slots alone may be asked for.")
        .why("Without it busy slots come too, and must not be offered.")
        .change("Send status=free.").catalogue(&["CONS-SLOT-02"]),
    must("C28", "The search names the latest start, with le or lt.")
        .why("It is the end of the timeframe in which this patient has to be seen.")
        .change("Send start=le with the time, encoded and with offset.")
        .catalogue(&["CONS-SLOT-01"]).checks(&["C-INC-END-STAR-SEAR-CRIT"]),
    may("C29", "The search may name the earliest start, with ge or gt, usually now.")
        .why("Slots in the past help nobody.")
        .change("Send start=ge with the current time.")
        .catalogue(&["CONS-SLOT-02"]).checks(&["C-INC-BEGIN-STAR-SEAR-CRIT"]),
    must("C30", "The search names the directory's service id.")
        .why("One Provider holds many services; the id picks the one the patient was referred to.")
        .change("Send schedule.actor%3Ahealthcareservice with the service id of the directory.")
        .catalogue(&["CONS-SLOT-01", "ASR-20"]).checks(&["C-INC-HEAL-SER-ID-SEAR-CRIT"]),
    must("C31", "The obligations of the service model have been read and understood.")
        .why("Much of the Standard is about people and process, which no message shows.")
        .change("Sign the declaration of the SCAL.")
        .attach("The signed declaration."),
];
