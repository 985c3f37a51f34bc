//! Buckets addressed by host: `photos.s3.localhost` means `/photos`.

/// The bucket that a host names before one of the suffixes, which are hosts without a leading dot.
///
/// The port is ignored, the longest suffix wins, and letters of either case are the same. A host that is a
/// suffix itself names no bucket. The caller puts the bucket before the path.
pub fn virtual_host<'h>(host: &'h str, suffixes: &[&str]) -> Option<&'h str> {
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_suffix = |suffix: &str| host.eq_ignore_ascii_case(suffix);
    if suffixes.iter().any(|suffix| is_suffix(suffix)) {
        return None;
    }
    let before = |suffix: &&str| {
        let at = host.len().checked_sub(suffix.len())?;
        let (bucket, end) = (host.get(..at)?, host.get(at..)?);
        let bucket = bucket.strip_suffix('.').filter(|bucket| !bucket.is_empty())?;
        end.eq_ignore_ascii_case(suffix).then_some(bucket)
    };
    suffixes.iter().filter_map(before).min_by_key(|bucket| bucket.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_the_longest_suffix_is_the_bucket() {
        let suffixes = ["localhost", "s3.localhost", "s3.us-east-1.amazonaws.com"];
        for (host, bucket) in [
            ("photos.s3.localhost:4566", Some("photos")),
            ("my.photos.s3.localhost", Some("my.photos")),
            ("photos.localhost", Some("photos")),
            ("photos.S3.us-east-1.AmazonAWS.com.", Some("photos")),
            ("s3.localhost:80", None),
            ("localhost", None),
            (".localhost", None),
            ("", None),
            ("127.0.0.1:4566", None),
            ("[::1]:4566", None),
            ("photosлlocalhost", None),
            ("notlocalhost", None),
        ] {
            assert_eq!(virtual_host(host, &suffixes), bucket, "{host}");
        }
    }
}
