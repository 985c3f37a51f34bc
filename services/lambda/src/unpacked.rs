//! A version's code and layers on disk, ready for environments.

use std::sync::Arc;

use apus_schema::ServiceError;
use apus_store::{BlobId, StoreError};

use crate::code::cache::UnpackedCode;
use crate::code::package::{CodeHash, Package};
use crate::code::unpack::UnpackError;
use crate::errors::{self, Failure};
use crate::function_name::FunctionReference;
use crate::store::FunctionRecord;
use crate::{Lambda, store};

/// Code, and layers with the lowest first.
pub(crate) type Unpacked = (Arc<UnpackedCode>, Vec<Arc<UnpackedCode>>);

/// Why code could not be had.
pub(crate) enum LoadError {
    /// The function was changed or deleted since its record was read.
    Gone,
    Refused(ServiceError),
}

impl From<UnpackError> for LoadError {
    fn from(error: UnpackError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<StoreError> for LoadError {
    fn from(error: StoreError) -> Self {
        Self::Refused(Failure::from(error).into())
    }
}

impl Lambda {
    /// Unpacks a package before it is acknowledged: one that cannot be unpacked is never kept. Its size, unpacked.
    pub(crate) async fn unpack(&self, package: &Package) -> Result<u64, ServiceError> {
        let bytes = package.bytes.clone();
        let code = self.code.get(package.hash, async { Ok::<_, ServiceError>(bytes) }).await?;
        Ok(code.bytes)
    }

    /// The code and layers of a version whose record was just read.
    pub(crate) async fn unpacked_or_gone(
        &self,
        function: &FunctionReference,
        record: &FunctionRecord,
    ) -> Result<Unpacked, LoadError> {
        let code = self.load(record.blob(), record.code_hash()?, || function.arn().to_string()).await?;
        let mut layers = Vec::new();
        for layer in record.layers() {
            layers.push(self.load(layer.blob(), layer.hash()?, || layer.arn.clone()).await?);
        }
        Ok((code, layers))
    }

    /// The same, for who does not look again.
    pub(crate) async fn unpacked(
        &self,
        function: &FunctionReference,
        record: &FunctionRecord,
    ) -> Result<Unpacked, ServiceError> {
        self.unpacked_or_gone(function, record).await.map_err(|error| match error {
            LoadError::Gone => errors::update_in_progress(function),
            LoadError::Refused(error) => error,
        })
    }

    /// The size of a version's code, unpacked, its layers not counted.
    pub(crate) async fn unpacked_bytes(
        &self,
        function: &FunctionReference,
        record: &FunctionRecord,
    ) -> Result<u64, ServiceError> {
        let code = record.code_hash().map_err(Failure::from)?;
        match self.load(record.blob(), code, || function.arn().to_string()).await {
            Ok(code) => Ok(code.bytes),
            Err(LoadError::Gone) => Err(errors::update_in_progress(function)),
            Err(LoadError::Refused(error)) => Err(error),
        }
    }

    async fn load(
        &self,
        blob: BlobId,
        hash: CodeHash,
        owner: impl Fn() -> String,
    ) -> Result<Arc<UnpackedCode>, LoadError> {
        let load = async {
            let package = store::blob::package(&self.store, blob, hash, &owner()).await?;
            package.ok_or(LoadError::Gone)
        };
        self.code.get(hash, load).await
    }
}
