//! The report, the SCAL table and JUnit: right, well-formed and harmless, whatever a server sent.

use super::evidence_fixture::{exchange, headers};
use assurance::evidence::{
    Body, Finding, Folder, Kind, Mark, Outcome, Run, Verdict, csv, junit, read, standings,
    write_scal,
};
use assurance::requirements::{row, rows, rows_of};
use roxmltree::{Document, ParsingOptions};
use std::collections::BTreeSet;
use std::fs;

const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;]]>\u{0}\u{1b}[31m\u{202e}--%><!--";

fn run() -> Run {
    let mut message = exchange("POST", &format!("https://p.test/{HOSTILE}"), HOSTILE, 500);
    message.response_headers = headers(&[("X-Hostile", HOSTILE), (HOSTILE, "x")]);
    message.response_body = Body::new(format!("{{\"a\":{}}}", serde_json::json!(HOSTILE)));
    message.purpose = HOSTILE.into();
    message.broken = Some(HOSTILE.into());
    let finding = Finding::error(&["P26"], HOSTILE)
        .at(HOSTILE)
        .right(HOSTILE)
        .in_exchange(0);
    let mut run = Run::started(Kind::Provider, format!("javascript:{HOSTILE}"));
    run.outcomes = vec![
        Outcome::tried(
            "BOOK",
            HOSTILE,
            &["P26", "P1"],
            vec![finding],
            vec![message],
        ),
        Outcome::tried(
            "META",
            "Asks for the capabilities",
            &["P8"],
            vec![],
            vec![exchange("GET", "https://p.test/metadata", "", 200)],
        ),
        Outcome {
            verdict: Verdict::Skipped(HOSTILE.into()),
            ..Outcome::tried("SKIP", "s", &["P10"], vec![], vec![])
        },
        Outcome {
            verdict: Verdict::Declared(HOSTILE.into()),
            ..Outcome::tried("DECL", "d", &["P14"], vec![], vec![])
        },
    ];
    run
}

fn page(runs: Vec<Run>) -> (tempfile::TempDir, String) {
    let place = tempfile::tempdir().unwrap();
    let written = Folder::create(place.path()).unwrap().finish(runs).unwrap();
    let html = fs::read_to_string(written.report).unwrap();
    (place, html)
}

fn parse(html: &str) -> Document<'_> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    #[expect(clippy::disallowed_methods)] // A page of ours, which has a DOCTYPE.
    let read = Document::parse_with_options(html, options);
    read.unwrap_or_else(|e| panic!("{e}\n{html}"))
}

#[test]
fn hostile_content_stays_text() {
    let (_place, html) = page(vec![run()]);
    let document = parse(&html);
    let of = |name: &str| {
        document
            .descendants()
            .filter(|n| n.has_tag_name(name))
            .count()
    };
    assert_eq!(
        (of("script"), of("img"), of("iframe"), of("form")),
        (1, 0, 0, 0)
    );
    assert!(
        document
            .descendants()
            .flat_map(|n| n.attributes())
            .all(|a| !a.name().starts_with("on"))
    );
    let links = document.descendants().filter_map(|n| n.attribute("href"));
    for link in links {
        assert!(
            link.starts_with('#') || link.starts_with("messages/"),
            "{link}"
        );
    }
    assert!(html.contains("[U+202E]") && !html.contains('\u{202e}') && !html.contains('\u{1b}'));
}

#[test]
fn every_link_leads_somewhere_and_ids_are_unique() {
    let (place, html) = page(vec![run()]);
    let document = parse(&html);
    let ids: Vec<&str> = document
        .descendants()
        .filter_map(|n| n.attribute("id"))
        .collect();
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), unique.len());
    for link in document.descendants().filter_map(|n| n.attribute("href")) {
        match link.strip_prefix('#') {
            Some(anchor) => assert!(unique.contains(anchor), "{link}"),
            None => assert!(place.path().join(link).is_file(), "{link}"),
        }
    }
    for label in document
        .descendants()
        .filter_map(|n| n.attribute("aria-labelledby"))
    {
        assert!(unique.contains(label), "{label}");
    }
}

/// NFR-07: what a screen reader and a telephone need is there.
#[test]
fn the_page_has_the_structure_that_assistive_tools_need() {
    let (_place, html) = page(vec![run()]);
    let document = parse(&html);
    let all = |name: &'static str| document.descendants().filter(move |n| n.has_tag_name(name));
    assert_eq!(document.root_element().attribute("lang"), Some("en-GB"));
    assert_eq!(
        (all("h1").count(), all("main").count(), all("title").count()),
        (1, 1, 1)
    );
    assert!(all("meta").any(|m| m.attribute("name") == Some("viewport")));
    for table in all("table") {
        assert!(table.children().any(|n| n.has_tag_name("caption")));
    }
    assert!(all("th").all(|th| matches!(th.attribute("scope"), Some("col" | "row"))));
    let mut level = 1;
    for heading in document
        .descendants()
        .filter(|n| matches!(n.tag_name().name(), "h1" | "h2" | "h3"))
    {
        let next: usize = heading.tag_name().name()[1..].parse().unwrap();
        assert!(next <= level + 1, "no heading level is left out");
        level = next;
    }
    // Without a script the filter stays away, and no row is hidden.
    let filter = all("fieldset").next().unwrap();
    assert!(filter.has_attribute("hidden"));
    assert!(all("tr").all(|row| !row.has_attribute("hidden")));
}

#[test]
fn a_row_stands_as_its_tests_say() {
    let runs = vec![run()];
    let all = standings(&runs);
    let mark = |id: &str| all.iter().find(|s| s.row.is(id)).unwrap().mark;
    assert_eq!(mark("P26"), Mark::Failed);
    assert_eq!(mark("P8"), Mark::Passed);
    assert_eq!(mark("P14"), Mark::Declared);
    // Only the supplier can show it.
    assert_eq!(mark("P38"), Mark::Declared);
    assert_eq!(mark("P3"), Mark::Untried);
    // The failed test also tries P1, but what it found is about P26: P1 is neither shown nor broken.
    assert_eq!(mark("P1"), Mark::Untried);
    assert!(all.iter().all(|s| s.row.kind == Kind::Provider));
}

#[test]
fn a_failure_that_names_no_row_breaks_all_that_it_tried() {
    let mut run = run();
    run.outcomes[0].findings[0].requirement = vec!["NFR-01".into()];
    let runs = vec![run];
    let all = standings(&runs);
    for id in ["P1", "P26"] {
        let standing = all.iter().find(|s| s.row.is(id)).unwrap();
        assert_eq!(standing.mark, Mark::Failed, "{id}");
        assert_eq!(standing.findings().count(), 1);
    }
}

#[test]
fn ids_lead_to_rows() {
    assert_eq!(row(Kind::Provider, "P12").unwrap().id, "P11-P13");
    assert_eq!(
        row(Kind::Provider, "P-BOOK-APP-SLOT-NOT-FREE-CODE")
            .unwrap()
            .id,
        "P29"
    );
    assert_eq!(
        row(Kind::Consumer, "C-ADD-SSP-TRACE-ID-HEAD").unwrap().id,
        "C25"
    );
    let ids = |ids: &[&'static str]| {
        let ids: Vec<_> = ids.iter().map(|id| (*id).into()).collect();
        rows_of(Kind::Provider, &ids)
            .iter()
            .map(|row| row.id.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&["ERR-15"]), ["P29"]);
    assert_eq!(ids(&["PROV-BOOK-03"]), ["P24", "P29"]);
    // A number beside it says which of the two is meant.
    assert_eq!(ids(&["PROV-BOOK-03", "P29"]), ["P29"]);
    assert!(ids(&["C23"]).is_empty());
}

/// ASR-03: the table holds every check of the catalogue, each once, each explained.
#[test]
fn every_check_of_the_catalogue_has_a_row() {
    let mut seen = BTreeSet::new();
    for kind in [Kind::Provider, Kind::Consumer] {
        for row in rows(kind) {
            assert!(seen.insert(&row.id), "{} twice", row.id);
            assert!(
                !row.text.is_empty() && !row.why.is_empty() && !row.change.is_empty(),
                "{}",
                row.id
            );
        }
    }
    let wanted = |side: char, numbers: &[u32]| {
        numbers
            .iter()
            .map(|n| format!("{side}{n}"))
            .collect::<Vec<_>>()
    };
    let provider = [
        1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 29, 31,
        35, 36, 37, 38, 39, 40, 41, 42,
    ];
    for id in wanted('P', &provider) {
        assert!(row(Kind::Provider, &id).is_some(), "{id}");
    }
    let consumer: Vec<u32> = (1..=34)
        .filter(|n| ![5, 15].contains(n))
        .chain([39, 41])
        .chain(43..=71)
        .collect();
    for id in wanted('C', &consumer) {
        assert!(row(Kind::Consumer, &id).is_some(), "{id}");
    }
}

#[test]
fn junit_counts_and_holds_every_test() {
    let runs = vec![run()];
    let xml = junit(&runs);
    let document =
        booking::bounded_xml::parse(&xml, booking::bounded_xml::Bounds::nodes(100_000)).unwrap();
    let root = document.root_element();
    let number = |name: &str| root.attribute(name).unwrap().to_owned();
    assert_eq!(
        ["tests", "failures", "errors", "skipped"].map(number),
        ["4", "1", "0", "2"]
    );
    let of = |name: &str| {
        document
            .descendants()
            .filter(|n| n.has_tag_name(name))
            .count()
    };
    assert_eq!((of("testcase"), of("failure"), of("skipped")), (4, 1, 2));
    let suite = document
        .descendants()
        .find(|n| n.has_tag_name("testsuite"))
        .unwrap();
    assert_eq!(suite.attribute("failures"), Some("1"));
}

#[test]
fn the_table_to_attach_is_safe_in_a_spreadsheet_and_in_a_browser() {
    let mut bad = run();
    bad.outcomes[0].findings[0].what = "=HYPERLINK(\"http://x\",\"y\")\nsecond line".into();
    let runs = vec![bad];
    let text = csv(&runs);
    assert!(text.starts_with('\u{feff}'));
    assert!(
        text.contains("\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")"),
        "{text}"
    );
    assert!(text.contains("\"P26\",\"MUST\",\"Failed\""));

    let (place, _html) = page(runs);
    let record = read(place.path()).unwrap();
    let [csv_file, page_file] = write_scal(&record, &place.path().join("table.csv")).unwrap();
    assert_eq!(fs::read_to_string(csv_file).unwrap(), text);
    parse(&fs::read_to_string(page_file).unwrap());
}

#[test]
fn a_run_without_tests_and_a_very_long_one_still_make_a_report() {
    let mut empty = run();
    empty.outcomes.clear();
    let (_place, html) = page(vec![empty]);
    parse(&html);
    assert!(html.contains("No test was run."));

    let mut long = run();
    let body = "x".repeat(20_000);
    let many = (0..2_000)
        .map(|_| exchange("GET", "https://p.test/Slot", &body, 200))
        .collect();
    long.outcomes
        .push(Outcome::tried("MANY", "Many", &["P8"], vec![], many));
    let (_place, html) = page(vec![long]);
    assert!(html.len() < 8 * 1024 * 1024, "{} bytes", html.len());
    parse(&html);
}
