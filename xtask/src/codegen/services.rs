//! Which services have a model crate, where their model lies, and the facts that the model leaves out.

/// A source distribution of botocore, which carries AWS's API models.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Release {
    /// The version.
    pub version: &'static str,
    /// Of the `.tar.gz`, in hexadecimal.
    pub sha256: &'static str,
}

/// Today's models.
pub(crate) const CURRENT: Release =
    Release { version: "1.44.5", sha256: "a988f39e3a4484def0b8010f41128f71157da0515a4804fccce4739aa8f216da" };

/// The last models in which SQS spoke the query protocol.
pub(crate) const OLDER: Release = Release {
    version: "1.34.89",
    sha256: "6624b69bcdf2c5d0568b7bc9cbac13e605f370e7ea06710c61e2e2dc76831141",
};

/// A service with a model crate.
#[derive(Debug)]
pub(crate) struct Service {
    /// Our short name: the crate is `models/<name>`, the package `apus-model-<name>`.
    pub name: &'static str,
    /// botocore's folder and the version in it: `sqs/2012-11-05`.
    pub folder: &'static str,
    /// The older model whose query names and error codes are merged in; the service then accepts the query
    /// protocol too.
    pub query_traits: Option<&'static Release>,
    /// The namespace of XML responses, where the model names none.
    pub xml_namespace: Option<&'static str>,
    /// Output shapes whose XML root is not the shape's name; AWS documents them in each operation's response syntax.
    pub response_roots: &'static [(&'static str, &'static str)],
    /// Names of flattened members in the query protocol, where the older model lacks the member.
    pub query_members: &'static [(&'static str, &'static str, &'static str)],
    /// Codes and statuses of errors, where neither model has them: AWS's SDKs list them.
    pub error_codes: &'static [(&'static str, &'static str, u16)],
    /// Operations that need no signature, though the model does not say so: links in messages lead to them.
    pub unsigned: &'static [&'static str],
}

impl Service {
    /// A service without anything unusual, to be refined by struct update.
    pub(crate) const fn new(name: &'static str, folder: &'static str) -> Self {
        Self {
            name,
            folder,
            query_traits: None,
            xml_namespace: None,
            response_roots: &[],
            query_members: &[],
            error_codes: &[],
            unsigned: &[],
        }
    }

    /// The package's name.
    pub(crate) fn package(&self) -> String {
        format!("apus-model-{}", self.name)
    }
}

/// Every service, by name.
pub(crate) const SERVICES: &[Service] = &[
    Service::new("iam", "iam/2010-05-08"),
    Service::new("lambda", "lambda/2015-03-31"),
    Service::new("logs", "logs/2014-03-28"),
    Service {
        xml_namespace: Some("http://s3.amazonaws.com/doc/2006-03-01/"),
        response_roots: S3_RESPONSE_ROOTS,
        ..Service::new("s3", "s3/2006-03-01")
    },
    Service { unsigned: &["ConfirmSubscription", "Unsubscribe"], ..Service::new("sns", "sns/2010-03-31") },
    Service {
        query_traits: Some(&OLDER),
        query_members: &[("ReceiveMessageRequest", "MessageSystemAttributeNames", "AttributeName")],
        error_codes: SQS_ERROR_CODES,
        ..Service::new("sqs", "sqs/2012-11-05")
    },
    Service::new("sts", "sts/2011-06-15"),
];

const S3_RESPONSE_ROOTS: &[(&str, &str)] = &[
    ("CompleteMultipartUploadOutput", "CompleteMultipartUploadResult"),
    ("CreateMultipartUploadOutput", "InitiateMultipartUploadResult"),
    ("CreateSessionOutput", "CreateSessionResult"),
    ("DeleteObjectsOutput", "DeleteResult"),
    ("GetBucketAccelerateConfigurationOutput", "AccelerateConfiguration"),
    ("GetBucketAclOutput", "AccessControlPolicy"),
    ("GetBucketCorsOutput", "CORSConfiguration"),
    ("GetBucketLifecycleConfigurationOutput", "LifecycleConfiguration"),
    ("GetBucketLocationOutput", "LocationConstraint"),
    ("GetBucketLoggingOutput", "BucketLoggingStatus"),
    ("GetBucketRequestPaymentOutput", "RequestPaymentConfiguration"),
    ("GetBucketTaggingOutput", "Tagging"),
    ("GetBucketVersioningOutput", "VersioningConfiguration"),
    ("GetBucketWebsiteOutput", "WebsiteConfiguration"),
    ("GetObjectAclOutput", "AccessControlPolicy"),
    ("GetObjectAttributesOutput", "GetObjectAttributesResponse"),
    ("GetObjectTaggingOutput", "Tagging"),
    ("ListBucketAnalyticsConfigurationsOutput", "ListBucketAnalyticsConfigurationResult"),
    ("ListBucketInventoryConfigurationsOutput", "ListInventoryConfigurationsResult"),
    ("ListBucketMetricsConfigurationsOutput", "ListMetricsConfigurationsResult"),
    ("ListBucketsOutput", "ListAllMyBucketsResult"),
    ("ListDirectoryBucketsOutput", "ListAllMyDirectoryBucketsResult"),
    ("ListMultipartUploadsOutput", "ListMultipartUploadsResult"),
    ("ListObjectVersionsOutput", "ListVersionsResult"),
    ("ListObjectsOutput", "ListBucketResult"),
    ("ListObjectsV2Output", "ListBucketResult"),
    ("ListPartsOutput", "ListPartsResult"),
];

const SQS_ERROR_CODES: &[(&str, &str, u16)] = &[
    ("InvalidAddress", "InvalidAddress", 404),
    ("InvalidSecurity", "InvalidSecurity", 403),
    ("KmsAccessDenied", "KMS.AccessDeniedException", 400),
    ("KmsDisabled", "KMS.DisabledException", 400),
    ("KmsInvalidKeyUsage", "KMS.InvalidKeyUsageException", 400),
    ("KmsInvalidState", "KMS.InvalidStateException", 400),
    ("KmsNotFound", "KMS.NotFoundException", 400),
    ("KmsOptInRequired", "KMS.OptInRequired", 403),
    ("KmsThrottled", "KMS.ThrottlingException", 400),
    ("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 404),
    ("RequestThrottled", "RequestThrottled", 403),
];
