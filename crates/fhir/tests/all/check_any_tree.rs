//! Whatever tree is handed in, checking ends, panics nowhere and says nothing twice at the nesting bound.

use fhir::check::MAX_ISSUES;
use fhir::schema::Schema;
use fhir::{Checker, Element, Options, Value};
use proptest::prelude::*;

const NAMES: &[&str] = &[
    "id",
    "extension",
    "modifierExtension",
    "contained",
    "value",
    "valueCode",
    "valuePeriod",
    "reference",
    "entry",
    "resource",
    "fullUrl",
    "meta",
    "profile",
    "url",
    "name",
    "period",
    "start",
    "end",
    "text",
    "div",
    "status",
    "participant",
    "actor",
    "subject",
    "code",
    "coding",
    "system",
    "type",
    "other",
];

const RESOURCES: &[&str] = &[
    "Appointment",
    "Patient",
    "Bundle",
    "Slot",
    "Parameters",
    "Organization",
    "Basic",
    "",
];

const TEXTS: &[&str] = &[
    "",
    "#",
    "#a",
    "a",
    "Patient/a",
    "2031-02-30",
    "2031-03-04T09:30:00Z",
    "http://x.example/a",
    "<div>a</div>",
    "-1",
    "é\u{0}",
];

fn tree() -> impl Strategy<Value = Element> {
    let name = || proptest::sample::select(NAMES);
    let value = prop_oneof![
        proptest::sample::select(TEXTS).prop_map(|t| Some(Value::String(t.into()))),
        proptest::sample::select(TEXTS).prop_map(|t| Some(Value::Number(t.into()))),
        any::<bool>().prop_map(|b| Some(Value::Boolean(b))),
        Just(None),
    ];
    let leaf = (name(), value).prop_map(|(name, value)| {
        let mut element = Element::new(name);
        element.set_value(value);
        element
    });
    leaf.prop_recursive(6, 60, 6, move |inner| {
        let of = proptest::option::weighted(0.3, proptest::sample::select(RESOURCES));
        (name(), of, proptest::collection::vec(inner, 0..6)).prop_map(|(name, of, children)| {
            let mut element = Element::new(name);
            if let Some(of) = of {
                element = element.with_resource_type(of);
            }
            children.into_iter().for_each(|c| element.push(c));
            element
        })
    })
}

proptest! {
    #[test]
    fn any_tree_can_be_checked(of in proptest::sample::select(RESOURCES), children in proptest::collection::vec(tree(), 0..8)) {
        let mut root = Element::resource(of);
        children.into_iter().for_each(|c| root.push(c));
        let checker = Checker::new(Schema::stu3(), &[]);
        let found = checker.check(&root, &Options::default());
        prop_assert!(found.len() <= MAX_ISSUES);
        prop_assert!(found.iter().all(|i| i.expression.starts_with(of)));
    }
}

/// Large messages take time in proportion to their size: no list is compared with itself.
#[test]
fn large_messages_are_checked_in_proportion() {
    const MANY: usize = 20_000;
    let mut plain = Element::resource("Appointment");
    let mut patient = Element::resource("Appointment");
    for i in 0..MANY {
        let id = format!("a{i}");
        patient.push(
            Element::resource("Organization")
                .named("contained")
                .with(Element::text("id", &id))
                .with(Element::text("name", "x")),
        );
        let reference = |to: String| Element::text("reference", to);
        patient.push(
            Element::new("supportingInformation")
                .with(Element::text("id", &id))
                .with(reference(format!("#{id}"))),
        );
        // The same size without anything to compare.
        for _ in 0..2 {
            let other = reference(format!("DocumentReference/{id}"));
            plain.push(Element::new("supportingInformation").with(other));
        }
    }
    let checker = Checker::new(Schema::stu3(), &[]);
    let check = |tree: &Element| checker.check(tree, &Options::default());
    let mut found = Vec::new();
    let usual = || drop(check(&plain));
    testkit::in_proportion("contained resources", usual, || found = check(&patient));
    assert!(
        found
            .iter()
            .all(|i| i.expression != "Appointment.contained"),
        "{found:?}"
    );
}
