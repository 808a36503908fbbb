//! The data loaders that the examples share: what they read, and what they say about files that are wrong.

mod csv;
mod damage;
mod idx;
mod split;

use std::{fs, path::Path};

use tempfile::TempDir;
use wane_gallery::data::{DataError, Source};

/// A folder with one file; its path in errors is replaced by its name.
fn open(name: &str, bytes: &[u8]) -> Result<Source, String> {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join(name);
    fs::write(&file, bytes).expect("a writable folder");
    Source::open(&file).map_err(|error| relative(&error, folder.path()))
}

fn relative(error: &DataError, folder: &Path) -> String {
    error.to_string().replace(&format!("{}/", folder.display()), "").replace(&folder.display().to_string(), "FOLDER")
}
