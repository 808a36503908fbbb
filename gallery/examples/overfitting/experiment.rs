//! Trains every setting with every seed.

use indicatif::{ProgressBar, ProgressStyle};
use ndarray::{Array2, Axis, s};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use wane_gallery::{
    data::{CLASSES, DataError, Dataset, Source, Split},
    mlp::{Layers, Mlp, Score},
};

use crate::{optimizer, setting::Setting};

const BATCH: usize = 32;

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) settings: Vec<Setting>,
    pub(crate) epochs: usize,
    /// Seeds are 0, 1, 2 ...; settings with the same seed share data and first weights.
    pub(crate) seeds: usize,
    pub(crate) hidden: usize,
    pub(crate) train_size: usize,
    pub(crate) label_noise: f64,
}

/// Where a network stands after an epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Epoch {
    pub(crate) train: Score,
    pub(crate) test: Score,
    pub(crate) weight_norm: f64,
}

/// What became of a setting.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) setting: Setting,
    /// Per seed, its epochs.
    pub(crate) seeds: Vec<Vec<Epoch>>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Data(#[from] DataError),

    #[error("{setting}: {source}")]
    Settings { setting: String, source: Box<wane::Error> },

    #[error("{setting}, seed {seed}, epoch {epoch}: {source}")]
    Step { setting: String, seed: usize, epoch: usize, source: Box<wane::Error> },
}

/// Trains everything, on all processors; the numbers do not depend on how many there are. `data` has the images of a seed.
///
/// Collected into a `Result`, the first failure ends it; into a `Vec`, each setting fails alone.
pub(crate) fn run<C: FromParallelIterator<Result<Outcome, Failure>>>(
    plan: &Plan,
    data: impl Fn(usize) -> Result<Split, DataError> + Sync,
) -> C {
    let progress = progress_bar(plan);
    let outcomes = plan
        .settings
        .par_iter()
        .map(|setting| {
            let train = |seed| Training::new(plan, setting, seed, data(seed)?)?.run(plan.epochs, &progress);
            let seeds = (0..plan.seeds).into_par_iter().map(train).collect::<Result<_, Failure>>()?;
            Ok(Outcome { setting: setting.clone(), seeds })
        })
        .collect();
    progress.finish_and_clear();
    outcomes
}

fn progress_bar(plan: &Plan) -> ProgressBar {
    let epochs = plan.settings.len() * plan.seeds * plan.epochs;
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} epochs, {eta} left").expect("a valid template");
    ProgressBar::new(epochs as u64).with_style(style)
}

/// Independent streams of random numbers from one seed, so that, for example, dropout does not change the order of images.
#[derive(Debug, Clone, Copy)]
enum Stream {
    Weights = 1,
    Batches,
    Dropout,
}

fn random(seed: usize, stream: Stream) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed as u64);
    rng.set_stream(stream as u64);
    rng
}

/// One network on its way.
struct Training<'a> {
    setting: &'a Setting,
    seed: usize,
    data: Split,
    net: Mlp<f32>,
    optimizer: Box<dyn wane::Optimizer<f32>>,
    batch: Batch,
}

impl Plan {
    /// The images that a seed is trained and tested on.
    pub(crate) fn split(&self, source: &Source, seed: usize) -> Result<Split, DataError> {
        source.split(self.train_size, self.label_noise, seed as u64)
    }
}

impl<'a> Training<'a> {
    fn new(plan: &Plan, setting: &'a Setting, seed: usize, data: Split) -> Result<Self, Failure> {
        let layers = Layers { inputs: data.train.features(), hidden: plan.hidden, classes: CLASSES };
        let net = Mlp::new(layers, BATCH, &mut random(seed, Stream::Weights));
        let optimizer = optimizer::build(setting.optimizer, setting.learning_rate, setting.decay.clone())
            .map_err(|error| Failure::Settings { setting: setting.name(), source: error.into() })?;
        Ok(Self { setting, seed, batch: Batch::new(&data.train), data, net, optimizer })
    }

    fn run(mut self, epochs: usize, progress: &ProgressBar) -> Result<Vec<Epoch>, Failure> {
        let mut order = random(self.seed, Stream::Batches);
        let mut dropout = random(self.seed, Stream::Dropout);
        (1..=epochs)
            .map(|epoch| {
                self.train(&mut order, &mut dropout).map_err(|error| Failure::Step {
                    setting: self.setting.name(),
                    seed: self.seed,
                    epoch,
                    source: error.into(),
                })?;
                progress.inc(1);
                Ok(self.look())
            })
            .collect()
    }

    /// One epoch: every training image once, in a new order.
    fn train(&mut self, order: &mut ChaCha8Rng, dropout: &mut ChaCha8Rng) -> Result<(), wane::Error> {
        let mut rows: Vec<usize> = (0..self.data.train.len()).collect();
        rows.shuffle(order);
        for rows in rows.chunks(BATCH) {
            self.batch.fill(&self.data.train, rows);
            if self.setting.dropout > 0.0 {
                self.net.draw_dropout(self.setting.dropout, dropout);
            }
            self.net.loss_and_gradients(self.batch.images.slice(s![..rows.len(), ..]), &self.batch.labels);
            self.optimizer.step(&mut self.net.params())?;
        }
        Ok(())
    }

    fn look(&mut self) -> Epoch {
        let Split { train, test } = &self.data;
        Epoch {
            train: self.net.evaluate(train.images.view(), &train.labels),
            test: self.net.evaluate(test.images.view(), &test.labels),
            weight_norm: self.net.weight_norm(),
        }
    }
}

/// The images of one step, side by side.
struct Batch {
    images: Array2<f32>,
    labels: Vec<usize>,
}

impl Batch {
    fn new(data: &Dataset) -> Self {
        Self { images: Array2::zeros((BATCH, data.features())), labels: Vec::with_capacity(BATCH) }
    }

    fn fill(&mut self, data: &Dataset, rows: &[usize]) {
        for (mut image, &row) in self.images.axis_iter_mut(Axis(0)).zip(rows) {
            image.assign(&data.images.row(row));
        }
        self.labels.clear();
        self.labels.extend(rows.iter().map(|&row| data.labels[row]));
    }
}
