//! After each scenario the same proof.

pub mod facts;
pub mod judge;
pub mod stored;
#[cfg(test)]
mod tests;

use crate::consumer::Consumer;
use crate::database::Database;
use crate::ledger::Ledger;
use crate::message::Heads;
use crate::provider;
use crate::world::{self, Size};
use facts::{Facts, Outcome};
use jiff::Timestamp;
use judge::{Violation, Wire, judge};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use stored::{Chain, Stored};
use uuid::Uuid;

/// Connections over which appointments are read again.
const READERS: usize = 32;

/// What was proved, or not.
pub struct Verdict {
    /// What the ledger said.
    pub facts: Facts,
    /// Rows of all audit chains.
    pub audit_rows: u64,
    /// Live bookings.
    pub live: usize,
    /// All bookings ever made.
    pub bookings: usize,
    /// Everything that does not fit.
    pub violations: Vec<Violation>,
}

/// Where the proof reads.
pub struct Where<'a> {
    /// The program, for its own verification of the audit trail.
    pub program: &'a Path,
    /// Folder of the ledger.
    pub folder: &'a Path,
    /// The database.
    pub database: &'a Database,
}

/// Judges by ledger, database and, if given, what is answered over HTTP.
pub fn prove(at: &Where<'_>, wire: Option<&Wire>) -> Result<Verdict, String> {
    let facts = Facts::read(at.folder)?;
    let mut stored = Stored::read(at.database)?;
    stored.chains = chains(at.program, &at.database.url())?;
    Ok(Verdict {
        violations: judge(&facts, &stored, wire),
        audit_rows: stored.chains.iter().map(|c| c.rows).sum(),
        live: stored.appointments.iter().filter(|a| a.live).count(),
        bookings: stored.appointments.len(),
        facts,
    })
}

/// What the program itself says of its audit trail. A broken one is an answer, not an error.
pub fn chains(program: &Path, database: &str) -> Result<Vec<Chain>, String> {
    let output = Command::new(program)
        .args([
            "provider",
            "audit",
            "verify",
            "--json",
            "--database",
            database,
        ])
        .env("RUST_LOG", "error")
        .output()
        .map_err(|e| format!("cannot start the program: {e}"))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let list: serde_json::Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("`audit verify` says nothing: {said}"))?;
    let mut chains = Vec::new();
    for chain in list.as_array().into_iter().flatten() {
        chains.push(Chain {
            provider: chain["provider"].as_str().unwrap_or_default().to_owned(),
            verified: chain["verified"] == true && output.status.success(),
            rows: chain["rows"].as_u64().unwrap_or(0),
            what: format!("row {}: {}", chain["row"], chain["what"]),
        });
    }
    Ok(chains)
}

/// What is answered over HTTP: every appointment that a client was told of, and every free slot.
pub async fn over_http(
    folder: &Path,
    address: SocketAddr,
    heads: &Arc<Heads>,
    ledger: &Arc<Ledger>,
    size: Size,
    began: Timestamp,
) -> Result<Wire, String> {
    let facts = Facts::read(folder)?;
    let made = facts.bookings.values().filter_map(|a| match a.outcome() {
        Outcome::Made(id) => Some(id),
        _ => None,
    });
    let mut ids: Vec<Uuid> = made.collect();
    ids.sort_unstable();
    ids.dedup();
    let addresses = Arc::new(vec![address]);
    let mut readers = tokio::task::JoinSet::new();
    for part in ids.chunks(ids.len().div_ceil(READERS).max(1)) {
        let part = part.to_vec();
        let mut consumer = Consumer::new(ledger, heads, &addresses, 0);
        readers.spawn(async move {
            let mut found = Vec::with_capacity(part.len());
            for id in part {
                let status = match consumer.read(id).await {
                    Some((200, body)) => status_of(&body, id),
                    Some((status, _)) => status.to_string(),
                    None => "nothing".to_owned(),
                };
                found.push((id, status));
            }
            found
        });
    }
    let mut wire = Wire::default();
    while let Some(part) = readers.join_next().await {
        wire.appointments.extend(part.map_err(|e| e.to_string())?);
    }
    let free = world::free_slots(address, heads, size, began).await?;
    wire.free = free.iter().map(|slot| slot.uuid).collect();
    Ok(wire)
}

/// `status` of an appointment, if the body is this appointment.
pub fn status_of(body: &[u8], id: Uuid) -> String {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    match value["id"] == id.to_string().as_str() {
        true => value["status"]
            .as_str()
            .unwrap_or("without status")
            .to_owned(),
        false => "another appointment".to_owned(),
    }
}

/// The audit trail alone, while the program runs.
pub fn verify_running(program: &Path, database: &str) -> Result<(), String> {
    provider::run(program, &["audit", "verify", "--database", database]).map(|_| ())
}
