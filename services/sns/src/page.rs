//! Pages of a list: a token names the last item of the page before, so that a page stays right whatever comes and goes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::errors::ParameterError;

/// The items of a page.
pub(crate) const PAGE_MAX: usize = 100;

/// The token of what comes after an item.
pub(crate) fn token(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(last)
}

/// The item that a token names.
pub(crate) fn after(token: Option<String>) -> Result<Option<String>, ParameterError> {
    let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.map(Some).ok_or_else(|| ParameterError::plain("NextToken"))
}
