//! The rules that every request of a consumer is judged by (ASR-21, and the consumer chapter), as one table.

/// Requirement ids.
pub(super) type Ids = &'static [&'static str];

/// One rule.
#[derive(Debug)]
pub struct RuleRow {
    /// The TKW name where there is one, otherwise ours.
    pub id: &'static str,
    /// What it asks, in plain words.
    pub title: &'static str,
    /// Requirement ids: rows of the SCAL first.
    pub requirements: Ids,
    /// How to repair what breaks it.
    pub right: &'static str,
    /// What has to be seen before it can be judged.
    pub needs: &'static str,
}

macro_rules! rules {
    ($($rule:ident, $id:literal, $title:literal, [$($req:literal),*], $right:literal, $needs:literal;)+) => {
        /// A rule, as the code names it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(super) enum Rule { $($rule),+ }

        /// Every rule, in the order of the report.
        pub(super) static ALL: &[Rule] = &[$(Rule::$rule),+];

        static TABLE: &[RuleRow] = &[$(RuleRow {
            id: $id, title: $title, requirements: &[$($req),*], right: $right, needs: $needs,
        }),+];
    };
}

#[rustfmt::skip] // a rule an entry
rules! {
    // Addresses.
    Reachable, "Address_Known", "Every request goes to a path of the Standard, with its method",
        ["C20", "ASR-20"], "GET metadata, Slot?…, Appointment/[id]; POST Appointment; PUT Appointment/[id], below the service root.", "any request";
    ThroughSsp, "Address_ThroughSsp", "The address of the SSP stands in front of every call",
        ["C21", "NAT-SSP-01", "CONS-REQ-02"], "The SSP's address, one slash, and the Provider's whole address.", "a request over the SSP (set --national, or the simulator's own address as the SSP)";
    Encoded, "C-ENCOD-URLS", "Addresses are percent-encoded: no < > { } | \\ ^ ` and no raw : or + in times",
        ["C19", "ASR-21", "NAT-SSP-02", "CONS-REQ-02"], "Encode query values by RFC 3986; : is %3A, + is %2B.", "any request";
    SlotAddress, "Address_Slot", "The slot address is the endpoint, /Slot? and the parameters",
        ["C20", "CONS-SLOT-01", "ASR-20"], "[ssp]/[root]/Slot?…, with exactly one slash at each join.", "a slot search";
    // Headers.
    SspFrom, "C-ADD-SSP-FROM-HEAD", "Ssp-From is the consumer's own ASID",
        ["C23", "NAT-SSP-03", "CONS-REQ-02"], "Once, the twelve digits of the own ASID.", "any request";
    SspTo, "C-ADD-SSP-TO-HEAD", "Ssp-To is the ASID that the directory names",
        ["C24", "NAT-SSP-03", "CONS-REQ-02"], "Once, the twelve digits of the service's endpoint in the directory.", "any request";
    SspTrace, "C-ADD-SSP-TRACE-ID-HEAD", "Ssp-TraceID is a UUID in lower case",
        ["C25", "NAT-SSP-03", "RES-GEN-05"], "Once, a UUID in lower case.", "any request";
    TraceOfCase, "TraceId_OneCase", "A trace id leads back to one case",
        ["C25", "NAT-SSP-03"], "A new trace id per request, or at least per patient call.", "two bookings";
    SspInteraction, "C-ADD-SSP-INTER-ID-HEAD", "Ssp-InteractionID is the interaction of the operation",
        ["C26", "NAT-SSP-03"], "urn:nhs:names:services:careconnect:fhir:rest: and search:slot, create:appointment, read:appointment, update:appointment.", "any request";
    Accept, "Accept_Form", "Accept has one of the exact forms",
        ["C22", "ASR-21", "CONS-REQ-05"], "application/fhir+json or application/fhir+xml, with or without ;charset=utf-8; or _format.", "a request with Accept or _format";
    ContentType, "ContentType_Form", "Content-Type has one of the exact forms",
        ["ASR-21", "CONS-REQ-05"], "application/fhir+json;charset=utf-8", "a booking or cancellation";
    RequestId, "RequestId_Present", "Every booking and cancellation has an X-Request-ID, a UUID",
        ["CONS-REQ-03", "PROV-HDR-05", "ASR-20", "ASR-21"], "X-Request-ID with a new UUID per request.", "a booking or cancellation";
    RequestIdNew, "RequestId_New", "A different request has a different X-Request-ID",
        ["CONS-REQ-03"], "A new UUID for every request; the same one only for a retry of the identical request.", "two bookings or cancellations";
    RequestIdKept, "RequestId_Kept", "A retry keeps the X-Request-ID and the body",
        ["CONS-REQ-03", "CONS-BOOK-05"], "The identical request under the same X-Request-ID: otherwise the patient may be booked twice.", "a retry after a lost answer";
    // Token.
    JwtForm, "Token_Form", "Every request carries an unsecured token of three parts, the third empty",
        ["C18", "NAT-JWT-01", "CONS-REQ-01", "ASR-21"], "Authorization: Bearer, then base64url header {\"alg\":\"none\",\"typ\":\"JWT\"}, payload, and nothing behind the last dot.", "any request";
    JwtOwn, "Token_Own", "Every request has a token of its own",
        ["C18", "CONS-REQ-01"], "Make a new token for each request.", "two requests";
    JwtIss, "Token_iss", "iss is the address of the consumer's endpoint",
        ["C18", "NAT-JWT-02"], "The URL of the consumer's Spine endpoint.", "a request with a readable token";
    JwtSub, "Token_sub", "sub is the user, as in requesting_practitioner",
        ["C18", "NAT-JWT-03"], "The user's id; equal to requesting_practitioner.id when that claim is sent.", "a request with a readable token";
    JwtAud, "Token_aud", "aud is the Provider's service root as SDS has it",
        ["C18", "NAT-JWT-04"], "The value of nhsMHSEndPoint, without a resource behind it and without the SSP in front.", "a request with a readable token";
    JwtIat, "Token_iat", "iat is now, in whole seconds",
        ["C18", "NAT-JWT-05"], "The Unix time in seconds (10 digits, a number) when the token is made.", "a request with a readable token";
    JwtExp, "Token_exp", "exp is iat and 300 seconds, and not over",
        ["C18", "NAT-JWT-06"], "iat + 300.", "a request with a readable token";
    JwtReason, "Token_reason_for_request", "reason_for_request is directcare",
        ["C18", "NAT-JWT-07"], "directcare", "a request with a readable token";
    JwtScope, "Token_requested_scope", "requested_scope suits the operation",
        ["C18", "NAT-JWT-08"], "organization/slot.read to search, patient/appointment.write to book and cancel, patient/appointment.read to read.", "a request with a readable token";
    JwtDevice, "Token_requesting_device", "requesting_device names the system",
        ["C18", "NAT-JWT-09"], "A Device with identifier (system and value), model and version.", "a request with a readable token";
    JwtOrganization, "Token_requesting_organization", "requesting_organization names the user's organisation",
        ["C18", "NAT-JWT-10"], "An Organization with name and ODS code (https://fhir.nhs.uk/Id/ods-organization-code).", "a request with a readable token";
    JwtPractitioner, "Token_requesting_practitioner", "requesting_practitioner, if sent, is the real user",
        ["C18", "NAT-JWT-11"], "A Practitioner with id and name (family and given); SDS identifiers of 12 digits or UNK.", "a token with requesting_practitioner";
    // Slot search.
    QueryService, "C-INC-HEAL-SER-ID-SEAR-CRIT", "The search names the service of the directory",
        ["C30", "CONS-SLOT-01", "ASR-20"], "schedule.actor%3Ahealthcareservice= and the service id, once.", "a slot search";
    QueryEnd, "C-INC-END-STAR-SEAR-CRIT", "The search names the latest start",
        ["C28", "CONS-SLOT-01", "ASR-21"], "start=le or start=lt with the end of the timeframe.", "a slot search";
    QueryBegin, "C-INC-BEGIN-STAR-SEAR-CRIT", "A second start is the earliest one",
        ["C29", "CONS-SLOT-02", "ASR-21"], "start=ge or start=gt beside start=le.", "a slot search with two starts";
    QueryTimes, "Search_Times", "Times of a search have date, time and offset, encoded",
        ["C28", "CONS-SLOT-01", "ASR-21", "RES-GEN-02"], "le2031-03-04T08%3A15%3A00%2B00%3A00, or with Z.", "a slot search with start";
    QueryStatus, "Search_Status", "status, if sent, is free, busy or both",
        ["C27", "CONS-SLOT-02", "ASR-21"], "status=free", "a slot search with status";
    QueryIncludes, "Search_Includes", "Includes, if sent, are those of the Standard",
        ["C31-C34 (includes)", "CONS-SLOT-03"], "Slot:schedule, Schedule:actor:Practitioner, Schedule:actor:PractitionerRole, Schedule:actor:HealthcareService, HealthcareService:location, HealthcareService:providedBy", "a slot search with _include";
    QueryReadable, "Search_Readable", "The Provider can read the search",
        ["C20", "CONS-SLOT-01"], "Only criteria of the Standard, rightly spelt, with a time to come.", "a slot search";
    // The Appointment that is sent.
    Body, "Appointment_Readable", "The body is a well-formed Appointment in the form that Content-Type says",
        ["C39", "CONS-BOOK-02", "ERR-04"], "FHIR STU3 JSON or XML in UTF-8, elements in their order.", "a booking or cancellation";
    Profile, "C-POST-INC-APP-RES", "The body states the Appointment profile",
        ["C39", "RES-APPT-02", "CONS-BOOK-02"], "https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-Appointment-1 in meta.profile.", "a booking";
    NoId, "C-APP-RES-NOT-ID-VALUE", "A new Appointment has no id",
        ["C-APP-RES-NOT-ID-VALUE", "RES-APPT-01"], "Leave id out; the Provider gives it.", "a booking";
    StatusBooked, "C-APP-RES-STAT-BOOKED", "A new Appointment has the status booked",
        ["C-APP-RES-STAT-BOOKED", "RES-APPT-05"], "status: booked", "a booking";
    Language, "C-APP-RES-LANG-ENG-GB", "The language is en-GB",
        ["C41", "RES-APPT-03"], "language: en-GB", "a booking";
    Contained, "Appointment_Contained", "Exactly one Slot is contained, and nothing but Slot, Patient and DocumentReference",
        ["C43", "RES-APPT-04"], "Three contained resources, in any order.", "a booking";
    PatientContained, "C-PATIENT-RES-ONE-CONTD", "Exactly one Patient is contained",
        ["C50", "RES-APPT-04"], "The Patient whom participant.actor names, and no other.", "a booking";
    DocContained, "C-DOCREF-RES-ONE-CONTD", "Exactly one DocumentReference is contained",
        ["C65", "RES-APPT-04"], "The DocumentReference that supportingInformation names, and no other.", "a booking";
    SlotRef, "C-APP-RES-REFS-ONE-SLOT", "One slot, pointing with # to the contained Slot",
        ["C43", "RES-APPT-09"], "slot: [{reference: \"#\" and the contained Slot's id}]", "a booking";
    SlotProfile, "C-APP-RES-CONTD-SLOT-RES-CLAIM-META", "The contained Slot states its profile",
        ["C44", "RES-SLOT-01"], "meta.profile with the CareConnect Slot profile.", "a booking";
    SlotCopy, "Appointment_SlotCopy", "The contained Slot is the one of the search result: id, identifier, schedule, times; busy",
        ["C43", "RES-SLOT-07", "RES-SLOT-04"], "Copy the Slot as the search returned it, and set status to busy.", "a booking";
    Times, "Appointment_Times", "start and end are instants, and those of the slot",
        ["C43", "RES-APPT-06", "RES-GEN-02"], "The slot's start and end, with offset.", "a booking";
    Created, "C-APP-RES-APP-CRT-CUR-TIMESTAMP", "created is the current time, with offset",
        ["C45", "RES-APPT-07"], "The time when the request is built, with offset.", "a booking";
    Description, "Appointment_Description", "description says why",
        ["C39", "RES-APPT-08"], "The reason for the appointment, one line.", "a booking";
    Actor, "C-APP-RES-APP-ONE-ACT-RES-REF-CONTD-RES", "One participant, its actor pointing with # to the contained Patient",
        ["C46", "C52", "RES-APPT-12", "RES-APPT-13"], "participant: [{actor: {reference: \"#\" and the contained Patient's id}, status: accepted}]", "a booking";
    ActorNumber, "C-ACT-RES-CON-SYS-NHS-NO-ACT-RES-ONE-IDENT-USE", "The actor's identifier is the patient's NHS number, official",
        ["C47", "RES-APPT-14"], "use official, the NHS number system, ten digits; none if the number is unknown.", "a booking";
    ActorDisplay, "C-ACT-RES-DPLAY-VALUE-FULL-NAME-READ-FORMAT", "The actor's display is the patient's full name",
        ["C48", "RES-APPT-15"], "Prefix, given names and family name.", "a booking";
    Document, "C-REFAL-REF-CONS-CDA-DOC-APP-ONE-SUPP-INFO-REF-CONTD-RES", "One supportingInformation, pointing with # to the contained DocumentReference",
        ["C49", "C66", "RES-APPT-10", "CONS-BOOK-01"], "supportingInformation: [{reference: \"#\" and the DocumentReference's id}]", "a booking";
    PatientProfile, "C-PATIENT-RES-CLAIM-META-SECT", "The contained Patient has a local id and states its profile",
        ["C51", "C53", "RES-PAT-01"], "An id without slash, and meta.profile with the CareConnect Patient profile.", "a booking";
    PatientNumber, "C-PATIENT-RES-CONS-SYS-NHS-NO-ONE-IDENT-USE", "The NHS number is official, valid, and says how it was verified",
        ["C54", "C55", "RES-PAT-02", "RES-PAT-03"], "use official, system, ten digits that pass modulus 11, and the verification extension; or no identifier.", "a booking";
    PatientName, "C-PATIENT-RES-NAME-OFFI-FAMI-GIVE-NAME-NOT-NULL", "One official name with family and given",
        ["C56", "C57", "RES-PAT-04"], "One name, use official, family and at least one given.", "a booking";
    Contact, "C-PATIENT-RES-CONT-POINT-SYS-PHONE-RANK", "One contact point of rank 1, a telephone of digits and spaces; every one has system, value and rank",
        ["C58", "RES-RANK-01", "RES-RANK-02", "RES-RANK-04", "RES-PAT-08"], "Exactly one rank 1 among telecom and contact.telecom, system phone, digits and spaces only.", "a booking";
    Email, "C-PATIENT-RES-CONT-POINT-SYS-EMAIL", "E-mail addresses look like one",
        ["C59", "RES-RANK-05"], "name@host", "a booking with an e-mail address";
    ThirdParty, "Appointment_ThirdParty", "A third party has name and relationship",
        ["C58", "RES-PAT-09"], "contact with relationship, name (use, family) and telecom with rank.", "a booking with contact";
    Gender, "C-PATIENT-RES-GENDER-VALUE", "The gender is stated",
        ["C60", "RES-PAT-05"], "male, female, other or unknown", "a booking";
    Birth, "C-PATIENT-RES-DOB-VALUE", "The date of birth is stated, and neither before 1900 nor to come",
        ["C61", "RES-PAT-06"], "birthDate: 1984-06-21", "a booking";
    Address, "C-PATIENT-RES-ONE-ADDRESS", "One address, use home",
        ["C62", "C63", "RES-PAT-07"], "Exactly one address, use home.", "a booking";
    Postcode, "C-PATIENT-RES-HOME-ADDRESS-VALID-PCODE", "The home address has a postcode of the usual form",
        ["C64", "RES-PAT-07"], "postalCode: LS99 9ZZ", "a booking";
    DocProfile, "C-DOCREF-RES-CLAIM-META-SECT", "The contained DocumentReference has a local id and states its profile",
        ["C65", "RES-DOC-01"], "An id without slash, and meta.profile with the CareConnect DocumentReference profile.", "a booking";
    DocIdentifier, "C-DOCREF-RES-IDENT", "The document is identified by the UUID of the clinical document, in lower case",
        ["C67", "RES-DOC-02", "RES-GEN-05"], "One identifier, system https://tools.ietf.org/html/rfc4122, a UUID in lower case.", "a booking";
    DocStatus, "C-DOCREF-RES-STATUS", "The document is current",
        ["C68", "RES-DOC-03"], "status: current", "a booking";
    DocType, "C-DOCREF-RES-TYPE", "The document's type is the Integrated Urgent Care Report",
        ["C69", "RES-DOC-04"], "urn:oid:2.16.840.1.113883.2.1.3.2.4.18.17, POCD_MT200001GB02, Integrated Urgent Care Report", "a booking";
    DocIndexed, "C-DOCREF-RES-INDEXED", "indexed is the current time, an instant",
        ["C70", "RES-DOC-05"], "The time when the request is built, with offset.", "a booking";
    DocAttachment, "C-DOCREF-RES-ATTACHMENT", "The attachment is HL7 v3 XML, in English",
        ["C71", "RES-DOC-06"], "contentType application/hl7-v3+xml, language en", "a booking";
    Conforms, "Appointment_Conforms", "The Appointment keeps to STU3 and its CareConnect profile",
        ["C39", "CONS-BOOK-02"], "As the profile has it.", "a booking";
    // Cancelling.
    IfMatch, "Cancel_IfMatch", "If-Match is the last version's ETag in weak form",
        ["ASR-21", "CONS-CAN-02", "PROV-HDR-06"], "If-Match: W/\"1\", the ETag of the read just before.", "a cancellation";
    CancelRead, "Cancel_ReadFirst", "The appointment is read before it is cancelled",
        ["CONS-CAN-02"], "GET the appointment, change status, PUT it with its ETag.", "a cancellation";
    CancelBody, "Cancel_OnlyStatus", "A cancellation changes status to cancelled and keeps everything else",
        ["CONS-CAN-02", "RES-APPT-05", "ERR-19"], "The body of the read with status cancelled; unknown content stays too.", "a cancellation";
    CancelOwn, "Cancel_Own", "An appointment that exists is cancelled, and not once more",
        ["CONS-CAN-01", "CONS-CAN-04"], "The id of an own booking that is still booked.", "a cancellation";
    // The order of the journey.
    SearchFirst, "Journey_SearchFirst", "Slots are searched before one is booked",
        ["CONS-BOOK-01", "C20"], "Search for the service's slots, let the user choose, book.", "a booking";
    Offered, "Journey_SlotOffered", "The slot that is booked was offered to this consumer",
        ["C43", "CONS-BOOK-02", "RES-SLOT-07"], "A Slot of the last search result of that service.", "a booking";
    OneAtATime, "Journey_OneAtATime", "No two slots are booked for one patient at the same time",
        ["CONS-REB-02"], "Wait for the answer to one booking before the next.", "a booking";
    AgainAfterTaken, "Journey_SearchAfterTaken", "When a slot is gone, slots are fetched anew before the next booking",
        ["CONS-BOOK-04"], "After 422 \"Slot no longer available\": search again, let the user choose.", "a booking after a taken slot";
    NewDocument, "Journey_NewDocument", "Every booking has a document of its own",
        ["CONS-REB-06"], "A new UUID for the clinical document of a new booking.", "two bookings";
    // Failures.
    NoRepeat, "Retry_NotRefused", "What was refused with 4xx is not sent again unchanged",
        ["CONS-ERR-04"], "Change the request, or tell the user.", "a refused request";
    RetryBound, "Retry_Bounded", "A failed request is repeated at most three times",
        ["CONS-BOOK-05", "NAT-SSP-06"], "At most three automatic repeats.", "a request that failed";
    RetryPause, "Retry_Pauses", "Repeats leave the Provider time",
        ["CONS-BOOK-05", "NAT-SSP-06"], "A pause before each repeat that grows.", "a repeated request";
    Recovers, "Retry_Recovers", "After a lost answer the same booking is sent again, or looked for, before anything else",
        ["CONS-BOOK-05"], "The identical request under the same X-Request-ID; a 409 then means that it was booked.", "a lost answer";
    RereadsConflict, "Cancel_RereadsConflict", "After 409 or 412 the appointment is read again before the next try",
        ["CONS-CAN-03"], "Read, check that it is the same booking, send the new ETag.", "a cancellation that met another version";
    // Directory and endpoint discovery.
    AsidOfService, "Discover_AsidOfService", "The ASID is that of the chosen service's booking endpoint",
        ["C1", "C6", "CONS-DOS-03"], "Take the ASID of the endpoint http, FHIR, Scheduling.", "a slot search over the national services";
    SystemQuery, "Discover_SystemQuery", "The system is looked up in SDS by that ASID",
        ["C9", "CONS-SDS-01", "NAT-SDS-02"], "(&(objectClass=nhsAs)(uniqueIdentifier=ASID)) below ou=services,o=nhs.", "a slot search over the national services";
    EndpointQuery, "Discover_EndpointQuery", "The endpoint is looked up by party key and interaction",
        ["C13", "CONS-SDS-01", "NAT-SDS-03", "NAT-SDS-04"], "(&(objectClass=nhsMhs)(nhsMHSPartyKey=KEY)(nhsMhsSvcIA=…rest:read:slot)).", "a slot search over the national services";
    EndpointUsed, "Discover_EndpointUsed", "The address is the nhsMHSEndPoint of SDS",
        ["C16", "CONS-SDS-01", "NAT-SDS-03"], "The value of nhsMHSEndPoint as it is.", "a slot search over the national services";
    // Referrals.
    ReferralAfter, "Referral_AfterBooking", "The referral names an appointment that was booked before",
        ["REF-CON-01", "REF-CON-02", "REF-CON-06", "CONS-BOOK-01"], "Book, take the appointment's address from Location, then finish and send the document.", "a referral that names an appointment";
    ReferralAddress, "Referral_Address", "The referral gives the appointment's own address",
        ["REF-CON-03"], "The Provider's whole address of the appointment, as in Location: without the SSP in front, without /_history/ behind.", "a referral that names an appointment";
    ReferralPlaces, "Referral_BothPlaces", "The referral names the appointment in the coded entry and in the link for readers",
        ["REF-CON-04"], "The same address in encounter/id/@extension and in linkHtml/@href.", "a referral of a booking";
}

impl Rule {
    /// Its row of the table.
    pub fn row(self) -> &'static RuleRow {
        // The enum and the table are made from the same list.
        &TABLE[self as usize]
    }
}

/// Every rule, in the order of the report.
pub fn rules() -> &'static [RuleRow] {
    TABLE
}
