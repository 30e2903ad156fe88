//! Booking of distinct free slots over HTTP, against the same rows written straight through the store.

use super::median;
use crate::Setting;
use crate::fixture::{self, Fixture, Made, MadeSlot};
use crate::load::{self, Load, Pace};
use crate::message;
use crate::place::{self, Place};
use crate::report::Measure;
use crate::server::{Server, processor_seconds};
use booking::ids::{Asid, NhsNumber, OdsCode, RequestId, ResourceId, ServiceId};
use booking::wire::interaction::Interaction;
use bytes::Bytes;
use jiff::Timestamp;
use provider::audit::AuditEntry;
use provider::store::{Booking, Claimed, Store, WriteRequest};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use uuid::Uuid;

/// Clients that book at once.
const CLIENTS: usize = 64;
/// Messages made before a round, 150 MB of them; beyond that they are made as they are sent.
const MADE_BEFORE: usize = 24_000;
/// Diaries that the slots are in.
const CLINICS: usize = 50;

/// Measures the row.
pub async fn run(setting: &Setting, place: &Place) -> Result<Vec<Measure>, String> {
    let (rounds, seconds, per_clinic) = if setting.quick {
        (2, 1, 1_200)
    } else {
        (4, 4, 4_000)
    };
    let mut slots = Vec::with_capacity(CLINICS * per_clinic);
    let fixture = Fixture::make(place, "booking", CLINICS).await?;
    fixture.fill(per_clinic, |slot| slots.push(slot)).await?;
    let made = Arc::new(fixture.close());
    let ceiling_url = place.copy("booking", "ceiling")?;
    place.settle()?;
    let server = Server::start(setting, &made.url)?;
    let over_http = OverHttp {
        made: made.clone(),
        slots: Arc::new(slots),
        next: Arc::new(AtomicUsize::new(0)),
    };
    let ceiling = Ceiling {
        store: place::open(&ceiling_url)?,
        made,
        slots: over_http.slots.clone(),
        next: Arc::new(AtomicUsize::new(0)),
        document: Arc::new(document(&over_http.slots)?),
    };
    let duration = Duration::from_secs(seconds);
    over_http
        .round(&server, Pace::Closed, duration / 4, CLIENTS)
        .await?;
    ceiling.round(duration / 4).await?;
    place.analyze("booking")?;
    place.analyze("ceiling")?;
    let (mut http, mut direct) = (Vec::new(), Vec::new());
    let (mut cpu, mut direct_cpu, mut direct_count) = (0.0, 0.0, 0.0);
    // Of the database's own processes, beside the two.
    let (mut stored, mut direct_stored) = (0.0, 0.0);
    for _ in 0..rounds {
        let before = (server.cpu(), place.cpu());
        http.push(
            over_http
                .round(&server, Pace::Closed, duration, CLIENTS)
                .await?,
        );
        cpu += server.cpu() - before.0;
        stored += place.cpu() - before.1;
        let before = (processor_seconds(std::process::id()), place.cpu());
        let rate = ceiling.round(duration).await?;
        direct_cpu += processor_seconds(std::process::id()) - before.0;
        direct_stored += place.cpu() - before.1;
        direct_count += rate * duration.as_secs_f64();
        direct.push(rate);
    }
    ceiling.store.close();
    let ratios: Vec<f64> = http
        .iter()
        .zip(&direct)
        .map(|(h, d)| h.rate() / d)
        .collect();
    let ratio = median(&ratios);
    let peak = median(&http.iter().map(Load::rate).collect::<Vec<_>>());
    let top = median(&direct);
    let all = Load::sum(&http);
    let half = over_http
        .round(&server, Pace::Open(peak / 2.0), duration * 2, CLIENTS * 4)
        .await?;
    let cpu_micros = cpu * 1e6 / all.count().max(1) as f64;
    let direct_micros = direct_cpu * 1e6 / f64::max(direct_count, 1.0);
    let stored = stored * 1e6 / all.count().max(1) as f64;
    let direct_stored = direct_stored * 1e6 / f64::max(direct_count, 1.0);
    let beside = match place.is_sqlite() {
        true => String::new(),
        false => format!("; PostgreSQL's own {stored:.0} µs and {direct_stored:.0} µs"),
    };
    let (p99, longest) = (half.within(0.99), half.within(1.0));
    Ok(vec![
        Measure::new("booking", "bookings per second, of the commit ceiling")
            .measured(format!(
                "{:.0} % ({peak:.0} of {top:.0} a second, 64 clients)",
                ratio * 100.0
            ))
            .target("at least 70 %", ratio >= 0.7)
            .values(json!({
                "per_second": peak, "ceiling_per_second": top, "ratio": ratio,
                "p50_ms": all.within(0.5), "p99_ms": all.within(0.99), "longest_ms": all.within(1.0),
                "processor_us_per_booking": {
                    "provider": cpu_micros, "ceiling": direct_micros,
                    "database": stored, "database_of_ceiling": direct_stored,
                },
                "half_rate": {"per_second": half.rate(), "p50_ms": half.within(0.5), "p99_ms": p99, "longest_ms": longest},
            })),
        Measure::new("booking", "p99 at half of the peak rate")
            .measured(format!(
                "{p99:.1} ms (p50 {:.1} ms at {:.0} a second)",
                half.within(0.5),
                half.rate()
            ))
            .target("under 25 ms", p99 < 25.0),
        Measure::new("booking", "longest of all at half of the peak rate")
            .measured(format!("{longest:.1} ms of {} bookings", half.count()))
            .target("under 100 ms", longest < 100.0),
        Measure::new("booking", "at the peak rate").measured(format!(
            "p50 {:.1} ms, p99 {:.1} ms; processor time per booking {cpu_micros:.0} µs, of the ceiling {direct_micros:.0} µs{beside}",
            all.within(0.5),
            all.within(0.99)
        )),
    ])
}

/// Bookings through the whole Provider.
struct OverHttp {
    made: Arc<Made>,
    slots: Arc<Vec<MadeSlot>>,
    next: Arc<AtomicUsize>,
}

impl OverHttp {
    async fn round(
        &self,
        server: &Server,
        pace: Pace,
        duration: Duration,
        connections: usize,
    ) -> Result<Load, String> {
        let token = message::token(&server.address, Interaction::Book)?;
        let (made, slots, next) = (self.made.clone(), self.slots.clone(), self.next.clone());
        let address = server.address.clone();
        let make = move |number: usize| -> Option<Arc<[u8]>> {
            let slot = slots.get(number)?;
            Some(message::book(&made, slot, number, &address, &token).into())
        };
        // Made before the clock starts: writing messages is not what is measured.
        let first = next.load(Ordering::Relaxed);
        let made: Vec<_> = (first..first + MADE_BEFORE).map_while(&make).collect();
        let requests = Arc::new(move |_| {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let made = made.get(number - first).cloned();
            made.or_else(|| make(number))
        });
        load::run(&server.address, connections, pace, duration, requests)
            .await?
            .only(201)
    }
}

/// The same rows without HTTP, reading and checking: what the disk and the database can do.
#[derive(Clone)]
struct Ceiling {
    store: Store,
    made: Arc<Made>,
    slots: Arc<Vec<MadeSlot>>,
    next: Arc<AtomicUsize>,
    document: Arc<Prepared>,
}

/// What a booking stores, made beforehand.
struct Prepared {
    received: Bytes,
    document: Bytes,
    provenance: Arc<str>,
}

fn document(slots: &[MadeSlot]) -> Result<Prepared, String> {
    let slot = slots.first().ok_or("there are no slots")?;
    let body = message::body(slot, "clinic-0", 1);
    let mut document = body.clone().into_bytes();
    // Id, version and time of change, which the Provider adds.
    document.extend_from_slice(&[b' '; 120]);
    let token = message::token("127.0.0.1:40000", Interaction::Book)?;
    // The payload is stored decoded, three quarters of the token's length.
    let payload: String = token.chars().take(token.len() * 3 / 4).collect();
    Ok(Prepared {
        received: Bytes::from(body),
        document: Bytes::from(document),
        provenance: format!("\"{payload}\"").into(),
    })
}

impl Ceiling {
    /// Bookings per second.
    async fn round(&self, duration: Duration) -> Result<f64, String> {
        let began = Instant::now();
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let this = self.clone();
            clients.spawn(async move {
                let mut count = 0;
                while began.elapsed() < duration {
                    let number = this.next.fetch_add(1, Ordering::Relaxed);
                    let Some(slot) = this.slots.get(number) else {
                        break;
                    };
                    let booking = this.booking(slot, number)?;
                    this.store
                        .tenant(this.made.tenant)
                        .book(booking)
                        .await
                        .map_err(|e| format!("{e:?}"))?;
                    count += 1;
                }
                Ok::<usize, String>(count)
            });
        }
        let mut count = 0;
        while let Some(done) = clients.join_next().await {
            count += done.map_err(|e| e.to_string())??;
        }
        Ok(count as f64 / began.elapsed().as_secs_f64())
    }

    fn booking(&self, slot: &MadeSlot, number: usize) -> Result<Booking, String> {
        let text = |e: booking::ids::IdError| e.to_string();
        let now = Timestamp::now();
        let prepared = &self.document;
        let id = ResourceId::parse(&Uuid::now_v7().to_string()).map_err(text)?;
        let request_id = RequestId::parse(&Uuid::new_v4().to_string()).map_err(text)?;
        let document_id = Uuid::new_v4().to_string();
        let service = ServiceId::parse(&self.made.clinics[slot.clinic].service).map_err(text)?;
        let mut entry = AuditEntry::new(now, Uuid::new_v4());
        entry.tenant = Some(self.made.tenant);
        entry.interaction = Some(Interaction::Book);
        entry.method = "POST".to_owned();
        entry.path = format!("/STU3/1/{}/Appointment", fixture::ODS);
        entry.request_id = Some(request_id.clone());
        entry.trace_id = Some(Uuid::new_v4().to_string());
        entry.asid_from = Some(message::CONSUMER_ASID.to_owned());
        entry.asid_to = Some(fixture::ASID.to_owned());
        entry.ods = Some(message::CONSUMER_ODS.to_owned());
        entry.provenance = Some(prepared.provenance.clone());
        entry.document = Some(document_id.clone());
        entry.appointment = Some(id.as_str().to_owned());
        Ok(Booking {
            slot: Some(slot.uuid),
            id,
            nhs_number: Some(NhsNumber::parse(&message::nhs_number(number)).map_err(text)?),
            document_id: Some(document_id),
            json: prepared.document.clone(),
            declared: None,
            claimed: Claimed::Nothing,
            kind: Some("111".to_owned()),
            request: WriteRequest {
                asid: Asid::parse(message::CONSUMER_ASID).map_err(text)?,
                ods: OdsCode::parse(message::CONSUMER_ODS).map_err(text)?,
                request_id: Some(request_id),
                at: now,
                received: Some(prepared.received.clone()),
                entry,
            },
            decide: Box::new(move |_, _| Ok(service.clone())),
        })
    }
}
