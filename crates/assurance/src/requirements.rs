//! The rows of the SCAL as data: what assurance asks of a Provider (`P…`) and of a Consumer (`C…`), why it matters,
//! and which ids of the catalogue stand behind each (assurance chapter, sections 2 and 3). All of it stands in
//! `requirements/scal.toml`, which a person can read and correct without reading the program.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The name of a requirement: a row of the SCAL (`P1`, `C23`), an id of the catalogue (`PROV-SLOT-17`) or a rule of
/// the assurance chapter (`ASR-21`). Read from a file it is owned; in a suite it is a literal.
pub type Id = Cow<'static, str>;

/// Which side was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A Provider, by a simulated consumer.
    Provider,
    /// A Consumer, by a simulated provider.
    Consumer,
}

impl Kind {
    /// The word shown to a reader.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Provider => "Provider",
            Kind::Consumer => "Consumer",
        }
    }
}

/// How binding a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Has to be so.
    Must,
    /// Ought to be so.
    Should,
    /// Is allowed to be so.
    May,
}

impl Level {
    /// The word of the Standard.
    pub fn word(self) -> &'static str {
        match self {
            Level::Must => "MUST",
            Level::Should => "SHOULD",
            Level::May => "MAY",
        }
    }
}

/// One row of the SCAL.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The number as the SCAL prints it, or the TKW name of a check without a number.
    pub id: String,
    /// Every number that this row answers: `P11-P13` answers three.
    #[serde(default)]
    pub numbers: Vec<String>,
    /// Which side it binds.
    pub kind: Kind,
    /// How binding it is.
    pub level: Level,
    /// What is asked, one sentence.
    pub text: String,
    /// Why it matters to a patient or to those who look after one.
    pub why: String,
    /// Where to look, and what to change, when it fails.
    pub change: String,
    /// Ids of the catalogue that say the same in detail.
    #[serde(default)]
    pub catalogue: Vec<String>,
    /// Names of the checks of the published test kit; one that ends in `*` stands for all that begin so.
    #[serde(default)]
    pub checks: Vec<String>,
    /// What only the supplier can show: screens, logs, declarations.
    pub attach: Option<String>,
}

/// What `scal.toml` holds.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scal {
    /// Sentences that several rows have, by their names.
    sentences: BTreeMap<String, String>,
    row: Vec<Row>,
}

/// A test reads the same text, so that it is never empty.
static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| read().unwrap_or_default());

/// Reads the rows, with the shared sentences in the place of their names.
fn read() -> Result<Vec<Row>, toml::de::Error> {
    let Scal { sentences, mut row } = toml::from_str(include_str!("requirements/scal.toml"))?;
    for row in &mut row {
        for text in [&mut row.why, &mut row.change]
            .into_iter()
            .chain(&mut row.attach)
        {
            if let Some(sentence) = sentences.get(text) {
                text.clone_from(sentence);
            }
        }
    }
    Ok(row)
}

impl Row {
    /// True if this id is the row itself: its number, one of its numbers, or a check of the test kit.
    pub fn is(&self, id: &str) -> bool {
        let check = |name: &String| match name.strip_suffix('*') {
            Some(start) => id.starts_with(start),
            None => name == id,
        };
        self.id == id || self.numbers.iter().any(|n| n == id) || self.checks.iter().any(check)
    }
}

/// The rows of one side, in the order of the SCAL.
pub fn rows(kind: Kind) -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(move |row| row.kind == kind)
}

/// The row that an id names.
pub fn row(kind: Kind, id: &str) -> Option<&'static Row> {
    rows(kind).find(|row| row.is(id))
}

/// The rows that these ids are about. An id that names a row speaks for that row alone; only when none does are the
/// ids of the catalogue followed to the rows that they stand behind. Otherwise a finding about one row would blame
/// every row that shares a clause with it.
pub fn rows_of(kind: Kind, ids: &[Id]) -> Vec<&'static Row> {
    let named: Vec<_> = rows(kind)
        .filter(|row| ids.iter().any(|id| row.is(id)))
        .collect();
    if !named.is_empty() {
        return named;
    }
    rows(kind)
        .filter(|row| row.catalogue.iter().any(|c| ids.iter().any(|id| id == c)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_read_whole() {
        let rows = read().unwrap();
        assert_eq!(rows.len(), 71);
        assert!(
            rows.iter()
                .all(|row| row.why.contains(' ') && row.change.contains(' '))
        );
    }

    /// Every name that the test kit's validators and scripts give to a requirement of a Consumer's booking has its row.
    ///
    /// Proves: C47, C54, C63
    #[test]
    fn names_of_the_test_kit_have_a_row() {
        for (name, number) in [
            ("C-POST-INC-APP-RES", "C39"),
            (
                "C-POST-INC-APP-RES-NHS-NO-CONDT-PATIENT-RES-ONE-IDENT",
                "C54",
            ),
            (
                "C-POST-INC-APP-RES-NOT-NHS-NO-CONDT-PATIENT-RES-NOT-IDENT",
                "C55",
            ),
            ("C-PATIENT-RES-CONS-SYS-NHS-NO-INC-EXT", "C55"),
            ("C-PATIENT-RES-CONS-SYS-NHS-NO-ONE-IDENT-OFFICIAL", "C54"),
            ("C-PATIENT-RES-ONE-ADDRESS", "C62"),
            ("C-PATIENT-RES-ONE-ADDRESS-SET-HOME", "C63"),
            ("C-PATIENT-RES-HOME-ADDRESS-VALID-PCODE", "C64"),
            ("C-PATIENT-RES-CONT-POINT-SYS-PHONE-VALID-UK-NO", "C58"),
            ("C-PATIENT-RES-CONT-POINT-SYS-EMAIL-VALID", "C59"),
            ("C-PATIENT-RES-ONE-NAME", "C56"),
            ("C-PATIENT-RES-ONE-CONTD", "C50"),
            ("C-PATIENT-RES-ID-MATCH-ACT-RES-REF", "C51"),
            ("C-DOCREF-RES-CONTENT-ATTACH-VALUES", "C71"),
            ("C-DOCREF-RES-INDEX-VALUE-CUR-TIME", "C70"),
            ("C-APP-RESS-SLOT-REF-CONTD-RES", "C44"),
            ("C-APP-RES-STAT-BOOKED", "C-APP-RES-STAT-BOOKED"),
            ("C-ENCOD-URLS", "C19"),
            ("C-INC-BEGIN-STAR-SEAR-CRIT", "C29"),
            ("C-ADD-SSP-APP-TRACE-ID-HEAD", "C25"),
        ] {
            let found: Vec<_> = rows(Kind::Consumer).filter(|row| row.is(name)).collect();
            assert_eq!(found.len(), 1, "{name}");
            assert!(found[0].is(number), "{name}: {}", found[0].id);
        }
    }
}
