//! Rules on the crates' manifests: licence, lints of the workspace, no `unsafe`.

use toml::Table;

use crate::finding::Finding;
use crate::workspace::Workspace;

/// The licence of every crate.
const LICENCE: &str = "Apache-2.0";

/// Checks every `Cargo.toml`.
pub fn findings(workspace: &Workspace) -> Result<Vec<Finding>, String> {
    let mut found = Vec::new();
    for (path, text) in workspace
        .files()
        .filter(|(path, _)| path.rsplit('/').next() == Some("Cargo.toml"))
    {
        let manifest: Table = toml::from_str(text).map_err(|e| format!("{path}: {e}"))?;
        if manifest.contains_key("workspace") && manifest.contains_key("package") {
            // A workspace of its own (fuzz targets): it cannot inherit, so it states both itself.
            own(path, &manifest, &mut found);
        } else if manifest.contains_key("workspace") {
            root(path, &manifest, &mut found);
        } else {
            member(path, &manifest, &mut found);
        }
    }
    Ok(found)
}

fn root(path: &str, manifest: &Table, found: &mut Vec<Finding>) {
    let workspace = manifest.get("workspace").and_then(|w| w.as_table());
    let lint = workspace.and_then(|w| w.get("lints")?.get("rust")?.get("unsafe_code")?.as_str());
    if lint != Some("forbid") {
        found.push(Finding::of(
            path,
            "[workspace.lints.rust] has to say unsafe_code = \"forbid\"",
        ));
    }
    let licence = workspace.and_then(|w| w.get("package")?.get("license")?.as_str());
    if licence != Some(LICENCE) {
        found.push(Finding::of(
            path,
            format!("[workspace.package] has to say license = \"{LICENCE}\""),
        ));
    }
}

fn member(path: &str, manifest: &Table, found: &mut Vec<Finding>) {
    let inherits = |value: Option<&toml::Value>| {
        value
            .and_then(|v| v.get("workspace"))
            .and_then(toml::Value::as_bool)
            == Some(true)
    };
    if !inherits(manifest.get("lints")) {
        found.push(Finding::of(
            path,
            "inherit the lints (they forbid unsafe): [lints] workspace = true",
        ));
    }
    if !inherits(
        manifest
            .get("package")
            .and_then(|package| package.get("license")),
    ) {
        found.push(Finding::of(
            path,
            "inherit the licence: license.workspace = true",
        ));
    }
}

fn own(path: &str, manifest: &Table, found: &mut Vec<Finding>) {
    let licence = manifest
        .get("package")
        .and_then(|package| package.get("license")?.as_str());
    if licence != Some(LICENCE) {
        found.push(Finding::of(
            path,
            format!("state the licence: license = \"{LICENCE}\""),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_inherit_lints_and_licence() {
        let good = "[package]\nname = \"a\"\nlicense.workspace = true\n[lints]\nworkspace = true\n";
        let bad = "[package]\nname = \"b\"\nlicense = \"MIT\"\n";
        let workspace =
            Workspace::of_files(&[("crates/a/Cargo.toml", good), ("crates/b/Cargo.toml", bad)]);
        let found = findings(&workspace).unwrap();
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|f| f.path == "crates/b/Cargo.toml"));
    }
}
