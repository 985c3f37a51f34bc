//! What `apus start` says once requests are answered: in a line for people, or as JSON for programs.

use apus_compute::Level;
use serde_json::{Value, json};

use crate::cli::{Permissions, Start};
use crate::public_url::PublicUrl;
use crate::start::Place;

/// What is said when requests are answered.
pub(crate) struct Ready<'a> {
    pub(crate) url: &'a str,
    pub(crate) listening: PublicUrl,
    pub(crate) place: &'a Place,
    pub(crate) level: Level,
    /// The root keys' secret, where it was made up.
    pub(crate) secret: Option<String>,
}

impl Ready<'_> {
    /// For people.
    pub(crate) fn line(&self, options: &Start) -> String {
        let Self { url, listening, place, level, secret } = self;
        let isolation = isolation(*level);
        let warning = match options.iam {
            Permissions::Enforce => "",
            Permissions::Soft => "; permissions are NOT enforced",
        };
        let listening =
            options.public_url.as_ref().map_or_else(String::new, |_| format!(", listening on {listening}"));
        let secret = secret.as_ref().map_or_else(String::new, |secret| {
            format!(
                "; root key: AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY={secret}, or choose with --root-secret"
            )
        });
        format!("apus is ready at {url}{listening} ({place}{isolation}{warning}{secret})")
    }

    /// For programs.
    pub(crate) fn described(&self, options: &Start) -> Value {
        let directory = match self.place {
            Place::Directory(dir) => Some(dir.display().to_string()),
            Place::Memory(_) => None,
        };
        json!({
            "url": self.url,
            "listening": self.listening.to_string(),
            "dataDir": directory,
            "isolation": self.level.to_string(),
            "weaker": apus_compute::probe().weaker(self.level),
            "permissions": match options.iam {
                Permissions::Enforce => "enforced",
                Permissions::Soft => "logged",
            },
            "rootSecret": self.secret,
        })
    }
}

/// What people must know of how functions are isolated: nothing, where nothing is weaker.
fn isolation(level: Level) -> String {
    let weaker = apus_compute::probe().weaker(level);
    match (level, weaker.is_empty()) {
        (Level::Full, true) => String::new(),
        (_, true) => format!("; isolation level {level}"),
        (_, false) => format!("; isolation level {level}, weaker: {}", weaker.join("; ")),
    }
}
