//! The canonical request: the one text that client and server both make of a request, to sign it.

use std::borrow::Cow;

use super::{PathRule, RequestParts, SignedHeaders, parameters};

/// The parameter that a presigned request cannot cover.
pub(super) const SIGNATURE_PARAMETER: &str = "X-Amz-Signature";

/// Which of the ways to write the same request down.
///
/// Clients agree on the canonical writing of most requests, but some sign characters as they send them
/// (`!` in a key, `+` in a query) and some leave a default port out of the host that they sign. Each writing names the
/// same request, so that accepting any of them gives nothing away.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spelling {
    /// Path and query as sent, instead of decoded and encoded.
    pub(super) as_sent: bool,
    /// `:80` and `:443` cut from the host.
    pub(super) bare_host: bool,
}

impl Spelling {
    /// All, the documented one first.
    pub(super) const ALL: [Self; 4] = [
        Self { as_sent: false, bare_host: false },
        Self { as_sent: true, bare_host: false },
        Self { as_sent: false, bare_host: true },
        Self { as_sent: true, bare_host: true },
    ];
}

/// Writes the canonical request.
pub(super) fn request(
    parts: &RequestParts<'_>,
    signed_headers: &SignedHeaders,
    payload: &str,
    rule: PathRule,
    spelling: Spelling,
) -> Vec<u8> {
    let mut text = Vec::with_capacity(1_024);
    text.extend_from_slice(parts.method.as_bytes());
    text.push(b'\n');
    text.extend_from_slice(path(parts.path, rule, spelling).as_bytes());
    text.push(b'\n');
    query(parts.query, spelling, &mut text);
    text.push(b'\n');
    let headers: Vec<_> =
        parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    for name in signed_headers.iter() {
        header(&headers, name, spelling, &mut text);
        text.push(b'\n');
    }
    text.push(b'\n');
    text.extend_from_slice(signed_headers.as_str().as_bytes());
    text.push(b'\n');
    text.extend_from_slice(payload.as_bytes());
    text
}

pub(super) fn path(path: &str, rule: PathRule, spelling: Spelling) -> Cow<'_, str> {
    let path = if path.is_empty() { "/" } else { path };
    match rule {
        // Most calls: nothing to write differently.
        _ if path == "/" => Cow::Borrowed(path),
        PathRule::Verbatim if spelling.as_sent => Cow::Borrowed(path),
        PathRule::Verbatim => Cow::Owned(parameters::encode_path(&parameters::decode_path(path))),
        PathRule::Normalized => Cow::Owned(parameters::encode_path(normalize(path).as_bytes())),
    }
}

/// Removes empty and dot segments (RFC 3986, 5.2.4), keeping a slash at the end.
fn normalize(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    let mut text = String::with_capacity(path.len() + 1);
    for segment in &kept {
        text.push('/');
        text.push_str(segment);
    }
    if text.is_empty() || path.ends_with('/') {
        text.push('/');
    }
    text
}

fn query(query: &str, spelling: Spelling, into: &mut Vec<u8>) {
    if query.is_empty() {
        return;
    }
    let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = parameters::pairs(query)
        .filter(|(name, _)| *name != SIGNATURE_PARAMETER)
        .map(|(name, value)| {
            let written = |text| {
                if spelling.as_sent {
                    Cow::Borrowed(text)
                } else {
                    Cow::Owned(parameters::encode(&parameters::decode(text)))
                }
            };
            (written(name), written(value))
        })
        .collect();
    pairs.sort_unstable();
    for (at, (name, value)) in pairs.iter().enumerate() {
        if at > 0 {
            into.push(b'&');
        }
        into.extend_from_slice(name.as_bytes());
        into.push(b'=');
        into.extend_from_slice(value.as_bytes());
    }
}

/// `name:value,value`, each value trimmed and its runs of spaces folded.
fn header(headers: &[(&str, &[u8])], name: &str, spelling: Spelling, into: &mut Vec<u8>) {
    into.extend_from_slice(name.as_bytes());
    into.push(b':');
    // A look at each of a few is less than what a look-up makes of the name.
    let values = headers.iter().filter(|(own, _)| *own == name);
    for (at, &(_, mut value)) in values.enumerate() {
        if at > 0 {
            into.push(b',');
        }
        if name == "host" && spelling.bare_host {
            value = bare_host(value).unwrap_or(value);
        }
        fold_spaces(value, into);
    }
}

/// The host without a default port, if it has one.
pub(super) fn bare_host(host: &[u8]) -> Option<&[u8]> {
    host.strip_suffix(b":80").or_else(|| host.strip_suffix(b":443"))
}

fn fold_spaces(value: &[u8], into: &mut Vec<u8>) {
    if !value.contains(&b' ') && !value.contains(&b'\t') {
        return into.extend_from_slice(value);
    }
    let words = value.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    for (at, word) in words.enumerate() {
        if at > 0 {
            into.push(b' ');
        }
        into.extend_from_slice(word);
    }
}
