//! The dynamic value: what a codec reads and writes, and what a typed shape is moved in and out of.

use apus_time::Timestamp;
use bytes::Bytes;

use crate::{Body, Schema};

/// A value of any shape. Which variant a shape takes follows from its [`crate::Kind`].
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// An absent element of a sparse list or map, or a document's null.
    #[default]
    Null,
    /// A boolean.
    Boolean(bool),
    /// An integer or a long.
    Integer(i64),
    /// A float or a double.
    Double(f64),
    /// A string.
    String(String),
    /// A blob.
    Blob(Bytes),
    /// A streaming blob.
    Stream(Body),
    /// An instant.
    Timestamp(Timestamp),
    /// A list.
    List(Vec<Value>),
    /// A map, in the order received.
    Map(Vec<(String, Value)>),
    /// A structure.
    Structure(Fields),
}

impl Value {
    /// An empty structure of that schema.
    pub fn structure(schema: &Schema) -> Self {
        Self::Structure(Fields::new(schema))
    }

    /// What it is, for messages.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "boolean",
            Self::Integer(_) => "integer",
            Self::Double(_) => "double",
            Self::String(_) => "string",
            Self::Blob(_) => "blob",
            Self::Stream(_) => "stream",
            Self::Timestamp(_) => "timestamp",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Structure(_) => "structure",
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

/// The members of a structure, each at the place that it has in the schema.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(Vec<Option<Value>>);

impl Fields {
    /// No member set.
    pub fn new(schema: &Schema) -> Self {
        Self(vec![None; schema.members().len()])
    }

    /// No member set, with room for so many; [`Self::push`] fills them in the schema's order.
    pub fn with_capacity(members: usize) -> Self {
        Self(Vec::with_capacity(members))
    }

    /// Appends the next member of the schema; null means absent.
    pub fn push(&mut self, value: Value) {
        self.0.push(if let Value::Null = value { None } else { Some(value) });
    }

    /// The member at that place.
    pub fn get(&self, at: usize) -> Option<&Value> {
        self.0.get(at)?.as_ref()
    }

    /// Sets the member at that place, which the schema must have.
    pub fn set(&mut self, at: usize, value: Value) {
        self.0[at] = Some(value);
    }

    /// Takes the member at that place.
    pub fn take(&mut self, at: usize) -> Option<Value> {
        self.0.get_mut(at)?.take()
    }

    /// The member of that name.
    pub fn named<'a>(&'a self, schema: &Schema, name: &str) -> Option<&'a Value> {
        self.get(schema.member(name)?.0)
    }

    /// The members that are set, with their places.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Value)> {
        self.0.iter().enumerate().filter_map(|(at, value)| Some((at, value.as_ref()?)))
    }

    /// No member is set.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}
