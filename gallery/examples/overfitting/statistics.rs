//! What is measured, and what that is over the seeds.

use wane_gallery::Estimate;

use crate::experiment::{Epoch, Outcome};

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
