//! Writes what is stored as a declaration file that can be applied again.

use super::apply::catalogue_of;
use super::declaration::check::IMPORTED;
use super::declaration::{Declaration, ImportedSlot};
use super::reconcile;
use crate::store::{Store, StoreError};
use booking::ids::OdsCode;
use jiff::Timestamp;

/// The stored declaration of a provider, with the imported slots ahead. `None`: there is no such provider.
pub fn export(
    store: &Store,
    ods: &OdsCode,
    now: Timestamp,
) -> Result<Option<Declaration>, StoreError> {
    let Some(tenant) = store.tenants()?.into_iter().find(|t| t.ods == *ods) else {
        return Ok(None);
    };
    let (_, catalogue) = catalogue_of(store, tenant.key)?;
    let mut declaration = catalogue.declared;
    for schedule in &catalogue.schedules {
        let slots = reconcile::stored_from_today(store, tenant.key, schedule.key, now)?;
        let imported = slots
            .into_iter()
            .filter(|s| s.start > now && s.template.as_deref() == Some(IMPORTED))
            .map(|s| ImportedSlot {
                identifier: s.uuid,
                schedule: schedule.id.clone(),
                start: s.start,
                end: s.end,
                channel: s.channel,
                held: s.held,
                release: s.release.map(|r| r.to_string()),
            });
        declaration.slots.extend(imported);
    }
    Ok(Some(declaration))
}

/// A declaration as TOML.
pub fn to_toml(declaration: &Declaration) -> Result<String, StoreError> {
    toml::to_string(declaration).map_err(|e| {
        StoreError::unexpected(format!("the declaration cannot be written as TOML: {e}"))
    })
}
