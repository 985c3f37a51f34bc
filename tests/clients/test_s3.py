"""S3 through boto3, presigned URLs, raw HTTP and the AWS CLI."""

import base64
import datetime
import hashlib
import http.client
import os
import urllib.parse
import zlib

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

MIB = 1024 * 1024
LONG_KEY = "x" * 1024
HOSTILE_KEYS = ["../x", "a//b", "/lead", "%2F", "+", " ", "a b+c&d=e?f#g", "ä€😀", "a'\"<>&", ".", "~", "tail/", LONG_KEY]


@pytest.fixture
def s3(aws):
    return aws.client("s3")


@pytest.fixture
def bucket(s3, name):
    s3.create_bucket(Bucket=name)
    return name


def refused(call, code, status, **fields):
    """Asserts which error a call gives, and its elements."""
    with pytest.raises(ClientError) as caught:
        call()
    error, metadata = caught.value.response["Error"], caught.value.response["ResponseMetadata"]
    assert (error["Code"], metadata["HTTPStatusCode"]) == (code, status), caught.value.response
    for field, value in fields.items():
        assert error.get(field) == value, caught.value.response
    return error


def request(method, url, body=b"", headers=None):
    """One request over a connection of its own, bytes as they are."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, headers or {})
    response = connection.getresponse()
    return response.status, dict((key.lower(), value) for key, value in response.getheaders()), response.read()


def crc32(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def make(s3, bucket, *keys):
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")


# Buckets


def test_bucket_life(s3, name):
    made = s3.create_bucket(Bucket=name)
    assert made["Location"] == f"/{name}"
    s3.create_bucket(Bucket=name)
    head = s3.head_bucket(Bucket=name)
    assert head["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == "us-east-1"
    listed = s3.list_buckets(Prefix=name)
    assert [found["Name"] for found in listed["Buckets"]] == [name]
    assert isinstance(listed["Buckets"][0]["CreationDate"], datetime.datetime)
    assert len(listed["Owner"]["ID"]) == 64
    assert name in [found["Name"] for found in s3.list_buckets()["Buckets"]]
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    refused(lambda: s3.delete_bucket(Bucket=name), "BucketNotEmpty", 409, BucketName=name)
    s3.delete_object(Bucket=name, Key="k")
    gone = s3.delete_bucket(Bucket=name)
    assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
    refused(lambda: s3.delete_bucket(Bucket=name), "NoSuchBucket", 404, BucketName=name)
    refused(lambda: s3.head_bucket(Bucket=name), "404", 404)


def test_bucket_regions(aws, s3, name):
    made = s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert made["Location"] == f"http://{name}.s3.amazonaws.com/"
    there = aws.client("s3", region="eu-west-1")
    assert there.head_bucket(Bucket=name)["BucketRegion"] == "eu-west-1"
    again = {"Bucket": name, "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    refused(lambda: there.create_bucket(**again), "BucketAlreadyOwnedByYou", 409, BucketName=name)
    refused(lambda: there.create_bucket(Bucket=f"{name}-2"), "IllegalLocationConstraintException", 400)
    again = {"Bucket": f"{name}-2", "CreateBucketConfiguration": {"LocationConstraint": "us-west-2"}}
    refused(lambda: there.create_bucket(**again), "IllegalLocationConstraintException", 400)


@pytest.mark.parametrize("bad", ["ab", "A-bucket", "a_bucket", "192.168.5.4", "xn--abc", "a..b", "-abc", "x" * 63 + "-s3alias"])
def test_bucket_names(aws, bad):
    url = f"{aws.endpoint}/{bad}"
    status, _, body = signed(aws, "PUT", url)
    assert (status, b"<Code>InvalidBucketName</Code>" in body) == (400, True), body


def test_bucket_refusals(s3, name):
    acl = lambda: s3.create_bucket(Bucket=name, ACL="public-read")
    refused(acl, "InvalidBucketAclWithObjectOwnership", 400)
    lock = lambda: s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    refused(lock, "NotImplemented", 501, Header="x-amz-bucket-object-lock-enabled")
    refused(lambda: s3.put_object(Bucket=name, Key="k"), "NoSuchBucket", 404, BucketName=name)
    refused(lambda: s3.get_object(Bucket=name, Key="k"), "NoSuchBucket", 404, BucketName=name)
    refused(lambda: s3.list_objects_v2(Bucket=name), "NoSuchBucket", 404, BucketName=name)
    refused(lambda: s3.delete_object(Bucket=name, Key="k"), "NoSuchBucket", 404, BucketName=name)


def test_buckets_in_pages(s3, name):
    names = [f"{name}-{number}" for number in range(5)]
    for one in names:
        s3.create_bucket(Bucket=one)
    pages = list(s3.get_paginator("list_buckets").paginate(Prefix=name, PaginationConfig={"PageSize": 2}))
    assert [[bucket["Name"] for bucket in page["Buckets"]] for page in pages] == [names[:2], names[2:4], names[4:]]


# Objects


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1, 10 * MIB])
def test_bytes_come_back(s3, bucket, size):
    data = os.urandom(size)
    put = s3.put_object(Bucket=bucket, Key="k", Body=data)
    assert put["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    assert put["ChecksumCRC32"] == crc32(data)
    assert put["ChecksumType"] == "FULL_OBJECT"
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == data
    assert (got["ContentLength"], got["ETag"], got["AcceptRanges"]) == (size, put["ETag"], "bytes")
    assert got["ContentType"] == "binary/octet-stream"
    assert got["ChecksumCRC32"] == crc32(data)
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["ContentLength"], head["ETag"], head["LastModified"]) == (size, put["ETag"], got["LastModified"])


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksum_algorithms(s3, bucket, algorithm):
    try:
        put = s3.put_object(Bucket=bucket, Key="k", Body=b"123456789" * 20_000, ChecksumAlgorithm=algorithm)
    except Exception as error:  # botocore computes some of them only with its C extension
        if "MissingDependency" in type(error).__name__:
            pytest.skip(str(error))
        raise
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"123456789" * 20_000


def test_given_checksums(s3, bucket):
    put = lambda **given: s3.put_object(Bucket=bucket, Key="k", Body=b"123456789", **given)
    assert put(ChecksumCRC32C="4waSgw==")["ChecksumCRC32C"] == "4waSgw=="
    assert put(ChecksumCRC64NVME="rosUhgp5mIg=")["ChecksumCRC64NVME"] == "rosUhgp5mIg="
    put(ContentMD5="JfnnlDI7RTiF9RgfG2JNCw==")
    refused(lambda: put(ChecksumCRC32="AAAAAA=="), "BadDigest", 400)
    refused(lambda: put(ChecksumSHA256=base64.b64encode(bytes(32)).decode()), "BadDigest", 400)
    refused(lambda: put(ChecksumCRC32="AAAA"), "InvalidRequest", 400)
    refused(lambda: put(ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg=="), "BadDigest", 400)
    refused(lambda: put(ContentMD5="junk"), "InvalidDigest", 400)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"123456789"


def test_large_bodies_with_wrong_checksums_are_not_kept(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    put = lambda: s3.put_object(Bucket=bucket, Key="k", Body=bytes(MIB), ChecksumCRC32="AAAAAA==")
    refused(put, "BadDigest", 400)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"old"


@pytest.mark.parametrize("key", HOSTILE_KEYS)
def test_hostile_keys(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert s3.list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"] == 1
    s3.delete_object(Bucket=bucket, Key=key)
    refused(lambda: s3.get_object(Bucket=bucket, Key=key), "NoSuchKey", 404)


def test_missing_and_long_keys(s3, bucket):
    refused(lambda: s3.get_object(Bucket=bucket, Key="none"), "NoSuchKey", 404, Key="none")
    refused(lambda: s3.head_object(Bucket=bucket, Key="none"), "404", 404)
    deleted = s3.delete_object(Bucket=bucket, Key="none")
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    long = "x" * 1025
    refused(lambda: s3.put_object(Bucket=bucket, Key=long), "KeyTooLongError", 400, Size="1025", MaxSizeAllowed="1024")


def test_headers_and_metadata(s3, bucket):
    stored = {
        "ContentType": "text/plain; charset=utf-8",
        "CacheControl": "max-age=60",
        "ContentDisposition": 'attachment; filename="a.txt"',
        "ContentEncoding": "identity",
        "ContentLanguage": "de-CH",
        "Metadata": {"colour": "green", "with-dash": "a b"},
    }
    expires = datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Expires=expires, **stored)
    for got in (s3.get_object(Bucket=bucket, Key="k"), s3.head_object(Bucket=bucket, Key="k")):
        assert {member: got[member] for member in stored} == stored
        assert got["ExpiresString"] == "Tue, 01 Jan 2030 00:00:00 GMT"
    got = s3.get_object(
        Bucket=bucket,
        Key="k",
        ResponseContentType="a/b",
        ResponseCacheControl="no-store",
        ResponseContentDisposition="inline",
        ResponseContentLanguage="en",
        ResponseExpires=datetime.datetime(2031, 1, 1),
    )
    assert (got["ContentType"], got["CacheControl"]) == ("a/b", "no-store")
    assert (got["ContentDisposition"], got["ContentLanguage"]) == ("inline", "en")
    large = {"k": "v" * 2048}
    refused(lambda: s3.put_object(Bucket=bucket, Key="k", Metadata=large), "MetadataTooLarge", 400, Size="2049")


@pytest.mark.parametrize("size", [10, 200_000])
def test_ranges(s3, bucket, size):
    data = os.urandom(size)
    s3.put_object(Bucket=bucket, Key="k", Body=data)
    last = size - 1
    for asked, first, end in [
        ("bytes=0-0", 0, 1),
        ("bytes=3-6", 3, 7),
        (f"bytes={last}-", last, size),
        ("bytes=-4", size - 4, size),
        ("bytes=0-99999999", 0, size),
        ("bytes=-99999999", 0, size),
    ]:
        got = s3.get_object(Bucket=bucket, Key="k", Range=asked)
        assert got["Body"].read() == data[first:end], asked
        assert got["ContentRange"] == f"bytes {first}-{end - 1}/{size}"
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert s3.head_object(Bucket=bucket, Key="k", Range=asked)["ContentLength"] == end - first
    for ignored in ["bytes=5-4", "items=0-1", "bytes=0-1,4-5", "nonsense"]:
        got = s3.get_object(Bucket=bucket, Key="k", Range=ignored)
        assert (got["ResponseMetadata"]["HTTPStatusCode"], len(got["Body"].read())) == (200, size), ignored
    beyond = lambda: s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={size}-")
    error = refused(beyond, "InvalidRange", 416)
    assert (error["ActualObjectSize"], error["RangeRequested"]) == (str(size), f"bytes={size}-")
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    refused(lambda: s3.get_object(Bucket=bucket, Key="empty", Range="bytes=0-0"), "InvalidRange", 416)


def test_read_conditions(s3, bucket):
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    get = lambda **conditions: s3.get_object(Bucket=bucket, Key="k", **conditions)
    at = get()["LastModified"]
    hour = datetime.timedelta(hours=1)
    get(IfMatch=tag), get(IfMatch=tag.strip('"')), get(IfNoneMatch='"other"')
    get(IfModifiedSince=at - hour), get(IfUnmodifiedSince=at), get(IfUnmodifiedSince=at + hour)
    refused(lambda: get(IfMatch='"other"'), "PreconditionFailed", 412, Condition="If-Match")
    refused(lambda: get(IfUnmodifiedSince=at - hour), "PreconditionFailed", 412, Condition="If-Unmodified-Since")
    refused(lambda: get(IfNoneMatch=tag), "304", 304)
    refused(lambda: get(IfModifiedSince=at), "304", 304)
    get(IfMatch=tag, IfUnmodifiedSince=at - hour)
    refused(lambda: s3.head_object(Bucket=bucket, Key="k", IfMatch='"other"'), "412", 412)
    refused(lambda: s3.head_object(Bucket=bucket, Key="k", IfNoneMatch=tag), "304", 304)


def test_write_conditions(s3, bucket):
    put = lambda **conditions: s3.put_object(Bucket=bucket, Key="k", Body=os.urandom(9), **conditions)
    refused(lambda: put(IfMatch='"x"'), "NoSuchKey", 404, Key="k")
    tag = put(IfNoneMatch="*")["ETag"]
    refused(lambda: put(IfNoneMatch="*"), "PreconditionFailed", 412, Condition="If-None-Match")
    refused(lambda: put(IfNoneMatch=tag), "NotImplemented", 501, Header="If-None-Match")
    refused(lambda: put(IfMatch='"x"'), "PreconditionFailed", 412, Condition="If-Match")
    tag = put(IfMatch=tag)["ETag"]
    refused(lambda: s3.delete_object(Bucket=bucket, Key="k", IfMatch='"x"'), "PreconditionFailed", 412)
    s3.delete_object(Bucket=bucket, Key="k", IfMatch=tag)
    refused(lambda: s3.get_object(Bucket=bucket, Key="k"), "NoSuchKey", 404)


@pytest.mark.parametrize(
    "asked, code, status, header",
    [
        ({"ServerSideEncryption": "aws:kms"}, "NotImplemented", 501, "x-amz-server-side-encryption"),
        ({"Tagging": "a=b"}, "NotImplemented", 501, "x-amz-tagging"),
        ({"WebsiteRedirectLocation": "/x"}, "NotImplemented", 501, "x-amz-website-redirect-location"),
        ({"StorageClass": "GLACIER"}, "NotImplemented", 501, "x-amz-storage-class"),
        ({"ObjectLockLegalHoldStatus": "ON"}, "NotImplemented", 501, "x-amz-object-lock-legal-hold"),
        ({"ACL": "public-read"}, "AccessControlListNotSupported", 400, None),
        ({"GrantRead": 'id="1"'}, "AccessControlListNotSupported", 400, None),
    ],
)
def test_what_is_not_supported(s3, bucket, asked, code, status, header):
    error = refused(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"x", **asked), code, status)
    assert error.get("Header") == header
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_operations_that_are_not_supported(s3, bucket):
    for call in [
        lambda: s3.create_multipart_upload(Bucket=bucket, Key="k"),
        lambda: s3.get_bucket_policy(Bucket=bucket),
        lambda: s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}),
    ]:
        refused(call, "NotImplemented", 501)


def test_owner_and_versions(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    get = lambda **asked: s3.get_object(Bucket=bucket, Key="k", **asked)
    get(VersionId="null", ExpectedBucketOwner="000000000000")
    refused(lambda: get(ExpectedBucketOwner="111111111111"), "AccessDenied", 403)
    refused(lambda: get(VersionId="nonsense"), "InvalidArgument", 400, ArgumentName="versionId")
    assert get(PartNumber=1)["ResponseMetadata"]["HTTPStatusCode"] == 206
    refused(lambda: get(PartNumber=2), "InvalidPartNumber", 416)


# Listings


def test_listing_with_delimiter(s3, bucket):
    make(s3, bucket, "a", "a/b", "a/c/d", "a//x", "b", "c/")
    listed = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [found["Key"] for found in listed["Contents"]] == ["a", "b"]
    assert [found["Prefix"] for found in listed["CommonPrefixes"]] == ["a/", "c/"]
    assert (listed["KeyCount"], listed["IsTruncated"], listed["MaxKeys"]) == (4, False, 1000)
    assert (listed["Delimiter"], listed["Name"], listed["Prefix"]) == ("/", bucket, "")
    listed = s3.list_objects_v2(Bucket=bucket, Delimiter="/", Prefix="a/")
    assert [found["Key"] for found in listed["Contents"]] == ["a/b"]
    assert [found["Prefix"] for found in listed["CommonPrefixes"]] == ["a//", "a/c/"]
    found = s3.list_objects_v2(Bucket=bucket, Prefix="b", FetchOwner=True)["Contents"][0]
    assert (found["Size"], found["StorageClass"], found["ETag"]) == (1, "STANDARD", '"9dd4e461268c8034f5c8564e155c67a6"')
    assert len(found["Owner"]["ID"]) == 64
    assert found["LastModified"].microsecond == 0
    assert "Owner" not in s3.list_objects_v2(Bucket=bucket)["Contents"][0]


def test_listing_in_pages(s3, bucket):
    keys = sorted([f"d{number % 3}/{number:02}" for number in range(12)] + ["z", "ä", "😀", "\uffff", "Z"], key=str.encode)
    make(s3, bucket, *keys)
    for size in (1, 2, 5, 17):
        pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": size}))
        assert [found["Key"] for page in pages for found in page["Contents"]] == keys
        assert [page["KeyCount"] for page in pages[:-1]] == [size] * (len(pages) - 1)
        settings = {"Bucket": bucket, "Delimiter": "/", "PaginationConfig": {"PageSize": size}}
        pages = list(s3.get_paginator("list_objects_v2").paginate(**settings))
        prefixes = [found["Prefix"] for page in pages for found in page.get("CommonPrefixes", [])]
        assert prefixes == ["d0/", "d1/", "d2/"]
    listed = s3.list_objects_v2(Bucket=bucket, StartAfter="d2/05", MaxKeys=2)
    assert [found["Key"] for found in listed["Contents"]] == ["d2/08", "d2/11"]
    assert (listed["StartAfter"], listed["IsTruncated"]) == ("d2/05", True)
    token = listed["NextContinuationToken"]
    listed = s3.list_objects_v2(Bucket=bucket, StartAfter="zzz", ContinuationToken=token)
    assert listed["ContinuationToken"] == token
    assert [found["Key"] for found in listed["Contents"]] == keys[-4:]


def test_listing_refusals(s3, bucket):
    listing = lambda **asked: s3.list_objects_v2(Bucket=bucket, **asked)
    refused(lambda: listing(MaxKeys=-1), "InvalidArgument", 400, ArgumentName="maxKeys", ArgumentValue="-1")
    for token in ["junk", "YWJj", "x" * 5000, ""]:
        refused(lambda: listing(ContinuationToken=token), "InvalidArgument", 400)
    make(s3, bucket, "a")
    none = listing(MaxKeys=0)
    assert (none["KeyCount"], none["IsTruncated"], "Contents" in none) == (0, False, False)
    assert listing(MaxKeys=100_000)["MaxKeys"] == 1000


def test_listing_encoded_and_plain(aws, s3, bucket):
    make(s3, bucket, "a b/ä+\x01")
    _, _, body = signed(aws, "GET", f"{aws.endpoint}/{bucket}?encoding-type=url&list-type=2&prefix=a%20b")
    assert b"<Key>a+b/%C3%A4%2B%01</Key>" in body and b"<Prefix>a+b</Prefix>" in body, body
    assert b"<EncodingType>url</EncodingType>" in body
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Key"] == "a b/ä+\x01"


def test_members_of_the_wrong_type(aws, bucket):
    for query in ["list-type=2&max-keys=many", "list-type=2&max-keys=99999999999", "list-type=2&fetch-owner=maybe"]:
        status, _, body = signed(aws, "GET", f"{aws.endpoint}/{bucket}?{query}")
        assert status == 400 and b"<Error><Code>" in body.replace(b"\n", b""), (query, status, body)
    status, _, body = signed(aws, "PUT", f"{aws.endpoint}/{bucket}-2", b"<CreateBucketConfiguration><Loc")
    assert (status, b"<Code>MalformedXML</Code>" in body) == (400, True), body


# Presigned URLs, chunked uploads and raw requests


def test_presigned(aws, s3, bucket):
    # Without a version of its own, boto3 presigns for us-east-1 with the version that S3 no longer takes for new buckets.
    s3 = aws.client("s3", signature_version="s3v4")
    put = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "a b/ü+", "ContentType": "text/x"}, 60)
    status, headers, body = request("PUT", put, b"hello", {"Content-Type": "text/x"})
    assert (status, headers["etag"]) == (200, f'"{hashlib.md5(b"hello").hexdigest()}"'), body
    get = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "a b/ü+", "ResponseContentType": "x/y"})
    status, headers, body = request("GET", get)
    assert (status, headers["content-type"], body) == (200, "x/y", b"hello")
    status, _, body = request("GET", get, headers={"Range": "bytes=1-2"})
    assert (status, body) == (206, b"el")
    status, headers, body = request("HEAD", s3.generate_presigned_url("head_object", {"Bucket": bucket, "Key": "a b/ü+"}))
    assert (status, headers["content-length"], body) == (200, "5", b"")
    forged = get[:-1] + ("0" if get[-1] != "0" else "1")
    status, _, body = request("GET", forged)
    assert (status, b"<Code>SignatureDoesNotMatch</Code>" in body) == (403, True), body


def sign(aws, method, url, body, headers, payload=None):
    credentials = Credentials("test", "test")
    prepared = AWSRequest(method=method, url=url, data=body, headers=headers)
    if payload is not None:
        prepared.headers["X-Amz-Content-SHA256"] = payload
        prepared.context["payload_signing_enabled"] = False

    class Auth(S3SigV4Auth):
        def payload(self, request):
            return payload if payload is not None else super().payload(request)

    Auth(credentials, "s3", "us-east-1").add_auth(prepared)
    return dict(prepared.headers.items())


def signed(aws, method, url, body=b"", headers=None, payload=None):
    return request(method, url, body, sign(aws, method, url, body, headers or {}, payload))


def chunked(data, size, trailer):
    framed = b""
    for at in range(0, len(data), size):
        piece = data[at : at + size]
        framed += b"%x\r\n%s\r\n" % (len(piece), piece)
    return framed + b"0\r\n" + trailer + b"\r\n"


def put_chunked(aws, bucket, data, checksum, size=65536, **headers):
    body = chunked(data, size, f"x-amz-checksum-crc32:{checksum}\r\n".encode())
    headers = {
        "Content-Encoding": "aws-chunked",
        "X-Amz-Decoded-Content-Length": str(len(data)),
        "X-Amz-Trailer": "x-amz-checksum-crc32",
        "X-Amz-Sdk-Checksum-Algorithm": "CRC32",
        **headers,
    }
    return signed(aws, "PUT", f"{aws.endpoint}/{bucket}/k", body, headers, "STREAMING-UNSIGNED-PAYLOAD-TRAILER")


@pytest.mark.parametrize("size", [0, 5, 300_000])
def test_chunked_uploads_with_trailer(aws, s3, bucket, size):
    data = os.urandom(size)
    status, headers, body = put_chunked(aws, bucket, data, crc32(data))
    assert (status, headers.get("x-amz-checksum-crc32")) == (200, crc32(data)), body
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == data
    assert "ContentEncoding" not in got
    status, _, body = put_chunked(aws, bucket, data, "AAAAAQ==")
    assert (status, b"<Code>BadDigest</Code>" in body) == (400, True), body
    status, _, body = put_chunked(aws, bucket, data, crc32(data), **{"X-Amz-Decoded-Content-Length": str(size + 1)})
    assert (status, b"<Code>IncompleteBody</Code>" in body) == (400, True), body
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data


def test_a_body_that_is_not_what_was_signed(aws, s3, bucket):
    url = f"{aws.endpoint}/{bucket}/k"
    headers = sign(aws, "PUT", url, b"honest", {})
    for body in (b"forged", b"x" * 200_000):
        status, _, answer = request("PUT", url, body, {**headers, "Content-Length": str(len(body))})
        assert (status, b"<Code>XAmzContentSHA256Mismatch</Code>" in answer) == (400, True), answer
    refused(lambda: s3.get_object(Bucket=bucket, Key="k"), "NoSuchKey", 404)


def test_error_bodies(aws, bucket):
    status, headers, body = signed(aws, "GET", f"{aws.endpoint}/{bucket}/none")
    assert (status, headers["content-type"]) == (404, "application/xml")
    for element in [b"<Code>NoSuchKey</Code>", b"<Message>The specified key does not exist.</Message>", b"<Key>none</Key>"]:
        assert element in body, body
    assert b"<RequestId>" in body and headers["x-amz-request-id"].encode() in body
    status, _, body = signed(aws, "HEAD", f"{aws.endpoint}/{bucket}/none")
    assert (status, body) == (404, b"")


# The AWS CLI


def test_cli_copy_list_remove(aws, bucket, tmp_path):
    (tmp_path / "small.txt").write_text("hello\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "data.bin").write_bytes(os.urandom(MIB))
    aws.cli("s3", "cp", tmp_path / "small.txt", f"s3://{bucket}/small.txt")
    aws.cli("s3", "cp", "--recursive", tmp_path / "folder", f"s3://{bucket}/folder/")
    listed = aws.cli("s3", "ls", f"s3://{bucket}/").stdout
    assert "PRE folder/" in listed and "6 small.txt" in listed
    aws.cli("s3", "cp", f"s3://{bucket}/folder/data.bin", tmp_path / "back.bin")
    assert (tmp_path / "back.bin").read_bytes() == (tmp_path / "folder" / "data.bin").read_bytes()
    assert aws.cli("s3", "cp", f"s3://{bucket}/small.txt", "-").stdout == "hello\n"
    aws.cli("s3", "rm", "--recursive", f"s3://{bucket}/folder/")
    assert aws.cli("s3", "ls", f"s3://{bucket}/", "--recursive").stdout.split()[-1] == "small.txt"
    assert bucket in aws.cli("s3", "ls").stdout
    aws.cli("s3", "rm", f"s3://{bucket}/small.txt")
    aws.cli("s3", "rb", f"s3://{bucket}")
    missing = aws.cli("s3api", "head-bucket", "--bucket", bucket, check=False)
    assert missing.returncode != 0 and "404" in missing.stderr


def test_objects_survive_a_kill(launch, name, tmp_path):
    data = os.urandom(3 * MIB)
    instance = launch(tmp_path / "data")
    s3 = instance.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="small", Body=b"small")
    s3.put_object(Bucket=name, Key="large", Body=data)
    instance.kill()
    s3 = launch(tmp_path / "data").client("s3")
    assert s3.get_object(Bucket=name, Key="small")["Body"].read() == b"small"
    assert s3.get_object(Bucket=name, Key="large")["Body"].read() == data
