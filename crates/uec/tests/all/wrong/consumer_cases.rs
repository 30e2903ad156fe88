//! The mistakes of `consumer.py`, where each is walked, and the requirement that its finding has to name.

/// One mistake.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name in `consumer_faults.py`; empty: none is made.
    pub fault: &'static str,
    /// What is walked: scenario ids as `consumer.py --walk` takes them.
    pub walk: &'static str,
    /// A requirement id of the finding.
    pub requirement: &'static str,
    /// It shows only with the national services in front.
    pub is_national: bool,
    /// How it is judged.
    pub weight: Weight,
}

/// How a mistake is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// It breaks a MUST: an error.
    Fault,
    /// It breaks a SHOULD: a warning is enough.
    Should,
    /// A Provider takes it, and the report of the published test kit shows it as wrong: advice and nothing more.
    Advice,
    /// NHS Digital's own consumer does so: a note and nothing more.
    Remark,
}

/// Search, book, read, cancel.
pub const HAPPY: &str = "999999999";
/// The same, and the booking is moved.
pub const REBOOK: &str = "999999999+rebook";
/// Two patients.
pub const TWO_CASES: &str = "999999999,999999993";

const fn case(fault: &'static str, walk: &'static str, requirement: &'static str) -> Case {
    Case {
        fault,
        walk,
        requirement,
        is_national: false,
        weight: Weight::Fault,
    }
}

const fn should(fault: &'static str, walk: &'static str, requirement: &'static str) -> Case {
    Case {
        weight: Weight::Should,
        ..case(fault, walk, requirement)
    }
}

const fn advice(fault: &'static str, walk: &'static str, requirement: &'static str) -> Case {
    Case {
        weight: Weight::Advice,
        ..case(fault, walk, requirement)
    }
}

const fn remark(fault: &'static str, walk: &'static str, requirement: &'static str) -> Case {
    Case {
        weight: Weight::Remark,
        ..case(fault, walk, requirement)
    }
}

const fn national(fault: &'static str, walk: &'static str, requirement: &'static str) -> Case {
    Case {
        is_national: true,
        ..case(fault, walk, requirement)
    }
}

/// A walk without a mistake.
pub const fn right(walk: &'static str) -> Case {
    case("", walk, "")
}

/// How the right consumer walks a scenario.
pub fn right_walk(scenario: &str) -> String {
    match scenario {
        "999999999" | "999999956" => format!("{scenario}+rebook"),
        "999999941" | "999999942" | "999999943" => format!("{scenario}+refer"),
        _ => scenario.to_owned(),
    }
}

/// Seconds after which the consumer gives up where no answer will come; a busy machine needs some for the others.
pub const SILENT: &str = "4";

/// How many seconds the consumer waits for an answer: little where none will come, much where a slow machine is at work.
pub fn patience(walk: &str) -> &'static str {
    let silent = ["999999962", "999999977", "999999989"];
    if silent.iter().any(|s| walk.contains(s)) {
        SILENT
    } else {
        "30"
    }
}

/// All mistakes, in the order of `consumer_faults.py`.
#[rustfmt::skip] // a mistake a line
pub const CASES: &[Case] = &[
    // Token.
    case("token-long-life", HAPPY, "NAT-JWT-06"),
    case("token-expired", HAPPY, "NAT-JWT-06"),
    case("token-times-in-ms", HAPPY, "NAT-JWT-05"),
    case("token-iat-ahead", HAPPY, "NAT-JWT-05"),
    case("token-iat-text", HAPPY, "NAT-JWT-05"),
    case("aud-with-path", HAPPY, "NAT-JWT-04"),
    case("aud-of-another", HAPPY, "NAT-JWT-04"),
    case("iss-missing", HAPPY, "NAT-JWT-02"),
    case("sub-missing", HAPPY, "NAT-JWT-03"),
    case("sub-not-practitioner", HAPPY, "NAT-JWT-03"),
    case("reason-missing", HAPPY, "NAT-JWT-07"),
    case("reason-wrong", HAPPY, "NAT-JWT-07"),
    case("scope-missing", HAPPY, "NAT-JWT-08"),
    case("scope-always-read", HAPPY, "NAT-JWT-08"),
    case("scope-always-write", HAPPY, "NAT-JWT-08"),
    case("device-missing", HAPPY, "NAT-JWT-09"),
    case("device-without-model", HAPPY, "NAT-JWT-09"),
    case("organization-missing", HAPPY, "NAT-JWT-10"),
    case("organization-without-ods", HAPPY, "NAT-JWT-10"),
    case("practitioner-without-name", HAPPY, "NAT-JWT-11"),
    advice("practitioner-without-sds-user", HAPPY, "NAT-JWT-11"),
    advice("practitioner-without-role", HAPPY, "NAT-JWT-11"),
    advice("practitioner-without-local-id", HAPPY, "NAT-JWT-11"),
    case("token-without-last-dot", HAPPY, "NAT-JWT-01"),
    case("token-signed", HAPPY, "NAT-JWT-01"),
    case("token-padded", HAPPY, "NAT-JWT-01"),
    // Headers.
    case("ssp-from-missing", HAPPY, "C23"),
    case("ssp-from-with-prefix", HAPPY, "C23"),
    case("ssp-to-missing", HAPPY, "C24"),
    case("ssp-to-fixed", HAPPY, "C24"),
    case("asids-swapped", HAPPY, "C23"),
    case("trace-missing", HAPPY, "C25"),
    case("trace-upper-case", HAPPY, "C25"),
    case("trace-not-uuid", HAPPY, "C25"),
    case("trace-always-same", TWO_CASES, "C25"),
    case("interaction-missing", HAPPY, "C26"),
    case("interaction-of-gpconnect", HAPPY, "C26"),
    case("interaction-always-search", HAPPY, "C26"),
    case("interaction-create-for-cancel", HAPPY, "C26"),
    case("authorization-missing", HAPPY, "NAT-JWT-01"),
    case("authorization-without-bearer", HAPPY, "NAT-JWT-01"),
    advice("accept-missing", HAPPY, "C22"),
    advice("accept-listed", HAPPY, "C22"),
    advice("accept-charset-in-capitals", HAPPY, "C22"),
    advice("content-type-charset-in-capitals", HAPPY, "CONS-REQ-05"),
    advice("interaction-read-slot", HAPPY, "C26"),
    case("accept-plain-json", HAPPY, "C22"),
    case("content-type-plain-json", HAPPY, "CONS-REQ-05"),
    case("content-type-xml", HAPPY, "C39"),
    case("request-id-missing", HAPPY, "CONS-REQ-03"),
    case("request-id-not-uuid", HAPPY, "CONS-REQ-03"),
    case("request-id-always-same", REBOOK, "CONS-REQ-03"),
    case("if-match-missing", HAPPY, "CONS-CAN-02"),
    case("if-match-strong", HAPPY, "CONS-CAN-02"),
    case("if-match-unquoted", HAPPY, "CONS-CAN-02"),
    case("if-match-any", HAPPY, "CONS-CAN-02"),
    case("if-match-stale", HAPPY, "CONS-CAN-02"),
    // Query of the slot search.
    advice("colon-of-name-unencoded", HAPPY, "C30"),
    advice("service-in-capitals", HAPPY, "C30"),
    advice("service-by-short-name", HAPPY, "C30"),
    advice("start-lt-and-gt", HAPPY, "C28"),
    advice("escapes-in-lower-case", HAPPY, "C28"),
    advice("time-without-seconds", HAPPY, "C28"),
    advice("status-missing", HAPPY, "C27"),
    advice("status-first", HAPPY, "C27"),
    case("colons-of-time-unencoded", HAPPY, "C19"),
    case("plus-unencoded", HAPPY, "C19"),
    case("plus-as-space", HAPPY, "C28"),
    case("time-without-offset", HAPPY, "C28"),
    case("dates-only", HAPPY, "C28"),
    case("no-latest-start", HAPPY, "C28"),
    case("no-start-at-all", HAPPY, "C28"),
    case("two-latest-starts", HAPPY, "C29"),
    case("start-without-prefix", HAPPY, "C28"),
    case("service-missing", HAPPY, "C30"),
    case("service-by-other-id", HAPPY, "C30"),
    case("status-unknown", HAPPY, "C27"),
    case("unsafe-characters", HAPPY, "C19"),
    // The booking.
    case("id-on-post", HAPPY, "RES-APPT-01"),
    case("version-on-post", HAPPY, "RES-APPT-01"),
    case("profile-missing", HAPPY, "C39"),
    case("language-missing", HAPPY, "C41"),
    case("language-of-another", HAPPY, "C41"),
    case("status-pending", HAPPY, "RES-APPT-05"),
    case("description-missing", HAPPY, "C39"),
    case("start-missing", HAPPY, "C43"),
    case("end-not-of-slot", HAPPY, "C43"),
    case("two-slots", HAPPY, "C43"),
    case("slot-by-url", HAPPY, "C43"),
    case("slot-not-contained", HAPPY, "C43"),
    case("slot-without-profile", HAPPY, "C44"),
    case("slot-left-free", HAPPY, "RES-SLOT-04"),
    case("slot-without-identifier", HAPPY, "C43"),
    case("slot-time-shifted", HAPPY, "C43"),
    case("created-missing", HAPPY, "C45"),
    case("created-date-only", HAPPY, "C45"),
    case("created-without-offset", HAPPY, "C45"),
    case("created-ahead", HAPPY, "C45"),
    case("actor-missing", HAPPY, "C46"),
    case("actor-without-identifier", HAPPY, "C47"),
    case("actor-without-display", HAPPY, "C48"),
    case("actor-of-another", HAPPY, "C47"),
    case("two-participants", HAPPY, "C46"),
    case("supporting-information-missing", HAPPY, "C49"),
    case("patient-not-contained", HAPPY, "C50"),
    case("patient-twice", HAPPY, "C50"),
    case("patient-id-with-slash", HAPPY, "C51"),
    case("patient-reference-mismatch", HAPPY, "C46"),
    case("actor-reference-mismatch", HAPPY, "C52"),
    case("patient-without-profile", HAPPY, "C53"),
    case("nhs-number-unverified", HAPPY, "C54"),
    case("nhs-number-not-official", HAPPY, "C54"),
    case("nhs-number-spaced", HAPPY, "C54"),
    case("nhs-number-check-digit", HAPPY, "C54"),
    case("nhs-number-placeholder", HAPPY, "C54"),
    case("nhs-number-of-our-own", HAPPY, "C55"),
    case("name-missing", HAPPY, "C56"),
    case("name-not-official", HAPPY, "C56"),
    case("name-without-family", HAPPY, "C57"),
    case("name-without-given", HAPPY, "C57"),
    case("name-twice", HAPPY, "C56"),
    case("rank-missing", HAPPY, "C58"),
    case("no-first-rank", HAPPY, "C58"),
    case("two-first-ranks", HAPPY, "C58"),
    case("first-rank-email", HAPPY, "C58"),
    case("phone-international", HAPPY, "C58"),
    case("phone-missing", HAPPY, "C58"),
    case("email-malformed", HAPPY, "C59"),
    case("gender-missing", HAPPY, "C60"),
    case("gender-letter", HAPPY, "C60"),
    case("birth-date-missing", HAPPY, "C61"),
    case("birth-date-british", HAPPY, "C61"),
    case("birth-date-ahead", HAPPY, "C61"),
    case("address-missing", HAPPY, "C62"),
    case("address-not-home", HAPPY, "C63"),
    case("two-home-addresses", HAPPY, "C62"),
    case("postcode-missing", HAPPY, "C64"),
    case("postcode-malformed", HAPPY, "C64"),
    case("document-not-contained", HAPPY, "C65"),
    case("document-twice", HAPPY, "C65"),
    case("supporting-information-mismatch", HAPPY, "C49"),
    case("document-reference-mismatch", HAPPY, "C66"),
    case("document-without-identifier", HAPPY, "C67"),
    case("document-not-uuid", HAPPY, "C67"),
    case("document-without-status", HAPPY, "C68"),
    case("document-without-type", HAPPY, "C69"),
    case("document-of-another-type", HAPPY, "C69"),
    remark("document-indexed-long-ago", HAPPY, "C70"),
    advice("document-attachment-en-gb", HAPPY, "C71"),
    case("document-without-indexed", HAPPY, "C70"),
    case("document-attachment-type", HAPPY, "C71"),
    case("document-without-content", HAPPY, "C71"),
    case("json-broken", HAPPY, "C39"),
    case("json-latin1", HAPPY, "C39"),
    case("json-member-twice", HAPPY, "C39"),
    // The cancelled appointment.
    case("cancel-changes-name", HAPPY, "CONS-CAN-02"),
    case("cancel-changes-description", HAPPY, "CONS-CAN-02"),
    case("cancel-drops-contained", HAPPY, "CONS-CAN-02"),
    case("cancel-drops-identifier", HAPPY, "CONS-CAN-02"),
    case("cancel-as-error", HAPPY, "CONS-CAN-02"),
    case("cancel-stays-booked", HAPPY, "CONS-CAN-02"),
    case("cancel-of-another-id", HAPPY, "CONS-CAN-02"),
    // Order and judgement.
    national("asid-without-prefix", "999999946", "C7"),
    case("books-in-parallel", HAPPY, "CONS-REB-02"),
    case("books-unoffered-slot", HAPPY, "C43"),
    case("books-without-search", HAPPY, "CONS-BOOK-01"),
    case("cancel-by-delete", HAPPY, "ASR-20"),
    case("cancel-by-patch", HAPPY, "ASR-20"),
    case("cancel-with-post", HAPPY, "ASR-20"),
    case("cancel-without-read", HAPPY, "CONS-CAN-02"),
    case("conflict-without-read", "999999972", "CONS-CAN-03"),
    remark("document-always-same", REBOOK, "CONS-REB-06"),
    case("double-slash", HAPPY, "C20"),
    national("endpoint-unchecked", "999999953", "C17"),
    case("error-books-on", "999999963", "C43"),
    national("first-asid", "999999944", "C7"),
    national("first-mhs", "999999951", "C14"),
    national("gpconnect-ignored", "999999950", "C12"),
    national("interactions-ignored", "999999948", "C11"),
    case("lost-answer-given-up", "999999989", "CONS-BOOK-05"),
    case("lost-answer-other-slot", "999999989", "CONS-BOOK-05"),
    case("no-ssp-prefix", HAPPY, "C21"),
    national("referral-of-other-document", "999999942+refer", "REF-CON-02"),
    national("referral-url-with-ssp", "999999942+refer", "REF-CON-03"),
    national("referral-url-with-version", "999999942+refer", "REF-CON-03"),
    national("referral-without-link", "999999942+refer", "REF-CON-04"),
    national("refers-without-booking", "999999942+refer", "C3"),
    case("request-id-new-on-retry", "999999989", "CONS-BOOK-05"),
    should("retry-400", "999999983", "CONS-ERR-04"),
    should("retry-403", "999999984", "CONS-ERR-04"),
    should("retry-422", "999999982", "CONS-ERR-04"),
    case("retry-at-once", "999999987", "NAT-SSP-06"),
    case("retry-changes-body", "999999989", "CONS-REQ-03"),
    case("retry-without-end", "999999987", "NAT-SSP-06"),
    national("sds-mhs-without-interaction", "999999956", "C13"),
    national("sds-query-without-asid", "999999956", "C9"),
    national("sds-skipped", "999999956", "C13"),
    case("taken-slot-again", "999999981", "CONS-BOOK-04"),
    case("taken-without-new-search", "999999981", "CONS-BOOK-04"),
    case("token-reused", HAPPY, "C18"),
];
