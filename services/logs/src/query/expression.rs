//! Expressions: fields, numbers, texts, comparisons, arithmetic and functions.

use regex::Regex;

use super::function::{Function, call};
use super::row::Row;
use super::running;
use super::value::Value;

/// Expressions may be nested so deep.
const DEPTH_MAX: usize = 64;

/// An expression.
#[derive(Clone, Debug)]
pub(crate) enum Expression {
    Field(String),
    Constant(Value),
    Not(Box<Expression>),
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Compare(Box<Expression>, Comparison, Box<Expression>),
    Like(Box<Expression>, Regex),
    In(Box<Expression>, Vec<Expression>),
    Arithmetic(Box<Expression>, char, Box<Expression>),
    Call(Function, Vec<Expression>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Expression {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, String> {
        reader.any(0)
    }

    pub(super) fn is_field(&self, name: &str) -> bool {
        matches!(self, Self::Field(own) if own == name)
    }

    /// What it is worth for a row.
    pub(super) fn evaluate(&self, row: &Row) -> Value {
        match self {
            Self::Field(name) => row.field(name),
            Self::Constant(value) => value.clone(),
            Self::Not(inner) => (!inner.evaluate(row).is_true()).into(),
            Self::All(all) => all.iter().all(|one| one.evaluate(row).is_true()).into(),
            Self::Any(any) => any.iter().any(|one| one.evaluate(row).is_true()).into(),
            Self::Compare(a, comparison, b) => comparison.holds(&a.evaluate(row), &b.evaluate(row)).into(),
            Self::Like(value, regex) => {
                value.evaluate(row).shown().is_some_and(|text| regex.is_match(&text)).into()
            }
            Self::In(value, list) => {
                let value = value.evaluate(row);
                list.iter().any(|one| Comparison::Equal.holds(&value, &one.evaluate(row))).into()
            }
            Self::Arithmetic(a, sign, b) => {
                let (Some(a), Some(b)) = (a.evaluate(row).number(), b.evaluate(row).number()) else {
                    return Value::Absent;
                };
                Value::of(match sign {
                    '+' => a + b,
                    '-' => a - b,
                    '*' => a * b,
                    '/' => a / b,
                    '%' => a % b,
                    _ => a.powf(b),
                })
            }
            Self::Call(function, arguments) => {
                call(*function, arguments.iter().map(|one| one.evaluate(row)).collect())
            }
        }
    }
}

impl Comparison {
    fn holds(self, a: &Value, b: &Value) -> bool {
        if *a == Value::Absent || *b == Value::Absent {
            return self == Self::NotEqual && a != b;
        }
        let order = a.order(b);
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// Reads a query from left to right.
pub(crate) struct Reader<'a> {
    whole: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(whole: &'a str) -> Self {
        Self { whole, at: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.whole[self.at..]
    }

    fn skip_spaces(&mut self) {
        self.at = self.whole.len() - self.rest().trim_start().len();
    }

    pub(super) fn is_at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    pub(super) fn peek(&mut self) -> Option<char> {
        self.skip_spaces();
        self.rest().chars().next()
    }

    pub(super) fn take(&mut self, sign: &str) -> bool {
        self.skip_spaces();
        let fits = self.rest().starts_with(sign);
        if fits {
            self.at += sign.len();
        }
        fits
    }

    /// A word of letters, digits and what names of fields have.
    pub(super) fn word(&mut self) -> &'a str {
        self.skip_spaces();
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '@' | '.' | ':'));
        let word = &rest[..end.unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    pub(super) fn take_word(&mut self, wanted: &str) -> bool {
        let before = self.at;
        let fits = self.word().eq_ignore_ascii_case(wanted);
        if !fits {
            self.at = before;
        }
        fits
    }

    /// The name of a field.
    pub(super) fn name(&mut self) -> Result<String, String> {
        if self.peek() == Some('`') {
            return self.between('`').map(str::to_owned);
        }
        match self.word() {
            "" => Err(self.unexpected("the name of a field")),
            word => Ok(word.to_owned()),
        }
    }

    /// What stands between two of these; a backslash keeps one from ending it.
    fn between(&mut self, quote: char) -> Result<&'a str, String> {
        self.skip_spaces();
        let start = self.at + quote.len_utf8();
        let mut escaped = false;
        for (at, next) in self.whole[start.min(self.whole.len())..].char_indices() {
            if next == quote && !escaped {
                self.at = start + at + quote.len_utf8();
                return Ok(&self.whole[start..start + at]);
            }
            escaped = next == '\\' && !escaped;
        }
        Err(format!("a closing {quote} is missing"))
    }

    pub(super) fn text(&mut self) -> Result<String, String> {
        let Some(quote @ ('"' | '\'')) = self.peek() else {
            return Err(self.unexpected("a text in quotation marks"));
        };
        let raw = self.between(quote)?;
        let mut text = String::with_capacity(raw.len());
        let mut characters = raw.chars();
        while let Some(next) = characters.next() {
            match (next, next == '\\') {
                (_, true) => match characters.next() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some(other) => text.push(other),
                    None => text.push('\\'),
                },
                (other, false) => text.push(other),
            }
        }
        Ok(text)
    }

    pub(super) fn regex(&mut self) -> Result<Regex, String> {
        let text = self.between('/')?.replace("\\/", "/");
        running::regex(&text)
    }

    pub(super) fn unexpected(&mut self, expected: &str) -> String {
        self.skip_spaces();
        let found: String = self.rest().chars().take(20).collect();
        let found = if found.is_empty() { "the end".to_owned() } else { format!("`{found}`") };
        format!("expected {expected} at character {}, found {found}", self.at)
    }

    /// An expression with the text that it was written as.
    pub(super) fn expression_text(&mut self) -> Result<(Expression, String), String> {
        self.skip_spaces();
        let start = self.at;
        let expression = self.any(0)?;
        let text = self.whole[start..self.at].trim();
        let text = text.strip_prefix('`').and_then(|text| text.strip_suffix('`')).unwrap_or(text);
        Ok((expression, text.to_owned()))
    }

    /// The text since a place that was noted with [`Self::place`].
    pub(super) fn since(&self, start: usize) -> String {
        self.whole[start..self.at].trim().to_owned()
    }

    pub(super) fn place(&mut self) -> usize {
        self.skip_spaces();
        self.at
    }

    pub(super) fn argument(&mut self) -> Result<Expression, String> {
        self.any(1)
    }

    fn any(&mut self, depth: usize) -> Result<Expression, String> {
        if depth > DEPTH_MAX {
            return Err(format!("more than {DEPTH_MAX} expressions within each other"));
        }
        let mut any = vec![self.all(depth)?];
        while self.take_word("or") || self.take("||") {
            any.push(self.all(depth)?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Expression::Any(any) })
    }

    fn all(&mut self, depth: usize) -> Result<Expression, String> {
        let mut all = vec![self.not(depth)?];
        while self.take_word("and") || self.take("&&") {
            all.push(self.not(depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Expression::All(all) })
    }

    fn not(&mut self, depth: usize) -> Result<Expression, String> {
        if depth > DEPTH_MAX {
            return Err(format!("more than {DEPTH_MAX} expressions within each other"));
        }
        if self.take_word("not") {
            return Ok(Expression::Not(Box::new(self.not(depth + 1)?)));
        }
        self.comparison(depth)
    }

    fn comparison(&mut self, depth: usize) -> Result<Expression, String> {
        let left = self.sum(depth)?;
        let negated = self.take_word("not");
        let found = if self.take_word("like") || self.take("=~") {
            let regex = if self.peek() == Some('/') {
                self.regex()?
            } else {
                running::regex(&regex::escape(&self.text()?))?
            };
            Expression::Like(Box::new(left), regex)
        } else if self.take_word("in") {
            if !self.take("[") {
                return Err(self.unexpected("`[`"));
            }
            let mut list = Vec::new();
            while !self.take("]") {
                if !list.is_empty() && !self.take(",") {
                    return Err(self.unexpected("`,` or `]`"));
                }
                list.push(self.sum(depth)?);
            }
            Expression::In(Box::new(left), list)
        } else if negated {
            return Err(self.unexpected("`like` or `in`"));
        } else {
            let signs = [
                ("!=", Comparison::NotEqual),
                ("<>", Comparison::NotEqual),
                ("<=", Comparison::LessOrEqual),
                (">=", Comparison::GreaterOrEqual),
                ("==", Comparison::Equal),
                ("=", Comparison::Equal),
                ("<", Comparison::Less),
                (">", Comparison::Greater),
            ];
            match signs.into_iter().find(|(sign, _)| self.take(sign)) {
                Some((_, comparison)) => {
                    Expression::Compare(Box::new(left), comparison, Box::new(self.sum(depth)?))
                }
                None => left,
            }
        };
        Ok(if negated { Expression::Not(Box::new(found)) } else { found })
    }

    fn sum(&mut self, depth: usize) -> Result<Expression, String> {
        let mut left = self.product(depth)?;
        while let Some(sign) = ['+', '-'].into_iter().find(|sign| self.take(&sign.to_string())) {
            left = Expression::Arithmetic(Box::new(left), sign, Box::new(self.product(depth)?));
        }
        Ok(left)
    }

    fn product(&mut self, depth: usize) -> Result<Expression, String> {
        let mut left = self.power(depth)?;
        while let Some(sign) = ['*', '/', '%'].into_iter().find(|sign| self.take(&sign.to_string())) {
            left = Expression::Arithmetic(Box::new(left), sign, Box::new(self.power(depth)?));
        }
        Ok(left)
    }

    fn power(&mut self, depth: usize) -> Result<Expression, String> {
        let left = self.atom(depth)?;
        if self.take("^") {
            if depth > DEPTH_MAX {
                return Err(format!("more than {DEPTH_MAX} expressions within each other"));
            }
            return Ok(Expression::Arithmetic(Box::new(left), '^', Box::new(self.power(depth + 1)?)));
        }
        Ok(left)
    }

    fn atom(&mut self, depth: usize) -> Result<Expression, String> {
        match self.peek() {
            Some('(') => {
                self.take("(");
                let inner = self.any(depth + 1)?;
                if self.take(")") { Ok(inner) } else { Err(self.unexpected("`)`")) }
            }
            Some('"' | '\'') => Ok(Expression::Constant(Value::Text(self.text()?))),
            Some('`') => Ok(Expression::Field(self.name()?)),
            Some('-') => {
                self.take("-");
                let word = self.word();
                let number = word.parse::<f64>().map_err(|_| self.unexpected("a number"))?;
                Ok(Expression::Constant(Value::of(-number)))
            }
            _ => self.word_expression(depth),
        }
    }

    fn word_expression(&mut self, depth: usize) -> Result<Expression, String> {
        let word = self.word();
        if word.starts_with(|first: char| first.is_ascii_digit()) {
            let number =
                word.parse::<f64>().map_err(|_| format!("{word} is neither a number nor a field"))?;
            return Ok(Expression::Constant(Value::of(number)));
        }
        if word.is_empty() {
            return Err(self.unexpected("an expression"));
        }
        if !self.rest().starts_with('(') {
            return Ok(Expression::Field(word.to_owned()));
        }
        self.take("(");
        let function =
            Function::named(word).ok_or_else(|| format!("the function {word} is not supported"))?;
        let mut arguments = Vec::new();
        if function == Function::Bin {
            arguments.push(Expression::Field("@timestamp".into()));
            arguments.push(Expression::Constant(Value::of(self.period()?)));
            return if self.take(")") {
                Ok(Expression::Call(function, arguments))
            } else {
                Err(self.unexpected("`)`"))
            };
        }
        while !self.take(")") {
            if !arguments.is_empty() && !self.take(",") {
                return Err(self.unexpected("`,` or `)`"));
            }
            arguments.push(self.any(depth + 1)?);
        }
        function.check(word, arguments.len())?;
        Ok(Expression::Call(function, arguments))
    }

    /// A period such as `5m`, in milliseconds.
    fn period(&mut self) -> Result<f64, String> {
        let word = self.word();
        let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &word[digits.len()..] {
            "ms" => 1,
            "s" | "sec" | "second" | "seconds" => 1_000,
            "m" | "min" | "minute" | "minutes" => 60_000,
            "h" | "hr" | "hour" | "hours" => 3_600_000,
            "d" | "day" | "days" => 86_400_000,
            "w" | "week" | "weeks" => 7 * 86_400_000,
            _ => return Err(format!("{word} is no period such as 30s, 5m or 1h")),
        };
        let count = digits.parse::<u32>().ok().filter(|count| *count > 0);
        let count = count.ok_or_else(|| format!("{word} is no period such as 30s, 5m or 1h"))?;
        Ok(f64::from(count) * f64::from(unit))
    }
}
