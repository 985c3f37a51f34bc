//! Hosts: which one a client addressed, and the bucket that may stand in it.

use std::borrow::Cow;

use apus_wire::virtual_host;
use http::header::HOST;
use http::request::Parts;

/// The service whose resources are addressed by host, by its name in a signature.
pub(crate) const HOST_STYLE_SERVICE: &str = "s3";
/// Hosts of this installation before which a bucket may stand; its public one is added.
const SUFFIXES: [&str; 3] = ["localhost", "s3.localhost", "localhost.localstack.cloud"];
/// Under which AWS has its endpoints.
const AWS_DOMAINS: [&str; 2] = [".amazonaws.com", ".amazonaws.com.cn"];

/// The host that the client addressed, without its port.
pub(crate) fn host(parts: &Parts) -> Option<&str> {
    let host = match parts.headers.get(HOST) {
        Some(value) => value.to_str().ok(),
        None => parts.uri.authority().map(http::uri::Authority::as_str),
    };
    host.map(without_port)
}

/// A host without its port.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// What a host and a path address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Addressed<'a> {
    /// The path in path style: `/photos/key` for `/key` at `photos.s3.localhost`.
    pub(crate) path: Cow<'a, str>,
    /// The host without its port and without the bucket.
    pub(crate) host: Option<&'a str>,
}

/// Takes a bucket out of the host, which has no port. `base_url` is the installation's public one.
pub(crate) fn addressed<'a>(
    path: &'a str,
    host: Option<&'a str>,
    signing_name: Option<&str>,
    base_url: &str,
) -> Addressed<'a> {
    match host.and_then(|host| bucket(host, signing_name, base_url)) {
        Some(bucket) => Addressed {
            path: Cow::Owned(format!("/{bucket}{path}")),
            host: host.and_then(|host| host.get(bucket.len() + 1..)),
        },
        None => Addressed { path: Cow::Borrowed(path), host },
    }
}

fn bucket<'a>(host: &'a str, signing_name: Option<&str>, base_url: &str) -> Option<&'a str> {
    match signing_name {
        Some(HOST_STYLE_SERVICE) => bucket_at_aws(host).or_else(|| {
            let public = host_of(base_url);
            let suffixes: Vec<&str> = SUFFIXES.into_iter().chain(public).collect();
            virtual_host(host, &suffixes)
        }),
        Some(_) => None,
        // Without a signature only hosts that say so are meant; `jobs.localhost` may be anything.
        None => bucket_at_aws(host).or_else(|| virtual_host(host, &["s3.localhost"])),
    }
}

/// The bucket in a host of S3's on AWS: before `s3.amazonaws.com`, `s3.REGION…`, `s3-REGION…`, their FIPS and dual-stack
/// variants, or the accelerated endpoint
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>).
fn bucket_at_aws(host: &str) -> Option<&str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let mut rest = AWS_DOMAINS.iter().find_map(|domain| {
        let (rest, end) = host.split_at_checked(host.len().checked_sub(domain.len())?)?;
        end.eq_ignore_ascii_case(domain).then_some(rest)
    })?;
    let last = |rest: &'_ str| rest.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let before = |rest: &mut &str| -> bool {
        match rest.rsplit_once('.') {
            Some((before, _)) => *rest = before,
            None => return false,
        }
        true
    };
    let regional = is_region(&last(rest)) && before(&mut rest);
    if last(rest) == "dualstack" && !before(&mut rest) {
        return None;
    }
    let label = last(rest);
    let is_endpoint = match label.strip_prefix("s3") {
        Some("" | "-fips") => true,
        Some("-accelerate") => !regional,
        Some(of_region) => !regional && of_region.strip_prefix('-').is_some_and(is_region),
        None => false,
    };
    (is_endpoint && before(&mut rest) && !rest.is_empty()).then_some(rest)
}

/// Of the form `us-east-1`.
fn is_region(label: &str) -> bool {
    label.contains('-') && label.ends_with(|last: char| last.is_ascii_digit()) && !label.starts_with("s3-")
}

/// The name in a URL, unless it is an address.
fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    let name = without_port(authority);
    let is_name = !name.starts_with('[') && name.parse::<std::net::IpAddr>().is_err();
    (is_name && !name.is_empty()).then_some(name)
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
            ("photos.s3.us-east-1.amazonaws.com:443", None, "/photos/key"),
            ("photos.s3.amazonaws.com", Some("s3"), "/photos/key"),
            ("my.photos.s3.amazonaws.com", None, "/my.photos/key"),
            ("photos.s3-eu-west-1.amazonaws.com", Some("s3"), "/photos/key"),
            ("photos.s3.dualstack.eu-west-1.amazonaws.com", Some("s3"), "/photos/key"),
            ("photos.s3-fips.us-gov-west-1.amazonaws.com", Some("s3"), "/photos/key"),
            ("photos.s3-accelerate.amazonaws.com", Some("s3"), "/photos/key"),
            ("photos.s3-accelerate.dualstack.amazonaws.com", Some("s3"), "/photos/key"),
            ("photos.s3.cn-north-1.amazonaws.com.cn", Some("s3"), "/photos/key"),
            ("Photos.S3.EU-west-1.AmazonAWS.com.", Some("s3"), "/Photos/key"),
            ("a.s3.s3.amazonaws.com", Some("s3"), "/a.s3/key"),
            ("photos.apus.example.com:8443", Some("s3"), "/photos/key"),
            ("apus.example.com", Some("s3"), "/key"),
            ("photos.apus.example.com", None, "/key"),
            ("s3.amazonaws.com", Some("s3"), "/key"),
            ("s3.eu-west-1.amazonaws.com", Some("s3"), "/key"),
            ("s3-eu-west-1.amazonaws.com", None, "/key"),
            ("s3.dualstack.eu-west-1.amazonaws.com", None, "/key"),
            ("sqs.eu-west-1.amazonaws.com", Some("sqs"), "/key"),
            ("sqs.eu-west-1.amazonaws.com", None, "/key"),
            ("iam.amazonaws.com", None, "/key"),
            ("amazonaws.com", Some("s3"), "/key"),
            (".s3.amazonaws.com", Some("s3"), "/key"),
            ("photosлs3.amazonaws.com", Some("s3"), "/key"),
            ("127.0.0.1:4566", Some("s3"), "/key"),
            ("localhost:4566", Some("s3"), "/key"),
            ("photos.localhost:4566", Some("sqs"), "/key"),
            ("photos.localhost:4566", None, "/key"),
            ("photos.s3.localhost:4566", None, "/photos/key"),
        ] {
            let found = addressed("/key", Some(without_port(host)), service, "https://apus.example.com:8443");
            assert_eq!(found.path, expected, "{host} {service:?}");
        }
    }

    #[test]
    fn what_is_left_of_the_host_names_the_service() {
        for (host, left) in [
            // A bucket may be called like a service.
            ("sqs.s3.us-east-1.amazonaws.com", "s3.us-east-1.amazonaws.com"),
            ("iam.s3.localhost:4566", "s3.localhost"),
            ("sqs.us-east-1.amazonaws.com", "sqs.us-east-1.amazonaws.com"),
            ("s3.amazonaws.com:443", "s3.amazonaws.com"),
        ] {
            assert_eq!(addressed("/", Some(without_port(host)), None, "").host, Some(left), "{host}");
        }
    }

    #[test]
    fn addresses_are_no_names() {
        for (url, name) in [
            ("http://127.0.0.1:4566", None),
            ("http://[::1]:4566", None),
            ("https://apus.example.com", Some("apus.example.com")),
            ("https://apus.example.com:8443/x", Some("apus.example.com")),
            ("", None),
        ] {
            assert_eq!(host_of(url), name, "{url}");
        }
    }
}
