//! Slot search: `GET [root]/Slot?…` (PROV-SLOT-01..24).

use crate::diary::catalogue::SlotRelease;
use crate::http::edge::answer::{Answer, Content};
use crate::http::edge::pieces::{Pieces, Writing};
use crate::http::edge::rendered::RenderedDay;
use crate::http::edge::tenants::{Entry, ScheduleView, ServiceView, TenantView};
use crate::http::edge::{Caller, CheckedRequest, Edge, RequestContext, store_refusal};
use crate::metrics::requests::Traffic;
use crate::store::{BookingCount, Revision, SlotRow, StoreError, utc_day};
use booking::refusal::{Refusal, Situation, information_outcome};
use booking::rules::release::Withheld;
use booking::wire::slot_query::{SlotQuery, Window};
use jiff::Timestamp;
use std::fmt::Write;
use std::sync::Arc;
use uuid::Uuid;

/// Room for what stands around the rendered slots: the Bundle's own members and the includes.
const ROOM: usize = 8_192;
/// How often a search starts again because the catalogue changed under it.
const TRIES: usize = 3;

/// Answers a slot search.
pub async fn run(
    edge: &Edge,
    ctx: &mut RequestContext,
    request: &CheckedRequest,
    caller: &Caller,
) -> Result<Answer, Refusal> {
    let search = &edge.settings.search;
    let window = Window {
        default_hours: search.default_hours,
        max_days: search.max_days,
    };
    let query = SlotQuery::parse(&request.query, ctx.now, &edge.zone, &window)?;
    ctx.entry.service = Some(query.service.as_str().to_owned());
    ctx.entry.query = Some(query.self_query.clone());
    if !caller.facts.may_search {
        return Err(Refusal::new(
            Situation::NotPermitted,
            format!(
                "{} may not search slots here, by a local rule of the provider.",
                caller.claims.organization.ods
            ),
        ));
    }
    let (mut tenant, mut revision) = (request.tenant.clone(), request.revision);
    for _ in 0..TRIES {
        let service = tenant
            .service(&query.service)
            .cloned()
            .ok_or_else(|| unknown_service(&query))?;
        if let Err(withheld) = tenant.catalogue.shows(&query.service, &caller.facts) {
            return Ok(hidden(ctx, &tenant, &service, &query, withheld));
        }
        if let Some(days) = days(edge, &tenant, &service, revision, &query, ctx.now).await? {
            let found = select(edge, &tenant, &query, caller, ctx.now, &days)?;
            ctx.entry.slots_returned = Some(found.chosen.len() as u32);
            ctx.entry.reason = found.reason();
            return Ok(Answer::ok(Content::Json(bundle(
                ctx, &tenant, &service, &query, &found,
            ))));
        }
        let found = edge
            .tenants
            .find(&edge.store, &request.matched.ods)
            .await?
            .ok_or_else(|| unknown_service(&query))?;
        (tenant, revision) = (found.view, found.revision);
    }
    Err(Refusal::new(
        Situation::Unavailable,
        "The diary is being changed at this moment; try again in a second.",
    ))
}

/// The answer where the caller is not shown the service's slots: as if all of them were for others (PROV-SLOT-14).
fn hidden(
    ctx: &mut RequestContext,
    tenant: &TenantView,
    service: &ServiceView,
    query: &SlotQuery,
    withheld: Withheld,
) -> Answer {
    ctx.traffic = Traffic::Test;
    let found = Found {
        days: &[],
        chosen: Vec::new(),
        left_out: 0,
        withheld: Some(withheld),
    };
    ctx.entry.slots_returned = Some(0);
    ctx.entry.reason = found.reason();
    Answer::ok(Content::Json(bundle(ctx, tenant, service, query, &found)))
}

fn unknown_service(query: &SlotQuery) -> Refusal {
    Refusal::new(
        Situation::ServiceUnknown,
        format!(
            "The service `{}` is not one of this provider's, or has no schedule here: check the DoS service id and \
             the service root that SDS gives for it.",
            query.service.as_str()
        ),
    )
    .location("http.schedule.actor:healthcareservice")
}

/// A schedule's slots of one UTC day.
struct Day<'a> {
    schedule: &'a ScheduleView,
    rendered: Arc<RenderedDay>,
}

/// The days that the window touches; `None` when the catalogue changed since the tenant was read.
async fn days<'a>(
    edge: &Edge,
    tenant: &TenantView,
    service: &'a ServiceView,
    revision: Revision,
    query: &SlotQuery,
    now: Timestamp,
) -> Result<Option<Vec<Day<'a>>>, Refusal> {
    let lower = query.lower.as_ref().map_or(now, |b| b.at);
    let Some(upper) = query.upper.as_ref().map(|b| b.at) else {
        return Ok(Some(Vec::new()));
    };
    if upper < lower {
        return Ok(Some(Vec::new()));
    }
    let window = (utc_day(lower), utc_day(upper));
    let versions = service
        .slot_days(&edge.store, tenant.key, revision, window)
        .await
        .map_err(store_refusal)?;
    if versions.catalogue_version != tenant.version {
        return Ok(None);
    }
    let mut days = Vec::with_capacity(versions.days.len());
    for &(key, day, version) in &versions.days {
        let Some(schedule) = service.schedules.iter().find(|s| s.key == key) else {
            continue;
        };
        let rendered = match edge.rendered.get(key, day, version) {
            Some(rendered) => rendered,
            None => edge
                .rendered
                .load(
                    &edge.store,
                    tenant.key,
                    &tenant.root,
                    (key, &schedule.id),
                    day,
                )
                .map_err(store_refusal)?,
        };
        days.push(Day { schedule, rendered });
    }
    Ok(Some(days))
}

/// A slot that goes out: start, day, place in the day.
type Chosen = (Timestamp, usize, usize);

/// The slots that go out.
struct Found<'a> {
    days: &'a [Day<'a>],
    chosen: Vec<Chosen>,
    /// How many more match than go out.
    left_out: usize,
    withheld: Option<Withheld>,
}

impl Found<'_> {
    /// Why nothing was found, for the audit trail and, where slots were withheld, for the caller (D-12).
    fn reason(&self) -> Option<String> {
        match (&self.withheld, self.chosen.is_empty()) {
            (_, false) => None,
            (Some(withheld), true) => Some(withheld.sentence()),
            (None, true) => Some("No slot matches the criteria.".to_owned()),
        }
    }
}

fn select<'a>(
    edge: &Edge,
    tenant: &TenantView,
    query: &SlotQuery,
    caller: &Caller,
    now: Timestamp,
    days: &'a [Day<'a>],
) -> Result<Found<'a>, Refusal> {
    let mut found = Found {
        days,
        chosen: Vec::with_capacity(256),
        left_out: 0,
        withheld: None,
    };
    let mut counts = CapCounts {
        edge,
        tenant,
        known: Vec::new(),
        failed: None,
    };
    // Neighbours mostly stand under the same rules.
    let mut last: Option<(&SlotRow, SlotRelease<'_, '_>)> = None;
    for (d, day) in days.iter().enumerate() {
        let diary = tenant.catalogue.schedule_of_key(day.schedule.key);
        for (s, slot) in day.rendered.slots.iter().enumerate() {
            let row = &slot.row;
            if !query.covers(row.start) || !query.statuses.has(row.status) {
                continue;
            }
            if row.status.is_free() {
                // A free slot that has begun cannot be booked, so it is not one to return (PROV-SLOT-21).
                if row.start <= now {
                    continue;
                }
                if diary.is_some_and(|s| tenant.catalogue.is_place_closed(s, row.start)) {
                    found.withheld.get_or_insert(Withheld::Closed);
                    continue;
                }
                let same = |(other, _): &(&SlotRow, _)| {
                    other.template == row.template && other.release == row.release
                };
                let (_, release) = match last.take().filter(same) {
                    Some(known) => last.insert(known),
                    None => last.insert((row, release_of(tenant, query, row))),
                };
                let verdict = release.admits(row.held, row.start, &caller.facts, now, |of| {
                    counts.count(of)
                });
                if let Err(withheld) = verdict {
                    found.withheld.get_or_insert(withheld);
                    continue;
                }
            }
            found.chosen.push((row.start, d, s));
        }
    }
    if let Some(error) = counts.failed {
        return Err(store_refusal(error));
    }
    found.chosen.sort_unstable();
    let most = edge.settings.search.max_slots;
    found.left_out = found.chosen.len().saturating_sub(most);
    found.chosen.truncate(most);
    Ok(found)
}

fn release_of<'t>(
    tenant: &'t TenantView,
    query: &'t SlotQuery,
    row: &'t SlotRow,
) -> SlotRelease<'t, 't> {
    let (template, release) = (row.template.as_deref(), row.release.as_deref());
    tenant
        .catalogue
        .release_of(&query.service, template, release)
}

/// What caps count, read once per search and cap.
struct CapCounts<'a> {
    edge: &'a Edge,
    tenant: &'a TenantView,
    known: Vec<(String, u32)>,
    failed: Option<StoreError>,
}

impl CapCounts<'_> {
    /// Live bookings that the cap counts; on a failing store the search fails as a whole.
    fn count(&mut self, of: &BookingCount<'_>) -> u32 {
        let key = format!("{of:?}");
        if let Some((_, known)) = self.known.iter().find(|(k, _)| *k == key) {
            return *known;
        }
        let count = self
            .edge
            .store
            .tenant(self.tenant.key)
            .bookings_on(of)
            .unwrap_or_else(|error| {
                self.failed = Some(error);
                0
            });
        self.known.push((key, count));
        count
    }
}

/// The searchset Bundle (PROV-SLOT-12..17), assembled from rendered entries.
fn bundle<'a>(
    ctx: &RequestContext,
    tenant: &TenantView,
    service: &'a ServiceView,
    query: &SlotQuery,
    found: &Found<'a>,
) -> Pieces {
    let mut writing = Writing::new(ROOM);
    let out = writing.text();
    let now = fhir::primitive::format_instant(ctx.now);
    // Writing into a String cannot fail.
    let _ = write!(
        out,
        "{{\"resourceType\":\"Bundle\",\"id\":\"{}\",\"meta\":{{\"lastUpdated\":\"{now}\"}},\"type\":\"searchset\",\
         \"total\":{},\"link\":[{{\"relation\":\"self\",\"url\":\"",
        Uuid::new_v4(),
        found.chosen.len() + found.left_out,
    );
    // The criteria are percent-encoded, so they need no JSON escapes.
    let _ = write!(out, "{}/Slot?{}\"}}]", tenant.root, query.self_query);
    let mut entries = Entries {
        out: writing,
        sent: Vec::with_capacity(8),
        first: true,
    };
    // Neighbours in a day go out together.
    let neighbours =
        |(_, d, s): &Chosen, (_, next_d, next_s): &Chosen| d == next_d && s + 1 == *next_s;
    for run in found.chosen.chunk_by(neighbours) {
        if let (Some((_, d, first)), Some((_, _, last))) = (run.first(), run.last()) {
            let day = &found.days[*d].rendered;
            day.write(&day.slots[*first], &day.slots[*last], entries.next());
        }
    }
    let left_out = (found.left_out > 0).then(|| {
        format!(
            "{} more slots match than fit into one answer: search a shorter time to see them.",
            found.left_out
        )
    });
    let withheld = found.withheld.as_ref().filter(|_| found.chosen.is_empty());
    let said: Vec<String> = [
        withheld.map(Withheld::sentence),
        left_out,
        query.shortened_sentence(),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !said.is_empty() {
        let outcome = information_outcome(&ctx.response_id_text(), &said.join(" "));
        entries.add_json(&format!(
            "{{\"fullUrl\":\"urn:uuid:{}\",\"resource\":{},\"search\":{{\"mode\":\"outcome\"}}}}",
            ctx.response_id,
            String::from_utf8_lossy(&fhir::json::write(&outcome))
        ));
    }
    if !found.chosen.is_empty() {
        add_includes(&mut entries, service, query, found);
    }
    let end = if entries.first { "}" } else { "]}" };
    entries.out.text().push_str(end);
    entries.out.finish()
}

/// What the returned slots lead to, in the order schedules, service, people, place, organisation; each once.
fn add_includes<'a>(
    entries: &mut Entries<'a>,
    service: &'a ServiceView,
    query: &SlotQuery,
    found: &Found<'a>,
) {
    let includes = &query.includes;
    let used = |schedule: &&'a ScheduleView| {
        found
            .chosen
            .iter()
            .any(|(_, d, _)| std::ptr::eq(found.days[*d].schedule, *schedule))
    };
    let schedules: Vec<&'a ScheduleView> = service.schedules.iter().filter(used).collect();
    if includes.schedule {
        schedules.iter().for_each(|s| entries.add(&s.schedule));
    }
    if includes.healthcare_service {
        entries.add(&service.service);
    }
    if includes.practitioner {
        schedules
            .iter()
            .filter_map(|s| s.practitioner.as_ref())
            .for_each(|e| entries.add(e));
    }
    if includes.practitioner_role {
        schedules
            .iter()
            .filter_map(|s| s.role.as_ref())
            .for_each(|e| entries.add(e));
    }
    if includes.location {
        service.location.iter().for_each(|e| entries.add(e));
    }
    if includes.organization {
        service.organization.iter().for_each(|e| entries.add(e));
    }
}

/// The `entry` list while it is written; without an entry the list is left out, since FHIR has no empty lists.
struct Entries<'a> {
    out: Writing,
    sent: Vec<&'a str>,
    first: bool,
}

impl<'a> Entries<'a> {
    fn add(&mut self, entry: &'a Entry) {
        if !self.sent.contains(&entry.reference.as_str()) {
            self.sent.push(&entry.reference);
            self.add_json(&entry.json);
        }
    }

    fn add_json(&mut self, json: &str) {
        self.next().text().push_str(json);
    }

    /// Where the next entry is written.
    fn next(&mut self) -> &mut Writing {
        let before = if self.first { ",\"entry\":[" } else { "," };
        self.first = false;
        self.out.text().push_str(before);
        &mut self.out
    }
}
