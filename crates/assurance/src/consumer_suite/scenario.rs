//! The scenarios: each its own DoS service, so that a consumer walks them in any order (ASR-22).

use super::tally::Tally;
use booking::refusal::Situation;

/// ASID of the simulated Provider, unless another one is given.
pub const PROVIDER_ASID: &str = "918999009001";

/// What part of the journey a scenario is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Slot search.
    Search,
    /// Booking.
    Book,
    /// Cancelling.
    Cancel,
    /// Directory and endpoint discovery; needs the national services in front.
    Discover,
}

impl Part {
    /// The word shown to a reader.
    pub fn word(self) -> &'static str {
        match self {
            Part::Search => "search",
            Part::Book => "book",
            Part::Cancel => "cancel",
            Part::Discover => "discover",
        }
    }
}

/// How the simulator plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Play {
    /// As a Provider does when nothing goes wrong.
    Plain,
    /// Known, and nothing free.
    NoSlots,
    /// Slots whose schedules name nobody and no place.
    SlotsOnly,
    /// The search is refused.
    SearchRefused(Situation),
    /// The search is answered with this status and no body.
    SearchEmpty(u16),
    /// The search is never answered.
    SearchHangs,
    /// The search is answered with half a body.
    SearchBroken,
    /// Very many slots.
    ManySlots,
    /// Somebody else was quicker with the first slot.
    SlotTaken,
    /// Every booking is refused.
    BookRefused(Situation),
    /// Every booking is answered with this status and no body.
    BookEmpty(u16),
    /// The booking is stored and never answered.
    BookHangs,
    /// Every cancellation is refused.
    CancelRefused(Situation),
    /// The first cancellation of each appointment meets a change by somebody else.
    CancelMeetsChange(Situation),
    /// Every cancellation is answered with this status and no body.
    CancelEmpty(u16),
    /// The cancellation is carried out and never answered.
    CancelHangs,
    /// May be booked and referred to, as the directory's attribute has it.
    Referral { needs_booking: bool },
    /// The consumer must not get as far as the Provider.
    Stop(StopAt),
}

/// Where a consumer has to turn back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopAt {
    /// The directory's answer is enough; SDS is not asked.
    Directory,
    /// The first answer of SDS is enough.
    System,
    /// The second answer of SDS is enough.
    Endpoint,
}

/// A scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// DoS service id.
    pub id: &'static str,
    /// A short name.
    pub name: &'static str,
    /// What part of the journey it is about.
    pub part: Part,
    /// What the consumer has to do to walk it.
    pub task: &'static str,
    /// What is right.
    pub right: &'static str,
    /// Requirement ids.
    pub requirements: &'static [&'static str],
    /// ASID of the system that the directory names; the simulator's own if none.
    pub asid: Option<&'static str>,
    pub(super) play: Play,
}

impl Scenario {
    /// Whether it can only be walked with the national services in front.
    pub fn is_national(&self) -> bool {
        self.part == Part::Discover
    }

    /// What is still to be done; none if it has been walked.
    pub(super) fn left(&self, t: &Tally) -> Option<&'static str> {
        let step = |done: bool, todo: &'static str| (!done).then_some(todo);
        let search = || step(t.searches > 0, "search for its slots");
        match self.play {
            Play::Plain => search()
                .or(step(t.booked > 0, "book a slot"))
                .or(step(t.reads > 0, "read the appointment"))
                .or(step(t.cancelled > 0, "cancel the appointment"))
                .or(step(t.booked > 1, "book another slot for the same patient")),
            Play::NoSlots
            | Play::SearchRefused(_)
            | Play::SearchEmpty(_)
            | Play::SearchHangs
            | Play::SearchBroken
            | Play::ManySlots => search(),
            Play::SlotsOnly => search().or(step(t.booked > 0, "book a slot")),
            Play::SlotTaken => search()
                .or(step(t.taken > 0, "book a slot"))
                .or(step(t.searches_after_refusal > 0, "search again"))
                .or(step(t.booked > 0, "book another slot")),
            Play::BookRefused(_) => search().or(step(t.refused > 0, "book a slot")),
            Play::BookEmpty(_) => search().or(step(t.unanswered > 0, "book a slot")).or(step(
                t.recovered > 0,
                "try the same booking again, or look whether it was made",
            )),
            Play::BookHangs => search().or(step(t.unanswered > 0, "book a slot")).or(step(
                t.recovered > 0,
                "send the same booking again, or look whether it was made",
            )),
            Play::CancelRefused(_) => step(t.booked > 0, "book a slot")
                .or(step(t.refused_cancels > 0, "cancel the appointment")),
            Play::CancelMeetsChange(_) => step(t.booked > 0, "book a slot")
                .or(step(t.conflicts > 0, "cancel the appointment"))
                .or(step(t.reads_after_conflict > 0, "read it again"))
                .or(step(t.cancelled > 0, "cancel it with the new version")),
            Play::CancelEmpty(_) | Play::CancelHangs => step(t.booked > 0, "book a slot")
                .or(step(t.unanswered_cancels > 0, "cancel the appointment"))
                .or(step(
                    t.recovered_cancels > 0,
                    "try again, or look at the appointment",
                )),
            Play::Referral {
                needs_booking: false,
            } => step(t.chosen > 0, "choose the service")
                .or(step(t.referrals > 0, "send the referral without a booking")),
            Play::Referral {
                needs_booking: true,
            } => step(
                t.chosen > 0,
                "choose the service, and try to refer without a booking",
            ),
            Play::Stop(StopAt::Directory) => {
                step(t.chosen > 0, "choose the service, and try to book")
            }
            Play::Stop(StopAt::System) => {
                step(t.system_asked > 0, "choose the service, and try to book")
            }
            Play::Stop(StopAt::Endpoint) => {
                step(t.system_asked > 0, "choose the service, and try to book")
                    .or(step(t.endpoint_asked > 0, "ask SDS for its endpoint"))
            }
        }
    }
}

/// The scenario of a service.
pub fn scenario(id: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|s| s.id == id)
}

/// All scenarios: TKW's services first, then ours.
pub fn scenarios() -> &'static [Scenario] {
    &SCENARIOS
}

type Ids = &'static [&'static str];

#[allow(clippy::too_many_arguments)]
const fn at(
    id: &'static str,
    part: Part,
    play: Play,
    name: &'static str,
    task: &'static str,
    right: &'static str,
    requirements: Ids,
) -> Scenario {
    Scenario {
        id,
        name,
        part,
        task,
        right,
        requirements,
        asid: None,
        play,
    }
}

const fn discover(
    id: &'static str,
    asid: &'static str,
    play: Play,
    name: &'static str,
    task: &'static str,
    right: &'static str,
    requirements: Ids,
) -> Scenario {
    Scenario {
        id,
        name,
        part: Part::Discover,
        task,
        right,
        requirements,
        asid: Some(asid),
        play,
    }
}

use Part::{Book, Cancel, Search};

const PLAIN: &str = "Plain words and a next step; the same request is not sent again.";
const LOST: &str = "The identical request again under the same X-Request-ID, at most three times with growing pauses, or a look whether it succeeded.";
const REFUSED: &str = "Search and book a slot.";
const CANCEL: &str = "Book a slot, then cancel the appointment.";
const STOP: &str = "Choose the service and try to book.";
const ON: &str = "The error is logged, the user is told that booking is not possible, and the journey goes on without it.";

#[rustfmt::skip] // a scenario an entry, its texts a line each
static SCENARIOS: [Scenario; 43] = [
    at("999999999", Search, Play::Plain, "Happy path",
        "Search, book, read and cancel; book another slot for the same patient (rebook).",
        "Every request is accepted.",
        &["ASR-20", "CONS-SLOT-01", "CONS-BOOK-01", "CONS-BOOK-03", "CONS-CAN-01", "CONS-CAN-02", "CONS-REB-01"]),
    at("999999998", Search, Play::NoSlots, "No slots",
        "Search for slots.", "The user is told that there are none; other services stay selectable.", &["CONS-SLOT-08", "ASR-22"]),
    at("999999997", Search, Play::SearchRefused(Situation::InvalidParameter), "Search refused with 400",
        "Search for slots.", PLAIN, &["CONS-ERR-02", "CONS-ERR-04", "ASR-22"]),
    at("999999996", Search, Play::SearchRefused(Situation::NotPermitted), "Search refused with 403",
        "Search for slots.", PLAIN, &["CONS-ERR-02", "CONS-ERR-04", "ASR-22"]),
    at("999999995", Search, Play::SearchRefused(Situation::Unexpected), "Search fails with 500",
        "Search for slots.", "Plain words and a next step; few repeats, with pauses.", &["CONS-ERR-02", "CONS-ERR-04", "ASR-22"]),
    at("999999994", Search, Play::SearchRefused(Situation::MethodNotAllowed), "Search refused with 405",
        "Search for slots.", PLAIN, &["CONS-ERR-02", "CONS-ERR-04", "ASR-22"]),
    at("999999993", Search, Play::SlotsOnly, "Slots only",
        "Search, and book a slot whose schedule names nobody and no place.",
        "The slots are shown with what is known of them, and can be booked.", &["CONS-SLOT-04", "CONS-SLOT-07", "ASR-22"]),
    at("999999961", Search, Play::SearchEmpty(502), "Search meets a bad gateway",
        "Search for slots.", "Plain words; at most three repeats, with pauses; no body is expected.", &["NAT-SSP-06", "CONS-ERR-03"]),
    at("999999962", Search, Play::SearchHangs, "Search is never answered",
        "Search for slots.", "The wait ends by itself, with plain words.", &["NAT-SSP-06", "CONS-ERR-02"]),
    at("999999963", Search, Play::SearchBroken, "Malformed answer",
        "Search for slots.", "A fault of the Provider in plain words; no crash.", &["CONS-ERR-01", "CONS-ERR-03"]),
    at("999999964", Search, Play::ManySlots, "Ten thousand slots",
        "Search for slots.", "All slots can be reached, and the screen stays usable.", &["CONS-SLOT-05"]),
    at("999999981", Book, Play::SlotTaken, "Slot taken",
        "Book a slot; when it is gone, search again and book another one.",
        "The slots are fetched anew, the user chooses again.", &["CONS-BOOK-04", "ERR-15"]),
    at("999999982", Book, Play::BookRefused(Situation::NotConformant), "Booking refused with 422",
        REFUSED, PLAIN, &["CONS-BOOK-04", "CONS-ERR-02", "CONS-ERR-04", "ASR-22"]),
    at("999999983", Book, Play::BookRefused(Situation::BodyUnreadable), "Booking refused with 400",
        REFUSED, PLAIN, &["CONS-BOOK-04", "CONS-ERR-02", "CONS-ERR-04", "ASR-22"]),
    at("999999984", Book, Play::BookRefused(Situation::NotPermitted), "Booking refused with 403",
        REFUSED, PLAIN, &["CONS-BOOK-04", "CONS-ERR-02", "CONS-ERR-04", "ASR-22"]),
    at("999999985", Book, Play::BookRefused(Situation::Unexpected), "Booking fails with 500",
        REFUSED, "Plain words; a repeat keeps the X-Request-ID.", &["CONS-BOOK-04", "CONS-ERR-02", "ASR-22"]),
    at("999999986", Book, Play::BookRefused(Situation::MediaTypeUnsupported), "Booking refused with 415",
        REFUSED, PLAIN, &["CONS-BOOK-04", "CONS-ERR-02", "CONS-ERR-04", "ASR-22"]),
    at("999999987", Book, Play::BookEmpty(502), "Booking meets a bad gateway",
        REFUSED, LOST, &["CONS-BOOK-05", "CONS-REQ-03", "NAT-SSP-06", "ASR-22"]),
    at("999999988", Book, Play::BookRefused(Situation::RequestIdReused), "Booking refused as a duplicate",
        REFUSED, "Not taken for a booking without proof; not sent again under the same X-Request-ID.", &["CONS-BOOK-05", "ERR-11"]),
    at("999999989", Book, Play::BookHangs, "Booking is never answered",
        "Search and book a slot; the booking is made, its answer is lost.", LOST, &["CONS-BOOK-05", "CONS-REQ-03", "NAT-SSP-06"]),
    at("999999971", Cancel, Play::CancelRefused(Situation::StateForbids), "Cancellation refused with 422",
        CANCEL, PLAIN, &["CONS-CAN-04", "CONS-ERR-04", "ASR-22"]),
    at("999999972", Cancel, Play::CancelMeetsChange(Situation::VersionConflict), "Cancellation meets a new version (409)",
        "Book a slot, then cancel it; somebody changes it meanwhile.",
        "The appointment is read again, and cancelled with its new version.", &["CONS-CAN-03", "ASR-22"]),
    at("999999973", Cancel, Play::CancelMeetsChange(Situation::VersionMissing), "Cancellation meets a new version (412)",
        "Book a slot, then cancel it; somebody changes it meanwhile.",
        "The appointment is read again, and cancelled with its new version.", &["CONS-CAN-03", "ASR-22"]),
    at("999999974", Cancel, Play::CancelRefused(Situation::NotPermitted), "Cancellation refused with 403",
        CANCEL, PLAIN, &["CONS-CAN-04", "CONS-ERR-04", "ASR-22"]),
    at("999999975", Cancel, Play::CancelRefused(Situation::Unexpected), "Cancellation fails with 500",
        CANCEL, "Plain words; the booking is not taken for cancelled.", &["CONS-CAN-04", "ASR-22"]),
    at("999999976", Cancel, Play::CancelEmpty(504), "Cancellation meets a gateway time-out",
        CANCEL, LOST, &["CONS-CAN-04", "CONS-REQ-03", "NAT-SSP-06", "ASR-22"]),
    at("999999977", Cancel, Play::CancelHangs, "Cancellation is never answered",
        "Book a slot, then cancel it; it is cancelled, the answer is lost.", LOST, &["CONS-CAN-04", "CONS-REQ-03", "NAT-SSP-06"]),
    discover("999999941", "918999009041", Play::Referral { needs_booking: false }, "Booking-only attribute absent",
        "Choose the service and send the referral without a booking.", "The referral is allowed.", &["C2", "CONS-BO-02"]),
    discover("999999942", "918999009042", Play::Referral { needs_booking: true }, "Booking-only attribute true",
        "Choose the service and try to send the referral without a booking.",
        "The referral is withheld until a booking is made.", &["C3", "CONS-BO-01", "CONS-BO-03"]),
    discover("999999943", "918999009043", Play::Referral { needs_booking: false }, "Booking-only attribute false",
        "Choose the service and send the referral without a booking.", "The referral is allowed.", &["C4", "CONS-BO-02"]),
    discover("999999944", "918999009044", Play::Stop(StopAt::Directory), "Several ASIDs",
        STOP, "Booking stops with an error to the user; neither ASID is used.", &["C7", "CONS-DOS-06"]),
    discover("999999945", "918999009045", Play::Stop(StopAt::Directory), "No ASID",
        STOP, "Booking is not offered; the existing workflow goes on.", &["C8", "CONS-DOS-05"]),
    discover("999999946", "918999009046", Play::Stop(StopAt::Directory), "ASID without its prefix",
        STOP, "Booking stops with an error to the user; a fault of the directory's configuration is logged.", &["C7", "CONS-DOS-06"]),
    discover("999999947", "918999009047", Play::Stop(StopAt::System), "No nhsAs entry",
        STOP, ON, &["C10", "CONS-SDS-02", "NAT-SDS-08"]),
    discover("999999948", "918999009048", Play::Stop(StopAt::System), "Interaction create:appointment missing",
        STOP, ON, &["C11", "CONS-SDS-02", "NAT-SDS-08"]),
    discover("999999949", "918999009049", Play::Stop(StopAt::System), "Interactions of slots missing",
        STOP, ON, &["C11", "CONS-SDS-02", "NAT-SDS-08"]),
    discover("999999950", "918999009050", Play::Stop(StopAt::System), "CareConnect and GP Connect both",
        STOP, ON, &["C12", "CONS-SDS-02", "NAT-SDS-08"]),
    discover("999999951", "918999009051", Play::Stop(StopAt::Endpoint), "Several nhsMhs entries",
        STOP, ON, &["C14", "CONS-SDS-02", "NAT-SDS-08"]),
    discover("999999952", "918999009052", Play::Stop(StopAt::Endpoint), "No nhsMhs entry",
        STOP, ON, &["C14", "CONS-SDS-02", "NAT-SDS-08"]),
    discover("999999953", "918999009053", Play::Stop(StopAt::Endpoint), "Endpoint without its scheme",
        STOP, ON, &["C17", "CONS-SDS-02", "NAT-SDS-08"]),
    discover("999999954", "918999009054", Play::Stop(StopAt::Endpoint), "Endpoint empty",
        STOP, ON, &["C17", "CONS-SDS-02", "NAT-SDS-08"]),
    discover("999999955", "918999009055", Play::Stop(StopAt::Endpoint), "Endpoint is no address",
        STOP, ON, &["C17", "CONS-SDS-02", "NAT-SDS-08"]),
    discover("999999956", "918999009056", Play::Plain, "A system of its own",
        "Search, book, read and cancel; book another slot for the same patient (rebook).",
        "Ssp-To is the ASID that the directory names for this service, the address the one that SDS names.",
        &["C1", "C6", "C9", "C13", "C16", "CONS-DOS-03", "CONS-SDS-01"]),
];
