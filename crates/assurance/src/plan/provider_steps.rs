//! The provider side of the plans (OPS-P), a draft as published. The published plans have no number 6.

use super::actors::Role::{ConsumerUser, ProviderUser};
use super::step::{Ready, Row, Side, Task};
use crate::requirements::Level::{May, Must};

const fn row(
    id: &'static str,
    level: crate::requirements::Level,
    who: super::actors::Role,
    title: &'static str,
) -> Row {
    Row::new(id, Side::Provider, level, who, title)
}

/// The steps, in the published order.
pub(super) const ROWS: &[Row] = &[
    row("OPS-P1", Must, ProviderUser, "Booking received")
        .act("At {place}, open the diary and find the appointment that 111 booked.")
        .expected("The appointment is in the right clinic, with the right time, patient and reason, marked as booked by 111.")
        .ready(Ready::Referred)
        .cites(&["AUD-02"]),
    row("OPS-P2", Must, ProviderUser, "Referral received")
        .act("At {place}, find the referral that 111 sent for the appointment.")
        .expected("The referral is there, complete and readable, for the right patient.")
        .ready(Ready::Referred)
        .cites(&["REF-PRO-01"]),
    row("OPS-P3", Must, ProviderUser, "Referral opened from the booking")
        .act("At {place}, open the appointment and from there the referral.")
        .expected("The referral that opens is the one of this appointment.")
        .ready(Ready::Referred)
        .cites(&["REF-PRO-01"]),
    row("OPS-P4", Must, ConsumerUser, "111 cancels")
        .act("At 111, cancel the appointment. At {place}, look at the diary.")
        .expected("The appointment is shown as cancelled.")
        .task(Task::Cancel)
        .look("At {place}: is the appointment shown as cancelled?")
        .cites(&["CONS-CAN-01"]),
    row("OPS-P5", Must, ProviderUser, "Patient arrived")
        .act("At {place}, mark the patient of a booked appointment as arrived.")
        .expected("The arrival is shown.")
        .ready(Ready::Booked)
        .cites(&["DAT-09"]),
    row("OPS-P7", Must, ProviderUser, "Local cancellation")
        .act("At {place}, cancel an appointment that 111 booked.")
        .expected("The appointment is shown as cancelled.")
        .ready(Ready::Fresh),
    row("OPS-P8", Must, ProviderUser, "Slot released")
        .act("At {place}, release the slot of the cancelled appointment. At 111, look at the list of slots again.")
        .expected("The slot can be seen by 111.")
        .handover("At {place}: release the slot now, if the cancellation has not done so.")
        .task(Task::Freed),
    row("OPS-P9", Must, ConsumerUser, "111 rebooks")
        .act("At 111, move a booked appointment to another slot. At {place}, look at the diary.")
        .expected("The new appointment is booked, the old one is cancelled.")
        .task(Task::RebookWithin)
        .look("At {place}: is the new appointment in the diary, and the old one cancelled?")
        .cites(&["CONS-REB-01"]),
    row("OPS-P10", May, ProviderUser, "Text message to the patient")
        .act("If {place} sends text messages, read the reminder that the test patient's telephone receives.")
        .expected("Date, time, place and sender are right, and it names the service that made the booking.")
        .cites(&["CONS-SMS-03"]),
    row("OPS-P11", Must, ProviderUser, "Note the case number")
        .act("Note the case number that {place} shows for the appointment.")
        .expected("The case number is known, and leads to the appointment and its referral.")
        .cites(&["AUD-05"]),
    row("OPS-P12", Must, ProviderUser, "Run the reports")
        .act("Find the reports of the provider side and run them over today.")
        .expected("Every report is found, runs, and counts what was done in this plan.")
        .cites(&["REP-G-01"]),
];

/// Booking at a branch or other location. The published plans give this step no number.
pub(super) const BRANCH: &[Row] = &[row(
    "BRANCH-P",
    Must,
    ProviderUser,
    "Booking at the branch received",
)
.act("At the branch, open the diary and find the appointment that 111 booked there.")
.expected(
    "The appointment is in the diary of the branch, with the right time, patient and reason.",
)];
