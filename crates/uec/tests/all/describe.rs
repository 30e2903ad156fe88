//! The API's description for tools is made from the route table, and what is kept in the repository is that.

use super::support;
use super::support::operations::command;
use serde_json::Value;
use std::path::Path;
use testkit::Ended;

fn described(format: &str) -> String {
    let mut describe = command(format!("provider describe {format}"));
    let described = Ended::run(describe.env_remove("UEC_BASE_URL"));
    described.with(0).stdout
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
    assert_eq!(interactions(&api).count(), 8);
    let collection: Value = serde_json::from_str(&described("postman")).unwrap();
    assert_eq!(collection["item"].as_array().unwrap().len(), 8);
}

/// The operations below a service root.
fn interactions(api: &Value) -> impl Iterator<Item = &Value> {
    let paths = api["paths"].as_object().unwrap().values();
    paths
        .filter(|path| path.get("servers").is_none())
        .flat_map(|path| path.as_object().unwrap().values())
}

/// What is said of referrals is what the server does: every media type is taken, every other is 415, and each status that
/// comes is described.
///
/// Proves: REF-PRO-01
#[test]
fn referrals_are_described_as_they_are_taken() {
    let api: Value = serde_json::from_str(&described("openapi")).unwrap();
    let server = support::Server::shared(module_path!());
    for path in ["/itk", "/itk/{ods}"] {
        let post = &api["paths"][path]["post"];
        let referred = |value: &Value| {
            let reference = value["$ref"].as_str().unwrap_or("#/none");
            api.pointer(&reference[1..]).cloned().unwrap_or_default()
        };
        let taken = referred(&post["requestBody"]);
        let media: Vec<&String> = taken["content"].as_object().unwrap().keys().collect();
        assert!(media.len() >= 4, "{media:?}");
        let address = path.replace("{ods}", "FX101");
        let text = "text/plain".to_owned();
        for kind in media.into_iter().chain([&text]) {
            let body = "<none/>";
            let request = format!(
                "POST {address} HTTP/1.1\r\nHost: a.example\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            );
            let answer = support::operations::send(server.address, request.as_bytes()).unwrap();
            assert_eq!(
                answer.status == 415,
                *kind == text,
                "{kind}: {}",
                answer.status
            );
            let told = referred(&post["responses"][answer.status.to_string()]);
            let answered = answer.header("content-type").unwrap();
            let answered = answered.split(';').next().unwrap();
            assert!(
                told["content"][answered].is_object(),
                "{kind}: {} {answered}",
                answer.status
            );
        }
    }
}

/// Every interaction has a schema and an example of what is sent and answered, and every reference leads somewhere.
#[test]
fn every_interaction_has_schemas_and_examples() {
    let api: Value = serde_json::from_str(&described("openapi")).unwrap();
    let mut operations = 0;
    for operation in interactions(&api) {
        operations += 1;
        let good = ["200", "201"]
            .iter()
            .find_map(|s| operation["responses"].get(s))
            .unwrap();
        let mut bodies = vec![&good["content"]];
        bodies.extend(operation.get("requestBody").map(|body| &body["content"]));
        for body in bodies {
            let json = &body["application/fhir+json"];
            let named = json["schema"]["$ref"]
                .as_str()
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap();
            assert_eq!(
                json["example"]["resourceType"], named,
                "{}",
                operation["operationId"]
            );
            follows(
                &api,
                &api["components"]["schemas"][named],
                &json["example"],
                named,
            );
        }
    }
    assert_eq!(operations, 8);
    assert_eq!(
        api["components"]["examples"]["refusal"]["value"]["resourceType"],
        "OperationOutcome"
    );
    let mut open = vec![&api];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(api.pointer(pointer).is_some(), "{reference} leads nowhere");
                }
                open.extend(members.values());
            }
            Value::Array(all) => open.extend(all),
            _ => {}
        }
    }
}

/// Checks the parts of JSON Schema that the description uses.
fn follows(api: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        return follows(api, api.pointer(&reference[1..]).unwrap(), value, at);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let named = value["resourceType"].as_str().unwrap();
        let of = any
            .iter()
            .find(|s| s["$ref"].as_str().unwrap().ends_with(&format!("/{named}")));
        return follows(
            api,
            of.unwrap_or_else(|| panic!("{at}: {named}")),
            value,
            at,
        );
    }
    let right = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        other => panic!("{at}: type {other:?}"),
    };
    assert!(right, "{at}: {value} is not of {}", schema["type"]);
    if let Some(codes) = schema["enum"].as_array() {
        assert!(codes.contains(value), "{at}: {value}");
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        assert!(
            value.get(required.as_str().unwrap()).is_some(),
            "{at} lacks {required}"
        );
    }
    for item in value.as_array().into_iter().flatten() {
        follows(api, &schema["items"], item, at);
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        // An underscore begins what FHIR says about a primitive.
        if name.starts_with('_') {
            continue;
        }
        let of = schema["properties"].get(name);
        follows(
            api,
            of.unwrap_or_else(|| panic!("{at} has no {name}")),
            member,
            &format!("{at}.{name}"),
        );
    }
}
