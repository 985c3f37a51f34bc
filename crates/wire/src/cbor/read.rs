//! Reads CBOR (RFC 8949) straight into values under a schema: definite and indefinite lengths, every width.

use apus_schema::{Fields, Kind, Schema, Value};
use apus_time::Timestamp;
use minicbor::Decoder;
use minicbor::data::Type;

use crate::budget::{Budget, LIST_PLACES, MAP_PLACES, Read, Unreadable, unreadable};
use crate::entries::last_wins;

/// The tag of an instant in seconds since the epoch.
const EPOCH_TAG: u64 = 1;

/// Reads the body as a structure; an empty body is one without members.
pub(crate) fn read_structure(schema: &'static Schema, bytes: &[u8]) -> Read<Fields> {
    if bytes.is_empty() {
        return Ok(Fields::new(schema));
    }
    let mut reader = Reader { decoder: Decoder::new(bytes), budget: Budget::new() };
    let fields = reader.structure(schema)?;
    if reader.decoder.position() != bytes.len() {
        return unreadable("The CBOR body goes on after its end.");
    }
    Ok(fields)
}

struct Reader<'a> {
    decoder: Decoder<'a>,
    budget: Budget,
}

impl Reader<'_> {
    fn structure(&mut self, schema: &'static Schema) -> Read<Fields> {
        let members = schema.members();
        self.budget.spend(members.len())?;
        let mut fields = Fields::new(schema);
        self.map(|reader, key| {
            let Some(at) = members.iter().position(|member| member.name == key) else {
                return reader.skip();
            };
            match reader.value(members[at].shape)? {
                Some(value) => fields.set(at, value),
                None => drop(fields.take(at)),
            }
            Ok(())
        })?;
        Ok(fields)
    }

    /// A value of that shape; nothing for null.
    fn value(&mut self, schema: &'static Schema) -> Read<Option<Value>> {
        self.budget.spend(1)?;
        let found = self.peek()?;
        if self.null(found)? {
            return Ok(None);
        }
        Ok(Some(match schema.kind {
            Kind::Boolean => Value::Boolean(self.decoder.bool().map_err(|_| mismatch(found, "Boolean"))?),
            Kind::Integer => match self.integer(found, "Integer")? {
                number if i32::try_from(number).is_ok() => Value::Integer(number),
                _ => return unreadable("A number is out of the range of an Integer."),
            },
            Kind::Long => Value::Integer(self.integer(found, "Long")?),
            Kind::Float | Kind::Double => Value::Double(self.double(found)?),
            Kind::String => Value::String(self.string(found)?),
            Kind::Blob | Kind::Stream => Value::Blob(self.bytes(found)?.into()),
            Kind::Timestamp(_) => Value::Timestamp(self.timestamp(found)?),
            Kind::List { member, .. } => {
                let mut items = Vec::new();
                self.array(|reader| {
                    items.push(reader.value(member)?.unwrap_or(Value::Null));
                    Ok(())
                })?;
                Value::List(items)
            }
            Kind::Map { value, .. } => {
                let mut entries = Vec::new();
                self.map(|reader, key| {
                    entries.push((key, reader.value(value)?.unwrap_or(Value::Null)));
                    Ok(())
                })?;
                Value::Map(last_wins(entries))
            }
            Kind::Structure { .. } => Value::Structure(self.structure(schema)?),
            Kind::Document => return unreadable("This protocol has no documents."),
        }))
    }

    fn null(&mut self, found: Type) -> Read<bool> {
        match found {
            Type::Null => self.decoder.null().map_err(|error| broken(&error))?,
            Type::Undefined => self.decoder.undefined().map_err(|error| broken(&error))?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn integer(&mut self, found: Type, expected: &str) -> Read<i64> {
        match found {
            Type::F16 | Type::F32 | Type::F64 => {
                let double = self.double(found)?;
                // 2^63 is the first double past the range.
                if double.fract() == 0.0 && double.abs() < 9_223_372_036_854_775_808.0 {
                    return Ok(double as i64);
                }
                Err(mismatch(found, expected))
            }
            _ => self.decoder.i64().map_err(|_| mismatch(found, expected)),
        }
    }

    fn double(&mut self, found: Type) -> Read<f64> {
        match found {
            Type::F16 => self.half(),
            Type::F32 => self.decoder.f32().map(f64::from).map_err(|error| broken(&error)),
            Type::F64 => self.decoder.f64().map_err(|error| broken(&error)),
            _ => self.decoder.i64().map(|whole| whole as f64).map_err(|_| mismatch(found, "Double")),
        }
    }

    /// Sixteen bits: one of sign, five of exponent, ten of fraction.
    fn half(&mut self) -> Read<f64> {
        let at = self.decoder.position();
        let Some(&[_, high, low]) = self.decoder.input().get(at..at + 3) else {
            return unreadable("The CBOR body ends within a number.");
        };
        self.decoder.set_position(at + 3);
        let bits = u16::from_be_bytes([high, low]);
        let fraction = f64::from(bits & 0x3ff);
        let magnitude = match (bits >> 10) & 0x1f {
            0 => fraction * 2f64.powi(-24),
            31 if fraction == 0.0 => f64::INFINITY,
            31 => f64::NAN,
            exponent => (1024.0 + fraction) * 2f64.powi(i32::from(exponent) - 25),
        };
        Ok(if bits & 0x8000 == 0 { magnitude } else { -magnitude })
    }

    fn string(&mut self, found: Type) -> Read<String> {
        match found {
            Type::String => self.decoder.str().map(str::to_owned).map_err(|error| broken(&error)),
            Type::StringIndef => self
                .decoder
                .str_iter()
                .map_err(|error| broken(&error))?
                .collect::<Result<String, _>>()
                .map_err(|error| broken(&error)),
            _ => Err(mismatch(found, "String")),
        }
    }

    fn bytes(&mut self, found: Type) -> Read<Vec<u8>> {
        match found {
            Type::Bytes => self.decoder.bytes().map(<[u8]>::to_vec).map_err(|error| broken(&error)),
            Type::BytesIndef => {
                let mut whole = Vec::new();
                for piece in self.decoder.bytes_iter().map_err(|error| broken(&error))? {
                    whole.extend_from_slice(piece.map_err(|error| broken(&error))?);
                }
                Ok(whole)
            }
            _ => Err(mismatch(found, "ByteBuffer")),
        }
    }

    fn timestamp(&mut self, found: Type) -> Read<Timestamp> {
        let found = if found == Type::Tag {
            if self.decoder.tag().map_err(|error| broken(&error))?.as_u64() != EPOCH_TAG {
                return Err(mismatch(found, "Timestamp"));
            }
            self.peek()?
        } else {
            found
        };
        match found {
            Type::F16 | Type::F32 | Type::F64 => match self.double(found)? {
                secs if secs.is_finite() => Ok(Timestamp::from_epoch_seconds(secs)),
                _ => Err(mismatch(found, "Timestamp")),
            },
            _ => self.integer(found, "Timestamp").map(Timestamp::from_secs),
        }
    }

    fn array(&mut self, mut item: impl FnMut(&mut Self) -> Read<()>) -> Read<()> {
        let found = self.peek()?;
        self.budget.enter()?;
        self.budget.spend(LIST_PLACES)?;
        match self.decoder.array().map_err(|_| mismatch(found, "list"))? {
            // The announced length is not believed: each item must come.
            Some(length) => (0..length).try_for_each(|_| item(self))?,
            None => {
                while !self.at_break()? {
                    item(self)?;
                }
            }
        }
        self.budget.leave();
        Ok(())
    }

    fn map(&mut self, mut entry: impl FnMut(&mut Self, String) -> Read<()>) -> Read<()> {
        let found = self.peek()?;
        self.budget.enter()?;
        self.budget.spend(MAP_PLACES)?;
        let mut next = |reader: &mut Self| {
            let key = reader.peek()?;
            let key = reader.string(key)?;
            entry(reader, key)
        };
        match self.decoder.map().map_err(|_| mismatch(found, "structure or map"))? {
            Some(length) => (0..length).try_for_each(|_| next(self))?,
            None => {
                while !self.at_break()? {
                    next(self)?;
                }
            }
        }
        self.budget.leave();
        Ok(())
    }

    fn skip(&mut self) -> Read<()> {
        let found = self.peek()?;
        match found {
            Type::Array | Type::ArrayIndef => self.array(Self::skip),
            Type::Map | Type::MapIndef => self.map(|reader, _| reader.skip()),
            Type::F16 => self.half().map(drop),
            Type::String | Type::StringIndef => self.string(found).map(drop),
            Type::Bytes | Type::BytesIndef => self.bytes(found).map(drop),
            Type::Tag => {
                self.budget.enter()?;
                self.decoder.tag().map_err(|error| broken(&error))?;
                self.skip()?;
                self.budget.leave();
                Ok(())
            }
            Type::Break => unreadable("The CBOR body has a break where a value should be."),
            _ => self.decoder.skip().map_err(|error| broken(&error)),
        }
    }

    fn at_break(&mut self) -> Read<bool> {
        let found = self.peek()? == Type::Break;
        if found {
            self.decoder.set_position(self.decoder.position() + 1);
        }
        Ok(found)
    }

    fn peek(&self) -> Read<Type> {
        self.decoder.datatype().map_err(|error| broken(&error))
    }
}

fn mismatch(found: Type, expected: &str) -> Unreadable {
    Unreadable(format!("CBOR {found} cannot be converted to {expected}."))
}

fn broken(error: &minicbor::decode::Error) -> Unreadable {
    Unreadable(format!("The CBOR body is broken: {error}."))
}
