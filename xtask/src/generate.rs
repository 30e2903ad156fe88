//! `cargo xtask generate`: writes the compact tables of `fhir` and `booking` from published definitions.
//!
//! The definitions are not part of this repository. Base STU3 3.0.1 comes in the npm package `fhir` at version
//! 3.3.1 (folder `profiles/stu3`); the CareConnect profiles are a folder of StructureDefinition, ValueSet and
//! CodeSystem files with snapshots.

mod base;
mod profiles;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The tables within the repository.
const BASE: &str = "crates/fhir/data/stu3.tbl";
const BASE_SYSTEMS: &str = "crates/fhir/data/stu3-systems.tbl";
const CARECONNECT: &str = "crates/booking/data/careconnect.tbl";

/// Where the definitions are.
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder `profiles/stu3` of the npm package `fhir` 3.3.1: writes the base table
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,
    /// Folder of CareConnect definitions: writes the profile package
    #[arg(long, value_name = "DIR")]
    careconnect: Option<PathBuf>,
    /// Write nothing; fail when a table of the repository is not what the definitions give
    #[arg(long)]
    check: bool,
}

/// Writes the tables that were asked for below `root`, or compares them.
pub fn run(root: &Path, arguments: &Arguments) -> Result<(), String> {
    if arguments.base.is_none() && arguments.careconnect.is_none() {
        return Err("name --base DIR, --careconnect DIR or both".to_owned());
    }
    let mut tables = Vec::new();
    if let Some(folder) = &arguments.base {
        let (table, systems) = base::tables(folder)?;
        tables.push((root.join(BASE), table));
        tables.push((root.join(BASE_SYSTEMS), systems));
    }
    if let Some(folder) = &arguments.careconnect {
        let base = match tables.first() {
            Some((_, table)) => table.clone(),
            None => read_text(&root.join(BASE))?,
        };
        tables.push((root.join(CARECONNECT), profiles::table(folder, &base)?));
    }
    for (path, text) in &tables {
        match arguments.check {
            true => check(path, text)?,
            false => write(path, text)?,
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    println!("wrote {} ({} bytes)", path.display(), text.len());
    Ok(())
}

/// Compares a table of the repository with what the definitions give.
fn check(path: &Path, wanted: &str) -> Result<(), String> {
    let kept = read_text(path)?;
    if kept == wanted {
        println!("{} is what the definitions give", path.display());
        return Ok(());
    }
    let same = kept.split('\n').zip(wanted.split('\n'));
    let line = same.take_while(|(kept, wanted)| kept == wanted).count() + 1;
    Err(format!(
        "{}:{line}: not what the definitions give; it is generated, never edited: run this without --check",
        path.display()
    ))
}

fn read_text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
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

/// `V url`, then one `C system code code …` per system; a set that cannot be listed has a line `U`.
fn write_set(out: &mut String, url: &str, set: Option<&Value>, systems: &BTreeMap<String, Value>) {
    let _ = writeln!(out, "V\t{url}");
    let mut listed = true;
    let mut lines = String::new();
    for include in set.map_or(&[][..], |set| list(&set["compose"], "include")) {
        let system = text(include, "system");
        let given = list(include, "concept");
        let mut codes = Vec::new();
        if !given.is_empty() {
            codes.extend(given.iter().map(|c| text(c, "code").to_owned()));
        } else if let Some(whole) = systems.get(system) {
            collect(list(whole, "concept"), &mut codes);
        }
        // A filter, a set of sets or a system that is not here cannot be listed.
        listed &= !codes.is_empty()
            && list(include, "filter").is_empty()
            && list(include, "valueSet").is_empty();
        let _ = writeln!(lines, "C\t{system}\t{}", codes.join(" "));
    }
    let is_complete = listed && !lines.is_empty();
    out.push_str(if is_complete { &lines } else { "U\n" });
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A table that is written passes the check; one that was edited, cut or lengthened by hand does not.
    #[test]
    fn an_edited_table_is_found() {
        let folder = std::env::temp_dir().join(format!("uec-check-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("definitions")).unwrap();
        for tables in ["crates/fhir/data", "crates/booking/data"] {
            std::fs::create_dir_all(folder.join(tables)).unwrap();
        }
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(BASE);
        std::fs::copy(ours, folder.join(BASE)).unwrap();
        std::fs::write(
            folder.join("definitions/slot.json"),
            r#"{"resourceType":"StructureDefinition","url":"urn:s","type":"Slot","snapshot":{"element":[
              {"id":"Slot","path":"Slot"},{"id":"Slot.comment","path":"Slot.comment","min":1,"max":"1"}]}}"#,
        )
        .unwrap();
        let generate = |check| {
            let arguments = Arguments {
                base: None,
                careconnect: Some(folder.join("definitions")),
                check,
            };
            run(&folder, &arguments)
        };
        assert!(generate(true).is_err(), "there is no table yet");
        generate(false).unwrap();
        generate(true).unwrap();
        let table = folder.join(CARECONNECT);
        let written = std::fs::read_to_string(&table).unwrap();
        let edited = written.replace("E\tcomment\t1", "E\tcomment\t0");
        assert_ne!(edited, written);
        for (text, line) in [
            (edited, ":3:"),
            (written.replace("E\tcomment\t1\n", ""), ":3:"),
            (format!("{written}E\tstatus\t1\n"), ":4:"),
        ] {
            std::fs::write(&table, text).unwrap();
            let told = generate(true).unwrap_err();
            assert!(told.contains(line), "{told}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
