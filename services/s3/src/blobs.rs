//! A stand-in for the store's blobs while they are being written: the same face, in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use apus_schema::{BodyError, ByteStream};
use apus_store::StoreError;
use bytes::{Bytes, BytesMut};
use futures_core::Stream;

use crate::range::ByteRange;

/// A blob's id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BlobId(u64);

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for BlobId {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        u64::from_str_radix(text, 16).map(Self).map_err(|_| ())
    }
}

/// Blobs.
#[derive(Clone, Debug, Default)]
pub struct Blobs(Arc<Mutex<(u64, BTreeMap<BlobId, Bytes>)>>);

#[derive(Debug)]
pub(crate) struct BlobWriter(Blobs, BytesMut);

#[expect(clippy::unused_async, reason = "a stand-in")]
impl Blobs {
    pub(crate) async fn create(&self) -> Result<BlobWriter, StoreError> {
        Ok(BlobWriter(self.clone(), BytesMut::new()))
    }
    pub(crate) async fn open(&self, id: &BlobId, range: ByteRange) -> Result<Option<ByteStream>, StoreError> {
        let blobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bytes) = blobs.1.get(id) else { return Ok(None) };
        let bytes = bytes.slice(range.first as usize..=range.last as usize);
        Ok(Some(Box::pin(Once(Some(bytes)))))
    }
    pub(crate) async fn delete(&self, id: &BlobId) -> Result<(), StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.remove(id);
        Ok(())
    }
}

#[expect(clippy::unused_async, reason = "a stand-in")]
impl BlobWriter {
    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.1.extend_from_slice(&bytes);
        Ok(())
    }
    pub(crate) async fn finish(self) -> Result<BlobId, StoreError> {
        let mut blobs = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        blobs.0 += 1;
        let id = BlobId(blobs.0);
        blobs.1.insert(id.clone(), self.1.freeze());
        Ok(id)
    }
}

struct Once(Option<Bytes>);

impl Stream for Once {
    type Item = Result<Bytes, BodyError>;
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().map(Ok))
    }
}
