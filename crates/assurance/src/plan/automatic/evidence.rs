//! What is kept of a step as files: extracts of the journal, messages.

use super::Stop;
use super::rig::Work;
use fhir::Element;
use jiff::Timestamp;

/// A resource to be read by people.
pub(super) fn resource(element: &Element) -> Vec<u8> {
    fhir::json::write_pretty(element)
}

impl Work<'_> {
    /// What the journal has of this part's contacts since a moment; `None` if nothing happened.
    pub(super) async fn journal_since(&self, since: Timestamp) -> Result<Option<Vec<u8>>, Stop> {
        let mut kept = self.extracts().await?;
        for extract in &mut kept {
            // The journal keeps milliseconds.
            let is_new = |at: Timestamp| at.as_millisecond() >= since.as_millisecond();
            extract.steps.retain(|step| is_new(step.at));
        }
        kept.retain(|extract| !extract.steps.is_empty());
        match kept.is_empty() {
            true => Ok(None),
            false => Ok(Some(serde_json::to_vec_pretty(&kept)?)),
        }
    }
}
