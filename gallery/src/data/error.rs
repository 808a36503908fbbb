//! Why data could not be loaded or split.

use std::{io, path::PathBuf};

/// Names the file, the place in it, and what was expected there.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file system does not give the file.
    #[error("{file}: cannot be read: {source}", file = file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the file system says.
        source: io::Error,
    },

    /// A file without a single image.
    #[error("{file}: expected at least one image, found none", file = file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },

    /// A line of a text file is wrong.
    #[error("{file}, line {line}: expected {expected}, found {found}", file = file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The number of the line, from 1.
        line: usize,
        /// What is expected there.
        expected: String,
        /// What is there.
        found: String,
    },

    /// A binary file is wrong from this byte on; bytes are counted as unpacked.
    #[error("{file}, byte {offset}: expected {expected}, found {found}", file = file.display())]
    Byte {
        /// The file.
        file: PathBuf,
        /// The byte, from 0.
        offset: u64,
        /// What is expected there.
        expected: String,
        /// What is there.
        found: String,
    },

    /// A folder without one of the files that it needs.
    #[error("{folder}: expected a file `{name}` or `{name}.gz`, found neither", folder = folder.display())]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// The name of the file that is missing.
        name: &'static str,
    },

    /// A single file in the format of those that are read by the folder.
    #[error("{file}: expected a CSV file or a folder of IDX files, found {found}; give its folder", file = file.display())]
    GiveFolder {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: &'static str,
    },

    /// No split leaves images on both sides.
    #[error("{name}: expected a training size from 1 to {largest}, found {asked}")]
    TrainSize {
        /// The name of the data.
        name: String,
        /// The number that was asked for.
        asked: usize,
        /// The largest number that is possible.
        largest: usize,
    },

    /// No share.
    #[error("expected a share of random labels from 0 to 1, found {0}")]
    LabelNoise(f64),
}
