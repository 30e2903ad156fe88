//! The table: for each kind its sentences, its requirement, and what may follow.

/// Whose fault it is, so that the log says who has to mend it (CONS-DOS-06, CONS-ERR-01).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// Nobody's: it is how things are.
    Nobody,
    /// This installation.
    Own,
    /// The Directory of Services as a system.
    Dos,
    /// What is entered in the Directory of Services for the service.
    DosEntry,
    /// SDS as a system.
    Sds,
    /// What is registered in SDS for the Provider's system.
    SdsEntry,
    /// The Spine Secure Proxy, or the way to it.
    Ssp,
    /// The Provider's system.
    Provider,
}

impl Party {
    /// A word for the log.
    pub fn word(self) -> &'static str {
        match self {
            Party::Nobody => "nobody",
            Party::Own => "own settings",
            Party::Dos => "dos",
            Party::DosEntry => "dos configuration",
            Party::Sds => "sds",
            Party::SdsEntry => "sds registration",
            Party::Ssp => "ssp",
            Party::Provider => "provider",
        }
    }
}

/// The next step for the user, for pages that offer it as a button. [`Row::next`] says it in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Choose another service.
    ChooseAnother,
    /// Go on without a booking: refer, if the service takes referrals without one.
    ReferWithout,
    /// Ring the service.
    RingService,
    /// Try the same again.
    TryAgain,
    /// Correct what was entered.
    Correct,
    /// Choose another time.
    ChooseTime,
    /// Look at the booking again.
    LookAgain,
    /// Ask the helpdesk.
    Helpdesk,
}

/// What a kind means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The requirement.
    pub id: &'static str,
    /// Whose fault it is.
    pub party: Party,
    /// For the user: what happened.
    pub plain: &'static str,
    /// For the user: what to do.
    pub next: &'static str,
    /// The same as a button.
    pub step: Step,
    /// Whether the same may be tried again at once without doing harm.
    pub retry_safe: bool,
    /// Whether a booking at this service may still come about in this contact.
    pub booking_may_follow: bool,
    /// Whether a referral may follow, if the service takes one without a booking.
    pub referral_may_follow: bool,
}

/// Whether a booking at this service may still come about, and whether a referral may follow.
const OPEN: (bool, bool) = (true, true);
/// Only a referral may follow.
const NO_BOOKING: (bool, bool) = (false, true);
/// No referral until there is a booking.
const BOOK_FIRST: (bool, bool) = (true, false);
/// Safe to try again at once.
const AGAIN: bool = true;
/// Not to be tried again unchanged.
const NOT_AGAIN: bool = false;

/// The table: each line gives the kind, its name in logs, requirement, whose fault, step, whether to try again, what
/// may follow, and the two sentences.
macro_rules! table {
    ($($(#[$doc:meta])* $kind:ident, $name:literal, $id:literal, $party:ident, $step:ident, $again:ident, $follow:ident,
        $plain:literal, $next:expr;)*) => {
        /// What went wrong. [`Kind::row`] has what it means.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Kind] = &[$(Kind::$kind),*];

            /// A short name for logs, the journal and `--json`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Kind::$kind => $name,)*
                }
            }

            /// What it means.
            pub fn row(self) -> &'static Row {
                match self {
                    $(Kind::$kind => const {
                        &Row {
                            id: $id,
                            party: Party::$party,
                            plain: $plain,
                            next: $next,
                            step: Step::$step,
                            retry_safe: $again,
                            booking_may_follow: $follow.0,
                            referral_may_follow: $follow.1,
                        }
                    },)*
                }
            }
        }
    };
}

/// Where an entry in a directory is wrong: the user cannot mend it.
const REFER_OR_CHOOSE: &str = "Carry on with this service without booking, or choose another service. Tell the \
                               helpdesk, so that it is put right.";
/// Where somebody's system is down.
const AGAIN_OR_CHOOSE: &str = "Try again in a moment. If it stays like this, choose another service, or carry on with \
                               this one without booking.";
/// Where nothing that the user does will help.
const HELPDESK: &str = "Carry on without booking, and tell the helpdesk.";
/// Where the list of services is missing.
const SERVICES_AGAIN: &str = "Search again in a moment. If it stays like this, use your local list of services and tell \
                              the helpdesk.";

table! {
    /// Own settings lack something, or a request cannot be built from them.
    Settings, "settings", "CONS-ERR-02", Own, Helpdesk, NOT_AGAIN, NO_BOOKING,
        "This program is not set up completely, so it cannot book.", HELPDESK;
    /// The journal cannot be written or read.
    Journal, "journal", "CONS-ERR-05", Own, Helpdesk, AGAIN, NO_BOOKING,
        "The record of this contact cannot be kept at the moment, so nothing can be booked.", HELPDESK;

    /// The DoS cannot be reached, or did not answer in time.
    DosUnreachable, "dos-unreachable", "CONS-ERR-01", Dos, TryAgain, AGAIN, OPEN,
        "The directory of services cannot be reached at the moment.", SERVICES_AGAIN;
    /// The DoS has a fault of its own (100, 500, 504).
    DosFailed, "dos-failed", "NAT-DOS-10", Dos, TryAgain, AGAIN, OPEN,
        "The directory of services has a fault and could not answer.", SERVICES_AGAIN;
    /// The DoS refuses this account (300, 302, 303, 1001).
    DosAccess, "dos-access", "NAT-DOS-02", Own, Helpdesk, NOT_AGAIN, OPEN,
        "The directory of services does not let this program in.",
        "Tell the helpdesk at once. Until it is put right, use your local list of services.";
    /// The DoS finds the request itself wrong (107, 108, 109).
    DosRequest, "dos-request", "NAT-DOS-10", Own, Helpdesk, NOT_AGAIN, OPEN,
        "The directory of services does not understand the way this program asks.",
        "Tell the helpdesk. Until it is put right, use your local list of services.";
    /// The DoS answered something that is no answer.
    DosUnreadable, "dos-unreadable", "CONS-ERR-01", Dos, TryAgain, AGAIN, OPEN,
        "The answer of the directory of services could not be understood.", SERVICES_AGAIN;
    /// The DoS does not know the postcode (101).
    PostcodeUnknown, "postcode-unknown", "NAT-DOS-10", Nobody, Correct, NOT_AGAIN, OPEN,
        "The directory of services does not know this postcode.",
        "Check the postcode with the caller, or use one close by, and search again.";
    /// The DoS finds a search detail wrong: age, sex, distance, time, symptom group, disposition (104-106, 109-121).
    SearchDetails, "search-details", "NAT-DOS-10", Nobody, Correct, NOT_AGAIN, OPEN,
        "The directory of services does not accept one of the search details.",
        "Check age, sex, distance, time and the outcome of the assessment, and search again.";
    /// No service suits (102).
    NoServices, "no-services", "NAT-DOS-04", Nobody, Correct, NOT_AGAIN, OPEN,
        "The directory of services lists no service that suits this patient here.",
        "Search again over a greater distance, or follow your local procedure for when no service is found.";
    /// The DoS does not know the service (103).
    ServiceUnknown, "service-unknown", "NAT-DOS-05", DosEntry, ChooseAnother, NOT_AGAIN, NO_BOOKING,
        "The directory of services does not list this service any more.",
        "Search again and choose another service.";

    /// The service has no booking endpoint (C8).
    NoBookingEndpoint, "no-booking-endpoint", "CONS-DOS-05", Nobody, ReferWithout, NOT_AGAIN, NO_BOOKING,
        "Appointments at this service cannot be booked from here.",
        "Book in the way used so far if there is one, refer the patient without booking, or choose another service.";
    /// The service has several booking endpoints (C7).
    SeveralBookingEndpoints, "several-booking-endpoints", "CONS-DOS-06", DosEntry, ReferWithout, NOT_AGAIN, NO_BOOKING,
        "This service cannot be booked, because its entry in the directory of services contradicts itself.",
        REFER_OR_CHOOSE;
    /// The address of the booking endpoint is no `ASID:` or `ODS:` address (C6).
    BookingAddress, "booking-address", "CONS-DOS-06", DosEntry, ReferWithout, NOT_AGAIN, NO_BOOKING,
        "This service cannot be booked, because its entry in the directory of services has a mistake.",
        REFER_OR_CHOOSE;

    /// SDS cannot be reached, or did not answer in time.
    SdsUnreachable, "sds-unreachable", "CONS-SDS-02", Sds, TryAgain, AGAIN, NO_BOOKING,
        "Booking is not possible at the moment, because the national directory of systems cannot be reached.",
        AGAIN_OR_CHOOSE;
    /// SDS refuses the connection or the search.
    SdsRefused, "sds-refused", "CONS-SDS-02", Own, Helpdesk, NOT_AGAIN, NO_BOOKING,
        "Booking is not possible, because the national directory of systems turns this program away.", HELPDESK;
    /// SDS answered something that is no answer.
    SdsUnreadable, "sds-unreadable", "CONS-SDS-02", Sds, TryAgain, AGAIN, NO_BOOKING,
        "Booking is not possible at the moment, because the answer of the national directory of systems could not \
         be understood.",
        AGAIN_OR_CHOOSE;
    /// SDS answered about another system than the one asked for.
    SystemOther, "system-other", "CONS-SDS-02", Sds, ReferWithout, NOT_AGAIN, NO_BOOKING,
        "This service cannot be booked, because the national directory of systems answered about another system.",
        REFER_OR_CHOOSE;
    /// SDS has no nhsAs entry (C10).
    SystemUnknown, "system-unknown", "CONS-SDS-02", SdsEntry, ReferWithout, NOT_AGAIN, NO_BOOKING,
        "This service cannot be booked, because its booking system is not registered.", REFER_OR_CHOOSE;
    /// SDS has several nhsAs entries where one is expected.
    SystemAmbiguous, "system-ambiguous", "CONS-SDS-02", SdsEntry, ReferWithout, NOT_AGAIN, NO_BOOKING,
        "This service cannot be booked, because its booking system is registered more than once.", REFER_OR_CHOOSE;
    /// The system is not registered for slots and booking both (C11).
    InteractionsMissing, "interactions-missing", "CONS-SDS-02", SdsEntry, ReferWithout, NOT_AGAIN, NO_BOOKING,
        "This service cannot be booked, because its system is not registered for bookings.", REFER_OR_CHOOSE;
    /// The system is registered for Care Connect and GP Connect both (C12).
    InteractionsMixed, "interactions-mixed", "CONS-SDS-02", SdsEntry, ReferWithout, NOT_AGAIN, NO_BOOKING,
        "This service cannot be booked, because its system is registered for two kinds of booking at once.",
        REFER_OR_CHOOSE;
    /// SDS has no nhsMhs entry (C14).
    AddressUnknown, "address-unknown", "CONS-SDS-02", SdsEntry, ReferWithout, NOT_AGAIN, NO_BOOKING,
        "This service cannot be booked, because it is not registered where its bookings go.", REFER_OR_CHOOSE;
    /// SDS has several nhsMhs entries (C14).
    AddressAmbiguous, "address-ambiguous", "CONS-SDS-02", SdsEntry, ReferWithout, NOT_AGAIN, NO_BOOKING,
        "This service cannot be booked, because more than one place is registered for its bookings.",
        REFER_OR_CHOOSE;
    /// The nhsMhs entry has no endpoint (C17).
    AddressMissing, "address-missing", "CONS-SDS-02", SdsEntry, ReferWithout, NOT_AGAIN, NO_BOOKING,
        "This service cannot be booked, because the address for its bookings is missing.", REFER_OR_CHOOSE;
    /// The endpoint is not a valid https URL (C17).
    AddressInvalid, "address-invalid", "CONS-SDS-02", SdsEntry, ReferWithout, NOT_AGAIN, NO_BOOKING,
        "This service cannot be booked, because the address for its bookings is wrong.", REFER_OR_CHOOSE;

    /// The SSP cannot be reached, or did not answer in time.
    SspUnreachable, "ssp-unreachable", "NAT-SSP-06", Ssp, TryAgain, AGAIN, OPEN,
        "The national connection to booking systems cannot be reached at the moment.", AGAIN_OR_CHOOSE;
    /// The SSP refuses the client certificate (495, 496, 497).
    SspCertificate, "ssp-certificate", "NAT-SSP-04", Own, Helpdesk, NOT_AGAIN, NO_BOOKING,
        "The national connection to booking systems does not recognise this computer.", HELPDESK;
    /// The certificate of the SSP or Provider does not prove who it is.
    PeerCertificate, "peer-certificate", "NAT-SSP-04", Ssp, Helpdesk, NOT_AGAIN, NO_BOOKING,
        "The connection to booking systems could not prove that it is genuine, so nothing was sent.", HELPDESK;
    /// The token was refused, and the clocks differ by more than it allows.
    ClockWrong, "clock-wrong", "NAT-JWT-05", Own, Helpdesk, NOT_AGAIN, NO_BOOKING,
        "The clock of this computer and that of the booking system differ too much, so the request was not accepted.",
        "Carry on without booking, and tell the helpdesk that the clock of this computer has to be checked.";
    /// The SSP refuses one of the ASIDs or the interaction (403).
    SspDenied, "ssp-denied", "NAT-SSP-04", Ssp, ReferWithout, NOT_AGAIN, NO_BOOKING,
        "The national connection does not allow bookings between your organisation and this service.",
        REFER_OR_CHOOSE;
    /// The SSP refuses something else of the request (other 4xx).
    SspRefused, "ssp-refused", "CONS-ERR-04", Own, Helpdesk, NOT_AGAIN, NO_BOOKING,
        "The national connection to booking systems did not accept the request.", HELPDESK;
    /// The SSP or the Provider has too much to do (429, 503).
    Overloaded, "overloaded", "NAT-SSP-06", Provider, TryAgain, AGAIN, OPEN,
        "The booking system is too busy at the moment.", AGAIN_OR_CHOOSE;
    /// The SSP cannot reach the Provider (502).
    ProviderOffline, "provider-offline", "NAT-SSP-06", Provider, TryAgain, AGAIN, OPEN,
        "The booking system of this service cannot be reached at the moment.", AGAIN_OR_CHOOSE;
    /// The Provider did not answer in time (504, 599, 444), or not at all.
    ProviderSilent, "provider-silent", "NAT-SSP-06", Provider, TryAgain, AGAIN, OPEN,
        "The booking system of this service did not answer in time.", AGAIN_OR_CHOOSE;
    /// The Provider's answer was cut off in the middle.
    AnswerBroken, "answer-broken", "CONS-ERR-03", Provider, TryAgain, AGAIN, OPEN,
        "The answer of this service's booking system broke off on the way.", AGAIN_OR_CHOOSE;
    /// Times were offered, but none of them can be read.
    SlotsUnreadable, "slots-unreadable", "CONS-ERR-01", Provider, RingService, AGAIN, OPEN,
        "This service offers times, but none of them could be read.",
        "Ring the service, or choose another one. Tell the helpdesk, so that it is put right.";
    /// The Provider has a fault of its own (500).
    ProviderFailed, "provider-failed", "CONS-ERR-04", Provider, TryAgain, AGAIN, OPEN,
        "The booking system of this service has a fault.", AGAIN_OR_CHOOSE;
    /// The Provider refuses the request as wrong (400, 405, 406, 412, 415, 422, 501 and the like).
    ProviderRefused, "provider-refused", "CONS-ERR-04", Provider, RingService, NOT_AGAIN, OPEN,
        "The booking system of this service did not accept the request.",
        "Check what was entered. If it is right, ring the service or choose another one, and tell the helpdesk.";
    /// The Provider does not permit this organisation to do so (401, 403).
    ProviderDenied, "provider-denied", "CONS-ERR-04", Provider, RingService, NOT_AGAIN, OPEN,
        "This service does not allow your organisation to do this.",
        "Ring the service, or choose another one.";
    /// The Provider does not know what was asked for (404, 410).
    NotFound, "not-found", "CONS-CAN-04", Provider, RingService, NOT_AGAIN, OPEN,
        "The booking system of this service does not know what was asked for.",
        "Check that it is the right service. If it is, ring the service.";
    /// The Provider's answer cannot be used.
    ProviderUnreadable, "provider-unreadable", "CONS-ERR-03", Provider, RingService, AGAIN, OPEN,
        "The booking system of this service answered in a way that could not be understood.", AGAIN_OR_CHOOSE;

    /// What was entered for a booking is incomplete or wrong.
    BookingDetails, "booking-details", "CONS-BOOK-02", Nobody, Correct, NOT_AGAIN, OPEN,
        "Something that was entered for the booking is missing or wrong.", "Correct it and book again.";
    /// Somebody else has the slot.
    SlotTaken, "slot-taken", "CONS-BOOK-04", Nobody, ChooseTime, NOT_AGAIN, OPEN,
        "Somebody else has just taken this time.",
        "Choose another time; the list has been brought up to date.";
    /// Another command from here asked for an appointment for the same patient.
    OtherBooking, "other-booking", "CONS-REB-04", Nobody, LookAgain, NOT_AGAIN, OPEN,
        "Another command from here has asked for an appointment for this patient in the meantime, so nothing was sent.",
        "Look at the patient's appointments, and book again if another one is wanted.";
    /// The booking may or may not exist.
    BookingUncertain, "booking-uncertain", "CONS-BOOK-05", Provider, RingService, NOT_AGAIN, OPEN,
        "It is not certain whether the appointment was booked.",
        "Ring the service and ask whether it has the booking before you book again.";
    /// The cancellation may or may not have happened.
    CancelUncertain, "cancel-uncertain", "CONS-CAN-04", Provider, LookAgain, NOT_AGAIN, OPEN,
        "It is not certain whether the appointment was cancelled.",
        "Look at the booking again in a moment. If that fails, ring the service to make sure.";
    /// The booking was changed in the meantime.
    BookingChanged, "booking-changed", "CONS-CAN-03", Nobody, LookAgain, NOT_AGAIN, OPEN,
        "The service has changed this booking in the meantime.",
        "Look at the booking again, and cancel it then if that is still wanted.";
    /// A time outside the timeframe that is not cleared yet.
    ApprovalNeeded, "approval-needed", "CONS-TF-03", Nobody, ChooseTime, NOT_AGAIN, OPEN,
        "This time is later than the assessment allows.",
        "Ask a clinician to approve it, or choose an earlier time.";
    /// The service takes patients only with a booking.
    BookingRequired, "booking-required", "CONS-BO-01", Nobody, ChooseTime, NOT_AGAIN, BOOK_FIRST,
        "This service takes a referral only together with a booked appointment.",
        "Book an appointment first, or choose another service.";
}
