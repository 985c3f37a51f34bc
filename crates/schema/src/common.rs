//! Errors that every service shares and no model lists. Each protocol writes them in its own words.

/// A failure before or around an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Common {
    /// The caller may not do this.
    AccessDenied,
    /// The request carries no credentials.
    MissingAuthentication,
    /// The access key is of no account here.
    UnknownAccessKey,
    /// The session token does not belong to the access key, or is broken.
    InvalidSessionToken,
    /// The session token's time is over.
    ExpiredSessionToken,
    /// The signature does not fit the request.
    SignatureMismatch,
    /// Parts of the signature are missing or unreadable.
    IncompleteSignature,
    /// The request was signed too long ago, or for the future.
    RequestExpired,
    /// The body or a member cannot be read in the protocol.
    Malformed,
    /// A member breaks a constraint of the model, or a required one is missing.
    Validation,
    /// The service has no operation of that name.
    UnknownOperation,
    /// The model has the operation; Apus does not support it.
    NotSupported,
    /// No service claims the request.
    UnknownService,
    /// The request is larger than the operation allows.
    RequestTooLarge,
    /// Too many requests.
    Throttled,
    /// An invariant broke, or the disk did.
    Internal,
    /// Stopping, or out of resources.
    Unavailable,
}

impl Common {
    /// Whose fault it is.
    pub const fn is_sender_fault(self) -> bool {
        !matches!(self, Self::Internal | Self::Unavailable)
    }
}
