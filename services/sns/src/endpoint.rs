//! The port to endpoints outside: SNS knows no HTTP.

use apus_kernel::BoxFuture;

/// What is posted to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// `http://…`
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
