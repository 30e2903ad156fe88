//! Reads Rust text just far enough for the checks: what is code, what is a comment, what is a test.
//!
//! It is no parser. It knows comments, strings, characters and matching braces, so that a rule about
//! code is not fooled by a word in a string.

/// A source file with its comments and strings blanked out of `code`.
pub struct RustSource<'a> {
    /// The text as it stands.
    pub text: &'a str,
    /// Same lines and columns; comments and the contents of strings are spaces.
    pub code: String,
    test_lines: Vec<bool>,
}

/// A function with a test attribute.
#[derive(Debug, PartialEq, Eq)]
pub struct TestFunction {
    /// The function's name.
    pub name: String,
    /// Line of its `fn`, counted from 1.
    pub line: usize,
    /// Whether it carries `#[ignore]`.
    pub ignored: bool,
    /// The doc comments and attributes above it: line number and trimmed text.
    pub above: Vec<(usize, String)>,
}

impl<'a> RustSource<'a> {
    /// Reads a file; `all_test` when the file as a whole is a test.
    pub fn read(text: &'a str, all_test: bool) -> RustSource<'a> {
        let code = blank_comments_and_strings(text);
        let test_lines = if all_test {
            vec![true; text.lines().count() + 1]
        } else {
            lines_of_test_items(&code)
        };
        RustSource {
            text,
            code,
            test_lines,
        }
    }

    /// Lines of code outside tests, numbered from 1.
    pub fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.code.lines().enumerate().map(|(i, line)| (i + 1, line));
        numbered.filter(|(line, _)| !self.test_lines.get(*line).copied().unwrap_or(false))
    }

    /// Names of the modules that stand in files of their own and are compiled for tests only.
    pub fn test_modules(&self) -> Vec<String> {
        let lines: Vec<&str> = self.code.lines().collect();
        let is_test = |line: &&str| cfg_of_test(line);
        lines
            .iter()
            .enumerate()
            .filter(|(_, line)| is_test(line))
            .filter_map(|(i, _)| {
                lines
                    .get(i + 1..)?
                    .iter()
                    .find(|l| !l.trim().starts_with('#'))
            })
            .filter_map(|line| {
                let rest = line
                    .trim()
                    .trim_start_matches("pub ")
                    .strip_prefix("mod ")?;
                rest.strip_suffix(';').map(|name| name.trim().to_owned())
            })
            .collect()
    }

    /// The functions with a test attribute, in order.
    pub fn tests(&self) -> Vec<TestFunction> {
        let code: Vec<&str> = self.code.lines().collect();
        let text: Vec<&str> = self.text.lines().collect();
        let mut found = Vec::new();
        for (i, line) in code.iter().enumerate() {
            if !is_test_attribute(line.trim()) {
                continue;
            }
            let Some(offset) = code[i..].iter().position(|l| function_name(l).is_some()) else {
                continue;
            };
            let Some(name) = function_name(code[i + offset]) else {
                continue;
            };
            let first = (0..i)
                .rev()
                .take_while(|&j| is_attached(text[j].trim()))
                .last()
                .unwrap_or(i);
            let above: Vec<(usize, String)> = (first..i + offset)
                .filter(|&j| is_attached(text[j].trim()))
                .map(|j| (j + 1, text[j].trim().to_owned()))
                .collect();
            let ignored = above.iter().any(|(_, l)| l.starts_with("#[ignore"));
            found.push(TestFunction {
                name: name.to_owned(),
                line: i + offset + 1,
                ignored,
                above,
            });
        }
        found
    }
}

/// Whether a path is a test as a whole: below `tests/` or `benches/`, `tests.rs`, `…_tests.rs`, or what tests share.
pub fn is_test_path(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.split('/')
        .any(|part| part == "tests" || part == "benches")
        || path.starts_with("crates/testkit/")
        || name == "tests.rs"
        || name.ends_with("_tests.rs")
}

fn is_attached(line: &str) -> bool {
    line.starts_with("///")
        || line.starts_with("#[")
        || (line.starts_with("//") && !line.starts_with("//!"))
}

fn is_test_attribute(line: &str) -> bool {
    line.strip_prefix("#[").is_some_and(|rest| {
        let path = rest.split(['(', ']']).next().unwrap_or("").trim();
        path == "test" || path.ends_with("::test")
    })
}

fn function_name(line: &str) -> Option<&str> {
    let rest = line.trim();
    let rest = rest.strip_prefix("pub ").unwrap_or(rest);
    let rest = rest
        .strip_prefix("async ")
        .unwrap_or(rest)
        .strip_prefix("fn ")?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
        .filter(|name| !name.is_empty())
}

fn cfg_of_test(line: &str) -> bool {
    let line = line.trim();
    let is_cfg = line.starts_with("#[cfg(");
    is_cfg
        && !line.contains("not(test")
        && line
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| word == "test")
}

/// For each line (index = line number) whether it belongs to an item compiled for tests only.
fn lines_of_test_items(code: &str) -> Vec<bool> {
    let lines: Vec<&str> = code.lines().collect();
    let mut marked = vec![false; lines.len() + 1];
    let mut i = 0;
    while i < lines.len() {
        let trimmed = lines[i].trim();
        if !cfg_of_test(trimmed) && !is_test_attribute(trimmed) {
            i += 1;
            continue;
        }
        let end = end_of_item(&lines, i);
        for line in marked.iter_mut().take(end + 2).skip(i + 1) {
            *line = true;
        }
        i = end + 1;
    }
    marked
}

/// Index of the last line of the item whose attribute stands on line `start`.
fn end_of_item(lines: &[&str], start: usize) -> usize {
    let mut depth = 0usize;
    for (i, line) in lines.iter().enumerate().skip(start) {
        let attribute = depth == 0 && line.trim().starts_with("#[");
        for c in line.chars().filter(|_| !attribute) {
            match c {
                '{' => depth += 1,
                '}' if depth <= 1 => return i,
                '}' => depth -= 1,
                ';' if depth == 0 => return i,
                _ => {}
            }
        }
    }
    lines.len().saturating_sub(1)
}

/// Replaces comments and the contents of string and character literals by spaces.
fn blank_comments_and_strings(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        let end = match chars[i] {
            '/' if chars.get(i + 1) == Some(&'/') => end_of_line(&chars, i),
            '/' if chars.get(i + 1) == Some(&'*') => end_of_block_comment(&chars, i),
            '"' => end_of_string(&chars, i),
            '\'' => end_of_character(&chars, i),
            'r' | 'b' | 'c' if !follows_word(&chars, i) => end_of_prefixed(&chars, i),
            _ => i,
        };
        if end == i {
            out.push(chars[i]);
            i += 1;
        } else {
            for c in &chars[i..end.min(chars.len())] {
                out.push(if *c == '\n' { '\n' } else { ' ' });
            }
            i = end;
        }
    }
    out
}

fn follows_word(chars: &[char], i: usize) -> bool {
    i > 0 && (chars[i - 1].is_alphanumeric() || chars[i - 1] == '_')
}

fn end_of_line(chars: &[char], i: usize) -> usize {
    chars[i..]
        .iter()
        .position(|c| *c == '\n')
        .map_or(chars.len(), |n| i + n)
}

fn end_of_block_comment(chars: &[char], start: usize) -> usize {
    let mut depth = 0;
    let mut i = start;
    while i + 1 < chars.len() {
        match (chars[i], chars[i + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                i += 1;
                continue;
            }
        }
        i += 2;
        if depth == 0 {
            return i;
        }
    }
    chars.len()
}

fn end_of_string(chars: &[char], start: usize) -> usize {
    let mut i = start + 1;
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 2,
            '"' => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

/// A character literal, or `start` itself when the quote opens a lifetime or label.
fn end_of_character(chars: &[char], start: usize) -> usize {
    match (chars.get(start + 1), chars.get(start + 2)) {
        (Some('\\'), _) => {
            let close = chars.iter().skip(start + 3).position(|c| *c == '\'');
            close.map_or(start, |n| start + 3 + n + 1)
        }
        (Some(_), Some('\'')) => start + 3,
        _ => start,
    }
}

/// A raw, byte or C string from its prefix on, or `start` when it is only a word.
fn end_of_prefixed(chars: &[char], start: usize) -> usize {
    let mut i = start;
    while i - start < 2 && matches!(chars.get(i), Some('b' | 'c' | 'r')) {
        i += 1;
    }
    let raw = chars[i - 1] == 'r';
    let hashes = chars[i..].iter().take_while(|c| **c == '#').count();
    match chars.get(i + hashes) {
        Some('"') if raw => {
            let mut end = i + hashes + 1;
            while end < chars.len() {
                let closing = chars[end] == '"'
                    && chars[end + 1..]
                        .iter()
                        .take(hashes)
                        .filter(|c| **c == '#')
                        .count()
                        == hashes;
                end += 1;
                if closing {
                    return end + hashes;
                }
            }
            chars.len()
        }
        Some('"') if hashes == 0 => end_of_string(chars, i),
        Some('\'') if hashes == 0 && i - start == 1 && chars[start] == 'b' => {
            end_of_character(chars, i)
        }
        _ => start,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_comments_and_characters_are_blanked_and_lifetimes_are_not() {
        let code = blank_comments_and_strings(
            "let a: &'a str = \"x.unwrap()\"; // y.unwrap()\nlet c = '\\''; let r = r#\"q\"z\"#; f('\"'); b\"w\" /* 1 /* 2 */ 3 */ end",
        );
        assert_eq!(code.lines().count(), 2);
        assert!(!code.contains("unwrap") && !code.contains('z') && !code.contains('3'));
        assert!(code.contains("&'a str") && code.ends_with("end"));
    }

    #[test]
    fn items_for_tests_are_left_out_of_the_product() {
        let source = RustSource::read(
            "fn a() { one(); }\n#[cfg(test)]\nmod tests {\n    fn b() { two(); }\n}\nfn c() {}\n#[cfg(test)]\nmod apart;\nfn d() {}\n",
            false,
        );
        let lines: Vec<usize> = source.product_lines().map(|(line, _)| line).collect();
        assert_eq!(lines, [1, 6, 9]);
        assert_eq!(source.test_modules(), ["apart"]);
    }

    #[test]
    fn tests_come_with_what_stands_above_them() {
        let source = RustSource::read(
            "/// Proves: X-01\n#[tokio::test(flavor = \"current_thread\")]\n#[ignore = \"slow\"]\nasync fn it_holds() {}\n",
            true,
        );
        let tests = source.tests();
        assert_eq!(tests.len(), 1);
        assert_eq!(
            (tests[0].name.as_str(), tests[0].line, tests[0].ignored),
            ("it_holds", 4, true)
        );
        assert_eq!(tests[0].above[0], (1, "/// Proves: X-01".to_owned()));
    }
}
