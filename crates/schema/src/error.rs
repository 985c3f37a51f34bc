//! The error that a handler returns: what the model calls it, what the caller may read, what only the log may.

use std::error::Error;
use std::fmt;

use crate::{Common, ErrorSchema, Fields, Value};

/// Which error it is.
#[derive(Clone, Copy, Debug)]
pub enum ErrorKind {
    /// One of the model, or of the service's documentation where the model is silent.
    Modelled(&'static ErrorSchema),
    /// One that all services share.
    Common(Common),
    /// One that only has a name, the same in every protocol: what a signature check refuses.
    Named {
        /// The code.
        code: &'static str,
        /// The code that the query protocol has for it, which services that once spoke it still tell.
        query_code: &'static str,
        /// The HTTP status.
        status: u16,
    },
}

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller must change the request.
    Sender,
    /// The service failed.
    Receiver,
}

/// What an operation answers instead of its output. One word wide: results that hold it stay small.
#[derive(Debug)]
pub struct ServiceError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    fields: Fields,
    extra: Vec<(&'static str, String)>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl ServiceError {
    fn new(kind: ErrorKind, message: String, fields: Fields) -> Self {
        Self(Box::new(Inner { kind, message, fields, extra: Vec::new(), cause: None }))
    }

    /// An error of the model. The message is public.
    pub fn modelled(schema: &'static ErrorSchema, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Modelled(schema), message.into(), Fields::new(schema.schema))
    }

    /// An error that all services share. The message is public.
    pub fn common(common: Common, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Common(common), message.into(), Fields::default())
    }

    /// An error that only has a name. The message is public.
    pub fn named(code: &'static str, status: u16, message: impl Into<String>) -> Self {
        let kind = ErrorKind::Named { code, query_code: code, status };
        Self::new(kind, message.into(), Fields::default())
    }

    /// Sets the code that the query protocol has for a named error.
    #[must_use]
    pub fn with_query_code(mut self, query: &'static str) -> Self {
        if let ErrorKind::Named { query_code, .. } = &mut self.0.kind {
            *query_code = query;
        }
        self
    }

    /// A broken invariant or a failed disk: the caller learns only that, the log learns the cause.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let message = "We encountered an internal error. Please try again.";
        Self::common(Common::Internal, message).because(cause)
    }

    /// Sets a member of the modelled error, which the schema must have.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        let ErrorKind::Modelled(schema) = self.0.kind else {
            unreachable!("a common error has no members, `{member}` was set")
        };
        let Some((at, _)) = schema.schema.member(member) else {
            unreachable!("{} has no member `{member}`", schema.name)
        };
        self.0.fields.set(at, value.into());
        self
    }

    /// Adds an element beside code and message, as S3 names the bucket or the key.
    #[must_use]
    pub fn with_element(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.0.extra.push((name, text.into()));
        self
    }

    /// Adds what only the log may know.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Which error it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether it is that error of a model.
    pub fn is(&self, schema: &'static ErrorSchema) -> bool {
        matches!(self.0.kind, ErrorKind::Modelled(own) if std::ptr::eq(own, schema))
    }

    /// Whether it is that shared error.
    pub fn is_common(&self, common: Common) -> bool {
        matches!(self.0.kind, ErrorKind::Common(own) if own == common)
    }

    /// What the caller reads.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The modelled error's members, without its message.
    pub fn fields(&self) -> &Fields {
        &self.0.fields
    }

    /// The elements beside code and message.
    pub fn elements(&self) -> &[(&'static str, String)] {
        &self.0.extra
    }

    /// What only the log may know.
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync)> {
        self.0.cause.as_deref()
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        let sender = match self.0.kind {
            ErrorKind::Modelled(schema) => schema.sender_fault,
            ErrorKind::Common(common) => common.is_sender_fault(),
            ErrorKind::Named { status, .. } => status < 500,
        };
        if sender { Fault::Sender } else { Fault::Receiver }
    }

    /// Whether the same request may succeed later: the service's own failures and throttling.
    pub fn is_retryable(&self) -> bool {
        self.fault() == Fault::Receiver
            || self.is_common(Common::Throttled)
            || matches!(self.0.kind, ErrorKind::Modelled(schema) if schema.status == 429)
    }

    /// The name for logs and metrics.
    pub fn name(&self) -> String {
        match self.0.kind {
            ErrorKind::Modelled(schema) => schema.name.to_owned(),
            ErrorKind::Common(common) => format!("{common:?}"),
            ErrorKind::Named { code, .. } => code.to_owned(),
        }
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self.0.message)?;
        match &self.0.cause {
            Some(cause) => write!(f, " ({cause})"),
            None => Ok(()),
        }
    }
}

impl Error for ServiceError {}
