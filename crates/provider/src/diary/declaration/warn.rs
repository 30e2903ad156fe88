//! Warns of declarations that are legal but have no effect, and says what was probably meant. `apply`, its dry run and
//! `doctor` show the warnings.

mod days;
mod rights;

use super::{Address, Declaration};
use booking::nearest::nearest;
use jiff::civil::Date;
use serde::Serialize;
use std::fmt;

/// Most warnings reported at once.
const MAX_WARNINGS: usize = 50;

/// A declaration without effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// The kind of thing, such as `template`.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// What has no effect, and what was probably meant.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[[{}]] `{}`: {}", self.kind, self.id, self.message)
    }
}

/// All warnings for a declaration, from a file or from the store.
pub fn warnings(declaration: &Declaration, today: Date) -> Vec<Warning> {
    let mut found = Vec::new();
    addresses(declaration, &mut found);
    rights::rights(declaration, today, &mut found);
    days::days(declaration, today, &mut found);
    found.truncate(MAX_WARNINGS);
    found
}

fn warning(kind: &'static str, id: &str, message: String) -> Warning {
    Warning {
        kind,
        id: id.to_owned(),
        message,
    }
}

fn did_you_mean<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> String {
    match nearest(wrong, known.filter(|k| *k != wrong)) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => String::new(),
    }
}

/// Whether the text has the form of a postcode: 1 or 2 letters, a digit, maybe a letter or digit, a digit, 2 letters.
fn is_postcode(text: &str) -> bool {
    let plain: Vec<u8> = text
        .bytes()
        .filter(|b| *b != b' ')
        .map(|b| b.to_ascii_uppercase())
        .collect();
    let Some((outward, inward)) = plain.len().checked_sub(3).map(|at| plain.split_at(at)) else {
        return false;
    };
    let letter = |b: &u8| b.is_ascii_uppercase();
    let digit = |b: &u8| b.is_ascii_digit();
    let inward_fits = matches!(inward, [a, b, c] if digit(a) && letter(b) && letter(c));
    let area = outward.iter().take_while(|b| letter(b)).count();
    let district = outward.get(area..).unwrap_or_default();
    let district_fits = match district {
        [first] => digit(first),
        [first, second] => digit(first) && (digit(second) || letter(second)),
        _ => false,
    };
    inward_fits && (1..=2).contains(&area) && district_fits
}

fn addresses(d: &Declaration, found: &mut Vec<Warning>) {
    let of_organizations = d
        .organizations
        .iter()
        .filter_map(|o| Some(("organization", o.id.as_str(), o.address.as_ref()?)));
    let of_locations = d
        .locations
        .iter()
        .map(|l| ("location", l.id.as_str(), &l.address));
    let all: Vec<(&'static str, &str, &Address)> = of_organizations.chain(of_locations).collect();
    for (kind, id, address) in &all {
        let postcode = address.postcode.as_str();
        if is_postcode(postcode) {
            continue;
        }
        let known = all.iter().map(|(_, _, a)| a.postcode.as_str());
        let hint = did_you_mean(postcode, known.filter(|p| is_postcode(p)));
        found.push(warning(
            kind,
            id,
            format!("`{postcode}` is not a postcode, which looks like LS99 9ZA{hint}"),
        ));
    }
}
