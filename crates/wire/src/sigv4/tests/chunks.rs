//! Bodies in chunks: whole ones survive any splitting, broken ones are refused where they break.

use bytes::Bytes;
use proptest::prelude::*;

use super::super::{
    ChunkDecoder, ChunkEncoder, ChunkError, MAX_CHUNK_LINE_BYTES, MAX_TRAILER_BYTES, Scope, SigningKey,
    Streaming, Verified,
};
use super::at;

const TRAILER: (&str, &str) = ("x-amz-checksum-crc32", "AAAAAA==");

fn verified() -> Verified {
    let requested = at("20250304T050607Z");
    let scope = Scope::new(requested, "us-east-1", "s3");
    let key = SigningKey::derive("secret", &scope);
    Verified { seed: key.sign(b"head"), key, requested, scope }
}

fn trailers(streaming: Streaming) -> &'static [(&'static str, &'static str)] {
    if streaming == Streaming::Signed { &[] } else { &[TRAILER] }
}

fn encode(streaming: Streaming, chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut encoder = ChunkEncoder::new(streaming, verified());
    let mut body = Vec::new();
    for chunk in chunks {
        encoder.chunk(chunk, &mut body);
    }
    encoder.finish(trailers(streaming), &mut body);
    body
}

type Decoded = Result<(Vec<u8>, Vec<(String, String)>), ChunkError>;

fn decode(streaming: Streaming, bytes: Option<u64>, body: &[u8], piece: usize) -> Decoded {
    let names: Vec<&str> = trailers(streaming).iter().map(|(name, _)| *name).collect();
    let mut decoder = ChunkDecoder::signed(streaming, verified(), bytes, &names);
    let mut data = Vec::new();
    for piece in body.chunks(piece.max(1)) {
        for bytes in decoder.push(Bytes::copy_from_slice(piece))? {
            data.extend_from_slice(&bytes);
        }
    }
    Ok((data, decoder.finish()?))
}

fn streamings() -> impl Strategy<Value = Streaming> {
    prop::sample::select(vec![Streaming::Signed, Streaming::SignedTrailer, Streaming::UnsignedTrailer])
}

/// Two full chunks and a small one, which begins at 2 * (8192 + 87).
fn sample(streaming: Streaming) -> Vec<u8> {
    encode(streaming, &[vec![1; 8192], vec![2; 8192], vec![3; 10]])
}

proptest! {
    #[test]
    fn any_splitting_decodes(
        streaming in streamings(), last in 0_usize..100, big in 0_usize..3, piece in 1_usize..9000,
    ) {
        let mut chunks: Vec<Vec<u8>> = (0..big).map(|at| vec![at as u8; 8192 + at]).collect();
        chunks.extend((last > 0).then(|| vec![7; last]));
        let data = chunks.concat();
        let body = encode(streaming, &chunks);
        let (decoded, received) = decode(streaming, Some(data.len() as u64), &body, piece).expect("a good body");
        prop_assert_eq!(decoded, data);
        prop_assert_eq!(received.len(), trailers(streaming).len());
    }

    #[test]
    fn every_changed_byte_of_a_signed_body_is_refused(
        trailer: bool, place in 0_usize..20000, change in 1_u8..=255, piece in 1_usize..9000,
    ) {
        let streaming = if trailer { Streaming::SignedTrailer } else { Streaming::Signed };
        let mut body = sample(streaming);
        let place = place % body.len();
        let old = body[place];
        body[place] ^= change;
        // Names and sizes are read in either case: nothing that is signed.
        prop_assume!(!old.eq_ignore_ascii_case(&body[place]));
        // Blanks around what is read are no part of it.
        prop_assume!(!body[place].is_ascii_whitespace());
        prop_assert!(decode(streaming, Some(16394), &body, piece).is_err(), "byte {}", place);
    }

    #[test]
    fn every_shorter_body_is_refused(streaming in streamings(), cut in 1_usize..17000, piece in 1_usize..9000) {
        let body = sample(streaming);
        let kept = &body[..body.len().saturating_sub(cut)];
        prop_assert_eq!(decode(streaming, Some(16394), kept, piece).expect_err("cut"), ChunkError::Truncated);
    }

    #[test]
    fn no_input_panics(streaming in streamings(), body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(decode(streaming, None, &body, 3).is_err());
    }
}

#[test]
fn the_nth_signature() {
    for chunk in 0..4 {
        let mut body = sample(Streaming::Signed);
        let text = b"chunk-signature=";
        let starts: Vec<usize> =
            body.windows(text.len()).enumerate().filter(|(_, w)| w == text).map(|(at, _)| at).collect();
        assert_eq!(starts.len(), 4);
        let place = starts[chunk] + text.len();
        body[place] = if body[place] == b'0' { b'1' } else { b'0' };
        let error = decode(Streaming::Signed, Some(16394), &body, 100).expect_err("a wrong signature");
        assert_eq!(error, ChunkError::WrongSignature { chunk: chunk as u64 });
    }
}

#[test]
fn chunks_cannot_be_swapped_or_dropped() {
    let body = sample(Streaming::Signed);
    let one = 8192 + "2000;chunk-signature=".len() + 64 + 4;
    let (first, rest) = body.split_at(one);
    let (second, rest) = rest.split_at(one);
    let swapped = [second, first, rest].concat();
    let dropped = [first, rest].concat();
    for body in [swapped, dropped] {
        let error = decode(Streaming::Signed, None, &body, 4096).expect_err("another order");
        assert!(matches!(error, ChunkError::WrongSignature { .. }));
    }
}

#[test]
fn broken_frames() {
    let refused = |body: &[u8]| decode(Streaming::UnsignedTrailer, None, body, 5).expect_err("broken");
    let malformed = |body: &[u8]| match refused(body) {
        ChunkError::MalformedChunk { chunk, problem } => (chunk, problem),
        other => panic!("{other:?}"),
    };
    assert_eq!(malformed(&[b'0'; MAX_CHUNK_LINE_BYTES + 1]), (0, "a line is too long"));
    assert_eq!(malformed(b"zz\r\n"), (0, "its size is not a hexadecimal number"));
    assert_eq!(malformed(b"-1\r\n"), (0, "its size is not a hexadecimal number"));
    assert_eq!(malformed(b"\r\n"), (0, "its size is not a hexadecimal number"));
    assert_eq!(malformed(b"11111111111111111\r\n"), (0, "its size is not a hexadecimal number"));
    assert_eq!(malformed(b"3\nabc\r\n"), (0, "a line does not end in CRLF"));
    assert_eq!(malformed(b"3\r\nabcd\r\n"), (0, "no line end after its data"));
    assert_eq!(malformed(b"3\r\nabc\n0\r\n"), (0, "no line end after its data"));
    assert_eq!(refused(b"3\r\nabc\r\n1\r\nd\r\n"), ChunkError::TooSmall { chunk: 0, bytes: 3 });
    assert_eq!(refused(b"3\r\nabc\r\n0\r\n"), ChunkError::Truncated);
    assert_eq!(
        refused(b"3\r\nabc\r\n0\r\nnonsense\r\n\r\n"),
        ChunkError::MalformedTrailer { problem: "a line has no colon" }
    );
    assert_eq!(refused(b"0\r\nx-amz-checksum-crc32:a\r\n\r\nx"), ChunkError::AfterEnd);
    let mut long = b"0\r\n".to_vec();
    long.resize(MAX_TRAILER_BYTES + 10, b'a');
    assert_eq!(refused(&long), ChunkError::MalformedTrailer { problem: "a line is too long" });
    let mut many = b"0\r\n".to_vec();
    while many.len() < MAX_TRAILER_BYTES + 100 {
        many.extend_from_slice(b"a:b\r\n");
    }
    assert_eq!(refused(&many), ChunkError::MalformedTrailer { problem: "a line is too long" });
    let unsigned = decode(Streaming::Signed, None, b"1\r\na\r\n", 9).expect_err("unsigned");
    assert_eq!(unsigned, ChunkError::MalformedChunk { chunk: 0, problem: "it has no chunk-signature" });
}

#[test]
fn announced_lengths_and_trailers() {
    let body = sample(Streaming::UnsignedTrailer);
    let decode = |bytes, body: &[u8]| decode(Streaming::UnsignedTrailer, bytes, body, 1000);
    assert!(decode(None, &body).is_ok());
    assert_eq!(
        decode(Some(16393), &body).expect_err("longer"),
        ChunkError::WrongLength { announced: 16393, received: 16394 }
    );
    assert_eq!(
        decode(Some(16395), &body).expect_err("shorter"),
        ChunkError::WrongLength { announced: 16395, received: 16394 }
    );
    // A hostile size is refused before any of its data is waited for.
    assert!(matches!(decode(Some(10), b"ffffffffffffffff\r\n"), Err(ChunkError::WrongLength { .. })));
    for tail in
        ["0\r\n\r\n", "0\r\nx-amz-checksum-sha1:a\r\n\r\n", "0\r\nx-amz-checksum-crc32:a\r\nb:c\r\n\r\n"]
    {
        assert!(matches!(decode(None, tail.as_bytes()), Err(ChunkError::WrongTrailers { .. })), "{tail}");
    }
    let mut stripped = sample(Streaming::SignedTrailer);
    let at = stripped.windows(9).position(|w| w == b"x-amz-tra").expect("the signature");
    stripped.truncate(at);
    stripped.extend_from_slice(b"\r\n");
    let error =
        super::chunks::decode(Streaming::SignedTrailer, None, &stripped, 99).expect_err("unsigned trailer");
    assert_eq!(error, ChunkError::WrongTrailerSignature);
}

#[test]
fn a_failed_decoder_stays_failed() {
    let mut decoder = ChunkDecoder::unsigned(None, &[]);
    assert!(decoder.push(Bytes::from_static(b"x\r\n")).is_err());
    assert!(decoder.push(Bytes::from_static(b"0\r\n\r\n")).is_err());
    assert!(decoder.finish().is_err());
}
