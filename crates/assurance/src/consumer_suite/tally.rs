//! What was seen of one scenario, as counts.

/// Counts of one scenario.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Slot searches.
    pub searches: usize,
    /// Slot searches after a booking was refused because the slot was taken.
    pub searches_after_refusal: usize,
    /// Bookings that succeeded.
    pub booked: usize,
    /// Bookings that met a taken slot.
    pub taken: usize,
    /// Bookings refused on purpose.
    pub refused: usize,
    /// Bookings that got no answer, or an empty one.
    pub unanswered: usize,
    /// What followed such a booking: the same again, or a look for it.
    pub recovered: usize,
    /// Reads of an appointment.
    pub reads: usize,
    /// Cancellations that succeeded.
    pub cancelled: usize,
    /// Cancellations refused on purpose.
    pub refused_cancels: usize,
    /// Cancellations that met a change by somebody else.
    pub conflicts: usize,
    /// Reads that followed.
    pub reads_after_conflict: usize,
    /// Cancellations that got no answer, or an empty one.
    pub unanswered_cancels: usize,
    /// What followed such a cancellation.
    pub recovered_cancels: usize,
    /// Times that the directory was asked for the service.
    pub chosen: usize,
    /// SDS searches for its system.
    pub system_asked: usize,
    /// SDS searches for its endpoint.
    pub endpoint_asked: usize,
    /// Requests that should not have been made.
    pub trespasses: usize,
    /// Referrals.
    pub referrals: usize,
}
