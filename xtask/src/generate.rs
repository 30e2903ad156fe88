//! `cargo xtask generate`: writes the compact tables of `fhir` and `booking` from published definitions.
//!
//! The definitions are not part of this repository. Base STU3 3.0.1 comes in the npm package `fhir` at version
//! 3.3.1 (folder `profiles/stu3`); the CareConnect profiles are a folder of StructureDefinition, ValueSet and
//! CodeSystem files with snapshots.

mod base;
mod profiles;

use crate::workspace::Workspace;
use serde_json::Value;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Where the definitions are.
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder `profiles/stu3` of the npm package `fhir` 3.3.1: writes the base table
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,
    /// Folder of CareConnect definitions: writes the profile package
    #[arg(long, value_name = "DIR")]
    careconnect: Option<PathBuf>,
}

/// Writes the tables that were asked for.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), String> {
    if arguments.base.is_none() && arguments.careconnect.is_none() {
        return Err("name --base DIR, --careconnect DIR or both".to_owned());
    }
    if let Some(folder) = &arguments.base {
        let data = workspace.root.join("crates/fhir/data");
        let (table, systems) = base::tables(folder)?;
        write(&data.join("stu3.tbl"), &table)?;
        write(&data.join("stu3-systems.tbl"), &systems)?;
    }
    if let Some(folder) = &arguments.careconnect {
        let base = workspace.root.join("crates/fhir/data/stu3.tbl");
        let base = std::fs::read_to_string(&base)
            .map_err(|e| format!("cannot read {}: {e}", base.display()))?;
        write(
            &workspace.root.join("crates/booking/data/careconnect.tbl"),
            &profiles::table(folder, &base)?,
        )?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    println!("wrote {} ({} bytes)", path.display(), text.len());
    Ok(())
}

fn read_json(path: &Path) -> Result<Value, String> {
    let text = std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    serde_json::from_slice(&text).map_err(|e| format!("{}: {e}", path.display()))
}

/// A member that must be a string; empty when it is not there.
fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or("")
}

/// A list member; empty when it is not there.
fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The last step of a canonical URL.
fn tail(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

/// Value set URL of a binding, wherever the definition holds it.
fn bound_set(element: &Value) -> Option<(&str, &str)> {
    let binding = element.get("binding")?;
    let set = binding
        .pointer("/valueSetReference/reference")
        .or_else(|| binding.get("valueSetUri"))?;
    Some((text(binding, "strength"), set.as_str()?))
}

/// Every code of these concepts, those below them included.
fn collect(concepts: &[Value], codes: &mut Vec<String>) {
    for concept in concepts {
        codes.push(text(concept, "code").to_owned());
        collect(list(concept, "concept"), codes);
    }
}

/// A code system as a line, if it is complete.
fn write_system(out: &mut String, system: &Value) {
    if text(system, "content") != "complete" {
        return;
    }
    let mut codes = Vec::new();
    collect(list(system, "concept"), &mut codes);
    let flag = match system["caseSensitive"].as_bool() {
        Some(false) => "i",
        _ => "",
    };
    if !codes.is_empty() {
        let _ = writeln!(
            out,
            "S\t{}\t{flag}\t{}",
            text(system, "url"),
            codes.join(" ")
        );
    }
}
