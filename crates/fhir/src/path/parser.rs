//! Parses words into an expression tree, by FHIRPath's order of precedence.

use super::functions::Function;
use super::lexer::{Token, error, tokens};
use super::{MAX_DEPTH, PathError};
use smol_str::SmolStr;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    /// The focus: `$this`, or the implied start of a path.
    This,
    /// `%resource`, `%rootResource`.
    Resource,
    /// `%context`.
    Context,
    Text(SmolStr),
    Number(SmolStr),
    Boolean(bool),
    /// `{}`
    Nothing,
    /// The children of that name.
    Member(Box<Expr>, SmolStr),
    /// The n-th item.
    Index(Box<Expr>, Box<Expr>),
    Call(Box<Expr>, Function, Vec<Expr>),
    /// `is` and `as`, as operator or function.
    Type(Box<Expr>, TypeTest, SmolStr),
    Minus(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TypeTest {
    Is,
    As,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Implies,
    Or,
    Xor,
    And,
    In,
    Contains,
    Equal,
    NotEqual,
    Equivalent,
    NotEquivalent,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Union,
    Add,
    Subtract,
    Join,
    Multiply,
    Divide,
}

/// Loosest first. The type operators come between union and addition.
const LEVELS: &[&[(&str, Operator)]] = &[
    &[("implies", Operator::Implies)],
    &[("or", Operator::Or), ("xor", Operator::Xor)],
    &[("and", Operator::And)],
    &[("in", Operator::In), ("contains", Operator::Contains)],
    &[
        ("=", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("~", Operator::Equivalent),
        ("!~", Operator::NotEquivalent),
    ],
    &[
        ("<=", Operator::LessEqual),
        ("<", Operator::Less),
        (">=", Operator::GreaterEqual),
        (">", Operator::Greater),
    ],
    &[("|", Operator::Union)],
    &[
        ("+", Operator::Add),
        ("-", Operator::Subtract),
        ("&", Operator::Join),
    ],
    &[("*", Operator::Multiply), ("/", Operator::Divide)],
];

/// Index in [`LEVELS`] at which `is` and `as` bind.
const TYPE_LEVEL: usize = 7;

pub(super) fn parse(text: &str) -> Result<Expr, PathError> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        next: 0,
        depth: 0,
    };
    let expr = parser.level(0)?;
    match parser.peek() {
        Token::End => Ok(expr),
        _ => Err(parser.error("the expression should end here")),
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::End, |t| &t.1)
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    fn error(&self, message: impl Into<String>) -> PathError {
        error(self.tokens.get(self.next).map_or(0, |t| t.0), message)
    }

    fn is(&self, word: &str) -> bool {
        match self.peek() {
            Token::Sign(sign) => *sign == word,
            Token::Name(name) => name == word,
            _ => false,
        }
    }

    fn accept(&mut self, word: &str) -> bool {
        let found = self.is(word);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), PathError> {
        match self.accept(sign) {
            true => Ok(()),
            false => Err(self.error(format!("{sign} is needed"))),
        }
    }

    fn level(&mut self, level: usize) -> Result<Expr, PathError> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.level(level + 1)?;
        loop {
            if level == TYPE_LEVEL - 1 {
                while let Some(test) = self.type_operator() {
                    left = Expr::Type(Box::new(left), test, self.type_name()?);
                }
            }
            let Some((_, operator)) = operators.iter().find(|(word, _)| self.is(word)) else {
                return Ok(left);
            };
            self.next += 1;
            let right = self.level(level + 1)?;
            left = Expr::Binary(*operator, Box::new(left), Box::new(right));
        }
    }

    fn type_operator(&mut self) -> Option<TypeTest> {
        if self.accept("is") {
            return Some(TypeTest::Is);
        }
        self.accept("as").then_some(TypeTest::As)
    }

    /// `uri`, `FHIR.Patient`, `System.String`: only the last part matters.
    fn type_name(&mut self) -> Result<SmolStr, PathError> {
        let mut name = self.name()?;
        while self.accept(".") {
            name = self.name()?;
        }
        Ok(name)
    }

    fn name(&mut self) -> Result<SmolStr, PathError> {
        match self.take() {
            Token::Name(name) => Ok(name),
            _ => {
                self.next -= 1;
                Err(self.error("a name is needed"))
            }
        }
    }

    fn unary(&mut self) -> Result<Expr, PathError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(format!("the expression is nested deeper than {MAX_DEPTH}")));
        }
        let expr = if self.accept("-") {
            Expr::Minus(Box::new(self.unary()?))
        } else {
            self.accept("+");
            let first = self.term()?;
            self.postfix(first)?
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn term(&mut self) -> Result<Expr, PathError> {
        match self.take() {
            Token::Text(text) => Ok(Expr::Text(text)),
            Token::Number(digits) => Ok(Expr::Number(digits)),
            Token::Sign("(") => {
                let inner = self.level(0)?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Sign("{") => {
                self.expect("}")?;
                Ok(Expr::Nothing)
            }
            Token::Special(name) if name == "this" => Ok(Expr::This),
            Token::Constant(name) => self.constant(&name),
            Token::Name(name) if name == "true" => Ok(Expr::Boolean(true)),
            Token::Name(name) if name == "false" => Ok(Expr::Boolean(false)),
            Token::Name(name) => self.invocation(Expr::This, name),
            _ => {
                self.next -= 1;
                Err(self.error("a name, a value or a bracket is needed"))
            }
        }
    }

    fn constant(&mut self, name: &str) -> Result<Expr, PathError> {
        match name {
            "resource" | "rootResource" => Ok(Expr::Resource),
            "context" => Ok(Expr::Context),
            "ucum" => Ok(Expr::Text(SmolStr::new_static("http://unitsofmeasure.org"))),
            "sct" => Ok(Expr::Text(SmolStr::new_static("http://snomed.info/sct"))),
            "loinc" => Ok(Expr::Text(SmolStr::new_static("http://loinc.org"))),
            _ => Err(self.error(format!("%{name} is not known"))),
        }
    }

    fn postfix(&mut self, mut expr: Expr) -> Result<Expr, PathError> {
        loop {
            if self.accept(".") {
                let name = self.name()?;
                expr = self.invocation(expr, name)?;
            } else if self.accept("[") {
                let index = self.level(0)?;
                self.expect("]")?;
                expr = Expr::Index(Box::new(expr), Box::new(index));
            } else {
                return Ok(expr);
            }
        }
    }

    fn invocation(&mut self, target: Expr, name: SmolStr) -> Result<Expr, PathError> {
        if !self.accept("(") {
            return Ok(Expr::Member(Box::new(target), name));
        }
        let test = match name.as_str() {
            "is" => Some(TypeTest::Is),
            "as" | "ofType" => Some(TypeTest::As),
            _ => None,
        };
        if let Some(test) = test {
            let type_name = self.type_name()?;
            self.expect(")")?;
            return Ok(Expr::Type(Box::new(target), test, type_name));
        }
        let mut arguments = Vec::new();
        if !self.accept(")") {
            loop {
                arguments.push(self.level(0)?);
                if self.accept(")") {
                    break;
                }
                self.expect(",")?;
            }
        }
        let Some(function) = Function::named(&name) else {
            return Err(self.error(format!("the function {name}() is not known")));
        };
        let wanted = function.arguments();
        if !wanted.contains(&arguments.len()) {
            return Err(self.error(format!(
                "{name}() does not take {} arguments",
                arguments.len()
            )));
        }
        Ok(Expr::Call(Box::new(target), function, arguments))
    }
}
