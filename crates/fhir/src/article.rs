//! Puts the indefinite article before a name: "a Slot", "an Appointment".

/// The name with its article, for names of types and HTTP methods.
pub fn with_article(name: &str) -> String {
    let vowel = name.starts_with(['A', 'E', 'I', 'O', 'a', 'e', 'i', 'o']);
    // "an unsignedInt", but "a uri" and "a UsageContext", which sound like "you".
    match vowel || name.starts_with("un") {
        true => format!("an {name}"),
        false => format!("a {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_article_goes_with_the_sound() {
        for right in [
            "a Slot",
            "an Appointment",
            "an OperationOutcome",
            "an integer",
            "an unsignedInt",
            "a uri",
            "a UsageContext",
            "a positiveInt",
            "a text",
        ] {
            let name = right.rsplit(' ').next().unwrap_or_default();
            assert_eq!(with_article(name), right);
        }
    }
}
