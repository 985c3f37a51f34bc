//! The external extensions that layers bring: programs in one directory of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// Where they are inside.
pub(crate) const DIRECTORY: &str = "/opt/extensions";
/// Where they are in a layer.
const IN_LAYERS: &str = "extensions";

/// The names of the programs in these layers, in order. Of the same name in several layers there is one.
pub(crate) fn names(layers: &[PathBuf]) -> Vec<String> {
    let directories = layers.iter().filter_map(|layer| fs::read_dir(layer.join(IN_LAYERS)).ok());
    let files = directories.flatten().flatten().filter(|entry| entry.path().is_file());
    let names: BTreeSet<String> = files.filter_map(|file| file.file_name().into_string().ok()).collect();
    names.into_iter().collect()
}
