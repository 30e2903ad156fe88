//! Renders a plan as text for people.

use super::declaration::warn::Warning;
use super::plan::{Action, Affected, Plan};
use booking::count::counted;
use serde_json::Value;
use std::fmt;

/// Most bookings listed. The others are counted; the JSON form has all.
const SHOWN_BOOKINGS: usize = 50;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({})", self.name, self.ods)?;
        if self.is_empty() && self.bookings.is_empty() {
            writeln!(f, "  nothing to change")?;
            return write_warnings(f, &self.warnings);
        }
        for item in &self.items {
            let sign = match item.action {
                Action::Create => '+',
                Action::Change => '~',
                Action::Move => '=',
                Action::Remove => '-',
            };
            let note = if item.action == Action::Move {
                "  (moved in the file)"
            } else {
                ""
            };
            writeln!(f, "  {sign} {:<13} {}{note}", item.kind, item.id)?;
            for change in &item.keys {
                let shown = |v: &Value| {
                    if v.is_null() {
                        "nothing".to_owned()
                    } else {
                        v.to_string()
                    }
                };
                writeln!(
                    f,
                    "      {}: {} -> {}",
                    change.key,
                    shown(&change.from),
                    shown(&change.to)
                )?;
            }
        }
        for change in &self.slots {
            writeln!(
                f,
                "  slots of {}: {} to add, {} to remove",
                change.schedule, change.add, change.remove
            )?;
        }
        write_bookings(f, &self.bookings)?;
        write_warnings(f, &self.warnings)
    }
}

fn write_warnings(f: &mut fmt::Formatter<'_>, warnings: &[Warning]) -> fmt::Result {
    warnings
        .iter()
        .try_for_each(|warning| writeln!(f, "  warning: {warning}"))
}

fn write_bookings(f: &mut fmt::Formatter<'_>, bookings: &[Affected]) -> fmt::Result {
    if bookings.is_empty() {
        return Ok(());
    }
    writeln!(
        f,
        "  {} on:",
        counted(
            bookings.len(),
            "live booking loses what it depends",
            "live bookings lose what they depend"
        )
    )?;
    for b in bookings.iter().take(SHOWN_BOOKINGS) {
        writeln!(
            f,
            "    {}  service {}  schedule {}  appointment {}: {}{}",
            b.start,
            b.service,
            b.schedule,
            b.appointment,
            b.why,
            if b.already {
                " (since an earlier change)"
            } else {
                ""
            },
        )?;
    }
    if bookings.len() > SHOWN_BOOKINGS {
        writeln!(
            f,
            "    … and {} more (all are in the JSON form)",
            bookings.len() - SHOWN_BOOKINGS
        )?;
    }
    Ok(())
}
