//! What sets one service's wire apart from its protocol, and no model says: a table, so that codecs ask no names.
//!
//! Sources: Smithy's `@xmlName` and `s3UnwrappedXmlOutput` traits, and answers of the real services.

use apus_schema::{OperationSchema, ServiceSchema};

/// How a service's answers look, beyond its protocol.
#[derive(Debug)]
pub(crate) struct Style {
    /// Our name of the service.
    service: &'static str,
    /// Its request ids stand in `x-amz-request-id` and `x-amz-id-2`, and a XML error has no element around it.
    pub(crate) s3_family: bool,
    /// Instants in XML always show three digits of milliseconds.
    pub(crate) xml_millis: bool,
    /// What stands before an error's name in `__type`.
    pub(crate) type_namespace: &'static str,
    /// A modelled error's member that says whose fault it is, where handlers do not set it.
    pub(crate) fault_member: Option<&'static str>,
    /// The most bytes of a body that is held whole.
    pub(crate) max_body_bytes: usize,
    /// The member that a query request may leave to the URL that it was sent to.
    pub(crate) url_member: Option<&'static str>,
    /// The code (status 400) for a header, a label or a parameter that cannot be read.
    pub(crate) unreadable_parameter: Option<&'static str>,
    /// The code (status 400) for a path or a query string that cannot be read.
    pub(crate) unreadable_uri: Option<&'static str>,
    /// Content types of payloads that are bytes or text but say more, by operation.
    payload_types: &'static [(&'static str, &'static str)],
    /// XML roots of outputs, by operation, where they are not the shape's name.
    output_roots: &'static [(&'static str, &'static str)],
    /// Operations whose only member's text is the root's own text.
    unwrapped_outputs: &'static [&'static str],
}

const MIB: usize = 1 << 20;

/// What a service has that is not listed.
const PLAIN: Style = Style {
    service: "",
    s3_family: false,
    xml_millis: false,
    type_namespace: "",
    fault_member: None,
    max_body_bytes: 16 * MIB,
    url_member: None,
    unreadable_parameter: None,
    unreadable_uri: None,
    payload_types: &[],
    output_roots: &[],
    unwrapped_outputs: &[],
};

static PLAIN_STYLE: Style = PLAIN;

static STYLES: &[Style] = &[
    // A zip of 50 MiB grows by a third in base64.
    Style {
        service: "lambda",
        fault_member: Some("Type"),
        max_body_bytes: 70 * MIB,
        payload_types: &[("Invoke", "application/json")],
        ..PLAIN
    },
    Style {
        service: "s3",
        s3_family: true,
        xml_millis: true,
        unreadable_parameter: Some("InvalidArgument"),
        unreadable_uri: Some("InvalidURI"),
        payload_types: &[("GetBucketPolicy", "application/json")],
        output_roots: S3_ROOTS,
        unwrapped_outputs: &["GetBucketLocation"],
        ..PLAIN
    },
    // A batch of messages is 1 MiB of text, which JSON's escapes may make six times as long.
    Style {
        service: "sqs",
        type_namespace: "com.amazonaws.sqs#",
        max_body_bytes: 8 * MIB,
        url_member: Some("QueueUrl"),
        ..PLAIN
    },
    Style { service: "dynamodb", type_namespace: "com.amazonaws.dynamodb.v20120810#", ..PLAIN },
];

static S3_ROOTS: &[(&str, &str)] = &[
    ("CompleteMultipartUpload", "CompleteMultipartUploadResult"),
    ("CreateMultipartUpload", "InitiateMultipartUploadResult"),
    ("CreateSession", "CreateSessionResult"),
    ("DeleteObjects", "DeleteResult"),
    ("GetBucketAccelerateConfiguration", "AccelerateConfiguration"),
    ("GetBucketAcl", "AccessControlPolicy"),
    ("GetBucketCors", "CORSConfiguration"),
    ("GetBucketLifecycle", "LifecycleConfiguration"),
    ("GetBucketLifecycleConfiguration", "LifecycleConfiguration"),
    ("GetBucketLocation", "LocationConstraint"),
    ("GetBucketLogging", "BucketLoggingStatus"),
    ("GetBucketNotification", "NotificationConfiguration"),
    ("GetBucketNotificationConfiguration", "NotificationConfiguration"),
    ("GetBucketRequestPayment", "RequestPaymentConfiguration"),
    ("GetBucketTagging", "Tagging"),
    ("GetBucketVersioning", "VersioningConfiguration"),
    ("GetBucketWebsite", "WebsiteConfiguration"),
    ("GetObjectAcl", "AccessControlPolicy"),
    ("GetObjectAttributes", "GetObjectAttributesResponse"),
    ("GetObjectTagging", "Tagging"),
    ("ListBucketAnalyticsConfigurations", "ListBucketAnalyticsConfigurationResult"),
    ("ListBucketInventoryConfigurations", "ListInventoryConfigurationsResult"),
    ("ListBucketMetricsConfigurations", "ListMetricsConfigurationsResult"),
    ("ListBuckets", "ListAllMyBucketsResult"),
    ("ListDirectoryBuckets", "ListAllMyDirectoryBucketsResult"),
    ("ListMultipartUploads", "ListMultipartUploadsResult"),
    ("ListObjectVersions", "ListVersionsResult"),
    ("ListObjects", "ListBucketResult"),
    ("ListObjectsV2", "ListBucketResult"),
    ("ListParts", "ListPartsResult"),
];

impl Style {
    pub(crate) fn of(service: Option<&ServiceSchema>) -> &'static Self {
        let named = |style: &&Self| service.is_some_and(|service| service.name == style.service);
        STYLES.iter().find(named).unwrap_or(&PLAIN_STYLE)
    }

    /// The XML root of an operation's output.
    pub(crate) fn output_root(&self, operation: &OperationSchema) -> &'static str {
        let listed = self.output_roots.iter().find(|(name, _)| *name == operation.name);
        listed.map_or(operation.output.name, |(_, root)| root)
    }

    /// The content type of an operation's payload, where it says more than that of bytes or text.
    pub(crate) fn payload_type(&self, operation: &OperationSchema) -> Option<&'static str> {
        self.payload_types.iter().find(|(name, _)| *name == operation.name).map(|(_, of)| *of)
    }

    pub(crate) fn is_unwrapped(&self, operation: &OperationSchema) -> bool {
        self.unwrapped_outputs.contains(&operation.name)
    }
}
