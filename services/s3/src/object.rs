//! An object: its key, what is remembered of it, and where its bytes are.

use std::collections::BTreeMap;

use apus_kernel::Arn;
use apus_store::BlobId;
use apus_time::Timestamp;

use crate::bucket::bucket_arn;
use crate::checksum::Checksum;
use crate::range::ByteRange;

/// The most bytes that one `PutObject` takes.
pub(crate) const OBJECT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// Objects up to this size are held in the store, larger ones in blobs.
pub(crate) const INLINE_BYTES_MAX: usize = 64 * 1024;
/// The most bytes of user metadata, names and values together.
pub(crate) const METADATA_BYTES_MAX: usize = 2 * 1024;

/// An object's key: 1 to 1,024 bytes of UTF-8. Nothing in it has a meaning here, `..` and `//` included.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ObjectKey(String);

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidKey {
    Empty,
    /// So many bytes.
    TooLong(usize),
}

impl ObjectKey {
    pub(crate) const LENGTH_MAX: usize = 1_024;

    /// The key that a request means.
    pub(crate) fn parse(text: String) -> Result<Self, InvalidKey> {
        match text.len() {
            0 => Err(InvalidKey::Empty),
            length if length > Self::LENGTH_MAX => Err(InvalidKey::TooLong(length)),
            _ => Ok(Self(text)),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// `arn:aws:s3:::bucket/key`, for any texts that a request gives.
pub(crate) fn object_arn(bucket: &str, key: &str) -> Arn {
    let bucket = bucket_arn(bucket);
    Arn { resource: format!("{}/{key}", bucket.resource), ..bucket }
}

/// What is remembered of an object beside its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) size_bytes: u64,
    pub(crate) md5: [u8; 16],
    pub(crate) modified_at: Timestamp,
    pub(crate) checksum: Checksum,
    pub(crate) headers: Headers,
    /// User metadata, names in lower case.
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) place: Place,
}

/// Where an object's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a row beside the object's.
    Store,
    /// In a blob, which is this object's alone.
    Blob(BlobId),
}

impl Object {
    /// The tag without quotes: MD5 in hexadecimal.
    pub(crate) fn etag(&self) -> String {
        self.md5.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
    }

    /// The tag as it is sent.
    pub(crate) fn quoted_etag(&self) -> String {
        format!("\"{}\"", self.etag())
    }

    /// All of its bytes; nothing if there are none.
    pub(crate) fn whole(&self) -> Option<ByteRange> {
        Some(ByteRange { first: 0, last: self.size_bytes.checked_sub(1)? })
    }
}

/// The headers that come back as they were put.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers {
    pub(crate) content_type: Option<String>,
    pub(crate) cache_control: Option<String>,
    pub(crate) content_disposition: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_language: Option<String>,
    pub(crate) expires: Option<String>,
}

impl Headers {
    /// What S3 says of an object whose writer did not.
    pub(crate) const CONTENT_TYPE_DEFAULT: &str = "binary/octet-stream";

    /// These, with others before them where they are set.
    pub(crate) fn overridden(self, by: Self) -> Self {
        Self {
            content_type: by.content_type.or(self.content_type),
            cache_control: by.cache_control.or(self.cache_control),
            content_disposition: by.content_disposition.or(self.content_disposition),
            content_encoding: by.content_encoding.or(self.content_encoding),
            content_language: by.content_language.or(self.content_language),
            expires: by.expires.or(self.expires),
        }
    }
}

/// The stored encoding: `aws-chunked` is of the transport, not of the object.
pub(crate) fn content_encoding(header: &str) -> Option<String> {
    let codings = header.split(',').map(str::trim);
    let codings: Vec<_> =
        codings.filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("aws-chunked")).collect();
    (!codings.is_empty()).then(|| codings.join(","))
}

/// How many bytes user metadata counts.
pub(crate) fn metadata_bytes(metadata: &BTreeMap<String, String>) -> usize {
    metadata.iter().map(|(name, value)| name.len() + value.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_bounded_in_bytes_and_else_free() {
        for key in ["../x", "a//b", "%2F", "+", " ", "\u{1}", "ä", ".", &"x".repeat(1_024), &"ä".repeat(512)]
        {
            assert_eq!(ObjectKey::parse(key.to_owned()).map(|key| key.0).as_deref(), Ok(key));
        }
        assert_eq!(ObjectKey::parse(String::new()), Err(InvalidKey::Empty));
        assert_eq!(ObjectKey::parse("x".repeat(1_025)), Err(InvalidKey::TooLong(1_025)));
        assert_eq!(ObjectKey::parse("ä".repeat(513)), Err(InvalidKey::TooLong(1_026)));
    }

    #[test]
    fn the_coding_of_the_transport_is_not_stored() {
        for (header, stored) in [
            ("gzip", Some("gzip")),
            ("aws-chunked", None),
            ("aws-chunked,gzip", Some("gzip")),
            ("gzip, br , AWS-Chunked", Some("gzip,br")),
            ("", None),
        ] {
            assert_eq!(content_encoding(header).as_deref(), stored, "{header}");
        }
    }

    #[test]
    fn resources_are_named_as_in_policies() {
        assert_eq!(object_arn("b", "k/../ü").to_string(), "arn:aws:s3:::b/k/../ü");
    }
}
