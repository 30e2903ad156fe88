//! Reads Rust text by its tokens: what is code, what is a comment, what is a test.

use proc_macro2::{Delimiter, Group, Ident, LineColumn, Span, TokenStream, TokenTree};

/// A source file with its comments and strings blanked out of `code`.
pub struct RustSource {
    /// Its path from the root.
    pub path: String,
    /// The functions with a test attribute, in order.
    pub tests: Vec<TestFunction>,
    /// Names of the modules that stand in files of their own and are compiled for tests only.
    pub test_modules: Vec<String>,
    /// The text as it stands.
    pub text: String,
    code: String,
    test_lines: Vec<bool>,
}

/// A function with a test attribute.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TestFunction {
    /// The function's name.
    pub name: String,
    /// Whether it carries `#[ignore]`.
    pub ignored: bool,
    /// The doc comments and attributes above it: line number and text.
    pub above: Vec<(usize, String)>,
}

/// A line of a file.
pub struct Line<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// Comments and the contents of strings are spaces.
    pub code: &'a str,
    /// As it stands.
    pub text: &'a str,
}

impl RustSource {
    /// Reads a file.
    pub fn read(path: &str, text: &str) -> Result<RustSource, String> {
        let tokens = text.parse::<TokenStream>();
        let tokens = tokens.map_err(|e| format!("{path} is not Rust: {e}"))?;
        let mut source = RustSource {
            path: path.to_owned(),
            tests: Vec::new(),
            test_modules: Vec::new(),
            text: text.to_owned(),
            code: Code::of(tokens.clone()),
            test_lines: vec![false; text.lines().count() + 1],
        };
        source.items(tokens);
        Ok(source)
    }

    /// All lines up to the last one with code.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let lines = self.code.lines().zip(self.text.lines());
        lines
            .zip(1..)
            .map(|((code, text), number)| Line { number, code, text })
    }

    /// The lines outside tests.
    pub fn product_lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.lines().filter(|line| !self.test_lines[line.number])
    }

    /// Looks for tests among items, and in what they hold.
    fn items(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            let (TokenTree::Punct(mark), Some(TokenTree::Group(first))) = (&token, tokens.peek())
            else {
                if let TokenTree::Group(group) = token {
                    self.items(group.stream());
                }
                continue;
            };
            if mark.as_char() != '#' || first.delimiter() != Delimiter::Bracket {
                continue;
            }
            let mut item = Item::default();
            let mut next = Some(token);
            // The attributes, and what follows them up to the item's end.
            while let Some(token) = next {
                if matches!(&token, TokenTree::Punct(mark) if mark.as_char() == '#')
                    && let Some(TokenTree::Group(attribute)) = tokens.peek()
                {
                    item.attribute(token.span(), attribute, &self.text);
                    tokens.next();
                } else if item.take(&token) {
                    break;
                }
                next = tokens.next();
            }
            self.close(item);
        }
    }

    fn close(&mut self, item: Item) {
        let last = self.test_lines.len() - 1;
        if let Some(first) = item.for_tests_from {
            self.test_lines[first.min(last)..=item.last_line.min(last)].fill(true);
            if item.body.is_none() {
                self.test_modules.extend(item.name_after("mod"));
            }
        }
        if item.is_test {
            self.tests.push(TestFunction {
                name: item.name_after("fn").unwrap_or_default(),
                ignored: item.above.iter().any(|(_, a)| a.starts_with("#[ignore")),
                above: item.above,
            });
        }
        if let Some(body) = item.body {
            self.items(body.stream());
        }
    }
}

/// An item with attributes, while it is read.
#[derive(Default)]
struct Item {
    above: Vec<(usize, String)>,
    is_test: bool,
    /// The line of the attribute by which it is compiled for tests only.
    for_tests_from: Option<usize>,
    words: Vec<Ident>,
    body: Option<Group>,
    last_line: usize,
}

impl Item {
    fn attribute(&mut self, mark: Span, attribute: &Group, text: &str) {
        let line = mark.start().line;
        // Of a doc comment every token is the whole comment.
        let range = mark.byte_range().start..attribute.span().byte_range().end;
        self.above.push((line, text[range].to_owned()));
        let path = attribute.stream().into_iter();
        let path = path.take_while(|token| !matches!(token, TokenTree::Group(_)));
        let is_test = matches!(path.last(), Some(TokenTree::Ident(last)) if last == "test");
        self.is_test |= is_test;
        if is_test || is_cfg_of_test(attribute) {
            self.for_tests_from.get_or_insert(line);
        }
    }

    /// True when the item ends with this token.
    fn take(&mut self, token: &TokenTree) -> bool {
        self.last_line = token.span().end().line;
        match token {
            TokenTree::Ident(word) => self.words.push(word.clone()),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                self.body = Some(group.clone());
                return true;
            }
            TokenTree::Punct(mark) => return mark.as_char() == ';',
            _ => {}
        }
        false
    }

    fn name_after(&self, keyword: &str) -> Option<String> {
        let at = self.words.iter().position(|word| word == keyword)?;
        self.words.get(at + 1).map(Ident::to_string)
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

/// `cfg(test)`, also in a larger condition, but not `cfg(not(test))`.
fn is_cfg_of_test(attribute: &Group) -> bool {
    fn names_test(tokens: TokenStream) -> bool {
        let mut negated = false;
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(word) => {
                negated = word == "not";
                word == "test"
            }
            TokenTree::Group(group) => !negated && names_test(group.stream()),
            _ => false,
        })
    }
    let first = attribute.stream().into_iter().next();
    matches!(first, Some(TokenTree::Ident(cfg)) if cfg == "cfg") && names_test(attribute.stream())
}

/// Text that is made of tokens at the places where they stand.
struct Code {
    text: String,
    at: LineColumn,
}

impl Code {
    /// The tokens without texts, characters and doc comments.
    fn of(tokens: TokenStream) -> String {
        let mut code = Code {
            text: String::new(),
            at: LineColumn { line: 1, column: 0 },
        };
        code.add(tokens);
        code.text
    }

    fn put(&mut self, at: LineColumn, token: &str) {
        while self.at.line < at.line {
            self.text.push('\n');
            self.at = LineColumn {
                line: self.at.line + 1,
                column: 0,
            };
        }
        let gap = at.column.saturating_sub(self.at.column);
        self.text.extend(std::iter::repeat_n(' ', gap));
        self.text.push_str(token);
        self.at.column = at.column + token.chars().count();
    }

    fn add(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().map(|t| (t.span().start(), t)).peekable();
        let mut before = None;
        while let Some((start, token)) = tokens.next() {
            // The tokens of a doc comment all begin where it begins.
            let is_doc = before == Some(start) || tokens.peek().is_some_and(|(s, _)| *s == start);
            before = Some(start);
            if is_doc {
                continue;
            }
            match token {
                TokenTree::Group(group) => {
                    let (open, close) = match group.delimiter() {
                        Delimiter::Parenthesis => ("(", ")"),
                        Delimiter::Brace => ("{", "}"),
                        Delimiter::Bracket => ("[", "]"),
                        Delimiter::None => ("", ""),
                    };
                    self.put(start, open);
                    self.add(group.stream());
                    self.put(group.span_close().start(), close);
                }
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    if text.starts_with(|c: char| c.is_ascii_digit()) {
                        self.put(start, &text);
                    }
                }
                TokenTree::Ident(word) => self.put(start, &word.to_string()),
                TokenTree::Punct(mark) => self.put(start, mark.as_char().encode_utf8(&mut [0; 4])),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> RustSource {
        RustSource::read("a.rs", text).unwrap()
    }

    #[test]
    fn strings_comments_and_characters_are_blanked_and_lifetimes_are_not() {
        let source = read(
            "let a: &'a str = \"x.unwrap()\"; // y.unwrap()\nlet c = '\\''; let r = r#\"q\"z\"#; f('\"'); b\"w\" /* 1 /* 2 */ 3 */ end",
        );
        let lines: Vec<&str> = source.lines().map(|line| line.code).collect();
        let [first, second] = lines[..] else {
            panic!("{lines:?}")
        };
        let code = format!("{first}{second}");
        assert!(!code.contains("unwrap") && !code.contains('z') && !code.contains('3'));
        assert!(code.contains("&'a str") && code.ends_with("end"));
        assert!(RustSource::read("a.rs", "fn a( {").is_err());
    }

    #[test]
    fn items_for_tests_are_left_out_of_the_product() {
        let source = read(
            "fn a() { one(); }\n#[cfg(test)]\nmod tests {\n    fn b() { two(); }\n}\nfn c() {}\n\
             #[cfg(all(test, unix))]\nmod apart;\n#[cfg(not(test))]\nfn d() {}\n",
        );
        let lines: Vec<usize> = source.product_lines().map(|line| line.number).collect();
        assert_eq!(lines, [1, 6, 9, 10]);
        assert_eq!(source.test_modules, ["apart"]);
    }

    #[test]
    fn tests_come_with_what_stands_above_them() {
        let source = read(
            "mod a {\n/// Proves: X-01\n#[tokio::test(flavor = \"current_thread\")]\n#[ignore = \"slow\"]\nasync fn it_holds() {}\n}\n",
        );
        let [test] = &source.tests[..] else {
            panic!("{:?}", source.tests)
        };
        assert_eq!((test.name.as_str(), test.ignored), ("it_holds", true));
        assert_eq!(test.above[0], (2, "/// Proves: X-01".to_owned()));
    }
}
