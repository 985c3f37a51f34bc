//! The two files of an authority: its certificate, for anybody, and its key, for nobody but the owner.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use rcgen::KeyPair;

use crate::AuthorityError;

const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";

/// What is kept, if anything is.
pub(crate) fn load(directory: &Path) -> Result<Option<(KeyPair, String)>, AuthorityError> {
    let read = |name: &str| match fs::read_to_string(directory.join(name)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(directory, &error.to_string())),
    };
    // The key is written last: without it there was no authority yet.
    let Some(key) = read(KEY)? else { return Ok(None) };
    let certificate = read(CERTIFICATE)?.ok_or_else(|| unusable(directory, "its certificate is missing"))?;
    let key = KeyPair::from_pem(&key)
        .map_err(|error| unusable(directory, &format!("its key is unreadable: {error}")))?;
    Ok(Some((key, certificate)))
}

/// Keeps an authority: both files, or none that counts.
pub(crate) fn save(directory: &Path, key: &KeyPair, certificate: &str) -> Result<(), AuthorityError> {
    let saved = (|| {
        fs::create_dir_all(directory)?;
        write(directory, CERTIFICATE, certificate, 0o644)?;
        write(directory, KEY, &key.serialize_pem(), 0o600)?;
        File::open(directory)?.sync_all()
    })();
    saved.map_err(|error: io::Error| unusable(directory, &error.to_string()))
}

/// Writes beside, then in place: nobody sees half a file.
fn write(directory: &Path, name: &str, text: &str, mode: u32) -> io::Result<()> {
    let beside = directory.join(format!("{name}.new"));
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(beside, directory.join(name))
}

fn unusable(directory: &Path, why: &str) -> AuthorityError {
    AuthorityError(format!(
        "the certificate authority in {} cannot be used: {why}; remove the directory to have another one made",
        directory.display()
    ))
}
