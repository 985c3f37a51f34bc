//! What SNS would send to people, as files: one for each mail or text message, in a directory that mail readers open.
//!
//! `2026-01-31T12-00-00.000Z-<id>.eml` is a mail, `….txt` a text message. The name says which it is at every attempt, so
//! that a letter is kept once. The newest ten thousand stay.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use apus_env::Env;
use apus_kernel::BoxFuture;
use apus_service_sns::{Carrier, Letter, Letters};
use tokio::sync::oneshot;

/// Letters that are kept; the oldest makes room.
const LETTERS_MAX: usize = 10_000;
/// Only the instance's user reads them.
const DIR_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// A directory of letters.
#[derive(Clone)]
pub(crate) struct LetterDir {
    env: Env,
    dir: PathBuf,
    /// How many there are, once that was counted. One letter is written at a time.
    count: Arc<Mutex<Option<usize>>>,
}

impl LetterDir {
    /// That directory, which is made with the first letter.
    pub(crate) fn new(env: Env, dir: PathBuf) -> Self {
        Self { env, dir, count: Arc::default() }
    }

    fn write(&self, letter: &Letter) -> io::Result<()> {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        DirBuilder::new().recursive(true).mode(DIR_MODE).create(&self.dir)?;
        let path = self.dir.join(name(letter));
        if path.exists() {
            return Ok(());
        }
        let before = match *count {
            Some(known) if known < LETTERS_MAX => known,
            _ => make_room(&self.dir)?,
        };
        // Not counted until it is there.
        *count = None;
        let under_way = path.with_extension("part");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(&under_way)?;
        file.write_all(text(letter).as_bytes())?;
        file.sync_all()?;
        fs::rename(&under_way, &path)?;
        File::open(&self.dir)?.sync_all()?;
        *count = Some(before + 1);
        Ok(())
    }
}

impl Letters for LetterDir {
    fn keep(&self, letter: Letter) -> BoxFuture<'static, Result<(), String>> {
        let own = self.clone();
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            let _task = own.env.clone().spawn_thread("letter", async move {
                let kept = own.write(&letter).map_err(|error| format!("{}: {error}", own.dir.display()));
                // Nobody waits any more if the instance stops.
                let _gone = answer.send(kept);
            });
            answered.await.unwrap_or_else(|_| Err("the instance stops".into()))
        })
    }
}

/// How many letters there are, after the oldest went if there were too many.
fn make_room(dir: &Path) -> io::Result<usize> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        names.push(entry?.file_name());
    }
    names.sort_unstable();
    let most = LETTERS_MAX - 1;
    let surplus = names.len().saturating_sub(most);
    for oldest in &names[..surplus] {
        fs::remove_file(dir.join(oldest))?;
    }
    Ok(names.len() - surplus)
}

fn name(letter: &Letter) -> String {
    let ending = match letter.carrier {
        Carrier::Email => "eml",
        Carrier::Sms => "txt",
    };
    format!("{}-{}.{ending}", letter.at.to_iso8601_millis().replace(':', "-"), letter.id)
}

fn text(letter: &Letter) -> String {
    let Letter { carrier, id, to, from, subject, text, at } = letter;
    let date = at.to_http_date();
    match carrier {
        Carrier::Email => {
            let from = from.replace(['"', '\\'], "'");
            let subject = subject.as_deref().unwrap_or_default();
            format!(
                "From: \"{from}\" <no-reply@sns.invalid>\nTo: {to}\nSubject: {subject}\nDate: {date}\n\
                 Message-ID: <{id}@sns.invalid>\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
                 Content-Transfer-Encoding: 8bit\n\n{text}"
            )
        }
        Carrier::Sms => format!("To: {to}\nDate: {date}\n\n{text}\n"),
    }
}

#[cfg(test)]
mod tests {
    use apus_env::sim::Simulator;
    use apus_time::Timestamp;

    use super::*;

    fn letter(number: usize, carrier: Carrier) -> Letter {
        Letter {
            carrier,
            id: format!("id-{number}"),
            to: "bird@example.test".into(),
            from: "The \"birds\"".into(),
            subject: Some("news".into()),
            text: "hello\n".into(),
            at: Timestamp::from_micros(number as i64 * 1_000_000),
        }
    }

    #[test]
    fn letters_are_kept_once_and_the_oldest_make_room() {
        let above = std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
        let scratch = above.join(format!("apus-letters-{}", std::process::id()));
        let mut simulator = Simulator::new(1);
        let env = simulator.env();
        simulator.run(async {
            let letters = LetterDir::new(env.clone(), scratch.clone());
            let names = || {
                let names = fs::read_dir(&scratch)
                    .expect("it is there")
                    .map(|entry| entry.expect("it is read").file_name());
                let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
                names.sort_unstable();
                names
            };
            for _ in 0..2 {
                letters.keep(letter(1, Carrier::Email)).await.expect("it is kept");
                letters.keep(letter(2, Carrier::Sms)).await.expect("it is kept");
            }
            let expected = ["1970-01-01T00-00-01.000Z-id-1.eml", "1970-01-01T00-00-02.000Z-id-2.txt"];
            assert_eq!(names(), expected);
            let mail = fs::read_to_string(scratch.join(expected[0])).expect("it is read");
            assert!(
                mail.starts_with(
                    "From: \"The 'birds'\" <no-reply@sns.invalid>\nTo: bird@example.test\nSubject: news\n"
                ),
                "{mail}"
            );
            assert!(mail.ends_with("\n\nhello\n"), "{mail}");
            for number in 3..LETTERS_MAX {
                fs::write(scratch.join(name(&letter(number, Carrier::Sms))), "").expect("it is written");
            }
            // Another run of the instance counts what it finds.
            let again = LetterDir::new(env.clone(), scratch.clone());
            for number in [LETTERS_MAX, LETTERS_MAX + 1] {
                again.keep(letter(number, Carrier::Sms)).await.expect("it is kept");
            }
            assert_eq!(names().len(), LETTERS_MAX);
            assert!(names()[0].ends_with("id-2.txt"), "{:?}", names()[0]);
        });
        fs::remove_dir_all(&scratch).expect("it is removed");
    }
}
