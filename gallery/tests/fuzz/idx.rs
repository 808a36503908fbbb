//! Any bytes as the two IDX files of a training set, each plain or as a gzip.
//!
//! The first byte says which of them are gzips, the next two how long the images are.

use std::{fs, path::Path};

use tempfile::TempDir;
use wane_gallery::data::Source;

use crate::{memory::bounded, source};

/// The bytes of memory for each byte of a file as unpacked, and at least: gzips have a window of their own.
const EACH: usize = 8;
const LEAST: usize = 160 << 10;

/// The most bytes that a byte of a gzip unpacks to.
const UNPACKED: usize = 1032;

pub(crate) fn run(input: &[u8]) {
    let Some((&[kinds, high, low], files)) = input.split_first_chunk() else { return };
    let cut = usize::from(u16::from_be_bytes([high, low])).min(files.len());
    let (images, labels) = files.split_at(cut);

    let folder = TempDir::new().expect("a temporary folder");
    let size = put(folder.path(), "train-images-idx3-ubyte", images, kinds & 1 != 0)
        + put(folder.path(), "train-labels-idx1-ubyte", labels, kinds & 2 != 0);
    source::check(bounded(EACH * size + LEAST, || Source::open(folder.path())));
}

/// Writes a file, and returns how long it may be as unpacked.
fn put(folder: &Path, name: &str, bytes: &[u8], gzipped: bool) -> usize {
    let (name, size) = if gzipped { (format!("{name}.gz"), UNPACKED * bytes.len()) } else { (name.into(), bytes.len()) };
    fs::write(folder.join(name), bytes).expect("a writable folder");
    size
}
