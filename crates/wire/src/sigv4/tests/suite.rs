//! The public test suite of Signature Version 4, as botocore's source distribution carries it.

use std::fs;
use std::path::{Path, PathBuf};

use http::{HeaderName, HeaderValue};

use super::super::canonical::{self, Spelling};
use super::super::verify::string_to_sign;
use super::super::{Claim, Credentials, PayloadHash, Rules, presign};
use super::{Request, at};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "x-amz-security-token:";
const NOW: &str = "20150830T123600Z";

/// Where the vectors are; the reason to do without them.
fn directory() -> Result<PathBuf, String> {
    let root = std::env::var_os("APUS_BOTOCORE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/botocore/botocore-1.44.5"),
        PathBuf::from,
    );
    let suite = root.join("tests/unit/auth/aws4_testsuite");
    if suite.is_dir() {
        return Ok(suite);
    }
    Err(format!(
        "no vectors in {}; unpack botocore's sdist there or point APUS_BOTOCORE at it",
        suite.display()
    ))
}

fn cases(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).expect("the suite").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries.into_iter().filter(|path| path.is_dir()) {
        let name = path.file_name().expect("a name").to_owned();
        let request = path.join(&name).with_extension("req");
        if request.is_file() {
            found.push(request);
        }
        cases(&path, found);
    }
}

/// Reads a raw request as a lenient server does: LF ends lines, folded headers are unfolded.
fn read(text: &str) -> Request {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let first = lines.next().expect("a request line").strip_suffix(" HTTP/1.1").expect("its version");
    let (method, target) = first.split_once(' ').expect("a target");
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in lines {
        if line.starts_with(' ') {
            headers.last_mut().expect("a header to fold").1 += line;
        } else {
            let (name, value) = line.split_once(':').expect("a header");
            headers.push((name.to_owned(), value.to_owned()));
        }
    }
    let mut request = Request::new(method, target).body(body.as_bytes());
    for (name, value) in headers {
        request = request.with(&name, value.trim());
    }
    request
}

#[test]
fn every_vector_of_the_suite() {
    let suite = match directory() {
        Ok(suite) => suite,
        Err(reason) => {
            eprintln!("SKIPPED the Signature Version 4 suite: {reason}");
            return;
        }
    };
    let mut requests = Vec::new();
    cases(&suite, &mut requests);
    for file in &requests {
        let name = file.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        check(name, file);
    }
    eprintln!("{} vectors hold", requests.len());
    assert!(requests.len() >= 30, "only {} vectors found in {}", requests.len(), suite.display());
}

fn check(name: &str, file: &Path) {
    let text = |extension: &str| {
        let text = fs::read_to_string(file.with_extension(extension)).expect("a vector's file");
        text.replace('\r', "")
    };
    let authorization = text("authz");
    let mut request = read(&text("req")).with("Authorization", authorization.trim());
    // Where the suite gives the token to the client beside the request, the request that is sent has it.
    let token = text("creq").lines().find_map(|line| line.strip_prefix(TOKEN).map(str::to_owned));
    if let Some(token) = token.filter(|_| !request.headers.contains_key("x-amz-security-token")) {
        request = request.with("x-amz-security-token", &token);
    }
    let now = at(NOW);

    let claim = Claim::parse(&request.parts()).expect(name).expect(name);
    let payload = PayloadHash::of(&request.body);
    let canonical = canonical::request(
        &request.parts(),
        &claim.signed_headers,
        &payload.to_string(),
        Rules::COMMON.path,
        Spelling::ALL[0],
    );
    let canonical = String::from_utf8(canonical).expect("text");
    assert_eq!(canonical, text("creq"), "{name}: canonical request");
    assert_eq!(
        string_to_sign(&now.to_compact(), &claim.scope, canonical.as_bytes()),
        text("sts"),
        "{name}: string to sign"
    );
    let key = crate::sigv4::SigningKey::derive(SECRET, &claim.scope);
    let verified = claim.verify(&key, &request.parts(), &payload, Rules::COMMON, now);
    assert_eq!(verified.expect(name).seed.to_string(), claim.signature, "{name}: signature");

    // The same request presigned: no vectors exist, but what is signed must verify, and only so.
    let mut presigned = request.clone();
    for header in ["authorization", "x-amz-date", "x-amz-security-token"] {
        presigned.headers.remove(HeaderName::from_static(header));
    }
    let credentials =
        Credentials { access_key: &claim.access_key, secret: SECRET, session_token: Some("token/+=") };
    let hour = std::time::Duration::from_hours(1);
    let rules = Rules::COMMON;
    presigned.query = presign(&presigned.parts(), &credentials, &claim.scope, &payload, rules, now, hour);
    presigned.verify(SECRET, rules, now).unwrap_or_else(|error| panic!("{name} presigned: {error}"));
    presigned.headers.insert("host", HeaderValue::from_static("elsewhere"));
    assert!(presigned.verify(SECRET, rules, now).is_err(), "{name} presigned for another host");
}
