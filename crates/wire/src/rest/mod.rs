//! restJson and restXml: members bound to labels, query string, headers, status and payload; the rest is the body.

pub(crate) mod header;
pub(crate) mod json;
pub(crate) mod read;
pub(crate) mod write;
pub(crate) mod xml;
