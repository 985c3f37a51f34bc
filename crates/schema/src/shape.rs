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
pub trait Structure: Shape + Default {
    /// What the model says of it.
    const SCHEMA: &'static Schema;

    /// Shows every member, in the schema's order, once. All that generated code says of a structure.
    fn slots(&mut self, see: &mut dyn FnMut(&mut [&mut dyn Slot]));

    /// Moves out of its members. An absent member is null, which only an `Option` (or a document) accepts.
    fn from_fields(mut fields: Fields) -> Result<Self, Mismatch> {
        let mut structure = Self::default();
        let mut outcome = Ok(());
        structure.slots(&mut |slots| outcome = load(Self::SCHEMA, slots, &mut fields));
        outcome.map(|()| structure)
    }

    /// Moves into its members.
    fn into_fields(mut self) -> Fields {
        let mut fields = Fields::default();
        self.slots(&mut |slots| fields = store(slots));
        fields
    }
}

/// A member of a typed structure.
pub trait Slot {
    /// Fills it.
    fn load(&mut self, value: Value) -> Result<(), Mismatch>;
    /// Empties it.
    fn store(&mut self) -> Value;
}

impl<T: Shape + Default> Slot for T {
    fn load(&mut self, value: Value) -> Result<(), Mismatch> {
        *self = T::from_value(value)?;
        Ok(())
    }
    fn store(&mut self) -> Value {
        std::mem::take(self).into_value()
    }
}

fn load(schema: &'static Schema, slots: &mut [&mut dyn Slot], fields: &mut Fields) -> Result<(), Mismatch> {
    debug_assert_eq!(slots.len(), schema.members().len(), "{} has a slot for each member", schema.name);
    for (at, slot) in slots.iter_mut().enumerate() {
        let value = fields.take(at).unwrap_or(Value::Null);
        slot.load(value).map_err(|mismatch| mismatch.within(schema.members()[at].name))?;
    }
    Ok(())
}

fn store(slots: &mut [&mut dyn Slot]) -> Fields {
    let mut fields = Fields::with_capacity(slots.len());
    for slot in slots {
        fields.push(slot.store());
    }
    fields
}

impl<T: Structure> Shape for T {
    fn from_value(value: Value) -> Result<Self, Mismatch> {
        match value {
            Value::Structure(fields) => Self::from_fields(fields),
            other => Err(Mismatch::new("structure", &other)),
        }
    }
    fn into_value(self) -> Value {
        Value::Structure(self.into_fields())
    }
}

/// A structure within a structure of its own kind. (Not a plain `Box`: other crates may make a box of their
/// structure a structure, so that it could not be a shape beside the implementation for all structures.)
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Boxed<T>(pub Box<T>);

impl<T> From<T> for Boxed<T> {
    fn from(inner: T) -> Self {
        Self(Box::new(inner))
    }
}

impl<T: Shape> Shape for Boxed<T> {
    fn from_value(value: Value) -> Result<Self, Mismatch> {
        T::from_value(value).map(Self::from)
    }
    fn into_value(self) -> Value {
        (*self.0).into_value()
    }
}

/// The structure of an operation that takes or gives nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unit;

/// The schema of [`Unit`].
static UNIT: Schema =
    Schema::new("Unit", Kind::Structure { members: &[], union: false, eventstream: false, payload: None });

impl Structure for Unit {
    const SCHEMA: &'static Schema = &UNIT;
    fn slots(&mut self, see: &mut dyn FnMut(&mut [&mut dyn Slot])) {
        see(&mut []);
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

impl Fields {
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
