//! The examples of S3's API reference: their keys, dates and signatures are public figures.

use bytes::Bytes;

use super::super::{ChunkDecoder, ChunkEncoder, Rules, Streaming, Verified};
use super::{Request, at};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const DATE: &str = "20130524T000000Z";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn check(request: &Request, headers: &str, signature: &str) -> Verified {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
         SignedHeaders={headers},Signature={signature}"
    );
    let request = request.clone().with("x-amz-date", DATE).with("Authorization", &authorization);
    let verified = request.verify(SECRET, Rules::S3, at(DATE)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(verified.seed.to_string(), signature);
    verified
}

#[test]
fn whole_bodies() {
    let host = "examplebucket.s3.amazonaws.com";
    check(
        &Request::new("GET", "/test.txt")
            .with("Host", host)
            .with("Range", "bytes=0-9")
            .with("x-amz-content-sha256", EMPTY),
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    );
    check(
        &Request::new("PUT", "/test%24file.text")
            .with("Host", host)
            .with("Date", "Fri, 24 May 2013 00:00:00 GMT")
            .with("x-amz-storage-class", "REDUCED_REDUNDANCY")
            .with("x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072")
            .body(b"Welcome to Amazon S3."),
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    );
    check(
        &Request::new("GET", "/?lifecycle").with("Host", host).with("x-amz-content-sha256", EMPTY),
        "host;x-amz-content-sha256;x-amz-date",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    );
    check(
        &Request::new("GET", "/?max-keys=2&prefix=J").with("Host", host).with("x-amz-content-sha256", EMPTY),
        "host;x-amz-content-sha256;x-amz-date",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    );
}

#[test]
fn presigned() {
    let target = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
                  &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
                  &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
                  &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    let request = Request::new("GET", target).with("Host", "examplebucket.s3.amazonaws.com");
    request.verify(SECRET, Rules::S3, at("20130524T235959Z")).unwrap_or_else(|error| panic!("{error}"));
    assert!(request.verify(SECRET, Rules::S3, at("20130525T000001Z")).is_err());
}

#[test]
fn a_chunked_upload() {
    let request = chunked("STREAMING-AWS4-HMAC-SHA256-PAYLOAD").with("Content-Length", "66824");
    let verified = check(
        &request,
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;\
         x-amz-storage-class",
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    );
    let signatures = [
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ];
    let mut body = chunks(signatures);
    body.extend_from_slice(b"\r\n");
    assert_eq!(body.len(), 66824);
    decode(Streaming::Signed, &verified, &body, &[]);
    assert_eq!(encode(Streaming::Signed, verified, &[]), body);
}

#[test]
fn a_chunked_upload_with_a_trailer() {
    let streaming = Streaming::SignedTrailer;
    let request = chunked(streaming.as_str()).with("x-amz-trailer", "x-amz-checksum-crc32c");
    let verified = check(
        &request,
        "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;\
         x-amz-trailer",
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    );
    let signatures = [
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ];
    let signature = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";
    let trailer = ("x-amz-checksum-crc32c", "sOO8/Q==");
    for line_end in ["\r\n", "\n\r\n"] {
        let mut body = chunks(signatures);
        let tail =
            format!("{}:{}{line_end}x-amz-trailer-signature:{signature}\r\n\r\n", trailer.0, trailer.1);
        body.extend_from_slice(tail.as_bytes());
        decode(streaming, &verified, &body, &[trailer]);
        if line_end == "\r\n" {
            assert_eq!(encode(streaming, verified.clone(), &[trailer]), body);
        }
    }
}

/// The head of both examples: 65 KiB of `a`, as 64 KiB and 1 KiB.
fn chunked(payload: &str) -> Request {
    Request::new("PUT", "/examplebucket/chunkObject.txt")
        .with("Host", "s3.amazonaws.com")
        .with("x-amz-storage-class", "REDUCED_REDUNDANCY")
        .with("x-amz-content-sha256", payload)
        .with("Content-Encoding", "aws-chunked")
        .with("x-amz-decoded-content-length", "66560")
}

fn chunks(signatures: [&str; 3]) -> Vec<u8> {
    let mut body = Vec::new();
    for (size, signature) in [65536_usize, 1024, 0].into_iter().zip(signatures) {
        body.extend_from_slice(format!("{size:x};chunk-signature={signature}\r\n").as_bytes());
        body.resize(body.len() + size, b'a');
        if size > 0 {
            body.extend_from_slice(b"\r\n");
        }
    }
    body
}

fn decode(streaming: Streaming, verified: &Verified, body: &[u8], trailers: &[(&str, &str)]) {
    let names: Vec<&str> = trailers.iter().map(|(name, _)| *name).collect();
    for piece in [1, 7, 1000, body.len()] {
        let mut decoder = ChunkDecoder::signed(streaming, verified.clone(), Some(66560), &names);
        let mut decoded = 0;
        for bytes in body.chunks(piece) {
            for data in decoder.push(Bytes::copy_from_slice(bytes)).expect("a good chunk") {
                assert!(data.iter().all(|byte| *byte == b'a'));
                decoded += data.len();
            }
        }
        assert_eq!(decoded, 66560);
        let received = decoder.finish().expect("a good end");
        let received: Vec<(&str, &str)> =
            received.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(received, trailers);
    }
}

fn encode(streaming: Streaming, verified: Verified, trailers: &[(&str, &str)]) -> Vec<u8> {
    let mut encoder = ChunkEncoder::new(streaming, verified);
    let mut body = Vec::new();
    encoder.chunk(&vec![b'a'; 65536], &mut body);
    encoder.chunk(&[b'a'; 1024], &mut body);
    encoder.finish(trailers, &mut body);
    body
}
