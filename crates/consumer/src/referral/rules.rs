//! Decides whether a referral may be sent (REF-CON-05, REF-CON-06). Pure.

use super::failure::{ReferralFailure, Why};
use super::model::Referral;

/// The error says why it may not. `booking_required`: the service's attribute `requirebooking` is present and true
/// (NAT-DOS-09).
pub fn may_send(referral: &Referral, booking_required: bool) -> Result<(), ReferralFailure> {
    let linked = referral.replaces.as_ref().is_some_and(|r| r.linked);
    if linked {
        return Err(ReferralFailure::new(
            Why::ReplacesLinked,
            "A referral that was sent with a booking cannot be changed or replaced.",
            "Cancel the booking, book again, and send a new referral with the new booking.",
        ));
    }
    if referral
        .replaces
        .as_ref()
        .is_some_and(|r| r.document_id == referral.document_id)
    {
        return Err(ReferralFailure::new(
            Why::ReplacesItself,
            "A referral cannot replace itself.",
            "Send the new referral under an id of its own.",
        ));
    }
    if booking_required && referral.appointment.is_none() {
        return Err(ReferralFailure::new(
            Why::BookingRequired,
            "This service takes a referral only together with a booked appointment, and none is booked.",
            "Book an appointment with this service first, or choose another service.",
        ));
    }
    Ok(())
}
