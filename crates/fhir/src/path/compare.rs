//! Equality and order of items: numbers by value, dates by the span that they cover, all else as text.

use super::PathError;
use super::eval::Item;
use crate::primitive::DateTime;
use crate::tree::{Element, Value};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashSet;

/// Largest offset of local time. A date without offset is this vague beside a time with one.
const ANYWHERE: SignedDuration = SignedDuration::from_hours(14);

/// The text of an item; empty for an element without value.
pub(super) fn text_of<'a>(item: &Item<'a>) -> Cow<'a, str> {
    match item {
        Item::Node(node) => Cow::Borrowed(node.as_str().unwrap_or_default()),
        Item::Text(text) => text.clone(),
        Item::Number(n) => Cow::Owned(n.to_string()),
        Item::Boolean(b) => Cow::Borrowed(if *b { "true" } else { "false" }),
    }
}

/// The number of an item; text that looks like a number has none.
pub(super) fn as_number(item: &Item<'_>) -> Option<f64> {
    match item {
        Item::Number(n) => Some(*n),
        Item::Node(node) => match node.value() {
            Some(Value::Number(digits)) => digits.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// `=` of two items; `None` if undecided.
pub(super) fn equal(a: &Item<'_>, b: &Item<'_>) -> Option<bool> {
    if let (Item::Node(x), Item::Node(y)) = (a, b)
        && (x.value().is_none() || y.value().is_none())
    {
        return Some(same_content(x, y));
    }
    match (as_number(a), as_number(b)) {
        (Some(x), Some(y)) => Some(x == y),
        _ => Some(text_of(a) == text_of(b)),
    }
}

/// Equal apart from their names.
fn same_content(a: &Element, b: &Element) -> bool {
    a.value() == b.value() && a.children() == b.children() && a.resource_type() == b.resource_type()
}

/// `=` of two collections: same length, same members in the same order.
pub(super) fn equal_lists(a: &[Item<'_>], b: &[Item<'_>]) -> Option<bool> {
    if a.len() != b.len() {
        return Some(false);
    }
    let mut known = Some(true);
    for (x, y) in a.iter().zip(b) {
        match equal(x, y) {
            Some(false) => return Some(false),
            None => known = None,
            Some(true) => {}
        }
    }
    known
}

/// `~`: same members in any order, ignoring case and spaces.
pub(super) fn equivalent(a: &[Item<'_>], b: &[Item<'_>]) -> bool {
    let like = |x: &Item<'_>, y: &Item<'_>| match (x, y) {
        (Item::Node(n), Item::Node(m)) if n.value().is_none() || m.value().is_none() => {
            same_content(n, m)
        }
        _ => {
            let (x, y) = (text_of(x).to_lowercase(), text_of(y).to_lowercase());
            x.split_whitespace().eq(y.split_whitespace())
        }
    };
    a.len() == b.len() && a.iter().all(|x| b.iter().any(|y| like(x, y)))
}

/// The first of each set of equal items.
pub(super) fn distinct(items: Vec<Item<'_>>) -> Vec<Item<'_>> {
    if items.len() < 2 {
        return items;
    }
    let mut seen: HashSet<String> = HashSet::with_capacity(items.len());
    let mut elements: Vec<&Element> = Vec::new();
    items
        .into_iter()
        .filter(|item| match item {
            Item::Node(node) if node.value().is_none() => {
                let new = !elements.iter().any(|e| same_content(e, node));
                if new {
                    elements.push(node);
                }
                new
            }
            _ => seen.insert(text_of(item).into_owned()),
        })
        .collect()
}

/// Order of two single values; `None` if one is too vague.
pub(super) fn order(a: &Item<'_>, b: &Item<'_>) -> Result<Option<Ordering>, PathError> {
    if let (Some(x), Some(y)) = (as_number(a), as_number(b)) {
        return Ok(x.partial_cmp(&y));
    }
    if let (Some(x), Some(y)) = (quantity(a), quantity(b)) {
        return Ok(if x.1 == y.1 {
            x.0.partial_cmp(&y.0)
        } else {
            None
        });
    }
    let (x, y) = (text_of(a), text_of(b));
    if x.is_empty() || y.is_empty() {
        return Ok(None);
    }
    match (DateTime::parse(&x), DateTime::parse(&y)) {
        (Ok(x), Ok(y)) => Ok(order_of_times(&x, &y)),
        // Broken dates are reported elsewhere; they have no order.
        _ if x.starts_with(|c: char| c.is_ascii_digit())
            && y.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            Ok(None)
        }
        _ => Ok(Some(x.cmp(&y))),
    }
}

/// Number and unit of a Quantity.
fn quantity<'a>(item: &Item<'a>) -> Option<(f64, Option<&'a str>)> {
    let Item::Node(node) = item else { return None };
    let number = as_number(&Item::Node(node.get("value")?))?;
    Some((number, node.str_of("code").or_else(|| node.str_of("unit"))))
}

fn order_of_times(a: &DateTime, b: &DateTime) -> Option<Ordering> {
    let zone = TimeZone::UTC;
    let (mut x, mut y) = (a.range(&zone), b.range(&zone));
    if a.has_offset() != b.has_offset() {
        let vague = if a.has_offset() { &mut y } else { &mut x };
        vague.0 = vague.0.checked_sub(ANYWHERE).unwrap_or(Timestamp::MIN);
        vague.1 = vague.1.checked_add(ANYWHERE).unwrap_or(Timestamp::MAX);
    }
    match () {
        () if x == y => Some(Ordering::Equal),
        // Times with offset are compared as moments, whatever their precision.
        () if a.has_offset() && b.has_offset() => Some(x.0.cmp(&y.0)),
        () if x.1 <= y.0 => Some(Ordering::Less),
        () if y.1 <= x.0 => Some(Ordering::Greater),
        () => None,
    }
}
