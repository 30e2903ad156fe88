//! The generated CareConnect package: what each kind of profile rule says, and that good messages pass.
//! Synthetic patients only.

use fhir::schema::{Schema, Strength};
use fhir::{Checker, Element, Issue, Limits, Options, Package, Stage};
use std::path::PathBuf;
use std::sync::OnceLock;

const TABLE: &str = include_str!("../../data/careconnect.tbl");
const CARECONNECT: &str = "https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-";
const EXTENSION: &str = "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-";

struct Rules {
    packages: [Package; 1],
    checker: Checker,
    options: Options,
}

fn rules() -> &'static Rules {
    static RULES: OnceLock<Rules> = OnceLock::new();
    RULES.get_or_init(|| {
        let packages = [Package::parse(TABLE).unwrap_or_else(|e| panic!("{e}"))];
        let checker = Checker::new(Schema::stu3(), &packages);
        let options = Options::all_of(&packages);
        Rules {
            packages,
            checker,
            options,
        }
    })
}

fn tree(json: &str) -> Element {
    match fhir::json::parse(json.as_bytes(), &Limits::default()) {
        Ok(parsed) => {
            assert!(!parsed.has_errors(), "{:?}", parsed.issues);
            parsed.root
        }
        Err(issue) => panic!("{issue}"),
    }
}

/// A finding as `severity expression [last part of the rule]`.
fn short(issue: &Issue) -> String {
    assert_eq!(issue.stage, Stage::Conformance);
    let rule = issue
        .rule
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .replace("CareConnect-", "");
    let rule = if rule.is_empty() {
        rule
    } else {
        format!(" [{rule}]")
    };
    format!("{} {}{rule}", issue.severity.code(), issue.expression)
}

fn issues(json: &str) -> Vec<Issue> {
    rules().checker.check(&tree(json), &rules().options)
}

#[track_caller]
fn check(json: &str, expected: &[&str]) {
    let found = issues(json);
    let said: Vec<String> = found.iter().map(short).collect();
    assert_eq!(said, expected, "{found:#?}");
}

const NAME: &str = r#""name":[{"use":"official","family":"Testwell","given":["Ada"]}]"#;

/// A patient with the mandatory name and something more.
fn patient(more: &str) -> String {
    let comma = if more.is_empty() { "" } else { "," };
    format!(r#"{{"resourceType":"Patient",{NAME}{comma}{more}}}"#)
}

fn slot(more: &str) -> String {
    format!(
        r#"{{"resourceType":"Slot",{more}"schedule":{{"reference":"Schedule/s1"}},"status":"free",
            "start":"2031-03-04T09:30:00Z","end":"2031-03-04T09:40:00Z"}}"#
    )
}

const SLOT_ID: &str = r#""identifier":[{"system":"https://tools.ietf.org/html/rfc4122","value":"0b6f4a52-6f3e-4c55-8f6f-6f2f0a7c9d01"}],"#;

fn delivery(value: &str) -> String {
    format!(r#""extension":[{{"url":"{EXTENSION}DeliveryChannel-1",{value}}}],{SLOT_ID}"#)
}

fn nhs_number(extension: &str) -> String {
    patient(&format!(
        r#""identifier":[{{{extension}"use":"official","system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990123454"}}]"#
    ))
}

fn verification(code: &str) -> String {
    format!(
        r#""extension":[{{"url":"{EXTENSION}NHSNumberVerificationStatus-1","valueCodeableConcept":{{"coding":[
            {{"system":"https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-NHSNumberVerificationStatus-1","code":"{code}"}}]}}}}],"#
    )
}

/// Proves: RES-CAP-02
#[test]
fn the_package_has_the_ten_profiles() {
    for of in [
        "Slot",
        "HealthcareService",
        "Schedule",
        "Appointment",
        "Patient",
        "DocumentReference",
        "Practitioner",
        "PractitionerRole",
        "Organization",
        "Location",
    ] {
        let url = format!("{CARECONNECT}{of}-1");
        assert_eq!(rules().options.by_type.get(of), Some(&url));
        assert_eq!(
            rules().packages[0].profile(&url).map(|p| p.type_name),
            Some(of)
        );
    }
    assert!(rules().checker.faults().is_empty());
}

/// Required and extensible sets that cannot be listed, with the reason.
const NOT_LISTED: &[(&str, &str)] = &[(
    "https://fhir.hl7.org.uk/STU3/ValueSet/CareConnect-ReligiousAffiliation-1",
    "a SNOMED CT subset, which the profiles only name",
)];

#[test]
fn bindings_of_the_package_can_be_checked() {
    fn walk(rules: &fhir::package::ElementRules, found: &mut Vec<(&'static str, Strength)>) {
        found.extend(rules.binding.map(|b| (b.value_set, b.strength)));
        rules.children.iter().for_each(|child| walk(child, found));
    }
    let mut found = Vec::new();
    let package = &rules().packages[0];
    package
        .profiles
        .iter()
        .for_each(|p| walk(&p.root, &mut found));
    assert!(found.len() > 15, "{}", found.len());
    for (url, strength) in found {
        let base = Schema::stu3().value_set(url);
        let listed = package
            .value_sets
            .get(url)
            .or(base)
            .is_some_and(|set| set.listed);
        let excused = NOT_LISTED.iter().any(|(set, _)| *set == url);
        assert!(
            listed || excused || strength == Strength::Preferred,
            "{url}"
        );
    }
}

/// Proves: RES-SLOT-02
#[test]
fn cardinality_of_a_profile() {
    check(&slot(SLOT_ID), &[]);
    check(&slot(""), &["error Slot.identifier [Slot-1]"]);
    let two = SLOT_ID.replace("}],", "},{\"value\":\"x\"}],");
    check(&slot(&two), &["error Slot.identifier [Slot-1]"]);
    check(
        &patient(r#""telecom":[{"system":"phone"},{"value":"01632 960123"}]"#),
        &[
            "error Patient.telecom[0].value [Patient-1]",
            "error Patient.telecom[1].system [Patient-1]",
            "error Patient.telecom[1] [cpt-2]",
        ],
    );
    check(
        &patient(r#""animal":{"species":{"text":"x"}}"#),
        &["error Patient.animal [Patient-1]"],
    );
}

/// Proves: RES-PAT-03
#[test]
fn slices_by_system() {
    check(&nhs_number(&verification("01")), &[]);
    check(&nhs_number(&verification("08")), &[]);
    check(
        &nhs_number(""),
        &["error Patient.identifier[0].extension [Patient-1]"],
    );
    check(
        &nhs_number(&verification("99")),
        &[
            "error Patient.identifier[0].extension[0].valueCodeableConcept [Extension-NHSNumberVerificationStatus-1]",
        ],
    );
    // Another system is no NHS number: nothing is asked of it.
    check(
        &patient(r#""identifier":[{"system":"https://x.example/id","value":"1"}]"#),
        &[],
    );
    let number = r#"{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990123454"}"#;
    let found = issues(&patient(&format!(r#""identifier":[{number},{number}]"#)));
    assert!(
        found
            .iter()
            .any(|i| i.expression == "Patient.identifier" && i.is_error()),
        "{found:#?}"
    );
    assert!(
        found.iter().all(|i| !i.message.contains("9990123454")),
        "{found:#?}"
    );
    let after =
        format!(r#""identifier":[{{"system":"https://x.example/id","value":"1"}},{number}]"#);
    let found = issues(&patient(&after));
    assert!(
        found
            .iter()
            .any(|i| short(i) == "warning Patient.identifier[1] [Patient-1]"),
        "{found:#?}"
    );
}

/// Proves: RES-PAT-04
#[test]
fn slices_by_use() {
    check(
        r#"{"resourceType":"Patient","gender":"female"}"#,
        &["error Patient.name [Patient-1]"],
    );
    check(
        r#"{"resourceType":"Patient","name":[{"use":"official","given":["Ada"]}]}"#,
        &["error Patient.name[0].family [Patient-1]"],
    );
    let said = issues(r#"{"resourceType":"Patient","name":[{"use":"usual","family":"Testwell"}]}"#);
    assert_eq!(said.len(), 1);
    assert!(said[0].message.contains("use `official`") && !said[0].message.contains("Testwell"));
    check(
        &patient(r#""contact":[{"name":{"family":"Testwell"}}]"#),
        &["error Patient.contact[0].name.use [Patient-1]"],
    );
}

/// Proves: RES-ROL-02
#[test]
fn slices_by_coding_system() {
    let role = |system: &str, code: &str, display: &str| {
        format!(
            r#"{{"resourceType":"PractitionerRole","code":[{{"coding":[{{"system":"{system}","code":"{code}"{display}}}]}}]}}"#
        )
    };
    let jobs = "https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-SDSJobRoleName-1";
    let display = r#","display":"General Medical Practitioner""#;
    check(&role(jobs, "R0260", display), &[]);
    check(
        &role(jobs, "R0260", ""),
        &["error PractitionerRole.code[0].coding[0].display [PractitionerRole-1]"],
    );
    check(
        &role(jobs, "R0000", display),
        &["error PractitionerRole.code[0] [PractitionerRole-1]"],
    );
    check(&role("https://x.example/jobs", "R0000", ""), &[]);
    check(
        r#"{"resourceType":"PractitionerRole","identifier":[{"value":"1"}]}"#,
        &["error PractitionerRole.identifier[0].system [PractitionerRole-1]"],
    );
}

/// Proves: RES-SLOT-06
#[test]
fn extension_definitions() {
    check(&slot(&delivery(r#""valueCode":"In-person""#)), &[]);
    check(
        &slot(&delivery(r#""valueCode":"Pigeon""#)),
        &["warning Slot.extension[0].valueCode [Extension-DeliveryChannel-1]"],
    );
    check(
        &slot(&delivery(r#""valueString":"Video""#)),
        &["error Slot.extension[0].valueString [Extension-DeliveryChannel-1]"],
    );
    check(
        &patient(&format!(
            r#""extension":[{{"url":"{EXTENSION}DeliveryChannel-1","valueCode":"Video"}}]"#
        )),
        &["error Patient.extension[0] [Extension-DeliveryChannel-1]"],
    );
    let one = format!(r#"{{"url":"{EXTENSION}DeliveryChannel-1","valueCode":"Video"}}"#);
    check(
        &slot(&format!(r#""extension":[{one},{one}],{SLOT_ID}"#)),
        &["error Slot.extension [Slot-1]"],
    );
    check(
        &slot(&format!(r#""modifierExtension":[{one}],{SLOT_ID}"#)),
        &["error Slot.modifierExtension[0] [Extension-DeliveryChannel-1]"],
    );
    // The form that GP Connect uses is read too, as an extension that the profiles do not know.
    check(
        &slot(&format!(
            r#""extension":[{{"url":"https://fhir.nhs.uk/STU3/StructureDefinition/Extension-GPConnect-DeliveryChannel-2","valueCode":"Video"}}],{SLOT_ID}"#
        )),
        &["information Slot.extension[0]"],
    );
}

#[test]
fn extensions_made_of_extensions() {
    let communication = |parts: &str| {
        patient(&format!(
            r#""extension":[{{"url":"{EXTENSION}NHSCommunication-1","extension":[{parts}]}}]"#
        ))
    };
    let language = |code: &str| {
        format!(
            r#"{{"url":"language","valueCodeableConcept":{{"coding":[{{"system":"https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-HumanLanguage-1","code":"{code}"}}]}}}}"#
        )
    };
    let interpreter = r#"{"url":"interpreterRequired","valueBoolean":true}"#;
    check(
        &communication(&format!("{},{interpreter}", language("fr"))),
        &[],
    );
    check(
        &communication(interpreter),
        &["error Patient.extension[0].extension [Extension-NHSCommunication-1]"],
    );
    check(
        &communication(&language("klingon")),
        &[
            "error Patient.extension[0].extension[0].valueCodeableConcept [Extension-NHSCommunication-1]",
        ],
    );
    check(
        &communication(&format!(
            r#"{},{{"url":"interpreterRequired","valueCode":"yes"}}"#,
            language("fr")
        )),
        &["error Patient.extension[0].extension[1].valueCode [Extension-NHSCommunication-1]"],
    );
}

#[test]
fn extensions_of_primitives() {
    let birth = |extension: &str| {
        patient(&format!(
            r#""birthDate":"1984-06-21","_birthDate":{{"extension":[{{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthTime",{extension}}}]}}"#
        ))
    };
    check(
        &birth(r#""valueDateTime":"1984-06-21T04:30:00+01:00""#),
        &[],
    );
    check(
        &birth(r#""valueDate":"1984-06-21""#),
        &["error Patient.birthDate.extension[0].valueDate [patient-birthTime]"],
    );
}

/// Proves: RES-DOC-04
#[test]
fn bindings_and_codings_of_a_profile() {
    check(
        &patient(r#""gender":"woman""#),
        &["error Patient.gender [Patient-1]"],
    );
    check(
        &patient(r#""maritalStatus":{"text":"x"}"#),
        &[
            "error Patient.maritalStatus.coding [Patient-1]",
            "error Patient.maritalStatus [Patient-1]",
        ],
    );
    check(
        r#"{"resourceType":"DocumentReference","identifier":[{"value":"1"}],"status":"current","indexed":"2031-03-04T08:20:11Z",
            "type":{"coding":[{"system":"urn:oid:2.16.840.1.113883.2.1.3.2.4.18.17","version":"1"}]},"content":[{"attachment":{"contentType":"text/plain"}}]}"#,
        &[
            "error DocumentReference.identifier[0].system [DocumentReference-1]",
            "error DocumentReference.type.coding[0].version [DocumentReference-1]",
            "error DocumentReference.type.coding[0].code [DocumentReference-1]",
            "error DocumentReference.type.coding[0].display [DocumentReference-1]",
        ],
    );
}

/// Proves: RES-GEN-01
#[test]
fn profiles_apply_by_type_and_by_claim() {
    let json = slot(&format!(r#""meta":{{"profile":["{CARECONNECT}Slot-1"]}},"#));
    let expected = ["error Slot.identifier [Slot-1]"];
    check(&json, &expected);
    check(&slot(""), &expected);
    let base_only = Options::default();
    let claimed: Vec<String> = rules()
        .checker
        .check(&tree(&json), &base_only)
        .iter()
        .map(short)
        .collect();
    assert_eq!(claimed, expected);
    assert_eq!(rules().checker.check(&tree(&slot("")), &base_only), []);
    check(
        &slot(&format!(
            r#""meta":{{"profile":["{CARECONNECT}Patient-1"]}},{SLOT_ID}"#
        )),
        &["error Slot.meta.profile [Patient-1]"],
    );
}

/// A message in one of the forms that suppliers meet.
fn form(file: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fhir/tests/data/forms");
    std::fs::read_to_string(folder.join(file)).unwrap_or_else(|why| panic!("{file}: {why}"))
}

/// Proves: RES-APPT-12
#[test]
fn messages_in_published_forms_give_what_is_known_of_them() {
    let missing_status = &["error Appointment.participant[0].status"][..];
    for (file, expected) in [
        ("booking-request.json", missing_status),
        ("cancel-request.json", missing_status),
        ("slot-search-response.json", &[]),
        ("location.json", &[]),
        ("organization.json", &[]),
        ("practitioner.json", &[]),
        ("practitioner-role.json", &[]),
    ] {
        println!("{file}");
        check(&form(file), expected);
    }
}

#[test]
fn examples_of_the_catalogue_are_clean() {
    let page = include_str!("../../../../docs/standard/resources.md");
    let examples: Vec<&str> = page
        .split("```json")
        .skip(1)
        .filter_map(|b| b.split("```").next())
        .collect();
    assert!(examples.len() >= 4);
    for json in examples {
        let errors: Vec<Issue> = issues(json.trim())
            .into_iter()
            .filter(Issue::is_error)
            .collect();
        assert_eq!(errors, []);
    }
}
