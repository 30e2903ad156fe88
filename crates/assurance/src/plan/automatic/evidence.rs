//! What is kept of a step as files: extracts of the journal, messages; redacted when asked for.

use super::Stop;
use super::rig::Rig;
use crate::evidence::{Body, Exchange, Kind, Outcome, Redaction, Run};
use crate::plan::{Part, PlanFolder};
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

impl Rig {
    /// What the journal has of the contacts of a part since a moment; `None` if nothing happened.
    pub(super) async fn extracts(
        &self,
        folder: &PlanFolder,
        part: Part,
        since: Timestamp,
    ) -> Result<Option<Vec<u8>>, Stop> {
        let mut kept = Vec::new();
        for contact in folder
            .plan
            .contacts
            .iter()
            .filter(|c| c.part == part.name())
        {
            let Some(mut extract) = self.journal().extract(&contact.encounter).await? else {
                continue;
            };
            // The journal keeps milliseconds.
            extract
                .steps
                .retain(|s| s.at.as_millisecond() >= since.as_millisecond());
            if !extract.steps.is_empty() {
                kept.push(extract);
            }
        }
        if kept.is_empty() {
            return Ok(None);
        }
        let text = serde_json::to_vec_pretty(&kept).map_err(|e| Stop::NotTried(e.to_string()))?;
        Ok(Some(text))
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stop::Failed(lines) => f.write_str(&lines.join(" ")),
            Stop::NotTried(why) => f.write_str(why),
        }
    }
}
