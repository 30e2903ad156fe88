//! FHIRPath, limited to what the invariants of STU3 and of profiles use.
//!
//! An expression is parsed once and evaluated over [`Element`]s. Anything unknown is refused by the parser, never skipped
//! by the evaluator.

mod compare;
mod eval;
mod functions;
mod lexer;
mod parser;

use crate::tree::Element;

pub use eval::Item;

/// Deepest nesting of an expression; invariants have less than ten levels.
pub(crate) const MAX_DEPTH: usize = 64;

/// Why an expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The text is not FHIRPath, or uses something this evaluator does not know.
    #[error("cannot read the FHIRPath expression at character {at}: {message}")]
    Syntax {
        /// Offset in bytes, from 0.
        at: usize,
        /// What is wrong.
        message: String,
    },
    /// The expression cannot be applied to this content, such as text where a number is needed.
    #[error("cannot evaluate the FHIRPath expression: {0}")]
    Evaluation(&'static str),
}

/// The meaning of `%resource` and `resolve()` in one evaluation.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The resource that the element is part of.
    pub resource: &'a Element,
    /// The resource with the `contained` list for local references (`#id`).
    pub container: &'a Element,
}

/// A parsed expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    root: parser::Expr,
}

impl Expression {
    /// Parses an expression.
    pub fn parse(text: &str) -> Result<Expression, PathError> {
        Ok(Expression {
            root: parser::parse(text)?,
        })
    }

    /// Everything that the expression yields for an element.
    pub fn evaluate<'a>(
        &'a self,
        focus: &'a Element,
        scope: Scope<'a>,
    ) -> Result<Vec<Item<'a>>, PathError> {
        eval::Evaluation {
            scope,
            context: focus,
        }
        .eval(&self.root, &[Item::Node(focus)])
    }

    /// Whether the expression holds for an element. `None`: FHIRPath's answer is empty, so an invariant is undecided (part
    /// of a comparison is absent or too vague).
    pub fn holds(&self, focus: &Element, scope: Scope<'_>) -> Result<Option<bool>, PathError> {
        let evaluation = eval::Evaluation {
            scope,
            context: focus,
        };
        evaluation.truth(&self.root, &[Item::Node(focus)])
    }
}

#[cfg(test)]
mod tests;
