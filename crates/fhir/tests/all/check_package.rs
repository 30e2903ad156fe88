//! Profile rules that the published packages do not use, with a package made for the test.

use fhir::schema::Schema;
use fhir::{Checker, Element, Issue, Options, Package};

const TABLE: &str = "\
P\thttp://x.example/Patient\tPatient\n\
D\ttelecom\tclosed\tsystem\n\
E\ttelecom:phone\t0\t1\n\
E\ttelecom:phone.system\t1\t\tphone\n\
E\tdeceased[x]\t\t\t\tboolean\n\
E\tgender\t\t\tother\n\
I\t\tpro-1\twarning\tactive.exists()\n\
I\tname\tpro-2\terror\tfamily.exists() or text.exists()\n\
I\tname\tpro-3\terror\tfamily.unheardOf()\n\
E\tgeneralPractitioner\t\t\t\t\t\tPractitioner\n\
E\tbirthDate.extension:note\t1\t1\t\t\thttp://x.example/note\n\
P\thttp://x.example/note\tExtension\tPatient.birthDate\n\
E\turl\t\t\thttp://x.example/note\n\
E\tvalue[x]\t1\t\t\tstring\n\
P\thttp://x.example/stop\tExtension\tPatient\tm\n\
E\tvalue[x]\t1\t\t\tboolean\n";

fn check(root: &Element) -> Vec<Issue> {
    let packages = [Package::parse(TABLE).unwrap_or_else(|e| panic!("{e}"))];
    Checker::new(Schema::stu3(), &packages).check(root, &Options::all_of(&packages))
}

fn said(root: &Element) -> Vec<String> {
    check(root)
        .iter()
        .map(|i| format!("{} {}", i.severity.code(), i.expression))
        .collect()
}

fn patient() -> Element {
    Element::resource("Patient").with(Element::boolean("active", true))
}

fn telecom(system: &str) -> Element {
    Element::new("telecom")
        .with(Element::text("system", system))
        .in_list()
}

#[test]
fn closed_slicing() {
    assert_eq!(said(&patient().with(telecom("phone"))), [""; 0]);
    let root = patient()
        .with(telecom("phone"))
        .with(telecom("email"))
        .with(telecom("phone"));
    assert_eq!(
        said(&root),
        ["error Patient.telecom[1]", "error Patient.telecom"]
    );
}

#[test]
fn types_fixed_values_and_targets() {
    let root = patient()
        .with(Element::text("gender", "male"))
        .with(Element::text("deceasedDateTime", "2031"))
        .with(
            Element::new("generalPractitioner").with(Element::text("reference", "Organization/a")),
        );
    assert_eq!(
        said(&root),
        [
            "error Patient.gender",
            "error Patient.deceasedDateTime",
            "error Patient.generalPractitioner[0].reference"
        ]
    );
    assert!(check(&root)[0].message.ends_with("right would be `other`"));
}

#[test]
fn invariants_of_a_profile() {
    let root =
        Element::resource("Patient").with(Element::new("name").with(Element::text("given", "Ada")));
    let found = check(&root);
    assert_eq!(
        said(&root),
        [
            "error Patient.name[0]",
            "warning Patient.name[0]",
            "warning Patient"
        ]
    );
    assert!(
        found[1].message.contains("pro-3") && found[1].message.contains("could not be checked")
    );
    assert_eq!(found[2].rule, "pro-1");
    let packages = [Package::parse(TABLE).unwrap()];
    let checker = Checker::new(Schema::stu3(), &packages);
    assert_eq!(
        checker.faults().iter().map(|f| f.key).collect::<Vec<_>>(),
        ["pro-3"]
    );
}

#[test]
fn extensions_required_on_primitives_and_modifiers() {
    let birth = || Element::text("birthDate", "1984");
    assert_eq!(
        said(&patient().with(birth())),
        ["error Patient.birthDate.extension"]
    );
    let note = Element::new("extension")
        .with(Element::text("url", "http://x.example/note"))
        .with(Element::text("valueString", "a"));
    assert_eq!(said(&patient().with(birth().with(note))), [""; 0]);
    let stop = |name: &str| {
        Element::new(name)
            .with(Element::text("url", "http://x.example/stop"))
            .with(Element::boolean("valueBoolean", true))
    };
    assert_eq!(said(&patient().with(stop("modifierExtension"))), [""; 0]);
    assert_eq!(
        said(&patient().with(stop("extension"))),
        ["error Patient.extension[0]"]
    );
}
