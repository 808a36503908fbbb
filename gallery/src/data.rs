//! Labelled images: loading, scaling, and the split into training and test set.

mod csv_file;
mod error;
mod idx_file;

use std::{num::NonZero, path::Path};

use ndarray::{Array2, Axis};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

pub use error::DataError;

/// Labels are the digits 0 to 9.
pub const CLASSES: usize = 10;

/// 1,797 digits of 8 x 8 pixels; `gallery/data/README.md` names source and licence.
const DIGITS: &str = include_str!("../data/digits.csv");
const DIGITS_NAME: &str = "gallery/data/digits.csv (built in)";

/// Images as rows of pixels in [0, 1], with one label per row.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// One image per row.
    pub images: Array2<f32>,
    /// One label per image, from 0 to 9.
    pub labels: Vec<usize>,
}

/// What a data source offers: images to train on and, if it has one, a test set of its own.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where it comes from, for headings and errors.
    pub name: String,
    /// The images to draw from.
    pub train: Dataset,
    /// The test set that belongs to the data.
    pub test: Option<Dataset>,
}

/// A training set, part of it with random labels, and a clean test set.
#[derive(Debug, Clone)]
pub struct Split {
    /// What a network learns.
    pub train: Dataset,
    /// What it is judged by.
    pub test: Dataset,
}

impl Source {
    /// The digits that are shipped with the examples.
    pub fn digits() -> Result<Self, DataError> {
        let train = csv_file::read(Path::new(DIGITS_NAME), DIGITS.as_bytes())?;
        Ok(Self { name: DIGITS_NAME.to_owned(), train, test: None })
    }

    /// A CSV file in the layout of the digits, or a folder with MNIST-style IDX files of up to 256 MiB each, as unpacked.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let name = path.display().to_string();
        if path.is_dir() {
            let (train, test) = idx_file::read_folder(path)?;
            return Ok(Self { name, train, test });
        }
        let train = csv_file::open(path)?;
        Ok(Self { name, train, test: None })
    }

    /// Draws `train_size` images to train on and gives the share `label_noise` of them a random label.
    ///
    /// The test set is the source's own if it has one, else all images that were not drawn; its labels stay as they are.
    pub fn split(&self, train_size: usize, label_noise: f64, seed: u64) -> Result<Split, DataError> {
        self.check_split(train_size, label_noise)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut order: Vec<usize> = (0..self.train.len()).collect();
        order.shuffle(&mut rng);
        let (drawn, rest) = order.split_at(train_size);

        let mut train = self.train.select(drawn);
        let noisy = portion(train_size, label_noise);
        for label in &mut train.labels[..noisy] {
            *label = rng.random_range(0..CLASSES);
        }
        let test = self.test.clone().unwrap_or_else(|| self.train.select(rest));
        Ok(Split { train, test })
    }

    /// Whether [`split`](Self::split) can do what is asked of it.
    pub fn check_split(&self, train_size: usize, label_noise: f64) -> Result<(), DataError> {
        // At least one image must be left to test on, unless the source brings its own.
        let largest = self.train.len() - usize::from(self.test.is_none());
        if !(1..=largest).contains(&train_size) {
            return Err(DataError::TrainSize { name: self.name.clone(), asked: train_size, largest });
        }
        if !(0.0..=1.0).contains(&label_noise) {
            return Err(DataError::LabelNoise(label_noise));
        }
        Ok(())
    }
}

/// The number of items closest to `share` of `n`.
fn portion(n: usize, share: f64) -> usize {
    (1..=n).filter(|&i| i as f64 <= share * n as f64 + 0.5).count()
}

impl Dataset {
    /// How many images there are.
    #[expect(clippy::len_without_is_empty, reason = "no source is empty")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Pixels per image.
    #[must_use]
    pub fn features(&self) -> usize {
        self.images.ncols()
    }

    /// Keeps one of `parts` equal parts out of the training, to choose settings by; labels stay as they are, right or wrong.
    ///
    /// Every `parts`-th image is held out, so a share of wrong labels at the front is shared by all parts. Nothing is held out
    /// of fewer than `parts` images for some of the parts.
    #[must_use]
    pub fn hold_out(&self, part: usize, parts: NonZero<usize>) -> Split {
        let (held_out, kept): (Vec<_>, Vec<_>) = (0..self.len()).partition(|&row| row % parts == part % parts);
        Split { train: self.select(&kept), test: self.select(&held_out) }
    }

    fn select(&self, rows: &[usize]) -> Self {
        Self { images: self.images.select(Axis(0), rows), labels: rows.iter().map(|&row| self.labels[row]).collect() }
    }
}
