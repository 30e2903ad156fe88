//! Rewrites serde's messages about values of the wrong kind, which name types of Rust, for authors of files.

/// The sentence for a value of the wrong kind; `None` for other messages. It omits the value, since a settings file holds
/// passwords.
pub fn plain(message: &str) -> Option<String> {
    let (rest, is_kind) = match message.strip_prefix("invalid type: ") {
        Some(rest) => (rest, true),
        None => (message.strip_prefix("invalid value: ")?, false),
    };
    let (found, expected) = rest.rsplit_once(", expected ")?;
    // JSON messages end with a position, which the caller knows.
    let expected = expected.split(" at line ").next().unwrap_or(expected);
    let right = right(expected.trim());
    Some(match is_kind.then(|| kind(found)).flatten() {
        Some(kind) => format!("expected {right}, not {kind}"),
        None => format!("expected {right}"),
    })
}

fn right(expected: &str) -> &str {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "u128" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number, like 10",
        "f32" | "f64" => "a number, like 1.5",
        "a boolean" => "true or false, without quotes",
        "a string" | "a borrowed string" | "path string" => "text in quotes",
        "a sequence" => "a list, [ … ]",
        "a map" => "a table, with keys of its own",
        nonzero if nonzero.starts_with("a nonzero ") => "a whole number, 1 or more",
        table if table.starts_with("struct ") => "a table, with keys of its own",
        word if word.starts_with("enum ") || word == "string or map" => {
            "one of its words, in quotes"
        }
        list if list.starts_with("tuple ") || list.starts_with("a tuple ") => "a list, [ … ]",
        // This program's own parsers use plain words.
        words => words,
    }
}

fn kind(found: &str) -> Option<&'static str> {
    let kinds = [
        ("string", "a text"),
        ("integer", "a whole number"),
        ("floating point", "a number with a fraction"),
        ("boolean", "true or false"),
        ("map", "a table"),
        ("sequence", "a list"),
        ("null", "nothing"),
        ("unit value", "nothing"),
    ];
    let of = kinds.iter().find(|(begins, _)| found.starts_with(begins));
    of.map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn no_type_of_the_program_is_named() {
        for (message, words) in [
            (
                "invalid type: string \"a, expected b\", expected usize",
                "expected a whole number, 0 or more, not a text",
            ),
            (
                "invalid value: integer `70000`, expected u16",
                "expected a whole number from 0 to 65535",
            ),
            (
                "invalid type: integer `5`, expected struct Tls",
                "expected a table, with keys of its own, not a whole number",
            ),
            (
                "invalid type: null, expected a string at line 1 column 9",
                "expected text in quotes, not nothing",
            ),
            (
                "invalid type: boolean `true`, expected a day, such as 2031-03-04",
                "expected a day, such as 2031-03-04, not true or false",
            ),
        ] {
            assert_eq!(plain(message).as_deref(), Some(words));
        }
        assert_eq!(plain("missing field `a`"), None);
    }
}
