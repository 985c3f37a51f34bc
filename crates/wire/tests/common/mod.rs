//! A small model with one of everything, written by hand as generated code looks.
#![allow(dead_code, reason = "each test file uses its part")]

use apus_schema::{
    Auth, ErrorSchema, Kind, Location, Member, OperationSchema, Protocol, Schema, ServiceSchema,
    TimestampFormat,
};

pub(crate) static STRING: Schema = Schema::new("String", Kind::String);
static BOOLEAN: Schema = Schema::new("Boolean", Kind::Boolean);
static INTEGER: Schema = Schema::new("Integer", Kind::Integer);
static LONG: Schema = Schema::new("Long", Kind::Long);
static FLOAT: Schema = Schema::new("Float", Kind::Float);
static DOUBLE: Schema = Schema::new("Double", Kind::Double);
static BLOB: Schema = Schema::new("Blob", Kind::Blob);
static STREAM: Schema = Schema::new("Stream", Kind::Stream);
static TIMESTAMP: Schema = Schema::new("Timestamp", Kind::Timestamp(None));
static DOCUMENT: Schema = Schema::new("Document", Kind::Document);
static STRINGS: Schema = list("Strings", &STRING, "member", false);
static NAMED: Schema = list("Named", &INTEGER, "item", false);
static FLAT: Schema = list("Flat", &NESTED, "member", true);
static MATRIX: Schema = list("Matrix", &STRINGS, "member", false);
static MAP: Schema = map("Map", &NESTED, false);
static FLAT_MAP: Schema = map("FlatMap", &STRING, true);
static LISTS: Schema = map("Lists", &STRINGS, false);

const fn list(name: &'static str, member: &'static Schema, element: &'static str, flattened: bool) -> Schema {
    Schema::new(name, Kind::List { member, element, query_element: None, flattened })
}

const fn map(name: &'static str, value: &'static Schema, flattened: bool) -> Schema {
    let kind = Kind::Map {
        key: &STRING,
        value,
        key_element: "key",
        value_element: "value",
        query_elements: None,
        flattened,
    };
    Schema::new(name, kind)
}

pub(crate) const fn structure(name: &'static str, members: &'static [Member]) -> Schema {
    Schema::new(name, Kind::Structure { members, union: false, eventstream: false, payload: None })
}

static NESTED: Schema = structure(
    "Nested",
    &[
        Member::new("text", &STRING),
        Member { wire_name: "renamed", ..Member::new("flag", &BOOLEAN) },
        Member::new("within", &NESTED),
    ],
);

/// One member of every kind, all in the body.
pub(crate) static KITCHEN: Schema = structure(
    "Kitchen",
    &[
        Member::new("string", &STRING),
        Member::new("boolean", &BOOLEAN),
        Member::new("integer", &INTEGER),
        Member::new("long", &LONG),
        Member::new("float", &FLOAT),
        Member::new("double", &DOUBLE),
        Member::new("blob", &BLOB),
        Member::new("timestamp", &TIMESTAMP),
        Member { timestamp_format: Some(TimestampFormat::HttpDate), ..Member::new("date", &TIMESTAMP) },
        Member { timestamp_format: Some(TimestampFormat::EpochSeconds), ..Member::new("epoch", &TIMESTAMP) },
        Member::new("strings", &STRINGS),
        Member::new("named", &NAMED),
        Member::new("flat", &FLAT),
        Member::new("matrix", &MATRIX),
        Member::new("map", &MAP),
        Member::new("flatMap", &FLAT_MAP),
        Member::new("lists", &LISTS),
        Member::new("nested", &NESTED),
    ],
);

/// The same and a document, which XML and CBOR do not have.
pub(crate) static DOCUMENTED: Schema = structure("Documented", &[Member::new("document", &DOCUMENT)]);

#[allow(clippy::needless_pass_by_value, reason = "a constant function takes a constant apart only by value")]
const fn bound(location: Location, wire_name: &'static str, member: Member) -> Member {
    Member { location, wire_name, ..member }
}

/// One member of every kind that a header can hold, and a body.
pub(crate) static HEADERS: Schema = structure(
    "Headers",
    &[
        bound(Location::Header, "x-string", Member::new("string", &STRING)),
        bound(Location::Header, "x-boolean", Member::new("boolean", &BOOLEAN)),
        bound(Location::Header, "x-integer", Member::new("integer", &INTEGER)),
        bound(Location::Header, "x-double", Member::new("double", &DOUBLE)),
        bound(Location::Header, "x-timestamp", Member::new("timestamp", &TIMESTAMP)),
        bound(Location::Header, "x-strings", Member::new("strings", &STRINGS)),
        bound(Location::Header, "x-named", Member::new("named", &NAMED)),
        bound(Location::HeaderPrefix, "x-meta-", Member::new("meta", &FLAT_MAP)),
        Member { json_value: true, ..bound(Location::Header, "x-json", Member::new("json", &STRING)) },
        Member::new("body", &STRING),
    ],
);

static LABELS: Schema = structure(
    "Labels",
    &[
        Member { required: true, ..bound(Location::Uri, "Bucket", Member::new("Bucket", &STRING)) },
        Member { required: true, ..bound(Location::Uri, "Key", Member::new("Key", &STRING)) },
        bound(Location::Query, "max-keys", Member::new("MaxKeys", &INTEGER)),
        bound(Location::Query, "tag", Member::new("Tags", &STRINGS)),
    ],
);

static UPLOAD: Schema = Schema::new(
    "Upload",
    Kind::Structure {
        members: &[
            Member { required: true, ..bound(Location::Uri, "Bucket", Member::new("Bucket", &STRING)) },
            Member { required: true, ..bound(Location::Uri, "Key", Member::new("Key", &STRING)) },
            Member { required: true, ..bound(Location::Query, "uploadId", Member::new("UploadId", &STRING)) },
            Member::new("Body", &STREAM),
        ],
        union: false,
        eventstream: false,
        payload: Some(3),
    },
);

static COPY: Schema = structure(
    "Copy",
    &[
        Member { required: true, ..bound(Location::Uri, "Bucket", Member::new("Bucket", &STRING)) },
        Member { required: true, ..bound(Location::Uri, "Key", Member::new("Key", &STRING)) },
        Member {
            required: true,
            ..bound(Location::Header, "x-amz-copy-source", Member::new("Source", &STRING))
        },
    ],
);

static EMPTY: Schema = structure("Empty", &[]);

pub(crate) static BROKEN: ErrorSchema = ErrorSchema {
    name: "ThingBroken",
    code: "Old.ThingBroken",
    status: 409,
    query_status: 400,
    sender_fault: true,
    schema: &BROKEN_SHAPE,
};
static BROKEN_SHAPE: Schema = structure(
    "ThingBroken",
    &[Member::new("Type", &STRING), Member::new("Message", &STRING), Member::new("part", &INTEGER)],
);

/// A service that speaks one protocol and has these operations.
pub(crate) fn service(
    name: &'static str,
    protocol: Protocol,
    operations: &[(&'static str, &'static str, &'static str, &'static Schema)],
) -> &'static ServiceSchema {
    let service = |operations| {
        Box::leak(Box::new(ServiceSchema {
            name,
            service_id: name,
            signing_name: name,
            endpoint_prefix: name,
            api_version: "2012-11-05",
            protocols: vec![protocol].leak(),
            target_prefix: Some(name),
            xml_namespace: Some("https://example.com/doc/"),
            query_compatible: name == "sqs",
            global: false,
            operations,
        }))
    };
    let alone = service(&[]);
    let mut made: Vec<&'static OperationSchema> = Vec::new();
    for (name, method, uri, shape) in operations {
        made.push(Box::leak(Box::new(OperationSchema {
            service: alone,
            name,
            method,
            uri,
            status: 200,
            input: shape,
            output: shape,
            input_root: None,
            input_namespace: None,
            result_wrapper: None,
            errors: vec![&BROKEN].leak(),
            auth: Auth::SigV4,
            checksum: None,
            readonly: false,
        })));
    }
    made.sort_by_key(|operation| operation.name);
    service(made.leak())
}

/// A service of objects in buckets.
pub(crate) fn buckets() -> &'static ServiceSchema {
    service(
        "s3",
        Protocol::RestXml,
        &[
            ("CopyObject", "PUT", "/{Bucket}/{Key+}", &COPY),
            ("CreateBucket", "PUT", "/{Bucket}", &EMPTY),
            ("CreateMultipartUpload", "POST", "/{Bucket}/{Key+}?uploads", &LABELS),
            ("GetBucketAcl", "GET", "/{Bucket}?acl", &EMPTY),
            ("GetObject", "GET", "/{Bucket}/{Key+}", &LABELS),
            ("HeadCopy", "HEAD", "/{Bucket}/{Key+}", &COPY),
            ("HeadPart", "HEAD", "/{Bucket}/{Key+}", &UPLOAD),
            ("ListBuckets", "GET", "/", &EMPTY),
            ("ListDirectoryBuckets", "GET", "/", &EMPTY),
            ("ListObjects", "GET", "/{Bucket}", &EMPTY),
            ("ListObjectsV2", "GET", "/{Bucket}?list-type=2", &EMPTY),
            ("PutBucketLifecycle", "PUT", "/{Bucket}?lifecycle", &EMPTY),
            ("PutBucketLifecycleConfiguration", "PUT", "/{Bucket}?lifecycle", &EMPTY),
            ("PutObject", "PUT", "/{Bucket}/{Key+}", &LABELS),
            ("UploadPart", "PUT", "/{Bucket}/{Key+}", &UPLOAD),
        ],
    )
}

/// A service of functions.
pub(crate) fn functions() -> &'static ServiceSchema {
    service(
        "lambda",
        Protocol::RestJson,
        &[
            ("GetFunction", "GET", "/2015-03-31/functions/{Bucket}", &EMPTY),
            ("ListFunctions", "GET", "/2015-03-31/functions/", &EMPTY),
        ],
    )
}
