//! Which test proves which requirement: `docs/conformance.md`, made from `docs/standard`, the
//! `/// Proves:` lines above tests, `docs/conformance-exceptions.toml` and `docs/conformance-open.toml`.

pub mod catalogue;
mod exceptions;
mod page;
mod proofs;

use crate::finding::Finding;
use crate::workspace::Workspace;
use catalogue::Catalogue;
use exceptions::Exceptions;
use proofs::Proofs;

/// The generated page.
pub const PAGE: &str = "docs/conformance.md";

/// Writes the page, or with `check` only compares it.
pub fn run(workspace: &Workspace, check: bool) -> Result<(), String> {
    let state = State::read(workspace)?;
    let page = page::render(
        &state.catalogue,
        &state.proofs,
        &state.exceptions,
        &state.open,
    );
    if check {
        return match workspace.text(PAGE) == Some(page.as_str()) {
            true => Ok(()),
            false => Err(out_of_date().to_string()),
        };
    }
    workspace.write(PAGE, &page)?;
    let open = state.without_reason();
    println!(
        "{PAGE}: written; {} requirements are neither proved nor listed with a reason",
        open.len()
    );
    for (id, level, file, line) in open {
        println!("  {id} ({level}, {file}:{line})");
    }
    Ok(())
}

/// Everything that is wrong with proofs, exceptions and the page.
pub fn findings(workspace: &Workspace) -> Result<Vec<Finding>, String> {
    let state = State::read(workspace)?;
    let mut found = state.proofs.findings(&state.catalogue);
    found.extend(state.exceptions.findings(&state.catalogue, &state.proofs));
    found.extend(state.open.findings(&state.catalogue, &state.proofs));
    for (id, level, file, line) in state.without_reason() {
        found.push(Finding::at(
            file,
            line,
            format!(
                "{id} ({level}) is proved by no test: put `/// Proves: {id}` above the test that proves it, or \
                 list it with its reason in {} (not built) or {} (no test can prove it)",
                exceptions::OPEN_FILE,
                exceptions::FILE
            ),
        ));
    }
    let page = page::render(
        &state.catalogue,
        &state.proofs,
        &state.exceptions,
        &state.open,
    );
    if workspace.text(PAGE) != Some(page.as_str()) {
        found.push(out_of_date());
    }
    Ok(found)
}

fn out_of_date() -> Finding {
    Finding::of(
        PAGE,
        "is not what the tests say: run `cargo xtask conformance`",
    )
}

struct State {
    catalogue: Catalogue,
    proofs: Proofs,
    exceptions: Exceptions,
    open: Exceptions,
}

impl State {
    fn read(workspace: &Workspace) -> Result<State, String> {
        let catalogue = Catalogue::read(workspace)?;
        let exceptions = Exceptions::read(workspace, exceptions::FILE)?;
        let open = Exceptions::read(workspace, exceptions::OPEN_FILE)?;
        let proofs = Proofs::read(workspace, |id| {
            catalogue.knows(id) && exceptions.reason(id).is_none() && open.reason(id).is_none()
        })?;
        Ok(State {
            catalogue,
            proofs,
            exceptions,
            open,
        })
    }

    /// Requirements at level MUST without proof and without a reason: id, level, file, line.
    fn without_reason(&self) -> Vec<(&str, &str, &str, usize)> {
        let mut open = Vec::new();
        for row in self
            .catalogue
            .rows()
            .filter(|row| row.level.starts_with("MUST"))
        {
            for id in &row.ids {
                if self.proofs.of(id).is_empty()
                    && self.exceptions.reason(id).is_none()
                    && self.open.reason(id).is_none()
                {
                    open.push((id.as_str(), row.level.as_str(), row.file.as_str(), row.line));
                }
            }
        }
        open
    }
}
