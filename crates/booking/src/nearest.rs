//! What was probably meant by a name that is not known.

/// Longest name compared, characters: keys, codes and ids are shorter.
const LONGEST: usize = 64;

/// The candidate that takes the fewest changes of characters, if they are few enough for a slip.
pub fn nearest<'a>(wrong: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let compared = |name: &str| {
        name.to_lowercase()
            .chars()
            .take(LONGEST)
            .collect::<String>()
    };
    let wrong = compared(wrong);
    candidates
        .map(|c| (strsim::levenshtein(&wrong, &compared(c)), c))
        .min_by_key(|(changes, _)| *changes)
        .filter(|(changes, c)| *changes <= 1 + c.chars().count() / 3)
        .map(|(_, c)| c)
}

/// The entry of a name, or a sentence that says which one was probably meant.
pub fn named<'a, T>(
    what: &str,
    word: &str,
    all: impl Iterator<Item = T>,
    name: impl Fn(&T) -> &'a str,
) -> Result<T, String> {
    let mut all: Vec<T> = all.collect();
    if let Some(at) = all.iter().position(|entry| name(entry) == word) {
        return Ok(all.swap_remove(at));
    }
    let names: Vec<&str> = all.iter().map(name).collect();
    Err(match nearest(word, names.iter().copied()) {
        Some(near) => format!("there is no {what} {word:?}; the nearest is {near}"),
        None => format!(
            "there is no {what} {word:?}; there are {}",
            names.join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let known = ["OPS-C1", "OPS-P12", "registered-practice"];
        for (word, wanted) in [
            ("OPSC1", Some("OPS-C1")),
            ("registerd-practise", Some("registered-practice")),
            ("something", None),
        ] {
            assert_eq!(nearest(word, known.into_iter()), wanted, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), known.into_iter()), None);
    }
}
