//! Certificates and whose tokens are believed.

use super::{Findings, Patient};
use booking::count::counted;
use provider::certificate::{chain_fault, is_for, validity};
use provider::config::{Tls, Unsigned};
use provider::http::tls::server_config;
use provider::http::trust::Trust;
use provider::revocation::Revocation;
use std::path::Path;

/// Days before the end from which on a certificate should be renewed; issuing one takes some weeks.
const RENEW_DAYS: i64 = 30;
const DAY: i64 = 24 * 60 * 60;
/// A revocation list that ends within so many days is told: a weekend may lie between.
const DUE_DAYS: i64 = 3;

/// Looks at the configured files.
pub fn check(patient: &Patient, out: &mut Findings<'_>) {
    trust(patient, out);
    let Some(tls) = &patient.settings.tls else {
        return out.note(
            "No certificate is configured: the server speaks plain HTTP.",
            "Let a proxy in front end TLS on the same machine, or set [tls].",
        );
    };
    match server_config(tls) {
        Ok(ready) => {
            out.ok("Certificate and key can be read and go together.");
            revocation(patient, tls, ready.revocation.as_deref(), out);
        }
        Err(error) => out.problem(
            format!("The server would not start: {error}."),
            "Put the right files in [tls]: the chain with the server's own certificate first, and its key.",
        ),
    }
    server(patient, tls, out);
    match &tls.client_ca {
        None => out.warn(
            "Client certificates are not asked for.",
            "Set tls.client_ca to the authority of the Spine Secure Proxy's certificate.",
        ),
        Some(path) => expiry(patient, path, "client authority", out),
    }
}

fn trust(patient: &Patient, out: &mut Findings<'_>) {
    match Trust::open(&patient.settings) {
        Err(error) => out.problem(format!("Nobody is trusted: {error}."), ""),
        Ok(_) if patient.settings.trust.unsigned == Unsigned::Any => out.problem(
            "Unsigned tokens are believed from anybody who reaches the port.",
            "Set trust.unsigned = \"ssp\" and trust.ssp_names before real patients are booked.",
        ),
        Ok(_) => {}
    }
}

fn revocation(patient: &Patient, tls: &Tls, lists: Option<&Revocation>, out: &mut Findings<'_>) {
    match lists.map(|lists| lists.over(patient.now)) {
        None if tls.client_ca.is_some() => out.warn(
            "Revoked client certificates are not noticed.",
            "Set tls.client_crl to the revocation lists of the authorities (NAT-ENV-03), and have them fetched at least \
             weekly.",
        ),
        None => {}
        Some(None) => {
            let lists = lists.map(Revocation::lists).unwrap_or_default();
            let current = "The revocation lists of client certificates can be read and are current";
            match lists.iter().min_by_key(|(_, validity)| validity.until) {
                None => out.ok(format!("{current}; none says until when.")),
                Some((file, validity)) => {
                    let says = format!("{current}; {} is the first to end, on {}.", file.display(), validity.until);
                    match validity.seconds_left(patient.now) < DUE_DAYS * DAY {
                        true => out.warn(says, "Have it fetched now, and oftener: a list that has ended is a problem."),
                        false => out.ok(says),
                    }
                }
            }
        }
        Some(Some(fault)) => out.problem(
            format!("{fault}."),
            "Fetch the newest list and put it in place of the file; the server takes it by itself.",
        ),
    }
}

fn server(patient: &Patient, tls: &Tls, out: &mut Findings<'_>) {
    expiry(patient, &tls.certificate, "server", out);
    let Ok(chain) = pemfile::certificates(&tls.certificate, "tls.certificate") else {
        // Told already.
        return;
    };
    match chain_fault(&chain) {
        Some(fault) => out.problem(
            format!("The server's certificates: {fault}."),
            "Put the issuing authorities behind the server's own certificate, each signing the one before.",
        ),
        None if chain.len() == 1 => out.note(
            "The certificate file holds the server's own certificate alone.",
            "If an intermediate authority issued it, put that one behind it: callers may not have it.",
        ),
        None => out.ok(format!("The chain of {} certificates holds together.", chain.len())),
    }
    let host = patient.settings.base_url.as_deref().and_then(host);
    if let (Some(host), Some(first)) = (host, chain.first()) {
        match is_for(first, host) {
            true => out.ok(format!("The certificate is for {host}.")),
            false => out.problem(
                format!("The certificate is not for {host}, the host of the base URL."),
                "Have one issued with that DNS name among its subject alternative names.",
            ),
        }
    }
}

/// Host of a base URL.
fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    match rest.strip_prefix('[') {
        Some(v6) => v6.split(']').next(),
        None => rest.split(':').next(),
    }
}

fn expiry(patient: &Patient, path: &Path, name: &str, out: &mut Findings<'_>) {
    let chain = match pemfile::certificates(path, name) {
        Ok(chain) => chain,
        Err(error) => {
            return out.problem(
                format!("The {name} certificate cannot be read: {error}."),
                "Check the path, and that the file is PEM.",
            );
        }
    };
    for (n, der) in chain.iter().enumerate() {
        let which = match (n, chain.len()) {
            (_, 1) => format!("The {name} certificate"),
            (n, of) => format!("Certificate {} of {of} in the {name} file", n + 1),
        };
        let Some(validity) = validity(der) else {
            out.problem(format!("{which} has no validity that can be read."), "");
            continue;
        };
        let left = validity.seconds_left(patient.now);
        let renew = "Have it renewed, put the new file in place, and restart the server.";
        match left {
            _ if patient.now < validity.from => out.problem(
                format!("{which} does not hold before {}.", validity.from),
                "Check the clock of this machine, or wait.",
            ),
            ..0 => out.problem(format!("{which} expired on {}.", validity.until), renew),
            left if left < RENEW_DAYS * DAY => {
                out.warn(
                    format!("{which} expires in {}.", counted(left / DAY, "day", "days")),
                    renew,
                );
            }
            left => out.ok(format!(
                "{which} holds for {}.",
                counted(left / DAY, "day", "days")
            )),
        }
    }
}
