//! Redaction: what foreign text loses before it reaches the journal, the log, a terminal or a script.
//!
//! [`foreign`] is the one function for it. It takes out NHS numbers in any spelling, the accounts of the settings, and
//! names, dates of birth, telephone numbers and addresses of the patients that this process has at hand, also in Base64,
//! as character references of a page, or percent-encoded.
//! Whoever learns of an account or a patient says so here ([`keep_out_account`], [`keep_out`]) before anything is sent.

mod digits;
mod encoded;
mod folded;
mod undone;

use digits::Numbers;
use fhir::Element;
use jiff::civil::Date;
use std::collections::VecDeque;
use std::sync::{PoisonError, RwLock};

/// Most phrases of patients that are remembered; the oldest go first. A patient has about twenty.
const MAX_PHRASES: usize = 2_000;
/// Most accounts that are remembered; a Consumer has two.
const MAX_ACCOUNTS: usize = 64;
/// Shortest account part that is also taken out within a word.
const SHORT_SECRET: usize = 4;
/// Shortest part of a name that is taken out by itself; shorter ones are found in ordinary words too often.
const SHORT_NAME: usize = 3;
/// How much longer than its result a text is that is looked through at most.
const SURPLUS: usize = 8;

/// Most layers of character references and escapes that are undone: a page in a message in a log.
const MAX_LAYERS: usize = 3;

/// What was there, in place of it.
const PASSWORD: &str = "(password)";
const USER: &str = "(user name)";
const NAME: &str = "(patient's name)";
const BIRTH: &str = "(date of birth)";
const ADDRESS: &str = "(patient's address)";

struct Phrase {
    /// Folded, except where `exact`.
    text: Vec<char>,
    mask: &'static str,
    /// In this spelling only.
    exact: bool,
    /// Within words too.
    anywhere: bool,
}

#[derive(Default)]
struct Known {
    accounts: Vec<Phrase>,
    phrases: VecDeque<Phrase>,
    numbers: Numbers,
}

static KNOWN: RwLock<Option<Known>> = RwLock::new(None);

/// A text that somebody else wrote, fit to be kept and shown: on one line, at most `most` characters, without what
/// identifies a patient and without our accounts. It is cut last, so that no half of a secret is left at the end.
pub fn foreign(text: &str, most: usize) -> String {
    let line: Vec<char> = text
        .trim()
        .chars()
        .map(booking::foreign::visible)
        .take(most.saturating_mul(SURPLUS))
        .collect();
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let none = Known::default();
    let known = known.as_ref().unwrap_or(&none);
    known.cleared(&line).into_iter().take(most).collect()
}

/// Remembers an account, in the spellings in which a fault may quote it.
pub fn keep_out_account(username: &str, password: &str) {
    let parts = [(password, PASSWORD), (username, USER)];
    change(|known| {
        for (text, mask) in parts {
            for spelling in [text.to_owned(), in_xml(text), in_query(text)] {
                let phrase: Vec<char> = spelling.chars().collect();
                let fresh = !known.accounts.iter().any(|p| p.text == phrase);
                if fresh && !phrase.is_empty() && known.accounts.len() < MAX_ACCOUNTS {
                    known.accounts.push(Phrase {
                        anywhere: phrase.len() >= SHORT_SECRET,
                        text: phrase,
                        mask,
                        exact: true,
                    });
                }
            }
        }
        // A password may contain the user name: the longer one is looked for first.
        known
            .accounts
            .sort_by_key(|p| std::cmp::Reverse(p.text.len()));
    });
}

/// What identifies a patient, and those who may be called for them, as far as somebody has it at hand.
#[derive(Default)]
pub struct Identifying {
    /// Parts of names.
    pub names: Vec<String>,
    /// Telephone numbers and other points of contact.
    pub points: Vec<String>,
    /// Year, month and day.
    pub birth_date: String,
    /// NHS number and other identifiers.
    pub numbers: Vec<String>,
    /// Lines of addresses and postcodes.
    pub address: Vec<String>,
}

/// Remembers a patient.
pub fn keep_out(who: &Identifying) {
    change(|known| {
        for name in &who.names {
            known.name(name);
        }
        for point in &who.points {
            known.point(point);
        }
        known.birth(&who.birth_date);
        for number in &who.numbers {
            known.number(Some(number));
        }
        for line in &who.address {
            known.phrase(line, ADDRESS);
        }
    });
}

impl From<&Element> for Identifying {
    /// The patient whom a FHIR Patient describes.
    fn from(patient: &Element) -> Identifying {
        let people = || std::iter::once(patient).chain(patient.all("contact"));
        let texts = |elements: &mut dyn Iterator<Item = &Element>| {
            let texts = elements.filter_map(Element::as_str);
            texts.map(str::to_owned).collect()
        };
        let values = |name: &str| {
            let all = people().flat_map(|p| p.all(name));
            let values = all.filter_map(|e| e.str_of("value"));
            values.map(str::to_owned).collect()
        };
        let names = people().flat_map(|p| p.all("name"));
        let lines = patient.all("address");
        Identifying {
            names: texts(&mut names.flat_map(|n| n.all("given").chain(n.all("family")))),
            points: values("telecom"),
            birth_date: patient.str_of("birthDate").unwrap_or_default().to_owned(),
            numbers: values("identifier"),
            address: texts(&mut lines.flat_map(|a| a.all("line").chain(a.all("postalCode")))),
        }
    }
}

fn change(with: impl FnOnce(&mut Known)) {
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    with(known.get_or_insert_with(Known::default));
}

impl Known {
    /// A text without what is known, in whichever spelling. Where that is found only after a layer of references and
    /// escapes was undone, the text stays undone.
    fn cleared(&self, line: &[char]) -> Vec<char> {
        let without = |line: &[char]| {
            let line = encoded::replaced(line, |plain| self.tells(plain));
            self.scrubbed(&line)
        };
        let mut line = without(line);
        let mut plain = line.clone();
        for _ in 0..MAX_LAYERS {
            let undone = undone::once(&plain);
            if undone == plain {
                break;
            }
            plain = without(&undone);
            if plain != undone {
                line.clone_from(&plain);
            }
        }
        line
    }

    /// Whether a text that was encoded holds something that is known.
    fn tells(&self, line: &[char]) -> bool {
        let mut plain = line.to_vec();
        for _ in 0..=MAX_LAYERS {
            if self.scrubbed(&plain) != plain {
                return true;
            }
            let undone = undone::once(&plain);
            if undone == plain {
                break;
            }
            plain = undone;
        }
        false
    }

    /// A text without what is known as it is written.
    fn scrubbed(&self, line: &[char]) -> Vec<char> {
        let line = replaced(line, self.accounts.iter());
        let line = self.numbers.replaced(&line);
        replaced(&line, self.phrases.iter())
    }

    fn add(&mut self, text: &str, mask: &'static str, exact: bool) {
        let text = text.trim();
        let text: Vec<char> = match exact {
            true => text.chars().collect(),
            false => folded::text(text),
        };
        let one_letter = text.iter().filter(|c| c.is_alphanumeric()).count() < 2;
        if one_letter || self.phrases.iter().any(|p| p.text == text) {
            return;
        }
        if self.phrases.len() >= MAX_PHRASES {
            self.phrases.pop_front();
        }
        self.phrases.push_back(Phrase {
            text,
            mask,
            exact,
            anywhere: false,
        });
    }

    fn phrase(&mut self, text: &str, mask: &'static str) {
        self.add(text, mask, false);
    }

    /// A name as a whole and each longer word of it.
    fn name(&mut self, name: &str) {
        let length = |text: &str| text.chars().count();
        self.add(name, NAME, length(name.trim()) < SHORT_NAME);
        // O'Brien is OBRIEN in many systems.
        let run: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
        if length(&run) >= SHORT_NAME {
            self.add(&run, NAME, false);
        }
        for part in name.split(|c: char| !c.is_alphanumeric()) {
            if length(part) >= SHORT_NAME {
                self.add(part, NAME, false);
            }
        }
    }

    /// A date of birth in the ways in which it is written.
    fn birth(&mut self, date: &str) {
        let Ok(date) = date.trim().parse::<Date>() else {
            return;
        };
        for format in [
            "%Y-%m-%d",
            "%Y/%m/%d",
            "%Y%m%d",
            "%d/%m/%Y",
            "%-d/%-m/%Y",
            "%d-%m-%Y",
            "%d.%m.%Y",
            "%d/%m/%y",
            "%d %m %Y",
            "%d%m%Y",
            "%d %B %Y",
            "%-d %B %Y",
            "%d %b %Y",
            "%-d %b %Y",
            "%d-%b-%Y",
            "%B %-d, %Y",
            "%b %-d, %Y",
        ] {
            self.phrase(&date.strftime(format).to_string(), BIRTH);
        }
    }

    /// A telephone number, or an e-mail address.
    fn point(&mut self, value: &str) {
        match value.contains('@') {
            true => self.phrase(value, ADDRESS),
            false => self.numbers.telephone(value),
        }
    }

    fn number(&mut self, number: Option<&str>) {
        if let Some(number) = number {
            self.numbers.patient(number);
        }
    }
}

/// The text with every phrase replaced.
fn replaced<'p>(line: &[char], phrases: impl Iterator<Item = &'p Phrase>) -> Vec<char> {
    let phrases: Vec<&Phrase> = phrases.collect();
    let mut out = Vec::with_capacity(line.len());
    let mut at = 0;
    while let Some(c) = line.get(at) {
        let found = phrases
            .iter()
            .filter_map(|p| Some((end_of(p, line, at)?, p.mask)))
            .max_by_key(|(end, _)| *end);
        match found {
            Some((end, mask)) => {
                out.extend(mask.chars());
                at = end;
            }
            None => {
                out.push(*c);
                at += 1;
            }
        }
    }
    out
}

/// Where a phrase that begins here ends.
fn end_of(phrase: &Phrase, line: &[char], at: usize) -> Option<usize> {
    let end = match phrase.exact {
        true => {
            let there = line.get(at..at + phrase.text.len())?;
            (there == phrase.text).then_some(at + phrase.text.len())?
        }
        false => {
            let (mut end, mut left) = (at, phrase.text.as_slice());
            while !left.is_empty() {
                for letter in folded::letters(*line.get(end)?) {
                    left = left.strip_prefix(&[letter])?;
                }
                end += 1;
            }
            // Marks that belong to the last letter.
            let marks = line.get(end..).unwrap_or_default().iter();
            end + marks
                .take_while(|c| folded::letters(**c).next().is_none())
                .count()
        }
    };
    let is_word = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric());
    let begins = !is_word(at.checked_sub(1).and_then(|b| line.get(b))) || is_escape(line, at);
    let ends = !is_word(line.get(end));
    (phrase.anywhere || (begins && ends)).then_some(end)
}

/// Whether the three characters before are `%20` or another escape of an address.
fn is_escape(line: &[char], at: usize) -> bool {
    let before = at.checked_sub(3).and_then(|from| line.get(from..at));
    matches!(before, Some(['%', a, b]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
}

fn in_xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn in_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: D-60, NFR-01
    /// Whatever spelling a foreign text has: number, name, birth, telephone, address, account.
    #[test]
    fn nothing_of_a_patient_or_an_account_is_left() {
        keep_out_account("unit-account", "pa&ss<wörd>");
        let patient: crate::plan::Patient = toml::from_str(
            r#"
            nhs_number = "999 000 0018"
            gender = "female"
            birth_date = "1951-02-03"
            name = { family = "Quillfeather-Nye", given = ["Zenobia", "Li", "Zoë", "O'Brien", "Nguyễn"] }
            address = { lines = ["7 Redaction Row"], postcode = "LS98 1ZZ" }
            telecom = [{ value = "+44 (0)1632 960771", rank = 1 }, { system = "email", value = "zq@patient.example", rank = 2 }]
            "#,
        )
        .unwrap();
        keep_out(&Identifying::from(&patient));
        for (text, left) in [
            ("for 999 012 3454.", "for (NHS number)."),
            ("for 999-012-3454", "for (NHS number)"),
            ("for 9990123454|", "for (NHS number)|"),
            ("nhs-number%7C9990123454", "nhs-number%7C(NHS number)"),
            ("q=999%20012%203454&x", "q=(NHS number)&x"),
            ("9 9 9 0 0 0 0 0 1 8", "(NHS number)"),
            ("ZENOBIA Quillfeather", "(patient's name) (patient's name)"),
            ("Nye, Li", "(patient's name), (patient's name)"),
            ("anyelid Liverpool", "anyelid Liverpool"),
            ("ZOË O'BRIEN", "(patient's name) (patient's name)"),
            ("Zoe OBRIEN!", "(patient's name) (patient's name)!"),
            (
                "zoe\u{308} o\u{2019}brien",
                "(patient's name) (patient's name)",
            ),
            ("QUILLFEATHERNYE", "(patient's name)"),
            ("Nguyen or NGUYỄN", "(patient's name) or (patient's name)"),
            (
                "Authorization: Basic dW5pdC1hY2NvdW50OnBhJnNzPHfDtnJkPg==",
                "Authorization: Basic (encoded)",
            ),
            ("got eyJuYW1lIjoiWmVub2JpYSJ9Cg, no", "got (encoded), no"),
            ("cut yJuYW1lIjoiWmVub2JpYSJ9", "cut (encoded)"),
            ("number OTk5MDEyMzQ1NA==", "number (encoded)"),
            ("at /Patient/OTk5MDEyMzQ1NA no", "at (encoded) no"),
            ("id aGVsbG8gd29ybGQgYWdhaW4=", "id aGVsbG8gd29ybGQgYWdhaW4="),
            ("born 03/02/1951", "born (date of birth)"),
            ("born 3 February 1951!", "born (date of birth)!"),
            (
                "call 01632 960771 or 00441632960771",
                "call (telephone) or (telephone)",
            ),
            ("call +44 1632 960771.", "call (telephone)."),
            ("zq@patient.example", "(patient's address)"),
            (
                "7 redaction row, ls98 1zz",
                "(patient's address), (patient's address)",
            ),
            ("<p>pa&ss<wörd></p>", "<p>(password)</p>"),
            ("&lt;p>pa&amp;ss&lt;wörd&gt;", "&lt;p>(password)"),
            ("u=unit-account;", "u=(user name);"),
            (
                "Zo&#235; or Zo&#xEB; or Zo&euml;!",
                "(patient's name) or (patient's name) or (patient's name)!",
            ),
            ("O&rsquo;Brien", "O&rsquo;(patient's name)"),
            ("O&#39Brien", "(patient's name)"),
            (
                "n=Zo%C3%AB&m=Zo%EB",
                "n=(patient's name)&m=(patient's name)",
            ),
            ("a=7+Redaction%20Row", "a=(patient's address)"),
            (r"Zo\u00EB \u004eye", "(patient's name) (patient's name)"),
            (
                "Zo&amp;#235;, Zo%25C3%25AB",
                "(patient's name), (patient's name)",
            ),
            ("999&#48;1&#50;3454", "(NHS number)"),
            (
                "Latin Wm/r, Wm/rIGlz, Wm/rIE55ZSBp",
                "Latin Wm/r, (encoded), (encoded)",
            ),
            ("page Wm8mIzIzNTsgaXM=", "page (encoded)"),
            (
                "a &lt;p&gt; 100%25 &nothing; b+c",
                "a &lt;p&gt; 100%25 &nothing; b+c",
            ),
            // What only looks like it stays: a system, a service, a time, another id.
            ("ASID 918999000011", "ASID 918999000011"),
            ("2031-03-04T09:30:00Z", "2031-03-04T09:30:00Z"),
            (
                "5d2f1c1e-1111-4a4a-8b8b-000000000001",
                "5d2f1c1e-1111-4a4a-8b8b-000000000001",
            ),
        ] {
            assert_eq!(foreign(text, 500), left, "{text}");
        }
        let cut = format!("{}9990123454", "x".repeat(15));
        assert_eq!(foreign(&cut, 20), format!("{}(NHS ", "x".repeat(15)));
        assert_eq!(foreign("a\nb\u{7}c", 500), "a b c");
    }
}
