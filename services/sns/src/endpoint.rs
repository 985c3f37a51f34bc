//! The ports to the world outside: SNS knows no HTTP and sends no mail.

use apus_kernel::BoxFuture;
use apus_time::Timestamp;

/// What is posted to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// `http://…` or `https://…`
    pub url: String,
    /// Names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// UTF-8.
    pub body: String,
}

/// Posts to endpoints.
pub trait Endpoints: Send + Sync + 'static {
    /// The status of the answer, or why there is none. It comes back within fifteen seconds.
    fn post(&self, post: Post) -> BoxFuture<'static, Result<u16, String>>;
}

/// How a letter would have travelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// To an address.
    Email,
    /// To a telephone number.
    Sms,
}

/// What is meant for a person. Apus sends no mail and no text messages: it keeps them where a person reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// How it would have travelled.
    pub carrier: Carrier,
    /// The same at every attempt: a letter that was kept is kept once. Letters, digits and hyphens.
    pub id: String,
    /// An address or a number.
    pub to: String,
    /// Whom it is from: a topic's display name or its resource name; empty for a text message to a number.
    pub from: String,
    /// One line; a text message has none.
    pub subject: Option<String>,
    /// UTF-8.
    pub text: String,
    /// When it was published.
    pub at: Timestamp,
}

/// Keeps letters.
pub trait Letters: Send + Sync + 'static {
    /// Keeps one, durably, or says why it could not.
    fn keep(&self, letter: Letter) -> BoxFuture<'static, Result<(), String>>;
}
