//! What a call handler may do with a service, and the sentence that says so (CONS-DOS-04, CONS-DOS-05,
//! CONS-BO-01, CONS-BO-02). Pure.

use super::{Endpoint, ServiceDetails};
use crate::obstacle::Obstacle;
use crate::referral::{self, ReferralFailure};

/// What may be done with a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Book, refer, or both.
    BookOrRefer,
    /// Book; the referral only then.
    BookThenRefer,
    /// Book; there is no electronic referral.
    BookOnly,
    /// Refer without booking.
    ReferOnly,
    /// Neither.
    Neither,
}

impl Offer {
    /// Whether a booking may be made now.
    pub fn may_book(self) -> bool {
        matches!(
            self,
            Offer::BookOrRefer | Offer::BookThenRefer | Offer::BookOnly
        )
    }

    /// Whether a referral may be sent now, before there is a booking.
    pub fn may_refer(self) -> bool {
        matches!(self, Offer::BookOrRefer | Offer::ReferOnly)
    }

    /// A word for logs and `--json`.
    pub fn name(self) -> &'static str {
        match self {
            Offer::BookOrRefer => "book-or-refer",
            Offer::BookThenRefer => "book-then-refer",
            Offer::BookOnly => "book-only",
            Offer::ReferOnly => "refer-only",
            Offer::Neither => "neither",
        }
    }
}

/// A service and the ways to it.
#[derive(Clone, Debug)]
pub struct Reachable {
    /// The service.
    pub details: ServiceDetails,
    /// Where bookings go, or why there are none. The obstacle is for the user too: it has a next step.
    pub booking: Result<Endpoint, Obstacle>,
    /// Where referrals go, the first for the service itself, then copies (REF-CON-07).
    pub referral: Result<Vec<referral::Endpoint>, ReferralFailure>,
    /// What may be done.
    pub offer: Offer,
    /// The same in words for the user.
    pub sentence: String,
}

impl Reachable {
    /// Decides. A booking endpoint is reason enough to offer booking; only an attribute `requirebooking` that is
    /// present and true withholds the referral.
    pub fn decide(details: ServiceDetails, booking: Result<Endpoint, Obstacle>) -> Reachable {
        let referral = details.referral_endpoints();
        let required = details.booking_required;
        let offer = match (&booking, required, &referral) {
            (Ok(_), true, Ok(_)) => Offer::BookThenRefer,
            (Ok(_), false, Ok(_)) => Offer::BookOrRefer,
            (Ok(_), _, Err(_)) => Offer::BookOnly,
            (Err(_), false, Ok(_)) => Offer::ReferOnly,
            (Err(_), ..) => Offer::Neither,
        };
        let why = booking.as_ref().err().map(|o| o.plain.as_str());
        let sentence = words(offer, required, why.unwrap_or_default());
        Reachable {
            details,
            booking,
            referral,
            offer,
            sentence,
        }
    }
}

/// The sentence. `why` is the reason that there is no booking.
fn words(offer: Offer, required: bool, why: &str) -> String {
    match (offer, required) {
        (Offer::BookOrRefer, _) => {
            "You can book an appointment here, and send the referral with or without one."
                .to_owned()
        }
        (Offer::BookThenRefer, _) => {
            "This service takes patients only with a booked appointment. Book one first, \
                                      then send the referral, or choose another service."
                .to_owned()
        }
        (Offer::BookOnly, _) => {
            "You can book an appointment here. A referral cannot be sent electronically: ring the \
                                 service to hand over."
                .to_owned()
        }
        (Offer::ReferOnly, _) => {
            format!(
                "{why} You can send the referral without an appointment, or choose another service."
            )
        }
        (Offer::Neither, true) => format!(
            "{why} This service takes patients only with a booked appointment, so it cannot be used now. Choose \
             another service."
        ),
        (Offer::Neither, false) => format!(
            "{why} A referral cannot be sent electronically either. Ring the service, or choose another one."
        ),
    }
}
