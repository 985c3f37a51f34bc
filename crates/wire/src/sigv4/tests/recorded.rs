//! Requests that botocore 1.44.5 signed, as recorded.

use super::super::Rules;
use super::{Request, at};

const KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SESSION_KEY: &str = "c2VjcmV0LW9mLWEtc2Vzc2lvbi0wMDAwMDAwMDAw";
const TOKEN: &str = "FwoGZXIvYXdzE/token+with=signs==";
const DATE: &str = "20250304T050607Z";

fn check(request: Request, secret: &str, rules: Rules) {
    let request =
        if request.query.contains("X-Amz-Date") { request } else { request.with("X-Amz-Date", DATE) };
    request.verify(secret, rules, at(DATE)).unwrap_or_else(|error| panic!("{error}"));
    assert!(request.verify("another", rules, at(DATE)).is_err());
}

fn authorization(key: &str, place: &str, headers: &str, signature: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={key}/20250304/{place}/aws4_request, SignedHeaders={headers}, Signature={signature}"
    )
}

#[test]
fn json_to_a_host_with_a_port() {
    let signed = authorization(
        "AKIDEXAMPLE",
        "eu-central-1/sqs",
        "content-type;host;x-amz-date;x-amz-target",
        "14a7d4c602a655cb4fe888a06d507628daab5f6853edf33a31ac1338a1bc774e",
    );
    let request = Request::new("POST", "/")
        .with("Host", "localhost:4566")
        .with("Content-Type", "application/x-amz-json-1.0")
        .with("X-Amz-Target", "AmazonSQS.SendMessage")
        .with("User-Agent", "anything")
        .with("Authorization", &signed)
        .body(br#"{"QueueUrl":"q","MessageBody":"x"}"#);
    check(request, KEY, Rules::COMMON);
}

#[test]
fn an_encoded_arn_in_a_path_is_encoded_twice() {
    let signed = authorization(
        "ASIAEXAMPLE",
        "us-east-1/lambda",
        "host;x-amz-date;x-amz-security-token",
        "d602956496ea0ff5ae9f64962a193e5fdf6bc9278f449a73b5b99ce2810e1197",
    );
    let target = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af/configuration?Qualifier=%24LATEST";
    let request = Request::new("GET", target)
        .with("Host", "localhost:4566")
        .with("X-Amz-Security-Token", TOKEN)
        .with("Authorization", &signed);
    check(request, SESSION_KEY, Rules::COMMON);
}

#[test]
fn a_form_with_a_default_port_that_was_not_signed() {
    let signed = authorization(
        "ASIAEXAMPLE",
        "us-east-1/sts",
        "content-type;host;x-amz-date;x-amz-security-token",
        "2996881df61ca18d2f0fe11f7ae316d9b914a1f50d7c299dacaa750c0a0a0fb8",
    );
    for host in ["sts.amazonaws.com", "sts.amazonaws.com:443"] {
        let request = Request::new("POST", "/")
            .with("Host", host)
            .with("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
            .with("X-Amz-Security-Token", TOKEN)
            .with("Authorization", &signed)
            .body(b"Action=GetCallerIdentity&Version=2011-06-15");
        check(request, SESSION_KEY, Rules::COMMON);
    }
}

#[test]
fn an_object_key_keeps_every_segment() {
    let signed = authorization(
        "ASIAEXAMPLE",
        "us-east-1/s3",
        "content-md5;host;x-amz-content-sha256;x-amz-date;x-amz-meta-note;x-amz-security-token",
        "7ae229cc79e840c77bdf027d1c77273122e2cf8386854d86d8c4c63ea4f920cb",
    );
    let request = Request::new("PUT", "/b/a%20b/%2B/%C3%BC/%7E..//x%25y")
        .with("Host", "127.0.0.1:9000")
        .with("Content-MD5", "XUFAKrxLKna5cZ2REBfFkg==")
        .with("x-amz-meta-note", "  two   spaces ")
        .with("X-Amz-Security-Token", TOKEN)
        .with("X-Amz-Content-SHA256", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
        .with("Authorization", &signed)
        .body(b"hello");
    check(request, SESSION_KEY, Rules::S3);
}

#[test]
fn a_list_of_objects() {
    let signed = authorization(
        "AKIDEXAMPLE",
        "us-east-1/s3",
        "host;x-amz-content-sha256;x-amz-date",
        "d648aed0b25e2c6077019fa27b627875f815d685f808423211af55afadce3e61",
    );
    let target = "/?list-type=2&prefix=a%2Fb%20c&delimiter=%2F&encoding-type=url";
    let request = Request::new("GET", target)
        .with("Host", "b.s3.localhost:4566")
        .with("X-Amz-Content-SHA256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        .with("Authorization", &signed);
    check(request, KEY, Rules::S3);
}

#[test]
fn a_presigned_object() {
    let target = "/a%20b/c.txt?response-content-type=text%2Fplain&X-Amz-Algorithm=AWS4-HMAC-SHA256\
                  &X-Amz-Credential=ASIAEXAMPLE%2F20250304%2Fus-east-1%2Fs3%2Faws4_request\
                  &X-Amz-Date=20250304T050607Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host\
                  &X-Amz-Security-Token=FwoGZXIvYXdzE%2Ftoken%2Bwith%3Dsigns%3D%3D\
                  &X-Amz-Signature=b40406994b149e5ffdbcb80b01cd7791b593f0d5de3f7ef8fcaad5c07b1e53e4";
    check(Request::new("GET", target).with("Host", "b.s3.amazonaws.com"), SESSION_KEY, Rules::S3);
}

#[test]
fn a_presigned_identity_as_kubernetes_clients_make_it() {
    let target = "/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256\
                  &X-Amz-Credential=AKIDEXAMPLE%2F20250304%2Fus-east-1%2Fsts%2Faws4_request\
                  &X-Amz-Date=20250304T050607Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id\
                  &X-Amz-Signature=01641291e58174ee138b47930899f44f05e8c500c6fd7df66e93b7f39e304e2f";
    let request = Request::new("GET", target)
        .with("Host", "sts.us-east-1.amazonaws.com")
        .with("x-k8s-aws-id", "cluster");
    check(request, KEY, Rules::COMMON);
}
