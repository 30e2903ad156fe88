//! Search filters (RFC 4511, section 4.5.1.7): three-valued, as an unknown attribute makes neither true nor false.

use super::dn::{self, normal};
use super::tree::{ATTRIBUTES, Entry};
use ldap3_proto::proto::{LdapFilter, LdapMatchingRuleAssertion, LdapSubstringFilter};

/// Most terms of one filter; those of the Standard have three.
pub const MAX_TERMS: usize = 256;

/// A filter ready to be asked many times: its values are in comparable form.
#[derive(Debug)]
pub enum Filter {
    /// All of them; of none: true (RFC 4526).
    And(Vec<Filter>),
    /// One of them; of none: false.
    Or(Vec<Filter>),
    /// The contrary.
    Not(Box<Filter>),
    /// Attribute and value.
    Equal(String, String),
    /// Attribute, start, parts in order, end.
    Parts(String, Option<String>, Vec<String>, Option<String>),
    /// Attribute and least value.
    AtLeast(String, String),
    /// Attribute and greatest value.
    AtMost(String, String),
    /// Attribute.
    Present(String),
    /// Rule, attribute (none: any), value as given, also in the name.
    Rule(Match, Option<String>, String, bool),
    /// Asks what the directory cannot know.
    Undefined,
}

/// A matching rule.
#[derive(Clone, Copy, Debug)]
pub enum Match {
    /// Without case.
    Ignore,
    /// Byte for byte.
    Exact,
    /// As names.
    Name,
}

/// Prepares a filter. `None`: it has more than [`MAX_TERMS`] terms.
pub fn prepare(filter: &LdapFilter) -> Option<Filter> {
    let mut left = MAX_TERMS;
    prepared(filter, &mut left)
}

fn prepared(filter: &LdapFilter, left: &mut usize) -> Option<Filter> {
    *left = left.checked_sub(1)?;
    let mut all = |list: &[LdapFilter]| -> Option<Vec<Filter>> {
        list.iter().map(|f| prepared(f, left)).collect()
    };
    Some(match filter {
        LdapFilter::And(list) => Filter::And(all(list)?),
        LdapFilter::Or(list) => Filter::Or(all(list)?),
        LdapFilter::Not(inner) => Filter::Not(Box::new(prepared(inner, left)?)),
        // The directory has no phonetic matching; RFC 4511 then wants equality.
        LdapFilter::Equality(name, value) | LdapFilter::Approx(name, value) => {
            known(name).map_or(Filter::Undefined, |name| match name.as_str() {
                "entrydn" | "subschemasubentry" => {
                    Filter::Rule(Match::Name, Some(name), value.clone(), false)
                }
                _ => Filter::Equal(name, normal(value)),
            })
        }
        LdapFilter::Substring(name, parts) => {
            known(name).map_or(Filter::Undefined, |name| substring(name, parts))
        }
        LdapFilter::GreaterOrEqual(name, value) => known(name).map_or(Filter::Undefined, |name| {
            Filter::AtLeast(name, normal(value))
        }),
        LdapFilter::LessOrEqual(name, value) => known(name).map_or(Filter::Undefined, |name| {
            Filter::AtMost(name, normal(value))
        }),
        LdapFilter::Present(name) => known(name).map_or(Filter::Undefined, Filter::Present),
        LdapFilter::Extensible(asked) => extensible(asked),
    })
}

fn substring(name: String, parts: &LdapSubstringFilter) -> Filter {
    let own = |text: &String| text.to_lowercase();
    Filter::Parts(
        name,
        parts.initial.as_ref().map(own),
        parts.any.iter().map(own).collect(),
        parts.final_.as_ref().map(own),
    )
}

fn extensible(asked: &LdapMatchingRuleAssertion) -> Filter {
    let rule = match asked.matching_rule.as_deref() {
        None => Match::Ignore,
        Some(rule) => match rule.to_ascii_lowercase().as_str() {
            "caseignorematch"
            | "2.5.13.2"
            | "objectidentifiermatch"
            | "2.5.13.0"
            | "numericstringmatch"
            | "2.5.13.8"
            | "caseignoreia5match"
            | "1.3.6.1.4.1.1466.109.114.2" => Match::Ignore,
            "caseexactmatch" | "2.5.13.5" | "caseexactia5match" | "1.3.6.1.4.1.1466.109.114.1" => {
                Match::Exact
            }
            "distinguishednamematch" | "2.5.13.1" => Match::Name,
            _ => return Filter::Undefined,
        },
    };
    let attribute = match asked.type_.as_deref() {
        None => None,
        Some(name) => match known(name) {
            None => return Filter::Undefined,
            known => known,
        },
    };
    Filter::Rule(
        rule,
        attribute,
        asked.match_value.clone(),
        asked.dn_attributes,
    )
}

/// The comparable name of an attribute that the directory knows. One with options (`;binary`) has no values here.
pub fn known(name: &str) -> Option<String> {
    ATTRIBUTES
        .iter()
        .find(|known| known.eq_ignore_ascii_case(name.trim()))
        .map(|known| known.to_ascii_lowercase())
}

impl Filter {
    /// True, false, or `None` for what cannot be said.
    pub fn test(&self, entry: &Entry) -> Option<bool> {
        let values = |name: &str| {
            entry
                .attribute(name)
                .map_or(&[][..], |a| a.normal.as_slice())
        };
        match self {
            Filter::And(list) => {
                let mut all = Some(true);
                for filter in list {
                    match filter.test(entry) {
                        Some(false) => return Some(false),
                        None => all = None,
                        Some(true) => {}
                    }
                }
                all
            }
            Filter::Or(list) => {
                let mut any = Some(false);
                for filter in list {
                    match filter.test(entry) {
                        Some(true) => return Some(true),
                        None => any = None,
                        Some(false) => {}
                    }
                }
                any
            }
            Filter::Not(filter) => filter.test(entry).map(|is| !is),
            Filter::Equal(name, wanted) => Some(values(name).contains(wanted)),
            Filter::AtLeast(name, wanted) => Some(values(name).iter().any(|v| v >= wanted)),
            Filter::AtMost(name, wanted) => Some(values(name).iter().any(|v| v <= wanted)),
            Filter::Present(name) => Some(entry.attribute(name).is_some()),
            Filter::Parts(name, start, parts, end) => Some(
                values(name)
                    .iter()
                    .any(|v| holds(v, start.as_deref(), parts, end.as_deref())),
            ),
            Filter::Rule(rule, name, wanted, in_name) => {
                Some(rule.test(entry, name.as_deref(), wanted, *in_name))
            }
            Filter::Undefined => None,
        }
    }

    /// Values that the filter demands of an attribute, wherever they stand in it.
    pub fn demanded<'a>(&'a self, name: &str, found: &mut Vec<&'a str>) {
        match self {
            Filter::And(list) | Filter::Or(list) => {
                for filter in list {
                    filter.demanded(name, found);
                }
            }
            Filter::Equal(held, value) if held == name => found.push(value),
            _ => {}
        }
    }
}

impl Match {
    fn test(self, entry: &Entry, name: Option<&str>, wanted: &str, in_name: bool) -> bool {
        let same = |value: &str| match self {
            Match::Ignore => normal(value) == normal(wanted),
            Match::Exact => value == wanted,
            Match::Name => match (dn::parse(value), dn::parse(wanted)) {
                (Some(one), Some(other)) => one == other,
                _ => false,
            },
        };
        let in_values = entry
            .attributes
            .iter()
            .filter(|a| name.is_none_or(|name| a.key == name))
            .any(|a| a.values.iter().any(|v| same(v)));
        in_values
            || (in_name
                && entry
                    .key
                    .iter()
                    .flat_map(|part| part.split('+'))
                    .any(|pair| {
                        pair.split_once('=').is_some_and(|(held, value)| {
                            name.is_none_or(|name| held == name) && value == normal(wanted)
                        })
                    }))
    }
}

/// True when the value starts so, holds the parts in this order, none overlapping, and ends so.
fn holds(value: &str, start: Option<&str>, parts: &[String], end: Option<&str>) -> bool {
    let Some(mut rest) = value.strip_prefix(start.unwrap_or_default()) else {
        return false;
    };
    for part in parts {
        match rest.find(part.as_str()) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(end.unwrap_or_default())
}
