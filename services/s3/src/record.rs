//! Rows as they are stored: numbered fields, so that they can grow.

use std::collections::BTreeMap;

use apus_store::{BlobId, StoreError};
use apus_time::Timestamp;
use minicbor::{Decode, Encode};

use crate::bucket::Bucket;
use crate::checksum::{Algorithm, Checksum};
use crate::object::{Headers, Object, Place};

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct BucketRecord {
    #[n(0)]
    owner: String,
    #[n(1)]
    region: String,
    #[n(2)]
    created_at_micros: i64,
}

impl BucketRecord {
    pub(crate) fn of(bucket: &Bucket) -> Self {
        Self {
            owner: bucket.owner.to_string(),
            region: bucket.region.to_string(),
            created_at_micros: bucket.created_at.as_micros(),
        }
    }

    pub(crate) fn into_bucket(self, name: &str) -> Result<Bucket, StoreError> {
        let damaged = || corrupt(format!("the record of bucket {name}"), "its name, owner or region is none");
        Ok(Bucket {
            name: name.parse().map_err(|_| damaged())?,
            owner: self.owner.parse().map_err(|_| damaged())?,
            region: self.region.parse().map_err(|_| damaged())?,
            created_at: Timestamp::from_micros(self.created_at_micros),
        })
    }
}

/// An object, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct ObjectRecord {
    #[n(0)]
    size_bytes: u64,
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    md5: [u8; 16],
    #[n(2)]
    modified_at_micros: i64,
    /// The algorithm's name.
    #[n(3)]
    checksum_algorithm: String,
    #[n(4)]
    #[cbor(with = "minicbor::bytes")]
    checksum: Vec<u8>,
    /// The blob with its bytes; none for bytes in the store.
    #[n(5)]
    blob: Option<BlobId>,
    #[n(6)]
    content_type: Option<String>,
    #[n(7)]
    cache_control: Option<String>,
    #[n(8)]
    content_disposition: Option<String>,
    #[n(9)]
    content_encoding: Option<String>,
    #[n(10)]
    content_language: Option<String>,
    #[n(11)]
    expires: Option<String>,
    #[n(12)]
    metadata: BTreeMap<String, String>,
}

impl ObjectRecord {
    pub(crate) fn of(object: &Object) -> Self {
        let Headers {
            content_type,
            cache_control,
            content_disposition,
            content_encoding,
            content_language,
            expires,
        } = object.headers.clone();
        Self {
            size_bytes: object.size_bytes,
            md5: object.md5,
            modified_at_micros: object.modified_at.as_micros(),
            checksum_algorithm: object.checksum.algorithm.name().to_owned(),
            checksum: object.checksum.bytes.clone(),
            blob: match &object.place {
                Place::Store => None,
                Place::Blob(id) => Some(*id),
            },
            content_type,
            cache_control,
            content_disposition,
            content_encoding,
            content_language,
            expires,
            metadata: object.metadata.clone(),
        }
    }

    pub(crate) fn into_object(self, key: &str) -> Result<Object, StoreError> {
        let damaged = |detail: &str| corrupt(format!("the record of object {key}"), detail);
        let algorithm = Algorithm::named(&self.checksum_algorithm)
            .ok_or_else(|| damaged("this release does not know its checksum's algorithm"))?;
        let place = match self.blob {
            None => Place::Store,
            Some(id) => Place::Blob(id),
        };
        Ok(Object {
            size_bytes: self.size_bytes,
            md5: self.md5,
            modified_at: Timestamp::from_micros(self.modified_at_micros),
            checksum: Checksum { algorithm, bytes: self.checksum },
            headers: Headers {
                content_type: self.content_type,
                cache_control: self.cache_control,
                content_disposition: self.content_disposition,
                content_encoding: self.content_encoding,
                content_language: self.content_language,
                expires: self.expires,
            },
            metadata: self.metadata,
            place,
        })
    }
}

/// Stored bytes that are not what was written.
pub(crate) fn corrupt(place: String, detail: &str) -> StoreError {
    StoreError::Corrupt { place, detail: detail.to_owned() }
}
