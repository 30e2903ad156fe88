//! What is kept of a step as files: extracts of the journal, messages; redacted when asked for.

use super::Stop;
use super::rig::Work;
use crate::evidence::{Body, Exchange, Kind, Outcome, Redaction, Run};
use fhir::Element;
use jiff::Timestamp;

/// The content without tokens and patient data. What cannot be read goes whole.
pub(super) fn redacted(bytes: Vec<u8>) -> Vec<u8> {
    let mut exchange = Exchange::sent("GET", "", Vec::new(), Body::default());
    exchange.response_body = Body::new(bytes);
    let mut run = Run::started(Kind::Consumer, "");
    run.outcomes
        .push(Outcome::tried("plan", "", &[], Vec::new(), vec![exchange]));
    let redacted = Redaction::On.apply(vec![run]);
    let mut exchanges = redacted
        .iter()
        .flat_map(|run| &run.outcomes)
        .flat_map(|outcome| &outcome.exchanges);
    exchanges
        .next()
        .map(|e| e.response_body.bytes().to_vec())
        .unwrap_or_default()
}

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
