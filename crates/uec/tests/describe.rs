//! The API's description for tools is made from the route table, and what is kept in the repository is that.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::path::Path;
use std::process::Command;

fn described(format: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_uec"))
        .args(["provider", "describe", format])
        .env_remove("UEC_BASE_URL")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn kept(name: &str) -> String {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api");
    std::fs::read_to_string(docs.join(name)).unwrap()
}

#[test]
fn the_kept_descriptions_are_what_the_program_prints() {
    for (format, file) in [("openapi", "openapi.json"), ("postman", "postman.json")] {
        assert_eq!(
            kept(file),
            described(format),
            "write it anew: uec provider describe {format} > docs/api/{file}"
        );
    }
}

/// Proves: PROV-INT-02, PROV-INT-03, PROV-INT-04, PROV-INT-05, PROV-INT-06, PROV-INT-07, PROV-INT-08
#[test]
fn every_interaction_is_described_with_its_refusals() {
    let api: Value = serde_json::from_str(&described("openapi")).unwrap();
    let book = &api["paths"]["/Appointment"]["post"];
    assert_eq!(book["operationId"], "book");
    for status in ["201", "400", "403", "409", "415", "422"] {
        assert!(book["responses"][status].is_object(), "{status}");
    }
    let cancel = &api["paths"]["/Appointment/{id}"]["put"];
    assert!(cancel["responses"]["412"].is_object());
    let names: Vec<&str> = cancel["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    for name in [
        "id",
        "If-Match",
        "X-Request-ID",
        "Ssp-From",
        "Ssp-InteractionID",
    ] {
        assert!(names.contains(&name), "{name} of {names:?}");
    }
    let operations: usize = api["paths"]
        .as_object()
        .unwrap()
        .values()
        .map(|p| p.as_object().unwrap().len())
        .sum();
    assert_eq!(operations, 8);
    let collection: Value = serde_json::from_str(&described("postman")).unwrap();
    assert_eq!(collection["item"].as_array().unwrap().len(), 8);
}
