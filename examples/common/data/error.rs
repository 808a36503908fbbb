//! Why data could not be loaded or split.

use std::{io, path::PathBuf};

/// Names the file, the place in it, and what was expected there.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error("{file}: cannot be read: {source}", file = file.display())]
    Unreadable { file: PathBuf, source: io::Error },

    #[error("{file}: expected at least one image, found none", file = file.display())]
    Empty { file: PathBuf },

    #[error("{file}, line {line}: expected {expected}, found {found}", file = file.display())]
    Line { file: PathBuf, line: usize, expected: String, found: String },

    #[error("{file}, byte {offset}: expected {expected}, found {found}", file = file.display())]
    Byte { file: PathBuf, offset: u64, expected: String, found: String },

    #[error("{folder}: expected a file `{name}` or `{name}.gz`, found neither", folder = folder.display())]
    Missing { folder: PathBuf, name: &'static str },

    #[error("{name}: expected a training size from 1 to {largest}, found {asked}")]
    TrainSize { name: String, asked: usize, largest: usize },

    #[error("expected a share of random labels from 0 to 1, found {0}")]
    LabelNoise(f64),
}
