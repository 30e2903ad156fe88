//! A request that a test sends, and the answer that it has to get.
//!
//! ```text
//! let a = t.ask("read the booking", &request).succeeds(200, "Appointment", READ)?;
//! t.ask("no Authorization", &request).refused(Situation::TokenRefused, IDS)?;
//! ```

use booking::situation::Situation;

use super::answer::{Answer, text};
use super::request::Request;
use super::trial::{Ids, Step, Stop, Trial, has_coding, named};

/// What a cancellation has to bring about.
const CANCELLED: Ids = &["P31", "PROV-CAN-05"];

/// A request with its purpose, not sent yet.
#[must_use = "nothing is sent before the answer is named"]
pub(super) struct Ask<'a, 's, 't> {
    pub(super) t: &'a mut Trial<'s, 't>,
    pub(super) purpose: &'a str,
    pub(super) request: &'a Request,
}

impl<'s, 't> Trial<'s, 't> {
    /// Has a request ready, with its purpose in words.
    pub(super) fn ask<'a>(&'a mut self, purpose: &'a str, request: &'a Request) -> Ask<'a, 's, 't> {
        Ask {
            t: self,
            purpose,
            request,
        }
    }
}

impl Ask<'_, '_, '_> {
    /// Has to succeed with this status and resource type.
    pub(super) fn succeeds(self, status: u16, kind: &str, ids: Ids) -> Step<Answer> {
        let Ask { t, purpose, .. } = self;
        let a = t.send(purpose, self.request)?;
        t.status(&a, status, ids, purpose)?;
        let what = format!("The answer to “{purpose}” is {}", named(a.kind()));
        t.at(&a, "body", ids)
            .must(a.kind() == kind)
            .right(kind)
            .or(what)
            .then_some(a)
            .ok_or(Stop::Failed)
    }

    /// A cancellation that has to succeed: the Appointment that comes back is this one and cancelled, and a read after
    /// it says the same.
    pub(super) fn cancels(self, id: &str, ids: Ids) -> Step<Answer> {
        const PLACE: &str = "Appointment.status";
        let Ask {
            t,
            purpose,
            request,
        } = self;
        let a = t.ask(purpose, request).succeeds(200, "Appointment", ids)?;
        let given = (text(&a.resource, "/id"), text(&a.resource, "/status"));
        let which = match given.0 == id {
            true => "the Appointment",
            false => "another Appointment",
        };
        let said = t
            .at(&a, PLACE, CANCELLED)
            .must(given == (id, "cancelled"))
            .right("this Appointment, cancelled")
            .or(format!(
                "A cancellation was answered with {which} of the status `{}`",
                given.1
            ));
        let request = t.read(id);
        let read = t.send("read what was cancelled", &request)?;
        let status = text(&read.resource, "/status");
        let what =
            format!("The cancellation was answered with 200, and a read after it says `{status}`");
        // Whether it can be read at all is tried by the tests of reading.
        let stands = t
            .at(&read, PLACE, CANCELLED)
            .must(read.status != 200 || status == "cancelled")
            .right("cancelled")
            .or(what);
        (stands && said).then_some(a).ok_or(Stop::Failed)
    }

    /// Has to be refused as the error table has it (section 11).
    pub(super) fn refused(self, situation: Situation, ids: Ids) -> Step<Answer> {
        let a = self.t.send(self.purpose, self.request)?;
        self.t.is_refused(&a, situation, ids, self.purpose);
        Ok(a)
    }

    /// Has to be refused, where the catalogue leaves open which row of the error table fits.
    pub(super) fn refused_as(self, situations: &[Situation], ids: Ids) -> Step<Answer> {
        let a = self.t.send(self.purpose, self.request)?;
        let mut same = situations.iter().filter(|s| s.row().status == a.status);
        let fit = same.clone().find(|s| has_coding(&a, s.row().spine));
        if let Some(situation) = fit.or(same.next()).or(situations.first()) {
            self.t.is_refused(&a, *situation, ids, self.purpose);
        }
        Ok(a)
    }
}
