//! What came of one input, as a number: inputs with different outcomes went different ways.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use booking::refusal::Refusal;
use fhir::Issue;

/// Words of a sentence that tell it from others.
const WORDS: usize = 6;

/// What came of one input. Equal for inputs that differ only in names, numbers and places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Outcome(u64);

impl Outcome {
    /// The outcome that these words describe.
    pub fn of(words: impl Hash) -> Outcome {
        let mut hasher = DefaultHasher::new();
        words.hash(&mut hasher);
        Outcome(hasher.finish())
    }

    /// Two outcomes in a row.
    #[must_use]
    pub fn then(self, next: Outcome) -> Outcome {
        Outcome::of((self, next))
    }

    /// The outcome of reading with these issues.
    pub fn of_issues(issues: &[Issue]) -> Outcome {
        let kinds: BTreeSet<(&str, String)> = issues
            .iter()
            .map(|i| (i.severity.code(), without_names(&i.message)))
            .collect();
        Outcome::of(kinds)
    }

    /// The outcome of a refusal.
    pub fn of_refusal(refusal: &Refusal) -> Outcome {
        let kinds: BTreeSet<String> = refusal
            .findings
            .iter()
            .map(|f| without_names(&f.diagnostics))
            .collect();
        Outcome::of((refusal.status(), kinds))
    }
}

/// How a sentence begins, without what it quotes and without numbers: what follows may come from the input.
fn without_names(message: &str) -> String {
    let unquoted: String = message.split('`').step_by(2).collect();
    let words = unquoted
        .split_whitespace()
        .filter(|word| word.chars().all(|c| c.is_ascii_alphabetic() || c == ','));
    words.take(WORDS).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_do_not_tell_outcomes_apart() {
        assert_eq!(without_names("`a` stands 2 times"), "stands times");
        assert_eq!(
            without_names("`a` stands 2 times"),
            without_names("`b.c` stands 31 times")
        );
        assert_ne!(Outcome::of("a"), Outcome::of("b"));
    }
}
