//! Reads a declaration file. Reports all faults at once, each with its line, its key and the nearest valid key.

use super::Declaration;
use jiff::civil::Date;
pub use sheet::Faults;
use sheet::Sheet;

/// Largest file, bytes. The largest diary with imported slots takes a few megabytes.
pub const MAX_BYTES: usize = 16 << 20;
/// Most things of one kind in a file. A large provider has some hundred.
pub const MAX_ITEMS: usize = 5_000;
/// Most imported slots in a file: a busy year of ten diaries.
pub const MAX_IMPORTED: usize = 100_000;

/// Reads and checks a file. `file` is its name for messages. The search for overlapping clinics begins at `today`.
pub fn read(text: &str, file: &str, today: Date) -> Result<Declaration, Faults> {
    let mut sheet = Sheet::open(text, file, MAX_BYTES)?;
    let provider = sheet.required("provider", "it names the provider's ods, asid and name");
    let organizations = sheet.items("organization", MAX_ITEMS);
    let locations = sheet.items("location", MAX_ITEMS);
    let practitioners = sheet.items("practitioner", MAX_ITEMS);
    let roles = sheet.items("role", MAX_ITEMS);
    let releases = sheet.items("release", MAX_ITEMS);
    let services = sheet.items("service", MAX_ITEMS);
    let schedules = sheet.items("schedule", MAX_ITEMS);
    let templates = sheet.items("template", MAX_ITEMS);
    let sessions = sheet.items("session", MAX_ITEMS);
    let closures = sheet.items("closure", MAX_ITEMS);
    let slots = sheet.items("slot", MAX_IMPORTED);
    let consumers = sheet.items("consumer", MAX_ITEMS);
    sheet.no_others();
    sheet.clean()?;
    let declaration = Declaration {
        provider: provider.ok_or_else(|| sheet.faults())?,
        organizations,
        locations,
        practitioners,
        roles,
        releases,
        services,
        schedules,
        templates,
        sessions,
        closures,
        slots,
        consumers,
    };
    super::check::check(&declaration, today, &mut sheet);
    sheet.clean()?;
    Ok(declaration)
}
