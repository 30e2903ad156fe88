//! The consumer side of the plans (OPS-C). The published plans have no number 6.

use super::actors::Role::{ConsumerUser, ProviderUser};
use super::step::{Ready, Row, Side, Task};
use crate::requirements::Level::{May, Must};

const fn row(
    id: &'static str,
    level: crate::requirements::Level,
    who: super::actors::Role,
    title: &'static str,
) -> Row {
    Row::new(id, Side::Consumer, level, who, title)
}

/// The steps, in the published order.
pub(super) const ROWS: &[Row] = &[
    row("OPS-C1", Must, ConsumerUser, "Booking is offered")
        .act("Take the test call to the disposition code and look for the appointment button of the service.")
        .expected("The button can be selected and leads to no error.")
        .task(Task::Offered)
        .cites(&["CONS-DOS-04"]),
    row("OPS-C2", Must, ConsumerUser, "Slot list")
        .act("Select the appointment button and compare the list of slots with the diary of {place}.")
        .expected("All free slots are shown, with the same times and details as in the diary.")
        .task(Task::Slots)
        .look("At {place}: does the diary have the same free slots for 111, none more and none less?")
        .cites(&["CONS-SLOT-05", "CONS-SLOT-06"]),
    row("OPS-C3", Must, ConsumerUser, "No slots available")
        .act("Choose a service whose slots are all taken, or have {place} take them.")
        .expected("A message says that there are no slots, and other services can be chosen.")
        .task(Task::NoSlots)
        .cites(&["CONS-SLOT-08"]),
    row("OPS-C4", Must, ConsumerUser, "All clinics offered to 111")
        .act("Go through the list of slots and note the clinics and appointment types in it.")
        .expected("Every clinic and type that {place} offers to 111 is there, and no other.")
        .task(Task::Clinics)
        .look("At {place}: are these all the clinics and types that are offered to 111, and no others?")
        .cites(&["CONS-SLOT-05", "CONS-SLOT-06"]),
    row("OPS-C5", Must, ConsumerUser, "Book")
        .act("Choose a slot and book it for the test patient.")
        .expected("The booking is confirmed, and the appointment can be seen at {place}.")
        .task(Task::Book)
        .look("At {place}: is the appointment in the diary, with the right time and patient?")
        .cites(&["CONS-BOOK-03"]),
    row("OPS-C7", Must, ConsumerUser, "Rebook within the consultation")
        .act("Before the consultation is closed, book another slot in place of the first.")
        .expected("The new booking is confirmed, the old one is cancelled, and {place} sees both.")
        .task(Task::RebookWithin)
        .look("At {place}: is the new appointment in the diary, and the old one cancelled?")
        .cites(&["CONS-REB-01", "CONS-REB-05"]),
    row("OPS-C8", Must, ConsumerUser, "Rebook after the consultation")
        .act("Close the consultation, and have the patient call back about two hours later and ask for another time.")
        .expected("The known appointment is listed, the new booking is confirmed, the old one is cancelled, and {place} sees both.")
        .task(Task::RebookAfter)
        .look("At {place}: is the new appointment in the diary, and the old one cancelled?")
        .cites(&["CONS-REB-01", "CONS-REB-04"]),
    row("OPS-C9", Must, ProviderUser, "Local cancellation frees the slot")
        .act("At {place}, cancel the appointment locally. Then look at the list of slots at 111 again.")
        .expected("The slot can be booked again.")
        .ready(Ready::Booked)
        .handover("At {place}: cancel this appointment locally now.")
        .task(Task::Freed)
        .cites(&["CONS-CAN-04"]),
    row("OPS-C10", Must, ConsumerUser, "Cancel after the consultation")
        .act("Book, close the consultation, have the patient call back, and cancel the appointment.")
        .expected("The cancellation is confirmed, and the appointment is cancelled at {place}.")
        .task(Task::CancelAfter)
        .look("At {place}: is the appointment shown as cancelled?")
        .cites(&["CONS-CAN-01", "CONS-CAN-04"]),
    row("OPS-C11", Must, ConsumerUser, "Referral sent")
        .act("Book, finish the call, and send the referral.")
        .expected("The referral is acknowledged, and seen at {place}.")
        .task(Task::Refer)
        .look("At {place}: has the referral arrived, and does it belong to the appointment?")
        .cites(&["REF-CON-01", "REF-CON-05"]),
    row("OPS-C12", May, ConsumerUser, "Text message to the patient")
        .act("If text messages are configured, read the one that the test patient's telephone receives.")
        .expected("Date, time, type, place and sender are right, and it says whom to call.")
        .task(Task::TextMessage)
        .look("On the test telephone: has the message arrived with these details? (Not applicable if none are sent.)")
        .cites(&["CONS-SMS-01", "CONS-SMS-02"]),
    row("OPS-C13", Must, ConsumerUser, "Note the case number")
        .act("Note the number of the case, so that the messages and reports can be found by it.")
        .expected("The case number is known, and leads to the case.")
        .task(Task::CaseNumber)
        .cites(&["AUD-05"]),
    row("OPS-C14", Must, ConsumerUser, "Run the reports")
        .act("Find the reports of the consumer side and run them over today.")
        .expected("Every report is found, runs, and counts what was done in this plan.")
        .task(Task::Counts)
        .look("On the consumer's report screen: were all reports found and run, and do they count at least this?")
        .cites(&["REP-G-01"]),
];

/// Booking at a branch or other location. The published plans give this step no number.
pub(super) const BRANCH: &[Row] = &[row(
    "BRANCH-C",
    Must,
    ConsumerUser,
    "Book at a branch or other location",
)
.act("Book a slot for the test patient that is at a branch or other location of {place}.")
.expected(
    "The list shows the location of each slot; the confirmation names the branch and its address.",
)
.task(Task::BookBranch)
.look("At the branch: is the appointment in the diary, with the right time and patient?")
.cites(&["CONS-SLOT-06", "CONS-BOOK-03"])];
