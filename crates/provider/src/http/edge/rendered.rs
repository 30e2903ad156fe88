//! Slots as Bundle entries, rendered once per schedule, day and version, in bounded memory.
//!
//! Every transaction that changes a slot also changes the version of its schedule and day, in whatever process it
//! runs; a search reads the versions first, so what it takes from here is never older than what it read.

use crate::http::edge::pieces::{Alive, Rendered, Writing};
use crate::store::{ScheduleKey, SlotRow, Store, StoreError, TenantKey};
use moka::sync::Cache;
use std::fmt::Write;
use std::sync::Arc;

/// One slot of a rendered day.
pub struct RenderedSlot {
    /// As stored.
    pub row: SlotRow,
    /// Its JSON in the day's text; a comma stands between neighbours.
    from: u32,
    to: u32,
}

/// All slots of a schedule that start on one UTC day, in order of start.
pub struct RenderedDay {
    version: i64,
    /// The slots.
    pub slots: Vec<RenderedSlot>,
    text: Rendered,
}

impl RenderedDay {
    /// Writes the Bundle entries of neighbouring slots, from one to another.
    pub fn write(&self, first: &RenderedSlot, last: &RenderedSlot, out: &mut Writing) {
        out.rendered(&self.text, first.from as usize, last.to as usize);
    }

    fn weight(&self) -> u32 {
        u32::try_from(self.text.size() + self.slots.len() * size_of::<RenderedSlot>() + 128)
            .unwrap_or(u32::MAX)
    }
}

/// The rendered days in use.
pub struct RenderedDays {
    days: Cache<(ScheduleKey, i32), Arc<RenderedDay>>,
    /// The text of all that is in memory, also of days that left the cache.
    pub alive: Alive,
}

impl RenderedDays {
    /// Keeps at most `bytes` of rendered slots.
    pub fn new(bytes: u64) -> RenderedDays {
        let days = Cache::builder()
            .max_capacity(bytes)
            .weigher(|_, day: &Arc<RenderedDay>| day.weight())
            .build();
        RenderedDays {
            days,
            alive: Alive::default(),
        }
    }

    /// The rendered day, if it is there in this version.
    pub fn get(&self, schedule: ScheduleKey, day: i32, version: i64) -> Option<Arc<RenderedDay>> {
        self.days
            .get(&(schedule, day))
            .filter(|d| d.version >= version)
    }

    /// Reads and renders a day.
    pub fn load(
        &self,
        store: &Store,
        tenant: TenantKey,
        root: &str,
        schedule: (ScheduleKey, &str),
        day: i32,
    ) -> Result<Arc<RenderedDay>, StoreError> {
        let (version, rows) = store.tenant(tenant).slots_of_day(schedule.0, day)?;
        let mut text = String::with_capacity(rows.len() * 640);
        let mut slots = Vec::with_capacity(rows.len());
        for row in rows {
            if !text.is_empty() {
                text.push(',');
            }
            let from = text.len() as u32;
            write_entry(&mut text, root, schedule.1, &row);
            slots.push(RenderedSlot {
                row,
                from,
                to: text.len() as u32,
            });
        }
        let rendered = Arc::new(RenderedDay {
            version,
            slots,
            text: self.alive.rendered(text),
        });
        self.days.insert((schedule.0, day), rendered.clone());
        Ok(rendered)
    }
}

/// A Slot as Bundle entry (RES-SLOT-01..06). Ids, codes and times need no JSON escapes.
fn write_entry(out: &mut String, root: &str, schedule: &str, row: &SlotRow) {
    let id = row.uuid.as_hyphenated();
    // Writing into a String cannot fail.
    let _ = write!(
        out,
        "{{\"fullUrl\":\"{root}/Slot/{id}\",\"resource\":{{\"resourceType\":\"Slot\",\"id\":\"{id}\",\"meta\":{{\
         \"profile\":[\"https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-Slot-1\"]}},"
    );
    if let Some(channel) = row.channel {
        let _ = write!(
            out,
            "\"extension\":[{{\"url\":\"https://fhir.hl7.org.uk/STU3/StructureDefinition/\
             Extension-CareConnect-DeliveryChannel-1\",\"valueCode\":\"{}\"}}],",
            channel.code()
        );
    }
    let _ = write!(
        out,
        "\"identifier\":[{{\"system\":\"https://tools.ietf.org/html/rfc4122\",\"value\":\"{id}\"}}],\
         \"schedule\":{{\"reference\":\"Schedule/{schedule}\"}},\"status\":\"{}\",\"start\":\"{}\",\"end\":\"{}\"}},\
         \"search\":{{\"mode\":\"match\"}}}}",
        row.status.code(),
        fhir::primitive::format_instant(row.start),
        fhir::primitive::format_instant(row.end),
    );
}
