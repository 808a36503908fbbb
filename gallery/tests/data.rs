//! The data loaders that the examples share: what they read, and what they say about files that are wrong.

use std::{
    fs,
    io::{self, Read, Write},
    num::NonZero,
    path::Path,
};

use flate2::{Compression, write::GzEncoder};
use ndarray::ArrayView1;
use tempfile::TempDir;
use wane_gallery::data::{DataError, Dataset, Source, Split};

#[test]
fn the_digits_are_all_there() {
    let digits = Source::digits().expect("the built-in data is good");
    assert_eq!(digits.train.images.dim(), (1797, 64));
    assert_eq!(digits.train.labels[..3], [0, 1, 2]);
    assert_eq!(digits.train.images[[0, 2]], 5.0 / 16.0);
    assert!(digits.train.images.iter().all(|pixel| (0.0..=1.0).contains(pixel)), "pixels lie in [0, 1]");
}

#[test]
fn a_split_has_the_sizes_and_the_noise_that_were_asked_for() {
    let digits = Source::digits().expect("the built-in data is good");
    let clean = digits.split(300, 0.0, 1).expect("a good split");
    let noisy = digits.split(300, 0.2, 1).expect("a good split");
    assert_eq!((clean.train.len(), clean.test.len()), (300, 1497));
    assert_eq!(clean.train.images, noisy.train.images);
    assert_eq!(clean.test.labels, noisy.test.labels);
    let wrong = clean.train.labels.iter().zip(&noisy.train.labels).filter(|(a, b)| a != b).count();
    // 60 labels are drawn, of which about a tenth is right by chance.
    assert!((45..=60).contains(&wrong), "{wrong} labels are wrong");

    let again = digits.split(300, 0.2, 1).expect("a good split");
    assert_eq!(again.train.labels, noisy.train.labels);
    let other = digits.split(300, 0.2, 2).expect("a good split");
    assert_ne!(other.train.images, noisy.train.images);
}

#[test]
fn every_image_is_held_out_once_with_its_label() {
    let train = Source::digits().expect("the built-in data is good").split(300, 0.2, 1).expect("a good split").train;
    let parts = NonZero::new(4).expect("not zero");
    let rows = |data: &Dataset| -> Vec<(Vec<u32>, usize)> {
        let bits = |image: ArrayView1<'_, f32>| image.iter().map(|pixel| pixel.to_bits()).collect();
        data.images.outer_iter().map(bits).zip(data.labels.iter().copied()).collect()
    };
    let sorted = |mut rows: Vec<_>| {
        rows.sort();
        rows
    };
    let splits: Vec<_> = (0..4).map(|part| train.hold_out(part, parts)).collect();
    for Split { train: kept, test: held_out } in &splits {
        assert_eq!((kept.len(), held_out.len()), (225, 75));
        assert_eq!(sorted([rows(kept), rows(held_out)].concat()), sorted(rows(&train)));
    }
    let held_out = splits.iter().flat_map(|split| rows(&split.test)).collect();
    assert_eq!(sorted(held_out), sorted(rows(&train)));
    assert_eq!(rows(&train.hold_out(5, parts).test), rows(&splits[1].test), "parts are counted in a circle");
}

#[test]
fn a_split_must_leave_something_to_test_on() {
    let digits = Source::digits().expect("the built-in data is good");
    for size in [0, 1797] {
        let error = digits.split(size, 0.2, 0).expect_err("no such split").to_string();
        let name = "gallery/data/digits.csv (built in)";
        assert_eq!(error, format!("{name}: expected a training size from 1 to 1796, found {size}"));
    }
    let error = digits.split(300, 1.5, 0).expect_err("no such share").to_string();
    assert_eq!(error, "expected a share of random labels from 0 to 1, found 1.5");
}

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

/// A line of the CSV layout: 64 equal pixels and a label.
fn line(pixel: &str, label: &str) -> String {
    format!("{}{label}\n", format!("{pixel},").repeat(64))
}

#[test]
fn good_csv_is_read() {
    let source = open("good.csv", (line("16", "9") + &line("0.5", "0")).as_bytes()).expect("a good file");
    assert_eq!(source.train.labels, [9, 0]);
    assert_eq!(source.train.images[[0, 63]], 1.0);
    assert_eq!(source.train.images[[1, 0]], 0.5 / 16.0);
    assert!(source.test.is_none(), "a CSV file has no test set of its own");
}

#[test]
fn bad_csv_is_named_with_file_line_and_expectation() {
    let good = line("1", "1");
    let cases: [(String, &str); 8] = [
        (String::new(), "bad.csv: expected at least one image, found none"),
        ("1,2,3\n".into(), "bad.csv, line 1: expected 65 values (64 pixels, then a label), found 3"),
        (good.replace('\n', ",7\n"), "bad.csv, line 1: expected 65 values (64 pixels, then a label), found 66"),
        (good.clone() + &line("17", "1"), "bad.csv, line 2: expected a pixel from 0 to 16 in column 1, found `17`"),
        (good.clone() + &line("NaN", "1"), "bad.csv, line 2: expected a pixel from 0 to 16 in column 1, found `NaN`"),
        (line("pixel", "label"), "bad.csv, line 1: expected a pixel from 0 to 16 in column 1, found `pixel`"),
        (good.clone() + &good + &line("1", "10"), "bad.csv, line 3: expected a label from 0 to 9 in column 65, found `10`"),
        (
            line("1", "a\u{1b}bcdefghijklmnopqrstuvwxyz"),
            "bad.csv, line 1: expected a label from 0 to 9 in column 65, found `a\\u{1b}bcdefghijklmnopqrs...`",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(open("bad.csv", text.as_bytes()).expect_err("a bad file"), expected);
    }
}

#[test]
fn lines_are_counted_through_blank_ones_and_bytes_that_are_not_text() {
    let text = line("1", "1") + "\n\r\n" + &line("-1", "1");
    let error = open("bad.csv", text.as_bytes()).expect_err("a bad file");
    assert_eq!(error, "bad.csv, line 4: expected a pixel from 0 to 16 in column 1, found `-1`");
    let mut bytes = line("1", "1").into_bytes();
    bytes[0] = 0xff;
    let error = open("bad.csv", &bytes).expect_err("a bad file");
    assert_eq!(error, "bad.csv, line 1: expected a pixel from 0 to 16 in column 1, found `\u{fffd}`");
}

#[test]
fn a_missing_file_is_named() {
    let error = Source::open(Path::new("no/such/file.csv")).expect_err("no such file").to_string();
    assert!(error.starts_with("no/such/file.csv: cannot be read: "), "{error}");
}

/// An IDX file: magic number, sizes, bytes.
fn idx(magic: u32, sizes: &[u32], bytes: &[u8]) -> Vec<u8> {
    let header = [magic].into_iter().chain(sizes.iter().copied()).flat_map(u32::to_be_bytes);
    header.chain(bytes.iter().copied()).collect()
}

const IMAGES: u32 = 0x0803;
const LABELS_MAGIC: u32 = 0x0801;

/// Two images of 2 x 3 pixels.
fn idx_images() -> Vec<u8> {
    idx(IMAGES, &[2, 2, 3], &[0, 51, 102, 153, 204, 255, 1, 2, 3, 4, 5, 6])
}

fn idx_labels() -> Vec<u8> {
    idx(LABELS_MAGIC, &[2], &[7, 3])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

/// A folder with these files.
fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).expect("a writable folder");
    }
    folder
}

const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";

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
