//! The endpoint as others know it: reachable under its base URL, and registered in SDS under the same.

use super::handshake;
use super::{Catalogued, Findings, Patient};
use crate::web;
use consumer::body::{self, TlsFault};
use consumer::config::{ConsumerConfig, DemoAddresses};
use consumer::discover::registered;
use consumer::obstacle::Kind;
use std::error::Error;
use std::time::Duration;

/// How long the endpoint may take.
const WITHIN: Duration = Duration::from_secs(10);

/// Asks the endpoint, and SDS where one is named.
pub async fn check(
    patient: &Patient,
    catalogues: &[Catalogued],
    sds: Option<&str>,
    out: &mut Findings<'_>,
) {
    let Some(base) = &patient.settings.base_url else {
        return out.warn(
            "No base URL is set: consumers' tokens name another one than this server expects.",
            "Set base_url to what SDS publishes, without the path.",
        );
    };
    reachable(base, out).await;
    let Some(sds) = sds else {
        return out.note(
            "SDS was not asked how the endpoint is registered.",
            "Name it with --sds ldap://HOST; certificates come from UEC_CONSUMER_CA and the like.",
        );
    };
    let settings = ConsumerConfig::demo_with(&DemoAddresses::default(), &environment);
    let mut config = match settings {
        Ok(config) => config,
        Err(error) => {
            return out.problem(
                format!("SDS cannot be asked: {error}."),
                "Check the certificates that UEC_CONSUMER_CA and the like name.",
            );
        }
    };
    config.sds = sds.to_owned();
    // What is registered may be on a test network; it is told, not used.
    config.allow_plain = true;
    for of in catalogues {
        registration(base, of, &config, out).await;
    }
}

/// Certificates for SDS; everything else of a Consumer does not matter here.
fn environment(name: &str) -> Option<String> {
    match name {
        "UEC_CONSUMER_CA" | "UEC_CONSUMER_CERTIFICATE" | "UEC_CONSUMER_KEY" => {
            std::env::var(name).ok()
        }
        _ => None,
    }
}

async fn reachable(base: &str, out: &mut Findings<'_>) {
    let client = match web::client(WITHIN) {
        Ok(client) => client,
        Err(error) => return out.warn(format!("{error}."), ""),
    };
    let answer = client.get(format!("{base}/health/ready")).send().await;
    match answer {
        Ok(answer) if answer.status().is_success() => {
            out.ok(format!("{base} answers and is ready."));
        }
        Ok(answer) if answer.status().as_u16() == 503 => {
            let text = answer.text().await.unwrap_or_default();
            let text: String = text
                .chars()
                .map(booking::foreign::visible)
                .take(300)
                .collect();
            out.problem(
                format!("{base} answers but is not ready: {text}"),
                "Do what the reasons say.",
            );
        }
        Ok(answer) => out.warn(
            format!(
                "{base} answers {} where its health should be.",
                answer.status()
            ),
            "Check that it is this server, and that a proxy in front passes /health on.",
        ),
        Err(error) if error.is_connect() || body::tls_error(&error).is_some() => {
            unreachable(base, &error, out);
        }
        // A refusal of TLS 1.3 comes after the handshake; when it overtakes the request, HTTP reports only a closed connection.
        Err(error) => match handshake::refusal(base, WITHIN).await {
            Some(refusal) => unreachable(base, &refusal, out),
            None => unreachable(base, &error, out),
        },
    }
}

fn unreachable(base: &str, error: &(dyn Error + 'static), out: &mut Findings<'_>) {
    // The server has spoken: only this program has no certificate to show.
    if body::tls_fault(error) == Some(TlsFault::OwnCertificate) {
        return out.ok(format!("{base} answers and asks for a client certificate."));
    }
    match body::tls_error(error) {
        Some(rustls::Error::AlertReceived(alert)) => out.warn(
            format!("{base} answers but refuses the TLS handshake ({alert:?})."),
            "Right if it asks for a client certificate, since doctor shows none; else compare TLS versions and host names.",
        ),
        Some(rustls::Error::InvalidCertificate(why)) => out.warn(
            format!("{base} answers with a certificate that this machine does not trust: {}.", in_words(why)),
            "Right if only the national network's authorities sign it; wrong if consumers see the same.",
        ),
        _ => out.problem(
            format!("{base} cannot be reached from here."),
            "Start the server; check the name, the port, the firewall and the proxy in front.",
        ),
    }
}

fn in_words(why: &rustls::CertificateError) -> &'static str {
    use rustls::CertificateError as Why;
    match why {
        Why::UnknownIssuer => "no authority that it knows has signed it",
        Why::BadSignature => "the authority that it names has not signed it",
        Why::Expired | Why::ExpiredContext { .. } => "it has expired",
        Why::NotValidYet | Why::NotValidYetContext { .. } => "it is not valid yet",
        Why::NotValidForName | Why::NotValidForNameContext { .. } => "it is for another name",
        Why::Revoked => "it was revoked",
        _ => "it is self-signed, or unfit for a server",
    }
}

async fn registration(
    base: &str,
    of: &Catalogued,
    config: &ConsumerConfig,
    out: &mut Findings<'_>,
) {
    let asid = &of.catalogue.tenant.asid;
    let wanted = format!("{base}/STU3/1/{}", of.ods);
    let found = match registered(config, asid).await {
        Ok(found) => found,
        Err(obstacle) => {
            let detail = obstacle.fields();
            let (says, next) = match obstacle.kind {
                Kind::SdsUnreachable | Kind::SdsRefused | Kind::SdsUnreadable => (
                    format!("SDS could not be asked about {asid} of {}", of.ods),
                    "Check the address of --sds, the network and the certificates (UEC_CONSUMER_CA and the like); nothing \
                     was found out about the registration.",
                ),
                kind => (
                    format!(
                        "SDS: a Consumer that looks up {asid} of {} is stopped: {}",
                        of.ods,
                        kind.name()
                    ),
                    "Have the registration corrected: one nhsAs entry with the CareConnect interactions, one nhsMhs entry \
                     each with one address.",
                ),
            };
            return out.problem(format!("{says} ({detail})."), next);
        }
    };
    let mut right = true;
    for (what, root) in [
        ("slots", &found.slots_root),
        ("bookings", &found.booking_root),
    ] {
        if root.trim_end_matches('/') != wanted {
            right = false;
            out.problem(
                format!(
                    "SDS sends {what} of {} to {root}, this server expects {wanted}.",
                    of.ods
                ),
                "Have nhsMHSEndPoint corrected, or set base_url to what is registered.",
            );
        }
    }
    if found
        .ods
        .as_ref()
        .is_some_and(|ods| *ods != of.ods.as_str())
    {
        right = false;
        out.warn(
            format!(
                "SDS has {asid} under the organisation {}, here it is {}.",
                found.ods.clone().unwrap_or_default(),
                of.ods
            ),
            "Check which of the two is right.",
        );
    }
    if right {
        out.ok(format!("SDS sends slots and bookings of {} here.", of.ods));
    }
}
