//! Any bytes as a CSV file.

use std::fs;

use tempfile::TempDir;
use wane_gallery::data::Source;

use crate::{memory::bounded, source};

/// The bytes of memory for each byte of a file, and at least. A comma takes the most: its place has 8 bytes, four times in a list that doubles,
/// and once more in a copy.
const EACH: usize = 8 * (4 + 1) + 8;
const LEAST: usize = 32 << 10;

pub(crate) fn run(input: &[u8]) {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("data.csv");
    fs::write(&file, input).expect("a writable folder");
    source::check(bounded(EACH * input.len() + LEAST, || Source::open(&file)));
}
