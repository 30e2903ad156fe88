//! OpenAPI 3.0.

use super::{Parameter, Place, SSP, examples, parameters, refusals, schemas, success, summary};
use crate::ROOT_PREFIX;
use crate::http::edge::routes::{ROUTES, Route};
use crate::http::interactions::capability::API_VERSION;
use crate::http::interactions::itk;
use crate::referral::Wire;
use booking::wire::interaction::Interaction;
use serde_json::{Map, Value, json};

/// The description of a Provider's API. `base` is scheme, host and port.
pub fn openapi(base: &str) -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let operations = paths.entry(route.path).or_insert_with(|| json!({}));
        operations[route.method.to_ascii_lowercase()] = operation(route);
    }
    paths.extend(referrals(base));
    let named_answers: Map<String, Value> = referral_answers()
        .into_iter()
        .map(|(status, answer)| (format!("Referral{status}"), answer))
        .collect();
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "UEC Booking Provider",
            "version": API_VERSION,
            "description": "FHIR NHS Booking API (FHIR STU3 3.0.1, CareConnect profiles). Requests come through the Spine \
                            Secure Proxy, with its four headers and the consumer's token.",
            "license": {"name": "Apache-2.0"},
        },
        "servers": [{
            "url": format!("{base}{ROOT_PREFIX}{{ods}}"),
            "description": "Service root of one provider organisation",
            "variables": {"ods": {"default": "FX101", "description": "ODS code of the organisation"}},
        }],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": "Made by the consumer for each request, valid for five minutes; `uec token new` makes one",
            }},
            "schemas": schemas::all(),
            "requestBodies": {"Referral": {"required": true, "content": referral_content(
                "SOAP: an ITK 2.2 distribution envelope with a CDA document. FHIR: a Bundle of type `document`, the CDA in \
                 its Binary. At most 32 MiB",
            )}},
            "responses": named_answers,
            "examples": {"refusal": {
                "summary": "A second booking of the same slot", "value": examples::refusal(),
            }},
        },
    })
}

/// `/itk`, outside the service roots: referrals in SOAP and as FHIR documents (REF-PRO-01). No header of the proxy and no
/// token is needed; who may send is the setting `referral.from`.
fn referrals(base: &str) -> Map<String, Value> {
    let answers = referral_answers();
    let refer = |status: &String| {
        let at = json!({"$ref": format!("#/components/responses/Referral{status}")});
        (status.clone(), at)
    };
    let item = |name: &str, parameters: Value| {
        json!({
            "servers": [{"url": base, "description": "Beside the service roots"}],
            "post": {
                "operationId": name,
                "summary": "Send a referral",
                "description": "A message that arrived whole is kept in every case; one that cannot be filed goes into \
                                quarantine, and the answer says why. The same message may be sent again.",
                "security": [],
                "parameters": parameters,
                "requestBody": {"$ref": "#/components/requestBodies/Referral"},
                "responses": answers.keys().map(refer).collect::<Map<_, _>>(),
            },
        })
    };
    let ods = json!([{
        "name": "ods", "in": "path", "required": true,
        "description": "ODS code of the provider that the referral is for", "schema": {"type": "string"},
    }]);
    let of_provider = format!("{}/{{ods}}", itk::PATH);
    let items = [
        (itk::PATH.to_owned(), item("refer", json!([]))),
        (of_provider, item("refer-to", ods)),
    ];
    items.into_iter().collect()
}

/// A referral, or an answer to one, in every media type.
fn referral_content(about: &str) -> Value {
    let media = itk::MEDIA_TYPES.into_iter().map(|(name, wire)| {
        let kind = if wire == Wire::FhirJson {
            "object"
        } else {
            "string"
        };
        (
            name.to_owned(),
            json!({"schema": {"type": kind, "description": about}}),
        )
    });
    media.collect::<Map<_, _>>().into()
}

/// What answers a referral, by status.
fn referral_answers() -> Map<String, Value> {
    let refused = "SOAP: a fault that names the ITK code. FHIR: an OperationOutcome";
    let stored = "SOAP: SimpleMessageResponse, or InfrastructureResponse when asked for. FHIR: an OperationOutcome";
    let answers = [
        ("200", "The referral is stored", stored),
        ("400", "Malformed (ITK 1000)", refused),
        ("403", "This sender is not permitted (ITK 3000)", refused),
        ("404", "No such provider", refused),
        ("405", "Only POST", refused),
        ("408", "The message came too slowly", refused),
        ("413", "Too large", refused),
        ("415", "A media type that is not taken", refused),
        ("422", "FHIR: refused (ITK 2200)", refused),
        ("500", "SOAP: a fault, whatever it names", refused),
        ("503", "Send the same message again (ITK 2100)", refused),
    ];
    let described = answers.map(|(status, meaning, body)| {
        let answer = json!({"description": meaning, "content": referral_content(body)});
        (status.to_owned(), answer)
    });
    described.into_iter().collect()
}

fn operation(route: &Route) -> Value {
    let interaction = route.interaction;
    let id = json!({
        "name": "Ssp-InteractionID", "in": "header", "required": true,
        "schema": {"type": "string", "enum": interaction.urns()},
    });
    let described = SSP.iter().map(described).chain([id]);
    let own = parameters(interaction);
    let all: Vec<Value> = described.chain(own.iter().map(self::described)).collect();
    let mut operation = json!({
        "operationId": interaction.name(),
        "summary": summary(interaction),
        "description": format!("The token's `requested_scope` is `{}`.", interaction.scope()),
        "parameters": all,
        "responses": responses(route),
    });
    if interaction.writes() {
        let example = examples::request(interaction);
        let content = content("Appointment", json!({"example": example}));
        operation["requestBody"] = json!({"required": true, "content": content});
    }
    operation
}

fn described(p: &Parameter) -> Value {
    let place = match p.place {
        Place::Path => "path",
        Place::Query => "query",
        Place::Header => "header",
    };
    let repeated = matches!(p.name, "start" | "_include");
    let text = json!({"type": "string"});
    let mut out = json!({
        "name": p.name, "in": place, "required": p.required, "description": p.about,
        "schema": if repeated { json!({"type": "array", "items": text}) } else { text },
    });
    if repeated {
        out["explode"] = json!(true);
    }
    out
}

/// A body in both formats, as the resource type and with the example in JSON. XML has the same elements in their order.
fn content(resource: &str, example: Value) -> Value {
    let mut json = json!({"schema": schemas::reference(resource)});
    if let (Some(out), Value::Object(example)) = (json.as_object_mut(), example) {
        out.extend(example);
    }
    json!({
        "application/fhir+json": json,
        "application/fhir+xml": {"schema": {"type": "string", "description": format!("The {resource} in FHIR's XML form")}},
    })
}

/// The resource type of the answer that means success.
fn answered(interaction: Interaction) -> &'static str {
    match interaction {
        Interaction::Capability => "CapabilityStatement",
        Interaction::Book | Interaction::Read | Interaction::VersionRead | Interaction::Cancel => {
            "Appointment"
        }
        Interaction::SearchSlots | Interaction::History | Interaction::SearchAppointments => {
            "Bundle"
        }
    }
}

/// Success, and every status of the table of refusals with what it means here.
fn responses(route: &Route) -> Value {
    let mut responses = Map::new();
    let good = success(route.interaction);
    let mut headers = json!({
        "X-Request-ID": {"description": "Id of the response", "schema": {"type": "string"}},
        "X-Correlation-ID": {"description": "The request's X-Request-ID", "schema": {"type": "string"}},
    });
    if route.path.starts_with("/Appointment")
        && !route.path.ends_with("_history")
        && route.stated != Some(("Appointment", "search-type"))
    {
        headers["ETag"] =
            json!({"description": "Version, for If-Match", "schema": {"type": "string"}});
    }
    if good == 201 {
        headers["Location"] =
            json!({"description": "URL of the version made", "schema": {"type": "string"}});
    }
    responses.insert(
        good.to_string(),
        json!({
            "description": "Done",
            "headers": headers,
            "content": content(
                answered(route.interaction),
                json!({"example": examples::answer(route.interaction)}),
            ),
        }),
    );
    let mut meanings: Vec<(u16, String)> = Vec::new();
    for situation in refusals(route.interaction) {
        let row = situation.row();
        let meaning = match row.id {
            "" => row.display.to_owned(),
            id => format!("{} ({id})", row.display),
        };
        match meanings
            .iter_mut()
            .find(|(status, _)| *status == row.status)
        {
            Some((_, all)) if all.contains(&meaning) => {}
            Some((_, all)) => all.push_str(&format!("; {meaning}")),
            None => meanings.push((row.status, meaning)),
        }
    }
    meanings.sort_by_key(|(status, _)| *status);
    for (status, meaning) in meanings {
        let example = json!({"examples": {"refusal": {"$ref": "#/components/examples/refusal"}}});
        let answer = json!({
            "description": format!("OperationOutcome: {meaning}"),
            "content": content("OperationOutcome", example),
        });
        responses.insert(status.to_string(), answer);
    }
    Value::Object(responses)
}
