//! Looking for damage in a store that nobody has open.
//!
//! The store's own part: format, log, base, pieces of long values, blobs. What keys and values mean is known
//! above, so services add checks of their own: [`Check`] is what they are, [`Look`] what they are given.

mod look;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use apus_env::Env;

use crate::disk::Disk;
use crate::embedded::{self, Options};
use crate::error::StoreError;
use crate::range::{Direction, Range};
use crate::store::Store;

pub use look::{FINDINGS_MAX, Items, Look, Records, Rows, Space};

/// The end of a check, in time. It fails with what keeps it from looking.
pub type Checked<'a> = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'a>>;

/// A service's own look at what it has stored.
pub trait Check: Send + Sync {
    /// Whose check it is, and what of.
    fn name(&self) -> &'static str;
    /// Tells `look` what is wrong; nothing if all is well. It sees one version of the store and cannot change it,
    /// so what it finds is a contradiction even while others write.
    fn check<'a>(&'a self, look: &'a mut Look) -> Checked<'a>;
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub place: String,
    /// What.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.detail)
    }
}

/// What a look at a store has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Everything that is wrong; empty: the store is sound.
    pub findings: Vec<Finding>,
    /// What is not as it should be, and mends itself: it damages nothing.
    pub remarks: Vec<Finding>,
    /// Keys with values.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs.
    pub blobs: u64,
    /// Frames in the log that are not in the base yet.
    pub log_frames: u64,
}

impl Report {
    fn note(&mut self, error: &StoreError) {
        let finding = match error {
            StoreError::Corrupt { place, detail } => Finding { place: place.clone(), detail: detail.clone() },
            other => Finding { place: "the store".into(), detail: other.to_string() },
        };
        self.findings.push(finding);
    }
}

/// Looks through a store. It may finish what a crash has interrupted, as a start would.
///
/// Errors: only what keeps it from looking, such as [`StoreError::Locked`]; damage is in the report.
pub async fn fsck(
    env: &Env,
    disk: &Arc<dyn Disk>,
    options: &Options,
    checks: &[&dyn Check],
) -> Result<Report, StoreError> {
    let mut report = Report::default();
    match embedded::inspect(disk, options) {
        Ok(inspected) => {
            report.log_frames = inspected.log_frames;
            inspected.damage.iter().for_each(|damage| report.note(damage));
        }
        Err(error @ (StoreError::Locked { .. } | StoreError::NewerFormat { .. })) => return Err(error),
        Err(error) => report.note(&error),
    }
    if !report.findings.is_empty() {
        return Ok(report);
    }
    let store = match Store::open(env, disk, options) {
        Ok(store) => store,
        Err(error) => {
            report.note(&error);
            return Ok(report);
        }
    };
    if let Err(error) = look(&store, checks, &mut report).await {
        report.note(&error);
    }
    store.close().await;
    Ok(report)
}

async fn look(store: &Store, checks: &[&dyn Check], report: &mut Report) -> Result<(), StoreError> {
    {
        let (state, all) = (store.version()?, Range::all());
        for row in state.scan(&all, Direction::Forward)? {
            match row {
                Ok((key, value)) => {
                    report.rows += 1;
                    report.bytes += (key.len() + value.len()) as u64;
                }
                Err(error) => report.note(&error),
            }
        }
    }
    for id in store.blobs().list().await? {
        match store.blobs().open_blob(id).await {
            Ok(_) => report.blobs += 1,
            Err(error) => report.note(&error),
        }
    }
    let Examined { findings, remarks } = examine(store, checks).await?;
    report.findings.extend(findings);
    report.remarks.extend(remarks);
    Ok(())
}

/// What checks have to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// What is wrong, at most [`FINDINGS_MAX`] of each check and how many more there are.
    pub findings: Vec<Finding>,
    /// What mends itself, bounded likewise.
    pub remarks: Vec<Finding>,
}

/// Has every check look at the newest version of an open store; a check that cannot look is a finding.
pub async fn examine(store: &Store, checks: &[&dyn Check]) -> Result<Examined, StoreError> {
    let mut examined = Examined::default();
    for check in checks {
        let looked = store.read(|tx| async move {
            let mut look = Look::new(store, tx);
            if let Err(error) = check.check(&mut look).await {
                look.finding(check.name(), format!("the check ended early: {error}"));
            }
            Ok::<_, StoreError>(look.end(check.name()))
        });
        let Examined { findings, remarks } = looked.await?;
        examined.findings.extend(findings);
        examined.remarks.extend(remarks);
    }
    Ok(examined)
}
