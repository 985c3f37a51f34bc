//! `GET /_apus/code/…`: code packages for whoever was given the URL, which is signed and ends after ten minutes, as
//! those do that AWS gives out.
//!
//! The key is this process's: URLs end with it.

use std::sync::Arc;
use std::time::Duration;

use apus_env::Env;
use apus_kernel::{BoxFuture, Claims, Context, HttpFront, Platform};
use apus_schema::Body;
use apus_store::{BlobId, Store};
use apus_time::Timestamp;
use apus_wire::sigv4::{Scope, SigningKey};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use tracing::error;

use crate::code::package::UPLOAD_BYTES_MAX;

const PATH: &str = "/_apus/code";
/// How long a URL is good for.
const LIFE: Duration = Duration::from_mins(10);

/// Makes URLs, and knows them again.
pub(crate) struct Downloads {
    key: SigningKey,
}

impl Downloads {
    pub(crate) fn new(env: &Env) -> Self {
        let secret = [env.uuid_v4(), env.uuid_v4()].concat();
        let scope = Scope::of("download", "local", "lambda");
        Self { key: SigningKey::derive(&secret, &scope) }
    }

    /// The URL of a package, for the caller. Nothing for a part of the platform, which came by none.
    pub(crate) fn url(&self, context: &Context, blob: BlobId) -> Option<String> {
        let base = &context.origin.base_url;
        let ends = (context.now + LIFE).as_secs();
        let signature = self.key.sign(to_sign(blob, ends).as_bytes());
        (!base.is_empty()).then(|| format!("{base}{PATH}/{blob}?Expires={ends}&Signature={signature}"))
    }

    /// The package that a path and a query name, if they are of ours and in time.
    fn read(&self, path: &str, query: &str, now: Timestamp) -> Result<BlobId, Refusal> {
        let blob: BlobId = path
            .strip_prefix(PATH)
            .and_then(|rest| rest.strip_prefix('/')?.parse().ok())
            .ok_or(Refusal::Forged)?;
        let (ends, signature) = query
            .strip_prefix("Expires=")
            .and_then(|rest| rest.split_once("&Signature="))
            .ok_or(Refusal::Forged)?;
        let ends: i64 = ends.parse().map_err(|_| Refusal::Forged)?;
        if !self.key.sign(to_sign(blob, ends).as_bytes()).matches(signature) {
            return Err(Refusal::Forged);
        }
        if now.as_secs() > ends { Err(Refusal::Expired) } else { Ok(blob) }
    }
}

fn to_sign(blob: BlobId, ends: i64) -> String {
    format!("{blob}\n{ends}")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Forged,
    Expired,
}

/// The front.
pub(crate) struct Packages {
    pub(crate) env: Env,
    pub(crate) store: Store,
    pub(crate) downloads: Arc<Downloads>,
}

impl HttpFront for Packages {
    fn name(&self) -> &'static str {
        "code packages"
    }

    fn claims(&self) -> Claims {
        Claims::Path(PATH)
    }

    fn handle(&self, _platform: Platform, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let (env, store, downloads) = (self.env.clone(), self.store.clone(), Arc::clone(&self.downloads));
        Box::pin(async move {
            if request.method() != Method::GET {
                return plain(StatusCode::METHOD_NOT_ALLOWED, "use GET\n");
            }
            let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
            match downloads.read(path, query, env.now()) {
                Err(Refusal::Forged) => {
                    plain(StatusCode::FORBIDDEN, "the signature is not of this instance\n")
                }
                Err(Refusal::Expired) => {
                    plain(StatusCode::FORBIDDEN, "the URL has expired; ask for another\n")
                }
                Ok(blob) => package(&store, blob).await,
            }
        })
    }
}

async fn package(store: &Store, blob: BlobId) -> Response<Body> {
    let bytes = async {
        match store.blobs().open_blob(blob).await? {
            Some(blob) => Ok(Some(blob.read_all(UPLOAD_BYTES_MAX).await?)),
            None => Ok::<_, apus_store::StoreError>(None),
        }
    };
    match bytes.await {
        Ok(Some(bytes)) => {
            let mut response = Response::new(Body::full(bytes));
            let kind = HeaderValue::from_static("application/zip");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
        Ok(None) => plain(StatusCode::NOT_FOUND, "the code was replaced or deleted meanwhile\n"),
        Err(failure) => {
            error!(%failure, "a code package could not be read");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "the code could not be read\n")
        }
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use apus_env::sim::Simulator;

    use super::*;

    #[test]
    fn a_url_is_good_for_its_package_until_it_ends() {
        let downloads = Downloads::new(&Simulator::new(1).env());
        let (one, two) = (BlobId::from([1; 16]), BlobId::from([2; 16]));
        let at = Timestamp::from_secs;
        let signature = downloads.key.sign(to_sign(one, 600).as_bytes());
        let (path, query) = (format!("{PATH}/{one}"), format!("Expires=600&Signature={signature}"));
        assert_eq!(downloads.read(&path, &query, at(0)), Ok(one));
        assert_eq!(downloads.read(&path, &query, at(600)), Ok(one));
        assert_eq!(downloads.read(&path, &query, at(601)), Err(Refusal::Expired));
        let other = Downloads::new(&Simulator::new(2).env());
        assert_eq!(other.read(&path, &query, at(0)), Err(Refusal::Forged));
        for (path, query) in [
            (format!("{PATH}/{two}"), query.clone()),
            (path.clone(), query.replace("600", "601")),
            (path.clone(), "Expires=600".into()),
            (path.clone(), String::new()),
            (format!("{PATH}/../{one}"), query.clone()),
            (PATH.into(), query),
        ] {
            assert_eq!(downloads.read(&path, &query, at(0)), Err(Refusal::Forged), "{path}?{query}");
        }
    }
}
