//! No byte makes a reader panic: good files, cut anywhere and with any one byte changed, are read or named as wrong.

use std::fs;

use tempfile::TempDir;
use wane_gallery::data::Source;

use super::csv::line;
use super::idx::{TRAIN_IMAGES, TRAIN_LABELS, folder, gzip, idx_images, idx_labels};

/// What a byte is changed to: marks of both formats, and ends of its range.
const BYTES: [u8; 5] = [0, 8, 0xff, b'"', b'\n'];

/// The same bytes, cut before each of them and with each of them changed.
fn damaged(good: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let cut = (0..good.len()).map(|n| good[..n].to_vec());
    let changed = (0..good.len()).flat_map(|at| BYTES.map(|byte| (at, byte))).map(|(at, byte)| {
        let mut bytes = good.to_vec();
        bytes[at] = byte;
        bytes
    });
    cut.chain(changed)
}

/// Opens a source after each damage of one of its files; what is read is whole.
fn survives(place: &TempDir, file: &str, good: &[u8], source: &str) {
    let mut refused = 0;
    for bytes in damaged(good) {
        fs::write(place.path().join(file), &bytes).expect("a writable folder");
        match Source::open(&place.path().join(source)) {
            Ok(Source { train, .. }) => assert!(train.images.nrows() == train.len() && train.len() > 0, "{bytes:?}"),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
        }
    }
    assert!(refused >= good.len() / 2, "{file}: only {refused} were refused");
    fs::write(place.path().join(file), good).expect("a writable folder");
}

#[test]
fn csv_files() {
    let good = format!("\n{}", line("1", "7"));
    survives(&folder(&[]), "digits.csv", good.as_bytes(), "digits.csv");
}

#[test]
fn idx_files() {
    let place = folder(&[(TRAIN_IMAGES, idx_images()), (TRAIN_LABELS, idx_labels())]);
    survives(&place, TRAIN_IMAGES, &idx_images(), "");
    survives(&place, TRAIN_LABELS, &idx_labels(), "");
    let packed = "train-images-idx3-ubyte.gz";
    let place = folder(&[(packed, gzip(&idx_images())), (TRAIN_LABELS, idx_labels())]);
    survives(&place, packed, &gzip(&idx_images()), "");
}
