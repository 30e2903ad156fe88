//! Evaluates expressions over elements, with FHIRPath's three-valued logic.

use super::compare::{self, as_number, text_of};
use super::parser::{Expr, Operator, TypeTest};
use super::{PathError, Scope};
use crate::tree::{Element, Value};
use std::borrow::Cow;
use std::cmp::Ordering;

/// One member of a FHIRPath collection.
#[derive(Clone, Debug, PartialEq)]
pub enum Item<'a> {
    /// An element of the message.
    Node(&'a Element),
    /// A text made by the expression.
    Text(Cow<'a, str>),
    /// A number made by the expression.
    Number(f64),
    /// A boolean made by the expression.
    Boolean(bool),
}

/// Data types at the end of a choice element's name. Without them `period` would match `periodUnit`.
const CHOICE_TYPES: &[&str] = &[
    "Address",
    "Age",
    "Annotation",
    "Attachment",
    "Base64Binary",
    "Boolean",
    "Code",
    "CodeableConcept",
    "Coding",
    "ContactPoint",
    "Count",
    "Date",
    "DateTime",
    "Decimal",
    "Distance",
    "Duration",
    "HumanName",
    "Id",
    "Identifier",
    "Instant",
    "Integer",
    "Markdown",
    "Meta",
    "Money",
    "Oid",
    "Period",
    "PositiveInt",
    "Quantity",
    "Range",
    "Ratio",
    "Reference",
    "SampledData",
    "Signature",
    "String",
    "Time",
    "Timing",
    "UnsignedInt",
    "Uri",
    "Uuid",
];

/// The data type at the end of a choice element's name, if `base` is the name before it.
pub(super) fn choice_type<'a>(name: &'a str, base: &str) -> Option<&'a str> {
    let rest = name.strip_prefix(base)?;
    CHOICE_TYPES.contains(&rest).then_some(rest)
}

fn is_named(element: &Element, name: &str) -> bool {
    element.name() == name || choice_type(element.name(), name).is_some()
}

pub(super) struct Evaluation<'a> {
    pub(super) scope: Scope<'a>,
    pub(super) context: &'a Element,
}

impl<'a> Evaluation<'a> {
    pub(super) fn eval(
        &self,
        expr: &'a Expr,
        focus: &[Item<'a>],
    ) -> Result<Vec<Item<'a>>, PathError> {
        Ok(match expr {
            Expr::This => focus.to_vec(),
            Expr::Resource => vec![Item::Node(self.scope.resource)],
            Expr::Context => vec![Item::Node(self.context)],
            Expr::Text(text) => vec![Item::Text(Cow::Borrowed(text))],
            Expr::Number(digits) => vec![Item::Number(digits.parse().map_err(|_| NOT_A_NUMBER)?)],
            Expr::Boolean(b) => vec![Item::Boolean(*b)],
            Expr::Nothing => Vec::new(),
            Expr::Member(target, name) => self.member(target, name, focus)?,
            Expr::Index(target, index) => {
                let mut items = self.eval(target, focus)?;
                match self.eval(index, focus)?.first().and_then(as_number) {
                    Some(n) if n >= 0.0 && (n as usize) < items.len() => {
                        vec![items.swap_remove(n as usize)]
                    }
                    _ => Vec::new(),
                }
            }
            Expr::Call(target, function, arguments) => {
                self.call(target, *function, arguments, focus)?
            }
            Expr::Type(target, test, name) => type_test(self.eval(target, focus)?, *test, name),
            Expr::Minus(inner) => match self.eval(inner, focus)?.first() {
                Some(item) => vec![Item::Number(-as_number(item).ok_or(NOT_A_NUMBER)?)],
                None => Vec::new(),
            },
            Expr::Binary(operator, left, right) => self.binary(*operator, left, right, focus)?,
        })
    }

    /// The expression as a boolean, by FHIRPath's singleton rule.
    pub(super) fn truth(
        &self,
        expr: &'a Expr,
        focus: &[Item<'a>],
    ) -> Result<Option<bool>, PathError> {
        if let Expr::Binary(operator, left, right) = expr
            && let Some(answer) = self.logic(*operator, left, right, focus)?
        {
            return Ok(answer);
        }
        truth_of(&self.eval(expr, focus)?)
    }

    fn member(
        &self,
        target: &'a Expr,
        name: &'a str,
        focus: &[Item<'a>],
    ) -> Result<Vec<Item<'a>>, PathError> {
        let items = match target {
            Expr::This => Cow::Borrowed(focus),
            other => Cow::Owned(self.eval(other, focus)?),
        };
        let mut out = Vec::new();
        for item in items.iter() {
            let Item::Node(node) = item else { continue };
            // `Patient.name` from a Patient: the type's name means the focus itself.
            if *target == Expr::This && node.resource_type() == Some(name) {
                out.push(item.clone());
                continue;
            }
            out.extend(
                node.children()
                    .iter()
                    .filter(|c| is_named(c, name))
                    .map(Item::Node),
            );
        }
        Ok(out)
    }

    /// Logic operators; `None` for other operators.
    #[allow(clippy::type_complexity)]
    fn logic(
        &self,
        operator: Operator,
        left: &'a Expr,
        right: &'a Expr,
        focus: &[Item<'a>],
    ) -> Result<Option<Option<bool>>, PathError> {
        let decided = match operator {
            Operator::Or => Some(true),
            Operator::And | Operator::Implies => Some(false),
            Operator::Xor => None,
            _ => return Ok(None),
        };
        let a = self.truth(left, focus)?;
        if decided.is_some() && a == decided {
            return Ok(Some(Some(operator != Operator::And)));
        }
        let b = self.truth(right, focus)?;
        Ok(Some(match operator {
            Operator::Or if b == Some(true) => Some(true),
            Operator::And if b == Some(false) => Some(false),
            Operator::Implies if b == Some(true) => Some(true),
            Operator::Xor => a.zip(b).map(|(a, b)| a != b),
            Operator::Or => a.zip(b).map(|(a, b)| a || b),
            Operator::And => a.zip(b).map(|(a, b)| a && b),
            _ => a.zip(b).map(|(a, b)| !a || b),
        }))
    }

    fn binary(
        &self,
        operator: Operator,
        left: &'a Expr,
        right: &'a Expr,
        focus: &[Item<'a>],
    ) -> Result<Vec<Item<'a>>, PathError> {
        if let Some(answer) = self.logic(operator, left, right, focus)? {
            return Ok(answer.map(Item::Boolean).into_iter().collect());
        }
        let mut a = self.eval(left, focus)?;
        let b = self.eval(right, focus)?;
        let single = match operator {
            Operator::In => a.len() < 2,
            Operator::Contains => b.len() < 2,
            Operator::Union
            | Operator::Equal
            | Operator::NotEqual
            | Operator::Equivalent
            | Operator::NotEquivalent => true,
            _ => a.len() < 2 && b.len() < 2,
        };
        if !single {
            return Err(PathError::Evaluation(
                "one value is needed where there are several",
            ));
        }
        let answer = match operator {
            Operator::Union => {
                a.extend(b);
                return Ok(compare::distinct(a));
            }
            Operator::Join => {
                let join = |items: &[Item<'a>]| {
                    items.first().map(text_of).unwrap_or_default().into_owned()
                };
                return Ok(vec![Item::Text(Cow::Owned(join(&a) + &join(&b)))]);
            }
            Operator::Equivalent => Some(compare::equivalent(&a, &b)),
            Operator::NotEquivalent => Some(!compare::equivalent(&a, &b)),
            _ if a.is_empty() || b.is_empty() => match operator {
                // FHIRPath: an empty collection has no members; an empty left side is undecided.
                Operator::In if !a.is_empty() => Some(false),
                Operator::Contains if !b.is_empty() => Some(false),
                _ => None,
            },
            Operator::In => Some(
                b.iter()
                    .any(|item| compare::equal(&a[0], item) == Some(true)),
            ),
            Operator::Contains => Some(
                a.iter()
                    .any(|item| compare::equal(&b[0], item) == Some(true)),
            ),
            Operator::Equal => compare::equal_lists(&a, &b),
            Operator::NotEqual => compare::equal_lists(&a, &b).map(|same| !same),
            Operator::Less => compare::order(&a[0], &b[0])?.map(|o| o == Ordering::Less),
            Operator::LessEqual => compare::order(&a[0], &b[0])?.map(|o| o != Ordering::Greater),
            Operator::Greater => compare::order(&a[0], &b[0])?.map(|o| o == Ordering::Greater),
            Operator::GreaterEqual => compare::order(&a[0], &b[0])?.map(|o| o != Ordering::Less),
            _ => return arithmetic(operator, &a[0], &b[0]),
        };
        Ok(answer.map(Item::Boolean).into_iter().collect())
    }
}

pub(super) const NOT_A_NUMBER: PathError = PathError::Evaluation("a number is needed");

fn arithmetic<'a>(
    operator: Operator,
    a: &Item<'a>,
    b: &Item<'a>,
) -> Result<Vec<Item<'a>>, PathError> {
    let (x, y) = match (as_number(a), as_number(b)) {
        (Some(x), Some(y)) => (x, y),
        _ if operator == Operator::Add => {
            return Ok(vec![Item::Text(Cow::Owned(
                text_of(a).into_owned() + &text_of(b),
            ))]);
        }
        _ => return Err(NOT_A_NUMBER),
    };
    Ok(match operator {
        Operator::Add => vec![Item::Number(x + y)],
        Operator::Subtract => vec![Item::Number(x - y)],
        Operator::Multiply => vec![Item::Number(x * y)],
        Operator::Divide if y != 0.0 => vec![Item::Number(x / y)],
        _ => Vec::new(),
    })
}

/// Empty is undecided; a boolean is itself; any other single item is true.
pub(super) fn truth_of(items: &[Item<'_>]) -> Result<Option<bool>, PathError> {
    match items {
        [] => Ok(None),
        [Item::Boolean(b)] => Ok(Some(*b)),
        [Item::Node(node)] => Ok(match node.value() {
            Some(Value::Boolean(b)) => Some(*b),
            _ => Some(true),
        }),
        [_] => Ok(Some(true)),
        _ => Err(PathError::Evaluation(
            "one value is needed where there are several",
        )),
    }
}

fn type_test<'a>(items: Vec<Item<'a>>, test: TypeTest, name: &str) -> Vec<Item<'a>> {
    let is = |item: &Item<'a>| match item {
        Item::Boolean(_) => name.eq_ignore_ascii_case("boolean"),
        Item::Text(_) => name.eq_ignore_ascii_case("string"),
        Item::Number(_) => matches!(name, "Integer" | "integer" | "Decimal" | "decimal"),
        Item::Node(node) => {
            node.resource_type() == Some(name)
                || CHOICE_TYPES
                    .iter()
                    .any(|t| t.eq_ignore_ascii_case(name) && node.name().ends_with(t))
        }
    };
    match test {
        TypeTest::Is => items
            .first()
            .map(|item| Item::Boolean(is(item)))
            .into_iter()
            .collect(),
        TypeTest::As => items.into_iter().filter(is).collect(),
    }
}
