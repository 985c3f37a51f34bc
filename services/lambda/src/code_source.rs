//! Where a package comes from: the request itself, or an object that the caller may read.

use apus_kernel::Context;
use apus_model_lambda::FunctionCode;
use apus_model_s3::{GetObject, GetObjectRequest};
use apus_schema::{BodyError, Common, Fault, ServiceError};

use crate::code::package::{Package, UPLOAD_BYTES_MAX};
use crate::errors;

/// Fetches the package; `operation` is named by the error of one that is too large.
pub(crate) async fn package(
    context: &Context,
    code: &FunctionCode,
    operation: &str,
) -> Result<Package, ServiceError> {
    let object = (&code.s3_bucket, &code.s3_key);
    match (&code.zip_file, object) {
        (Some(_), (Some(_), _) | (_, Some(_))) => Err(errors::invalid_parameter(
            "Please do not provide other FunctionCode parameters when providing a ZipFile.",
        )),
        (Some(bytes), _) if bytes.len() > UPLOAD_BYTES_MAX => Err(errors::upload_too_large(operation)),
        (Some(bytes), _) => Ok(Package::new(bytes.clone())),
        (None, (Some(bucket), Some(key))) => {
            let version_id = code.s3_object_version.clone();
            let request = GetObjectRequest {
                bucket: bucket.clone(),
                key: key.clone(),
                version_id,
                ..GetObjectRequest::default()
            };
            let object = context.call::<GetObject>(request).await;
            let object = object.map_err(|error| object_error(error, bucket, key))?;
            let body = object.body.unwrap_or_default();
            match body.collect(UPLOAD_BYTES_MAX).await {
                Ok(bytes) => Ok(Package::new(bytes)),
                Err(BodyError::TooLarge { limit }) => {
                    Err(errors::not_supported(&format!("code packages of more than {limit} zipped bytes")))
                }
                Err(error) => Err(ServiceError::internal(error)),
            }
        }
        (None, (None, None)) => Err(errors::invalid_parameter("Please provide a source for function code.")),
        (None, _) => {
            Err(errors::invalid_parameter("Please provide both S3Bucket and S3Key for function code in S3."))
        }
    }
}

fn object_error(error: ServiceError, bucket: &str, key: &str) -> ServiceError {
    if error.fault() == Fault::Receiver {
        return error;
    }
    if error.is_common(Common::AccessDenied) {
        let message = format!(
            "Your access has been denied by S3, please make sure your request credentials have permission to \
             GetObject for {bucket}/{key}. S3 Error Code: AccessDenied. S3 Error Message: {}",
            error.message()
        );
        return ServiceError::common(Common::AccessDenied, message);
    }
    let message = format!(
        "Error occurred while GetObject. S3 Error Code: {}. S3 Error Message: {}",
        error.name(),
        error.message()
    );
    errors::invalid_parameter(message)
}
