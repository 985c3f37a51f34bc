//! Cases that say nothing about a server, each with its reason. One that passes must not be here.

/// Why a case is left out.
pub(crate) fn reason(direction: &str, file: &str, id: &str) -> Option<&'static str> {
    let table = if direction == "input" { INPUT } else { OUTPUT };
    table.iter().find(|(of, own, _)| *of == file && *own == id).map(|(_, _, reason)| *reason)
}

const COMPRESSED: &str =
    "the vector holds the size of a compressed body, not the body; inflating is the transport's";
const AUTOFILL: &str = "the client fills in a token that the parameters do not have";
const HOST_PATH: &str = "the endpoint's own path is the gateway's to take off";
const ABSENT: &str = "an empty list, map or payload and an absent one look the same in the request";
const MISPLACED: &str = "the body is that of another case";
const TOLERANT: &str =
    "another server's form of an error, which clients tolerate; ours is the documented one";
const UNKNOWN: &str = "members that the model does not have, which clients ignore";
const NULLS: &str = "explicit nulls, which clients ignore";
const OWN_ID: &str = "the answer's id is the request's";
const ROOT: &str = "the element's name is the shape's own, which a schema does not hold; tables give it where a service needs it";
const MORE: &str = "the answer says more than the result";
const REQUEST_HEADER: &str = "a request's header in the answer";

#[rustfmt::skip]
static INPUT: &[(&str, &str, &str)] = &[
    ("json", "SDKAppliedContentEncoding_awsJson1_1", COMPRESSED),
    ("json", "SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_1", COMPRESSED),
    ("json_1_0", "SDKAppliedContentEncoding_awsJson1_0", COMPRESSED),
    ("json_1_0", "SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_0", COMPRESSED),
    ("query", "SDKAppliedContentEncoding_awsQuery", COMPRESSED),
    ("query", "SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsQuery", COMPRESSED),
    ("query", "QueryProtocolIdempotencyTokenAutoFill", AUTOFILL),
    ("query", "QueryEmptyQueryMaps", ABSENT),
    ("rest-json", "RestJsonHostWithPath", HOST_PATH),
    ("rest-json", "RestJsonHttpPrefixHeadersAreNotPresent", ABSENT),
    ("rest-json", "RestJsonNullAndEmptyHeaders", ABSENT),
    ("rest-json", "RestJsonOmitsEmptyListQueryValues", ABSENT),
    ("rest-json", "SDKAppliedContentEncoding_restJson1", COMPRESSED),
    ("rest-json", "SDKAppendedGzipAfterProvidedEncoding_restJson1", COMPRESSED),
    ("rest-json", "RestJsonQueryIdempotencyTokenAutoFill", AUTOFILL),
    ("rest-json", "RestJsonHttpWithEmptyStructurePayload", ABSENT),
    ("rest-json", "RestJsonHttpWithHeadersButNoPayload", ABSENT),
    ("rest-xml", "HttpPrefixHeadersAreNotPresent", ABSENT),
    ("rest-xml", "NullAndEmptyHeaders", ABSENT),
    ("rest-xml", "SDKAppliedContentEncoding_restXml", COMPRESSED),
    ("rest-xml", "SDKAppendedGzipAfterProvidedEncoding_restXml", COMPRESSED),
    ("rest-xml", "QueryIdempotencyTokenAutoFill", AUTOFILL),
];

#[rustfmt::skip]
static OUTPUT: &[(&str, &str, &str)] = &[
    ("json", "handles_unexpected_json_output", UNKNOWN),
    ("json", "AwsJson11FooErrorUsingXAmznErrorType", TOLERANT),
    ("json", "AwsJson11FooErrorUsingXAmznErrorTypeWithUri", TOLERANT),
    ("json", "AwsJson11FooErrorUsingXAmznErrorTypeWithUriAndNamespace", TOLERANT),
    ("json", "AwsJson11FooErrorUsingCode", TOLERANT),
    ("json", "AwsJson11FooErrorUsingCodeAndNamespace", TOLERANT),
    ("json", "AwsJson11FooErrorUsingCodeUriAndNamespace", TOLERANT),
    ("json", "AwsJson11FooErrorWithDunderTypeUriAndNamespace", TOLERANT),
    ("json", "AwsJson11IntEnums", REQUEST_HEADER),
    ("json", "AwsJson11DeserializeIgnoreType", UNKNOWN),
    ("json", "parses_the_request_id_from_the_response", OWN_ID),
    ("json", "AwsJson11StructuresDontDeserializeNullValues", NULLS),
    ("json_1_0", "AwsJson10FooErrorUsingXAmznErrorType", TOLERANT),
    ("json_1_0", "AwsJson10FooErrorUsingXAmznErrorTypeWithUri", TOLERANT),
    ("json_1_0", "AwsJson10FooErrorUsingXAmznErrorTypeWithUriAndNamespace", TOLERANT),
    ("json_1_0", "AwsJson10FooErrorUsingCode", TOLERANT),
    ("json_1_0", "AwsJson10FooErrorUsingCodeAndNamespace", TOLERANT),
    ("json_1_0", "AwsJson10FooErrorUsingCodeUriAndNamespace", TOLERANT),
    ("json_1_0", "AwsJson10FooErrorWithDunderTypeUriAndNamespace", TOLERANT),
    ("json_1_0", "AwsJson10DeserializeIgnoreType", UNKNOWN),
    ("json_1_0", "AwsJson10DeserializeAllowNulls", NULLS),
    ("json_1_0", "AwsJson10HandlesUnexpectedJsonOutput", UNKNOWN),
    ("rest-json", "RestJsonFooErrorUsingXAmznErrorTypeWithUri", TOLERANT),
    ("rest-json", "RestJsonFooErrorUsingXAmznErrorTypeWithUriAndNamespace", TOLERANT),
    ("rest-json", "RestJsonFooErrorUsingCode", TOLERANT),
    ("rest-json", "RestJsonFooErrorUsingCodeAndNamespace", TOLERANT),
    ("rest-json", "RestJsonFooErrorUsingCodeUriAndNamespace", TOLERANT),
    ("rest-json", "RestJsonFooErrorWithDunderType", TOLERANT),
    ("rest-json", "RestJsonFooErrorWithDunderTypeAndNamespace", TOLERANT),
    ("rest-json", "RestJsonFooErrorWithDunderTypeUriAndNamespace", TOLERANT),
    ("rest-json", "RestJsonDeserializesDenseSetMapAndSkipsNull", NULLS),
    ("rest-json", "RestJsonDeserializeIgnoreType", UNKNOWN),
    ("rest-json", "RestJsonDoesntDeserializeNullStructureValues", NULLS),
    ("rest-xml", "BodyWithXmlName", ROOT),
    ("rest-xml", "InvalidGreetingError", MORE),
    ("rest-xml", "ComplexError", MORE),
    ("rest-xml", "HttpPayloadWithXmlName", ROOT),
    ("smithy-rpc-v2-cbor", "RpcV2CborDeserializesDenseSetMapAndSkipsNull", NULLS),
    ("smithy-rpc-v2-cbor", "RpcV2CborClientDoesntDeserializeNullStructureValues", NULLS),
    ("smithy-rpc-v2-cbor", "RpcV2CborExtraFieldsInTheBodyShouldBeSkippedByClients", UNKNOWN),
    ("smithy-rpc-v2-cbor", "RpcV2CborPayloadWithUnsetUnion", MISPLACED),
];
