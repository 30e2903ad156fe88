//! The table of tests: what each is called, what it tries, and how.

use super::trial::{Ids, Step, Trial};
use super::{
    book, book_refused, book_stored, cancel, capability, contact, headers, hostile, order, races,
    read, search, search_refused, spelling, tokens, versions,
};

/// One test.
pub struct Test {
    /// Its name: that of the published test where there is one.
    pub id: &'static str,
    /// What it tries, in plain words.
    pub title: &'static str,
    /// The requirements that it tries: rows of the SCAL and ids of the catalogue.
    pub requirements: Ids,
    pub(super) how: How,
}

/// How a test is done.
#[derive(Clone, Copy)]
pub(super) enum How {
    /// By this function.
    Run(fn(&mut Trial<'_, '_>) -> Step),
    /// Not at all, for this reason.
    Skip(&'static str),
}

impl Test {
    /// A test that this function does.
    pub(super) const fn new(id: &'static str, run: fn(&mut Trial<'_, '_>) -> Step) -> Test {
        Test {
            id,
            title: "",
            requirements: &[],
            how: How::Run(run),
        }
    }

    /// A test that is not done.
    pub(super) const fn skipped(id: &'static str, why: &'static str) -> Test {
        Test {
            id,
            title: "",
            requirements: &["ASR-11", "D-40"],
            how: How::Skip(why),
        }
    }

    /// What it tries, in plain words.
    pub(super) const fn tries(self, title: &'static str) -> Test {
        Test { title, ..self }
    }

    /// The requirements behind it.
    pub(super) const fn of(self, requirements: Ids) -> Test {
        Test {
            requirements,
            ..self
        }
    }
}

/// A part of the suite, named by a letter. A, S, B and C are the parts of the published tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// A: the CapabilityStatement and the formats.
    Capability,
    /// S: slot searches.
    Search,
    /// B: bookings.
    Book,
    /// C: reading and cancelling.
    Cancel,
    /// T: tokens, claim by claim.
    Tokens,
    /// H: headers, methods, paths, the order of checks.
    Headers,
    /// R: races.
    Races,
    /// V: what the superseded version lets a consumer leave out.
    Versions,
    /// X: hostile input.
    Hostile,
}

impl Group {
    /// All of them, in the order they run: what is hostile comes last.
    pub const ALL: [Group; 9] = [
        Group::Capability,
        Group::Search,
        Group::Book,
        Group::Cancel,
        Group::Tokens,
        Group::Headers,
        Group::Races,
        Group::Versions,
        Group::Hostile,
    ];

    /// The letter on the command line.
    pub fn letter(self) -> char {
        match self {
            Group::Capability => 'A',
            Group::Search => 'S',
            Group::Book => 'B',
            Group::Cancel => 'C',
            Group::Tokens => 'T',
            Group::Headers => 'H',
            Group::Races => 'R',
            Group::Versions => 'V',
            Group::Hostile => 'X',
        }
    }

    /// The group of a letter, in either case.
    pub fn of(letter: char) -> Option<Group> {
        let letter = letter.to_ascii_uppercase();
        Group::ALL.into_iter().find(|g| g.letter() == letter)
    }

    /// Its tests.
    pub fn tests(self) -> impl Iterator<Item = &'static Test> {
        let tables: Vec<&'static [Test]> = match self {
            Group::Capability => vec![capability::TESTS],
            Group::Search => vec![search::TESTS, spelling::TESTS, search_refused::TESTS],
            Group::Book => vec![
                book::TESTS,
                book_stored::TESTS,
                contact::TESTS,
                book_refused::TESTS,
                BOOK_NOT_TRIED,
            ],
            Group::Cancel => vec![read::TESTS, cancel::TESTS, CANCEL_NOT_TRIED],
            Group::Tokens => vec![tokens::TESTS],
            Group::Headers => vec![headers::TESTS, order::TESTS],
            Group::Races => vec![races::TESTS],
            Group::Versions => vec![versions::TESTS],
            Group::Hostile => vec![hostile::TESTS],
        };
        tables.into_iter().flatten()
    }
}

const SENTINEL: &str = "The request of the published test is an ordinary one; only a simulator that knows the test's own \
    slots gives this answer. Declare it as not applicable in the SCAL.";
const ALTERED: &str = "The request of the published test is valid, so that a real system books it; it passes only if the \
    tester alters the message by hand. Invalid messages are tried by the tests whose names begin with BookRefused.";

static BOOK_NOT_TRIED: &[Test] = &[
    Test::skipped("BookAppointment_FailedValidation", ALTERED)
        .tries("A booking that fails validation"),
    Test::skipped("BookAppointment_ServerError", SENTINEL)
        .tries("A booking that the server fails on (500)"),
    Test::skipped("BookAppointment_BadGateway", SENTINEL)
        .tries("A booking that the gateway fails on (502)"),
];

static CANCEL_NOT_TRIED: &[Test] = &[
    Test::skipped("CancelAppointment_ServerError", SENTINEL)
        .tries("A cancellation that the server fails on (500)"),
    Test::skipped("CancelAppointment_BadGateway", SENTINEL)
        .tries("A cancellation that the gateway fails on"),
    Test::skipped("CancelAppointment_GatewayTimeout", SENTINEL)
        .tries("A cancellation that times out (504)"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_test_has_its_own_name_and_names_requirements() {
        let all: Vec<&Test> = Group::ALL.into_iter().flat_map(Group::tests).collect();
        let names: HashSet<&str> = all.iter().map(|t| t.id).collect();
        assert_eq!(names.len(), all.len());
        assert!(
            all.iter()
                .all(|t| !t.requirements.is_empty() && !t.title.is_empty())
        );
        for group in Group::ALL {
            assert_eq!(Group::of(group.letter()), Some(group));
        }
    }
}
