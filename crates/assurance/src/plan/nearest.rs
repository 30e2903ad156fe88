//! What was probably meant by a word that is not known.

/// Longest words compared; longer ones are no slips of the pen.
const LONGEST: usize = 40;

/// The known word that takes the fewest changes, if that is at most a third of it.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    if word.chars().count() > LONGEST {
        return None;
    }
    let (changes, best) = known
        .map(|k| (distance(&word, &k.to_lowercase()), k))
        .min_by_key(|(changes, _)| *changes)?;
    (changes <= best.chars().count().div_ceil(3)).then_some(best)
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

/// Characters to put in, take out or exchange.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cb, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let changed = diagonal + usize::from(ca != *cb);
            diagonal = *cell;
            left = changed.min(left + 1).min(*cell + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let known = ["OPS-C1", "OPS-P12", "registered-practice"];
        assert_eq!(nearest("OPSC1", known.into_iter()), Some("OPS-C1"));
        assert_eq!(
            nearest("registerd-practise", known.into_iter()),
            Some("registered-practice")
        );
        assert_eq!(nearest("something", known.into_iter()), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
