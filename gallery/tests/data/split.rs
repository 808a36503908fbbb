//! The digits, and how they are split.

use std::num::NonZero;

use ndarray::ArrayView1;
use wane_gallery::data::{Dataset, Source, Split};

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
