//! Reads an endpoint's capability statement once per session. A failure blocks nothing (CONS-SDS-03, D-50).

use super::{Consultation, Target};
use crate::plan;
use crate::redact;
use serde::Serialize;
use serde_json::json;
use std::sync::PoisonError;
use std::time::Duration;

/// Longest wait of a search for the statement, which only informs.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Most endpoints remembered in one session; a consultation uses a few.
const MOST: usize = 1_000;
/// Longest text kept of a statement, characters.
const MAX_TEXT: usize = 200;

/// The relevant parts of a CapabilityStatement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Capability {
    /// Version of the booking API (RES-CAP-06).
    pub version: Option<String>,
    /// Version of FHIR.
    pub fhir_version: Option<String>,
    /// Software and its version.
    pub software: Option<String>,
}

impl Consultation {
    /// The Provider's capability, read once per session. `None`: it could not be read.
    pub async fn capability(&self, target: &Target) -> Option<Capability> {
        let known = &self.journey.inner.capabilities;
        let root = target.booking_root.clone();
        {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = known.get(&root) {
                return found.clone();
            }
            if known.len() >= MOST {
                known.clear();
            }
            // Marked before the request, so that parallel searches ask once.
            known.insert(root.clone(), None);
        }
        let found = self.read_capability(target).await;
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(root, found.clone());
        found
    }

    async fn read_capability(&self, target: &Target) -> Option<Capability> {
        let step = self.begin("capability", Some(&target.service)).await.ok()?;
        let route = self.journey.route(&target.asid, &target.booking_root);
        let request = self.journey.plan(&route, plan::capability::plan).ok()?;
        let delivery = self.journey.send(&request, step).await;
        let found = delivery.ok().and_then(|answer| {
            let statement = answer.resource_of("CapabilityStatement")?;
            let told = |text: &str| redact::foreign(text, MAX_TEXT);
            let text = |name: &str| statement.str_of(name).map(told);
            let software = statement.get("software").and_then(|s| {
                let version = s.str_of("version").unwrap_or_default();
                Some(told(&format!("{} {version}", s.str_of("name")?)))
            });
            Some(Capability {
                version: text("version"),
                fhir_version: text("fhirVersion"),
                software,
            })
        });
        let outcome = if found.is_some() { "read" } else { "not read" };
        self.end(step, outcome, json!(found)).await;
        found
    }
}
