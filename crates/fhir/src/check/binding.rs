//! Checks codes against value sets.

use super::compiled::{Bound, Type};
use super::walk::Walk;
use crate::issue::{IssueCode, Severity};
use crate::schema::Strength;
use crate::tree::Element;

/// Codes listed in a message; the others are counted.
const LISTED_CODES: usize = 10;

/// A longer code is quoted in part only: it may be free text about a person.
const QUOTED_CHARS: usize = 40;

impl<'a> Walk<'a> {
    /// Checks a code, Coding, CodeableConcept or Quantity against a value set.
    pub(super) fn binding(
        &mut self,
        element: &'a Element,
        of: &'a Type,
        bound: &'a Bound,
        profile: &str,
    ) {
        match of.name {
            "code" | "uri" | "string" | "id" => {
                let Some(code) = element.as_str() else { return };
                if !bound.set.contains(None, code) {
                    self.not_in_set(element, &[code], bound, profile);
                }
            }
            "Coding" | "Quantity" => {
                let coded = element.get("code").is_some() || bound.strength == Strength::Required;
                let code = element.str_of("code");
                if coded && !holds(bound, element) {
                    self.not_in_set(element, code.as_slice(), bound, profile);
                }
            }
            "CodeableConcept" => {
                let codings = || element.children().iter().filter(|c| c.name() == "coding");
                let empty = codings().next().is_none();
                if codings().any(|c| holds(bound, c))
                    || (empty && bound.strength != Strength::Required)
                {
                    return;
                }
                let codes: Vec<&str> = codings().filter_map(|c| c.str_of("code")).collect();
                self.not_in_set(element, &codes, bound, profile);
            }
            _ => {}
        }
    }

    /// Reports a Coding whose code is not in its complete code system.
    pub(super) fn undefined_code(&mut self, coding: &'a Element) {
        let system = coding
            .str_of("system")
            .and_then(|system| self.compiled.code_systems.get(system));
        let (Some(system), Some(code)) = (system, coding.str_of("code")) else {
            return;
        };
        if system.defines(code) {
            return;
        }
        let named = match code.chars().count() <= QUOTED_CHARS && crate::primitive::is_code(code) {
            true => format!("`{code}`"),
            false => "the code".to_owned(),
        };
        let more = if system.codes.len() > LISTED_CODES {
            ", …"
        } else {
            ""
        };
        let right = &system.codes[..system.codes.len().min(LISTED_CODES)];
        let message = format!(
            "{named} is not defined in {}; right would be one of {}{more}",
            system.url,
            right.join(", ")
        );
        self.error(coding, IssueCode::CodeInvalid, message, "");
    }

    fn not_in_set(
        &mut self,
        element: &'a Element,
        codes: &[&str],
        bound: &'a Bound,
        profile: &str,
    ) {
        let severity = match bound.strength {
            Strength::Required => Severity::Error,
            _ => Severity::Warning,
        };
        let given = match codes {
            [] => "no code is given".to_owned(),
            [code] if code.chars().count() <= QUOTED_CHARS && crate::primitive::is_code(code) => {
                format!("`{code}` is not in the value set")
            }
            _ => "the code is not in the value set".to_owned(),
        };
        let mut right: Vec<&str> = bound.set.codes().take(LISTED_CODES + 1).collect();
        let more = if right.len() > LISTED_CODES {
            ", …"
        } else {
            ""
        };
        right.truncate(LISTED_CODES);
        let should = match bound.strength {
            Strength::Required => "right would be one of",
            _ => "if one fits, use one of",
        };
        let message = format!("{given} {}; {should} {}{more}", bound.url, right.join(", "));
        self.add(element, severity, IssueCode::CodeInvalid, message, profile);
    }
}

fn holds(bound: &Bound, coding: &Element) -> bool {
    coding
        .str_of("code")
        .is_some_and(|code| bound.set.contains(coding.str_of("system"), code))
}
