//! Which crate may depend on which, and what must not reach the pure crates.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::finding::Finding;
use crate::workspace::Workspace;

/// Crate → crates of this workspace that it may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("fhir", &[]),
    ("booking", &["fhir"]),
    ("listen", &[]),
    ("pemfile", &["booking"]),
    ("sheet", &["booking"]),
    ("ldap_frame", &[]),
    (
        "provider",
        &["booking", "fhir", "listen", "pemfile", "sheet"],
    ),
    (
        "consumer",
        &["booking", "fhir", "ldap_frame", "pemfile", "sheet"],
    ),
    (
        "sandbox",
        &[
            "booking",
            "fhir",
            "ldap_frame",
            "listen",
            "pemfile",
            "sheet",
        ],
    ),
    (
        "assurance",
        &["booking", "consumer", "fhir", "listen", "pemfile"],
    ),
    (
        "uec",
        &[
            "assurance",
            "booking",
            "consumer",
            "fhir",
            "listen",
            "pemfile",
            "provider",
            "sandbox",
            "sheet",
        ],
    ),
    ("testkit", &[]),
    ("fuzz", &["booking", "fhir"]),
    ("xtask", &["booking", "fhir", "provider", "testkit"]),
    ("faults", &["booking", "testkit"]),
    ("bench", &["booking", "fhir", "provider", "testkit"]),
];
/// Crate → crates that only its tests may use, to have the real other side.
const ALLOWED_IN_TESTS: &[(&str, &[&str])] = &[
    ("fhir", &["testkit"]),
    ("listen", &["testkit"]),
    ("assurance", &["testkit"]),
    ("consumer", &["provider", "sandbox", "testkit"]),
    ("provider", &["testkit"]),
    ("sandbox", &["testkit"]),
    // Black-box tests hold a database and look into it from outside, as another program would.
    ("uec", &["rusqlite", "testkit"]),
];
/// Crates without I/O.
const PURE: &[&str] = &["fhir", "booking"];
/// HTTP, SQL and runtimes: not in a pure crate, not even through another.
const IMPURE: &[&str] = &[
    "async-std",
    "axum",
    "deadpool-postgres",
    "h2",
    "hyper",
    "ldap3",
    "reqwest",
    "rusqlite",
    "rustls",
    "smol",
    "sqlx",
    "tokio",
    "tokio-postgres",
    "tower",
    "tower-http",
    "ureq",
];
/// Database crates and the crates that may name them: the Provider's store and the Consumer's journal.
const DATABASES: (&[&str], &[&str]) = (
    &["deadpool-postgres", "rusqlite", "sqlx", "tokio-postgres"],
    &["consumer", "faults", "provider"],
);

/// Checks what `cargo metadata` says.
pub fn findings(workspace: &Workspace) -> Result<Vec<Finding>, String> {
    let metadata = workspace.metadata()?;
    let members = Members::read(&metadata);
    let mut found = Vec::new();
    for (name, direct) in &members.direct {
        let path = members
            .manifests
            .get(name)
            .map(String::as_str)
            .unwrap_or("Cargo.toml");
        let Some((_, allowed)) = ALLOWED.iter().find(|(member, _)| member == name) else {
            found.push(Finding::of(
                path,
                format!(
                    "`{name}` is no crate of the table in xtask/src/tidy/edges.rs: add it there"
                ),
            ));
            continue;
        };
        for other in direct {
            if members.direct.contains_key(other)
                && other != name
                && !allowed.contains(&other.as_str())
            {
                found.push(Finding::of(path, format!("`{name}` must not depend on `{other}`: turn the edge round or move the code")));
            }
            if DATABASES.0.contains(&other.as_str()) && !DATABASES.1.contains(&name.as_str()) {
                found.push(Finding::of(
                    path,
                    format!(
                        "`{name}` must not depend on `{other}`: only {} know SQL",
                        DATABASES.1.join(" and ")
                    ),
                ));
            }
        }
        if PURE.contains(&name.as_str()) {
            for impure in reached(&metadata, name)
                .iter()
                .filter(|n| IMPURE.contains(&n.as_str()))
            {
                found.push(Finding::of(path, format!("`{impure}` reaches `{name}`, which has no I/O: drop the dependency that brings it")));
            }
        }
    }
    Ok(found)
}

struct Members {
    direct: BTreeMap<String, BTreeSet<String>>,
    manifests: BTreeMap<String, String>,
}

impl Members {
    fn read(metadata: &Value) -> Members {
        let ids = strings(&metadata["workspace_members"]);
        let root = metadata["workspace_root"].as_str().unwrap_or("");
        let mut members = Members {
            direct: BTreeMap::new(),
            manifests: BTreeMap::new(),
        };
        for package in array(&metadata["packages"]) {
            if !package["id"].as_str().is_some_and(|id| ids.contains(id)) {
                continue;
            }
            let name = text(&package["name"]);
            let for_tests = ALLOWED_IN_TESTS
                .iter()
                .find(|(crate_name, _)| *crate_name == name);
            let for_tests = for_tests.map_or(&[][..], |(_, others)| others);
            let direct = array(&package["dependencies"])
                .iter()
                .filter(|d| {
                    !(d["kind"] == "dev" && for_tests.contains(&d["name"].as_str().unwrap_or("")))
                })
                .map(|d| text(&d["name"]))
                .collect();
            let manifest = text(&package["manifest_path"]);
            let manifest = manifest
                .strip_prefix(root)
                .unwrap_or(&manifest)
                .trim_start_matches('/')
                .to_owned();
            members.direct.insert(name.clone(), direct);
            members.manifests.insert(name, manifest);
        }
        members
    }
}

/// Names of all packages that a crate's product (not its tests or build scripts) reaches.
fn reached(metadata: &Value, name: &str) -> BTreeSet<String> {
    let names: BTreeMap<&str, &str> = array(&metadata["packages"])
        .iter()
        .filter_map(|p| Some((p["id"].as_str()?, p["name"].as_str()?)))
        .collect();
    let mut edges: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for node in array(&metadata["resolve"]["nodes"]) {
        let normal = array(&node["deps"])
            .iter()
            .filter(|dep| array(&dep["dep_kinds"]).iter().any(|k| k["kind"].is_null()));
        let targets = normal.filter_map(|dep| dep["pkg"].as_str()).collect();
        edges.insert(node["id"].as_str().unwrap_or(""), targets);
    }
    let mut open: Vec<&str> = names
        .iter()
        .filter(|(_, n)| **n == name)
        .map(|(id, _)| *id)
        .collect();
    let mut seen: BTreeSet<&str> = open.iter().copied().collect();
    while let Some(id) = open.pop() {
        for next in edges.get(id).into_iter().flatten() {
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    seen.iter()
        .filter_map(|id| names.get(id))
        .map(|n| (*n).to_owned())
        .collect()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or(&[])
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("").to_owned()
}

fn strings(value: &Value) -> BTreeSet<&str> {
    array(value).iter().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_reached_through_others_but_not_through_tests() {
        let metadata = serde_json::json!({
            "packages": [{"id": "1", "name": "fhir"}, {"id": "2", "name": "mid"}, {"id": "3", "name": "tokio"}, {"id": "4", "name": "hyper"}],
            "resolve": {"nodes": [
                {"id": "1", "deps": [{"pkg": "2", "dep_kinds": [{"kind": null}]}, {"pkg": "4", "dep_kinds": [{"kind": "dev"}]}]},
                {"id": "2", "deps": [{"pkg": "3", "dep_kinds": [{"kind": null}]}]}]}
        });
        let names: Vec<String> = reached(&metadata, "fhir").into_iter().collect();
        assert_eq!(names, ["fhir", "mid", "tokio"]);
    }
}
