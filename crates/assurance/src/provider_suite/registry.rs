//! The tests. What each is called, what it tries and for which requirements stands in `tests.toml`, which a person can read and
//! correct without reading the program; how it is done stands in the [`Table`] of a file of its part.

use crate::rows::rows;
use serde::Deserialize;
use std::sync::LazyLock;

use super::trial::{Step, Trial};
use super::{
    book, book_refused, book_stored, cancel, capability, contact, headers, hostile, order, races,
    read, search, search_refused, spelling, tokens, versions,
};

const TEXT: &str = include_str!("tests.toml");

/// A test reads the same text, so that it is never empty.
static TESTS: LazyLock<Vec<Test>> = LazyLock::new(|| all(TEXT).unwrap_or_default());

/// How the tests of one file are done, by their names.
pub(super) type Table = &'static [(&'static str, Run)];

/// How one test is done.
pub(super) type Run = fn(&mut Trial<'_, '_>) -> Step;

const TABLES: [Table; 16] = [
    capability::TESTS,
    search::TESTS,
    spelling::TESTS,
    search_refused::TESTS,
    book::TESTS,
    book_stored::TESTS,
    contact::TESTS,
    book_refused::TESTS,
    read::TESTS,
    cancel::TESTS,
    tokens::TESTS,
    headers::TESTS,
    order::TESTS,
    races::TESTS,
    versions::TESTS,
    hostile::TESTS,
];

/// One test.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Test {
    /// Its name: that of the published test where there is one.
    #[serde(rename = "name")]
    pub id: &'static str,
    /// What it tries, in plain words.
    #[serde(rename = "tries")]
    pub title: &'static str,
    /// The requirements that it tries: rows of the SCAL and ids of the catalogue.
    #[serde(borrow)]
    pub requirements: Vec<&'static str>,
    part: Group,
    /// It asks for what the superseded version does not demand.
    #[serde(default)]
    pub(super) current_version_only: bool,
    /// Why it is not done, if it is not.
    #[serde(borrow)]
    pub(super) not_tried: Option<&'static str>,
    #[serde(skip)]
    pub(super) run: Option<Run>,
}

/// Reads the tests, each with the function that does it.
fn all(text: &'static str) -> Result<Vec<Test>, toml::de::Error> {
    let mut tests: Vec<Test> = rows(text, "test")?;
    for test in &mut tests {
        let mut functions = TABLES.into_iter().flatten();
        test.run = functions
            .find(|(name, _)| *name == test.id)
            .map(|(_, run)| *run);
    }
    Ok(tests)
}

/// A part of the suite, named by a letter. A the CapabilityStatement and the formats, S slot searches, B bookings, C reading and
/// cancelling: these are the parts of the published tests. T tokens, claim by claim; H headers, methods, paths, the order of
/// checks; R races; V what the superseded version lets a consumer leave out; X hostile input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Group(char);

impl Group {
    /// What the superseded version lets a consumer leave out.
    pub(super) const VERSIONS: Group = Group('V');
    /// All of them, in the order they run: what is hostile comes last.
    const LETTERS: [char; 9] = ['A', 'S', 'B', 'C', 'T', 'H', 'R', 'V', 'X'];

    /// All of them, in the order they run.
    pub fn all() -> impl Iterator<Item = Group> {
        Group::LETTERS.into_iter().map(Group)
    }

    /// The letter on the command line.
    pub fn letter(self) -> char {
        self.0
    }

    /// The group of a letter, in either case.
    pub fn of(letter: char) -> Option<Group> {
        Group::all().find(|group| group.0 == letter.to_ascii_uppercase())
    }

    /// Its tests.
    pub fn tests(self) -> impl Iterator<Item = &'static Test> {
        TESTS.iter().filter(move |t| t.part == self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Every test has a name of its own, a part, requirements, and a function or the reason why not; no function is without a
    /// test.
    #[test]
    fn every_test_is_whole() {
        let all = all(TEXT).unwrap();
        let names: HashSet<&str> = all.iter().map(|t| t.id).collect();
        assert_eq!(names.len(), all.len());
        for test in &all {
            assert!(!test.requirements.is_empty() && !test.title.is_empty());
            assert_eq!(Group::of(test.part.0), Some(test.part), "{}", test.id);
            assert_ne!(test.run.is_some(), test.not_tried.is_some(), "{}", test.id);
        }
        let mut rows = TABLES.into_iter().flatten();
        assert!(rows.all(|(name, _)| names.contains(name)));
    }
}
