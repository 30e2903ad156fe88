//! Every invariant of the base table can be read and evaluated; every required binding can be checked.

use fhir::path::{Expression, Scope};
use fhir::schema::{Schema, Strength};
use fhir::{Checker, Element};

#[test]
fn every_invariant_can_be_read() {
    let checker = Checker::new(Schema::stu3(), &[]);
    assert!(checker.faults().is_empty(), "{:#?}", checker.faults());
    let schema = Schema::stu3();
    let of_elements = schema
        .types()
        .iter()
        .flat_map(|t| &t.elements)
        .flat_map(|e| &e.invariants);
    let all: Vec<_> = schema
        .types()
        .iter()
        .flat_map(|t| &t.invariants)
        .chain(of_elements)
        .collect();
    assert!(all.len() > 40, "{}", all.len());
    for rule in all {
        let parsed = Expression::parse(rule.expression);
        assert!(
            parsed.is_ok(),
            "{}: {} {parsed:?}",
            rule.key,
            rule.expression
        );
    }
}

/// On an element where every child that the expression names stands twice, no expression may fail to evaluate for
/// another reason than "one is needed"; on an empty one none may fail at all.
#[test]
fn every_invariant_can_be_evaluated() {
    let schema = Schema::stu3();
    for of in schema.types() {
        let mut full = Element::new("x");
        for element in &of.elements {
            full.push(Element::text(element.name, "a"));
        }
        let empty = Element::new("x");
        for rule in &of.invariants {
            let expression = Expression::parse(rule.expression).unwrap();
            for focus in [&empty, &full] {
                let outcome = expression.holds(
                    focus,
                    Scope {
                        resource: focus,
                        container: focus,
                    },
                );
                let several = outcome
                    .as_ref()
                    .is_err_and(|e| e.to_string().contains("several"));
                assert!(outcome.is_ok() || several, "{}: {outcome:?}", rule.key);
            }
        }
    }
}

/// Required sets that cannot be listed, with the reason.
const NOT_LISTED: &[(&str, &str)] = &[(
    "http://www.rfc-editor.org/bcp/bcp13.txt",
    "all media types, an open register",
)];

#[test]
fn required_bindings_can_be_checked() {
    let schema = Schema::stu3();
    for of in schema.types() {
        for element in &of.elements {
            let Some(binding) = element.binding.filter(|b| b.strength == Strength::Required) else {
                continue;
            };
            let listed = schema
                .value_set(binding.value_set)
                .is_some_and(|set| set.listed);
            let excused = NOT_LISTED.iter().any(|(url, _)| *url == binding.value_set);
            assert!(
                listed || excused,
                "{}.{}: {}",
                of.name,
                element.name,
                binding.value_set
            );
        }
    }
}
