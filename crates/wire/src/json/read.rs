//! Reads JSON straight into values under a schema. Members that the schema does not have are skipped, as AWS does.

use apus_schema::{Fields, Kind, Member, Schema, TimestampFormat, Value};
use apus_time::Timestamp;

use super::lexer::{Lexer, Token};
use crate::budget::{Budget, LIST_PLACES, MAP_PLACES, Read, unreadable};
use crate::entries::last_wins;
use crate::text;

/// Reads the body as a structure; an empty body is one without members. `wanted` tells which members stand in it.
pub(crate) fn read_structure(
    schema: &'static Schema,
    bytes: &[u8],
    wanted: fn(&Member) -> bool,
) -> Read<Fields> {
    let mut reader = Reader::new(bytes)?;
    if reader.lexer.at_end() {
        return Ok(Fields::new(schema));
    }
    let fields = match reader.lexer.peek()? {
        Token::Object => reader.structure(schema, wanted)?,
        Token::Null => {
            reader.lexer.word("null")?;
            Fields::new(schema)
        }
        found => return mismatch(found, "structure"),
    };
    reader.finish(fields)
}

/// Reads the body as one value of that shape.
pub(crate) fn read_payload(schema: &'static Schema, bytes: &[u8]) -> Read<Option<Value>> {
    let mut reader = Reader::new(bytes)?;
    if reader.lexer.at_end() {
        return Ok(None);
    }
    let value = reader.value(schema, None)?;
    reader.finish(value)
}

/// Reads a JSON text as a document.
pub(crate) fn read_document(bytes: &[u8]) -> Read<Value> {
    let mut reader = Reader::new(bytes)?;
    let value = reader.document()?;
    reader.finish(value)
}

struct Reader<'a> {
    lexer: Lexer<'a>,
    budget: Budget,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Read<Self> {
        Ok(Self { lexer: Lexer::new(bytes)?, budget: Budget::new() })
    }

    fn finish<T>(mut self, value: T) -> Read<T> {
        if self.lexer.at_end() { Ok(value) } else { Err(self.lexer.unexpected()) }
    }

    fn structure(&mut self, schema: &'static Schema, wanted: fn(&Member) -> bool) -> Read<Fields> {
        let members = schema.members();
        self.budget.spend(members.len())?;
        let mut fields = Fields::new(schema);
        self.object(|reader, key| {
            let named = |member: &Member| member.wire_name == key && wanted(member);
            let Some(at) = members.iter().position(named) else { return reader.skip() };
            // A null is an absent member; it takes back an earlier value of the same key.
            match reader.value(members[at].shape, Some(&members[at]))? {
                Some(value) => fields.set(at, value),
                None => drop(fields.take(at)),
            }
            Ok(())
        })?;
        Ok(fields)
    }

    /// A value of that shape; nothing for null.
    fn value(&mut self, schema: &'static Schema, member: Option<&Member>) -> Read<Option<Value>> {
        self.budget.spend(1)?;
        let token = self.lexer.peek()?;
        if matches!(schema.kind, Kind::Document) {
            return self.document().map(Some);
        }
        if token == Token::Null {
            self.lexer.word("null")?;
            return Ok(None);
        }
        Ok(Some(match (schema.kind, token) {
            (Kind::Boolean, Token::True) => {
                self.lexer.word("true")?;
                Value::Boolean(true)
            }
            (Kind::Boolean, Token::False) => {
                self.lexer.word("false")?;
                Value::Boolean(false)
            }
            (Kind::Integer, Token::Number) => {
                Value::Integer(integer(self.lexer.number()?, i32::MIN.into(), i32::MAX.into(), "Integer")?)
            }
            (Kind::Long, Token::Number) => {
                Value::Integer(integer(self.lexer.number()?, i64::MIN, i64::MAX, "Long")?)
            }
            (Kind::Float | Kind::Double, Token::Number) => Value::Double(text::double(self.lexer.number()?)?),
            (Kind::Float | Kind::Double, Token::String) => {
                match text::special_double(&self.lexer.string()?) {
                    Some(number) => Value::Double(number),
                    None => return mismatch(token, "Double"),
                }
            }
            (Kind::String, Token::String) => Value::String(self.lexer.string()?.into_owned()),
            (Kind::Blob | Kind::Stream, Token::String) => {
                Value::Blob(text::base64_bytes(&self.lexer.string()?)?.into())
            }
            (Kind::Timestamp(_), Token::Number) => Value::Timestamp(epoch(self.lexer.number()?)?),
            (Kind::Timestamp(_), Token::String) => {
                let format = text::timestamp_format(schema, member, TimestampFormat::Iso8601);
                Value::Timestamp(text::timestamp(&self.lexer.string()?, format)?)
            }
            (Kind::List { member, .. }, Token::Array) => {
                let mut items = Vec::new();
                self.array(|reader| {
                    items.push(reader.value(member, None)?.unwrap_or(Value::Null));
                    Ok(())
                })?;
                Value::List(items)
            }
            (Kind::Map { value, .. }, Token::Object) => {
                let mut entries = Vec::new();
                self.object(|reader, key| {
                    entries.push((key.to_owned(), reader.value(value, None)?.unwrap_or(Value::Null)));
                    Ok(())
                })?;
                Value::Map(last_wins(entries))
            }
            (Kind::Structure { .. }, Token::Object) => Value::Structure(self.structure(schema, |_| true)?),
            (kind, token) => return mismatch(token, expected(kind)),
        }))
    }

    fn document(&mut self) -> Read<Value> {
        self.budget.spend(1)?;
        Ok(match self.lexer.peek()? {
            Token::Null => {
                self.lexer.word("null")?;
                Value::Null
            }
            Token::True => {
                self.lexer.word("true")?;
                Value::Boolean(true)
            }
            Token::False => {
                self.lexer.word("false")?;
                Value::Boolean(false)
            }
            Token::String => Value::String(self.lexer.string()?.into_owned()),
            Token::Number => {
                let number = self.lexer.number()?;
                match number.parse() {
                    Ok(number) => Value::Integer(number),
                    Err(_) => Value::Double(text::double(number)?),
                }
            }
            Token::Array => {
                let mut items = Vec::new();
                self.array(|reader| {
                    items.push(reader.document()?);
                    Ok(())
                })?;
                Value::List(items)
            }
            Token::Object => {
                let mut entries = Vec::new();
                self.object(|reader, key| {
                    entries.push((key.to_owned(), reader.document()?));
                    Ok(())
                })?;
                Value::Map(last_wins(entries))
            }
        })
    }

    fn skip(&mut self) -> Read<()> {
        match self.lexer.peek()? {
            Token::Null => self.lexer.word("null"),
            Token::True => self.lexer.word("true"),
            Token::False => self.lexer.word("false"),
            Token::String => self.lexer.string().map(drop),
            Token::Number => self.lexer.number().map(drop),
            Token::Array => self.array(Self::skip),
            Token::Object => self.object(|reader, _| reader.skip()),
        }
    }

    fn array(&mut self, mut item: impl FnMut(&mut Self) -> Read<()>) -> Read<()> {
        self.budget.enter()?;
        self.lexer.expect(b'[')?;
        if !self.lexer.take(b']') {
            self.budget.spend(LIST_PLACES)?;
            item(self)?;
            while self.lexer.take(b',') {
                item(self)?;
            }
            self.lexer.expect(b']')?;
        }
        self.budget.leave();
        Ok(())
    }

    fn object(&mut self, mut entry: impl FnMut(&mut Self, &str) -> Read<()>) -> Read<()> {
        self.budget.enter()?;
        self.lexer.expect(b'{')?;
        if !self.lexer.take(b'}') {
            self.budget.spend(MAP_PLACES)?;
            loop {
                let key = self.lexer.string()?;
                self.lexer.expect(b':')?;
                entry(self, &key)?;
                if !self.lexer.take(b',') {
                    break;
                }
            }
            self.lexer.expect(b'}')?;
        }
        self.budget.leave();
        Ok(())
    }
}

/// An integer within the bounds; `1e3` and `5.0` are integers too, `1.5` is not.
fn integer(number: &str, min: i64, max: i64, name: &str) -> Read<i64> {
    let whole = number.parse::<i64>().ok().or_else(|| {
        let double = number.parse::<f64>().ok()?;
        // 2^63 is the first double past the range.
        (double.fract() == 0.0 && double.abs() < 9_223_372_036_854_775_808.0).then_some(double as i64)
    });
    match whole {
        Some(whole) if (min..=max).contains(&whole) => Ok(whole),
        _ => unreadable(format!("NUMBER_VALUE cannot be converted to {name}: {}", text::excerpt(number))),
    }
}

fn epoch(number: &str) -> Read<Timestamp> {
    match Timestamp::parse_epoch_seconds(number) {
        Ok(at) => Ok(at),
        Err(_) => unreadable(format!("NUMBER_VALUE cannot be converted to Timestamp: {number}")),
    }
}

fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "Boolean",
        Kind::Integer => "Integer",
        Kind::Long => "Long",
        Kind::Float | Kind::Double => "Double",
        Kind::String => "String",
        Kind::Blob | Kind::Stream => "ByteBuffer",
        Kind::Timestamp(_) => "Timestamp",
        Kind::Document => "Document",
        Kind::List { .. } => "list",
        Kind::Map { .. } => "map",
        Kind::Structure { .. } => "structure",
    }
}

/// The words of AWS's own readers, which users look for.
fn mismatch<T>(found: Token, expected: &str) -> Read<T> {
    let found = match found {
        Token::Object => return unreadable("Start of structure or map found where not expected."),
        Token::Array => return unreadable("Start of list found where not expected."),
        Token::String => "STRING_VALUE",
        Token::Number => "NUMBER_VALUE",
        Token::True => "TRUE_VALUE",
        Token::False => "FALSE_VALUE",
        Token::Null => "NULL_VALUE",
    };
    unreadable(format!("{found} cannot be converted to {expected}"))
}
