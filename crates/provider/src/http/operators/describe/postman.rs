//! A Postman collection (format 2.1): the journey in order, with tokens made as each request is sent.

use super::{Place, SSP, journey, parameters, success, summary};
use crate::ROOT_PREFIX;
use crate::http::edge::routes::Route;
use serde_json::{Value, json};

/// Makes the token of a request: unsigned, five minutes, with the scope that the request names in its description.
const TOKEN: &str = r#"const now = Math.floor(Date.now() / 1000);
const part = o => btoa(unescape(encodeURIComponent(JSON.stringify(o)))).replace(/=+$/, "").replace(/\+/g, "-").replace(/\//g, "_");
const claims = {
  iss: "https://consumer.example/", sub: "postman-user", aud: pm.variables.replaceIn("{{root}}"),
  iat: now, exp: now + 300, reason_for_request: "directcare", requested_scope: pm.variables.get("scope"),
  requesting_device: {resourceType: "Device", identifier: [{system: "https://consumer.example/Id/device", value: "postman"}],
    model: "Postman", version: "1"},
  requesting_organization: {resourceType: "Organization", name: pm.variables.get("organisation"),
    identifier: [{system: "https://fhir.nhs.uk/Id/ods-organization-code", value: pm.variables.get("organisationOds")}]}
};
pm.variables.set("token", part({alg: "none", typ: "JWT"}) + "." + part(claims) + ".");"#;

/// Keeps what the next requests need.
const KEEP: &str = r#"const location = pm.response.headers.get("Location");
if (location) { pm.collectionVariables.set("appointment", location.split("/Appointment/")[1].split("/")[0]); }
if (pm.response.headers.get("ETag")) { pm.collectionVariables.set("etag", pm.response.headers.get("ETag")); }
if ((pm.response.headers.get("Content-Type") || "").includes("json")) {
  const body = pm.response.json();
  if (body.resourceType === "Appointment") { pm.collectionVariables.set("read", JSON.stringify(body)); }
  const slot = (body.entry || []).map(e => e.resource).find(r => r.resourceType === "Slot" && r.status === "free");
  if (slot) { pm.collectionVariables.set("slot", JSON.stringify(slot)); }
}"#;

/// Makes the booking of the slot that was found.
const BOOKING: &str = r##"const slot = JSON.parse(pm.collectionVariables.get("slot") || "{}");
const profile = t => ({profile: ["https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-" + t + "-1"]});
const number = {use: "official", system: "https://fhir.nhs.uk/Id/nhs-number", value: "9990123454"};
const untraced = Object.assign({extension: [{
  url: "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-NHSNumberVerificationStatus-1",
  valueCodeableConcept: {coding: [{system: "https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-NHSNumberVerificationStatus-1",
    code: "02", display: "Number present but not traced"}]}}]}, number);
const made = new Date().toISOString();
pm.variables.set("booking", JSON.stringify({
  resourceType: "Appointment", meta: profile("Appointment"), language: "en-GB",
  contained: [
    {resourceType: "DocumentReference", id: "doc", meta: profile("DocumentReference"),
     identifier: [{system: "https://tools.ietf.org/html/rfc4122", value: pm.variables.replaceIn("{{$guid}}")}], status: "current",
     type: {coding: [{system: "urn:oid:2.16.840.1.113883.2.1.3.2.4.18.17", code: "POCD_MT200001GB02",
       display: "Integrated Urgent Care Report"}]},
     indexed: made, content: [{attachment: {contentType: "application/hl7-v3+xml", language: "en"}}]},
    {resourceType: "Patient", id: "pat", meta: profile("Patient"), identifier: [untraced],
     name: [{use: "official", family: "Testwell", given: ["Ada"], prefix: ["Ms"]}],
     telecom: [{system: "phone", value: "01632 960123", use: "home", rank: 1}], gender: "female", birthDate: "1984-06-21",
     address: [{use: "home", line: ["2 Synthetic Way"], city: "Exampleton", postalCode: "LS99 9ZZ"}]},
    {resourceType: "Slot", id: slot.id, meta: profile("Slot"), identifier: slot.identifier, schedule: slot.schedule,
     status: "busy", start: slot.start, end: slot.end}],
  status: "booked", description: "Sore throat and fever, 111 referral", supportingInformation: [{reference: "#doc"}],
  start: slot.start, end: slot.end, slot: [{reference: "#" + slot.id}], created: made,
  participant: [{actor: {reference: "#pat", identifier: number, display: "Ms Ada Testwell"}, status: "accepted"}]}));"##;

/// Makes the cancellation of the appointment that was read.
const CANCELLATION: &str = r#"const read = JSON.parse(pm.collectionVariables.get("read") || "{}");
read.status = "cancelled";
pm.variables.set("cancellation", JSON.stringify(read));"#;

/// Windows of a slot search: from now, three days.
const WINDOW: &str = r#"pm.variables.set("from", new Date().toISOString());
pm.variables.set("until", new Date(Date.now() + 72 * 3600 * 1000).toISOString());"#;

/// The collection for a Provider at `base` (scheme, host and port).
pub fn postman(base: &str) -> Value {
    let variable = |key: &str, value: &str| json!({"key": key, "value": value});
    // Service roots are https, also where they are reached over a plain socket (D-20).
    let root = format!(
        "{}{ROOT_PREFIX}FX101",
        base.replacen("http://", "https://", 1)
    );
    json!({
        "info": {
            "name": "UEC Booking Provider",
            "description": "The booking journey at a Provider of the NHS Booking Standard. Run the requests in their order: each \
                            keeps what the next one needs. Set `root` to the service root and `address` to where it is \
                            reached; through the Spine Secure Proxy that is the proxy's address, a slash and the root.",
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}", "type": "string"}]},
        "event": [script("test", KEEP)],
        "variable": [
            variable("root", &root),
            variable("address", &format!("{base}{ROOT_PREFIX}FX101")),
            variable("service", "2000000011"),
            variable("organisation", "Fernhill 111"),
            variable("organisationOds", "FX900"),
            variable("appointment", ""),
            variable("etag", ""),
            variable("read", ""),
            variable("slot", ""),
        ],
        "item": journey().into_iter().map(item).collect::<Vec<Value>>(),
    })
}

fn script(listen: &str, text: &str) -> Value {
    let lines: Vec<&str> = text.lines().collect();
    json!({"listen": listen, "script": {"type": "text/javascript", "exec": lines}})
}

fn item(route: &Route) -> Value {
    use booking::wire::interaction::Interaction;
    let interaction = route.interaction;
    let header = |key: &str, value: &str| json!({"key": key, "value": value});
    let mut headers: Vec<Value> = SSP.iter().map(|p| header(p.name, p.example)).collect();
    let urn = interaction.urns().first().copied().unwrap_or_default();
    headers.push(header("Ssp-InteractionID", urn));
    headers.push(header("Accept", "application/fhir+json"));
    let mut query: Vec<String> = Vec::new();
    for p in parameters(interaction) {
        match (p.place, p.name) {
            (Place::Header, "If-Match") => headers.push(header("If-Match", "{{etag}}")),
            (Place::Header, name) => headers.push(header(name, p.example)),
            (Place::Query, "start") => query.push("start=ge{{from}}&start=le{{until}}".to_owned()),
            (Place::Query, name) if !p.example.is_empty() => {
                query.push(format!("{name}={}", p.example))
            }
            _ => {}
        }
    }
    let mut url = format!("{{{{address}}}}{}", route.path)
        .replace("{id}", "{{appointment}}")
        .replace("{vid}", "1");
    if !query.is_empty() {
        url = format!("{url}?{}", query.join("&"));
    }
    let scope = format!("pm.variables.set(\"scope\", \"{}\");", interaction.scope());
    let (more, body) = match interaction {
        Interaction::SearchSlots => (WINDOW, None),
        Interaction::Book => (BOOKING, Some("{{booking}}")),
        Interaction::Cancel => (CANCELLATION, Some("{{cancellation}}")),
        _ => ("", None),
    };
    let mut request = json!({"method": route.method, "header": headers, "url": url, "description": summary(interaction)});
    if let Some(raw) = body {
        headers.push(header(
            "Content-Type",
            "application/fhir+json;charset=utf-8",
        ));
        request["header"] = json!(headers);
        request["body"] = json!({"mode": "raw", "raw": raw});
    }
    // Each part is a block of its own, so that no two declare the same name.
    let before = format!("{scope}\n{{\n{more}\n}}\n{{\n{TOKEN}\n}}");
    let status = success(interaction);
    let after =
        format!("pm.test(\"answers {status}\", () => pm.response.to.have.status({status}));");
    json!({
        "name": summary(interaction),
        "event": [script("prerequest", &before), script("test", &after)],
        "request": request,
    })
}
