//! Hosts: which one a client addressed, and the bucket that may stand in it.

use std::borrow::Cow;

use apus_wire::virtual_host;
use http::header::HOST;
use http::request::Parts;

/// The service whose resources are addressed by host, by its name in a signature.
pub(crate) const HOST_STYLE_SERVICE: &str = "s3";
/// Hosts before which a bucket may stand; the region's own host is added per request.
const SUFFIXES: [&str; 4] = ["localhost", "s3.localhost", "s3.amazonaws.com", "localhost.localstack.cloud"];

/// The host that the client addressed, with its port.
pub(crate) fn host(parts: &Parts) -> Option<&str> {
    match parts.headers.get(HOST) {
        Some(value) => value.to_str().ok(),
        None => parts.uri.authority().map(http::uri::Authority::as_str),
    }
}

/// A host without its port.
pub(crate) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The path in path style: `/photos/key` for `/key` at `photos.s3.localhost`.
pub(crate) fn path_style<'a>(
    path: &'a str,
    host: Option<&str>,
    signing_name: Option<&str>,
    region: Option<&str>,
) -> Cow<'a, str> {
    // Without a signature only hosts that say so are meant; `jobs.localhost` may be anything.
    let signed = signing_name == Some(HOST_STYLE_SERVICE);
    let Some(host) = host.filter(|host| signed || signing_name.is_none() && host.contains(".s3.")) else {
        return Cow::Borrowed(path);
    };
    let regional = format!("s3.{}.amazonaws.com", region.unwrap_or("us-east-1"));
    let suffixes: Vec<&str> = SUFFIXES.iter().copied().chain([regional.as_str()]).collect();
    match virtual_host(host, &suffixes) {
        Some(bucket) => Cow::Owned(format!("/{bucket}{path}")),
        None => Cow::Borrowed(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_in_the_host_comes_before_the_path() {
        for (host, service, expected) in [
            ("photos.s3.localhost:4566", Some("s3"), "/photos/key"),
            ("photos.localhost:4566", Some("s3"), "/photos/key"),
            ("photos.s3.eu-west-1.amazonaws.com", Some("s3"), "/photos/key"),
            ("127.0.0.1:4566", Some("s3"), "/key"),
            ("localhost:4566", Some("s3"), "/key"),
            ("photos.localhost:4566", Some("sqs"), "/key"),
            ("photos.localhost:4566", None, "/key"),
            ("photos.s3.localhost:4566", None, "/photos/key"),
        ] {
            assert_eq!(
                path_style("/key", Some(host), service, Some("eu-west-1")),
                expected,
                "{host} {service:?}"
            );
        }
    }
}
