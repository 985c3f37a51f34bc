//! A call as bytes, for what is to be called later: the operation, the caller, and the input with its members by
//! name, so that a newer model reads what an older one wrote.

use std::collections::BTreeSet;
use std::sync::Mutex;

use apus_schema::{Fields, Kind, OperationSchema, Schema, Value};
use apus_time::Timestamp;
use minicbor::data::{Tag, Type};
use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::{Caller, Platform, Principal};

/// RFC 8949's tag of an instant as a number; here in microseconds.
const INSTANT: Tag = Tag::new(1);
/// The most names of platform services that records may bring; the code has a handful.
const SERVICE_NAMES_MAX: usize = 256;

/// A call that can be stored.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct CallRecord {
    #[n(0)]
    service: String,
    #[n(1)]
    operation: String,
    #[n(2)]
    principal: PrincipalRecord,
    #[n(3)]
    account: String,
    #[n(4)]
    region: String,
    #[cbor(n(5), with = "minicbor::bytes")]
    input: Vec<u8>,
    /// A session's policy narrows what is delivered in its name, too.
    #[n(6)]
    session_policy: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
enum PrincipalRecord {
    #[n(0)]
    Root(#[n(0)] String),
    #[n(1)]
    User(#[n(0)] String, #[n(1)] String, #[n(2)] String),
    #[n(2)]
    RoleSession(#[n(0)] String, #[n(1)] String, #[n(2)] String, #[n(3)] String),
    #[n(3)]
    Service(#[n(0)] String),
    #[n(4)]
    Anonymous,
}

/// Why a stored call cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable(pub(crate) String);

impl CallRecord {
    /// The record of a call. An input that flows cannot be stored: a defect of the caller.
    pub(crate) fn new(operation: &OperationSchema, caller: &Caller, input: &Fields) -> Self {
        let mut bytes = Vec::new();
        let written = write_structure(&mut Encoder::new(&mut bytes), operation.input, input);
        assert!(written.is_ok(), "the input of {} cannot be stored: {written:?}", operation.name);
        Self {
            service: operation.service.name.into(),
            operation: operation.name.into(),
            principal: PrincipalRecord::from(&caller.principal),
            account: caller.account.to_string(),
            region: caller.region.to_string(),
            input: bytes,
            session_policy: caller.session_policy.as_deref().map(str::to_owned),
        }
    }

    /// The call, on a platform that has the service.
    pub(crate) fn read(
        &self,
        platform: &Platform,
    ) -> Result<(&'static OperationSchema, Caller, Fields), Unreadable> {
        let unreadable = |what: &str| Unreadable(format!("{what} of {}:{}", self.service, self.operation));
        let service = platform.services().find(|service| service.name == self.service);
        let operation = service.and_then(|service| service.operation(&self.operation));
        let operation = operation.ok_or_else(|| unreadable("no operation here is the one"))?;
        let caller = Caller {
            principal: self.principal.read().ok_or_else(|| unreadable("unreadable principal"))?,
            account: self.account.parse().map_err(|_| unreadable("unreadable account"))?,
            region: self.region.parse().map_err(|_| unreadable("unreadable region"))?,
            access_key: None,
            session_policy: self.session_policy.as_deref().map(Into::into),
        };
        let input = read_structure(&mut Decoder::new(&self.input), operation.input).map_err(|error| {
            Unreadable(format!("{error} in the input of {}:{}", self.service, self.operation))
        })?;
        Ok((operation, caller, input))
    }

    /// For messages: `sqs:SendMessage`.
    pub(crate) fn name(&self) -> String {
        format!("{}:{}", self.service, self.operation)
    }
}

impl From<&Principal> for PrincipalRecord {
    fn from(principal: &Principal) -> Self {
        match principal.clone() {
            Principal::Root(account) => Self::Root(account.to_string()),
            Principal::User { account, name, id } => Self::User(account.to_string(), name, id),
            Principal::RoleSession { account, role, role_id, session } => {
                Self::RoleSession(account.to_string(), role, role_id, session)
            }
            Principal::Service(name) => Self::Service(name.to_owned()),
            Principal::Anonymous => Self::Anonymous,
        }
    }
}

impl PrincipalRecord {
    fn read(&self) -> Option<Principal> {
        Some(match self.clone() {
            Self::Root(account) => Principal::Root(account.parse().ok()?),
            Self::User(account, name, id) => Principal::User { account: account.parse().ok()?, name, id },
            Self::RoleSession(account, role, role_id, session) => {
                Principal::RoleSession { account: account.parse().ok()?, role, role_id, session }
            }
            Self::Service(name) => Principal::Service(static_name(&name)?),
            Self::Anonymous => Principal::Anonymous,
        })
    }
}

/// The one static copy of a platform service's name.
fn static_name(name: &str) -> Option<&'static str> {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().ok()?;
    if let Some(known) = names.get(name) {
        return Some(known);
    }
    if names.len() >= SERVICE_NAMES_MAX {
        return None;
    }
    let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(name);
    Some(name)
}

type Written<W> = Result<(), EncodeError<<W as Write>::Error>>;

fn write_structure<W: Write>(e: &mut Encoder<W>, schema: &Schema, fields: &Fields) -> Written<W> {
    e.map(fields.iter().count() as u64)?;
    for (at, value) in fields.iter() {
        let member = &schema.members()[at];
        e.str(member.name)?;
        write_value(e, member.shape, value)?;
    }
    Ok(())
}

fn write_value<W: Write>(e: &mut Encoder<W>, schema: &Schema, value: &Value) -> Written<W> {
    match (value, schema.kind) {
        (Value::Null, _) => e.null()?,
        (Value::Boolean(value), _) => e.bool(*value)?,
        (Value::Integer(value), _) => e.i64(*value)?,
        (Value::Double(value), _) => e.f64(*value)?,
        (Value::String(text), _) => e.str(text)?,
        (Value::Blob(bytes), _) => e.bytes(bytes)?,
        (Value::Timestamp(at), _) => e.tag(INSTANT)?.i64(at.as_micros())?,
        (Value::List(items), kind) => {
            let inner = if let Kind::List { member, .. } = kind { member } else { schema };
            e.array(items.len() as u64)?;
            for item in items {
                write_value(e, inner, item)?;
            }
            e
        }
        (Value::Map(entries), kind) => {
            let inner = if let Kind::Map { value, .. } = kind { value } else { schema };
            e.map(entries.len() as u64)?;
            for (key, item) in entries {
                e.str(key)?;
                write_value(e, inner, item)?;
            }
            e
        }
        (Value::Structure(fields), _) => return write_structure(e, schema, fields),
        (Value::Stream(_), _) => return Err(EncodeError::message("a stream cannot be stored")),
    };
    Ok(())
}

/// Members that the model no longer has are passed over.
fn read_structure(d: &mut Decoder<'_>, schema: &Schema) -> Result<Fields, DecodeError> {
    let mut fields = Fields::new(schema);
    let count = d.map()?.ok_or_else(|| DecodeError::message("a structure of unknown length"))?;
    for _ in 0..count {
        match schema.member(d.str()?) {
            Some((at, member)) => fields.set(at, read_value(d, member.shape)?),
            None => d.skip()?,
        }
    }
    Ok(fields)
}

fn read_value(d: &mut Decoder<'_>, schema: &Schema) -> Result<Value, DecodeError> {
    Ok(match d.datatype()? {
        Type::Null => {
            d.null()?;
            Value::Null
        }
        Type::Bool => Value::Boolean(d.bool()?),
        Type::F64 => Value::Double(d.f64()?),
        Type::String => Value::String(d.str()?.to_owned()),
        Type::Bytes => Value::Blob(d.bytes()?.to_vec().into()),
        Type::Tag => {
            d.tag()?;
            Value::Timestamp(Timestamp::from_micros(d.i64()?))
        }
        Type::Array => {
            let inner = if let Kind::List { member, .. } = schema.kind { member } else { schema };
            let count = d.array()?.ok_or_else(|| DecodeError::message("a list of unknown length"))?;
            Value::List((0..count).map(|_| read_value(d, inner)).collect::<Result<_, _>>()?)
        }
        Type::Map if matches!(schema.kind, Kind::Structure { .. }) => {
            Value::Structure(read_structure(d, schema)?)
        }
        Type::Map => {
            let inner = if let Kind::Map { value, .. } = schema.kind { value } else { schema };
            let count = d.map()?.ok_or_else(|| DecodeError::message("a map of unknown length"))?;
            let entry = |d: &mut Decoder<'_>| Ok((d.str()?.to_owned(), read_value(d, inner)?));
            Value::Map((0..count).map(|_| entry(d)).collect::<Result<_, DecodeError>>()?)
        }
        _ => Value::Integer(d.i64()?),
    })
}
