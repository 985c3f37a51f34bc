//! Which queue: its name, its resource name, and its URL in every form that clients send.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use apus_kernel::{AccountId, Arn, Region};

/// A queue's name: 1 to 80 letters, digits, hyphens and underscores; a FIFO queue's ends in `.fifo`. Clones share the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct QueueName(Arc<str>);

/// A text that is no queue's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidName;

impl QueueName {
    const LENGTH_MAX: usize = 80;
    const FIFO_SUFFIX: &str = ".fifo";

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name is a FIFO queue's.
    pub(crate) fn is_fifo(&self) -> bool {
        self.0.ends_with(Self::FIFO_SUFFIX)
    }
}

impl FromStr for QueueName {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let stem = text.strip_suffix(Self::FIFO_SUFFIX).unwrap_or(text);
        let valid = !stem.is_empty()
            && text.len() <= Self::LENGTH_MAX
            && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if valid { Ok(Self(text.into())) } else { Err(InvalidName) }
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A queue's place: the account and region that it lives in, and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct QueueId {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) name: QueueName,
}

impl QueueId {
    /// The queue that a client means, calling for that account and region. What counts are the last two parts of the
    /// path, account and name: SDKs send every form of URL in which they were given one. A name alone means a queue
    /// of the caller's account, a resource name means itself.
    pub(crate) fn from_url(url: &str, account: AccountId, region: &Region) -> Result<Self, UrlError> {
        if url.starts_with("arn:") {
            let id = Self::from_arn(url).ok_or(UrlError::NoQueue)?;
            return if id.region == *region { Ok(id) } else { Err(UrlError::NoAddress) };
        }
        let (host, path) = match url.as_bytes().windows(3).position(|three| three == b"://") {
            Some(scheme_ends) => {
                let rest = &url[scheme_ends + 3..];
                rest.split_once('/').unwrap_or((rest, ""))
            }
            None => ("", url),
        };
        if region_of(host).is_some_and(|meant| meant != region.as_str()) {
            return Err(UrlError::NoAddress);
        }
        let mut parts = path.split('/').filter(|part| !part.is_empty()).rev();
        let name = parts.next().ok_or(UrlError::NoAddress)?;
        let account = parts.next().map_or(Ok(account), str::parse).map_err(|_| UrlError::NoQueue)?;
        let name = name.parse().map_err(|_| UrlError::NoQueue)?;
        Ok(Self { account, region: region.clone(), name })
    }

    /// The queue that a resource name means.
    pub(crate) fn from_arn(text: &str) -> Option<Self> {
        Self::named(&text.parse().ok()?)
    }

    /// The queue of that resource name.
    pub(crate) fn named(arn: &Arn) -> Option<Self> {
        if arn.service != "sqs" {
            return None;
        }
        let (account, region) = (arn.account.parse().ok()?, arn.region.parse().ok()?);
        Some(Self { account, region, name: arn.resource.parse().ok()? })
    }

    /// The URL that clients reach the queue at, below the platform's own.
    pub(crate) fn url(&self, base_url: &str) -> String {
        format!("{base_url}/{}/{}", self.account, self.name)
    }

    pub(crate) fn arn(&self) -> Arn {
        Arn::regional("sqs", &self.region, self.account, self.name.as_str())
    }
}

/// Why a URL leads to no queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UrlError {
    /// It names none, or one of another region than the request is for.
    NoAddress,
    /// No queue can be called that.
    NoQueue,
}

/// The region that an endpoint of AWS's own is of: `sqs.eu-west-1.amazonaws.com`, and the older
/// `eu-west-1.queue.amazonaws.com`, which has none for us-east-1. Other hosts are of every region.
fn region_of(host: &str) -> Option<&str> {
    let stem =
        [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().find_map(|end| host.strip_suffix(end))?;
    match stem.split_once('.') {
        None if stem == "queue" => Some(Region::DEFAULT),
        Some(("sqs" | "sqs-fips", region) | (region, "queue")) => Some(region),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_form() {
        for name in ["a", "A-b_9", "jobs.fifo", &"x".repeat(80)] {
            assert!(name.parse::<QueueName>().is_ok(), "{name}");
        }
        for name in
            ["", ".fifo", "a.b", "a b", "a/b", "ä", &"x".repeat(81), &format!("{}.fifo", "x".repeat(76))]
        {
            assert_eq!(name.parse::<QueueName>(), Err(InvalidName), "{name}");
        }
    }

    fn from_url(url: &str) -> Result<String, UrlError> {
        let region: Region = "eu-west-1".parse().expect("a region");
        let account = "111122223333".parse().expect("an account");
        QueueId::from_url(url, account, &region).map(|id| id.arn().to_string())
    }

    #[test]
    fn urls_of_every_form_lead_to_the_queue() {
        for url in [
            "http://127.0.0.1:4566/000000000000/jobs",
            "https://sqs.eu-west-1.amazonaws.com/000000000000/jobs",
            "https://sqs.eu-west-1.api.aws/000000000000/jobs",
            "https://eu-west-1.queue.amazonaws.com/000000000000/jobs",
            "http://localhost:4566/queue/eu-west-1/000000000000/jobs/",
            "http://sqs.eu-west-1.localhost:4566/000000000000/jobs",
            "/000000000000/jobs",
            "arn:aws:sqs:eu-west-1:000000000000:jobs",
        ] {
            assert_eq!(from_url(url).as_deref(), Ok("arn:aws:sqs:eu-west-1:000000000000:jobs"), "{url}");
        }
        for url in ["jobs", "/jobs", "http://127.0.0.1:4566/jobs", "https://sqs.eu-west-1.amazonaws.com/jobs"]
        {
            assert_eq!(from_url(url).as_deref(), Ok("arn:aws:sqs:eu-west-1:111122223333:jobs"), "{url}");
        }
        for (url, error) in [
            ("", UrlError::NoAddress),
            ("http://127.0.0.1:4566/", UrlError::NoAddress),
            ("https://queue.amazonaws.com/000000000000/jobs", UrlError::NoAddress),
            ("https://sqs.us-east-1.amazonaws.com/000000000000/jobs", UrlError::NoAddress),
            ("arn:aws:sqs:us-east-1:000000000000:jobs", UrlError::NoAddress),
            ("arn:aws:sns:eu-west-1:000000000000:jobs", UrlError::NoQueue),
            ("http://x/00000000000/jobs", UrlError::NoQueue),
            ("http://x/000000000000/jo bs", UrlError::NoQueue),
        ] {
            assert_eq!(from_url(url), Err(error), "{url}");
        }
    }
}
