//! The functions that invariants use.

use super::PathError;
use super::compare::{self, as_number, text_of};
use super::eval::{Evaluation, Item, NOT_A_NUMBER};
use super::parser::Expr;
use crate::primitive::check_narrative;
use crate::tree::Element;
use std::borrow::Cow;
use std::ops::RangeInclusive;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    All,
    Children,
    Contains,
    Count,
    Descendants,
    Distinct,
    Empty,
    EndsWith,
    Exists,
    First,
    HasValue,
    HtmlChecks,
    Iif,
    IsDistinct,
    Last,
    Length,
    Not,
    Resolve,
    Select,
    StartsWith,
    Substring,
    Tail,
    ToInteger,
    ToText,
    Trace,
    Where,
}

impl Function {
    pub(super) fn named(name: &str) -> Option<Function> {
        Some(match name {
            "all" => Function::All,
            "children" => Function::Children,
            "contains" => Function::Contains,
            "count" => Function::Count,
            "descendants" => Function::Descendants,
            "distinct" => Function::Distinct,
            "empty" => Function::Empty,
            "endsWith" => Function::EndsWith,
            "exists" => Function::Exists,
            "first" => Function::First,
            "hasValue" => Function::HasValue,
            "htmlchecks" | "htmlChecks" => Function::HtmlChecks,
            "iif" => Function::Iif,
            "isDistinct" => Function::IsDistinct,
            "last" => Function::Last,
            "length" => Function::Length,
            "not" => Function::Not,
            "resolve" => Function::Resolve,
            "select" => Function::Select,
            "startsWith" => Function::StartsWith,
            "substring" => Function::Substring,
            "tail" => Function::Tail,
            "toInteger" => Function::ToInteger,
            "toString" => Function::ToText,
            "trace" => Function::Trace,
            "where" => Function::Where,
            _ => return None,
        })
    }

    /// Number of its arguments.
    pub(super) fn arguments(self) -> RangeInclusive<usize> {
        match self {
            Function::All
            | Function::Contains
            | Function::EndsWith
            | Function::Select
            | Function::StartsWith
            | Function::Where => 1..=1,
            Function::Exists => 0..=1,
            Function::Substring | Function::Trace => 1..=2,
            Function::Iif => 2..=3,
            _ => 0..=0,
        }
    }
}

impl<'a> Evaluation<'a> {
    pub(super) fn call(
        &self,
        target: &'a Expr,
        function: Function,
        arguments: &'a [Expr],
        focus: &[Item<'a>],
    ) -> Result<Vec<Item<'a>>, PathError> {
        let input = self.eval(target, focus)?;
        match function {
            Function::Exists
            | Function::Empty
            | Function::Not
            | Function::All
            | Function::HasValue => self.ask(function, arguments, &input),
            Function::Contains
            | Function::StartsWith
            | Function::EndsWith
            | Function::Substring => self.text(function, arguments, &input, focus),
            Function::Where => {
                let mut kept = Vec::new();
                for item in input {
                    if self.each(arguments, &item)? == Some(true) {
                        kept.push(item);
                    }
                }
                Ok(kept)
            }
            Function::Select => {
                let mut out = Vec::new();
                for item in input {
                    for argument in arguments {
                        out.extend(self.eval(argument, std::slice::from_ref(&item))?);
                    }
                }
                Ok(out)
            }
            Function::Iif => {
                let chosen = match arguments
                    .first()
                    .map(|test| self.truth(test, focus))
                    .transpose()?
                {
                    Some(Some(true)) => arguments.get(1),
                    _ => arguments.get(2),
                };
                chosen.map_or(Ok(Vec::new()), |argument| self.eval(argument, focus))
            }
            Function::Resolve => Ok(input
                .iter()
                .filter_map(|item| self.resolve(item))
                .map(Item::Node)
                .collect()),
            _ => Ok(plain(function, input)),
        }
    }

    /// Functions with a boolean result.
    fn ask(
        &self,
        function: Function,
        arguments: &'a [Expr],
        input: &[Item<'a>],
    ) -> Result<Vec<Item<'a>>, PathError> {
        let answer = match function {
            Function::Empty => input.is_empty(),
            Function::HasValue => matches!(input, [Item::Node(n)] if n.value().is_some()),
            Function::Not => match super::eval::truth_of(input)? {
                Some(b) => !b,
                None => return Ok(Vec::new()),
            },
            Function::Exists if arguments.is_empty() => !input.is_empty(),
            Function::Exists => {
                let mut found = false;
                for item in input {
                    found |= self.each(arguments, item)? == Some(true);
                }
                found
            }
            _ => {
                let mut all = true;
                for item in input {
                    all &= self.each(arguments, item)? == Some(true);
                }
                all
            }
        };
        Ok(vec![Item::Boolean(answer)])
    }

    /// Functions on one text.
    fn text(
        &self,
        function: Function,
        arguments: &'a [Expr],
        input: &[Item<'a>],
        focus: &[Item<'a>],
    ) -> Result<Vec<Item<'a>>, PathError> {
        let [item] = input else {
            return match input {
                [] => Ok(Vec::new()),
                _ => Err(PathError::Evaluation(
                    "one text is needed where there are several",
                )),
            };
        };
        let text = text_of(item);
        let mut values = Vec::new();
        for argument in arguments {
            values.push(self.eval(argument, focus)?.into_iter().next());
        }
        let Some(Some(first)) = values.first() else {
            return Ok(Vec::new());
        };
        Ok(vec![match function {
            Function::Contains => Item::Boolean(text.contains(text_of(first).as_ref())),
            Function::StartsWith => Item::Boolean(text.starts_with(text_of(first).as_ref())),
            Function::EndsWith => Item::Boolean(text.ends_with(text_of(first).as_ref())),
            _ => {
                let start = as_number(first).ok_or(NOT_A_NUMBER)?;
                let length = values
                    .get(1)
                    .and_then(Option::as_ref)
                    .map(|n| as_number(n).ok_or(NOT_A_NUMBER))
                    .transpose()?;
                if start < 0.0 || start >= text.chars().count() as f64 {
                    return Ok(Vec::new());
                }
                let rest = text.chars().skip(start as usize);
                Item::Text(Cow::Owned(match length {
                    Some(n) => rest.take(n.max(0.0) as usize).collect(),
                    None => rest.collect(),
                }))
            }
        }])
    }

    /// The first argument, with one item as its focus.
    fn each(&self, arguments: &'a [Expr], item: &Item<'a>) -> Result<Option<bool>, PathError> {
        match arguments.first() {
            Some(criteria) => self.truth(criteria, std::slice::from_ref(item)),
            None => Ok(Some(true)),
        }
    }

    /// The contained resource that a reference (element or its text) names. Others are outside the message.
    fn resolve(&self, item: &Item<'a>) -> Option<&'a Element> {
        let text = match item {
            Item::Node(node) => node.as_str().or_else(|| node.str_of("reference"))?,
            Item::Text(text) => text,
            _ => return None,
        };
        let id = text.strip_prefix('#')?;
        self.scope
            .container
            .all("contained")
            .find(|c| c.str_of("id") == Some(id))
    }
}

/// Functions of the collection alone.
fn plain(function: Function, mut input: Vec<Item<'_>>) -> Vec<Item<'_>> {
    let first = input.first();
    let one = match function {
        Function::Count => Some(Item::Number(input.len() as f64)),
        Function::IsDistinct => {
            let before = input.len();
            Some(Item::Boolean(compare::distinct(input).len() == before))
        }
        Function::HtmlChecks => {
            let good = input.iter().all(|i| check_narrative(&text_of(i)).is_ok());
            Some(Item::Boolean(good))
        }
        Function::Length => first.map(|i| Item::Number(text_of(i).chars().count() as f64)),
        Function::ToText => first.map(|i| Item::Text(text_of(i))),
        Function::ToInteger => first
            .and_then(|i| as_number(i).or_else(|| text_of(i).parse::<i32>().ok().map(f64::from)))
            .map(Item::Number),
        Function::Last => input.pop(),
        Function::First => input.into_iter().next(),
        Function::Tail => return input.into_iter().skip(1).collect(),
        Function::Distinct => return compare::distinct(input),
        Function::Children => {
            return nodes(&input)
                .flat_map(|n| n.children())
                .map(Item::Node)
                .collect();
        }
        Function::Descendants => {
            let mut out = Vec::new();
            nodes(&input).for_each(|n| descend(n, &mut out));
            return out;
        }
        // `trace` returns its input; all others were handled before.
        _ => return input,
    };
    one.into_iter().collect()
}

fn nodes<'a, 'b>(items: &'b [Item<'a>]) -> impl Iterator<Item = &'a Element> + 'b {
    items.iter().filter_map(|item| match item {
        Item::Node(node) => Some(*node),
        _ => None,
    })
}

fn descend<'a>(node: &'a Element, out: &mut Vec<Item<'a>>) {
    for child in node.children() {
        out.push(Item::Node(child));
        descend(child, out);
    }
}
