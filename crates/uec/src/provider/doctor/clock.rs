//! The clock: tokens live five minutes, slots begin and end, and the audit trail is in its order.

use super::{Findings, Patient};
use crate::web;
use jiff::Timestamp;
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;

/// How long others may take to tell the time.
const WITHIN: Duration = Duration::from_secs(5);
/// A clock off by less is right.
const RIGHT_MS: i64 = 1_000;
/// How long both clocks of this machine are watched.
const WATCH: Duration = Duration::from_millis(500);
/// They may differ by this much in that time: a clock that is being slewed differs by far less.
const DRIFT_MS: i64 = 100;
/// Seconds between 1900, where NTP begins, and 1970.
const NTP_EPOCH: i64 = 2_208_988_800;
/// Length of an SNTP message (RFC 4330).
const NTP_BYTES: usize = 48;

/// Compares the clock with itself, with the audit trail, and with others where they are named.
pub async fn check(patient: &Patient, asked: (Option<&str>, &[String]), out: &mut Findings<'_>) {
    steady(out).await;
    trail(patient, out);
    let (ntp, dates) = asked;
    if let Some(server) = ntp {
        match ask_ntp(server).await {
            Ok(ahead) => judge(patient, server, ahead, RIGHT_MS, out),
            Err(why) => unheard(server, &why, out),
        }
    }
    for url in dates {
        match ask_http(url).await {
            // A Date has whole seconds.
            Ok(ahead) => judge(patient, url, ahead, 2 * RIGHT_MS, out),
            Err(why) => unheard(url, &why, out),
        }
    }
    if ntp.is_none() && dates.is_empty() {
        out.note(
            "The clock was not compared with another.",
            "Name one with --ntp HOST or --clock URL.",
        );
    }
}

fn unheard(who: &str, why: &str, out: &mut Findings<'_>) {
    out.warn(
        format!("{who} does not tell the time: {why}."),
        "Check the name, and that the network lets this machine ask.",
    );
}

async fn steady(out: &mut Findings<'_>) {
    let (clock, monotonic) = (Timestamp::now(), Instant::now());
    tokio::time::sleep(WATCH).await;
    let by_clock = Timestamp::now().as_millisecond() - clock.as_millisecond();
    let real = i64::try_from(monotonic.elapsed().as_millis()).unwrap_or(i64::MAX);
    let drift = by_clock - real;
    match drift.abs() > DRIFT_MS {
        true => out.problem(
            format!("The clock jumped by {drift} ms within half a second."),
            "Let one program alone keep the time, and let it slew rather than step.",
        ),
        false => out.ok("The clock runs evenly."),
    }
}

/// A row from the future was written by a clock that was ahead, or this one is behind.
fn trail(patient: &Patient, out: &mut Findings<'_>) {
    let Some(store) = &patient.store else { return };
    for tenant in store.tenants().unwrap_or_default() {
        let last = store
            .tenant(tenant.key)
            .audit_last_before(Timestamp::MAX)
            .and_then(|n| store.tenant(tenant.key).audit_rows((n - 1).max(0), 1));
        let Some(row) = last.ok().and_then(|rows| rows.into_iter().next()) else {
            continue;
        };
        let ahead = row.at.as_millisecond() - Timestamp::now().as_millisecond();
        if ahead > RIGHT_MS {
            out.problem(
                format!(
                    "The last audit row of {} is {} s in the future.",
                    tenant.ods,
                    ahead / 1_000
                ),
                "Set the clock right; it was ahead when the row was written, or is behind now.",
            );
        }
    }
}

/// `ahead`: milliseconds by which this machine's clock is ahead.
fn judge(patient: &Patient, who: &str, ahead: i64, right: i64, out: &mut Findings<'_>) {
    let tolerated = patient.settings.trust.tolerance_seconds * 1_000;
    let said = format!(
        "The clock is {:.1} s {} {who}.",
        ahead.abs() as f64 / 1e3,
        if ahead >= 0 { "ahead of" } else { "behind" }
    );
    let advice = "Set the clock right and keep it so with NTP.";
    match ahead.abs() {
        off if off <= right => out.ok(format!("The clock agrees with {who}.")),
        off if off > tolerated => out.problem(
            format!("{said} Tokens are refused beyond {} s.", tolerated / 1_000),
            advice,
        ),
        _ => out.warn(said, advice),
    }
}

async fn ask_http(url: &str) -> Result<i64, String> {
    let client = web::client(WITHIN)?;
    let before = Timestamp::now();
    let answer = client.head(url).send().await;
    let answer = answer.map_err(|e| e.without_url().to_string())?;
    let date = answer.headers().get("date").and_then(|v| v.to_str().ok());
    let date = date.ok_or("its answer has no Date")?;
    let at = jiff::fmt::rfc2822::parse(date).map_err(|_| "its Date cannot be read".to_owned())?;
    // The Date was cut to a whole second somewhere between asking and hearing.
    let here = (before.as_millisecond() + Timestamp::now().as_millisecond()) / 2;
    Ok(here - at.timestamp().as_millisecond() - 500)
}

async fn ask_ntp(server: &str) -> Result<i64, String> {
    let address = match server.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => server.to_owned(),
        _ => format!("{server}:123"),
    };
    let asking = async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        socket.connect(&address).await?;
        let mut message = [0; NTP_BYTES];
        // Version 4, client.
        message[0] = 0x23;
        let begun = (Timestamp::now(), Instant::now());
        socket.send(&message).await?;
        let length = socket.recv(&mut message).await?;
        Ok::<_, std::io::Error>((message, length, begun.0, begun.1.elapsed()))
    };
    let (message, length, sent, took) = tokio::time::timeout(WITHIN, asking)
        .await
        .map_err(|_| "no answer in time".to_owned())?
        .map_err(|e| e.to_string())?;
    // A server's answer (mode 4) of a clock that is itself set (stratum 1 to 15).
    if length < NTP_BYTES || message[0] & 7 != 4 || !(1..16).contains(&message[1]) {
        return Err("its answer is not one of a clock that is set".to_owned());
    }
    let number = |at: usize| {
        i64::from(u32::from_be_bytes([
            message[at],
            message[at + 1],
            message[at + 2],
            message[at + 3],
        ]))
    };
    let theirs = (number(40) - NTP_EPOCH) * 1_000 + number(44) * 1_000 / (1 << 32);
    let half = i64::try_from(took.as_millis() / 2).unwrap_or(0);
    Ok(sent.as_millisecond() + half - theirs)
}
