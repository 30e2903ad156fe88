//! Applies a declaration: stores the declared things, then removes surplus slots, then adds missing ones.
//!
//! Each step may be repeated. After a crash, the next apply of the same file or the next top-up finishes the work.

use super::catalogue::Catalogue;
use super::declaration::{Declaration, ImportedSlot};
use super::plan::{Affected, Plan};
use super::reconcile::{self, Difference, HeldSlot, Target};
use crate::audit::AuditEntry;
use crate::store::{
    self, NewSlot, SLOTS_PER_JOB, ScheduleKey, SlotChange, SlotFilter, Store, StoreError,
    TenantKey, TenantRow,
};
use booking::count::{counted, plural};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::HashMap;
use uuid::Uuid;

/// How a declaration is applied.
#[derive(Clone, Debug)]
pub struct Options {
    /// Apply although live bookings lose what they depend on; they and their slots stay as they are.
    pub keep_bookings: bool,
    /// Who applies it, for the audit trail.
    pub actor: String,
}

/// Slots changed so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Slots removed so far.
    pub removed: u64,
    /// Slots made so far.
    pub added: u64,
}

/// Called with the progress after each batch.
pub type Report<'a> = &'a mut (dyn FnMut(Progress) + Send + Sync);

/// What applying a declaration did.
#[derive(Clone, Debug, Serialize)]
pub struct Applied {
    /// The plan that was applied, with the bookings of `kept`.
    pub plan: Plan,
    /// Catalogue version afterwards.
    pub catalogue_version: i64,
    /// Slots made.
    pub slots_added: u64,
    /// Slots removed.
    pub slots_removed: u64,
    /// Live bookings that lost what they depend on: their staff must see to them.
    pub kept: Vec<Affected>,
}

/// Why a declaration was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Live bookings depend on what would change; nothing was changed.
    #[error("{} on what would change, so nothing was changed; cancel or move {them} first, or keep {them} with \
             --keep-bookings\n{}", counted(.0.newly_affected().count(), "live booking depends", "live bookings depend"), .0,
             them = plural(.0.newly_affected().count(), "it", "them"))]
    Bookings(Box<Plan>),
    /// The store failed.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Applies a declaration.
pub async fn apply(
    store: &Store,
    declaration: &Declaration,
    now: Timestamp,
    options: &Options,
    report: Report<'_>,
) -> Result<Applied, ApplyError> {
    let mut plan = {
        let (store, declaration) = (store.clone(), declaration.clone());
        blocking(move || Plan::make(&store, &declaration, now)).await?
    };
    if plan.newly_affected().next().is_some() && !options.keep_bookings {
        return Err(ApplyError::Bookings(Box::new(plan)));
    }
    if plan.is_empty() {
        let catalogue_version = plan.work.expected;
        let kept = plan.bookings.clone();
        return Ok(Applied {
            plan,
            catalogue_version,
            slots_added: 0,
            slots_removed: 0,
            kept,
        });
    }
    let entry = AuditEntry::local(now, "declare", &options.actor);
    let tenant = store
        .tenants()?
        .into_iter()
        .find(|t| t.ods == declaration.provider.ods);
    let mut hand = SlotChanger {
        store,
        now,
        entry: &entry,
        report,
        done: Progress {
            removed: 0,
            added: 0,
        },
    };
    // Before they are removed: an undeclared schedule's slots cannot be found.
    if let Some(tenant) = &tenant {
        for (key, _) in &plan.work.doomed {
            hand.remove_all(tenant.key, *key).await?;
        }
    }
    let declared = store
        .declare(
            store::Declaration {
                ods: declaration.provider.ods.clone(),
                asid: declaration.provider.asid.clone(),
                name: declaration.provider.name.clone(),
                expected: Some(plan.work.expected),
                changes: plan.work.changes.clone(),
                at: now,
            },
            entry.clone(),
        )
        .await?;
    let (_, catalogue) = catalogue_of(store, declared.tenant)?;
    hand.fill(&catalogue, Some(&declaration.slots)).await?;
    let done = hand.done;
    // Includes the bookings made meanwhile.
    let kept = {
        let (store, declaration) = (store.clone(), declaration.clone());
        let again = blocking(move || Plan::make(&store, &declaration, now)).await?;
        merged(&plan.bookings, again.bookings)
    };
    plan.bookings.clone_from(&kept);
    Ok(Applied {
        plan,
        catalogue_version: declared.version,
        slots_added: done.added,
        slots_removed: done.removed,
        kept,
    })
}

/// The bookings listed before the change and those seen only after it.
fn merged(before: &[Affected], after: Vec<Affected>) -> Vec<Affected> {
    let mut all = before.to_vec();
    all.extend(
        after
            .into_iter()
            .filter(|b| !before.iter().any(|a| a.appointment == b.appointment)),
    );
    all
}

/// Makes the missing slots up to the horizon for every provider, and returns how many. A repeat makes none. Past days,
/// existing slots and imported slots are not touched. A provider that fails does not stop the others; the first failure is
/// returned at the end.
pub async fn top_up(store: &Store, now: Timestamp, report: Report<'_>) -> Result<u64, StoreError> {
    let (mut added, mut failed) = (0, None);
    for tenant in store.tenants()? {
        let entry = AuditEntry::local(now, "slots.top-up", "provider");
        let mut hand = SlotChanger {
            store,
            now,
            entry: &entry,
            report,
            done: Progress { removed: 0, added },
        };
        let filled = match catalogue_of(store, tenant.key) {
            Ok((_, catalogue)) => hand.add(&catalogue, None, &HashMap::new()).await,
            Err(error) => Err(error),
        };
        added = hand.done.added;
        if let Err(error) = filled {
            failed.get_or_insert(error);
        }
    }
    failed.map_or(Ok(added), Err)
}

/// The tenant's catalogue as stored.
pub(super) fn catalogue_of(store: &Store, key: TenantKey) -> Result<(i64, Catalogue), StoreError> {
    let tenant: TenantRow = store
        .tenants()?
        .into_iter()
        .find(|t| t.key == key)
        .ok_or_else(|| StoreError::unexpected("the provider was just declared and is not there"))?;
    let (version, rows) = store.tenant(key).declared()?;
    Ok((version, Catalogue::build(&tenant, &rows)?))
}

/// Runs a long read off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| StoreError::unexpected(format!("the work with the diary stopped: {e}")))?
}

/// Changes slots and reports the progress.
struct SlotChanger<'a, 'r> {
    store: &'a Store,
    now: Timestamp,
    entry: &'a AuditEntry,
    report: Report<'r>,
    done: Progress,
}

impl SlotChanger<'_, '_> {
    async fn remove_all(
        &mut self,
        tenant: TenantKey,
        schedule: ScheduleKey,
    ) -> Result<(), StoreError> {
        let filter = SlotFilter {
            schedules: vec![schedule],
            from: Some(self.now),
            ..SlotFilter::default()
        };
        self.done.removed += self
            .store
            .tenant(tenant)
            .change_slots(SlotChange::Remove, filter, self.now, self.entry)
            .await?;
        (self.report)(self.done);
        Ok(())
    }

    /// Removes surplus slots in all schedules before it adds missing ones, since a slot may move between schedules.
    async fn fill(
        &mut self,
        catalogue: &Catalogue,
        imported: Option<&[ImportedSlot]>,
    ) -> Result<(), StoreError> {
        let mut held_back = HashMap::new();
        for (schedule, difference) in self.differences(catalogue, imported).await? {
            for batch in difference.surplus.chunks(SLOTS_PER_JOB) {
                let filter = SlotFilter {
                    schedules: vec![schedule],
                    slots: batch.to_vec(),
                    ..SlotFilter::default()
                };
                let tenant = catalogue.tenant.key;
                self.done.removed += self
                    .store
                    .tenant(tenant)
                    .change_slots(SlotChange::Remove, filter, self.now, self.entry)
                    .await?;
                (self.report)(self.done);
            }
            held_back.insert(schedule, difference.held_back);
        }
        self.add(catalogue, imported, &held_back).await
    }

    async fn add(
        &mut self,
        catalogue: &Catalogue,
        imported: Option<&[ImportedSlot]>,
        held_back: &HashMap<ScheduleKey, Vec<HeldSlot>>,
    ) -> Result<(), StoreError> {
        for (schedule, mut difference) in self.differences(catalogue, imported).await? {
            difference.keep_held(held_back.get(&schedule).map_or(&[], Vec::as_slice));
            for batch in difference.missing.chunks(SLOTS_PER_JOB) {
                let slots = batch
                    .iter()
                    .map(|m| NewSlot {
                        uuid: m.uuid.unwrap_or_else(Uuid::now_v7),
                        schedule,
                        start: m.wanted.start,
                        end: m.wanted.end,
                        held: m.wanted.held,
                        channel: m.wanted.channel,
                        template: Some(m.wanted.template.clone()),
                        release: m.release.clone(),
                        track: m.track,
                    })
                    .collect();
                let made = self
                    .store
                    .tenant(catalogue.tenant.key)
                    .insert_slots(slots, self.now, self.entry)
                    .await?;
                self.done.added += made.made;
                (self.report)(self.done);
            }
        }
        Ok(())
    }

    async fn differences(
        &self,
        catalogue: &Catalogue,
        imported: Option<&[ImportedSlot]>,
    ) -> Result<Vec<(ScheduleKey, Difference)>, StoreError> {
        let (store, catalogue, now) = (self.store.clone(), catalogue.clone(), self.now);
        let imported = imported.map(<[ImportedSlot]>::to_vec);
        blocking(move || {
            let target = Target {
                imported: imported.as_deref(),
                ..Target::of_catalogue(&catalogue, now)
            };
            let mut all = Vec::new();
            for s in &catalogue.schedules {
                let stored =
                    reconcile::stored_from_today(&store, catalogue.tenant.key, s.key, now)?;
                let difference = reconcile::compare(&target, s.into(), &stored);
                all.push((s.key, difference));
            }
            Ok(all)
        })
        .await
    }
}
