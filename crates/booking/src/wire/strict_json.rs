//! Reads JSON objects strictly: duplicate members, deep nesting and trailing text are faults, so that two readers of a
//! token never see two values of one claim.
//!
//! Every request has a token, so the tree borrows its text, and its objects are short lists.

use std::borrow::Cow;

/// A JSON value.
#[derive(Debug, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool,
    /// An integer that fits into `i64`. No reader needs other numbers.
    Integer(i64),
    OtherNumber,
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(Object<'a>),
}

impl<'a> Json<'a> {
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Json::Object(object) => Some(object),
            _ => None,
        }
    }

    /// A member of an object; `None` for other values.
    pub(crate) fn get(&self, name: &str) -> Option<&Json<'a>> {
        self.as_object()?.get(name)
    }
}

/// The members of an object in order of arrival, with unique names.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Object<'a> {
    members: Vec<(Cow<'a, str>, Json<'a>)>,
}

impl<'a> Object<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&Json<'a>> {
        self.members.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }
}

/// Most members of one object. A real token has a dozen, and the search for duplicates is quadratic.
const MAX_MEMBERS: usize = 100;

/// Reads one object of at most `depth` levels. The fault completes "The token payload …" and quotes nothing but member
/// names.
pub(crate) fn object(bytes: &[u8], depth: usize) -> Result<Object<'_>, String> {
    let mut reader = match std::str::from_utf8(bytes) {
        Ok(text) => Reader { text, at: 0 },
        Err(error) => return Err(malformed(place(bytes, error.valid_up_to()))),
    };
    let read = reader.value(depth).and_then(|value| match reader.peek() {
        None => Ok(value),
        Some(_) => Err(Fault::Malformed),
    });
    match read {
        Ok(Json::Object(object)) => Ok(object),
        Ok(_) => Err("is not a JSON object".to_owned()),
        Err(Fault::Malformed) => Err(malformed(place(bytes, reader.at))),
        Err(Fault::Refused(sentence)) => {
            let (line, column) = place(bytes, reader.at);
            Err(format!("{sentence} at line {line} column {column}"))
        }
    }
}

/// Why reading stops, at the current position.
enum Fault {
    Malformed,
    Refused(String),
}

fn malformed((line, column): (usize, usize)) -> String {
    format!("is not well-formed JSON (line {line}, column {column})")
}

/// Line and column, in bytes, of an offset.
fn place(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = bytes.get(..at).unwrap_or(bytes);
    let line_start = before
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |i| i + 1);
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    // If the text ends too early, its last byte is shown.
    let column = (at + 1).min(bytes.len()).max(line_start) - line_start;
    (line, column)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is not white space, without consuming it.
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.byte() {
            self.at += 1;
        }
        self.byte()
    }

    fn take(&mut self, wanted: u8) -> Result<(), Fault> {
        match self.peek() == Some(wanted) {
            true => {
                self.at += 1;
                Ok(())
            }
            false => Err(Fault::Malformed),
        }
    }

    /// After a member. True: another one follows. False: the closing mark follows, and is consumed.
    fn more(&mut self, close: u8) -> Result<bool, Fault> {
        let next = self.peek();
        if next != Some(b',') && next != Some(close) {
            return Err(Fault::Malformed);
        }
        self.at += 1;
        Ok(next == Some(b','))
    }

    /// A value of at most `depth` levels.
    fn value(&mut self, depth: usize) -> Result<Json<'a>, Fault> {
        match self.peek() {
            Some(b'"') => Ok(Json::Text(self.string()?)),
            Some(b'{') => self.object(below(depth)?),
            Some(b'[') => self.list(below(depth)?),
            Some(b't') => self.word("true", Json::Bool),
            Some(b'f') => self.word("false", Json::Bool),
            Some(b'n') => self.word("null", Json::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(Fault::Malformed),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>, Fault> {
        self.take(b'{')?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(Object::default()));
        }
        let mut members: Vec<(Cow<'a, str>, Json<'a>)> = Vec::with_capacity(8);
        loop {
            if self.peek() != Some(b'"') {
                return Err(Fault::Malformed);
            }
            let name = self.string()?;
            self.take(b':')?;
            let value = self.value(depth)?;
            if members.iter().any(|(known, _)| *known == name) {
                let graphic = name.chars().filter(char::is_ascii_graphic);
                let shown: String = graphic.take(64).collect();
                return Err(Fault::Refused(format!("has the member `{shown}` twice")));
            }
            if members.len() == MAX_MEMBERS {
                return Err(Fault::Refused(format!(
                    "has an object of more than {MAX_MEMBERS} members"
                )));
            }
            members.push((name, value));
            if !self.more(b'}')? {
                return Ok(Json::Object(Object { members }));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json<'a>, Fault> {
        self.take(b'[')?;
        let mut out = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::List(out));
        }
        loop {
            out.push(self.value(depth)?);
            if !self.more(b']')? {
                return Ok(Json::List(out));
            }
        }
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, Fault> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or(&[]);
        if !rest.starts_with(word.as_bytes()) {
            return Err(Fault::Malformed);
        }
        self.at += word.len();
        Ok(value)
    }

    /// A string, from its opening quote; borrowed if it has no escapes.
    fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.at += 1;
        let plain = self.plain();
        match self.byte() {
            Some(b'"') => {
                self.at += 1;
                Ok(Cow::Borrowed(plain))
            }
            Some(b'\\') => self.escaped(plain.to_owned()).map(Cow::Owned),
            _ => Err(Fault::Malformed),
        }
    }

    /// The text before the next quote, backslash or control character, each of which is one byte in UTF-8.
    fn plain(&mut self) -> &'a str {
        let start = self.at;
        self.at = fhir::json::end_of_plain(self.text.as_bytes(), start);
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// The rest of a string with escapes.
    fn escaped(&mut self, mut out: String) -> Result<String, Fault> {
        loop {
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                Some(b) if b >= 0x20 => out.push_str(self.plain()),
                _ => return Err(Fault::Malformed),
            }
        }
    }

    /// The character of an escape, after its backslash.
    fn escape(&mut self) -> Result<char, Fault> {
        let c = match self.byte() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(Fault::Malformed),
        };
        self.at += 1;
        Ok(c)
    }

    /// `uXXXX`, or two of them for a surrogate pair. Half a pair is a fault.
    fn unicode(&mut self) -> Result<char, Fault> {
        let first = self.hex4()?;
        let code = match first {
            0xD800..=0xDBFF => {
                if self.byte() != Some(b'\\') {
                    return Err(Fault::Malformed);
                }
                self.at += 1;
                let second = self.hex4()?;
                if !(0xDC00..=0xDFFF).contains(&second) {
                    return Err(Fault::Malformed);
                }
                0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)
            }
            other => other,
        };
        char::from_u32(code).ok_or(Fault::Malformed)
    }

    fn hex4(&mut self) -> Result<u32, Fault> {
        if self.byte() != Some(b'u') {
            return Err(Fault::Malformed);
        }
        self.at += 1;
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.byte().and_then(|b| char::from(b).to_digit(16));
            code = code * 16 + digit.ok_or(Fault::Malformed)?;
            self.at += 1;
        }
        Ok(code)
    }

    /// A number by RFC 8259: no leading zeros, digits on both sides of the point, within range.
    fn number(&mut self) -> Result<Json<'a>, Fault> {
        let start = self.at;
        self.at += usize::from(self.byte() == Some(b'-'));
        let leading_zero = self.byte() == Some(b'0');
        let whole = self.digits()?;
        if leading_zero && whole > 1 {
            return Err(Fault::Malformed);
        }
        let integer_end = self.at;
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let digits = self.text.get(start..self.at).unwrap_or_default();
        // An integer needs a digit after its sign.
        if self.at == integer_end
            && digits != "-0"
            && let Ok(integer) = digits.parse()
        {
            return Ok(Json::Integer(integer));
        }
        match digits.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Json::OtherNumber),
            _ => Err(Fault::Malformed),
        }
    }

    /// Skips at least one digit.
    fn digits(&mut self) -> Result<usize, Fault> {
        let start = self.at;
        while self.byte().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        match self.at - start {
            0 => Err(Fault::Malformed),
            count => Ok(count),
        }
    }
}

fn below(depth: usize) -> Result<usize, Fault> {
    let refused = || Fault::Refused("is nested too deep".to_owned());
    depth.checked_sub(1).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A general JSON reader, which ignores duplicate members too.
    fn known(text: &str) -> Option<serde_json::Value> {
        serde_json::from_str(text)
            .ok()
            .filter(serde_json::Value::is_object)
    }

    fn same(ours: &Json<'_>, theirs: &serde_json::Value) -> bool {
        match (ours, theirs) {
            (Json::Null, serde_json::Value::Null) => true,
            (Json::Bool, serde_json::Value::Bool(_)) => true,
            (Json::Integer(n), theirs) => theirs.as_i64() == Some(*n),
            (Json::OtherNumber, theirs) => theirs.is_number(),
            (Json::Text(text), theirs) => theirs.as_str() == Some(text.as_ref()),
            (Json::List(list), serde_json::Value::Array(theirs)) => {
                list.len() == theirs.len() && list.iter().zip(theirs).all(|(a, b)| same(a, b))
            }
            (Json::Object(object), serde_json::Value::Object(theirs)) => {
                object.members.len() == theirs.len()
                    && object.members.iter().all(|(name, value)| {
                        theirs.get(name.as_ref()).is_some_and(|b| same(value, b))
                    })
            }
            _ => false,
        }
    }

    fn check(text: &str) {
        let ours = object(text.as_bytes(), 12);
        match (ours, known(text)) {
            (Ok(ours), Some(theirs)) => assert!(same(&Json::Object(ours), &theirs), "{text}"),
            (Err(_), None) => {}
            (Err(fault), Some(_)) => assert!(!fault.contains("well-formed"), "{text}: {fault}"),
            (Ok(_), None) => panic!("{text} is no JSON object"),
        }
    }

    /// Proves: NAT-JWT-01
    #[test]
    fn reads_what_json_is_and_nothing_else() {
        let values = [
            "0",
            "-0",
            "1",
            "-1",
            "01",
            "-",
            "+1",
            "1.",
            ".5",
            "1.5",
            "1e3",
            "1E+3",
            "1e",
            "1e+",
            "1e999",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999999",
            "true",
            "tru",
            "false",
            "null",
            "nul",
            "\"\"",
            "\"a\"",
            "\"a",
            "\"\\\"\"",
            "\"\\u0041\"",
            "\"\\u00\"",
            "\"\\ud83d\\ude00\"",
            "\"\\ud83d\"",
            "\"\\ude00\"",
            "\"\\ud83dx\"",
            "\"\\x\"",
            "\"a\nb\"",
            "\"a\u{7f}é😀\\n\\/b\"",
            "[]",
            "[1]",
            "[1,]",
            "[,]",
            "[1 2]",
            "{}",
            "{\"b\":{}}",
            "{\"b\"}",
            "{b:1}",
            "{\"b\":1,}",
            "",
            "1}",
            "[[[[[[[[[[[]]]]]]]]]]]",
            "[[[[[[[[[[[[]]]]]]]]]]]]",
            "\u{feff}1",
        ];
        for value in values {
            check(value);
            check(&format!("{{\"a\":{value}}}"));
            check(&format!(" {{ \"a\" :\t{value} , \"b\":\r\n[ {value} ] }} "));
            check(&format!("{{\"a\":{value}}} x"));
        }
        for escape in 0..=0x7f_u8 {
            check(&format!("{{\"a\":\"\\{}\"}}", char::from(escape)));
            check(&format!("{{\"a\":\"{}\"}}", char::from(escape)));
            check(&format!("{{\"a\":{}1}}", char::from(escape)));
        }
    }

    /// Proves: NAT-JWT-01
    #[test]
    fn every_broken_text_is_as_broken_to_others() {
        let text = "{\"iss\":\"a\\u00e9b\",\"n\":[1,-2.5e3,{\"x\":null}],\"deep\":{\"é\":true}}";
        for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
            check(&text[..at]);
            for with in ["\"", "\\", ",", ":", "{", "]", "1", " ", "é"] {
                check(&format!("{}{with}{}", &text[..at], &text[at..]));
            }
        }
    }

    /// Proves: NAT-JWT-01
    #[test]
    fn faults_say_where() {
        let fault = |text: &[u8]| object(text, 3).unwrap_err();
        assert_eq!(
            fault(b"{\"a\":}"),
            "is not well-formed JSON (line 1, column 6)"
        );
        assert_eq!(
            fault(b"{\n \"a\" 1}"),
            "is not well-formed JSON (line 2, column 6)"
        );
        assert_eq!(
            fault(b"{\"a\":\"\xff\"}"),
            "is not well-formed JSON (line 1, column 7)"
        );
        assert_eq!(fault(b""), "is not well-formed JSON (line 1, column 0)");
        assert_eq!(fault(b"[1]"), "is not a JSON object");
        assert!(
            fault(b"{\"a\":1,\"\\u0061\":2}")
                .starts_with("has the member `a` twice at line 1 column ")
        );
        assert!(
            fault(b"{\"a\":{\"b\":{\"c\":{}}}}")
                .starts_with("is nested too deep at line 1 column ")
        );
    }
}
