//! Typed shapes, moved in and out of dynamic values. Generated code implements [`Structure`] in a line per member.

use std::collections::BTreeMap;
use std::fmt;

use apus_time::Timestamp;
use bytes::Bytes;

use crate::{Body, Fields, Kind, OperationSchema, Schema, Value};

/// An operation as a type: `platform.call::<SendMessage>(…)`.
pub trait Operation: Send + Sync + 'static {
    /// What it takes.
    type Input: Structure;
    /// What it gives.
    type Output: Structure;
    /// What the model says of it.
    const SCHEMA: &'static OperationSchema;
}

/// A value of a type that the model names.
pub trait Shape: Sized + Send + 'static {
    /// Moves out of a dynamic value.
    fn from_value(value: Value) -> Result<Self, Mismatch>;
    /// Moves into a dynamic value.
    fn into_value(self) -> Value;
}

/// A structure: its members stand at the places that the schema gives them.
pub trait Structure: Shape {
    /// What the model says of it.
    const SCHEMA: &'static Schema;
    /// Moves out of its members.
    fn from_fields(fields: Fields) -> Result<Self, Mismatch>;
    /// Moves into its members.
    fn into_fields(self) -> Fields;
}

/// Makes structures shapes: a blanket implementation would forbid the one for boxes, which recursive shapes need.
#[macro_export]
macro_rules! shape_of_structure {
    ($($type:ty),* $(,)?) => {$(
        impl $crate::Shape for $type {
            #[inline]
            fn from_value(value: $crate::Value) -> Result<Self, $crate::Mismatch> {
                match value {
                    $crate::Value::Structure(fields) => $crate::Structure::from_fields(fields),
                    other => Err($crate::Mismatch::new("structure", &other)),
                }
            }
            #[inline]
            fn into_value(self) -> $crate::Value {
                $crate::Value::Structure($crate::Structure::into_fields(self))
            }
        }
    )*};
}

/// The structure of an operation that takes or gives nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unit;

/// The schema of [`Unit`].
static UNIT: Schema =
    Schema::new("Unit", Kind::Structure { members: &[], union: false, eventstream: false, payload: None });

shape_of_structure!(Unit);

impl Structure for Unit {
    const SCHEMA: &'static Schema = &UNIT;
    fn from_fields(_: Fields) -> Result<Self, Mismatch> {
        Ok(Self)
    }
    fn into_fields(self) -> Fields {
        Fields::new(Self::SCHEMA)
    }
}

/// A dynamic value that is not of the shape it should be: a codec's defect, or a caller's that skipped validation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// From the outermost member inwards, dotted.
    path: String,
    expected: &'static str,
    found: &'static str,
}

impl Mismatch {
    /// Something else was expected here.
    pub fn new(expected: &'static str, found: &Value) -> Self {
        Self { path: String::new(), expected, found: found.kind_name() }
    }

    /// The same, seen from the structure around it.
    #[must_use]
    pub fn within(mut self, member: &str) -> Self {
        self.path = if self.path.is_empty() { member.into() } else { format!("{member}.{}", self.path) };
        self
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "member `{}` should be a {}, found {}", self.path, self.expected, self.found)
    }
}

impl std::error::Error for Mismatch {}

/// The members of a structure, taken one after the other in the schema's order.
#[derive(Debug)]
pub struct Members {
    fields: Fields,
    schema: &'static Schema,
    at: usize,
}

impl Members {
    /// Takes the next one. An absent member is null, which only an `Option` (or a document) accepts.
    pub fn next<T: Shape>(&mut self) -> Result<T, Mismatch> {
        let at = self.at;
        self.at += 1;
        let value = self.fields.take(at).unwrap_or(Value::Null);
        T::from_value(value).map_err(|mismatch| mismatch.within(self.schema.members()[at].name))
    }
}

impl Fields {
    /// Takes the members one after the other.
    pub fn into_members(self, schema: &'static Schema) -> Members {
        Members { fields: self, schema, at: 0 }
    }

    /// Takes a member that the model requires; an absent one is a mismatch.
    pub fn required<T: Shape>(&mut self, schema: &'static Schema, at: usize) -> Result<T, Mismatch> {
        let value = self.take(at).unwrap_or(Value::Null);
        T::from_value(value).map_err(|mismatch| mismatch.within(schema.members()[at].name))
    }

    /// Takes a member that may be absent.
    pub fn optional<T: Shape>(&mut self, schema: &'static Schema, at: usize) -> Result<Option<T>, Mismatch> {
        match self.take(at) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match T::from_value(value) {
                Ok(value) => Ok(Some(value)),
                Err(mismatch) => Err(mismatch.within(schema.members()[at].name)),
            },
        }
    }

    /// Puts a member.
    pub fn put<T: Shape>(&mut self, at: usize, value: T) {
        self.set(at, value.into_value());
    }

    /// Puts a member that may be absent.
    pub fn put_optional<T: Shape>(&mut self, at: usize, value: Option<T>) {
        if let Some(value) = value {
            self.put(at, value);
        }
    }
}

macro_rules! scalar {
    ($type:ty, $name:literal, $variant:ident) => {
        impl Shape for $type {
            fn from_value(value: Value) -> Result<Self, Mismatch> {
                match value {
                    Value::$variant(inner) => Ok(inner),
                    other => Err(Mismatch::new($name, &other)),
                }
            }
            fn into_value(self) -> Value {
                Value::$variant(self)
            }
        }
    };
}

scalar!(bool, "boolean", Boolean);
scalar!(i64, "long", Integer);
scalar!(f64, "double", Double);
scalar!(String, "string", String);
scalar!(Bytes, "blob", Blob);
scalar!(Body, "stream", Stream);
scalar!(Timestamp, "timestamp", Timestamp);

impl Shape for i32 {
    fn from_value(value: Value) -> Result<Self, Mismatch> {
        match value {
            Value::Integer(inner) => {
                Self::try_from(inner).map_err(|_| Mismatch::new("32-bit integer", &Value::Integer(inner)))
            }
            other => Err(Mismatch::new("integer", &other)),
        }
    }
    fn into_value(self) -> Value {
        Value::Integer(self.into())
    }
}

impl Shape for f32 {
    fn from_value(value: Value) -> Result<Self, Mismatch> {
        f64::from_value(value).map(|inner| inner as Self)
    }
    fn into_value(self) -> Value {
        Value::Double(self.into())
    }
}

/// A document.
impl Shape for Value {
    fn from_value(value: Value) -> Result<Self, Mismatch> {
        Ok(value)
    }
    fn into_value(self) -> Value {
        self
    }
}

impl<T: Shape> Shape for Option<T> {
    fn from_value(value: Value) -> Result<Self, Mismatch> {
        if matches!(value, Value::Null) { Ok(None) } else { T::from_value(value).map(Some) }
    }
    fn into_value(self) -> Value {
        self.map_or(Value::Null, T::into_value)
    }
}

impl<T: Shape> Shape for Box<T> {
    fn from_value(value: Value) -> Result<Self, Mismatch> {
        T::from_value(value).map(Self::new)
    }
    fn into_value(self) -> Value {
        (*self).into_value()
    }
}

impl<T: Shape> Shape for Vec<T> {
    fn from_value(value: Value) -> Result<Self, Mismatch> {
        match value {
            Value::List(items) => items.into_iter().map(T::from_value).collect(),
            other => Err(Mismatch::new("list", &other)),
        }
    }
    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(T::into_value).collect())
    }
}

impl<T: Shape> Shape for BTreeMap<String, T> {
    fn from_value(value: Value) -> Result<Self, Mismatch> {
        match value {
            Value::Map(entries) => {
                entries.into_iter().map(|(key, value)| Ok((key, T::from_value(value)?))).collect()
            }
            other => Err(Mismatch::new("map", &other)),
        }
    }
    fn into_value(self) -> Value {
        Value::Map(self.into_iter().map(|(key, value)| (key, value.into_value())).collect())
    }
}
