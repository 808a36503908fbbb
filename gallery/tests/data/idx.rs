//! IDX files and folders, good, bad and malicious.

use std::{
    fs,
    io::{self, Read, Write},
};

use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;
use wane_gallery::data::Source;

use super::{open, relative};

/// An IDX file: magic number, sizes, bytes.
fn idx(magic: u32, sizes: &[u32], bytes: &[u8]) -> Vec<u8> {
    let header = [magic].into_iter().chain(sizes.iter().copied()).flat_map(u32::to_be_bytes);
    header.chain(bytes.iter().copied()).collect()
}

const IMAGES: u32 = 0x0803;
const LABELS_MAGIC: u32 = 0x0801;

/// Two images of 2 x 3 pixels.
pub(super) fn idx_images() -> Vec<u8> {
    idx(IMAGES, &[2, 2, 3], &[0, 51, 102, 153, 204, 255, 1, 2, 3, 4, 5, 6])
}

pub(super) fn idx_labels() -> Vec<u8> {
    idx(LABELS_MAGIC, &[2], &[7, 3])
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

/// A folder with these files.
pub(super) fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).expect("a writable folder");
    }
    folder
}

pub(super) const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
pub(super) const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";

#[test]
fn plain_and_gzipped_idx_folders_are_read() {
    let plain = folder(&[(TRAIN_IMAGES, idx_images()), (TRAIN_LABELS, idx_labels())]);
    let mixed = folder(&[
        ("train-images-idx3-ubyte.gz", gzip(&idx_images())),
        (TRAIN_LABELS, idx_labels()),
        ("t10k-images-idx3-ubyte.gz", gzip(&idx_images())),
        ("t10k-labels-idx1-ubyte.gz", gzip(&idx_labels())),
    ]);
    let plain = Source::open(plain.path()).expect("a good folder");
    let mixed = Source::open(mixed.path()).expect("a good folder");
    for data in [&plain.train, &mixed.train, mixed.test.as_ref().expect("a test set")] {
        assert_eq!(data.labels, [7, 3]);
        assert_eq!(data.images.dim(), (2, 6));
        assert_eq!(data.images.row(0).to_vec(), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
    }
    assert!(plain.test.is_none(), "there are no t10k files");
    // With a test set of its own, all training images may be drawn.
    assert_eq!(mixed.split(2, 0.0, 0).expect("a good split").test.labels, [7, 3]);
}

#[test]
fn bad_idx_is_named_with_file_byte_and_expectation() {
    let cut = idx_images()[..20].to_vec();
    let long = [idx_images(), vec![0]].concat();
    let cases: [(&str, Vec<u8>, &str); 12] = [
        (TRAIN_IMAGES, vec![0, 0], "train-images-idx3-ubyte, byte 0: expected 4 bytes of the header, found the end of the file"),
        (TRAIN_IMAGES, idx_labels(), "train-images-idx3-ubyte, byte 0: expected the magic number 0x00000803, found 0x00000801"),
        (
            TRAIN_IMAGES,
            idx(IMAGES, &[2, 2], &[]),
            "train-images-idx3-ubyte, byte 12: expected 4 bytes of the header, found the end of the file",
        ),
        (TRAIN_IMAGES, idx(IMAGES, &[0, 2, 3], &[]), "train-images-idx3-ubyte: expected at least one image, found none"),
        (
            TRAIN_IMAGES,
            cut,
            "train-images-idx3-ubyte, byte 20: expected 12 bytes after the header, as it announces, found the end of the file after 4",
        ),
        (TRAIN_IMAGES, long, "train-images-idx3-ubyte, byte 28: expected the end of the file, found more bytes"),
        (
            TRAIN_IMAGES,
            idx(IMAGES, &[u32::MAX; 3], &[0; 9]),
            "train-images-idx3-ubyte, byte 4: expected sizes whose product is at most 268435456, found [4294967295, 4294967295, 4294967295]",
        ),
        (
            TRAIN_IMAGES,
            idx(IMAGES, &[1 << 20, 1 << 20, 1], &[0; 9]),
            "train-images-idx3-ubyte, byte 4: expected sizes whose product is at most 268435456, found [1048576, 1048576, 1]",
        ),
        (
            TRAIN_IMAGES,
            idx(IMAGES, &[(256 << 20) + 1, 1, 1], &[0; 9]),
            "train-images-idx3-ubyte, byte 4: expected sizes whose product is at most 268435456, found [268435457, 1, 1]",
        ),
        (
            TRAIN_IMAGES,
            idx(IMAGES, &[256 << 20, 1, 1], &[0; 9]),
            "train-images-idx3-ubyte, byte 25: expected 268435456 bytes after the header, as it announces, found the end of the file after 9",
        ),
        (
            TRAIN_LABELS,
            idx(LABELS_MAGIC, &[3], &[1, 2, 3]),
            "train-labels-idx1-ubyte, byte 4: expected 2 labels, one per image, found 3",
        ),
        (
            TRAIN_LABELS,
            idx(LABELS_MAGIC, &[2], &[1, 10]),
            "train-labels-idx1-ubyte, byte 9: expected a label from 0 to 9, found 10",
        ),
    ];
    for (name, bytes, expected) in cases {
        let folder = folder(&[(TRAIN_IMAGES, idx_images()), (TRAIN_LABELS, idx_labels()), (name, bytes)]);
        let error = Source::open(folder.path()).expect_err("a bad file");
        assert_eq!(relative(&error, folder.path()), expected);
    }
}

#[test]
fn broken_gzip_is_a_matter_of_the_data() {
    let cut = gzip(&idx_images())[..24].to_vec();
    for (bytes, place) in [(b"no gzip at all".to_vec(), "byte 0"), (cut, "byte ")] {
        let folder = folder(&[("train-images-idx3-ubyte.gz", bytes), (TRAIN_LABELS, idx_labels())]);
        let error = relative(&Source::open(folder.path()).expect_err("a bad file"), folder.path());
        assert!(error.starts_with(&format!("train-images-idx3-ubyte.gz, {place}")), "{error}");
        assert!(error.contains("expected gzip data, found "), "{error}");
    }
}

/// A gzip of `start` and then, as far as any memory goes, endless zeros.
fn bomb(start: &[u8]) -> Vec<u8> {
    const ZEROS: u64 = 16 << 20;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(start).expect("memory can be written");
    io::copy(&mut io::repeat(0).take(ZEROS), &mut encoder).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

/// The end of the gzip is cut off: whoever unpacks all of it finds that first.
#[test]
fn no_more_is_unpacked_than_the_header_announces() {
    let cases = [
        (idx(IMAGES, &[2, 2, 3], &[]), "byte 28: expected the end of the file, found more bytes"),
        (
            idx(IMAGES, &[u32::MAX, 28, 28], &[]),
            "byte 4: expected sizes whose product is at most 268435456, found [4294967295, 28, 28]",
        ),
    ];
    for (start, expected) in cases {
        let mut bomb = bomb(&start);
        bomb.truncate(bomb.len() - 100);
        assert!(bomb.len() < 50_000, "{} bytes are not few", bomb.len());
        let folder = folder(&[("train-images-idx3-ubyte.gz", bomb), (TRAIN_LABELS, idx_labels())]);
        let error = Source::open(folder.path()).expect_err("a bad file");
        assert_eq!(relative(&error, folder.path()), format!("train-images-idx3-ubyte.gz, {expected}"));
    }
}

#[test]
fn a_single_idx_file_is_sent_to_its_folder() {
    for (name, bytes, found) in [
        ("train-images-idx3-ubyte", idx_images(), "an IDX file"),
        ("train-labels-idx1-ubyte.gz", gzip(&idx_labels()), "a gzip file"),
    ] {
        let expected = format!("{name}: expected a CSV file or a folder of IDX files, found {found}; give its folder");
        assert_eq!(open(name, &bytes).expect_err("a folder is needed"), expected);
    }
}

#[test]
fn missing_idx_files_are_named() {
    type Files = Vec<(&'static str, Vec<u8>)>;
    let cases: [(Files, &str); 3] = [
        (vec![], "train-images-idx3-ubyte"),
        (vec![(TRAIN_IMAGES, idx_images())], "train-labels-idx1-ubyte"),
        (
            vec![(TRAIN_IMAGES, idx_images()), (TRAIN_LABELS, idx_labels()), ("t10k-images-idx3-ubyte", idx_images())],
            "t10k-labels-idx1-ubyte",
        ),
    ];
    for (files, missing) in cases {
        let folder = folder(&files);
        let error = relative(&Source::open(folder.path()).expect_err("a file is missing"), folder.path());
        assert_eq!(error, format!("FOLDER: expected a file `{missing}` or `{missing}.gz`, found neither"));
    }
}

#[test]
fn test_images_must_be_of_the_training_size() {
    let folder = folder(&[
        (TRAIN_IMAGES, idx_images()),
        (TRAIN_LABELS, idx_labels()),
        ("t10k-images-idx3-ubyte", idx(IMAGES, &[2, 1, 2], &[1, 2, 3, 4])),
        ("t10k-labels-idx1-ubyte", idx_labels()),
    ]);
    let error = relative(&Source::open(folder.path()).expect_err("other images"), folder.path());
    let expected = "t10k-images-idx3-ubyte, byte 8: expected images of 6 pixels, as in the training set, found 2 pixels";
    assert_eq!(error, expected);
}
