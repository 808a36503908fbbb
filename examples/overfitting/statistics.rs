//! Means and spreads over seeds.

use std::fmt;

use crate::experiment::{Epoch, Outcome};

/// Mean and sample standard deviation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) mean: f64,
    pub(crate) spread: f64,
}

impl Estimate {
    /// The spread of a single value is 0.
    pub(crate) fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let n = values.clone().count() as f64;
        let mean = values.clone().sum::<f64>() / n;
        let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
        Self { mean, spread: (squares / (n - 1.0).max(1.0)).sqrt() }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} ± {:.3}", self.mean, self.spread)
    }
}

/// What is measured after an epoch.
pub(crate) type Measure = fn(&Epoch) -> f64;

pub(crate) const TRAIN_ACCURACY: Measure = |epoch| epoch.train.accuracy;
pub(crate) const TEST_ACCURACY: Measure = |epoch| epoch.test.accuracy;
pub(crate) const TRAIN_LOSS: Measure = |epoch| epoch.train.loss;
pub(crate) const TEST_LOSS: Measure = |epoch| epoch.test.loss;
pub(crate) const WEIGHT_NORM: Measure = |epoch| epoch.weight_norm;
/// How much better the network is on what it was trained on, wrong labels included, than on what it has never seen.
pub(crate) const GAP: Measure = |epoch| epoch.train.accuracy - epoch.test.accuracy;

impl Outcome {
    /// After the last epoch, over the seeds.
    pub(crate) fn last(&self, measure: Measure) -> Estimate {
        Estimate::of(self.seeds.iter().filter_map(|epochs| epochs.last()).map(measure))
    }

    /// After each epoch, over the seeds.
    pub(crate) fn course(&self, measure: Measure) -> Vec<Estimate> {
        let epochs = self.seeds.iter().map(Vec::len).min().unwrap_or(0);
        (0..epochs).map(|epoch| Estimate::of(self.seeds.iter().map(|seed| measure(&seed[epoch])))).collect()
    }
}
