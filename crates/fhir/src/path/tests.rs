//! Tests of expressions against small trees.

use super::*;

fn patient() -> Element {
    Element::resource("Patient")
        .with(Element::text("id", "p"))
        .with(
            Element::resource("Organization")
                .named("contained")
                .with(Element::text("id", "o")),
        )
        .with(Element::boolean("active", true))
        .with(
            Element::new("name")
                .with(Element::text("family", "Testwell"))
                .with(Element::text("given", "Ada").in_list())
                .with(Element::text("given", "May").in_list()),
        )
        .with(Element::text("birthDate", "1984-06-21"))
        .with(Element::number("multipleBirthInteger", "2"))
        .with(Element::new("managingOrganization").with(Element::text("reference", "#o")))
        .with(
            Element::new("period")
                .with(Element::text("start", "2031-03-04T09:30:00+00:00"))
                .with(Element::text("end", "2031-03-04")),
        )
}

fn holds(expression: &str) -> Option<bool> {
    let patient = patient();
    let scope = Scope {
        resource: &patient,
        container: &patient,
    };
    Expression::parse(expression)
        .unwrap()
        .holds(&patient, scope)
        .unwrap()
}

#[test]
fn paths_choices_and_counts() {
    for yes in [
        "name.given.count() = 2",
        "Patient.name.exists()",
        "multipleBirth.exists()",
        "multipleBirth is integer",
        "multipleBirth.is(boolean).not()",
        "multipleBirth > 1 and multipleBirth <= 2",
        "name.given[1] = 'May'",
        "name.given.first() = 'Ada' and name.given.last() = 'May'",
        "name.where(family = 'Testwell').exists()",
        "name.all(given.exists())",
        "name.exists(family.startsWith('Test'))",
        "deceased.empty()",
        "active",
        "managingOrganization.resolve() is Organization",
        "'#' + contained.id in %resource.descendants().reference",
        "managingOrganization.reference.substring(1).trace('url') in %resource.contained.id.trace('ids')",
        "name.given.select($this & 'x').isDistinct()",
        "(name.given | name.given).count() = 2",
        "children().count() > id.count()",
        "id.hasValue() and name.hasValue().not()",
        "name.family.length() = 8 and name.family.contains('well')",
        "active = true implies id.exists()",
        "iif(active, 'a', 'b') = 'a'",
        "-1 < 0 and 2 * 3 = 6 and 5 - 2 - 1 = 2",
        "('C' | 'CM') contains 'CM'",
        "name.family ~ 'testwell'",
    ] {
        assert_eq!(holds(yes), Some(true), "{yes}");
    }
}

#[test]
fn three_values() {
    assert_eq!(holds("{} and true"), None);
    assert_eq!(holds("{} and false"), Some(false));
    assert_eq!(holds("{} or true"), Some(true));
    assert_eq!(holds("{} or false"), None);
    assert_eq!(holds("{} xor true"), None);
    assert_eq!(holds("{} implies true"), Some(true));
    assert_eq!(holds("false implies {}"), Some(true));
    assert_eq!(holds("true implies {}"), None);
    assert_eq!(holds("true xor false"), Some(true));
    assert_eq!(holds("deceased = true"), None);
    assert_eq!(holds("deceased in ('a' | 'b')"), None);
    assert_eq!(holds("id in {}"), Some(false));
}

#[test]
fn dates_are_compared_as_spans() {
    assert_eq!(holds("birthDate < '1985'"), Some(true));
    assert_eq!(holds("birthDate <= '1984'"), None);
    assert_eq!(holds("period.start <= period.end"), None);
    assert_eq!(
        holds("period.start <= '2031-03-04T10:30:00+01:00'"),
        Some(true)
    );
    assert_eq!(
        holds("period.start < '2031-03-04T10:30:00.000+01:00'"),
        Some(false)
    );
    assert_eq!(holds("period.start > '2031-03-03T09:29:59Z'"), Some(true));
}

#[test]
fn a_choice_is_not_a_longer_name() {
    let repeat = Element::new("repeat").with(Element::text("periodUnit", "h"));
    let scope = Scope {
        resource: &repeat,
        container: &repeat,
    };
    let holds = |text: &str| {
        Expression::parse(text)
            .unwrap()
            .holds(&repeat, scope)
            .unwrap()
    };
    assert_eq!(holds("period.empty()"), Some(true));
    assert_eq!(holds("periodUnit.exists()"), Some(true));
}

#[test]
fn what_is_not_known_is_refused_when_parsing() {
    for bad in [
        "",
        "a.",
        "a(",
        "f()",
        "a.matches('x')",
        "%other",
        "'x",
        "a b",
        "a = ",
        "(a",
        "where()",
        "$that",
        "a @",
    ] {
        assert!(Expression::parse(bad).is_err(), "{bad}");
    }
    let deep = "(".repeat(200) + "a" + &")".repeat(200);
    assert!(Expression::parse(&deep).is_err());
}

#[test]
fn several_where_one_is_needed_is_an_error_not_a_pass() {
    let patient = patient();
    let scope = Scope {
        resource: &patient,
        container: &patient,
    };
    for several in [
        "name.given.startsWith('A')",
        "name.given + 'x' = 'Adax'",
        "name.given < 'B'",
        "name.given in ('Ada' | 'May')",
        "name.given and true",
    ] {
        let expression = Expression::parse(several).unwrap();
        assert!(expression.holds(&patient, scope).is_err(), "{several}");
    }
}
